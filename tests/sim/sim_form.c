#include "sim_form.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "buf.h"
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

void form_parse(const char *text, struct kv *ret)
{
	while (*text) {
		size_t len = strcspn(text, "&;"), key = strcspn(text, "=&;");

		if (key && key <= len) {
			_cleanup_str_ char *k = form_decode(text, key, true);
			_cleanup_str_ char *v =
			    key < len ? form_decode(text + key + 1, len - key - 1, true)
				      : mem_strdup("");

			kv_set(ret, k, v);
		}
		text += len + (text[len] != '\0');
	}
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

static int json_body(const char *body, size_t len, struct kv *ret, char **why)
{
	_cleanup_jsn_ struct jsn *j = NULL;
	struct jsn_iter it;

	if (jsn_parse(body, len, &j, NULL) < 0 || !jsn_is_object(j)) {
		*why = mem_strdup("malformed JSON string");
		return 500;
	}
	JSN_FOREACH (it, j) {
		const char *v = jsn_text(it.val);

		if (jsn_is_array(it.val)) {
			_cleanup_str_ char *text = joined(it.val);

			kv_set(ret, it.key, text);
		} else if (v)
			kv_set(ret, it.key, v);
	}
	return 0;
}

int form_body(const char *type, const char *body, size_t len, struct kv *ret, char **why)
{
	if (!len)
		return 0;
	if (!type || text_starts(type, "application/x-www-form-urlencoded")) {
		form_parse(body, ret);
		return 0;
	}
	if (text_starts(type, "application/json"))
		return json_body(body, len, ret, why);
	*why = mem_printf("upload 'Content-Type '%s' not implemented", type);
	return 506;
}
