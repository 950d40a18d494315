/* Disks: made once, attached again, moved, grown; and what pending texts do to them. */
#include "support.h"

static void grow(void **state)
{
	struct scene s;
	(void)state;
	scene_open(&s, "disk.scsi0.size_gb = 60\ncpu.cores = 4\n");
	const struct plan *p = scene_plan(&s);
	expect_verdict(p, PLAN_ACT, REASON_UPDATING);
	assert_int_equal(p->n_steps, 2);
	assert_int_equal(p->steps[0].kind, STEP_RESIZE);
	assert_string_equal(p->steps[0].slot, "scsi0");
	assert_int_equal(p->steps[0].size_gb, 60);
	assert_true(p->steps[0].allocates);
	assert_int_equal(p->steps[1].kind, STEP_CONFIG);
	assert_null(kv_get(&p->steps[1].set, "scsi0"));
	const struct change *c = find_change(p, "disk.scsi0.size_gb");
	assert_string_equal(c->from, "32");
	assert_string_equal(c->to, "60");
	assert_int_equal(c->step, 0);
	assert_int_equal(find_change(p, "cpu.cores")->step, 1);

	scene_both(&s, "scsi0", "local-lvm:vm-1204-disk-0,cache=writeback,size=60G");
	plan_learn_step(p, 0, &s.in, &s.guest, &s.record);
	assert_string_equal(kv_get(&s.record.sizes, "scsi0"), "60");
	assert_null(find_change(scene_plan(&s), "disk.scsi0.size_gb"));

	/* somebody grew it further: that cannot be undone, and the rest goes on */
	scene_both(&s, "scsi0", "local-lvm:vm-1204-disk-0,cache=writeback,size=65G");
	p = scene_plan(&s);
	expect_verdict(p, PLAN_ACT, REASON_UPDATING);
	expect_blocked(p, "disk.scsi0.size_gb", REASON_DISK_GROWN);
	expect_set(find_step(p, STEP_CONFIG), "cores", "4");
	scene_close(&s);
}

static void sizes_round_up(void **state)
{
	struct scene s;
	(void)state;
	scene_open(&s, "disk.scsi0.size_gb = 33\n");
	scene_both(&s, "scsi0", "local-lvm:vm-1204-disk-0,size=33280M"); /* 32.5 GiB */
	expect_verdict(scene_plan(&s), PLAN_IN_SYNC, REASON_IN_SYNC);
	scene_close(&s);
}

static void shrink_is_refused(void **state)
{
	struct scene s;
	(void)state;
	scene_open(&s, "disk.scsi0.size_gb = 20\n");
	kv_set(&s.record.sizes, "scsi0", "32");
	const struct plan *p = scene_plan(&s);
	expect_verdict(p, PLAN_STALLED, REASON_DISK_SHRINK);
	expect_blocked(p, "disk.scsi0.size_gb", REASON_DISK_SHRINK);
	assert_non_null(strstr(p->hint, "size_gb: 32"));
	scene_close(&s);
}

static void allocated_once_ever(void **state)
{
	struct scene s;
	(void)state;
	scene_open(&s, "disk.scsi1.datastore_id = local-lvm\ndisk.scsi1.size_gb = 50\n"
		       "disk.scsi1.discard = on\ndisk.scsi2.size_gb = 5\n");
	const struct plan *p = scene_plan(&s);
	const struct step *st = find_step(p, STEP_CONFIG);
	expect_set(st, "scsi1", "local-lvm:50,discard=on");
	assert_int_equal(st->set.n, 1);
	assert_true(st->task);
	assert_true(st->allocates);
	expect_blocked(p, "disk.scsi2", REASON_DISK_INCOMPLETE);
	assert_non_null(strstr(find_change(p, "disk.scsi2")->why, "datastore_id"));

	/* made: the volume is remembered */
	scene_both(&s, "scsi1", "local-lvm:vm-1204-disk-1,discard=on,size=50G");
	p = scene_plan(&s);
	assert_null(find_step(p, STEP_CONFIG));
	assert_string_equal(kv_get(&p->learned.volumes, "scsi1"), "local-lvm:vm-1204-disk-1");
	kv_set(&s.record.volumes, "scsi1", "local-lvm:vm-1204-disk-1");

	/* detached by hand: attached again, not made again */
	scene_both(&s, "scsi1", NULL);
	scene_both(&s, "unused0", "local-lvm:vm-1204-disk-1");
	p = scene_plan(&s);
	st = find_step(p, STEP_CONFIG);
	expect_set(st, "scsi1", "local-lvm:vm-1204-disk-1,discard=on");
	assert_false(st->allocates);

	/* hung into another slot */
	scene_both(&s, "unused0", NULL);
	scene_both(&s, "scsi5", "local-lvm:vm-1204-disk-1,size=50G");
	p = scene_plan(&s);
	expect_blocked(p, "disk.scsi1", REASON_DISK_MISSING);
	assert_non_null(strstr(find_change(p, "disk.scsi1")->why, "scsi5"));
	assert_null(find_step(p, STEP_CONFIG));

	/* destroyed */
	scene_both(&s, "scsi5", NULL);
	expect_blocked(scene_plan(&s), "disk.scsi1", REASON_DISK_MISSING);
	scene_close(&s);
}

static void formats_and_imports(void **state)
{
	struct scene s;
	(void)state;
	scene_open(&s,
	    "disk.scsi1.datastore_id = local\ndisk.scsi1.size_gb = 50\n"
	    "disk.scsi1.format = qcow2\ndisk.virtio1.datastore_id = local\n"
	    "disk.virtio1.import_from = local:import/a.qcow2\ndisk.virtio1.size_gb = 20\n"
	    "disk.scsi3.datastore_id = local-lvm\ndisk.scsi3.size_gb = 5\n"
	    "disk.scsi3.format = qcow2\ndisk.scsi4.datastore_id = nowhere\n"
	    "disk.scsi4.size_gb = 1\n");
	const struct plan *p = scene_plan(&s);
	const struct step *st = find_step(p, STEP_CONFIG);
	expect_set(st, "scsi1", "local:50,format=qcow2");
	expect_set(st, "virtio1", "local:0,import-from=local:import/a.qcow2");
	assert_int_equal(st->set.n, 2);
	expect_blocked(p, "disk.scsi3", REASON_FORMAT_UNSUPPORTED);
	expect_blocked(p, "disk.scsi4", REASON_STORAGE_UNKNOWN);
	/* the imported disk is grown after it was made */
	assert_int_equal(p->n_steps, 2);
	assert_int_equal(p->steps[1].kind, STEP_RESIZE);
	assert_string_equal(p->steps[1].slot, "virtio1");
	assert_int_equal(p->steps[1].size_gb, 20);
	scene_close(&s);
}

static void files(void **state)
{
	struct scene s;
	(void)state;
	scene_open(&s, "disk.scsi0.file = local-lvm:vm-1204-disk-7\n"
		       "disk.scsi1.file = local-lvm:vm-1204-disk-8\n"
		       "disk.scsi2.file = local-lvm:vm-77-disk-0\n");
	const struct plan *p = scene_plan(&s);
	const struct step *st = find_step(p, STEP_CONFIG);
	expect_set(st, "scsi0", "local-lvm:vm-1204-disk-7,cache=writeback");
	expect_set(st, "scsi1", "local-lvm:vm-1204-disk-8");
	expect_blocked(p, "disk.scsi2", REASON_FOREIGN_VOLUME);
	assert_int_equal(st->set.n, 2);
	scene_close(&s);
}

static void moves_come_first(void **state)
{
	struct scene s;
	(void)state;
	scene_open(&s, "disk.scsi0.datastore_id = local\ndisk.scsi0.format = qcow2\n"
		       "disk.scsi0.size_gb = 40\ndisk.scsi0.discard = on\n");
	const struct plan *p = scene_plan(&s);
	assert_int_equal(p->n_steps, 3);
	assert_int_equal(p->steps[0].kind, STEP_MOVE);
	assert_string_equal(p->steps[0].storage, "local");
	assert_string_equal(p->steps[0].format, "qcow2");
	assert_int_equal(p->steps[1].kind, STEP_RESIZE);
	assert_int_equal(p->steps[2].kind, STEP_CONFIG);
	assert_int_equal(find_change(p, "disk.scsi0.datastore_id")->step, 0);
	assert_string_equal(find_change(p, "disk.scsi0.format")->from, "raw");
	s.guest.snapshots = true;
	p = scene_plan(&s);
	expect_blocked(p, "disk.scsi0.datastore_id", REASON_HAS_SNAPSHOTS);
	assert_null(find_step(p, STEP_MOVE));
	s.guest.snapshots = false;
	s.policy.max_disruption = PLAN_NONE;
	p = scene_plan(&s);
	expect_blocked(p, "disk.scsi0.datastore_id", REASON_DISRUPTION);
	expect_blocked(p, "disk.scsi0.size_gb", REASON_DISRUPTION);
	assert_int_equal(p->n_steps, 1);
	scene_close(&s);
}

/* The trap: an option change waits with the slot's whole old text while the disk is moved. */
static void pending_text_is_mended_after_a_move(void **state)
{
	struct scene s;
	(void)state;
	scene_open(&s, "disk.scsi0.datastore_id = ceph\ndisk.scsi0.discard = on\n");
	kv_set(&s.guest.pending, "scsi0",
	    "local-lvm:vm-1204-disk-0,cache=writeback,discard=on,size=32G");
	strs_add(&s.guest.pending_keys, "scsi0");
	const struct plan *p = scene_plan(&s);
	assert_int_equal(p->n_steps, 1);
	assert_int_equal(p->steps[0].kind, STEP_MOVE);
	record_fini(&s.record);
	record_copy(&s.record, &p->learned);
	assert_string_equal(kv_get(&s.record.volumes, "scsi0"), "local-lvm:vm-1204-disk-0");

	/* PVE moved the disk; the pending text still names the freed volume */
	kv_set(&s.guest.current, "scsi0", "ceph:vm-1204-disk-0,cache=writeback,size=32G");
	for (int i = 0; i < 2; i++) { /* and a crash in between changes nothing */
		p = scene_plan(&s);
		expect_set(find_step(p, STEP_CONFIG), "scsi0",
		    "ceph:vm-1204-disk-0,cache=writeback,discard=on,size=32G");
		assert_int_equal(p->n_steps, 1);
		record_fini(&s.record);
		record_copy(&s.record, &p->learned);
	}
	kv_set(
	    &s.guest.pending, "scsi0", "ceph:vm-1204-disk-0,cache=writeback,discard=on,size=32G");
	p = scene_plan(&s);
	expect_verdict(p, PLAN_IN_SYNC, REASON_PENDING_REBOOT);
	assert_string_equal(kv_get(&p->learned.volumes, "scsi0"), "ceph:vm-1204-disk-0");
	scene_close(&s);
}

static void pending_size_is_mended_after_growing(void **state)
{
	struct scene s;
	(void)state;
	scene_open(&s, "disk.scsi0.size_gb = 60\n");
	kv_set(&s.guest.current, "scsi0", "local-lvm:vm-1204-disk-0,cache=writeback,size=60G");
	kv_set(&s.guest.pending, "scsi0", "local-lvm:vm-1204-disk-0,ssd=1,size=32G");
	const struct plan *p = scene_plan(&s);
	expect_set(find_step(p, STEP_CONFIG), "scsi0", "local-lvm:vm-1204-disk-0,ssd=1,size=60G");
	scene_close(&s);
}

static void a_human_pending_repoint_is_left(void **state)
{
	struct scene s;
	(void)state;
	scene_open(&s, "disk.scsi0.size_gb = 32\n");
	kv_set(&s.record.volumes, "scsi0", "local-lvm:vm-1204-disk-0");
	kv_set(&s.guest.pending, "scsi0", "local-lvm:vm-1204-disk-9,size=8G");
	const struct plan *p = scene_plan(&s);
	assert_int_equal(p->n_steps, 0);
	scene_close(&s);
}

static void slots_of_another_kind(void **state)
{
	struct scene s;
	(void)state;
	scene_open(&s, "disk.ide2.size_gb = 5\ndisk.ide0.cache = none\ndisk.scsi0.media = cdrom\n");
	scene_both(&s, "ide2", "local:iso/a.iso,media=cdrom,size=350K");
	scene_both(&s, "ide0", "local-lvm:vm-1204-cloudinit,media=cdrom");
	const struct plan *p = scene_plan(&s);
	expect_blocked(p, "disk.ide2", REASON_SLOT_TAKEN);
	expect_blocked(p, "disk.ide0", REASON_SLOT_TAKEN);
	expect_blocked(p, "disk.scsi0", REASON_SLOT_TAKEN);
	assert_int_equal(p->n_steps, 0);
	scene_close(&s);
}

static void storage_needs_a_settled_quorum(void **state)
{
	struct scene s;
	(void)state;
	scene_open(&s, "disk.scsi0.size_gb = 60\n");
	s.cluster.quorate_for_ms = 14999;
	expect_verdict(scene_plan(&s), PLAN_WAIT, REASON_QUORUM_YOUNG);
	s.cluster.quorate_for_ms = 15000;
	expect_verdict(scene_plan(&s), PLAN_ACT, REASON_UPDATING);
	s.cluster.quorum_visible = false;
	expect_verdict(scene_plan(&s), PLAN_WAIT, REASON_NO_QUORUM);
	scene_close(&s);
	scene_open(&s, "cpu.cores = 4\n");
	s.cluster.quorum_visible = false;
	expect_verdict(scene_plan(&s), PLAN_ACT, REASON_UPDATING);
	s.cluster.quorum_visible = true;
	s.cluster.quorate = false;
	expect_verdict(scene_plan(&s), PLAN_WAIT, REASON_NO_QUORUM);
	scene_close(&s);
}

static void removing_cloudinit_frees_a_volume(void **state)
{
	struct scene s;
	(void)state;
	scene_open(&s, "delete.disk = [ide0]\n");
	scene_both(&s, "ide0", "local-lvm:vm-1204-cloudinit,media=cdrom");
	assert_true(find_step(scene_plan(&s), STEP_CONFIG)->allocates);
	scene_close(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(grow),
	    cmocka_unit_test(sizes_round_up),
	    cmocka_unit_test(shrink_is_refused),
	    cmocka_unit_test(allocated_once_ever),
	    cmocka_unit_test(formats_and_imports),
	    cmocka_unit_test(files),
	    cmocka_unit_test(moves_come_first),
	    cmocka_unit_test(pending_text_is_mended_after_a_move),
	    cmocka_unit_test(pending_size_is_mended_after_growing),
	    cmocka_unit_test(a_human_pending_repoint_is_left),
	    cmocka_unit_test(slots_of_another_kind),
	    cmocka_unit_test(storage_needs_a_settled_quorum),
	    cmocka_unit_test(removing_cloudinit_frees_a_volume),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
