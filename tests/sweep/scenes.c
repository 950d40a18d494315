#include "scenes_kept.h"

#include <stdlib.h>
#include <string.h>

#define HEAD SCENE_HEAD
#define LINKED SCENE_LINKED
#define BASE SCENE_BASE
#define ON SCENE_ON

static const char *effective(struct trial *t, int64_t vmid, const char *key)
{
	const char *p = sim_guest_pending(t->w->sim, vmid, key);

	return p ? p : sim_guest_get(t->w->sim, vmid, key);
}

/* key=text: the value in force or pending has this in it; "!key": there is none. */
static char *expect(struct trial *t, const char *key, const char *part)
{
	int64_t vmid = world_find(t->w, SWEEP_NAME, NULL);
	const char *have = vmid ? effective(t, vmid, key) : NULL;

	if (part ? have && strstr(have, part) : !have)
		return NULL;
	return mem_printf("%s is %s, without %s", key, have ? have : "absent", part ? part : "it");
}

static char *expect_power(struct trial *t, bool on)
{
	int64_t vmid = world_find(t->w, SWEEP_NAME, NULL);

	return sim_guest_running(t->w->sim, vmid) == on ? NULL : mem_strdup("power");
}

static char *first_of(char *a, char *b)
{
	if (!a)
		return b;
	free(b);
	return a;
}

/* --- create --- */

static const char create_yaml[] =
    HEAD("web-01") "  name: front\n"
		   "  description: Front end\n"
		   "  tags: [web]\n"
		   "  clone: { source_vm_id: 9000, full: true, target_datastore: fast }\n"
		   "  cpu: { cores: 4 }\n"
		   "  memory: { size: 4096 }\n"
		   "  network: { net0: { tag: 100 } }\n"
		   "  disk: { scsi0: { size_gb: 25 } }\n"
		   "  delete: { network: [net1] }\n" ON;

static const struct judge_key create_keys[] = {{"name", NULL}, {"description", NULL},
    {"tags", NULL}, {"cores", NULL}, {"memory", NULL}, {"net0", "tag="}, {"net1", NULL},
    {"scsi0", "size="}, {"digest", NULL}, {0}};

static char *create_wrong(struct trial *t)
{
	int64_t vmid = world_find(t->w, SWEEP_NAME, NULL);
	char *why = expect_power(t, true);

	why = first_of(why, expect(t, "cores", "4"));
	why = first_of(why, expect(t, "memory", "4096"));
	why = first_of(why, expect(t, "net0", "tag=100"));
	why = first_of(why, expect(t, "net1", NULL));
	why = first_of(why, expect(t, "scsi0", "size=25G"));
	why = first_of(why, expect(t, "scsi0", "fast:"));
	why = first_of(why, expect(t, "name", "front"));
	return first_of(why, sim_volumes_of(t->w->sim, vmid) == 1 ? NULL : mem_strdup("volumes"));
}

/* --- create, two that hang on one another --- */

static const char pair_yaml[] = HEAD("db-01") LINKED ON "---\n" BASE "  depends_on: [db-01]\n" ON;

static char *pair_wrong(struct trial *t)
{
	int64_t db = world_find(t->w, "db-01", NULL);

	return first_of(expect_power(t, true),
	    sim_guest_running(t->w->sim, db) ? NULL : mem_strdup("power of db-01"));
}

/* --- update --- */

static const struct judge_key update_keys[] = {{"description", NULL}, {"tags", NULL},
    {"cores", NULL}, {"cpulimit", NULL}, {"net0", "tag="}, {"digest", NULL}, {0}};

static char *update_wrong(struct trial *t)
{
	char *why = expect_power(t, true);

	why = first_of(why, expect(t, "cores", "4"));
	why = first_of(why, expect(t, "cpulimit", "2"));
	why = first_of(why, expect(t, "net0", "tag=100"));
	why = first_of(why, expect(t, "net1", "bridge=vmbr1"));
	return first_of(why, expect(t, "description", "Front end"));
}

static char *ceiling_wrong(struct trial *t)
{
	return expect(t, "description", "Front end");
}

/* --- delete list --- */

static const struct judge_key delete_keys[] = {
    {"net1", NULL}, {"tags", NULL}, {"digest", NULL}, {"description", NULL}, {0}};

static char *delete_wrong(struct trial *t)
{
	return expect(t, "net1", NULL);
}

static void net1_comes_back(struct trial *t)
{
	_cleanup_err_ struct err *e = NULL;
	_cleanup_kv_ struct kv set = {0};

	kv_set(&set, "net1", "virtio,bridge=vmbr1");
	if (sim_human_edit(
		t->w->sim, world_find(t->w, SWEEP_NAME, NULL), "ops@pam", &set, NULL, &e) < 0)
		world_violation(t->w, "scene: %s", err_msg(e));
}

/* --- disks --- */

static const struct judge_key resize_keys[] = {
    {"scsi0", "size="}, {"tags", NULL}, {"digest", NULL}, {"description", NULL}, {0}};

static char *resize_wrong(struct trial *t)
{
	return expect(t, "scsi0", "size=25G");
}

/* unused0: for a moment the old volume stands there. */
static const struct judge_key move_keys[] = {{"scsi0", "@,ssd=,format="}, {"unused0", NULL},
    {"tags", NULL}, {"lock", NULL}, {"digest", NULL}, {"description", NULL}, {0}};

static char *move_wrong(struct trial *t)
{
	int64_t vmid = world_find(t->w, SWEEP_NAME, NULL);
	char *why = expect(t, "scsi0", "fast:");

	why = first_of(why, expect(t, "scsi0", "ssd=1"));
	why = first_of(why, expect(t, "scsi0", "discard=on"));
	size_t more = sim_volumes_of(t->w->sim, vmid) - 1;
	bool told = more == 0 || (trial_may_leave(t) && trial_tells_left(t, vmid) == more);
	return first_of(why, told ? NULL : mem_strdup("volumes that nobody tells of"));
}

static const struct judge_key disk_keys[] = {{"scsi1", NULL}, {"unused0", NULL}, {"tags", NULL},
    {"digest", NULL}, {"description", NULL}, {0}};

static char *disk_wrong(struct trial *t)
{
	int64_t vmid = world_find(t->w, SWEEP_NAME, NULL);
	char *why = expect(t, "scsi1", "size=5G");

	return first_of(why, sim_volumes_of(t->w->sim, vmid) == 2 ? NULL : mem_strdup("volumes"));
}

static void somebody_detaches(struct trial *t)
{
	_cleanup_err_ struct err *e = NULL;

	if (sim_human_edit(
		t->w->sim, world_find(t->w, SWEEP_NAME, NULL), "ops@pam", NULL, "scsi1", &e) < 0)
		world_violation(t->w, "scene: %s", err_msg(e));
}

/* --- adopt --- */

static void adopt_merge(struct trial *t)
{
	const char *smbios = sim_guest_get(t->w->sim, 1050, "smbios1");
	const char *uuid = smbios ? strstr(smbios, "uuid=") : NULL;
	_cleanup_kv_ struct kv files = {0};

	if (!uuid) {
		world_violation(t->w, "scene: VM 1050 has no UUID");
		return;
	}
	kv_setf(&files, "vms/all.yaml",
	    "apiVersion: ramet.dev/v1\nkind: ClonedVM\n"
	    "metadata: { name: web-01, annotations: { ramet.dev/adopt: \"%.36s\" } }\n"
	    "spec: { id: 1050, node_name: pve2, clone: { source_vm_id: 9000 }, cpu: { limit: 2 } "
	    "}\n",
	    uuid + strlen("uuid="));
	judge_allow_adopt(&t->judge, 1050, SWEEP_NAME);
	memgit_commit(t->w->git, &files, "adopt");
}

static const struct judge_key adopt_keys[] = {
    {"cpulimit", NULL}, {"tags", NULL}, {"digest", NULL}, {"description", NULL}, {0}};

static char *adopt_wrong(struct trial *t)
{
	return world_find(t->w, SWEEP_NAME, NULL) == 1050 ? expect(t, "cpulimit", "2")
							  : mem_strdup("another VM");
}

/* --- where it lives, whether it runs --- */

static void goes_away(struct trial *t)
{
	_cleanup_err_ struct err *e = NULL;

	if (sim_human_migrate(t->w->sim, world_find(t->w, SWEEP_NAME, NULL), "pve3", &e) < 0)
		world_violation(t->w, "scene: %s", err_msg(e));
}

static const struct judge_key few_keys[] = {
    {"tags", NULL}, {"digest", NULL}, {"description", NULL}, {"lock", NULL}, {0}};

static char *migrate_wrong(struct trial *t)
{
	int64_t vmid = world_find(t->w, SWEEP_NAME, NULL);

	return text_eq(sim_guest_node(t->w->sim, vmid), "pve1") ? NULL : mem_strdup("node");
}

static char *follow_wrong(struct trial *t)
{
	return expect(t, "cores", "4");
}

static char *stop_wrong(struct trial *t)
{
	return expect_power(t, false);
}

/* How often it went down because it was to be restarted. */
static size_t restarts(struct trial *t)
{
	size_t n = 0;

	for (size_t i = 0; i < sim_journal_len(t->w->sim); i++) {
		struct sim_entry e;

		sim_journal_at(t->w->sim, i, &e);
		n += strcmp(e.effect, "stop") == 0 && text_ends(e.path, "/status/reboot");
	}
	return n;
}

/* Once, whatever became of the answer; who has forgotten all may not know of it. */
static char *reboot_wrong(struct trial *t)
{
	int64_t vmid = world_find(t->w, SWEEP_NAME, NULL);

	if (restarts(t) > 1 && !(t->fault >= FAULT_LOST && t->fault <= FAULT_LOST_ALL))
		return mem_printf("restarted %zu times", restarts(t));
	return first_of(expect_power(t, true), text_eq(sim_guest_get(t->w->sim, vmid, "cores"), "4")
						   ? NULL
						   : mem_strdup("cores in force"));
}

/* The guest makes of its volumes base volumes. */
static const struct judge_key template_keys[] = {{"template", NULL}, {"scsi0", "@"}, {"tags", NULL},
    {"digest", NULL}, {"description", NULL}, {0}};

static char *template_wrong(struct trial *t)
{
	return first_of(expect(t, "template", "1"), expect(t, "scsi0", "base-"));
}

static const struct judge_key pool_keys[] = {
    {"pool", NULL}, {"tags", NULL}, {"digest", NULL}, {"description", NULL}, {0}};

static char *pool_wrong(struct trial *t)
{
	int64_t vmid = world_find(t->w, SWEEP_NAME, NULL);

	return text_eq(sim_guest_pool(t->w->sim, vmid), "lab") ? NULL : mem_strdup("pool");
}

/* --- people --- */

static void somebody_edits(struct trial *t)
{
	_cleanup_err_ struct err *e = NULL;
	_cleanup_kv_ struct kv set = {0};

	kv_set(&set, "cores", "7");
	kv_set(&set, "cpulimit", "1");
	if (sim_human_edit(
		t->w->sim, world_find(t->w, SWEEP_NAME, NULL), "ops@pam", &set, NULL, &e) < 0)
		world_violation(t->w, "scene: %s", err_msg(e));
}

static const struct judge_key drift_keys[] = {{"cores", NULL}, {"cpulimit", NULL}, {"tags", NULL},
    {"digest", NULL}, {"description", NULL}, {0}};

static char *drift_wrong(struct trial *t)
{
	return first_of(expect(t, "cores", "2"), expect(t, "cpulimit", "2"));
}

static void somebody_deletes(struct trial *t)
{
	_cleanup_err_ struct err *e = NULL;

	if (sim_human_delete(t->w->sim, world_find(t->w, SWEEP_NAME, NULL), "ops@pam", &e) < 0)
		world_violation(t->w, "scene: %s", err_msg(e));
}

static char *right(struct trial *t)
{
	(void)t;
	return NULL;
}

#define DB HEAD("db-01") LINKED
#define PRUNE "policy: { vmid_range: 1000-1099, prune: true }\n"

static char *gone_wrong(struct trial *t)
{
	bool free = t->unconfirmed || sim_volumes_of(t->w->sim, t->number) == 0;

	/* Of what could not be freed is judged at the end whether it is told. */
	return free || t->fault == FAULT_STUCK ? NULL : mem_strdup("volumes");
}

static const struct scene scenes[] = {
    {.name = "create",
	.creates = true,
	.after = create_yaml,
	.keys = create_keys,
	.vms = SWEEP_NAME,
	.wrong = create_wrong},
    {.name = "pair",
	.creates = true,
	.after = pair_yaml,
	.keys = few_keys,
	.vms = SWEEP_NAME ",db-01",
	.wrong = pair_wrong},
    {.name = "update",
	.before = BASE ON,
	.after = BASE ON "  description: Front end\n  tags: [web]\n  cpu: { cores: 4, limit: 2 }\n"
			 "  network: { net0: { tag: 100 } }\n",
	.keys = update_keys,
	.vms = SWEEP_NAME,
	.reason = "PendingReboot",
	.wrong = update_wrong},
    {.name = "ceiling",
	.before = BASE ON "  max_disruption: none\n",
	.after = BASE ON "  max_disruption: none\n  description: Front end\n"
			 "  network: { net0: { tag: 100 } }\n",
	.keys = few_keys,
	.vms = SWEEP_NAME,
	.reason = "DisruptionNotAllowed",
	.wrong = ceiling_wrong},
    {.name = "delete",
	.before = BASE,
	.after = BASE "  delete: { network: [net1] }\n",
	.keys = delete_keys,
	.vms = SWEEP_NAME,
	.wrong = delete_wrong},
    {.name = "delete-again",
	.before = BASE "  delete: { network: [net1] }\n",
	.happens = net1_comes_back,
	.keys = delete_keys,
	.vms = SWEEP_NAME,
	.wrong = delete_wrong},
    {.name = "resize",
	.before = BASE ON,
	.after = BASE ON "  disk: { scsi0: { size_gb: 25 } }\n",
	.keys = resize_keys,
	.vms = SWEEP_NAME,
	.wrong = resize_wrong},
    {.name = "move",
	.before = HEAD("web-01") "  clone: { source_vm_id: 9000 }\n" ON,
	.moves = true,
	.after = HEAD("web-01") "  clone: { source_vm_id: 9000 }\n" ON
				"  disk: { scsi0: { datastore_id: fast, ssd: true } }\n",
	.keys = move_keys,
	.vms = SWEEP_NAME,
	.wrong = move_wrong},
    {.name = "disk",
	.before = BASE ON,
	.after = BASE ON "  disk: { scsi1: { datastore_id: fast, size_gb: 5 } }\n",
	.makes = "scsi1",
	.keys = disk_keys,
	.vms = SWEEP_NAME,
	.wrong = disk_wrong},
    {.name = "detached",
	.before = BASE "  disk: { scsi1: { datastore_id: fast, size_gb: 5 } }\n",
	.happens = somebody_detaches,
	.makes = "scsi1",
	.keys = disk_keys,
	.vms = SWEEP_NAME,
	.wrong = disk_wrong},
    {.name = "adopt",
	.happens = adopt_merge,
	.keys = adopt_keys,
	.vms = SWEEP_NAME,
	.wrong = adopt_wrong},
    {.name = "migrate",
	.before = BASE ON "  placement: pin\n",
	.happens = goes_away,
	.keys = few_keys,
	.vms = SWEEP_NAME,
	.wrong = migrate_wrong},
    {.name = "follow",
	.before = BASE ON,
	.after = BASE ON "  cpu: { cores: 4 }\n",
	.happens = goes_away,
	.keys = update_keys,
	.vms = SWEEP_NAME,
	.wrong = follow_wrong},
    {.name = "stop",
	.before = BASE ON,
	.after = BASE "  started: false\n",
	.keys = few_keys,
	.vms = SWEEP_NAME,
	.stops = true,
	.wrong = stop_wrong},
    {.name = "reboot",
	.before = BASE ON "  max_disruption: reboot\n",
	.after = BASE ON "  max_disruption: reboot\n  cpu: { cores: 4 }\n",
	.keys = update_keys,
	.vms = SWEEP_NAME,
	.stops = true,
	.wrong = reboot_wrong},
    {.name = "template",
	.before = BASE,
	.after = BASE "  template: true\n",
	.keys = template_keys,
	.vms = SWEEP_NAME,
	.wrong = template_wrong},
    {.name = "pool",
	.before =
	    HEAD("web-01") "  clone: { source_vm_id: 9000, full: false, pool_id: production }\n",
	.after = HEAD("web-01") "  clone: { source_vm_id: 9000, full: false, pool_id: lab }\n",
	.keys = pool_keys,
	.vms = SWEEP_NAME,
	.wrong = pool_wrong},
    {.name = "drift",
	.before = BASE "  cpu: { cores: 2, limit: 2 }\n",
	.happens = somebody_edits,
	.keys = drift_keys,
	.vms = SWEEP_NAME,
	.wrong = drift_wrong},
    {.name = "absent",
	.before = BASE ON,
	.after = BASE "  state: absent\n",
	.keys = few_keys,
	.vms = "",
	.gone = true,
	.forgotten = "OwnershipUnconfirmed",
	.stops = true,
	.destroys = true,
	.wrong = gone_wrong},
    {.name = "prune",
	.before = BASE "---\n" DB,
	.after = DB,
	.policy = PRUNE,
	.keys = few_keys,
	.vms = "db-01",
	.gone = true,
	.forgotten = "ManifestGone",
	.destroys = true,
	.wrong = gone_wrong},
    {.name = "budget",
	.before = BASE "---\n" DB,
	.after = BASE "  state: absent\n---\n" DB "  state: absent\n",
	.keys = few_keys,
	.vms = SWEEP_NAME ",db-01",
	.reason = "DestroyBudget",
	.forgotten = "OwnershipUnconfirmed",
	.wrong = right},
    {.name = "unread",
	.before = BASE "---\n" DB,
	.after = DB "  cpus: 3\n",
	.policy = PRUNE,
	.keys = few_keys,
	.vms = SWEEP_NAME,
	.reason = "ManifestsUnreadable",
	.forgotten = "ManifestGone",
	.wrong = right},
    {.name = "recreate",
	.creates = true,
	.before = BASE "  on_missing: recreate\n",
	.happens = somebody_deletes,
	.keys = few_keys,
	.vms = SWEEP_NAME,
	.wrong = right},
};

size_t scene_count(void)
{
	return ARRAY_LEN(scenes) + n_scenes_kept;
}

const struct scene *scene_get(size_t i)
{
	return i < ARRAY_LEN(scenes) ? &scenes[i] : &scenes_kept[i - ARRAY_LEN(scenes)];
}
