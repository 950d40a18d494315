#include "support_manifest.h"

#include "buf.h"
#include "kv.h"

#include <string.h>

/* ---- rows beside the usual ---- */

/* Numbers, words of a choice and truth values are drawn from the table; texts are named. Left out
 * are rows that need hardware, another row, root, or a right over all. */
static const struct {
	enum attr_id id;
	const char *slot, *texts[3];
} extras[] = {{ATTR_cpu_type, NULL, {"host", "kvm64", "x86-64-v2-AES"}}, {ATTR_cpu_limit},
    {ATTR_cpu_units}, {ATTR_cpu_numa}, {ATTR_memory_balloon}, {ATTR_memory_shares},
    {ATTR_network_rate_limit, "net0"}, {ATTR_network_link_down, "net0"},
    {ATTR_disk_backup, "scsi0"}, {ATTR_disk_ssd, "scsi0"}, {ATTR_disk_cache, "scsi0"},
    {ATTR_disk_iothread, "scsi0"}, {ATTR_disk_discard, "scsi0"}, {ATTR_vga_type}, {ATTR_init_type},
    {ATTR_init_username, NULL, {"admin", "ops", "x"}},
    {ATTR_init_domain, NULL, {"example.org", "lan", "a b.c"}},
    {ATTR_init_servers, NULL, {"[192.168.1.1, fd00::1]", "[10.0.0.1]", "[9.9.9.9, 10.0.0.2]"}},
    {ATTR_init_ipv4_address, "ipconfig0", {"dhcp", "192.168.1.5/24", "10.0.0.5/8"}}, {ATTR_on_boot},

    {ATTR_boot_order, NULL, {"[scsi0]", "[scsi0, net0]", "[net0, scsi0]"}}, {ATTR_scsi_hardware},
    {ATTR_acpi}, {ATTR_tablet_device}, {ATTR_keyboard_layout}, {ATTR_localtime},
    {ATTR_startdate, NULL, {"now", "2026-01-01", "2026-01-01T10:00:00"}}, {ATTR_migrate_downtime},
    {ATTR_agent_trim}, {ATTR_watchdog_model}, {ATTR_smbios_product, NULL, {"Server", "x", "a b"}},
    {ATTR_serial_device_device, "serial0", {"socket", "socket", "socket"}},
    {ATTR_usb_host, "usb0", {"spice", "spice", "spice"}}};

const struct attr *manifest_extra_attr(unsigned number)
{
	return schema_attr(extras[number % ARRAY_LEN(extras)].id);
}

static size_t row_of(const struct attr *a)
{
	for (size_t i = 0; i < ARRAY_LEN(extras); i++)
		if (extras[i].id == a->id)
			return i;
	MUST(false);
	return 0;
}

const char *manifest_extra_slot(const struct attr *a)
{
	return extras[row_of(a)].slot;
}

static char *choice(const struct attr *a, unsigned n)
{
	_cleanup_strs_ struct strs words = {0};

	MUST(text_split(a->choices, "|", true, 100, &words) == 0 && words.n);
	return mem_strdup(words.v[n % words.n]);
}

void manifest_extra_value(const struct manifest_extra *x, struct value *ret)
{
	const struct attr *a = x->attr;
	size_t row = row_of(a);
	_cleanup_str_ char *text = NULL;

	if (extras[row].texts[0])
		text = mem_strdup(extras[row].texts[x->value % 3]);
	else if (a->choices)
		text = choice(a, x->value);
	else if (a->type == ATTR_BOOL)
		text = mem_strdup(x->value % 2 ? "true" : "false");
	else /* well within the limits */
		text = mem_printf("%.0f", a->min + (a->max > 1000 ? 100 : 0) + x->value % 12);
	MUST(schema_parse_value(a, text, ret) == 0);
}

/* ---- text ---- */

static void add_extras(const struct manifest *m, struct kv *leaves)
{
	for (size_t i = 0; i < MANIFEST_EXTRAS; i++) {
		const struct manifest_extra *x = &m->extra[i];
		_cleanup_value_ struct value v = {0};
		_cleanup_str_ char *path = NULL, *text = NULL;

		if (!x->attr)
			continue;
		manifest_extra_value(x, &v);
		path = schema_path(x->attr, manifest_extra_slot(x->attr));
		text = value_print_yaml(&v);
		kv_set(leaves, path, text);
	}
}

/* Leaves as blocks in blocks; in the order of their paths, those of one block stand together. */
static void put_leaves(struct buf *b, const struct kv *leaves)
{
	_cleanup_strs_ struct strs open = {0};

	KV_FOREACH (it, leaves) {
		_cleanup_strs_ struct strs words = {0};
		size_t same = 0;

		MUST(text_split(it->key, ".", true, 10, &words) == 0);
		while (
		    same < open.n && same + 1 < words.n && strcmp(open.v[same], words.v[same]) == 0)
			same++;
		for (size_t i = same; i < words.n; i++)
			buf_addf(b, "%*s%s:%s", 2 * (int)(i + 1), "", words.v[i],
			    i + 1 < words.n ? "\n" : " ");
		buf_addf(b, "%s\n", it->value);
		strs_fini(&open);
		for (size_t i = 0; i + 1 < words.n; i++)
			strs_add(&open, words.v[i]);
	}
}

static void add_flags(const struct manifest *m, struct kv *leaves)
{
	if (m->absent)
		kv_set(leaves, "state", "absent");
	if (m->protect)
		kv_set(leaves, "protect", "true");
	if (m->recreate)
		kv_set(leaves, "on_missing", "recreate");
	if (m->pin)
		kv_set(leaves, "placement", "pin");
	if (m->suspended)
		kv_set(leaves, "suspend", "{ reason: by hand, owner: ops }");
	if (m->ceiling != CEILING_HOTPLUG)
		kv_set(leaves, "max_disruption", m->ceiling == CEILING_NONE ? "none" : "reboot");
	if (m->depends_on)
		kv_setf(leaves, "depends_on", "[vm-%u]", m->depends_on - 1);
	if (m->broken)
		kv_set(leaves, "cpus", "3");
}

char *manifest_text(const struct manifest *m)
{
	_cleanup_buf_ struct buf b = {0};
	_cleanup_kv_ struct kv leaves = {0};

	kv_setf(&leaves, "node_name", "pve%u", m->node);
	kv_setf(&leaves, "clone", "{ source_vm_id: %u, full: %s }", m->source,
	    m->full ? "true" : "false");
	kv_setf(&leaves, "cpu.cores", "%u", m->cores);
	kv_setf(&leaves, "memory.size", "%u", m->memory);
	kv_setf(&leaves, "tags", "[t%u]", m->edits % 3);
	kv_setf(&leaves, "description", "edit %u", m->edits);
	if (m->tag)
		kv_setf(&leaves, "network.net0.tag", "%u", m->tag);
	kv_setf(&leaves, "disk.scsi0.size_gb", "%u", m->size);
	if (m->store)
		kv_set(&leaves, "disk.scsi0.datastore_id", m->store);
	if (m->no_net1)
		kv_set(&leaves, "delete", "{ network: [net1] }");
	kv_set(&leaves, "started", m->started ? "true" : "false");
	add_flags(m, &leaves);
	add_extras(m, &leaves);
	buf_addf(&b, "apiVersion: ramet.dev/v1\nkind: ClonedVM\nmetadata: { name: %s }\nspec:\n",
	    m->name);
	put_leaves(&b, &leaves);
	return buf_take(&b);
}
