#include "portfix.h"

static void a_call_goes_out_as_pve_wants_it(void **state)
{
	(void)state;
	static struct answer a;
	open_port(t.ca.path, t.a.port, 0);
	_cleanup_kv_ struct kv params = {0};
	kv_set(&params, "tags", "b;a c+");
	kv_set(&params, "digest", "x");
	ask_of("PUT", "/nodes/pve1/qemu/100/config/echo", &params, NULL, &a);
	wait_for(&a);
	assert_int_equal(a.transport, CLUSTER_REPLIED);
	assert_int_equal(a.status, 200);
	assert_string_equal(a.reason, "OK");
	assert_non_null(
	    strstr(a.body, "PUT /api2/json/nodes/pve1/qemu/100/config/echo HTTP/1.1\r\n"));
	assert_non_null(strstr(a.body, "\r\nAuthorization: PVEAPIToken=" TOKEN "\r\n"));
	assert_string_equal(strstr(a.body, "\r\n\r\n") + 4, "digest=x&tags=b%3Ba%20c%2B");

	/* Neither a GET nor a DELETE has a body. */
	ask_of("DELETE", "/nodes/pve1/qemu/100/echo", &params, NULL, &a);
	wait_for(&a);
	assert_non_null(strstr(a.body,
	    "DELETE /api2/json/nodes/pve1/qemu/100/echo?digest=x&tags=b%3Ba%20c%2B HTTP/1.1\r\n"));
	assert_string_equal(strstr(a.body, "\r\n\r\n"), "\r\n\r\n");
	ask("POST", "/nodes/pve1/qemu/100/status/start/echo", &a);
	assert_non_null(strstr(a.body, "\r\nContent-Length: 0\r\n"));
}

static void the_reason_phrase_arrives(void **state)
{
	(void)state;
	static struct answer a;
	open_port(t.ca.path, t.a.port, 0);
	ask("POST", "/reason", &a);
	assert_int_equal(a.transport, CLUSTER_REPLIED);
	assert_int_equal(a.status, 500);
	assert_string_equal(a.reason, "VM is locked (clone)");
	assert_string_equal(a.body, "{\"data\":null}");
}

static void a_foreign_certificate_sends_nothing(void **state)
{
	(void)state;
	static struct answer a;
	open_port(t.other_ca.path, t.a.port, t.b.port);
	ask("POST", "/ok", &a);
	assert_int_equal(a.transport, CLUSTER_NOT_SENT);
	assert_int_equal(a.trust, TLSTRUST_UNKNOWN);
	assert_non_null(strstr(a.detail, "certificate"));
	assert_int_equal(
	    atomic_load(&t.a.shared->requests) + atomic_load(&t.b.shared->requests), 0);
	assert_string_equal(t.a.shared->last_auth, "");
}

static void another_endpoint_is_asked(void **state)
{
	(void)state;
	static struct answer a;
	int dead;
	int fd = bind_loopback(&dead); /* bound, but nobody listens */
	open_port(t.ca.path, dead, t.b.port);
	/* Not sent to the first, so it may go to the second: even a POST. */
	ask("POST", "/ok", &a);
	assert_int_equal(a.transport, CLUSTER_REPLIED);
	assert_int_equal(atomic_load(&t.b.shared->requests), 1);
	ask("GET", "/ok", &a);
	assert_int_equal(a.transport, CLUSTER_REPLIED);
	close(fd);
}

static void what_was_cut_goes_nowhere_else(void **state)
{
	(void)state;
	static struct answer a;
	open_port(t.ca.path, t.a.port, t.b.port);
	ask("POST", "/reset", &a);
	assert_int_equal(a.transport, CLUSTER_CUT);
	assert_int_equal(atomic_load(&t.a.shared->requests), 1);
	assert_int_equal(atomic_load(&t.b.shared->requests), 0);
	/* The next one tries its luck with the other. */
	ask("GET", "/ok", &a);
	assert_int_equal(a.status, 200);
	assert_int_equal(atomic_load(&t.b.shared->requests), 1);
}

static void all_endpoints_down_is_not_sent(void **state)
{
	(void)state;
	static struct answer a;
	int dead_a, dead_b;
	int fd_a = bind_loopback(&dead_a), fd_b = bind_loopback(&dead_b);
	open_port(t.ca.path, dead_a, dead_b);
	/* Also when both are being left alone: then there is nothing else to ask. */
	for (int i = 0; i < 2; i++) {
		ask("POST", "/ok", &a);
		assert_int_equal(a.transport, CLUSTER_NOT_SENT);
		assert_int_equal(a.trust, TLSTRUST_FINE);
		char both[64];
		snprintf(both, sizeof(both), "127.0.0.1:%d", dead_a);
		assert_non_null(strstr(a.detail, both));
		snprintf(both, sizeof(both), "127.0.0.1:%d", dead_b);
		assert_non_null(strstr(a.detail, both));
	}
	close(fd_a);
	close(fd_b);
}

static void a_call_goes_to_the_node_it_concerns(void **state)
{
	(void)state;
	static struct answer a;
	snprintf(t.a.shared->node, sizeof(t.a.shared->node), "pve1");
	/* A node is called what its host is called, in any case. */
	snprintf(t.b.shared->node, sizeof(t.b.shared->node), "PVE2");
	open_port(t.ca.path, t.a.port, t.b.port);
	assert_string_equal(pveport_port(t.p)->ops->entry(pveport_port(t.p)), "");
	ask("GET", "/cluster/status", &a);
	assert_string_equal(pveport_port(t.p)->ops->entry(pveport_port(t.p)), "pve1");
	/* The other one was asked besides: which node is it? */
	while (
	    atomic_load(&t.b.shared->status_calls) == 0 || atomic_load(&t.b.shared->in_flight) > 0)
		assert_int_equal(loop_turn(t.l, NULL), 0);
	/* Its answer may still be on the way; then the call goes to pve1, which passes it on. */
	for (int i = 0; i < 50 && atomic_load(&t.b.shared->requests) == 0; i++) {
		ask_of("GET", "/ok", NULL, "PVE2", &a);
		wait_for(&a);
	}
	assert_int_equal(atomic_load(&t.b.shared->requests), 1);
	int before = atomic_load(&t.a.shared->requests);
	ask_of("POST", "/ok", NULL, "pve1", &a);
	wait_for(&a);
	assert_int_equal(atomic_load(&t.a.shared->requests), before + 1);
	assert_int_equal(atomic_load(&t.b.shared->status_calls), 1);
	/* When the own endpoint fails, any other will do. */
	ask_of("GET", "/reset", NULL, "pve1", &a);
	wait_for(&a);
	ask_of("GET", "/ok", NULL, "pve1", &a);
	wait_for(&a);
	assert_int_equal(a.status, 200);
	assert_int_equal(atomic_load(&t.b.shared->requests), 2);
}

/* An endpoint of another cluster: nothing of what is asked reaches it, not even when the right one
 * is down, or when the call concerns a node that it is called like. */
static void another_cluster_is_not_asked(void **state)
{
	(void)state;
	static struct answer a;
	call_them("pve1", "pve2");
	snprintf(t.b.shared->cluster, sizeof(t.b.shared->cluster), "theirs");
	open_port(t.ca.path, t.a.port, t.b.port);
	ask("GET", "/cluster/status", &a);
	ask_of("POST", "/ok", NULL, "pve2", &a);
	wait_for(&a);
	assert_int_equal(a.status, 200);
	ask("POST", "/reset", &a); /* the right one fails */
	assert_int_equal(a.transport, CLUSTER_CUT);
	for (int i = 0; i < 3; i++) {
		ask_of("POST", "/ok", NULL, "pve2", &a);
		wait_for(&a);
		assert_int_equal(a.status, 200);
	}
	assert_int_equal(requests_of(&t.b), 0);
	assert_int_equal(requests_of(&t.a), 5);
}

/* The right one is down: what the other one is, is asked before anything is sent to it. */
static void another_cluster_is_found_out_before_a_write(void **state)
{
	(void)state;
	static struct answer a;
	call_them("pve1", "pve2");
	open_port(t.ca.path, t.a.port, t.b.port);
	ask("GET", "/cluster/status", &a);
	while (requests_of(&t.b) == 0) { /* until it is known */
		ask_of("GET", "/ok", NULL, "pve2", &a);
		wait_for(&a);
	}
	ask_of("GET", "/reset", NULL, "pve2", &a); /* down for a moment, ... */
	wait_for(&a);
	snprintf(t.b.shared->cluster, sizeof(t.b.shared->cluster), "theirs"); /* ... and back */
	int before = requests_of(&t.b);
	ask("POST", "/reset", &a);
	ask_of("POST", "/ok", NULL, "pve2", &a);
	wait_for(&a);
	assert_int_equal(requests_of(&t.b), before);
}

/* A node without quorum that still answers is left for one that has it. */
static void who_has_quorum_is_asked(void **state)
{
	(void)state;
	static struct answer a;
	call_them("pve1", "pve2");
	atomic_store(&t.a.shared->no_quorum, 1);
	open_port(t.ca.path, t.a.port, t.b.port);
	ask("GET", "/cluster/status", &a);
	assert_non_null(strstr(a.body, "\"quorate\":0"));
	ask("GET", "/cluster/status", &a);
	assert_non_null(strstr(a.body, "\"quorate\":1"));
	assert_string_equal(pveport_port(t.p)->ops->entry(pveport_port(t.p)), "pve2");
	int before = requests_of(&t.a);
	ask_of("POST", "/ok", NULL, "pve1", &a);
	wait_for(&a);
	assert_int_equal(requests_of(&t.a), before);
	/* When both have none, any will do. */
	atomic_store(&t.b.shared->no_quorum, 1);
	ask("GET", "/cluster/status", &a);
	ask("GET", "/ok", &a);
	assert_int_equal(a.status, 200);
}

/* 595: the one asked could not connect to the node. Another one may; a write was not done. */
static void another_way_to_a_node_is_tried(void **state)
{
	(void)state;
	static struct answer a;
	call_them("pve1", "pve2");
	open_port(t.ca.path, t.a.port, t.b.port);
	ask("GET", "/cluster/status", &a);
	atomic_store(&t.a.shared->away, 1);
	ask_of("POST", "/ok", NULL, "pve3", &a);
	wait_for(&a);
	assert_int_equal(a.status, 200);
	assert_int_equal(requests_of(&t.a), 1);
	assert_int_equal(requests_of(&t.b), 1);
	/* Nobody can: it is told, after one attempt each. */
	atomic_store(&t.b.shared->away, 1);
	ask_of("POST", "/ok", NULL, "pve3", &a);
	wait_for(&a);
	assert_int_equal(a.status, 595);
	assert_int_equal(requests_of(&t.a), 2);
	assert_int_equal(requests_of(&t.b), 2);
}

/* One endpoint refuses the token and the other accepts it: that one is asked, and nothing stops. */
static void one_that_refuses_the_token_is_left(void **state)
{
	(void)state;
	static struct answer a;
	call_them("pve1", "pve2");
	snprintf(t.a.shared->good_token, sizeof(t.a.shared->good_token), "another");
	open_port(t.ca.path, t.a.port, t.b.port);
	ask("GET", "/ok", &a);
	assert_int_equal(a.status, 200);
	ask("POST", "/ok", &a);
	assert_int_equal(a.status, 200);
	assert_int_equal(requests_of(&t.a), 1);
	assert_int_equal(requests_of(&t.b), 2);
}

/* All refuse it: each is asked once, and then nobody. */
static void a_token_that_all_refuse(void **state)
{
	(void)state;
	static struct answer a;
	snprintf(t.a.shared->good_token, sizeof(t.a.shared->good_token), "another");
	snprintf(t.b.shared->good_token, sizeof(t.b.shared->good_token), "another");
	open_port(t.ca.path, t.a.port, t.b.port);
	ask("GET", "/ok", &a);
	assert_int_equal(a.status, 401);
	for (int i = 0; i < 3; i++) {
		ask("POST", "/ok", &a);
		assert_int_equal(a.status, 401);
	}
	assert_int_equal(requests_of(&t.a) + requests_of(&t.b), 2);
}

static void a_refused_token_stops_all_calls(void **state)
{
	(void)state;
	static struct answer a;
	snprintf(t.a.shared->good_token, sizeof(t.a.shared->good_token), "new");
	open_port(t.ca.path, t.a.port, 0);
	ask("GET", "/ok", &a);
	assert_int_equal(a.status, 401);
	assert_int_equal(t.token_reads, 1);
	assert_int_equal(atomic_load(&t.a.shared->requests), 1);
	/* Nothing more goes out for a minute. */
	for (int i = 0; i < 3; i++) {
		ask("POST", "/ok", &a);
		assert_int_equal(a.transport, CLUSTER_REPLIED);
		assert_int_equal(a.status, 401);
		assert_non_null(strstr(a.reason, "token"));
	}
	assert_int_equal(atomic_load(&t.a.shared->requests), 1);
}

static void wait_ms(int64_t ms)
{
	bool over = false;
	clock_timer(loop_clock(t.l), ms, too_late, &over);
	while (!over)
		assert_int_equal(loop_turn(t.l, NULL), 0);
}

static void one_call_tries_the_token_again(void **state)
{
	(void)state;
	static struct answer a, b;
	snprintf(t.a.shared->good_token, sizeof(t.a.shared->good_token), "99999999");
	char url[64];
	snprintf(url, sizeof(url), "https://127.0.0.1:%d", t.a.port);
	const char *urls[] = {url};
	struct pveport_opts o = {.endpoints = urls,
	    .n_endpoints = 1,
	    .token = TOKEN,
	    .read_token = read_token,
	    .ca_file = t.ca.path,
	    .probe_ms = 50};
	assert_int_equal(pveport_new(t.l, &o, &t.p, NULL), 0);
	ask("GET", "/ok", &a);
	assert_int_equal(a.status, 401);
	/* The first of two goes out, and fails; the other is answered on the spot. */
	wait_ms(50);
	ask_of("GET", "/ok", NULL, NULL, &a);
	ask_of("GET", "/ok", NULL, NULL, &b);
	wait_for(&a);
	wait_for(&b);
	assert_int_equal(a.status, 401);
	assert_int_equal(b.status, 401);
	assert_non_null(strstr(b.reason, "token"));
	assert_int_equal(atomic_load(&t.a.shared->requests), 2);
	/* A try that was given up makes room for the next. */
	wait_ms(50);
	cluster_id id = ask_of("GET", "/held", NULL, NULL, &a);
	cluster_cancel(pveport_port(t.p), &id);
	/* With the right token in the file all is well again. */
	t.token = "ramet@pve!ctl=99999999";
	ask("GET", "/ok", &a);
	assert_int_equal(a.status, 200);
	ask("POST", "/ok", &a);
	assert_int_equal(a.status, 200);
}

static void an_exchanged_token_is_taken_up(void **state)
{
	(void)state;
	static struct answer a;
	snprintf(t.a.shared->good_token, sizeof(t.a.shared->good_token), "99999999");
	open_port(t.ca.path, t.a.port, 0);
	t.token = "ramet@pve!ctl=99999999";
	ask("GET", "/ok", &a);
	assert_int_equal(a.status, 401);
	ask("GET", "/ok", &a);
	assert_int_equal(a.status, 200);
	assert_string_equal(
	    t.a.shared->last_auth, "Authorization: PVEAPIToken=ramet@pve!ctl=99999999");
	/* A file that holds rubbish for a moment does no harm. */
	snprintf(t.a.shared->good_token, sizeof(t.a.shared->good_token), "77777777");
	t.token = "half writ";
	ask("GET", "/ok", &a);
	assert_int_equal(a.status, 401);
	assert_string_equal(
	    t.a.shared->last_auth, "Authorization: PVEAPIToken=ramet@pve!ctl=99999999");
}

static void cancelled_calls_are_silent(void **state)
{
	(void)state;
	static struct answer a, b, c;
	open_port(t.ca.path, t.a.port, 0);
	cluster_id id = ask_of("GET", "/held", NULL, NULL, &a);
	while (atomic_load(&t.a.shared->in_flight) < 1)
		assert_int_equal(loop_turn(t.l, NULL), 0);
	cluster_id copy = id;
	cluster_cancel(pveport_port(t.p), &id);
	cluster_cancel(pveport_port(t.p), &copy);
	ask("GET", "/ok", &b);
	assert_int_equal(a.calls, 0);
	ask_of("GET", "/held", NULL, NULL, &c); /* dropped with the port */
}

static void what_cannot_work_is_refused(void **state)
{
	(void)state;
	const char *good[] = {"https://pve1:8006"};
	const char *plain[] = {"http://pve1:8006"}, *deep[] = {"https://pve1:8006/x"};
	const char *short_print[] = {"aa:bb"};
	const struct pveport_opts bad[] = {
	    {.token = TOKEN},
	    {.endpoints = plain, .n_endpoints = 1, .token = TOKEN},
	    {.endpoints = deep, .n_endpoints = 1, .token = TOKEN},
	    {.endpoints = good, .n_endpoints = 1},
	    {.endpoints = good, .n_endpoints = 1, .token = "password"},
	    {.endpoints = good, .n_endpoints = 1, .token = "a@b!c=d\r\nX: y"},
	    {.endpoints = good,
		.n_endpoints = 1,
		.token = TOKEN,
		.fingerprints = short_print,
		.n_fingerprints = 1},
	};
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		_cleanup_err_ struct err *err = NULL;
		assert_int_equal(pveport_new(t.l, &bad[i], &t.p, &err), -1);
		assert_int_equal(err->code, ERR_CONFIG);
		assert_null(t.p);
	}
	/* Parameters beyond what PVE takes are not sent in part. */
	static struct answer a;
	open_port(t.ca.path, t.a.port, 0);
	_cleanup_kv_ struct kv params = {0};
	char *large = mem_alloc(600000);
	memset(large, 'x', 599999);
	kv_set(&params, "description", large);
	ask_of("PUT", "/ok", &params, NULL, &a);
	wait_for(&a);
	assert_int_equal(a.transport, CLUSTER_NOT_SENT);
	assert_int_equal(atomic_load(&t.a.shared->requests), 0);
	free(large);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(a_call_goes_out_as_pve_wants_it),
	    TEST(the_reason_phrase_arrives),
	    TEST(a_foreign_certificate_sends_nothing),
	    TEST(another_endpoint_is_asked),
	    TEST(what_was_cut_goes_nowhere_else),
	    TEST(all_endpoints_down_is_not_sent),
	    TEST(a_call_goes_to_the_node_it_concerns),
	    TEST(another_cluster_is_not_asked),
	    TEST(another_cluster_is_found_out_before_a_write),
	    TEST(who_has_quorum_is_asked),
	    TEST(another_way_to_a_node_is_tried),
	    TEST(one_that_refuses_the_token_is_left),
	    TEST(a_token_that_all_refuse),
	    TEST(a_refused_token_stops_all_calls),
	    TEST(one_call_tries_the_token_again),
	    TEST(an_exchanged_token_is_taken_up),
	    TEST(cancelled_calls_are_silent),
	    TEST(what_cannot_work_is_refused),
	};
	log_setup(LOG_ERROR, false);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
