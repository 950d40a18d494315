/* The calls of the store of the state directory, taken at link time (world/CMakeLists.txt). */
#include <fcntl.h>
#include <stdarg.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "support_disk.h"

int __real_open(const char *path, int flags, ...);
int __real_openat(int at, const char *path, int flags, ...);
ssize_t __real_read(int fd, void *to, size_t len);
ssize_t __real_write(int fd, const void *from, size_t len);
int __real_close(int fd);
int __real_fsync(int fd);
int __real_fdatasync(int fd);
int __real_flock(int fd, int how);
int __real_renameat(int at, const char *from, int to_at, const char *to);
int __real_unlinkat(int at, const char *path, int flags);
int __real_mkdir(const char *path, mode_t mode);

int __wrap_open(const char *path, int flags, ...);
int __wrap_openat(int at, const char *path, int flags, ...);
ssize_t __wrap_read(int fd, void *to, size_t len);
ssize_t __wrap_write(int fd, const void *from, size_t len);
int __wrap_close(int fd);
int __wrap_fsync(int fd);
int __wrap_fdatasync(int fd);
int __wrap_flock(int fd, int how);
int __wrap_renameat(int at, const char *from, int to_at, const char *to);
int __wrap_unlinkat(int at, const char *path, int flags);
int __wrap_mkdir(const char *path, mode_t mode);

static mode_t mode_of(int flags, va_list ap)
{
	return flags & (O_CREAT | (O_TMPFILE & ~O_DIRECTORY)) ? va_arg(ap, mode_t) : 0;
}

int __wrap_open(const char *path, int flags, ...)
{
	va_list ap;
	mode_t mode;
	int r;

	va_start(ap, flags);
	mode = mode_of(flags, ap);
	va_end(ap);
	return disk_open(AT_FDCWD, path, flags, &r) ? r : __real_open(path, flags, mode);
}

int __wrap_openat(int at, const char *path, int flags, ...)
{
	va_list ap;
	mode_t mode;
	int r;

	va_start(ap, flags);
	mode = mode_of(flags, ap);
	va_end(ap);
	return disk_open(at, path, flags, &r) ? r : __real_openat(at, path, flags, mode);
}

ssize_t __wrap_read(int fd, void *to, size_t len)
{
	ssize_t r;

	return disk_read(fd, to, len, &r) ? r : __real_read(fd, to, len);
}

ssize_t __wrap_write(int fd, const void *from, size_t len)
{
	ssize_t r;

	return disk_write(fd, from, len, &r) ? r : __real_write(fd, from, len);
}

int __wrap_close(int fd)
{
	int r;

	return disk_close(fd, &r) ? r : __real_close(fd);
}

int __wrap_fsync(int fd)
{
	int r;

	return disk_sync(fd, &r) ? r : __real_fsync(fd);
}

int __wrap_fdatasync(int fd)
{
	int r;

	return disk_sync(fd, &r) ? r : __real_fdatasync(fd);
}

int __wrap_flock(int fd, int how)
{
	int r;

	return disk_lock(fd, &r) ? r : __real_flock(fd, how);
}

int __wrap_renameat(int at, const char *from, int to_at, const char *to)
{
	int r;

	return disk_rename(at, from, to_at, to, &r) ? r : __real_renameat(at, from, to_at, to);
}

int __wrap_unlinkat(int at, const char *path, int flags)
{
	int r;

	return disk_unlink(at, path, &r) ? r : __real_unlinkat(at, path, flags);
}

int __wrap_mkdir(const char *path, mode_t mode)
{
	int r;

	return disk_mkdir(path, &r) ? r : __real_mkdir(path, mode);
}
