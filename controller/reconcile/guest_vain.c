#include "guest_int.h"

#include <stdlib.h>

#define VAIN_MAX 5

static void stall(struct guest *g)
{
	/* Without the number: a report that counts makes commits. */
	_cleanup_str_ char *text =
	    mem_printf("%s: carried out again and again, and nothing changed", g->last_step);

	guest_stall(g, REASON_NO_EFFECT, text, NULL);
}

void guest_note_size(struct guest *g, const struct step *s, bool same)
{
	if (s->kind == STEP_RESIZE && same && !text_eq(g->size_told, s->text)) {
		mem_replace(&g->sized_slot, s->slot);
		g->sized_gb = s->size_gb;
		mem_replace(&g->size_told, s->text);
	} else if (s->kind == STEP_CONFIG) {
		mem_free_str(&g->sized_slot);
	}
}

bool guest_note_vain(struct guest *g, bool same)
{
	g->vain = same ? g->vain + 1 : 0;
	mem_free_str(&g->vain_digest);
	if (g->vain < VAIN_MAX)
		return false;
	stall(g);
	return true;
}

/* What copies or allocates is not done for nothing as long as the VM is the same; the rest is tried
 * again with each full read. */
bool guest_is_vain(struct guest *g, const struct step *s)
{
	const char *digest = g->turn->has_guest ? g->turn->guest.digest : NULL;

	if (g->vain < VAIN_MAX || !s->allocates || !text_eq(g->last_step, s->text))
		return false;
	if (g->vain_digest && !text_eq(g->vain_digest, digest)) {
		g->vain = 0;
		mem_free_str(&g->vain_digest);
		return false;
	}
	mem_replace(&g->vain_digest, digest);
	stall(g);
	return true;
}
