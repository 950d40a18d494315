/*
 * journal: what was about to happen, and what is known of each VM, durably.
 *
 * Not the truth: that is the marker on the VM. The journal may be lost; then records come back from
 * the status tree or from markers.
 *
 * Owns its records and intents and lends them until the next change. It borrows the store. A call
 * that changes something returns when the change would survive a power loss. After a failed write
 * the state in memory is as before.
 *
 * The controller process.
 */
#ifndef RAMET_JOURNAL_H
#define RAMET_JOURNAL_H

#include "ports.h"
#include "record.h"

#define JOURNAL_NAMES_MAX 100000

/* A clone that was about to be asked for. While it is open, only this VMID is tried. */
struct intent {
	uint32_t vmid;
	char *nonce; /* of the marker in the description that is sent */
	uint32_t source;
	char *source_uuid;
	char *source_node; /* the clone runs there */
	char *target_node; /* "" = the source's */
	char *upid;	   /* NULL = no answer yet, or none was seen */
	unsigned tries;	   /* POSTs that began */
	int64_t wall_ms;   /* of the last try */
	bool restored;	   /* from a report: what came of it since is not on record */
	struct kv cloned;  /* what clone.* says, for the record */
};

/* The end of a VM that was about to be asked for: its shutdown, then its destruction. */
struct departure {
	uint32_t vmid;
	bool deleting;	 /* false: only shut down so far */
	char *upid;	 /* NULL = no answer yet, or none was seen */
	int64_t wall_ms; /* of the request */
	int64_t now_ms;	 /* the same by the clock that does not jump; 0 = not known */
};

/* A step of a VM that is there, which was about to be asked for. */
struct doing {
	uint32_t vmid;
	char *text; /* the step's, for people */
	char *upid; /* NULL = no answer yet, or none was seen, or there is no task */
	/* Of a restart: since when the guest had been running, wall seconds, and when it was asked
	 * for; 0 = it is another step. */
	int64_t boot, wall_ms;
};

/* One VM that we destroyed, or began to. */
struct fallen {
	uint32_t vmid;
	char *name;
	int64_t wall_ms; /* of the first request */
	/* Of the last one, by the wall and by the clock that does not jump, and the start of the
	 * machine from which that counts; NULL = not known. */
	int64_t last_ms, now_ms;
	char *boot;
	/* By the clock that does not jump, once it was dated; by this process; see journal_date. */
	int64_t at_ms;
	bool dated, own;
	bool unsure; /* it may be longer ago than that */
	bool past;   /* since then a VM of that name had that number again */
};

#define JOURNAL_FALLEN_MAX 1000 /* the newest are kept */

void intent_fini(struct intent *in);
void intent_copy(struct intent *dst, const struct intent *src);

struct journal;

/* Reads and compacts. ERR_CONFIG when the journal belongs to another controller.id; lines that make
 * no sense are left out and logged. With readonly nothing is ever written. */
int journal_open(struct store *store, const char *controller_id, bool readonly,
    struct journal **ret, struct err **err) MUST_CHECK;
void journal_free(struct journal **j);
/* Since this state directory is new (or was lost), the guests were looked through for markers of
 * ours, and what was found is on record. It takes more than one life, if need be. */
bool journal_is_scanned(const struct journal *j);
/* false: another instance acted meanwhile, and may have made VMs that are not on record here. */
int journal_set_scanned(struct journal *j, bool scanned, struct err **err) MUST_CHECK;
/* A random word that stays with the state directory. */
const char *journal_instance(const struct journal *j);

const struct record *journal_find(const struct journal *j, const char *name);	/* or NULL */
const struct intent *journal_intent(const struct journal *j, const char *name); /* or NULL */
/* Names with a record or an intent, in order: i from 0; NULL at the end. */
const char *journal_name(const struct journal *j, size_t i);
/* Name that holds this VMID by record or intent, or NULL. */
const char *journal_holder(const struct journal *j, uint32_t vmid);

/* Opens or rewrites the intent of a name, and notes its number as used. */
int journal_begin(
    struct journal *j, const char *name, const struct intent *in, struct err **err) MUST_CHECK;
int journal_upid(
    struct journal *j, const char *name, const char *upid, struct err **err) MUST_CHECK;
/* The clone is there and proven (rec), or the number is given up (NULL). */
int journal_end(
    struct journal *j, const char *name, const struct record *rec, struct err **err) MUST_CHECK;
/* Between these two nothing is written, and the second writes all of it: what changes thousands of
 * records costs one write, not thousands. Nothing that must be remembered may go out
 * in between. When that write fails, the next call that changes something repeats it, and fails as
 * long as it fails. */
void journal_gather(struct journal *j);
int journal_settle(struct journal *j, struct err **err) MUST_CHECK;
/* Writes only when something changed. */
int journal_record(
    struct journal *j, const char *name, const struct record *rec, struct err **err) MUST_CHECK;
int journal_forget(struct journal *j, const char *name, struct err **err) MUST_CHECK;

/* Opens or rewrites the departure of a name that has a record; with deleting it counts as fallen
 * from now on, once for each VM. */
int journal_depart(
    struct journal *j, const char *name, const struct departure *d, struct err **err) MUST_CHECK;
int journal_depart_upid(
    struct journal *j, const char *name, const char *upid, struct err **err) MUST_CHECK;
const struct departure *journal_departure(const struct journal *j, const char *name); /* or NULL */
/* The VM stays after all. */
int journal_stay(struct journal *j, const char *name, struct err **err) MUST_CHECK;
/* From which start of the machine the clock counts that does not jump; NULL = not known. */
void journal_set_boot(struct journal *j, const char *boot);
/* Puts what fell on the clock that does not jump, as far as it is not there yet. Since the same
 * start of the machine that is exact. Else the wall clock says it, which may have been set since:
 * what seems to have happened in the future happened now, and what seems to have happened before
 * the machine was started happened right after that. */
void journal_date(struct journal *j, int64_t now_ms, int64_t wall_ms);
/* Oldest first. */
size_t journal_fallen(const struct journal *j, const struct fallen **ret);
/* What another place remembers; nothing happens when it is known. */
int journal_add_fallen(struct journal *j, const char *name, uint32_t vmid, int64_t wall_ms,
    struct err **err) MUST_CHECK;
/* What broke off and is left for a person: a text for people under a key. text NULL: it is gone. */
int journal_leave(
    struct journal *j, const char *key, const char *text, struct err **err) MUST_CHECK;
const struct kv *journal_leftovers(const struct journal *j);
/* A VM of that name may be the one that the manifest means: nothing is cloned until a person has
 * said so. */
int journal_doubt(struct journal *j, const char *name, bool doubted, struct err **err) MUST_CHECK;
bool journal_is_doubted(const struct journal *j, const char *name);
/* The newest revision of the branch that was followed without a break; NULL = none. */
const char *journal_history(const struct journal *j);
int journal_set_history(struct journal *j, const char *rev, struct err **err) MUST_CHECK;

/* journal_step.c: opens the step of a name, in place of an older one; its task; its end. */
int journal_step(
    struct journal *j, const char *name, const struct doing *d, struct err **err) MUST_CHECK;
int journal_step_upid(
    struct journal *j, const char *name, const char *upid, struct err **err) MUST_CHECK;
/* Over in memory also when it cannot be written: that costs a look at its task after the next
 * start.
 */
int journal_step_end(struct journal *j, const char *name, struct err **err) MUST_CHECK;
const struct doing *journal_doing(const struct journal *j, const char *name); /* or NULL */

/* Why the last line could not be written; NULL = it could. */
const char *journal_problem(const struct journal *j);
/* With a problem: writes the file anew, to see whether it is over. True: it is, or there is none.
 */
bool journal_try(struct journal *j);

/* The cluster whose VMs these are: its name, or "node NAME" of a node without one; NULL = unknown.
 */
const char *journal_cluster(const struct journal *j);
int journal_set_cluster(struct journal *j, const char *name, struct err **err) MUST_CHECK;

int journal_use(struct journal *j, uint32_t vmid, struct err **err) MUST_CHECK;
bool journal_is_used(const struct journal *j, uint32_t vmid);
size_t journal_used(const struct journal *j, const uint32_t **ret); /* ascending */

#endif
