/*
 * statusview: the status model for a terminal and as JSON: all VMs, one in full, one explained.
 *
 * Not the files in Git (report/tree.h) and not where the model comes from (statusload.h).
 *
 * Writes into the caller's buffer.
 *
 * The controller process; pure.
 */
#ifndef RAMET_STATUSVIEW_H
#define RAMET_STATUSVIEW_H

#include "status.h"

struct statusview {
	bool colors;
	size_t columns; /* 0 = no limit */
};

/* What the controller cannot reach, each with its next step; nothing when all is well. */
void statusview_problems(const struct statusview *o, const struct status *s, struct buf *out);
/* Problems, headline, the table, next steps. */
void statusview_all(const struct statusview *o, const struct status *s, struct buf *out);
void statusview_one(const struct statusview *o, const struct vmstat *v, struct buf *out);
/* What a look at the cluster adds to a report; each may be NULL. Borrowed. */
struct statusview_now {
	const char *place;   /* of the manifest: "vms/web.yaml:3:1" */
	const char *plan;    /* rendered */
	const char *problem; /* why there is none */
	bool todo;	     /* the plan does something */
};
/* In sentences: what is so, why, what it waits for, who changed what, what to do. */
void statusview_explain(const struct statusview *o, const struct vmstat *v,
    const struct statusview_now *now, struct buf *out);
/* "PVE's lock to go", "a person"; NULL = for nothing. */
const char *statusview_waits_for(const struct vmstat *v);
/* Both end in a line end. */
char *statusview_all_json(const struct status *s);
char *statusview_one_json(const struct vmstat *v);

/* The cluster is seen, every VM that has a manifest is Ready, and no manifest has errors. */
bool statusview_is_ready(const struct status *s);

#endif
