#include "text.h"

#include <ctype.h>
#include <locale.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define NUM_MAX_CHARS 400	   /* the longest finite double has 309 digits before the point */
#define DISTANCE_MAX 64		   /* characters of each side that text_distance looks at */
#define REPLACEMENT "\xEF\xBF\xBD" /* U+FFFD */

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool is_lower(char c)
{
	return c >= 'a' && c <= 'z';
}

static bool is_upper(char c)
{
	return c >= 'A' && c <= 'Z';
}

static char to_lower(char c)
{
	return is_upper(c) ? (char)(c - 'A' + 'a') : c;
}

/* ---- numbers ---- */

int text_to_int(const char *s, int64_t min, int64_t max, int64_t *ret)
{
	if (!s)
		return -1;
	bool negative = *s == '-';
	if (negative)
		s++;
	if (!*s)
		return -1;
	int64_t v = 0;
	for (; *s; s++) {
		if (!is_digit(*s))
			return -1;
		/* Built up with its sign, because INT64_MIN has no positive twin. */
		int digit = negative ? -(*s - '0') : *s - '0';
		if (__builtin_mul_overflow(v, 10, &v) || __builtin_add_overflow(v, digit, &v))
			return -1;
	}
	if (v < min || v > max)
		return -1;
	*ret = v;
	return 0;
}

static bool is_plain_decimal(const char *s)
{
	if (*s == '-')
		s++;
	size_t whole = strspn(s, "0123456789");
	s += whole;
	if (!whole)
		return false;
	if (*s == '.') {
		size_t part = strspn(s + 1, "0123456789");
		if (!part)
			return false;
		s += 1 + part;
	}
	return !*s;
}

int text_to_num(const char *s, double *ret)
{
	if (!s || strlen(s) > NUM_MAX_CHARS || !is_plain_decimal(s))
		return -1;
	locale_t c = newlocale(LC_ALL_MASK, "C", (locale_t)0);
	MUST(c);
	double v = strtod_l(s, NULL, c);
	freelocale(c);
	if (!isfinite(v))
		return -1;
	*ret = v;
	return 0;
}

/* Digits without a point, the point standing before digit number `point` (which may lie outside).
 */
static char *place_point(bool negative, const char *digits, int n, int point)
{
	char out[NUM_MAX_CHARS];
	size_t len = 0;
	if (negative)
		out[len++] = '-';
	if (point <= 0)
		out[len++] = '0';
	for (int i = 0; i < n || i < point; i++) {
		if (i == (point > 0 ? point : 0))
			out[len++] = '.';
		for (int zeros = i == 0 ? point : 0; zeros < 0; zeros++)
			out[len++] = '0';
		out[len++] = i < n ? digits[i] : '0';
	}
	return mem_strndup(out, len);
}

char *text_from_num(double v)
{
	MUST(isfinite(v));
	if (v == 0)
		return mem_strdup("0");
	/* printf and strtod agree on the locale, so the round trip holds in any; only digits and
	 * the exponent are taken over. */
	char sci[64];
	for (int precision = 0; precision <= 17; precision++) {
		snprintf(sci, sizeof(sci), "%.*e", precision, v);
		if (strtod(sci, NULL) == v)
			break;
	}
	char digits[24];
	int n = 0;
	const char *p = sci;
	for (; *p != 'e'; p++)
		if (is_digit(*p))
			digits[n++] = *p;
	while (n > 1 && digits[n - 1] == '0')
		n--;
	return place_point(v < 0, digits, n, 1 + (int)strtol(p + 1, NULL, 10));
}

/* ---- comparing ---- */

bool text_eq(const char *a, const char *b)
{
	return a && b ? strcmp(a, b) == 0 : a == b;
}

bool text_eq_nocase(const char *a, const char *b)
{
	if (!a || !b)
		return a == b;
	while (*a && to_lower(*a) == to_lower(*b)) {
		a++;
		b++;
	}
	return to_lower(*a) == to_lower(*b);
}

const char *text_after(const char *s, const char *prefix)
{
	size_t len = strlen(prefix);
	return s && strncmp(s, prefix, len) == 0 ? s + len : NULL;
}

bool text_starts(const char *s, const char *prefix)
{
	return text_after(s, prefix) != NULL;
}

bool text_ends(const char *s, const char *suffix)
{
	if (!s)
		return false;
	size_t len = strlen(s), suffix_len = strlen(suffix);
	return len >= suffix_len && strcmp(s + len - suffix_len, suffix) == 0;
}

static unsigned min3(unsigned a, unsigned b, unsigned c)
{
	unsigned m = a < b ? a : b;
	return m < c ? m : c;
}

unsigned text_distance(const char *a, const char *b)
{
	size_t na = strnlen(a, DISTANCE_MAX), nb = strnlen(b, DISTANCE_MAX);
	/* Three rows of the table: the one before last is for swaps. */
	unsigned rows[3][DISTANCE_MAX + 1];
	unsigned *before = rows[0], *last = rows[1], *row = rows[2];
	for (size_t k = 0; k <= nb; k++)
		last[k] = (unsigned)k;
	for (size_t i = 1; i <= na; i++) {
		row[0] = (unsigned)i;
		for (size_t k = 1; k <= nb; k++) {
			unsigned differ = a[i - 1] != b[k - 1];
			row[k] = min3(last[k] + 1, row[k - 1] + 1, last[k - 1] + differ);
			if (i > 1 && k > 1 && a[i - 1] == b[k - 2] && a[i - 2] == b[k - 1] &&
			    before[k - 2] + 1 < row[k])
				row[k] = before[k - 2] + 1;
		}
		unsigned *oldest = before;
		before = last;
		last = row;
		row = oldest;
	}
	return last[nb];
}

const char *text_nearest(const char *s, const char *const *candidates, size_t n)
{
	unsigned limit = (unsigned)(strnlen(s, DISTANCE_MAX) / 3);
	if (!limit)
		limit = 1;
	const char *best = NULL;
	unsigned best_distance = limit + 1;
	for (size_t i = 0; i < n; i++) {
		unsigned d = text_distance(s, candidates[i]);
		if (d < best_distance) {
			best = candidates[i];
			best_distance = d;
		}
	}
	return best;
}

/* ---- Unicode ---- */

int32_t text_codepoint(const char *s, size_t len, size_t *ret_len)
{
	const unsigned char *u = (const unsigned char *)s;
	/* The least code point of each length: a longer form of a smaller one is not valid. */
	static const int32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
	size_t n = u[0] < 0x80			 ? 1
		   : u[0] >= 0xC2 && u[0] < 0xE0 ? 2
		   : u[0] >= 0xE0 && u[0] < 0xF0 ? 3
		   : u[0] >= 0xF0 && u[0] < 0xF5 ? 4
						 : 0;
	*ret_len = 1;
	if (n == 1 && len)
		return u[0];
	if (n == 0 || n > len)
		return -1;
	int32_t cp = u[0] & (0x7F >> n);
	for (size_t i = 1; i < n; i++) {
		if ((u[i] & 0xC0) != 0x80)
			return -1;
		cp = (cp << 6) | (u[i] & 0x3F);
	}
	if (cp < least[n] || cp > 0x10FFFF || (cp >= 0xD800 && cp <= 0xDFFF))
		return -1;
	*ret_len = n;
	return cp;
}

bool text_codepoint_is_printable(int32_t cp)
{
	if (cp < 0x20 || (cp >= 0x7F && cp <= 0x9F))
		return false;
	/* U+200E/F, U+2028…202E, U+2066…2069, U+061C: line ends and marks of direction can make a
	 * text look like another one. */
	return cp != 0x061C && cp != 0x200E && cp != 0x200F && !(cp >= 0x2028 && cp <= 0x202E) &&
	       !(cp >= 0x2066 && cp <= 0x2069) && cp != 0xFEFF;
}

size_t text_utf8_len(const char *s, size_t len)
{
	size_t i = 0, step;
	for (uint64_t eight; i < len; i += step) {
		step = sizeof(eight); /* most text is ASCII */
		if (len - i >= step && memcpy(&eight, s + i, step) &&
		    !(eight & 0x8080808080808080u))
			continue;
		if (text_codepoint(s + i, len - i, &step) < 0)
			break;
	}
	return i;
}

bool text_is_printable(const char *s, size_t len)
{
	size_t step;
	for (size_t i = 0; i < len; i += step)
		if (!text_codepoint_is_printable(text_codepoint(s + i, len - i, &step)))
			return false;
	return true;
}

char *text_to_utf8(const char *s)
{
	size_t len = strlen(s), n = 0, step;
	/* A bad byte becomes three. */
	char *out = mem_grow(NULL, len + 1, 3);
	for (size_t i = 0; i < len; i += step) {
		bool good = text_codepoint(s + i, len - i, &step) >= 0;
		size_t add = good ? step : strlen(REPLACEMENT);
		memcpy(out + n, good ? s + i : REPLACEMENT, add);
		n += add;
	}
	out[n] = '\0';
	return mem_grow(out, n + 1, 1);
}

char *text_oneline(const char *s, size_t max_chars)
{
	size_t len = strlen(s), n = 0, step, chars = 0;
	size_t cut_at = 0; /* where the ellipsis goes if the text turns out too long */
	char *out = mem_grow(NULL, len + 2, 3);
	for (size_t i = 0; i < len; i += step, chars++) {
		if (chars + 1 <= max_chars)
			cut_at = n;
		if (chars == max_chars) {
			n = cut_at;
			memcpy(out + n, "…", max_chars ? strlen("…") : 0);
			n += max_chars ? strlen("…") : 0;
			break;
		}
		int32_t cp = text_codepoint(s + i, len - i, &step);
		const char *from = cp < 0			     ? REPLACEMENT
				   : text_codepoint_is_printable(cp) ? s + i
								     : " ";
		size_t add = cp < 0 ? strlen(REPLACEMENT) : *from == ' ' ? 1 : step;
		memcpy(out + n, from, add);
		n += add;
	}
	out[n] = '\0';
	return mem_grow(out, n + 1, 1);
}

static size_t elapsed_len(const char *s)
{
	static const char *const units[] = {"ms", "milliseconds"};
	size_t lead = strlen(" after "), digits;

	if (!text_starts(s, " after "))
		return 0;
	digits = strspn(s + lead, "0123456789");
	if (digits == 0 || s[lead + digits] != ' ')
		return 0;
	lead += digits + 1;
	for (size_t i = 0; i < ARRAY_LEN(units); i++) {
		size_t len = strlen(units[i]);

		if (strncmp(s + lead, units[i], len) == 0 && !isalnum((unsigned char)s[lead + len]))
			return lead + len;
	}
	return 0;
}

void text_drop_elapsed(char *s)
{
	char *to = s;

	while (*s) {
		size_t skip = elapsed_len(s);

		s += skip;
		if (skip == 0)
			*to++ = *s++;
	}
	*to = '\0';
}

/* ---- names ---- */

/* Length of a label of letters, digits and inner hyphens at s, 0 if there is none. */
static size_t label_len(const char *s, bool any_case)
{
	size_t n = 0;
	while (is_lower(s[n]) || is_digit(s[n]) || s[n] == '-' || (any_case && is_upper(s[n])))
		n++;
	return n == 0 || n > 63 || s[0] == '-' || s[n - 1] == '-' ? 0 : n;
}

bool text_is_dns_label(const char *s)
{
	if (!s)
		return false;
	size_t n = label_len(s, false);
	return n && !s[n];
}

bool text_is_dns_name(const char *s)
{
	if (!s || strnlen(s, 254) > 253)
		return false;
	for (;;) {
		size_t n = label_len(s, true);
		if (!n)
			return false;
		s += n;
		if (!*s)
			return true;
		if (*s++ != '.')
			return false;
	}
}

char *text_lower(const char *s)
{
	char *out = mem_strdup(s);
	for (char *p = out; p && *p; p++)
		*p = to_lower(*p);
	return out;
}

void text_trim_right(char *s)
{
	size_t n = strlen(s);
	while (n && strchr(" \t\r\n", s[n - 1]))
		n--;
	s[n] = '\0';
}

/* ---- for people ---- */

char *text_bytes(uint64_t bytes)
{
	static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
	if (bytes < 1024)
		return mem_printf("%u B", (unsigned)bytes);
	size_t unit = 0;
	unsigned __int128 size = 1, tenths;
	do {
		unit++;
		size *= 1024;
		tenths = ((unsigned __int128)bytes * 10 + size / 2) / size;
	} while (tenths >= 10240 && unit + 1 < ARRAY_LEN(units));
	unsigned whole = (unsigned)(tenths / 10), part = (unsigned)(tenths % 10);
	return part ? mem_printf("%u.%u %s", whole, part, units[unit])
		    : mem_printf("%u %s", whole, units[unit]);
}

char *text_duration(int64_t ms)
{
	static const struct {
		const char *name;
		int64_t ms;
	} units[] = {{"d", 86400000}, {"h", 3600000}, {"min", 60000}, {"s", 1000}, {"ms", 1}};
	const char *sign = ms < 0 ? "-" : "";
	uint64_t rest = ms < 0 ? -(uint64_t)ms : (uint64_t)ms;
	size_t i = 0;
	while (i + 1 < ARRAY_LEN(units) && rest < (uint64_t)units[i].ms)
		i++;
	if (!rest)
		return mem_strdup("0 s");
	unsigned long long big = rest / (uint64_t)units[i].ms;
	unsigned long long small = 0;
	/* Two units at most, and no milliseconds behind seconds. */
	if (i + 2 < ARRAY_LEN(units))
		small = rest % (uint64_t)units[i].ms / (uint64_t)units[i + 1].ms;
	return small ? mem_printf(
			   "%s%llu %s %llu %s", sign, big, units[i].name, small, units[i + 1].name)
		     : mem_printf("%s%llu %s", sign, big, units[i].name);
}

char *text_time(int64_t wall_ms)
{
	/* Years 0 to 9999: what RFC 3339 can say. */
	static const int64_t first = -62167219200, last = 253402300799;
	int64_t seconds = wall_ms / 1000 - (wall_ms % 1000 < 0);
	time_t t = seconds < first ? first : seconds > last ? last : seconds;
	struct tm tm;
	MUST(gmtime_r(&t, &tm));
	return mem_printf("%04d-%02d-%02dT%02d:%02d:%02dZ", tm.tm_year + 1900, tm.tm_mon + 1,
	    tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec);
}

char *text_url_encode(const char *s)
{
	static const char hex[] = "0123456789ABCDEF";
	char *out = mem_grow(NULL, strlen(s) + 1, 3);
	size_t n = 0;
	for (; *s; s++) {
		unsigned char c = (unsigned char)*s;
		if (is_lower(*s) || is_upper(*s) || is_digit(*s) || strchr("-._~", *s)) {
			out[n++] = *s;
		} else {
			out[n++] = '%';
			out[n++] = hex[c >> 4];
			out[n++] = hex[c & 15];
		}
	}
	out[n] = '\0';
	return out;
}

int text_split(const char *s, const char *seps, bool skip_empty, size_t max, struct strs *ret)
{
	_cleanup_strs_ struct strs parts = {0};
	for (;;) {
		size_t len = strcspn(s, seps);
		if (len || !skip_empty) {
			if (parts.n == max)
				return -1;
			strs_add_take(&parts, mem_strndup(s, len));
		}
		s += len;
		if (!*s)
			break;
		s++;
	}
	*ret = parts;
	parts = (struct strs){0};
	return 0;
}
