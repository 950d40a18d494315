/*
 * tree_part: the files of the status tree one by one, and what they share.
 *
 * Not the interface (tree.h): for the files of this folder and their tests alone.
 *
 * Results belong to the caller.
 *
 * Pure.
 */
#ifndef RAMET_TREE_PART_H
#define RAMET_TREE_PART_H

#include "md.h"
#include "tree.h"

#define TREE_TEXT_CHARS 300   /* of a message in a table */
#define TREE_PROSE_CHARS 1500 /* in a list: a command that grants what is missing is long */
#define TREE_WORD_CHARS 80    /* of a name or a value */
#define TREE_LIST_MAX 100     /* entries of a list in STATUS.md */

/* Of vms/NAME.yaml, so that what is written can be read again. */
#define TREE_VM_TEXT_CHARS 2000
#define TREE_VM_DRIFTS_MAX 200
#define TREE_VM_FINDINGS_MAX 20

char *tree_status_md(const struct status *s);
char *tree_drift_md(const struct status *s);
char *tree_summary_json(const struct status *s);

/* Words of vms/NAME.yaml. */
const char *tree_phase_word(enum plan_verdict v);
const char *tree_outlook_word(enum change_state s);

/* "1 VM", "3 VMs". */
void tree_put_count(struct buf *out, size_t n, const char *one, const char *many);
/* Name of a VM as a link to its file. */
void tree_put_vm(struct buf *out, const char *name);
/* "2026-12-01 08:00"; "" for 0. What somebody compares with logs has seconds. */
void tree_put_time(struct buf *out, int64_t wall_ms);
void tree_put_seconds(struct buf *out, int64_t wall_ms);
/* Prose that ends in exactly one full stop. */
void tree_put_sentence(struct buf *out, const char *text);

#endif
