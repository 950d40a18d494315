/*
 * support_git: a repository in memory behind struct gitport: a watched branch, a status branch with
 * compare-and-swap, history, and failures on demand.
 *
 * Not Git: commits are numbers with files.
 *
 * The repository outlives the ports, which are what one life of a controller holds; freeing a port
 * drops its jobs.
 *
 * Tests.
 */
#ifndef RAMET_SUPPORT_GIT_H
#define RAMET_SUPPORT_GIT_H

#include "clock.h"
#include "gitport.h"
#include "kv.h"
#include "support_fate.h"
#include "text.h"

struct memgit;

struct memgit *memgit_new(struct clock *clock);
void memgit_free(struct memgit **g);

/* A commit on the watched branch with exactly these files (path → text). */
void memgit_commit(struct memgit *g, const struct kv *files, const char *subject);
/* The branch is set back by so many commits (force-push). */
void memgit_rewind(struct memgit *g, size_t n);
/* One revision of the watched branch cannot be read any more. */
void memgit_forget(struct memgit *g, const char *rev);
/* Somebody else pushes to the status branch. */
void memgit_foreign_status(struct memgit *g, const char *path, const char *text);
const char *memgit_head(const struct memgit *g); /* "" = none */
/* A file of the status branch, NULL = none. Borrowed. */
const char *memgit_status_file(const struct memgit *g, const char *path);
/* What was asked of it so far. */
struct memgit_asked {
	unsigned list, read, old, status, compare, publish;
};
struct memgit_asked memgit_asked(const struct memgit *g);
size_t memgit_status_commits(const struct memgit *g);
const char *memgit_status_message(const struct memgit *g, size_t i);
/* The status branch is lost. */
void memgit_drop_status(struct memgit *g);

/* Of 1000 jobs, how many fail before any effect; how many pushes take effect and lose their answer.
 */
void memgit_set_faults(struct memgit *g, unsigned fail, unsigned lost);
/* When a job failed for the last time. */
int64_t memgit_failed_at(const struct memgit *g);
/* Every job is answered with a failure and the wish to be left alone for so long; 0 = no more. */
void memgit_set_pause(struct memgit *g, int64_t ms);
void memgit_set_fates(struct memgit *g, const struct fates *f);
void memgit_set_down(struct memgit *g, bool down);

struct gitport *memgit_port_new(struct memgit *g);
/* The process is dead: nothing it hands in has an effect any more. */
void memgit_port_kill(struct gitport *p);
void memgit_port_free(struct gitport **p);

#endif
