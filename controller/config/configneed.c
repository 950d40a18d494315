#include <stdlib.h>
#include <string.h>

#include "configtab.h"
#include "log.h"
#include "secret.h"

static const char *origin_of(const struct config *c)
{
	return c->path ? c->path : "ramet.yaml";
}

static void missing(struct config *c, enum configtab_id id, struct diags *diags)
{
	const struct configtab_row *row = &configtab_rows[id];
	_cleanup_str_ char *env = configtab_env_name(row);
	diag_hint(diags_add(diags, DIAG_MISSING_KEY, origin_of(c), (struct mark){0},
		      "%s is not set", row->key),
	    "set it in %s, or %s in the environment", origin_of(c), env);
}

static void unreadable(
    const struct config *c, enum configtab_id id, const struct err *err, struct diags *diags)
{
	struct diag *d = diags_add(diags, DIAG_UNREADABLE, origin_of(c), (struct mark){0}, "%s: %s",
	    configtab_rows[id].key, err_msg(err));
	const char *from = id == CONFIGTAB_cluster_ca_file
			       ? "; it is /etc/pve/pve-root-ca.pem of any node of the cluster"
			       : "";
	if (err && err->hint)
		diag_hint(d, "%s%s", err->hint, from);
}

static void loose_secret(
    const struct config *c, enum configtab_id id, const char *file, struct diags *diags)
{
	diag_hint(diags_add(diags, DIAG_LOOSE_SECRET, origin_of(c), (struct mark){0},
		      "%s: everybody on this machine may read %s", configtab_rows[id].key, file),
	    "chmod 0600 %s", file);
}

static void read_secret(
    struct config *c, enum configtab_id id, struct config_secret *s, struct diags *diags)
{
	_cleanup_err_ struct err *err = NULL;
	bool loose = false;
	if (s->value || !*s->file)
		return;
	if (secret_read(s->file, &s->value, &loose, &err) < 0)
		unreadable(c, id, err, diags);
	else if (loose)
		loose_secret(c, id, s->file, diags);
}

/*
 * Files that others open later: OpenSSL, ssh, the Git worker. They are looked at here, so that a
 * wrong name is told with its setting and before anything begins, not as trouble with a server.
 */
struct other_file {
	enum configtab_id id;
	unsigned need;
	const char *scheme; /* only with such a git.url; NULL = whatever it is */
	bool secret;	    /* others should not be able to read it, and empty it is of no use */
};

static const struct other_file other_files[] = {
    {CONFIGTAB_git_ssh_key_file, CONFIG_NEED_GIT, "ssh://", true},
    {CONFIGTAB_git_ssh_passphrase_file, CONFIG_NEED_GIT, "ssh://", true},
    {CONFIGTAB_git_known_hosts_file, CONFIG_NEED_GIT, "ssh://", false},
    {CONFIGTAB_git_write_ssh_key_file, CONFIG_NEED_GIT, "ssh://", true},
    {CONFIGTAB_git_write_ssh_passphrase_file, CONFIG_NEED_GIT, "ssh://", true},
    {CONFIGTAB_git_ca_file, CONFIG_NEED_GIT, "https://", false},
    {CONFIGTAB_git_client_cert_file, CONFIG_NEED_GIT, "https://", false},
    {CONFIGTAB_git_client_key_file, CONFIG_NEED_GIT, "https://", true},
    {CONFIGTAB_git_allowed_signers_file, CONFIG_NEED_GIT, NULL, false},
    {CONFIGTAB_git_revoked_file, CONFIG_NEED_GIT, NULL, false},
    {CONFIGTAB_git_keyring_file, CONFIG_NEED_GIT, NULL, false},
    {CONFIGTAB_report_signing_key_file, CONFIG_NEED_GIT, NULL, true},
    {CONFIGTAB_report_signing_passphrase_file, CONFIG_NEED_GIT, NULL, true},
    {CONFIGTAB_cluster_ca_file, CONFIG_NEED_CLUSTER, NULL, false},
};

static void look_at_files(struct config *c, unsigned needs, struct diags *diags)
{
	for (size_t i = 0; i < ARRAY_LEN(other_files); i++) {
		const struct other_file *f = &other_files[i];
		const char *path = *(char **)((char *)c + configtab_rows[f->id].offset);
		_cleanup_err_ struct err *err = NULL;
		bool loose = false;
		if (!(needs & f->need) || !*path ||
		    (f->scheme && !text_starts(c->git_url, f->scheme)))
			continue;
		if (secret_look(path, f->secret, &loose, &err) < 0)
			unreadable(c, f->id, err, diags);
		else if (f->secret && loose)
			loose_secret(c, f->id, path, diags);
	}
}

/* user@realm!name=uuid, in one line. */
static bool is_token(const char *s)
{
	const char *at = strchr(s, '@');
	const char *bang = at ? strchr(at, '!') : NULL;
	const char *eq = bang ? strchr(bang, '=') : NULL;
	return eq && at > s && bang > at + 1 && eq > bang + 1 && eq[1] && !strpbrk(s, " \t\r\n") &&
	       text_is_printable(s, strlen(s));
}

void config_bare_token(char *token)
{
	const char *rest = text_after(token, "PVEAPIToken=");
	if (rest)
		memmove(token, rest, strlen(rest) + 1);
}

static void require_git(struct config *c, struct diags *diags)
{
	if (!*c->git_url)
		missing(c, CONFIGTAB_git_url, diags);
	if (text_starts(c->git_url, "ssh://")) {
		if (!*c->git_ssh_key_file)
			missing(c, CONFIGTAB_git_ssh_key_file, diags);
		if (!*c->git_known_hosts_file)
			missing(c, CONFIGTAB_git_known_hosts_file, diags);
	}
	read_secret(c, CONFIGTAB_git_password, &c->git_password, diags);
	read_secret(c, CONFIGTAB_git_token, &c->git_token, diags);
	read_secret(c, CONFIGTAB_git_write_password, &c->git_write_password, diags);
	read_secret(c, CONFIGTAB_git_write_token, &c->git_write_token, diags);
}

static void require_cluster(struct config *c, struct diags *diags)
{
	if (c->cluster_endpoints.n == 0)
		missing(c, CONFIGTAB_cluster_endpoints, diags);
	struct config_secret *t = &c->cluster_token;
	if (!*t->file && !t->value)
		missing(c, CONFIGTAB_cluster_token, diags);
	read_secret(c, CONFIGTAB_cluster_token, t, diags);
	if (!t->value)
		return;
	config_bare_token(t->value);
	if (is_token(t->value)) {
		log_mask(strchr(t->value, '=') + 1);
		return;
	}
	diag_hint(diags_add(diags, DIAG_BAD_VALUE, *t->file ? t->file : "RAMET_CLUSTER_TOKEN",
		      (struct mark){0}, "this is no API token"),
	    "write one line: user@realm!name=uuid, as PVE shows it when the token is made");
}

int config_require(struct config *c, unsigned needs, struct diags *diags)
{
	size_t errors = diags_errors(diags);
	if ((needs & CONFIG_NEED_CONTROLLER) && !*c->controller_id)
		missing(c, CONFIGTAB_controller_id, diags);
	if (needs & CONFIG_NEED_GIT)
		require_git(c, diags);
	if (needs & CONFIG_NEED_CLUSTER)
		require_cluster(c, diags);
	if (needs & CONFIG_NEED_HTTP)
		read_secret(c, CONFIGTAB_http_webhook_secret, &c->http_webhook_secret, diags);
	look_at_files(c, needs, diags);
	return diags_errors(diags) > errors ? -1 : 0;
}
