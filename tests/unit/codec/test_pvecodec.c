#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "pvecodec.h"

/* Rows of the kinds that the table has, written out here so that the codec is held against facts
 * about PVE and not against the table. */
static const struct attr cores = {
    .path = "cores", .type = ATTR_INT, .codec = CODEC_SCALAR, .key = "cores", .deflt = "1"};
static const struct attr limit = {
    .path = "limit", .type = ATTR_NUM, .codec = CODEC_SCALAR, .key = "cpulimit", .deflt = "0"};
static const struct attr numa = {
    .path = "numa", .type = ATTR_BOOL, .codec = CODEC_SCALAR, .key = "numa", .deflt = "false"};
static const struct attr cpu_type = {.path = "type",
    .type = ATTR_STR,
    .codec = CODEC_LEAD,
    .key = "cpu",
    .part = "cputype",
    .deflt = "kvm64"};
static const struct attr flags = {.path = "flags",
    .type = ATTR_SET,
    .codec = CODEC_PART_LIST,
    .key = "cpu",
    .part = "flags",
    .sep = ';',
    .deflt = "[]"};
static const struct attr memory = {.path = "size",
    .type = ATTR_INT,
    .codec = CODEC_LEAD,
    .key = "memory",
    .part = "current",
    .deflt = "512"};
static const struct attr order = {
    .path = "order", .type = ATTR_INT, .codec = CODEC_LEAD, .key = "startup", .part = "order"};
static const struct attr vga_memory = {
    .path = "vmem", .type = ATTR_INT, .codec = CODEC_PART, .key = "vga", .part = "memory"};
static const struct attr tag = {
    .path = "n.*.tag", .type = ATTR_INT, .codec = CODEC_PART, .key = "*", .part = "tag"};
static const struct attr firewall = {.path = "n.*.fw",
    .type = ATTR_BOOL,
    .codec = CODEC_PART,
    .key = "*",
    .part = "firewall",
    .deflt = "false"};
static const struct attr model = {.path = "n.*.model",
    .type = ATTR_ENUM,
    .codec = CODEC_NIC_MODEL,
    .key = "*",
    .part = "model",
    .deflt = "virtio"};
static const struct attr mac = {.path = "n.*.mac",
    .type = ATTR_STR,
    .codec = CODEC_NIC_MAC,
    .key = "*",
    .part = "macaddr",
    .flags = ATTR_NOCASE};
static const struct attr tags = {.path = "tags",
    .type = ATTR_SET,
    .codec = CODEC_TAGS,
    .key = "tags",
    .sep = ';',
    .deflt = "[]",
    .flags = ATTR_NOCASE};
static const struct attr description = {
    .path = "description", .type = ATTR_STR, .codec = CODEC_DESCRIPTION, .key = "description"};
static const struct attr cdrom = {.path = "c.*.file",
    .type = ATTR_STR,
    .codec = CODEC_CDROM,
    .key = "*",
    .part = "file|volume",
    .deflt = "none"};
static const struct attr servers = {.path = "servers",
    .type = ATTR_SET,
    .codec = CODEC_LIST,
    .key = "nameserver",
    .sep = ' ',
    .flags = ATTR_ORDERED | ATTR_NOCASE};
static const struct attr size = {
    .path = "d.*.size", .type = ATTR_INT, .codec = CODEC_DRIVE_SIZE, .key = "*", .part = "size"};
static const struct attr store = {
    .path = "d.*.store", .type = ATTR_STR, .codec = CODEC_DRIVE_STORE, .key = "*", .part = "file"};
static const struct attr format = {.path = "d.*.format",
    .type = ATTR_ENUM,
    .codec = CODEC_DRIVE_FORMAT,
    .key = "*",
    .part = "format"};

static const struct codec_env env = {.tag = "ramet", .suspend_tag = "ramet-suspend"};

static struct value text(const char *s)
{
	return (struct value){.type = VALUE_STR, .s = (char *)s};
}

static struct value number(int64_t i)
{
	return (struct value){.type = VALUE_INT, .i = i};
}

static struct value boolean(bool b)
{
	return (struct value){.type = VALUE_BOOL, .b = b};
}

static const struct value null = {.type = VALUE_NULL};

static struct value set(const char *comma)
{
	struct value v = {.type = VALUE_SET};
	assert_int_equal(text_split(comma, ",", true, 100, &v.set), 0);
	strs_sort_unique(&v.set);
	return v;
}

/* What pvecodec_get finds in key=raw, printed. */
static void expect_get(const struct attr *a, const char *key, const char *raw, const char *expected)
{
	_cleanup_kv_ struct kv conf = {0};
	_cleanup_value_ struct value v = {0};
	kv_set(&conf, key, raw);
	assert_int_equal(pvecodec_get(a, key, &conf, &env, &v, NULL), 0);
	_cleanup_str_ char *got = value_print(&v);
	assert_string_equal(got, expected);
}

/* key=raw after putting want; NULL = the key is gone. */
static void expect_put(
    const struct attr *a, const char *key, const char *raw, struct value want, const char *expected)
{
	_cleanup_kv_ struct kv conf = {0};
	if (raw)
		kv_set(&conf, key, raw);
	assert_int_equal(pvecodec_put(a, key, &want, &conf, &env, NULL), 0);
	const char *got = kv_get(&conf, key);
	if (expected)
		assert_string_equal(got ? got : "(gone)", expected);
	else
		assert_null(got);
	if (want.type == VALUE_SET)
		value_fini(&want);
}

static void reads_what_pve_writes(void **state)
{
	(void)state;
	expect_get(&cores, "cores", "4", "4");
	expect_get(&limit, "cpulimit", "2.00", "2");
	expect_get(&numa, "numa", "1", "true");
	expect_get(&numa, "numa", "yes", "true");
	expect_get(&numa, "numa", "off", "false");
	expect_get(&cpu_type, "cpu", "hidden=1,host", "host");
	expect_get(&memory, "memory", "0512", "512");
	expect_get(&memory, "memory", "current=1024", "1024");
	expect_get(&cpu_type, "cpu", "host,flags=+aes;-pcid", "host");
	expect_get(&cpu_type, "cpu", "flags=+aes,cputype=kvm64", "kvm64");
	expect_get(&cpu_type, "cpu", "flags=+aes", "");
	expect_get(&flags, "cpu", "kvm64,flags=+b;-a;+b", "[+b, -a]");
	expect_get(&vga_memory, "vga", "memory=16,type=std", "16");
	expect_get(&vga_memory, "vga", "std", "");
	expect_get(&tags, "tags", "web;Production ramet,b", "[b, production, web]");
	expect_get(&tags, "tags", " ", "[]");
	expect_get(&tags, "tags", "Ramet;ramet-suspend", "[]");
	expect_get(&description, "description", "Front\n\nramet: h/web vmid=100 0123456789abcdef\n",
	    "Front");
}

static void reads_devices(void **state)
{
	const char *nic = "virtio=BC:24:11:6A:5D:50,bridge=vmbr0,tag=5,firewall=1";
	(void)state;
	expect_get(&model, "net0", nic, "virtio");
	expect_get(&mac, "net0", nic, "BC:24:11:6A:5D:50");
	expect_get(&tag, "net0", nic, "5");
	expect_get(&firewall, "net0", nic, "true");
	/* parts that a later version may put first are no models */
	expect_get(&model, "net0", "host-tunnel=1,e1000=BC:24:11:6A:5D:50", "e1000");
	expect_get(&model, "net0", "model=e1000e,macaddr=BC:24:11:6A:5D:50,bridge=b", "e1000e");
	expect_get(
	    &mac, "net0", "model=e1000e,macaddr=BC:24:11:6A:5D:50,bridge=b", "BC:24:11:6A:5D:50");
	expect_get(&model, "net0", "virtio,bridge=vmbr0", "virtio");
	expect_get(&mac, "net0", "virtio,bridge=vmbr0", "");
	expect_get(&cdrom, "ide2", "local:iso/a.iso,media=cdrom,size=350K", "local:iso/a.iso");
	expect_get(&cdrom, "ide2", "media=cdrom,volume=local:iso/a.iso", "local:iso/a.iso");
	expect_get(&size, "scsi0", "local:vm-1-disk-0,size=33280M", "33");
	expect_get(&store, "scsi0", "volume=local-lvm:vm-1-disk-0,size=1G", "local-lvm");
	expect_get(&store, "scsi0", "size=1G,local-lvm:vm-1-disk-0", "local-lvm");
	expect_get(&size, "scsi0", "local:vm-1-disk-0", "");
	expect_get(&store, "scsi0", "local-lvm:vm-1-disk-0,size=1G", "local-lvm");
	expect_get(&format, "scsi0", "local:1/vm-1-disk-0.qcow2,size=1G", "qcow2");
	expect_get(&format, "scsi0", "local-lvm:vm-1-disk-0,size=1G", "");
}

static void nonsense_is_absent_with_an_error(void **state)
{
	_cleanup_kv_ struct kv conf = {0};
	_cleanup_err_ struct err *err = NULL;
	struct value v = number(9);
	(void)state;
	kv_set(&conf, "cores", "many");
	assert_int_equal(pvecodec_get(&cores, NULL, &conf, &env, &v, &err), -1);
	assert_int_equal(v.type, VALUE_ABSENT);
	assert_int_equal(err->code, ERR_INPUT);
	kv_set(&conf, "net0", "a=1,=2");
	err_free(&err);
	assert_int_equal(pvecodec_get(&tag, "net0", &conf, &env, &v, &err), -1);
	assert_int_equal(v.type, VALUE_ABSENT);
	/* and what cannot be read is not written over */
	err_free(&err);
	struct value five = number(5);
	assert_int_equal(pvecodec_put(&tag, "net0", &five, &conf, &env, &err), -1);
	assert_string_equal(kv_get(&conf, "net0"), "a=1,=2");
}

static void merging_keeps_everything_else(void **state)
{
	const char *nic = "virtio=bc:24:11:6A:5D:50,bridge=vmbr0,zork= 7 ,tag=5,trunks=20;30-32";
	(void)state;
	expect_put(&tag, "net0", nic, number(7),
	    "virtio=bc:24:11:6A:5D:50,bridge=vmbr0,zork= 7 ,tag=7,trunks=20;30-32");
	expect_put(&tag, "net0", nic, null,
	    "virtio=bc:24:11:6A:5D:50,bridge=vmbr0,zork= 7 ,trunks=20;30-32");
	expect_put(&firewall, "net0", nic, boolean(true),
	    "virtio=bc:24:11:6A:5D:50,bridge=vmbr0,zork= 7 ,tag=5,trunks=20;30-32,firewall=1");
	expect_put(&model, "net0", nic, text("e1000"),
	    "e1000=bc:24:11:6A:5D:50,bridge=vmbr0,zork= 7 ,tag=5,trunks=20;30-32");
	expect_put(&mac, "net0", "virtio=BC:24:11:6A:5D:50,bridge=b", text("02:00:00:00:00:01"),
	    "virtio=02:00:00:00:00:01,bridge=b");
	expect_put(&mac, "net0", "virtio,bridge=b", text("02:00:00:00:00:01"),
	    "virtio=02:00:00:00:00:01,bridge=b");
	expect_put(&model, "net0", "bridge=b", text("virtio"), "virtio,bridge=b");
	expect_put(&model, "net0", "model=e1000,macaddr=BC:24:11:6A:5D:50", text("virtio"),
	    "model=virtio,macaddr=BC:24:11:6A:5D:50");
	expect_put(&cpu_type, "cpu", "kvm64,hidden=1", text("host"), "host,hidden=1");
	expect_put(
	    &cpu_type, "cpu", "flags=+aes,cputype=kvm64", text("host"), "flags=+aes,cputype=host");
	expect_put(&cpu_type, "cpu", "hidden=1,kvm64", text("host"), "hidden=1,host");
	expect_put(&mac, "net0", "bridge=b,virtio", text("02:00:00:00:00:01"),
	    "bridge=b,virtio=02:00:00:00:00:01");
	expect_put(&flags, "cpu", "host", set("+aes,-pcid"), "host,flags=+aes;-pcid");
	expect_put(&flags, "cpu", "host,flags=+aes", set(""), "host");
	expect_put(&memory, "memory", "current=1024", number(2048), "current=2048");
	expect_put(&memory, "memory", "1024", number(2048), "2048");
	expect_put(&vga_memory, "vga", "memory=16", null, NULL);
	expect_put(&order, "startup", "1,up=60", number(2), "2,up=60");
	/* pve_parse_startup_order: what Perl takes for false is no order. */
	expect_put(&order, "startup", NULL, number(0), "order=0");
	expect_put(&order, "startup", "1", number(0), "order=0");
	expect_put(&order, "startup", "up=60,order=1", number(0), "up=60,order=0");
}

static void scalars(void **state)
{
	(void)state;
	expect_put(&cores, "cores", "2", number(4), "4");
	expect_put(&cores, "cores", NULL, number(4), "4");
	expect_put(&cores, "cores", "2", null, NULL);
	expect_put(&limit, "cpulimit", NULL, (struct value){.type = VALUE_NUM, .n = 0.5}, "0.5");
	expect_put(&numa, "numa", "1", boolean(false), "0");
}

static void own_tags_stay(void **state)
{
	(void)state;
	expect_put(&tags, "tags", "old;ramet", set("web,a"), "a;ramet;web");
	expect_put(&tags, "tags", "old;ramet-suspend", set(""), "ramet-suspend");
	expect_put(&tags, "tags", "old", null, NULL);
	/* one that people list is not theirs to add */
	expect_put(&tags, "tags", "old", set("ramet,web"), "web");
	struct value listed = set("Ramet,Web"), want = {0};
	pvecodec_want(&tags, &listed, &env, &want);
	_cleanup_str_ char *shown = value_print(&want);
	assert_string_equal(shown, "[web]");
	value_fini(&listed);
	value_fini(&want);
}

static void marker_stays(void **state)
{
	const char *line = "ramet: h/web vmid=100 0123456789abcdef";
	_cleanup_str_ char *old = mem_printf("Old\n\n%s", line);
	_cleanup_str_ char *new = mem_printf("New\n\n%s", line);
	(void)state;
	expect_put(&description, "description", old, text("New  \n"), new);
	expect_put(&description, "description", old, null, line);
	expect_put(&description, "description", "Old", text("New"), "New");
	expect_put(&description, "description", "Old", null, NULL);
}

static void media(void **state)
{
	(void)state;
	expect_put(&cdrom, "ide2", NULL, text("none"), "none,media=cdrom");
	expect_put(&cdrom, "ide2", "local:iso/a.iso,media=cdrom,size=350K", text("local:iso/b.iso"),
	    "local:iso/b.iso,media=cdrom");
	expect_put(&cdrom, "ide2", "none,media=cdrom,x=1", text("cdrom"), "cdrom,media=cdrom,x=1");
	expect_put(&cdrom, "ide2", "volume=local:iso/a.iso,media=cdrom,size=350K",
	    text("local:iso/b.iso"), "volume=local:iso/b.iso,media=cdrom");
	expect_put(&cdrom, "ide2", "media=cdrom,none", text("cdrom"), "media=cdrom,cdrom");
}

static void what_a_device_needs_cannot_be_taken(void **state)
{
	_cleanup_kv_ struct kv conf = {0};
	(void)state;
	kv_set(&conf, "net0", "virtio=BC:24:11:6A:5D:50,bridge=b");
	assert_int_equal(pvecodec_put(&mac, "net0", &null, &conf, &env, NULL), -1);
	assert_int_equal(pvecodec_put(&model, "net0", &null, &conf, &env, NULL), -1);
	assert_int_equal(pvecodec_put(&size, "net0", &null, &conf, &env, NULL), -1);
	assert_string_equal(kv_get(&conf, "net0"), "virtio=BC:24:11:6A:5D:50,bridge=b");
}

/* The first server is asked first, however its address is written. */
static void order_counts_where_it_means_something(void **state)
{
	struct value a = {.type = VALUE_SET}, b = {.type = VALUE_SET}, c = {.type = VALUE_SET};
	(void)state;
	assert_int_equal(text_split("fd00::A,192.168.1.1", ",", true, 9, &a.set), 0);
	assert_int_equal(text_split("fd00::a,192.168.1.1", ",", true, 9, &b.set), 0);
	assert_int_equal(text_split("192.168.1.1,fd00::a", ",", true, 9, &c.set), 0);
	assert_true(pvecodec_same(&servers, &a, &b));
	assert_false(pvecodec_same(&servers, &a, &c));
	assert_false(pvecodec_same(&servers, &c, &b));
	value_fini(&a);
	value_fini(&b);
	value_fini(&c);
}

/* PVE says itself which keys it put into a new EFI disk, and later ones are in it with them. */
static void later_is_as_good(void **state)
{
	static const struct attr cert = {.path = "cert",
	    .type = ATTR_ENUM,
	    .choices = "2011|2023|2023w|2023k",
	    .codec = CODEC_PART,
	    .key = "efidisk0",
	    .part = "ms-cert",
	    .deflt = "2011",
	    .flags = ATTR_AT_LEAST};
	const struct value absent = {0}, a = text("2023"), b = text("2023k"), z = text("2031"),
			   first = text("2011");
	(void)state;
	assert_true(pvecodec_same(&cert, &a, &b));
	assert_true(pvecodec_same(&cert, &a, &a));
	assert_false(pvecodec_same(&cert, &b, &a));
	assert_true(pvecodec_same(&cert, &first, &absent));
	assert_false(pvecodec_same(&cert, &a, &absent));
	assert_false(pvecodec_same(&cert, &a, &z)); /* nobody knows what that is */
}

static void compared_canonically(void **state)
{
	const struct value absent = {0};
	struct value a, b;
	(void)state;
	a = number(1);
	assert_true(pvecodec_same(&cores, &a, &absent)); /* PVE's default */
	assert_true(pvecodec_same(&cores, &null, &absent));
	assert_true(pvecodec_same(&cores, &null, &a));
	a = number(2);
	assert_false(pvecodec_same(&cores, &a, &absent));
	assert_false(pvecodec_same(&cores, &null, &a));
	b = (struct value){.type = VALUE_NUM, .n = 2.0};
	assert_true(pvecodec_same(&limit, &a, &b));
	a = text("bc:24:11:6a:5d:50");
	b = text("BC:24:11:6A:5D:50");
	assert_true(pvecodec_same(&mac, &a, &b));
	a = boolean(false);
	assert_true(pvecodec_same(&firewall, &a, &absent));
	a = number(5);
	assert_false(pvecodec_same(&tag, &a, &absent));
	a = text("");
	assert_true(pvecodec_same(&description, &a, &absent));
	a = set("");
	assert_true(pvecodec_same(&tags, &a, &absent));
	value_fini(&a);
	a = set("Web,b");
	b = set("b,web");
	assert_true(pvecodec_same(&tags, &a, &b));
	value_fini(&b);
	b = set("b");
	assert_false(pvecodec_same(&tags, &a, &b));
	assert_false(pvecodec_same(&tags, &b, &a));
	value_fini(&a);
	value_fini(&b);
	a = text("kvm64");
	assert_true(pvecodec_same(&cpu_type, &a, &absent));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(reads_what_pve_writes),
	    cmocka_unit_test(reads_devices),
	    cmocka_unit_test(nonsense_is_absent_with_an_error),
	    cmocka_unit_test(merging_keeps_everything_else),
	    cmocka_unit_test(scalars),
	    cmocka_unit_test(own_tags_stay),
	    cmocka_unit_test(marker_stays),
	    cmocka_unit_test(media),
	    cmocka_unit_test(what_a_device_needs_cannot_be_taken),
	    cmocka_unit_test(compared_canonically),
	    cmocka_unit_test(later_is_as_good),
	    cmocka_unit_test(order_counts_where_it_means_something),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
