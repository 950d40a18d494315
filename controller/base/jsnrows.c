#include "jsnrows.h"

#include <string.h>

#include "buf.h"
#include "jsn.h"
#include "jsnscan.h"

struct reader {
	struct jsnscan sc;
	const struct jsnrows *rows;
	size_t n_keys;
	size_t key_len[JSNROWS_KEYS_MAX];
	bool found;			    /* the list that counts */
	struct buf texts[JSNROWS_KEYS_MAX]; /* of this row; the memory is that of the longest */
	const char *values[JSNROWS_KEYS_MAX];
};

/* A token, without the quotes of a string. */
struct span {
	const char *s;
	size_t len;
};

typedef int (*member_fn)(struct reader *r, struct span key);
typedef int (*element_fn)(struct reader *r);

/* The first character of the next token, \0 at the end. */
static char peek(struct reader *r)
{
	const char *p = r->sc.s + r->sc.at, *end = r->sc.s + r->sc.len;
	while (p < end && (*p == ' ' || *p == '\t' || *p == '\n' || *p == '\r'))
		p++;
	r->sc.at = (size_t)(p - r->sc.s);
	return p < end ? *p : '\0';
}

static int expect(struct reader *r, char c)
{
	if (peek(r) != c)
		return jsnscan_refuse(&r->sc, "unexpected character, or the end");
	return jsnscan_token(&r->sc);
}

/* json-c says what an escaped character is, and whether it is one. */
static int unescape(struct reader *r, struct span quoted, struct jsn **ret)
{
	if (jsn_parse(quoted.s, quoted.len, ret, NULL) == 0)
		return 0;
	return jsnscan_refuse(&r->sc, "bad escape in a string before");
}

/* A string, number or word; *ret borrows from the text or, after an escape, from *ret_own. */
static int scalar(struct reader *r, struct span *ret, struct jsn **ret_own)
{
	struct jsnscan *sc = &r->sc;
	char c = peek(r);
	struct span t = {.s = sc->s + sc->at};
	if (!c || c == ',' || c == ':' || c == ']' || c == '}')
		return jsnscan_refuse(sc, "a value was expected");
	if (jsnscan_token(sc) != 0)
		return -1;
	t.len = (size_t)(sc->s + sc->at - t.s);
	*ret_own = NULL;
	*ret = t;
	if (c != '"')
		return 0;
	*ret = (struct span){t.s + 1, t.len - 2};
	if (!memchr(ret->s, '\\', ret->len))
		return 0;
	if (unescape(r, t, ret_own) != 0)
		return -1;
	ret->s = jsn_text(*ret_own);
	ret->len = strlen(ret->s);
	return 0;
}

static int object(struct reader *r, member_fn member)
{
	if (expect(r, '{') != 0)
		return -1;
	if (peek(r) == '}')
		return expect(r, '}');
	for (;;) {
		_cleanup_jsn_ struct jsn *own = NULL;
		struct span key;
		if (peek(r) != '"')
			return jsnscan_refuse(&r->sc, "the name of a member was expected");
		if (scalar(r, &key, &own) != 0 || expect(r, ':') != 0 || member(r, key) != 0)
			return -1;
		if (peek(r) == '}')
			return expect(r, '}');
		if (expect(r, ',') != 0)
			return -1;
	}
}

static int array(struct reader *r, element_fn element)
{
	if (expect(r, '[') != 0)
		return -1;
	if (peek(r) == ']')
		return expect(r, ']');
	for (;;) {
		if (element(r) != 0)
			return -1;
		if (peek(r) == ']')
			return expect(r, ']');
		if (expect(r, ',') != 0)
			return -1;
	}
}

static int skip_member(struct reader *r, struct span key);

/* The scanner bounds the depth. */
static int skip(struct reader *r)
{
	_cleanup_jsn_ struct jsn *own = NULL;
	struct span text;
	switch (peek(r)) {
	case '{':
		return object(r, skip_member);
	case '[':
		return array(r, skip);
	default:
		return scalar(r, &text, &own);
	}
}

static int skip_member(struct reader *r, struct span key)
{
	(void)key;
	return skip(r);
}

static bool is_key(struct span s, const char *key)
{
	return strlen(key) == s.len && memcmp(s.s, key, s.len) == 0;
}

static int take(struct reader *r, size_t i)
{
	_cleanup_jsn_ struct jsn *own = NULL;
	char c = peek(r);
	struct span t;
	r->values[i] = NULL; /* of members with the same key the last one counts */
	if (c == '{' || c == '[')
		return skip(r);
	if (scalar(r, &t, &own) != 0)
		return -1;
	buf_reset(&r->texts[i]);
	if (c == 'n')
		return 0;
	if (c == 't' || c == 'f')
		buf_addc(&r->texts[i], c == 't' ? '1' : '0');
	else if (c == '-' && is_key(t, "-0"))
		buf_addc(&r->texts[i], '0');
	else
		buf_add(&r->texts[i], t.s, t.len);
	r->values[i] = buf_str(&r->texts[i]);
	return 0;
}

static int row_member(struct reader *r, struct span key)
{
	for (size_t i = 0; i < r->n_keys; i++)
		if (r->key_len[i] == key.len && memcmp(r->rows->keys[i], key.s, key.len) == 0)
			return take(r, i);
	return skip(r);
}

static int row(struct reader *r)
{
	if (peek(r) != '{')
		return skip(r);
	memset(r->values, 0, r->n_keys * sizeof(*r->values));
	if (object(r, row_member) != 0)
		return -1;
	r->rows->cb(r->rows->arg, r->values);
	return 0;
}

static int top_member(struct reader *r, struct span key)
{
	if (!is_key(key, r->rows->list))
		return skip(r);
	if (r->found)
		return jsnscan_refuse(&r->sc, "a second list");
	r->found = peek(r) == '[';
	return r->found ? array(r, row) : skip(r);
}

static int document(struct reader *r)
{
	if (peek(r) == '{' ? object(r, top_member) != 0 : skip(r) != 0)
		return -1;
	if (peek(r) || r->sc.at < r->sc.len)
		return jsnscan_refuse(&r->sc, "more than one value");
	return r->found ? 0 : err_set(r->sc.err, ERR_PROTOCOL, "%s is no list", r->rows->list);
}

int jsnrows_read(const char *text, size_t len, const struct jsnrows *rows, struct err **err)
{
	struct reader r = {.rows = rows};
	while (rows->keys[r.n_keys]) {
		MUST(r.n_keys < JSNROWS_KEYS_MAX);
		r.key_len[r.n_keys] = strlen(rows->keys[r.n_keys]);
		r.n_keys++;
	}
	if (jsnscan_begin(&r.sc, text, len, err) != 0)
		return -1;
	int rc = document(&r);
	for (size_t i = 0; i < r.n_keys; i++)
		buf_fini(&r.texts[i]);
	return rc;
}
