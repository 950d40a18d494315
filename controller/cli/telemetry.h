/*
 * telemetry: what others ask the running controller: is it alive, is it ready, its figures; and the
 * forge's word that there is something new. And what it tells the service manager.
 *
 * Not the figures of the ports (meter.h) and not the report (reconcile/reporter.h).
 *
 * Owns listener and notifier; borrows set-up and controller. Before the controller is freed,
 * telemetry_free.
 *
 * The controller process.
 */
#ifndef RAMET_TELEMETRY_H
#define RAMET_TELEMETRY_H

#include "controller.h"
#include "setup.h"

struct telemetry;
#define _cleanup_telemetry_ _cleanup_(telemetry_free)

/* Listens as http.listen says ("" = not at all) and meets the service manager of the environment.
 * ERR_CONFIG when it cannot listen. */
int telemetry_new(struct setup *s, struct telemetry **ret, struct err **err) MUST_CHECK;
void telemetry_free(struct telemetry **t);

/* From now on there is something to tell about. */
void telemetry_set_controller(struct telemetry *t, struct controller *c);
/* Every note of the controller. */
void telemetry_note(struct telemetry *t, const struct note *n);
void telemetry_reloading(struct telemetry *t);
void telemetry_stopping(struct telemetry *t);

#endif
