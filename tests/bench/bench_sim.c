/*
 * What 10,000 guests cost the simulated cluster: reads of configurations and of /cluster/resources
 * over HTTPS, memory. The same client asks, in the same run, a responder that does nothing: it
 * takes up connections one after the other, with the same certificate, and writes a fixed text for
 * each request. The ratio of the two is what counts and what is asserted; the figures are those of
 * this machine. Real code answered about 2,000 reads of configurations a second with three workers.
 */
#include <errno.h>
#include <event2/event.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/ssl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "sim.h"
#include "sim_http.h"
#include "sim_tls.h"

#define GUESTS 10000
#define READS 10000
#define LISTS 20
#define PER_CONNECTION 100 /* as many as pveproxy answers on one */
#ifdef NDEBUG
#define LEAST_RATIO 0.2 /* below it the simulation is slow, whatever the machine */
#else
#define LEAST_RATIO 0.05
#endif
#define MOST_KIB_EACH 8 /* a guest takes no more memory */
#define REAL_READS 2000 /* what was measured at a real API */

static const char seed[] =
    "timing: {request: 0}\n"
    "nodes: [{name: n1}, {name: n2}, {name: n3}]\n"
    "storages: [{name: fast, type: dir, shared: true, content: [images], size: 900T}]\n"
    "users: [{name: root@pam, tokens: [{name: t, secret: s, privsep: false}]}]\n"
    "guests: [{id: 1000, count: 10000, node: n1, config: {name: vm, cores: 2, memory: 2048, scsi0: "
    "\"fast:8\", net0: \"virtio,bridge=vmbr0\", tags: \"a;b\"}}]\n";

static int64_t clock_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

static long resident_kib(void)
{
	long pages = 0, all;
	FILE *f = fopen("/proc/self/statm", "re");

	if (f && fscanf(f, "%ld %ld", &all, &pages) != 2)
		pages = 0;
	if (f)
		fclose(f);
	return pages * (sysconf(_SC_PAGESIZE) / 1024);
}

struct hello {
	int port;
	long kib;	 /* memory that the cluster takes */
	int64_t load_us; /* making it */
};

static void tell(int fd, const struct hello *h)
{
	if (write(fd, h, sizeof(*h)) != sizeof(*h))
		_exit(1);
	close(fd);
}

static void fail(const char *what)
{
	fprintf(stderr, "bench: %s\n", what);
	_exit(1);
}

/* --- the two servers, each in a process of its own --- */

static SSL_CTX *tls; /* of both */

static void serve_sim(int fd)
{
	const struct sim_opts so = {.seed_yaml = seed, .seed_name = "bench", .random = 1};
	struct sim_http_opts ho = {
	    .address = "127.0.0.1", .tls = tls, .speed = 1, .clock_us = clock_us};
	struct event_base *base = event_base_new();
	struct hello h = {.kib = resident_kib(), .load_us = clock_us()};
	struct sim_http *http = NULL;
	struct sim *sim = NULL;
	struct err *e = NULL;

	if (sim_new(&so, &sim, &e) < 0 || sim_http_start(base, sim, &ho, &http, &e) < 0)
		fail(err_msg(e));
	h.load_us = clock_us() - h.load_us;
	h.kib = resident_kib() - h.kib;
	h.port = sim_http_port(http, 0);
	tell(fd, &h);
	event_base_dispatch(base);
	_exit(0);
}

static int listen_any(int *ret_port)
{
	struct sockaddr_in a = {.sin_family = AF_INET};
	socklen_t len = sizeof(a);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (fd < 0 || bind(fd, (struct sockaddr *)&a, len) < 0 || listen(fd, 16) < 0 ||
	    getsockname(fd, (struct sockaddr *)&a, &len) < 0)
		fail(strerror(errno));
	*ret_port = ntohs(a.sin_port);
	return fd;
}

static void serve_trivial(int fd)
{
	static const char answer[] =
	    "HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\n"
	    "{\"data\":{\"cores\":2,\"memory\":\"2048\",\"name\":\"vm-1\"}}";
	struct hello h = {0};
	int listener = listen_any(&h.port);
	char buf[4096];

	tell(fd, &h);
	for (;;) {
		int c = accept4(listener, NULL, NULL, SOCK_CLOEXEC), one = 1;
		SSL *ssl = SSL_new(tls);

		setsockopt(c, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
		SSL_set_fd(ssl, c);
		if (SSL_accept(ssl) == 1)
			while (SSL_read(ssl, buf, sizeof(buf)) > 0)
				SSL_write(ssl, answer, sizeof(answer) - 1);
		SSL_free(ssl);
		close(c);
	}
}

static pid_t start(void (*serve)(int fd), struct hello *ret)
{
	int p[2];
	pid_t pid = -1;

	if (pipe(p) < 0 || (pid = fork()) < 0)
		fail(strerror(errno));
	if (!pid) {
		close(p[0]);
		serve(p[1]);
	}
	close(p[1]);
	if (read(p[0], ret, sizeof(*ret)) != sizeof(*ret))
		fail("the server did not start");
	close(p[0]);
	return pid;
}

static void stop(pid_t pid)
{
	kill(pid, SIGTERM);
	waitpid(pid, NULL, 0);
}

/* --- the client --- */

struct link {
	int fd;
	SSL *ssl;
};

static void hang_up(struct link *l)
{
	if (!l->ssl)
		return;
	SSL_free(l->ssl);
	close(l->fd);
	*l = (struct link){0};
}

static struct link dial(int port)
{
	static SSL_CTX *ctx;
	struct link l;
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), one = 1;

	a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (fd < 0 || connect(fd, (struct sockaddr *)&a, sizeof(a)) < 0)
		fail(strerror(errno));
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	if (!ctx)
		ctx =
		    SSL_CTX_new(TLS_client_method()); /* whose certificate it is does not matter */
	l = (struct link){fd, SSL_new(ctx)};
	SSL_set_fd(l.ssl, fd);
	if (SSL_connect(l.ssl) != 1)
		fail("no TLS");
	return l;
}

/* One request; returns the bytes of the body. */
static size_t fetch(const struct link *to, const char *path)
{
	static char buf[64 << 20];
	char q[512];
	size_t n = 0, want = 0;
	const char *body = NULL, *len;
	int l = snprintf(q, sizeof(q),
	    "GET /api2/json%s HTTP/1.1\r\nHost: x\r\nAuthorization: PVEAPIToken=root@pam!t=s\r\n"
	    "\r\n",
	    path);

	if (SSL_write(to->ssl, q, l) != l)
		fail("cannot ask");
	while (!body || n < want) {
		int r = SSL_read(to->ssl, buf + n, (int)(sizeof(buf) - 1 - n));

		if (r <= 0)
			fail("the connection broke");
		n += (size_t)r;
		buf[n] = '\0';
		if (!body && (body = strstr(buf, "\r\n\r\n"))) {
			len = strstr(buf, "Content-Length: ");
			if (strncmp(buf, "HTTP/1.1 200", 12) != 0 || !len)
				fail("no good answer");
			want = (size_t)(body + 4 - buf) + strtoul(len + 16, NULL, 10);
		}
	}
	return want - (size_t)(body + 4 - buf);
}

/* Requests a second; path may hold one %d for the number of a guest. */
static double rate(int port, const char *path, int count, size_t *ret_bytes)
{
	int64_t t = clock_us();
	struct link to = {0};

	for (int i = 0; i < count; i++) {
		char at[256];

		if (i % PER_CONNECTION == 0) {
			hang_up(&to);
			to = dial(port);
		}
		snprintf(at, sizeof(at), "%.*s%d%s", (int)strcspn(path, "#"), path,
		    1000 + i * 7919 % GUESTS, strchr(path, '#') ? strchr(path, '#') + 1 : "");
		*ret_bytes = fetch(&to, strchr(path, '#') ? at : path);
	}
	hang_up(&to);
	return count * 1e6 / (double)(clock_us() - t);
}

static void make_tls(void)
{
	char dir[] = "/tmp/benchsim.XXXXXX";
	static const char *const files[] = {"ca.pem", "server.pem", "server.key"};
	_cleanup_strs_ struct strs hosts = {0};
	_cleanup_str_ char *cert = NULL;
	_cleanup_str_ char *key = NULL;
	struct err *e = NULL;

	if (!mkdtemp(dir))
		fail(strerror(errno));
	strs_add(&hosts, "127.0.0.1");
	cert = mem_printf("%s/server.pem", dir);
	key = mem_printf("%s/server.key", dir);
	if (tls_make(dir, &hosts, &e) < 0 || tls_context(cert, key, &tls, &e) < 0)
		fail(err_msg(e));
	for (size_t i = 0; i < ARRAY_LEN(files); i++) {
		_cleanup_str_ char *path = mem_printf("%s/%s", dir, files[i]);

		unlink(path);
	}
	rmdir(dir);
}

int main(void)
{
	struct hello sim, trivial;
	size_t bytes, list_bytes, ignored;
	double least, reads, lists, ratio, each;
	pid_t a, b;

	make_tls();
	a = start(serve_sim, &sim);
	b = start(serve_trivial, &trivial);
	rate(sim.port, "/nodes/n1/qemu/#/config", 200, &ignored); /* warm */
	least = rate(trivial.port, "/", READS, &ignored);
	reads = rate(sim.port, "/nodes/n1/qemu/#/config", READS, &bytes);
	lists = rate(sim.port, "/cluster/resources", LISTS, &list_bytes);
	stop(a);
	stop(b);
	SSL_CTX_free(tls);
	ratio = reads / least;
	each = (double)sim.kib / GUESTS;
	printf("guests: %d, made in %.2f s, %.1f MiB (%.1f KiB each, at most %d)\n", GUESTS,
	    (double)sim.load_us / 1e6, (double)sim.kib / 1024, each, MOST_KIB_EACH);
	printf("configuration reads over TLS: %.0f a second (%zu bytes each), %.1f times the %d of "
	       "real code\n",
	    reads, bytes, reads / REAL_READS, REAL_READS);
	printf("/cluster/resources: %.1f ms (%.1f MiB)\n", 1000 / lists,
	    (double)list_bytes / (1 << 20));
	printf("a responder that does nothing: %.0f a second; ratio %.2f (at least %.2f)\n", least,
	    ratio, LEAST_RATIO);
	return ratio < LEAST_RATIO || each > MOST_KIB_EACH;
}
