/* The table: consistent in itself, limits as PVE has them, every row documented. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "schema.h"

static void table_is_consistent(void **state)
{
	(void)state;
	_cleanup_str_ char *wrong = schema_self_check();
	if (wrong)
		print_error("%s\n", wrong);
	assert_null(wrong);
}

static void lookup_by_block_and_key(void **state)
{
	(void)state;
	assert_ptr_equal(schema_find("cpu", "cores"), schema_attr(ATTR_cpu_cores));
	assert_ptr_equal(schema_find("network.*", "tag"), schema_attr(ATTR_network_tag));
	assert_ptr_equal(schema_find("", "node_name"), schema_attr(ATTR_node_name));
	assert_null(schema_find("cpu", "core"));
	assert_null(schema_find("", "cores"));
	assert_null(schema_find("network", "tag"));
	assert_null(schema_find("cp", "ucores"));
	assert_string_equal(schema_alias("cpu", "hotplugged"), "vcpus");
	assert_null(schema_alias("cpu", "vcpus"));
}

static void lookup_by_path(void **state)
{
	(void)state;
	char *slot = NULL;
	assert_ptr_equal(
	    schema_find_path("network.net0.tag", &slot), schema_attr(ATTR_network_tag));
	assert_string_equal(slot, "net0");
	_cleanup_str_ char *path = schema_path(schema_attr(ATTR_network_tag), slot);
	assert_string_equal(path, "network.net0.tag");
	mem_free_str(&slot);
	assert_ptr_equal(schema_find_path("cpu.cores", &slot), schema_attr(ATTR_cpu_cores));
	assert_null(slot);
	assert_ptr_equal(schema_find_path("network.*.tag", &slot), schema_attr(ATTR_network_tag));
	assert_null(slot);
	assert_null(schema_find_path("network.net32.tag", &slot));
	assert_null(schema_find_path("disk.net0.file", &slot));
	assert_null(schema_find_path("network.net0", &slot));
	assert_null(schema_find_path("", &slot));
}

static void slots(void **state)
{
	(void)state;
	static const struct {
		const char *slot, *bus;
		unsigned index;
	} good[] = {{"net0", "net", 0}, {"net31", "net", 31}, {"ide3", "ide", 3},
	    {"sata5", "sata", 5}, {"scsi30", "scsi", 30}, {"virtio15", "virtio", 15}};
	static const char *const bad[] = {"net32", "net", "net01", "ide4", "sata6", "scsi31",
	    "virtio16", "scsi-1", "unused0", "", "SCSI0", "scsi0 "};
	const char *bus;
	unsigned index;
	for (size_t i = 0; i < ARRAY_LEN(good); i++) {
		assert_true(form_slot_parse(good[i].slot, &bus, &index));
		assert_string_equal(bus, good[i].bus);
		assert_int_equal(index, good[i].index);
	}
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		assert_false(form_slot_parse(bad[i], &bus, &index));
}

static void forms(void **state)
{
	(void)state;
	static const struct {
		enum attr_format form;
		const char *text;
		bool good;
	} cases[] = {
	    {FMT_DNS_LABEL, "web-01", true},
	    {FMT_DNS_LABEL, "Web", false},
	    {FMT_DNS_LABEL, "-a", false},
	    {FMT_DNS_LABEL, "a-", false},
	    {FMT_DNS_LABEL, "", false},
	    {FMT_DNS_LABEL, "a\nb", false},
	    {FMT_DNS_NAME, "a.b.C", true},
	    {FMT_DNS_NAME, "1234", true},
	    {FMT_DNS_NAME, "bad_name", false},
	    {FMT_DNS_NAME, "a..b", false},
	    {FMT_SSH_KEY,
		"ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIBwpNkNQXWp3hJGeq7jF0t/s+QYTIC06R1RhbnuIlaKv "
		"m\xc3\xbcller@b\xc3\xbcro",
		true},
	    {FMT_SSH_KEY,
		"ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIBwpNkNQXWp3hJGeq7jF0t/s+QYTIC06R1RhbnuIlaKv "
		"a\nb",
		false},
	    {FMT_STORAGE, "local-lvm", true},
	    {FMT_STORAGE, "l", false},
	    {FMT_STORAGE, "local-", false},
	    {FMT_POOL, "a/b/c", true},
	    {FMT_POOL, "a/b/c/d", false},
	    {FMT_TAG, "_x", true},
	    {FMT_TAG, "1a", true},
	    {FMT_TAG, "a.b+c", true},
	    {FMT_TAG, "-x", false},
	    {FMT_TAG, "a!b", false},
	    {FMT_TAG, "a b", false},
	    {FMT_MAC, "BC:24:11:2e:c5:00", true},
	    {FMT_MAC, "01:00:5e:00:00:01", false},
	    {FMT_MAC, "AA-BB-CC-DD-EE-F2", false},
	    {FMT_MAC, "AABBCCDDEEF2", false},
	    {FMT_VLAN_RANGE, "1", true},
	    {FMT_VLAN_RANGE, "20-4094", true},
	    {FMT_VLAN_RANGE, "4095", false},
	    {FMT_VLAN_RANGE, "30-20", false},
	    {FMT_VLAN_RANGE, "0", false},
	    {FMT_CPU_LIST, "0-3,8", true},
	    {FMT_CPU_LIST, "3-0", false},
	    {FMT_CPU_LIST, "a", false},
	    {FMT_CPU_MODEL, "x86-64-v2-AES", true},
	    {FMT_CPU_MODEL, "custom-mine", true},
	    {FMT_CPU_MODEL, "bogus", false},
	    {FMT_CPU_FLAG, "+aes", true},
	    {FMT_CPU_FLAG, "aes", false},
	    {FMT_CPU_FLAG, "+bogus", false},
	    {FMT_VOLUME, "local-lvm:vm-100-disk-0", true},
	    {FMT_VOLUME, "local:9300/vm-9300-disk-0.qcow2", true},
	    {FMT_VOLUME, "local:32", false},
	    {FMT_VOLUME, "local:0.5", false},
	    {FMT_VOLUME, "local:a,ssd=1", false},
	    {FMT_VOLUME, "/srv/disk.qcow2", false},
	    {FMT_CDROM, "none", true},
	    {FMT_CDROM, "cdrom", true},
	    {FMT_CDROM, "local:iso/x.iso", true},
	    {FMT_CDROM, "local:iso/Windows Server  2025 (x64).iso", true},
	    {FMT_CDROM, "local:iso/x.iso ", false},
	    {FMT_CDROM, "local: x.iso", false},
	    {FMT_CDROM, "local:iso/a,b.iso", false},
	    {FMT_VOLUME, "local:a b", false},
	    {FMT_CDROM, "nothing", false},
	    {FMT_SERIAL, "ABC-1%20", true},
	    {FMT_SERIAL, "a,b", false},
	    {FMT_UUID, "11111111-2222-3333-4444-555555555555", true},
	    {FMT_UUID, "11111111-2222-3333-4444", false},
	    {FMT_TIME, "2026-12-01T08:00:00Z", true},
	    {FMT_TIME, "2026-12-01T08:00:00+01:00", true},
	    {FMT_TIME, "2026-02-30T08:00:00Z", false},
	    {FMT_TIME, "2026-12-01", false},
	    {FMT_ANY, "a text", true},
	    {FMT_ANY, "two\nlines", false},
	    {FMT_TEXT, "two\nlines", true},
	    {FMT_TEXT, "bell\a", false},
	};
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		char *why = NULL, *hint = NULL;
		bool good = form_check(cases[i].form, cases[i].text, &why, &hint);
		if (good != cases[i].good)
			print_error("%s: %s\n", cases[i].text, good ? "accepted" : "refused");
		assert_int_equal(good, cases[i].good);
		assert_int_equal(good, why == NULL);
		mem_free_str(&why);
		mem_free_str(&hint);
	}
}

/* value -> text -> value, for a value of every row. */
static void values_survive_text(void **state)
{
	(void)state;
	for (int id = 0; id < ATTR_ID__MAX; id++) {
		const struct attr *a = schema_attr((enum attr_id)id);
		_cleanup_str_ char *text = mem_strdup(a->example);
		size_t len = strlen(text);
		if (text[0] == '"') {
			memmove(text, text + 1, len - 2);
			text[len - 2] = '\0';
		}
		struct value v, again;
		assert_int_equal(schema_parse_value(a, text, &v), 0);
		if (!schema_accepts(a, &v))
			print_error("%s refuses its example\n", a->path);
		assert_true(schema_accepts(a, &v));
		_cleanup_str_ char *printed = value_print(&v);
		assert_int_equal(schema_parse_value(a, printed, &again), 0);
		assert_true(value_eq(&v, &again));
		value_fini(&again);
		value_fini(&v);
	}
}

static void judging(void **state)
{
	(void)state;
	struct value v = {.type = VALUE_INT, .i = 0};
	const struct attr *cores = schema_attr(ATTR_cpu_cores);
	char *why = NULL, *hint = NULL;
	assert_int_equal(schema_judge(cores, &v, &why, &hint), SCHEMA_RANGE);
	assert_string_equal(why, "0 is too small");
	assert_string_equal(hint, "possible is 1 to 8192");
	mem_free_str(&why);
	mem_free_str(&hint);
	v.i = 1;
	assert_int_equal(schema_judge(cores, &v, &why, &hint), SCHEMA_OK);
	assert_int_equal(schema_judge(schema_attr(ATTR_started), &v, NULL, NULL), SCHEMA_TYPE);
	v.type = VALUE_NULL;
	assert_int_equal(schema_judge(cores, &v, NULL, NULL), SCHEMA_OK);
	assert_int_equal(schema_judge(schema_attr(ATTR_node_name), &v, NULL, NULL), SCHEMA_NULL);

	struct value s = {.type = VALUE_ABSENT};
	value_set_str(&s, "writetrough");
	assert_int_equal(
	    schema_judge(schema_attr(ATTR_disk_cache), &s, &why, &hint), SCHEMA_CHOICE);
	assert_non_null(strstr(hint, "did you mean writethrough?"));
	mem_free_str(&why);
	mem_free_str(&hint);
	value_fini(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(table_is_consistent),
	    cmocka_unit_test(lookup_by_block_and_key),
	    cmocka_unit_test(lookup_by_path),
	    cmocka_unit_test(slots),
	    cmocka_unit_test(forms),
	    cmocka_unit_test(values_survive_text),
	    cmocka_unit_test(judging),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
