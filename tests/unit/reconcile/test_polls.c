/* The machine that polls, in virtual time, with the real worker, against a server that counts: a
 * day without a change, and ten thousand polls that cost no memory. */
#include "../git/gitfix.h"

#include "source.h"
#include "vclock.h"

#include <arpa/inet.h>
#include <malloc.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>

#define HOUR ((int64_t)3600 * 1000)
#define REQUEST_MAX 65536

/* --- a server: what git upload-pack says without state, and counters that both processes see ---
 */

struct counters {
	unsigned listings, packs, others;
};

static struct counters *count;
static char server_url[64];
static pid_t server;

static void answer(int c, const char *type, const char *file)
{
	struct buf body;
	char chunk[65536];
	FILE *f = fopen(file, "r");

	buf_init(&body, 0);
	for (size_t n; f && (n = fread(chunk, 1, sizeof(chunk), f)) > 0;)
		buf_add(&body, chunk, n);
	if (f)
		fclose(f);
	_cleanup_str_ char *head =
	    mem_printf("HTTP/1.1 200 OK\r\nContent-Type: application/x-git-upload-pack-%s\r\n"
		       "Content-Length: %zu\r\n\r\n",
		type, body.len);
	if (write(c, head, strlen(head)) < 0 || write(c, body.data, body.len) < 0)
		_exit(1);
	buf_fini(&body);
}

/* One request with its body; false when the client is gone. */
static bool serve_one(int c, char *b)
{
	size_t got = 0, length = 0;
	char *end = NULL;

	while (!end) {
		ssize_t n = read(c, b + got, REQUEST_MAX - 1 - got);
		if (n <= 0)
			return false;
		got += (size_t)n;
		b[got] = '\0';
		end = strstr(b, "\r\n\r\n");
	}
	end += 4;
	char *at = strcasestr(b, "content-length:");
	if (at && at < end)
		length = strtoul(at + 15, NULL, 10);
	while ((size_t)(b + got - end) < length) {
		ssize_t n = read(c, b + got, REQUEST_MAX - 1 - got);
		if (n <= 0)
			return false;
		got += (size_t)n;
	}
	if (text_starts(b, "GET /r.git/info/refs?service=git-upload-pack ")) {
		count->listings++;
		answer(c, "advertisement", "advertised");
	} else if (text_starts(b, "POST /r.git/git-upload-pack ")) {
		FILE *ask = fopen("asked", "w");
		fwrite(end, 1, length, ask);
		fclose(ask);
		count->packs++;
		if (system("git upload-pack --stateless-rpc r.git <asked >packed") != 0)
			_exit(1);
		answer(c, "result", "packed");
	} else {
		count->others++;
		return false;
	}
	return true;
}

static void serve(int fd)
{
	static char request[REQUEST_MAX];

	if (chdir(fix_dir) != 0)
		_exit(1);
	for (;;) {
		int c = accept(fd, NULL, NULL);
		int on = 1;
		setsockopt(c, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
		while (c >= 0 && serve_one(c, request))
			;
		close(c);
	}
}

static void start_server(void)
{
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof(a);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	count =
	    mmap(NULL, sizeof(*count), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	assert_true(count != MAP_FAILED);
	assert_true(fd >= 0 && bind(fd, (struct sockaddr *)&a, len) == 0 && listen(fd, 8) == 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&a, &len), 0);
	server = fork();
	assert_true(server >= 0);
	if (server == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		serve(fd);
	}
	close(fd);
	snprintf(server_url, sizeof(server_url), "http://127.0.0.1:%d/r.git", ntohs(a.sin_port));
}

/* Each commit is served from now on. */
static void commit(const char *script)
{
	fix_run("cd work; %s; git add -A; git commit -q -m change; git push -q origin HEAD:main\n"
		"cd ..; { printf '001e# service=git-upload-pack\\n0000'; git upload-pack "
		"--stateless-rpc --advertise-refs r.git; } >next; mv next advertised",
	    script);
}

/* --- the machine --- */

struct poller {
	struct fix f;
	struct vclock *vclock;
	struct source *source;
	struct gitport counting; /* in front of the real one */
	unsigned under_way, bundles;
	gitport_cb cb;
	void *arg;
};

static struct poller *poller_of(struct gitport *p)
{
	return (struct poller *)((char *)p - offsetof(struct poller, counting));
}

static void on_done(void *arg, const struct gitport_result *res)
{
	struct poller *p = arg;
	p->under_way--;
	p->cb(p->arg, res);
}

static gitport_job count_list(struct gitport *g, gitport_cb cb, void *arg)
{
	struct poller *p = poller_of(g);
	p->cb = cb;
	p->arg = arg;
	p->under_way++;
	return gitport_list(p->f.port, on_done, p);
}

static gitport_job count_read(
    struct gitport *g, const char *rev, const char *base, gitport_cb cb, void *arg)
{
	struct poller *p = poller_of(g);
	p->cb = cb;
	p->arg = arg;
	p->under_way++;
	return gitport_read_since(p->f.port, rev, base, on_done, p);
}

static gitport_job count_compare(
    struct gitport *g, const char *rev, const char *base, gitport_cb cb, void *arg)
{
	struct poller *p = poller_of(g);
	p->cb = cb;
	p->arg = arg;
	p->under_way++;
	return gitport_compare(p->f.port, rev, base, on_done, p);
}

static void count_cancel(struct gitport *g, gitport_job job)
{
	gitport_cancel(poller_of(g)->f.port, &job);
}

static const struct gitport_ops counting_ops = {
    .list = count_list, .read = count_read, .compare = count_compare, .cancel = count_cancel};

static void on_bundle(void *arg)
{
	((struct poller *)arg)->bundles++;
}

static void on_problem(void *arg)
{
	const char *problem = source_problem(((struct poller *)arg)->source);
	if (problem)
		fail_msg("%s", problem);
}

static bool on_record(
    void *arg UNUSED, size_t i UNUSED, const char **name UNUSED, const struct record **ret UNUSED)
{
	return false;
}

static void poller_open(struct poller *p)
{
	*p = (struct poller){.counting = {&counting_ops}};
	fix_init(&p->f, server_url);
	fix_open(&p->f);
	p->vclock = vclock_new(7, (int64_t)1800000000 * 1000);
	p->source = source_new(&(struct source_opts){.clock = vclock_clock(p->vclock),
	    .git = &p->counting,
	    .interval_ms = 60000,
	    .branch = "main",
	    .on_bundle = on_bundle,
	    .on_problem = on_problem,
	    .on_record = on_record,
	    .arg = p});
	source_start(p->source);
}

static void poller_close(struct poller *p)
{
	source_free(&p->source);
	vclock_free(&p->vclock);
	fix_close(&p->f);
}

/* The next virtual event, and real time for as long as the worker is at it. */
static void poller_step(struct poller *p)
{
	assert_true(vclock_next(p->vclock));
	while (p->under_way)
		assert_int_equal(loop_turn(p->f.loop, NULL), 0);
}

static const char manifest[] = "printf 'apiVersion: ramet.dev/v1\\nkind: ClonedVM\\nmetadata: "
			       "{name: a}\\nspec:\\n  node_name: "
			       "n\\n  clone: {source_vm_id: 100}\\n' >a.yaml; for i in $(seq 200); "
			       "do echo $i >other$i.txt; done";

/* In the last pack: the number stands in its header. */
static unsigned objects_sent(void)
{
	_cleanup_str_ char *n =
	    fix_sh("python3 -c \"d = open('packed', 'rb').read(); i = d.index(b'PACK'); "
		   "print(int.from_bytes(d[i + 8:i + 12], 'big'))\"");
	return (unsigned)strtoul(n, NULL, 10);
}

static void test_a_day(void **state UNUSED)
{
	struct poller p;
	poller_open(&p);
	while (!p.bundles)
		poller_step(&p);
	struct counters before = *count;
	unsigned polls = 0;
	for (int64_t end = clock_now(vclock_clock(p.vclock)) + 24 * HOUR;
	     vclock_next_at(p.vclock) <= end; polls++)
		poller_step(&p);
	print_message("24 h: %u polls, %u requests, %u packs\n", polls,
	    count->listings - before.listings, count->packs - before.packs);
	/* Every minute, up to a tenth later. */
	assert_in_range(polls, 24 * 60 * 60 / 66, 24 * 60);
	assert_int_equal(count->listings - before.listings, polls);
	assert_int_equal(count->packs, before.packs);
	assert_int_equal(count->others, 0);
	assert_int_equal(p.bundles, 1);

	/* A change is noticed by the same means: one listing, then one pack. */
	commit("sed -i s/100/101/ a.yaml");
	before = *count;
	poller_step(&p);
	assert_int_equal(p.bundles, 2);
	assert_int_equal(count->packs - before.packs, 1);
	assert_int_equal(objects_sent(), 3); /* a commit, its tree, the one file */
	poller_close(&p);
}

static long worker_kib(struct poller *p)
{
	_cleanup_str_ char *s =
	    fix_sh("awk '/^VmRSS/ {print $2}' /proc/%ld/status", gitwork_pid(p->f.work));
	return strtol(s, NULL, 10);
}

#define POLLS 10000

static void test_memory(void **state UNUSED)
{
	struct poller p;
	long worker[2] = {0};
	size_t own[2] = {0};

	poller_open(&p);
	while (!p.bundles)
		poller_step(&p);
	for (int i = 0; i <= POLLS; i++) {
		if (i == POLLS / 10 || i == POLLS) {
			worker[i == POLLS] = worker_kib(&p);
			own[i == POLLS] = mallinfo2().uordblks;
		}
		poller_step(&p);
	}
	print_message(
	    "after %d and %d polls: the worker has %ld and %ld KiB, the controller has %zu "
	    "and %zu bytes allocated\n",
	    POLLS / 10, POLLS, worker[0], worker[1], own[0], own[1]);
	assert_int_equal(p.bundles, 1);
#if !defined(__SANITIZE_ADDRESS__) /* which keeps freed memory; its leak check is the test there \
				    */
	assert_true(worker[1] - worker[0] < 512);
	assert_true(own[1] < own[0] + 16384);
#endif
	poller_close(&p);
}

int main(int argc, char **argv)
{
	FIX_BE_WORKER(argc, argv);
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_a_day),
	    cmocka_unit_test(test_memory),
	};
	fix_begin();
	fix_run("git init -q --bare r.git; git init -q work; cd work; git remote add origin "
		"../r.git");
	commit(manifest);
	start_server();
	int failed = cmocka_run_group_tests(tests, NULL, NULL);
	kill(server, SIGKILL);
	waitpid(server, NULL, 0);
	fix_end();
	return failed;
}
