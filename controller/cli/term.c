#include "term.h"

#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "text.h"

#define CELL_CHARS 2000
#define LAST_LEAST 20  /* the last column is never cut shorter */
#define FIRST_LEAST 16 /* nor does the first one make more room */

static bool window(int fd, struct winsize *w)
{
	return isatty(fd) == 1 && ioctl(fd, TIOCGWINSZ, w) == 0;
}

size_t term_columns(int fd)
{
	struct winsize w;
	return window(fd, &w) && w.ws_col >= 20 ? w.ws_col : 80;
}

size_t term_rows(int fd)
{
	struct winsize w;
	return window(fd, &w) && w.ws_row >= 4 ? w.ws_row : 24;
}

/* First and last code points of what takes two columns, or none. */
static const struct {
	int32_t first, last;
	unsigned width;
} odd[] = {
    {0x0300, 0x036f, 0},
    {0x1100, 0x115f, 2},
    {0x200b, 0x200f, 0},
    {0x20d0, 0x20ff, 0},
    {0x2e80, 0xa4cf, 2},
    {0xac00, 0xd7a3, 2},
    {0xf900, 0xfaff, 2},
    {0xfe00, 0xfe0f, 0},
    {0xfe30, 0xfe6f, 2},
    {0xff00, 0xff60, 2},
    {0xffe0, 0xffe6, 2},
    {0x1f300, 0x1f64f, 2},
    {0x1f680, 0x1f6ff, 2},
    {0x1f900, 0x1f9ff, 2},
    {0x20000, 0x3fffd, 2},
};

static unsigned char_width(int32_t cp)
{
	for (size_t i = 0; i < ARRAY_LEN(odd); i++)
		if (cp >= odd[i].first && cp <= odd[i].last)
			return odd[i].width;
	return 1;
}

/* Bytes of s that fit into `columns`; the columns that they take. */
static size_t prefix(const char *s, size_t columns, size_t *ret_columns)
{
	size_t len = strlen(s), used = 0, i = 0, step;
	for (; i < len; i += step) {
		unsigned w = char_width(text_codepoint(s + i, len - i, &step));
		if (used + w > columns)
			break;
		used += w;
	}
	*ret_columns = used;
	return i;
}

size_t term_width(const char *s)
{
	size_t columns;
	(void)prefix(s, SIZE_MAX, &columns);
	return columns;
}

char *term_fit(const char *s, size_t columns)
{
	_cleanup_str_ char *line = text_oneline(s, CELL_CHARS);
	size_t used, whole = prefix(line, columns, &used);
	if (!line[whole])
		return TAKE(line);
	if (columns == 0)
		return mem_strdup("");
	size_t cut = prefix(line, columns - 1, &used);
	return mem_printf("%.*s…", (int)cut, line);
}

void term_put(struct buf *out, enum term_color color, bool colors, const char *s)
{
	static const char *const codes[TERM_COLOR__MAX] = {
	    [TERM_PLAIN] = "",
	    [TERM_BOLD] = "1",
	    [TERM_DIM] = "2",
	    [TERM_RED] = "31",
	    [TERM_GREEN] = "32",
	    [TERM_YELLOW] = "33",
	    [TERM_CYAN] = "36",
	};
	if (!colors || color == TERM_PLAIN || !*s)
		buf_adds(out, s);
	else
		buf_addf(out, "\x1b[%sm%s\x1b[0m", codes[color], s);
}

void term_wrap(struct buf *out, const char *s, size_t margin, size_t columns)
{
	_cleanup_str_ char *line = text_oneline(s, CELL_CHARS);
	size_t at = 0;
	for (const char *p = line; *p;) {
		size_t len = strcspn(p, " ");
		_cleanup_str_ char *word = mem_strndup(p, len);
		size_t w = term_width(word);
		if (at > margin && at + 1 + w > columns) {
			buf_addc(out, '\n');
			at = 0;
		}
		if (at == 0) {
			buf_addf(out, "%*s", (int)margin, "");
			at = margin;
		} else if (len > 0) {
			buf_addc(out, ' ');
			at++;
		}
		buf_adds(out, word);
		at += w;
		p += len + (p[len] == ' ');
	}
	buf_addc(out, '\n');
}

/* ---- tables ---- */

void term_table_fini(struct term_table *t)
{
	for (size_t i = 0; i < t->n; i++)
		free(t->v[i].text);
	free(t->v);
	*t = (struct term_table){.columns = t->columns};
}

void term_cell(struct term_table *t, enum term_color color, const char *text)
{
	MEM_PUSH_ROOM(t->v, t->n, t->cap);
	t->v[t->n++] =
	    (struct term_cell){.text = text_oneline(text ? text : "", CELL_CHARS), .color = color};
}

static void put_row(const struct term_table *t, const struct term_cell *row, const size_t *widths,
    bool colors, struct buf *out)
{
	size_t last = t->columns;
	while (last > 0 && !*row[last - 1].text)
		last--;
	/* A name is never cut: what is too long for its column has a line of its own. */
	bool above = last > 1 && term_width(row[0].text) > widths[0];
	if (above) {
		term_put(out, row[0].color, colors, row[0].text);
		buf_addf(out, "\n%*s", (int)widths[0] + 2, "");
	}
	for (size_t i = above; i < last; i++) {
		_cleanup_str_ char *fit = term_fit(row[i].text, widths[i]);
		term_put(out, row[i].color, colors, fit);
		if (i + 1 < last)
			buf_addf(out, "%*s", (int)(widths[i] - term_width(fit) + 2), "");
	}
	buf_addc(out, '\n');
}

void term_table_print(const struct term_table *t, bool colors, size_t width, struct buf *out)
{
	size_t widths[TERM_TABLE_COLUMNS] = {0}, sum = 0;
	MUST(t->columns > 0 && t->columns <= TERM_TABLE_COLUMNS && t->n % t->columns == 0);
	for (size_t i = 0; i < t->n; i++) {
		size_t w = term_width(t->v[i].text);
		if (w > widths[i % t->columns])
			widths[i % t->columns] = w;
	}
	size_t *end = &widths[t->columns - 1];
	for (size_t i = 0; i + 1 < t->columns; i++)
		sum += widths[i] + 2;
	size_t least = *end < LAST_LEAST ? *end : LAST_LEAST;
	if (width > 0 && sum + least > width && widths[0] > FIRST_LEAST) {
		size_t over = sum + least - width, most = widths[0] - FIRST_LEAST;
		widths[0] -= over < most ? over : most;
		sum -= over < most ? over : most;
	}
	if (width > 0 && sum + *end > width)
		*end = sum + LAST_LEAST > width ? LAST_LEAST : width - sum;
	for (size_t i = 0; i < t->n; i += t->columns)
		put_row(t, &t->v[i], widths, colors, out);
}
