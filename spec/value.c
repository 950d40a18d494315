#include "value.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "buf.h"

#define NS_PER_MS INT64_C(1000000)
#define MAX_DUR_MS (INT64_C(366) * 24 * 3600 * 1000)

void value_fini(struct value *v)
{
	if (v->type == VALUE_STR)
		free(v->s);
	else if (v->type == VALUE_SET)
		strs_fini(&v->set);
	*v = (struct value){.type = VALUE_ABSENT};
}

void value_copy(struct value *dst, const struct value *src)
{
	*dst = *src;
	if (src->type == VALUE_STR)
		dst->s = mem_strdup(src->s);
	else if (src->type == VALUE_SET)
		strs_copy(&dst->set, &src->set);
}

void value_set_str(struct value *v, const char *s)
{
	char *copy = mem_strdup(s);
	value_fini(v);
	v->type = VALUE_STR;
	v->s = copy;
}

static bool is_number(const struct value *v)
{
	return v->type == VALUE_INT || v->type == VALUE_NUM;
}

bool value_eq(const struct value *a, const struct value *b)
{
	if (a->type != b->type && is_number(a) && is_number(b)) {
		double x = a->type == VALUE_INT ? (double)a->i : a->n;
		double y = b->type == VALUE_INT ? (double)b->i : b->n;
		return x == y;
	}
	if (a->type != b->type)
		return false;
	switch (a->type) {
	case VALUE_ABSENT:
	case VALUE_NULL:
		return true;
	case VALUE_BOOL:
		return a->b == b->b;
	case VALUE_INT:
	case VALUE_DUR:
		return a->i == b->i;
	case VALUE_NUM:
		return a->n == b->n;
	case VALUE_STR:
		return strcmp(a->s, b->s) == 0;
	case VALUE_SET:
		return strs_eq(&a->set, &b->set);
	case VALUE_TYPE__MAX:
		break;
	}
	return false;
}

/* Words that some YAML reader takes for something else than text. */
static bool is_typed_word(const char *s)
{
	static const char *const words[] = {"null", "~", "true", "false", "yes", "no", "on", "off",
	    "y", "n", ".nan", ".inf", "-.inf", "+.inf"};
	for (size_t i = 0; i < ARRAY_LEN(words); i++)
		if (text_eq_nocase(s, words[i]))
			return true;
	return false;
}

/* Numbers, times of day in base 60, dates: everything that begins like a number and has nothing
 * in it that no number or time could have. */
static bool is_numeric_word(const char *s)
{
	return strchr("0123456789+-.", s[0]) &&
	       strspn(s, "0123456789abcdefABCDEFxXoOTtZz:_.+- ") == strlen(s) &&
	       strpbrk(s, "0123456789");
}

/* Characters that our own reader refuses as they are: separators of lines, byte order mark. */
static const struct {
	const char *bytes, *escape;
} unwelcome[] = {
    {"\xe2\x80\xa8", "\\u2028"},
    {"\xe2\x80\xa9", "\\u2029"},
    {"\xef\xbb\xbf", "\\ufeff"},
};

static const char *find_escape(const char *s)
{
	for (size_t i = 0; i < ARRAY_LEN(unwelcome); i++)
		if (text_starts(s, unwelcome[i].bytes))
			return unwelcome[i].escape;
	return NULL;
}

static bool has_unwelcome(const char *s)
{
	for (size_t i = 0; i < ARRAY_LEN(unwelcome); i++)
		if (strstr(s, unwelcome[i].bytes))
			return true;
	return false;
}

static bool needs_quotes(const char *s)
{
	size_t len = strlen(s);
	if (len == 0 || is_typed_word(s) || is_numeric_word(s) || strcmp(s, "<<") == 0)
		return true;
	if (strchr("!&*?|>@`\"'%#,[]{}: ", s[0]) || s[len - 1] == ' ' || s[len - 1] == ':')
		return true;
	if (s[0] == '-' && (s[1] == ' ' || s[1] == '\0' || strncmp(s, "---", 3) == 0))
		return true;
	if (strncmp(s, "...", 3) == 0 || s[0] == '=')
		return true;
	return strpbrk(s, ",[]{}") || strstr(s, ": ") || strstr(s, " #") ||
	       !text_is_printable(s, len) || has_unwelcome(s);
}

static void add_quoted(struct buf *b, const char *s)
{
	buf_addc(b, '"');
	for (; *s; s++) {
		unsigned char c = (unsigned char)*s;
		const char *escape = find_escape(s);
		if (escape) {
			buf_adds(b, escape);
			s += 2; /* all of them have three bytes */
		} else if (c == '"' || c == '\\') {
			buf_addc(b, '\\');
			buf_addc(b, *s);
		} else if (c == '\n') {
			buf_adds(b, "\\n");
		} else if (c == '\t') {
			buf_adds(b, "\\t");
		} else if (c == '\r') {
			buf_adds(b, "\\r");
		} else if (c < 0x20 || c == 0x7f) {
			buf_addf(b, "\\x%02x", c);
		} else if (c == 0xc2 && (unsigned char)s[1] >= 0x80 && (unsigned char)s[1] < 0xa0) {
			buf_addf(b, "\\x%02x", (unsigned char)*++s);
		} else {
			buf_addc(b, *s);
		}
	}
	buf_addc(b, '"');
}

static void add_str(struct buf *b, const char *s, bool yaml)
{
	if (yaml && needs_quotes(s))
		add_quoted(b, s);
	else
		buf_adds(b, s);
}

static char *print(const struct value *v, bool yaml)
{
	struct buf b;
	buf_init(&b, 0);
	switch (v->type) {
	case VALUE_ABSENT:
		break;
	case VALUE_NULL:
		buf_adds(&b, "null");
		break;
	case VALUE_BOOL:
		buf_adds(&b, v->b ? "true" : "false");
		break;
	case VALUE_INT:
		buf_addf(&b, "%lld", (long long)v->i);
		break;
	case VALUE_NUM: {
		_cleanup_str_ char *s = text_from_num(v->n);
		buf_adds(&b, s);
		break;
	}
	case VALUE_STR:
		add_str(&b, v->s, yaml);
		break;
	case VALUE_SET:
		buf_addc(&b, '[');
		for (size_t i = 0; i < v->set.n; i++) {
			if (i > 0)
				buf_adds(&b, ", ");
			add_str(&b, v->set.v[i], yaml);
		}
		buf_addc(&b, ']');
		break;
	case VALUE_DUR: {
		_cleanup_str_ char *s = value_print_duration(v->i);
		buf_adds(&b, s);
		break;
	}
	case VALUE_TYPE__MAX:
		break;
	}
	if (!b.data)
		return mem_strdup("");
	return buf_take(&b);
}

char *value_print(const struct value *v)
{
	return print(v, false);
}

char *value_print_yaml(const struct value *v)
{
	return print(v, true);
}

struct unit {
	const char *word;
	int64_t ns;
};

/* Longer words before those that they begin with. */
static const struct unit units[] = {
    {"ns", 1},
    {"us", 1000},
    {"\xc2\xb5s", 1000},
    {"\xce\xbcs", 1000},
    {"ms", NS_PER_MS},
    {"s", 1000 * NS_PER_MS},
    {"m", 60 * 1000 * NS_PER_MS},
    {"h", 3600 * 1000 * NS_PER_MS},
};

/* One "1.5h"; *s moves behind it, *total grows. */
static int parse_part(const char **s, int64_t *total)
{
	const int64_t max_ns = MAX_DUR_MS * NS_PER_MS;
	const char *p = *s;
	int64_t whole = 0;
	double fraction = 0, scale = 0.1;
	bool digits = false;
	for (; *p >= '0' && *p <= '9'; p++) {
		digits = true;
		whole = whole * 10 + (*p - '0');
		if (whole > max_ns)
			return -1;
	}
	if (*p == '.') {
		for (p++; *p >= '0' && *p <= '9'; p++) {
			digits = true;
			fraction += (*p - '0') * scale;
			scale /= 10;
		}
	}
	if (!digits)
		return -1;
	for (size_t i = 0; i < ARRAY_LEN(units); i++) {
		if (!text_starts(p, units[i].word))
			continue;
		if (whole > max_ns / units[i].ns)
			return -1;
		*total += whole * units[i].ns + (int64_t)llround(fraction * (double)units[i].ns);
		*s = p + strlen(units[i].word);
		return *total > max_ns ? -1 : 0;
	}
	return -1;
}

int value_parse_duration(const char *s, int64_t *ret_ms)
{
	int64_t total = 0;
	if (strcmp(s, "0") == 0) {
		*ret_ms = 0;
		return 0;
	}
	if (!*s)
		return -1;
	while (*s)
		if (parse_part(&s, &total) != 0)
			return -1;
	*ret_ms = total / NS_PER_MS;
	return 0;
}

char *value_print_duration(int64_t ms)
{
	int64_t h = ms / 3600000, m = ms / 60000 % 60, s = ms / 1000 % 60, rest = ms % 1000;
	struct buf b;
	buf_init(&b, 64);
	if (ms > 0 && ms < 1000) {
		buf_addf(&b, "%lldms", (long long)ms);
		return buf_take(&b);
	}
	if (h)
		buf_addf(&b, "%lldh", (long long)h);
	if (m)
		buf_addf(&b, "%lldm", (long long)m);
	if (rest) {
		char digits[8];
		int n = 3;
		digits[0] = (char)('0' + rest / 100);
		digits[1] = (char)('0' + rest / 10 % 10);
		digits[2] = (char)('0' + rest % 10);
		while (digits[n - 1] == '0')
			n--;
		buf_addf(&b, "%lld.%.*ss", (long long)s, n, digits);
	} else if (s || (!h && !m)) {
		buf_addf(&b, "%llds", (long long)s);
	}
	return buf_take(&b);
}

/* Digits of a fixed width at *s. */
static int parse_digits(const char **s, int width, int min, int max, int *ret)
{
	int v = 0;
	for (int i = 0; i < width; i++) {
		char c = (*s)[i];
		if (c < '0' || c > '9')
			return -1;
		v = v * 10 + (c - '0');
	}
	if (v < min || v > max)
		return -1;
	*s += width;
	*ret = v;
	return 0;
}

static int parse_char(const char **s, const char *any)
{
	if (!**s || !strchr(any, **s))
		return -1;
	(*s)++;
	return 0;
}

/* Days from 1970-01-01 in the Gregorian calendar, for years from 1970 on. */
static int64_t days_since_epoch(int year, int month, int day)
{
	static const int before[] = {0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334};
	bool leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
	int y = year - 1;
	int64_t leaps = (y / 4 - y / 100 + y / 400) - (1969 / 4 - 1969 / 100 + 1969 / 400);
	return (int64_t)(year - 1970) * 365 + leaps + before[month - 1] + (leap && month > 2) +
	       day - 1;
}

static int days_in_month(int year, int month)
{
	static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
	bool leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
	return days[month - 1] + (month == 2 && leap);
}

int value_parse_time(const char *s, int64_t *ret_ms)
{
	int year, month, day, hour, minute, second, oh = 0, om = 0, sign = 0, ms = 0;
	if (parse_digits(&s, 4, 1970, 9999, &year) || parse_char(&s, "-") ||
	    parse_digits(&s, 2, 1, 12, &month) || parse_char(&s, "-") ||
	    parse_digits(&s, 2, 1, days_in_month(year, month), &day) || parse_char(&s, "Tt ") ||
	    parse_digits(&s, 2, 0, 23, &hour) || parse_char(&s, ":") ||
	    parse_digits(&s, 2, 0, 59, &minute) || parse_char(&s, ":") ||
	    parse_digits(&s, 2, 0, 60, &second))
		return -1;
	if (*s == '.') {
		int scale = 100;
		if (s[1] < '0' || s[1] > '9')
			return -1;
		for (s++; *s >= '0' && *s <= '9'; s++, scale /= 10)
			ms += (*s - '0') * scale;
	}
	if (*s == '+' || *s == '-') {
		sign = *s++ == '+' ? 1 : -1;
		if (parse_digits(&s, 2, 0, 23, &oh) || parse_char(&s, ":") ||
		    parse_digits(&s, 2, 0, 59, &om))
			return -1;
	} else if (parse_char(&s, "Zz")) {
		return -1;
	}
	if (*s)
		return -1;
	int64_t t = days_since_epoch(year, month, day) * 86400 + hour * 3600 + minute * 60 + second;
	*ret_ms = (t - sign * (oh * 3600 + om * 60)) * 1000 + ms;
	return 0;
}
