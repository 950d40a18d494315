/* Scalars, parts of property strings, devices and delete lists. */
#include "support.h"

static void in_sync(void **state)
{
	struct scene s;
	(void)state;
	scene_open(&s,
	    "cpu.cores = 2\nmemory.size = 2048\nnetwork.net0.tag = 5\ntags = [golden]\n"
	    "cpu.limit = 0\nnetwork.net0.link_down = false\ncpu.architecture = x86_64\n");
	const struct plan *p = scene_plan(&s);
	expect_verdict(p, PLAN_IN_SYNC, REASON_IN_SYNC);
	assert_int_equal(p->n_changes, 0);
	assert_int_equal(p->n_steps, 0);
	assert_string_equal(p->learned.synced_hash, s.want->hash);
	assert_string_equal(kv_get(&p->learned.macs, "net0"), MAC0);
	scene_close(&s);
}

static void scalar_waits_for_restart(void **state)
{
	struct scene s;
	(void)state;
	scene_open(&s, "cpu.cores = 4\n");
	const struct plan *p = scene_plan(&s);
	expect_verdict(p, PLAN_ACT, REASON_UPDATING);
	assert_int_equal(p->n_steps, 1);
	assert_int_equal(p->steps[0].kind, STEP_CONFIG);
	assert_int_equal(p->steps[0].set.n, 1);
	expect_set(&p->steps[0], "cores", "4");
	assert_true(p->steps[0].task);
	assert_false(p->steps[0].allocates);
	const struct change *c = find_change(p, "cpu.cores");
	assert_string_equal(c->from, "2");
	assert_string_equal(c->to, "4");
	assert_int_equal(c->class, CLASS_PENDING);
	assert_true(c->takes_restart);
	assert_int_equal(c->disruption, PLAN_NONE);
	assert_int_equal(c->step, 0);
	assert_false(c->drift);

	/* written: it waits and is not sent again */
	kv_set(&s.guest.pending, "cores", "4");
	p = scene_plan(&s);
	expect_verdict(p, PLAN_IN_SYNC, REASON_PENDING_REBOOT);
	assert_int_equal(p->n_steps, 0);
	assert_int_equal(find_change(p, "cpu.cores")->state, CHANGE_PENDING);

	/* restarting is done where it is allowed and everything that waits is listed */
	s.policy.max_disruption = PLAN_REBOOT;
	p = scene_plan(&s);
	assert_int_equal(p->n_steps, 1);
	assert_int_equal(p->steps[0].kind, STEP_REBOOT);
	/* once: what a restart did not bring, a second one would not bring either */
	plan_learn_step(p, 0, &s.in, &s.guest, &s.record);
	p = scene_plan(&s);
	expect_verdict(p, PLAN_IN_SYNC, REASON_PENDING_REBOOT);
	assert_non_null(strstr(p->message, "a restart did not bring it"));
	/* after it did, or for something else, it is made again */
	kv_set(&s.guest.current, "cores", "4");
	p = scene_plan(&s);
	assert_false(kv_has(&p->learned.stored, "restart"));
	kv_fini(&s.record.stored);
	kv_set(&s.guest.current, "cores", "2");
	assert_non_null(find_step(scene_plan(&s), STEP_REBOOT));
	kv_set(&s.guest.pending, "sockets", "2");
	p = scene_plan(&s);
	assert_int_equal(p->n_steps, 0);
	scene_close(&s);
}

static void live_metadata_is_no_task(void **state)
{
	struct scene s;
	(void)state;
	scene_open(&s, "name = web-02\ndescription = Front end\ntags = [Web, a]\n");
	const struct plan *p = scene_plan(&s);
	assert_int_equal(p->n_steps, 1);
	const struct step *st = &p->steps[0];
	assert_false(st->task);
	expect_set(st, "name", "web-02");
	expect_set(st, "tags", "a;ramet;web");
	expect_set(st, "description", "Front end\n\n" MARKER);
	assert_int_equal(st->set.n, 3);
	scene_close(&s);
}

static void parts_are_merged(void **state)
{
	struct scene s;
	(void)state;
	scene_open(&s, "network.net0.tag = 7\nnetwork.net0.rate_limit = 10\ncpu.type = host\n"
		       "disk.scsi0.discard = on\n");
	scene_stopped(&s);
	const struct plan *p = scene_plan(&s);
	const struct step *st = find_step(p, STEP_CONFIG);
	expect_set(st, "net0", "virtio=" MAC0 ",bridge=vmbr0,firewall=1,tag=7,rate=10");
	expect_set(st, "cpu", "host,hidden=1");
	expect_set(st, "scsi0", "local-lvm:vm-1204-disk-0,cache=writeback,size=32G,discard=on");
	assert_int_equal(st->set.n, 3);
	assert_int_equal(p->n_steps, 1);
	scene_close(&s);
}

static void null_removes(void **state)
{
	struct scene s;
	(void)state;
	scene_open(&s, "network.net0.tag = null\ncpu.cores = null\ncpu.limit = null\n");
	const struct plan *p = scene_plan(&s);
	const struct step *st = find_step(p, STEP_CONFIG);
	expect_set(st, "net0", "virtio=" MAC0 ",bridge=vmbr0,firewall=1");
	assert_int_equal(st->del.n, 1);
	assert_string_equal(st->del.v[0], "cores");
	assert_string_equal(find_change(p, "cpu.cores")->to, "1 (default)");
	assert_null(find_change(p, "cpu.limit"));
	scene_close(&s);
}

static void disruption_has_a_ceiling(void **state)
{
	struct scene s;
	(void)state;
	scene_open(&s, "network.net0.tag = 7\nnetwork.net0.firewall = false\n"
		       "max_disruption = none\n");
	const struct plan *p = scene_plan(&s);
	expect_blocked(p, "network.net0.tag", REASON_DISRUPTION);
	expect_set(
	    find_step(p, STEP_CONFIG), "net0", "virtio=" MAC0 ",bridge=vmbr0,firewall=0,tag=5");
	/* nobody is disturbed when the guest is stopped */
	scene_stopped(&s);
	p = scene_plan(&s);
	assert_int_equal(find_change(p, "network.net0.tag")->state, CHANGE_DO);
	scene_close(&s);
}

static void hotplug_of_this_guest_decides(void **state)
{
	struct scene s;
	(void)state;
	scene_open(&s, "network.net0.model = e1000\nmemory.size = 4096\ncpu.vcpus = 1\n");
	const struct plan *p = scene_plan(&s);
	assert_int_equal(find_change(p, "network.net0.model")->disruption, PLAN_HOTPLUG);
	assert_true(find_change(p, "memory.size")->takes_restart);
	assert_true(find_change(p, "cpu.vcpus")->takes_restart);
	expect_set(
	    find_step(p, STEP_CONFIG), "net0", "e1000=" MAC0 ",bridge=vmbr0,firewall=1,tag=5");
	scene_both(&s, "hotplug", "cpu,memory");
	p = scene_plan(&s);
	assert_true(find_change(p, "network.net0.model")->takes_restart);
	assert_true(find_change(p, "memory.size")->takes_restart); /* without numa */
	assert_false(find_change(p, "cpu.vcpus")->takes_restart);
	scene_both(&s, "numa", "1");
	p = scene_plan(&s);
	assert_int_equal(find_change(p, "memory.size")->disruption, PLAN_HOTPLUG);
	scene_close(&s);
}

static void balloon_is_switched_with_a_restart(void **state)
{
	struct scene s;
	(void)state;
	scene_open(&s, "memory.balloon = 0\n");
	assert_true(find_change(scene_plan(&s), "memory.balloon")->takes_restart);
	scene_both(&s, "balloon", "1024");
	assert_true(find_change(scene_plan(&s), "memory.balloon")->takes_restart);
	scene_close(&s);
	scene_open(&s, "memory.balloon = 512\n");
	scene_both(&s, "balloon", "1024");
	assert_false(find_change(scene_plan(&s), "memory.balloon")->takes_restart);
	scene_close(&s);
}

static void drift_modes(void **state)
{
	struct scene s;
	(void)state;
	scene_open(&s, "cpu.cores = 4\nname = web-02\n");
	scene_synced(&s);
	const struct plan *p = scene_plan(&s);
	expect_verdict(p, PLAN_ACT, REASON_CORRECTING);
	assert_true(find_change(p, "cpu.cores")->drift);
	s.policy.drift = PLAN_DRIFT_REPORT;
	p = scene_plan(&s);
	expect_verdict(p, PLAN_IN_SYNC, REASON_DRIFT_REPORTED);
	assert_int_equal(p->n_steps, 0);
	assert_int_equal(find_change(p, "cpu.cores")->state, CHANGE_REPORT);
	s.policy.drift = PLAN_DRIFT_IGNORE;
	p = scene_plan(&s);
	expect_verdict(p, PLAN_IN_SYNC, REASON_IN_SYNC);
	assert_int_equal(p->n_changes, 0);
	/* a changed manifest is carried out whatever the mode */
	snprintf(s.record.synced_hash, sizeof(s.record.synced_hash), "older");
	p = scene_plan(&s);
	expect_verdict(p, PLAN_ACT, REASON_UPDATING);
	scene_close(&s);
}

static void fights_are_left_alone(void **state)
{
	struct scene s;
	_cleanup_strs_ struct strs fight = {0};
	(void)state;
	scene_open(&s, "cpu.cores = 4\nname = web-02\n");
	strs_add(&fight, "cpu.cores");
	s.in.fights = true;
	s.in.fight = &fight;
	const struct plan *p = scene_plan(&s);
	expect_blocked(p, "cpu.cores", REASON_FIGHT);
	expect_set(find_step(p, STEP_CONFIG), "name", "web-02");
	assert_int_equal(find_step(p, STEP_CONFIG)->set.n, 1);
	kv_set(&s.guest.pending, "name", "web-02");
	kv_set(&s.guest.current, "name", "web-02");
	expect_verdict(scene_plan(&s), PLAN_STALLED, REASON_FIGHT);
	scene_close(&s);
}

static void root_only(void **state)
{
	struct scene s;
	(void)state;
	scene_open(&s, "cpu.affinity = 0-3\ncpu.architecture = aarch64\n");
	const struct plan *p = scene_plan(&s);
	expect_verdict(p, PLAN_STALLED, REASON_ROOT_ONLY);
	expect_blocked(p, "cpu.affinity", REASON_ROOT_ONLY);
	expect_blocked(p, "cpu.architecture", REASON_ROOT_ONLY);
	/* what could be had is had: from now on a difference elsewhere is drift, here it is not */
	assert_string_equal(p->learned.synced_hash, s.want->hash);
	assert_true(record_is_unmet(&p->learned, "cpu.affinity"));
	record_fini(&s.record);
	record_copy(&s.record, &p->learned);
	s.policy.drift = PLAN_DRIFT_REPORT;
	p = scene_plan(&s);
	expect_verdict(p, PLAN_STALLED, REASON_ROOT_ONLY);
	assert_false(find_change(p, "cpu.affinity")->drift);
	s.policy.drift = PLAN_DRIFT_CORRECT;
	scene_both(&s, "affinity", "0-3");
	scene_both(&s, "arch", "aarch64");
	expect_verdict(scene_plan(&s), PLAN_IN_SYNC, REASON_IN_SYNC);
	scene_both(&s, "affinity", NULL);
	s.policy.token_is_root = true;
	expect_set(find_step(scene_plan(&s), STEP_CONFIG), "affinity", "0-3");
	scene_close(&s);
}

static void normalised_after_the_second_time(void **state)
{
	struct scene s;
	(void)state;
	scene_open(&s, "cpu.units = 262144\n");
	for (int i = 0; i < 2; i++) {
		const struct plan *p = scene_plan(&s);
		expect_verdict(p, PLAN_ACT, REASON_UPDATING);
		scene_both(&s, "cpuunits", "10000");
		plan_learn_step(p, 0, &s.in, &s.guest, &s.record);
	}
	expect_verdict(scene_plan(&s), PLAN_IN_SYNC, REASON_IN_SYNC);
	/* something changed: written again */
	scene_both(&s, "cpuunits", "500");
	expect_verdict(scene_plan(&s), PLAN_ACT, REASON_UPDATING);
	scene_close(&s);
}

static void silent_changes_wait_for_a_restart(void **state)
{
	struct scene s;
	(void)state;
	scene_open(&s, "disk.scsi0.serial = DATA01\n");
	s.guest.started_s = 1000;
	const struct plan *p = scene_plan(&s);
	expect_verdict(p, PLAN_ACT, REASON_UPDATING);
	scene_both(&s, "scsi0", "local-lvm:vm-1204-disk-0,cache=writeback,serial=DATA01,size=32G");
	plan_learn_step(p, 0, &s.in, &s.guest, &s.record);
	p = scene_plan(&s);
	expect_verdict(p, PLAN_IN_SYNC, REASON_PENDING_REBOOT);
	s.guest.started_s = 5000;
	p = scene_plan(&s);
	expect_verdict(p, PLAN_IN_SYNC, REASON_IN_SYNC);
	assert_int_equal(p->learned.silent.n, 0);
	scene_close(&s);
}

static void deletes(void **state)
{
	struct scene s;
	(void)state;
	scene_open(&s, "delete.network = [net0, net7]\ndelete.disk = [ide2, sata1]\n");
	scene_both(&s, "ide2", "none,media=cdrom");
	scene_both(&s, "sata1", "local-lvm:vm-1204-disk-3,size=1G");
	const struct plan *p = scene_plan(&s);
	const struct step *st = find_step(p, STEP_CONFIG);
	assert_int_equal(st->set.n, 0);
	_cleanup_str_ char *del = strs_join(&st->del, ",");
	assert_string_equal(del, "ide2,net0,sata1");
	assert_null(find_change(p, "delete.network.net7"));
	assert_false(find_change(p, "delete.network.net0")->takes_restart);
	assert_true(find_change(p, "delete.disk.sata1")->takes_restart);
	assert_true(st->task);
	assert_false(st->allocates);
	/* gone in Q, still in C: waits, and is not sent again */
	kv_del(&s.guest.pending, "sata1");
	scene_both(&s, "net0", NULL);
	scene_both(&s, "ide2", NULL);
	p = scene_plan(&s);
	expect_verdict(p, PLAN_IN_SYNC, REASON_PENDING_REBOOT);
	scene_close(&s);
}

static void protection_blocks_disks_only(void **state)
{
	struct scene s;
	(void)state;
	scene_open(&s, "delete.network = [net0]\ndelete.disk = [scsi0]\n");
	scene_both(&s, "protection", "1");
	const struct plan *p = scene_plan(&s);
	expect_blocked(p, "delete.disk.scsi0", REASON_PROTECTED);
	assert_int_equal(find_step(p, STEP_CONFIG)->del.n, 1);
	scene_close(&s);
}

static void network_devices(void **state)
{
	struct scene s;
	(void)state;
	scene_open(&s, "network.net1.bridge = vmbr1\nnetwork.net1.tag = 9\nnetwork.net2.tag = 3\n"
		       "network.net3.bridge = vmbr0\nnetwork.net3.model = e1000\n");
	kv_set(&s.record.macs, "net3", "BC:24:11:00:00:03");
	const struct plan *p = scene_plan(&s);
	const struct step *st = find_step(p, STEP_CONFIG);
	expect_set(st, "net1", "virtio,bridge=vmbr1,tag=9");
	expect_set(st, "net3", "e1000=BC:24:11:00:00:03,bridge=vmbr0");
	assert_null(kv_get(&st->set, "net2"));
	expect_blocked(p, "network.net2", REASON_DEVICE_INCOMPLETE);
	scene_close(&s);
}

static void a_device_is_made_whole_or_not(void **state)
{
	struct scene s;
	_cleanup_strs_ struct strs bridges = {0};
	(void)state;
	scene_open(&s, "network.net1.bridge = vmbr1\nnetwork.net1.tag = 9\n");
	strs_add(&bridges, "vmbr0");
	s.policy.bridges = &bridges;
	const struct plan *p = scene_plan(&s);
	expect_verdict(p, PLAN_STALLED, REASON_POLICY);
	expect_blocked(p, "network.net1", REASON_POLICY);
	assert_int_equal(p->n_steps, 0);
	scene_close(&s);
}

static void slot_marked_for_removal_is_kept(void **state)
{
	struct scene s;
	(void)state;
	scene_open(&s, "network.net0.tag = 6\n");
	kv_del(&s.guest.pending, "net0");
	const struct plan *p = scene_plan(&s);
	expect_set(
	    find_step(p, STEP_CONFIG), "net0", "virtio=" MAC0 ",bridge=vmbr0,firewall=1,tag=6");
	scene_close(&s);
}

static void cdroms(void **state)
{
	struct scene s;
	(void)state;
	scene_open(&s, "cdrom.ide2 = {}\ncdrom.ide0.file_id = local:iso/a.iso\n"
		       "cdrom.scsi0.file_id = none\ncdrom.ide1.file_id = none\n"
		       "cdrom.sata0.file_id = none\n");
	scene_both(&s, "ide0", "local:iso/b.iso,media=cdrom,size=350K");
	scene_both(&s, "ide1", "local-lvm:vm-1204-cloudinit,media=cdrom");
	const struct plan *p = scene_plan(&s);
	const struct step *st = find_step(p, STEP_CONFIG);
	expect_set(st, "ide2", "none,media=cdrom");
	expect_set(st, "ide0", "local:iso/a.iso,media=cdrom");
	expect_set(st, "sata0", "none,media=cdrom");
	expect_blocked(p, "cdrom.scsi0", REASON_SLOT_TAKEN);
	expect_blocked(p, "cdrom.ide1", REASON_SLOT_TAKEN);
	assert_int_equal(find_change(p, "cdrom.ide0.file_id")->disruption, PLAN_NONE);
	scene_close(&s);
}

static void unknown_keys_survive(void **state)
{
	struct scene s;
	(void)state;
	scene_open(&s, "cpu.cores = 4\nnetwork.net0.tag = 6\n");
	scene_both(&s, "net0", "virtio=" MAC0 ",bridge=vmbr0,host-tunnel=1,tag=5, x = y");
	const struct step *st = find_step(scene_plan(&s), STEP_CONFIG);
	expect_set(st, "net0", "virtio=" MAC0 ",bridge=vmbr0,host-tunnel=1,tag=6, x = y");
	assert_null(kv_get(&st->set, "zork"));
	assert_null(kv_get(&st->set, "boot"));
	scene_close(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(in_sync),
	    cmocka_unit_test(scalar_waits_for_restart),
	    cmocka_unit_test(live_metadata_is_no_task),
	    cmocka_unit_test(parts_are_merged),
	    cmocka_unit_test(null_removes),
	    cmocka_unit_test(disruption_has_a_ceiling),
	    cmocka_unit_test(hotplug_of_this_guest_decides),
	    cmocka_unit_test(balloon_is_switched_with_a_restart),
	    cmocka_unit_test(drift_modes),
	    cmocka_unit_test(fights_are_left_alone),
	    cmocka_unit_test(root_only),
	    cmocka_unit_test(normalised_after_the_second_time),
	    cmocka_unit_test(silent_changes_wait_for_a_restart),
	    cmocka_unit_test(deletes),
	    cmocka_unit_test(protection_blocks_disks_only),
	    cmocka_unit_test(network_devices),
	    cmocka_unit_test(a_device_is_made_whole_or_not),
	    cmocka_unit_test(slot_marked_for_removal_is_kept),
	    cmocka_unit_test(cdroms),
	    cmocka_unit_test(unknown_keys_survive),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
