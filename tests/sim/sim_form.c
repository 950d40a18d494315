#include "sim_form.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "buf.h"
#include "sim.h"
#include "text.h"

char *form_decode(const char *s, size_t len, bool plus)
{
	char *out = mem_alloc(len + 1);
	size_t n = 0;

	for (size_t i = 0; i < len; i++) {
		if (s[i] == '%' && i + 2 < len && isxdigit((unsigned char)s[i + 1]) &&
		    isxdigit((unsigned char)s[i + 2])) {
			const char hex[3] = {s[i + 1], s[i + 2], 0};

			out[n++] = (char)strtol(hex, NULL, 16);
			i += 2;
		} else if (s[i] == '+' && plus)
			out[n++] = ' ';
		else
			out[n++] = s[i];
	}
	out[n] = '\0';
	return out;
}

/* How many bytes at s are one character in UTF-8; 0 = none. */
static size_t utf8_at(const char *s)
{
	const unsigned char *p = (const unsigned char *)s;
	size_t n = *p < 0x80		     ? 1
		   : *p >= 0xc2 && *p < 0xe0 ? 2
		   : (*p & 0xf0) == 0xe0     ? 3
		   : *p >= 0xf0 && *p < 0xf5 ? 4
					     : 0;

	for (size_t i = 1; i < n; i++)
		if ((p[i] & 0xc0) != 0x80)
			return 0;
	if ((*p == 0xe0 && p[1] < 0xa0) || (*p == 0xed && p[1] > 0x9f) ||
	    (*p == 0xf0 && p[1] < 0x90) || (*p == 0xf4 && p[1] > 0x8f))
		return 0;
	return n;
}

static char *as_utf8(const char *s)
{
	struct buf b;

	buf_init(&b, 0);
	while (*s) {
		size_t n = utf8_at(s);

		if (n)
			buf_add(&b, s, n);
		else
			buf_adds(&b, "\xef\xbf\xbd");
		s += n ? n : 1;
	}
	buf_adds(&b, "");
	return b.data ? buf_take(&b) : mem_strdup("");
}

static char *decoded(const char *s, size_t len)
{
	_cleanup_str_ char *raw = form_decode(s, len, true);

	return as_utf8(raw);
}

void form_parse(const char *text, struct kv *ret)
{
	_cleanup_kv_ struct kv all = {0};

	while (*text) {
		size_t len = strcspn(text, "&;"), key = strcspn(text, "=&;");

		if (key && key <= len) {
			_cleanup_str_ char *k = decoded(text, key);
			_cleanup_str_ char *v =
			    key < len ? decoded(text + key + 1, len - key - 1) : mem_strdup("");
			const char *had = kv_get(&all, k);

			if (had)
				kv_setf(&all, k, "%s%s%s%s", *had == *SIM_MANY ? "" : SIM_MANY, had,
				    SIM_MANY, v);
			else
				kv_set(&all, k, v);
		}
		text += len + (text[len] != '\0');
	}
	KV_FOREACH (i, &all)
		kv_set(ret, i->key, i->value);
}

static char *joined(const struct jsn *a)
{
	struct strs l = {0};
	char *text;

	for (size_t i = 0; i < jsn_len(a); i++) {
		const char *v = jsn_text(jsn_at(a, i));

		strs_add(&l, v ? v : "");
	}
	text = strs_join(&l, ",");
	strs_fini(&l);
	return text;
}

static int json_body(const char *body, size_t len, bool v9, struct kv *ret, char **why)
{
	_cleanup_jsn_ struct jsn *j = NULL;
	struct jsn_iter it;

	if (jsn_parse(body, len, &j, NULL) < 0 || !jsn_is_object(j)) {
		_cleanup_str_ char *flaw = form_flaw(body, len);

		*why = mem_printf("%s at /usr/share/perl5/PVE/APIServer/AnyEvent.pm line %d.\n",
		    flaw ? flaw : "malformed JSON string", v9 ? 934 : 917);
		return 500;
	}
	JSN_FOREACH (it, j) {
		const char *v = jsn_text(it.val);

		if (jsn_is_array(it.val)) {
			_cleanup_str_ char *text = joined(it.val);

			kv_set(ret, it.key, text);
		} else
			kv_set(ret, it.key, v ? v : "");
	}
	return 0;
}

int form_body(const char *type, const char *body, size_t len, bool v9, struct kv *ret, char **why)
{
	if (!len)
		return 0;
	if (!type || text_starts(type, "application/x-www-form-urlencoded")) {
		form_parse(body, ret);
		return 0;
	}
	if (text_starts(type, "application/json"))
		return json_body(body, len, v9, ret, why);
	*why = mem_printf("upload 'Content-Type '%s' not implemented", type);
	return 506;
}
