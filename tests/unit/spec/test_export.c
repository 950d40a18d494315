/* What is made from the table and committed is current; the JSON Schema is JSON. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "export.h"
#include "jsn.h"
#include "schema.h"

#define FILE_MAX ((size_t)1 << 20)

static void compare(const char *name, char *wanted, const char *form)
{
	_cleanup_str_ char *path = mem_printf("%s/%s", RAMET_SOURCE_DIR, name);
	_cleanup_str_ char *data = mem_alloc(FILE_MAX);
	FILE *f = fopen(path, "rb");
	if (f) {
		(void)!fread(data, 1, FILE_MAX - 1, f);
		fclose(f);
	}
	if (strcmp(data, wanted) != 0)
		print_error("%s is not current: ramet schema --output %s > %s\n", name, form, name);
	assert_true(strcmp(data, wanted) == 0);
	free(wanted);
}

static void reference_is_current(void **state)
{
	(void)state;
	compare("docs/manifest.md", export_markdown(), "markdown");
}

static void dictionary_is_current(void **state)
{
	(void)state;
	compare("tests/fuzz/manifest.dict", export_dictionary(), "dictionary");
}

static const struct jsn *go(const struct jsn *j, const char *path)
{
	struct strs parts = {0};
	assert_int_equal(text_split(path, "/", true, 20, &parts), 0);
	for (size_t i = 0; i < parts.n; i++)
		j = jsn_get(j, parts.v[i]);
	strs_fini(&parts);
	return j;
}

static void schema_says_what_the_table_says(void **state)
{
	(void)state;
	_cleanup_str_ char *text = export_json_schema();
	_cleanup_jsn_ struct jsn *j = NULL;
	assert_int_equal(jsn_parse(text, strlen(text), &j, NULL), 0);
	const struct jsn *cores = go(j, "properties/spec/properties/cpu/properties/cores");
	assert_int_equal(jsn_get_int(cores, "minimum", -1), 1);
	assert_int_equal(jsn_get_int(cores, "default", -1), 1);
	assert_string_equal(jsn_text(jsn_at(jsn_get(cores, "type"), 1)), "null");
	assert_string_equal(jsn_get_text(cores, "title"), schema_attr(ATTR_cpu_cores)->brief);
	const struct jsn *old = go(j, "properties/spec/properties/cpu/properties/hotplugged");
	assert_true(jsn_get_bool(old, "deprecated", false));
	const struct jsn *slots = go(j, "properties/spec/properties/network/patternProperties");
	assert_int_equal(jsn_len(slots), 1);
	/* Nothing is let through anywhere that has keys of ours. */
	struct jsn_iter it;
	assert_false(jsn_get_bool(j, "additionalProperties", true));
	const struct attr_block *listed;
	size_t n_listed = schema_blocks(&listed), blocks = 0;
	for (bool more = jsn_iter_first(go(j, "properties/spec/properties"), &it); more;
	     more = jsn_iter_next(&it)) {
		if (!text_eq(jsn_get_text(it.val, "type"), "object"))
			continue;
		assert_false(jsn_get_bool(it.val, "additionalProperties", true));
		blocks++;
	}
	for (size_t i = 0; i < n_listed; i++)
		blocks -= schema_block_is_in(&listed[i], "", NULL);
	assert_int_equal(blocks, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(reference_is_current),
	    cmocka_unit_test(dictionary_is_current),
	    cmocka_unit_test(schema_says_what_the_table_says),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
