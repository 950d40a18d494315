#include "support_judge.h"

#include <stdlib.h>
#include <string.h>

#define MARK "ramet: " WORLD_ID "/"

void judge_fini(struct judge *j)
{
	strs_fini(&j->names);
}

void judge_name(struct judge *j, const char *name)
{
	if (!strs_has(&j->names, name))
		strs_add(&j->names, name);
}

static bool *ours(struct judge *j, int64_t vmid)
{
	for (size_t i = 0; i < j->n; i++)
		if (j->v[i].vmid == vmid)
			return &j->v[i].ours;
	MUST(j->n < JUDGE_VMS);
	j->v[j->n].vmid = vmid;
	j->v[j->n].ours = false;
	return &j->v[j->n++].ours;
}

/* The text without one part of a property string. Caller frees. */
static char *without(const char *text, const char *part)
{
	struct strs parts = {0}, rest = {0};
	char *s;

	if (text_split(text, ",", true, 100, &parts) < 0)
		return mem_strdup(text);
	for (size_t i = 0; i < parts.n; i++)
		if (!text_starts(parts.v[i], part))
			strs_add(&rest, parts.v[i]);
	strs_sort_unique(&rest); /* PVE may order them anew */
	s = strs_join(&rest, ",");
	strs_fini(&parts);
	strs_fini(&rest);
	return s;
}

/* Keys that the manifests of these worlds list. */
static bool key_is_listed(const char *key)
{
	static const char *const keys[] = {
	    "cores", "memory", "net0", "net1", "scsi0", "tags", "description", "digest"};

	for (size_t i = 0; i < ARRAY_LEN(keys); i++)
		if (strcmp(key, keys[i]) == 0)
			return true;
	return false;
}

/* The marker is ours and names this very VM: a copied one does not. */
static bool marks(const char *description, int64_t vmid)
{
	const char *p = description ? strstr(description, MARK) : NULL;

	p = p ? strstr(p, " vmid=") : NULL;
	return p && strtoll(p + strlen(" vmid="), NULL, 10) == vmid;
}

static void judge_parts(struct world *w, const struct sim_entry *e)
{
	const char *part = strcmp(e->key, "net0") == 0 ? "tag=" : "size=";
	_cleanup_str_ char *a = NULL, *b = NULL;

	if (!e->before || !e->after ||
	    (strcmp(e->key, "net0") != 0 && strcmp(e->key, "scsi0") != 0))
		return;
	a = without(e->before, part);
	b = without(e->after, part);
	if (strcmp(a, b) != 0)
		world_violation(w, "%s of VM %lld: more than %s changed: %s -> %s", e->key,
		    (long long)e->vmid, part, e->before, e->after);
}

static void judge_own(struct judge *j, struct world *w, const struct sim_entry *e)
{
	bool clone = text_ends(e->path, "/clone");

	if (strcmp(e->effect, "destroy") == 0)
		world_violation(w, "VM %lld was destroyed by us", (long long)e->vmid);
	if (!e->vmid || clone)
		return;
	if (!*ours(j, e->vmid))
		world_violation(w, "%s %s of VM %lld, which does not carry our marker (%s %s)",
		    e->effect, e->key, (long long)e->vmid, e->method, e->path);
	if (strcmp(e->effect, "stop") == 0 && !j->may_stop)
		world_violation(w, "VM %lld was stopped", (long long)e->vmid);
	if (strcmp(e->effect, "set") != 0 && strcmp(e->effect, "delete") != 0 &&
	    strcmp(e->effect, "pending") != 0)
		return;
	/* PVE's own lock for the length of a migration that was asked for. */
	if (text_ends(e->path, "/migrate") && strcmp(e->key, "lock") == 0)
		return;
	if (!key_is_listed(e->key))
		world_violation(w, "%s %s of VM %lld, which no manifest lists", e->effect, e->key,
		    (long long)e->vmid);
	else
		judge_parts(w, e);
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

void judge_look(struct judge *j, struct world *w)
{
	bool count = false;

	for (; j->seen < sim_journal_len(w->sim); j->seen++) {
		struct sim_entry e;

		sim_journal_at(w->sim, j->seen, &e);
		if (strcmp(e.user, WORLD_USER) == 0)
			judge_own(j, w, &e);
		if (strcmp(e.key, "description") == 0 && strcmp(e.effect, "pending") != 0) {
			*ours(j, e.vmid) = marks(e.after, e.vmid);
			count = true;
		}
		if (strcmp(e.effect, "destroy") == 0)
			*ours(j, e.vmid) = false;
	}
	if (count)
		count_vms(j, w);
}
