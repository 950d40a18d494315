#include "grant.h"

#include <stdlib.h>
#include <string.h>

#define WORDS_MAX 64
#define LETTERS "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"

/* It goes into a command for root on a node: nothing that a shell would understand. */
static bool is_made_of(const char *s, const char *chars)
{
	return *s && !s[strspn(s, chars)];
}

static bool is_path(const char *s)
{
	return *s == '/' && is_made_of(s, LETTERS "0123456789/._-");
}

/* "Permission check failed (/vms/1204, VM.Config.Disk|VM.Config.CDROM)", within whatever text. */
static int from_text(const char *text, struct strs *ret_privileges, char **ret_path)
{
	static const char start[] = "Permission check failed (";
	const char *at = strstr(text, start);
	const char *path = at ? at + strlen(start) : "";
	const char *comma = *path == '/' ? strstr(path, ", ") : NULL;

	if (!comma || (size_t)(comma - path) > strcspn(path, ")"))
		return -1;
	const char *privs = comma + 2;
	/* "Sys.Modify for modifying tag 'x'": the privilege ends at the blank. */
	_cleanup_str_ char *all = mem_strndup(privs, strcspn(privs, ") "));
	_cleanup_str_ char *on = mem_strndup(path, (size_t)(comma - path));
	struct strs words = {0};
	if (!is_path(on) || !is_made_of(all, LETTERS ".|,") ||
	    text_split(all, "|,", true, WORDS_MAX, &words) < 0)
		return -1;
	*ret_privileges = words;
	*ret_path = TAKE(on);
	return 0;
}

/* "VM.Allocate on /vms/{newid}" with its number; NULL when something else is to be filled in. */
static char *fill_path(const char *path, const struct grant_call *call)
{
	const char *brace = strchr(path, '{');

	if (!brace)
		return mem_strdup(path);
	int before = (int)(brace - path);
	if (strcmp(brace, "{vmid}") == 0 && call->vmid)
		return mem_printf("%.*s%u", before, path, call->vmid);
	if (strcmp(brace, "{newid}") == 0 && call->newid)
		return mem_printf("%.*s%u", before, path, call->newid);
	if (strcmp(brace, "{pool}") == 0 && call->pool)
		return mem_printf("%.*s%s", before, path, call->pool);
	return NULL;
}

static bool is_open(const char *privilege)
{
	return strchr(privilege, '*') != NULL;
}

/* One item of the column. */
static bool take_item(
    const struct grant_call *call, const char *item, struct strs *privileges, char **ret_path)
{
	const char *on = strstr(item, " on ");
	char *path = on ? fill_path(on + strlen(" on "), call) : NULL;

	if (!path)
		return false;
	_cleanup_str_ char *name = mem_strndup(item, (size_t)(on - item));
	if (!is_open(name))
		strs_add(privileges, name);
	for (size_t i = 0; is_open(name) && call->privileges && i < call->privileges->n; i++)
		strs_add(privileges, call->privileges->v[i]);
	*ret_path = path;
	return true;
}

/* PVE is silent where two paths would do, which is so for the new VM of a clone. */
static int from_endpoint(
    const struct grant_call *call, struct strs *ret_privileges, char **ret_path)
{
	_cleanup_strs_ struct strs items = {0};
	const char *item = NULL;

	if (text_split(endpoint_get(call->endpoint)->privilege, ";", true, 16, &items) < 0)
		return -1;
	for (size_t i = 0; i < items.n; i++)
		if (!item || strstr(items.v[i], "{newid}"))
			item = items.v[i] + strspn(items.v[i], " ");
	return item && take_item(call, item, ret_privileges, ret_path) ? 0 : -1;
}

int grant_lack(
    const struct grant_call *call, const char *text, struct strs *ret_privileges, char **ret_path)
{
	if (from_text(text, ret_privileges, ret_path) == 0)
		return 0;
	return from_endpoint(call, ret_privileges, ret_path);
}

/* What is given on above reaches path. */
static bool is_under(const char *path, const char *above)
{
	const char *rest = above ? text_after(path, above) : NULL;

	return text_eq(above, "/") || (rest && (!*rest || *rest == '/'));
}

const struct need *grant_need(
    const struct needs *l, const struct strs *privileges, const char *path)
{
	for (size_t i = 0; i < l->n; i++) {
		const struct need *n = &l->v[i];

		if (strs_has(privileges, n->privilege) &&
		    (is_under(path, n->path) || is_under(path, n->or_path)))
			return n;
	}
	return NULL;
}

char *grant_command(const struct needs *l, const char *path, const char *token)
{
	_cleanup_buf_ struct buf privs = {0};
	bool root = text_eq(path, "/");
	_cleanup_str_ char *role = mem_printf("Ramet%s", root ? "-root" : path);

	for (char *c = role; *c; c++)
		if (*c == '/')
			*c = '-';
	for (size_t i = 0; i < l->n; i++)
		if (text_eq(l->v[i].path, path))
			buf_addf(&privs, "%s%s", privs.len ? "," : "", l->v[i].privilege);
	if (!token)
		token = "user@realm!name";
	return mem_printf(
	    "as root on a node: `pveum role add %s; pveum role modify %s --append 1 "
	    "--privs %s; pveum acl modify %s --roles %s --users %.*s --tokens '%s'%s`",
	    role, role, buf_str(&privs), path, role, (int)strcspn(token, "!"), token, token,
	    root ? " --propagate 0" : "");
}
