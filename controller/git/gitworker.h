/*
 * gitworker: the process that does Git's work: settings first, then one request after the other.
 *
 * Not a service: it lives and dies by its controller (loop/child.h), keeps nothing that could not
 * be fetched again, and never sees anything of the cluster.
 *
 * Owns its end of the socket.
 *
 * The git worker.
 */
#ifndef RAMET_GITWORKER_H
#define RAMET_GITWORKER_H

/* The hidden first argument with which the program becomes a worker (child_worker_fd). */
#define GITWORKER_WORD "git-worker"

/* Serves until the controller closes the socket. The exit status of the process. */
int gitworker_main(int fd);

#endif
