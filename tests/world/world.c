/*
 * Random worlds: merges, human edits, lost answers, deaths of the controller, losses of its state;
 * after all that exactly one right VM per manifest. A seed gives the same world each time.
 */
#include "play.h"
#include "play_tally.h"
#include "support_crew.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char usage[] = "Usage: world [OPTIONS]\n"
			    "Plays random worlds and counts what must never happen.\n"
			    "  --seeds N     so many seeds (2000)\n"
			    "  --first K     beginning with this one (1)\n"
			    "  --jobs J      in so many processes; 0 = one for each processor (1)\n"
			    "  --resume FILE keeps in FILE where it is, and goes on from there\n"
			    "  --max-bad N   stops after so many bad seeds (5); 0 = never\n"
			    "  --count       what happened how often in them\n"
			    "  --seed K      this seed alone, with its story\n";

static unsigned play(void *arg, uint64_t seed)
{
	(void)arg;
	return play_seed(seed, false);
}

/* Where an earlier call was: what is left shrinks by it. */
static void resume(struct crew *c)
{
	FILE *f = fopen(c->resume, "r");
	unsigned long long at = 0;

	if (f && fscanf(f, "%llu", &at) == 1 && at > c->first) {
		uint64_t end = c->first + c->n;

		c->first = at < end ? at : end;
		c->n = end - c->first;
		fprintf(stderr, "going on at seed %llu\n", at);
	}
	if (f)
		fclose(f);
}

static uint64_t number(const char *s)
{
	char *end;
	unsigned long long n;

	errno = 0;
	n = strtoull(s, &end, 10);
	if (errno || !*s || *end || *s == '-') {
		fprintf(stderr, "world: %s is no number\n%s", s, usage);
		exit(64);
	}
	return n;
}

int main(int argc, char **argv)
{
	static const struct option options[] = {{"seeds", 1, NULL, 'n'}, {"first", 1, NULL, 'f'},
	    {"jobs", 1, NULL, 'j'}, {"resume", 1, NULL, 'r'}, {"max-bad", 1, NULL, 'b'},
	    {"seed", 1, NULL, 's'}, {"count", 0, NULL, 'c'}, {"help", 0, NULL, 'h'}, {0}};
	struct crew c = {.first = 1,
	    .n = 2000,
	    .jobs = 1,
	    .max_bad = 5,
	    .step = 1000,
	    .what = "seed",
	    .run = play};
	struct crew_sum sum;
	int o;

	world_quiet();
	while ((o = getopt_long(argc, argv, "", options, NULL)) != -1) {
		switch (o) {
		case 'n':
			c.n = number(optarg);
			break;
		case 'f':
			c.first = number(optarg);
			break;
		case 'j':
			c.jobs = (unsigned)number(optarg);
			break;
		case 'r':
			c.resume = optarg;
			break;
		case 'b':
			c.max_bad = (unsigned)number(optarg);
			break;
		case 'c':
			tally_begin();
			break;
		case 's':
			return play_seed(number(optarg), true) ? 1 : 0;
		default:
			fputs(usage, o == 'h' ? stdout : stderr);
			return o == 'h' ? 0 : 64;
		}
	}
	if (c.resume)
		resume(&c);
	crew_run(&c, &sum);
	tally_print();
	printf("world: %llu seeds, %llu violations\n", (unsigned long long)sum.runs,
	    (unsigned long long)sum.violations);
	return sum.violations || sum.runs != c.n ? 1 : 0;
}
