/* What images take of a file system, by kind and size; worked out by hand. */
#include "sim_client.h"

static const char seed[] =
    "cluster: {image-data: 200M}\n"
    "timing: {request: 1}\n"
    "nodes: [{name: n1}, {name: n2}]\n"
    "storages: [{name: disks, type: dir, shared: true, content: [images], size: 100G}]\n"
    "users: [{name: root@pam, tokens: [{name: admin, secret: "
    "6f1c6e0c-5c1d-4f0e-9a59-000000000001, privsep: false}]}]\n"
    "guests:\n"
    "  - {id: 500, blank: true, config: {scsi0: \"disks:1,format=qcow2\", scsi1: "
    "\"disks:0.5,format=qcow2\", scsi2: \"disks:1,format=raw\", scsi3: \"disks:3,format=qcow2\","
    " scsi4: \"disks:1,format=vmdk\", efidisk0: \"disks:1,efitype=4m,format=raw\"}}\n"
    "  - {id: 600, template: true, config: {scsi0: \"disks:1,format=qcow2\", boot: "
    "\"order=scsi0\"}}\n"
    "  - {id: 700, template: true, blank: true, config: {scsi0: \"disks:1,format=raw\"}}\n";

/* Of the disk in this slot. */
static int64_t used(struct client *c, int64_t vmid, const char *slot)
{
	_cleanup_str_ char *param = mem_printf("vmid=%lld", (long long)vmid);
	const char *drive = sim_guest_get(c->sim, vmid, slot);
	_cleanup_str_ char *volid = NULL;

	assert_non_null(drive);
	volid = mem_strndup(drive, strcspn(drive, ","));
	assert_int_equal(call(c, "GET", "/nodes/n1/storage/disks/content", param), 200);
	for (size_t i = 0; i < jsn_len(c->a.data); i++)
		if (text_eq(jsn_get_text(jsn_at(c->a.data, i), "volid"), volid))
			return jsn_get_int(jsn_at(c->a.data, i), "used", -1);
	return -1;
}

/* A qcow2 of 64 KiB clusters: 4096 of the header, one cluster each for the table of counts, for
 * every 2 GiB counted, for the first level; one of the second level for each 512 MiB. */
static void empty_images(void **state)
{
	struct client c;

	(void)state;
	client_of(&c, seed, "images", "9.2");
	assert_int_equal(used(&c, 500, "scsi0"), 4096 + 5 * 65536);
	assert_int_equal(used(&c, 500, "scsi1"), 4096 + 4 * 65536);
	assert_int_equal(used(&c, 500, "scsi2"), 4096);
	/* 3 GiB: 1 + 2 + 1 + 6 clusters, and seven pieces, more than an inode lists. */
	assert_int_equal(used(&c, 500, "scsi3"), 4096 + 10 * 65536 + 4096);
	assert_int_equal(used(&c, 500, "scsi4"), 12288);
	assert_int_equal(used(&c, 500, "efidisk0"), 528 << 10);
	assert_string_equal(
	    call_task(&c, "PUT", "/nodes/n1/qemu/500/resize", "disk=scsi0&size=2G"), "OK");
	/* 32768 clusters of data and the tables themselves: two clusters of counts. */
	assert_int_equal(used(&c, 500, "scsi0"), 4096 + 8 * 65536 + 4096);
	client_fini(&c);
}

static void copies(void **state)
{
	struct client c;
	const int64_t data = (int64_t)200 << 20;

	(void)state;
	client_of(&c, seed, "images", "9.2");
	/* Put there as a file: the second level only for what holds data. */
	assert_int_equal(used(&c, 600, "scsi0"), 4096 + 4 * 65536 + data);
	assert_string_equal(
	    call_task(&c, "POST", "/nodes/n1/qemu/600/clone", "newid=601&full=1"), "OK");
	assert_int_equal(used(&c, 601, "scsi0"), 4096 + 5 * 65536 + data);
	assert_string_equal(call_task(&c, "POST", "/nodes/n1/qemu/600/clone", "newid=602"), "OK");
	assert_int_equal(used(&c, 602, "scsi0"), 4096 + 4 * 131072);
	/* Over a raw base nothing is made ahead. */
	assert_string_equal(call_task(&c, "POST", "/nodes/n1/qemu/700/clone", "newid=702"), "OK");
	assert_int_equal(used(&c, 702, "scsi0"), 4096 + 3 * 131072);
	client_fini(&c);
}

/* What the storage says is what its volumes take. */
static void sum(void **state)
{
	struct client c;
	int64_t all = 0;

	(void)state;
	client_of(&c, seed, "images", "8.4");
	assert_int_equal(call(&c, "GET", "/nodes/n1/storage/disks/content", NULL), 200);
	for (size_t i = 0; i < jsn_len(c.a.data); i++)
		all += jsn_get_int(jsn_at(c.a.data, i), "used", 0);
	assert_int_equal(call(&c, "GET", "/nodes/n2/storage/disks/status", NULL), 200);
	assert_true(all > (int64_t)200 << 20);
	assert_int_equal(jsn_get_int(c.a.data, "used", 0), all);
	assert_int_equal(jsn_get_int(c.a.data, "avail", 0), ((int64_t)100 << 30) - all);
	client_fini(&c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(empty_images),
	    cmocka_unit_test(copies),
	    cmocka_unit_test(sum),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
