/*
 * journal_int: what the files of the journal share (journal*.c).
 *
 * Not for anybody else.
 *
 * The journal owns everything inside but the store.
 *
 * The controller process.
 */
#ifndef RAMET_JOURNAL_INT_H
#define RAMET_JOURNAL_INT_H

#include "journal.h"
#include "jsn.h"

#define JOURNAL_MAGIC 0x4a4f5552u

struct item {
	char *name;
	bool has_record, has_intent, departs, steps;
	struct record record;
	struct intent intent;
	struct departure departure;
	struct doing doing;
};

struct journal {
	uint32_t magic;
	struct store *store;
	char *controller_id, *instance;
	bool readonly, scanned;
	bool gathering;	      /* nothing is written until journal_settle */
	bool behind;	      /* the file lacks something: rewrite it before adding to it */
	struct strs gathered; /* lines of the gathering, as long as they are few */
	struct item *v;	      /* sorted by name */
	size_t n, cap;
	struct fallen *fallen; /* oldest first */
	size_t n_fallen, cap_fallen;
	struct kv left;
	struct strs doubts;
	char *history, *cluster, *boot;
	uint32_t *used; /* ascending */
	size_t n_used, cap_used;
	size_t lines;
	char *problem; /* of the last line, NULL = well */
};

/* NULL when there is none. */
struct item *journal_item(const struct journal *j, const char *name);
struct item *journal_item_make(struct journal *j, const char *name);
void journal_item_drop_if_empty(struct journal *j, struct item *it);
/* line is taken over. */
int journal_add_line(struct journal *j, char *line, struct err **err) MUST_CHECK;
void journal_maybe_compact(struct journal *j);

/* journal_end.c: the end of VMs */
void journal_clear_departure(struct item *it);
void journal_clear_fallen(struct fallen *f);
/* A VM of that name has the number: what fell under it is another one. */
int journal_is_there_again(
    struct journal *j, const char *name, uint32_t vmid, struct err **err) MUST_CHECK;
bool journal_is_end(const char *kind);
int journal_replay_end(
    struct journal *j, const struct jsn *o, const char *kind, const char *name) MUST_CHECK;

/* journal_step.c: steps of VMs that are there */
void journal_clear_step(struct item *it);
int journal_replay_step(
    struct journal *j, const struct jsn *o, const char *kind, const char *name) MUST_CHECK;

#endif
