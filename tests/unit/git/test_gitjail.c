/* What a process can no longer do after it has gone into the jail. */
#include "gitfix.h"

#include "gitjail.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/landlock.h>
#include <netinet/in.h>
#include <sched.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>

static long landlock_version(void)
{
	long v = syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);
	return v < 0 ? 0 : v;
}

static bool has_seccomp(void)
{
	return access("/proc/sys/kernel/seccomp", F_OK) == 0;
}

static int open_errno(const char *path, int flags)
{
	int fd = open(path, flags | O_CLOEXEC, 0600);
	if (fd < 0)
		return errno;
	close(fd);
	return 0;
}

static int listen_on(int *ret_port)
{
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof(a);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_true(fd >= 0 && bind(fd, (struct sockaddr *)&a, len) == 0 && listen(fd, 8) == 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&a, &len), 0);
	*ret_port = ntohs(a.sin_port);
	return fd;
}

static int connect_errno(int port)
{
	struct sockaddr_in a = {.sin_family = AF_INET,
	    .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	    .sin_port = htons((uint16_t)port)};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int e = connect(fd, (struct sockaddr *)&a, sizeof(a)) == 0 ? 0 : errno;
	close(fd);
	return e;
}

#define CHECK(cond)                                                                              \
	do {                                                                                     \
		if (!(cond)) {                                                                   \
			fprintf(stderr, "line %d: %s (%s)\n", __LINE__, #cond, strerror(errno)); \
			_exit(1);                                                                \
		}                                                                                \
	} while (0)

static void inside(const struct gitjail *jail, int port, int other_port)
{
	long land = landlock_version();
	_cleanup_str_ char *mine = mem_printf("%s/box/new", fix_dir);
	_cleanup_str_ char *secret = mem_printf("%s/token", fix_dir);
	_cleanup_str_ char *readable = mem_printf("%s/ca.pem", fix_dir);
	struct stat st;

	gitjail_enter(jail);
	CHECK(open_errno(mine, O_RDWR | O_CREAT) == 0);
	CHECK(unlink(mine) == 0);
	CHECK(open_errno(readable, O_RDONLY) == 0);
	CHECK(open_errno("/etc/resolv.conf", O_RDONLY) != EACCES);
	if (land >= 1) {
		CHECK(open_errno(secret, O_RDONLY) == EACCES);
		CHECK(open_errno(readable, O_WRONLY) == EACCES);
		CHECK(open_errno("/etc/shadow", O_RDONLY) == EACCES);
		CHECK(open_errno("/root", O_RDONLY | O_DIRECTORY) == EACCES);
		/* Names may be seen, contents not: that is what the kernel offers. */
		CHECK(stat(secret, &st) == 0);
	}
	if (land >= 4)
		CHECK(connect_errno(other_port) == EACCES);
	CHECK(connect_errno(port) == 0);
	if (has_seccomp()) {
		int fd = socket(AF_INET, SOCK_STREAM, 0);
		CHECK(listen(fd, 1) != 0 && errno == EPERM);
		CHECK(unshare(CLONE_NEWUSER) != 0 && errno == EPERM);
		CHECK(syscall(SYS_clone, CLONE_NEWUSER | SIGCHLD, NULL, NULL, NULL, NULL) == -1 &&
		      errno == EPERM);
		CHECK(syscall(SYS_bpf, 0, NULL, 0) == -1 && errno == EPERM);
		if (!jail->programs) {
			char *argv[] = {(char[]){"true"}, NULL};
			execv("/bin/true", argv);
			CHECK(errno == EPERM);
		}
	}
	/* Threads and children are still to be had: names are resolved in one, ssh is the other. */
	pid_t pid = fork();
	if (pid == 0) {
		if (jail->programs)
			execl("/bin/true", "true", NULL);
		_exit(jail->programs ? 1 : 0);
	}
	int status = -1;
	CHECK(pid > 0 && waitpid(pid, &status, 0) == pid && status == 0);
	_exit(0);
}

static void run(bool with_programs)
{
	int port, other_port;
	int fd = listen_on(&port), other = listen_on(&other_port);
	struct gitjail jail = {
	    .folders = true, .programs = with_programs, .max_file_bytes = 1 << 20};
	_cleanup_str_ char *box = mem_printf("%s/box", fix_dir);
	_cleanup_str_ char *ca = mem_printf("%s/ca.pem", fix_dir);

	fix_run("mkdir -p box; echo x >token; echo y >ca.pem");
	gitjail_add_system(&jail);
	strs_add(&jail.write, box);
	strs_add(&jail.read, ca);
	strs_add(&jail.read, "/nowhere/at/all");
	jail.ports[0] = (uint16_t)port;
	pid_t pid = fork();
	assert_true(pid >= 0);
	if (pid == 0)
		inside(&jail, port, other_port);
	int status = -1;
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	gitjail_fini(&jail);
	close(fd);
	close(other);
}

static void test_alone(void **state UNUSED)
{
	run(false);
}

static void test_with_programs(void **state UNUSED)
{
	run(true);
}

/* The real worker is in it. */
static void test_worker(void **state UNUSED)
{
	fix_run("git init -q --bare r.git");
	_cleanup_str_ char *url = mem_printf("file://%s/r.git", fix_dir);
	struct fix f;
	fix_init(&f, url);
	fix_open(&f);
	fix_list(&f);
	fix_ok(&f);
	_cleanup_str_ char *status = fix_sh("grep -E '^(NoNewPrivs|Seccomp):' /proc/%ld/status | "
					    "tr -s '\\t\\n' ' '",
	    gitwork_pid(f.work));
	if (has_seccomp())
		assert_string_equal(status, "NoNewPrivs: 1 Seccomp: 2");
	_cleanup_str_ char *files =
	    fix_sh("awk '/Max open files/ {print $4}' /proc/%ld/limits", gitwork_pid(f.work));
	assert_string_equal(files, "256");
	fix_close(&f);
}

FIX_MAIN(fix_run_tests, cmocka_unit_test(test_alone), cmocka_unit_test(test_with_programs),
    cmocka_unit_test(test_worker))
