/*
 * gitjail: the worker gives up what it does not need, for good: folders (Landlock), ports
 * (Landlock), system calls (seccomp), memory and files (rlimits).
 *
 * Not a promise: a kernel without one of these leaves it out. The controller process is not
 * restricted by this; that is the service manager's or the container's part.
 *
 * Nothing is kept. What is given up is given up by every process started afterwards, too.
 *
 * The git worker.
 */
#ifndef RAMET_GITJAIL_H
#define RAMET_GITJAIL_H

#include "text.h"

struct gitjail {
	struct strs write; /* folders and files to read and write below */
	struct strs read;  /* to read below; what does not exist is left out */
	bool programs;	   /* may start those of the system's folders, for ssh */
	bool helpers;	   /* these may listen, on sockets that are files */
	uint16_t ports[4]; /* TCP ports to connect to; 0 = none */
	bool folders;	   /* restrict folders at all */
	int64_t max_file_bytes;
};

void gitjail_fini(struct gitjail *j);
/* Adds what every program on the system may need to read: libraries, name service, authorities. */
void gitjail_add_system(struct gitjail *j);
/* From now on. What the kernel has but refuses is logged. */
void gitjail_enter(const struct gitjail *j);

#endif
