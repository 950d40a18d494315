#include "pvepart.h"

#include <stdlib.h>
#include <string.h>

#include "pvetext.h"

#define NAMES_MAX 8
#define MARK "base64"
#define ALPHANUMERIC "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"

char *pvepart_name(const char *names, const struct propstr *p)
{
	_cleanup_strs_ struct strs all = {0};

	if (text_split(names, "|", true, NAMES_MAX, &all) < 0 || !all.n)
		return mem_strdup(names);
	for (size_t i = 0; i < all.n; i++)
		if (propstr_get(p, all.v[i]))
			return mem_strdup(all.v[i]);
	return mem_strdup(all.v[0]);
}

static bool is_base64(const struct propstr *p)
{
	bool yes = false;
	const char *mark = propstr_get(p, MARK);
	return mark && pvetext_bool_parse(mark, &yes) == 0 && yes;
}

char *pvepart_get_base64(const struct propstr *p, const char *part)
{
	const char *text = propstr_get(p, part);
	char *plain = text && is_base64(p) ? pvetext_base64_decode(text) : NULL;
	return plain ? plain : mem_strdup(text);
}

static void recode(struct propstr *p)
{
	for (size_t i = 0; i < p->n; i++) {
		struct prop *part = &p->v[i];
		if (!part->key || strcmp(part->key, "uuid") == 0 || strcmp(part->key, MARK) == 0)
			continue;
		_cleanup_str_ char *code = pvetext_base64_encode(part->value);
		mem_replace(&part->value, code);
	}
	propstr_set(p, MARK, "1");
}

void pvepart_put_base64(struct propstr *p, const char *part, const char *text)
{
	/* What is a text to PVE without the mark needs none. */
	bool plain = text[strspn(text, ALPHANUMERIC)] == '\0';

	if (!plain && !is_base64(p)) {
		propstr_del(p, part);
		recode(p);
	}
	_cleanup_str_ char *code = is_base64(p) ? pvetext_base64_encode(text) : mem_strdup(text);
	propstr_set(p, part, code);
}

void pvepart_make_room(struct propstr *p, const char *part)
{
	static const char *const limits[] = {"mbps", "mbps_rd", "mbps_wr"};
	bool limit = false;

	for (size_t i = 0; i < ARRAY_LEN(limits); i++)
		limit |= text_eq(part, limits[i]);
	for (size_t i = 0; limit && i < ARRAY_LEN(limits); i++) {
		const char *text = propstr_get(p, limits[i]);
		double v;

		propstr_del(p, limits[i] + 1);
		if (text && text_to_num(text, &v) == 0 && v == 0)
			propstr_set(p, limits[i], "0");
	}
}
