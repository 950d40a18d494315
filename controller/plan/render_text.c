/* Plans for a terminal. */
#include <stdlib.h>
#include <string.h>

#include "renderkit.h"

#define PATH_MAX_COLS 50
#define VALUE_MAX_COLS 60
#define SHOWN_CHARS 200
#define NOTE_INDENT 6
#define COLUMNS 100
#define LEAF_CHARS 60

#define RESET "\x1b[0m"

static const char *colour_of(char symbol)
{
	switch (symbol) {
	case '+':
		return "\x1b[32m";
	case '~':
		return "\x1b[33m";
	case '-':
	case '!':
		return "\x1b[31m";
	default: /* characters, no enum */
		return "\x1b[2m";
	}
}

static size_t columns(const char *s)
{
	size_t n = 0;
	for (; *s; s++)
		n += ((unsigned char)*s & 0xc0) != 0x80;
	return n;
}

static void add_padded(struct buf *out, const char *s, size_t width)
{
	buf_adds(out, s);
	for (size_t n = columns(s); n < width; n++)
		buf_addc(out, ' ');
}

static void add_symbol(struct buf *out, char symbol, bool colour)
{
	if (colour)
		buf_addf(out, "%s%c" RESET, colour_of(symbol), symbol);
	else
		buf_addc(out, symbol);
}

static char *values_of(const struct change *c)
{
	_cleanup_str_ char *from = text_oneline(c->from ? c->from : "", SHOWN_CHARS);
	_cleanup_str_ char *to = text_oneline(c->to ? c->to : "", SHOWN_CHARS);
	return mem_printf("%s → %s", from, to);
}

/* Widths of the columns; what is longer than the maximum sticks out. */
static void measure(const struct plan *p, size_t *ret_path, size_t *ret_value)
{
	size_t path = 0, value = 0;
	for (size_t i = 0; i < p->n_changes; i++) {
		_cleanup_str_ char *values = values_of(&p->changes[i]);
		size_t a = columns(p->changes[i].path), b = columns(values);
		if (a > path && a <= PATH_MAX_COLS)
			path = a;
		if (b > value && b <= VALUE_MAX_COLS)
			value = b;
	}
	*ret_path = path;
	*ret_value = value;
}

static void add_note(struct buf *out, size_t indent, const char *what, const char *text)
{
	if (!text || !*text)
		return;
	_cleanup_str_ char *line = text_oneline(text, 2 * SHOWN_CHARS);
	buf_addf(out, "%*s%s%s\n", (int)indent, "", what, line);
}

static void add_change(struct buf *out, const struct plan *p, const struct change *c, size_t path,
    size_t value, bool colour)
{
	_cleanup_str_ char *values = values_of(c), *effect = renderkit_effect(p, c);

	buf_adds(out, "  ");
	add_symbol(out, renderkit_change_symbol(c), colour);
	buf_addc(out, ' ');
	add_padded(out, c->path, path);
	buf_adds(out, "  ");
	if (renderkit_has_effect(p, c)) {
		add_padded(out, values, value);
		buf_addf(out, "  %s\n", effect);
	} else {
		buf_addf(out, "%s\n", values);
	}
	if (c->why && c->place) {
		_cleanup_str_ char *why = mem_printf("%s: %s", c->place, c->why);
		add_note(out, NOTE_INDENT, "", why);
	} else {
		add_note(out, NOTE_INDENT, "", c->why);
	}
	add_note(out, NOTE_INDENT, "hint: ", c->hint);
}

/* "  with the clone: id 1204, node_name pve1", on as many lines as it takes. */
static void add_rest(struct buf *out, const struct render_item *item, enum renderkit_rest kind)
{
	const struct resource *r = item->want;
	size_t col = 0;

	for (size_t i = 0; r && i < r->n_leaves; i++) {
		enum renderkit_rest k;
		if (!renderkit_is_rest(item, &r->leaves[i], &k) || k != kind)
			continue;
		_cleanup_str_ char *path = schema_path(r->leaves[i].attr, r->leaves[i].slot);
		_cleanup_str_ char *full = value_print(&r->leaves[i].value);
		_cleanup_str_ char *value = text_oneline(full, LEAF_CHARS);
		size_t width = columns(path) + columns(value) + 3;
		if (col && col + width > COLUMNS) {
			buf_adds(out, ",\n    ");
			col = 4;
		} else if (col) {
			buf_adds(out, ", ");
		} else {
			buf_addf(out, "  %s: ", renderkit_rest_title(kind));
			col = 4 + strlen(renderkit_rest_title(kind));
		}
		buf_addf(out, "%s %s", path, value);
		col += width;
	}
	if (col)
		buf_addc(out, '\n');
}

static void add_item(struct buf *out, const struct render_item *item, bool colour)
{
	const struct plan *p = item->plan;
	_cleanup_str_ char *where = renderkit_where(item);
	size_t path, value;

	add_symbol(out, renderkit_item_symbol(p), colour);
	buf_addf(out, " %s (%s)", item->name, where);
	if (p->verdict != PLAN_ACT) {
		_cleanup_str_ char *message = text_oneline(p->message ? p->message : "", 400);
		buf_addf(out, ": %s%s%s", reason_word(p->reason), *message ? ": " : "", message);
	} else {
		_cleanup_str_ char *extent = renderkit_extent(p), *felt = renderkit_felt(p);
		bool loud = p->create || p->destroy;
		buf_addf(out, ": %s%s%s%s%s", loud ? renderkit_deed(p) : "",
		    loud && *extent ? ", " : "", extent, *felt ? "; " : "", felt);
	}
	buf_addc(out, '\n');
	measure(p, &path, &value);
	for (size_t i = 0; i < p->n_changes; i++)
		add_change(out, p, &p->changes[i], path, value, colour);
	for (int i = 0; i < RENDERKIT_REST__MAX; i++)
		add_rest(out, item, (enum renderkit_rest)i);
	if (renderkit_next(p))
		add_note(out, 2, "next: ", renderkit_next(p));
	for (size_t i = 0; i < p->n_steps; i++) {
		_cleanup_str_ char *text = text_oneline(p->steps[i].text, SHOWN_CHARS);
		buf_addf(out, "  %zu. %s\n", i + 1, text);
	}
	buf_addc(out, '\n');
}

char *render_text(const struct render_item *v, size_t n, bool colour)
{
	const struct render_item **sorted = renderkit_sort(v, n);
	struct renderkit_counts counts;
	struct buf out;

	buf_init(&out, 0);
	for (size_t i = 0; i < n; i++)
		if (renderkit_is_worth(sorted[i]->plan))
			add_item(&out, sorted[i], colour);
	renderkit_count(v, n, &counts);
	_cleanup_str_ char *summary = renderkit_summary(&counts);
	_cleanup_str_ char *disturbed = renderkit_disturbed(&counts);
	buf_addf(&out, "Plan: %s.\n", summary);
	if (disturbed)
		buf_addf(&out, "Guests: %s.\n", disturbed);
	free(sorted);
	return buf_take(&out);
}
