/*
 * draft: a manifest for a VM that exists, such that its plan is empty but for the adoption.
 *
 * Not the adoption itself (match.h) and not the reading of the VM (reconcile/look.h).
 *
 * The text belongs to the caller. It was decoded, checked and planned for before it is given: a
 * leaf that would not come through stays in it as a comment that says why.
 *
 * Pure.
 */
#ifndef RAMET_DRAFT_H
#define RAMET_DRAFT_H

#include "plan.h"

struct draft_opts {
	const struct obs_guest *guest;
	const struct obs_cluster *cluster;
	const struct plan_policy *policy;
	uint32_t source; /* VM that it was cloned from; 0 = draft_source knows */
	bool all_leaves; /* everything that the VM has is managed; else it stands there as comments
			  */
};

/* The template that its disks are linked to, 0 = they do not tell. */
uint32_t draft_source(const struct obs_guest *g);

/* ERR_NOTFOUND: nobody knows the source. ERR_INPUT: the VM cannot be adopted; both with a hint. */
int draft_make(const struct draft_opts *o, char **ret, struct err **err) MUST_CHECK;

#endif
