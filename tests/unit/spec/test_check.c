/* Rules within one manifest: when they speak, and above all when they do not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "check.h"
#include "decode.h"

#define QUIET DIAG_CODE__MAX

static const struct {
	const char *spec;
	enum diag_code code;
} cases[] = {
    {"", QUIET},
    {"delete: { network: [net1], disk: [ide2, scsi5] }\n  network: { net0: {} }", QUIET},
    {"delete: { disk: [ide2] }\n  cdrom: { ide2: {} }", DIAG_SLOT_DELETED},
    {"delete: { disk: [ide2] }\n  disk: { ide2: { size_gb: 1 } }", DIAG_SLOT_DELETED},
    {"disk: { scsi0: {} }\n  cdrom: { scsi1: {} }", QUIET},
    {"id: 9001", QUIET},
    {"description: \"ramet: our own VMs\"", QUIET},
    {"description: \"x\\n  RAMET: lab/x vmid=5 0\"", DIAG_MARKER_IN_DESCRIPTION},
    {"description: \"see ramet: lab/x vmid=5\"", QUIET},
    {"description: \"ramet:\\nvmid=5\"", QUIET},
    {"tags: [ramet, ramet-suspended]", QUIET},
    {"tags: [Ramet-Suspend]", DIAG_RESERVED_TAG},
    /* What is not listed may be anything in the template. */
    {"cpu: { cores: 1, vcpus: 8 }", QUIET},
    {"cpu: { sockets: 1, vcpus: 8 }", QUIET},
    {"cpu: { cores: 4, sockets: 2, vcpus: 8 }", QUIET},
    {"cpu: { cores: 4, sockets: 2, vcpus: null }", QUIET},
    {"cpu: { cores: 4, sockets: 2, vcpus: 9 }", DIAG_TOO_MANY_VCPUS},
    {"cpu: { flags: [], type: host }", QUIET},
    {"cpu: { flags: [] }", DIAG_FLAGS_WITHOUT_TYPE},
    {"memory: { balloon: 4096 }", QUIET},
    {"memory: { balloon: 1024, size: 1024 }", QUIET},
    {"memory: { balloon: 1025, size: 1024 }", DIAG_BALLOON_TOO_LARGE},
    {"memory: { hugepages: \"2\", size: 1024 }", QUIET},
    {"memory: { hugepages: \"2\", size: 1025 }", DIAG_HUGEPAGES_SIZE},
    {"memory: { hugepages: any, size: 1025 }", QUIET},
    {"memory: { hugepages: 1024, size: 2048 }\n  cpu: { numa: true }", QUIET},
    {"memory: { hugepages: 1024 }\n  cpu: { numa: null }", DIAG_HUGEPAGES_WITHOUT_NUMA},
    {"memory: { hugepages: null }\n  cpu: { numa: false }", QUIET},
    {"memory: { keep_hugepages: true }", QUIET},
    {"memory: { keep_hugepages: false, hugepages: null }", QUIET},
    {"network: { net0: { mtu: 1 }, net1: { mtu: 576 }, net2: { mtu: null } }", QUIET},
    {"network: { net0: { mtu: 575 } }", DIAG_MTU_VALUE},
    {"network: { net0: { mtu: 2 } }", DIAG_MTU_VALUE},
    {"network: { net0: { model: e1000, queues: 2 } }", DIAG_VIRTIO_ONLY},
    {"network: { net0: { model: e1000, queues: null }, net1: { queues: 2 } }", QUIET},
    {"network: { net0: { model: e1000 }, net1: { queues: 2 } }", QUIET},
    {"disk: { scsi0: { ssd: true }, ide0: { ssd: true }, sata0: { ssd: false } }", QUIET},
    {"disk: { virtio3: { ssd: false } }", DIAG_SSD_ON_VIRTIO},
    {"disk: { scsi0: { iothread: true }, virtio0: { iothread: true } }", QUIET},
    {"disk: { ide0: { iothread: false } }", DIAG_IOTHREAD_BUS},
    {"disk: { scsi1: { file: \"local:a/b.raw\", datastore_id: local, size_gb: 3 } }", QUIET},
    {"disk: { scsi1: { file: \"local:a/b.raw\", datastore_id: local-lvm } }", DIAG_FILE_CONFLICT},
    {"disk: { scsi1: { file: \"local-lvm:vm-1-a\", datastore_id: local } }", DIAG_FILE_CONFLICT},
    {"disk: { scsi1: { file: \"local:a/b.raw\", import_from: \"local:a/c.raw\" } }",
	DIAG_FILE_CONFLICT},
    {"disk: { scsi1: { import_from: \"local:a/c.raw\", datastore_id: local } }", QUIET},
    {"disk: { scsi1: { import_from: \"local:iso/c.iso\", datastore_id: local } }",
	DIAG_ISO_AS_DISK},
    {"disk: { ide1: { file: \"local:iso/c.iso\", media: cdrom } }", QUIET},
    {"disk: { ide1: { file: \"local:iso/c.iso\", media: disk } }", DIAG_ISO_AS_DISK},
    {"disk: { scsi1: { file: \"iso:isolation.raw\" } }", QUIET},
    {"id: 77777\n  disk: { scsi1: { file: \"local:77777/vm-77777-disk-0.raw\" } }", QUIET},
    {"id: 77777\n  disk: { scsi1: { file: \"local:7777/vm-7777-disk-0.raw\" } }",
	DIAG_FOREIGN_VOLUME},
    {"id: 200\n  disk: { scsi1: { file: \"local:100/base-100-disk-0.raw/200/vm-200-disk-0.qcow2\" "
     "} }",
	QUIET},
    {"id: 200\n  disk: { scsi1: { file: \"local-lvm:something\" } }", QUIET},
    {"disk: { scsi1: { file: \"local:7777/vm-7777-disk-0.raw\" } }", QUIET},
    {"disk: { ide1: { media: disk, size_gb: 4, datastore_id: local } }", QUIET},
    {"disk: { ide1: { media: cdrom, format: raw } }", DIAG_MEDIA_CDROM},
    {"disk: { virtio0: { media: disk }, scsi1: { media: cdrom } }", QUIET},
    {"disk: { virtio0: { media: cdrom, file: \"local:iso/c.iso\" } }", DIAG_CDROM_BUS},
    {"vga: { type: serial1 }", QUIET},
    {"vga: { type: serial1, clipboard: null, memory: null }", QUIET},
    {"vga: { clipboard: vnc, memory: 16 }", QUIET},
    {"vga: { type: none, clipboard: vnc }", DIAG_VGA_CLIPBOARD},
    {"vga: { type: none, memory: 16 }", DIAG_VGA_MEMORY},
    {"usb: { usb0: { host: null, mapping: null, usb3: null } }", QUIET},
    {"usb: { usb0: { host: null, mapping: key1, usb3: true } }", QUIET},
    {"usb: { usb0: { host: null, usb3: true } }", QUIET}, /* a mapping may be there */
    {"usb: { usb0: { host: null, mapping: null, usb3: true } }", DIAG_NULL_DEVICE},
    {"usb: { usb0: { host: null, mapping: null }, usb1: { usb3: true } }", QUIET},
    {"numa: { numa0: { cpus: [], policy: bind } }", DIAG_NULL_DEVICE},
    {"usb: { usb0: { host: spice, mapping: null }, usb1: { mapping: key1 } }", QUIET},
    {"usb: { usb0: { host: spice, mapping: key1 } }", DIAG_USB_TWICE},
    {"hostpci: { hostpci0: { id: \"01:00\" }, hostpci1: { mapping: gpu1 } }", QUIET},
    {"hostpci: { hostpci0: { id: \"01:00\", mapping: gpu1 } }", DIAG_PCI_TWICE},
    {"disk: { scsi0: { product: a, queues: 2, read_only: true, wwn: \"0x5000000000000001\" } }",
	QUIET},
    {"disk: { ide0: { model: A, wwn: \"0x5000000000000001\" }, virtio0: { read_only: true } }",
	QUIET},
    {"disk: { sata0: { read_only: false } }", DIAG_OPTION_BUS},
    {"disk: { scsi0: { model: A } }", DIAG_OPTION_BUS},
    {"disk: { virtio0: { wwn: \"0x5000000000000001\" } }", DIAG_OPTION_BUS},
    {"disk: { scsi0: { speed: { read: 100, write: 50, iops_total: 500 } } }", QUIET},
    {"disk: { scsi0: { speed: { read: 100, total: null } } }", QUIET},
    {"disk: { scsi0: { speed: { read: 100, total: 0 } } }", QUIET},
    {"disk: { scsi0: { speed: { read: 100, total: 200 } } }", DIAG_SPEEDS},
    {"disk: { scsi0: { speed: { iops_write: 100, iops_total: 200 } } }", DIAG_SPEEDS},
    {"disk: { scsi0: { speed: { read: 100 } }, scsi1: { speed: { total: 200 } } }", QUIET},
    {"disk: { scsi0: { speed: { read_burstable: 100 } } }", QUIET}, /* the limit may be there */
    {"disk: { scsi0: { speed: { read: null, read_burstable: 100 } } }", DIAG_SPEEDS},
    {"disk: { scsi0: { speed: { total: 100, total_burstable: 100 } } }", QUIET},
    {"disk: { scsi0: { speed: { total: 100, total_burstable: 99.5 } } }", DIAG_SPEEDS},
    {"disk: { scsi0: { speed: { iops_read_burstable: 0, iops_read_burst_length: 2 } } }",
	DIAG_SPEEDS},
    {"intel_tdx: { type: tdx, attestation: false }", QUIET},
    {"intel_tdx: { type: null }", QUIET},
    {"intel_tdx: { type: tdx }", DIAG_TDX_ATTESTATION},
    {"initialization: { ip_config: { ipconfig0: { ipv4: { address: 10.0.0.5/8, gateway: 10.0.0.1 "
     "} } } }",
	QUIET},
    {"initialization: { ip_config: { ipconfig0: { ipv4: { address: dhcp, gateway: null } } } }",
	QUIET},
    {"initialization: { ip_config: { ipconfig0: { ipv4: { address: dhcp, gateway: 10.0.0.1 } } } "
     "}",
	DIAG_GATEWAY_ALONE},
    {"initialization: { ip_config: { ipconfig0: { ipv4: { address: 10.0.0.5/8 }, ipv6: { gateway: "
     "\"fd00::1\" } } } }",
	DIAG_GATEWAY_ALONE},
    {"initialization: { interface: ide2 }\n  cdrom: { ide0: {} }", QUIET},
    {"initialization: { interface: ide2 }\n  delete: { disk: [ide2] }", DIAG_DATA_SLOT},
    {"initialization: { interface: scsi1 }\n  disk: { scsi1: {} }", DIAG_DATA_SLOT},
    {"initialization: { user_data_file_id: \"local:snippets/a\", user_account: { username: null } "
     "}",
	QUIET},
    {"initialization: { user_data_file_id: \"local:snippets/a\", user_account: { username: a } }",
	DIAG_USER_DATA_WINS},
    {"template: true\n  started: false", QUIET},
    {"template: false\n  started: true", QUIET},
    {"state: absent\n  protect: false", QUIET},
    {"state: present\n  protect: true", QUIET},
    {"depends_on: [y]", QUIET},
};

/* The source is VM 9000, the name x. */
static struct resource *decode(const char *spec, struct diags *diags)
{
	_cleanup_str_ char *text =
	    mem_printf("apiVersion: ramet.dev/v1\nkind: ClonedVM\nmetadata: { name: x }\nspec:\n"
		       "  node_name: pve1\n  clone: { source_vm_id: 9000 }\n  %s\n",
		spec);
	struct ydoc *y = NULL;
	struct resource *r = NULL;
	_cleanup_str_ char *name = NULL;
	(void)!ydoc_parse("f", text, strlen(text), NULL, diags, &y);
	(void)decode_doc("f", y, 0, diags, &r, &name);
	ydoc_free(&y);
	return r;
}

static void each_case(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		_cleanup_diags_ struct diags diags = {0};
		struct resource *r = decode(cases[i].spec, &diags);
		if (!r)
			print_error("%s: %s\n", cases[i].spec, diags.v[0].msg);
		assert_non_null(r);
		size_t errors = check_resource(r, &diags);
		bool right = cases[i].code == QUIET
				 ? diags.n == 0
				 : diags.n == 1 && diags.v[0].code == cases[i].code;
		if (!right)
			print_error("%s: %zu findings, %s\n", cases[i].spec, diags.n,
			    diags.n ? diags.v[0].msg : "");
		assert_true(right);
		assert_int_equal(
		    errors, diags.n == 1 && diag_severity(diags.v[0].code) == DIAG_ERROR);
		resource_unref(&r);
	}
}

/* A rule that no case and no example can make speak would be dead. */
static void every_rule_speaks_somewhere(void **state)
{
	(void)state;
	static const enum diag_code elsewhere[] = {/* spec/examples/bad has these */
	    DIAG_SLOT_TWICE, DIAG_LINKED_TARGET, DIAG_CLONES_ITSELF, DIAG_ADOPT_WITHOUT_ID,
	    DIAG_RENAMED_TO_ITSELF, DIAG_KEEP_HUGEPAGES, DIAG_IMPORT_WITHOUT_DATASTORE,
	    DIAG_TEMPLATE_STARTED, DIAG_PROTECTED_ABSENT, DIAG_DEPENDS_ON_ITSELF,
	    DIAG_DUPLICATE_NAME, DIAG_DUPLICATE_VMID, DIAG_RENAME_CLASH, DIAG_DEPENDENCY_CYCLE,
	    DIAG_UNKNOWN_DEPENDENCY, DIAG_DUPLICATE_MAC};
	static const enum diag_code rules[] = {
#define RULE(code, word, severity, scope, fn, doc, where, json) DIAG_##code,
#include "rules.def"
#undef RULE
	};
	for (size_t i = 0; i < ARRAY_LEN(rules); i++) {
		bool found = false;
		for (size_t k = 0; k < ARRAY_LEN(cases); k++)
			found = found || cases[k].code == rules[i];
		for (size_t k = 0; k < ARRAY_LEN(elsewhere); k++)
			found = found || elsewhere[k] == rules[i];
		if (!found)
			print_error("no case for %s\n", diag_word(rules[i]));
		assert_true(found);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(each_case),
	    cmocka_unit_test(every_rule_speaks_somewhere),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
