/*
 * Shows that the replay of recordings bites: with each fault of sim_mutant.def switched on, the
 * agreement over one transcript, as test_conformance prints it, is above a bar without the fault
 * and below that bar with it. The bar is the one of the transcript's set; where what the recorder's
 * host did by chance (tests/sim/DIFFERENCES.md) keeps the transcript from a strict one, it is the
 * one of all transcripts together, as the printed line says. All mutants must fall below. Where the
 * recordings are absent the test counts as skipped.
 *
 *     test_mutants [-a] [mutant…]       -a: over all transcripts, to find where a fault shows
 */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "buf.h"
#include "conf_normal.h"
#include "conf_replay.h"
#include "sim_mutant.h"

#define BAR_STRICT 99  /* the configuration of guests */
#define BAR_ALL 97     /* single nodes together */
#define BAR_CLUSTER 90 /* three nodes */

enum sim_mutant sim_mutant;

static const struct mutant_case {
	enum sim_mutant mutant;
	const char *name;
	const char *transcript; /* where it must show */
} cases[] = {
#include "mutants.def"
};

/* The highest bar of this transcript that is reached; 0 = none. */
static int bar_of(const char *transcript, double figure)
{
	static const char *const strict[] = {"04", "05", "06", "07", "10", "11", "12", "13"};
	const char *name = strrchr(transcript, '/') + 1;

	if (strstr(transcript, "cluster-9.2"))
		return figure >= BAR_CLUSTER ? BAR_CLUSTER : 0;
	for (size_t i = 0; i < ARRAY_LEN(strict); i++)
		if (text_starts(name, strict[i]) && figure >= BAR_STRICT)
			return BAR_STRICT;
	return figure >= BAR_ALL ? BAR_ALL : 0;
}

static int agreement(const char *root, const char *transcript, struct replay_result *ret)
{
	_cleanup_str_ char *path = mem_printf("%s/%s.jsonl", root, transcript);
	const char *version = strstr(transcript, "8.4") ? "8.4" : "9.2";

	return replay_file(
	    path, version, RAMET_SOURCE_DIR "/tests/fixtures/sim/conformance", 0, ret);
}

static double percent(const struct replay_result *r)
{
	return r->total ? 100.0 * r->equal / r->total : 0;
}

/* Does it show at all, and below the bar? */
static bool one(const char *root, const struct mutant_case *c, bool *ret_below)
{
	struct replay_result sound = {0}, mutated = {0};
	int bar;

	*ret_below = false;
	sim_mutant = SIM_MUTANT_NONE;
	if (agreement(root, c->transcript, &sound) < 0)
		return false;
	sim_mutant = c->mutant;
	if (agreement(root, c->transcript, &mutated) < 0)
		return false;
	sim_mutant = SIM_MUTANT_NONE;
	bar = bar_of(c->transcript, percent(&sound));
	*ret_below = percent(&mutated) < bar;
	printf("mutant %s: %.1f %% -> %.1f %% in %s, bar %d%s\n", c->name, percent(&sound),
	    percent(&mutated), c->transcript, bar,
	    mutated.equal >= sound.equal ? "  NOT SEEN"
	    : !*ret_below		 ? "  NOT BELOW"
					 : "");
	fflush(stdout);
	strs_fini(&sound.differences);
	strs_fini(&mutated.differences);
	return mutated.equal < sound.equal;
}

/* Each of these mutants once over every transcript. */
static void everywhere(const char *root, char **names)
{
	static const char *const sets[] = {
	    "transcripts-8.4", "transcripts-9.2", "transcripts-cluster-9.2"};
	bool ignored;

	for (size_t s = 0; s < ARRAY_LEN(sets); s++) {
		_cleanup_str_ char *dir = mem_printf("%s/%s", root, sets[s]);
		struct dirent **v;
		int n = scandir(dir, &v, NULL, alphasort);

		for (int i = 0; i < n; i++) {
			_cleanup_str_ char *path = mem_printf(
			    "%s/%.*s", sets[s], (int)strcspn(v[i]->d_name, "."), v[i]->d_name);

			for (size_t k = 0; k < ARRAY_LEN(cases) && *v[i]->d_name != '.'; k++) {
				struct mutant_case c = cases[k];

				for (char **w = names; *w; w++)
					if (!strcmp(*w, c.name)) {
						c.transcript = path;
						one(root, &c, &ignored);
					}
			}
			free(v[i]);
		}
		if (n >= 0)
			free(v);
	}
}

int main(int argc, char **argv)
{
	const char *root = RAMET_SOURCE_DIR "/../shared/pve";
	unsigned run = 0, fallen = 0;
	bool below;

	if (access(root, R_OK) < 0) {
		puts("no recordings beside the project, skipped");
		return 77;
	}
	if (argc > 2 && !strcmp(argv[1], "-a")) {
		everywhere(root, argv + 2);
		return 0;
	}
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		bool wanted = argc < 2;

		for (int k = 1; k < argc; k++)
			wanted = wanted || !strcmp(argv[k], cases[i].name);
		if (!wanted)
			continue;
		run++;
		fallen += one(root, &cases[i], &below) && below;
	}
	printf("%u mutants, %u of them below a bar that is reached without them\n", run, fallen);
	return !run || fallen < run ? 1 : 0;
}
