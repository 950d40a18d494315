#include "nodeval.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define SHOWN_CHARS 60

static char *shown(const struct ynode *n)
{
	switch (n->kind) {
	case YNODE_SEQ:
		return mem_strdup("a list");
	case YNODE_MAP:
		return mem_strdup("a block");
	case YNODE_SCALAR:
	case YNODE_KIND__MAX:
		break;
	}
	_cleanup_str_ char *text = text_oneline(n->text, SHOWN_CHARS);
	return n->plain ? TAKE(text) : mem_printf("\"%s\"", text);
}

static struct diag *complain(
    const struct nodeval_place *at, enum diag_code code, const struct ynode *n, const char *what)
{
	_cleanup_str_ char *text = shown(n);
	return diags_add(at->diags, code, at->file, n->mark, "%s: %s %s", at->path, text, what);
}

static int wrong_type(
    const struct nodeval_place *at, const struct ynode *n, const char *what, const char *hint)
{
	diag_hint(complain(at, DIAG_WRONG_TYPE, n, what), "%s", hint);
	return -1;
}

/* What YAML's core schema and its older brother take a plain word for. */
static const char *const yes_words[] = {"true", "True", "TRUE"};
static const char *const no_words[] = {"false", "False", "FALSE"};

static bool is_one_of(const char *s, const char *const *words, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (strcmp(words[i], s) == 0)
			return true;
	return false;
}

static bool is_bool_word(const char *s)
{
	return is_one_of(s, yes_words, ARRAY_LEN(yes_words)) ||
	       is_one_of(s, no_words, ARRAY_LEN(no_words));
}

/* -?digits without a zero in front; with `fraction` also .digits behind. */
static bool is_decimal(const char *s, bool fraction)
{
	const char *p = s + (*s == '-');
	size_t whole = strspn(p, "0123456789");
	if (whole == 0 || (whole > 1 && p[0] == '0'))
		return false;
	p += whole;
	if (fraction && *p == '.') {
		size_t part = strspn(p + 1, "0123456789");
		if (part == 0)
			return false;
		p += part + 1;
	}
	return !*p;
}

/* Any spelling of a number that some YAML reader would take for one. */
static bool looks_numeric(const char *s)
{
	const char *p = s + (*s == '-' || *s == '+');
	if (text_eq_nocase(p, ".inf") || text_eq_nocase(p, ".nan"))
		return true;
	if (p[0] == '0' && (p[1] == 'x' || p[1] == 'o'))
		return p[2] && strspn(p + 2, "0123456789abcdefABCDEF") == strlen(p + 2);
	size_t n = strspn(p, "0123456789");
	size_t digits = n;
	p += n;
	if (*p == '.') {
		n = strspn(p + 1, "0123456789");
		digits += n;
		p += n + 1;
	}
	if (digits == 0)
		return false;
	if (*p == 'e' || *p == 'E') {
		p += 1 + (p[1] == '+' || p[1] == '-');
		n = strspn(p, "0123456789");
		if (n == 0)
			return false;
		p += n;
	}
	return !*p;
}

static int decode_bool(const struct nodeval_place *at, struct value *ret)
{
	static const char *const like_yes[] = {"yes", "on", "y", "1", "true"};
	static const char *const like_no[] = {"no", "off", "n", "0", "false"};
	const struct ynode *n = at->node;
	if (n->plain && is_bool_word(n->text)) {
		*ret = (struct value){.type = VALUE_BOOL};
		ret->b = is_one_of(n->text, yes_words, ARRAY_LEN(yes_words));
		return 0;
	}
	_cleanup_str_ char *lower = text_lower(n->text);
	const char *hint = "write true or false, without quotes";
	if (is_one_of(lower, like_yes, ARRAY_LEN(like_yes)))
		hint = "write true, without quotes";
	else if (is_one_of(lower, like_no, ARRAY_LEN(like_no)))
		hint = "write false, without quotes";
	return wrong_type(at, n, "is not true or false", hint);
}

/* Sizes: of the row, and of what a person wrote behind a number. */
static const char size_letters[] = "KMGT";

static char size_of_row(const struct attr *a)
{
	return strstr(a->brief, "GiB") ? 'G' : strstr(a->brief, "MiB") ? 'M' : '\0';
}

/* "4G" of a row in MiB is 4096. */
static int size_in(char unit, const char *text, int64_t *ret)
{
	char *rest = NULL;
	long long v = strtoll(text, &rest, 10);
	rest += *rest == ' ';
	const char *letter = *rest ? strchr(size_letters, *rest & ~0x20) : NULL;
	bool known = letter && (!rest[1] || strcasecmp(rest + 1, "b") == 0 ||
				   strcasecmp(rest + 1, "ib") == 0);
	if (!unit || !known)
		return -1;
	for (const char *at = strchr(size_letters, unit); at < letter; at++)
		v = v < INT32_MAX ? v * 1024 : v;
	for (const char *at = strchr(size_letters, unit); at > letter; at--) {
		if (v % 1024)
			return -1;
		v /= 1024;
	}
	if (v <= 0 || v >= INT32_MAX)
		return -1;
	*ret = v;
	return 0;
}

static void hint_at_number(const struct attr *a, const char *text, struct diag *d)
{
	char unit = size_of_row(a);
	int64_t v;
	if (size_in(unit, text, &v) == 0)
		diag_hint(d, "write the number of %ciB alone: %" PRId64, unit, v);
	else if (unit)
		diag_hint(d, "write the number of %ciB alone, without a unit", unit);
	else
		diag_hint(d, "write the number alone, without a unit");
}

static int wrong_number(const struct attr *a, const struct nodeval_place *at, const char *what)
{
	const struct ynode *n = at->node;
	struct diag *d = complain(at, DIAG_WRONG_TYPE, n, what);
	size_t digits = strspn(n->text, "0123456789");
	if (!n->plain && is_decimal(n->text, true))
		diag_hint(d, "leave the quotes out: %s", n->text);
	else if (digits > 0 && digits < 15 && n->text[digits] && !looks_numeric(n->text))
		hint_at_number(a, n->text, d);
	else if (n->plain && is_decimal(n->text, true))
		diag_hint(d, "write it without a fraction");
	else if (digits == 0 && !looks_numeric(n->text))
		diag_hint(d, "write a number such as %s", a->example);
	else
		diag_hint(d, "write plain decimal digits: no exponent, no zeros in front");
	return -1;
}

static int decode_int(const struct attr *a, const struct nodeval_place *at, struct value *ret)
{
	const struct ynode *n = at->node;
	if (!n->plain || !is_decimal(n->text, false))
		return wrong_number(a, at, "is not a whole number");
	*ret = (struct value){.type = VALUE_INT};
	if (text_to_int(n->text, INT64_MIN, INT64_MAX, &ret->i) == 0)
		return 0;
	/* Beyond 64 bits it is beyond every limit too. */
	_cleanup_str_ char *min = text_from_num(a->min), *max = text_from_num(a->max);
	struct diag *d =
	    complain(at, DIAG_OUT_OF_RANGE, n, n->text[0] == '-' ? "is too small" : "is too large");
	diag_hint(d, "possible is %s to %s", min, max);
	return -1;
}

static int decode_num(const struct attr *a, const struct nodeval_place *at, struct value *ret)
{
	const struct ynode *n = at->node;
	struct value v = {.type = VALUE_NUM};
	if (!n->plain || !is_decimal(n->text, true) || text_to_num(n->text, &v.n) != 0)
		return wrong_number(a, at, "is not a number");
	*ret = v;
	return 0;
}

/* A text in plain style that other readers would not take for text is refused: it means something
 * else to them, as octal numbers or the country code of Norway show. */
static int check_is_text(const struct nodeval_place *at, const struct ynode *n)
{
	if (n->kind != YNODE_SCALAR)
		return wrong_type(at, n, "is not a text", "write a single text here");
	const char *what = NULL;
	if (n->plain && looks_numeric(n->text))
		what = "is a number to YAML, not a text";
	else if (n->plain && is_bool_word(n->text))
		what = "is a truth value to YAML, not a text";
	else if (ynode_is_null(n))
		what = "is nothing to YAML, not a text";
	if (!what)
		return 0;
	struct diag *d = complain(at, DIAG_WRONG_TYPE, n, what);
	_cleanup_str_ char *text = text_oneline(n->text, SHOWN_CHARS);
	diag_hint(d, "quote it: \"%s\"", text);
	return -1;
}

static int decode_duration(const struct nodeval_place *at, struct value *ret)
{
	const struct ynode *n = at->node;
	struct value v = {.type = VALUE_DUR};
	if (value_parse_duration(n->text, &v.i) == 0) {
		*ret = v;
		return 0;
	}
	struct diag *d = complain(at, DIAG_WRONG_TYPE, n, "is not a duration");
	if (is_decimal(n->text, true))
		diag_hint(d, "add a unit: %ss, %sm or %sh", n->text, n->text, n->text);
	else
		diag_hint(d, "write it as 90s, 30m or 1h30m, at most 366 days");
	return -1;
}

static enum diag_code code_of(enum schema_verdict v)
{
	switch (v) {
	case SCHEMA_OK:
	case SCHEMA_FORM:
	case SCHEMA_VERDICT__MAX:
		return DIAG_BAD_VALUE;
	case SCHEMA_TYPE:
		return DIAG_WRONG_TYPE;
	case SCHEMA_NULL:
		return DIAG_NULL_NOT_ALLOWED;
	case SCHEMA_RANGE:
		return DIAG_OUT_OF_RANGE;
	case SCHEMA_CHOICE:
		return DIAG_UNKNOWN_CHOICE;
	}
	return DIAG_BAD_VALUE;
}

static void refuse(const struct nodeval_place *at, struct mark mark, enum schema_verdict verdict,
    const char *why, const char *hint)
{
	struct diag *d =
	    diags_add(at->diags, code_of(verdict), at->file, mark, "%s: %s", at->path, why);
	if (hint)
		diag_hint(d, "%s", hint);
}

static int judge(const struct attr *a, const struct nodeval_place *at, struct value *v)
{
	_cleanup_str_ char *why = NULL, *hint = NULL;
	enum schema_verdict verdict = schema_judge(a, v, &why, &hint);
	if (verdict == SCHEMA_OK)
		return 0;
	refuse(at, at->node->mark, verdict, why, hint);
	value_fini(v);
	return -1;
}

/* ---- lists ---- */

struct item {
	char *text;
	struct mark mark;
	size_t index;
};

static int compare_items(const void *pa, const void *pb)
{
	const struct item *a = pa, *b = pb;
	int c = strcmp(a->text, b->text);
	return c != 0 ? c : a->index < b->index ? -1 : a->index > b->index;
}

/* As they were written. */
static int compare_places(const void *pa, const void *pb)
{
	const struct item *a = pa, *b = pb;
	return a->index < b->index ? -1 : a->index > b->index;
}

static int decode_item(
    const struct attr *a, const struct nodeval_place *at, struct ynode *n, struct item *ret)
{
	bool number = (a->flags & ATTR_INT_ITEMS) && n->kind == YNODE_SCALAR && n->plain &&
		      is_decimal(n->text, false);
	if (n->kind == YNODE_SCALAR && n->plain && !*n->text) {
		struct diag *d = diags_add(at->diags, DIAG_EMPTY_VALUE, at->file, n->mark,
		    "%s: an entry is empty", at->path);
		diag_hint(d, "write a value, or remove the entry");
		return -1;
	}
	if (!number && check_is_text(at, n) != 0)
		return -1;
	_cleanup_str_ char *why = NULL, *hint = NULL;
	enum schema_verdict verdict = schema_judge_item(a, n->text, &why, &hint);
	if (verdict != SCHEMA_OK) {
		refuse(at, n->mark, verdict, why, hint);
		return -1;
	}
	ret->text = schema_canon_item(a, n->text);
	ret->mark = n->mark;
	return 0;
}

static int find_doubles(const struct nodeval_place *at, const struct item *items, size_t n)
{
	int rc = 0;
	for (size_t i = 1; i < n; i++) {
		if (strcmp(items[i].text, items[i - 1].text) != 0)
			continue;
		struct diag *d = diags_add(at->diags, DIAG_DUPLICATE_ITEM, at->file, items[i].mark,
		    "%s: %s is given twice", at->path, items[i].text);
		diag_hint(d, "remove one of them");
		rc = -1;
	}
	return rc;
}

static int decode_set(const struct attr *a, const struct nodeval_place *at, struct value *ret,
    struct mark **ret_item_marks)
{
	const struct ynode *n = at->node;
	if (n->kind != YNODE_SEQ) {
		struct diag *d = complain(at, DIAG_WRONG_TYPE, n, "is not a list");
		diag_hint(d, "write a list such as %s", a->example);
		return -1;
	}
	struct item *items = mem_calloc(n->n, sizeof(*items));
	size_t good = 0;
	int rc = 0;
	/* A list far beyond its limit gets one finding, not one for each entry. */
	for (size_t i = 0; i < n->n && (double)i <= a->max; i++) {
		items[good].index = i;
		if (decode_item(a, at, n->items[i], &items[good]) == 0)
			good++;
		else
			rc = -1;
	}
	if (good > 1)
		qsort(items, good, sizeof(*items), compare_items);
	if (find_doubles(at, items, good) != 0)
		rc = -1;
	if ((a->flags & ATTR_ORDERED) && good > 1)
		qsort(items, good, sizeof(*items), compare_places);
	struct value v = {.type = VALUE_SET};
	struct mark *marks = mem_calloc(good, sizeof(*marks));
	for (size_t i = 0; i < good; i++) {
		strs_add_take(&v.set, items[i].text);
		marks[i] = items[i].mark;
	}
	free(items);
	if (rc == 0)
		rc = judge(a, at, &v);
	if (rc != 0) {
		value_fini(&v);
		free(marks);
		return -1;
	}
	*ret = v;
	*ret_item_marks = marks;
	return 0;
}

/* ---- one value ---- */

static int check_not_empty(const struct nodeval_place *at)
{
	const struct ynode *n = at->node;
	if (n->kind != YNODE_SCALAR || !n->plain || *n->text)
		return 0;
	struct diag *d =
	    diags_add(at->diags, DIAG_EMPTY_VALUE, at->file, at->key, "%s has no value", at->path);
	diag_hint(d, "write a value, or leave the key out to keep what the template has");
	return -1;
}

static int decode_scalar(const struct attr *a, const struct nodeval_place *at, struct value *ret)
{
	switch (a->type) {
	case ATTR_BOOL:
		return decode_bool(at, ret);
	case ATTR_INT:
		return decode_int(a, at, ret);
	case ATTR_NUM:
		return decode_num(a, at, ret);
	case ATTR_STR:
	case ATTR_TIME:
		if (check_is_text(at, at->node) != 0)
			return -1;
		break;
	case ATTR_DUR:
		return decode_duration(at, ret);
	case ATTR_ENUM: /* a number may be one of the words */
	case ATTR_SET:
	case ATTR_TYPE__MAX:
		break;
	}
	*ret = (struct value){.type = VALUE_ABSENT};
	value_set_str(ret, at->node->text);
	return 0;
}

int nodeval_decode(const struct attr *a, const struct nodeval_place *at, struct value *ret,
    struct mark **ret_item_marks)
{
	const struct ynode *n = at->node;
	struct value v = {.type = VALUE_NULL};
	*ret_item_marks = NULL;
	if (check_not_empty(at) != 0)
		return -1;
	if (!ynode_is_null(n)) {
		if (a->type == ATTR_SET)
			return decode_set(a, at, ret, ret_item_marks);
		if (n->kind != YNODE_SCALAR) {
			struct diag *d = diags_add(at->diags, DIAG_WRONG_TYPE, at->file, n->mark,
			    "%s: wants %s, not %s", at->path, schema_type_word(a->type),
			    n->kind == YNODE_SEQ ? "a list" : "a block");
			diag_hint(d, "for example %s: %s", schema_key(a), a->example);
			return -1;
		}
		if (decode_scalar(a, at, &v) != 0)
			return -1;
	}
	if (judge(a, at, &v) != 0)
		return -1;
	*ret = v;
	return 0;
}

const char *nodeval_text(const struct nodeval_place *at)
{
	if (check_not_empty(at) != 0 || check_is_text(at, at->node) != 0)
		return NULL;
	return at->node->text;
}
