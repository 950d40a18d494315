/* Which tags somebody may give to guests and take from them. */
#include <inttypes.h>
#include <string.h>

#include "sim_api.h"
#include "sim_auth.h"
#include "sim_conf.h"

static void list_add(struct strs *ret, const char *text)
{
	_cleanup_strs_ struct strs l = {0};

	if (!text || text_split(text, ";, ", true, 1024, &l) < 0)
		return;
	for (size_t i = 0; i < l.n; i++)
		strs_add(ret, l.v[i]);
}

/* "free" is usual: any tag that is not registered. */
static bool user_allow(const struct sim *s, const char *what)
{
	const char *access = kv_get(&s->options, "user-tag-access"),
		   *v = access ? strstr(access, "user-allow=") : NULL;
	size_t len = strlen(what);

	v = v ? strchr(v, '=') + 1 : "free";
	return !strncmp(v, what, len) && (!v[len] || v[len] == ',');
}

/* GuestHelpers::get_allowed_tags: those listed, those of guests one sees, and who may change the
 * cluster has the registered ones, which nobody else has. */
void tags_allowed(struct job *j, struct strs *ret)
{
	struct sim *s = j->sim;
	const char *access = kv_get(&s->options, "user-tag-access"),
		   *listed = access ? strstr(access, "user-allow-list=") : NULL,
		   *reg = kv_get(&s->options, "registered-tags");
	bool all = auth_has(s, &j->who, "/", PRIV_BIT(SYS_MODIFY));
	_cleanup_strs_ struct strs seen = {0}, registered = {0};

	list_add(&registered, reg);
	if (listed && (all || !user_allow(s, "none"))) {
		_cleanup_str_ char *v =
		    mem_strndup(strchr(listed, '=') + 1, strcspn(strchr(listed, '=') + 1, ","));

		list_add(&seen, v);
	}
	if (all || user_allow(s, "free") || user_allow(s, "existing"))
		for (size_t i = 0; i < s->nguests; i++)
			if (all || sees_guest(s, &j->who, s->guests[i]->vmid))
				list_add(&seen, kv_get(&s->guests[i]->conf, "tags"));
	if (all)
		list_add(&seen, reg);
	strs_sort_unique(&seen);
	for (size_t i = 0; i < seen.n; i++)
		if (all || !strs_has(&registered, seen.v[i]))
			strs_add(ret, seen.v[i]);
}

/* Somebody who may change some tags at all, and which. */
struct tagger {
	bool all, free;
	struct strs allowed, registered;
};

static void tagger_fini(struct tagger *t)
{
	strs_fini(&t->allowed);
	strs_fini(&t->registered);
}

/* False: not even the guest's options are theirs. */
static bool tagger_init(struct job *j, struct tagger *t, struct oops *o)
{
	struct sim *s = j->sim;

	*t = (struct tagger){.all = true};
	if (j->trusted || who_is_root(&j->who))
		return true;
	if (!auth_vm(s, &j->who, j->vmid, PRIV_BIT(VM_CONFIG_OPTIONS), o))
		return false;
	t->all = auth_has(s, &j->who, "/", PRIV_BIT(SYS_MODIFY));
	t->free = user_allow(s, "free");
	if (t->all)
		return true;
	list_add(&t->registered, kv_get(&s->options, "registered-tags"));
	tags_allowed(j, &t->allowed);
	return true;
}

static bool tagger_may(const struct tagger *t, const char *tag, struct oops *o)
{
	if (t->all || ((t->free || strs_has(&t->allowed, tag)) && !strs_has(&t->registered, tag)))
		return true;
	return oops_http(
	    o, 403, "Permission check failed (/, Sys.Modify for modifying tag '%s')", tag);
}

static size_t count(const struct strs *l, const char *tag)
{
	size_t n = 0;

	for (size_t i = 0; i < l->n; i++)
		n += !strcmp(l->v[i], tag);
	return n;
}

/* GuestHelpers::assert_tag_permissions: only what comes or goes counts. */
bool conf_may_tags(struct job *j, const char *old, const char *value, struct oops *o)
{
	_cleanup_strs_ struct strs was = {0}, is = {0}, all = {0};
	struct tagger t;
	bool ok = tagger_init(j, &t, o);

	list_add(&was, old);
	list_add(&is, value);
	list_add(&all, old);
	list_add(&all, value);
	strs_sort_unique(&all);
	for (size_t i = 0; ok && i < all.n; i++)
		ok = count(&was, all.v[i]) == count(&is, all.v[i]) || tagger_may(&t, all.v[i], o);
	tagger_fini(&t);
	return ok;
}

/* The tags of a guest that is made. An empty hash stands where the old ones belong, which reads as
 * a tag of its own: so who may not give any tag may give none. */
bool conf_may_new_tags(struct job *j, const char *value, struct oops *o)
{
	_cleanup_str_ char *hash =
	    mem_printf("HASH(0x55%010" PRIx64 ")", sim_rand(j->sim) & 0xfffffffff8);
	struct tagger t;
	bool ok = tagger_init(j, &t, o);

	if (ok)
		ok = conf_may_tags(j, NULL, value, o) && tagger_may(&t, hash, o);
	tagger_fini(&t);
	return ok;
}
