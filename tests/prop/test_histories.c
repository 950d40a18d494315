/* Random histories in a real repository, through the worker and the machine that follows the
 * branch: what is in force after each commit is what reading everything anew gives. */
#include "../unit/git/gitfix.h"

#include "log.h"
#include "source.h"
#include "support_bundles.h"

#define HISTORIES 2
#define COMMITS 60

static uint64_t rng;

static uint64_t draw(uint64_t below)
{
	rng ^= rng << 13;
	rng ^= rng >> 7;
	rng ^= rng << 17;
	return (rng >> 11) % below;
}

/* What a commit may do to the folder. $a and $b are files, $d and $e folders. */
static const char *const deeds[] = {
    "put $a",
    "put $a",
    "put $b",
    "put $d/n.yaml",
    "rm -rf $a",
    "[ ! -e $a ] || { rm -rf $b; mkdir -p $(dirname $b); mv $a $b; }",
    "[ ! -d $d ] || { rm -rf $e; mv $d $e; }",
    "[ ! -f $a ] || { rm -rf $b; mkdir -p $(dirname $b); cp $a $b; }",
    "[ ! -f $a ] || chmod +x $a",
    "[ ! -f $a ] || chmod -x $a",
    "rm -rf $a; mkdir -p $(dirname $a); ln -s x.yaml $a",
    "rm -rf $a; mkdir -p $a; put $a/in.yaml",
    "[ ! -d $a ] || { rm -rf $a; put $a; }",
    "echo $d/ >.rametignore",
    "printf '*.yml\\n!b.yml\\n' >.rametignore",
    "rm -f .rametignore",
    "head -c 1100000 /dev/zero >$a || true",
    "printf 'version https://git-lfs.github.com/spec/v1\\noid sha256:0\\nsize 3\\n' >$a || true",
    "printf x >$'con\\x01trol.yaml'",
    "echo x >../README.md; echo y >$d.txt",
    "echo x >.hidden.yaml",
    "git reset -q --hard HEAD~$((RANDOM % 3)) 2>/dev/null || true",
    ":",
};

static const char *const files[] = {"a.yaml", "b.yml", "p/a.yaml", "p/b.yaml", "q/a.yaml",
    "q/r/c.yaml", "d.yaml", "e.yaml", "p/r/f.yml", "g.yaml"};
static const char *const folders[] = {"p", "q", "q/r", "s"};

/* The texts that `put` takes in turn. */
static void write_texts(void)
{
	fix_run("mkdir -p texts");
	for (unsigned i = 0; i < 8; i++) {
		_cleanup_str_ char *path = mem_printf("%s/texts/%u", fix_dir, i);
		_cleanup_str_ char *text = bundles_text(draw((uint64_t)1 << 40));
		FILE *f = fopen(path, "w");
		assert_non_null(f);
		assert_true(fputs(text, f) >= 0);
		assert_int_equal(fclose(f), 0);
	}
}

static char *commit(const char *repo)
{
	struct buf script;
	buf_init(&script, 0);
	write_texts();
	for (uint64_t n = 1 + draw(3); n > 0; n--)
		buf_addf(&script, "a=%s b=%s d=%s e=%s; %s\n", files[draw(ARRAY_LEN(files))],
		    files[draw(ARRAY_LEN(files))], folders[draw(ARRAY_LEN(folders))],
		    folders[draw(ARRAY_LEN(folders))], deeds[draw(ARRAY_LEN(deeds))]);
	char *head = fix_sh("i=0; RANDOM=%u; cd %s/vms\n"
			    "put() { p=$1; while [ \"$p\" != . ]; do [ ! -f \"$p\" ] || rm \"$p\"; "
			    "p=$(dirname \"$p\"); done\n"
			    "	[ ! -d $1 ] || rm -r $1; [ ! -L $1 ] || rm $1\n"
			    "	mkdir -p $(dirname $1); cp %s/texts/$i $1; i=$((i + 1)); }\n"
			    "set +e\n{\n%s} 2>/dev/null\nset -e\n"
			    "cd %s/%s; mkdir -p vms; git add -A; git commit -q --allow-empty -m x; "
			    "git rev-parse HEAD",
	    (unsigned)draw(30000), repo, fix_dir, buf_str(&script), fix_dir, repo);
	buf_fini(&script);
	return head;
}

struct follower {
	struct fix f;	  /* read from scratch */
	struct fix other; /* of the source */
	struct source *source;
	unsigned events;
	size_t read, files; /* files that the source had decoded; that there were */
};

static void on_bundle(void *arg)
{
	((struct follower *)arg)->events++;
}

/* A worker that was killed: looked at again at once. */
static void on_problem(void *arg)
{
	((struct follower *)arg)->events++;
}

static bool on_record(
    void *arg UNUSED, size_t i UNUSED, const char **name UNUSED, const struct record **ret UNUSED)
{
	return false;
}

static struct bundle *from_scratch(struct follower *w, const char *head, const struct bundle *last)
{
	struct bundle_file *v;
	struct bundle *b = NULL;
	size_t n = 0;

	fix_read(&w->f, head);
	fix_ok(&w->f);
	assert_string_equal(w->f.base, "");
	v = mem_calloc(w->f.n_files + 1, sizeof(*v));
	for (size_t i = 0; i < w->f.n_files; i++) {
		const struct got_file *g = &w->f.files[i];
		if (bundle_is_manifest_path(g->path))
			v[n++] = (struct bundle_file){.path = mem_printf("vms/%s", g->path),
			    .data = g->data,
			    .len = g->len,
			    .skipped = g->skipped};
	}
	assert_int_equal(bundle_build(head, v, n, last, &b, NULL), 0);
	for (size_t i = 0; i < n; i++)
		free((char *)(uintptr_t)v[i].path);
	free(v);
	return b;
}

static void open_follower(struct follower *w, const char *url, const char *name)
{
	struct fix *const fixes[] = {&w->f, &w->other};
	for (size_t i = 0; i < ARRAY_LEN(fixes); i++) {
		fix_init(fixes[i], url);
		mem_free_str(&fixes[i]->state);
		fixes[i]->state = mem_printf("%s/state-%s-%zu", fix_dir, name, i);
		fixes[i]->opts.setup.dir = fixes[i]->state;
		fixes[i]->opts.setup.path = "vms";
		fix_open(fixes[i]);
	}
	w->source = source_new(&(struct source_opts){.clock = loop_clock(w->other.loop),
	    .git = w->other.port,
	    .interval_ms = 3600000,
	    .branch = "main",
	    .folder = "vms",
	    .on_bundle = on_bundle,
	    .on_problem = on_problem,
	    .on_record = on_record,
	    .arg = w});
	source_start(w->source);
}

static void follow(struct follower *w, const char *head)
{
	while (!source_bundle(w->source) || strcmp(source_bundle(w->source)->rev, head) != 0) {
		unsigned before = w->events;
		source_poke(w->source);
		while (w->events == before && (!source_bundle(w->source) ||
						  strcmp(source_bundle(w->source)->rev, head) != 0))
			assert_int_equal(loop_turn(w->other.loop, NULL), 0);
	}
	w->read += source_bundle(w->source)->n_read;
	w->files += source_bundle(w->source)->n_files;
}

static void play(uint64_t seed)
{
	_cleanup_str_ char *name = mem_printf("history%u", (unsigned)seed);
	_cleanup_str_ char *url = mem_printf("file://%s/%s", fix_dir, name);
	struct follower w = {0};
	struct bundle *last = NULL;

	rng = seed * 0x9e3779b97f4a7c15u + 1;
	fix_run("git init -q %s; mkdir %s/vms; git -C %s commit -q --allow-empty -m first", name,
	    name, name);
	open_follower(&w, url, name);
	for (unsigned i = 0; i < COMMITS; i++) {
		_cleanup_str_ char *head = commit(name);
		if (i % 16 == 15) /* the cache is lost: everything is read again */
			kill((pid_t)gitwork_pid(w.other.work), SIGKILL);
		follow(&w, head);
		struct bundle *bare = bundles_bare(last), *b = from_scratch(&w, head, bare);
		bundle_unref(&bare);
		bundles_same(b, source_bundle(w.source));
		bundle_unref(&last);
		last = b;
	}
	print_message("%u commits: %zu files decoded, where everything would be %zu\n", COMMITS,
	    w.read, w.files);
	assert_true(w.read < w.files);
	bundle_unref(&last);
	source_free(&w.source);
	fix_close(&w.f);
	fix_close(&w.other);
}

static void test_histories(void **state UNUSED)
{
	for (uint64_t seed = 1; seed <= HISTORIES; seed++)
		play(seed);
}

int main(int argc, char **argv)
{
	FIX_BE_WORKER(argc, argv);
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_histories),
	};
	log_setup(LOG_ERROR, false);
	fix_begin();
	int failed = cmocka_run_group_tests(tests, NULL, NULL);
	fix_end();
	return failed;
}
