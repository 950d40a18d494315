/*
 * Shows that the replay of recordings bites: with each fault of sim_mutant.def switched on,
 * exchanges that agreed do not agree any more. A mutant counts when the agreement over one
 * transcript, which reaches its bar without the fault, falls below that bar with it. Where what the
 * recorder's host did by chance (tests/sim/DIFFERENCES.md) keeps a transcript from its bar, only
 * the exchanges that agree without the fault are counted. At least LEAST must fall. Where the
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

#define LEAST 14 /* mutants that must fall below a bar */

enum sim_mutant sim_mutant;

static const struct mutant_case {
	enum sim_mutant mutant;
	const char *name;
	const char *transcript; /* where it must show */
} cases[] = {
#include "mutants.def"
};

/* What a transcript must reach: the configuration of guests nearly all, the other single nodes,
 * three nodes. */
static double bar_of(const char *transcript)
{
	static const char *const strict[] = {"04", "05", "06", "07", "10", "11", "12", "13"};
	const char *name = strrchr(transcript, '/') + 1;

	if (strstr(transcript, "cluster-9.2"))
		return 90;
	for (size_t i = 0; i < ARRAY_LEN(strict); i++)
		if (text_starts(name, strict[i]))
			return 99;
	return 97;
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

/* Differences that only the mutant has. */
static size_t added(const struct replay_result *sound, const struct replay_result *mutated)
{
	size_t n = 0;

	for (size_t i = 0; i < mutated->differences.n; i++)
		n += !strs_has(&sound->differences, mutated->differences.v[i]);
	return n;
}

/* Addresses are made up, so that a replay compares them with nothing: this is asked of the
 * simulation itself. Whether a device that is set without an address gets a new one. */
static void no_reply(void *arg, const struct sim_reply *r)
{
	*(int *)arg = r->status;
}

static bool mac_is_new(void)
{
	static const char seed[] =
	    "nodes: [{name: n1}]\n"
	    "storages: [{name: local, type: dir, content: [images]}]\n"
	    "users: [{name: root@pam, tokens: [{name: t, secret: s, privsep: false}]}]\n"
	    "guests: [{id: 700, config: {net0: \"virtio=BC:24:11:00:00:01,bridge=vmbr0\"}}]\n";
	const struct sim_opts o = {.seed_yaml = seed, .seed_name = "mac", .random = 3};
	_cleanup_kv_ struct kv params = {0};
	struct sim_req q = {.method = "PUT",
	    .path = "/nodes/n1/qemu/700/config",
	    .params = &params,
	    .authorization = "PVEAPIToken=root@pam!t=s"};
	struct sim *sim = NULL;
	struct err *e = NULL;
	int status = 0;
	bool fresh;

	if (sim_new(&o, &sim, &e) < 0) {
		puts(err_msg(e));
		err_free(&e);
		return false;
	}
	kv_set(&params, "net0", "virtio,bridge=vmbr0");
	sim_submit(sim, &q, no_reply, &status);
	while (!status && sim_next_event(sim) >= 0)
		sim_run_until(sim, sim_next_event(sim));
	fresh = status == 200 && !strstr(sim_guest_get(sim, 700, "net0"), "BC:24:11:00:00:01");
	sim_free(&sim);
	return fresh;
}

static bool mac_kept_is_seen(void)
{
	bool sound, mutated;

	sim_mutant = SIM_MUTANT_NONE;
	sound = mac_is_new();
	sim_mutant = SIM_MUTANT_MAC_KEPT;
	mutated = mac_is_new();
	sim_mutant = SIM_MUTANT_NONE;
	printf("%-16s %-34s %s\n", "MAC_KEPT", "a case of its own",
	    sound && !mutated ? "seen" : "NOT SEEN");
	return sound && !mutated;
}

static bool one(const char *root, const struct mutant_case *c, unsigned *ret_below)
{
	struct replay_result sound = {0}, mutated = {0};
	double bar = bar_of(c->transcript);
	double figure;
	bool good, below, short_of;
	size_t n;

	sim_mutant = SIM_MUTANT_NONE;
	if (agreement(root, c->transcript, &sound) < 0)
		return false;
	sim_mutant = c->mutant;
	if (agreement(root, c->transcript, &mutated) < 0)
		return false;
	sim_mutant = SIM_MUTANT_NONE;
	n = added(&sound, &mutated);
	good = n > 0 && mutated.equal < sound.equal;
	short_of = percent(&sound) < bar;
	figure = short_of ? 100.0 * (sound.equal - n) / sound.equal : percent(&mutated);
	below = good && figure < bar;
	*ret_below += below;
	printf("mutant %s: %.1f %% -> %.1f %% in %s, bar %.0f%s\n", c->name,
	    short_of ? 100.0 : percent(&sound), figure, c->transcript, bar,
	    !good      ? "  NOT SEEN"
	    : !below   ? " (seen, not counted)"
	    : short_of ? ", of what agrees without it"
		       : "");
	fflush(stdout);
	strs_fini(&sound.differences);
	strs_fini(&mutated.differences);
	return good;
}

/* Each of these mutants once over every transcript. */
static void everywhere(const char *root, char **names)
{
	static const char *const sets[] = {
	    "transcripts-8.4", "transcripts-9.2", "transcripts-cluster-9.2"};
	unsigned ignored = 0;

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
	unsigned unseen = 0, run = 0, below = 0;

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
		unseen += !one(root, &cases[i], &below);
	}
	if (argc < 2) {
		run++;
		unseen += !mac_kept_is_seen();
	}
	printf("%u mutants, %u not seen, %u below a bar that was reached (at least %u)\n", run,
	    unseen, below, argc < 2 ? LEAST : 0);
	return unseen || !run || (argc < 2 && below < LEAST) ? 1 : 0;
}
