/*
 * tree: the status model as files: STATUS.md, DRIFT.md, summary.json, vms/NAME.yaml; and back.
 *
 * Not the publishing (reconcile/reporter.h). The controller takes back only records, memory of
 * drift and used numbers: everything else it sees anew. `ramet status` takes back all there is.
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

/* All files; or those alone that are about all VMs. */
void tree_render(const struct status *s, struct tree *ret);
void tree_render_tables(const struct status *s, struct tree *ret);
void tree_add(struct tree *t, char *path, char *data); /* both become the tree's */
void tree_fini(struct tree *t);
const struct tree_file *tree_find(const struct tree *t, const char *path);

/* "vms/NAME.yaml". Caller frees. */
char *tree_vm_path(const char *name);
/* The file of one VM. Caller frees. */
char *tree_render_vm(const struct vmstat *v);
/* A number in place of the file, at a fraction of the cost: another one for a VM whose file has
 * other bytes. seed: the same for those that are compared, and nobody else's to know. */
uint64_t tree_fold_vm(const struct vmstat *v, uint64_t seed);
/* A vms/NAME.yaml; hostile input: every value is held against the form that it is written in,
 * ERR_INPUT names the line that breaks it. Everything that tree_render_vm writes comes back, times
 * in whole seconds; words of reasons and findings that this version does not know become
 * REASON_READING and nothing. vmstat_fini frees ret. */
int tree_parse_vm(const char *text, size_t len, struct vmstat *ret, struct err **err) MUST_CHECK;
/* A summary.json, as a model without VMs and copies, and of findings only the number of errors.
 * status_fini frees ret. */
int tree_parse_status(
    const char *text, size_t len, struct status *ret, struct err **err) MUST_CHECK;
/* The same, but used_vmids and instance alone (NULL when it has none). */
int tree_parse_summary(const char *text, size_t len, struct strs *ret_used, char **ret_instance,
    struct err **err) MUST_CHECK;

/* The commit message from one-line events ("drift: …", "created web-01 as 1204"). Those that begin
 * with "trouble: ", "stalled: ", "refused: " and "drift: " come first, in this order.
 * First line ≤ 72 characters where possible: "drift: web-01 cpu.cores 4→8 by ops@pam; corrected".
 * Caller frees. */
char *tree_message(const struct strs *events, const struct status *now);

#endif
