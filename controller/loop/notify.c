#include "notify.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "log.h"
#include "text.h"

#define NOTIFY_MAGIC 0x6e6f7466u
#define MESSAGE_MAX 1024
#define WATCHDOG_MAX_MS ((int64_t)24 * 3600 * 1000)

struct notify {
	uint32_t magic;
	struct clock *clock;
	int fd; /* -1 = nobody listens */
	struct sockaddr_un to;
	socklen_t to_len;
	int64_t alive_ms; /* 0 = no watchdog */
	timer_id alive;
};

static void say(struct notify *n, const char *message)
{
	if (n->fd < 0)
		return;
	ssize_t rc = sendto(n->fd, message, strlen(message), MSG_NOSIGNAL | MSG_DONTWAIT,
	    (const struct sockaddr *)&n->to, n->to_len);
	if (rc < 0)
		log_debug(NULL, "the service manager was not told: %s, ignoring", strerror(errno));
}

static void on_alive(void *arg)
{
	struct notify *n = arg;
	n->alive = clock_timer(n->clock, n->alive_ms, on_alive, n);
	say(n, "WATCHDOG=1");
}

/* A path, or a name in the abstract namespace behind '@'. */
static int set_address(struct notify *n, const char *socket_name)
{
	size_t len = strlen(socket_name);
	if ((*socket_name != '/' && *socket_name != '@') || len >= sizeof(n->to.sun_path))
		return -1;
	n->to.sun_family = AF_UNIX;
	memcpy(n->to.sun_path, socket_name, len);
	if (*socket_name == '@')
		n->to.sun_path[0] = '\0';
	n->to_len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len);
	return 0;
}

static void set_watchdog(struct notify *n, const struct notify_opts *o)
{
	int64_t usec, pid;
	if (!o->watchdog_usec || text_to_int(o->watchdog_usec, 1, INT64_MAX, &usec) != 0)
		return;
	if (o->watchdog_pid &&
	    (text_to_int(o->watchdog_pid, 1, INT32_MAX, &pid) != 0 || pid != getpid()))
		return;
	n->alive_ms = usec / 2000;
	if (n->alive_ms < 1)
		n->alive_ms = 1;
	if (n->alive_ms > WATCHDOG_MAX_MS)
		n->alive_ms = WATCHDOG_MAX_MS;
	n->alive = clock_timer(n->clock, 0, on_alive, n);
}

struct notify *notify_new(struct loop *l, const struct notify_opts *o)
{
	struct notify *n = mem_alloc(sizeof(*n));
	n->magic = NOTIFY_MAGIC;
	n->clock = loop_clock(l);
	n->fd = -1;
	if (!o->socket || !*o->socket)
		return n;
	if (set_address(n, o->socket) != 0) {
		log_warn(NULL, "NOTIFY_SOCKET is no address of a socket, ignoring");
		return n;
	}
	n->fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (n->fd < 0)
		log_warn(NULL, "the service manager cannot be told: %s, ignoring", strerror(errno));
	else
		set_watchdog(n, o);
	return n;
}

void notify_free(struct notify **np)
{
	struct notify *n = *np;
	if (!n)
		return;
	CHECK_OBJ(n, NOTIFY_MAGIC);
	clock_cancel(n->clock, &n->alive);
	if (n->fd >= 0)
		close(n->fd);
	n->magic = 0;
	free(n);
	*np = NULL;
}

static void say_with_status(struct notify *n, const char *prefix, const char *status)
{
	/* A line of its own each: what comes from outside must not begin one. */
	_cleanup_str_ char *line = text_oneline(status, MESSAGE_MAX / 4);
	_cleanup_str_ char *message = mem_printf("%sSTATUS=%s", prefix, line);
	say(n, message);
}

void notify_ready(struct notify *n, const char *status)
{
	say_with_status(n, "READY=1\n", status);
}

void notify_status(struct notify *n, const char *status)
{
	say_with_status(n, "", status);
}

void notify_reloading(struct notify *n)
{
	/* MONOTONIC_USEC: for Type=notify-reload; others ignore it. */
	char message[96];
	snprintf(message, sizeof(message), "RELOADING=1\nMONOTONIC_USEC=%lld",
	    (long long)clock_now(n->clock) * 1000);
	say(n, message);
}

void notify_stopping(struct notify *n)
{
	say(n, "STOPPING=1");
}
