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

/* GuestHelpers::assert_tag_permissions: only what comes or goes counts. */
bool conf_may_tags(struct job *j, const char *old, const char *value, struct oops *o)
{
	struct sim *s = j->sim;
	_cleanup_strs_ struct strs was = {0}, is = {0}, all = {0}, allowed = {0}, reg = {0};

	if (j->trusted || who_is_root(&j->who))
		return true;
	if (!auth_vm(s, &j->who, j->vmid, PRIV_BIT(VM_CONFIG_OPTIONS), o))
		return false;
	if (auth_has(s, &j->who, "/", PRIV_BIT(SYS_MODIFY)))
		return true;
	list_add(&was, old);
	list_add(&is, value);
	list_add(&all, old);
	list_add(&all, value);
	list_add(&reg, kv_get(&s->options, "registered-tags"));
	strs_sort_unique(&all);
	tags_allowed(j, &allowed);
	for (size_t i = 0; i < all.n; i++) {
		const char *t = all.v[i];

		if (strs_has(&was, t) == strs_has(&is, t))
			continue;
		if (strs_has(&reg, t) || (!user_allow(s, "free") && !strs_has(&allowed, t)))
			return oops_http(o, 403,
			    "Permission check failed (/, Sys.Modify for modifying tag '%s')", t);
	}
	return true;
}
