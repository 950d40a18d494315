#include "pvekeys.h"

#include <string.h>

/* clang-format off */
static const struct pvekey keys[] = {
#define PVEKEY(name, kind, why) {name, PVEKEYS_##kind, why},
#define PVESINCE(key, part, major, minor)
#define PVEROOT(key, major, minor)
#include "pvekeys.def"
#undef PVEKEY
#undef PVESINCE
#undef PVEROOT
};

static const struct since {
	const char *key, *part;
	int major, minor;
} sinces[] = {
#define PVEKEY(name, kind, why)
#define PVESINCE(key, part, major, minor) {key, part, major, minor},
#define PVEROOT(key, major, minor)
#include "pvekeys.def"
#undef PVEKEY
#undef PVESINCE
#undef PVEROOT
};

static const struct since roots[] = {
#define PVEKEY(name, kind, why)
#define PVESINCE(key, part, major, minor)
#define PVEROOT(key, major, minor) {key, NULL, major, minor},
#include "pvekeys.def"
#undef PVEKEY
#undef PVESINCE
#undef PVEROOT
};

static const struct word {
	const char *word;
	int since;
} models[] = {
#define CPU_MODEL(name, since) {name, since},
#include "cpumodels.def"
#undef CPU_MODEL
}, flags[] = {
#define CPU_FLAG(name, since) {name, since},
#include "cpuflags.def"
#undef CPU_FLAG
};
/* clang-format on */

size_t pvekeys_all(const struct pvekey **ret)
{
	*ret = keys;
	return ARRAY_LEN(keys);
}

bool pvekeys_is_of(const struct attr *a, const char *name)
{
	const struct attr_block *b = schema_slot_block(a);

	if (!a->key) /* brought about by an action of its own */
		return a->class == CLASS_ACTION && strcmp(a->path, name) == 0;
	if (strcmp(a->key, "*") != 0)
		return strcmp(a->key, name) == 0;
	if (!b || !text_ends(name, "[n]"))
		return false;
	_cleanup_str_ char *first = mem_printf("%.*s0", (int)strlen(name) - 3, name);
	return form_check(b->slot_format, first, NULL, NULL);
}

static bool is_written(const char *name)
{
	for (int id = 0; id < ATTR_ID__MAX; id++)
		if (pvekeys_is_of(schema_attr((enum attr_id)id), name))
			return true;
	return false;
}

bool pvekeys_is_managed(const struct pvekey *k)
{
	if (k->kind != PVEKEYS_SETTING)
		return false;
	return is_written(k->why ? k->why : k->name);
}

static bool find(
    const struct since *v, size_t n, const struct attr *a, int *ret_major, int *ret_minor)
{
	for (size_t i = 0; i < n; i++) {
		const struct since *s = &v[i];
		if (!a->key || strcmp(a->key, s->key) != 0 ||
		    (s->part && !text_eq(a->part, s->part)))
			continue;
		*ret_major = s->major;
		*ret_minor = s->minor;
		return true;
	}
	return false;
}

bool pvekeys_since(const struct attr *a, int *ret_major, int *ret_minor)
{
	return find(sinces, ARRAY_LEN(sinces), a, ret_major, ret_minor);
}

static int word_since(const struct word *v, size_t n, const char *word)
{
	for (size_t i = 0; i < n; i++)
		if (strcmp(v[i].word, word) == 0)
			return v[i].since;
	return 0;
}

int pvekeys_word_since(enum attr_format f, const char *word)
{
	if (f == FMT_CPU_MODEL)
		return word_since(models, ARRAY_LEN(models), word);
	if (f == FMT_CPU_FLAG && *word) /* behind its sign */
		return word_since(flags, ARRAY_LEN(flags), word + 1);
	return 0;
}

bool pvekeys_root_until(const struct attr *a, int *ret_major, int *ret_minor)
{
	return find(roots, ARRAY_LEN(roots), a, ret_major, ret_minor);
}
