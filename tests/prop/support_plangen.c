#include "support_plangen.h"

#include "../unit/plan/support.h"

static uint64_t rng;

void plangen_seed(uint64_t seed)
{
	rng = seed * UINT64_C(0x9E3779B97F4A7C15) + 1;
	for (int i = 0; i < 8; i++)
		plangen_below(2);
}

unsigned plangen_below(unsigned n)
{
	rng ^= rng << 13;
	rng ^= rng >> 7;
	rng ^= rng << 17;
	return (unsigned)((rng >> 11) % n);
}

bool plangen_chance(unsigned percent)
{
	return plangen_below(100) < percent;
}

/* ---- random values ---- */

static const char *text_of_form(enum attr_format f)
{
	static const char *const samples[FMT__MAX][4] = {
	    [FMT_ANY] = {"a", "b c", "x", "y"},
	    [FMT_TEXT] = {"Front end", "two\nlines", "", "x "},
	    [FMT_DNS_NAME] = {"web-01", "a.b.c", "WEB", "n1"},
	    [FMT_TAG] = {"web", "Prod", "golden", "a+b"},
	    [FMT_BRIDGE] = {"vmbr0", "vmbr1", "vmbr2", "vnet"},
	    [FMT_MAC] = {"BC:24:11:AA:00:01", "bc:24:11:aa:00:02", "02:00:00:00:00:03",
		"BC:24:11:00:00:01"},
	    [FMT_VLAN_RANGE] = {"10", "20-29", "4094", "7"},
	    [FMT_CPU_LIST] = {"0-3", "0,2", "1", "0-3,8"},
	    [FMT_CPU_MODEL] = {"host", "kvm64", "x86-64-v2-AES", "max"},
	    [FMT_CPU_FLAG] = {"+aes", "-pcid", "+pdpe1gb", "-aes"},
	    [FMT_SERIAL] = {"DATA01", "x", "A1", "s"},
	    [FMT_CDROM] = {"none", "cdrom", "local:iso/a.iso", "local:iso/b.iso"},
	    [FMT_STORAGE] = {"local", "local-lvm", "ceph", "ceph"},
	    [FMT_VOLUME] = {"local:snippets/a.yaml", "local:snippets/b.yaml", "ceph:snippets/c",
		"local:snippets/a.yaml"},
	    [FMT_SSH_KEY] = {"ssh-ed25519 "
			     "AAAAC3NzaC1lZDI1NTE5AAAAIAcUIS47SFVib3yJlqOwvcrX5PH+CxglMj9MWWZzgI2a "
			     "a@b",
		"ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIA4bKDVCT1xpdoOQnaq3xNHe6/gFEh8sOUZTYG16h5Sh "
		"ops, 2nd & 100%",
		"ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIBUiLzxJVmNwfYqXpLG+y9jl8v8MGSYzQE1aZ3SBjpuo",
		"ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIBwpNkNQXWp3hJGeq7jF0t/s+QYTIC06R1RhbnuIlaKv "
		"m\xc3\xbcller@b\xc3\xbcro"},
	    [FMT_IPV4] = {"192.168.1.1", "10.0.0.1", "10.0.0.2", "10.0.0.3"},
	    [FMT_IPV6] = {"fd00::1", "FD00::2", "fd00::3", "2001:db8::1"},
	    [FMT_ADDRESS] = {"192.168.1.1", "fd00::1", "10.0.0.1", "9.9.9.9"},
	    [FMT_CIDR4] = {"dhcp", "192.168.1.5/24", "10.0.0.5/8", "10.1.0.5/16"},
	    [FMT_CIDR6] = {"dhcp", "auto", "fd00::5/64", "fd00::6/64"},
	    [FMT_DOMAINS] = {"example.org", "a b.c", "lan", "x"},
	    [FMT_CPU_RANGE] = {"0", "1-3", "4", "0-7"},
	    [FMT_MACHINE] = {"pc", "q35", "pc-q35-9.2", "pc-i440fx-9.2+pve1"},
	    [FMT_BOOT_DEVICE] = {"scsi0", "ide2", "net0", "usb1"},
	    [FMT_HOTPLUG_WORD] = {"disk", "network", "usb", "cloudinit"},
	    [FMT_SERIAL_DEVICE] = {"socket", "/dev/ttyS0", "/dev/ttyS1", "socket"},
	    [FMT_PARALLEL_DEVICE] = {"/dev/parport0", "/dev/parport1", "/dev/usb/lp0",
		"/dev/parport2"},
	    [FMT_USB_HOST] = {"spice", "1234:abcd", "1-2.4", "0x1234:0xabcd"},
	    [FMT_PCI_HOST] = {"01:00.0", "0000:01:00.1", "02:00", "01:00.0;01:00.1"},
	    [FMT_PCI_ID] = {"0x10de", "0x1234", "0xABCD", "0x0001"},
	    [FMT_MAPPING] = {"gpu1", "share-1", "key_1", "gpu2"},
	    [FMT_WORD] = {"admin", "a.b", "a:b", "x"},
	    [FMT_SNIPPET] = {"local:snippets/a.yaml", "local:snippets/b.yaml", "ceph:snippets/c",
		"local:snippets/a.yaml"},
	    [FMT_MDEV] = {"nvidia-35", "i915-GVTg_V5_4", "nvidia-36", "x"},
	    [FMT_ROM] = {"vbios.bin", "a/b.rom", "x", "a:b"},
	    [FMT_WWN] = {"0x5000000000000001", "0x5000000000000002", "0x500a07511234abcd",
		"0x5000000000000003"},
	    [FMT_PRODUCT] = {"DATA", "a b", "x", "y-1"},
	    [FMT_SHM_NAME] = {"shared", "a", "b", "c"},
	    [FMT_START_DATE] = {"now", "2026-01-01", "2026-01-01T10:00:00", "2025-1-1"},
	    [FMT_DISK_SLOT] = {"scsi0", "virtio1", "ide0", "sata3"},
	};
	const char *s = samples[f][plangen_below(4)];
	return s ? s : "x";
}

static void random_set(const struct attr *a, struct value *v)
{
	v->type = VALUE_SET;
	for (unsigned n = plangen_below(4); n; n--) {
		_cleanup_str_ char *item = schema_canon_item(a, text_of_form(a->format));
		strs_add(&v->set, item);
	}
	if (!(a->flags & ATTR_ORDERED))
		strs_sort_unique(&v->set);
	for (size_t i = 1; i < v->set.n; i++) /* an order has no doubles either */
		if (strcmp(v->set.v[i], v->set.v[0]) == 0) {
			while (v->set.n > 1)
				free(v->set.v[--v->set.n]);
		}
}

static void random_choice(const struct attr *a, struct value *v)
{
	_cleanup_strs_ struct strs words = {0};
	assert_int_equal(text_split(a->choices, "|", true, 100, &words), 0);
	value_set_str(v, words.v[plangen_below((unsigned)words.n)]);
}

void plangen_value(const struct attr *a, struct value *v)
{
	unsigned span = a->max - a->min > 12 ? 12 : (unsigned)(a->max - a->min);

	*v = (struct value){0};
	switch (a->type) {
	case ATTR_BOOL:
		*v = (struct value){.type = VALUE_BOOL, .b = plangen_chance(50)};
		break;
	case ATTR_INT:
		*v = (struct value){
		    .type = VALUE_INT, .i = (int64_t)a->min + plangen_below(span + 1)};
		if (plangen_chance(5))
			v->i = (int64_t)a->max;
		break;
	case ATTR_NUM:
		*v = (struct value){.type = VALUE_NUM, .n = a->min + plangen_below(span + 1) / 4.0};
		break;
	case ATTR_ENUM:
		random_choice(a, v);
		break;
	case ATTR_SET:
		random_set(a, v);
		break;
	case ATTR_STR:
	case ATTR_DUR:
	case ATTR_TIME:
	case ATTR_TYPE__MAX:
		value_set_str(v, text_of_form(a->format));
		break;
	}
	if (!schema_accepts(a, v)) {
		value_fini(v);
		assert_int_equal(schema_parse_value(a, a->example, v), 0);
	}
}

bool plangen_is_leaf_of_guest(const struct attr *a)
{
	return a->codec != CODEC_NONE && a->codec != CODEC_SECRET &&
	       !(a->flags & (ATTR_SPECIAL | ATTR_FIXED));
}

const char *plangen_limits_beside(enum attr_id id)
{
	static const struct {
		enum attr_id id;
		const char *parts;
	} rows[] = {{ATTR_disk_speed_read_burstable, "mbps_rd=0.001"},
	    {ATTR_disk_speed_read_burst_length, "mbps_rd=1,mbps_rd_max=2"},
	    {ATTR_disk_speed_write_burstable, "mbps_wr=0.001"},
	    {ATTR_disk_speed_write_burst_length, "mbps_wr=1,mbps_wr_max=2"},
	    {ATTR_disk_speed_total_burstable, "mbps=0.001"},
	    {ATTR_disk_speed_total_burst_length, "mbps=1,mbps_max=2"},
	    {ATTR_disk_speed_iops_read_burstable, "iops_rd=1"},
	    {ATTR_disk_speed_iops_read_burst_length, "iops_rd=1,iops_rd_max=2"},
	    {ATTR_disk_speed_iops_write_burstable, "iops_wr=1"},
	    {ATTR_disk_speed_iops_write_burst_length, "iops_wr=1,iops_wr_max=2"},
	    {ATTR_disk_speed_iops_total_burstable, "iops=1"},
	    {ATTR_disk_speed_iops_total_burst_length, "iops=1,iops_max=2"}};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		if (rows[i].id == id)
			return rows[i].parts;
	return NULL;
}

/* ---- random scenes ---- */

static const char *const nets[] = {"net0", "net1", "net5"};
static const char *const disks[] = {"scsi0", "scsi1", "virtio2", "sata3", "ide0"};
static const char *const drives[] = {"ide2", "sata5"};
/* Devices of which a property string says all, and parts that nobody here knows. */
static const struct device {
	const char *block, *slot, *unknown;
} devices[] = {
    {"usb.", "usb0", ",zz=1"},
    {"usb.", "usb1", ""},
    {"hostpci.", "hostpci0", ",zz=1"},
    {"hostpci.", "hostpci1", ""},
    {"numa.", "numa0", ",zz=1"},
    {"virtiofs.", "virtiofs0", ",writeback=1"},
    {"initialization.ip_config.", "ipconfig0", ",zz=1"},
    {"serial_device.", "serial1", ""},
    {"parallel.", "parallel0", ""},
};

static bool is_core_of(const struct attr *core, const struct attr *a)
{
	size_t block = (size_t)(schema_key(a) - a->path);
	return block && (core->flags & ATTR_CORE) && !strncmp(core->path, a->path, block);
}

/* What is nothing without another part is drawn when that is there, and one that a device can be
 * beside no other. */
static bool stands_alone(const struct attr *a)
{
	for (unsigned i = 0; i < ATTR_ID__MAX; i++)
		if (is_core_of(schema_attr(i), a))
			return a->flags & ATTR_CORE;
	return true;
}

static bool has_core_in_conf(const struct kv *conf, const struct attr *a, const char *slot)
{
	for (unsigned i = 0; i < ATTR_ID__MAX; i++) {
		_cleanup_value_ struct value v = {0};
		if (is_core_of(schema_attr(i), a) &&
		    pvecodec_get(schema_attr(i), slot, conf, NULL, &v, NULL) == 0 &&
		    v.type != VALUE_ABSENT)
			return true;
	}
	return false;
}

static bool has_core_in_list(const struct resource *r, const struct attr *a, const char *slot)
{
	for (size_t i = 0; i < r->n_leaves; i++) {
		const struct leaf *l = &r->leaves[i];
		if (is_core_of(l->attr, a) && text_eq(l->slot, slot) && l->value.type != VALUE_NULL)
			return true;
	}
	return false;
}

/* No token clones a guest with these, nor changes them. */
static bool is_of_host(const struct attr *a)
{
	return a->id == ATTR_usb_host || a->id == ATTR_hostpci_id;
}

/* Rows of a block, as a random part of them. */
static void random_rows(struct kv *conf, const char *block, const char *slot, unsigned percent)
{
	for (unsigned i = 0; i < ATTR_ID__MAX; i++) {
		const struct attr *a = schema_attr(i);
		_cleanup_value_ struct value v = {0};
		if (!plangen_is_leaf_of_guest(a) || !text_starts(a->path, block) ||
		    !plangen_chance(is_of_host(a) ? percent / 4 : percent) ||
		    (!slot && strchr(a->path, '*')) ||
		    stands_alone(a) == has_core_in_conf(conf, a, slot))
			continue;
		plangen_value(a, &v);
		assert_int_equal(pvecodec_put(a, slot, &v, conf, NULL, NULL), 0);
	}
}

/* Nothing where no core was drawn: such a text is no device. */
static void random_device(struct kv *conf, const struct device *d)
{
	random_rows(conf, d->block, d->slot, 40);
	const char *text = kv_get(conf, d->slot);
	_cleanup_str_ char *all = text ? mem_printf("%s%s", text, d->unknown) : NULL;
	if (all)
		kv_set(conf, d->slot, all);
}

void plangen_conf(struct kv *conf, unsigned vmid)
{
	kv_fini(conf);
	random_rows(conf, "", NULL, 15);
	/* what the rules between attributes ask of a manifest holds for guests too */
	if (kv_has(conf, "rng0"))
		kv_set(conf, "rng0", "/dev/urandom,max_bytes=512");
	if (kv_has(conf, "cpu"))
		kv_set(conf, "cpu", plangen_chance(50) ? "host,hidden=1" : "kvm64,flags=+aes");
	for (size_t i = 0; i < ARRAY_LEN(nets); i++)
		if (plangen_chance(60)) {
			kv_setf(conf, nets[i], "virtio=BC:24:11:00:00:%02zX,bridge=vmbr0%s", i + 1,
			    plangen_chance(30) ? ",host-tunnel=1" : "");
			random_rows(conf, "network.", nets[i], 25);
		}
	for (size_t i = 0; i < ARRAY_LEN(disks); i++)
		if (plangen_chance(50)) {
			kv_setf(conf, disks[i], "%s:vm-%u-disk-%zu%s,size=%uG",
			    plangen_chance(50) ? "local-lvm" : "ceph", vmid, i,
			    plangen_chance(20) ? ",mbps=5" : "", 1 + plangen_below(20));
			random_rows(conf, "disk.", disks[i], 8);
		}
	for (size_t i = 0; i < ARRAY_LEN(drives); i++)
		if (plangen_chance(40))
			kv_set(conf, drives[i],
			    plangen_chance(50) ? "none,media=cdrom"
					       : "local:iso/a.iso,media=cdrom");
	for (size_t i = 0; i < ARRAY_LEN(devices); i++)
		if (plangen_chance(40))
			random_device(conf, &devices[i]);
	kv_set(conf, "zork", "keep, this = too");
	kv_set(conf, "boot", "order=scsi0");
	if (plangen_chance(20))
		kv_set(conf, "hotplug", plangen_chance(50) ? "0" : "disk,cpu,memory");
}

static void list_leaf(struct resource *r, const struct attr *a, const char *slot)
{
	struct value v = {0};
	if ((a->flags & ATTR_NULLABLE) && plangen_chance(15))
		v.type = VALUE_NULL;
	else
		plangen_value(a, &v);
	r->leaves = realloc(r->leaves, (r->n_leaves + 1) * sizeof(*r->leaves));
	r->leaves[r->n_leaves++] = (struct leaf){.attr = a, .slot = mem_strdup(slot), .value = v};
}

/* Seldom fits to what the rest of a random guest is: blocked then, and the whole clone with it. */
static bool is_left_out(const struct attr *a)
{
	static const enum attr_id choosy[] = {ATTR_boot_order, ATTR_cpu_vcpus, ATTR_viommu,
	    ATTR_aw_bits, ATTR_memory_balloon, ATTR_init_ipv4_gateway, ATTR_init_ipv6_gateway,
	    ATTR_init_ipv4_address, ATTR_init_ipv6_address, ATTR_memory_hugepages,
	    ATTR_hostpci_pcie, ATTR_hostpci_legacy_igd, ATTR_hostpci_id, ATTR_usb_host,
	    ATTR_serial_device_device, ATTR_parallel_device};

	if (schema_is_in(a, "disk.*.speed"))
		return plangen_chance(95);
	for (size_t i = 0; i < ARRAY_LEN(choosy); i++)
		if (a->id == choosy[i])
			return plangen_chance(80);
	return false;
}

static void list_rows(struct resource *r, const char *block, const char *slot, unsigned percent)
{
	for (unsigned i = 0; i < ATTR_ID__MAX; i++) {
		const struct attr *a = schema_attr(i);
		if (plangen_is_leaf_of_guest(a) && text_starts(a->path, block) &&
		    plangen_chance(percent) && (slot || !strchr(a->path, '*')) &&
		    stands_alone(a) != has_core_in_list(r, a, slot) && !is_left_out(a))
			list_leaf(r, a, slot);
	}
}

static void list_device(struct resource *r, const char *block, const char *slot)
{
	_cleanup_str_ char *device = mem_printf("%s%s", block, slot);
	strs_add(&r->slots, device);
	list_rows(r, block, slot, text_eq(block, "disk.") ? 10 : 30);
}

static void list_text(
    struct resource *r, const char *block, const char *slot, const char *key, const char *value)
{
	_cleanup_str_ char *path = mem_printf("%s%s.%s", block, slot, key);
	add_leaf(r, path, value);
}

static void list_disk(struct resource *r, const char *slot, struct strs *deleted)
{
	if (plangen_chance(25)) {
		strs_add(deleted, slot);
		return;
	}
	if (!plangen_chance(60))
		return;
	list_device(r, "disk.", slot);
	if (plangen_chance(75)) {
		_cleanup_str_ char *size = mem_printf("%u", 1 + plangen_below(40));
		list_text(r, "disk.", slot, "size_gb", size);
	}
	if (plangen_chance(75))
		list_text(
		    r, "disk.", slot, "datastore_id", plangen_chance(50) ? "local-lvm" : "ceph");
}

static void list_net(struct resource *r, const char *slot, struct strs *deleted)
{
	if (plangen_chance(25))
		strs_add(deleted, slot);
	else if (plangen_chance(70))
		list_device(r, "network.", slot);
}

struct resource *plangen_manifest(void)
{
	struct resource *r =
	    resource_draft("web-01", "node_name = pve1\nclone.source_vm_id = 9000\n");
	_cleanup_strs_ struct strs no_nets = {0}, no_disks = {0};

	list_rows(r, "", NULL, 7);
	if (plangen_chance(20))
		add_leaf(r, "started", plangen_chance(50) ? "true" : "false");
	if (plangen_chance(30))
		add_leaf(r, "max_disruption", plangen_chance(50) ? "none" : "reboot");
	for (size_t i = 0; i < ARRAY_LEN(nets); i++)
		list_net(r, nets[i], &no_nets);
	for (size_t i = 0; i < ARRAY_LEN(disks); i++)
		list_disk(r, disks[i], &no_disks);
	for (size_t i = 0; i < ARRAY_LEN(drives); i++)
		if (plangen_chance(40))
			list_device(r, "cdrom.", drives[i]);
	for (size_t i = 0; i < ARRAY_LEN(devices); i++)
		if (plangen_chance(15))
			list_device(r, devices[i].block, devices[i].slot);
	_cleanup_str_ char *n = strs_join(&no_nets, ", "), *d = strs_join(&no_disks, ", ");
	_cleanup_str_ char *ns = mem_printf("[%s]", n), *ds = mem_printf("[%s]", d);
	if (no_nets.n)
		add_leaf(r, "delete.network", ns);
	if (no_disks.n)
		add_leaf(r, "delete.disk", ds);
	resource_seal(r);
	return r;
}
