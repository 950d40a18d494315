/* Logging in: tickets and what the web interface may show to whom. */
#include <stdlib.h>
#include <string.h>

#include "sim_api.h"

/* Sections of the web interface, and how the privileges that count there begin. */
static const struct {
	const char *name;
	const char *begin[3];
} sections[] = {
    {"vms", {"VM."}},
    {"access", {"User.", "Group."}},
    {"storage", {"Datastore."}},
    {"nodes", {"Sys."}},
    {"sdn", {"SDN."}},
    {"mapping", {"Mapping."}},
    {"dc", {"Sys.Audit", "Sys.Modify", "SDN."}},
};

static bool counts(size_t section, const char *priv)
{
	if (!strcmp(priv, "Permissions.Modify"))
		return strcmp(sections[section].name, "dc") != 0;
	for (size_t i = 0; i < ARRAY_LEN(sections[section].begin); i++)
		if (sections[section].begin[i] && text_starts(priv, sections[section].begin[i]))
			return true;
	return false;
}

/* The section a path belongs to by its first word. What a pool gives counts for guests and
 * storages. */
static bool belongs(size_t section, const char *path)
{
	const char *name = sections[section].name;
	size_t len = strcspn(path + 1, "/");

	if (!path[1])
		return !strcmp(name, "dc");
	if (len == 4 && !strncmp(path + 1, "pool", 4))
		return !strcmp(name, "vms") || !strcmp(name, "storage");
	return strlen(name) == len && !strncmp(path + 1, name, len);
}

static struct jsn *capabilities(struct sim *s, const struct who *w)
{
	static const char *const always[] = {
	    "/", "/nodes", "/access/groups", "/vms", "/storage", "/sdn", "/mapping"};
	struct jsn *all = jsn_new_object();
	_cleanup_strs_ struct strs paths = {0};

	for (size_t i = 0; i < ARRAY_LEN(always); i++)
		strs_add(&paths, always[i]);
	auth_paths(s, &paths);
	for (size_t k = 0; k < ARRAY_LEN(sections); k++) {
		struct jsn *o = jsn_new_object();

		for (size_t i = 0; i < paths.n; i++) {
			uint64_t bits =
			    belongs(k, paths.v[i]) ? auth_privs(s, w, paths.v[i], NULL) : 0;

			for (size_t b = 0; b < SPRIV__MAX; b++)
				if (bits & ((uint64_t)1 << b) &&
				    counts(k, priv_word((enum spriv)b)))
					jsn_put_int(o, priv_word((enum spriv)b), 1);
		}
		jsn_put(all, sections[k].name, o);
	}
	return all;
}

void api_ticket(struct job *j)
{
	struct sim *s = j->sim;
	const char *user = job_param(j, "username"), *realm = job_param(j, "realm");
	_cleanup_str_ char *full =
	    !strchr(user, '@') && realm ? mem_printf("%s@%s", user, realm) : mem_strdup(user);
	_cleanup_str_ char *ticket = auth_ticket(s, full, job_param(j, "password"));
	_cleanup_oops_ struct oops o = {0};
	const struct who w = {full, full, true};
	struct jsn *d;

	if (!ticket) {
		oops_http(&o, 401, "authentication failure");
		/* The same wait as for a bad token; then the answer has a body. */
		mem_replace(&j->fault_text, o.msg);
		if (j->step++) {
			job_oops(j, &o);
			return;
		}
		job_next(j, s->timing[TIMING_AUTH_DELAY], api_ticket);
		return;
	}
	clog_add(s, j->node, "root@pam", 6, "successful auth for user '%s'", full);
	d = jsn_new_object();
	jsn_put_str(d, "username", full);
	jsn_put_str(d, "ticket", ticket);
	jsn_put_str(d, "CSRFPreventionToken", auth_csrf(ticket));
	jsn_put_str(d, "clustername", s->name);
	jsn_put(d, "cap", capabilities(s, &w));
	job_ok(j, d);
}
