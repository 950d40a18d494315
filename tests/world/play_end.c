#include "play.h"

#include "pvecodec.h"

#include <stdlib.h>
#include <string.h>

#define LONGEST_MS (3 * 3600 * 1000LL)

static struct play *playing; /* world_run carries no argument for it */

static const char *effective(struct world *w, int64_t vmid, const char *key)
{
	const char *p = sim_guest_pending(w->sim, vmid, key);

	return p ? p : sim_guest_get(w->sim, vmid, key);
}

static bool has_part(const char *text, const char *part)
{
	struct strs parts = {0};
	bool found =
	    text && text_split(text, ",", true, 100, &parts) == 0 && strs_has(&parts, part);

	strs_fini(&parts);
	return found;
}

/* In force, or from the next start on. */
static bool is_set(struct world *w, int64_t vmid, const struct manifest_extra *x)
{
	static const struct codec_env env = {.tag = "ramet", .suspend_tag = "ramet-suspend"};
	const char *slot = manifest_extra_slot(x->attr), *key = pvecodec_key(x->attr, slot);
	const char *now = effective(w, vmid, key);
	_cleanup_value_ struct value listed = {0}, want = {0}, have = {0};
	_cleanup_kv_ struct kv conf = {0};

	if (now)
		kv_set(&conf, key, now);
	manifest_extra_value(x, &listed);
	pvecodec_want(x->attr, &listed, &env, &want);
	return pvecodec_get(x->attr, slot, &conf, &env, &have, NULL) == 0 &&
	       pvecodec_same(x->attr, &want, &have);
}

/* NULL, or what is not as the manifest says. Caller frees. */
static char *wrong(struct play *p, const struct manifest *m)
{
	struct world *w = p->w;
	_cleanup_str_ char *cores = mem_printf("%u", m->cores),
			   *memory = mem_printf("%u", m->memory);
	_cleanup_str_ char *tag = mem_printf("tag=%u", m->tag),
			   *node = mem_printf("pve%u", m->node);
	_cleanup_str_ char *store = mem_printf("%s:", m->store ? m->store : "");
	size_t n = 0;
	int64_t vmid = world_find(w, m->name, &n);

	if (n != 1)
		return mem_printf("%zu VMs of %s", n, m->name);
	if (!text_eq(effective(w, vmid, "cores"), cores))
		return mem_printf("cores of %s", m->name);
	if (!text_eq(effective(w, vmid, "memory"), memory))
		return mem_printf("memory of %s", m->name);
	if (m->tag && !has_part(effective(w, vmid, "net0"), tag))
		return mem_printf("net0 of %s", m->name);
	if (m->no_net1 && effective(w, vmid, "net1") && !sim_guest_pending(w->sim, vmid, "net1"))
		return mem_printf("net1 of %s is there", m->name);
	if (sim_guest_running(w->sim, vmid) != m->started)
		return mem_printf("power of %s", m->name);
	if (m->pin && !text_eq(sim_guest_node(w->sim, vmid), node))
		return mem_printf("node of %s", m->name);
	if (m->store && !text_starts(effective(w, vmid, "scsi0"), store))
		return mem_printf("disk of %s", m->name);
	for (size_t i = 0; i < MANIFEST_EXTRAS; i++)
		if (m->extra[i].attr && !is_set(w, vmid, &m->extra[i]))
			return mem_printf("%s of %s", m->extra[i].attr->path, m->name);
	return NULL;
}

/* Nobody remembers that it was destroyed as ordered, and the order was taken back since: whether it
 * is made anew is for a person to say. */
static bool may_be_missing(struct world *w, const struct manifest *m, const struct vmstat *v)
{
	return m->doubtful && v && v->reason == REASON_MISSING && !world_find(w, m->name, NULL);
}

static const struct vmstat *vmstat_of(const struct status *s, const struct manifest *m)
{
	for (size_t i = 0; s && i < s->n_vms; i++)
		if (strcmp(s->vms[i]->name, m->name) == 0)
			return s->vms[i];
	return NULL;
}

/* What it may not do it does not do, as long as the guest runs. */
static bool is_held(const struct play *p, const struct status *s, const struct manifest *m)
{
	const struct vmstat *v = vmstat_of(s, m);

	return may_be_missing(p->w, m, v) ||
	       (v && v->reason == REASON_DISRUPTION && m->ceiling == CEILING_NONE);
}

/* It, or one that it depends on, is a person's business. */
static bool is_given_up(const struct play *p, const struct status *s, const struct manifest *m)
{
	for (unsigned hops = 0; hops <= PLAY_VMS; hops++) {
		if (!m->there || m->broken || m->lost)
			return true;
		if (!m->depends_on)
			return false;
		m = &p->m[m->depends_on - 1];
		if (is_held(p, s, m))
			return true;
	}
	return true;
}

static bool is_done(struct play *p, const struct status *s, const struct manifest *m)
{
	_cleanup_str_ char *why = NULL;
	const struct vmstat *v;

	if (!m->name[0] || is_given_up(p, s, m) || is_held(p, s, m))
		return true;
	v = vmstat_of(s, m);
	return (why = wrong(p, m)) == NULL && v && vmstat_is_ready(v);
}

/* Whoever reads that the snapshot is in the way removes it; a request may fail, so once more. */
static void drop_snapshots(struct play *p, const struct status *s)
{
	for (size_t i = 0; i < s->n_vms; i++)
		if (s->vms[i]->reason == REASON_HAS_SNAPSHOTS && s->vms[i]->record.vmid &&
		    sim_tasks_running(p->w->sim) == 0)
			play_drop_snapshot(p, s->vms[i]->record.vmid);
}

/* And when it says that nothing holds the lock, root takes it off. */
static void unlock(struct play *p, const struct status *s)
{
	for (size_t i = 0; i < s->n_vms; i++) {
		const struct vmstat *v = s->vms[i];
		bool idle = v->reason == REASON_LOCKED && v->record.vmid && v->message &&
			    strstr(v->message, "no task that would hold it");

		if (!idle || sim_tasks_running(p->w->sim))
			continue;
		world_tell(p->w, "root: qm unlock %u", v->record.vmid);
		if (sim_human_lock(p->w->sim, v->record.vmid, NULL, NULL) < 0)
			world_tell(p->w, "  refused");
	}
}

static bool converged(struct world *w)
{
	struct play *p = playing;
	const struct status *s;

	if (!w->controller)
		return false;
	s = controller_status(w->controller);
	drop_snapshots(p, s);
	unlock(p, s);
	world_clean_up(w);
	if (!text_eq(s->rev_wanted, memgit_head(w->git)) || s->report_problem)
		return false;
	for (size_t i = 0; i < PLAY_VMS; i++)
		if (!is_done(p, s, &p->m[i]))
			return false;
	return true;
}

void play_must_converge(struct play *p, void (*each)(struct world *w))
{
	const struct status *s;

	playing = p;
	if (world_run(p->w, LONGEST_MS, converged, each))
		return;
	s = p->w->controller ? controller_status(p->w->controller) : NULL;
	for (size_t i = 0; i < PLAY_VMS; i++) {
		if (!p->m[i].name[0])
			continue;
		const struct manifest *m = &p->m[i];
		const struct vmstat *v = vmstat_of(s, m);
		_cleanup_str_ char *why = wrong(p, m);

		if (!is_done(p, s, m))
			world_tell(p->w, "%s: %s; says %s: %s", m->name, why ? why : "right",
			    v ? reason_word(v->reason) : "nothing",
			    v && v->message ? v->message : "");
	}
	world_violation(p->w, "did not converge in %lld virtual minutes", LONGEST_MS / 60000);
}
