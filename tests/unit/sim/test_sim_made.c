/* What a guest is given when it is made, and who may say so: machine, tags, its first start. */
#include <inttypes.h>

#include "sim_client.h"

#define SECRET "6f1c6e0c-5c1d-4f0e-9a59-000000000001"
#define ROOT "PVEAPIToken=root@pam!t=" SECRET
#define MAKER "PVEAPIToken=maker@pve!t=" SECRET
#define NEW "/nodes/n/qemu"

static const char users[] =
    "nodes: [{name: n}]\n"
    "storages: [{name: disks, type: dir, content: [images, iso], size: 100G, iso: [a.iso]}]\n"
    "roles:\n"
    "  - {name: Make, privs: [VM.Allocate, VM.Audit, VM.Config.Options, VM.Config.Disk, "
    "VM.Config.CPU, VM.Config.HWType, VM.Config.CDROM, VM.PowerMgmt, VM.Clone]}\n"
    "  - {name: Room, privs: [Datastore.AllocateSpace, Datastore.Audit]}\n"
    "  - {name: Model, privs: [Mapping.Use]}\n"
    "  - {name: Audit, privs: [Sys.Audit]}\n"
    "users:\n"
    "  - {name: root@pam, tokens: [{name: t, secret: " SECRET ", privsep: false}]}\n"
    "  - {name: maker@pve, tokens: [{name: t, secret: " SECRET ", privsep: false}]}\n"
    "acl:\n"
    "  - {path: /vms, who: maker@pve, role: Make}\n"
    "  - {path: /storage, who: maker@pve, role: Room}\n";

static struct client cl;

/* A cluster with these lines on top. */
static struct client *with(const char *top, const char *rest, const char *version)
{
	_cleanup_str_ char *yaml = mem_printf("%s%s%s", top, users, rest);

	client_of(&cl, yaml, "made", version);
	cl.auth = ROOT;
	return &cl;
}

static const char *made(struct client *c, int64_t vmid, const char *params, const char *key)
{
	_cleanup_str_ char *all = mem_printf("vmid=%" PRId64 "&%s", vmid, params);

	assert_string_equal(call_task(c, "POST", NEW, all), "OK");
	return sim_guest_get(c->sim, vmid, key);
}

static void windows_gets_a_machine_of_its_own(void **state)
{
	struct client *c = with("cluster: {qemu: 10.0.2}\n", "guests: []\n", "9.2");

	(void)state;
	assert_string_equal(made(c, 100, "ostype=win11", "machine"), "pc-i440fx-10.0+pve1");
	assert_string_equal(made(c, 101, "ostype=w2k8&machine=q35", "machine"), "pc-q35-10.0+pve1");
	assert_string_equal(made(c, 102, "ostype=win10&machine=viommu=virtio,type=q35", "machine"),
	    "pc-q35-10.0+pve1,viommu=virtio");
	assert_string_equal(
	    made(c, 103, "ostype=win10&machine=pc-q35-8.1", "machine"), "pc-q35-8.1");
	assert_null(made(c, 104, "ostype=l26", "machine"));
	assert_string_equal(made(c, 105, "ostype=l26&machine=q35", "machine"), "q35");
	client_fini(c);
	/* A version without revisions of Proxmox' own. */
	c = with("cluster: {qemu: 10.2.1}\n", "guests: []\n", "9.2");
	assert_string_equal(made(c, 100, "ostype=wvista", "machine"), "pc-i440fx-10.2");
	client_fini(c);
	c = with("cluster: {qemu: 9.2.0}\n", "guests: []\n", "8.4");
	assert_string_equal(made(c, 100, "ostype=win11", "machine"), "pc-i440fx-9.2+pve1");
	client_fini(c);
}

static void windows_later(void **state)
{
	struct client *c = with("cluster: {qemu: 10.2.1}\n", "guests: []\n", "9.2");
	static const struct {
		const char *before, *put, *machine;
	} cases[] = {
	    {"memory=64", "ostype=win11", "pc-i440fx-10.2"},
	    {"machine=q35", "ostype=win11", "pc-q35-10.2"},
	    {"machine=q35,viommu=intel", "ostype=win11", "pc-q35-10.2,viommu=intel"},
	    {"machine=pc-q35-7.2", "ostype=win11", "pc-q35-7.2"},
	    {"machine=q35", "ostype=l26", "q35"},
	    {"memory=64", "ostype=win11&machine=q35", "q35"},
	    {"machine=q35", "ostype=win11&delete=machine", NULL},
	    {"memory=64", "ostype=other", NULL},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		int64_t vmid = 200 + (int64_t)i;
		_cleanup_str_ char *path = mem_printf(NEW "/%" PRId64 "/config", vmid);

		made(c, vmid, cases[i].before, "name");
		assert_int_equal(call(c, "PUT", path, cases[i].put), 200);
		if (cases[i].machine)
			assert_string_equal(
			    sim_guest_get(c->sim, vmid, "machine"), cases[i].machine);
		else
			assert_null(sim_guest_get(c->sim, vmid, "machine"));
	}
	client_fini(c);
}

static void what_does_not_go_together_is_not_made(void **state)
{
	struct client *c = with("", "guests: []\n", "9.2");

	(void)state;
	assert_string_equal(
	    call_task(c, "POST", NEW, "vmid=100&scsi0=disks:1&machine=viommu=intel"),
	    "unable to create VM 100 - to use Intel vIOMMU please set the machine type to q35");
	assert_false(sim_guest_exists(c->sim, 100));
	assert_int_equal(sim_volumes_of(c->sim, 100), 0);
	assert_string_equal(
	    call_task(c, "POST", NEW, "vmid=100&machine=q35,viommu=intel,aw-bits=40"),
	    "unable to create VM 100 - Intel vIOMMU supports only 39 or 48 bits as address width");
	assert_string_equal(call_task(c, "POST", NEW, "vmid=100&machine=q35,aw-bits=39"),
	    "unable to create VM 100 - cannot set aw-bits if no vIOMMU is configured");
	assert_string_equal(call_task(c, "POST", NEW, "vmid=100&vga=none,clipboard=vnc"),
	    "unable to create VM 100 - vga type none is not compatible with VNC clipboard");
	client_fini(c);
}

/* --- tags --- */

static void tags_of_a_new_guest(void **state)
{
	static const char *const options =
	    "cluster: {options: {registered-tags: \"gold;silver\"}}\n";
	struct client *c = with(options, "guests: []\n", "9.2");

	(void)state;
	c->auth = MAKER;
	assert_string_equal(made(c, 100, "tags=Web;db;web", "tags"), "db;web");
	assert_string_equal(call_task(c, "POST", NEW, "vmid=101&scsi0=disks:1&tags=web;gold"),
	    "unable to create VM 101 - 403 Permission check failed (/, Sys.Modify for modifying "
	    "tag "
	    "'gold')");
	assert_false(sim_guest_exists(c->sim, 101));
	assert_int_equal(sim_volumes_of(c->sim, 101), 0);
	c->auth = ROOT;
	assert_string_equal(made(c, 101, "tags=web;gold", "tags"), "gold;web");
	client_fini(c);
	/* Before 9 nobody looked. */
	c = with(options, "guests: []\n", "8.4");
	c->auth = MAKER;
	assert_string_equal(made(c, 100, "tags=web;gold", "tags"), "web;gold");
	client_fini(c);
}

/* Where not all tags are free a new guest can have none from who may not change the cluster. */
static void no_tags_without_freedom(void **state)
{
	struct client *c = with("cluster: {options: {user-tag-access: "
				"\"user-allow=list,user-allow-list=web;db\"}}\n",
	    "guests: [{id: 300, node: n, config: {tags: web}}]\n", "9.2");
	const char *why;

	(void)state;
	c->auth = MAKER;
	why = call_task(c, "POST", NEW, "vmid=100&tags=db");
	assert_true(text_starts(why, "unable to create VM 100 - 403 Permission check failed (/, "
				     "Sys.Modify for modifying tag "
				     "'HASH(0x"));
	why = call_task(c, "POST", NEW, "vmid=100&tags=db;no");
	assert_non_null(strstr(why, "modifying tag 'no')"));
	assert_string_equal(call_task(c, "POST", NEW, "vmid=100"), "OK");
	/* One that is there may be given what is listed, and loses what is. */
	assert_int_equal(call(c, "PUT", NEW "/300/config", "tags=db"), 200);
	assert_int_equal(call(c, "PUT", NEW "/300/config", "tags=db;no"), 403);
	assert_string_equal(
	    c->a.reason, "Permission check failed (/, Sys.Modify for modifying tag 'no')");
	assert_int_equal(call(c, "PUT", NEW "/300/config", "delete=tags"), 200);
	client_fini(c);
}

/* --- the first start --- */

static const struct jsn *task_of(struct client *c, const char *type)
{
	assert_int_equal(call(c, "GET", "/nodes/n/tasks", "source=all"), 200);
	for (size_t i = 0; i < jsn_len(c->a.data); i++)
		if (text_eq(jsn_get_text(jsn_at(c->a.data, i), "type"), type))
			return jsn_at(c->a.data, i);
	return NULL;
}

static void first_start_is_a_task_of_its_own(void **state)
{
	struct client *c = with("", "guests: []\n", "9.2");
	const struct jsn *t;

	(void)state;
	c->auth = MAKER;
	assert_string_equal(call_task(c, "POST", NEW, "vmid=100&start=1&scsi0=disks:1"), "OK");
	t = task_of(c, "qmstart");
	assert_string_equal(jsn_get_text(t, "user"), "maker@pve!t");
	assert_string_equal(jsn_get_text(t, "id"), "100");
	sim_run_until(c->sim, sim_now(c->sim) + 5000);
	assert_true(sim_guest_running(c->sim, 100));
	/* It fails by itself: the guest is there all the same. */
	assert_string_equal(call_task(c, "POST", NEW, "vmid=101&start=1&cores=99"), "OK");
	sim_run_until(c->sim, sim_now(c->sim) + 5000);
	assert_true(sim_guest_exists(c->sim, 101));
	assert_false(sim_guest_running(c->sim, 101));
	client_fini(c);
}

/* Each network device takes its time. */
static void a_start_takes_longer_with_each_nic(void **state)
{
	struct client *c = with("timing: {start: 2s, nic: 3s}\n",
	    "guests:\n"
	    "  - {id: 100, node: n, config: {memory: 16}}\n"
	    "  - {id: 101, node: n, config: {net0: virtio, net3: virtio}}\n",
	    "9.2");

	(void)state;
	for (int i = 0; i < 2; i++) {
		int64_t since = sim_now(c->sim), took;

		assert_string_equal(
		    call_task(
			c, "POST", i ? NEW "/101/status/start" : NEW "/100/status/start", NULL),
		    "OK");
		took = sim_now(c->sim) - since;
		assert_true(took >= (i ? 8000 : 2000) && took < (i ? 8500 : 2500));
	}
	client_fini(c);
}

/* An exception says its number in a task, and all of it is one line. */
static void what_a_task_says_of_an_exception(void **state)
{
	struct client *c = with("",
	    "  - {path: /storage, who: \"maker@pve!none\", role: Room}\n"
	    "guests: [{id: 100, node: n, config: {scsi0: \"disks:1\"}}]\n",
	    "9.2");

	(void)state;
	assert_int_equal(
	    call(c, "PUT", "/access/acl", "path=/storage&users=maker@pve&roles=Room&delete=1"),
	    200);
	c->auth = MAKER;
	assert_string_equal(call_task(c, "PUT", NEW "/100/resize", "disk=scsi0&size=2G"),
	    "403 Permission check failed (/storage/disks, Datastore.AllocateSpace)");
	client_fini(c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(windows_gets_a_machine_of_its_own),
	    cmocka_unit_test(windows_later),
	    cmocka_unit_test(what_does_not_go_together_is_not_made),
	    cmocka_unit_test(tags_of_a_new_guest),
	    cmocka_unit_test(no_tags_without_freedom),
	    cmocka_unit_test(first_start_is_a_task_of_its_own),
	    cmocka_unit_test(a_start_takes_longer_with_each_nic),
	    cmocka_unit_test(what_a_task_says_of_an_exception),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
