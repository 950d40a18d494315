/*
 * checkup_int: what the parts of a check share: folders, Git and listener (checkup.c), the cluster
 * and the token's rights (checkcluster.c).
 *
 * Not for anybody else.
 *
 * Everything belongs to the one look under way.
 *
 * The controller process.
 */
#ifndef RAMET_CHECKUP_INT_H
#define RAMET_CHECKUP_INT_H

#include "bundle.h"
#include "checkup.h"
#include "kv.h"
#include "needs.h"
#include "pvereq.h"

struct look {
	struct setup *s;
	struct checkup *c;
	struct pvereq *pve;
	struct bundle *bundle; /* NULL = could not be read */
	struct needs needs;
	struct kv nodes; /* VMID of each guest to be seen → its node */
	/* What the question under way brought. */
	bool answered;
	struct err *err;
	char *head;
};

/* Takes the text over. */
void checkup_say(
    struct look *k, enum checkup_verdict v, const char *what, char *text, const char *next);
int checkup_wait(struct look *k, struct err **err) MUST_CHECK;
int checkcluster_look(struct look *k, struct err **err) MUST_CHECK;

#endif
