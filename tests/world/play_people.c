#include "play.h"

#include "play_tally.h"

#include <stdlib.h>
#include <string.h>

static void forget(void *arg, const struct sim_reply *reply)
{
	(void)arg, (void)reply;
}

/* Through the API, as who sits at the web interface. */
static void by_api(
    struct play *p, const char *method, int64_t vmid, const char *what, const struct kv *params)
{
	_cleanup_str_ char *path = mem_printf(
	    "/nodes/%s/qemu/%lld/%s", sim_guest_node(p->w->sim, vmid), (long long)vmid, what);
	struct sim_req q = {.method = method,
	    .path = path,
	    .params = params,
	    .authorization = "PVEAPIToken=admin@pve!t=22222222-2222-2222-2222-222222222222",
	    .node = "pve2"};

	(void)sim_submit(p->w->sim, &q, forget, NULL);
}

static int human_ha(struct play *p, int64_t vmid, bool on, struct err **err)
{
	if (sim_human_ha(p->w->sim, vmid, on, err) < 0)
		return -1;
	guard_ha(p, vmid, on);
	p->ha = on ? vmid : 0;
	return 0;
}

static void human_snapshot(struct play *p, int64_t vmid, bool on)
{
	_cleanup_kv_ struct kv params = {0};

	if (on)
		kv_set(&params, "snapname", "byhand");
	by_api(p, on ? "POST" : "DELETE", vmid, on ? "snapshot" : "snapshot/byhand", &params);
	p->snapshot = on ? vmid : 0;
}

void play_drop_snapshot(struct play *p, int64_t vmid)
{
	if (sim_guest_exists(p->w->sim, vmid))
		human_snapshot(p, vmid, false);
}

void play_gone(struct play *p, struct manifest *m)
{
	const struct vmstat *v = world_vmstat(p->w, m->name);

	m->lost = !m->recreate;
	/* From here on somebody remembers it, whatever is merged later. */
	p->ever[m - p->m].stays_gone = m->lost && !p->bare && v && v->record.uuid &&
				       v->verdict == PLAN_IN_SYNC && m->there && !m->absent;
}

void play_human(struct play *p)
{
	static const char *const deeds[] = {"changes cores of", "toggles onboot of",
	    "puts net1 back into", "starts or stops", "migrates", "begins a backup of",
	    "changes memory of", "changes the tags of", "renames", "suspends by its tag",
	    "may take the marker from", "gives to HA", "makes a snapshot of", "reboots from within",
	    "holds the file of", "may delete"};
	struct manifest *m = &p->m[play_pick(p, PLAY_VMS)];
	int64_t vmid = m->name[0] ? world_find(p->w, m->name, NULL) : 0;
	_cleanup_err_ struct err *e = NULL;
	_cleanup_kv_ struct kv set = {0};
	_cleanup_str_ char *node = NULL;
	int rc = 0;
	unsigned what = play_pick(p, 16);

	if (!vmid)
		return;
	m->vmid = vmid;
	world_tell(p->w, "human: %s VM %lld of %s", deeds[what], (long long)vmid, m->name);
	switch (what) {
	case 0:
		kv_setf(&set, "cores", "%u", 1 + play_pick(p, 8));
		break;
	case 1:
		kv_set(&set, "onboot", play_pick(p, 2) ? "1" : "0");
		break;
	case 2:
		kv_set(&set, "net1", "virtio,bridge=vmbr1");
		break;
	case 3:
		rc = sim_human_power(p->w->sim, vmid, play_pick(p, 2), &e);
		break;
	case 4:
		node = mem_printf("pve%u", 1 + play_pick(p, 3));
		rc = sim_human_migrate(p->w->sim, vmid, node, &e);
		break;
	case 5:
		if (!p->locked && (rc = sim_human_lock(p->w->sim, vmid, "backup", &e)) == 0)
			p->locked = vmid;
		break;
	case 6:
		kv_setf(&set, "memory", "%u", 512 * (1 + play_pick(p, 8)));
		break;
	case 7:
		kv_set(&set, "tags", "byhand");
		break;
	case 8:
		kv_set(&set, "name", "renamed-by-hand");
		break;
	case 9:
		if (!p->suspended)
			kv_set(&set, "tags", "ramet-suspend");
		if (!p->suspended) {
			p->suspended = vmid;
			p->suspended_at = clock_now(p->w->clock);
		}
		break;
	case 10:
		/* Out of Ramet's hands; what is under way then ends. */
		if (play_pick(p, 4) == 0 && sim_tasks_running(p->w->sim) == 0) {
			kv_set(&set, "description", "mine now");
			m->lost = true;
		}
		break;
	case 11:
		if (!p->ha)
			rc = human_ha(p, vmid, true, &e);
		break;
	case 12:
		if (!p->snapshot)
			human_snapshot(p, vmid, true);
		break;
	case 13: /* a restart from within: what waits takes effect */
		rc = sim_human_guest(p->w->sim, vmid, false, &e);
		break;
	case 14:
		rc = sim_human_flock(p->w->sim, vmid, 1000 + (int64_t)play_pick(p, 120000), &e);
		break;
	default:
		if (play_pick(p, 6) == 0 && !m->lost &&
		    (rc = sim_human_delete(p->w->sim, vmid, "ops@pam", &e)) == 0)
			play_gone(p, m);
		break;
	}
	if (set.n)
		rc = sim_human_edit(p->w->sim, vmid, "ops@pam", &set, NULL, &e);
	if (rc < 0)
		world_tell(p->w, "  refused: %s", err_msg(e));
}

/* Somebody is quicker: between what was read and what is written, or before the last reading. */
void play_meanwhile(void *arg, const char *method, const char *path)
{
	struct play *p = arg;
	struct world *w = p->w;
	const char *at = strstr(path, "/qemu/");
	_cleanup_err_ struct err *e = NULL;
	_cleanup_kv_ struct kv set = {0};
	_cleanup_str_ char *net = NULL;
	int64_t vmid = at ? strtoll(at + strlen("/qemu/"), NULL, 10) : 0;
	const char *net0 = vmid ? sim_guest_get(w->sim, vmid, "net0") : NULL;
	bool write = strcmp(method, "GET") != 0;

	guard_request(p, method, path);
	if (tally_is_on()) {
		_cleanup_str_ char *what = mem_printf("%s %s", method, path);

		tally_add(p->busy ? "asks" : "asks at the end", what, 1);
	}
	/* A task under way holds the guest's file lock, which sim_human_edit does not wait for. */
	if (!p->busy || vmid < 1000 || vmid >= 1100 || sim_tasks_running(w->sim) ||
	    play_pick(p, write ? 10 : 400))
		return;
	if (write && net0) {
		_cleanup_str_ char *without = mem_strndup(net0, strcspn(net0, "\n"));
		char *fw = strstr(without, ",firewall=1");

		if (fw)
			memmove(
			    fw, fw + strlen(",firewall=1"), strlen(fw + strlen(",firewall=1")) + 1);
		net = mem_printf("%s%s", without, fw ? "" : ",firewall=1");
		kv_set(&set, "net0", net);
		world_tell(w, "meanwhile: net0 of VM %lld becomes %s", (long long)vmid, net);
		if (sim_human_edit(w->sim, vmid, "ops@pam", &set, NULL, &e) < 0)
			world_tell(w, "  refused: %s", err_msg(e));
	} else if (!write) {
		const char *desc = sim_guest_get(w->sim, vmid, "description");
		unsigned looks = play_pick(p, 3);
		const struct vmstat *v = NULL;
		struct manifest *m = NULL;

		for (size_t i = 0; i < PLAY_VMS; i++)
			if (p->m[i].name[0] && world_find(w, p->m[i].name, NULL) == vmid)
				m = &p->m[i];
		if (!m || m->lost)
			return;
		v = world_vmstat(w, m->name);
		/* A copy of the very VM under its number: known by its UUID, once that is known,
		 * of two instances to both, and written down. */
		if (looks == 1 && desc && v && v->record.uuid && !p->rival.controller &&
		    !w->observe_only)
			kv_set(&set, "description", desc);
		if (looks)
			kv_set(&set, "tags", "ramet");
		if (sim_human_delete(w->sim, vmid, "ops@pam", &e) < 0)
			return;
		world_tell(w, "meanwhile: VM %lld of %s gives way to a stranger%s", (long long)vmid,
		    m->name, kv_has(&set, "description") ? ", a copy of it" : "");
		m->lost = true; /* foreign, not missing: a person must decide */
		if (sim_human_create(w->sim, vmid, "pve3", "ops@pam", &set, &e) < 0)
			world_tell(w, "  refused: %s", err_msg(e));
	}
}

/* Whose VM this number was: the stranger under it is foreign, not missing, and a person decides. */
static void number_goes(struct play *p, int64_t vmid)
{
	for (size_t i = 0; i < PLAY_VMS; i++)
		if (p->m[i].vmid == vmid)
			p->m[i].lost = true;
}

void play_stranger(struct play *p)
{
	int64_t vmid = 1000 + (int64_t)play_pick(p, 100);
	const struct manifest *m = &p->m[play_pick(p, PLAY_VMS)];
	int64_t of = m->name[0] ? world_find(p->w, m->name, NULL) : 0;
	const char *desc = of ? sim_guest_get(p->w->sim, of, "description") : NULL;
	_cleanup_err_ struct err *e = NULL;
	_cleanup_kv_ struct kv conf = {0};
	bool copy = desc && play_pick(p, 2);

	if (copy) { /* somebody cloned our VM: marker and tag came along */
		kv_set(&conf, "description", desc);
		kv_set(&conf, "tags", "ramet");
		kv_set(&conf, "cores", "1");
	}
	if (sim_human_create(p->w->sim, vmid, "pve3", "ops@pam", copy ? &conf : NULL, &e) < 0)
		return;
	world_tell(
	    p->w, "a stranger takes VMID %lld%s", (long long)vmid, copy ? ", a copy of ours" : "");
	number_goes(p, vmid);
}

void play_unlock(struct play *p)
{
	_cleanup_err_ struct err *e = NULL;

	if (p->locked && sim_guest_exists(p->w->sim, p->locked) &&
	    sim_human_lock(p->w->sim, p->locked, NULL, &e) < 0)
		world_tell(p->w, "  unlock: %s", err_msg(e));
	p->locked = 0;
	err_free(&e);
	if (p->ha && sim_guest_exists(p->w->sim, p->ha) && human_ha(p, p->ha, false, &e) < 0)
		world_tell(p->w, "  HA: %s", err_msg(e));
	p->ha = 0;
	err_free(&e);
	if (p->snapshot && sim_guest_exists(p->w->sim, p->snapshot))
		human_snapshot(p, p->snapshot, false);
	p->snapshot = 0;
	if (p->suspended && sim_guest_exists(p->w->sim, p->suspended)) {
		_cleanup_kv_ struct kv set = {0};

		kv_set(&set, "tags", "ramet");
		if (sim_human_edit(p->w->sim, p->suspended, "ops@pam", &set, NULL, &e) < 0) {
			world_tell(p->w, "  tag: %s", err_msg(e));
			return; /* again later */
		}
	}
	p->suspended = 0;
}
