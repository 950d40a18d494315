#include "sim_auth.h"
#include "sim_mutant.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "crypt.h"

static const struct {
	const char *word;
	bool v8, v9;
} privs[] = {
#define PRIV(code, word, v8, v9) {word, v8, v9},
#include "sim_priv.def"
#undef PRIV
};

uint64_t priv_all(const struct sim *s)
{
	uint64_t all = 0;

	for (size_t i = 0; i < ARRAY_LEN(privs); i++)
		if (s->v9 ? privs[i].v9 : privs[i].v8)
			all |= (uint64_t)1 << i;
	return all;
}

const char *priv_word(enum spriv p)
{
	return privs[p].word;
}

uint64_t priv_parse(const struct sim *s, const char *word)
{
	for (size_t i = 0; i < ARRAY_LEN(privs); i++)
		if (!strcmp(privs[i].word, word) && (s->v9 ? privs[i].v9 : privs[i].v8))
			return (uint64_t)1 << i;
	return 0;
}

struct srole *role_find(const struct sim *s, const char *name)
{
	for (size_t i = 0; i < s->nroles; i++)
		if (!strcmp(s->roles[i].name, name))
			return &s->roles[i];
	return NULL;
}

/* The role that is given: mostly where it was the last time. */
static const struct srole *role_of(const struct sim *s, struct sacl *a)
{
	const struct srole *r;

	if (a->role_at < s->nroles && !strcmp(s->roles[a->role_at].name, a->role))
		return &s->roles[a->role_at];
	r = role_find(s, a->role);
	a->role_at = r ? (size_t)(r - s->roles) : 0;
	return r;
}

static void role_add(struct sim *s, const char *name, uint64_t bits)
{
	MEM_PUSH_ROOM(s->roles, s->nroles, s->rolecap);
	s->roles[s->nroles++] = (struct srole){mem_strdup(name), bits & priv_all(s), true};
}

void auth_builtin_roles(struct sim *s)
{
	uint64_t user = PRIV_BIT(VM_AUDIT) | PRIV_BIT(VM_CONSOLE) | PRIV_BIT(VM_CONFIG_CDROM) |
			PRIV_BIT(VM_CONFIG_CLOUDINIT) | PRIV_BIT(VM_BACKUP) |
			PRIV_BIT(VM_POWERMGMT) | PRIV_BIT(VM_GA_AUDIT) | PRIV_BIT(VM_GA_READ) |
			PRIV_BIT(VM_GA_WRITE) | PRIV_BIT(VM_GA_FS);
	uint64_t vm = user | PRIV_BIT(VM_CLONE) | PRIV_BIT(VM_CONFIG_DISK) |
		      PRIV_BIT(VM_CONFIG_CPU) | PRIV_BIT(VM_CONFIG_MEMORY) |
		      PRIV_BIT(VM_CONFIG_NETWORK) | PRIV_BIT(VM_CONFIG_HWTYPE) |
		      PRIV_BIT(VM_CONFIG_OPTIONS) | PRIV_BIT(VM_ALLOCATE) | PRIV_BIT(VM_MIGRATE) |
		      PRIV_BIT(VM_SNAPSHOT) | PRIV_BIT(VM_SNAPSHOT_ROLLBACK) |
		      PRIV_BIT(VM_MONITOR) | PRIV_BIT(VM_REPLICATE) | PRIV_BIT(VM_GA_ALL);
	uint64_t store = PRIV_BIT(DATASTORE_AUDIT) | PRIV_BIT(DATASTORE_ALLOCATESPACE);

	role_add(s, "Administrator", UINT64_MAX);
	role_add(s, "NoAccess", 0);
	role_add(s, "PVEAdmin",
	    UINT64_MAX &
		~(PRIV_BIT(PERMISSIONS_MODIFY) | PRIV_BIT(SYS_MODIFY) | PRIV_BIT(SYS_POWERMGMT) |
		    PRIV_BIT(SYS_ACCESSNETWORK) | PRIV_BIT(SYS_INCOMING) |
		    PRIV_BIT(REALM_ALLOCATE) | PRIV_BIT(MAPPING_MODIFY)));
	role_add(s, "PVEAuditor",
	    PRIV_BIT(VM_AUDIT) | PRIV_BIT(SYS_AUDIT) | PRIV_BIT(DATASTORE_AUDIT) |
		PRIV_BIT(SDN_AUDIT) | PRIV_BIT(POOL_AUDIT) | PRIV_BIT(MAPPING_AUDIT) |
		PRIV_BIT(VM_GA_AUDIT));
	role_add(s, "PVEVMUser", user);
	role_add(s, "PVEVMAdmin", vm);
	role_add(s, "PVETemplateUser", PRIV_BIT(VM_AUDIT) | PRIV_BIT(VM_CLONE));
	role_add(s, "PVEDatastoreUser", store);
	role_add(s, "PVEDatastoreAdmin",
	    store | PRIV_BIT(DATASTORE_ALLOCATE) | PRIV_BIT(DATASTORE_ALLOCATETEMPLATE));
	role_add(s, "PVESDNUser", PRIV_BIT(SDN_AUDIT) | PRIV_BIT(SDN_USE));
	role_add(
	    s, "PVESDNAdmin", PRIV_BIT(SDN_AUDIT) | PRIV_BIT(SDN_USE) | PRIV_BIT(SDN_ALLOCATE));
	role_add(s, "PVEPoolAdmin", PRIV_BIT(POOL_AUDIT) | PRIV_BIT(POOL_ALLOCATE));
	role_add(s, "PVEPoolUser", PRIV_BIT(POOL_AUDIT));
	role_add(s, "PVEUserAdmin",
	    PRIV_BIT(USER_MODIFY) | PRIV_BIT(GROUP_ALLOCATE) | PRIV_BIT(REALM_ALLOCATEUSER));
	role_add(
	    s, "PVESysAdmin", PRIV_BIT(SYS_AUDIT) | PRIV_BIT(SYS_CONSOLE) | PRIV_BIT(SYS_SYSLOG));
	role_add(s, "PVEMappingUser", PRIV_BIT(MAPPING_AUDIT) | PRIV_BIT(MAPPING_USE));
	role_add(s, "PVEMappingAdmin",
	    PRIV_BIT(MAPPING_AUDIT) | PRIV_BIT(MAPPING_USE) | PRIV_BIT(MAPPING_MODIFY));
}

/* --- who --- */

static const struct stoken *token_of(const struct suser *u, const char *name)
{
	for (size_t i = 0; u && i < u->ntokens; i++)
		if (!strcmp(u->tokens[i].name, name))
			return &u->tokens[i];
	return NULL;
}

static bool alive(const struct sim *s, int64_t expire)
{
	return !expire || expire > sim_secs(s);
}

static bool by_token(struct sim *s, const char *value, struct who *ret)
{
	const char *bang = strchr(value, '!'), *eq = bang ? strchr(bang, '=') : NULL;
	_cleanup_str_ char *user = NULL;
	_cleanup_str_ char *name = NULL;
	const struct suser *u;
	const struct stoken *t;

	if (!eq)
		return false;
	user = mem_strndup(value, (size_t)(bang - value));
	name = mem_strndup(bang + 1, (size_t)(eq - bang - 1));
	u = user_find(s, user);
	t = token_of(u, name);
	if (!t || !u->enabled || !alive(s, u->expire) || !alive(s, t->expire) ||
	    !crypt_equal(t->secret, eq + 1))
		return false;
	ret->full = mem_printf("%s!%s", user, name);
	ret->user = TAKE(user);
	ret->ticket = false;
	return true;
}

/* The third part of a ticket is when it was made: it holds for two hours, and a clock that is
 * behind may lag by five minutes. */
static bool ticket_fresh(const struct sim *s, const char *ticket)
{
	const char *p = strchr(ticket, ':');
	int64_t age;

	p = p ? strchr(p + 1, ':') : NULL;
	if (!p)
		return false;
	age = sim_secs(s) - (int64_t)strtoull(p + 1, NULL, 16);
	return age > -300 && age < 7200;
}

bool auth_identify(struct sim *s, const struct job *j, struct who *ret, const char **ret_reason)
{
	const char *token = j->authorization ? text_after(j->authorization, "PVEAPIToken=") : NULL;
	const char *user;
	const struct suser *u;

	*ret = (struct who){0};
	if (j->ticket) {
		user = smap_get(&s->tickets, j->ticket);
		u = user ? user_find(s, user) : NULL;
		if (!u || !u->enabled || !alive(s, u->expire) || !ticket_fresh(s, j->ticket)) {
			*ret_reason = "Authentication failed!";
			return false;
		}
		if (strcmp(j->method, "GET") != 0 && !text_eq(j->csrf, auth_csrf(j->ticket))) {
			*ret_reason = "Permission denied - invalid csrf token";
			return false;
		}
		*ret = (struct who){mem_strdup(user), mem_strdup(user), true};
		return true;
	}
	if (!token) {
		*ret_reason = "No ticket";
		return false;
	}
	*ret_reason = "Authentication failed!";
	return by_token(s, token, ret);
}

char *auth_ticket(struct sim *s, const char *user, const char *password)
{
	const struct suser *u = user_find(s, user);
	const char *old = smap_get(&s->tickets, password);
	char *ticket;

	if (!u || !u->enabled || !alive(s, u->expire))
		return NULL;
	if (!(old && !strcmp(old, user) && ticket_fresh(s, password)) &&
	    !(u->password && crypt_equal(u->password, password)))
		return NULL;
	ticket = mem_printf("PVE:%s:%08" PRIX64 "::%016" PRIx64 "%016" PRIx64, user,
	    (uint64_t)sim_secs(s), sim_rand(s), sim_rand(s));
	smap_put(&s->tickets, ticket, mem_strdup(user));
	return ticket;
}

/* The last digits of the ticket: enough for a simulation to tell right from wrong. */
const char *auth_csrf(const char *ticket)
{
	const char *p = strstr(ticket, "::");

	return p ? p + 2 : ticket;
}

/* --- what --- */

/* What roles give on the way to a path: there, and below it. */
struct rights {
	uint64_t bits, prop;
	bool none; /* NoAccess is among them */
};

/* Adds the roles given to one name on the path of this length; whether there are any. */
static bool roles_at(const struct sim *s, const char *path, size_t len, const char *who, bool exact,
    struct rights *ret)
{
	bool found = false;

	for (size_t i = 0; i < s->nacls; i++) {
		struct sacl *a = &s->acls[i];
		const struct srole *r;

		if (strncmp(a->path, path, len) != 0 || a->path[len] || strcmp(a->who, who) != 0 ||
		    (!exact && !a->propagate))
			continue;
		found = true;
		r = role_of(s, a);
		if (!r)
			continue;
		ret->none = ret->none || !strcmp(r->name, "NoAccess");
		ret->bits |= r->privs;
		if (a->propagate)
			ret->prop |= r->privs;
	}
	return found;
}

/* AccessControl::roles: what is given nearer to the path replaces what was further up, and what is
 * given to a name replaces what its groups are given there; groups add up. */
static struct rights walk(
    const struct sim *s, const char *who, const struct suser *u, const char *path)
{
	struct rights r = {0};
	size_t len = strlen(path), end = 0;

	for (;;) {
		size_t n = end ? end : 1;
		bool exact = end >= len || (len == 1 && !end), found;
		struct rights here = {0};

		found = roles_at(s, path, n, who, exact, &here);
		for (size_t g = 0; !found && u && g < u->groups.n; g++) {
			_cleanup_str_ char *name = mem_printf("@%s", u->groups.v[g]);

			roles_at(s, path, n, name, exact, &here);
		}
		if (found || here.bits || here.none)
			r = here;
		if (exact)
			break;
		end = end + 1 + strcspn(path + end + 1, "/");
	}
	if (r.none)
		r.bits = r.prop = 0;
	return r;
}

/* A guest or a storage in a pool has what the pool gives. */
static struct rights pool_rights(
    const struct sim *s, const char *who, const struct suser *u, const char *path)
{
	const char *vm = text_after(path, "/vms/"), *st = text_after(path, "/storage/");
	struct rights all = {0};
	int64_t vmid = 0;
	const struct guest *g =
	    vm && !text_to_int(vm, 1, SIM_VMID_MAX, &vmid) ? guest_find(s, vmid) : NULL;

	for (size_t i = 0; (g || st) && i < s->npools; i++) {
		const struct pool *p = s->pools[i];
		_cleanup_str_ char *at = NULL;
		struct rights r;

		if (g ? !text_eq(g->pool, p->name) : !strs_has(&p->stores, st))
			continue;
		at = mem_printf("/pool/%s", p->name);
		r = walk(s, who, u, at);
		all.bits |= r.bits;
		all.none = all.none || r.none;
	}
	return all;
}

/* compile_acl_path: no access by the path itself stays so, and none by the pool takes all. */
static uint64_t one_privs(
    const struct sim *s, const char *who, const struct suser *u, const char *path, uint64_t *prop)
{
	struct rights own = walk(s, who, u, path), pool = pool_rights(s, who, u, path);

	*prop = own.none || pool.none ? 0 : own.prop;
	return own.none || pool.none ? 0 : own.bits | pool.bits;
}

uint64_t auth_privs(const struct sim *s, const struct who *w, const char *path, uint64_t *propagate)
{
	const struct suser *u = user_find(s, w->user);
	const char *bang = strchr(w->full, '!');
	const struct stoken *t = bang ? token_of(u, bang + 1) : NULL;
	uint64_t prop = 0, all = priv_all(s), bits, tbits, tprop;

	if (!strcmp(w->user, "root@pam"))
		bits = prop = all;
	else
		bits = one_privs(s, w->user, u, path, &prop);
	if (t && t->privsep && !MUTANT(PRIVSEP_IGNORED)) {
		tbits = one_privs(s, w->full, NULL, path, &tprop);
		bits &= tbits;
		prop &= tprop;
	}
	if (propagate)
		*propagate = prop;
	return bits;
}

void auth_paths(const struct sim *s, struct strs *ret)
{
	for (size_t i = 0; i < s->nacls; i++)
		for (size_t len = strlen(s->acls[i].path); len > 1; len--) {
			const char c = s->acls[i].path[len];

			if (c == '\0' || c == '/')
				strs_add_take(ret, mem_strndup(s->acls[i].path, len));
		}
	strs_sort_unique(ret);
}

bool auth_everywhere(const struct sim *s, const struct who *w, const char *path, uint64_t any)
{
	size_t len = strlen(path);
	uint64_t prop;

	auth_privs(s, w, path, &prop);
	for (size_t i = 0; i < s->nacls; i++)
		if (!strncmp(s->acls[i].path, path, len) && s->acls[i].path[len] == '/')
			return false;
	return (prop & any) != 0;
}

bool auth_has(const struct sim *s, const struct who *w, const char *path, uint64_t any)
{
	return (auth_privs(s, w, path, NULL) & any) != 0;
}

static char *privs_shown(uint64_t bits, const char *sep)
{
	struct strs l = {0};
	char *text;

	for (size_t i = 0; i < SPRIV__MAX; i++)
		if (bits & ((uint64_t)1 << i))
			strs_add(&l, privs[i].word);
	text = strs_join(&l, sep);
	strs_fini(&l);
	return text;
}

bool auth_check(const struct sim *s, const struct who *w, const char *path, uint64_t want, bool any,
    struct oops *o)
{
	uint64_t have;
	_cleanup_str_ char *list = NULL;

	if (who_is_root(w))
		return true;
	have = auth_privs(s, w, path, NULL);
	if (any ? (have & want) != 0 : (have & want) == want)
		return true;
	/* Of a list that must be whole only the first missing one is named. */
	if (!any)
		want = (want & ~have) & -(want & ~have);
	list = privs_shown(want, "|");
	return oops_http(o, 403, "Permission check failed (%s, %s)", path, list);
}

bool auth_vm(const struct sim *s, const struct who *w, int64_t vmid, uint64_t want, struct oops *o)
{
	_cleanup_str_ char *path = mem_printf("/vms/%" PRId64, vmid);

	return auth_check(s, w, path, want, false, o);
}
