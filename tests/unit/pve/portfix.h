/*
 * portfix: the real cluster port before two scripted servers, for tests of it.
 *
 * Not a simulated cluster (tests/sim): the servers know no meaning (tlsserver.h).
 *
 * set_up and tear_down own everything.
 *
 * Test programs; everything is static, each program has its own.
 */
#ifndef RAMET_PORTFIX_H
#define RAMET_PORTFIX_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../net/tlsserver.h"
#include "log.h"
#include "pveport.h"

#define WAIT_MS 60000
#define TOKEN "ramet@pve!ctl=11111111-2222-3333-4444-555555555555"

struct answer {
	int calls;
	enum cluster_transport transport;
	int status;
	enum tlstrust trust;
	char reason[128], body[4096], detail[1024];
};

struct bench {
	char dir[64];
	struct identity ca, other_ca, leaf;
	struct tlsserver a, b;
	struct loop *l;
	struct pveport *p;
	/* what the token file would say */
	const char *token;
	int token_reads;
};

static struct bench t;

static UNUSED int set_up(void **state)
{
	(void)state;
	t = (struct bench){0};
	snprintf(t.dir, sizeof(t.dir), "/tmp/ramet-port-XXXXXX");
	MUST(mkdtemp(t.dir));
	identity_init(&t.ca, t.dir, "ca", NULL, NULL);
	identity_init(&t.other_ca, t.dir, "other-ca", NULL, NULL);
	identity_init(&t.leaf, t.dir, "leaf", "IP:127.0.0.1", &t.ca);
	tlsserver_start(&t.a, &t.leaf);
	tlsserver_start(&t.b, &t.leaf);
	t.token = TOKEN;
	return loop_new(&t.l, NULL);
}

static UNUSED int tear_down(void **state)
{
	(void)state;
	pveport_free(&t.p);
	loop_free(&t.l);
	tlsserver_stop(&t.a);
	tlsserver_stop(&t.b);
	identity_fini(&t.leaf);
	identity_fini(&t.other_ca);
	identity_fini(&t.ca);
	return rmdir(t.dir);
}

static UNUSED int read_token(void *arg, char **ret, struct err **err)
{
	(void)arg;
	(void)err;
	t.token_reads++;
	*ret = mem_strdup(t.token);
	return 0;
}

static UNUSED void open_port(const char *ca_file, int port_a, int port_b)
{
	char url_a[64], url_b[64];
	snprintf(url_a, sizeof(url_a), "https://127.0.0.1:%d", port_a);
	snprintf(url_b, sizeof(url_b), "https://127.0.0.1:%d", port_b);
	const char *urls[] = {url_a, url_b};
	struct pveport_opts o = {
	    .endpoints = urls,
	    .n_endpoints = port_b ? 2 : 1,
	    .token = TOKEN,
	    .read_token = read_token,
	    .ca_file = ca_file,
	};
	assert_int_equal(pveport_new(t.l, &o, &t.p, NULL), 0);
}

static UNUSED void keep(void *arg, const struct cluster_reply *r)
{
	struct answer *a = arg;
	a->calls++;
	a->transport = r->transport;
	a->status = r->status;
	a->trust = r->trust;
	snprintf(a->reason, sizeof(a->reason), "%s", r->reason);
	snprintf(a->body, sizeof(a->body), "%s", r->body);
	snprintf(a->detail, sizeof(a->detail), "%s", r->detail ? r->detail : "");
}

static UNUSED cluster_id ask_of(const char *method, const char *path, const struct kv *params,
    const char *node, struct answer *a)
{
	struct cluster_request req = {
	    .method = method, .path = path, .params = params, .node = node, .timeout_ms = WAIT_MS};
	*a = (struct answer){0};
	cluster_id id = cluster_submit(pveport_port(t.p), &req, keep, a);
	assert_int_equal(a->calls, 0);
	return id;
}

static UNUSED void too_late(void *arg)
{
	*(bool *)arg = true;
}

static UNUSED void wait_for(const struct answer *a)
{
	bool late = false;
	timer_id guard = clock_timer(loop_clock(t.l), WAIT_MS, too_late, &late);
	while (a->calls == 0 && !late)
		assert_int_equal(loop_turn(t.l, NULL), 0);
	assert_false(late);
	clock_cancel(loop_clock(t.l), &guard);
	assert_int_equal(a->calls, 1);
}

static UNUSED void ask(const char *method, const char *path, struct answer *a)
{
	ask_of(method, path, NULL, NULL, a);
	wait_for(a);
}

static UNUSED void call_them(const char *a, const char *b)
{
	snprintf(t.a.shared->node, sizeof(t.a.shared->node), "%s", a);
	snprintf(t.b.shared->node, sizeof(t.b.shared->node), "%s", b);
}

static UNUSED int requests_of(const struct tlsserver *s)
{
	return atomic_load(&s->shared->requests);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

#endif
