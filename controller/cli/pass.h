/*
 * pass: one run of a controller on the loop: until it has settled, or until a signal ends it.
 *
 * Not the controller (reconcile/controller.h) and not what is shown of it.
 *
 * Owns the controller from pass_start to pass_end; borrows the set-up.
 *
 * The controller process.
 */
#ifndef RAMET_PASS_H
#define RAMET_PASS_H

#include "controller.h"
#include "setup.h"

enum pass_end {
	PASS_SETTLED,
	PASS_STOPPED, /* in order, after SIGINT or SIGTERM */
	PASS_RELOAD,  /* in order, after SIGHUP: there are other settings */
	PASS_CUT,     /* by a second signal, or because the loop failed */
	PASS_END__MAX
};

struct pass {
	struct setup *setup;
	struct controller *controller;
	enum controller_mode mode;
	struct loop_signal *on_int, *on_term, *on_hup;
	enum pass_end end;
	timer_id impatient; /* PLAN: a person waits for it, so trouble is looked at again soon */
	note_cb note;	    /* of the options; called from pass_start until pass_wait returns */
	void *note_arg;
	unsigned signals;
	bool reloading;			/* stops because of SIGHUP */
	void (*on_stopping)(void *arg); /* the first signal came; may be NULL */
	void *arg;
};

#define _cleanup_pass_ _cleanup_(pass_finish)

/* Mode, desired state, scope and notes are the caller's; ports and configuration are those of the
 * set-up; of a desired state given the scope is its own. */
int pass_start(
    struct pass *p, struct setup *s, const struct controller_opts *o, struct err **err) MUST_CHECK;
/* Blocks in the loop. */
int pass_wait(struct pass *p, struct err **err) MUST_CHECK;
void pass_finish(struct pass *p); /* zeroed and finished ones are fine */

/* What keeps this controller from seeing anything at all: ERR_UNREACHABLE with Git's or the
 * cluster's own sentence; NULL = nothing. Caller frees. */
struct err *pass_problem(struct pass *p);
/* "facts; next step" as an error ERR_UNREACHABLE with its hint. Caller frees. */
struct err *pass_sentence(const char *text);

#endif
