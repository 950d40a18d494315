#include "pvetext.h"

#include <stdlib.h>
#include <string.h>

#include "crypt.h"
#include "propstr.h"

#define ITEMS_MAX 1024

int pvetext_bool_parse(const char *s, bool *ret)
{
	static const char *const words[] = {"0", "off", "no", "false", "1", "on", "yes", "true"};
	for (size_t i = 0; i < ARRAY_LEN(words); i++) {
		if (text_eq_nocase(s, words[i])) {
			*ret = i >= 4;
			return 0;
		}
	}
	return -1;
}

static int hex_digit(char c)
{
	static const char digits[] = "0123456789abcdef";
	const char *p = c ? strchr(digits, c >= 'A' && c <= 'F' ? c + ('a' - 'A') : c) : NULL;
	return p ? (int)(p - digits) : -1;
}

char *pvetext_url_decode(const char *s)
{
	char *out = mem_alloc(strlen(s) + 1), *w = out;

	for (; *s; s++) {
		if (*s != '%') {
			*w++ = *s;
			continue;
		}
		int high = hex_digit(s[1]), low = high < 0 ? -1 : hex_digit(s[2]);
		if (low < 0 || (high == 0 && low == 0)) {
			free(out);
			return NULL;
		}
		*w++ = (char)(high * 16 + low);
		s += 2;
	}
	*w = '\0';
	return out;
}

char *pvetext_base64_encode(const char *s)
{
	return crypt_base64_encode(s, strlen(s));
}

char *pvetext_base64_decode(const char *s)
{
	_cleanup_buf_ struct buf out;

	buf_init(&out, 0);
	if (!crypt_base64_decode(s, &out) || memchr(buf_str(&out), 0, out.len))
		return NULL;
	return mem_strndup(buf_str(&out), out.len);
}

int pvetext_keys_parse(const char *s, struct strs *ret)
{
	_cleanup_str_ char *text = pvetext_url_decode(s);
	struct strs keys = {0};

	if (!text || text_split(text, "\r\n", true, ITEMS_MAX, &keys) < 0)
		return -1;
	for (size_t i = 0; i < keys.n; i++)
		text_trim_right(keys.v[i]);
	strs_sort_unique(&keys);
	*ret = keys;
	return 0;
}

char *pvetext_keys_print(const struct strs *keys)
{
	_cleanup_str_ char *lines = strs_join(keys, "\n");
	return text_url_encode(lines);
}

int pvetext_boot_parse(const char *s, struct strs *ret)
{
	_cleanup_propstr_ struct propstr p = {0};

	if (propstr_parse(s, &p, NULL) < 0)
		return -1;
	const char *order = propstr_get(&p, "order");
	if (p.n && (!order || p.n > 1))
		return -1;
	return text_split(order ? order : "", ";", true, ITEMS_MAX, ret);
}

char *pvetext_boot_print(const struct strs *devices)
{
	_cleanup_str_ char *list = strs_join(devices, ";");
	/* PVE takes no name without a value, but a text without names: the same that it leaves
	 * behind when the last device of the order goes. */
	return devices->n ? mem_printf("order=%s", list) : mem_strdup(" ");
}

int pvetext_hotplug_parse(const char *s, struct strs *ret)
{
	if (text_eq(s, "0"))
		s = "";
	else if (text_eq(s, "1"))
		s = PVETEXT_HOTPLUG_DEFAULT;
	if (text_split(s, ",; ", true, ITEMS_MAX, ret) < 0)
		return -1;
	strs_sort_unique(ret);
	return 0;
}

char *pvetext_hotplug_print(const struct strs *words)
{
	return words->n ? strs_join(words, ",") : mem_strdup("0");
}
