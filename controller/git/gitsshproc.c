#include "gitsshproc.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define WORDS_MAX ((size_t)8192)
/* How long it may take to end after it closed its output. */
#define END_MS 2000

static void close_end(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

static _Noreturn void become(
    int in, int out, int says, const char *const *argv, const char *const *env)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	signal(SIGPIPE, SIG_DFL);
	if (dup2(in, 0) < 0 || dup2(out, 1) < 0 || dup2(says, 2) < 0)
		_exit(126);
	execvpe(argv[0], (char *const *)(uintptr_t)argv, (char *const *)(uintptr_t)env);
	/* 127 is what a shell says too. */
	_exit(127);
}

int gitsshproc_start(
    struct gitsshproc *p, const char *const *argv, const char *const *env, struct err **err)
{
	int fd[6] = {-1, -1, -1, -1, -1, -1}; /* in: 0 ← 1, out: 2 ← 3, says: 4 ← 5 */

	*p = (struct gitsshproc){.in = -1, .out = -1, .says = -1};
	buf_init(&p->words, WORDS_MAX);
	bool good = pipe2(fd, O_CLOEXEC) == 0 && pipe2(fd + 2, O_CLOEXEC) == 0 &&
		    pipe2(fd + 4, O_CLOEXEC) == 0;
	pid_t pid = good ? fork() : -1;
	if (pid == 0)
		become(fd[0], fd[3], fd[5], argv, env);
	int saved = errno;
	close_end(&fd[0]);
	close_end(&fd[3]);
	close_end(&fd[5]);
	if (pid < 0) {
		close_end(&fd[1]);
		close_end(&fd[2]);
		close_end(&fd[4]);
		return err_set(err, ERR_IO, "cannot start %s: %s", argv[0], strerror(saved));
	}
	p->pid = pid;
	p->in = fd[1];
	p->out = fd[2];
	p->says = fd[4];
	fcntl(p->in, F_SETFL, O_NONBLOCK);
	fcntl(p->out, F_SETFL, O_NONBLOCK);
	fcntl(p->says, F_SETFL, O_NONBLOCK);
	return 0;
}

/* Takes what stands on its standard error; the first part tells the reason. */
static void listen_to(struct gitsshproc *p)
{
	char chunk[1024];
	while (p->says >= 0) {
		ssize_t n = read(p->says, chunk, sizeof(chunk));
		if (n < 0 && (errno == EAGAIN || errno == EINTR))
			return;
		if (n <= 0) {
			close_end(&p->says);
			return;
		}
		size_t room = WORDS_MAX - p->words.len;
		buf_add(&p->words, chunk, (size_t)n < room ? (size_t)n : room);
	}
}

/* Waits for one of its pipes. 1 ready, 0 nothing for ms. */
static int wait_for(struct gitsshproc *p, int fd, short what, int64_t ms)
{
	struct pollfd pfd[2] = {{fd, what, 0}, {p->says, POLLIN, 0}};
	for (;;) {
		int n = poll(pfd, 2, (int)ms);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return 0;
		if (pfd[1].revents)
			listen_to(p);
		pfd[1].fd = p->says;
		if (pfd[0].revents)
			return 1;
		if (fd < 0 && p->says < 0)
			return 1;
	}
}

static void reap(struct gitsshproc *p, bool force)
{
	if (!p->pid)
		return;
	if (force)
		kill(p->pid, SIGKILL);
	while (waitpid(p->pid, &p->status, 0) < 0 && errno == EINTR)
		;
	p->pid = 0;
}

ssize_t gitsshproc_read(struct gitsshproc *p, char *to, size_t size, int64_t stall_ms)
{
	while (p->out >= 0) {
		ssize_t n = read(p->out, to, size);
		if (n > 0)
			return n;
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN) {
			if (!wait_for(p, p->out, POLLIN, stall_ms))
				return -1;
			continue;
		}
		close_end(&p->out);
		close_end(&p->in);
		/* Its last words, then its status. */
		bool ends = p->says < 0 || wait_for(p, -1, 0, END_MS) == 1;
		reap(p, !ends);
	}
	return 0;
}

int gitsshproc_write(struct gitsshproc *p, const char *data, size_t len, int64_t stall_ms)
{
	while (len) {
		if (p->in < 0)
			return 1;
		ssize_t n = write(p->in, data, len);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN) {
			if (!wait_for(p, p->in, POLLOUT, stall_ms))
				return -1;
			continue;
		}
		if (n <= 0)
			return 1;
		data += n;
		len -= (size_t)n;
	}
	return 0;
}

void gitsshproc_close_in(struct gitsshproc *p)
{
	close_end(&p->in);
}

void gitsshproc_stop(struct gitsshproc *p)
{
	close_end(&p->in);
	close_end(&p->out);
	listen_to(p);
	close_end(&p->says);
	reap(p, true);
}

void gitsshproc_fini(struct gitsshproc *p)
{
	gitsshproc_stop(p);
	buf_fini(&p->words);
}
