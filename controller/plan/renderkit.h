/*
 * renderkit: what all forms of a plan say alike: order, symbols, words for effects, counts.
 *
 * Not a form itself (render.h).
 *
 * Borrows the items; results belong to the caller.
 *
 * Pure.
 */
#ifndef RAMET_RENDERKIT_H
#define RAMET_RENDERKIT_H

#include "render.h"

struct renderkit_counts {
	size_t create, change, blocked, waiting, pending, reported, off, in_sync;
};

/* Worst first, then by name. The array of pointers is the caller's to free. */
const struct render_item **renderkit_sort(const struct render_item *v, size_t n);
void renderkit_count(const struct render_item *v, size_t n, struct renderkit_counts *ret);
/* "1 to create, 2 to change, 1 blocked, 3 in sync". */
char *renderkit_summary(const struct renderkit_counts *c);

/* + made, - removed, ~ changed, ! blocked, . waits, ? only reported. */
char renderkit_change_symbol(const struct change *c);
char renderkit_item_symbol(const struct plan *p);
/* "now", "now, link flaps", "after restart", "waits for restart", "blocked: RootOnly", … */
char *renderkit_effect(const struct plan *p, const struct change *c);
/* "1204 on pve1", "new, on pve1". */
char *renderkit_where(const struct render_item *i);
const char *renderkit_verdict(enum plan_verdict v);
/* The item has something to say beyond "in sync". */
bool renderkit_is_worth(const struct plan *p);

#endif
