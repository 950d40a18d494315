/* What a name says and what it does not: whose an image is, what a cloud-init drive is, which
 * number a new image gets; and what a guest may boot from. */
#include "sim_client.h"

#define SECRET "6f1c6e0c-5c1d-4f0e-9a59-000000000001"
#define ROOT "PVEAPIToken=root@pam!t=" SECRET
#define BOT "PVEAPIToken=bot@pve!t=" SECRET
#define OF(vmid) "/nodes/n/qemu/" #vmid
#define CONTENT(store) "/nodes/n/storage/" store "/content"

static const char *const seed =
    "timing: {request: 1}\n"
    "nodes: [{name: n}]\n"
    "storages:\n"
    "  - {name: files, type: dir, path: /srv, content: [images, iso], size: 900G, iso: [a.iso]}\n"
    "  - {name: share, type: nfs, content: [images], size: 900G}\n"
    "  - {name: thin, type: lvmthin, content: [images], size: 900G}\n"
    "  - {name: discs, type: dir, content: [iso], size: 9G}\n"
    "roles:\n"
    "  - {name: Own, privs: [VM.Audit, VM.Allocate, VM.Clone, VM.Config.Disk, VM.Config.CDROM,\n"
    "      VM.Config.Cloudinit, VM.Config.CPU, VM.Config.Network, VM.Config.Options]}\n"
    "  - {name: Room, privs: [Datastore.AllocateSpace]}\n"
    "  - {name: Wire, privs: [SDN.Use]}\n"
    "  - {name: Model, privs: [Mapping.Use]}\n"
    "  - {name: Look, privs: [Sys.Audit]}\n"
    "cluster: {cpu-models: [fast, slow]}\n"
    "users:\n"
    "  - {name: root@pam, tokens: [{name: t, secret: " SECRET ", privsep: false}]}\n"
    "  - {name: bot@pve, tokens: [{name: t, secret: " SECRET ", privsep: false}]}\n"
    "acl:\n"
    "  - {path: /vms/310, who: bot@pve, role: Own}\n"
    "  - {path: /vms/320, who: bot@pve, role: Own}\n"
    "  - {path: /storage, who: bot@pve, role: Room}\n"
    "  - {path: /sdn/zones/localnetwork/vmbr0/7, who: bot@pve, role: Wire}\n"
    "  - {path: /sdn/zones/localnetwork/vmbr0/20, who: bot@pve, role: Wire}\n"
    "  - {path: /sdn/zones/localnetwork/vmbr0/21, who: bot@pve, role: Wire}\n"
    "  - {path: /mapping/cpu/fast, who: bot@pve, role: Model}\n"
    "guests:\n"
    "  - {id: 310, node: n, config: {name: mine, boot: \"order=scsi0\", scsi0: \"files:1\",\n"
    "      net0: \"virtio,bridge=vmbr0,tag=7\"}}\n"
    "  - {id: 311, node: n, config: {name: theirs, cpu: \"custom-slow\"}}\n"
    "volumes:\n"
    "  - {storage: files, name: 310/golden.qcow2, size: 2G}\n"
    "  - {storage: files, name: 310/vm-999-disk-0.raw, size: 2G}\n"
    "  - {storage: files, name: 311/vm-310-disk-7.raw, size: 2G}\n"
    "  - {storage: files, name: 310/cloudinit-notes.raw, size: 2G}\n"
    "  - {storage: thin, name: vm-310-cloudinit-old, size: 2G}\n";

static int setup_9(void **state)
{
	return client_of_seed(state, seed, "9.2", ROOT);
}

static int setup_8(void **state)
{
	return client_of_seed(state, seed, "8.4", ROOT);
}

static const char *conf(struct client *c, const char *key)
{
	return sim_guest_get(c->sim, 310, key);
}

static void set(struct client *c, const char *params)
{
	if (call(c, "PUT", OF(310) "/config", params) != 200)
		fail_msg("%s: %s %s", params, c->a.reason, c->a.text);
}

static void refused(struct client *c, const char *params, int status, const char *why)
{
	assert_int_equal(call(c, "PUT", OF(310) "/config", params), status);
	assert_string_equal(c->a.reason, why);
}

/* --- whose an image is --- */

static void the_folder_says_whose_it_is(void **state)
{
	struct client *c = *state;

	assert_int_equal(call(c, "GET", CONTENT("files"), "vmid=310"), 200);
	assert_non_null(strstr(c->a.text, "\"files:310/golden.qcow2\""));
	assert_non_null(strstr(c->a.text, "\"files:310/vm-999-disk-0.raw\""));
	assert_null(strstr(c->a.text, "vm-310-disk-7"));
	for (size_t i = 0; i < jsn_len(c->a.data); i++)
		assert_int_equal(jsn_get_int(jsn_at(c->a.data, i), "vmid", 0), 310);

	/* One may hang one's own images into one's guest, whatever they are called. */
	c->auth = BOT;
	set(c, "scsi1=files:310/golden.qcow2");
	assert_string_equal(conf(c, "scsi1"), "files:310/golden.qcow2,size=2G");
	set(c, "scsi2=files:310/vm-999-disk-0.raw");
	refused(c, "scsi3=files:311/vm-310-disk-7.raw", 403,
	    "Permission check failed (/storage/files, Datastore.Audit)");

	/* What leaves its slot is kept if it is the guest's own, and goes with it. */
	set(c, "delete=scsi1,scsi2");
	assert_string_equal(conf(c, "unused0"), "files:310/golden.qcow2");
	assert_string_equal(conf(c, "unused1"), "files:310/vm-999-disk-0.raw");
	c->auth = ROOT;
	set(c, "scsi3=files:311/vm-310-disk-7.raw");
	set(c, "delete=scsi3");
	assert_null(conf(c, "unused2"));
	assert_string_equal(call_task(c, "DELETE", OF(310), "destroy-unreferenced-disks=1"), "OK");
	assert_int_equal(sim_volume_size(c->sim, "n", "files:310/golden.qcow2"), -1);
	assert_int_equal(sim_volume_size(c->sim, "n", "files:310/vm-999-disk-0.raw"), -1);
	assert_true(sim_volume_size(c->sim, "n", "files:311/vm-310-disk-7.raw") > 0);
}

/* Plugin create_base: an image that is not called vm-… keeps its name, which is taken then: by
 * itself. The guest is a template by that time, and what came before it in the order of buses is a
 * base. */
static void only_some_become_bases(void **state)
{
	struct client *c = *state;

	set(c, "ide0=thin:1");
	set(c, "scsi5=files:310/golden.qcow2");
	set(c, "virtio0=thin:1");
	assert_string_equal(call_task(c, "POST", OF(310) "/template", NULL),
	    "file '/srv/images/310/golden.qcow2' already exists");
	assert_string_equal(conf(c, "template"), "1");
	assert_int_equal(strncmp(conf(c, "ide0"), "thin:base-310-disk-", 19), 0);
	assert_string_equal(conf(c, "scsi5"), "files:310/golden.qcow2,size=2G");
	assert_int_equal(strncmp(conf(c, "virtio0"), "thin:vm-310-disk-", 17), 0);
	/* The others one by one; what is a base already is passed over. */
	assert_string_equal(call_task(c, "POST", OF(310) "/template", "disk=virtio0"), "OK");
	assert_int_equal(strncmp(conf(c, "virtio0"), "thin:base-310-disk-", 19), 0);
	assert_string_equal(call_task(c, "POST", OF(310) "/template", "disk=virtio0"), "OK");
	assert_int_equal(call(c, "POST", OF(310) "/clone", "newid=312"), 500);
	assert_string_equal(c->a.reason,
	    "Linked clone feature is not supported for 'files:310/golden.qcow2' (scsi5)");
}

static void names_that_storages_take(void **state)
{
	struct client *c = *state;
	static const struct {
		const char *store, *params, *why;
	} cases[] = {
	    {"files", "vmid=310&filename=own.qcow2&size=1G", NULL},
	    {"files", "vmid=310&filename=own.qcow2&size=1G",
		"disk image '/srv/images/310/own.qcow2' already exists"},
	    {"files", "vmid=310&filename=own&size=1G", "unable to parse volume filename 'own'"},
	    {"files", "vmid=310&filename=own.vhd&size=1G",
		"unable to parse volume filename 'own.vhd'"},
	    {"files", "vmid=310&filename=a.subvol&size=1G",
		"illegal name 'a.subvol' - wrong extension for format ('subvol != 'raw')"},
	    {"thin", "vmid=310&filename=vm-310-x&size=1G", NULL},
	    {"thin", "vmid=310&filename=vm-31-x&size=1G",
		"illegal name 'vm-31-x' - should be 'vm-310-*'"},
	    {"thin", "vmid=310&filename=vm-310-y.qcow2&size=1G", "unsupported format 'qcow2'"},
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		_cleanup_str_ char *path =
		    mem_printf("/nodes/n/storage/%s/content", cases[i].store);

		assert_int_equal(call(c, "POST", path, cases[i].params), cases[i].why ? 500 : 200);
		if (cases[i].why)
			assert_string_equal(c->a.reason, cases[i].why);
	}
	assert_true(sim_volume_size(c->sim, "n", "files:310/own.qcow2") == 1 << 30);
	assert_int_equal(
	    call(c, "POST", CONTENT("files"), "vmid=310&filename=b.raw&size=1G&format=qcow2"), 400);
	assert_string_equal(param_error(c, "format"), "different storage formats (qcow2 != raw)");
}

/* The numbers of a directory are counted together, those of a share by their format. */
static void numbers_by_format(void **state)
{
	struct client *c = *state;

	set(c, "scsi1=files:1,format=qcow2");
	assert_string_equal(conf(c, "scsi1"), "files:310/vm-310-disk-1.qcow2,size=1G");
	set(c, "scsi2=share:1,format=qcow2");
	set(c, "scsi3=share:1,format=raw");
	set(c, "scsi4=share:1,format=raw");
	assert_string_equal(conf(c, "scsi2"), "share:310/vm-310-disk-0.qcow2,size=1G");
	assert_string_equal(conf(c, "scsi3"), "share:310/vm-310-disk-0.raw,size=1G");
	assert_string_equal(conf(c, "scsi4"), "share:310/vm-310-disk-1.raw,size=1G");
}

/* --- cloud-init drives, discs --- */

static void what_is_only_called_so(void **state)
{
	struct client *c = *state;

	/* Neither is the drive, so that one may be made; both are disks. */
	set(c, "scsi1=files:310/cloudinit-notes.raw");
	set(c, "scsi2=thin:vm-310-cloudinit-old");
	set(c, "ide2=files:cloudinit");
	assert_string_equal(conf(c, "ide2"), "files:310/vm-310-cloudinit.qcow2,media=cdrom");
	refused(
	    c, "ide0=thin:cloudinit", 500, "ide0 - cloud-init drive is already attached at 'ide2'");
	set(c, "delete=scsi1,scsi2,ide2");
	assert_string_equal(conf(c, "unused0"), "files:310/cloudinit-notes.raw");
	assert_string_equal(conf(c, "unused1"), "thin:vm-310-cloudinit-old");
	assert_null(conf(c, "unused2"));
}

static void discs_can_be_booted_from(void **state)
{
	struct client *c = *state;

	set(c, "ide2=files:cloudinit");
	assert_string_equal(conf(c, "boot"), "order=scsi0");
	set(c, "scsi1=files:1");
	assert_string_equal(conf(c, "boot"), "order=scsi0");
	set(c, "ide0=files:iso/a.iso,media=cdrom");
	assert_string_equal(conf(c, "boot"), "order=scsi0;ide0");
	set(c, "ide0=none,media=cdrom");
	set(c, "sata1=none,media=cdrom");
	assert_string_equal(conf(c, "boot"), "order=scsi0;ide0;sata1");
	set(c, "delete=ide0");
	assert_string_equal(conf(c, "boot"), "order=scsi0;sata1");
	/* Without an order all discs are booted from anyway. */
	set(c, "delete=boot");
	set(c, "ide0=none,media=cdrom");
	assert_null(conf(c, "boot"));
}

/* --- rights by what a value names --- */

static void each_vlan_needs_its_right(void **state)
{
	struct client *c = *state;

	c->auth = BOT;
	set(c, "net1=virtio,bridge=vmbr0,trunks=7;20-21");
	set(c, "net1=virtio,bridge=vmbr0,tag=20,trunks=7");
	refused(c, "net1=virtio,bridge=vmbr0,trunks=20-22", 403,
	    "Permission check failed (/sdn/zones/localnetwork/vmbr0/22, SDN.Use)");
	refused(c, "net1=virtio,bridge=vmbr0,tag=8,trunks=7", 403,
	    "Permission check failed (/sdn/zones/localnetwork/vmbr0/8, SDN.Use)");
	refused(c, "net1=virtio,bridge=vmbr0", 403,
	    "Permission check failed (/sdn/zones/localnetwork/vmbr0, SDN.Use)");
}

static void models_of_the_cluster(void **state)
{
	struct client *c = *state;

	refused(c, "cpu=custom-none", 400, "Parameter verification failed.");
	assert_string_equal(
	    param_error(c, "cpu"), "invalid format - Custom cputype 'none' not found\n");
	assert_int_equal(call(c, "GET", "/nodes/n/capabilities/qemu/cpu", NULL), 200);
	assert_non_null(strstr(c->a.text, "\"custom-fast\""));
	c->auth = BOT;
	assert_int_equal(call(c, "GET", "/nodes/n/capabilities/qemu/cpu", NULL), 200);
	assert_null(strstr(c->a.text, "\"custom-fast\""));
	set(c, "cpu=custom-fast");
	refused(
	    c, "cpu=custom-slow", 403, "Permission check failed (/mapping/cpu/slow, Mapping.Use)");
	/* Who has it already may change the rest. */
	c->auth = ROOT;
	set(c, "cpu=custom-slow");
	c->auth = BOT;
	set(c, "cpu=custom-slow,flags=+aes");
	set(c, "cpu=host");
	/* A clone needs it as well. */
	c->auth = ROOT;
	set(c, "cpu=custom-slow");
	c->auth = BOT;
	assert_int_equal(call(c, "POST", OF(310) "/clone", "newid=320"), 403);
	assert_string_equal(
	    c->a.reason, "Permission check failed (/mapping/cpu/slow, Mapping.Use)");
}

static void models_in_8(void **state)
{
	struct client *c = *state;

	c->auth = BOT;
	refused(c, "cpu=custom-fast", 403, "Permission check failed (/nodes, Sys.Audit)");
	c->auth = ROOT;
	assert_int_equal(
	    call(c, "PUT", "/access/acl", "path=/nodes&users=bot@pve&roles=Look"), 200);
	c->auth = BOT;
	set(c, "cpu=custom-slow");
}

/* --- clones --- */

static void linked_clones_have_a_tpm_of_their_own(void **state)
{
	struct client *c = *state;

	set(c, "tpmstate0=files:1,version=v2.0");
	assert_string_equal(call_task(c, "POST", OF(310) "/template", NULL), "OK");
	assert_string_equal(call_task(c, "POST", OF(310) "/clone", "newid=320"), "OK");
	assert_string_equal(sim_guest_get(c->sim, 320, "scsi0"),
	    "files:310/base-310-disk-0.raw/320/vm-320-disk-0.qcow2,size=1G");
	assert_string_equal(sim_guest_get(c->sim, 320, "tpmstate0"),
	    "files:320/vm-320-disk-1.raw,size=4M,version=v2.0");
}

static void clones_go_where_images_may_be(void **state)
{
	struct client *c = *state;

	assert_int_equal(call(c, "POST", OF(310) "/clone", "newid=320&storage=discs"), 400);
	assert_string_equal(
	    param_error(c, "storage"), "storage 'discs' does not support vm images");
}

#define TEST(name, version) cmocka_unit_test_setup_teardown(name, setup_##version, client_done)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(the_folder_says_whose_it_is, 9),
	    TEST(the_folder_says_whose_it_is, 8),
	    TEST(only_some_become_bases, 9),
	    TEST(only_some_become_bases, 8),
	    TEST(names_that_storages_take, 9),
	    TEST(numbers_by_format, 9),
	    TEST(what_is_only_called_so, 9),
	    TEST(what_is_only_called_so, 8),
	    TEST(discs_can_be_booted_from, 9),
	    TEST(discs_can_be_booted_from, 8),
	    TEST(each_vlan_needs_its_right, 9),
	    TEST(each_vlan_needs_its_right, 8),
	    TEST(models_of_the_cluster, 9),
	    TEST(models_in_8, 8),
	    TEST(linked_clones_have_a_tpm_of_their_own, 9),
	    TEST(linked_clones_have_a_tpm_of_their_own, 8),
	    TEST(clones_go_where_images_may_be, 9),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
