/*
 * play: one random world from a seed: merges, people, faults, deaths of the controller; then all is
 * healed, and there must be one right VM per manifest.
 *
 * Not the judging of single steps (support_judge.h).
 *
 * The play owns its world.
 *
 * Tests.
 */
#ifndef RAMET_PLAY_H
#define RAMET_PLAY_H

#include "support_judge.h"
#include "support_manifest.h"
#include "support_rival.h"

#define PLAY_VMS 8
#define GUARD_VMS 256
#define PLAY_AWARE_MS \
	1200000 /* by then Git and the cluster were asked, unless something is wrong */

/* What play_guard.c remembers. */
struct guard {
	size_t seen; /* entries of the cluster's journal */
	struct guard_vm {
		int64_t vmid;
		bool running;
		int64_t started_at; /* by somebody else; an answer under way may be older */
		int64_t ha_at;	    /* since when HA manages it; -1 = it does not */
		int64_t source;	    /* a clone of it that the life asked for which began then */
		uint64_t life;
	} v[GUARD_VMS];
	size_t n, answers;
	int64_t
	    follows; /* since when the controller has had the newest revision; -1 = it has not */
};

struct play {
	struct world *w;
	struct judge judge;
	struct manifest m[PLAY_VMS];
	struct manifest before[PLAY_VMS]; /* as of the last merge but one, for reverts */
	struct {
		enum manifest_ceiling ceiling;
		bool pin, started;
		/* Deleted by somebody when it was known to be whole, and not to be made anew. */
		bool stays_gone;
		int64_t there_since; /* when it came back; long ago when it never went */
		int64_t bare_at; /* when it was there without protect: what comes of it soon after
				  * may not have been seen with it */
		int64_t gone_at; /* when somebody else took its VM away */
	} ever[PLAY_VMS];	 /* the most that any version of the manifest asked for */
	struct guard guard;
	bool faulty, no_quorum, prune, several; /* endpoints */
	bool lag; /* lists come from workers whose copies are of different age, as usual in PVE */
	const char *node_off; /* NULL = all are on */
	bool busy;	      /* people are at work */
	bool empty;	      /* the next merge leaves not one file */
	bool bare;	      /* the last one left none */
	bool moved;	      /* the manifests are in another folder */
	bool rivals;	      /* other instances come and go */
	struct rival rival;
	int64_t reborn_at;		 /* when the next life begins; 0 = alive */
	int64_t locked;			 /* VMID with a backup's lock */
	int64_t suspended, suspended_at; /* VMID with the tag, since when */
	int64_t ha;			 /* VMID that HA manages */
	int64_t hidden;			 /* VMID that the token may not even see */
	bool hiding;			 /* the call for that is under way */
	int64_t show_at;		 /* when that is tried to be ended again; 0 = not */
	int64_t snapshot;		 /* VMID with a snapshot */
	unsigned merges;
	unsigned tokens; /* how often it became another one */
};

/* The whole play; how many violations there were. Its story goes to standard error as it happens
 * (tell), or when something was wrong. */
unsigned play_seed(uint64_t seed, bool tell);

unsigned play_pick(struct play *p, unsigned n);

/* play_repo.c */
void play_invent(struct play *p, size_t i);
void play_merge(struct play *p);
void play_change_manifest(struct play *p);
/* After it everything can come true. */
void play_last_merge(struct play *p);

/* play_people.c */
void play_human(struct play *p);
void play_drop_snapshot(struct play *p, int64_t vmid);
void play_stranger(struct play *p);
/* Somebody deleted the VM of this manifest. */
void play_gone(struct play *p, struct manifest *m);
void play_unlock(struct play *p);
/* Somebody is quicker: a hook of the port. */
void play_meanwhile(void *arg, const char *method, const char *path);

/* play_guard.c */
void guard_look(struct play *p);
/* Before each request is handed in. */
void guard_request(struct play *p, const char *method, const char *path);
/* What is remembered of earlier lives is lost. */
void guard_forget(struct play *p);
/* Orders to destroy may have been carried out by one who did not come to tell it. */
void guard_doubt(struct play *p);
void guard_ha(struct play *p, int64_t vmid, bool on);

/* play_faults.c */
/* The token may see the VM, or not even that it is there; 0 = all again. */
void play_hide(struct play *p, int64_t vmid);
/* Ends it when the first try failed. */
void play_show(struct play *p);
void play_add_fault(struct play *p);
/* As long as the world lasts, whatever is healed. */
void play_let_lag(struct play *p);
/* The file says what the cluster knows. */
void play_mend_token(struct play *p);
void play_break_something(struct play *p);
void play_heal(struct play *p);

/* play_end.c */
void play_must_converge(struct play *p, void (*each)(struct world *w));

#endif
