#include "diag.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "jsn.h"
#include "text.h"

#define EXCERPT_CHARS 120 /* of one source line */
#define MSG_CHARS 600

struct diag_row {
	const char *word;
	enum diag_severity severity;
	const char *doc;
};

static const struct diag_row rows[DIAG_CODE__MAX] = {
#define DIAG(code, word, severity, doc) [DIAG_##code] = {word, DIAG_##severity, doc},
#include "diag.def"
#undef DIAG
#define RULE(code, word, severity, scope, fn, doc, where, json) \
	[DIAG_##code] = {word, DIAG_##severity, doc},
#include "rules.def"
#undef RULE
};

const char *diag_word(enum diag_code code)
{
	MUST((size_t)code < DIAG_CODE__MAX);
	return rows[code].word;
}

const char *diag_doc(enum diag_code code)
{
	MUST((size_t)code < DIAG_CODE__MAX);
	return rows[code].doc;
}

enum diag_severity diag_severity(enum diag_code code)
{
	MUST((size_t)code < DIAG_CODE__MAX);
	return rows[code].severity;
}

static void diag_clear(struct diag *d)
{
	free(d->file);
	free(d->object);
	free(d->msg);
	free(d->hint);
	free(d->line);
	*d = (struct diag){0};
}

void diags_fini(struct diags *l)
{
	for (size_t i = 0; i < l->n; i++)
		diag_clear(&l->v[i]);
	free(l->v);
	diag_clear(&l->spill);
	*l = (struct diags){0};
}

/* Room for one more finding: in the list, or outside of it when the list is full. */
static struct diag *new_entry(struct diags *l, enum diag_code code, const char *file)
{
	size_t max = l->max ? l->max : DIAG_MAX;
	if (diag_severity(code) == DIAG_ERROR)
		l->errors++;
	if (l->n < max) {
		MEM_PUSH_ROOM(l->v, l->n, l->cap);
		struct diag *d = &l->v[l->n++];
		*d = (struct diag){.code = code};
		return d;
	}
	if (l->dropped++ == 0) {
		MEM_PUSH_ROOM(l->v, l->n, l->cap);
		l->v[l->n++] = (struct diag){
		    .code = DIAG_TOO_MANY_FINDINGS,
		    .file = mem_strdup(file),
		    .msg = mem_strdup("there are more findings than are shown"),
		    .hint = mem_strdup("mend these first and look again"),
		};
	}
	diag_clear(&l->spill);
	l->spill.code = code;
	return &l->spill;
}

static char *format(const char *fmt, va_list ap) PRINTF(1, 0);

/* What a person wrote may be in there: one line, bounded, without control characters. */
static char *format(const char *fmt, va_list ap)
{
	_cleanup_str_ char *raw = mem_vprintf(fmt, ap);
	return text_oneline(raw, MSG_CHARS);
}

struct diag *diags_add(
    struct diags *l, enum diag_code code, const char *file, struct mark mark, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	char *msg = format(fmt, ap);
	va_end(ap);
	struct diag *d = new_entry(l, code, file ? file : "");
	d->file = mem_strdup(file ? file : "");
	d->mark = mark;
	d->msg = msg;
	return d;
}

void diag_hint(struct diag *d, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	char *hint = format(fmt, ap);
	va_end(ap);
	free(d->hint);
	d->hint = hint;
}

void diags_append(struct diags *dst, const struct diags *src)
{
	size_t errors = dst->errors + src->errors;
	for (size_t i = 0; i < src->n; i++) {
		const struct diag *s = &src->v[i];
		struct diag *d = new_entry(dst, s->code, s->file);
		d->file = mem_strdup(s->file);
		d->mark = s->mark;
		d->doc = s->doc;
		d->object = mem_strdup(s->object);
		d->msg = mem_strdup(s->msg);
		d->hint = mem_strdup(s->hint);
		d->line = mem_strdup(s->line);
		d->caret = s->caret;
		d->caret_end = s->caret_end;
	}
	dst->errors = errors; /* those that src has dropped count too */
}

void diags_set_object(struct diags *l, size_t from, const char *object)
{
	for (size_t i = from; i < l->n; i++)
		if (!l->v[i].object)
			l->v[i].object = mem_strdup(object);
}

void diags_drop_doc(struct diags *l, const char *file, unsigned doc)
{
	size_t kept = 0;
	for (size_t i = 0; i < l->n; i++) {
		struct diag *d = &l->v[i];
		if (d->doc == doc && doc != 0 && text_eq(d->file, file)) {
			if (diag_severity(d->code) == DIAG_ERROR)
				l->errors--;
			diag_clear(d);
		} else {
			l->v[kept++] = *d;
		}
	}
	l->n = kept;
}

/* Bytes of the UTF-8 character at s; 1 for anything odd. */
static size_t char_len(const char *s, size_t left)
{
	size_t n;
	(void)text_codepoint(s, left, &n);
	return n;
}

/* One line into the finding, cut to a window around the column when it is long. */
static void set_excerpt(struct diag *d, const char *s, size_t len)
{
	unsigned col = d->mark.col ? d->mark.col : 1;
	unsigned first = col > EXCERPT_CHARS * 2 / 3 ? col - EXCERPT_CHARS / 2 : 1;
	size_t begin = 0;
	unsigned at = 1;
	while (begin < len && at < first) {
		begin += char_len(s + begin, len - begin);
		at++;
	}
	size_t end = begin;
	for (unsigned n = 0; end < len && n < EXCERPT_CHARS; n++)
		end += char_len(s + end, len - end);

	struct buf b;
	buf_init(&b, EXCERPT_CHARS * 8);
	if (first > 1)
		buf_adds(&b, "…");
	for (size_t i = begin; i < end;) {
		size_t n = char_len(s + i, end - i);
		bool odd = n == 1 && ((unsigned char)s[i] < 0x20 || (unsigned char)s[i] >= 0x7f);
		if (odd || !text_is_printable(s + i, n))
			buf_addc(&b, s[i] == '\t' ? ' ' : '?');
		else
			buf_add(&b, s + i, n);
		i += n;
	}
	if (end < len)
		buf_adds(&b, "…");
	d->line = buf_take(&b);
	d->caret = col - first + 1 + (first > 1);
	d->caret_end = d->mark.end_col > col ? d->mark.end_col - first + 1 + (first > 1) : 0;
	if (d->caret_end > EXCERPT_CHARS + 2)
		d->caret_end = EXCERPT_CHARS + 2;
}

/* Offsets of the lines of a text; \n, \r\n and \r end a line, as in YAML. */
static size_t index_lines(const char *text, size_t len, size_t **ret)
{
	size_t *v = NULL, n = 0, cap = 0;
	MEM_PUSH_ROOM(v, n, cap);
	v[n++] = 0;
	for (size_t i = 0; i < len; i++) {
		if (text[i] != '\n' && text[i] != '\r')
			continue;
		if (text[i] == '\r' && i + 1 < len && text[i + 1] == '\n')
			i++;
		MEM_PUSH_ROOM(v, n, cap);
		v[n++] = i + 1;
	}
	*ret = v;
	return n;
}

void diags_excerpt(struct diags *l, size_t from, const char *file, const char *text, size_t len)
{
	size_t *lines = NULL, n = 0;
	if (len >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0) {
		text += 3;
		len -= 3;
	}
	for (size_t i = from; i < l->n; i++) {
		struct diag *d = &l->v[i];
		if (d->line || d->mark.line == 0 || !text_eq(d->file, file))
			continue;
		if (!lines)
			n = index_lines(text, len, &lines);
		if (d->mark.line > n)
			continue;
		size_t begin = lines[d->mark.line - 1];
		size_t end = d->mark.line < n ? lines[d->mark.line] : len;
		while (end > begin && (text[end - 1] == '\n' || text[end - 1] == '\r'))
			end--;
		set_excerpt(d, text + begin, end - begin);
	}
	free(lines);
}

static int compare(const void *pa, const void *pb)
{
	const struct diag *a = pa, *b = pb;
	bool la = a->code == DIAG_TOO_MANY_FINDINGS, lb = b->code == DIAG_TOO_MANY_FINDINGS;
	if (la != lb)
		return la ? 1 : -1;
	int c = strcmp(a->file, b->file);
	if (c != 0)
		return c;
	if (a->mark.line != b->mark.line)
		return a->mark.line < b->mark.line ? -1 : 1;
	if (a->mark.col != b->mark.col)
		return a->mark.col < b->mark.col ? -1 : 1;
	if (a->code != b->code)
		return a->code < b->code ? -1 : 1;
	return strcmp(a->msg, b->msg);
}

void diags_sort(struct diags *l)
{
	if (l->n > 1)
		qsort(l->v, l->n, sizeof(*l->v), compare);
}

size_t diags_errors(const struct diags *l)
{
	return l->errors;
}

size_t diags_warnings(const struct diags *l)
{
	size_t n = 0;
	for (size_t i = 0; i < l->n; i++)
		n += diag_severity(l->v[i].code) == DIAG_WARNING;
	return n;
}

bool diags_is_full(const struct diags *l)
{
	return l->dropped > 0;
}

static const char *severity_word(enum diag_severity s)
{
	switch (s) {
	case DIAG_ERROR:
		return "error";
	case DIAG_WARNING:
		return "warning";
	case DIAG_SEVERITY__MAX:
		break;
	}
	return "error";
}

static void print_one(const struct diag *d, bool colour, struct buf *out)
{
	bool error = diag_severity(d->code) == DIAG_ERROR;
	const char *bold = colour ? "\033[1m" : "", *off = colour ? "\033[0m" : "";
	const char *tint = !colour ? "" : error ? "\033[1;31m" : "\033[1;33m";

	if (d->file[0]) {
		_cleanup_str_ char *file = text_oneline(d->file, MSG_CHARS);
		buf_addf(out, "%s%s:", bold, file);
		if (d->mark.line)
			buf_addf(out, "%u:%u:", d->mark.line, d->mark.col);
		buf_addf(out, "%s ", off);
	}
	buf_addf(out, "%s%s:%s %s [%s]\n", tint, severity_word(diag_severity(d->code)), off, d->msg,
	    diag_word(d->code));
	if (d->line) {
		int width = snprintf(NULL, 0, "%u", d->mark.line);
		buf_addf(out, "  %u | %s\n  %*s | ", d->mark.line, d->line, width, "");
		for (unsigned c = 1; c < d->caret; c++)
			buf_addc(out, ' ');
		buf_adds(out, tint);
		unsigned end = d->caret_end > d->caret ? d->caret_end : d->caret + 1;
		for (unsigned c = d->caret; c < end; c++)
			buf_addc(out, '^');
		buf_addf(out, "%s\n", off);
	}
	if (d->hint)
		buf_addf(out, "  hint: %s\n", d->hint);
}

void diags_print_text(const struct diags *l, bool colour, struct buf *out)
{
	for (size_t i = 0; i < l->n; i++)
		print_one(&l->v[i], colour, out);
}

struct jsn *diags_to_jsn(const struct diags *l)
{
	struct jsn *arr = jsn_new_array();
	for (size_t i = 0; i < l->n; i++) {
		const struct diag *d = &l->v[i];
		struct jsn *o = jsn_new_object();
		jsn_put_str(o, "code", diag_word(d->code));
		jsn_put_str(o, "severity", severity_word(diag_severity(d->code)));
		jsn_put_str(o, "file", d->file);
		jsn_put_int(o, "line", d->mark.line);
		jsn_put_int(o, "column", d->mark.col);
		jsn_put_str(o, "object", d->object);
		jsn_put_str(o, "message", d->msg);
		jsn_put_str(o, "hint", d->hint);
		jsn_push(arr, o);
	}
	return arr;
}

char *diags_print_json(const struct diags *l)
{
	struct jsn *arr = diags_to_jsn(l);
	char *s = jsn_print(arr, true);
	jsn_free(&arr);
	return s;
}
