/*
 * httpcfix: what tests of the HTTP client share: a server with its certificates, a client, an
 * answer.
 *
 * Not the server itself (tlsserver.h).
 *
 * Static state of one test program.
 *
 * Test programs.
 */
#ifndef RAMET_HTTPCFIX_H
#define RAMET_HTTPCFIX_H

#include "httpc.h"
#include "tlsserver.h"

#define WAIT_MS 90000 /* no test waits that long unless it fails */

struct fixture {
	char dir[64];
	struct identity ca, other_ca, leaf;
	struct tlsserver server;
};

static struct fixture fx;

struct answer {
	struct loop *l;
	int calls;
	enum httpc_outcome outcome;
	int status;
	char reason[128], detail[512];
	char body[65536];
	size_t body_len;
	enum tlstrust trust;
	bool timed_out;
	/* for requests that answers set off */
	struct httpc *c;
	httpc_id *cancel;
};

static UNUSED int set_up(void **state UNUSED)
{
	snprintf(fx.dir, sizeof(fx.dir), "/tmp/ramet-net-XXXXXX");
	MUST(mkdtemp(fx.dir));
	identity_init(&fx.ca, fx.dir, "ca", NULL, NULL);
	identity_init(&fx.other_ca, fx.dir, "other-ca", NULL, NULL);
	identity_init(&fx.leaf, fx.dir, "leaf", "IP:127.0.0.1,DNS:localhost", &fx.ca);
	return 0;
}

static UNUSED int tear_down(void **state UNUSED)
{
	identity_fini(&fx.leaf);
	identity_fini(&fx.other_ca);
	identity_fini(&fx.ca);
	rmdir(fx.dir);
	return 0;
}

static UNUSED int start_server(void **state UNUSED)
{
	tlsserver_start(&fx.server, &fx.leaf);
	return 0;
}

static UNUSED int stop_server(void **state UNUSED)
{
	tlsserver_stop(&fx.server);
	return 0;
}

static UNUSED void keep(void *arg, const struct httpc_reply *r)
{
	struct answer *a = arg;
	a->calls++;
	a->outcome = r->outcome;
	a->status = r->status;
	a->trust = r->trust;
	a->timed_out = r->timed_out;
	a->body_len = r->body_len;
	assert_int_equal(strlen(r->body), r->body_len);
	snprintf(a->reason, sizeof(a->reason), "%s", r->reason);
	snprintf(a->body, sizeof(a->body), "%s", r->body);
	snprintf(a->detail, sizeof(a->detail), "%s", r->detail ? r->detail : "");
	assert_true((r->outcome == HTTPC_REPLIED) == (r->detail == NULL));
}

static UNUSED void too_late(void *arg)
{
	*(bool *)arg = true;
}

/* Turns until all of n answers have come. */
static UNUSED void wait_for(struct loop *l, const struct answer *a, size_t n)
{
	bool late = false;
	timer_id guard = clock_timer(loop_clock(l), WAIT_MS, too_late, &late);
	for (size_t i = 0; i < n && !late;) {
		if (a[i].calls > 0)
			i++;
		else
			assert_int_equal(loop_turn(l, NULL), 0);
	}
	assert_false(late);
	clock_cancel(loop_clock(l), &guard);
}

struct client {
	struct loop *l;
	struct httpc *c;
};

static UNUSED void client_fini(struct client *cl)
{
	httpc_free(&cl->c);
	loop_free(&cl->l);
}
#define _cleanup_client_ _cleanup_(client_fini)

static UNUSED struct client client_of(const struct httpc_opts *opts)
{
	struct client cl = {0};
	assert_int_equal(loop_new(&cl.l, NULL), 0);
	assert_int_equal(httpc_new(cl.l, opts, &cl.c, NULL), 0);
	return cl;
}

static UNUSED struct client trusting_client(void)
{
	return client_of(&(struct httpc_opts){.ca_file = fx.ca.path});
}

static UNUSED httpc_id ask(
    struct client *cl, const char *method, const char *path, struct answer *a)
{
	char url[256];
	tlsserver_url(&fx.server, path, url);
	*a = (struct answer){0};
	struct httpc_request req = {.method = method, .url = url, .timeout_ms = WAIT_MS};
	httpc_id id = httpc_submit(cl->c, &req, keep, a);
	assert_int_equal(a->calls, 0);
	return id;
}

static UNUSED void ask_and_wait(
    struct client *cl, const char *method, const char *path, struct answer *a)
{
	ask(cl, method, path, a);
	wait_for(cl->l, a, 1);
	assert_int_equal(a->calls, 1);
}

#endif
