/*
 * support_judge: what must never happen in a world, held against the cluster's own journal.
 *
 * Not the controller's word: it is not asked.
 *
 * Looks at what is new since the last call.
 *
 * Tests.
 */
#ifndef RAMET_SUPPORT_JUDGE_H
#define RAMET_SUPPORT_JUDGE_H

#include "support_world.h"

#define JUDGE_VMS 4096

struct judge {
	struct strs names; /* of manifests that ever were */
	size_t seen;	   /* entries of the cluster's journal */
	struct {
		int64_t vmid;
		bool ours; /* carries our marker now */
	} v[JUDGE_VMS];
	size_t n;
	bool may_stop; /* some manifest said started: false */
};

void judge_fini(struct judge *j);
void judge_name(struct judge *j, const char *name);
/* After every event. Violations go to the world. */
void judge_look(struct judge *j, struct world *w);

#endif
