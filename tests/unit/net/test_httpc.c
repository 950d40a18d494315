#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "httpcfix.h"
#include "log.h"

static void an_answer_comes_whole(void **state UNUSED)
{
	_cleanup_client_ struct client cl = trusting_client();
	static struct answer a;
	ask_and_wait(&cl, "GET", "/ok", &a);
	assert_int_equal(a.outcome, HTTPC_REPLIED);
	assert_int_equal(a.status, 200);
	assert_string_equal(a.reason, "OK");
	assert_string_equal(a.body, "hello");
	ask_and_wait(&cl, "GET", "/reason", &a);
	assert_int_equal(a.status, 500);
	assert_string_equal(a.reason, "VM is locked (clone)");
	assert_string_equal(a.body, "{\"data\":null}");
}

static void the_request_goes_out_as_asked(void **state UNUSED)
{
	_cleanup_client_ struct client cl = trusting_client();
	static struct answer a;
	char url[256];
	tlsserver_url(&fx.server, "/echo?a=b%3Bc", url);
	const char *headers[] = {"Accept: application/json"};
	struct httpc_request req = {.method = "PUT",
	    .url = url,
	    .headers = headers,
	    .n_headers = 1,
	    .secret_header = "Authorization: PVEAPIToken=u@pve!t=secret",
	    .body = "tags=a%3Bb",
	    .body_len = 10,
	    .timeout_ms = WAIT_MS};
	a = (struct answer){0};
	httpc_submit(cl.c, &req, keep, &a);
	wait_for(cl.l, &a, 1);
	assert_non_null(strstr(a.body, "PUT /echo?a=b%3Bc HTTP/1.1\r\n"));
	assert_non_null(strstr(a.body, "\r\nAccept: application/json\r\n"));
	assert_non_null(strstr(a.body, "\r\nAuthorization: PVEAPIToken=u@pve!t=secret\r\n"));
	assert_non_null(strstr(a.body, "\r\nContent-Type: application/x-www-form-urlencoded\r\n"));
	assert_non_null(strstr(a.body, "\r\nContent-Length: 10\r\n"));
	assert_null(strstr(a.body, "Expect:"));
	assert_string_equal(strstr(a.body, "\r\n\r\n"), "\r\n\r\ntags=a%3Bb");

	/* A DELETE has no body, not even an empty one. */
	ask_and_wait(&cl, "DELETE", "/echo?purge=1", &a);
	assert_non_null(strstr(a.body, "DELETE /echo?purge=1 HTTP/1.1\r\n"));
	assert_null(strstr(a.body, "Content-Length"));
	assert_null(strstr(a.body, "Transfer-Encoding"));
	ask_and_wait(&cl, "POST", "/echo", &a);
	assert_non_null(strstr(a.body, "POST /echo HTTP/1.1\r\n"));
	assert_non_null(strstr(a.body, "\r\nContent-Length: 0\r\n"));
}

static void a_wrong_ca_is_refused_before_anything_is_sent(void **state UNUSED)
{
	_cleanup_client_ struct client cl =
	    client_of(&(struct httpc_opts){.ca_file = fx.other_ca.path});
	static struct answer a;
	ask_and_wait(&cl, "GET", "/ok", &a);
	assert_int_equal(a.outcome, HTTPC_NOT_SENT);
	assert_int_equal(a.trust, TLSTRUST_UNKNOWN);
	assert_int_equal(a.status, 0);
	assert_int_equal(atomic_load(&fx.server.shared->requests), 0);
}

static void the_system_does_not_know_our_ca(void **state UNUSED)
{
	_cleanup_client_ struct client cl = client_of(&(struct httpc_opts){0});
	static struct answer a;
	ask_and_wait(&cl, "GET", "/ok", &a);
	assert_int_equal(a.outcome, HTTPC_NOT_SENT);
	assert_int_equal(a.trust, TLSTRUST_UNKNOWN);
}

static void the_name_in_the_certificate_counts(void **state UNUSED)
{
	struct identity stranger;
	struct tlsserver server = fx.server;
	identity_init(&stranger, fx.dir, "stranger", "DNS:pve1.example.org", &fx.ca);
	tlsserver_start(&fx.server, &stranger);
	{
		_cleanup_client_ struct client cl = trusting_client();
		static struct answer a;
		ask_and_wait(&cl, "GET", "/ok", &a);
		assert_int_equal(a.outcome, HTTPC_NOT_SENT);
		assert_int_equal(a.trust, TLSTRUST_MISNAMED);
		/* Its fingerprint is proof enough, whatever it is called. */
		const char *pins[] = {fx.leaf.fingerprint, stranger.fingerprint};
		_cleanup_client_ struct client pinned =
		    client_of(&(struct httpc_opts){.fingerprints = pins, .n_fingerprints = 2});
		ask_and_wait(&pinned, "GET", "/ok", &a);
		assert_int_equal(a.outcome, HTTPC_REPLIED);
	}
	tlsserver_stop(&fx.server);
	identity_fini(&stranger);
	fx.server = server;
}

static void check_dated(long from, long to, enum tlstrust expected)
{
	struct identity dated;
	struct tlsserver server = fx.server;
	static struct answer a;
	identity_init(&dated, fx.dir, "dated", "IP:127.0.0.1", &fx.ca);
	identity_date(&dated, from, to, &fx.ca);
	tlsserver_start(&fx.server, &dated);
	{
		_cleanup_client_ struct client cl = trusting_client();
		ask_and_wait(&cl, "GET", "/ok", &a);
		assert_int_equal(a.outcome, HTTPC_NOT_SENT);
		assert_int_equal(a.trust, expected);
	}
	tlsserver_stop(&fx.server);
	identity_fini(&dated);
	fx.server = server;
}

static void the_time_of_a_certificate_counts(void **state UNUSED)
{
	check_dated(-7200, -3600, TLSTRUST_EXPIRED);
	check_dated(3600, 7200, TLSTRUST_EARLY);
}

static void copy_file(const char *from, const char *to)
{
	_cleanup_str_ char *command = mem_printf("cp %s %s", from, to);
	assert_int_equal(system(command), 0);
}

/* Read again without anybody asking for it: by who was refused after a second, not a minute. */
static void another_ca_file_is_taken_up(void **state UNUSED)
{
	_cleanup_str_ char *path = mem_printf("%s/trusted.pem", fx.dir);
	static struct answer a;
	copy_file(fx.other_ca.path, path);
	_cleanup_client_ struct client cl = client_of(&(struct httpc_opts){.ca_file = path});
	ask_and_wait(&cl, "GET", "/ok", &a);
	assert_int_equal(a.trust, TLSTRUST_UNKNOWN);
	copy_file(fx.ca.path, path);
	for (unsigned tries = 0; tries < 20000 && a.outcome != HTTPC_REPLIED; tries++)
		ask_and_wait(&cl, "GET", "/ok", &a);
	assert_int_equal(a.outcome, HTTPC_REPLIED);
	unlink(path);
	/* A file that is not there is named. */
	_cleanup_client_ struct client fresh = client_of(&(struct httpc_opts){.ca_file = path});
	ask_and_wait(&fresh, "GET", "/ok", &a);
	assert_int_equal(a.trust, TLSTRUST_UNKNOWN);
	assert_non_null(strstr(a.detail, path));
}

static void a_fingerprint_is_enough_and_the_wrong_one_is_not(void **state UNUSED)
{
	char colons[96] = "";
	for (size_t i = 0; i < 32; i++)
		snprintf(colons + strlen(colons), 4, "%s%c%c", i ? ":" : "",
		    fx.leaf.fingerprint[2 * i] & ~(fx.leaf.fingerprint[2 * i] >= 'a' ? 0x20 : 0),
		    fx.leaf.fingerprint[2 * i + 1]);
	const char *right[] = {colons}, *wrong[] = {fx.ca.fingerprint};
	static struct answer a;
	{
		_cleanup_client_ struct client cl =
		    client_of(&(struct httpc_opts){.fingerprints = right, .n_fingerprints = 1});
		ask_and_wait(&cl, "GET", "/ok", &a);
		assert_int_equal(a.outcome, HTTPC_REPLIED);
		ask_and_wait(&cl, "POST", "/ok", &a);
		assert_int_equal(a.outcome, HTTPC_REPLIED);
	}
	/* Also when a CA that would vouch for the server is given besides. */
	_cleanup_client_ struct client cl = client_of(&(struct httpc_opts){
	    .ca_file = fx.ca.path, .fingerprints = wrong, .n_fingerprints = 1});
	int before = atomic_load(&fx.server.shared->requests);
	ask_and_wait(&cl, "GET", "/ok", &a);
	assert_int_equal(a.outcome, HTTPC_NOT_SENT);
	assert_int_equal(a.trust, TLSTRUST_UNKNOWN);
	assert_non_null(strstr(a.detail, "fingerprint"));
	assert_non_null(strcasestr(a.detail, colons));
	/* The old one stands beside the new one. */
	for (size_t i = 0; i < 32; i++)
		snprintf(colons + 3 * i, 4, "%.2s%s", fx.ca.fingerprint + 2 * i, i < 31 ? ":" : "");
	assert_non_null(strcasestr(a.detail, colons));
	assert_int_equal(atomic_load(&fx.server.shared->requests), before);
}

static void bad_settings_are_refused(void **state UNUSED)
{
	_cleanup_loop_ struct loop *l = NULL;
	assert_int_equal(loop_new(&l, NULL), 0);
	const char *bad[] = {"", "00", "zz", fx.ca.path,
	    "00:11:22:33:44:55:66:77:88:99:aa:bb:cc:dd:ee:ff:00:11:22:33:44:55:66:77:88:99:aa:bb:"
	    "cc:dd:ee:"
	    "ff:00",
	    "00:11:22:33:44:55:66:77:88:99:aa:bb:cc:dd:ee:ff:00:11:22:33:44:55:66:77:88:99:aa:bb:"
	    "cc:dd:ee:"};
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		struct httpc *c = NULL;
		_cleanup_err_ struct err *err = NULL;
		struct httpc_opts o = {.fingerprints = &bad[i], .n_fingerprints = 1};
		assert_int_equal(httpc_new(l, &o, &c, &err), -1);
		assert_int_equal(err->code, ERR_CONFIG);
		assert_null(c);
	}
	_cleanup_client_ struct client cl = trusting_client();
	static struct answer a;
	struct httpc_request req = {.method = "GET", .url = "not a url", .timeout_ms = WAIT_MS};
	httpc_submit(cl.c, &req, keep, &a);
	assert_int_equal(a.calls, 0);
	wait_for(cl.l, &a, 1);
	assert_int_equal(a.outcome, HTTPC_NOT_SENT);
	/* Clear text only where it was asked for. */
	req.url = "http://127.0.0.1:1/";
	a = (struct answer){0};
	httpc_submit(cl.c, &req, keep, &a);
	wait_for(cl.l, &a, 1);
	assert_int_equal(a.outcome, HTTPC_NOT_SENT);
}

static void a_missing_ca_file_sends_nothing(void **state UNUSED)
{
	_cleanup_client_ struct client cl =
	    client_of(&(struct httpc_opts){.ca_file = "/nonexistent/ca.pem"});
	static struct answer a;
	ask_and_wait(&cl, "GET", "/ok", &a);
	assert_int_equal(a.outcome, HTTPC_NOT_SENT);
	assert_non_null(strstr(a.detail, "/nonexistent/ca.pem"));
}

static void a_silent_server_is_cut_at_the_timeout(void **state UNUSED)
{
	_cleanup_client_ struct client cl = trusting_client();
	static struct answer a;
	char url[256];
	tlsserver_url(&fx.server, "/silent", url);
	struct httpc_request req = {.method = "POST", .url = url, .timeout_ms = 300};
	/* On a slow machine the connection alone may take longer: then nothing was sent. */
	do {
		a = (struct answer){0};
		httpc_submit(cl.c, &req, keep, &a);
		wait_for(cl.l, &a, 1);
		assert_true(a.timed_out);
		req.timeout_ms *= 2;
	} while (a.outcome == HTTPC_NOT_SENT && req.timeout_ms < 120000);
	assert_int_equal(a.outcome, HTTPC_CUT);
	/* It reads what was sent when it comes to it. */
	for (int i = 0; i < WAIT_MS && !atomic_load(&fx.server.shared->requests); i++)
		nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
	assert_int_equal(atomic_load(&fx.server.shared->requests), 1);
}

static void a_server_that_never_shakes_hands_was_sent_nothing(void **state UNUSED)
{
	int port;
	int fd = bind_loopback(&port);
	assert_int_equal(listen(fd, 8), 0);
	_cleanup_client_ struct client cl = trusting_client();
	static struct answer a;
	char url[64];
	snprintf(url, sizeof(url), "https://127.0.0.1:%d/", port);
	struct httpc_request req = {.method = "POST", .url = url, .timeout_ms = 300};
	a = (struct answer){0};
	httpc_submit(cl.c, &req, keep, &a);
	wait_for(cl.l, &a, 1);
	assert_int_equal(a.outcome, HTTPC_NOT_SENT);
	assert_true(a.timed_out);
	assert_int_equal(a.trust, TLSTRUST_FINE);
	close(fd);
}

static void a_refused_port_was_sent_nothing(void **state UNUSED)
{
	int port;
	int fd = bind_loopback(&port); /* bound, but nobody listens */
	_cleanup_client_ struct client cl = trusting_client();
	static struct answer a;
	char url[64];
	snprintf(url, sizeof(url), "https://127.0.0.1:%d/x?secret=1", port);
	struct httpc_request req = {.method = "POST", .url = url, .timeout_ms = WAIT_MS};
	a = (struct answer){0};
	httpc_submit(cl.c, &req, keep, &a);
	wait_for(cl.l, &a, 1);
	assert_int_equal(a.outcome, HTTPC_NOT_SENT);
	assert_false(a.timed_out);
	assert_int_equal(a.trust, TLSTRUST_FINE);
	assert_non_null(strstr(a.detail, "POST https://127.0.0.1:"));
	assert_null(strstr(a.detail, "secret"));
	close(fd);
}

static void whatever_breaks_after_sending_is_a_cut(void **state UNUSED)
{
	static const char *const paths[] = {"/reset", "/half", "/garbage"};
	_cleanup_client_ struct client cl = trusting_client();
	static struct answer a;
	for (size_t i = 0; i < ARRAY_LEN(paths); i++) {
		ask_and_wait(&cl, "POST", paths[i], &a);
		assert_int_equal(a.outcome, HTTPC_CUT);
		assert_int_equal(a.body_len, 0);
		assert_int_equal(a.status, 0);
		assert_false(a.timed_out);
	}
	assert_int_equal(atomic_load(&fx.server.shared->requests), 3);
}

static void too_large_answers_are_a_cut(void **state UNUSED)
{
	_cleanup_client_ struct client cl = trusting_client();
	static struct answer a;
	char url[256];
	tlsserver_url(&fx.server, "/big", url);
	struct httpc_request req = {
	    .method = "GET", .url = url, .timeout_ms = WAIT_MS, .max_body = 3999};
	a = (struct answer){0};
	httpc_submit(cl.c, &req, keep, &a);
	wait_for(cl.l, &a, 1);
	assert_int_equal(a.outcome, HTTPC_CUT);
	assert_non_null(strstr(a.detail, "larger than"));
	req.max_body = 4000;
	a = (struct answer){0};
	httpc_submit(cl.c, &req, keep, &a);
	wait_for(cl.l, &a, 1);
	assert_int_equal(a.outcome, HTTPC_REPLIED);
	assert_int_equal(a.body_len, 4000);
	ask_and_wait(&cl, "GET", "/headers", &a);
	assert_int_equal(a.outcome, HTTPC_CUT);
	assert_non_null(strstr(a.detail, "headers"));
}

static void reads_share_a_connection_and_writes_open_one(void **state UNUSED)
{
	_cleanup_client_ struct client cl = trusting_client();
	static struct answer a;
	for (int i = 0; i < 5; i++)
		ask_and_wait(&cl, "GET", "/ok", &a);
	assert_int_equal(atomic_load(&fx.server.shared->connections), 1);
	ask_and_wait(&cl, "POST", "/ok", &a);
	assert_int_equal(atomic_load(&fx.server.shared->connections), 2);
	ask_and_wait(&cl, "GET", "/ok", &a);
	assert_int_equal(atomic_load(&fx.server.shared->connections), 2);
	assert_int_equal(atomic_load(&fx.server.shared->requests), 7);
}

static void a_write_is_never_repeated_on_a_closed_connection(void **state UNUSED)
{
	_cleanup_client_ struct client cl = trusting_client();
	static struct answer a;
	ask_and_wait(&cl, "GET", "/ok", &a);
	assert_int_equal(a.outcome, HTTPC_REPLIED);
	/* The server resets without a word: this one request, once. On the connection that is open,
	 * libcurl would send it again. */
	ask_and_wait(&cl, "POST", "/reset", &a);
	assert_int_equal(a.outcome, HTTPC_CUT);
	assert_int_equal(atomic_load(&fx.server.shared->requests), 2);
	/* A read survives the closed connection. */
	ask_and_wait(&cl, "GET", "/dropidle", &a);
	ask_and_wait(&cl, "GET", "/ok", &a);
	assert_int_equal(a.outcome, HTTPC_REPLIED);
}

static void connections_to_a_server_are_limited_and_fair(void **state UNUSED)
{
	enum { N = 12 };
	static struct answer a[N];
	_cleanup_client_ struct client cl = client_of(
	    &(struct httpc_opts){.ca_file = fx.ca.path, .per_host = 3, .queue_max = N - 3});
	for (size_t i = 0; i < N; i++)
		ask(&cl, "GET", "/held", &a[i]);
	static struct answer surplus;
	ask(&cl, "GET", "/held", &surplus);
	assert_int_equal(httpc_active(cl.c), 3);
	assert_int_equal(httpc_waiting(cl.c), N - 3);
	wait_for(cl.l, &surplus, 1);
	assert_int_equal(surplus.outcome, HTTPC_NOT_SENT);
	while (atomic_load(&fx.server.shared->in_flight) < 3)
		assert_int_equal(loop_turn(cl.l, NULL), 0);
	atomic_store(&fx.server.shared->release, 1);
	wait_for(cl.l, a, N);
	for (size_t i = 0; i < N; i++)
		assert_int_equal(a[i].outcome, HTTPC_REPLIED);
	assert_int_equal(atomic_load(&fx.server.shared->max_in_flight), 3);
	assert_int_equal(atomic_load(&fx.server.shared->connections), 3);
	assert_int_equal(httpc_active(cl.c), 0);
	assert_int_equal(httpc_waiting(cl.c), 0);
}

static void waiting_in_the_queue_has_an_end(void **state UNUSED)
{
	static struct answer a[2];
	_cleanup_client_ struct client cl = client_of(
	    &(struct httpc_opts){.ca_file = fx.ca.path, .per_host = 1, .queue_timeout_ms = 50});
	ask(&cl, "GET", "/held", &a[0]);
	ask(&cl, "POST", "/ok", &a[1]);
	wait_for(cl.l, &a[1], 1);
	assert_int_equal(a[1].outcome, HTTPC_NOT_SENT);
	assert_true(a[1].timed_out);
	assert_int_equal(a[0].calls, 0);
	atomic_store(&fx.server.shared->release, 1);
	wait_for(cl.l, a, 1);
	assert_int_equal(a[0].outcome, HTTPC_REPLIED);
}

static void what_is_cancelled_never_calls_back(void **state UNUSED)
{
	static struct answer a[4];
	_cleanup_client_ struct client cl =
	    client_of(&(struct httpc_opts){.ca_file = fx.ca.path, .per_host = 1});
	httpc_id active = ask(&cl, "GET", "/held", &a[0]);
	httpc_id queued = ask(&cl, "GET", "/ok", &a[1]);
	ask(&cl, "GET", "/ok", &a[2]);
	while (atomic_load(&fx.server.shared->in_flight) < 1)
		assert_int_equal(loop_turn(cl.l, NULL), 0);
	httpc_id copy = active;
	httpc_cancel(cl.c, &queued);
	httpc_cancel(cl.c, &active);
	assert_int_equal(active, 0);
	httpc_cancel(cl.c, &copy); /* of something that is gone: nothing */
	wait_for(cl.l, &a[2], 1);
	assert_int_equal(a[2].outcome, HTTPC_REPLIED);
	assert_int_equal(a[0].calls + a[1].calls, 0);
	/* What is under way when the client goes is dropped too. */
	ask(&cl, "GET", "/held", &a[3]);
}

static void submit_and_cancel(void *arg, const struct httpc_reply *r)
{
	struct answer *a = arg;
	keep(a, r);
	httpc_cancel(a->c, a->cancel);
	char url[256];
	tlsserver_url(&fx.server, "/ok", url);
	struct httpc_request req = {.method = "GET", .url = url, .timeout_ms = WAIT_MS};
	httpc_submit(a->c, &req, keep, a + 1);
	assert_int_equal(a[1].calls, 0);
}

static void callbacks_may_submit_and_cancel(void **state UNUSED)
{
	static struct answer a[3];
	_cleanup_client_ struct client cl = trusting_client();
	memset(a, 0, sizeof(a));
	httpc_id victim = ask(&cl, "GET", "/held", &a[2]);
	a[0].c = cl.c;
	a[0].cancel = &victim;
	char url[256];
	tlsserver_url(&fx.server, "/ok", url);
	struct httpc_request req = {.method = "GET", .url = url, .timeout_ms = WAIT_MS};
	httpc_submit(cl.c, &req, submit_and_cancel, &a[0]);
	wait_for(cl.l, a, 2);
	assert_int_equal(a[1].outcome, HTTPC_REPLIED);
	assert_int_equal(a[2].calls, 0);
	assert_int_equal(victim, 0);
	assert_int_equal(httpc_active(cl.c), 0);
}

static void names_are_resolved_off_the_loop(void **state UNUSED)
{
	_cleanup_client_ struct client cl = trusting_client();
	static struct answer a, b;
	char url[256];
	snprintf(url, sizeof(url), "https://localhost:%d/ok", fx.server.port);
	struct httpc_request req = {.method = "GET", .url = url, .timeout_ms = WAIT_MS};
	a = (struct answer){0};
	httpc_submit(cl.c, &req, keep, &a);
	wait_for(cl.l, &a, 1);
	assert_int_equal(a.outcome, HTTPC_REPLIED);
	/* A name that no resolver knows (RFC 6761), and one that is given up half-way. */
	req.url = "https://nothing.invalid:8006/";
	b = (struct answer){0};
	httpc_submit(cl.c, &req, keep, &b);
	wait_for(cl.l, &b, 1);
	assert_int_equal(b.outcome, HTTPC_NOT_SENT);
	assert_int_equal(b.trust, TLSTRUST_FINE);
	b = (struct answer){0};
	httpc_id id = httpc_submit(cl.c, &req, keep, &b);
	httpc_cancel(cl.c, &id);
	httpc_submit(cl.c, &req, keep, &b);
}

static void proxies_and_redirects_are_not_followed(void **state UNUSED)
{
	setenv("https_proxy", "http://127.0.0.1:1", 1);
	setenv("ALL_PROXY", "http://127.0.0.1:1", 1);
	_cleanup_client_ struct client cl = trusting_client();
	static struct answer a;
	ask_and_wait(&cl, "GET", "/redirect", &a);
	unsetenv("https_proxy");
	unsetenv("ALL_PROXY");
	assert_int_equal(a.outcome, HTTPC_REPLIED);
	assert_int_equal(a.status, 302);
	assert_int_equal(atomic_load(&fx.server.shared->requests), 1);
}

static char logged[65536];

static void keep_log(const char *line, void *arg UNUSED)
{
	size_t len = strlen(logged);
	snprintf(logged + len, sizeof(logged) - len, "%s\n", line);
}

static void secrets_are_not_logged(void **state UNUSED)
{
	_cleanup_client_ struct client cl = trusting_client();
	static struct answer a;
	char url[256];
	tlsserver_url(&fx.server, "/echo?password=hunter2", url);
	struct httpc_request req = {.method = "GET",
	    .url = url,
	    .secret_header = "Authorization: PVEAPIToken=topsecret",
	    .timeout_ms = WAIT_MS};
	log_setup(LOG_DEBUG, false);
	log_set_sink(keep_log, NULL);
	a = (struct answer){0};
	httpc_submit(cl.c, &req, keep, &a);
	wait_for(cl.l, &a, 1);
	log_set_sink(NULL, NULL);
	log_setup(LOG_INFO, false);
	assert_non_null(strstr(a.body, "topsecret"));
	assert_non_null(strstr(logged, "GET https://127.0.0.1:"));
	assert_null(strstr(logged, "topsecret"));
	assert_null(strstr(logged, "hunter2"));
}

int main(void)
{
#define WITH_SERVER(f) cmocka_unit_test_setup_teardown(f, start_server, stop_server)
	const struct CMUnitTest tests[] = {
	    WITH_SERVER(an_answer_comes_whole),
	    WITH_SERVER(the_request_goes_out_as_asked),
	    WITH_SERVER(a_wrong_ca_is_refused_before_anything_is_sent),
	    WITH_SERVER(the_system_does_not_know_our_ca),
	    WITH_SERVER(the_name_in_the_certificate_counts),
	    WITH_SERVER(a_fingerprint_is_enough_and_the_wrong_one_is_not),
	    WITH_SERVER(bad_settings_are_refused),
	    WITH_SERVER(a_missing_ca_file_sends_nothing),
	    WITH_SERVER(a_silent_server_is_cut_at_the_timeout),
	    cmocka_unit_test(a_server_that_never_shakes_hands_was_sent_nothing),
	    WITH_SERVER(the_time_of_a_certificate_counts),
	    WITH_SERVER(another_ca_file_is_taken_up),
	    cmocka_unit_test(a_refused_port_was_sent_nothing),
	    WITH_SERVER(whatever_breaks_after_sending_is_a_cut),
	    WITH_SERVER(too_large_answers_are_a_cut),
	    WITH_SERVER(reads_share_a_connection_and_writes_open_one),
	    WITH_SERVER(a_write_is_never_repeated_on_a_closed_connection),
	    WITH_SERVER(connections_to_a_server_are_limited_and_fair),
	    WITH_SERVER(waiting_in_the_queue_has_an_end),
	    WITH_SERVER(what_is_cancelled_never_calls_back),
	    WITH_SERVER(callbacks_may_submit_and_cancel),
	    WITH_SERVER(names_are_resolved_off_the_loop),
	    WITH_SERVER(proxies_and_redirects_are_not_followed),
	    WITH_SERVER(secrets_are_not_logged),
	};
	return cmocka_run_group_tests(tests, set_up, tear_down);
}
