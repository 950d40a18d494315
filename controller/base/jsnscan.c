#include "jsnscan.h"

#include <string.h>

#include "jsn.h"
#include "text.h"

int jsnscan_begin(struct jsnscan *ret, const char *text, size_t len, struct err **err)
{
	if (len > INT32_MAX - 1)
		return err_set(err, ERR_LIMIT, "JSON of %zu bytes", len);
	*ret = (struct jsnscan){.s = text, .len = len, .err = err};
	ret->at = text_utf8_len(text, len);
	if (ret->at < len)
		return jsnscan_refuse(ret, "not UTF-8");
	ret->at = 0;
	return 0;
}

int jsnscan_refuse(struct jsnscan *sc, const char *what)
{
	return err_set(sc->err, ERR_INPUT, "not valid JSON at byte %zu: %s", sc->at, what);
}

static int scan_string(struct jsnscan *sc)
{
	const char *p = sc->s + sc->at + 1, *end = sc->s + sc->len;
	for (; p < end && *p != '"'; p++) {
		if ((unsigned char)*p >= 0x20 && *p != '\\')
			continue;
		sc->at = (size_t)(p - sc->s);
		if (*p != '\\')
			return jsnscan_refuse(sc, "control character in a string");
		if (end - p >= 6 && memcmp(p, "\\u0000", 6) == 0)
			return jsnscan_refuse(sc, "NUL character in a string");
		if (p + 1 < end)
			p++;
	}
	sc->at = p < end ? (size_t)(p + 1 - sc->s) : sc->len;
	return p < end ? 0 : jsnscan_refuse(sc, "string without an end");
}

static size_t digits_at(const char *s, size_t len)
{
	size_t n = 0;
	while (n < len && s[n] >= '0' && s[n] <= '9')
		n++;
	return n;
}

/* Length of the number in RFC 8259's grammar at s, 0 if it is none. */
static size_t number_len(const char *s, size_t len, bool *ret_integer)
{
	size_t at = len && s[0] == '-';
	size_t whole = digits_at(s + at, len - at);
	if (!whole || (whole > 1 && s[at] == '0'))
		return 0;
	at += whole;
	*ret_integer = true;
	if (at < len && s[at] == '.') {
		size_t part = digits_at(s + at + 1, len - at - 1);
		if (!part)
			return 0;
		at += 1 + part;
		*ret_integer = false;
	}
	if (at < len && (s[at] == 'e' || s[at] == 'E')) {
		at++;
		if (at < len && (s[at] == '+' || s[at] == '-'))
			at++;
		size_t exponent = digits_at(s + at, len - at);
		if (!exponent)
			return 0;
		at += exponent;
		*ret_integer = false;
	}
	return at;
}

/* Digits without leading zeros, so that longer is larger. */
static bool fits_64_bits(const char *s, size_t len)
{
	bool negative = s[0] == '-';
	const char *limit = negative ? "9223372036854775808" : "18446744073709551615";
	s += negative;
	len -= negative;
	size_t limit_len = strlen(limit);
	return len < limit_len || (len == limit_len && memcmp(s, limit, len) <= 0);
}

static int scan_number(struct jsnscan *sc)
{
	bool integer;
	size_t n = number_len(sc->s + sc->at, sc->len - sc->at, &integer);
	if (!n)
		return jsnscan_refuse(sc, "malformed number");
	if (integer && !fits_64_bits(sc->s + sc->at, n))
		return jsnscan_refuse(sc, "integer beyond 64 bits");
	sc->at += n;
	return 0;
}

static int scan_word(struct jsnscan *sc)
{
	static const char *const words[] = {"true", "false", "null"};
	for (size_t i = 0; i < ARRAY_LEN(words); i++) {
		size_t n = strlen(words[i]);
		if (sc->len - sc->at >= n && memcmp(sc->s + sc->at, words[i], n) == 0) {
			sc->at += n;
			return 0;
		}
	}
	return jsnscan_refuse(sc, "unexpected character");
}

int jsnscan_token(struct jsnscan *sc)
{
	char c = sc->s[sc->at];
	switch (c) {
	case ' ':
	case '\t':
	case '\n':
	case '\r':
	case ',':
	case ':':
		sc->at++;
		return 0;
	case '}':
	case ']':
		if (sc->depth == 0)
			return jsnscan_refuse(sc, "closing bracket without an opening one");
		sc->depth--;
		sc->at++;
		return 0;
	case '{':
	case '[':
		if (++sc->depth > JSN_DEPTH_MAX)
			return err_set(sc->err, ERR_LIMIT, "JSON deeper than %d levels at byte %zu",
			    JSN_DEPTH_MAX, sc->at);
		if (++sc->containers > JSN_CONTAINERS_MAX)
			return err_set(sc->err, ERR_LIMIT,
			    "JSON with more than %d objects and lists", JSN_CONTAINERS_MAX);
		sc->at++;
		return 0;
	default:
		break;
	}
	/* Names of members count as values: they cost as much. */
	if (++sc->values > JSN_VALUES_MAX)
		return err_set(sc->err, ERR_LIMIT, "JSON with more than %d values", JSN_VALUES_MAX);
	if (c == '"')
		return scan_string(sc);
	if (c == '-' || (c >= '0' && c <= '9'))
		return scan_number(sc);
	return scan_word(sc);
}
