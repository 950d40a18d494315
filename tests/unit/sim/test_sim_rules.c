/*
 * Rules of writing to a guest that the recordings did not meet. Each test names the function of the
 * real code (qemu-server, pve-guest-common) that has the rule.
 */
#include "sim_client.h"

static const char *const seed =
    "nodes: [{name: n1, bridges: [vmbr0, vmbr1]}]\n"
    "storages:\n"
    "  - {name: disks, type: lvmthin, content: [images], size: 100G}\n"
    "  - {name: files, type: dir, content: [images, iso], size: 100G,\n"
    "     iso: [{name: x.iso, size: 1M}]}\n"
    "roles:\n"
    "  - {name: Disks, privs: [VM.Config.Disk]}\n"
    "  - {name: Media, privs: [VM.Config.CDROM]}\n"
    "  - {name: Nets, privs: [VM.Config.Network]}\n"
    "  - {name: Opts, privs: [VM.Config.Options]}\n"
    "  - {name: Hw, privs: [VM.Config.HWType]}\n"
    "  - {name: Use, privs: [SDN.Use]}\n"
    "  - {name: Map, privs: [Mapping.Use]}\n"
    "  - {name: Room, privs: [Datastore.AllocateSpace]}\n"
    "users:\n"
    "  - {name: root@pam, tokens: [{name: all, secret: s-root, privsep: false}]}\n"
    "  - name: bot@pve\n"
    "    tokens: [{name: t, secret: s-bot, privsep: false}]\n"
    "acl:\n"
    "  - {path: /storage/disks, who: bot@pve, role: Room}\n"
    "  - {path: /storage/files, who: bot@pve, role: Room}\n"
    "  - {path: /vms/111, who: bot@pve, role: Disks}\n"
    "  - {path: /vms/112, who: bot@pve, role: Media}\n"
    "  - {path: /vms/113, who: bot@pve, role: Nets}\n"
    "  - {path: /vms/114, who: bot@pve, role: Opts}\n"
    "  - {path: /vms/115, who: bot@pve, role: Hw}\n"
    "  - {path: /sdn/zones/localnetwork/vmbr0, who: bot@pve, role: Use}\n"
    "  - {path: /mapping/usb/stick, who: bot@pve, role: Map}\n"
    "guests:\n"
    "  - {id: 110, node: n1, running: true, config: {name: a, ostype: l26, cores: 2, agent: 1,\n"
    "     boot: \"order=scsi0\", scsi0: \"disks:1\", scsi1: \"disks:1\", ide1: \"disks:1\",\n"
    "     ide2: \"files:cloudinit\", net0: \"virtio,bridge=vmbr0\"}}\n"
    "  - {id: 111, node: n1, config: {name: b, scsi0: \"disks:1\"}}\n"
    "  - {id: 112, node: n1, config: {name: c, scsi0: \"disks:1\"}}\n"
    "  - {id: 113, node: n1, config: {name: d, net0: \"virtio,bridge=vmbr0\",\n"
    "     net1: \"virtio,bridge=vmbr1\"}}\n"
    "  - {id: 114, node: n1, config: {name: e, tags: \"old;kept\"}}\n"
    "  - {id: 115, node: n1, config: {name: f, serial0: socket}}\n"
    "  - {id: 116, node: n1, config: {name: g, boot: \"order=scsi0\", scsi0: \"disks:1\",\n"
    "     scsi1: \"disks:1\", virtio1: \"disks:1\", ide2: \"files:cloudinit\"}}\n";

#define ROOT "PVEAPIToken=root@pam!all=s-root"
#define BOT "PVEAPIToken=bot@pve!t=s-bot"
#define OF(id) "/nodes/n1/qemu/" #id "/config"

static int setup(void **state)
{
	return client_of_seed(state, seed, "9.2", ROOT);
}

static int setup_8(void **state)
{
	return client_of_seed(state, seed, "8.4", ROOT);
}

static void put(struct client *c, const char *path, const char *params)
{
	if (call(c, "PUT", path, params) != 200)
		fail_msg("%s: %d %s %s", params, c->a.status, c->a.reason, c->a.text);
}

static void hot_refused(struct client *c, const char *params, const char *key, const char *why)
{
	assert_int_equal(call(c, "PUT", OF(110), params), 400);
	assert_string_equal(param_error(c, key), why);
}

static void forbidden(struct client *c, const char *path, const char *params, const char *why)
{
	assert_int_equal(call(c, "PUT", path, params), 403);
	assert_string_equal(c->a.reason, why);
}

static void no(struct client *c, const char *path, const char *params, const char *why)
{
	assert_int_equal(call(c, "PUT", path, params), 500);
	assert_string_equal(c->a.reason, why);
}

static bool waits(struct client *c, const char *key)
{
	return sim_guest_pending(c->sim, 110, key) != NULL;
}

/* --- hot-plugging --- */

/* vm_deviceunplug, get_bootdisks */
static void boot_disk_stays_while_it_runs(void **state)
{
	struct client *c = *state;
	_cleanup_str_ char *disk = mem_strdup(sim_guest_get(c->sim, 110, "scsi0"));

	hot_refused(
	    c, "delete=scsi0", "scsi0", "hotplug problem - can't unplug bootdisk 'scsi0'\n");
	assert_string_equal(sim_guest_get(c->sim, 110, "scsi0"), disk);
	hot_refused(
	    c, "scsi0=disks:2", "scsi0", "hotplug problem - can't unplug bootdisk 'scsi0'\n");
	assert_string_equal(sim_guest_get(c->sim, 110, "scsi0"), disk);
	/* Another order waits for the next start, so it changes nothing. */
	put(c, OF(110), "boot=order=scsi1");
	hot_refused(
	    c, "delete=scsi0", "scsi0", "hotplug problem - can't unplug bootdisk 'scsi0'\n");
	put(c, OF(110), "delete=scsi1");
	assert_null(sim_guest_get(c->sim, 110, "scsi1"));
}

/* qemu_devicedelverify: what is on the PCI bus goes if the guest lets it go; the rest of the
 * request is carried out. A SCSI disk is on a bus of its own, unless each has its controller. */
static void guest_keeps_its_devices(void **state)
{
#define BUSY(dev) \
	"hotplug problem - error on hot-unplugging device '" dev "' - still busy in guest?\n"
	struct client *c = *state;
	_cleanup_str_ char *net = mem_strdup(sim_guest_get(c->sim, 110, "net0"));

	put(c, OF(110), "virtio3=disks:1");
	assert_int_equal(sim_human_cling(c->sim, 110, true, NULL), 0);
	hot_refused(c, "delete=virtio3&description=x", "virtio3", BUSY("virtio3"));
	assert_non_null(sim_guest_get(c->sim, 110, "virtio3"));
	assert_string_equal(sim_guest_get(c->sim, 110, "description"), "x");
	hot_refused(c, "delete=net0", "net0", BUSY("net0"));
	hot_refused(c, "net0=virtio,bridge=vmbr0", "net0", BUSY("net0"));
	assert_string_equal(sim_guest_get(c->sim, 110, "net0"), net);
	put(c, OF(110), "delete=scsi1");
	assert_null(sim_guest_get(c->sim, 110, "scsi1"));
	assert_int_equal(sim_human_cling(c->sim, 110, false, NULL), 0);
	put(c, OF(110), "delete=virtio3");
	assert_null(sim_guest_get(c->sim, 110, "virtio3"));
	assert_string_equal(call_task(c, "POST", "/nodes/n1/qemu/110/status/stop", NULL), "OK");
	put(c, OF(110), "scsihw=virtio-scsi-single&scsi1=disks:1");
	assert_string_equal(call_task(c, "POST", "/nodes/n1/qemu/110/status/start", NULL), "OK");
	assert_int_equal(sim_human_cling(c->sim, 110, true, NULL), 0);
	hot_refused(c, "delete=scsi1", "scsi1", BUSY("virtioscsi1"));
#undef BUSY
}

/* vmconfig_update_disk: an IDE disk cannot leave, a new one waits. */
static void ide_disk_cannot_leave(void **state)
{
	struct client *c = *state;

	hot_refused(c, "ide1=disks:2", "ide1", "hotplug problem - can't unplug device 'ide1'\n");
	put(c, OF(110), "delete=ide1");
	assert_non_null(sim_guest_get(c->sim, 110, "ide1"));
	put(c, OF(110), "ide0=disks:1");
	assert_true(waits(c, "ide0"));
}

/* vmconfig_update_disk: which options of a disk wait */
static void disk_options_wait_or_not(void **state)
{
	struct client *c = *state;
	_cleanup_str_ char *disk = mem_strdup(sim_guest_get(c->sim, 110, "scsi1"));
	static const struct {
		const char *option;
		bool waits;
	} rows[] = {{"serial=abc", false}, {"detect_zeroes=1", false}, {"backup=0", false},
	    {"replicate=0", false}, {"iops_rd=100", false}, {"mbps=5", false}, {"ssd=1", true},
	    {"cache=writeback", true}, {"discard=on", true}, {"iothread=1", true},
	    {"aio=threads", true}, {"ro=1", true}};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		_cleanup_str_ char *p = mem_printf("scsi1=%s,%s", disk, rows[i].option);
		_cleanup_str_ char *back = mem_printf("scsi1=%s", disk);

		put(c, OF(110), p);
		if (waits(c, "scsi1") != rows[i].waits)
			fail_msg("%s", rows[i].option);
		put(c, OF(110), back);
	}
}

/* vmconfig_update_agent: only trimming after a clone does not touch the device. */
static void agent_waits_but_for_trimming(void **state)
{
	struct client *c = *state;

	put(c, OF(110), "agent=1,fstrim_cloned_disks=1");
	assert_false(waits(c, "agent"));
	put(c, OF(110), "agent=enabled=1");
	assert_false(waits(c, "agent"));
	assert_string_equal(sim_guest_get(c->sim, 110, "agent"), "enabled=1");
	put(c, OF(110), "agent=1,freeze-fs-on-backup=0");
	assert_true(waits(c, "agent"));
	put(c, OF(110), "revert=agent");
	put(c, OF(110), "agent=0");
	assert_true(waits(c, "agent"));
	put(c, OF(110), "revert=agent");
	put(c, OF(110), "delete=agent");
	assert_string_equal(sim_guest_get(c->sim, 110, "agent"), "enabled=1");
}

/* vmconfig_hotplug_pending: USB by the guest's system */
static void usb_comes_at_once_where_the_system_takes_it(void **state)
{
	struct client *c = *state;
	struct err *e = NULL;

	put(c, OF(110), "usb0=spice");
	assert_false(waits(c, "usb0"));
	assert_int_equal(sim_human_power(c->sim, 110, false, &e), 0);
	put(c, OF(110), "ostype=other");
	assert_int_equal(sim_human_power(c->sim, 110, true, &e), 0);
	put(c, OF(110), "usb1=spice");
	assert_true(waits(c, "usb1"));
}

/* qemu_cpu_hotplug */
static void more_vcpus_than_there_are(void **state)
{
	struct client *c = *state;

	put(c, OF(110), "vcpus=1");
	assert_true(waits(c, "vcpus"));
	put(c, OF(110), "revert=vcpus");
	put(c, OF(110), "hotplug=disk,network,cpu");
	assert_true(waits(c, "hotplug"));
}

/* vmconfig_update_disk: the cloud-init volume goes only when the slot is emptied. */
static void medium_in_place_of_cloudinit(void **state)
{
	struct client *c = *state;
	size_t had = sim_volumes_of(c->sim, 110);

	put(c, OF(110), "ide2=files:iso/x.iso,media=cdrom");
	assert_int_equal(sim_volumes_of(c->sim, 110), had);
	assert_false(waits(c, "ide2"));
}

static void emptied_cloudinit_slot(void **state)
{
	struct client *c = *state;
	size_t had = sim_volumes_of(c->sim, 110);

	put(c, OF(110), "ide2=none,media=cdrom");
	assert_int_equal(sim_volumes_of(c->sim, 110), had - 1);
}

/* create_disks, has_cloudinit: what waits to go is still there. */
static void cloudinit_does_not_change_slots_at_once(void **state)
{
	struct client *c = *state;

	no(c, OF(116), "delete=ide2&scsi5=files:cloudinit",
	    "scsi5 - cloud-init drive is already attached at 'ide2'");
	put(c, OF(116), "delete=ide2");
	put(c, OF(116), "scsi5=files:cloudinit");
}

/* try_deallocate_drive, is_volume_in_use */
static void snapshot_keeps_what_is_deleted_by_force(void **state)
{
	struct client *c = *state;
	size_t had;
	_cleanup_str_ char *why = NULL;

	assert_string_equal(
	    call_task(c, "POST", "/nodes/n1/qemu/116/snapshot", "snapname=s1"), "OK");
	had = sim_volumes_of(c->sim, 116);
	why = mem_printf("unable to apply pending change scsi1 : unable to delete '%s' - volume is "
			 "still in use (snapshot?)\n",
	    "disks:vm-116-disk-1");
	assert_int_equal(call(c, "PUT", OF(116), "delete=scsi1&force=1"), 400);
	assert_string_equal(param_error(c, "scsi1"), why);
	assert_non_null(sim_guest_get(c->sim, 116, "scsi1"));
	assert_int_equal(sim_volumes_of(c->sim, 116), had);
	/* Not by force it is put aside, and cannot be removed from there either. */
	put(c, OF(116), "revert=scsi1");
	put(c, OF(116), "delete=scsi1");
	assert_string_equal(sim_guest_get(c->sim, 116, "unused0"), "disks:vm-116-disk-1");
	no(c, OF(116), "delete=unused0",
	    "unable to delete 'disks:vm-116-disk-1' - volume is still in use (snapshot?)");
}

/* vmconfig_apply_pending: several leave in the order of their names. */
static void drives_leave_in_order(void **state)
{
	struct client *c = *state;

	put(c, OF(116), "delete=virtio1,scsi1");
	assert_string_equal(sim_guest_get(c->sim, 116, "unused0"), "disks:vm-116-disk-1");
	assert_string_equal(sim_guest_get(c->sim, 116, "unused1"), "disks:vm-116-disk-2");
}

/* --- early checks --- */

/* update_vm_api: what is known to be wrong is told before a task is forked. */
static void balloon_is_checked_before_the_fork(void **state)
{
	struct client *c = *state;

	assert_int_equal(call(c, "POST", OF(116), "memory=512&balloon=1024"), 500);
	assert_string_equal(
	    c->a.reason, "balloon value too large (must be smaller than assigned memory)");
}

/* assert_valid_machine_property, assert_clipboard_config, prohibit_tpm_version_change */
static void what_only_goes_together(void **state)
{
	struct client *c = *state;

	no(c, OF(116), "machine=pc,viommu=intel",
	    "to use Intel vIOMMU please set the machine type to q35");
	put(c, OF(116), "machine=q35,viommu=intel");
	no(c, OF(116), "vga=serial0,clipboard=vnc",
	    "vga type serial0 is not compatible with VNC clipboard");
	put(c, OF(116), "vga=std,clipboard=vnc");
	put(c, OF(116), "tpmstate0=disks:1,version=v2.0");
	no(c, OF(116), "tpmstate0=disks:vm-116-disk-3,size=4M,version=v1.2",
	    "cannot change TPM state version after creation");
}

/* --- rights --- */

/* $check_drive_perms: for what is in the slot and for what comes into it */
static void drives_need_the_right_of_their_kind(void **state)
{
	struct client *c = *state;

	c->auth = BOT;
	forbidden(
	    c, OF(112), "scsi1=disks:1", "Permission check failed (/vms/112, VM.Config.Disk)");
	put(c, OF(112), "ide2=none,media=cdrom");
	forbidden(c, OF(112), "ide2=disks:1", "Permission check failed (/vms/112, VM.Config.Disk)");
	put(c, OF(111), "scsi1=disks:1");
	forbidden(c, OF(111), "ide2=none,media=cdrom",
	    "Permission check failed (/vms/111, VM.Config.CDROM)");
	/* A cloud-init drive needs both. */
	assert_int_equal(call(c, "PUT", OF(112), "ide0=files:cloudinit"), 403);
	assert_string_equal(c->a.reason, "Permission check failed (/vms/112, VM.Config.Cloudinit)");
	assert_int_equal(call(c, "PUT", OF(111), "delete=scsi1&force=1"), 200);
	/* In a task the refusal is the task's. */
	assert_string_equal(call_task(c, "POST", OF(112), "scsi1=disks:1"),
	    "403 Permission check failed (/vms/112, VM.Config.Disk)");
}

/* check_bridge_access: of the network that a NIC leaves, too */
static void nic_needs_both_bridges(void **state)
{
	struct client *c = *state;
	const char *why = "Permission check failed (/sdn/zones/localnetwork/vmbr1, SDN.Use)";

	c->auth = BOT;
	put(c, OF(113), "net0=virtio,bridge=vmbr0,link_down=1");
	forbidden(c, OF(113), "net1=virtio,bridge=vmbr0", why);
	forbidden(c, OF(113), "delete=net1", why);
	forbidden(c, OF(113), "net0=virtio,bridge=vmbr1", why);
	put(c, OF(113), "delete=net0");
}

/* check_usb_perm, check_hostpci_perm and the like */
static void devices_of_the_host(void **state)
{
	struct client *c = *state;

	c->auth = BOT;
	put(c, OF(115), "delete=serial0");
	put(c, OF(115), "serial0=socket");
	no(c, OF(115), "serial1=/dev/ttyS0",
	    "only root can modify 'serial1' config for real devices");
	put(c, OF(115), "usb0=spice");
	put(c, OF(115), "usb1=mapping=stick");
	forbidden(c, OF(115), "usb2=mapping=other",
	    "Permission check failed (/mapping/usb/other, Mapping.Use)");
	no(c, OF(115), "usb2=1234:5678", "only root can set 'usb2' config for real devices");
	no(c, OF(115), "hostpci0=01:00.0",
	    "only root can set 'hostpci0' config for non-mapped devices");
	forbidden(c, OF(115), "hostpci0=mapping=card",
	    "Permission check failed (/mapping/pci/card, Mapping.Use)");
	forbidden(c, OF(115), "rng0=source=/dev/hwrng",
	    "Permission check failed (/mapping/hwrng, Mapping.Use)");
	put(c, OF(115), "rng0=source=/dev/urandom");
	forbidden(c, OF(114), "usb0=spice", "Permission check failed (/vms/114, VM.Config.HWType)");
}

static const struct jsn *cloudinit_row(struct client *c, const char *key)
{
	assert_int_equal(call(c, "GET", "/nodes/n1/qemu/110/cloudinit", NULL), 200);
	for (size_t i = 0; i < jsn_len(c->a.data); i++)
		if (text_eq(jsn_get_text(jsn_at(c->a.data, i), "key"), key))
			return jsn_at(c->a.data, i);
	return NULL;
}

/* update_vm_api, cloudinit_pending: a password is in force at once and is never a change. */
static void password_is_no_change(void **state)
{
	struct client *c = *state;
	const struct jsn *row;

	put(c, OF(110), "ciuser=joe&cipassword=s3cret");
	row = cloudinit_row(c, "ciuser");
	assert_string_equal(jsn_get_text(row, "pending"), "joe");
	row = cloudinit_row(c, "cipassword");
	assert_string_equal(jsn_get_text(row, "value"), "**********");
	assert_null(jsn_get(row, "pending"));
	assert_null(sim_guest_pending(c->sim, 110, "cipassword"));
}

/* Drive::parse_drive: what needs another limit is not understood without. */
static void limits_of_a_drive(void **state)
{
	struct client *c = *state;
	static const char *const wrong[] = {"mbps=5,mbps_rd=5", "iops=5,iops_wr=5", "mbps_max=5",
	    "mbps_rd_max=5", "mbps=5,bps_max_length=3", "iops=5,iops_max_length=3",
	    "mbps=0,mbps_max=5"};
	static const char *const right[] = {"mbps=0,mbps_rd=5", "mbps=5,mbps_max=6",
	    "mbps_wr=5,mbps_wr_max=6,bps_wr_max_length=2", "iops_max=5"};

	for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
		_cleanup_str_ char *p = mem_printf("scsi1=disks:1,%s", wrong[i]);

		assert_int_equal(call(c, "PUT", OF(111), p), 400);
		assert_string_equal(param_error(c, "scsi1"), "unable to parse drive options");
	}
	for (size_t i = 0; i < ARRAY_LEN(right); i++) {
		_cleanup_str_ char *p = mem_printf("scsi%zu=disks:1,%s", i + 1, right[i]);

		put(c, OF(111), p);
	}
}

/* GuestHelpers::assert_tag_permissions, get_allowed_tags */
static void tags_by_the_options_of_the_cluster(void **state)
{
	struct client *c = *state;
	const char *why = "Permission check failed (/, Sys.Modify for modifying tag 'new')";

	assert_int_equal(
	    call(c, "PUT", "/cluster/options", "user-tag-access=user-allow=none"), 200);
	c->auth = BOT;
	forbidden(c, OF(114), "tags=old;kept;new", why);
	put(c, OF(114), "tags=kept;old"); /* nothing comes or goes */
	c->auth = ROOT;
	assert_int_equal(call(c, "PUT", "/cluster/options",
			     "user-tag-access=user-allow=list,user-allow-list=old;ok"),
	    200);
	c->auth = BOT;
	put(c, OF(114), "tags=kept;ok");
	forbidden(c, OF(114), "tags=kept;ok;new", why);
	forbidden(c, OF(114), "tags=ok",
	    "Permission check failed (/, Sys.Modify for modifying tag 'kept')");
	c->auth = ROOT;
	assert_int_equal(
	    call(c, "PUT", "/cluster/options", "delete=user-tag-access&registered-tags=new"), 200);
	c->auth = BOT;
	put(c, OF(114), "tags=anything");
	forbidden(c, OF(114), "tags=anything;new", why);
	forbidden(c, OF(115), "tags=x", "Permission check failed (/vms/115, VM.Config.Options)");
}

#define BOTH(f)                                                 \
	cmocka_unit_test_setup_teardown(f, setup, client_done), \
	    cmocka_unit_test_setup_teardown(f, setup_8, client_done)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    BOTH(password_is_no_change),
	    BOTH(limits_of_a_drive),
	    BOTH(boot_disk_stays_while_it_runs),
	    BOTH(guest_keeps_its_devices),
	    BOTH(ide_disk_cannot_leave),
	    BOTH(disk_options_wait_or_not),
	    BOTH(agent_waits_but_for_trimming),
	    BOTH(usb_comes_at_once_where_the_system_takes_it),
	    BOTH(more_vcpus_than_there_are),
	    BOTH(medium_in_place_of_cloudinit),
	    BOTH(emptied_cloudinit_slot),
	    BOTH(cloudinit_does_not_change_slots_at_once),
	    BOTH(snapshot_keeps_what_is_deleted_by_force),
	    BOTH(drives_leave_in_order),
	    BOTH(balloon_is_checked_before_the_fork),
	    BOTH(what_only_goes_together),
	    BOTH(drives_need_the_right_of_their_kind),
	    BOTH(nic_needs_both_bridges),
	    BOTH(devices_of_the_host),
	    BOTH(tags_by_the_options_of_the_cluster),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
