#include "md.h"

#include <string.h>

#include "text.h"

/* Between two characters that a forge would take together for a mention or an address. It stands
 * behind the entity of a space without width, because some of them look at the text only after
 * entities and backslashes are gone. */
#define BREAK "&#8203;"

static bool is_alnum(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

static bool starts_www(const char *s)
{
	return (s[0] == 'w' || s[0] == 'W') && (s[1] == 'w' || s[1] == 'W') &&
	       (s[2] == 'w' || s[2] == 'W') && s[3] == '.';
}

static void put_char(struct buf *out, const char *s)
{
	switch (*s) {
	case '<':
		buf_adds(out, "&lt;");
		break;
	case '>':
		buf_adds(out, "&gt;");
		break;
	case '&':
		buf_adds(out, "&amp;");
		break;
	case '|': /* not \|, which some take for a border all the same */
		buf_adds(out, "&#124;");
		break;
	case '@':
		buf_adds(out, "@" BREAK);
		break;
	case ':':
		buf_adds(out, s[1] == '/' && s[2] == '/' ? ":" BREAK : ":");
		break;
	default:
		if (strchr("\\`*_{}[]~#!^$", *s))
			buf_addc(out, '\\');
		buf_addc(out, *s);
		break;
	}
}

void md_text(struct buf *out, const char *s, size_t max_chars)
{
	if (!s)
		return;
	_cleanup_str_ char *line = text_oneline(s, max_chars);
	for (const char *p = line; *p; p++) {
		if (starts_www(p)) {
			buf_add(out, p, 3);
			buf_adds(out, BREAK);
			p += 3;
		}
		put_char(out, p);
	}
}

/* Inside a code span a backslash escapes nothing but a cell border, and a backtick ends it; with
 * these the dialects differ, so the same is said in HTML. */
static void put_code_html(struct buf *out, const char *s)
{
	buf_adds(out, "<code>");
	for (; *s; s++) {
		if (is_alnum(*s) || *s == ' ' || (unsigned char)*s >= 0x80)
			buf_addc(out, *s);
		else
			buf_addf(out, "&#%d;", *s);
	}
	buf_adds(out, "</code>");
}

void md_code(struct buf *out, const char *s, size_t max_chars)
{
	if (!s || !*s)
		return;
	_cleanup_str_ char *line = text_oneline(s, max_chars);
	size_t len = strlen(line);
	bool blank_end = len > 0 && (line[0] == ' ' || line[len - 1] == ' ');
	if (strpbrk(line, "`|\\") || blank_end)
		put_code_html(out, line);
	else
		buf_addf(out, "`%s`", line);
}

void md_prose(struct buf *out, const char *s, size_t max_chars)
{
	if (!s)
		return;
	_cleanup_str_ char *line = text_oneline(s, max_chars);
	for (char *at = line, *open; at; at = open) {
		open = strchr(at, '`');
		char *close = open ? strchr(open + 1, '`') : NULL;
		if (close) {
			*open = *close = '\0';
			md_text(out, at, SIZE_MAX);
			md_code(out, open + 1, SIZE_MAX);
			open = close + 1;
		} else { /* one that nothing ends is a character */
			md_text(out, at, SIZE_MAX);
			open = NULL;
		}
	}
}
