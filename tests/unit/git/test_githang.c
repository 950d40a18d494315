/* A real server that stops in the middle: before TLS, in a pack, while it looks at a push; and one
 * that cuts a pack short. Each time the loop goes on, the worker dies or gives up, and what comes
 * after works. */
#include "gitfix.h"

#include "githost.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

/* How the server makes its packs: `script` gets git's own command as arguments. */
static void pack_by(const char *script)
{
	fix_run("printf '#!/bin/sh\\n%%s\\n' '%s' >hook; chmod +x hook; "
		"git config -f srv/.gitconfig uploadpack.packObjectsHook %s/hook",
	    script, fix_dir);
}

static void pack_as_usual(void)
{
	fix_run("rm -f srv/.gitconfig");
}

static char *make_history(const char *name)
{
	return fix_sh("cd %s; echo a >a.yaml; head -c 600000 /dev/urandom >noise.bin; git add -A; "
		      "git commit -q -m one; git push -q origin HEAD:main; git rev-parse HEAD",
	    name);
}

/* The job ends at its deadline; until then the loop has served others. */
static void fails_in_time(struct fix *f, gitport_job job, const char *in_msg)
{
	struct ticks t = {.loop = f->loop};
	long pid = gitwork_pid(f->work);
	assert_true(job != 0);
	tick(&t);
	fix_wait(f);
	clock_cancel(loop_clock(f->loop), &t.timer);
	fix_failed(f, ERR_TIMEOUT, in_msg);
	assert_non_null(f->hint);
	assert_true(t.n >= 2);
	/* Whoever was at it is gone. */
	assert_true(!pid || gitwork_pid(f->work) != pid);
}

static void test_before_tls(void **state UNUSED)
{
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof(a);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	/* The kernel accepts for us; nobody ever speaks. */
	assert_true(fd >= 0 && bind(fd, (struct sockaddr *)&a, len) == 0 && listen(fd, 8) == 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&a, &len), 0);
	_cleanup_str_ char *url = mem_printf("https://127.0.0.1:%d/x.git", ntohs(a.sin_port));
	struct fix f;
	init(&f, url);
	f.opts.setup.connect_ms = 400;
	fix_open(&f);
	fix_list(&f);
	fix_failed(&f, ERR_TIMEOUT, "does not answer");
	fix_close(&f);

	init(&f, url);
	f.opts.deadline_ms[GITWORK_LIST] = 300;
	fix_open(&f);
	fails_in_time(&f, gitport_list(f.port, fix_got, &f), "listing the branches took longer");
	fix_close(&f);
	close(fd);
}

static void test_in_a_pack(void **state UNUSED)
{
	_cleanup_str_ char *url = make_repo("pack");
	_cleanup_str_ char *head = make_history("pack");
	struct fix f;
	init(&f, url);
	f.opts.deadline_ms[GITWORK_READ] = 1500;
	fix_open(&f);
	pack_by("\"$@\" | { head -c 200000; sleep 1000; }");
	fails_in_time(
	    &f, gitport_read(f.port, head, fix_got, &f), "reading the watched branch took longer");
	fix_close(&f);

	/* Without that limit, as a busy machine needs its time. */
	init(&f, url);
	fix_open(&f);
	fix_list(&f);
	fix_ok(&f);
	pack_by("\"$@\" | head -c 200000");
	fix_read(&f, head);
	assert_false(f.ok);
	assert_true(f.code == ERR_PROTOCOL || f.code == ERR_REMOTE || f.code == ERR_UNREACHABLE);
	pack_by("\"$@\" | head -c 200000; head -c 500000 /dev/urandom");
	fix_read(&f, head);
	assert_false(f.ok);
	pack_by("\"$@\" | tr a b");
	fix_read(&f, head);
	assert_false(f.ok);
	pack_by("echo no >&2; exit 1");
	fix_read(&f, head);
	assert_false(f.ok);
	/* 16 KiB that unpack to 3 GiB, by a delta that copies its base 200 times. */
	_cleanup_str_ char *bomb =
	    mem_printf("cat %s/tests/fixtures/git/delta-bomb.pack", RAMET_SOURCE_DIR);
	pack_by(bomb);
	fix_read(&f, head);
	fix_failed(&f, ERR_LIMIT, "too large for the git worker");
	assert_non_null(f.hint);
	pack_as_usual();
	fix_read(&f, head);
	fix_ok(&f);
	fix_has(&f, "a.yaml", "a\n");
	_cleanup_str_ char *left =
	    fix_sh("ls state/*.git/objects/pack | grep -c pack_git2_ || true");
	assert_string_equal(left, "0");
	fix_close(&f);
}

static void test_in_a_push(void **state UNUSED)
{
	_cleanup_str_ char *url = make_repo("push");
	fix_run("printf '#!/bin/sh\\nsleep 1000\\n' >srv/repos/push.git/hooks/pre-receive; "
		"chmod +x srv/repos/push.git/hooks/pre-receive");
	struct fix f;
	init(&f, url);
	f.opts.deadline_ms[GITWORK_PUBLISH] = 1500;
	fix_open(&f);
	struct gitport_put put = {"STATUS.md", "one\n", 4};
	struct gitport_publish pub = {
	    .parent = "", .put = &put, .n_put = 1, .message = "status: one file\n"};
	fails_in_time(
	    &f, gitport_publish(f.port, &pub, fix_got, &f), "publishing the report took longer");
	fix_close(&f);
	init(&f, url);
	fix_open(&f);
	fix_run("rm srv/repos/push.git/hooks/pre-receive");
	fix_list(&f);
	fix_ok(&f);
	fix_publish(&f, f.status_head, "STATUS.md", "one\n");
	fix_ok(&f);
	fix_close(&f);
}

/* --- many writers --- */

#define WRITERS 20
#define UPDATES 2

struct writer {
	struct fix f;
	char *dir;
	int n, done, rejected, declined;
	int64_t start, waited;
};

static void writer_next(struct writer *w);

static void writer_again(void *arg)
{
	writer_next(arg);
}

static void writer_published(void *arg, const struct gitport_result *r)
{
	struct writer *w = arg;
	struct clock *clock = loop_clock(w->f.loop);
	if (!r->err) {
		w->done++;
		w->waited += clock_now(clock) - w->start;
		w->start = clock_now(clock);
	} else if (r->rejected) {
		w->rejected++;
	} else if (r->err->code == ERR_DECLINED) {
		w->declined++;
	} else {
		fail_msg("writer %d: %s", w->n, err_msg(r->err));
	}
	if (w->done < UPDATES)
		clock_timer(clock, (int64_t)(clock_random(clock) % 200), writer_again, w);
}

static void writer_listed(void *arg, const struct gitport_result *r)
{
	struct writer *w = arg;
	if (r->err)
		fail_msg("writer %d: %s", w->n, err_msg(r->err));
	_cleanup_str_ char *path = mem_printf("vms/%02d.yaml", w->n);
	_cleanup_str_ char *data = mem_printf("update: %d\n", w->done + 1);
	struct gitport_put put = {path, data, strlen(data)};
	struct gitport_publish pub = {
	    .parent = r->status_head, .put = &put, .n_put = 1, .message = path};
	gitport_publish(w->f.port, &pub, writer_published, w);
}

static void writer_next(struct writer *w)
{
	gitport_list(w->f.port, writer_listed, w);
}

static void test_writers(void **state UNUSED)
{
	static struct writer w[WRITERS];
	_cleanup_str_ char *url = make_repo("many");
	struct loop *loop = NULL;
	int done = 0, rejected = 0, declined = 0;

	/* Every seventh push is declined, whoever it is. */
	fix_run(
	    "cd srv/repos/many.git; echo 0 >count; printf '%%s\\n' '#!/bin/sh' 'exec 9>lock; flock "
	    "9' "
	    "'n=$(($(cat count)+1)); echo $n >count' 'test $((n %% 7)) != 0' >hooks/pre-receive; "
	    "chmod +x hooks/pre-receive");
	assert_int_equal(loop_new(&loop, NULL), 0);
	for (int i = 0; i < WRITERS; i++) {
		init(&w[i].f, url);
		w[i].n = i;
		w[i].dir = mem_printf("%s/writer%d", fix_dir, i);
		w[i].f.opts.setup.dir = w[i].dir;
		w[i].f.loop = loop;
		assert_int_equal(gitwork_new(&w[i].f.work, loop, &w[i].f.opts, NULL), 0);
		w[i].f.port = gitwork_port(w[i].f.work);
		w[i].start = clock_now(loop_clock(loop));
		writer_next(&w[i]);
	}
	while (done < WRITERS * UPDATES) {
		assert_int_equal(loop_turn(loop, NULL), 0);
		done = 0;
		for (int i = 0; i < WRITERS; i++)
			done += w[i].done;
	}
	for (int i = 0; i < WRITERS; i++) {
		rejected += w[i].rejected;
		declined += w[i].declined;
		print_message("writer %2d: %d ms for each report, %d times rejected, %d declined\n",
		    i, (int)(w[i].waited / UPDATES), w[i].rejected, w[i].declined);
		gitwork_free(&w[i].f.work);
		mem_free_str(&w[i].dir);
		mem_free_str(&w[i].f.state);
	}
	loop_free(&loop);
	/* Nothing was lost: a commit for each, and each file as its writer wrote it last. */
	_cleanup_str_ char *count =
	    fix_sh("git -C srv/repos/many.git rev-list --count ramet/status");
	assert_int_equal(strtol(count, NULL, 10), WRITERS * UPDATES);
	_cleanup_str_ char *stale = fix_sh("cd srv/repos/many.git; for i in $(seq -w 0 19); do git "
					   "show ramet/status:vms/$i.yaml; done | "
					   "grep -c '^update: 2$'");
	assert_string_equal(stale, "20");
	assert_true(rejected > 0);
	assert_true(declined > 0);
}

FIX_MAIN(githost_run, cmocka_unit_test(test_before_tls), cmocka_unit_test(test_in_a_pack),
    cmocka_unit_test(test_in_a_push), cmocka_unit_test(test_writers))
