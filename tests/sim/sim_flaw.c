#include "sim_form.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "text.h"

#define DEPTH_MAX 512

struct reader {
	const char *p, *end;
	const char *flaw; /* where it stopped is p */
	char made[64];
	unsigned depth;
};

static bool flaw(struct reader *r, const char *text)
{
	r->flaw = text;
	return false;
}

static int peek(const struct reader *r)
{
	return r->p < r->end ? (unsigned char)*r->p : -1;
}

static void space(struct reader *r)
{
	while (r->p < r->end && strchr(" \t\r\n", *r->p) && *r->p)
		r->p++;
}

static bool expect(struct reader *r, char c, const char *text)
{
	if (peek(r) != c)
		return flaw(r, text);
	r->p++;
	return true;
}

static bool string(struct reader *r)
{
	if (!expect(r, '"', "'\"' expected"))
		return false;
	for (; peek(r) != '"'; r->p++) {
		int c = peek(r);

		if (c == '\\' && ++r->p < r->end && !strchr("\"\\/bfnrtu", *r->p))
			return flaw(r, "illegal backslash escape sequence in string");
		if (peek(r) < 0)
			return flaw(r, "unexpected end of string while parsing JSON string");
		if (c < 0x20) {
			snprintf(r->made, sizeof(r->made),
			    "invalid character 0x%X encountered while parsing JSON string", c);
			return flaw(r, r->made);
		}
	}
	r->p++;
	return true;
}

static bool number(struct reader *r)
{
	if (peek(r) == '-')
		r->p++;
	if (peek(r) == '0' && r->p + 1 < r->end && isdigit((unsigned char)r->p[1])) {
		r->p++;
		return flaw(
		    r, "malformed number (leading zero must not be followed by another digit)");
	}
	if (!isdigit(peek(r)))
		return flaw(r, "malformed number (no digits after initial minus)");
	while (isdigit(peek(r)))
		r->p++;
	if (peek(r) == '.') {
		r->p++;
		if (!isdigit(peek(r)))
			return flaw(r, "malformed number (no digits after decimal point)");
		while (isdigit(peek(r)))
			r->p++;
	}
	if (peek(r) == 'e' || peek(r) == 'E') {
		r->p++;
		if (peek(r) == '-' || peek(r) == '+')
			r->p++;
		if (!isdigit(peek(r)))
			return flaw(r, "malformed number (no digits after exp sign)");
		while (isdigit(peek(r)))
			r->p++;
	}
	return true;
}

static bool word(struct reader *r, const char *w, const char *text)
{
	size_t len = strlen(w);

	if ((size_t)(r->end - r->p) < len || strncmp(r->p, w, len) != 0)
		return flaw(r, text);
	r->p += len;
	return true;
}

static bool value(struct reader *r);

static bool members(struct reader *r, char close, const char *text)
{
	if (++r->depth > DEPTH_MAX)
		return flaw(r, "json text or perl structure exceeds maximum nesting level "
			       "(max_depth set too low?)");
	r->p++;
	space(r);
	while (peek(r) != close) {
		if (close == '}') {
			if (!string(r))
				return false;
			space(r);
			if (!expect(r, ':', "':' expected"))
				return false;
		}
		if (!value(r))
			return false;
		space(r);
		if (peek(r) == close)
			break;
		if (!expect(r, ',', text))
			return false;
		space(r);
		if (peek(r) == close)
			return close == '}' ? string(r) : value(r);
	}
	r->p++;
	r->depth--;
	return true;
}

static bool value(struct reader *r)
{
	space(r);
	switch (peek(r)) {
	case '"':
		return string(r);
	case '{':
		return members(r, '}', ", or } expected while parsing object/hash");
	case '[':
		return members(r, ']', ", or ] expected while parsing array");
	case 't':
		return word(r, "true", "'true' expected");
	case 'f':
		return word(r, "false", "'false' expected");
	case 'n':
		return word(r, "null", "'null' expected");
	default:
		if (peek(r) == '-' || isdigit(peek(r)))
			return number(r);
		return flaw(r, "malformed JSON string, neither tag, array, object, number, "
			       "string or atom");
	}
}

char *form_flaw(const char *text, size_t len)
{
	struct reader r = {.p = text, .end = text + len};

	if (value(&r)) {
		space(&r);
		if (r.p == r.end)
			return NULL;
		r.flaw = "garbage after JSON object";
	}
	return mem_printf("%s, at character offset %zu (before \"%.*s\")", r.flaw,
	    (size_t)(r.p - text), r.p == r.end ? 15 : (int)(r.end - r.p),
	    r.p == r.end ? "(end of string)" : r.p);
}
