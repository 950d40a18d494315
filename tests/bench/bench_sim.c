/*
 * What 10,000 guests cost the simulated cluster: reads of configurations and of /cluster/resources
 * over HTTP, memory. The same client asks a responder that does nothing but answer a fixed text;
 * the ratio of the two is what counts, the figures are those of this machine.
 */
#include <errno.h>
#include <event2/buffer.h>
#include <event2/event.h>
#include <event2/http.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
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

#define GUESTS 10000
#define READS 10000
#define LISTS 20
#define PER_CONNECTION 100 /* as many as pveproxy answers on one */
#define LEAST_RATIO 0.05   /* below it the simulation is slow, whatever the machine */

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

static void serve_sim(int fd)
{
	const struct sim_opts so = {.seed_yaml = seed, .seed_name = "bench", .random = 1};
	struct sim_http_opts ho = {.address = "127.0.0.1", .speed = 1, .clock_us = clock_us};
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

static void answer(struct evhttp_request *r, void *arg)
{
	struct evbuffer *b = evbuffer_new();

	(void)arg;
	evbuffer_add_printf(b, "{\"data\":{\"cores\":2,\"memory\":\"2048\",\"name\":\"vm-1\"}}");
	evhttp_send_reply(r, 200, "OK", b);
	evbuffer_free(b);
}

static void serve_trivial(int fd)
{
	struct event_base *base = event_base_new();
	struct evhttp *http = evhttp_new(base);
	struct evhttp_bound_socket *s = evhttp_bind_socket_with_handle(http, "127.0.0.1", 0);
	struct sockaddr_in a;
	socklen_t len = sizeof(a);
	struct hello h = {0};

	if (!s || getsockname(evhttp_bound_socket_get_fd(s), (struct sockaddr *)&a, &len) < 0)
		fail("no socket");
	evhttp_set_gencb(http, answer, NULL);
	h.port = ntohs(a.sin_port);
	tell(fd, &h);
	event_base_dispatch(base);
	_exit(0);
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

static int dial(int port)
{
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), one = 1;

	a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (fd < 0 || connect(fd, (struct sockaddr *)&a, sizeof(a)) < 0)
		fail(strerror(errno));
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	return fd;
}

/* One request; returns the bytes of the body. */
static size_t fetch(int fd, const char *path)
{
	static char buf[64 << 20];
	char q[512];
	size_t n = 0, want = 0;
	const char *body = NULL, *len;
	int l = snprintf(q, sizeof(q),
	    "GET /api2/json%s HTTP/1.1\r\nHost: x\r\nAuthorization: PVEAPIToken=root@pam!t=s\r\n"
	    "\r\n",
	    path);

	if (write(fd, q, (size_t)l) != l)
		fail("cannot ask");
	while (!body || n < want) {
		ssize_t r = read(fd, buf + n, sizeof(buf) - 1 - n);

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
	int fd = -1;

	for (int i = 0; i < count; i++) {
		char at[256];

		if (i % PER_CONNECTION == 0) {
			if (fd >= 0)
				close(fd);
			fd = dial(port);
		}
		snprintf(at, sizeof(at), "%.*s%d%s", (int)strcspn(path, "#"), path,
		    1000 + i * 7919 % GUESTS, strchr(path, '#') ? strchr(path, '#') + 1 : "");
		*ret_bytes = fetch(fd, strchr(path, '#') ? at : path);
	}
	close(fd);
	return count * 1e6 / (double)(clock_us() - t);
}

int main(void)
{
	struct hello sim, trivial;
	pid_t a = start(serve_sim, &sim), b = start(serve_trivial, &trivial);
	size_t bytes, list_bytes, ignored;
	double least, reads, lists, ratio;

	rate(sim.port, "/nodes/n1/qemu/#/config", 200, &ignored); /* warm */
	least = rate(trivial.port, "/", READS, &ignored);
	reads = rate(sim.port, "/nodes/n1/qemu/#/config", READS, &bytes);
	lists = rate(sim.port, "/cluster/resources", LISTS, &list_bytes);
	stop(a);
	stop(b);
	ratio = reads / least;
	printf("guests: %d, made in %.2f s, %.1f MiB (%.1f KiB each)\n", GUESTS,
	    (double)sim.load_us / 1e6, (double)sim.kib / 1024, (double)sim.kib / GUESTS);
	printf("configuration reads: %.0f a second (%zu bytes each)\n", reads, bytes);
	printf("/cluster/resources: %.1f ms (%.1f MiB)\n", 1000 / lists,
	    (double)list_bytes / (1 << 20));
	printf("a responder that does nothing: %.0f a second; ratio %.2f (at least %.2f)\n", least,
	    ratio, LEAST_RATIO);
	return ratio < LEAST_RATIO;
}
