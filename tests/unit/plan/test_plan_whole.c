/* Whose VM it is, creation, actions, and what a plan comes to. */
#include "support.h"

static void set_description(struct scene *s, const char *text)
{
	scene_both(s, "description", text);
}

static void whose(void **state)
{
	static const struct {
		const char *description, *uuid;
		enum plan_verdict verdict;
		enum reason reason;
	} cases[] = {
	    {MARKER, UUID, PLAN_ACT, REASON_UPDATING},
	    {"Front\n" MARKER, "5A1C7C9E-0000-4000-8000-000000001204", PLAN_ACT, REASON_UPDATING},
	    {NULL, UUID, PLAN_OFF, REASON_RELEASED},
	    {"ramet: homelab/web-01 vmid=1204", UUID, PLAN_OFF, REASON_RELEASED},
	    {NULL, "5a1c7c9e-0000-4000-8000-0000000000ff", PLAN_STALLED, REASON_FOREIGN_VM},
	    {MARKER, "5a1c7c9e-0000-4000-8000-0000000000ff", PLAN_STALLED, REASON_FOREIGN_VM},
	    {"ramet: homelab/web-01 vmid=1300 " NONCE, UUID, PLAN_STALLED, REASON_COPIED_MARKER},
	    {"ramet: homelab/db-01 vmid=1204 " NONCE, UUID, PLAN_STALLED, REASON_FOREIGN_VM},
	    {"ramet: other/web-01 vmid=1204 " NONCE, UUID, PLAN_STALLED, REASON_FOREIGN_VM},
	    {MARKER "\nramet: other/web-01 vmid=1204 " NONCE, UUID, PLAN_STALLED,
		REASON_COPIED_MARKER},
	};
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct scene s;
		scene_open(&s, "cpu.cores = 4\n");
		set_description(&s, cases[i].description);
		mem_replace(&s.guest.uuid, cases[i].uuid);
		const struct plan *p = scene_plan(&s);
		expect_verdict(p, cases[i].verdict, cases[i].reason);
		assert_int_equal(p->n_steps, cases[i].verdict == PLAN_ACT ? 1 : 0);
		scene_close(&s);
	}
}

static void rebuilt_record(void **state)
{
	struct scene s;
	(void)state;
	scene_open(&s, "cpu.cores = 2\n");
	free(s.record.uuid);
	s.record.uuid = NULL;
	s.record.proven = false;
	const struct plan *p = scene_plan(&s);
	expect_verdict(p, PLAN_IN_SYNC, REASON_UNPROVEN);
	assert_string_equal(p->learned.uuid, UUID);
	assert_string_equal(p->learned.nonce, NONCE);
	/* with the nonce known, another one is a stranger */
	mem_replace(&s.record.nonce, "ffffffffffffffff");
	expect_verdict(scene_plan(&s), PLAN_STALLED, REASON_FOREIGN_VM);
	scene_close(&s);
}

static void renamed(void **state)
{
	struct scene s;
	(void)state;
	scene_open(&s, "cpu.cores = 2\n");
	set_description(&s, "Front\n\nramet: homelab/old-01 vmid=1204 " NONCE);
	s.want->renamed_from = mem_strdup("old-01");
	const struct plan *p = scene_plan(&s);
	expect_verdict(p, PLAN_ACT, REASON_UPDATING);
	expect_set(find_step(p, STEP_CONFIG), "description", "Front\n\n" MARKER);
	scene_close(&s);
}

static void adopted(void **state)
{
	struct scene s;
	(void)state;
	scene_open(&s, "id = 1204\ncpu.cores = 4\n");
	set_description(&s, "By hand");
	scene_both(&s, "tags", "golden");
	s.want->adopt = mem_strdup("5A1C7C9E-0000-4000-8000-000000001204");
	s.in.record = NULL;
	s.in.nonce = NONCE;
	const struct plan *p = scene_plan(&s);
	expect_verdict(p, PLAN_ACT, REASON_UPDATING);
	const struct step *st = find_step(p, STEP_CONFIG);
	expect_set(st, "description", "By hand\n\n" MARKER);
	expect_set(st, "tags", "golden;ramet");
	expect_set(st, "cores", "4");
	/* the annotation must name this very VM */
	mem_replace(&s.want->adopt, "5a1c7c9e-0000-4000-8000-0000000000ff");
	expect_verdict(scene_plan(&s), PLAN_STALLED, REASON_FOREIGN_VM);
	scene_close(&s);
}

static void own_tag_is_put_on_once(void **state)
{
	struct scene s;
	(void)state;
	scene_open(&s, "cpu.cores = 2\n");
	scene_both(&s, "tags", "golden");
	s.record.synced_hash[0] = '\0';
	expect_set(find_step(scene_plan(&s), STEP_CONFIG), "tags", "golden;ramet");
	scene_synced(&s);
	expect_verdict(scene_plan(&s), PLAN_IN_SYNC, REASON_IN_SYNC);
	/* cluster.tag may be empty: then there is none to put on. */
	s.record.synced_hash[0] = '\0';
	s.policy.env.tag = "";
	expect_verdict(scene_plan(&s), PLAN_IN_SYNC, REASON_IN_SYNC);
	scene_close(&s);
}

static void suspended(void **state)
{
	struct scene s;
	(void)state;
	scene_open(&s, "cpu.cores = 4\nsuspend.reason = by hand\n"
		       "suspend.until = 2026-12-01T08:00:00Z\n");
	s.in.wall_ms = INT64_C(1796112000000) - 1000; /* 2026-12-01T08:00:00Z less a second */
	const struct plan *p = scene_plan(&s);
	expect_verdict(p, PLAN_OFF, REASON_SUSPEND_SPEC);
	assert_int_equal(p->n_steps, 0);
	assert_int_equal(find_change(p, "cpu.cores")->state, CHANGE_REPORT);
	assert_string_equal(p->learned.synced_hash, "older");
	s.in.wall_ms += 1000;
	expect_verdict(scene_plan(&s), PLAN_ACT, REASON_UPDATING);
	/* the same moment elsewhere */
	struct leaf *until =
	    (struct leaf *)(uintptr_t)resource_find(s.want, ATTR_suspend_until, NULL);
	value_set_str(&until->value, "2026-12-01T10:30:00.5+02:30");
	expect_verdict(scene_plan(&s), PLAN_ACT, REASON_UPDATING);
	s.in.wall_ms -= 1000;
	expect_verdict(scene_plan(&s), PLAN_OFF, REASON_SUSPEND_SPEC);
	s.in.wall_ms += 1000;
	scene_both(&s, "tags", "golden;Ramet-Suspend;ramet");
	p = scene_plan(&s);
	expect_verdict(p, PLAN_OFF, REASON_SUSPEND_TAG);
	assert_int_equal(p->n_steps, 0);
	scene_close(&s);
}

static void missing(void **state)
{
	struct scene s;
	(void)state;
	scene_open(&s, "cpu.cores = 2\n");
	s.in.guest = NULL;
	expect_verdict(scene_plan(&s), PLAN_WAIT, REASON_READING);
	s.in.guest_gone = true;
	expect_verdict(scene_plan(&s), PLAN_STALLED, REASON_MISSING);
	s.policy.recreate_missing = true;
	const struct plan *p = scene_plan(&s);
	expect_verdict(p, PLAN_ACT, REASON_CREATING);
	assert_true(p->create);
	assert_null(p->learned.uuid);
	scene_close(&s);
}

static void absent_is_destroyed(void **state)
{
	struct scene s;
	(void)state;
	scene_open(&s, "cpu.cores = 4\nstate = absent\n");
	const struct plan *p = scene_plan(&s);
	expect_verdict(p, PLAN_ACT, REASON_DESTROYING);
	assert_int_equal(p->n_steps, 2);
	assert_int_equal(p->steps[0].kind, STEP_SHUTDOWN);
	assert_int_equal(p->steps[1].kind, STEP_DESTROY);
	assert_true(p->steps[0].parting && p->steps[0].allocates);
	assert_true(p->steps[1].purge);
	assert_false(p->steps[1].unreferenced);
	s.in.guest = NULL;
	s.in.guest_gone = true;
	expect_verdict(scene_plan(&s), PLAN_IN_SYNC, REASON_IN_SYNC);
	s.in.want = NULL;
	expect_verdict(scene_plan(&s), PLAN_OFF, REASON_ORPHANED);
	s.in.want = s.want;
	scene_close(&s);
}

static void waiting(void **state)
{
	struct scene s;
	(void)state;
	scene_open(&s, "cpu.cores = 4\n");
	s.guest.lock = mem_strdup("backup");
	const struct plan *p = scene_plan(&s);
	expect_verdict(p, PLAN_WAIT, REASON_LOCKED);
	assert_non_null(strstr(p->message, "backup"));
	assert_int_equal(p->n_steps, 1); /* shown, not done */
	free(s.guest.lock);
	s.guest.lock = NULL;
	s.cluster.nodes[0].online = false;
	expect_verdict(scene_plan(&s), PLAN_WAIT, REASON_NODE_OFFLINE);
	s.cluster.nodes[0].online = true;
	s.policy.observe_only = true;
	expect_verdict(scene_plan(&s), PLAN_WAIT, REASON_OBSERVE_ONLY);
	scene_close(&s);
}

static void create(void **state)
{
	struct scene s;
	(void)state;
	scene_create(&s, "id = 1204\ncpu.cores = 4\nmemory.size = 2048\nnetwork.net0.tag = 7\n"
			 "disk.scsi0.size_gb = 60\nstarted = true\ntags = [web]\n"
			 "description = Front\n");
	const struct plan *p = scene_plan(&s);
	expect_verdict(p, PLAN_ACT, REASON_CREATING);
	assert_true(p->create);
	assert_int_equal(p->n_steps, 4);
	assert_int_equal(p->steps[0].kind, STEP_CLONE);
	assert_true(p->steps[0].allocates);
	assert_string_equal(p->steps[0].text, "clone 9000 (debian-12) to pve1 as 1204");
	assert_int_equal(p->steps[1].kind, STEP_RESIZE);
	assert_int_equal(p->steps[2].kind, STEP_CONFIG);
	assert_int_equal(p->steps[3].kind, STEP_START);
	expect_set(&p->steps[2], "cores", "4");
	expect_set(&p->steps[2], "tags", "ramet;web");
	expect_set(&p->steps[2], "net0", "virtio,bridge=vmbr0,firewall=1,tag=7");
	/* name and description go with the clone itself */
	assert_int_equal(p->steps[2].set.n, 3);
	assert_int_equal(find_change(p, "disk.scsi0.size_gb")->step, 1);
	scene_close(&s);
}

static void create_is_refused_before_cloning(void **state)
{
	static const struct {
		const char *lines, *path;
		enum reason reason;
		enum plan_verdict verdict;
	} cases[] = {
	    {"cpu.affinity = 0-3\n", "cpu.affinity", REASON_ROOT_ONLY, PLAN_STALLED},
	    {"disk.scsi0.size_gb = 10\n", "disk.scsi0.size_gb", REASON_DISK_SHRINK, PLAN_STALLED},
	    {"network.net1.tag = 5\n", "network.net1", REASON_DEVICE_INCOMPLETE, PLAN_STALLED},
	    {"disk.scsi1.size_gb = 5\n", "disk.scsi1", REASON_DISK_INCOMPLETE, PLAN_STALLED},
	    {"id = 500\n", "id", REASON_POLICY, PLAN_STALLED},
	    {"id = 1500\n", "id", REASON_VMID_TAKEN, PLAN_STALLED},
	    {"clone.target_datastore = secret\n", "clone.target_datastore", REASON_POLICY,
		PLAN_STALLED},
	    {"clone.pool_id = prod\n", "clone.pool_id", REASON_POLICY, PLAN_STALLED},
	    {"network.net0.bridge = vmbr7\n", "network.net0.bridge", REASON_POLICY, PLAN_STALLED},
	    {"disk.scsi1.datastore_id = secret\ndisk.scsi1.size_gb = 3\n", "disk.scsi1",
		REASON_POLICY, PLAN_STALLED},
	    {"cdrom.scsi0.file_id = none\n", "cdrom.scsi0", REASON_SLOT_TAKEN, PLAN_STALLED},
	};
	_cleanup_strs_ struct strs pools = {0}, stores = {0}, bridges = {0};
	(void)state;
	strs_add(&pools, "dev");
	strs_add(&stores, "local-lvm");
	strs_add(&bridges, "vmbr0");
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct scene s;
		scene_create(&s, cases[i].lines);
		s.policy.vmid_min = 1000;
		s.policy.vmid_max = 1999;
		s.policy.pools = &pools;
		s.policy.datastores = &stores;
		s.policy.bridges = &bridges;
		s.cluster.rows = mem_calloc(1, sizeof(*s.cluster.rows));
		s.cluster.rows[0] = (struct obs_row){.vmid = 1500, .qemu = true};
		s.cluster.n_rows = 1;
		const struct plan *p = scene_plan(&s);
		expect_verdict(p, cases[i].verdict, cases[i].reason);
		expect_blocked(p, cases[i].path, cases[i].reason);
		assert_int_equal(p->n_steps, 0);
		scene_close(&s);
	}
}

static void create_looks_at_the_source(void **state)
{
	struct scene s;
	(void)state;
	scene_create(&s, "clone.full = false\n");
	expect_verdict(scene_plan(&s), PLAN_ACT, REASON_CREATING);
	kv_set(&s.source.current, "scsi1", "thick:vm-9000-disk-1,size=1G");
	expect_blocked(scene_plan(&s), "clone.full", REASON_LINKED_CLONE);
	kv_del(&s.source.current, "scsi1");
	s.source.template = false;
	expect_blocked(scene_plan(&s), "clone.full", REASON_LINKED_CLONE);
	s.source.template = true;
	s.source.lock = mem_strdup("backup");
	expect_verdict(scene_plan(&s), PLAN_WAIT, REASON_SOURCE_LOCKED);
	s.in.source = NULL;
	expect_verdict(scene_plan(&s), PLAN_WAIT, REASON_READING);
	s.in.source_gone = true;
	expect_verdict(scene_plan(&s), PLAN_STALLED, REASON_SOURCE_MISSING);
	scene_close(&s);

	/* to another node only from shared storage */
	scene_create(&s, "");
	mem_replace(&s.source.node, "pve2");
	expect_blocked(scene_plan(&s), "node_name", REASON_SOURCE_UNSUITABLE);
	kv_set(&s.source.current, "scsi0", "ceph:base-9000-disk-0,size=32G");
	expect_verdict(scene_plan(&s), PLAN_ACT, REASON_CREATING);
	/* an inherited protection flag and a delete list */
	scene_close(&s);
	scene_create(&s, "delete.disk = [scsi0]\n");
	kv_set(&s.source.current, "protection", "1");
	expect_verdict(scene_plan(&s), PLAN_STALLED, REASON_PROTECTED);
	scene_close(&s);
}

static void create_needs_room_for_the_marker(void **state)
{
	struct scene s;
	char *text = mem_alloc(8200);
	(void)state;
	memset(text, 'x', 8150);
	scene_create(&s, "");
	kv_set(&s.source.current, "description", text);
	expect_verdict(scene_plan(&s), PLAN_STALLED, REASON_DESCRIPTION_TOO_LONG);
	free(text);
	scene_close(&s);
}

static void clone_storage_is_foretold(void **state)
{
	struct scene s;
	(void)state;
	scene_create(&s, "clone.target_datastore = ceph\ndisk.scsi0.datastore_id = ceph\n");
	const struct plan *p = scene_plan(&s);
	expect_verdict(p, PLAN_ACT, REASON_CREATING);
	assert_null(find_step(p, STEP_MOVE));
	scene_close(&s);
	scene_create(&s, "clone.target_format = qcow2\n");
	expect_blocked(scene_plan(&s), "clone.target_format", REASON_FORMAT_UNSUPPORTED);
	kv_set(&s.source.current, "scsi0", "local:9000/base-9000-disk-0.raw,size=32G");
	expect_verdict(scene_plan(&s), PLAN_ACT, REASON_CREATING);
	scene_close(&s);
	scene_create(&s, "disk.scsi0.datastore_id = ceph\n");
	assert_non_null(find_step(scene_plan(&s), STEP_MOVE));
	scene_close(&s);
}

static void create_waits_for_quorum(void **state)
{
	struct scene s;
	(void)state;
	scene_create(&s, "");
	s.cluster.quorate_for_ms = 1000;
	expect_verdict(scene_plan(&s), PLAN_WAIT, REASON_QUORUM_YOUNG);
	s.cluster.quorate_for_ms = 60000;
	s.cluster.complete = false;
	expect_verdict(scene_plan(&s), PLAN_WAIT, REASON_CLUSTER_UNREACHABLE);
	scene_close(&s);
}

static void power(void **state)
{
	struct scene s;
	(void)state;
	scene_open(&s, "started = true\ncpu.cores = 4\n");
	scene_stopped(&s);
	const struct plan *p = scene_plan(&s);
	assert_int_equal(p->n_steps, 2);
	assert_int_equal(p->steps[0].kind, STEP_CONFIG);
	assert_int_equal(p->steps[1].kind, STEP_START);
	s.guest.ha_managed = true;
	expect_blocked(scene_plan(&s), "started", REASON_HA_MANAGED);
	s.guest.ha_managed = false;
	s.guest.power = OBS_POWER_PAUSED;
	p = scene_plan(&s);
	expect_blocked(p, "started", REASON_PAUSED);
	assert_non_null(find_step(p, STEP_CONFIG));
	scene_close(&s);

	scene_open(&s, "started = false\nmax_disruption = none\n");
	p = scene_plan(&s);
	assert_int_equal(p->n_steps, 1);
	assert_int_equal(p->steps[0].kind, STEP_SHUTDOWN);
	scene_stopped(&s);
	expect_verdict(scene_plan(&s), PLAN_IN_SYNC, REASON_IN_SYNC);
	scene_close(&s);
}

static void never_started_half_configured(void **state)
{
	struct scene s;
	(void)state;
	scene_open(&s, "started = true\ncpu.affinity = 0-3\ncpu.cores = 4\n");
	scene_stopped(&s);
	s.record.synced_hash[0] = '\0';
	const struct plan *p = scene_plan(&s);
	assert_null(find_step(p, STEP_START));
	expect_blocked(p, "started", REASON_ROOT_ONLY);
	assert_non_null(find_step(p, STEP_CONFIG));
	/* one that ran before is started all the same */
	snprintf(s.record.synced_hash, sizeof(s.record.synced_hash), "older");
	assert_non_null(find_step(scene_plan(&s), STEP_START));
	scene_close(&s);
}

static void templates(void **state)
{
	struct scene s;
	(void)state;
	scene_open(&s, "template = true\ncpu.cores = 4\n");
	const struct plan *p = scene_plan(&s);
	assert_int_equal(p->n_steps, 3);
	assert_int_equal(p->steps[0].kind, STEP_CONFIG);
	assert_int_equal(p->steps[1].kind, STEP_SHUTDOWN);
	assert_int_equal(p->steps[2].kind, STEP_TEMPLATE);
	scene_close(&s);
	scene_open(&s, "template = false\n");
	s.guest.template = true;
	scene_stopped(&s);
	expect_verdict(scene_plan(&s), PLAN_STALLED, REASON_NOT_SUPPORTED);
	scene_close(&s);
}

static void pools_nodes_and_history(void **state)
{
	struct scene s;
	(void)state;
	scene_open(&s, "clone.pool_id = prod\n");
	const struct plan *p = scene_plan(&s);
	assert_int_equal(p->steps[0].kind, STEP_POOL);
	assert_string_equal(p->steps[0].pool, "prod");
	s.guest.pool_known = false;
	expect_verdict(scene_plan(&s), PLAN_IN_SYNC, REASON_IN_SYNC);
	scene_close(&s);

	scene_open(&s, "placement = pin\n");
	mem_replace(&s.guest.node, "pve2");
	expect_blocked(scene_plan(&s), "node_name", REASON_NOT_SUPPORTED);
	scene_both(&s, "scsi0", "ceph:vm-1204-disk-0,size=32G");
	p = scene_plan(&s);
	assert_int_equal(p->n_steps, 1);
	assert_int_equal(p->steps[0].kind, STEP_MIGRATE);
	assert_string_equal(p->steps[0].node, "pve1");
	assert_int_equal(p->steps[0].disruption, PLAN_HOTPLUG);
	scene_both(&s, "ide2", "local:iso/a.iso,media=cdrom");
	expect_blocked(scene_plan(&s), "node_name", REASON_NOT_SUPPORTED);
	scene_both(&s, "ide2", "none,media=cdrom");
	s.policy.max_disruption = PLAN_NONE;
	expect_blocked(scene_plan(&s), "node_name", REASON_DISRUPTION);
	s.cluster.nodes[0].online = false;
	expect_blocked(scene_plan(&s), "node_name", REASON_NODE_OFFLINE);
	s.guest.ha_managed = true;
	expect_blocked(scene_plan(&s), "node_name", REASON_HA_MANAGED);
	scene_close(&s);
	scene_open(&s, "");
	mem_replace(&s.guest.node, "pve2");
	expect_verdict(scene_plan(&s), PLAN_IN_SYNC, REASON_IN_SYNC);

	s.record.source_vmid = 9001;
	p = scene_plan(&s);
	expect_verdict(p, PLAN_IN_SYNC, REASON_CLONE_SOURCE_CHANGED);
	assert_int_equal(find_change(p, "clone.source_vm_id")->state, CHANGE_REPORT);
	assert_int_equal(p->n_steps, 0);
	scene_close(&s);
}

static void the_guard_sees_what_is_not_listed(void **state)
{
	struct scene s;
	(void)state;
	scene_open(&s, "network.net0.tag = 7\ncpu.type = host\n");
	scene_stopped(&s);
	scene_plan(&s);
	struct step *st = &s.plan.steps[0];
	_cleanup_str_ char *ok = plan_check_steps(&s.plan, &s.in);
	assert_null(ok);
	static const struct {
		const char *key, *value;
	} bad[] = {
	    {"cores", "4"},
	    {"net0", "virtio=" MAC0 ",bridge=vmbr0,tag=7"},
	    {"net0", "virtio,bridge=vmbr0,firewall=1,tag=7"},
	    {"net0", "virtio=BC:24:11:00:00:02,bridge=vmbr0,firewall=1,tag=7"},
	    {"net0", "virtio=" MAC0 ",bridge=vmbr1,firewall=1,tag=7"},
	    {"cpu", "host"},
	    {"scsi0", "local-lvm:vm-1204-disk-0,size=32G"},
	    {"tags", "ramet"},
	    {"tags", "golden;ramet;web"},
	    {"description", "Mine\n\n" MARKER},
	};
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		_cleanup_kv_ struct kv kept = {0};
		kv_copy(&kept, &st->set);
		kv_set(&st->set, bad[i].key, bad[i].value);
		_cleanup_str_ char *wrong = plan_check_steps(&s.plan, &s.in);
		if (!wrong)
			fail_msg("%s=%s was let through", bad[i].key, bad[i].value);
		kv_fini(&st->set);
		kv_copy(&st->set, &kept);
	}
	strs_add(&st->del, "scsi0");
	_cleanup_str_ char *del = plan_check_steps(&s.plan, &s.in);
	assert_non_null(del);
	st->kind = STEP_RESIZE;
	st->slot = mem_strdup("scsi0");
	_cleanup_str_ char *size = plan_check_steps(&s.plan, &s.in);
	assert_non_null(size);
	scene_close(&s);
}

static void what_differs_is_not_in_sync(void **state)
{
	struct scene s;
	(void)state;
	scene_open(&s, "cpu.type = host\n");
	scene_stopped(&s);
	struct plan *p = &s.plan;
	scene_plan(&s);
	assert_int_equal(find_change(p, "cpu.type")->state, CHANGE_DO);
	size_t n = p->n_steps;
	p->n_steps = 0;
	p->verdict = PLAN_IN_SYNC;
	_cleanup_str_ char *wrong = plan_check_steps(p, &s.in);
	assert_string_equal(wrong, "cpu.type differs, and no step would change it");
	p->n_steps = n;
	scene_close(&s);
}

static void reasons_have_unique_words(void **state)
{
	(void)state;
	for (enum reason r = 0; r < REASON__MAX; r++) {
		assert_int_equal(reason_parse(reason_word(r)), r);
		assert_true(*reason_doc(r));
		if (reason_cond(r) == REASON_COND_STALLED)
			assert_true(*reason_next(r));
	}
	assert_int_equal(reason_parse("Nonsense"), REASON__MAX);
}

static void unmet_covers_a_device(void **state)
{
	struct record r = {0};
	(void)state;
	kv_set(&r.unmet, "network.net1", "DeviceIncomplete");
	assert_true(record_is_unmet(&r, "network.net1"));
	assert_true(record_is_unmet(&r, "network.net1.tag"));
	assert_false(record_is_unmet(&r, "network.net11"));
	assert_false(record_is_unmet(&r, "network.net"));
	assert_false(record_is_unmet(NULL, "network.net1"));
	record_fini(&r);
}

/* update_vm_api: a drive for media that is written is appended to the order that is in force. */
static void what_pve_does_to_the_boot_order_is_told(void **state UNUSED)
{
	static const char told[] = "PVE itself puts ide2 behind the boot order";
	struct scene s;

	scene_open(&s, "cdrom.ide2.file_id = none\n");
	assert_non_null(strstr(find_step(scene_plan(&s), STEP_CONFIG)->text, told));
	scene_both(&s, "boot", "order=scsi0;ide2");
	assert_null(strstr(find_step(scene_plan(&s), STEP_CONFIG)->text, told));
	scene_close(&s);
	/* Who lists the order gets that order. */
	scene_open(&s, "cdrom.ide2.file_id = none\nboot_order = [scsi0]\n");
	assert_null(strstr(find_step(scene_plan(&s), STEP_CONFIG)->text, told));
	scene_close(&s);
	/* Without an order PVE looks at all drives anyhow. */
	scene_open(&s, "cdrom.ide2.file_id = none\n");
	scene_both(&s, "boot", NULL);
	assert_null(strstr(find_step(scene_plan(&s), STEP_CONFIG)->text, told));
	scene_close(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(what_pve_does_to_the_boot_order_is_told),
	    cmocka_unit_test(whose),
	    cmocka_unit_test(rebuilt_record),
	    cmocka_unit_test(renamed),
	    cmocka_unit_test(adopted),
	    cmocka_unit_test(own_tag_is_put_on_once),
	    cmocka_unit_test(suspended),
	    cmocka_unit_test(missing),
	    cmocka_unit_test(absent_is_destroyed),
	    cmocka_unit_test(waiting),
	    cmocka_unit_test(create),
	    cmocka_unit_test(create_is_refused_before_cloning),
	    cmocka_unit_test(create_looks_at_the_source),
	    cmocka_unit_test(create_needs_room_for_the_marker),
	    cmocka_unit_test(clone_storage_is_foretold),
	    cmocka_unit_test(create_waits_for_quorum),
	    cmocka_unit_test(power),
	    cmocka_unit_test(never_started_half_configured),
	    cmocka_unit_test(templates),
	    cmocka_unit_test(pools_nodes_and_history),
	    cmocka_unit_test(the_guard_sees_what_is_not_listed),
	    cmocka_unit_test(what_differs_is_not_in_sync),
	    cmocka_unit_test(unmet_covers_a_device),
	    cmocka_unit_test(reasons_have_unique_words),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
