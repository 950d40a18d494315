/* The listener as clients see it: over a real socket, byte by byte. */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "httpd.h"
#include "text.h"

#define TURNS_MAX 200000

struct fixture {
	struct loop *l;
	struct httpd *h;
	struct sockaddr_in to;
	char seen[64]; /* of the last POST */
	int answers, last_status;
};

static void on_hello(void *arg, const struct httpd_request *req, struct httpd_reply *ret)
{
	(void)arg;
	buf_addf(&ret->body, "hello %s\n",
	    httpd_header(req, "x-name") ? httpd_header(req, "x-name") : "you");
}

static void on_post(void *arg, const struct httpd_request *req, struct httpd_reply *ret)
{
	struct fixture *f = arg;
	snprintf(f->seen, sizeof(f->seen), "%zu:%.40s", req->body_len, req->body);
	ret->status = 202;
}

static void on_answer(void *arg, int status)
{
	struct fixture *f = arg;
	f->answers++;
	f->last_status = status;
}

static int set_up(void **state)
{
	static const struct httpd_route routes[] = {
	    {"GET", "/hello", on_hello}, {"POST", "/hook", on_post}};
	struct fixture *f = mem_alloc(sizeof(*f));
	int64_t port;
	assert_int_equal(loop_new(&f->l, NULL), 0);
	struct httpd_opts o = {.listen = "127.0.0.1:0",
	    .routes = routes,
	    .n_routes = 2,
	    .on_answer = on_answer,
	    .arg = f};
	assert_int_equal(httpd_new(f->l, &o, &f->h, NULL), 0);
	const char *colon = strrchr(httpd_address(f->h), ':');
	assert_non_null(colon);
	assert_int_equal(text_to_int(colon + 1, 1, 65535, &port), 0);
	f->to = (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
	f->to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	*state = f;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;
	httpd_free(&f->h);
	loop_free(&f->l);
	free(f);
	return 0;
}

static int dial(struct fixture *f)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_true(fd >= 0);
	assert_int_equal(connect(fd, (struct sockaddr *)&f->to, sizeof(f->to)), 0);
	return fd;
}

static void idle(void *arg)
{
	*(timer_id *)arg = 0;
}

/* One turn that ends though nothing happens. */
static void turn(struct fixture *f)
{
	timer_id t = 0;
	t = clock_timer(loop_clock(f->l), 1, idle, &t);
	assert_int_equal(loop_turn(f->l, NULL), 0);
	clock_cancel(loop_clock(f->l), &t);
}

/* What the server says until it closes. */
static char *hear(struct fixture *f, int fd)
{
	struct buf b = {0};
	for (int i = 0; i < TURNS_MAX; i++) {
		char part[4096];
		turn(f);
		ssize_t n = recv(fd, part, sizeof(part), MSG_DONTWAIT);
		if (n > 0)
			buf_add(&b, part, (size_t)n);
		else if (n == 0 || (errno != EAGAIN && errno != EINTR))
			return buf_take(&b);
	}
	fail_msg("the server did not close the connection");
	return NULL;
}

static char *ask(struct fixture *f, const char *text)
{
	int fd = dial(f);
	assert_int_equal(send(fd, text, strlen(text), MSG_NOSIGNAL), strlen(text));
	char *answer = hear(f, fd);
	close(fd);
	return answer;
}

static void answers_its_routes(void **state)
{
	struct fixture *f = *state;
	_cleanup_str_ char *a = ask(f, "GET /hello?x=1 HTTP/1.1\r\nHost: h\r\nX-Name: Eve\r\n\r\n");
	assert_true(text_starts(a, "HTTP/1.1 200 OK\r\n"));
	assert_non_null(strstr(a, "\r\nContent-Type: text/plain; charset=utf-8\r\n"));
	assert_non_null(strstr(a, "\r\nCache-Control: no-store\r\n"));
	assert_true(text_ends(a, "\r\n\r\nhello Eve\n"));
	assert_int_equal(f->answers, 1);
	assert_int_equal(f->last_status, 200);
}

static void head_is_get_without_a_body(void **state)
{
	_cleanup_str_ char *a = ask(*state, "HEAD /hello HTTP/1.1\r\nHost: h\r\n\r\n");
	assert_true(text_starts(a, "HTTP/1.1 200 OK\r\n"));
	assert_true(text_ends(a, "\r\n\r\n"));
}

static void gives_the_body_to_the_handler(void **state)
{
	struct fixture *f = *state;
	_cleanup_str_ char *a =
	    ask(f, "POST /hook HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nabcde");
	assert_true(text_starts(a, "HTTP/1.1 202 Accepted\r\n"));
	assert_string_equal(f->seen, "5:abcde");
}

static void says_what_it_does_not_have(void **state)
{
	struct fixture *f = *state;
	_cleanup_str_ char *none = ask(f, "GET /other HTTP/1.1\r\nHost: h\r\n\r\n");
	_cleanup_str_ char *post =
	    ask(f, "POST /hello HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\n");
	_cleanup_str_ char *get = ask(f, "GET /hook HTTP/1.1\r\nHost: h\r\n\r\n");
	_cleanup_str_ char *up = ask(f, "GET /../etc/passwd HTTP/1.1\r\nHost: h\r\n\r\n");
	assert_true(text_starts(none, "HTTP/1.1 404 Not Found\r\n"));
	assert_true(text_starts(post, "HTTP/1.1 405 Method Not Allowed\r\n"));
	assert_non_null(strstr(post, "\r\nAllow: GET, HEAD\r\n"));
	assert_non_null(strstr(get, "\r\nAllow: POST\r\n"));
	assert_true(text_starts(up, "HTTP/1.1 404 Not Found\r\n"));
}

static void refuses_what_is_too_large(void **state)
{
	struct fixture *f = *state;
	struct buf b = {0};
	buf_adds(&b, "GET /hello HTTP/1.1\r\nHost: h\r\nX-Name: ");
	for (int i = 0; i < HTTPD_HEAD_MAX; i++)
		buf_addc(&b, 'a');
	buf_adds(&b, "\r\n\r\n");
	_cleanup_str_ char *head = ask(f, buf_str(&b));
	buf_reset(&b);
	buf_addf(
	    &b, "POST /hook HTTP/1.1\r\nHost: h\r\nContent-Length: %d\r\n\r\n", HTTPD_BODY_MAX + 1);
	_cleanup_str_ char *body = ask(f, buf_str(&b));
	buf_reset(&b);
	buf_adds(&b, "GET /");
	for (int i = 0; i < HTTPD_PATH_MAX; i++)
		buf_addc(&b, 'a');
	buf_adds(&b, " HTTP/1.1\r\nHost: h\r\n\r\n");
	_cleanup_str_ char *path = ask(f, buf_str(&b));
	buf_fini(&b);
	assert_true(text_starts(head, "HTTP/1.1 400 "));
	assert_true(text_starts(body, "HTTP/1.1 413 "));
	assert_true(text_starts(path, "HTTP/1.1 414 "));
	assert_string_equal(f->seen, "");
}

static void other_methods_and_noise_are_refused(void **state)
{
	static const char *const noise[] = {
	    "DELETE /hello HTTP/1.1\r\nHost: h\r\n\r\n",
	    "PUT /hook HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\n",
	    "\x16\x03\x01\x02\r\n\r\n",
	    "GET\r\n\r\n",
	};
	struct fixture *f = *state;
	for (size_t i = 0; i < ARRAY_LEN(noise); i++) {
		_cleanup_str_ char *a = ask(f, noise[i]);
		assert_null(strstr(a, " 200 "));
		assert_null(strstr(a, " 202 "));
	}
	_cleanup_str_ char *after = ask(f, "GET /hello HTTP/1.0\r\n\r\n");
	assert_non_null(strstr(after, " 200 OK\r\n"));
}

/* Full house: the next one is served as soon as one leaves. */
static void bounds_its_connections(void **state)
{
	struct fixture *f = *state;
	int fd[HTTPD_CONNECTIONS_MAX];
	for (size_t i = 0; i < ARRAY_LEN(fd); i++) {
		fd[i] = dial(f);
		turn(f);
	}
	int late = dial(f);
	static const char text[] = "GET /hello HTTP/1.1\r\nHost: h\r\n\r\n";
	assert_int_equal(send(late, text, sizeof(text) - 1, MSG_NOSIGNAL), sizeof(text) - 1);
	for (int i = 0; i < 20; i++)
		turn(f);
	assert_int_equal(f->answers, 0);
	close(fd[7]);
	_cleanup_str_ char *a = hear(f, late);
	assert_true(text_starts(a, "HTTP/1.1 200 OK\r\n"));
	close(late);
	for (size_t i = 0; i < ARRAY_LEN(fd); i++)
		if (i != 7)
			close(fd[i]);
}

static void says_why_it_cannot_listen(void **state)
{
	struct fixture *f = *state;
	struct httpd *h = NULL;
	_cleanup_err_ struct err *err = NULL;
	struct httpd_opts o = {.listen = httpd_address(f->h)};
	assert_int_equal(httpd_new(f->l, &o, &h, &err), -1);
	assert_int_equal(err->code, ERR_CONFIG);
	_cleanup_str_ char *want =
	    mem_printf("http.listen: %s: Address already in use", httpd_address(f->h));
	assert_string_equal(err->msg, want);
	assert_non_null(strstr(err->hint, "another port"));
	err_free(&err);
	o.listen = "192.0.2.1:8080";
	assert_int_equal(httpd_new(f->l, &o, &h, &err), -1);
	assert_non_null(strstr(err->hint, "no such address"));
	err_free(&err);
	o.listen = "nonsense:x";
	assert_int_equal(httpd_new(f->l, &o, &h, &err), -1);
	assert_int_equal(err->code, ERR_CONFIG);
	assert_null(h);
}

static void can_be_freed_with_clients(void **state)
{
	struct fixture *f = *state;
	int fd = dial(f);
	assert_int_equal(send(fd, "GET /he", 7, MSG_NOSIGNAL), 7);
	for (int i = 0; i < 5; i++)
		turn(f);
	httpd_free(&f->h);
	close(fd);
}

int main(void)
{
#define T(fn) cmocka_unit_test_setup_teardown(fn, set_up, tear_down)
	const struct CMUnitTest tests[] = {
	    T(answers_its_routes),
	    T(head_is_get_without_a_body),
	    T(gives_the_body_to_the_handler),
	    T(says_what_it_does_not_have),
	    T(refuses_what_is_too_large),
	    T(other_methods_and_noise_are_refused),
	    T(bounds_its_connections),
	    T(says_why_it_cannot_listen),
	    T(can_be_freed_with_clients),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
