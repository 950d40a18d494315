/*
 * reportdiff: what of the report differs from what is published.
 *
 * Not the publishing (reporter.h). Of VMs that did not change since the last time nothing is
 * rendered (treememo.h).
 *
 * The caller owns it (reportdiff_fini); the data of its files is its own.
 *
 * Pure.
 */
#ifndef RAMET_REPORTDIFF_H
#define RAMET_REPORTDIFF_H

#include "gitport.h"
#include "kv.h"
#include "tree.h"
#include "treememo.h"

struct reportdiff {
	struct tree files_put;	 /* owns paths and data of put */
	struct gitport_put *put; /* sorted by path */
	const char **del;	 /* borrowed from what is known */
	size_t n_put, n_del;
	struct kv files; /* path → digest of all that is published afterwards */
};

/* known: path → digest of what is published. partial: the model holds a part of the VMs, all other
 * files stay. */
void reportdiff_make(struct reportdiff *ret, const struct status *s, const struct kv *known,
    bool partial, struct treememo *memo);
void reportdiff_fini(struct reportdiff *d);

#endif
