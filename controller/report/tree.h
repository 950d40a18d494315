/*
 * tree: the status model as files: STATUS.md, DRIFT.md, summary.json, vms/NAME.yaml; and back.
 *
 * Not the publishing (reconcile/reporter.h). Only the record is read back: everything else is seen
 * anew.
 *
 * The set of files belongs to the caller (tree_fini).
 *
 * Pure; the same model gives the same bytes: sorted, no time that moves without a change.
 */
#ifndef RAMET_TREE_H
#define RAMET_TREE_H

#include "status.h"

struct tree_file {
	char *path;
	char *data;
	size_t len;
};

struct tree {
	struct tree_file *v; /* sorted by path */
	size_t n, cap;
};

#define TREE_STATUS_ROWS 500 /* of STATUS.md; the rest is counted */
#define _cleanup_tree_ _cleanup_(tree_fini)

void tree_render(const struct status *s, struct tree *ret);
void tree_fini(struct tree *t);
const struct tree_file *tree_find(const struct tree *t, const char *path);

/* vms/NAME.yaml of one VM. Caller frees. */
char *tree_render_vm(const struct vmstat *v);
/* The record and the drift memory out of a vms/NAME.yaml; hostile input. ret: name, record, drifts,
 * corrected, since_wall, verdict and reason are set. */
int tree_parse_vm(const char *text, size_t len, struct vmstat *ret, struct err **err) MUST_CHECK;
/* used_vmids and instance out of a summary.json. */
int tree_parse_summary(const char *text, size_t len, struct strs *ret_used, char **ret_instance,
    struct err **err) MUST_CHECK;

/* The commit message from one-line events ("drift: …", "created web-01 as 1204"), worst first.
 * First line ≤ 72 characters where possible: "drift: web-01 cpu.cores 4→8 by ops@pam; corrected".
 * Caller frees. */
char *tree_message(const struct strs *events, const struct status *now);

#endif
