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
	size_t destroy, create, change, blocked, waiting, pending, reported, off, in_sync;
	size_t felt,
	    restarted; /* running guests that notice at once, or are restarted or stopped */
	size_t later;  /* guests that see some of it only after a stop and start */
};

/* Worst first, then by name. The array of pointers is the caller's to free. */
const struct render_item **renderkit_sort(const struct render_item *v, size_t n);
void renderkit_count(const struct render_item *v, size_t n, struct renderkit_counts *ret);
/* "1 to create, 2 to change, 1 blocked, 3 in sync". */
char *renderkit_summary(const struct renderkit_counts *c);
/* "1 running guest notices it at once; 2 see some of it only after a restart", or NULL. */
char *renderkit_disturbed(const struct renderkit_counts *c);

/* + made, - removed, ~ changed, ! blocked, . waits, ? only reported. */
char renderkit_change_symbol(const struct change *c);
char renderkit_item_symbol(const struct plan *p);
/* "now", "now, link flaps", "after restart", "waits for restart", "blocked: RootOnly", … */
char *renderkit_effect(const struct plan *p, const struct change *c);
/* False for what a new VM is simply made with: there is nothing to tell people. */
bool renderkit_has_effect(const struct plan *p, const struct change *c);
/* "1204 on pve1", "new, on pve1". */
char *renderkit_where(const struct render_item *i);
const char *renderkit_verdict(enum plan_verdict v);
/* What happens to the VM in a word: "create", "change", "blocked", … */
const char *renderkit_deed(const struct plan *p);
/* "10 changes, 2 blocked"; "" when there are none. */
char *renderkit_extent(const struct plan *p);
/* What a running guest notices of it: "link flaps, hot-plug, 2 after a restart"; "" = nothing. */
char *renderkit_felt(const struct plan *p);
/* The item has something to say beyond "in sync". */
bool renderkit_is_worth(const struct plan *p);
/* What a person can do, or NULL. Borrowed. */
const char *renderkit_next(const struct plan *p);

/* What a new VM is given beside its changes. */
enum renderkit_rest {
	RENDERKIT_SENT,	   /* with the clone call */
	RENDERKIT_SAME,	   /* as the template has it already */
	RENDERKIT_SETTING, /* Ramet's own, no part of the VM */
	RENDERKIT_REST__MAX
};
/* The leaves of that kind, in the manifest's order; false when the VM is not to be made. */
bool renderkit_is_rest(
    const struct render_item *i, const struct leaf *l, enum renderkit_rest *ret_kind);
const char *renderkit_rest_word(enum renderkit_rest kind);  /* "sent", "same", "setting" */
const char *renderkit_rest_title(enum renderkit_rest kind); /* "with the clone", … */

#endif
