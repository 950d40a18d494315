/*
 * Replays what real clusters answered (recorded, kept beside the project and not part of it)
 * against the simulated one and compares status, reason, errors and bodies. What differs must be
 * in tests/sim/DIFFERENCES.md, in that number: neither new nor settled ones pass unseen. Where the
 * recordings are absent the test counts as skipped.
 *
 *     test_conformance [-v] [-d FOLDER] [transcript…]
 */
#include <dirent.h>
#include <fnmatch.h>
#include <regex.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "buf.h"
#include "conf_normal.h"
#include "conf_replay.h"

static int folder(const char *root, const char *sub, const char *version, char **only, int verbose,
    struct replay_result *all)
{
	_cleanup_str_ char *dir = mem_printf("%s/%s", root, sub);
	struct dirent **names;
	int n = scandir(dir, &names, NULL, alphasort);

	if (n < 0)
		return -1;
	for (int i = 0; i < n; i++) {
		_cleanup_str_ char *path = mem_printf("%s/%s", dir, names[i]->d_name);
		struct replay_result one = {0};
		bool wanted = text_ends(path, ".jsonl");

		free(names[i]);
		for (char **p = only; wanted && *only && p == only; p++) {
			wanted = false;
			for (char **q = only; *q; q++)
				wanted = wanted || strstr(path, *q);
		}
		if (!wanted)
			continue;
		if (replay_file(path, version, RAMET_SOURCE_DIR "/tests/fixtures/sim/conformance",
			verbose, &one) == 0)
			printf("%-24s %-26s %5.1f %% (%u of %u)\n", sub, strrchr(path, '/') + 1,
			    one.total ? 100.0 * one.equal / one.total : 0, one.equal, one.total);
		all->total += one.total;
		all->equal += one.equal;
		for (size_t k = 0; k < one.differences.n; k++)
			strs_add_take(
			    &all->differences, mem_printf("%s %s", sub, one.differences.v[k]));
		strs_fini(&one.differences);
		fflush(stdout);
	}
	free(names);
	return 0;
}

/* --- the differences that are known --- */

struct known {
	char *cell; /* the patterns, as they stand there */
	struct strs patterns;
	int64_t want;
	unsigned seen;
};

/* What stands between backquotes. */
static void read_patterns(const char *cell, struct strs *ret)
{
	for (const char *p = strchr(cell, '`'); p; p = strchr(p, '`')) {
		size_t len = strcspn(p + 1, "`");

		strs_add_take(ret, mem_strndup(p + 1, len));
		p += len + (p[len + 1] ? 2 : 1);
	}
}

static bool known_has(const struct known *v, const char *difference)
{
	for (size_t i = 0; i < v->patterns.n; i++)
		if (!fnmatch(v->patterns.v[i], difference, 0))
			return true;
	return false;
}

/* The table's rows: | `pattern`, `pattern` | number | why | */
static size_t read_known(struct known *v, size_t max)
{
	FILE *f = fopen(RAMET_SOURCE_DIR "/tests/sim/DIFFERENCES.md", "re");
	char line[2000];
	size_t n = 0;

	while (f && n < max && fgets(line, sizeof(line), f)) {
		_cleanup_strs_ struct strs cells = {0};
		char *p;

		if (!text_starts(line, "| `") || text_split(line, "|", true, 8, &cells) < 0 ||
		    cells.n < 3)
			continue;
		v[n].cell = mem_strdup(cells.v[0]);
		read_patterns(v[n].cell, &v[n].patterns);
		p = cells.v[1] + strspn(cells.v[1], " ");
		v[n].want = strtoll(p, NULL, 10);
		n++;
	}
	if (f)
		fclose(f);
	return n;
}

static bool as_known(const struct strs *differences)
{
	struct known v[128] = {0};
	size_t n = read_known(v, ARRAY_LEN(v));
	bool good = true;

	for (size_t i = 0; i < differences->n; i++) {
		size_t k = 0;

		while (k < n && !known_has(&v[k], differences->v[i]))
			k++;
		if (k < n)
			v[k].seen++;
		else
			printf("new difference: %s\n", differences->v[i]), good = false;
	}
	for (size_t k = 0; k < n; k++) {
		if (v[k].seen != v[k].want)
			printf("DIFFERENCES.md: %s says %lld, there are %u\n", v[k].cell,
			    (long long)v[k].want, v[k].seen),
			    good = false;
		free(v[k].cell);
		strs_fini(&v[k].patterns);
	}
	return good;
}

int main(int argc, char **argv)
{
	bool good = true;
	static const struct {
		const char *sub, *version;
	} sets[] = {{"transcripts-8.4", "8.4"}, {"transcripts-9.2", "9.2"},
	    {"transcripts-cluster-9.2", "9.2"}};
	const char *root = RAMET_SOURCE_DIR "/../shared/pve";
	struct replay_result all = {0};
	int verbose = 0, c;

	while ((c = getopt(argc, argv, "vd:")) != -1) {
		if (c == 'v')
			verbose++;
		else if (c == 'd')
			root = optarg;
		else
			return 2;
	}
	if (access(root, R_OK) < 0) {
		puts("no recordings beside the project, skipped");
		return 77;
	}
	for (size_t i = 0; i < ARRAY_LEN(sets); i++)
		folder(root, sets[i].sub, sets[i].version, argv + optind, verbose, &all);
	if (optind == argc)
		good = as_known(&all.differences);
	printf("agreement: %.1f %% (%u of %u exchanges)\n",
	    all.total ? 100.0 * all.equal / all.total : 0, all.equal, all.total);
	strs_fini(&all.differences);
	return good ? 0 : 1;
}
