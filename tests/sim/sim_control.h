/*
 * sim_control: what happens to the cluster while it runs, said line by line over a Unix socket.
 *
 * Not the API: whoever can open the socket may do all of it, without a token. It is there only
 * when it is asked for.
 *
 * The control belongs to the caller, who frees it before the front end and the simulation.
 *
 * The program ramet-sim and its tests.
 */
#ifndef RAMET_SIM_CONTROL_H
#define RAMET_SIM_CONTROL_H

#include "sim.h"

struct sim_http;
struct sim_control;

/* The words of the commands, for --help. */
extern const char control_help[];
/* Does what the line says. The answer, "ok" or "error: …" with a newline, is owned. */
char *control_do(struct sim *sim, const char *line);

/* The same later (sim_script.c); what became of it stands in the journal. */
void script_at(struct sim *sim, int64_t ms, const char *line);
/* "at TIME LINE" as a line of its own. */
int script_later(struct sim *sim, const char *line, struct err **err) MUST_CHECK;
/* Lines of many words: "edit VMID …", "create VMID NODE …". */
int script_edit(struct sim *sim, const struct strs *words, struct err **err) MUST_CHECK;
int script_restore(struct sim *sim, const struct strs *words, struct err **err) MUST_CHECK;
int script_create(struct sim *sim, const struct strs *words, struct err **err) MUST_CHECK;

/* Listens at this path, which must not be there yet, in the loop of the front end. */
int control_start(struct sim *sim, struct sim_http *http, const char *path,
    struct sim_control **ret, struct err **err) MUST_CHECK;
void control_free(struct sim_control **c);

#endif
