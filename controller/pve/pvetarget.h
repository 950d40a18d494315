/*
 * pvetarget: one endpoint of the cluster, and what is known of it: its node, its cluster, whether
 * it has quorum, whether it can be reached.
 *
 * Not the calls (pveport.c) and not the choice between endpoints (there too).
 *
 * Owns its strings.
 *
 * The controller process.
 */
#ifndef RAMET_PVETARGET_H
#define RAMET_PVETARGET_H

#include "mem.h"

struct pveport;

enum vet {
	VET_UNKNOWN, /* not asked since it could not be reached last */
	VET_SAME,    /* of the cluster that the others are of */
	VET_FOREIGN, /* of another one: nothing is asked of it */
	VET_SILENT,  /* it answers, and does not tell; without Sys.Audit nobody is told */
	VET__MAX
};

struct target {
	char *url;
	char *node;    /* as it called itself, or as its host name suggests; "" = unknown */
	char *cluster; /* that it says to be of; NULL = it did not tell */
	enum vet vet;
	bool no_quorum;	    /* by its own word */
	bool denied;	    /* it refused the token last */
	int64_t cool_until; /* not asked before, unless there is nothing else */
	int64_t cool_ms;    /* of the last cooling; 0 = well */
	struct pveport *p;  /* for the callback of `naming` */
	uint64_t naming;    /* a call under way that asks for the node's name */
	int64_t name_at;    /* not asked for the name before; INT64_MAX = it is known */
};

void target_init(struct target *t, const char *url);
void target_fini(struct target *t);
/* It did not do what it is there for; why = for people. True: since just now. */
bool target_cool(struct target *t, int64_t now);
bool target_is_cool(const struct target *t, int64_t now);
/* An answer of status and body to /cluster/status: node, quorum and cluster. */
void target_learn(struct target *t, int status, const char *body, size_t len);
/* The cluster that all have to be of: that of the first in order that told; NULL = nobody did. */
const char *target_cluster(const struct target *v, size_t n);
/* Compares with it. True: it has just turned out to be of another one. */
bool target_vet(struct target *t, const char *cluster);

struct target_wish {
	uint32_t tried;	  /* bit per target */
	const char *node; /* that the call concerns; NULL = none */
	size_t current;	  /* the one that works */
	int64_t now;
};
/* The one to go on with when this one is not to be asked any more: the next that is well, else the
 * next. */
size_t target_after(const struct target *v, size_t n, size_t from, int64_t now);
/* The best that was not tried, or -1. */
int target_choose(const struct target *v, size_t n, const struct target_wish *w);

#endif
