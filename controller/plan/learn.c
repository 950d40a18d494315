/* What carrying out a step taught, and what is remembered before it is. */
#include <stdlib.h>
#include <string.h>

#include "diff.h"
#include "order.h"

/* PVE took the value and keeps another one. Believed when it happened twice with the same outcome:
 * the first time somebody else may have been quicker. */
static void note_stored(
    struct record *rec, const char *path, const struct value *wrote, const struct value *read)
{
	_cleanup_str_ char *w = value_print(wrote), *r = value_print(read);
	_cleanup_str_ char *sure = mem_printf("%s\t%s", w, r);
	_cleanup_str_ char *once = mem_printf("?%s", sure);
	const char *known = kv_get(&rec->stored, path);

	if (text_eq(known, sure))
		return;
	kv_set(&rec->stored, path, text_eq(known, once) ? sure : once);
}

static void learn_leaf(const struct change *c, const struct plan_input *in,
    const struct obs_guest *after, struct record *rec)
{
	const struct leaf *l = resource_find(in->want, c->attr->id, c->slot);
	_cleanup_value_ struct value want = {0}, read = {0};
	const struct codec_env *env = &in->policy->env;

	if (!l || !diff_is_walked(c->attr))
		return;
	if (c->attr->codec == CODEC_SECRET) {
		const char *digest = in->secrets ? kv_get(in->secrets, c->path) : NULL;
		if (digest && l->value.type == VALUE_STR)
			kv_set(&rec->secrets, c->path, digest);
		else
			kv_del(&rec->secrets, c->path);
		return;
	}
	pvecodec_want(c->attr, &l->value, env, &want);
	if (pvecodec_get(c->attr, c->slot, &after->pending, env, &read, NULL) < 0)
		return;
	if (c->attr->codec == CODEC_TAGS && in->tags_refused)
		return; /* those that PVE refuses were not written */
	if (pvecodec_same(c->attr, &want, &read))
		kv_del(&rec->stored, c->path);
	else
		note_stored(rec, c->path, &want, &read);
	if (c->class == CLASS_SILENT && c->takes_restart) {
		_cleanup_str_ char *when = text_time(in->wall_ms);
		kv_set(&rec->silent, c->path, when);
		rec->boot_mark = after->started_s;
	}
}

void plan_learn_step(const struct plan *p, size_t i, const struct plan_input *in,
    const struct obs_guest *after, struct record *rec)
{
	MUST(i < p->n_steps);
	const struct step *s = &p->steps[i];
	_cleanup_drive_ struct drive d = {0};
	const char *text = s->slot ? kv_get(&after->current, s->slot) : NULL;

	if (s->kind == STEP_RESIZE && text && drive_parse(text, &d, NULL) == 0 &&
	    drive_gib_up(d.bytes) == s->size_gb)
		kv_setf(&rec->sizes, s->slot, "%llu", (unsigned long long)s->size_gb);
	if (s->kind == STEP_REBOOT) {
		char digest[CRYPT_HEX_LEN];
		order_restart_digest(p, digest);
		kv_set(&rec->stored, ORDER_RESTART_KEY, digest);
	}
	if (s->kind != STEP_CONFIG)
		return;
	for (size_t k = 0; k < p->n_changes; k++) {
		const struct change *c = &p->changes[k];
		if (c->attr && c->step == (int)i && c->state == CHANGE_DO)
			learn_leaf(c, in, after, rec);
	}
}

/* A volume may be left on the storage that a drive is, or is to be, on. */
static void note_storage(struct record *rec, const char *slot, const char *text)
{
	_cleanup_drive_ struct drive d = {0};

	if (text && drive_parse(text, &d, NULL) == 0 && *d.storage)
		kv_set(&rec->loose, d.storage, slot);
}

void plan_note_step(const struct plan *p, const struct plan_input *in, struct record *rec)
{
	const struct step *first = p->n_steps ? &p->steps[0] : NULL;

	if (!first || !in->guest)
		return;
	if (first->kind == STEP_MOVE) {
		note_storage(rec, first->slot, kv_get(&in->guest->current, first->slot));
		kv_set(&rec->loose, first->storage, first->slot);
	}
	for (size_t i = 0; i < first->makes.n; i++) {
		const char *slot = first->makes.v[i];
		kv_set(&rec->volumes, slot, RECORD_IN_MAKING);
		note_storage(rec, slot, kv_get(&first->set, slot));
	}
}
