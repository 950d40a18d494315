#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka needs the four above first. */
#include <cmocka.h>

#include "text.h"

#include <float.h>
#include <locale.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static void integers(void **state UNUSED)
{
	static const struct {
		const char *s;
		int rc;
		int64_t v;
	} cases[] = {
	    {"0", 0, 0},
	    {"-0", 0, 0},
	    {"42", 0, 42},
	    {"-42", 0, -42},
	    {"9223372036854775807", 0, INT64_MAX},
	    {"-9223372036854775808", 0, INT64_MIN},
	    {"9223372036854775808", -1, 0},
	    {"-9223372036854775809", -1, 0},
	    {"99999999999999999999999", -1, 0},
	    {"", -1, 0},
	    {"-", -1, 0},
	    {"+1", -1, 0},
	    {" 1", -1, 0},
	    {"1 ", -1, 0},
	    {"0x10", -1, 0},
	    {"1e3", -1, 0},
	    {"1.0", -1, 0},
	    {"--1", -1, 0},
	};
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		int64_t v = 77;
		assert_int_equal(text_to_int(cases[i].s, INT64_MIN, INT64_MAX, &v), cases[i].rc);
		assert_true(v == (cases[i].rc ? 77 : cases[i].v));
	}
	int64_t v = 5;
	assert_int_equal(text_to_int("10", 1, 9, &v), -1);
	assert_int_equal(text_to_int("0", 1, 9, &v), -1);
	assert_int_equal(text_to_int(NULL, 1, 9, &v), -1);
	assert_int_equal(v, 5);
	assert_int_equal(text_to_int("9", 1, 9, &v), 0);
	assert_int_equal(v, 9);
}

static void check_fractions(void)
{
	static const char *const bad[] = {"", "-", ".5", "5.", "1,5", "1e5", "0x1p3", "inf", "nan",
	    "1.5 ", " 1.5", "+1.5", "1.5.5", "--1", "Infinity"};
	double v = 77;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		assert_int_equal(text_to_num(bad[i], &v), -1);
	char *long_one = mem_alloc(402);
	memset(long_one, '9', 400); /* more than a double holds */
	assert_int_equal(text_to_num(long_one, &v), -1);
	long_one[400] = '9';
	assert_int_equal(text_to_num(long_one, &v), -1);
	free(long_one);
	assert_true(v == 77);
	assert_int_equal(text_to_num("-12.25", &v), 0);
	assert_true(v == -12.25);
	assert_int_equal(text_to_num("0.1", &v), 0);
	assert_true(v == 0.1);
}

static void check_printing(void)
{
	static const struct {
		double v;
		const char *s;
	} cases[] = {
	    {0, "0"},
	    {-0.0, "0"},
	    {1, "1"},
	    {-1.5, "-1.5"},
	    {0.1, "0.1"},
	    {10, "10"},
	    {100.25, "100.25"},
	    {0.001, "0.001"},
	    {0.05, "0.05"},
	    {1e21, "1000000000000000000000"},
	    {123456789012345680.0, "123456789012345680"},
	    {1.0 / 3, "0.3333333333333333"},
	};
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		_cleanup_str_ char *s = text_from_num(cases[i].v);
		assert_string_equal(s, cases[i].s);
	}
}

static void round_trip(double v)
{
	_cleanup_str_ char *s = text_from_num(v);
	assert_null(strpbrk(s, "eE,"));
	double back;
	assert_int_equal(text_to_num(s, &back), 0);
	assert_true(back == v);
}

static void fractions(void **state UNUSED)
{
	check_fractions();
	check_printing();
	round_trip(DBL_MAX);
	round_trip(-DBL_MAX);
	round_trip(DBL_MIN);
	round_trip(1.0 / 3);
	round_trip(9007199254740993.0);
	/* A fixed walk through the representable numbers of common size. */
	uint64_t x = 88172645463325252u;
	for (int i = 0; i < 2000; i++) {
		x ^= x << 13;
		x ^= x >> 7;
		x ^= x << 17;
		round_trip((double)(int64_t)x / (double)(1 << (x & 15)) / 1000.0);
	}
	/* The same where the decimal point is a comma, if such a locale is installed. */
	if (setlocale(LC_ALL, "de_DE.UTF-8")) {
		check_fractions();
		check_printing();
		setlocale(LC_ALL, "C");
	}
}

static void smallest_number(void **state UNUSED)
{
	/* 5e-324 as a plain decimal: 323 zeros after the point, then 5. */
	_cleanup_str_ char *s = text_from_num(4.9406564584124654e-324);
	assert_int_equal(strlen(s), 326);
	assert_true(text_starts(s, "0.000"));
	assert_true(text_ends(s, "0005"));
	round_trip(4.9406564584124654e-324);
}

static void comparing(void **state UNUSED)
{
	assert_true(text_eq(NULL, NULL));
	assert_false(text_eq(NULL, ""));
	assert_true(text_eq("a", "a"));
	assert_true(text_eq_nocase("VirtIO", "virtio"));
	assert_false(text_eq_nocase("virtio", "virtio0"));
	assert_false(text_eq_nocase("[", "{")); /* 32 apart, but no letters */
	assert_false(text_eq_nocase(NULL, ""));
	assert_true(text_starts("scsi0", "scsi"));
	assert_false(text_starts("scs", "scsi"));
	assert_false(text_starts(NULL, "scsi"));
	assert_true(text_ends("a.yaml", ".yaml"));
	assert_false(text_ends("yaml", ".yaml"));
	assert_string_equal(text_after("net0", "net"), "0");
	assert_null(text_after("ne", "net"));
}

static void unicode(void **state UNUSED)
{
	assert_true(text_is_utf8("\0a", 2));
	assert_true(text_is_utf8("ä€😀", 9));
	/* the way for ASCII takes eight at once */
	assert_int_equal(text_utf8_len("0123456789abcdef\x80", 17), 16);
	assert_int_equal(text_utf8_len("0123456789abcdef", 16), 16);
	assert_int_equal(text_utf8_len("01234567ä89abcde\xC3", 18), 17);
	assert_int_equal(text_utf8_len("", 0), 0);
	assert_false(text_is_utf8("ä€😀", 8));		   /* cut in the middle */
	assert_false(text_is_utf8("\xC0\x80", 2));	   /* NUL in two bytes */
	assert_false(text_is_utf8("\xE0\x80\xAF", 3));	   /* slash in three bytes */
	assert_false(text_is_utf8("\xED\xA0\x80", 3));	   /* half a surrogate pair */
	assert_false(text_is_utf8("\xF4\x90\x80\x80", 4)); /* beyond U+10FFFF */
	assert_true(text_is_utf8("\xF4\x8F\xBF\xBF", 4));
	assert_false(text_is_utf8("\x80", 1));
	assert_false(text_is_utf8("\xFF", 1));
	assert_true(text_is_printable("grün 😀", strlen("grün 😀")));
	assert_false(text_is_printable("a\nb", 3));
	assert_false(text_is_printable("a\0b", 3));
	assert_false(text_is_printable("\x1b[2J", 4));
	assert_false(text_is_printable("\xC2\x9B", 2));	    /* C1: CSI in one character */
	assert_false(text_is_printable("\xE2\x80\xAE", 3)); /* U+202E turns the writing round */
	assert_false(text_is_printable("\x7F", 1));
	assert_false(text_is_printable("\xFF", 1));
	_cleanup_str_ char *s = text_to_utf8("a\xFFz\xC3");
	assert_string_equal(s, "a\xEF\xBF\xBDz\xEF\xBF\xBD");
}

static void elapsed_is(const char *in, const char *want)
{
	_cleanup_str_ char *s = mem_strdup(in);
	text_drop_elapsed(s);
	assert_string_equal(s, want);
}

static void elapsed(void **state UNUSED)
{
	elapsed_is("Failed to connect to a port 8006 after 12 ms: Couldn't connect to server",
	    "Failed to connect to a port 8006: Couldn't connect to server");
	elapsed_is("Operation timed out after 10001 milliseconds with 0 bytes received",
	    "Operation timed out with 0 bytes received");
	elapsed_is("x after 1 ms after 22 ms", "x");
	elapsed_is("shortly after 3 attempts", "shortly after 3 attempts");
	elapsed_is("after 3 msg, after ms,  after 4", "after 3 msg, after ms,  after 4");
	elapsed_is("", "");
}

static void oneline_is(const char *in, size_t max, const char *want)
{
	_cleanup_str_ char *s = text_oneline(in, max);
	assert_string_equal(s, want);
}

static void one_line(void **state UNUSED)
{
	oneline_is("a\nb\tc", 80, "a b c");
	oneline_is("abcdef", 6, "abcdef");
	oneline_is("abcdefg", 6, "abcde…");
	oneline_is("äöüäöü", 3, "äö…");
	oneline_is("ab", 1, "…");
	oneline_is("ab", 0, "");
	oneline_is("", 0, "");
	oneline_is("x\xFFy", 9, "x\xEF\xBF\xBDy");
}

static void dns(void **state UNUSED)
{
	static const char *const labels[] = {"a", "web-01", "0", "a--b",
	    "a23456789012345678901234567890123456789012345678901234567890123"};
	static const char *const no_labels[] = {"", "-a", "a-", "A", "a.b", "a_b", "ä", "a b",
	    "a234567890123456789012345678901234567890123456789012345678901234"};
	for (size_t i = 0; i < ARRAY_LEN(labels); i++)
		assert_true(text_is_dns_label(labels[i]));
	for (size_t i = 0; i < ARRAY_LEN(no_labels); i++)
		assert_false(text_is_dns_label(no_labels[i]));
	assert_true(text_is_dns_name("Web.Example.org"));
	assert_true(text_is_dns_name("web"));
	assert_false(text_is_dns_name("web."));
	assert_false(text_is_dns_name(".web"));
	assert_false(text_is_dns_name("a..b"));
	assert_false(text_is_dns_name(""));
	assert_false(text_is_dns_name(NULL));
	char name[260] = "";
	for (int i = 0; i < 126; i++) {
		name[2 * i] = 'a';
		name[2 * i + 1] = '.';
	}
	name[252] = 'a'; /* 253 characters */
	assert_true(text_is_dns_name(name));
	name[253] = 'a';
	assert_false(text_is_dns_name(name));
}

static void small_changes(void **state UNUSED)
{
	_cleanup_str_ char *low = text_lower("ABCäZ[");
	assert_string_equal(low, "abcäz[");
	char s[] = "x y \t\r\n";
	text_trim_right(s);
	assert_string_equal(s, "x y");
	char blank[] = " \n";
	text_trim_right(blank);
	assert_string_equal(blank, "");
	_cleanup_str_ char *url = text_url_encode("a-Z_0.~ /&=%\xC3\xA4");
	assert_string_equal(url, "a-Z_0.~%20%2F%26%3D%25%C3%A4");
}

static void distances(void **state UNUSED)
{
	assert_int_equal(text_distance("", ""), 0);
	assert_int_equal(text_distance("", "abc"), 3);
	assert_int_equal(text_distance("abc", ""), 3);
	assert_int_equal(text_distance("kitten", "sitting"), 3);
	assert_int_equal(text_distance("memroy", "memory"), 1);
	assert_int_equal(text_distance("ab", "ba"), 1);
	/* Optimal string alignment: a swapped pair is not edited again (free Damerau says 2). */
	assert_int_equal(text_distance("ca", "abc"), 3);
	char long_a[80], long_b[80];
	memset(long_a, 'a', 79);
	memset(long_b, 'b', 79);
	long_a[79] = long_b[79] = '\0';
	assert_int_equal(text_distance(long_a, long_b), 64);
}

static void nearest(void **state UNUSED)
{
	static const char *const keys[] = {"cores", "memory", "machine", "sockets"};
	assert_string_equal(text_nearest("memroy", keys, 4), "memory");
	assert_string_equal(text_nearest("core", keys, 4), "cores");
	assert_string_equal(text_nearest("sockets", keys, 4), "sockets");
	assert_null(text_nearest("disk", keys, 4));
	assert_null(text_nearest("memory", keys, 0));
	static const char *const one[] = {"ab"};
	assert_string_equal(text_nearest("a", one, 1), "ab"); /* at least one edit is allowed */
	assert_null(text_nearest("", one, 1));
}

static void people_read(char *got, const char *want)
{
	assert_string_equal(got, want);
	free(got);
}

static void for_people(void **state UNUSED)
{
	people_read(text_bytes(0), "0 B");
	people_read(text_bytes(1023), "1023 B");
	people_read(text_bytes(1024), "1 KiB");
	people_read(text_bytes(1536ull << 20), "1.5 GiB");
	people_read(text_bytes(40ull << 30), "40 GiB");
	people_read(text_bytes((1ull << 20) - 1), "1 MiB"); /* not 1024 KiB */
	people_read(text_bytes(UINT64_MAX), "16 EiB");
	people_read(text_duration(0), "0 s");
	people_read(text_duration(250), "250 ms");
	people_read(text_duration(3999), "3 s");
	people_read(text_duration(125000), "2 min 5 s");
	people_read(text_duration(120000), "2 min");
	people_read(text_duration(4 * 3600000 + 3 * 60000 + 59000), "4 h 3 min");
	people_read(text_duration(50 * 3600000ll), "2 d 2 h");
	people_read(text_duration(-61000), "-1 min 1 s");
	people_read(text_time(0), "1970-01-01T00:00:00Z");
	people_read(text_time(951782400999), "2000-02-29T00:00:00Z");
	people_read(text_time(1796112000000), "2026-12-01T08:00:00Z");
	people_read(text_time(-1), "1969-12-31T23:59:59Z");
	people_read(text_time(INT64_MAX), "9999-12-31T23:59:59Z");
	people_read(text_time(INT64_MIN), "0000-01-01T00:00:00Z");
}

static void lists(void **state UNUSED)
{
	_cleanup_strs_ struct strs l = {0};
	strs_add(&l, "b");
	strs_add(&l, "a");
	strs_add(&l, "b");
	strs_add(&l, "B");
	_cleanup_strs_ struct strs copy = {0};
	strs_copy(&copy, &l);
	assert_true(strs_eq(&l, &copy));
	strs_sort_unique(&l);
	assert_false(strs_eq(&l, &copy));
	_cleanup_str_ char *joined = strs_join(&l, ", ");
	assert_string_equal(joined, "B, a, b");
	assert_true(strs_has(&l, "a"));
	assert_false(strs_has(&l, "A"));
	struct strs none = {0};
	_cleanup_str_ char *empty = strs_join(&none, ", ");
	assert_string_equal(empty, "");
	strs_sort_unique(&none);
}

static void split_is(const char *s, bool skip_empty, const char *want)
{
	_cleanup_strs_ struct strs l = {0};
	assert_int_equal(text_split(s, ",;", skip_empty, 4, &l), 0);
	_cleanup_str_ char *joined = strs_join(&l, "|");
	assert_string_equal(joined, want);
}

static void splitting(void **state UNUSED)
{
	split_is("a,b;c", false, "a|b|c");
	split_is(",a,,b", true, "a|b");
	split_is(",a,,b", false, "|a||b");
	split_is("a,", false, "a|");
	split_is("", true, "");
	struct strs l = {.n = 99};
	assert_int_equal(text_split("a,b,c", ",", false, 2, &l), -1);
	assert_int_equal(l.n, 99);
	assert_int_equal(text_split("", ",", false, 2, &l), 0);
	assert_int_equal(l.n, 1);
	strs_fini(&l);
	assert_int_equal(text_split("", ",", true, 2, &l), 0);
	assert_int_equal(l.n, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(integers),
	    cmocka_unit_test(fractions),
	    cmocka_unit_test(smallest_number),
	    cmocka_unit_test(comparing),
	    cmocka_unit_test(unicode),
	    cmocka_unit_test(one_line),
	    cmocka_unit_test(elapsed),
	    cmocka_unit_test(dns),
	    cmocka_unit_test(small_changes),
	    cmocka_unit_test(distances),
	    cmocka_unit_test(nearest),
	    cmocka_unit_test(for_people),
	    cmocka_unit_test(lists),
	    cmocka_unit_test(splitting),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
