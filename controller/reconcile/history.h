/*
 * history: the last good versions of manifests that have findings, from older revisions: after a
 * restart, or when a manifest was away for a while.
 *
 * Not the reading (git/gitport.h), and not the rule which version is in force (spec/bundle.h).
 *
 * Holds a reference on the bundle that lacks them, and owns what was found.
 *
 * The controller process.
 */
#ifndef RAMET_HISTORY_H
#define RAMET_HISTORY_H

#include "bundle.h"
#include "gitport.h"
#include "record.h"

#define HISTORY_MAX 5000 /* versions that are looked for; what is beyond stays unknown */

/* The i-th VM on record; false at the end. */
typedef bool (*history_records)(
    void *arg, size_t i, const char **ret_name, const struct record **ret);

struct history;
/* NULL: nothing on record is missing in b. */
struct history *history_new(struct bundle *b, history_records records, void *arg);
void history_free(struct history **h);
/* The next file to read; false at the end. The path is from the root of the repository. */
bool history_next(const struct history *h, const char **ret_rev, const char **ret_path);
/* The answer. An error is given when it is worth asking again later; a version that is gone for
 * good is told in the log and left out. */
int history_take(struct history *h, const struct gitport_result *res, struct err **err) MUST_CHECK;
/* The bundle with what was found, where `last` (may be NULL) has nothing. The caller's. */
struct bundle *history_end(const struct history *h, struct bundle *last);

#endif
