/* Plans for programs. The names of members and their meaning do not change; new ones may come. */
#include <stdlib.h>

#include "jsn.h"
#include "renderkit.h"

#define FORMAT 1

static struct jsn *list(const struct strs *l)
{
	struct jsn *j = jsn_new_array();
	for (size_t i = 0; i < l->n; i++)
		jsn_push(j, jsn_new_str(l->v[i]));
	return j;
}

static struct jsn *change(const struct plan *p, const struct change *c)
{
	static const char *const states[] = {
	    [CHANGE_DO] = "do",
	    [CHANGE_PENDING] = "pending",
	    [CHANGE_BLOCKED] = "blocked",
	    [CHANGE_REPORT] = "report",
	};
	_cleanup_str_ char *effect = renderkit_effect(p, c);
	struct jsn *j = jsn_new_object();

	jsn_put_str(j, "path", c->path);
	jsn_put_str(j, "from", c->from);
	jsn_put_str(j, "to", c->to);
	jsn_put_str(j, "state", states[c->state]);
	jsn_put_str(j, "effect", effect);
	jsn_put_str(j, "class", schema_class_word(c->class));
	jsn_put_str(j, "disruption", plan_disruption_word(c->disruption));
	jsn_put_bool(j, "takesRestart", c->takes_restart);
	jsn_put_bool(j, "drift", c->drift);
	if (c->state == CHANGE_BLOCKED || c->state == CHANGE_REPORT)
		jsn_put_str(j, "reason", reason_word(c->reason));
	jsn_put_str(j, "why", c->why);
	jsn_put_str(j, "hint", c->hint);
	jsn_put_str(j, "place", c->place);
	if (c->step >= 0)
		jsn_put_int(j, "step", c->step);
	return j;
}

static struct jsn *step(const struct step *s)
{
	struct jsn *j = jsn_new_object();

	jsn_put_str(j, "kind", step_kind_word(s->kind));
	jsn_put_str(j, "text", s->text);
	if (s->kind == STEP_CONFIG) {
		struct jsn *set = jsn_new_object();
		KV_FOREACH (item, &s->set)
			jsn_put_str(set, item->key, item->value);
		jsn_put(j, "set", set);
		jsn_put(j, "delete", list(&s->del));
	}
	jsn_put_str(j, "slot", s->slot);
	jsn_put_str(j, "storage", s->storage);
	jsn_put_str(j, "format", s->format);
	jsn_put_str(j, "pool", s->pool);
	jsn_put_str(j, "node", s->node);
	if (s->size_gb)
		jsn_put_int(j, "sizeGiB", (int64_t)s->size_gb);
	jsn_put_str(j, "disruption", plan_disruption_word(s->disruption));
	return j;
}

/* What a new VM is given beside its changes. */
static struct jsn *given(const struct render_item *item)
{
	struct jsn *all = jsn_new_array();
	for (size_t i = 0; item->want && i < item->want->n_leaves; i++) {
		const struct leaf *l = &item->want->leaves[i];
		enum renderkit_rest kind;
		if (!renderkit_is_rest(item, l, &kind))
			continue;
		_cleanup_str_ char *path = schema_path(l->attr, l->slot);
		_cleanup_str_ char *value = value_print(&l->value);
		struct jsn *j = jsn_new_object();
		jsn_put_str(j, "path", path);
		jsn_put_str(j, "value", value);
		jsn_put_str(j, "how", renderkit_rest_word(kind));
		jsn_push(all, j);
	}
	return all;
}

static struct jsn *vm(const struct render_item *item)
{
	const struct plan *p = item->plan;
	struct jsn *j = jsn_new_object(), *changes = jsn_new_array(), *steps = jsn_new_array();

	_cleanup_str_ char *felt = renderkit_felt(p);
	jsn_put_str(j, "name", item->name);
	if (item->vmid)
		jsn_put_int(j, "vmid", item->vmid);
	jsn_put_str(j, "node", item->node);
	jsn_put_str(j, "deed", renderkit_deed(p));
	jsn_put_str(j, "guest", felt);
	jsn_put_str(j, "verdict", renderkit_verdict(p->verdict));
	jsn_put_str(j, "reason", reason_word(p->reason));
	jsn_put_str(j, "message", p->message);
	jsn_put_str(j, "hint", p->hint);
	jsn_put_bool(j, "create", p->create);
	jsn_put_bool(j, "destroy", p->destroy);
	for (size_t i = 0; i < p->n_changes; i++)
		jsn_push(changes, change(p, &p->changes[i]));
	for (size_t i = 0; i < p->n_steps; i++)
		jsn_push(steps, step(&p->steps[i]));
	jsn_put(j, "changes", changes);
	if (p->create)
		jsn_put(j, "given", given(item));
	jsn_put(j, "steps", steps);
	jsn_put(j, "pendingKeys", list(&p->pending_keys));
	return j;
}

char *render_json(const struct render_item *v, size_t n, const struct diags *findings)
{
	const struct render_item **sorted = renderkit_sort(v, n);
	struct jsn *top = jsn_new_object(), *vms = jsn_new_array(), *sum = jsn_new_object();
	struct renderkit_counts c;

	renderkit_count(v, n, &c);
	jsn_put_int(sum, "destroy", (int64_t)c.destroy);
	jsn_put_int(sum, "create", (int64_t)c.create);
	jsn_put_int(sum, "change", (int64_t)c.change);
	jsn_put_int(sum, "blocked", (int64_t)c.blocked);
	jsn_put_int(sum, "waiting", (int64_t)c.waiting);
	jsn_put_int(sum, "pendingRestart", (int64_t)c.pending);
	jsn_put_int(sum, "reportedOnly", (int64_t)c.reported);
	jsn_put_int(sum, "leftAlone", (int64_t)c.off);
	jsn_put_int(sum, "inSync", (int64_t)c.in_sync);
	jsn_put_int(sum, "guestsRestarted", (int64_t)c.restarted);
	jsn_put_int(sum, "guestsNoticing", (int64_t)c.felt);
	jsn_put_int(sum, "guestsAfterRestart", (int64_t)c.later);
	for (size_t i = 0; i < n; i++)
		jsn_push(vms, vm(sorted[i]));
	jsn_put_int(top, "format", FORMAT);
	jsn_put(top, "summary", sum);
	jsn_put_int(top, "manifestErrors", findings ? (int64_t)diags_errors(findings) : 0);
	jsn_put(top, "findings", findings ? diags_to_jsn(findings) : jsn_new_array());
	jsn_put(top, "vms", vms);
	char *text = jsn_print(top, true);
	jsn_free(&top);
	free(sorted);
	return text;
}
