/* What is done to a running cluster over its control socket. */
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "sim_client.h"
#include "sim_control.h"
#include "sim_http.h"

static struct {
	struct client c;
	struct sim_http *http;
	struct sim_control *control;
	char dir[64];
	char *path;
	int fd;
} t;

static int64_t sim_clock(void)
{
	return sim_now(t.c.sim) * 1000;
}

static int setup(void **state)
{
	struct sim_http_opts ho = {.address = "127.0.0.1", .speed = 1, .clock_us = sim_clock};
	struct sockaddr_un a = {.sun_family = AF_UNIX};
	struct err *e = NULL;

	*state = &t;
	client_init(&t.c, "9.2");
	strncpy(t.dir, "/tmp/simcontrol.XXXXXX", sizeof(t.dir) - 1);
	assert_non_null(mkdtemp(t.dir));
	t.path = mem_printf("%s/control", t.dir);
	if (sim_http_start(NULL, t.c.sim, &ho, &t.http, &e) < 0 ||
	    control_start(t.c.sim, t.http, t.path, &t.control, &e) < 0)
		fail_msg("%s", err_msg(e));
	memcpy(a.sun_path, t.path, strlen(t.path) + 1);
	t.fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(connect(t.fd, (struct sockaddr *)&a, sizeof(a)), 0);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	close(t.fd);
	sim_http_poll(t.http);
	sim_http_poll(t.http);
	control_free(&t.control);
	sim_http_free(&t.http);
	client_fini(&t.c);
	assert_int_equal(access(t.path, F_OK), -1);
	free(t.path);
	return rmdir(t.dir);
}

/* Sends one line and waits for the answer to it. */
static const char *say(const char *line)
{
	static char answer[512];
	ssize_t n;

	assert_int_equal(write(t.fd, line, strlen(line)), strlen(line));
	assert_int_equal(write(t.fd, "\n", 1), 1);
	do {
		sim_http_poll(t.http);
		n = recv(t.fd, answer, sizeof(answer) - 1, MSG_DONTWAIT);
	} while (n < 0);
	answer[n] = '\0';
	return answer;
}

static int64_t quorate(const char *node)
{
	t.c.node = node;
	assert_int_equal(call(&t.c, "GET", "/cluster/status", NULL), 200);
	for (size_t i = 0; i < jsn_len(t.c.a.data); i++)
		if (text_eq(jsn_get_text(jsn_at(t.c.a.data, i), "type"), "cluster"))
			return jsn_get_int(jsn_at(t.c.a.data, i), "quorate", -1);
	return -1;
}

static void quorum(void **state)
{
	(void)state;
	assert_int_equal(quorate("pve1"), 1);
	assert_string_equal(say("quorum all off"), "ok\n");
	assert_int_equal(quorate("pve1"), 0);
	assert_int_equal(call(&t.c, "POST", "/nodes/pve1/qemu/9000/clone", "newid=700"), 500);
	assert_string_equal(t.c.a.reason, "cluster not ready - no quorum?");
	assert_string_equal(say("quorum all on"), "ok\n");
	assert_int_equal(quorate("pve1"), 1);
}

static void daemon_and_power(void **state)
{
	(void)state;
	assert_string_equal(say("daemon pve2 off"), "ok\n");
	t.c.node = "pve1";
	assert_int_equal(call(&t.c, "GET", "/nodes/pve2/qemu", NULL), 595);
	assert_string_equal(t.c.a.reason, "Connection refused");
	assert_string_equal(say("daemon pve2 on"), "ok\n");
	assert_int_equal(call(&t.c, "GET", "/nodes/pve2/qemu", NULL), 200);
	assert_string_equal(say("power pve2 off"), "ok\n");
	assert_int_equal(call(&t.c, "GET", "/nodes/pve2/qemu", NULL), 595);
	assert_string_equal(say("power pve2 on"), "ok\n");
}

static void guests(void **state)
{
	(void)state;
	assert_string_equal(say("lock 100 backup"), "ok\n");
	assert_string_equal(sim_guest_get(t.c.sim, 100, "lock"), "backup");
	assert_string_equal(say("unlock 100"), "ok\n");
	assert_null(sim_guest_get(t.c.sim, 100, "lock"));
	assert_string_equal(say("ha 100 on"), "ok\n");
	assert_string_equal(say("ha 100 off"), "ok\n");
	assert_string_equal(say("ha 100 perhaps"), "error: not a command, or words are missing\n");
	assert_string_equal(say("delete 100"), "ok\n");
	assert_false(sim_guest_exists(t.c.sim, 100));
}

static void people(void **state)
{
	(void)state;
	assert_string_equal(
	    say("edit 101 name=other tags=b%3Ba description=two%20words -cores"), "ok\n");
	assert_string_equal(sim_guest_get(t.c.sim, 101, "name"), "other");
	assert_string_equal(sim_guest_get(t.c.sim, 101, "tags"), "a;b");
	assert_string_equal(sim_guest_get(t.c.sim, 101, "description"), "two words");
	assert_string_equal(say("create 500 pve3 name=mine memory=64"), "ok\n");
	assert_string_equal(sim_guest_node(t.c.sim, 500), "pve3");
	assert_string_equal(sim_guest_get(t.c.sim, 500, "memory"), "64");
	/* The number comes back with somebody else's guest. */
	assert_string_equal(say("delete 500"), "ok\n");
	assert_string_equal(say("create 500 pve1 name=theirs"), "ok\n");
	assert_string_equal(sim_guest_get(t.c.sim, 500, "name"), "theirs");
}

/* The last entry of the journal with this effect. */
static bool last_said(const struct sim *s, const char *effect, struct sim_entry *ret)
{
	for (size_t i = sim_journal_len(s); i > 0; i--) {
		sim_journal_at(s, i - 1, ret);
		if (!strcmp(ret->effect, effect))
			return true;
	}
	return false;
}

static const char scripted[] = "nodes: [{name: n}, {name: m}]\n"
			       "storages: [{name: disks, type: nfs, content: [images], size: 9G}]\n"
			       "users: [{name: root@pam, tokens: [{name: admin, secret: "
			       "6f1c6e0c-5c1d-4f0e-9a59-000000000001, privsep: false}]}]\n"
			       "guests: [{id: 100, node: n, config: {name: first}}]\n"
			       "faults: [\"status,status=502,path=/version,nth=1\"]\n"
			       "script:\n"
			       "  - {at: 5s, do: \"edit 100 name=second\"}\n"
			       "  - {at: 9s, do: \"migrate 100 m\"}\n"
			       "  - {at: 10s, do: \"delete 555\"}\n";

/* What the seed says happens, at its time. */
static void a_script_is_played(void **state)
{
	struct client c;
	struct sim_entry e;

	(void)state;
	client_of(&c, scripted, "scripted", "9.2");
	assert_int_equal(call(&c, "GET", "/version", NULL), 502);
	assert_int_equal(call(&c, "GET", "/version", NULL), 200);
	sim_run_until(c.sim, 4999);
	assert_string_equal(sim_guest_get(c.sim, 100, "name"), "first");
	sim_run_until(c.sim, 5000);
	assert_string_equal(sim_guest_get(c.sim, 100, "name"), "second");
	assert_true(last_said(c.sim, "script", &e));
	assert_string_equal(e.key, "edit 100 name=second");
	assert_string_equal(e.after, "ok");
	sim_run_until(c.sim, 9000);
	assert_string_equal(sim_guest_node(c.sim, 100), "m");
	sim_run_until(c.sim, 10000);
	assert_true(last_said(c.sim, "script", &e));
	assert_string_equal(e.key, "delete 555");
	assert_true(text_starts(e.after, "error: "));
	/* The same over the socket, from now on. */
	{
		char *answer = control_do(c.sim, "at 2s edit 100 -name");

		assert_string_equal(answer, "ok\n");
		free(answer);
	}
	sim_run_until(c.sim, 11999);
	assert_non_null(sim_guest_get(c.sim, 100, "name"));
	sim_run_until(c.sim, 12000);
	assert_null(sim_guest_get(c.sim, 100, "name"));
	client_fini(&c);
}

static void a_script_that_is_wrong(void **state)
{
	static const char *const bad[] = {"faults: [oops]\n", "script: [{at: 5s}]\n",
	    "script: [{at: soon, do: heal}]\n", "script: [{at: 5s, do: heal, who: me}]\n"};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		_cleanup_str_ char *yaml =
		    mem_printf("nodes: [{name: n}]\nstorages: []\n%s", bad[i]);
		const struct sim_opts o = {.seed_yaml = yaml, .seed_name = "bad"};
		struct sim *s = NULL;
		struct err *e = NULL;

		assert_int_equal(sim_new(&o, &s, &e), -1);
		assert_true(text_starts(err_msg(e), "bad:3"));
		err_free(&e);
	}
}

static void faults(void **state)
{
	(void)state;
	t.c.node = "pve1";
	assert_string_equal(say("requests"), "ok 0\n");
	assert_string_equal(say("fault status,status=503,nth=2"), "ok\n");
	assert_int_equal(call(&t.c, "GET", "/version", NULL), 200);
	assert_int_equal(call(&t.c, "GET", "/version", NULL), 503);
	assert_string_equal(say("requests"), "ok 2\n");
	assert_string_equal(say("fault status,status=503,probability=1"), "ok\n");
	assert_string_equal(say("heal"), "ok\n");
	assert_int_equal(call(&t.c, "GET", "/version", NULL), 200);
}

static void refused(void **state)
{
	static const char *const lines[] = {"", "power", "power pve1", "power pve1 maybe",
	    "power nobody off", "storage all off", "freeze pve1 sshd", "delete 1x", "lock 100",
	    "reboot pve1 on", "delete 424242", "fault oops", "fault", "requests pve1", "edit 100",
	    "edit 100 name", "edit 4711 name=a", "create 100 pve1", "create 600",
	    "create 600 pve1 -name", "at 5s", "at noon heal", "at 5s at 5s heal"};
	struct stat st;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(lines); i++)
		assert_true(text_starts(say(lines[i]), "error: "));
	/* For its owner alone. */
	assert_int_equal(stat(t.path, &st), 0);
	assert_int_equal(st.st_mode & 077, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(quorum, setup, teardown),
	    cmocka_unit_test_setup_teardown(daemon_and_power, setup, teardown),
	    cmocka_unit_test_setup_teardown(guests, setup, teardown),
	    cmocka_unit_test_setup_teardown(people, setup, teardown),
	    cmocka_unit_test(a_script_is_played),
	    cmocka_unit_test(a_script_that_is_wrong),
	    cmocka_unit_test_setup_teardown(faults, setup, teardown),
	    cmocka_unit_test_setup_teardown(refused, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
