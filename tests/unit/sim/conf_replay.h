/*
 * conf_replay: one recorded transcript, asked again of the simulated cluster and compared.
 *
 * Nothing is looked up from the recording but what the recorded client knew: numbers of tasks,
 * digests and secrets that earlier answers gave it are carried over to what the simulation gave.
 */
#ifndef RAMET_CONF_REPLAY_H
#define RAMET_CONF_REPLAY_H

#include <stdio.h>

#include "jsn.h"
#include "kv.h"
#include "sim.h"

struct replay_result {
	unsigned total, equal;
	struct strs differences; /* "scenario/number step: what" */
};

/* Replays the transcript file in this version; start = folder with the start states. verbose > 0
 * prints differences, > 1 both texts whole. */
int replay_file(const char *path, const char *version, const char *start, int verbose,
    struct replay_result *ret);

/* The text both sides are brought to: sorted, with the fixed list of fields blanked out. */
char *replay_normal(const struct jsn *body);

#endif
