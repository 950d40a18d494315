/* YAML with places: what is read, where it stands, and that nasty texts cost one finding each. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "ydoc.h"

struct parsed {
	struct ydoc *y;
	struct diags diags;
	int rc;
};

static struct parsed parse_n(const char *text, size_t len)
{
	struct parsed p = {0};
	p.rc = ydoc_parse("f.yaml", text, len, NULL, &p.diags, &p.y);
	return p;
}

static struct parsed parse(const char *text)
{
	return parse_n(text, strlen(text));
}

static void done(struct parsed *p)
{
	ydoc_free(&p->y);
	diags_fini(&p->diags);
}

static void reads_kinds_and_places(void **state)
{
	(void)state;
	struct parsed p = parse("# comment\n"
				"a: 1\n"
				"b:\n"
				"  - x\n"
				"  - \"y z\"\n"
				"c: {d: null, e: }\n");
	assert_int_equal(p.rc, 0);
	assert_int_equal(ydoc_count(p.y), 1);
	const struct ynode *root = ydoc_root(p.y, 0);
	assert_int_equal(root->kind, YNODE_MAP);
	assert_int_equal(root->n, 3);
	assert_int_equal(root->mark.line, 2);
	const struct ynode *a = ynode_get(root, "a");
	assert_string_equal(a->text, "1");
	assert_true(a->plain);
	assert_int_equal(a->mark.line, 2);
	assert_int_equal(a->mark.col, 4);
	assert_int_equal(a->mark.end_col, 5);
	const struct ynode *b = ynode_get(root, "b");
	assert_int_equal(b->kind, YNODE_SEQ);
	assert_int_equal(b->n, 2);
	assert_false(b->items[1]->plain);
	assert_string_equal(b->items[1]->text, "y z");
	assert_int_equal(b->items[1]->mark.line, 5);
	assert_int_equal(b->items[1]->mark.col, 5);
	const struct ynode *c = ynode_get(root, "c");
	assert_int_equal(root->key_marks[2].line, 6);
	assert_int_equal(root->key_marks[2].col, 1);
	assert_true(ynode_is_null(ynode_get(c, "d")));
	assert_true(ynode_is_null(ynode_get(c, "e")));
	assert_null(ynode_get(c, "f"));
	assert_null(ynode_get(a, "f"));
	done(&p);
}

static void several_documents(void **state)
{
	(void)state;
	struct parsed p = parse("a: 1\n---\n---\nb: 2\n...\n");
	assert_int_equal(p.rc, 0);
	assert_int_equal(ydoc_count(p.y), 3);
	assert_non_null(ydoc_root(p.y, 0));
	assert_null(ydoc_root(p.y, 1));
	assert_string_equal(ynode_get(ydoc_root(p.y, 2), "b")->text, "2");
	assert_false(ydoc_is_broken(p.y));
	done(&p);
	p = parse("");
	assert_int_equal(p.rc, 0);
	assert_int_equal(ydoc_count(p.y), 0);
	done(&p);
	p = parse("# only a comment\n");
	assert_int_equal(ydoc_count(p.y), 0);
	done(&p);
}

static void columns_count_characters(void **state)
{
	(void)state;
	/* A byte order mark is no column; an umlaut is one. */
	struct parsed p = parse("\xef\xbb\xbf"
				"\"\xc3\xa4\": 1\r\nb: 2\r\n");
	assert_int_equal(p.rc, 0);
	const struct ynode *root = ydoc_root(p.y, 0);
	assert_int_equal(root->key_marks[0].col, 1);
	assert_int_equal(root->items[0]->mark.col, 6);
	assert_int_equal(root->key_marks[1].line, 2);
	assert_string_equal(root->items[1]->text, "2");
	done(&p);
}

struct bad {
	const char *text;
	size_t len; /* 0 = strlen */
	enum diag_code code;
	unsigned line, col;
	bool broken;
};

static const struct bad bads[] = {
    {"a: 1\nb: 2\na: 3\n", 0, DIAG_DUPLICATE_KEY, 3, 1, false},
    {"a: {x: 1, y: 2, x: 3}\n", 0, DIAG_DUPLICATE_KEY, 1, 17, false},
    {"a: &x 1\nb: *x\nc: *x\n", 0, DIAG_ANCHOR, 1, 4, false},
    {"a: *x\n", 0, DIAG_ANCHOR, 1, 4, false},
    {"a: !!str 1\n", 0, DIAG_TAG, 1, 4, false},
    {"a: !foo {b: 1}\n", 0, DIAG_TAG, 1, 4, false},
    {"%TAG !a! b\n---\na: 1\n", 0, DIAG_TAG, 1, 1, true},
    {"a: 1\n...\r%TAG !a! b\n---\na: 1\n", 0, DIAG_TAG, 3, 1, true},
    {"<<: {a: 1}\n", 0, DIAG_MERGE_KEY, 1, 1, false},
    {"{a: b}: 1\n", 0, DIAG_BAD_KEY, 1, 1, false},
    {"? [a, b]\n: 1\nc: 2\n", 0, DIAG_BAD_KEY, 1, 3, false},
    {"? [[a], {b: c}]\n: {d: [e]}\nc: 2\n", 0, DIAG_BAD_KEY, 1, 3, false},
    {"\"\": 1\n", 0, DIAG_BAD_KEY, 1, 1, false},
    {"a: \"x\\0y\"\n", 0, DIAG_CONTROL_CHARACTER, 1, 4, false},
    {"a: b: c\n", 0, DIAG_SYNTAX, 1, 5, true},
    {"a:\n\tb: 1\n", 0, DIAG_SYNTAX, 2, 1, true},
    {"a: [1, 2\n", 0, DIAG_SYNTAX, 2, 1, true},
    {"a: \"x\n", 0, DIAG_SYNTAX, 2, 1, true},
    {"a: 1\n b: 2\n", 0, DIAG_SYNTAX, 2, 3, true},
    {"a: 1\n\x1b[31m\n", 0, DIAG_CONTROL_CHARACTER, 2, 1, true},
    {"a: 1\nb: \0\n", 10, DIAG_CONTROL_CHARACTER, 2, 4, true},
    {"a: \xff\n", 0, DIAG_ENCODING, 1, 4, true},
    {"a: \xc0\x80\n", 0, DIAG_ENCODING, 1, 4, true},
    {"a: \xed\xa0\x80\n", 0, DIAG_ENCODING, 1, 4, true},
    {"\xff\xfe"
     "a",
	0, DIAG_ENCODING, 1, 1, true},
    {"\x7f"
     "ELF\x02\x01\x01\0\0\0",
	10, DIAG_CONTROL_CHARACTER, 1, 1, true},
    {"a: x\xe2\x80\xa8y\n", 0, DIAG_CONTROL_CHARACTER, 1, 5, true},
};

static void bad_texts_give_one_finding(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bads); i++) {
		const struct bad *b = &bads[i];
		struct parsed p = parse_n(b->text, b->len ? b->len : strlen(b->text));
		if (p.diags.n != 1 || p.diags.v[0].code != b->code ||
		    p.diags.v[0].mark.line != b->line || p.diags.v[0].mark.col != b->col)
			for (size_t k = 0; k < p.diags.n; k++)
				print_error("%zu: %s %u:%u %s\n", i, diag_word(p.diags.v[k].code),
				    p.diags.v[k].mark.line, p.diags.v[k].mark.col,
				    p.diags.v[k].msg);
		assert_int_equal(p.rc, -1);
		assert_int_equal(p.diags.n, 1);
		assert_int_equal(p.diags.v[0].code, b->code);
		assert_int_equal(p.diags.v[0].mark.line, b->line);
		assert_int_equal(p.diags.v[0].mark.col, b->col);
		assert_non_null(p.diags.v[0].hint);
		assert_int_equal(ydoc_is_broken(p.y), b->broken);
		if (!b->broken)
			assert_true(ydoc_is_bad(p.y, 0));
		done(&p);
	}
}

static char *repeat(const char *part, size_t n, const char *tail)
{
	struct buf b;
	buf_init(&b, 0);
	for (size_t i = 0; i < n; i++)
		buf_adds(&b, part);
	buf_adds(&b, tail);
	return buf_take(&b);
}

static void expect_one(char *text, enum diag_code code)
{
	struct parsed p = parse(text);
	assert_int_equal(p.diags.n, 1);
	assert_int_equal(p.diags.v[0].code, code);
	assert_true(ydoc_is_broken(p.y));
	done(&p);
	free(text);
}

static char *directives(unsigned n)
{
	struct buf b;
	buf_init(&b, 0);
	for (unsigned i = 0; i < n; i++)
		buf_addf(&b, "%%TAG !%x! b\n", i);
	return buf_take(&b);
}

static void too_much_of_anything(void **state)
{
	(void)state;
	expect_one(repeat("[", 10000, ""), DIAG_TOO_DEEP);
	expect_one(repeat("- ", 10000, "x"), DIAG_TOO_DEEP);
	expect_one(repeat("{a: ", 10000, ""), DIAG_TOO_DEEP);
	expect_one(repeat("- a\n", 100001, ""), DIAG_TOO_MANY_NODES);
	expect_one(repeat("---\n", 10001, ""), DIAG_TOO_MANY_NODES);
	expect_one(repeat("# 0123456789\n", 90000, ""), DIAG_TOO_LARGE);
	/* libyaml compares each with all before it: this one would take it minutes. */
	expect_one(directives(60000), DIAG_TAG);
}

static void deep_but_allowed(void **state)
{
	(void)state;
	char *opening = repeat("[", 32, "");
	char *text = mem_printf("%s%s\n", opening, "]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]");
	struct parsed p = parse(text);
	assert_int_equal(p.rc, 0);
	done(&p);
	free(text);
	free(opening);
}

/* Nine levels of ten aliases each: a billion values if anybody expanded them. */
static void alias_bomb(void **state)
{
	(void)state;
	struct buf b;
	buf_init(&b, 0);
	buf_adds(&b, "a0: &a0 x\n");
	for (int i = 1; i <= 9; i++) {
		buf_addf(&b, "a%d: &a%d [", i, i);
		for (int k = 0; k < 10; k++)
			buf_addf(&b, "*a%d,", i - 1);
		buf_adds(&b, "]\n");
	}
	struct parsed p = parse(buf_str(&b));
	assert_int_equal(p.diags.n, 1);
	assert_int_equal(p.diags.v[0].code, DIAG_ANCHOR);
	done(&p);
	buf_fini(&b);
}

static void what_comes_before_a_break_is_kept(void **state)
{
	(void)state;
	struct parsed p = parse("a: 1\n---\nmetadata:\n  name: x\n  oops: [\n---\nb: 1\n");
	assert_int_equal(p.rc, -1);
	assert_true(ydoc_is_broken(p.y));
	assert_int_equal(ydoc_count(p.y), 2);
	assert_false(ydoc_is_bad(p.y, 0));
	assert_true(ydoc_is_bad(p.y, 1));
	const struct ynode *meta = ynode_get(ydoc_root(p.y, 1), "metadata");
	assert_string_equal(ynode_get(meta, "name")->text, "x");
	done(&p);
}

static void many_keys_in_one_block(void **state)
{
	(void)state;
	struct buf b;
	buf_init(&b, 0);
	for (int i = 0; i < 40000; i++)
		buf_addf(&b, "k%d: 1\n", i);
	buf_adds(&b, "k7: 1\n");
	struct parsed p = parse(buf_str(&b));
	assert_int_equal(p.diags.n, 1);
	assert_int_equal(p.diags.v[0].code, DIAG_DUPLICATE_KEY);
	assert_int_equal(p.diags.v[0].mark.line, 40001);
	done(&p);
	buf_fini(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(reads_kinds_and_places),
	    cmocka_unit_test(several_documents),
	    cmocka_unit_test(columns_count_characters),
	    cmocka_unit_test(bad_texts_give_one_finding),
	    cmocka_unit_test(too_much_of_anything),
	    cmocka_unit_test(deep_but_allowed),
	    cmocka_unit_test(alias_bomb),
	    cmocka_unit_test(what_comes_before_a_break_is_kept),
	    cmocka_unit_test(many_keys_in_one_block),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
