#include "ytext.h"

#include <string.h>

#define TAG_DIRECTIVE "%TAG"

/* Length of the valid UTF-8 sequence at s and its code point; 0 if it is none. */
static size_t decode_char(const unsigned char *s, size_t left, uint32_t *ret)
{
	static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
	size_t n = s[0] < 0x80		   ? 1
		   : (s[0] & 0xe0) == 0xc0 ? 2
		   : (s[0] & 0xf0) == 0xe0 ? 3
		   : (s[0] & 0xf8) == 0xf0 ? 4
					   : 0;
	if (n == 0 || n > left)
		return 0;
	uint32_t c = n == 1 ? s[0] : s[0] & (0xffu >> (n + 1));
	for (size_t i = 1; i < n; i++) {
		if ((s[i] & 0xc0) != 0x80)
			return 0;
		c = c << 6 | (s[i] & 0x3f);
	}
	if (c < least[n] || c > 0x10ffff || (c >= 0xd800 && c <= 0xdfff))
		return 0;
	*ret = c;
	return n;
}

/* Line separators of Unicode are refused too: YAML counts lines by them, editors do not. */
static bool is_text_char(uint32_t c)
{
	if (c < 0x20)
		return c == '\t' || c == '\n' || c == '\r';
	if (c < 0xa0)
		return c < 0x7f;
	return c != 0x2028 && c != 0x2029 && c != 0xfeff && c != 0xfffe && c != 0xffff;
}

/* No manifest needs one, and libyaml compares each with all before it, and each tag with all of
 * them: a file of nothing else would hold its reader up for minutes. */
static bool is_tag_directive(const char *s, size_t left)
{
	size_t n = strlen(TAG_DIRECTIVE);
	return left >= n && memcmp(s, TAG_DIRECTIVE, n) == 0;
}

int ytext_check(const char *file, const char *text, size_t len, struct diags *diags)
{
	const unsigned char *s = (const unsigned char *)text;
	struct mark m = {.line = 1, .col = 1};
	for (size_t i = 0; i < len;) {
		uint32_t c = 0;
		size_t n = decode_char(s + i, len - i, &c);
		if (n == 0) {
			struct diag *d = diags_add(diags, DIAG_ENCODING, file, m,
			    "byte 0x%02x is not valid UTF-8 here", s[i]);
			diag_hint(d, "save the file as UTF-8; a binary file does not belong here");
			return -1;
		}
		if (!is_text_char(c)) {
			struct diag *d = diags_add(diags, DIAG_CONTROL_CHARACTER, file, m,
			    "character U+%04X does not belong in a text", (unsigned)c);
			diag_hint(d,
			    c == 0
				? "this looks like UTF-16 or a binary file: save it as UTF-8, or "
				  "put it somewhere else"
				: "remove it; a binary file does not belong here");
			return -1;
		}
		if (m.col == 1 && is_tag_directive(text + i, len - i)) {
			struct diag *d = diags_add(
			    diags, DIAG_TAG, file, m, "type tags are not used in manifests");
			diag_hint(d, "leave this line out");
			return -1;
		}
		i += n;
		if (c == '\n' || (c == '\r' && (i == len || s[i] != '\n'))) {
			m.line++;
			m.col = 1;
		} else {
			m.col++;
		}
	}
	return 0;
}

unsigned ytext_conflict(const char *text, size_t len)
{
	static const char begin[] = "<<<<<<< ";
	unsigned line = 1;
	for (const char *p = text, *end = text + len; p < end; line++) {
		if ((size_t)(end - p) >= strlen(begin) && memcmp(p, begin, strlen(begin)) == 0)
			return line;
		const char *next = memchr(p, '\n', (size_t)(end - p));
		if (!next)
			break;
		p = next + 1;
	}
	return 0;
}
