/*
 * What it costs to serve a queue of 10,000 VMs that wait for their turn on three nodes, beside one
 * of 1,000: a merge that changes every VM makes such a queue. Ten times as many shall cost about
 * ten times as much; looking at each who waits whenever one is served makes it a hundred times.
 * Both are measured in turn in one run, in processor time, and the least of several is taken.
 */
#include "gate.h"
#include "vclock.h"

#include <stdio.h>
#include <time.h>

#define FEW 1000
#define MANY 10000
#define RUNS 7
#define NODES 3
#define MOST_RATIO 35.0

static const struct gate_limits limits = {
    .parallel = 16, .parallel_per_node = 4, .clones_per_storage = 2, .reads = 16};

struct bench {
	struct gate *gate;
	gate_ticket held[NODES * 4];
	size_t n_held, served;
};

static int64_t cpu_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

static void on_turn(void *arg, gate_ticket t)
{
	struct bench *b = arg;

	b->held[b->n_held++] = t;
	b->served++;
}

/* Microseconds. */
static int64_t serve(size_t n)
{
	static const char *const nodes[NODES] = {"pve1", "pve2", "pve3"};
	_cleanup_vclock_ struct vclock *v = vclock_new(1, 0);
	struct bench b = {.gate = gate_new(vclock_clock(v), &limits)};
	int64_t at = 0, t = cpu_us();

	for (size_t i = 0; i < n; i++)
		gate_wait(b.gate, GATE_OP, nodes[i % NODES], NULL, on_turn, &b);
	while (b.served < n) {
		while (b.n_held)
			gate_give(b.gate, &b.held[--b.n_held]);
		vclock_run_until(v, ++at);
	}
	t = cpu_us() - t;
	gate_free(&b.gate);
	return t;
}

int main(void)
{
	int64_t few = INT64_MAX, many = INT64_MAX;

	for (int i = 0; i < RUNS; i++) {
		int64_t f = serve(FEW), m = serve(MANY);

		few = f < few ? f : few;
		many = m < many ? m : many;
	}
	few = few ? few : 1;
	printf("%d served in %.2f ms, %d in %.2f ms: %.1f times (at most %.0f)\n", FEW,
	    (double)few / 1000, MANY, (double)many / 1000, (double)many / (double)few, MOST_RATIO);
	return (double)many / (double)few > MOST_RATIO;
}
