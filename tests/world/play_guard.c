/* What must never happen in these worlds beside what support_judge.h looks at: what is suspended is
 * not written to, nobody is disturbed beyond its ceiling, nothing moves that is not pinned, HA
 * decides about what is its own, and who depends on another one comes after it and goes before. */
#include "play.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SETTLED_MS 120000 /* after this nothing of before is under way any more */
#define CLONES_MAX 2	  /* reconcile.clones_per_storage, as it is by default */
#define ANSWER_MS 62000	  /* as late as an answer may come that the faults delay */

static struct guard_vm new_vm(int64_t vmid)
{
	return (struct guard_vm){.vmid = vmid, .ha_at = -1, .started_at = -ANSWER_MS};
}

/* Parts of a device that change without disturbing anybody. */
static const char quiet_parts[] =
    "firewall= link_down= rate= trunks= backup= replicate= ro= iops mbps bps size=";

static struct guard_vm *vm_of(struct play *p, int64_t vmid)
{
	struct guard *g = &p->guard;

	for (size_t i = 0; i < g->n; i++)
		if (g->v[i].vmid == vmid)
			return &g->v[i];
	MUST(g->n < ARRAY_LEN(g->v));
	g->v[g->n] = new_vm(vmid);
	return &g->v[g->n++];
}

void guard_ha(struct play *p, int64_t vmid, bool on)
{
	vm_of(p, vmid)->ha_at = on ? clock_now(p->w->clock) : -1;
}

static struct manifest *manifest_of(struct play *p, const char *name)
{
	for (size_t i = 0; i < PLAY_VMS; i++)
		if (p->m[i].name[0] && strcmp(p->m[i].name, name) == 0)
			return &p->m[i];
	return NULL;
}

static bool is_device(const char *key)
{
	size_t word = strcspn(key, "0123456789");

	return key[word] && (text_starts(key, "net") || text_starts(key, "scsi") ||
				text_starts(key, "usb") || text_starts(key, "virtio"));
}

/* Nothing but parts that disturb nobody. */
static bool is_quiet(const struct sim_entry *e)
{
	_cleanup_strs_ struct strs a = {0}, b = {0}, quiet = {0};

	if (!e->before || !e->after || text_split(e->before, ",", true, 100, &a) < 0 ||
	    text_split(e->after, ",", true, 100, &b) < 0 ||
	    text_split(quiet_parts, " ", true, 100, &quiet) < 0)
		return false;
	for (int side = 0; side < 2; side++) {
		const struct strs *x = side ? &a : &b, *y = side ? &b : &a;

		for (size_t i = 0; i < x->n; i++) {
			bool ok = strs_has(y, x->v[i]);

			for (size_t k = 0; k < quiet.n; k++)
				ok |= text_starts(x->v[i], quiet.v[k]) &&
				      strcmp(quiet.v[k], "size=") != 0;
			if (!ok)
				return false;
		}
	}
	return true;
}

/* Not so a clone, which is made on the source's node and goes to its own when it is done, whoever
 * has started it a moment before. */
static bool is_move(const struct sim_entry *e)
{
	return strcmp(e->effect, "node") == 0 && !text_ends(e->path, "/clone");
}

static void guard_disruption(
    struct play *p, const struct guard_vm *v, const struct manifest *m, const struct sim_entry *e)
{
	bool write = strcmp(e->effect, "set") == 0 || strcmp(e->effect, "delete") == 0;
	bool moved = is_move(e);

	/* On the way to an end that was ordered nobody is spared, and what waited for a start takes
	 * effect with it. */
	if (text_ends(e->path, "/status/start"))
		return;
	if (!v->running || !sim_guest_running(p->w->sim, e->vmid) ||
	    clock_now(p->w->clock) - v->started_at < ANSWER_MS ||
	    strs_has(&p->judge.may_destroy, m->name))
		return;
	if (write && p->ever[m - p->m].ceiling == CEILING_NONE && is_device(e->key) && !is_quiet(e))
		world_violation(p->w, "%s of running VM %lld: %s -> %s, and max_disruption is none",
		    e->key, (long long)e->vmid, e->before ? e->before : "absent",
		    e->after ? e->after : "absent");
	if (moved && p->ever[m - p->m].ceiling == CEILING_NONE)
		world_violation(p->w, "running VM %lld was moved to %s, and max_disruption is none",
		    (long long)e->vmid, e->after);
}

static bool is_there(struct play *p, const char *name)
{
	int64_t vmid = world_find(p->w, name, NULL);

	return vmid && !text_eq(sim_guest_get(p->w->sim, vmid, "lock"), "clone");
}

/* A clone of ours begins. */
static void guard_birth(struct play *p, const struct sim_entry *e)
{
	for (size_t i = 0; i < PLAY_VMS; i++) {
		const struct manifest *m = &p->m[i];
		_cleanup_str_ char *mark = mem_printf("ramet: " WORLD_ID "/%s vmid=", m->name);

		if (!m->name[0] || !strstr(e->after, mark))
			continue;
		if (p->ever[i].stays_gone)
			world_violation(p->w, "%s is made anew, and on_missing is report", m->name);
		/* Whose manifest went meanwhile is gone for both. */
		if (!m->depends_on || !m->there)
			continue;
		/* It may still be known as it was. */
		if (p->m[m->depends_on - 1].lost ||
		    clock_now(p->w->clock) - p->ever[m->depends_on - 1].gone_at < PLAY_AWARE_MS)
			continue;
		if (!is_there(p, p->m[m->depends_on - 1].name))
			world_violation(p->w, "%s is made before vm-%u, which it depends on",
			    m->name, m->depends_on - 1);
	}
}

static void guard_end(struct play *p, const struct manifest *m)
{
	for (size_t i = 0; i < PLAY_VMS; i++) {
		const struct manifest *d = &p->m[i];

		if (!d->name[0] || !d->there || d->lost || d->depends_on != m - p->m + 1 ||
		    clock_now(p->w->clock) - p->ever[i].there_since < PLAY_AWARE_MS)
			continue;
		if (world_find(p->w, d->name, NULL))
			world_violation(p->w, "%s is destroyed, and %s depends on it and is there",
			    m->name, d->name);
	}
}

static void guard_own(struct play *p, const struct sim_entry *e)
{
	struct guard_vm *v = vm_of(p, e->vmid);
	const struct manifest *m = manifest_of(p, judge_name_of(&p->judge, e->vmid));
	bool moved = is_move(e);

	if (strcmp(e->key, "description") == 0 && text_ends(e->path, "/clone") && e->after)
		guard_birth(p, e);
	if (!m)
		return;
	if (moved) {
		_cleanup_str_ char *node = mem_printf("pve%u", m->node);

		if (!p->ever[m - p->m].pin || !text_eq(e->after, node))
			world_violation(p->w, "VM %lld of %s was moved to %s", (long long)e->vmid,
			    m->name, e->after);
	}
	if (strcmp(e->effect, "start") == 0 && !p->ever[m - p->m].started &&
	    p->ever[m - p->m].ceiling != CEILING_REBOOT)
		world_violation(p->w, "VM %lld of %s was started, which no manifest asks for",
		    (long long)e->vmid, m->name);
	if (strcmp(e->effect, "destroy") == 0 && !text_ends(e->path, "/clone"))
		guard_end(p, m);
	guard_disruption(p, v, m, e);
}

static void guard_gone(struct play *p, const struct sim_entry *e)
{
	const struct manifest *m = manifest_of(p, judge_name_of(&p->judge, e->vmid));

	if (m)
		p->ever[m - p->m].gone_at = clock_now(p->w->clock);
}

static void note_power(struct play *p, const struct sim_entry *e)
{
	struct guard_vm *v = vm_of(p, e->vmid);
	bool own = strcmp(e->user, WORLD_USER) == 0;

	v->running = strcmp(e->effect, "start") == 0;
	v->started_at = v->running && !own ? clock_now(p->w->clock) : -ANSWER_MS;
}

static int64_t vmid_in(const char *path)
{
	const char *at = strstr(path, "/qemu/");

	return at ? strtoll(at + strlen("/qemu/"), NULL, 10) : 0;
}

static void note_clone(struct play *p, const struct sim_entry *e)
{
	struct guard_vm *v = vm_of(p, e->vmid);

	/* While something is at fault, whoever asked for it may not know that it is under way. */
	v->source = !p->faulty && text_ends(e->path, "/clone") ? vmid_in(e->path) : 0;
	v->life = p->w->since;
}

/* What this life asked for, and knows the answer to. */
static void guard_clones(struct play *p, int64_t source, const char *path)
{
	unsigned n = 0;

	for (size_t i = 0; i < p->guard.n; i++) {
		const struct guard_vm *v = &p->guard.v[i];

		n += v->source == source && v->life == p->w->since &&
		     text_eq(sim_guest_get(p->w->sim, v->vmid, "lock"), "clone");
	}
	/* What broke off keeps the lock, and no task of it runs. */
	if (n > sim_tasks_running(p->w->sim))
		n = (unsigned)sim_tasks_running(p->w->sim);
	if (n >= CLONES_MAX && !p->faulty && !p->rivals)
		world_violation(p->w, "POST %s while %u clones go to its storage", path, n);
}

void guard_look(struct play *p)
{
	struct guard *g = &p->guard;
	struct world *w = p->w;
	const struct bundle *b;

	for (; g->seen < sim_journal_len(w->sim); g->seen++) {
		struct sim_entry e;

		sim_journal_at(w->sim, g->seen, &e);
		if (!e.vmid)
			continue;
		if (strcmp(e.user, WORLD_USER) == 0)
			guard_own(p, &e);
		if (strcmp(e.user, WORLD_USER) == 0 && strcmp(e.effect, "create") == 0)
			note_clone(p, &e);
		if (strcmp(e.effect, "start") == 0 || strcmp(e.effect, "stop") == 0)
			note_power(p, &e);
		if (strcmp(e.effect, "destroy") == 0 && strcmp(e.user, WORLD_USER) != 0)
			guard_gone(p, &e);
		if (strcmp(e.effect, "destroy") == 0)
			*vm_of(p, e.vmid) = new_vm(e.vmid);
	}
	/* Since when it has been following what is merged. */
	if (!w->controller)
		g->follows = -1;
	if (!w->controller || g->answers == w->answers)
		return;
	g->answers = w->answers;
	b = controller_bundle(w->controller);
	if (!b || !text_eq(b->rev, memgit_head(w->git)))
		g->follows = -1;
	else if (g->follows < 0)
		g->follows = clock_now(w->clock);
}

void guard_doubt(struct play *p)
{
	for (size_t i = 0; i < PLAY_VMS; i++) {
		bool ordered = p->m[i].absent || (p->prune && !p->m[i].there);

		/* The order may have been taken back, and nobody has seen that yet. */
		p->m[i].doubtful |= ordered || strs_has(&p->judge.may_destroy, p->m[i].name);
	}
}

void guard_forget(struct play *p)
{
	judge_forget(&p->judge, p->w);
	guard_doubt(p);
	for (size_t i = 0; i < PLAY_VMS; i++)
		p->ever[i].stays_gone = false;
}

static bool is_suspended(struct play *p, int64_t vmid)
{
	const char *tags = sim_guest_get(p->w->sim, vmid, "tags");

	return vmid == p->suspended && tags && strstr(tags, "ramet-suspend") &&
	       clock_now(p->w->clock) - p->suspended_at > SETTLED_MS;
}

void guard_request(struct play *p, const char *method, const char *path)
{
	int64_t vmid = vmid_in(path);
	const struct manifest *m;

	if (strcmp(method, "GET") == 0)
		return;
	if (p->w->observe_only)
		world_violation(p->w, "%s %s, and it is to observe only", method, path);
	rival_asks(&p->rival, p->w->controller, p->w->since, method, path);
	if (!vmid)
		return;
	judge_request(&p->judge, p->w, method, path);
	if (text_ends(path, "/clone"))
		guard_clones(p, vmid, path);
	if (is_suspended(p, vmid))
		world_violation(p->w, "%s %s, and the VM has the tag", method, path);
	/* PVE would hand it to the HA manager, and that does it. */
	if (vm_of(p, vmid)->ha_at >= 0 &&
	    (strstr(path, "/status/") || text_ends(path, "/migrate")) &&
	    clock_now(p->w->clock) - vm_of(p, vmid)->ha_at > SETTLED_MS)
		world_violation(p->w, "%s %s, and HA manages it", method, path);
	m = manifest_of(p, judge_name_of(&p->judge, vmid));
	if (m && m->there && m->suspended && !m->broken && p->guard.follows >= 0 &&
	    clock_now(p->w->clock) - p->guard.follows > SETTLED_MS)
		world_violation(
		    p->w, "%s %s, and the manifest of %s says suspend", method, path, m->name);
}
