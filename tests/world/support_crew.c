#include "support_crew.h"

#include <inttypes.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

struct board {
	atomic_uint_fast64_t next, runs, bad, violations;
	atomic_uint_fast64_t at[CREW_JOBS_MAX]; /* what each worker is at; UINT64_MAX = nothing */
};

static void keep(const struct crew *c, const struct board *b)
{
	uint64_t low = atomic_load(&b->next);
	_cleanup_str_ char *tmp = NULL;
	FILE *f;

	for (size_t i = 0; i < CREW_JOBS_MAX; i++) {
		uint64_t at = atomic_load(&b->at[i]);

		if (at < low)
			low = at;
	}
	tmp = mem_printf("%s.%d", c->resume, (int)getpid());
	f = fopen(tmp, "w");
	if (!f)
		return;
	fprintf(f, "%" PRIu64 "\n", low);
	if (fclose(f) != 0 || rename(tmp, c->resume) < 0)
		fprintf(stderr, "cannot write %s\n", c->resume);
}

static void progress(const struct crew *c, const struct board *b, uint64_t runs)
{
	if (!c->step || runs % c->step != 0)
		return;
	fprintf(stderr, "%" PRIu64 " of %" PRIu64 " %ss, %" PRIu64 " violations\n", runs, c->n,
	    c->what, (uint64_t)atomic_load(&b->violations));
	if (c->resume)
		keep(c, b);
}

static void work(const struct crew *c, struct board *b, size_t who)
{
	for (;;) {
		uint64_t number = atomic_fetch_add(&b->next, 1);
		unsigned violations;

		if (number >= c->first + c->n || (c->max_bad && atomic_load(&b->bad) >= c->max_bad))
			break;
		atomic_store(&b->at[who], number);
		violations = c->run(c->arg, number);
		atomic_store(&b->at[who], UINT64_MAX);
		atomic_fetch_add(&b->violations, violations);
		if (violations)
			atomic_fetch_add(&b->bad, 1);
		progress(c, b, atomic_fetch_add(&b->runs, 1) + 1);
	}
}

static void died(const struct crew *c, struct board *b, size_t who, int status)
{
	if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
		return;
	fprintf(stderr, "%s %" PRIu64 ": the process ended with %s %d\n", c->what,
	    (uint64_t)atomic_load(&b->at[who]), WIFSIGNALED(status) ? "signal" : "status",
	    WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
	atomic_fetch_add(&b->bad, 1);
	atomic_fetch_add(&b->violations, 1);
	atomic_fetch_add(&b->runs, 1);
}

static void fork_all(const struct crew *c, struct board *b, unsigned jobs)
{
	pid_t pids[CREW_JOBS_MAX];

	fflush(stdout);
	for (size_t i = 0; i < jobs; i++) {
		pids[i] = fork();
		if (pids[i] == 0) {
			work(c, b, i);
			exit(0);
		}
		MUST(pids[i] > 0);
	}
	for (size_t i = 0; i < jobs; i++) {
		int status = 0;

		MUST(waitpid(pids[i], &status, 0) == pids[i]);
		died(c, b, i, status);
	}
}

static unsigned processors(void)
{
	long n = sysconf(_SC_NPROCESSORS_ONLN);

	return n > 0 ? (unsigned)n : 1;
}

void crew_run(const struct crew *c, struct crew_sum *ret)
{
	unsigned jobs = c->jobs ? c->jobs : processors();
	struct board *b =
	    mmap(NULL, sizeof(*b), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	MUST(b != MAP_FAILED);
	if (jobs > CREW_JOBS_MAX)
		jobs = CREW_JOBS_MAX;
	atomic_store(&b->next, c->first);
	for (size_t i = 0; i < CREW_JOBS_MAX; i++)
		atomic_store(&b->at[i], UINT64_MAX);
	if (jobs == 1)
		work(c, b, 0);
	else
		fork_all(c, b, jobs);
	*ret = (struct crew_sum){.runs = atomic_load(&b->runs),
	    .bad = atomic_load(&b->bad),
	    .violations = atomic_load(&b->violations)};
	munmap(b, sizeof(*b));
}
