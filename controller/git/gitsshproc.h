/*
 * gitsshproc: one run of a program of OpenSSH, with a limit on every wait.
 *
 * Not a protocol and not a judge of what went wrong (gitsshwords.h).
 *
 * Owns the process, its pipes and the words it left on its standard error.
 *
 * The git worker.
 */
#ifndef RAMET_GITSSHPROC_H
#define RAMET_GITSSHPROC_H

#include <sys/types.h>

#include "buf.h"
#include "err.h"

struct gitsshproc {
	pid_t pid;	   /* 0 = none */
	int in, out, says; /* our ends of its standard input, output and error; -1 = closed */
	struct buf words;  /* from its standard error, bounded */
	int status;	   /* of waitpid, once it has ended */
};

/* argv[0] is looked for in the PATH of env. ERR_IO. */
int gitsshproc_start(struct gitsshproc *p, const char *const *argv, const char *const *env,
    struct err **err) MUST_CHECK;
/* Bytes read, 0 = it closed its output (and has ended now), -1 = silent for stall_ms. */
ssize_t gitsshproc_read(struct gitsshproc *p, char *to, size_t size, int64_t stall_ms);
/* 0 all written; 1 it does not listen any more; -1 it did not read for stall_ms. */
int gitsshproc_write(struct gitsshproc *p, const char *data, size_t len, int64_t stall_ms);
/* It gets no more. */
void gitsshproc_close_in(struct gitsshproc *p);
/* Kills it if it still runs; words and status stay until the next start. */
void gitsshproc_stop(struct gitsshproc *p);
void gitsshproc_fini(struct gitsshproc *p);

#endif
