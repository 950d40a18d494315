/* One call at a time to a simulated cluster, for the tests of the engine. */
#ifndef RAMET_SIM_CLIENT_H
#define RAMET_SIM_CLIENT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "jsn.h"
#include "sim.h"

#define ADMIN "PVEAPIToken=root@pam!admin=6f1c6e0c-5c1d-4f0e-9a59-000000000001"
#define OPS "PVEAPIToken=ops@pam!laptop=6f1c6e0c-5c1d-4f0e-9a59-000000000002"
#define CTL "PVEAPIToken=ramet@pve!ctl=6f1c6e0c-5c1d-4f0e-9a59-000000000003"

struct answer {
	bool there;
	enum sim_cut cut;
	int status;
	char *reason;
	char *text;
	struct jsn *body;
	const struct jsn *data;
	int64_t at;
};

struct client {
	struct sim *sim;
	const char *auth;
	const char *node;
	struct answer a;
};

UNUSED static void answer_fini(struct answer *a)
{
	free(a->reason);
	free(a->text);
	jsn_free(&a->body);
	*a = (struct answer){0};
}

UNUSED static void client_got(void *arg, const struct sim_reply *r)
{
	struct client *c = arg;

	answer_fini(&c->a);
	c->a.there = true;
	c->a.cut = r->cut;
	c->a.status = r->status;
	c->a.at = sim_now(c->sim);
	if (r->cut == SIM_CUT_REFUSED || r->cut == SIM_CUT_RESET)
		return;
	c->a.reason = mem_strdup(r->reason);
	c->a.text = mem_strndup(r->body, r->len);
	if (r->len && r->cut == SIM_CUT_NONE)
		assert_int_equal(jsn_parse(r->body, r->len, &c->a.body, NULL), 0);
	c->a.data = jsn_get(c->a.body, "data");
}

/* Parameters as "key=value&key=value", not encoded. */
UNUSED static void params_of(const char *text, struct kv *ret)
{
	_cleanup_str_ char *copy = mem_strdup(text);
	char *rest = copy, *part;

	while (copy && (part = strsep(&rest, "&"))) {
		char *eq = strchr(part, '=');

		if (!eq)
			continue;
		*eq = '\0';
		kv_set(ret, part, eq + 1);
	}
}

UNUSED static void client_send(
    struct client *c, const char *method, const char *path, const char *params)
{
	_cleanup_kv_ struct kv p = {0};
	struct sim_req req = {.method = method,
	    .path = path,
	    .params = &p,
	    .authorization = c->auth ? c->auth : ADMIN,
	    .node = c->node};

	params_of(params, &p);
	answer_fini(&c->a);
	sim_submit(c->sim, &req, client_got, c);
}

/* Sends and lets the clock run until the answer is there; its status. */
UNUSED static int call(struct client *c, const char *method, const char *path, const char *params)
{
	client_send(c, method, path, params);
	while (!c->a.there) {
		assert_true(sim_next_event(c->sim) >= 0);
		sim_run_until(c->sim, sim_next_event(c->sim));
	}
	return c->a.status;
}

/* The same, then follows the task to its end; its exit status, valid until the next call. */
UNUSED static const char *call_task(
    struct client *c, const char *method, const char *path, const char *params)
{
	_cleanup_str_ char *upid = NULL;
	_cleanup_str_ char *enc = NULL;
	_cleanup_str_ char *status = NULL;
	_cleanup_str_ char *node = NULL;

	if (call(c, method, path, params) != 200) {
		print_error("%s %s: %d %s %s\n", method, path, c->a.status, c->a.reason, c->a.text);
		return NULL;
	}
	upid = mem_strdup(jsn_text(c->a.data));
	assert_non_null(upid);
	enc = text_url_encode(upid);
	node = mem_strndup(upid + 5, strcspn(upid + 5, ":"));
	status = mem_printf("/nodes/%s/tasks/%s/status", node, enc);
	do {
		sim_run_until(c->sim, sim_now(c->sim) + 100);
		assert_int_equal(call(c, "GET", status, NULL), 200);
	} while (!strcmp(jsn_get_text(c->a.data, "status"), "running"));
	return jsn_get_text(c->a.data, "exitstatus");
}

/* Error text of a parameter in the last answer. */
UNUSED static const char *param_error(const struct client *c, const char *key)
{
	return jsn_get_text(jsn_get(c->a.body, "errors"), key);
}

UNUSED static char *file_text(const char *path)
{
	FILE *f = fopen(path, "r");
	char *text = mem_alloc(1 << 20);
	size_t n;

	assert_non_null(f);
	n = fread(text, 1, (1 << 20) - 1, f);
	text[n] = '\0';
	fclose(f);
	return text;
}

UNUSED static void client_of(
    struct client *c, const char *yaml, const char *name, const char *version)
{
	struct err *e = NULL;
	const struct sim_opts o = {
	    .seed_yaml = yaml, .seed_name = name, .version = version, .random = 1, .journal = true};

	*c = (struct client){0};
	if (sim_new(&o, &c->sim, &e) < 0)
		fail_msg("%s", err_msg(e));
}

UNUSED static void client_init(struct client *c, const char *version)
{
	_cleanup_str_ char *yaml = file_text(RAMET_SOURCE_DIR "/tests/fixtures/sim/demo.yaml");

	client_of(c, yaml, "demo.yaml", version);
}

UNUSED static void client_fini(struct client *c)
{
	answer_fini(&c->a);
	sim_free(&c->sim);
}

/* A client of a cluster of its own, for cmocka's set-up and tear-down. */
UNUSED static int client_of_seed(
    void **state, const char *seed, const char *version, const char *auth)
{
	static struct client c;
	struct err *e = NULL;
	const struct sim_opts o = {
	    .seed_yaml = seed, .seed_name = "seed", .version = version, .random = 5};

	c = (struct client){.auth = auth};
	if (sim_new(&o, &c.sim, &e) < 0)
		fail_msg("%s", err_msg(e));
	*state = &c;
	return 0;
}

UNUSED static int client_done(void **state)
{
	client_fini(*state);
	return 0;
}

#endif
