/*
 * Every row of the table through the whole way from YAML to a leaf: limits, words, null, wrong
 * types, and back to YAML again.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "decode.h"

#define ANY_CODE DIAG_CODE__MAX

static const char *slot_of(const struct attr *a)
{
	static char kept[32];
	const struct attr_block *b = schema_slot_block(a);
	if (!b)
		return NULL;
	char *word = form_slot_word(b->slot_format);
	if (!word)
		return b->slot_format == FMT_CDROM_SLOT ? "ide2" : "scsi11";
	(void)snprintf(kept, sizeof(kept), "%.*s2", (int)strlen(word) - 1, word);
	free(word);
	return kept;
}

static char *block_of(const struct attr *a)
{
	size_t len = (size_t)(schema_key(a) - a->path);
	return mem_strndup(a->path, len ? len - 1 : 0);
}

static void add_line(struct buf *b, size_t depth, const char *key, const char *value)
{
	buf_addf(b, "%*s%s:%s%s\n", (int)(2 * depth), "", key, *value ? " " : "", value);
}

/* A manifest in which the row has that YAML value, with all that is required around it. */
static char *manifest(const struct attr *a, const char *yaml)
{
	_cleanup_str_ char *block = block_of(a);
	struct strs path = {0};
	struct buf b;
	buf_init(&b, 0);
	buf_adds(&b, "apiVersion: ramet.dev/v1\nkind: ClonedVM\nmetadata: { name: x }\nspec:\n");
	for (int id = 0; id < ATTR_ID__MAX; id++) {
		const struct attr *r = schema_attr((enum attr_id)id);
		if ((r->flags & ATTR_REQUIRED) && schema_is_in(r, "") && r != a)
			add_line(&b, 1, schema_key(r), r->example);
	}
	if (strcmp(block, "clone") != 0)
		buf_adds(&b, "  clone: { source_vm_id: 9000 }\n");
	assert_int_equal(text_split(block, ".", true, 10, &path), 0);
	for (size_t i = 0; i < path.n; i++)
		add_line(&b, i + 1, strcmp(path.v[i], "*") == 0 ? slot_of(a) : path.v[i], "");
	for (int id = 0; *block && id < ATTR_ID__MAX; id++) {
		const struct attr *r = schema_attr((enum attr_id)id);
		if ((r->flags & ATTR_REQUIRED) && schema_is_in(r, block) && r != a)
			add_line(&b, path.n + 1, schema_key(r), r->example);
	}
	add_line(&b, path.n + 1, schema_key(a), yaml);
	strs_fini(&path);
	return buf_take(&b);
}

struct result {
	struct resource *r;
	struct diags diags;
};

static void result_fini(struct result *r)
{
	resource_unref(&r->r);
	diags_fini(&r->diags);
}

static struct result decode(const struct attr *a, const char *yaml)
{
	struct result res = {0};
	struct ydoc *y = NULL;
	_cleanup_str_ char *text = manifest(a, yaml), *name = NULL;
	(void)!ydoc_parse("f", text, strlen(text), NULL, &res.diags, &y);
	(void)decode_doc("f", y, 0, &res.diags, &res.r, &name);
	ydoc_free(&y);
	return res;
}

static void accept(const struct attr *a, const char *yaml)
{
	struct result res = decode(a, yaml);
	if (!res.r)
		print_error("%s: %s: %s\n", a->path, yaml, res.diags.v[0].msg);
	assert_non_null(res.r);
	assert_int_equal(res.diags.n, 0);
	const struct leaf *l = resource_find(res.r, a->id, slot_of(a));
	assert_non_null(l);
	/* Back to YAML and in again: the same value, the same hash. */
	_cleanup_str_ char *printed = value_print_yaml(&l->value);
	struct result again = decode(a, printed);
	assert_non_null(again.r);
	assert_true(value_eq(&l->value, &resource_find(again.r, a->id, slot_of(a))->value));
	assert_string_equal(res.r->hash, again.r->hash);
	result_fini(&again);
	result_fini(&res);
}

static void refuse(const struct attr *a, const char *yaml, enum diag_code code)
{
	struct result res = decode(a, yaml);
	bool right = !res.r && res.diags.n == 1 &&
		     (code == ANY_CODE || res.diags.v[0].code == code) && res.diags.v[0].hint;
	if (!right)
		print_error("%s: %s: %zu findings, %s\n", a->path, yaml, res.diags.n,
		    res.diags.n ? res.diags.v[0].msg : "");
	assert_true(right);
	result_fini(&res);
}

static void for_each(void (*fn)(const struct attr *a))
{
	for (int id = 0; id < ATTR_ID__MAX; id++)
		fn(schema_attr((enum attr_id)id));
}

static void example_and_default(const struct attr *a)
{
	accept(a, a->example);
	if (!a->deflt)
		return;
	struct value v;
	assert_int_equal(schema_parse_value(a, a->deflt, &v), 0);
	_cleanup_str_ char *yaml = value_print_yaml(&v);
	value_fini(&v);
	accept(a, yaml);
}

static void null_where_it_is_allowed(const struct attr *a)
{
	if (a->flags & ATTR_NULLABLE)
		accept(a, "null");
	else
		refuse(a, "null", DIAG_NULL_NOT_ALLOWED);
	refuse(a, "", DIAG_EMPTY_VALUE);
}

static void numbers_within_limits(const struct attr *a)
{
	if (a->type != ATTR_INT && a->type != ATTR_NUM)
		return;
	double at[] = {a->min, a->max}, beyond[] = {a->min - 1, a->max + 1};
	for (size_t i = 0; i < 2; i++) {
		_cleanup_str_ char *good = text_from_num(at[i]), *bad = text_from_num(beyond[i]);
		accept(a, good);
		refuse(a, bad, DIAG_OUT_OF_RANGE);
		_cleanup_str_ char *quoted = mem_printf("\"%s\"", good);
		refuse(a, quoted, DIAG_WRONG_TYPE);
	}
	refuse(a, "many", DIAG_WRONG_TYPE);
	refuse(a, "0x10", DIAG_WRONG_TYPE);
	refuse(a, "true", DIAG_WRONG_TYPE);
	if (a->type == ATTR_INT)
		refuse(a, "1.0", DIAG_WRONG_TYPE);
	else
		accept(a, "1.25");
}

static void durations_within_limits(const struct attr *a)
{
	if (a->type != ATTR_DUR)
		return;
	_cleanup_str_ char *min = value_print_duration((int64_t)a->min),
			   *max = value_print_duration((int64_t)a->max),
			   *below = value_print_duration((int64_t)a->min - 1),
			   *above = value_print_duration((int64_t)a->max + 1);
	accept(a, min);
	accept(a, max);
	refuse(a, below, DIAG_OUT_OF_RANGE);
	refuse(a, above, DIAG_OUT_OF_RANGE);
	refuse(a, "30", DIAG_WRONG_TYPE);
}

static void words(const struct attr *a)
{
	if (a->type != ATTR_ENUM)
		return;
	struct strs l = {0};
	assert_int_equal(text_split(a->choices, "|", true, 100, &l), 0);
	for (size_t i = 0; i < l.n; i++) {
		_cleanup_value_ struct value v = {0};
		value_set_str(&v, l.v[i]);
		_cleanup_str_ char *yaml = value_print_yaml(&v);
		accept(a, yaml);
	}
	refuse(a, "never-heard-of", DIAG_UNKNOWN_CHOICE);
	refuse(a, "\"\"", DIAG_UNKNOWN_CHOICE);
	strs_fini(&l);
}

static void booleans(const struct attr *a)
{
	if (a->type != ATTR_BOOL)
		return;
	accept(a, "true");
	accept(a, "false");
	accept(a, "True");
	static const char *const wrong[] = {"yes", "on", "1", "\"true\"", "tRUE", "maybe"};
	for (size_t i = 0; i < ARRAY_LEN(wrong); i++)
		refuse(a, wrong[i], DIAG_WRONG_TYPE);
}

static void wrong_shapes(const struct attr *a)
{
	refuse(a, "{ a: b }", DIAG_WRONG_TYPE);
	if (a->type == ATTR_SET) {
		refuse(a, "word", DIAG_WRONG_TYPE);
		refuse(a, "[[a]]", DIAG_WRONG_TYPE);
		refuse(a, "[true]", DIAG_WRONG_TYPE);
		refuse(a, "[null]", DIAG_WRONG_TYPE);
		refuse(a, "[\"\"]", DIAG_BAD_VALUE);
		accept(a, "[]");
	} else {
		refuse(a, "[a]", DIAG_WRONG_TYPE);
	}
	if (a->type == ATTR_STR) {
		refuse(a, "12", DIAG_WRONG_TYPE);
		refuse(a, "true", DIAG_WRONG_TYPE);
		refuse(a, "1e3", DIAG_WRONG_TYPE);
		refuse(a, "\"a\\x07b\"", DIAG_BAD_VALUE);
	}
}

static void too_long(const struct attr *a)
{
	if (a->type != ATTR_STR)
		return;
	struct buf b;
	buf_init(&b, 0);
	for (int i = 0; i <= (int)a->max; i++)
		buf_addc(&b, 'a');
	_cleanup_str_ char *text = buf_take(&b);
	refuse(a, text, ANY_CODE);
	if (a->min > 0)
		refuse(a, "\"\"", ANY_CODE);
}

#define EACH(fn)                       \
	static void all_##fn(void **s) \
	{                              \
		(void)s;               \
		for_each(fn);          \
	}
EACH(example_and_default)
EACH(null_where_it_is_allowed)
EACH(numbers_within_limits)
EACH(durations_within_limits)
EACH(words)
EACH(booleans)
EACH(wrong_shapes)
EACH(too_long)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(all_example_and_default),
	    cmocka_unit_test(all_null_where_it_is_allowed),
	    cmocka_unit_test(all_numbers_within_limits),
	    cmocka_unit_test(all_durations_within_limits),
	    cmocka_unit_test(all_words),
	    cmocka_unit_test(all_booleans),
	    cmocka_unit_test(all_wrong_shapes),
	    cmocka_unit_test(all_too_long),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
