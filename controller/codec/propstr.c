#include "propstr.h"

#include <stdlib.h>
#include <string.h>

#include "buf.h"
#include "text.h"

#define PROPSTR_BYTES_MAX ((size_t)64 << 10)

static void prop_fini(struct prop *p)
{
	free(p->key);
	free(p->value);
}

void propstr_fini(struct propstr *p)
{
	for (size_t i = 0; i < p->n; i++)
		prop_fini(&p->v[i]);
	free(p->v);
	*p = (struct propstr){0};
}

/* Takes key and value over. */
static void insert(struct propstr *p, size_t at, char *key, char *value)
{
	MEM_PUSH_ROOM(p->v, p->n, p->cap);
	memmove(p->v + at + 1, p->v + at, (p->n - at) * sizeof(*p->v));
	p->v[at] = (struct prop){.key = key, .value = value};
	p->n++;
}

static void take_out(struct propstr *p, size_t at)
{
	prop_fini(&p->v[at]);
	memmove(p->v + at, p->v + at + 1, (p->n - at - 1) * sizeof(*p->v));
	p->n--;
}

static int add_part(struct propstr *p, const char *part, size_t len, struct err **err)
{
	if (strspn(part, " \t") >= len) /* as PVE: blank parts mean nothing */
		return 0;
	if (p->n == PROPSTR_PARTS_MAX)
		return err_set(
		    err, ERR_LIMIT, "property string with more than %d parts", PROPSTR_PARTS_MAX);
	const char *eq = memchr(part, '=', len);
	if (eq == part)
		return err_set(err, ERR_INPUT, "property string with a value that has no name");
	size_t key_len = eq ? (size_t)(eq - part) : 0;
	const char *value = eq ? eq + 1 : part;
	insert(p, p->n, eq ? mem_strndup(part, key_len) : NULL,
	    mem_strndup(value, len - (size_t)(value - part)));
	return 0;
}

int propstr_parse(const char *text, struct propstr *ret, struct err **err)
{
	_cleanup_propstr_ struct propstr p = {0};

	if (strlen(text) > PROPSTR_BYTES_MAX)
		return err_set(
		    err, ERR_LIMIT, "property string longer than %zu bytes", PROPSTR_BYTES_MAX);
	if (strpbrk(text, "\r\n"))
		return err_set(err, ERR_INPUT, "property string with a line end");
	for (const char *s = text;;) {
		size_t len = strcspn(s, ",");
		if (add_part(&p, s, len, err) < 0)
			return -1;
		if (!s[len])
			break;
		s += len + 1;
	}
	*ret = p;
	p = (struct propstr){0};
	return 0;
}

char *propstr_print(const struct propstr *p)
{
	struct buf out;

	buf_init(&out, 0);
	for (size_t i = 0; i < p->n; i++) {
		if (i)
			buf_addc(&out, ',');
		if (p->v[i].key)
			buf_addf(&out, "%s=", p->v[i].key);
		buf_adds(&out, p->v[i].value);
	}
	char *text = buf_take(&out);
	return text ? text : mem_strdup("");
}

static struct prop *find(const struct propstr *p, const char *key)
{
	for (size_t i = 0; i < p->n; i++)
		if (p->v[i].key && strcmp(p->v[i].key, key) == 0)
			return &p->v[i];
	return NULL;
}

const char *propstr_get(const struct propstr *p, const char *key)
{
	const struct prop *f = find(p, key);
	return f ? f->value : NULL;
}

void propstr_set(struct propstr *p, const char *key, const char *value)
{
	struct prop *f = find(p, key);
	if (f)
		mem_replace(&f->value, value);
	else
		insert(p, p->n, mem_strdup(key), mem_strdup(value));
}

bool propstr_del(struct propstr *p, const char *key)
{
	bool found = false;
	for (size_t i = 0; i < p->n;) {
		if (p->v[i].key && strcmp(p->v[i].key, key) == 0) {
			take_out(p, i);
			found = true;
		} else {
			i++;
		}
	}
	return found;
}

static struct prop *find_lead(const struct propstr *p)
{
	for (size_t i = 0; i < p->n; i++)
		if (!p->v[i].key)
			return &p->v[i];
	return NULL;
}

const char *propstr_lead(const struct propstr *p)
{
	const struct prop *f = find_lead(p);
	return f ? f->value : NULL;
}

void propstr_set_lead(struct propstr *p, const char *value)
{
	struct prop *f = find_lead(p);
	if (f)
		mem_replace(&f->value, value);
	else
		insert(p, 0, NULL, mem_strdup(value));
}

void propstr_del_lead(struct propstr *p)
{
	const struct prop *f = find_lead(p);
	if (f)
		take_out(p, (size_t)(f - p->v));
}

bool propstr_name_lead(struct propstr *p, const char *value)
{
	struct prop *f = find_lead(p);
	if (!f)
		return false;
	mem_replace(&f->key, f->value);
	mem_replace(&f->value, value);
	return true;
}

void propstr_rename(struct propstr *p, const char *key, const char *new_key)
{
	struct prop *f = find(p, key);
	if (f)
		mem_replace(&f->key, new_key);
}
