/* Tickets and what they allow, users that come and go, formatters, and forms as they are sent. */
#include "sim_client.h"
#include "sim_form.h"

static const char *const seed =
    "cluster:\n"
    "  hosts: {mirror: 127.0.2.1, printer: 192.0.2.7}\n"
    "nodes: [{name: alpha, bridges: [vmbr0]}]\n"
    "storages: [{name: disks, type: nfs, content: [images], size: 100G}]\n"
    "pools: [{name: lab/red}]\n"
    "roles: [{name: Boot, privs: [VM.Audit, VM.PowerMgmt, Sys.Audit]},\n"
    "  {name: Room, privs: [Datastore.Audit, VM.Clone, Pool.Audit]}]\n"
    "users:\n"
    "  - {name: root@pam, tokens: [{name: all, secret: s-root, privsep: false}]}\n"
    "  - {name: eve@pve, password: hush-hush, tokens: [{name: t, secret: s-eve, privsep: false}]}\n"
    "acl:\n"
    "  - {path: /vms/310, who: eve@pve, role: Boot}\n"
    "  - {path: /pool/lab/red, who: eve@pve, role: Room}\n"
    "guests:\n"
    "  - {id: 310, config: {name: a}}\n";

#define ROOT "PVEAPIToken=root@pam!all=s-root"
#define EVE "PVEAPIToken=eve@pve!t=s-eve"

static int setup(void **state)
{
	return client_of_seed(state, seed, "9.2", ROOT);
}

static int setup_8(void **state)
{
	return client_of_seed(state, seed, "8.4", ROOT);
}

/* Asks with a cookie and this CSRF token, through this formatter. */
static int with(struct client *c, const char *method, const char *path, const char *ticket,
    const char *csrf, const char *format)
{
	struct sim_req req = {.method = method,
	    .path = path,
	    .ticket = ticket,
	    .csrf = csrf,
	    .format = format,
	    .authorization = ticket ? NULL : c->auth};

	answer_fini(&c->a);
	sim_submit(c->sim, &req, client_got, c);
	while (!c->a.there)
		sim_run_until(c->sim, sim_next_event(c->sim));
	return c->a.status;
}

static char *login(struct client *c, const char *password, char **ret_csrf)
{
	_cleanup_str_ char *params = mem_printf("username=eve&realm=pve&password=%s", password);
	int status = call(c, "POST", "/access/ticket", params);

	*ret_csrf = NULL;
	if (status != 200)
		return NULL;
	*ret_csrf = mem_strdup(jsn_get_text(c->a.data, "CSRFPreventionToken"));
	return mem_strdup(jsn_get_text(c->a.data, "ticket"));
}

static void a_ticket_says_what_may_be_shown(void **state)
{
	struct client *c = *state;
	_cleanup_str_ char *csrf = NULL;
	_cleanup_str_ char *ticket = login(c, "hush-hush", &csrf);
	const struct jsn *cap = jsn_get(c->a.data, "cap");

	assert_non_null(ticket);
	/* From the guest itself, and from the pool; what is of no guest does not count there. */
	assert_int_equal(jsn_get_int(jsn_get(cap, "vms"), "VM.PowerMgmt", 0), 1);
	assert_int_equal(jsn_get_int(jsn_get(cap, "vms"), "VM.Clone", 0), 1);
	assert_false(jsn_has(jsn_get(cap, "vms"), "Sys.Audit"));
	assert_int_equal(jsn_get_int(jsn_get(cap, "storage"), "Datastore.Audit", 0), 1);
	assert_true(jsn_is_object(jsn_get(cap, "dc")));
	assert_int_equal(jsn_len(jsn_get(cap, "dc")), 0);
	assert_int_equal(jsn_len(jsn_get(cap, "nodes")), 0);
	assert_int_equal(jsn_len(cap), 7);
}

static void writing_takes_the_other_token(void **state)
{
	struct client *c = *state;
	_cleanup_str_ char *csrf = NULL;
	_cleanup_str_ char *ticket = login(c, "hush-hush", &csrf);
	static const char start[] = "/nodes/alpha/qemu/310/status/start";

	assert_int_equal(with(c, "GET", "/version", ticket, NULL, NULL), 200);
	assert_int_equal(with(c, "POST", start, ticket, NULL, NULL), 401);
	assert_string_equal(c->a.reason, "Permission denied - invalid csrf token");
	assert_int_equal(with(c, "POST", start, ticket, "6B000000:guessed", NULL), 401);
	assert_int_equal(with(c, "POST", start, ticket, csrf, NULL), 200);
	assert_int_equal(
	    with(c, "GET", "/version", "PVE:eve@pve:6B000000::guessed", NULL, NULL), 401);
	assert_string_equal(c->a.reason, "Authentication failed!");
}

static void a_ticket_holds_for_two_hours(void **state)
{
	struct client *c = *state;
	_cleanup_str_ char *csrf = NULL;
	_cleanup_str_ char *csrf2 = NULL;
	_cleanup_str_ char *ticket = login(c, "hush-hush", &csrf);
	_cleanup_str_ char *second = NULL;

	sim_run_until(c->sim, sim_now(c->sim) + 7000 * 1000);
	assert_int_equal(with(c, "GET", "/version", ticket, NULL, NULL), 200);
	second = login(c, ticket, &csrf2); /* a ticket is as good as the password */
	assert_non_null(second);
	sim_run_until(c->sim, sim_now(c->sim) + 300 * 1000);
	assert_int_equal(with(c, "GET", "/version", ticket, NULL, NULL), 401);
	assert_int_equal(with(c, "GET", "/version", second, NULL, NULL), 200);
}

static void a_user_is_barred_and_let_in(void **state)
{
	struct client *c = *state;
	char past[64];

	assert_int_equal(call(c, "PUT", "/access/users/eve@pve", "enable=0"), 200);
	c->auth = EVE;
	assert_int_equal(call(c, "GET", "/version", NULL), 401);
	c->auth = ROOT;
	snprintf(
	    past, sizeof(past), "enable=1&expire=%lld", (long long)(sim_wall(c->sim) / 1000 - 10));
	assert_int_equal(call(c, "PUT", "/access/users/eve@pve", past), 200);
	c->auth = EVE;
	assert_int_equal(call(c, "GET", "/version", NULL), 401);
	c->auth = ROOT;
	assert_int_equal(call(c, "PUT", "/access/users/eve@pve", "expire=0"), 200);
	c->auth = EVE;
	assert_int_equal(call(c, "GET", "/version", NULL), 200);
	assert_int_equal(call(c, "PUT", "/access/users/eve@pve", "enable=1"), 403);
	c->auth = ROOT;
	assert_int_equal(call(c, "PUT", "/access/users/adam@pve", "enable=1"), 500);
	assert_string_equal(c->a.reason, "update user failed: no such user ('adam@pve')");
}

static void extjs_wants_success(void **state)
{
	struct client *c = *state;
	static const char config[] = "/nodes/alpha/qemu/4711/config";

	assert_int_equal(with(c, "GET", "/version", NULL, NULL, "extjs"), 200);
	assert_int_equal(jsn_get_int(c->a.body, "success", -1), 1);
	assert_int_equal(with(c, "GET", config, NULL, NULL, "extjs"), 200);
	assert_int_equal(jsn_get_int(c->a.body, "success", -1), 0);
	assert_false(jsn_is_string(jsn_get(c->a.body, "status")));
	assert_int_equal(jsn_get_int(c->a.body, "status", 0), 500);
	assert_string_equal(jsn_get_text(c->a.body, "message"),
	    "Configuration file 'nodes/alpha/qemu-server/4711.conf' does not exist\n");
	c->auth = EVE;
	assert_int_equal(with(c, "GET", "/nodes/alpha/qemu/311/config", NULL, NULL, "extjs"), 200);
	assert_true(jsn_is_string(jsn_get(c->a.body, "status")));
	assert_string_equal(jsn_get_text(c->a.body, "status"), "403");
}

static void names_that_are_no_nodes(void **state)
{
	struct client *c = *state;

	assert_int_equal(call(c, "GET", "/nodes/mirror/qemu", NULL), 500);
	assert_string_equal(c->a.reason, "address lookup for 'mirror' did not find any IP address");
	assert_int_equal(call(c, "GET", "/nodes/printer/qemu/310/config", NULL), 595);
	assert_string_equal(c->a.reason, "No route to host");
	assert_int_equal(call(c, "GET", "/nodes/beta/storage", NULL), 500);
	assert_string_equal(c->a.reason, "hostname lookup 'beta' failed - failed to get address "
					 "info for: beta: Temporary failure in name resolution");
	/* The index of a node is made where one asks; an empty component does not count. */
	assert_int_equal(call(c, "GET", "/nodes/beta", NULL), 200);
	assert_int_equal(call(c, "GET", "/nodes//beta", NULL), 200);
}

static size_t index_len(struct client *c)
{
	assert_int_equal(call(c, "GET", "/nodes/alpha", NULL), 200);
	return jsn_len(c->a.data);
}

static void the_index_is_of_its_version(void **state)
{
	assert_int_equal(index_len(*state), 40);
}

static void a_form_as_it_is_sent(void **state)
{
	_cleanup_kv_ struct kv got = {0};
	_cleanup_str_ char *why = NULL;
	static const char form[] = "a=1;b=x+y%2Bz&a=2&c=%e4&d=%c3%a4&c2=%f0%9f%90%a7%c0";

	(void)state;
	assert_int_equal(form_body(NULL, form, strlen(form), true, &got, &why), 0);
	assert_string_equal(kv_get(&got, "a"), SIM_MANY "1" SIM_MANY "2");
	assert_string_equal(kv_get(&got, "b"), "x y+z");
	assert_string_equal(kv_get(&got, "c"), "\xef\xbf\xbd");
	assert_string_equal(kv_get(&got, "d"), "\xc3\xa4");
	assert_string_equal(kv_get(&got, "c2"), "\xf0\x9f\x90\xa7\xef\xbf\xbd");
	assert_int_equal(form_body("text/csv", "x", 1, true, &got, &why), 506);
}

static void a_parameter_sent_twice(void **state)
{
	struct client *c = *state;
	static const char twice[] = "memory=" SIM_MANY "64" SIM_MANY "128";

	assert_int_equal(call(c, "PUT", "/nodes/alpha/qemu/310/config", twice), 400);
	assert_non_null(strstr(param_error(c, "memory"), "failed - got ARRAY"));
}

static void what_is_wrong_with_json(void **state)
{
	static const struct {
		const char *text, *flaw;
	} cases[] = {
	    {"{\"a\":1,\"b\":[true,null,-1.5e3]} ", NULL},
	    {"{\"a\" 1}", "':' expected, at character offset 5 (before \"1}\")"},
	    {"{\"a\":1 \"b\"}", ", or } expected while parsing object/hash, at character offset 7 "
				"(before \"\"b\"}\")"},
	    {"{\"a\":1,}", "'\"' expected, at character offset 7 (before \"}\")"},
	    {"[1", ", or ] expected while parsing array, at character offset 2 "
		   "(before \"(end of string)\")"},
	    {"{} x", "garbage after JSON object, at character offset 3 (before \"x\")"},
	    {"{\"a\":nul}", "'null' expected, at character offset 5 (before \"nul}\")"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		_cleanup_str_ char *flaw = form_flaw(cases[i].text, strlen(cases[i].text));

		if (cases[i].flaw)
			assert_string_equal(flaw, cases[i].flaw);
		else
			assert_null(flaw);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, client_done)
	    TEST(a_ticket_says_what_may_be_shown),
	    TEST(writing_takes_the_other_token),
	    TEST(a_ticket_holds_for_two_hours),
	    TEST(a_user_is_barred_and_let_in),
	    TEST(extjs_wants_success),
	    TEST(names_that_are_no_nodes),
	    TEST(a_parameter_sent_twice),
	    cmocka_unit_test_setup_teardown(the_index_is_of_its_version, setup_8, client_done),
	    cmocka_unit_test(a_form_as_it_is_sent),
	    cmocka_unit_test(what_is_wrong_with_json),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
