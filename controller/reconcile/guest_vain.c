#include "guest_int.h"

#include <stdlib.h>

#define VAIN_MAX 5
#define FULL_MS 3600000	       /* between tries on a storage that stays full */
#define FULL_SEEN_MS 180000    /* by then PVE tells what is left after the try */
#define FULL_MORE (256u << 20) /* so much more is no noise */

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

/* ---- storages without space ---- */

static void add_store(struct strs *l, const char *text)
{
	_cleanup_drive_ struct drive d = {0};

	if (text && drive_parse(text, &d, NULL) == 0 && *d.storage && !strs_has(l, d.storage))
		strs_add(l, d.storage);
}

/* Where the step takes space. */
static void stores_of(const struct guest *g, const struct step *s, struct strs *ret)
{
	const struct obs_guest *o = &g->turn->guest;

	if (s->kind == STEP_CLONE && g->storage)
		strs_add(ret, g->storage);
	else if (s->kind == STEP_MOVE)
		strs_add(ret, s->storage);
	else if (s->kind == STEP_RESIZE)
		add_store(ret, kv_get(&o->current, s->slot));
	for (size_t i = 0; i < s->makes.n; i++)
		add_store(ret, kv_get(&s->set, s->makes.v[i]));
}

static uint64_t space_left(const struct guest *g, const struct step *s)
{
	const struct obs_cluster *view = inventory_view(g->env->inventory);
	const struct turn *t = g->turn;
	const char *node = t->has_guest ? t->guest.node : t->source.node;
	_cleanup_strs_ struct strs stores = {0};
	uint64_t left = 0;

	stores_of(g, s, &stores);
	for (size_t i = 0; i < stores.n; i++) {
		const struct obs_storage *st = obs_cluster_storage(view, stores.v[i], node);

		left += st ? st->avail : 0;
	}
	return left;
}

void guest_note_full(struct guest *g, const struct op_result *r)
{
	const struct plan *p = g->turn && g->turn->planned ? &g->turn->plan : NULL;
	_cleanup_str_ char *text = text_oneline(r->text, 300);

	if (r->why != PVE_NO_SPACE || !p || !p->n_steps || !p->steps[0].allocates)
		return;
	mem_replace(&g->full_step, p->steps[0].text);
	mem_replace(&g->full_text, text);
	g->full_avail = 0;
	g->full_at = clock_now(g->env->clock);
}

/* Each try fills the storage to its end, where others live too: it is tried again when there is
 * more space than was left after the last one, and now and then. */
static bool is_full(struct guest *g, const struct step *s)
{
	int64_t age = clock_now(g->env->clock) - g->full_at;
	uint64_t left;

	if (!text_eq(g->full_step, s->text))
		return false;
	left = space_left(g, s);
	if (age >= FULL_MS || (g->full_avail && left > g->full_avail + FULL_MORE)) {
		mem_free_str(&g->full_step);
		return false;
	}
	if (!g->full_avail && age >= FULL_SEEN_MS)
		g->full_avail = left;
	guest_stall(g, REASON_STORAGE_FULL, g->full_text, NULL);
	return true;
}

/* ---- before a step ---- */

/* What copies or allocates is not done for nothing as long as the VM is the same; the rest is tried
 * again with each full read. */
bool guest_is_vain(struct guest *g, const struct step *s)
{
	const char *digest = g->turn->has_guest ? g->turn->guest.digest : NULL;

	if (is_full(g, s))
		return true;
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
