/*
 * gitfiles: the files of one reading as they come in from the worker, then in order.
 *
 * Not a cache: they go with the job.
 *
 * Embedded in the port; owns copies of everything. What gitfiles_sorted gives is borrowed until the
 * next call.
 *
 * The controller process.
 */
#ifndef RAMET_GITFILES_H
#define RAMET_GITFILES_H

#include "gitport.h"
#include "gitproto.h"
#include "text.h"

struct gitfiles {
	struct gitport_file *v;
	size_t n, cap;
	struct strs gone;
	int64_t bytes;
	int64_t max_files, max_bytes; /* set by the owner */
};

/* A FILE or GONE message. False when the worker sends more than it may. */
bool gitfiles_add(struct gitfiles *l, const struct gitproto_msg *msg);
/* Sorted by path. Two of one path, which only a forged tree has, are both skipped. */
const struct gitport_file *gitfiles_sorted(struct gitfiles *l);
/* Paths of GONE messages, sorted. */
const char *const *gitfiles_gone(struct gitfiles *l);
/* Empty again; the limits stay. */
void gitfiles_drop(struct gitfiles *l);

#endif
