#include "gitjail.h"
#include "log.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/landlock.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define JAIL_SANITIZED 1
#endif
#endif
#if defined(__SANITIZE_ADDRESS__)
#define JAIL_SANITIZED 1
#endif

#define FILES_MAX 256
#define MEMORY_MAX ((rlim_t)2 << 30)

/* --- Landlock. The numbers are the kernel's; the header of Debian 12 does not know the later. ---
 */

#define FS_TRUNCATE (1ULL << 14)  /* since version 3 */
#define FS_IOCTL_DEV (1ULL << 15) /* 5 */
#define NET_BIND_TCP (1ULL << 0)  /* never allowed: nobody serves a port */
#define NET_CONNECT_TCP (1ULL << 1)
#define RULE_NET_PORT 2

struct ruleset_attr {
	uint64_t fs, net;
};

struct net_port_attr {
	uint64_t allowed, port;
};

#define FS_READ (LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR)
/* What a rule for a file, not a folder, may hold. */
#define FS_OF_FILE                                                    \
	(LANDLOCK_ACCESS_FS_EXECUTE | LANDLOCK_ACCESS_FS_WRITE_FILE | \
	    LANDLOCK_ACCESS_FS_READ_FILE | FS_TRUNCATE | FS_IOCTL_DEV)

static const char *const system_read[] = {
    "/lib",
    "/lib64",
    "/usr/lib",
    "/usr/lib64",
    "/usr/local/lib",
    "/usr/share/ca-certificates",
    "/usr/local/share/ca-certificates",
    "/usr/share/zoneinfo",
    "/etc/ssl",
    "/etc/pki",
    "/etc/resolv.conf",
    "/etc/hosts",
    "/etc/host.conf",
    "/etc/nsswitch.conf",
    "/etc/gai.conf",
    "/etc/services",
    "/etc/protocols",
    "/etc/passwd",
    "/etc/group",
    /* Where a dynamic user's name is asked for: ssh refuses to work for one without. */
    "/run/systemd/userdb",
    "/etc/localtime",
    "/etc/ld.so.cache",
    "/dev/urandom",
    "/dev/random",
    "/proc/sys/crypto",
#ifdef JAIL_SANITIZED
    "/proc",
#endif
};

static const char *const system_programs[] = {"/bin", "/usr/bin", "/usr/local/bin"};

void gitjail_fini(struct gitjail *j)
{
	strs_fini(&j->write);
	strs_fini(&j->read);
}

void gitjail_add_system(struct gitjail *j)
{
	for (size_t i = 0; i < ARRAY_LEN(system_read); i++)
		strs_add(&j->read, system_read[i]);
	strs_add(&j->write, "/dev/null");
}

static uint64_t all_fs(long version)
{
	uint64_t all = (LANDLOCK_ACCESS_FS_MAKE_SYM << 1) - 1;
	if (version >= 2)
		all |= LANDLOCK_ACCESS_FS_REFER;
	if (version >= 3)
		all |= FS_TRUNCATE;
	if (version >= 5)
		all |= FS_IOCTL_DEV;
	return all;
}

static void allow_path(int ruleset, const char *path, uint64_t access)
{
	struct stat st;
	int fd = open(path, O_PATH | O_CLOEXEC);
	if (fd < 0)
		return;
	if (fstat(fd, &st) == 0 && !S_ISDIR(st.st_mode))
		access &= FS_OF_FILE;
	struct landlock_path_beneath_attr rule = {.allowed_access = access, .parent_fd = fd};
	if (syscall(SYS_landlock_add_rule, ruleset, LANDLOCK_RULE_PATH_BENEATH, &rule, 0) != 0)
		log_warn("git worker", "cannot allow %s: %s, ignoring", path, strerror(errno));
	close(fd);
}

static void allow_paths(const struct gitjail *j, int ruleset, uint64_t all)
{
	/* Libraries are mapped, not executed; but ssh's helpers live beside them. */
	uint64_t run = j->programs ? LANDLOCK_ACCESS_FS_EXECUTE : 0;
	for (size_t i = 0; i < j->write.n; i++)
		allow_path(ruleset, j->write.v[i], all & (run | ~LANDLOCK_ACCESS_FS_EXECUTE));
	for (size_t i = 0; i < j->read.n; i++)
		allow_path(ruleset, j->read.v[i], all & (FS_READ | run));
	for (size_t i = 0; j->programs && i < ARRAY_LEN(system_programs); i++)
		allow_path(ruleset, system_programs[i], FS_READ | LANDLOCK_ACCESS_FS_EXECUTE);
}

static void allow_ports(const struct gitjail *j, int ruleset)
{
	for (size_t i = 0; i < ARRAY_LEN(j->ports); i++) {
		struct net_port_attr rule = {NET_CONNECT_TCP, j->ports[i]};
		if (j->ports[i] &&
		    syscall(SYS_landlock_add_rule, ruleset, RULE_NET_PORT, &rule, 0) != 0)
			log_warn("git worker", "cannot allow port %u: %s, ignoring",
			    (unsigned)j->ports[i], strerror(errno));
	}
}

static void lock_land(const struct gitjail *j)
{
	long version =
	    syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);
	if (version < 1)
		return; /* the kernel does not have it */
	struct ruleset_attr attr = {
	    .fs = j->folders ? all_fs(version) : 0,
	    .net = version >= 4 ? NET_BIND_TCP | NET_CONNECT_TCP : 0,
	};
	if (!attr.fs && !attr.net)
		return;
	size_t size = version >= 4 ? sizeof(attr) : sizeof(attr.fs);
	int ruleset = (int)syscall(SYS_landlock_create_ruleset, &attr, size, 0);
	if (ruleset < 0) {
		log_warn("git worker", "no restriction of folders: %s, ignoring", strerror(errno));
		return;
	}
	if (attr.fs)
		allow_paths(j, ruleset, attr.fs);
	if (attr.net)
		allow_ports(j, ruleset);
	if (syscall(SYS_landlock_restrict_self, ruleset, 0) != 0)
		log_warn("git worker", "no restriction of folders: %s, ignoring", strerror(errno));
	close(ruleset);
}

/* --- seccomp --- */

#if defined(__x86_64__)
#define JAIL_ARCH AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define JAIL_ARCH AUDIT_ARCH_AARCH64
#endif

#ifdef JAIL_ARCH

/* What no Git ever needs and what attacks on a kernel like to begin with. */
static const unsigned refused[] = {
    SYS_mount,
    SYS_umount2,
    SYS_pivot_root,
    SYS_chroot,
    SYS_setns,
    SYS_unshare,
    SYS_bpf,
    SYS_perf_event_open,
    SYS_userfaultfd,
    SYS_keyctl,
    SYS_add_key,
    SYS_request_key,
    SYS_kexec_load,
    SYS_kexec_file_load,
    SYS_init_module,
    SYS_finit_module,
    SYS_delete_module,
    SYS_open_by_handle_at,
    SYS_name_to_handle_at,
    SYS_process_vm_readv,
    SYS_process_vm_writev,
    SYS_swapon,
    SYS_swapoff,
    SYS_reboot,
    SYS_acct,
    SYS_settimeofday,
    SYS_clock_settime,
    SYS_adjtimex,
    SYS_personality,
    SYS_quotactl,
    SYS_io_uring_setup,
    SYS_io_uring_enter,
    SYS_io_uring_register,
    SYS_fanotify_init,
    SYS_move_mount,
    SYS_open_tree,
    SYS_fsopen,
    SYS_fsmount,
    SYS_pidfd_getfd,
    SYS_mknodat,
#ifdef SYS_mknod
    SYS_mknod,
#endif
#ifndef JAIL_SANITIZED
    SYS_ptrace,
#endif
};

static const unsigned programs[] = {SYS_execve, SYS_execveat};
static const unsigned helpers[] = {SYS_listen, SYS_accept, SYS_accept4};

#define NEW_NAMESPACES                                                                             \
	(CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS | \
	    CLONE_NEWCGROUP)

struct filter {
	struct sock_filter
	    v[16 + 2 * (ARRAY_LEN(refused) + ARRAY_LEN(programs) + ARRAY_LEN(helpers))];
	unsigned short n;
};

static void add(struct filter *f, struct sock_filter insn)
{
	MUST(f->n < ARRAY_LEN(f->v));
	f->v[f->n++] = insn;
}

#define ADD_STMT(f, code, k) add(f, (struct sock_filter)BPF_STMT(code, k))
#define ADD_JUMP(f, code, k, yes, no) add(f, (struct sock_filter)BPF_JUMP(code, k, yes, no))

/* The number of the call is in the accumulator. */
static void refuse(struct filter *f, unsigned call, unsigned error)
{
	ADD_JUMP(f, BPF_JMP | BPF_JEQ | BPF_K, call, 0, 1);
	ADD_STMT(f, BPF_RET | BPF_K, SECCOMP_RET_ERRNO | error);
}

static void filter_calls(const struct gitjail *j)
{
	struct filter f = {.n = 0};

	ADD_STMT(&f, BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, arch));
	ADD_JUMP(&f, BPF_JMP | BPF_JEQ | BPF_K, JAIL_ARCH, 1, 0);
	ADD_STMT(&f, BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOSYS);
	ADD_STMT(&f, BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr));
	/* The second table of calls on x86-64 would be a way around. */
	ADD_JUMP(&f, BPF_JMP | BPF_JGE | BPF_K, 0x40000000, 0, 1);
	ADD_STMT(&f, BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOSYS);
	for (size_t i = 0; i < ARRAY_LEN(refused); i++)
		refuse(&f, refused[i], EPERM);
	for (size_t i = 0; !j->programs && i < ARRAY_LEN(programs); i++)
		refuse(&f, programs[i], EPERM);
	for (size_t i = 0; !j->helpers && i < ARRAY_LEN(helpers); i++)
		refuse(&f, helpers[i], EPERM);
	/* Its flags are in memory, where a filter cannot look; the C library then uses clone. */
	refuse(&f, SYS_clone3, ENOSYS);
	ADD_JUMP(&f, BPF_JMP | BPF_JEQ | BPF_K, SYS_clone, 0, 3);
	ADD_STMT(&f, BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[0]));
	ADD_JUMP(&f, BPF_JMP | BPF_JSET | BPF_K, NEW_NAMESPACES, 0, 1);
	ADD_STMT(&f, BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM);
	ADD_STMT(&f, BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
	struct sock_fprog prog = {f.n, f.v};
	if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &prog) != 0 && errno != EINVAL)
		log_warn(
		    "git worker", "no restriction of system calls: %s, ignoring", strerror(errno));
}

#else
static void filter_calls(const struct gitjail *j UNUSED)
{
}
#endif

static void limit(int what, rlim_t value)
{
	struct rlimit r = {value, value};
	struct rlimit now;
	if (getrlimit((__rlimit_resource_t)what, &now) == 0 &&
	    (now.rlim_max == RLIM_INFINITY || now.rlim_max > value))
		setrlimit((__rlimit_resource_t)what, &r);
}

void gitjail_enter(const struct gitjail *j)
{
	limit(RLIMIT_NOFILE, FILES_MAX);
	limit(RLIMIT_FSIZE, (rlim_t)j->max_file_bytes);
#ifndef JAIL_SANITIZED /* whose shadow is larger than any limit */
	limit(RLIMIT_DATA, MEMORY_MAX);
#endif
	/* Both need it; child_worker_init has set it already. */
	prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	lock_land(j);
	filter_calls(j);
}
