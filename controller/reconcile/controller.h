/*
 * controller: the four machines put together: source, inventory, guests, reporter.
 *
 * Not a process: it neither opens files nor runs the loop; main or a test gives it ports and turns
 * the clock.
 *
 * Owns its machines; borrows ports and configuration until controller_free.
 *
 * The controller process, or any number of them inside one test.
 */
#ifndef RAMET_CONTROLLER_H
#define RAMET_CONTROLLER_H

#include "bundle.h"
#include "config.h"
#include "ports.h"
#include "status.h"

enum controller_mode {
	CONTROLLER_RUN,	  /* for ever */
	CONTROLLER_APPLY, /* until every VM in scope is Ready or waits for a person */
	CONTROLLER_PLAN,  /* read everything once, plan, write nothing */
	CONTROLLER_MODE__MAX
};

struct controller_opts {
	const struct config *config;
	struct ports ports;
	enum controller_mode mode;
	bool observe_only;
	/* A desired state given by hand instead of the branch (apply PATH, plan PATH), or NULL. */
	const struct bundle *desired;
	const char *rev;	 /* read this revision of the branch instead of its head, or NULL */
	const struct strs *only; /* names in scope, NULL = all */
	/* A person says that so many VMs may be destroyed by this run, whatever the configured
	 * budget, and that the branch is meant as it is; 0 = nobody said so. */
	unsigned destroy_budget;
};

struct controller;

/* Replays the journal, then starts the machines. */
int controller_new(
    const struct controller_opts *o, struct controller **ret, struct err **err) MUST_CHECK;
void controller_free(struct controller **c);

/* Asks for an orderly stop: no new operation begins; steps under way end or are left to the
 * journal. Calls back once (from the clock) when nothing is under way, at the latest after 10 s. */
void controller_stop(struct controller *c, clock_cb done, void *arg);
/* APPLY, PLAN: everything in scope has settled, or cannot (source or cluster out of reach for
 * good). */
bool controller_is_settled(const struct controller *c);
/* Called when controller_is_settled becomes true. */
void controller_on_settled(struct controller *c, clock_cb cb, void *arg);

/* Look again now: a webhook. */
void controller_poke(struct controller *c);
/* The same, and every VM that waits for a person is tried again: SIGHUP, after something was mended
 * that shows neither in its manifest nor on it, such as a right. */
void controller_retry(struct controller *c);

/* A desired state is in force and the cluster has been seen at least once. */
bool controller_is_ready(const struct controller *c);

/* Number of looks at the cluster that ended, well or not. */
uint64_t controller_looks(const struct controller *c);

/* The model, as it is now, but for used_vmids. Borrowed until the next turn. */
const struct status *controller_status(struct controller *c);
/* Last plan of a VM, NULL if none was made. Borrowed until the next turn. */
const struct plan *controller_plan(struct controller *c, const char *name);
const struct bundle *controller_bundle(const struct controller *c);

#endif
