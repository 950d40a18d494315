/*
 * sweep: a scene is played once undisturbed and its touches with the outside are counted; then
 * again for each touch and each fault. After the fault has passed it must end as it did
 * undisturbed.
 *
 * Not random (tests/world): every place, every fault.
 *
 * A trial owns its world. Scenes and faults are tables.
 *
 * Tests.
 */
#ifndef RAMET_SWEEP_H
#define RAMET_SWEEP_H

#include "support_judge.h"
#include "support_rival.h"

#define SWEEP_NAME "web-01"
#define SWEEP_BY_HAND ",firewall=1" /* what people change in net0 */

struct trial;

/* What somebody does that the controller has to answer. */
struct scene {
	const char *name;
	const char *past;		  /* what was merged before all that, NULL = nothing */
	const char *before;		  /* manifests at the beginning, NULL = none */
	const char *after;		  /* what is merged then, NULL = nothing */
	void (*happens)(struct trial *t); /* beside the merge, or NULL */
	const struct judge_key *keys;
	const char *vms;    /* names of the VMs that there must be in the end, with commas */
	const char *policy; /* lines of configuration, NULL = the usual ones */
	bool gone;	    /* the VM is, in the end, and vms names others */
	const char *reason; /* that is said of the VM in the end; NULL = any that is Ready */
	const char *never; /* once it begins nothing but GET has this in its path; NULL = all may */
	const char *makes; /* the slot of a disk that is made here, NULL = none */
	/* What is said of it instead when journal and report are lost; NULL = nothing else. */
	const char *forgotten;
	bool blank; /* nothing is remembered when it begins */
	bool creates, moves, stops, destroys;
	/* NULL, or what is not as the manifest says. Caller frees. */
	char *(*wrong)(struct trial *t);
};

size_t scene_count(void);
const struct scene *scene_get(size_t i);

enum fault {
#define FAULT(code, word, touches, doc) FAULT_##code,
#include "faults.def"
#undef FAULT
	FAULT__MAX
};

const char *fault_word(enum fault f);
/* Whether it makes sense there: a task can only fail where one is begun. */
bool fault_fits(enum fault f, enum touch kind, const char *what, const char *where);

struct touched {
	enum touch kind;
	char *what, *where;
};

struct trial {
	const struct scene *scene;
	struct world *w;
	struct judge judge;
	struct rival rival; /* another instance, if the scene has one */
	enum fault fault;
	size_t at;    /* the touch it strikes, from 1; 0 = none */
	size_t count; /* touches so far, once it is armed */
	bool armed, struck, lose_state;
	bool lose_power, again; /* and a second time */
	int64_t struck_at;	/* ms */
	int64_t reborn_at;	/* 0 = alive */
	int64_t asked_at;	/* to end; 0 = it is not */
	int64_t ended_at;	/* when it had; 0 = it has not */
	int64_t stranger;	/* VMID that a stranger took */
	int64_t leftover;	/* VMID of one of another attempt */
	char *stranger_conf;
	bool edited, attached; /* by people */
	bool intended;	       /* the number stands in the journal */
	bool unconfirmed;      /* it waits for a person to say whose the VM is */
	int64_t locked;
	char *unseen;  /* path of the call that may have had its effect, until somebody looks */
	unsigned life; /* in which it was sent */
	/* Of the undisturbed play. */
	struct touched *touches;
	size_t n_touches, cap_touches;
	int64_t number; /* of the VM */
	char *picture;	/* the cluster in the end, without what chance gives; borrowed otherwise */
};

/* Plays it. Undisturbed with FAULT__MAX: then touches and picture are filled. Violations are in
 * the story of the world; how many there were. */
unsigned trial_play(struct trial *t, const struct trial *undisturbed, bool tell);
void trial_fini(struct trial *t);

/* A move that is cut off cannot free its copy without quorum: PVE's own leftover, told by the task.
 */
bool trial_may_leave(const struct trial *t);
/* How many volumes of the VM the report names as left. */
size_t trial_tells_left(const struct trial *t, int64_t vmid);

/* strike.c: the hook of the world. */
enum fate strike_ask(void *arg, enum touch kind, const char *what, const char *where);
/* What people do when they see what happened, and the end of what passes by itself. */
void strike_over(struct trial *t);

/* picture.c. Caller frees. */
char *picture_take(struct trial *t);
/* One guest, word for word. */
char *picture_raw(struct trial *t, int64_t vmid);
/* Volumes of VMs that there are not, one line each; NULL = none. Caller frees. */
char *picture_orphans(struct trial *t);

#endif
