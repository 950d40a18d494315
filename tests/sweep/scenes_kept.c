/* Scenes in which something is left alone, whatever the merge seems to say. */
#include "scenes_kept.h"

#include <stdlib.h>
#include <string.h>

#define PRUNE "policy: { vmid_range: 1000-1099, prune: true }\n"
#define DB SCENE_HEAD("db-01") SCENE_LINKED
#define APP SCENE_HEAD("app-01") SCENE_LINKED
#define TEMPLATE SCENE_HEAD("web-01") SCENE_LINKED "  id: 1040\n  template: true\n"
#define CHILD SCENE_HEAD("db-01") "  clone: { source_vm_id: 1040, full: false }\n"

static const struct judge_key kept_keys[] = {{"cores", NULL}, {"cpulimit", NULL}, {"tags", NULL},
    {"digest", NULL}, {"description", NULL}, {"template", NULL}, {"scsi0", "@"}, {0}};

static char *right(struct trial *t)
{
	(void)t;
	return NULL;
}

static char *four_cores(struct trial *t)
{
	int64_t vmid = world_find(t->w, SWEEP_NAME, NULL);
	const char *now = vmid ? sim_guest_pending(t->w->sim, vmid, "cores") : NULL;

	if (vmid && !now)
		now = sim_guest_get(t->w->sim, vmid, "cores");
	return text_eq(now, "4") ? NULL : mem_strdup("cores");
}

static void must(struct trial *t, int rc, const struct err *e)
{
	if (rc < 0)
		world_violation(t->w, "scene: %s", err_msg(e));
}

static void ha_takes_it(struct trial *t)
{
	_cleanup_err_ struct err *e = NULL;

	must(t, sim_human_ha(t->w->sim, world_find(t->w, SWEEP_NAME, NULL), true, &e), e);
}

/* HA has moved it as well. */
static void ha_moves_it(struct trial *t)
{
	_cleanup_err_ struct err *e = NULL;

	must(t, sim_human_migrate(t->w->sim, world_find(t->w, SWEEP_NAME, NULL), "pve3", &e), e);
	ha_takes_it(t);
}

static void nothing_is_left(struct trial *t)
{
	_cleanup_kv_ struct kv files = {0};

	kv_set(&files, "README.txt", "no manifest");
	memgit_commit(t->w->git, &files, "empty");
}

static void folder_is_renamed(struct trial *t)
{
	_cleanup_kv_ struct kv files = {0};

	kv_set(&files, "machines/all.yaml", t->scene->before);
	memgit_commit(t->w->git, &files, "renamed");
}

static void history_is_set_back(struct trial *t)
{
	memgit_rewind(t->w->git, 1);
}

static void drop_reply(void *arg, const struct sim_reply *reply)
{
	(void)arg, (void)reply;
}

/* The template gets a linked clone that is none of ours, and then it is to go. */
static void somebody_clones_it(struct trial *t)
{
	_cleanup_kv_ struct kv params = {0}, files = {0};
	struct sim_req q = {.method = "POST",
	    .path = "/nodes/pve1/qemu/1040/clone",
	    .params = &params,
	    .authorization = "PVEAPIToken=admin@pve!t=22222222-2222-2222-2222-222222222222",
	    .node = "pve1"};

	kv_set(&params, "newid", "1080");
	kv_set(&params, "full", "0");
	(void)sim_submit(t->w->sim, &q, drop_reply, NULL);
	while (!sim_guest_exists(t->w->sim, 1080) || sim_tasks_running(t->w->sim))
		world_step(t->w);
	kv_set(&files, "vms/all.yaml", TEMPLATE "  state: absent\n");
	memgit_commit(t->w->git, &files, "absent");
}

static void only_observers(struct trial *t)
{
	t->armed = false; /* what cannot begin is started again, which is another story */
	t->w->observe_only = true;
	world_kill(t->w);
	world_start(t->w, CONTROLLER_RUN);
	t->armed = true;
}

/* Nothing is remembered, one who observes looks at all, and then one acts who finds the VM
 * unreadable: it may be the one that the manifest means. */
static void observer_was_there(struct trial *t)
{
	int64_t vmid = world_find(t->w, SWEEP_NAME, NULL);
	_cleanup_str_ char *path = mem_printf("/nodes/*/qemu/%lld/*", (long long)vmid);
	struct sim_fault f = {.kind = SIM_FAULT_FORBIDDEN, .path = path, .probability = 1};
	_cleanup_err_ struct err *e = NULL;

	t->armed = false;
	must(t, sim_human_edit(t->w->sim, vmid, "ops@pam", NULL, "tags", &e), e);
	world_kill(t->w);
	memstore_drop(t->w->store);
	memgit_drop_status(t->w->git);
	t->w->observe_only = true;
	world_start(t->w, CONTROLLER_RUN);
	world_run(t->w, 120000, NULL, NULL);
	world_kill(t->w);
	memgit_drop_status(t->w->git);
	t->w->observe_only = false;
	sim_fault_add(t->w->sim, &f);
	world_start(t->w, CONTROLLER_RUN);
	world_run(t->w, 300000, NULL, NULL);
	sim_fault_clear(t->w->sim);
	t->armed = true;
}

static void a_newer_instance(struct trial *t)
{
	rival_start(&t->rival, t->w, false);
}

#define LEAVES                                                       \
	"  name: front\n  cpu: { cores: 2, limit: 2, units: 100 }\n" \
	"  memory: { size: 1024 }\n"

static const struct judge_key leaves_keys[] = {{"cores", NULL}, {"cpulimit", NULL},
    {"cpuunits", NULL}, {"memory", NULL}, {"name", NULL}, {"tags", NULL}, {"digest", NULL},
    {"description", NULL}, {0}};

/* One leaf after the other, while the newer instance takes over and after that: each change is
 * there for both of them to see. */
static void people_change_leaves(struct trial *t)
{
	static const char *const edits[][2] = {{"cores", "4"}, {"cpulimit", "1"},
	    {"cpuunits", "200"}, {"memory", "512"}, {"name", "other"}};

	t->armed = false; /* the takeover itself has a scene of its own */
	for (size_t i = 0; i < 15; i++) {
		const char *const *edit = edits[i % ARRAY_LEN(edits)];
		_cleanup_err_ struct err *e = NULL;
		_cleanup_kv_ struct kv set = {0};

		kv_set(&set, edit[0], edit[1]);
		must(t,
		    sim_human_edit(
			t->w->sim, world_find(t->w, SWEEP_NAME, NULL), "ops@pam", &set, NULL, &e),
		    e);
		if (i == 1)
			a_newer_instance(t);
		world_run(t->w, i < 9 ? 4000 : 20000, NULL, NULL);
	}
	t->armed = true;
}

const struct scene scenes_kept[] = {
    {.name = "ha-stop",
	.before = SCENE_BASE SCENE_ON,
	.after = SCENE_BASE "  started: false\n",
	.happens = ha_takes_it,
	.never = "/",
	.keys = kept_keys,
	.vms = SWEEP_NAME,
	.reason = "HAManaged",
	.wrong = right},
    {.name = "ha-restart",
	.before = SCENE_BASE SCENE_ON "  max_disruption: reboot\n",
	.after = SCENE_BASE SCENE_ON "  max_disruption: reboot\n  cpu: { cores: 4 }\n",
	.happens = ha_takes_it,
	.never = "/status/",
	.keys = kept_keys,
	.vms = SWEEP_NAME,
	.reason = "PendingReboot",
	.wrong = four_cores},
    {.name = "ha-absent",
	.before = SCENE_BASE SCENE_ON,
	.after = SCENE_BASE "  state: absent\n",
	.happens = ha_takes_it,
	.never = "/",
	.keys = kept_keys,
	.vms = SWEEP_NAME,
	.reason = "HAManaged",
	.forgotten = "OwnershipUnconfirmed",
	.wrong = right},
    {.name = "ha-moved",
	.before = SCENE_BASE SCENE_ON "  placement: pin\n",
	.happens = ha_moves_it,
	.never = "/",
	.keys = kept_keys,
	.vms = SWEEP_NAME,
	.reason = "HAManaged",
	.wrong = right},
    {.name = "suspended",
	.before = SCENE_BASE SCENE_ON,
	.after = SCENE_BASE "  started: false\n  cpu: { cores: 4 }\n"
			    "  suspend: { reason: by hand, owner: ops }\n",
	.never = "/",
	.keys = kept_keys,
	.vms = SWEEP_NAME,
	.reason = "SuspendedByManifest",
	.wrong = right},
    {.name = "prune-many",
	.before = SCENE_BASE "---\n" DB "---\n" APP,
	.after = APP,
	.policy = PRUNE,
	.never = "/",
	.keys = kept_keys,
	.vms = SWEEP_NAME ",db-01,app-01",
	.reason = "DestroyBudget",
	.forgotten = "ManifestGone",
	.wrong = right},
    {.name = "empty",
	.before = SCENE_BASE "---\n" DB,
	.happens = nothing_is_left,
	.policy = PRUNE,
	.never = "/",
	.keys = kept_keys,
	.vms = SWEEP_NAME,
	.reason = "ManifestsUnreadable",
	.forgotten = "ManifestGone",
	.wrong = right},
    {.name = "renamed-folder",
	.before = SCENE_BASE SCENE_ON,
	.happens = folder_is_renamed,
	.policy = PRUNE,
	.never = "/",
	.keys = kept_keys,
	.vms = SWEEP_NAME,
	.wrong = right},
    {.name = "set-back",
	.past = SCENE_BASE "  state: absent\n",
	.before = SCENE_BASE SCENE_ON,
	.happens = history_is_set_back,
	.never = "/",
	.keys = kept_keys,
	.vms = SWEEP_NAME,
	.reason = "HistoryRewritten",
	.forgotten = "OwnershipUnconfirmed",
	.wrong = right},
    {.name = "linked",
	.before = TEMPLATE "---\n" CHILD "  depends_on: [web-01]\n",
	.after = TEMPLATE "  state: absent\n---\n" CHILD,
	.never = "/",
	.keys = kept_keys,
	.vms = SWEEP_NAME ",db-01",
	.reason = "LinkedClones",
	.forgotten = "OwnershipUnconfirmed",
	.wrong = right},
    {.name = "linked-other",
	.before = TEMPLATE,
	.happens = somebody_clones_it,
	.never = "/",
	.keys = kept_keys,
	.vms = SWEEP_NAME,
	.reason = "LinkedClones",
	.forgotten = "OwnershipUnconfirmed",
	.wrong = right},
    {.name = "observe",
	.before = SCENE_BASE "---\n" DB,
	.after = SCENE_BASE "  started: true\n  cpu: { cores: 4 }\n---\n" DB
			    "  state: absent\n---\n" APP,
	.happens = only_observers,
	.never = "/",
	.keys = kept_keys,
	.vms = SWEEP_NAME ",db-01",
	.reason = "ObserveOnly",
	.forgotten = "OwnershipUnconfirmed",
	.wrong = right},
    {.name = "observed",
	.before = SCENE_BASE,
	.happens = observer_was_there,
	.blank = true,
	.keys = kept_keys,
	.vms = SWEEP_NAME,
	.wrong = right},
    {.name = "instances",
	.before = SCENE_BASE SCENE_ON,
	.after = SCENE_BASE SCENE_ON "  description: Front end\n  cpu: { cores: 4, limit: 2 }\n",
	.happens = a_newer_instance,
	.keys = kept_keys,
	.vms = SWEEP_NAME,
	.reason = "PendingReboot",
	.forgotten = "Replaced",
	.wrong = four_cores},
    {.name = "instances-drift",
	.before = SCENE_BASE LEAVES,
	.happens = people_change_leaves,
	.keys = leaves_keys,
	.vms = SWEEP_NAME,
	.forgotten = "Replaced",
	.wrong = right},
};

const size_t n_scenes_kept = ARRAY_LEN(scenes_kept);
