/*
 * support_disk: a disk that forgets what was not flushed when its power goes: bytes of files, and
 * names in directories.
 *
 * Not a file system for everybody: the calls that the store of the state directory makes, under
 * paths of its own (disk_root). They are taken at link time (-Wl,--wrap); all other paths and
 * descriptors go on to the kernel.
 *
 * Owns its files and descriptors. What a call left in a cache stays there when a process dies; what
 * a flush put on the disk stays when the power goes.
 *
 * Tests.
 */
#ifndef RAMET_SUPPORT_DISK_H
#define RAMET_SUPPORT_DISK_H

#include <sys/types.h>

#include "buf.h"

/* What of that which was not flushed is there all the same when power returns. */
enum disk_keeps {
	DISK_NOTHING,
	DISK_NAMES,  /* of all directories; files have the bytes that were flushed */
	DISK_BYTES,  /* of all files; directories have the names that were flushed */
	DISK_CHANCE, /* of each some, by a number */
	DISK_KEEPS__MAX
};

struct disk;

struct disk *disk_new(void);
void disk_free(struct disk **d);
/* A folder that is there for good. */
const char *disk_root(const struct disk *d);
/* Everything is gone but the root. */
void disk_wipe(struct disk *d);

/* Right before the n-th change or flush from now on (from 1) the power goes: that call and all
 * after it fail and have no effect. 0 = it does not. */
void disk_cut_at(struct disk *d, unsigned n);
bool disk_is_off(const struct disk *d);
/* Changes and flushes so far. */
unsigned disk_steps(const struct disk *d);
/* Calls work again, and no flush was missed: only the process was gone. */
void disk_on(struct disk *d);
/* The power goes, if it is not gone, and returns. Descriptors are gone. */
void disk_power(struct disk *d, enum disk_keeps keeps, uint64_t number);
/* The n-th change or flush from now on fails by itself; a flush that fails flushed nothing. */
void disk_fail_at(struct disk *d, unsigned n);

/* For support_diskcalls.c: as the system calls, false when it is not about a disk of ours. */
bool disk_open(int at, const char *path, int flags, int *ret);
bool disk_read(int fd, void *to, size_t len, ssize_t *ret);
bool disk_write(int fd, const void *from, size_t len, ssize_t *ret);
bool disk_close(int fd, int *ret);
bool disk_sync(int fd, int *ret);
bool disk_lock(int fd, int *ret);
bool disk_rename(int at, const char *from, int to_at, const char *to, int *ret);
bool disk_unlink(int at, const char *path, int *ret);
bool disk_mkdir(const char *path, int *ret);

#endif
