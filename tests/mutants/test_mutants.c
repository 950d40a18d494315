/*
 * Shows that the replay of recordings bites: with each fault of sim_mutant.def switched on, the
 * agreement over the transcripts named here falls, exchanges that agreed do not agree any more, and
 * where "bar" is set, it falls below. Where the recordings are absent the test counts as skipped.
 *
 *     test_mutants [-v] [mutant…]
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "buf.h"
#include "conf_normal.h"
#include "conf_replay.h"
#include "sim_mutant.h"

enum sim_mutant sim_mutant;

static const struct {
	enum sim_mutant mutant;
	const char *name;
	const char *transcript; /* where it must show */
	double bar;		/* per cent that it must not reach */
} cases[] = {
#include "mutants.def"
};

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

static bool one(const char *root, size_t i)
{
	struct replay_result sound = {0}, mutated = {0};
	size_t n;
	bool good;

	sim_mutant = SIM_MUTANT_NONE;
	if (agreement(root, cases[i].transcript, &sound) < 0)
		return false;
	sim_mutant = cases[i].mutant;
	if (agreement(root, cases[i].transcript, &mutated) < 0)
		return false;
	sim_mutant = SIM_MUTANT_NONE;
	n = added(&sound, &mutated);
	good = n > 0 && mutated.equal < sound.equal && percent(&mutated) < cases[i].bar;
	printf("%-16s %-34s %5.1f %% -> %5.1f %% (bar %.0f, %zu new differences)%s\n",
	    cases[i].name, cases[i].transcript, percent(&sound), percent(&mutated), cases[i].bar, n,
	    good ? "" : "  NOT SEEN");
	fflush(stdout);
	strs_fini(&sound.differences);
	strs_fini(&mutated.differences);
	return good;
}

int main(int argc, char **argv)
{
	const char *root = RAMET_SOURCE_DIR "/../shared/pve";
	unsigned unseen = 0, run = 0;

	if (access(root, R_OK) < 0) {
		puts("no recordings beside the project, skipped");
		return 77;
	}
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		bool wanted = argc < 2;

		for (int k = 1; k < argc; k++)
			wanted = wanted || !strcmp(argv[k], cases[i].name);
		if (!wanted)
			continue;
		run++;
		unseen += !one(root, i);
	}
	if (argc < 2) {
		run++;
		unseen += !mac_kept_is_seen();
	}
	printf("%u mutants, %u not seen\n", run, unseen);
	return unseen || !run ? 1 : 0;
}
