#include "gitignore.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#define MAGIC 0x67696771u
#define LINES_MAX 1000
#define LINE_BYTES 256
/* Of all questions to one object: some seconds. */
#define STEPS_MAX ((int64_t)300000000)

enum kind {
	LITERAL,
	ONE,  /* any byte but a slash */
	SET,  /* one of some bytes, never a slash */
	STAR, /* any number of bytes but slashes */
	DEEP, /* any number of bytes */
	SKIP  /* what follows, with the next two or without */
};

struct token {
	enum kind kind;
	unsigned char byte;
	uint8_t set[32];
};

/* A pattern with "**" before a slash makes three tokens of three bytes; nothing makes more. */
#define TOKENS_MAX LINE_BYTES

struct rule {
	bool negated, folders_only, whole_path;
	size_t n;
	struct token *tokens;
};

struct gitignore {
	uint32_t magic;
	struct rule *v;
	size_t n, cap;
	int64_t steps;
};

/* --- the rules --- */

static void set_add(struct token *t, unsigned byte)
{
	t->set[byte / 8] |= (uint8_t)(1u << byte % 8);
}

static bool set_has(const struct token *t, unsigned byte)
{
	return t->set[byte / 8] & 1u << byte % 8;
}

/* The bytes of a class such as [:digit:]; the rest after it, or NULL when there is no such class.
 */
static const char *add_class(struct token *t, const char *p)
{
	static const struct {
		const char *name;
		int (*is)(int);
	} classes[] = {
	    {"alnum", isalnum},
	    {"alpha", isalpha},
	    {"blank", isblank},
	    {"cntrl", iscntrl},
	    {"digit", isdigit},
	    {"graph", isgraph},
	    {"lower", islower},
	    {"print", isprint},
	    {"punct", ispunct},
	    {"space", isspace},
	    {"upper", isupper},
	    {"xdigit", isxdigit},
	};
	const char *end = strstr(p, ":]");

	for (size_t i = 0; end && i < ARRAY_LEN(classes); i++) {
		size_t len = strlen(classes[i].name);
		if (len != (size_t)(end - p) || strncmp(p, classes[i].name, len) != 0)
			continue;
		for (int c = 1; c < 128; c++)
			if (classes[i].is(c))
				set_add(t, (unsigned)c);
		return end + 2;
	}
	return NULL;
}

/* One byte of a set, which a backslash may precede; NULL at the end of the text. */
static const char *take_byte(const char *p, unsigned char *ret)
{
	p += *p == '\\';
	*ret = (unsigned char)*p;
	return *p ? p + 1 : NULL;
}

/* What stands after '['; the rest after ']', or NULL when it is no set. */
static const char *parse_set(struct token *t, const char *p)
{
	bool negated = *p == '!' || *p == '^', first = true;

	*t = (struct token){.kind = SET};
	for (p += negated; p && (first || *p != ']'); first = false) {
		unsigned char from, to;
		if (p[0] == '[' && p[1] == ':') {
			p = add_class(t, p + 2);
			continue;
		}
		p = take_byte(p, &from);
		to = from;
		if (p && p[0] == '-' && p[1] && p[1] != ']')
			p = take_byte(p + 1, &to);
		for (unsigned c = from; p && c <= to; c++)
			set_add(t, c);
	}
	for (size_t i = 0; negated && i < sizeof(t->set); i++)
		t->set[i] = (uint8_t)~t->set[i];
	t->set['/' / 8] &= (uint8_t) ~(1u << '/' % 8);
	return p ? p + 1 : NULL;
}

static void add_token(struct rule *r, enum kind kind, char byte)
{
	MUST(r->n < TOKENS_MAX);
	r->tokens[r->n++] = (struct token){.kind = kind, .byte = (unsigned char)byte};
}

/* From a star on; the rest. Two or more between slashes or ends reach over folders, else they are
 * one. */
static const char *parse_stars(struct rule *r, const char *start, const char *p)
{
	size_t n = strspn(p, "*");
	bool begins = p == start || p[-1] == '/', deep = n >= 2 && begins && r->whole_path;

	p += n;
	if (deep && *p == '/') {
		add_token(r, SKIP, 0);
		add_token(r, DEEP, 0);
		add_token(r, LITERAL, '/');
		return p + 1;
	}
	add_token(r, deep && !*p ? DEEP : STAR, 0);
	return p;
}

/* False for a pattern that nothing can ever match. */
static bool parse_pattern(struct rule *r, const char *pattern)
{
	const char *p = pattern;

	while (p && *p) {
		if (*p == '*') {
			p = parse_stars(r, pattern, p);
		} else if (*p == '[') {
			add_token(r, SET, 0);
			p = parse_set(&r->tokens[r->n - 1], p + 1);
		} else if (*p == '?') {
			add_token(r, ONE, 0);
			p++;
		} else {
			p += *p == '\\';
			if (!*p)
				return false;
			add_token(r, LITERAL, *p++);
		}
	}
	return p && r->n;
}

/* Blanks at the end go, unless a backslash keeps them. */
static void trim_blanks(char *line)
{
	size_t keep = 0;
	for (size_t i = 0; line[i]; i++) {
		if (line[i] == '\\' && line[i + 1])
			keep = ++i + 1;
		else if (line[i] != ' ')
			keep = i + 1;
	}
	line[keep] = '\0';
}

static void add_rule(struct gitignore *g, char *line)
{
	struct rule r = {0};
	char *pattern = line;

	trim_blanks(line);
	if (*line == '#')
		return;
	r.negated = *pattern == '!';
	pattern += r.negated;
	size_t len = strlen(pattern);
	if (len && pattern[len - 1] == '/') {
		r.folders_only = true;
		pattern[--len] = '\0';
	}
	r.whole_path = strchr(pattern, '/') != NULL;
	pattern += *pattern == '/';
	r.tokens = mem_calloc(TOKENS_MAX, sizeof(*r.tokens));
	if (!parse_pattern(&r, pattern)) {
		free(r.tokens);
		return;
	}
	MEM_PUSH_ROOM(g->v, g->n, g->cap);
	g->v[g->n++] = r;
}

static const char *add_lines(struct gitignore *g, const char *text, size_t len)
{
	static const char bom[] = "\xef\xbb\xbf";
	size_t at = len >= 3 && memcmp(text, bom, 3) == 0 ? 3 : 0;

	if (len > GITIGNORE_BYTES || memchr(text, 0, len))
		return "is too large or no text";
	for (size_t lines = 0; at < len; lines++) {
		const char *end = memchr(text + at, '\n', len - at);
		size_t part = end ? (size_t)(end - text) - at : len - at;
		if (part >= LINE_BYTES)
			return "has a line that is too long";
		if (lines >= LINES_MAX)
			return "has too many lines";
		bool cr = end && part && text[at + part - 1] == '\r';
		_cleanup_str_ char *line = mem_strndup(text + at, part - cr);
		add_rule(g, line);
		at += part + 1;
	}
	return NULL;
}

int gitignore_new(struct gitignore **ret, const char *text, size_t len, struct err **err)
{
	struct gitignore *g = mem_alloc(sizeof(*g));
	g->magic = MAGIC;
	const char *fault = add_lines(g, len ? text : "", len);
	if (fault) {
		gitignore_free(&g);
		err_set(err, ERR_LIMIT, "%s %s", GITIGNORE_FILE, fault);
		return err_hint(err, "keep it below %d lines of %d bytes", LINES_MAX, LINE_BYTES);
	}
	*ret = g;
	return 0;
}

void gitignore_free(struct gitignore **gp)
{
	struct gitignore *g = *gp;
	if (!g)
		return;
	CHECK_OBJ(g, MAGIC);
	for (size_t i = 0; i < g->n; i++)
		free(g->v[i].tokens);
	free(g->v);
	g->magic = 0;
	free(g);
	*gp = NULL;
}

/* --- matching: all ways through the tokens at once, byte by byte --- */

struct states {
	bool at[TOKENS_MAX + 1];
	size_t low, high; /* nothing outside is true; low > high = none at all */
};

static void states_add(const struct rule *r, struct states *s, size_t i)
{
	for (; !s->at[i]; i++) {
		s->at[i] = true;
		s->low = i < s->low ? i : s->low;
		s->high = i > s->high ? i : s->high;
		if (i == r->n)
			return;
		enum kind kind = r->tokens[i].kind;
		if (kind == SKIP)
			states_add(r, s, i + 3);
		if (kind != STAR && kind != DEEP && kind != SKIP)
			return;
	}
}

static void states_clear(struct states *s)
{
	if (s->low <= s->high)
		memset(s->at + s->low, 0, s->high - s->low + 1);
	s->low = TOKENS_MAX;
	s->high = 0;
}

/* 0 = no way on, 1 = on to the next token, 2 = stay at this one. */
static int step(const struct token *t, unsigned char c)
{
	switch (t->kind) {
	case LITERAL:
		return c == t->byte;
	case ONE:
		return c != '/';
	case SET:
		return set_has(t, c);
	case STAR:
		return c != '/' ? 2 : 0;
	case DEEP:
		return 2;
	case SKIP:
		break;
	}
	return 0;
}

static bool matches(struct gitignore *g, const struct rule *r, const char *text)
{
	struct states a = {.low = TOKENS_MAX}, b = {.low = TOKENS_MAX};
	struct states *now = &a, *next = &b;

	states_add(r, now, 0);
	for (; *text && now->low <= now->high; text++) {
		g->steps += (int64_t)(now->high - now->low + 1);
		states_clear(next);
		for (size_t i = now->low; i <= now->high && i < r->n; i++) {
			int way = now->at[i] ? step(&r->tokens[i], (unsigned char)*text) : 0;
			if (way)
				states_add(r, next, way == 1 ? i + 1 : i);
		}
		struct states *swap = now;
		now = next;
		next = swap;
	}
	return now->low <= now->high && now->at[r->n];
}

int gitignore_covers(
    struct gitignore *g, const char *path, bool folder, bool *ret, struct err **err)
{
	const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;

	*ret = false;
	if (!g)
		return 0;
	CHECK_OBJ(g, MAGIC);
	/* The last rule that fits decides. */
	for (size_t i = g->n; i-- > 0;) {
		const struct rule *r = &g->v[i];
		if (r->folders_only && !folder)
			continue;
		if (matches(g, r, r->whole_path ? path : name)) {
			*ret = !r->negated;
			break;
		}
	}
	if (g->steps <= STEPS_MAX)
		return 0;
	err_set(err, ERR_LIMIT, "%s has too many rules for so many files", GITIGNORE_FILE);
	return err_hint(err, "use fewer rules, and such with fewer stars");
}
