#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "config.h"
#include "log.h"

static char *const no_env[] = {NULL};

static int parse_env(const char *text, char *const *env, struct diags *diags, struct config **ret)
{
	return config_parse("ramet.yaml", text, strlen(text), env, diags, ret);
}

static void nothing_set_is_all_defaults(void **state)
{
	(void)state;
	_cleanup_diags_ struct diags diags = {0};
	_cleanup_config_ struct config *c = NULL;
	assert_int_equal(parse_env("", no_env, &diags, &c), 0);
	assert_int_equal(diags.n, 0);
	assert_string_equal(c->controller_id, "");
	assert_string_equal(c->controller_state_dir, "/var/lib/ramet");
	assert_string_equal(c->git_branch, "main");
	assert_int_equal(c->git_interval, 60000);
	assert_int_equal(c->cluster_endpoints.n, 0);
	assert_string_equal(c->cluster_tag, "ramet");
	assert_string_equal(c->report_branch, "ramet/status");
	assert_int_equal(c->report_interval, 10000);
	assert_false(c->policy_prune);
	assert_int_equal(c->policy_destroy_budget_count, 3);
	assert_int_equal(c->policy_destroy_budget_percent, 10);
	assert_int_equal(c->policy_destroy_budget_window, 3600000);
	assert_string_equal(c->reconcile_drift, "correct");
	assert_int_equal(c->reconcile_tick, 15000);
	assert_int_equal(c->reconcile_full_read, 600000);
	assert_int_equal(c->reconcile_parallel, 16);
	assert_int_equal(c->reconcile_parallel_per_node, 4);
	assert_int_equal(c->reconcile_clones_per_storage, 2);
	assert_int_equal(c->vmid_first, 0);
	assert_null(c->git_password.value);
}

static void the_file_is_read(void **state)
{
	(void)state;
	_cleanup_diags_ struct diags diags = {0};
	_cleanup_config_ struct config *c = NULL;
	assert_int_equal(
	    parse_env("controller: { id: homelab }\n"
		      "git:\n"
		      "  url: https://git.example.org/vms.git\n"
		      "  path: vms/prod/\n"
		      "  interval: 1m30s\n"
		      "  verify: { mode: head, allowed_signers_file: /etc/ramet/signers }\n"
		      "cluster:\n"
		      "  endpoints: [\"https://pve1:8006/\", 'https://[fd00::1]:8006']\n"
		      "  token_file: /run/token\n"
		      "  tag: \"\"\n"
		      "policy:\n"
		      "  vmid_range: 1000-1999\n"
		      "  templates: [9000, 9001]\n"
		      "  prune: true\n"
		      "  destroy_budget: { count: 0 }\n",
		no_env, &diags, &c),
	    0);
	assert_int_equal(diags.n, 0);
	assert_string_equal(c->controller_id, "homelab");
	assert_string_equal(c->git_path, "vms/prod");
	assert_int_equal(c->git_interval, 90000);
	assert_string_equal(c->git_verify_mode, "head");
	assert_int_equal(c->cluster_endpoints.n, 2);
	assert_string_equal(c->cluster_endpoints.v[0], "https://pve1:8006");
	assert_string_equal(c->cluster_token.file, "/run/token");
	assert_string_equal(c->cluster_tag, "");
	assert_int_equal(c->vmid_first, 1000);
	assert_int_equal(c->vmid_last, 1999);
	assert_string_equal(c->policy_templates.v[1], "9001");
	assert_true(c->policy_prune);
	assert_int_equal(c->policy_destroy_budget_count, 0);
	assert_string_equal(c->path, "ramet.yaml");
}

static void the_environment_wins(void **state)
{
	(void)state;
	char *const env[] = {(char *)"PATH=/bin", (char *)"RAMET_GIT_BRANCH=prod",
	    (char *)"RAMET_GIT_VERIFY_MODE=none", (char *)"RAMET_POLICY_NODES=pve1, pve2",
	    (char *)"RAMET_POLICY_PRUNE=true", (char *)"RAMET_RECONCILE_PARALLEL=",
	    (char *)"RAMET_CLUSTER_TAG=", (char *)"RAMET_CLUSTER_TOKEN_FILE=/run/t",
	    (char *)"RAMET_GIT_PASSWORD=hunter2", (char *)"RAMET_SERVICE_HOST=10.0.0.1", NULL};
	_cleanup_diags_ struct diags diags = {0};
	_cleanup_config_ struct config *c = NULL;
	assert_int_equal(parse_env("git: { branch: main, password_file: /run/p }\n"
				   "reconcile: { parallel: 5 }\n",
			     env, &diags, &c),
	    0);
	assert_int_equal(diags.n, 0);
	assert_string_equal(c->git_branch, "prod");
	assert_int_equal(c->policy_nodes.n, 2);
	assert_string_equal(c->policy_nodes.v[1], "pve2");
	assert_true(c->policy_prune);
	assert_int_equal(c->reconcile_parallel, 5);
	assert_string_equal(c->cluster_tag, "");
	assert_string_equal(c->cluster_token.file, "/run/t");
	assert_string_equal(c->git_password.value, "hunter2");
	assert_string_equal(c->git_password.file, "");
}

struct bad {
	const char *text;
	enum diag_code code;
	unsigned line, col;
	const char *said; /* in the message or the hint */
};

static const struct bad bads[] = {
    {"gti: {}", DIAG_UNKNOWN_KEY, 1, 1, "did you mean \"git\""},
    {"git:\n  brnch: x", DIAG_UNKNOWN_KEY, 2, 3, "did you mean \"branch\""},
    {"git:\n  verify:\n    mod: head", DIAG_UNKNOWN_KEY, 3, 5, "did you mean \"mode\""},
    {"git:\n  password: hunter2", DIAG_UNKNOWN_KEY, 2, 3, "use password_file"},
    {"cluster:\n  token: a@b!c=d", DIAG_UNKNOWN_KEY, 2, 3, "use token_file"},
    {"cluster:\n  bananas: 3", DIAG_UNKNOWN_KEY, 2, 3, "known here: endpoints"},
    {"git:\n  branch: a\n  branch: b", DIAG_DUPLICATE_KEY, 3, 3, "branch"},
    {"git: 3", DIAG_WRONG_TYPE, 1, 6, "block"},
    {"git:", DIAG_EMPTY_VALUE, 1, 5, "git has no value"},
    {"git:\n  branch:", DIAG_EMPTY_VALUE, 2, 10, "no value"},
    {"git:\n  branch: \"\"", DIAG_EMPTY_VALUE, 2, 11, "cannot be empty"},
    {"git:\n  branch: [a]", DIAG_WRONG_TYPE, 2, 11, "not a list"},
    {"git:\n  branch: {a: b}", DIAG_WRONG_TYPE, 2, 11, "not a block"},
    {"git: {interval: 60}", DIAG_BAD_VALUE, 1, 17, "for example 1m"},
    {"git: {interval: 1ms}", DIAG_OUT_OF_RANGE, 1, 17, "1s to 24h"},
    {"reconcile: {parallel: many}", DIAG_WRONG_TYPE, 1, 23, "whole number"},
    {"reconcile: {parallel: \"3\"}", DIAG_WRONG_TYPE, 1, 23, "quotes"},
    {"reconcile: {parallel: 0}", DIAG_OUT_OF_RANGE, 1, 23, "1 to 256"},
    {"reconcile: {drift: corect}", DIAG_UNKNOWN_CHOICE, 1, 20, "did you mean \"correct\""},
    {"reconcile: {drift: sometimes}", DIAG_UNKNOWN_CHOICE, 1, 20,
	"allowed: correct, report, ignore"},
    {"policy: {prune: yes}", DIAG_WRONG_TYPE, 1, 17, "true or false"},
    {"policy: {nodes: pve1}", DIAG_WRONG_TYPE, 1, 17, "wants a list"},
    {"policy: {nodes: [pve1, pve1]}", DIAG_DUPLICATE_ITEM, 1, 24, "twice"},
    {"policy: {nodes: [[pve1]]}", DIAG_WRONG_TYPE, 1, 18, "texts"},
    {"policy: {vmid_range: 50-200}", DIAG_BAD_VALUE, 1, 22, "VMIDs begin at 100"},
    {"policy: {vmid_range: 300-200}", DIAG_BAD_VALUE, 1, 22, "no range"},
    {"policy: {templates: [abc]}", DIAG_BAD_VALUE, 1, 21, "no VMID"},
    {"controller: {id: Home Lab}", DIAG_BAD_VALUE, 1, 18, "DNS label"},
    {"controller: {state_dir: var}", DIAG_BAD_VALUE, 1, 25, "absolute"},
    {"git: {url: 'http://git/vms.git'}", DIAG_BAD_VALUE, 1, 12, "clear text"},
    {"git: {url: 'git@host:vms.git'}", DIAG_BAD_VALUE, 1, 12, "ssh://user@host/path"},
    {"git: {url: 'https://u:p@host/vms.git'}", DIAG_BAD_VALUE, 1, 12, "password"},
    {"git: {path: ../vms}", DIAG_BAD_VALUE, 1, 13, "relative"},
    {"git: {path: /vms}", DIAG_BAD_VALUE, 1, 13, "relative"},
    {"git: {path: vms/.git}", DIAG_BAD_VALUE, 1, 13, "relative"},
    {"git: {branch: 'a b'}", DIAG_BAD_VALUE, 1, 15, "no name of a branch"},
    {"git: {branch: 'a..b'}", DIAG_BAD_VALUE, 1, 15, "no name of a branch"},
    {"git: {verify: {mode: head}}", DIAG_BAD_VALUE, 1, 22, "allowed_signers_file"},
    {"report: {branch: main}", DIAG_BAD_VALUE, 1, 18, "watched branch"},
    {"report: {branch: refs/heads/main}", DIAG_BAD_VALUE, 1, 18, "watched branch"},
    {"git: {branch: refs/heads/x}\nreport: {branch: x}", DIAG_BAD_VALUE, 2, 18, "watched branch"},
    {"report: {branch: main/status}", DIAG_BAD_VALUE, 1, 18, "cannot have both"},
    {"git: {branch: a/b/c}\nreport: {branch: a/b}", DIAG_BAD_VALUE, 2, 18, "cannot have both"},
    {"report: {branch: refs/tags/x}", DIAG_BAD_VALUE, 1, 18, "no name of a branch"},
    {"git: {proxy: 'http://u:p@proxy:3128'}", DIAG_BAD_VALUE, 1, 14, "a user or a password"},
    {"report: {mode: files}", DIAG_BAD_VALUE, 1, 16, "report.directory"},
    {"report: {author_email: nobody}", DIAG_BAD_VALUE, 1, 24, "mail address"},
    {"cluster: {endpoints: ['http://pve1:8006']}", DIAG_BAD_VALUE, 1, 22, "https://HOST:8006"},
    {"cluster: {endpoints: ['https://pve1:8006/api2/json']}", DIAG_BAD_VALUE, 1, 22,
	"https://HOST"},
    {"cluster: {fingerprints: [abcd]}", DIAG_BAD_VALUE, 1, 25, "SHA-256"},
    {"cluster: {tag: Ramet!}", DIAG_BAD_VALUE, 1, 16, "no tag"},
    {"http: {listen: 8080}", DIAG_BAD_VALUE, 1, 16, "127.0.0.1:8080"},
    {"http: {listen: '::1:8080'}", DIAG_BAD_VALUE, 1, 16, "[::1]:8080"},
    {"http: {listen: 'h:99999'}", DIAG_BAD_VALUE, 1, 16, "ADDRESS:PORT"},
    {"- a", DIAG_WRONG_TYPE, 1, 1, "block of settings"},
    {"git: {}\n---\ngit: {}", DIAG_SYNTAX, 3, 1, "one document"},
    {"git: [\n", DIAG_SYNTAX, 2, 1, ""},
};

static void what_is_wrong_is_found_where_it_stands(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bads); i++) {
		const struct bad *b = &bads[i];
		_cleanup_diags_ struct diags diags = {0};
		_cleanup_config_ struct config *c = NULL;
		assert_int_equal(parse_env(b->text, no_env, &diags, &c), -1);
		assert_null(c);
		const struct diag *d = &diags.v[0];
		if (diags.n != 1 || d->code != b->code || (b->line && d->mark.line != b->line) ||
		    (b->col && d->mark.col != b->col) ||
		    !(strstr(d->msg, b->said) || (d->hint && strstr(d->hint, b->said))))
			fail_msg("%s: %zu findings, first %s %u:%u %s (%s)", b->text, diags.n,
			    diag_word(d->code), d->mark.line, d->mark.col, d->msg,
			    d->hint ? d->hint : "");
		assert_string_equal(d->file, "ramet.yaml");
		if (!d->line)
			fail_msg("%s: %u:%u without excerpt", b->text, d->mark.line, d->mark.col);
	}
}

static void all_findings_come_at_once(void **state)
{
	(void)state;
	_cleanup_diags_ struct diags diags = {0};
	_cleanup_config_ struct config *c = NULL;
	char *const env[] = {(char *)"RAMET_GIT_INTERVAL=soon", (char *)"RAMET_GIT_BRNCH=x", NULL};
	assert_int_equal(
	    parse_env("git: {nope: 1, branch: []}\nreconcile: {parallel: 999}", env, &diags, &c),
	    -1);
	assert_int_equal(diags_errors(&diags), 4);
	assert_int_equal(diags_warnings(&diags), 1);
	assert_string_equal(diags.v[3].file, "RAMET_GIT_INTERVAL");
	assert_int_equal(diags.v[4].code, DIAG_UNKNOWN_VARIABLE);
	assert_string_equal(diags.v[4].file, "RAMET_GIT_BRNCH");
	assert_non_null(strstr(diags.v[4].hint, "RAMET_GIT_BRANCH"));
}

static void a_fingerprint_and_a_ca_exclude_each_other(void **state)
{
	(void)state;
#define PRINT "00:11:22:33:44:55:66:77:88:99:aa:bb:cc:dd:EE:FF:"
	static const char both[] = "cluster: {ca_file: /ca.pem, fingerprints: ['" PRINT
				   "00:11:22:33:44:55:66:77:88:99:aa:bb:cc:dd:ee:ff']}";
	static const char one[] =
	    "cluster: {fingerprints: ['" PRINT "00:11:22:33:44:55:66:77:88:99:aa:bb:cc:dd:ee:ff']}";
	_cleanup_diags_ struct diags diags = {0};
	_cleanup_config_ struct config *c = NULL;
	assert_int_equal(parse_env(both, no_env, &diags, &c), -1);
	assert_int_equal(diags.v[0].code, DIAG_BAD_VALUE);
	assert_int_equal(parse_env(one, no_env, &diags, &c), 0);
}

/* ---- files ---- */

static char dir[] = "/tmp/ramet-config-XXXXXX";

static int make_dir(void **state)
{
	(void)state;
	return mkdtemp(dir) && chdir(dir) == 0 ? 0 : -1;
}

static int drop_dir(void **state)
{
	(void)state;
	unlink("token");
	unlink("ramet.yaml");
	return chdir("/") == 0 && rmdir(dir) == 0 ? 0 : -1;
}

static void put(const char *name, const char *text, mode_t mode)
{
	FILE *f = fopen(name, "w");
	assert_non_null(f);
	assert_int_equal(fwrite(text, 1, strlen(text), f), strlen(text));
	fclose(f);
	assert_int_equal(chmod(name, mode), 0);
}

static void the_default_file_is_found(void **state)
{
	(void)state;
	_cleanup_diags_ struct diags diags = {0};
	_cleanup_config_ struct config *none = NULL, *c = NULL, *gone = NULL;
	if (access("/etc/ramet/ramet.yaml", F_OK) != 0) {
		assert_int_equal(config_load(NULL, no_env, &diags, &none), 0);
		assert_null(none->path);
	}
	put("ramet.yaml", "controller: {id: here}\n", 0600);
	assert_int_equal(config_load(NULL, no_env, &diags, &c), 0);
	assert_string_equal(c->controller_id, "here");
	assert_int_equal(config_load("/nonexistent.yaml", no_env, &diags, &gone), -1);
	assert_int_equal(diags.v[0].code, DIAG_UNREADABLE);
	assert_non_null(strstr(diags.v[0].msg, "No such file"));
	assert_int_equal(config_load(dir, no_env, &diags, &gone), -1);
	assert_int_equal(diags.v[1].code, DIAG_UNREADABLE);
}

static void what_a_command_needs_is_asked_for(void **state)
{
	(void)state;
	_cleanup_diags_ struct diags diags = {0};
	_cleanup_config_ struct config *c = NULL;
	assert_int_equal(parse_env("", no_env, &diags, &c), 0);
	assert_int_equal(config_require(c, 0, &diags), 0);
	assert_int_equal(
	    config_require(
		c, CONFIG_NEED_CONTROLLER | CONFIG_NEED_GIT | CONFIG_NEED_CLUSTER, &diags),
	    -1);
	/* id, url, endpoints, token */
	assert_int_equal(diags.n, 4);
	for (size_t i = 0; i < diags.n; i++)
		assert_int_equal(diags.v[i].code, DIAG_MISSING_KEY);
	assert_non_null(strstr(diags.v[1].hint, "RAMET_GIT_URL"));
	assert_non_null(strstr(diags.v[3].msg, "cluster.token_file"));
}

static struct config *with_token(const char *text, mode_t mode, struct diags *diags, int *ret_rc)
{
	struct config *c = NULL;
	static const char file[] = "cluster: {endpoints: ['https://a:8006'], token_file: token}";
	put("token", text, mode);
	assert_int_equal(parse_env(file, no_env, diags, &c), 0);
	*ret_rc = config_require(c, CONFIG_NEED_CLUSTER, diags);
	return c;
}

static char logged[1024];

static void keep_log(const char *line, void *arg)
{
	(void)arg;
	snprintf(logged, sizeof(logged), "%s", line);
}

static void secrets_come_from_files(void **state)
{
	(void)state;
	int rc;
	_cleanup_diags_ struct diags diags = {0};
	_cleanup_config_ struct config *c =
	    with_token("u@pve!t=11111111-2222\n", 0600, &diags, &rc);
	assert_int_equal(rc, 0);
	assert_int_equal(diags.n, 0);
	assert_string_equal(c->cluster_token.value, "u@pve!t=11111111-2222");
	log_set_sink(keep_log, NULL);
	log_info("test", "header u@pve!t=11111111-2222, alone 11111111-2222");
	log_set_sink(NULL, NULL);
	assert_non_null(strstr(logged, "header"));
	assert_null(strstr(logged, "1111"));

	/* As in the header of a request. */
	_cleanup_config_ struct config *header =
	    with_token("PVEAPIToken=u@pve!t=77777777-1111\n", 0600, &diags, &rc);
	assert_int_equal(rc, 0);
	assert_string_equal(header->cluster_token.value, "u@pve!t=77777777-1111");

	/* Everybody may read it: said, not refused. */
	_cleanup_config_ struct config *loose = with_token("u@pve!t=33333333", 0644, &diags, &rc);
	assert_string_equal(loose->cluster_token.value, "u@pve!t=33333333");
	assert_int_equal(rc, 0);
	assert_int_equal(diags.n, 1);
	assert_int_equal(diags.v[0].code, DIAG_LOOSE_SECRET);
}

static void authority_is_missing(void **state)
{
	(void)state;
	_cleanup_diags_ struct diags diags = {0};
	_cleanup_config_ struct config *c = NULL;
	put("token", "u@pve!t=88888888-1111\n", 0600);
	assert_int_equal(parse_env("cluster: {endpoints: ['https://a:8006'], token_file: token, "
				   "ca_file: /nonexistent/ca.pem}",
			     no_env, &diags, &c),
	    0);
	assert_int_equal(config_require(c, CONFIG_NEED_CLUSTER, &diags), -1);
	assert_int_equal(diags.n, 1);
	assert_non_null(strstr(diags.v[0].hint, "/etc/pve/pve-root-ca.pem"));
}

static void bad_secrets_are_refused(void **state)
{
	(void)state;
	static const char *const texts[] = {"", "\n", "not a token", "u@pve!t=", "@pve!t=x",
	    "u@pve!t=x\nsecond line\n", "u@pve!t=\x01"};
	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		int rc;
		_cleanup_diags_ struct diags diags = {0};
		_cleanup_config_ struct config *c = with_token(texts[i], 0600, &diags, &rc);
		assert_non_null(c);
		assert_int_equal(rc, -1);
		assert_int_equal(diags.n, 1);
		assert_non_null(diags.v[0].hint);
	}
	_cleanup_diags_ struct diags diags = {0};
	_cleanup_config_ struct config *c = NULL;
	assert_int_equal(parse_env("git: {url: 'https://h/x', password_file: /nonexistent/p}",
			     no_env, &diags, &c),
	    0);
	assert_int_equal(config_require(c, CONFIG_NEED_GIT, &diags), -1);
	assert_int_equal(diags.v[0].code, DIAG_UNREADABLE);
	assert_non_null(strstr(diags.v[0].msg, "git.password_file"));
	/* A device would never end. */
	_cleanup_config_ struct config *dev = NULL;
	assert_int_equal(
	    parse_env("git: {url: 'https://h/x', password_file: /dev/zero}", no_env, &diags, &dev),
	    0);
	assert_int_equal(config_require(dev, CONFIG_NEED_GIT, &diags), -1);
}

/* Others open these files later; a wrong name is told with its setting before anything begins. */
static void files_of_others_are_looked_at(void **state)
{
	(void)state;
	static const struct {
		const char *url, *key;
		unsigned need;
	} rows[] = {
	    {"ssh://git@h/x", "git.ssh_key_file", CONFIG_NEED_GIT},
	    {"ssh://git@h/x", "git.known_hosts_file", CONFIG_NEED_GIT},
	    {"https://h/x", "git.ca_file", CONFIG_NEED_GIT},
	    {"https://h/x", "git.client_key_file", CONFIG_NEED_GIT},
	    {"https://h/x", "git.verify.keyring_file", CONFIG_NEED_GIT},
	    {"https://h/x", "report.signing_key_file", CONFIG_NEED_GIT},
	    {"https://h/x", "cluster.ca_file", CONFIG_NEED_CLUSTER},
	};
	static const char *const states[] = {"/nonexistent/f", "/dev/zero"};
	put("token", "u@pve!t=66666666\n", 0600);
	put("there", "x\n", 0600);
	for (size_t i = 0; i < ARRAY_LEN(rows) * ARRAY_LEN(states); i++) {
		size_t r = i / ARRAY_LEN(states);
		_cleanup_diags_ struct diags diags = {0};
		_cleanup_config_ struct config *c = NULL;
		char text[1024];
		bool ssh = text_starts(rows[r].url, "ssh");
		snprintf(text, sizeof(text),
		    "git: {url: '%s'%s%s}\ncluster: {endpoints: ['https://a:8006'], token_file: "
		    "token}\n",
		    rows[r].url,
		    ssh && !strstr(rows[r].key, "ssh_key") ? ", ssh_key_file: there" : "",
		    ssh && !strstr(rows[r].key, "known") ? ", known_hosts_file: there" : "");
		_cleanup_str_ char *name = mem_printf("RAMET_%s=%s", rows[r].key, states[i % 2]);
		for (char *p = name + 6; *p != '='; p++)
			*p = *p == '.' ? '_' : (char)(*p >= 'a' && *p <= 'z' ? *p - 32 : *p);
		char *const env[] = {name, NULL};
		assert_int_equal(parse_env(text, env, &diags, &c), 0);
		assert_int_equal(config_require(c, rows[r].need, &diags), -1);
		assert_int_equal(diags.n, 1);
		assert_int_equal(diags.v[0].code, DIAG_UNREADABLE);
		assert_non_null(strstr(diags.v[0].msg, rows[r].key));
		assert_non_null(strstr(diags.v[0].msg, states[i % 2]));
		assert_non_null(diags.v[0].hint);
	}
}

static struct config *with_key(const char *url, const char *key, struct diags *diags, int *ret_rc)
{
	struct config *c = NULL;
	_cleanup_str_ char *text =
	    mem_printf("git: {url: '%s', ssh_key_file: %s, known_hosts_file: there}\n", url, key);
	put("there", "x\n", 0644);
	assert_int_equal(parse_env(text, no_env, diags, &c), 0);
	*ret_rc = config_require(c, CONFIG_NEED_GIT, diags);
	return c;
}

static void a_key_is_a_secret(void **state)
{
	(void)state;
	int rc;
	_cleanup_diags_ struct diags diags = {0};
	put("loose", "key\n", 0644);
	put("empty", "", 0600);
	put("good", "key\n", 0600);
	_cleanup_config_ struct config *good = with_key("ssh://git@h/x", "good", &diags, &rc);
	assert_non_null(good);
	assert_int_equal(rc, 0);
	assert_int_equal(diags.n, 0);
	_cleanup_config_ struct config *loose = with_key("ssh://git@h/x", "loose", &diags, &rc);
	assert_non_null(loose);
	assert_int_equal(rc, 0);
	assert_int_equal(diags.n, 1);
	assert_int_equal(diags.v[0].code, DIAG_LOOSE_SECRET);
	_cleanup_config_ struct config *empty = with_key("ssh://git@h/x", "empty", &diags, &rc);
	assert_non_null(empty);
	assert_int_equal(rc, -1);
	assert_int_equal(diags.n, 2);
	assert_non_null(strstr(diags.v[1].msg, "git.ssh_key_file: empty is empty"));
	/* What another kind of address does not use need not be there. */
	_cleanup_config_ struct config *unused = with_key("https://h/x", "gone", &diags, &rc);
	assert_non_null(unused);
	assert_int_equal(rc, 0);
	assert_int_equal(diags.n, 2);
}

static void what_changed_is_named(void **state)
{
	(void)state;
	int rc;
	_cleanup_diags_ struct diags diags = {0};
	_cleanup_config_ struct config *a = with_token("u@pve!t=44444444", 0600, &diags, &rc);
	_cleanup_config_ struct config *b = with_token("u@pve!t=44444444", 0600, &diags, &rc);
	_cleanup_config_ struct config *c = with_token("u@pve!t=55555555", 0600, &diags, &rc);
	_cleanup_strs_ struct strs none = {0}, one = {0}, two = {0};
	config_diff(a, b, &none);
	assert_int_equal(none.n, 0);
	config_diff(a, c, &one);
	assert_int_equal(one.n, 1);
	assert_string_equal(one.v[0], "cluster.token_file");
	_cleanup_config_ struct config *d = NULL, *e = NULL;
	assert_int_equal(
	    parse_env("controller: {id: a}\ngit: {interval: 10s}", no_env, &diags, &d), 0);
	assert_int_equal(
	    parse_env("controller: {id: b}\ngit: {interval: 10s}\npolicy: {nodes: [x]}", no_env,
		&diags, &e),
	    0);
	config_diff(d, e, &two);
	assert_int_equal(two.n, 2);
	assert_string_equal(two.v[0], "controller.id");
	assert_string_equal(two.v[1], "policy.nodes");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(nothing_set_is_all_defaults),
	    cmocka_unit_test(the_file_is_read),
	    cmocka_unit_test(the_environment_wins),
	    cmocka_unit_test(what_is_wrong_is_found_where_it_stands),
	    cmocka_unit_test(all_findings_come_at_once),
	    cmocka_unit_test(a_fingerprint_and_a_ca_exclude_each_other),
	    cmocka_unit_test(the_default_file_is_found),
	    cmocka_unit_test(what_a_command_needs_is_asked_for),
	    cmocka_unit_test(secrets_come_from_files),
	    cmocka_unit_test(authority_is_missing),
	    cmocka_unit_test(bad_secrets_are_refused),
	    cmocka_unit_test(files_of_others_are_looked_at),
	    cmocka_unit_test(a_key_is_a_secret),
	    cmocka_unit_test(what_changed_is_named),
	};
	return cmocka_run_group_tests(tests, make_dir, drop_dir);
}
