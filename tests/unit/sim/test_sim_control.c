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
	assert_string_equal(say("delete 100"), "ok\n");
	assert_false(sim_guest_exists(t.c.sim, 100));
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
	    "reboot pve1 on", "delete 424242", "fault oops", "fault", "requests pve1"};
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
	    cmocka_unit_test_setup_teardown(faults, setup, teardown),
	    cmocka_unit_test_setup_teardown(refused, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
