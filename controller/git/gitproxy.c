#include "gitproxy.h"
#include "gitaddr.h"
#include "text.h"

#include <string.h>
#include <strings.h>

#define EXCEPTIONS_MAX 200

static const char *find(char *const *env, const char *name)
{
	size_t len = strlen(name);
	for (; env && *env; env++) {
		if (strncmp(*env, name, len) == 0 && (*env)[len] == '=' && (*env)[len + 1])
			return *env + len + 1;
	}
	return NULL;
}

/* "example.org", ".example.org" and "*.example.org" are that name and all below it. */
static bool covers(const char *exception, const struct gitaddr *a)
{
	if (strcmp(exception, "*") == 0)
		return true;
	_cleanup_str_ char *name = mem_strdup(exception + strspn(exception, "*.["));
	char *port = strrchr(name, ':');
	/* Of an address with colons only what is in brackets has a port behind it. */
	if (port && strchr(name, ':') == port) {
		*port = '\0';
		_cleanup_str_ char *own = mem_printf("%d", a->port ? a->port : 443);
		if (strcmp(port + 1, own) != 0)
			return false;
	}
	name[strcspn(name, "]")] = '\0';
	size_t len = strlen(name), host = strlen(a->host);
	if (!len || len > host || strcasecmp(a->host + host - len, name) != 0)
		return false;
	return len == host || a->host[host - len - 1] == '.';
}

static bool is_exception(const struct gitaddr *a, char *const *env)
{
	const char *list = find(env, "no_proxy");
	_cleanup_strs_ struct strs names = {0};

	if (!list)
		list = find(env, "NO_PROXY");
	if (!list || text_split(list, ", \t", true, EXCEPTIONS_MAX, &names) != 0)
		return false;
	for (size_t i = 0; i < names.n; i++) {
		if (covers(names.v[i], a))
			return true;
	}
	return false;
}

static const char *from_env(const struct gitaddr *a, char *const *env)
{
	/* HTTP_PROXY is what a web server makes of a visitor's header. */
	static const char *const names[2][4] = {
	    {"https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"},
	    {"http_proxy", "all_proxy", "ALL_PROXY", NULL},
	};
	const char *const *v = names[a->scheme == GITADDR_HTTP];
	for (size_t i = 0; i < ARRAY_LEN(names[0]) && v[i]; i++) {
		const char *proxy = find(env, v[i]);
		if (proxy)
			return proxy;
	}
	return "";
}

char *gitproxy_choose(const char *setting, const char *url, char *const *env)
{
	_cleanup_gitaddr_ struct gitaddr a = {0};

	if (setting[0])
		return mem_strdup(strcmp(setting, GITPROXY_NONE) == 0 ? "" : setting);
	/* What is wrong with the address is told by others. */
	if (gitaddr_parse(url, &a) || (a.scheme != GITADDR_HTTPS && a.scheme != GITADDR_HTTP) ||
	    gitaddr_is_loopback(&a) || is_exception(&a, env))
		return mem_strdup("");
	const char *proxy = from_env(&a, env);
	return mem_printf("%s%s", proxy[0] && !strstr(proxy, "://") ? "http://" : "", proxy);
}
