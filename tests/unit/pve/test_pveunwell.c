/* Endpoints behind which nobody does anything: another one is asked. */
#include "portfix.h"

static void make_unwell(struct tlsserver *s, const char *status, const char *page)
{
	snprintf(s->shared->page, sizeof(s->shared->page), "%s", page);
	snprintf(s->shared->unwell, sizeof(s->shared->unwell), "%s", status);
}

/* What a proxy says whose server is down, a page for people, and a node whose cluster file system
 * is down: none of them did anything, and they may say so for ever. */
static const struct {
	const char *status, *page;
} unwell[] = {
    {"502 Bad Gateway", "<html>nginx</html>"},
    {"503 Service Unavailable", ""},
    {"504 Gateway Time-out", "<html></html>"},
    {"200 OK", "\n<!doctype html>"},
    {"302 Found", "<a href=login>"},
    {"403 Forbidden", "<html>ask your administrator</html>"},
    {"401 Unauthorized", "<html>who are you?</html>"},
    {"401 Unauthorized", "401 Unauthorized\n"},
    {"403 Forbidden", "Forbidden\n"},
    {"404 Not Found", "404 page not found\n"},
    {"500 RPCEnvironment init request failed: Unable to load access control list: Connection "
     "refused",
	"{\"data\":null}"},
};

static void an_endpoint_that_is_unwell_is_left(void **state)
{
	(void)state;
	static struct answer a;
	for (size_t i = 0; i < ARRAY_LEN(unwell); i++) {
		int before = requests_of(&t.a);
		make_unwell(&t.a, unwell[i].status, unwell[i].page);
		open_port(t.ca.path, t.a.port, t.b.port);
		ask("GET", "/ok", &a);
		assert_int_equal(a.status, 200);
		assert_string_equal(a.body, "hello");
		ask("POST", "/ok", &a);
		assert_string_equal(a.body, "hello");
		assert_int_equal(requests_of(&t.a), before + 1);
		pveport_free(&t.p);
		/* A write, before anything is known of either. */
		open_port(t.ca.path, t.a.port, t.b.port);
		ask("POST", "/ok", &a);
		assert_string_equal(a.body, "hello");
		assert_int_equal(requests_of(&t.a), before + 1);
		pveport_free(&t.p);
	}
}

/* What a proxy did not hear the end of may have been done. */
static void what_a_proxy_lost_goes_nowhere_else(void **state)
{
	(void)state;
	static struct answer a;
	call_them("pve1", "pve2");
	open_port(t.ca.path, t.a.port, t.b.port);
	ask("POST", "/ok", &a);
	assert_int_equal(requests_of(&t.a), 1);
	make_unwell(&t.a, "504 Gateway Time-out", "");
	ask("POST", "/ok", &a);
	assert_int_equal(a.status, 504);
	assert_int_equal(requests_of(&t.b), 0);
	ask("POST", "/ok", &a);
	assert_int_equal(a.status, 200);
	assert_int_equal(requests_of(&t.b), 1);
}

/* When all are unwell, that is told, after one attempt each. */
static void all_unwell_is_told(void **state)
{
	(void)state;
	static struct answer a;
	make_unwell(&t.a, "503 Service Unavailable", "");
	make_unwell(&t.b, "502 Bad Gateway", "");
	open_port(t.ca.path, t.a.port, t.b.port);
	ask("GET", "/ok", &a);
	assert_int_equal(a.transport, CLUSTER_REPLIED);
	assert_int_equal(a.status, 502);
	assert_int_equal(requests_of(&t.a) + requests_of(&t.b), 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(an_endpoint_that_is_unwell_is_left),
	    TEST(what_a_proxy_lost_goes_nowhere_else),
	    TEST(all_unwell_is_told),
	};
	log_setup(LOG_ERROR, false);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
