/*
 * render: plans for people and programs: text, Markdown, JSON.
 *
 * Not a decision, and not the status report (report/).
 *
 * Results belong to the caller.
 *
 * Pure.
 */
#ifndef RAMET_RENDER_H
#define RAMET_RENDER_H

#include "plan.h"

struct render_item {
	const char *name;
	uint32_t vmid; /* 0 = not yet */
	const char *node;
	const struct plan *plan;
	const struct resource *want; /* for what a new VM is given beside its changes; may be NULL
				      */
};

/* Worst first, then by name; those that are in sync are only counted, in the last line. */
char *render_text(const struct render_item *v, size_t n, bool colour);
/* Both tell the findings about manifests as well (may be NULL), which people at a terminal see on
 * standard error. Markdown stays below 60,000 characters and says what was left out. */
char *render_markdown(const struct render_item *v, size_t n, const struct diags *findings);
char *render_json(const struct render_item *v, size_t n, const struct diags *findings);

#endif
