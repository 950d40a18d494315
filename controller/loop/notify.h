/*
 * notify: tells the service manager how the controller is: sd_notify(3), without its library.
 *
 * Not a supervisor. Where nobody listens (no NOTIFY_SOCKET) every call does nothing.
 *
 * Owns its socket and its timer until notify_free; borrows the loop.
 *
 * The controller process. The protocol is that of sd_notify(3): one datagram of lines KEY=VALUE; a
 * library of its own for it would be the largest dependency.
 */
#ifndef RAMET_NOTIFY_H
#define RAMET_NOTIFY_H

#include "loop.h"

struct notify;
#define _cleanup_notify_ _cleanup_(notify_free)

struct notify_opts {
	const char *socket;	   /* $NOTIFY_SOCKET; NULL or "" = nobody listens */
	const char *watchdog_usec; /* $WATCHDOG_USEC; NULL = no watchdog */
	const char *watchdog_pid;  /* $WATCHDOG_PID; NULL = whoever reads it */
};

/* Never fails: what cannot be reached is logged and left alone. With a watchdog it sends a sign of
 * life from the loop twice as often as asked for. */
struct notify *notify_new(struct loop *l, const struct notify_opts *o);
void notify_free(struct notify **n);

void notify_ready(struct notify *n, const char *status);  /* also ends a reload */
void notify_status(struct notify *n, const char *status); /* one line for `systemctl status` */
void notify_reloading(struct notify *n);
void notify_stopping(struct notify *n);

#endif
