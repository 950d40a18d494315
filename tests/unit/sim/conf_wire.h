/*
 * conf_wire: records that tell the bytes of a request: they are sent to the HTTP front of the
 * simulated cluster over a socket, and the head of the answer counts as well.
 *
 * Included by conf_replay.h.
 */
#ifndef RAMET_CONF_WIRE_H
#define RAMET_CONF_WIRE_H

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "sim_http.h"

static const struct sim *wire_sim;

/* The front follows the clock of the simulation, which the replay moves. */
static int64_t wire_clock(void)
{
	return sim_now(wire_sim) * 1000;
}

static SSL_CTX *wire_ctx; /* nothing is ever encrypted with it */

static struct sim_http *wire_new(struct sim *sim, bool tls)
{
	struct sim_http_opts o = {.address = "127.0.0.1", .speed = 1, .clock_us = wire_clock};
	struct sim_http *h = NULL;

	if (tls)
		o.tls = wire_ctx = SSL_CTX_new(TLS_server_method());
	wire_sim = sim;
	MUST(sim_http_start(NULL, sim, &o, &h, NULL) == 0);
	return h;
}

static void wire_free(struct sim_http **h)
{
	if (*h)
		sim_http_free(h);
	SSL_CTX_free(wire_ctx);
	wire_ctx = NULL;
}

/* Whether the answer is whole: its head says how long the body is, or the server closes. */
static bool wire_whole(const struct buf *b)
{
	const char *text = buf_str(b), *end = strstr(text, "\r\n\r\n"),
		   *len = strstr(text, "Content-Length: ");

	if (!end || !len || len > end)
		return end && !strstr(text, "Connection: close");
	return b->len >= (size_t)(end + 4 - text) + strtoull(len + 16, NULL, 10);
}

/* Sends these bytes and reads one answer; meanwhile the simulation goes on. */
static void wire_talk(struct sim_http *h, const struct buf *out, struct buf *ret)
{
	struct sockaddr_in a = {.sin_family = AF_INET,
	    .sin_port = htons((uint16_t)sim_http_port(h, 0)),
	    .sin_addr = {htonl(INADDR_LOOPBACK)}};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	struct pollfd p = {.fd = fd, .events = POLLIN};
	char chunk[65536];
	size_t sent = 0;
	unsigned idle = 0;

	MUST(fd >= 0 && (!connect(fd, (struct sockaddr *)&a, sizeof(a)) || errno == EINPROGRESS));
	while (!wire_whole(ret) && idle < 20000) {
		ssize_t n =
		    sent < out->len ? send(fd, out->data + sent, out->len - sent, MSG_NOSIGNAL) : 0;

		sent += n > 0 ? (size_t)n : 0;
		idle = n > 0 ? 0 : idle + 1;
		sim_http_poll(h);
		if (poll(&p, 1, idle > 3) > 0 && sent) {
			n = recv(fd, chunk, sizeof(chunk), 0);
			if (!n || (n < 0 && errno != EAGAIN))
				break;
			if (n > 0)
				buf_add(ret, chunk, (size_t)n), idle = 0;
		} else if (idle > 6 && sent == out->len && sim_next_event(wire_sim) >= 0)
			sim_run_until((struct sim *)wire_sim, sim_next_event(wire_sim));
	}
	close(fd);
	for (int i = 0; i < 4; i++)
		sim_http_poll(h);
}

/* The text of a record has one character for each byte. */
static void wire_bytes(struct buf *b, const char *text)
{
	for (; *text; text++) {
		const unsigned char c = (unsigned char)*text;

		if (c < 0x80)
			buf_addc(b, *text);
		else
			buf_addc(b, (char)((c & 3) << 6 | (*++text & 0x3f)));
	}
}

/* Header of an answer, trimmed; NULL if absent. Owned. */
static char *wire_header(const char *head, const char *name)
{
	_cleanup_str_ char *key = mem_printf("\r\n%s: ", name);
	const char *p = strstr(head, key), *end = strstr(head, "\r\n\r\n");

	if (!p || p > end)
		return NULL;
	p += strlen(key);
	return mem_strndup(p, strcspn(p, "\r"));
}

#endif
