/* Decoding: what becomes of a good manifest. (Bad ones: test_examples.) */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "decode.h"

static struct resource *decode(const char *text)
{
	struct diags diags = {0};
	struct ydoc *y = NULL;
	struct resource *r = NULL;
	_cleanup_str_ char *name = NULL;
	assert_int_equal(ydoc_parse("f.yaml", text, strlen(text), NULL, &diags, &y), 0);
	enum decode_outcome outcome = decode_doc("f.yaml", y, 0, &diags, &r, &name);
	for (size_t i = 0; i < diags.n; i++)
		print_error(
		    "%u:%u %s\n", diags.v[i].mark.line, diags.v[i].mark.col, diags.v[i].msg);
	assert_int_equal(outcome, DECODE_OK);
	assert_string_equal(name, r->name);
	ydoc_free(&y);
	diags_fini(&diags);
	return r;
}

#define HEAD                                          \
	"apiVersion: ramet.dev/v1\nkind: ClonedVM\n"  \
	"metadata:\n  name: web-01\n"                 \
	"  annotations:\n    ramet.dev/adopt: \"\"\n" \
	"spec:\n  node_name: pve1\n  clone: { source_vm_id: 9000 }\n"

static void leaves_in_order(void **state)
{
	(void)state;
	struct resource *r =
	    decode(HEAD "  disk:\n    virtio0: { size_gb: 4 }\n    scsi10: { ssd: true }\n"
			"    scsi2: { ssd: false }\n"
			"  network: { net0: { tag: null, trunks: [20-29, 4, 3] } }\n"
			"  cpu: { cores: 4, limit: 1.5, flags: [], type: host }\n"
			"  timeouts: { create: 90s }\n");
	assert_string_equal(r->name, "web-01");
	assert_string_equal(r->file, "f.yaml");
	assert_null(r->adopt);
	assert_null(r->renamed_from);
	assert_int_equal(r->name_mark.line, 4);
	assert_int_equal(r->name_mark.col, 9);
	/* Sorted as the table is, then by bus and number of the slot. */
	for (size_t i = 1; i < r->n_leaves; i++) {
		const struct leaf *a = &r->leaves[i - 1], *b = &r->leaves[i];
		assert_true(
		    a->attr->id < b->attr->id ||
		    (a->attr->id == b->attr->id && resource_compare_slots(a->slot, b->slot) < 0));
	}
	const struct leaf *ssd = resource_find(r, ATTR_disk_ssd, "scsi10");
	assert_true(ssd->value.b);
	assert_int_equal(ssd->mark.line, 12);
	assert_ptr_equal(ssd - 1, resource_find(r, ATTR_disk_ssd, "scsi2"));
	assert_int_equal(resource_find(r, ATTR_network_tag, "net0")->value.type, VALUE_NULL);
	const struct leaf *trunks = resource_find(r, ATTR_network_trunks, "net0");
	assert_int_equal(trunks->value.set.n, 3);
	assert_string_equal(trunks->value.set.v[0], "20-29");
	assert_string_equal(trunks->value.set.v[1], "3");
	assert_string_equal(trunks->value.set.v[2], "4");
	assert_int_equal(trunks->item_marks[1].col, 52);
	assert_int_equal(resource_int(r, ATTR_cpu_cores), 4);
	assert_int_equal(resource_set(r, ATTR_cpu_flags)->n, 0);
	assert_int_equal(resource_int(r, ATTR_timeouts_create), 90000);
	/* Defaults of the table for what is not listed. */
	assert_int_equal(resource_int(r, ATTR_timeouts_delete), 600000);
	assert_int_equal(resource_int(r, ATTR_clone_retries), 3);
	assert_true(resource_bool(r, ATTR_clone_full));
	assert_false(resource_bool(r, ATTR_started));
	assert_false(resource_is_listed(r, ATTR_started));
	assert_string_equal(resource_str(r, ATTR_max_disruption), "hotplug");
	assert_null(resource_str(r, ATTR_clone_pool_id));
	assert_null(resource_set(r, ATTR_delete_disk));
	assert_true(resource_has_slot(r, "disk", "scsi2"));
	assert_false(resource_has_slot(r, "cdrom", "scsi2"));
	assert_int_equal(resource_slot_mark(r, "disk", "scsi2")->line, 13);
	assert_null(resource_find(r, ATTR_disk_ssd, "scsi3"));
	resource_unref(&r);
}

static void a_listed_drive_is_empty_by_default(void **state)
{
	(void)state;
	struct resource *r = decode(HEAD "  cdrom: { ide2: {}, ide0: { file_id: cdrom } }\n"
					 "  network: { net5: {} }\n");
	assert_string_equal(resource_find(r, ATTR_cdrom_file_id, "ide2")->value.s, "none");
	assert_string_equal(resource_find(r, ATTR_cdrom_file_id, "ide0")->value.s, "cdrom");
	assert_true(resource_has_slot(r, "network", "net5"));
	assert_int_equal(r->slots.n, 3);
	resource_unref(&r);
}

static void tags_fold_case(void **state)
{
	(void)state;
	struct resource *r = decode(HEAD "  tags: [Web, production, DB]\n");
	const struct strs *tags = resource_set(r, ATTR_tags);
	assert_int_equal(tags->n, 3);
	assert_string_equal(tags->v[0], "db");
	assert_string_equal(tags->v[2], "web");
	resource_unref(&r);
}

static void numbers_as_words(void **state)
{
	(void)state;
	struct resource *r = decode(HEAD "  memory: { hugepages: 1024 }\n");
	assert_string_equal(resource_str(r, ATTR_memory_hugepages), "1024");
	resource_unref(&r);
}

static void hash_is_of_the_meaning(void **state)
{
	(void)state;
	struct resource *a = decode(HEAD "  cpu: { cores: 4, sockets: 1 }\n  tags: [b, a]\n");
	struct resource *b =
	    decode("# other layout\n" HEAD
		   "  tags:\n    - a\n    - \"b\"\n  cpu:\n    sockets: 1\n    cores: 4\n");
	assert_string_equal(a->hash, b->hash);
	static const char *const others[] = {"  cpu: { cores: 4, sockets: 1 }\n",
	    "  cpu: { cores: 4, sockets: 1 }\n  tags: [\"a\", bc]\n",
	    "  cpu: { cores: 4, sockets: null }\n  tags: [b, a]\n",
	    "  cpu: { cores: 4, sockets: 1 }\n  tags: [b, a]\n  network: { net0: {} }\n"};
	for (size_t i = 0; i < ARRAY_LEN(others); i++) {
		_cleanup_str_ char *text = mem_printf("%s%s", HEAD, others[i]);
		struct resource *c = decode(text);
		assert_string_not_equal(a->hash, c->hash);
		resource_unref(&c);
	}
	resource_unref(&a);
	resource_unref(&b);
}

/* The example of each row, written as YAML, is taken and is the value that the row's text gives. */
static void every_example_is_good_yaml(void **state)
{
	(void)state;
	for (int id = 0; id < ATTR_ID__MAX; id++) {
		const struct attr *a = schema_attr((enum attr_id)id);
		_cleanup_str_ char *text = mem_printf("v: %s\n", a->example);
		struct diags diags = {0};
		struct ydoc *y = NULL;
		assert_int_equal(ydoc_parse("f", text, strlen(text), NULL, &diags, &y), 0);
		const struct ynode *n = ynode_get(ydoc_root(y, 0), "v");
		assert_non_null(n);
		assert_int_equal(n->kind, a->type == ATTR_SET ? YNODE_SEQ : YNODE_SCALAR);
		ydoc_free(&y);
		diags_fini(&diags);
	}
}

/* The only finding of a manifest with this line in its spec. */
static void expect_hint(const char *line, const char *hint)
{
	struct diags diags = {0};
	struct ydoc *y = NULL;
	struct resource *r = NULL;
	_cleanup_str_ char *name = NULL, *text = mem_printf("%s  %s\n", HEAD, line);
	assert_int_equal(ydoc_parse("f.yaml", text, strlen(text), NULL, &diags, &y), 0);
	assert_int_equal(decode_doc("f.yaml", y, 0, &diags, &r, &name), DECODE_BAD);
	assert_int_equal(diags.n, 1);
	assert_string_equal(diags.v[0].hint, hint);
	ydoc_free(&y);
	diags_fini(&diags);
}

static void hints_at_numbers(void **state)
{
	(void)state;
	expect_hint("memory: { size: 4G }", "write the number of MiB alone: 4096");
	expect_hint("memory: { size: 4 GiB }", "write the number of MiB alone: 4096");
	expect_hint("memory: { size: 2048 mb }", "write the number of MiB alone: 2048");
	expect_hint("memory: { size: 1t }", "write the number of MiB alone: 1048576");
	expect_hint("memory: { size: 1000K }", "write the number of MiB alone, without a unit");
	expect_hint("memory: { size: 4 GiBs }", "write the number of MiB alone, without a unit");
	expect_hint(
	    "memory: { size: 99999999999T }", "write the number of MiB alone, without a unit");
	expect_hint("disk: { scsi0: { size_gb: 20G } }", "write the number of GiB alone: 20");
	expect_hint("disk: { scsi0: { size_gb: 20480M } }", "write the number of GiB alone: 20");
	expect_hint(
	    "disk: { scsi0: { size_gb: 512M } }", "write the number of GiB alone, without a unit");
	expect_hint("cpu: { cores: 4 cores }", "write the number alone, without a unit");
	expect_hint("cpu: { cores: many }", "write a number such as 4");
}

static void hints_at_blocks(void **state)
{
	(void)state;
	expect_hint("memory: 4096", "such as memory: { size: 8192 }");
	expect_hint("network: [{ bridge: vmbr0 }]", "such as network: { net0: { bridge: vmbr0 } }");
	expect_hint("network: { net0: virtio }", "such as net0: { bridge: vmbr0 }");
}

/* Somebody else's kind of the same name belongs to a domain; without one it was meant for us. */
static void whose_kind(void **state)
{
	static const struct {
		const char *version;
		enum decode_outcome want;
	} rows[] = {
	    {"vms.example.org/v1", DECODE_FOREIGN},
	    {"v1", DECODE_BAD},
	    {"ramet/v1", DECODE_BAD},
	    {"ramet.dev/v2", DECODE_BAD},
	};
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct diags diags = {0};
		struct ydoc *y = NULL;
		struct resource *r = NULL;
		_cleanup_str_ char *name = NULL,
				   *text = mem_printf("apiVersion: %s\nkind: ClonedVM\n"
						      "metadata: { name: a }\n",
				       rows[i].version);
		assert_int_equal(ydoc_parse("f.yaml", text, strlen(text), NULL, &diags, &y), 0);
		assert_int_equal(decode_doc("f.yaml", y, 0, &diags, &r, &name), rows[i].want);
		assert_int_equal(diags.n, rows[i].want == DECODE_BAD ? 1 : 0);
		ydoc_free(&y);
		diags_fini(&diags);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(leaves_in_order),
	    cmocka_unit_test(a_listed_drive_is_empty_by_default),
	    cmocka_unit_test(tags_fold_case),
	    cmocka_unit_test(numbers_as_words),
	    cmocka_unit_test(hash_is_of_the_meaning),
	    cmocka_unit_test(every_example_is_good_yaml),
	    cmocka_unit_test(hints_at_numbers),
	    cmocka_unit_test(hints_at_blocks),
	    cmocka_unit_test(whose_kind),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
