/*
 * What a merge of one file costs among 10,000 manifests: the way from the objects to a bundle, read
 * as the difference to the revision in force, beside reading and decoding everything, beside a
 * start of the git program, which does not even fetch. The three are measured in turn in one run;
 * their ratios are what counts and what is asserted, the figures are those of this machine.
 */
#include "../unit/git/gitfix.h"

#include "bundle.h"
#include "log.h"

#include <time.h>

#define MANIFESTS 10000
#define MERGES 9
/* A merge against reading everything. What is left of the work on all files (trees, rules between
 * manifests) is the rest. */
#define LEAST_RATIO 4.0

static int64_t now_us(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

static int by_value(const void *a, const void *b)
{
	int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
	return (x > y) - (x < y);
}

static double median_ms(int64_t *v, size_t n)
{
	qsort(v, n, sizeof(*v), by_value);
	return (double)v[n / 2] / 1000;
}

static char *make_repo(void)
{
	return fix_sh(
	    "git init -q many; cd many\n"
	    "for i in $(seq %d); do printf 'blob\\nmark :%%d\\ndata <<E\\napiVersion: "
	    "ramet.dev/v1\\nkind: ClonedVM\\nmetadata: { name: vm-%%d }\\nspec:\\n  id: %%d\\n  "
	    "node_name: pve1\\n  clone: { source_vm_id: 9000 }\\n  cpu: { cores: 2 }\\n  memory: "
	    "{ size: 2048 }\\nE\\n' $i $i $((i + 10000)); done >../in\n"
	    "printf 'commit refs/heads/main\\ncommitter D <d@example.org> 0 +0000\\ndata "
	    "3\\none\\n' >>../in\n"
	    "seq %d | sed 's/.*/M 100644 :& vms\\/vm-&.yaml/' >>../in\n"
	    "git fast-import --quiet <../in; git reset -q --hard; git rev-parse HEAD",
	    MANIFESTS, MANIFESTS);
}

/* The bundle of the last reading, with or without one to build on. */
static struct bundle *decode(const struct fix *f, const struct bundle *last)
{
	struct bundle_file *v = mem_calloc(f->n_files + 1, sizeof(*v));
	struct bundle_change c = {.files = v,
	    .n = f->n_files,
	    .gone = (const char *const *)f->gone.v,
	    .n_gone = f->gone.n,
	    .all = !f->base[0]};
	struct bundle *b = NULL;
	for (size_t i = 0; i < f->n_files; i++)
		v[i] = (struct bundle_file){.path = f->files[i].path,
		    .data = f->files[i].data,
		    .len = f->files[i].len,
		    .skipped = f->files[i].skipped};
	assert_int_equal(bundle_update(f->rev, &c, last, &b, NULL), 0);
	free(v);
	return b;
}

static void test_merge(void **state UNUSED)
{
	int64_t whole[MERGES], merge[MERGES], program[MERGES], read[MERGES];
	_cleanup_str_ char *first = make_repo(), *base = mem_strdup(first);
	_cleanup_str_ char *url = mem_printf("file://%s/many", fix_dir);
	struct fix f;
	fix_init(&f, url);
	f.opts.setup.path = "vms";
	fix_open(&f);
	fix_read(&f, first);
	fix_ok(&f);
	struct bundle *b = decode(&f, NULL);
	assert_int_equal(b->n, MANIFESTS);
	for (int i = 0; i < MERGES; i++) {
		_cleanup_str_ char *head = fix_sh(
		    "cd many; sed -i 's/cores: .*/cores: %d }/' vms/vm-%d.yaml; git commit -q -a "
		    "-m merge; git rev-parse HEAD",
		    i + 3, 100 * i + 1);
		/* The fetch is the same for both: it comes before. */
		gitport_read_old(f.port, head, "vm-1.yaml", fix_got, &f);
		fix_wait(&f);
		fix_ok(&f);
		int64_t t0 = now_us();
		gitport_read_since(f.port, head, base, fix_got, &f);
		fix_wait(&f);
		fix_ok(&f);
		int64_t t1 = now_us();
		assert_int_equal(f.n_files, 1);
		struct bundle *next = decode(&f, b);
		int64_t t2 = now_us();
		assert_int_equal(next->n_read, 1);
		fix_read(&f, head);
		fix_ok(&f);
		struct bundle *all = decode(&f, NULL);
		int64_t t3 = now_us();
		assert_int_equal(all->n_read, MANIFESTS);
		assert_string_equal(all->hash, next->hash);
		fix_run("git -C many diff --name-only %s %s >/dev/null", base, head);
		int64_t t4 = now_us();
		read[i] = t1 - t0;
		merge[i] = t2 - t0;
		whole[i] = t3 - t2;
		program[i] = t4 - t3;
		bundle_unref(&all);
		bundle_unref(&b);
		b = next;
		mem_replace(&base, head);
	}
	double w = median_ms(whole, MERGES), m = median_ms(merge, MERGES);
	printf(
	    "%d manifests, one changed: %.1f ms (%.1f ms of it the worker), everything anew: %.1f "
	    "ms (%.1f times), git diff --name-only alone: %.1f ms\n",
	    MANIFESTS, m, median_ms(read, MERGES), w, w / m, median_ms(program, MERGES));
	assert_true(w / m >= LEAST_RATIO);
	bundle_unref(&b);
	fix_close(&f);
}

FIX_MAIN(fix_run_tests, cmocka_unit_test(test_merge))
