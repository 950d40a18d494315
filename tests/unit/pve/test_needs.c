/* Expected privileges are those of PVE::API2::Qemu and the tables, written down by hand. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "bundle.h"
#include "needs.h"

static const struct need *find(const struct needs *l, const char *privilege, const char *path)
{
	for (size_t i = 0; i < l->n; i++)
		if (text_eq(l->v[i].privilege, privilege) && text_eq(l->v[i].path, path))
			return &l->v[i];
	return NULL;
}

#define HEAD(name)                                                                        \
	"apiVersion: ramet.dev/v1\nkind: ClonedVM\nmetadata: { name: " name " }\nspec:\n" \
	"  node_name: pve1\n"

static struct bundle *load(const char *text)
{
	struct bundle_file f = {.path = "a.yaml", .data = text, .len = strlen(text)};
	struct bundle *b = NULL;
	assert_int_equal(bundle_build("rev", &f, 1, NULL, &b, NULL), 0);
	return b;
}

static void the_controller_itself(void **state UNUSED)
{
	_cleanup_needs_ struct needs l = {0};
	needs_add_controller(&l);
	assert_non_null(find(&l, "Sys.Audit", "/"));
	assert_non_null(find(&l, "VM.Audit", "/vms"));
	assert_false(find(&l, "Sys.Audit", "/")->wished);
	assert_true(find(&l, "Sys.Syslog", "/")->wished);
	/* What depends on a VM is not asked for without one. */
	for (size_t i = 0; i < l.n; i++)
		assert_null(strchr(l.v[i].path, '{'));
}

static void a_manifest_without_a_pool(void **state UNUSED)
{
	_cleanup_needs_ struct needs l = {0};
	struct bundle *b =
	    load(HEAD("web-01") "  id: 1204\n"
				"  clone: { source_vm_id: 9000, target_datastore: fast }\n"
				"  cpu: { cores: 2 }\n"
				"  network: { net0: { bridge: vmbr1 } }\n"
				"  disk: { scsi1: { datastore_id: slow, size_gb: 4 } }\n");
	assert_int_equal(b->n, 1);
	needs_add_manifest(&l, b->v[0].res);
	assert_non_null(find(&l, "VM.Clone", "/vms/9000"));
	assert_non_null(find(&l, "VM.Allocate", "/vms/1204"));
	assert_non_null(find(&l, "VM.Config.CPU", "/vms/1204"));
	assert_non_null(find(&l, "VM.Config.Network", "/vms/1204"));
	assert_non_null(find(&l, "VM.Config.Disk", "/vms/1204"));
	assert_non_null(find(&l, "VM.Config.Options", "/vms/1204"));
	assert_non_null(find(&l, "Datastore.AllocateSpace", "/storage/fast"));
	assert_non_null(find(&l, "Datastore.AllocateSpace", "/storage/slow"));
	assert_non_null(find(&l, "SDN.Use", "/sdn/zones/localnetwork/vmbr1"));
	assert_null(find(&l, "VM.Config.Memory", "/vms/1204"));
	assert_null(find(&l, "VM.PowerMgmt", "/vms/1204"));
	assert_null(find(&l, "VM.Migrate", "/vms/1204"));
	assert_string_equal(find(&l, "VM.Config.CPU", "/vms/1204")->who, "web-01");
	bundle_unref(&b);
}

/* PVE::API2::Qemu check_storage_access, check_usb_perm, check_hostpci_perm, check_rng_perm and
 * check_dir_perm, which look at what stands in the value. */
static void what_a_value_names(void **state UNUSED)
{
	_cleanup_needs_ struct needs l = {0};
	struct bundle *b = load(HEAD(
	    "a") "  id: 1204\n  clone: { source_vm_id: 9000 }\n"
		 "  cdrom: { ide2: { file_id: cdrom }, ide3: { file_id: \"media:iso/vm-5-a.iso\" } "
		 "}\n"
		 "  disk: { scsi1: { import_from: \"depot:import/a.qcow2\", datastore_id: fast },\n"
		 "    scsi2: { import_from: \"slow:vm-77-disk-0\", datastore_id: fast } }\n"
		 "  initialization: { user_data_file_id: \"texts:snippets/a.yaml\" }\n"
		 "  rng: { source: /dev/hwrng }\n"
		 "  cpu: { type: custom-big }\n"
		 "  usb: { usb0: { mapping: key1 }, usb1: { host: spice } }\n"
		 "  hostpci: { hostpci0: { mapping: gpu1 } }\n"
		 "  virtiofs: { virtiofs0: { mapping: share1 } }\n");
	assert_int_equal(b->n, 1);
	needs_add_manifest(&l, b->v[0].res);
	assert_non_null(find(&l, "Sys.Console", "/"));
	assert_non_null(find(&l, "Datastore.Audit", "/storage/media"));
	assert_non_null(find(&l, "Datastore.Audit", "/storage/depot"));
	assert_non_null(find(&l, "VM.Clone", "/vms/77"));
	assert_null(find(&l, "Datastore.Audit", "/storage/slow"));
	assert_non_null(find(&l, "Datastore.Audit", "/storage/texts"));
	assert_non_null(find(&l, "Mapping.Use", "/mapping/hwrng"));
	/* Older versions do not ask for it. */
	assert_non_null(find(&l, "Mapping.Use", "/mapping/cpu/big"));
	assert_true(find(&l, "Mapping.Use", "/mapping/cpu/big")->wished);
	assert_non_null(find(&l, "Mapping.Use", "/mapping/usb/key1"));
	assert_non_null(find(&l, "Mapping.Use", "/mapping/pci/gpu1"));
	assert_non_null(find(&l, "Mapping.Use", "/mapping/dir/share1"));
	bundle_unref(&b);
}

/* check_drive_perms of update_vm_api: a drive for media is another right than a disk. */
static void a_deleted_drive(void **state UNUSED)
{
	_cleanup_needs_ struct needs l = {0};
	struct bundle *b = load(HEAD("a") "  id: 1204\n  clone: { source_vm_id: 9000 }\n"
					  "  delete: { disk: [ide0, ide2, scsi1] }\n");
	const struct resource *r = b->v[0].res;
	needs_add_source(&l, r, "scsi1", "local-lvm:vm-9000-disk-1,size=1G");
	needs_add_source(&l, r, "ide3", "none,media=cdrom");
	assert_null(find(&l, "VM.Config.CDROM", "/vms/1204"));
	needs_add_source(&l, r, "ide0", "none,media=cdrom");
	assert_non_null(find(&l, "VM.Config.CDROM", "/vms/1204"));
	assert_null(find(&l, "VM.Config.Cloudinit", "/vms/1204"));
	needs_add_source(&l, r, "ide2", "local-lvm:vm-9000-cloudinit,media=cdrom");
	assert_non_null(find(&l, "VM.Config.Cloudinit", "/vms/1204"));
	bundle_unref(&b);
}

/* The same of a template, of which the clone has it. */
static void what_a_source_names(void **state UNUSED)
{
	_cleanup_needs_ struct needs l = {0};
	struct bundle *b =
	    load(HEAD("a") "  clone: { source_vm_id: 9000, target_datastore: fast }\n");
	const struct resource *r = b->v[0].res;
	needs_add_source(&l, r, "ide2", "none,media=cdrom");
	needs_add_source(&l, r, "description", "cdrom");
	assert_null(find(&l, "Sys.Console", "/"));
	needs_add_source(&l, r, "ide2", "cdrom,media=cdrom");
	needs_add_source(&l, r, "usb0", "mapping=key1,usb3=1");
	needs_add_source(&l, r, "hostpci1", "mapping=gpu1,pcie=1");
	needs_add_source(&l, r, "virtiofs0", "share1,cache=auto");
	needs_add_source(&l, r, "rng0", "source=/dev/hwrng,max_bytes=1");
	needs_add_source(&l, r, "cpu", "custom-own,flags=+aes");
	assert_non_null(find(&l, "Sys.Console", "/"));
	assert_non_null(find(&l, "Mapping.Use", "/mapping/usb/key1"));
	assert_non_null(find(&l, "Mapping.Use", "/mapping/pci/gpu1"));
	assert_non_null(find(&l, "Mapping.Use", "/mapping/dir/share1"));
	assert_non_null(find(&l, "Mapping.Use", "/mapping/hwrng"));
	assert_non_null(find(&l, "Mapping.Use", "/mapping/cpu/own"));
	bundle_unref(&b);
}

/* What PVE asks for on top of what an attribute needs. */
static void more_than_the_attribute_says(void **state UNUSED)
{
	_cleanup_needs_ struct needs l = {0};
	struct bundle *b = load(HEAD("a") "  id: 1204\n  clone: { source_vm_id: 9000 }\n"
					  "  initialization: { datastore_id: fast }\n");
	assert_int_equal(b->n, 1);
	needs_add_manifest(&l, b->v[0].res);
	/* The drive of cloud-init is a CD-ROM drive as well. */
	assert_non_null(find(&l, "VM.Config.Cloudinit", "/vms/1204"));
	assert_non_null(find(&l, "VM.Config.CDROM", "/vms/1204"));
	assert_null(find(&l, "Sys.Modify", "/"));
	bundle_unref(&b);
	/* When a guest starts with its node is the node's affair. */
	b = load(
	    HEAD("a") "  id: 1204\n  clone: { source_vm_id: 9000 }\n  startup: { order: 1 }\n");
	assert_int_equal(b->n, 1);
	needs_add_manifest(&l, b->v[0].res);
	assert_non_null(find(&l, "Sys.Modify", "/"));
	bundle_unref(&b);
}

static void a_pool_gives_rights_too(void **state UNUSED)
{
	_cleanup_needs_ struct needs l = {0};
	struct bundle *b = load(
	    HEAD("a") "  clone: { source_vm_id: 9000, pool_id: web }\n  started: true\n"
		      "---\n" HEAD(
			  "b") "  clone: { source_vm_id: 9000, pool_id: web }\n  placement: pin\n");
	assert_int_equal(b->n, 2);
	for (size_t i = 0; i < b->n; i++)
		needs_add_manifest(&l, b->v[i].res);
	const struct need *n = find(&l, "VM.Allocate", "/pool/web");
	assert_non_null(n);
	assert_string_equal(n->or_path, "/vms");
	assert_non_null(find(&l, "Pool.Allocate", "/pool/web"));
	assert_non_null(find(&l, "VM.PowerMgmt", "/pool/web"));
	assert_non_null(find(&l, "VM.Migrate", "/pool/web"));
	bundle_unref(&b);
}

static void the_source_tells_storages_and_bridges(void **state UNUSED)
{
	_cleanup_needs_ struct needs l = {0};
	struct bundle *b = load(HEAD("a") "  clone: { source_vm_id: 9000 }\n");
	const struct resource *r = b->v[0].res;
	needs_add_source(&l, r, "scsi0", "local-lvm:base-9000-disk-0,size=8G");
	needs_add_source(&l, r, "efidisk0", "ceph:base-9000-disk-1,size=4M");
	needs_add_source(&l, r, "ide2", "local:iso/debian.iso,media=cdrom");
	needs_add_source(&l, r, "ide3", "none,media=cdrom");
	needs_add_source(&l, r, "net0", "virtio=BC:24:11:00:00:01,bridge=vmbr7,tag=5");
	needs_add_source(&l, r, "scsihw", "virtio-scsi-single");
	needs_add_source(&l, r, "network", "net0");
	needs_add_source(&l, r, "vmstatestorage", "states");
	assert_int_equal(l.n, 6);
	assert_non_null(find(&l, "Datastore.AllocateSpace", "/storage/states"));
	assert_non_null(find(&l, "Datastore.Audit", "/storage/ceph"));
	assert_non_null(find(&l, "Datastore.AllocateSpace", "/storage/local-lvm"));
	assert_non_null(find(&l, "Datastore.AllocateSpace", "/storage/ceph"));
	assert_non_null(find(&l, "SDN.Use", "/sdn/zones/localnetwork/vmbr7"));
	bundle_unref(&b);
}

/* Nobody but PVE knows whether a name is a bridge or a VNet, and in which zone. */
static void a_bridge_may_be_a_vnet(void **state UNUSED)
{
	static const struct need bridge = {
	    .privilege = (char *)"SDN.Use", .path = (char *)"/sdn/zones/localnetwork/web"};
	static const struct need storage = {
	    .privilege = (char *)"Datastore.Audit", .path = (char *)"/storage/web"};
	static const struct {
		const char *rights;
		bool may_be;
	} rows[] = {
	    {"{\"/\":{},\"/sdn/zones/office\":{\"SDN.Use\":1}}", true},
	    {"{\"/sdn/zones/office/web\":{\"SDN.Use\":1}}", true},
	    {"{\"/sdn/zones/office/web\":{\"SDN.Audit\":1}}", false},
	    {"{\"/sdn/zones/localnetwork\":{\"SDN.Use\":0}}", false},
	    {"{\"/sdn/zones/localnetwork/vmbr0\":{\"SDN.Use\":1}}", false},
	    {"{}", false},
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		_cleanup_jsn_ struct jsn *j = NULL;
		assert_int_equal(jsn_parse(rows[i].rights, strlen(rows[i].rights), &j, NULL), 0);
		assert_int_equal(needs_may_be_vnet(&bridge, j), rows[i].may_be);
		assert_false(needs_may_be_vnet(&storage, j));
	}
}

/* What all need does not grow with the numbers of the VMs; what is on a path comes once. */
static void what_is_needed_by_all(void **state UNUSED)
{
	_cleanup_needs_ struct needs all = {.shared = true}, there = {0};
	struct bundle *numbered = load(HEAD("a") "  id: 1204\n  clone: { source_vm_id: 9000 }\n");
	struct bundle *pooled =
	    load(HEAD("b") "  id: 1205\n  clone: { source_vm_id: 9000, pool_id: lab }\n");
	struct bundle *pooled_too =
	    load(HEAD("c") "  id: 1206\n  clone: { source_vm_id: 9000, pool_id: lab }\n");

	needs_add_manifest(&all, numbered->v[0].res);
	assert_non_null(find(&all, "VM.Clone", "/vms/9000"));
	assert_null(find(&all, "VM.Allocate", "/vms/1204"));
	needs_add_manifest(&all, pooled->v[0].res);
	size_t n = all.n;
	needs_add_manifest(&all, pooled_too->v[0].res);
	assert_int_equal(all.n, n);
	needs_add_manifest(&there, pooled->v[0].res);
	needs_add_manifest(&there, pooled_too->v[0].res);
	_cleanup_needs_ struct needs once = {0};
	needs_add_at(&once, &there, "/pool/lab");
	/* Pool.Allocate, VM.Allocate, VM.Audit, VM.Config.Options */
	assert_int_equal(once.n, 4);
	bundle_unref(&numbered);
	bundle_unref(&pooled);
	bundle_unref(&pooled_too);
}

/* A need is found after the list was sorted too. */
static void sorting_loses_nothing(void **state UNUSED)
{
	_cleanup_needs_ struct needs l = {0};
	char path[32];

	for (int round = 0; round < 2; round++) {
		for (int i = 999; i >= 0; i--) {
			snprintf(path, sizeof(path), "/vms/%d", i);
			needs_add_path(&l, "VM.Audit", path, "");
		}
		needs_sort(&l);
		assert_int_equal(l.n, 1000);
	}
}

static void the_list_has_an_end(void **state UNUSED)
{
	_cleanup_needs_ struct needs l = {0};
	struct bundle *b = load(HEAD("a") "  clone: { source_vm_id: 9000 }\n");
	for (int i = 0; i <= NEEDS_MAX; i++) {
		char value[64];
		snprintf(value, sizeof(value), "s%d:vm-9000-disk-0", i);
		needs_add_source(&l, b->v[0].res, "scsi0", value);
	}
	assert_int_equal(l.n, NEEDS_MAX);
	assert_true(l.overflow);
	bundle_unref(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(the_controller_itself),
	    cmocka_unit_test(a_manifest_without_a_pool),
	    cmocka_unit_test(what_a_value_names),
	    cmocka_unit_test(what_a_source_names),
	    cmocka_unit_test(a_deleted_drive),
	    cmocka_unit_test(more_than_the_attribute_says),
	    cmocka_unit_test(a_pool_gives_rights_too),
	    cmocka_unit_test(the_source_tells_storages_and_bridges),
	    cmocka_unit_test(a_bridge_may_be_a_vnet),
	    cmocka_unit_test(what_is_needed_by_all),
	    cmocka_unit_test(sorting_loses_nothing),
	    cmocka_unit_test(the_list_has_an_end),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
