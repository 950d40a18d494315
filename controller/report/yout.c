#include "yout.h"

#include <string.h>

/* Words that some reader takes for a truth value or for nothing. */
static bool is_typed(const char *s)
{
	static const char *const words[] = {
	    "null", "true", "false", "yes", "no", "on", "off", "y", "n"};
	if (strnlen(s, 6) == 6)
		return false;
	for (size_t i = 0; i < ARRAY_LEN(words); i++)
		if (text_eq_nocase(s, words[i]))
			return true;
	return false;
}

static bool is_letter(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/* Plain only where no reader could see anything but a string: everything else is quoted. */
static bool is_plain(const char *s)
{
	const char *p = s;
	if (!is_letter(s[0]) || is_typed(s))
		return false;
	while (is_letter(*p) || (*p >= '0' && *p <= '9') || *p == '.' || *p == '_' || *p == '/' ||
	       *p == '-')
		p++;
	return !*p && p - s <= 200;
}

/* How many bytes at the start stand in quotes as they are. */
static size_t bare_len(const char *s, size_t len)
{
	size_t i = 0;
	while (i < len && s[i] >= ' ' && s[i] <= '~' && s[i] != '"' && s[i] != '\\')
		i++;
	return i;
}

static void put_quoted(struct buf *b, const char *s)
{
	size_t len = strlen(s), step;
	buf_addc(b, '"');
	for (size_t i = 0; i < len; i += step) {
		if ((step = bare_len(s + i, len - i)) > 0) {
			buf_add(b, s + i, step);
			continue;
		}
		int32_t cp = text_codepoint(s + i, len - i, &step);
		if (cp < 0)
			buf_adds(b, "\xef\xbf\xbd");
		else if (cp == '"' || cp == '\\')
			buf_addf(b, "\\%c", (char)cp);
		else if (cp == '\n')
			buf_adds(b, "\\n");
		else if (cp == '\t')
			buf_adds(b, "\\t");
		else if (text_codepoint_is_printable(cp) && cp != 0xfffe && cp != 0xffff)
			buf_add(b, s + i, step);
		else if (cp < 0x100)
			buf_addf(b, "\\x%02x", (unsigned)cp);
		else if (cp < 0x10000)
			buf_addf(b, "\\u%04x", (unsigned)cp);
		else
			buf_addf(b, "\\U%08x", (unsigned)cp);
	}
	buf_addc(b, '"');
}

static void put_text(struct buf *b, const char *s)
{
	if (is_plain(s))
		buf_adds(b, s);
	else
		put_quoted(b, s);
}

static void indent(struct yout *y)
{
	for (unsigned i = 0; i < y->depth; i++)
		buf_adds(y->out, i + 1 == y->depth && y->dash ? "- " : "  ");
	y->dash = false;
}

static void put_key(struct yout *y, const char *key)
{
	indent(y);
	put_text(y->out, key);
	buf_addc(y->out, ':');
}

bool yout_is_folding(const struct yout *y)
{
	return !y->out;
}

/* What a call is, so that no two kinds give the same for other reasons. */
enum fold { FOLD_STR = 1, FOLD_INT, FOLD_TIME, FOLD_OPEN, FOLD_ITEM, FOLD_CLOSE };

static void fold_number(struct yout *y, uint64_t n)
{
	uint64_t x = y->fold ^ n; /* each step can be undone, so nothing gets lost on the way */
	x = (x ^ (x >> 33)) * 0xff51afd7ed558ccdu;
	x = (x ^ (x >> 33)) * 0xc4ceb9fe1a85ec53u;
	y->fold = x ^ (x >> 33);
}

static void fold_text(struct yout *y, const char *s)
{
	size_t len = strlen(s);
	uint64_t eight;
	fold_number(y, len);
	for (size_t i = 0; i < len; i += sizeof(eight)) {
		size_t n = len - i < sizeof(eight) ? len - i : sizeof(eight);
		eight = 0;
		memcpy(&eight, s + i, n);
		fold_number(y, eight);
	}
}

/* True: it was folded, nothing is to be written. */
static bool fold(struct yout *y, enum fold kind, const char *key)
{
	if (!yout_is_folding(y))
		return false;
	fold_number(y, kind);
	fold_text(y, key);
	return true;
}

void yout_str(struct yout *y, const char *key, const char *value)
{
	if (!value)
		return;
	if (fold(y, FOLD_STR, key)) {
		fold_text(y, value);
		return;
	}
	put_key(y, key);
	buf_addc(y->out, ' ');
	put_text(y->out, value);
	buf_addc(y->out, '\n');
}

void yout_int(struct yout *y, const char *key, int64_t value)
{
	if (fold(y, FOLD_INT, key)) {
		fold_number(y, (uint64_t)value);
		return;
	}
	put_key(y, key);
	buf_addf(y->out, " %lld\n", (long long)value);
}

void yout_bool(struct yout *y, const char *key, bool value)
{
	if (yout_is_folding(y)) {
		yout_int(y, key, value);
		return;
	}
	put_key(y, key);
	buf_adds(y->out, value ? " true\n" : " false\n");
}

void yout_time(struct yout *y, const char *key, int64_t wall_ms)
{
	if (wall_ms == 0)
		return;
	if (fold(y, FOLD_TIME, key)) {
		fold_number(y, (uint64_t)wall_ms);
		return;
	}
	_cleanup_str_ char *s = text_time(wall_ms);
	yout_str(y, key, s);
}

void yout_open(struct yout *y, const char *key)
{
	if (!fold(y, FOLD_OPEN, key)) {
		put_key(y, key);
		buf_addc(y->out, '\n');
	}
	y->depth++;
}

void yout_close(struct yout *y)
{
	MUST(y->depth > 0);
	(void)fold(y, FOLD_CLOSE, "");
	y->depth--;
}

void yout_item(struct yout *y)
{
	y->dash = !fold(y, FOLD_ITEM, "");
	y->depth++;
}

void yout_item_end(struct yout *y)
{
	MUST(!y->dash);
	yout_close(y);
}

void yout_kv(struct yout *y, const char *key, const struct kv *map)
{
	if (map->n == 0)
		return;
	yout_open(y, key);
	KV_FOREACH (item, map)
		yout_str(y, item->key, item->value);
	yout_close(y);
}

void yout_strs(struct yout *y, const char *key, const struct strs *list)
{
	if (list->n == 0)
		return;
	yout_open(y, key);
	for (size_t i = 0; i < list->n; i++) {
		if (fold(y, FOLD_ITEM, list->v[i]))
			continue;
		y->depth++;
		y->dash = true;
		indent(y);
		put_text(y->out, list->v[i]);
		buf_addc(y->out, '\n');
		y->depth--;
	}
	yout_close(y);
}
