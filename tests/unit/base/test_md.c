#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "md.h"

static char *text(const char *s, size_t max)
{
	struct buf b = {0};
	md_text(&b, s, max);
	return buf_take(&b);
}

static char *code(const char *s, size_t max)
{
	struct buf b = {0};
	md_code(&b, s, max);
	return buf_take(&b);
}

struct pair {
	const char *in, *out;
};

static const struct pair texts[] = {
    {"plain words, 4 -> 8", "plain words, 4 -&gt; 8"},
    {"<img src=x onerror=alert(1)>", "&lt;img src=x onerror=alert(1)&gt;"},
    {"a|b", "a&#124;b"},
    {"a\\|b", "a\\\\&#124;b"},
    {"[x](javascript:1)", "\\[x\\](javascript:1)"},
    {"![x](y)", "\\!\\[x\\](y)"},
    {"*b* _i_ ~s~ `c`", "\\*b\\* \\_i\\_ \\~s\\~ \\`c\\`"},
    {"one\ntwo\r\n| three", "one two  &#124; three"},
    {"&lt;", "&amp;lt;"},
    {"ask @everyone", "ask @&#8203;everyone"},
    {"see https://evil.example/x", "see https:&#8203;//evil.example/x"},
    {"WWW.evil.example", "WWW&#8203;.evil.example"},
    {"#12 !3 $x^2$", "\\#12 \\!3 \\$x\\^2\\$"},
    {"größe", "größe"},
    {"a\xffz", "a\xef\xbf\xbdz"},
    {"left\xe2\x80\xaeright", "left right"},
    {"", ""},
};

static void test_prose_stays_prose(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		_cleanup_str_ char *got = text(texts[i].in, 100);
		assert_string_equal(got, texts[i].out);
	}
}

static const struct pair prose[] = {
    {"*b* ask @everyone", "\\*b\\* ask @&#8203;everyone"},
    {"as root: `pveum acl modify / --tokens 'a@pve!t'`, then wait",
	"as root: `pveum acl modify / --tokens 'a@pve!t'`, then wait"},
    {"`a` and `b`", "`a` and `b`"},
    {"`a | b` _c_", "<code>a &#124; b</code> \\_c\\_"},
    {"one ` alone", "one \\` alone"},
    {"`a` and ` @b", "`a` and \\` @&#8203;b"},
    {"``", ""},
    {"", ""},
};

static void test_commands_in_prose(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(prose); i++) {
		struct buf b = {0};
		md_prose(&b, prose[i].in, 100);
		_cleanup_str_ char *got = buf_take(&b);
		assert_string_equal(got, prose[i].out);
	}
}

static const struct pair codes[] = {
    {"cpu.cores", "`cpu.cores`"},
    {"ops@pam", "`ops@pam`"},
    {"<b>", "`<b>`"},
    {"a`b", "<code>a&#96;b</code>"},
    {"a|b", "<code>a&#124;b</code>"},
    {"a\\", "<code>a&#92;</code>"},
    {" pad", "<code> pad</code>"},
    {"</code><script>|", "<code>&#60;&#47;code&#62;&#60;script&#62;&#124;</code>"},
    {"two\nlines", "`two lines`"},
    {"", ""},
};

static void test_values_stay_in_their_span(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(codes); i++) {
		_cleanup_str_ char *got = code(codes[i].in, 100);
		assert_string_equal(got, codes[i].out);
	}
}

static void test_length_is_counted_before_escaping(void **state)
{
	(void)state;
	_cleanup_str_ char *cut = text("|||||", 3);
	assert_string_equal(cut, "&#124;&#124;…");
	_cleanup_str_ char *whole = text("|||", 3);
	assert_string_equal(whole, "&#124;&#124;&#124;");
	_cleanup_str_ char *span = code("abcdef", 4);
	assert_string_equal(span, "`abc…`");
}

static void test_nothing_from_null(void **state)
{
	(void)state;
	_cleanup_str_ char *a = text(NULL, 10);
	_cleanup_str_ char *b = code(NULL, 10);
	assert_string_equal(a, "");
	assert_string_equal(b, "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_prose_stays_prose),
	    cmocka_unit_test(test_commands_in_prose),
	    cmocka_unit_test(test_values_stay_in_their_span),
	    cmocka_unit_test(test_length_is_counted_before_escaping),
	    cmocka_unit_test(test_nothing_from_null),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
