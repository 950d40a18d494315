#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "configtab.h"

#define VMID_MIN 100
#define VMID_MAX 999999999
#define ENDPOINTS_MAX 32

struct check {
	struct config *c;
	const struct configtab_origin *origins;
	struct diags *diags;
};

/* A finding about a value; the hint may be NULL. */
static void bad(struct check *k, enum configtab_id id, const char *hint, const char *fmt, ...)
    PRINTF(4, 5);
static void bad(struct check *k, enum configtab_id id, const char *hint, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	_cleanup_str_ char *msg = mem_vprintf(fmt, ap);
	va_end(ap);
	const struct configtab_origin *at = &k->origins[id];
	struct diag *d = diags_add(k->diags, DIAG_BAD_VALUE, at->file ? at->file : "default",
	    at->mark, "%s: %s", configtab_rows[id].key, msg);
	if (hint)
		diag_hint(d, "%s", hint);
}

/* A branch name as Git takes it, as far as a controller must know. */
static bool is_branch(const char *s)
{
	if (*s == '-' || *s == '/' || strstr(s, "..") || strstr(s, "//") || strstr(s, "@{") ||
	    strpbrk(s, " ~^:?*[\\") || text_ends(s, "/") || text_ends(s, ".") ||
	    text_ends(s, ".lock"))
		return false;
	return *s && *s != '.' && !strstr(s, "/.");
}

/* A relative path without ".." that stays below its root. */
static bool is_inner_path(const char *s)
{
	_cleanup_strs_ struct strs parts = {0};
	if (*s == '/' || text_split(s, "/", false, 256, &parts) < 0)
		return false;
	for (size_t i = 0; i < parts.n; i++) {
		const char *p = parts.v[i];
		bool last = i + 1 == parts.n;
		if (text_eq(p, "..") || text_eq(p, ".") || text_eq(p, ".git") || (!*p && !last))
			return false;
	}
	return true;
}

static void check_inner_path(struct check *k, enum configtab_id id, char *path)
{
	if (!*path)
		return;
	if (!is_inner_path(path)) {
		bad(k, id, "write it relative to the root of the repository, as in vms/prod",
		    "\"%s\" is no folder of a repository", path);
		return;
	}
	size_t len = strlen(path);
	while (len > 0 && path[len - 1] == '/')
		path[--len] = '\0';
}

static void check_git(struct check *k)
{
	struct config *c = k->c;
	const char *url = c->git_url;
	const char *rest = text_after(url, "https://");
	if (!rest)
		rest = text_after(url, "ssh://");
	if (*url && !rest && !text_starts(url, "file:///"))
		bad(k, CONFIGTAB_git_url,
		    text_starts(url, "http://")
			? "use https://: passwords do not travel in clear text"
		    : strchr(url, '@') ? "write user@host:path as ssh://user@host/path"
				       : "use https://, ssh:// or file:///",
		    "this form of address is not supported");
	if (rest) {
		size_t host = strcspn(rest, "/");
		const char *at = memchr(rest, '@', host);
		if (at && memchr(rest, ':', (size_t)(at - rest)))
			bad(k, CONFIGTAB_git_url, "set git.username and git.password_file instead",
			    "the address has a password in it");
		if (host == 0)
			bad(k, CONFIGTAB_git_url, NULL, "the address has no host");
	}
	if (!is_branch(c->git_branch))
		bad(k, CONFIGTAB_git_branch, "give the short name, as in main",
		    "\"%s\" is no name of a branch", c->git_branch);
	check_inner_path(k, CONFIGTAB_git_path, c->git_path);
	if (strchr(c->git_proxy, '@'))
		bad(k, CONFIGTAB_git_proxy,
		    "leave it empty and name such a proxy in the environment (https_proxy)",
		    "the address has a user or a password in it");
	if (!text_eq(c->git_verify_mode, "none") && !*c->git_allowed_signers_file &&
	    !*c->git_keyring_file)
		bad(k, CONFIGTAB_git_verify_mode,
		    "set git.verify.allowed_signers_file or git.verify.keyring_file",
		    "signatures cannot be checked without a list of signers");
}

/* A branch may be given in short or in full. */
static const char *short_branch(const char *s)
{
	const char *rest = text_after(s, "refs/heads/");
	return rest ? rest : s;
}

static bool is_below(const char *s, const char *folder)
{
	const char *rest = text_after(s, folder);
	return rest && *rest == '/';
}

/* A report on the watched branch would be a new revision, which would be reported. */
static void check_report_branch(struct check *k)
{
	struct config *c = k->c;
	const char *report = short_branch(c->report_branch), *watched = short_branch(c->git_branch);
	if (!is_branch(report) || text_starts(report, "refs/"))
		bad(k, CONFIGTAB_report_branch, "give the short name, as in ramet/status",
		    "\"%s\" is no name of a branch", c->report_branch);
	else if (!text_eq(c->report_mode, "commit"))
		return;
	else if (text_eq(report, watched))
		bad(k, CONFIGTAB_report_branch, "give reports a branch of their own",
		    "reports would be committed to the watched branch");
	else if (is_below(report, watched) || is_below(watched, report))
		bad(k, CONFIGTAB_report_branch,
		    "give it a name that neither contains nor begins with the other",
		    "Git cannot have both \"%s\" and \"%s\"", report, watched);
}

static void check_report(struct check *k)
{
	struct config *c = k->c;
	check_report_branch(k);
	check_inner_path(k, CONFIGTAB_report_path, c->report_path);
	if (text_eq(c->report_mode, "files") && !*c->report_directory)
		bad(k, CONFIGTAB_report_mode, "set report.directory", "files need a directory");
	if (strpbrk(c->report_author_email, " <>") || !strchr(c->report_author_email, '@'))
		bad(k, CONFIGTAB_report_author_email, NULL, "\"%s\" is no mail address",
		    c->report_author_email);
	if (strpbrk(c->report_author_name, "<>"))
		bad(k, CONFIGTAB_report_author_name, NULL, "the name cannot have < or > in it");
}

static bool is_endpoint(const char *url)
{
	const char *host = text_after(url, "https://");
	if (!host || !*host)
		return false;
	size_t len = strlen(host);
	if (len > 1 && host[len - 1] == '/')
		len--;
	return strcspn(host, "/?#@ %") >= len && *host != ':';
}

static bool is_fingerprint(const char *s)
{
	size_t digits = 0;
	for (; *s; s++) {
		bool colon = *s == ':';
		if (colon && (digits == 0 || digits % 2 != 0 || s[-1] == ':' || !s[1]))
			return false;
		if (!colon && !strchr("0123456789abcdefABCDEF", *s))
			return false;
		digits += !colon;
	}
	return digits == 64;
}

static bool is_tag(const char *s)
{
	static const char first[] = "abcdefghijklmnopqrstuvwxyz0123456789_";
	static const char more[] = "abcdefghijklmnopqrstuvwxyz0123456789_+.-";
	return !*s || (strchr(first, *s) && s[strspn(s, more)] == '\0');
}

static void check_cluster(struct check *k)
{
	struct config *c = k->c;
	if (c->cluster_endpoints.n > ENDPOINTS_MAX)
		bad(k, CONFIGTAB_cluster_endpoints,
		    "a few nodes are enough: any of them answers for all", "more than %d endpoints",
		    ENDPOINTS_MAX);
	for (size_t i = 0; i < c->cluster_endpoints.n; i++) {
		char *url = c->cluster_endpoints.v[i];
		if (!is_endpoint(url))
			bad(k, CONFIGTAB_cluster_endpoints, "write https://HOST:8006",
			    "\"%s\" is no address of an API", url);
		else if (text_ends(url, "/"))
			url[strlen(url) - 1] = '\0';
	}
	for (size_t i = 0; i < c->cluster_fingerprints.n; i++) {
		if (!is_fingerprint(c->cluster_fingerprints.v[i]))
			bad(k, CONFIGTAB_cluster_fingerprints,
			    "give 64 hex digits, as `pvenode cert info` shows them",
			    "\"%s\" is no SHA-256 fingerprint", c->cluster_fingerprints.v[i]);
	}
	if (c->cluster_fingerprints.n > 0 && *c->cluster_ca_file)
		bad(k, CONFIGTAB_cluster_fingerprints, "keep one of them",
		    "fingerprints and a certificate authority exclude each other");
	if (!is_tag(c->cluster_tag))
		bad(k, CONFIGTAB_cluster_tag, "use a-z, 0-9 and _, then also + . -",
		    "\"%s\" is no tag that PVE takes", c->cluster_tag);
}

static void check_policy(struct check *k)
{
	struct config *c = k->c;
	for (size_t i = 0; i < c->policy_templates.n; i++) {
		int64_t id;
		if (text_to_int(c->policy_templates.v[i], VMID_MIN, VMID_MAX, &id) < 0)
			bad(k, CONFIGTAB_policy_templates, NULL, "\"%s\" is no VMID",
			    c->policy_templates.v[i]);
	}
	if (!*c->policy_vmid_range)
		return;
	_cleanup_strs_ struct strs ends = {0};
	int64_t first, last;
	if (text_split(c->policy_vmid_range, "-", false, 2, &ends) < 0 || ends.n != 2 ||
	    text_to_int(ends.v[0], VMID_MIN, VMID_MAX, &first) < 0 ||
	    text_to_int(ends.v[1], VMID_MIN, VMID_MAX, &last) < 0 || first > last) {
		bad(k, CONFIGTAB_policy_vmid_range,
		    "write FIRST-LAST, as in 1000-1999; VMIDs begin at 100",
		    "\"%s\" is no range of VMIDs", c->policy_vmid_range);
		return;
	}
	c->vmid_first = first;
	c->vmid_last = last;
}

static void check_listen(struct check *k)
{
	const char *s = k->c->http_listen;
	const char *colon = strrchr(s, ':');
	int64_t port;
	if (!*s)
		return;
	bool bracketed = *s == '[' && colon && colon > s && colon[-1] == ']';
	bool plain =
	    colon && colon > s && !memchr(s, ':', (size_t)(colon - s)) && !strpbrk(s, "[]");
	if (!(bracketed || plain) || text_to_int(colon + 1, 0, 65535, &port) < 0)
		bad(k, CONFIGTAB_http_listen,
		    "write ADDRESS:PORT, as in 127.0.0.1:8080 or [::1]:8080",
		    "\"%s\" is no address to listen on", s);
}

void configcheck_values(
    struct config *c, const struct configtab_origin origins[CONFIGTAB__MAX], struct diags *diags)
{
	struct check k = {.c = c, .origins = origins, .diags = diags};
	if (*c->controller_id && !text_is_dns_label(c->controller_id))
		bad(&k, CONFIGTAB_controller_id, "use a-z, 0-9 and -, as in homelab",
		    "\"%s\" is no DNS label", c->controller_id);
	if (*c->controller_state_dir != '/')
		bad(&k, CONFIGTAB_controller_state_dir, "begin it with /",
		    "\"%s\" is no absolute path", c->controller_state_dir);
	check_git(&k);
	check_report(&k);
	check_cluster(&k);
	check_policy(&k);
	check_listen(&k);
}
