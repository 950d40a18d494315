/*
 * setup: configuration and real ports, for the commands that need them.
 *
 * Not the controller (reconcile/controller.h) and not the loop's running: commands do that.
 *
 * Owns everything in it until setup_close; ports are borrowed by the controller, which must be gone
 * before.
 *
 * The controller process.
 */
#ifndef RAMET_SETUP_H
#define RAMET_SETUP_H

#include "cachedir.h"
#include "cli.h"
#include "config.h"
#include "gitwork.h"
#include "loop.h"
#include "ports.h"
#include "pveport.h"

enum setup_part {
	SETUP_CLUSTER = 1,
	SETUP_GIT = 2,
	SETUP_STORE = 4,    /* the journal, locked; without it a copy to look at */
	SETUP_REPORT = 8,   /* the report directory, with report.mode: files */
	SETUP_STATUS = 16,  /* whatever the report is read from: SETUP_GIT or SETUP_REPORT */
	SETUP_JOURNAL = 32, /* the journal as it stands, to look at */
	SETUP_QUIET = 64,   /* says nothing of what is wrong: the command can do without */
	SETUP_HTTP = 128,   /* secrets of the listener; who listens is telemetry.h */
	SETUP_SERVICE =
	    256, /* CLI_CONFIG for findings in the configuration: begun anew it would end again */
};

struct setup {
	const struct cli *cli;
	unsigned parts;
	struct config *config;
	struct loop *loop;
	struct pveport *pve;
	char *pve_user; /* of the token, without its secret */
	struct gitwork *git;
	struct store *store;
	bool peeking; /* store is a peekstore */
	struct outdir *outdir;
	struct cachedir cache;
	struct ports ports;
};

#define SETUP_NONE ((struct setup){.cache = CACHEDIR_NONE})
#define _cleanup_setup_ _cleanup_(setup_close)

/* Reads the configuration, tells what is wrong with it on standard error, and makes the ports.
 * CLI_OK or the exit status. */
int setup_open(const struct cli *c, unsigned parts, struct setup *ret) MUST_CHECK;
void setup_close(struct setup *s);

/* Another port to the cluster, by one endpoint alone (NULL = by all); freed before setup_close. */
int setup_pveport(
    struct setup *s, const char *endpoint, struct pveport **ret, struct err **err) MUST_CHECK;

/* Reads the configuration anew, for SIGHUP: tells what is wrong, logs what changed. True when there
 * are good and other settings, which a new set-up would take over; this one keeps its own. */
bool setup_reload(struct setup *s);

/* Findings on standard error. */
void setup_print_diags(const struct cli *c, const struct diags *l);

#endif
