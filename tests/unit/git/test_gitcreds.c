/* The ways to be let in, and through: tokens, client certificates, another user for pushing, and a
 * proxy. */
#include "gitfix.h"

#include "githost.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/socket.h>

/* The same repositories by other credentials. */
static void test_token_and_certificate(void **state UNUSED)
{
	free(make_repo("creds"));
	_cleanup_str_ char *head = commit("creds", "echo a >a.yaml");
	_cleanup_str_ char *token = fix_sh("cat srv/token");
	_cleanup_str_ char *by_token = mem_printf("%s/token/creds.git", host.base);
	_cleanup_str_ char *by_cert = mem_printf("%s/cert/creds.git", host.base);
	_cleanup_str_ char *cert = mem_printf("%s/srv/client.pem", fix_dir);
	_cleanup_str_ char *key = mem_printf("%s/srv/client.key", fix_dir);
	struct fix f;

	init(&f, by_token);
	f.opts.setup.password = NULL;
	f.opts.setup.token = token;
	fix_open(&f);
	fix_list(&f);
	fix_ok(&f);
	assert_string_equal(f.head, head);
	fix_publish(&f, "", "STATUS.md", "by token\n");
	fix_ok(&f);
	fix_close(&f);
	init(&f, by_token);
	f.opts.setup.password = NULL;
	f.opts.setup.token = "wrong";
	fix_open(&f);
	fix_list(&f);
	fix_failed(&f, ERR_AUTH, "does not accept the token");
	assert_non_null(strstr(f.hint, "git.token_file"));
	fix_close(&f);

	init(&f, by_cert);
	f.opts.setup.client_cert_file = cert;
	f.opts.setup.client_key_file = key;
	fix_open(&f);
	fix_list(&f);
	fix_ok(&f);
	assert_string_equal(f.head, head);
	fix_close(&f);
	init(&f, by_cert);
	fix_open(&f);
	fix_list(&f);
	fix_failed(&f, ERR_FORBIDDEN, "may not do this");
	fix_close(&f);
	init(&f, by_cert);
	f.opts.setup.client_cert_file = cert; /* its key is not in it */
	fix_open(&f);
	fix_list(&f);
	fix_failed(&f, ERR_CONFIG, "the client certificate cannot be used");
	fix_close(&f);
}

static void test_expired(void **state UNUSED)
{
	fix_run("GIT_SERVER_EXPIRED=1 %s start %s/old --until %ld >old.out", host.script, fix_dir,
	    (long)getpid());
	_cleanup_str_ char *lines = fix_sh("cat old.out");
	_cleanup_str_ char *base = githost_value(lines, "url=");
	_cleanup_str_ char *ca = githost_value(lines, "ca=");
	_cleanup_str_ char *url = mem_printf("%s/x.git", base);
	struct fix f;
	init(&f, url);
	f.opts.setup.ca_file = ca;
	fix_open(&f);
	fix_list(&f);
	fix_failed(&f, ERR_TLS, "cannot be trusted");
	assert_non_null(strstr(f.msg, "expired"));
	assert_string_equal(f.hint, "renew the certificate of the Git server");
	fix_close(&f);
	fix_run("%s stop old", host.script);
}

/* One user reads, another pushes: each is used for its own only. */
static void test_write_credentials(void **state UNUSED)
{
	_cleanup_str_ char *url = make_repo("writer");
	_cleanup_str_ char *head = commit("writer", "echo a >a.yaml");
	struct fix f;
	fix_run("echo \"pusher:$(openssl passwd -apr1 push-it)\" >>srv/users\n"
		"cd srv/repos/writer.git; printf '%%s\\n' '#!/bin/sh' "
		"'echo \"you are $REMOTE_USER\" >&2; test \"$REMOTE_USER\" = pusher' "
		">hooks/pre-receive; chmod +x hooks/pre-receive");
	init(&f, url);
	fix_open(&f);
	fix_publish(&f, "", "STATUS.md", "one\n");
	fix_failed(&f, ERR_DECLINED, "you are ramet");
	fix_close(&f);

	init(&f, url);
	f.opts.setup.write_username = "pusher";
	f.opts.setup.write_password = "push-it";
	fix_open(&f);
	fix_list(&f);
	fix_ok(&f);
	assert_string_equal(f.head, head);
	fix_publish(&f, "", "STATUS.md", "one\n");
	fix_ok(&f);
	fix_read_status(&f);
	fix_ok(&f);
	fix_has(&f, "STATUS.md", "one\n");
	fix_close(&f);
	_cleanup_str_ char *users =
	    fix_sh("grep -F writer.git srv/access.log | grep -v ' 401 ' | sed 's/.* - \\([a-z]*\\) "
		   ".*\\(upload\\|receive\\)-pack.*/\\1 \\2/' | sort -u");
	assert_string_equal(users, "pusher receive\nramet receive\nramet upload");

	init(&f, url);
	f.opts.setup.write_username = "pusher";
	f.opts.setup.write_password = "wrong";
	fix_open(&f);
	fix_publish(&f, "", "STATUS.md", "two\n");
	fix_failed(&f, ERR_AUTH, "does not accept the password of user \"pusher\"");
	assert_non_null(strstr(f.hint, "git.write.password_file"));
	fix_list(&f);
	fix_ok(&f);
	fix_close(&f);

	_cleanup_str_ char *by_token = mem_printf("%s/token/writer.git", host.base);
	_cleanup_str_ char *token = fix_sh("cat srv/token");
	init(&f, by_token);
	f.opts.setup.password = NULL;
	f.opts.setup.token = token;
	f.opts.setup.write_token = "wrong";
	fix_open(&f);
	fix_list(&f);
	fix_ok(&f);
	fix_publish(&f, f.status_head, "STATUS.md", "two\n");
	fix_failed(&f, ERR_AUTH, "does not accept the token");
	assert_non_null(strstr(f.hint, "git.write.token_file"));
	fix_close(&f);
}

/* A proxy for one connection at a time: CONNECT, then bytes both ways. Refuses when `refuse`. */
static void serve_proxy(int fd, bool refuse)
{
	char b[65536];
	for (;;) {
		int c = accept(fd, NULL, NULL);
		size_t got = 0;
		while (got < 4 || memcmp(b + got - 4, "\r\n\r\n", 4) != 0) {
			ssize_t n = read(c, b + got, 1);
			if (n <= 0)
				_exit(1);
			got += (size_t)n;
		}
		b[got] = 0;
		int port = 0;
		if (refuse || sscanf(b, "CONNECT 127.0.0.1:%d HTTP/1.1", &port) != 1) {
			dprintf(c, "HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n");
			close(c);
			continue;
		}
		struct sockaddr_in a = {.sin_family = AF_INET,
		    .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
		    .sin_port = htons((uint16_t)port)};
		int up = socket(AF_INET, SOCK_STREAM, 0);
		if (connect(up, (struct sockaddr *)&a, sizeof(a)) != 0)
			_exit(1);
		dprintf(c, "HTTP/1.1 200 OK\r\n\r\n");
		struct pollfd p[2] = {{c, POLLIN, 0}, {up, POLLIN, 0}};
		ssize_t n = 1;
		while (n > 0 && poll(p, 2, -1) > 0) {
			int from = p[0].revents ? 0 : 1;
			n = read(p[from].fd, b, sizeof(b));
			if (n > 0 && write(p[!from].fd, b, (size_t)n) != n)
				break;
		}
		close(c);
		close(up);
	}
}

static pid_t start_proxy(bool refuse, char **ret_url)
{
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof(a);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_true(fd >= 0 && bind(fd, (struct sockaddr *)&a, len) == 0 && listen(fd, 8) == 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&a, &len), 0);
	pid_t pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		serve_proxy(fd, refuse);
	}
	close(fd);
	*ret_url = mem_printf("http://127.0.0.1:%d", ntohs(a.sin_port));
	return pid;
}

static void test_proxy(void **state UNUSED)
{
	_cleanup_str_ char *url = make_repo("proxied");
	_cleanup_str_ char *head = commit("proxied", "echo a >a.yaml");
	for (int refuse = 0; refuse < 2; refuse++) {
		_cleanup_str_ char *proxy = NULL;
		pid_t pid = start_proxy(refuse, &proxy);
		struct fix f;
		init(&f, url);
		f.opts.setup.proxy = proxy;
		fix_open(&f);
		fix_list(&f);
		if (refuse) {
			fix_failed(&f, ERR_UNREACHABLE, "the proxy does not let through");
			assert_non_null(f.hint);
		} else {
			fix_ok(&f);
			assert_string_equal(f.head, head);
			fix_read(&f, head);
			fix_ok(&f);
		}
		kill(pid, SIGKILL);
		waitpid(pid, NULL, 0);
		/* Nobody there any more: never past it. */
		fix_list(&f);
		fix_failed(&f, ERR_UNREACHABLE, "");
		fix_close(&f);
	}
}

FIX_MAIN(githost_run, cmocka_unit_test(test_token_and_certificate), cmocka_unit_test(test_expired),
    cmocka_unit_test(test_write_credentials), cmocka_unit_test(test_proxy))
