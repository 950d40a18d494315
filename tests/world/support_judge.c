#include "support_judge.h"

#include <stdlib.h>
#include <string.h>

#define LATE_MS 660000 /* as late as a call may be carried out that nobody remembers */
/* As long as it takes until a new guest was looked at; a call of the look before may hang for a
 * minute. */
#define LOOK_MS 130000

#define MARK "ramet: " WORLD_ID "/"

/* What the manifests of the random worlds list. */
static const struct judge_key world_keys[] = {{"cores", NULL}, {"memory", NULL}, {"net0", "tag="},
    {"net1", NULL}, {"scsi0", "size="}, {"tags", NULL}, {"description", NULL}, {"digest", NULL},
    {0}};

void judge_fini(struct judge *j)
{
	strs_fini(&j->names);
	strs_fini(&j->may_stop);
	strs_fini(&j->may_destroy);
	kv_fini(&j->may_change);
}

static void add(struct strs *l, const char *name)
{
	if (!strs_has(l, name))
		strs_add(l, name);
}

void judge_name(struct judge *j, const char *name)
{
	add(&j->names, name);
}

void judge_allow_stop(struct judge *j, const char *name)
{
	add(&j->may_stop, name);
}

void judge_allow_destroy(struct judge *j, const char *name)
{
	add(&j->may_destroy, name);
}

void judge_allow_key(struct judge *j, const char *name, const char *key, const char *parts)
{
	_cleanup_str_ char *both = mem_printf("%s %s", name, key);
	const char *so_far = kv_get(&j->may_change, both);

	if (!parts)
		kv_set(&j->may_change, both, "");
	else if (!so_far)
		kv_set(&j->may_change, both, parts);
	else if (*so_far && !strstr(so_far, parts))
		kv_setf(&j->may_change, both, "%s,%s", so_far, parts);
}

static size_t slot(struct judge *j, int64_t vmid)
{
	for (size_t i = 0; i < j->n; i++)
		if (j->v[i].vmid == vmid)
			return i;
	MUST(j->n < JUDGE_VMS);
	j->v[j->n].vmid = vmid;
	j->v[j->n].name[0] = '\0';
	return j->n++;
}

const char *judge_name_of(struct judge *j, int64_t vmid)
{
	return j->v[slot(j, vmid)].name;
}

void judge_allow_adopt(struct judge *j, int64_t vmid, const char *name)
{
	MUST(strlen(name) < JUDGE_NAME);
	memcpy(j->v[slot(j, vmid)].name, name, strlen(name) + 1);
	j->v[slot(j, vmid)].foreign = false;
}

/* The text without some parts of a property string. Caller frees. */
static char *without(const char *text, const char *allowed)
{
	struct strs parts = {0}, rest = {0}, words = {0};
	char *s;

	if (text_split(text, ",", true, 100, &parts) < 0 ||
	    text_split(allowed, ",", true, 100, &words) < 0)
		return mem_strdup(text);
	for (size_t i = 0; i < parts.n; i++) {
		bool drop = false;

		for (size_t k = 0; k < words.n; k++)
			drop |= strcmp(words.v[k], "@") == 0 ? !strchr(parts.v[i], '=')
							     : text_starts(parts.v[i], words.v[k]);
		if (!drop)
			strs_add(&rest, parts.v[i]);
	}
	strs_sort_unique(&rest); /* PVE may order them anew */
	s = strs_join(&rest, ",");
	strs_fini(&parts);
	strs_fini(&rest);
	strs_fini(&words);
	return s;
}

static const struct judge_key *find_key(const struct judge *j, const char *key)
{
	for (const struct judge_key *k = j->keys ? j->keys : world_keys; k->key; k++)
		if (strcmp(k->key, key) == 0)
			return k;
	return NULL;
}

/* Name in our marker that names this very VM: a copied one does not. */
static void take_mark(struct judge *j, const char *description, int64_t vmid)
{
	const char *p = description ? strstr(description, MARK) : NULL, *end;
	char *name = j->v[slot(j, vmid)].name;

	name[0] = '\0';
	if (j->v[slot(j, vmid)].foreign)
		return;
	p = p ? p + strlen(MARK) : NULL;
	end = p ? strstr(p, " vmid=") : NULL;
	if (!end || strtoll(end + strlen(" vmid="), NULL, 10) != vmid ||
	    (size_t)(end - p) >= JUDGE_NAME)
		return;
	memcpy(name, p, (size_t)(end - p));
	name[end - p] = '\0';
}

static void judge_parts(struct world *w, const char *parts, const struct sim_entry *e)
{
	_cleanup_str_ char *a = NULL, *b = NULL;
	const char *before = e->before;

	/* What becomes pending for the first time differs from what is in force. */
	if (!before && strcmp(e->effect, "pending") == 0)
		before = sim_guest_get(w->sim, e->vmid, e->key);
	if (!before || !e->after)
		return;
	a = without(before, parts);
	b = without(e->after, parts);
	if (strcmp(a, b) != 0)
		world_violation(w, "%s of VM %lld: more than %s changed: %s -> %s", e->key,
		    (long long)e->vmid, parts, before, e->after);
}

static void judge_key(struct judge *j, struct world *w, const struct sim_entry *e)
{
	const struct judge_key *k = find_key(j, e->key);
	_cleanup_str_ char *both = mem_printf("%s %s", judge_name_of(j, e->vmid), e->key),
			   *parts = NULL;
	const char *more = kv_get(&j->may_change, both);

	/* PVE's own lock for the length of a migration that was asked for. */
	if (text_ends(e->path, "/migrate") && strcmp(e->key, "lock") == 0)
		return;
	/* The same on the way to a destroy that was. */
	if (strcmp(e->method, "DELETE") == 0 &&
	    strs_has(&j->may_destroy, judge_name_of(j, e->vmid)))
		return;
	if (!k && !more)
		world_violation(w, "%s %s of VM %lld, which no manifest lists", e->effect, e->key,
		    (long long)e->vmid);
	if ((k && !k->parts) || (more && !*more))
		return;
	parts = mem_printf("%s,%s", k ? k->parts : "", more ? more : "");
	if (k || more)
		judge_parts(w, parts, e);
}

static void judge_budget(struct judge *j, struct world *w, int64_t vmid)
{
	int64_t now = clock_now(w->clock);

	if (j->budget && j->n_fallen >= j->budget &&
	    now - j->fallen[(j->n_fallen - j->budget) % ARRAY_LEN(j->fallen)] < j->budget_ms)
		world_violation(
		    w, "VM %lld was destroyed beyond the budget of %u", (long long)vmid, j->budget);
	j->fallen[j->n_fallen++ % ARRAY_LEN(j->fallen)] = now;
}

/* Volumes go with their VM, or with a copy that is finished or has failed. */
static void judge_freed(struct world *w, const struct sim_entry *e)
{
	bool follows = strcmp(e->method, "DELETE") == 0 || text_ends(e->path, "/move_disk") ||
		       text_ends(e->path, "/clone");

	if (!follows && !strstr(e->key, "cloudinit"))
		world_violation(w, "%s was freed by %s %s", e->key, e->method, e->path);
}

static void judge_pool(struct judge *j, struct world *w, const struct sim_entry *e)
{
	if (!find_key(j, "pool") && strcmp(e->method, "DELETE") != 0)
		world_violation(w, "VM %lld was put into the pool %s, which no manifest lists",
		    (long long)e->vmid, e->after ? e->after : "(none)");
}

static void judge_own(struct judge *j, struct world *w, const struct sim_entry *e)
{
	const char *name;

	if (strcmp(e->effect, "volume-free") == 0)
		judge_freed(w, e);
	/* A clone that breaks off takes away what it has made: the cluster's own doing. */
	if (!e->vmid || text_ends(e->path, "/clone"))
		return;
	name = judge_name_of(j, e->vmid);
	if (!name[0])
		world_violation(w, "%s %s of VM %lld, which does not carry our marker (%s %s)",
		    e->effect, e->key, (long long)e->vmid, e->method, e->path);
	if (strcmp(e->effect, "destroy") == 0) {
		if (!strs_has(&j->may_destroy, name))
			world_violation(w, "VM %lld was destroyed by us", (long long)e->vmid);
		judge_budget(j, w, e->vmid);
	}
	if (strcmp(e->effect, "stop") == 0 && !strs_has(&j->may_stop, name) &&
	    !strs_has(&j->may_destroy, name))
		world_violation(w, "VM %lld was stopped", (long long)e->vmid);
	if (strcmp(e->effect, "pool") == 0)
		judge_pool(j, w, e);
	if (strcmp(e->effect, "set") == 0 || strcmp(e->effect, "delete") == 0 ||
	    strcmp(e->effect, "pending") == 0)
		judge_key(j, w, e);
}

static void count_vms(struct judge *j, struct world *w)
{
	for (size_t i = 0; i < j->names.n; i++) {
		size_t n = 0;

		world_find(w, j->names.v[i], &n);
		if (n > 1)
			world_violation(w, "%zu VMs of %s", n, j->names.v[i]);
	}
}

/* In so many words. */
static bool is_called_gone(const struct vmstat *v)
{
	return v->reason == REASON_MISSING || (v->verdict == PLAN_IN_SYNC && v->message &&
						  strstr(v->message, "state: absent asks"));
}

/* It is there, and not just come: of a clone that a forgotten life asked for nobody can say before
 * the next look that it is. */
static bool is_known(struct judge *j, struct world *w, const char *name)
{
	int64_t vmid = world_find(w, name, NULL), now = clock_now(w->clock);
	bool late = j->forgot && now - j->forgot_at < LATE_MS;

	return vmid && (!late || now - j->v[slot(j, vmid)].made_at > LOOK_MS);
}

/* What is there, marker and all, is never called missing. */
static void judge_words(struct judge *j, struct world *w)
{
	int64_t now = clock_now(w->clock) / 1000;
	const struct status *s;

	/* What was not answered anything has learnt nothing of the cluster. */
	if (!w->controller || j->unheard || j->asked == now || j->answers == w->answers)
		return;
	j->asked = now;
	j->answers = w->answers;
	s = controller_status(w->controller);
	for (size_t i = 0; i < s->n_vms; i++)
		if (is_called_gone(s->vms[i]) && is_known(j, w, s->vms[i]->name))
			world_violation(w, "%s is said to be gone, and is there", s->vms[i]->name);
}

static void note_birth(struct judge *j, struct world *w, const struct sim_entry *e)
{
	size_t i = slot(j, e->vmid);

	j->v[i].foreign = strcmp(e->user, WORLD_USER) != 0;
	j->v[i].made_at = clock_now(w->clock);
}

/* What is new in the cluster's journal. */
static void catch_up(struct judge *j, struct world *w)
{
	bool count = false;

	for (; j->seen < sim_journal_len(w->sim); j->seen++) {
		struct sim_entry e;

		sim_journal_at(w->sim, j->seen, &e);
		if (strcmp(e.user, WORLD_USER) == 0)
			judge_own(j, w, &e);
		if (strcmp(e.effect, "create") == 0 && e.vmid)
			note_birth(j, w, &e);
		if (strcmp(e.key, "description") == 0 && strcmp(e.effect, "pending") != 0) {
			take_mark(j, e.after, e.vmid);
			count = true;
		}
		if (strcmp(e.effect, "destroy") == 0)
			take_mark(j, NULL, e.vmid);
	}
	if (count)
		count_vms(j, w);
}

void judge_look(struct judge *j, struct world *w)
{
	if (w->beyond)
		world_violation(
		    w, "%zu requests with a refused token, beyond one a minute", w->beyond);
	w->beyond = 0;
	catch_up(j, w);
	judge_words(j, w);
}

void judge_forget(struct judge *j, struct world *w)
{
	j->forgot = true;
	j->forgot_at = clock_now(w->clock);
	for (size_t i = 0; i < j->n; i++) {
		bool foreign = j->v[i].foreign;

		j->v[i].foreign = false;
		if (foreign)
			take_mark(
			    j, sim_guest_get(w->sim, j->v[i].vmid, "description"), j->v[i].vmid);
	}
}

void judge_request(struct judge *j, struct world *w, const char *method, const char *path)
{
	const char *at = strstr(path, "/qemu/");
	int64_t vmid = at ? strtoll(at + strlen("/qemu/"), NULL, 10) : 0;

	if (!vmid || strcmp(method, "DELETE") != 0)
		return;
	catch_up(j, w);
	if (!strs_has(&j->may_destroy, judge_name_of(j, vmid)))
		world_violation(w, "%s %s, which nobody ordered", method, path);
}
