#include "sim_row.h"

#include <string.h>

#include "text.h"

void row_begin(struct row *r)
{
	r->more = false;
	if (r->text)
		buf_addc(r->text, '{');
	else
		r->tree = jsn_new_object();
}

void row_end(struct row *r)
{
	if (r->text)
		buf_addc(r->text, '}');
}

void row_quote(struct buf *b, const char *text)
{
	static const char hex[] = "0123456789abcdef";
	_cleanup_str_ char *fixed = text_is_utf8(text, strlen(text)) ? NULL : text_to_utf8(text);

	if (fixed)
		text = fixed;
	buf_addc(b, '"');
	while (*text) {
		size_t len = 0;
		unsigned char c;

		while ((c = (unsigned char)text[len]) >= 32 && c != '"' && c != '\\')
			len++;
		buf_add(b, text, len);
		text += len;
		if (!c)
			break;
		if (c < 32) {
			char esc[6] = {'\\', 'u', '0', '0', hex[c >> 4], hex[c & 15]};

			buf_add(b, esc, sizeof(esc));
		} else {
			buf_addc(b, '\\');
			buf_addc(b, (char)c);
		}
		text++;
	}
	buf_addc(b, '"');
}

/* Keys are words of our own, with nothing in them to be escaped. */
static void key_add(struct row *r, const char *key)
{
	buf_add(r->text, r->more ? ",\"" : "\"", r->more ? 2 : 1);
	buf_adds(r->text, key);
	buf_add(r->text, "\":", 2);
	r->more = true;
}

void row_str(struct row *r, const char *key, const char *value)
{
	if (!value)
		return;
	if (r->tree) {
		jsn_put_str(r->tree, key, value);
		return;
	}
	key_add(r, key);
	row_quote(r->text, value);
}

void row_int(struct row *r, const char *key, int64_t value)
{
	char digits[24], *p = digits + sizeof(digits);
	uint64_t v = value < 0 ? 0 - (uint64_t)value : (uint64_t)value;

	if (r->tree) {
		jsn_put_int(r->tree, key, value);
		return;
	}
	key_add(r, key);
	do
		*--p = (char)('0' + v % 10);
	while (v /= 10);
	if (value < 0)
		*--p = '-';
	buf_add(r->text, p, (size_t)(digits + sizeof(digits) - p));
}
