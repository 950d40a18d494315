/*
 * checkup: looks whether everything is there that the controller needs, one question after the
 * other.
 *
 * Not the printing (cmd_check.c) and not what is needed (pve/needs.h).
 *
 * Borrows the set-up; the findings own their strings.
 *
 * The controller process. It waits in the loop for each answer, which a command may do.
 */
#ifndef RAMET_CHECKUP_H
#define RAMET_CHECKUP_H

#include "setup.h"

enum checkup_verdict {
	CHECKUP_OK,
	CHECKUP_REMARK, /* it works, but a person should know */
	CHECKUP_FAILED,
	CHECKUP_VERDICT__MAX
};

struct checkup_item {
	enum checkup_verdict verdict;
	const char *what;  /* "git", "privilege" … */
	char *text, *next; /* next: what a person can do, or NULL */
};

struct checkup {
	struct checkup_item *v;
	size_t n, cap;
	bool failed;
};

#define _cleanup_checkup_ _cleanup_(checkup_fini)

/* The set-up has SETUP_CLUSTER and whatever the report needs. ERR_IO when the loop fails. */
int checkup_run(struct setup *s, struct checkup *ret, struct err **err) MUST_CHECK;
void checkup_fini(struct checkup *c);
const char *checkup_word(enum checkup_verdict v); /* "ok", "remark", "FAILED" */

#endif
