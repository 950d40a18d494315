#include "setup.h"

#include <stdio.h>
#include <string.h>

#include "gitproxy.h"
#include "log.h"
#include "outdir.h"
#include "peekstore.h"
#include "secret.h"
#include "store.h"

void setup_print_diags(const struct cli *c, const struct diags *l)
{
	_cleanup_buf_ struct buf out = {0};
	diags_print_text(l, c->err_color, &out);
	fputs(buf_str(&out), stderr);
}

static unsigned needs(unsigned parts)
{
	return (parts & (SETUP_STORE | SETUP_JOURNAL) ? CONFIG_NEED_CONTROLLER : 0u) |
	       (parts & SETUP_CLUSTER ? CONFIG_NEED_CONTROLLER | CONFIG_NEED_CLUSTER : 0u) |
	       (parts & SETUP_GIT ? CONFIG_NEED_GIT : 0u) |
	       (parts & SETUP_HTTP ? CONFIG_NEED_HTTP : 0u);
}

static bool reports_to_files(const struct config *config)
{
	return strcmp(config->report_mode, "files") == 0;
}

static int load(const struct cli *c, unsigned *parts, struct config **ret)
{
	_cleanup_diags_ struct diags diags = {0};
	struct config *config = NULL;
	int rc = config_load(c->opt[CLI_OPT_CONFIG], c->env, &diags, &config);
	if (rc == 0 && (*parts & SETUP_STATUS))
		*parts |= reports_to_files(config) ? SETUP_REPORT : SETUP_GIT;
	if (rc == 0)
		rc = config_require(config, needs(*parts), &diags);
	diags_sort(&diags);
	if (!(*parts & SETUP_QUIET))
		setup_print_diags(c, &diags);
	if (rc == 0) {
		*ret = config;
		return CLI_OK;
	}
	if (config && !config->path && !(*parts & SETUP_QUIET))
		fputs("  hint: no configuration was found: name one with --config, or write "
		      "ramet.yaml here\n",
		    stderr);
	config_free(&config);
	return *parts & SETUP_SERVICE ? CLI_CONFIG : CLI_ERROR;
}

/* What the command line says counts more than the file. */
static void take_log(const struct cli *c, const struct config *config)
{
	enum log_level level;
	const char *word = c->opt[CLI_OPT_LOG_LEVEL], *form = c->opt[CLI_OPT_LOG_FORMAT];
	/* Who waits for an answer sees progress and problems anyway. */
	const char *usual =
	    c->command && strcmp(c->command->name, "run") == 0 ? config->log_level : "error";
	if (log_level_parse(word ? word : usual, &level) != 0)
		level = LOG_INFO;
	log_setup(level, strcmp(form ? form : config->log_format, "json") == 0);
	log_set_color(c->err_color);
}

/* ---- the ports ---- */

static int read_token(void *arg, char **ret, struct err **err)
{
	const struct config_secret *token = arg;
	bool loose;
	if (!*token->file) {
		*ret = mem_strdup(token->value);
		return 0;
	}
	if (secret_read(token->file, ret, &loose, err) < 0)
		return -1;
	config_bare_token(*ret);
	return 0;
}

int setup_pveport(struct setup *s, const char *endpoint, struct pveport **ret, struct err **err)
{
	struct config *f = s->config;
	struct pveport_opts o = {
	    .endpoints = endpoint ? &endpoint : (const char *const *)f->cluster_endpoints.v,
	    .n_endpoints = endpoint ? 1 : f->cluster_endpoints.n,
	    .token = f->cluster_token.value,
	    .read_token = read_token,
	    .token_arg = &f->cluster_token,
	    .ca_file = f->cluster_ca_file,
	    .fingerprints = (const char *const *)f->cluster_fingerprints.v,
	    .n_fingerprints = f->cluster_fingerprints.n,
	    .connections = (unsigned)f->cluster_connections,
	    .connect_timeout_ms = f->cluster_connect_timeout};
	return pveport_new(s->loop, &o, ret, err);
}

static int open_cluster(struct setup *s, struct err **err)
{
	struct config *f = s->config;
	if (setup_pveport(s, NULL, &s->pve, err) != 0)
		return -1;
	s->ports.cluster = pveport_port(s->pve);
	const char *secret = strchr(f->cluster_token.value, '=');
	if (secret)
		s->pve_user =
		    mem_strndup(f->cluster_token.value, (size_t)(secret - f->cluster_token.value));
	s->ports.pve_user = s->pve_user;
	return 0;
}

static int open_git(struct setup *s, struct err **err)
{
	const struct config *f = s->config;
	struct gitwork_opts o;
	if (cachedir_take(
		f->controller_state_dir, s->parts & SETUP_STORE, s->cli->env, &s->cache, err) != 0)
		return -1;
	gitwork_defaults(&o);
	o.setup.dir = s->cache.path;
	o.setup.url = f->git_url;
	o.setup.branch = f->git_branch;
	o.setup.path = f->git_path;
	o.setup.suffixes = ".yaml .yml";
	o.setup.status_branch = f->report_branch;
	o.setup.status_path = f->report_path;
	o.setup.username = f->git_username;
	o.setup.password = f->git_password.value;
	o.setup.token = f->git_token.value;
	o.setup.ca_file = f->git_ca_file;
	o.setup.client_cert_file = f->git_client_cert_file;
	o.setup.client_key_file = f->git_client_key_file;
	_cleanup_str_ char *proxy = gitproxy_choose(f->git_proxy, f->git_url, s->cli->env);
	o.setup.proxy = proxy;
	o.setup.write_username = f->git_write_username;
	o.setup.write_password = f->git_write_password.value;
	o.setup.write_token = f->git_write_token.value;
	o.setup.write_ssh_key_file = f->git_write_ssh_key_file;
	o.setup.write_ssh_passphrase_file = f->git_write_ssh_passphrase_file;
	o.setup.signing_key_file = f->report_signing_key_file;
	o.setup.signing_passphrase_file = f->report_signing_passphrase_file;
	o.setup.ssh_key_file = f->git_ssh_key_file;
	o.setup.ssh_passphrase_file = f->git_ssh_passphrase_file;
	o.setup.known_hosts_file = f->git_known_hosts_file;
	o.setup.verify = f->git_verify_mode;
	o.setup.allowed_signers_file = f->git_allowed_signers_file;
	o.setup.revoked_signers_file = f->git_revoked_file;
	o.setup.keyring_file = f->git_keyring_file;
	o.setup.author_name = f->report_author_name;
	o.setup.author_email = f->report_author_email;
	for (int i = 0; i < GITWORK__MAX; i++)
		if (i != GITWORK_LIST || f->git_timeout < o.deadline_ms[i])
			o.deadline_ms[i] = f->git_timeout;
	if (gitwork_new(&s->git, s->loop, &o, err) != 0)
		return -1;
	s->ports.git = gitwork_port(s->git);
	return 0;
}

static int open_store(struct setup *s, struct err **err)
{
	const char *dir = s->config->controller_state_dir;
	s->peeking = !(s->parts & SETUP_STORE);
	int rc = s->peeking ? peekstore_open(dir, &s->store, err) : store_open(dir, &s->store, err);
	s->ports.store = s->store;
	return rc;
}

static int open_report(struct setup *s, struct err **err)
{
	if (!reports_to_files(s->config))
		return 0;
	bool writing = s->parts & SETUP_STORE;
	if (outdir_open(s->config->report_directory, writing, &s->outdir, err) != 0)
		return -1;
	s->ports.outdir = s->outdir;
	return 0;
}

static int open_all(struct setup *s, struct err **err)
{
	if (loop_new(&s->loop, err) != 0)
		return -1;
	s->ports.clock = loop_clock(s->loop);
	/* The lock first: who does not get it should not have talked to anybody. */
	if (open_store(s, err) != 0)
		return -1;
	if ((s->parts & SETUP_REPORT) && open_report(s, err) != 0)
		return -1;
	if ((s->parts & SETUP_CLUSTER) && open_cluster(s, err) != 0)
		return -1;
	return s->parts & SETUP_GIT ? open_git(s, err) : 0;
}

int setup_open(const struct cli *c, unsigned parts, struct setup *ret)
{
	struct setup s = {.cli = c, .parts = parts, .cache = CACHEDIR_NONE};
	_cleanup_err_ struct err *err = NULL;
	int rc = load(c, &s.parts, &s.config);
	if (rc != CLI_OK)
		return rc;
	take_log(c, s.config);
	if (open_all(&s, &err) != 0) {
		setup_close(&s);
		return parts & SETUP_QUIET ? CLI_ERROR : cli_fail(c, err);
	}
	*ret = s;
	return CLI_OK;
}

void setup_close(struct setup *s)
{
	gitwork_free(&s->git);
	pveport_free(&s->pve);
	mem_free_str(&s->pve_user);
	outdir_close(&s->outdir);
	if (s->peeking)
		peekstore_close(&s->store);
	else
		store_close(&s->store);
	loop_free(&s->loop);
	cachedir_release(&s->cache);
	config_free(&s->config);
}

bool setup_reload(struct setup *s)
{
	_cleanup_strs_ struct strs changed = {0};
	_cleanup_config_ struct config *fresh = NULL;
	if (load(s->cli, &s->parts, &fresh) != CLI_OK) {
		log_warn(NULL, "the configuration has findings, keeping the one in force");
		return false;
	}
	config_diff(s->config, fresh, &changed);
	for (size_t i = 0; i < changed.n; i++)
		log_info(NULL, "%s changed", changed.v[i]);
	return changed.n > 0;
}
