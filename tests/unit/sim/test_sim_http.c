/* The program ramet-sim over the wire: what pveproxy does with connections, and TLS. */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <openssl/ssl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>
#include <zlib.h>

#include "buf.h"
#include "sim_client.h"

#define PROGRAM RAMET_BINARY_DIR "/ramet-sim"
#define SEED RAMET_SOURCE_DIR "/tests/fixtures/sim/demo.yaml"
#define AUTH "Host: x\r\nAuthorization: " ADMIN "\r\n"
#define FORM "Content-Type: application/x-www-form-urlencoded\r\n"

static struct server {
	pid_t pid;
	char dir[64];
	char ca[128];
	int ports[4];
	int nports;
} srv;

static void start(bool plain)
{
	int out[2];
	char line[512];
	FILE *f;

	srv = (struct server){0};
	snprintf(srv.dir, sizeof(srv.dir), "/tmp/ramet-sim-XXXXXX");
	assert_non_null(mkdtemp(srv.dir));
	assert_int_equal(pipe(out), 0);
	srv.pid = fork();
	if (srv.pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		dup2(out[1], STDOUT_FILENO);
		close(out[0]);
		close(out[1]);
		execl(PROGRAM, PROGRAM, "--seed", SEED, "--listen", "127.0.0.1:0", "--all-nodes",
		    "--tls-dir", srv.dir, "--speed", "50", plain ? "--plain" : (char *)NULL,
		    (char *)NULL);
		_exit(127);
	}
	assert_true(srv.pid > 0);
	close(out[1]);
	f = fdopen(out[0], "r");
	while (fgets(line, sizeof(line), f) && strcmp(line, "ready\n") != 0) {
		const char *port = text_starts(line, "endpoint ") ? strrchr(line, ':') : NULL;

		if (port && srv.nports < 4)
			sscanf(port, ":%d", &srv.ports[srv.nports++]);
		sscanf(line, "ca %127s", srv.ca);
	}
	fclose(f);
	assert_int_equal(srv.nports, 3);
}

static int stop(void **state)
{
	static const char *const files[] = {"ca.pem", "server.pem", "server.key"};
	int status;

	(void)state;
	kill(srv.pid, SIGTERM);
	assert_int_equal(waitpid(srv.pid, &status, 0), srv.pid);
	assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
	for (size_t i = 0; i < ARRAY_LEN(files); i++) {
		_cleanup_str_ char *path = mem_printf("%s/%s", srv.dir, files[i]);

		unlink(path);
	}
	rmdir(srv.dir);
	return 0;
}

static int start_plain(void **state)
{
	(void)state;
	start(true);
	return 0;
}

static int start_tls(void **state)
{
	(void)state;
	start(false);
	return 0;
}

static int connect_to(int i)
{
	struct sockaddr_in a = {.sin_family = AF_INET,
	    .sin_port = htons((uint16_t)srv.ports[i]),
	    .sin_addr = {htonl(INADDR_LOOPBACK)}};
	struct timeval patience = {20, 0};
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	assert_int_equal(connect(fd, (struct sockaddr *)&a, sizeof(a)), 0);
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	return fd;
}

/* Reads one answer with a Content-Length, or to the end; false if the connection is closed. */
static bool read_answer(int fd, char *buf, size_t room)
{
	size_t n = 0, want = 0;

	while (n + 1 < room) {
		ssize_t got = recv(fd, buf + n, want ? want - n : room - 1 - n, 0);
		const char *end, *len;
		size_t body = 0;

		if (got <= 0)
			break;
		n += (size_t)got;
		buf[n] = '\0';
		end = strstr(buf, "\r\n\r\n");
		len = strcasestr(buf, "\r\nContent-Length: ");
		if (end && len && sscanf(len + 18, "%zu", &body) == 1)
			want = (size_t)(end + 4 - buf) + body;
		if (want && n >= want)
			return true;
	}
	buf[n] = '\0';
	return n > 0;
}

static bool ask(int fd, const char *text, char *buf, size_t room)
{
	size_t len = strlen(text);

	buf[0] = '\0';
	return send(fd, text, len, MSG_NOSIGNAL) == (ssize_t)len && read_answer(fd, buf, room);
}

static void assert_first_line(const char *answer, const char *line)
{
	_cleanup_str_ char *first = mem_strndup(answer, strcspn(answer, "\r\n"));

	assert_string_equal(first, line);
}

static void connection_is_kept_and_ends(void **state)
{
	char buf[8192];
	int fd = connect_to(0), n = 0;

	(void)state;
	while (n < 200 &&
	       ask(fd, "GET /api2/json/version HTTP/1.1\r\n" AUTH "\r\n", buf, sizeof(buf))) {
		assert_first_line(buf, "HTTP/1.1 200 OK");
		assert_true(!!strstr(buf, "Connection: close") == (n == 99));
		n++;
	}
	assert_int_equal(n, 100);
	close(fd);
}

static void errors_close(void **state)
{
	char buf[8192], rest[64];
	int fd = connect_to(0);

	(void)state;
	assert_true(ask(fd, "GET /api2/json/nodes/pve1/qemu/4711/config HTTP/1.1\r\n" AUTH "\r\n",
	    buf, sizeof(buf)));
	assert_first_line(buf, "HTTP/1.1 500 Configuration file 'nodes/pve1/qemu-server/4711.conf' "
			       "does not exist");
	assert_non_null(strstr(buf, "\r\nConnection: close\r\n"));
	assert_non_null(strstr(buf, "{\"data\":null,\"message\":\"Configuration file "));
	assert_int_equal(recv(fd, rest, sizeof(rest), 0), 0);
	close(fd);
}

static void what_is_not_taken(void **state)
{
	static const struct {
		const char *request, *line;
	} cases[] = {
	    {"DELETE /api2/json/nodes/pve1/qemu/100 HTTP/1.1\r\n" AUTH FORM
	     "Content-Length: 7\r\n\r\npurge=1",
		"HTTP/1.1 501 Unexpected content for method 'DELETE'"},
	    {"PATCH /api2/json/version HTTP/1.1\r\n" AUTH "\r\n",
		"HTTP/1.1 501 method 'PATCH' not available"},
	    {"HEAD /api2/json/version HTTP/1.1\r\n" AUTH "\r\n",
		"HTTP/1.1 501 method 'HEAD' not available"},
	    {"POST /api2/json/version HTTP/1.1\r\n" AUTH FORM
	     "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
		"HTTP/1.1 501 chunked transfer encoding not supported"},
	    /* More than 512 KiB are not waited for. */
	    {"PUT /api2/json/nodes/pve1/qemu/100/config HTTP/1.1\r\n" AUTH FORM
	     "Content-Length: 524289\r\n\r\n",
		"HTTP/1.1 501 for data too large"},
	    {"GET /api2/json/nonsense HTTP/1.1\r\n" AUTH "\r\n",
		"HTTP/1.1 501 Method 'GET /nonsense' not implemented"},
	    {"POST /api2/json/cluster/status HTTP/1.1\r\n" AUTH "Content-Length: 0\r\n\r\n",
		"HTTP/1.1 501 Method 'POST /cluster/status' not implemented"},
	    {"GET /api2/json/version HTTP/1.1\r\nHost: x\r\n\r\n", "HTTP/1.1 401 No ticket"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		char buf[8192];
		int fd = connect_to(0);

		assert_true(ask(fd, cases[i].request, buf, sizeof(buf)));
		assert_first_line(buf, cases[i].line);
		close(fd);
	}
}

/* A request with so many lines in its head that it ends in the n-th; the length of one of them. */
static char *request_of(int lines, int length)
{
	struct buf b;

	buf_init(&b, 0);
	buf_adds(&b, "GET /api2/json/version HTTP/1.1\r\n" AUTH); /* two of them */
	for (int i = 3; i < lines; i++)
		buf_addf(&b, "X-%d: %0*d\r\n", i, i == 3 ? length : 1, 0);
	buf_adds(&b, "\r\n");
	return buf_take(&b);
}

/* Nothing has come, and nothing will: what was asked later elsewhere is answered already. */
static void stays_silent(int fd)
{
	char buf[8192];
	int other = connect_to(0);

	assert_true(
	    ask(other, "GET /api2/json/version HTTP/1.1\r\n" AUTH "\r\n", buf, sizeof(buf)));
	assert_int_equal(recv(fd, buf, sizeof(buf), MSG_DONTWAIT), -1);
	assert_int_equal(errno, EAGAIN);
	close(other);
}

/* unshift_read_header: 64 lines, the empty one among them, or 8 KiB are too many; then there is no
 * answer, and the connection ends as one on which nothing is asked for five seconds. */
static void a_head_has_limits(void **state)
{
	static const struct {
		int lines, length;
		bool answered;
	} cases[] = {{63, 1, true}, {64, 1, false}, {10, 7000, true}, {10, 8200, false}};
	char buf[8192];
	int open[ARRAY_LEN(cases)];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		_cleanup_str_ char *request = request_of(cases[i].lines, cases[i].length);

		open[i] = connect_to(0);
		if (cases[i].answered) {
			assert_true(ask(open[i], request, buf, sizeof(buf)));
			assert_first_line(buf, "HTTP/1.1 200 OK");
		} else {
			assert_int_equal(send(open[i], request, strlen(request), MSG_NOSIGNAL),
			    (ssize_t)strlen(request));
			stays_silent(open[i]);
		}
	}
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		assert_int_equal(recv(open[i], buf, sizeof(buf), 0), 0);
		close(open[i]);
	}
}

/* push_request_header, process_header */
static void a_head_has_a_form(void **state)
{
	static const struct {
		const char *request, *line;
	} cases[] = {
	    {"GARBAGE\r\n", "HTTP/1.1 400 bad request"},
	    {"GET /api2/json/version HTTP/2.0\r\n",
		"HTTP/1.1 506 http protocol version 2.0 not supported"},
	    {"GET me@pve/x HTTP/1.1\r\n", "HTTP/1.1 400 invalid url"},
	    {"GET /api2/json/version HTTP/1.1\r\nno colon\r\n\r\n",
		"HTTP/1.1 506 unable to parse request header"},
	    {"POST /api2/json/version HTTP/1.1\r\n" AUTH "Transfer-Encoding: gzip\r\n\r\n",
		"HTTP/1.1 501 Unknown transfer encoding 'gzip'"},
	    {"\r\n\r\nGET /api2/json/version?x=a@b HTTP/1.1\r\n" AUTH "\r\n",
		"HTTP/1.1 400 Parameter verification failed."},
	    {"GET /api2/json/version HTTP/1.1\n" AUTH "X-Long: a\n  b\n\n", "HTTP/1.1 200 OK"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		char buf[8192];
		int fd = connect_to(0);

		assert_true(ask(fd, cases[i].request, buf, sizeof(buf)));
		assert_first_line(buf, cases[i].line);
		close(fd);
	}
}

static void semicolons_separate(void **state)
{
	char buf[16384];
	int fd = connect_to(1);
	const char *body = "name=a;description=x%3By%20z", *config;
	_cleanup_str_ char *put =
	    mem_printf("PUT /api2/json/nodes/pve2/qemu/101/config HTTP/1.1\r\n" AUTH FORM
		       "Content-Length: %zu\r\n\r\n%s",
		strlen(body), body);

	(void)state;
	assert_true(ask(fd, put, buf, sizeof(buf)));
	assert_first_line(buf, "HTTP/1.1 200 OK");
	config = "GET /api2/json/nodes/pve2/qemu/101/config HTTP/1.1\r\n" AUTH "\r\n";
	assert_true(ask(fd, config, buf, sizeof(buf)));
	assert_non_null(strstr(buf, "\"name\":\"a\""));
	assert_non_null(strstr(buf, "\"description\":\"x;y z\""));
	close(fd);
}

/* What the body of an answer unfolds to. */
static char *unzipped(const char *answer, size_t n)
{
	const char *body = strstr(answer, "\r\n\r\n") + 4;
	z_stream z = {0};
	char *text = mem_alloc(1 << 20);

	assert_int_equal(inflateInit2(&z, 15 + 16), Z_OK);
	z.next_in = (Bytef *)body;
	z.avail_in = (uInt)n;
	z.next_out = (Bytef *)text;
	z.avail_out = (1 << 20) - 1;
	assert_int_equal(inflate(&z, Z_FINISH), Z_STREAM_END);
	assert_int_equal(z.avail_in, 0);
	text[z.total_out] = '\0';
	inflateEnd(&z);
	return text;
}

/* More than 1024 bytes are compressed for whom that is right, and nothing else. */
static void long_answers_are_compressed(void **state)
{
#define ZIP "Accept-Encoding: deflate, gzip, br\r\n"
	static const char roles[] = "GET /api2/json/access/roles HTTP/1.1\r\n" AUTH;
	_cleanup_str_ char *zip = mem_printf("%s" ZIP "\r\n", roles);
	_cleanup_str_ char *other = mem_printf("%sAccept-Encoding: br\r\n\r\n", roles);
	_cleanup_str_ char *bare = mem_printf("%s\r\n", roles);
	_cleanup_str_ char *text = NULL;
	static char plain[65536], buf[65536];
	int fd = connect_to(0);
	size_t n = 0, all = 0;

	(void)state;
	assert_true(ask(fd, bare, plain, sizeof(plain)));
	assert_null(strstr(plain, "Content-Encoding"));
	assert_int_equal(sscanf(strstr(plain, "Content-Length: "), "Content-Length: %zu", &all), 1);
	assert_true(all > 1024);
	assert_true(ask(fd, zip, buf, sizeof(buf)));
	assert_non_null(strstr(buf, "\r\nContent-Encoding: gzip\r\n"));
	assert_int_equal(sscanf(strstr(buf, "Content-Length: "), "Content-Length: %zu", &n), 1);
	assert_true(n < all / 2);
	text = unzipped(buf, n);
	assert_string_equal(text, strstr(plain, "\r\n\r\n") + 4);
	/* The connection goes on; the next one does not say it. */
	assert_true(ask(fd, other, buf, sizeof(buf)));
	assert_null(strstr(buf, "Content-Encoding"));
	assert_string_equal(strstr(buf, "\r\n\r\n"), strstr(plain, "\r\n\r\n"));
	assert_true(
	    ask(fd, "GET /api2/json/version HTTP/1.1\r\n" AUTH ZIP "\r\n", buf, sizeof(buf)));
	assert_null(strstr(buf, "Content-Encoding"));
	close(fd);
#undef ZIP
}

static void each_node_has_its_port(void **state)
{
	char buf[8192];

	(void)state;
	for (int i = 0; i < 3; i++) {
		int fd = connect_to(i);
		const char *got;

		assert_true(ask(fd, "GET /api2/json/cluster/status HTTP/1.1\r\n" AUTH "\r\n", buf,
		    sizeof(buf)));
		got = strstr(buf, "\"local\":1");
		assert_non_null(got);
		/* The entry before it is of the node asked. */
		while (got > buf && strncmp(got, "\"name\":\"", 8) != 0)
			got--;
		assert_int_equal(got[11], '1' + i);
		close(fd);
	}
}

static void tls_with_its_own_ca(void **state)
{
	SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
	int fd = connect_to(0);
	static const char get[] = "GET /api2/json/version HTTP/1.1\r\n" AUTH "\r\n";
	char buf[8192];
	SSL *ssl;
	int n;

	(void)state;
	assert_int_equal(SSL_CTX_load_verify_locations(ctx, srv.ca, NULL), 1);
	SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER, NULL);
	ssl = SSL_new(ctx);
	assert_int_equal(SSL_set1_host(ssl, "localhost"), 1);
	assert_int_equal(SSL_set_fd(ssl, fd), 1);
	assert_int_equal(SSL_connect(ssl), 1);
	assert_int_equal(SSL_write(ssl, get, sizeof(get) - 1), sizeof(get) - 1);
	n = SSL_read(ssl, buf, sizeof(buf) - 1);
	assert_true(n > 0);
	buf[n] = '\0';
	assert_first_line(buf, "HTTP/1.1 200 OK");
	SSL_free(ssl);
	SSL_CTX_free(ctx);
	close(fd);
}

static void plain_http_where_tls_is_spoken(void **state)
{
	char buf[8192];
	int fd = connect_to(0);

	(void)state;
	assert_true(ask(fd, "GET /api2/json/nodes?x=1 HTTP/1.1\r\nHost: pve.example:8006\r\n\r\n",
	    buf, sizeof(buf)));
	assert_first_line(buf, "HTTP/1.1 301 Moved Permanently");
	assert_non_null(
	    strstr(buf, "\r\nLocation: https://pve.example:8006/api2/json/nodes?x=1\r\n"));
	close(fd);
	fd = connect_to(0);
	assert_true(ask(fd,
	    "POST /api2/json/nodes HTTP/1.1\r\nHost: pve.example\r\nContent-Length: 0\r\n\r\n", buf,
	    sizeof(buf)));
	assert_first_line(buf, "HTTP/1.1 308 Permanent Redirect");
	close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(connection_is_kept_and_ends, start_plain, stop),
	    cmocka_unit_test_setup_teardown(errors_close, start_plain, stop),
	    cmocka_unit_test_setup_teardown(what_is_not_taken, start_plain, stop),
	    cmocka_unit_test_setup_teardown(a_head_has_limits, start_plain, stop),
	    cmocka_unit_test_setup_teardown(a_head_has_a_form, start_plain, stop),
	    cmocka_unit_test_setup_teardown(semicolons_separate, start_plain, stop),
	    cmocka_unit_test_setup_teardown(long_answers_are_compressed, start_plain, stop),
	    cmocka_unit_test_setup_teardown(each_node_has_its_port, start_plain, stop),
	    cmocka_unit_test_setup_teardown(tls_with_its_own_ca, start_tls, stop),
	    cmocka_unit_test_setup_teardown(plain_http_where_tls_is_spoken, start_tls, stop),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
