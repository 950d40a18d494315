#include "child.h"
#include "log.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define CHILD_MAGIC 0x6368696cu
#define WORKER_FD 3
#define HEAD_BYTES 4

#define PAUSE_MIN_MS 100
#define PAUSE_MAX_MS 30000
#define REAP_RETRY_MS 5
#define FINISH_MS 10000
/* What may wait for a process that does not read. */
#define OUT_MAX ((size_t)256 << 20)
#define READ_CHUNK ((size_t)64 << 10)

struct child {
	uint32_t magic;
	struct loop *loop;
	struct child_opts opts;
	pid_t pid; /* 0 = none */
	int fd;	   /* -1 = none */
	struct loop_io *io;
	struct buf in;	 /* received, not yet a whole frame */
	struct buf out;	 /* what was not sent yet; may hold secrets */
	size_t out_done; /* of out */
	timer_id deadline, reap;
	enum child_end why;  /* of the process that is ending */
	int64_t pause_ms;    /* of the next loss */
	int64_t not_before;  /* clock_now */
	unsigned generation; /* of processes */
	bool ending;
};

struct child *child_new(struct loop *loop, const struct child_opts *opts)
{
	struct child *c = mem_alloc(sizeof(*c));
	c->magic = CHILD_MAGIC;
	c->loop = loop;
	c->opts = *opts;
	c->fd = -1;
	c->pause_ms = PAUSE_MIN_MS;
	buf_init(&c->in, opts->frame_max + HEAD_BYTES + READ_CHUNK);
	buf_init_secret(&c->out, OUT_MAX);
	return c;
}

static void close_socket(struct child *c)
{
	loop_io_del(&c->io);
	if (c->fd >= 0)
		close(c->fd);
	c->fd = -1;
	buf_fini(&c->in);
	buf_fini(&c->out);
	c->out_done = 0;
}

static void kill_group(const struct child *c)
{
	/* The worker leads a session of its own: its helpers (ssh) go with it. */
	if (kill(-c->pid, SIGKILL) != 0)
		kill(c->pid, SIGKILL);
}

static void kill_and_wait(struct child *c)
{
	int status;
	kill_group(c);
	/* SIGKILL is acted upon unless the kernel itself hangs in a file system. */
	while (waitpid(c->pid, &status, 0) < 0 && errno == EINTR)
		;
	c->pid = 0;
	c->ending = false;
	clock_cancel(loop_clock(c->loop), &c->deadline);
	clock_cancel(loop_clock(c->loop), &c->reap);
	close_socket(c);
}

void child_free(struct child **cp)
{
	struct child *c = *cp;
	if (!c)
		return;
	CHECK_OBJ(c, CHILD_MAGIC);
	if (c->pid)
		kill_and_wait(c);
	buf_fini(&c->in);
	buf_fini(&c->out);
	c->magic = 0;
	free(c);
	*cp = NULL;
}

void child_kill(struct child *c)
{
	CHECK_OBJ(c, CHILD_MAGIC);
	if (c->pid)
		kill_and_wait(c);
}

static void reap(void *arg)
{
	struct child *c = arg;
	int status = 0;

	c->reap = 0;
	siginfo_t info = {0};
	if (waitid(P_PID, (id_t)c->pid, &info, WEXITED | WNOHANG | WNOWAIT) == 0 && !info.si_pid) {
		/* The socket closes a little before the process becomes waitable. */
		c->reap = clock_timer(loop_clock(c->loop), REAP_RETRY_MS, reap, c);
		return;
	}
	/* Its number is still its own: what it left behind in its session can be named safely. */
	kill_group(c);
	if (waitpid(c->pid, &status, 0) < 0)
		status = 0;
	c->pid = 0;
	c->ending = false;
	if (c->why == CHILD_OVERDUE) {
		c->not_before = 0;
	} else {
		c->not_before = clock_now(loop_clock(c->loop)) + c->pause_ms;
		c->pause_ms = c->pause_ms * 2 > PAUSE_MAX_MS ? PAUSE_MAX_MS : c->pause_ms * 2;
	}
	c->opts.on_end(c->opts.arg, c->why, status);
}

/* The process is on its way out: from here on only its status is of interest. */
static void end(struct child *c, enum child_end why, bool force)
{
	if (c->ending)
		return;
	c->ending = true;
	c->why = why;
	clock_cancel(loop_clock(c->loop), &c->deadline);
	close_socket(c);
	if (force)
		kill_group(c);
	c->reap = clock_timer(loop_clock(c->loop), 0, reap, c);
}

static void overdue(void *arg)
{
	struct child *c = arg;
	c->deadline = 0;
	end(c, CHILD_OVERDUE, true);
}

static uint32_t frame_len(const char *p)
{
	const unsigned char *u = (const unsigned char *)p;
	return (uint32_t)u[0] << 24 | (uint32_t)u[1] << 16 | (uint32_t)u[2] << 8 | u[3];
}

/* Hands out the whole frames in c->in. A callback may kill the process. */
static void deliver(struct child *c)
{
	size_t at = 0;
	unsigned generation = c->generation;
	struct buf in = c->in;
	buf_init(&c->in, in.max);

	while (c->fd >= 0 && c->generation == generation && in.len - at >= HEAD_BYTES) {
		size_t len = frame_len(in.data + at);
		if (len > c->opts.frame_max) {
			log_warn(c->opts.name, "frame of %zu bytes, killing the process", len);
			end(c, CHILD_BROKEN, true);
			break;
		}
		if (in.len - at - HEAD_BYTES < len)
			break;
		c->opts.on_frame(c->opts.arg, in.data + at + HEAD_BYTES, len);
		at += HEAD_BYTES + len;
	}
	if (c->fd < 0 || c->generation != generation) {
		buf_fini(&in);
		return;
	}
	/* What is left of a frame moves to the front; in place, as the buffer may be large. */
	if (at)
		memmove(in.data, in.data + at, in.len - at);
	buf_cut(&in, in.len - at);
	buf_fini(&c->in);
	c->in = in;
}

static void readable(struct child *c)
{
	char chunk[READ_CHUNK];
	ssize_t n = recv(c->fd, chunk, sizeof(chunk), 0);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		end(c, CHILD_EXITED, true);
		return;
	}
	buf_add(&c->in, chunk, (size_t)n);
	deliver(c);
}

static void writable(struct child *c)
{
	while (c->out_done < c->out.len) {
		ssize_t n =
		    send(c->fd, c->out.data + c->out_done, c->out.len - c->out_done, MSG_NOSIGNAL);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN)
			return;
		if (n <= 0) {
			/* What it said before it died is still to be read. */
			loop_io_set(c->io, LOOP_READ);
			return;
		}
		c->out_done += (size_t)n;
	}
	buf_fini(&c->out); /* may be large: not kept */
	c->out_done = 0;
	loop_io_set(c->io, LOOP_READ);
}

static void socket_ready(void *arg, int fd UNUSED, unsigned what)
{
	struct child *c = arg;
	if ((what & LOOP_WRITE) && c->fd >= 0)
		writable(c);
	if ((what & LOOP_READ) && c->fd >= 0)
		readable(c);
}

/* Between fork and exec: only what is safe after a fork. */
static _Noreturn void become_worker(const struct child_opts *o, int sock, pid_t parent)
{
	static const char *const bare_env[] = {"PATH=/usr/local/bin:/usr/bin:/bin", NULL};
	const char *argv[] = {"ramet", o->word, NULL};
	int null = open("/dev/null", O_RDWR);
	sigset_t none;

	setsid();
	/* A parent that is gone before this line is found by the comparison after it. */
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(127);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	for (int sig = 1; sig < NSIG; sig++)
		signal(sig, SIG_DFL);
	if (null < 0 || dup2(null, 0) < 0 || dup2(null, 1) < 0)
		_exit(127);
	if (sock == WORKER_FD) {
		if (fcntl(sock, F_SETFD, 0) != 0)
			_exit(127);
	} else if (dup2(sock, WORKER_FD) < 0) {
		_exit(127);
	}
	close_range(WORKER_FD + 1, ~0U, 0);
	execve(o->exe ? o->exe : "/proc/self/exe", (char *const *)(uintptr_t)argv,
	    (char *const *)(uintptr_t)(o->env ? o->env : bare_env));
	_exit(127);
}

int child_start(struct child *c, struct err **err)
{
	CHECK_OBJ(c, CHILD_MAGIC);
	if (c->pid && !c->ending)
		return 0;
	if (c->ending || child_pause(c) > 0)
		return err_set(err, ERR_BUSY, "the %s is being replaced", c->opts.name);
	int sv[2];
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sv) != 0)
		return err_set(err, ERR_IO, "cannot make a socket pair: %s", strerror(errno));
	pid_t parent = getpid();
	pid_t pid = fork();
	if (pid == 0)
		become_worker(&c->opts, sv[1], parent);
	int saved = errno;
	close(sv[1]);
	if (pid < 0 || fcntl(sv[0], F_SETFL, O_NONBLOCK) != 0) {
		close(sv[0]);
		if (pid > 0) {
			kill(pid, SIGKILL);
			waitpid(pid, NULL, 0);
		}
		return err_set(
		    err, ERR_IO, "cannot start the %s: %s", c->opts.name, strerror(saved));
	}
	c->pid = pid;
	c->generation++;
	c->fd = sv[0];
	c->io = loop_io_add(c->loop, c->fd, LOOP_READ, socket_ready, c);
	log_debug(c->opts.name, "started as process %ld", (long)pid);
	return 0;
}

bool child_is_running(const struct child *c)
{
	return c->pid && !c->ending;
}

int64_t child_pause(const struct child *c)
{
	if (c->ending)
		return REAP_RETRY_MS;
	int64_t left = c->not_before - clock_now(loop_clock(c->loop));
	return c->not_before && left > 0 ? left : 0;
}

void child_trust(struct child *c)
{
	c->pause_ms = PAUSE_MIN_MS;
}

int child_send(struct child *c, const void *data, size_t len, struct err **err)
{
	CHECK_OBJ(c, CHILD_MAGIC);
	if (c->fd < 0)
		return err_set(err, ERR_IO, "the %s does not run", c->opts.name);
	if (len > c->opts.frame_max || len > UINT32_MAX)
		return err_set(err, ERR_LIMIT, "a message to the %s is too long", c->opts.name);
	for (unsigned i = HEAD_BYTES; i-- > 0;)
		buf_addc(&c->out, (char)(len >> (8 * i)));
	buf_add(&c->out, data, len);
	if (c->out.overflow) {
		end(c, CHILD_BROKEN, true);
		return err_set(err, ERR_LIMIT, "the %s does not read", c->opts.name);
	}
	loop_io_set(c->io, LOOP_READ | LOOP_WRITE);
	return 0;
}

void child_deadline(struct child *c, int64_t ms)
{
	clock_cancel(loop_clock(c->loop), &c->deadline);
	if (c->pid && ms > 0)
		c->deadline = clock_timer(loop_clock(c->loop), ms, overdue, c);
}

void child_finish(struct child *c)
{
	if (c->fd < 0)
		return;
	shutdown(c->fd, SHUT_WR);
	child_deadline(c, FINISH_MS);
}

long child_pid(const struct child *c)
{
	return (long)c->pid;
}

int child_worker_fd(int argc, char **argv, const char *word)
{
	int type;
	socklen_t len = sizeof(type);
	if (argc != 2 || strcmp(argv[1], word) != 0)
		return -1;
	/* Typed by hand there is no socket, and the word is an unknown command like any other. */
	if (getsockopt(WORKER_FD, SOL_SOCKET, SO_TYPE, &type, &len) != 0)
		return -1;
	return fcntl(WORKER_FD, F_SETFD, FD_CLOEXEC) == 0 ? WORKER_FD : -1;
}

void child_worker_init(void)
{
	struct rlimit none = {0, 0};
	prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	setrlimit(RLIMIT_CORE, &none);
#if !defined(__SANITIZE_ADDRESS__) /* its leak check is a debugger of its own process */
	prctl(PR_SET_DUMPABLE, 0);
#endif
	signal(SIGPIPE, SIG_IGN);
	signal(SIGXFSZ, SIG_IGN);
	/* SIGINT of the terminal and SIGTERM of a service manager are the controller's to handle:
	 * it ends the worker when its work is done. */
	signal(SIGINT, SIG_IGN);
	signal(SIGTERM, SIG_IGN);
	signal(SIGHUP, SIG_IGN);
}

/* 1 all, 0 end before the first byte, -1 error or end in the middle. */
static int read_all(int fd, char *p, size_t len)
{
	size_t done = 0;
	while (done < len) {
		ssize_t n = read(fd, p + done, len - done);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -1;
		if (n == 0)
			return done ? -1 : 0;
		done += (size_t)n;
	}
	return 1;
}

int child_worker_read(int fd, size_t frame_max, struct buf *b, struct err **err)
{
	char head[HEAD_BYTES];
	char chunk[READ_CHUNK];

	buf_reset(b);
	int r = read_all(fd, head, sizeof(head));
	if (r == 0)
		return 0;
	if (r < 0)
		return err_set(err, ERR_IO, "cannot read a message: %s", strerror(errno));
	size_t left = frame_len(head);
	if (left > frame_max)
		return err_set(err, ERR_PROTOCOL, "a message of %zu bytes", left);
	while (left) {
		size_t want = left < sizeof(chunk) ? left : sizeof(chunk);
		if (read_all(fd, chunk, want) != 1)
			return err_set(err, ERR_IO, "a message is cut short");
		buf_add(b, chunk, want);
		left -= want;
	}
	explicit_bzero(chunk, sizeof(chunk));
	if (b->overflow)
		return err_set(err, ERR_LIMIT, "a message is too long");
	return 1;
}

static int write_all(int fd, const char *p, size_t len)
{
	while (len) {
		ssize_t n = send(fd, p, len, MSG_NOSIGNAL);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return -1;
		p += n;
		len -= (size_t)n;
	}
	return 0;
}

int child_worker_write(int fd, const void *data, size_t len, struct err **err)
{
	char head[HEAD_BYTES] = {(char)(len >> 24), (char)(len >> 16), (char)(len >> 8), (char)len};
	if (write_all(fd, head, sizeof(head)) != 0 || write_all(fd, data, len) != 0)
		return err_set(err, ERR_IO, "cannot write a message: %s", strerror(errno));
	return 0;
}
