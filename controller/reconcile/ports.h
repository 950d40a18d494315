/*
 * ports: everything through which the reconciler touches the world.
 *
 * Not the implementations: libcurl (pve/pveport.c), the git worker (git/gitwork.c), files
 * (reconcile/store.c), the event loop (loop/loop.c); in tests the simulated cluster, a repository
 * and a store in memory, and a virtual clock. Nothing above can tell which.
 *
 * The controller borrows the ports for its whole life.
 *
 * The controller process.
 */
#ifndef RAMET_PORTS_H
#define RAMET_PORTS_H

#include "clock.h"
#include "clusterport.h"
#include "gitport.h"
#include "text.h"

/* Durable lines of the journal. Synchronous: it is small and local, and nothing may be sent before
 * the intent is on the disk. */
struct store;
struct store_ops {
	/* Adds one line (without line end) and returns when it would survive a power loss. */
	int (*append)(struct store *s, const char *line, struct err **err);
	/* All lines in order; a torn last line is left out. */
	int (*load)(struct store *s, struct strs *ret, struct err **err);
	/* Replaces everything by these lines, atomically. */
	int (*rewrite)(struct store *s, const struct strs *lines, struct err **err);
	/* Names that a person left something about beside the journal, added to ret. May be absent,
	 * like the next two. */
	void (*words)(struct store *s, struct strs *ret);
	/* What it is, or NULL; caller frees. drop_word takes it away. */
	char *(*word)(struct store *s, const char *name);
	void (*drop_word)(struct store *s, const char *name);
};
struct store {
	const struct store_ops *ops;
};

/* Where reports go in mode `files`; NULL in mode `commit`. Atomic per file. */
struct outdir;
struct outdir_ops {
	int (*write)(
	    struct outdir *o, const char *path, const char *data, size_t len, struct err **err);
	int (*remove)(struct outdir *o, const char *path, struct err **err);
	int (*read)(
	    struct outdir *o, const char *path, char **ret, size_t *ret_len, struct err **err);
	int (*list)(struct outdir *o, struct strs *ret, struct err **err);
	/* Whose directory it is: an instance takes it over from whoever had it before, and of
	 * several at the same moment exactly one does. *ret_holder: who has it now. */
	int (*claim)(struct outdir *o, const char *instance, char **ret_holder, struct err **err);
	char *(*holder)(struct outdir *o); /* NULL = nobody yet; caller frees */
};
struct outdir {
	const struct outdir_ops *ops;
};

/* What a terminal or a test wants to hear at once. Strings are borrowed for the call. */
enum note_kind {
	NOTE_REVISION, /* a new desired revision is in force */
	NOTE_FINDING,  /* a manifest was refused */
	NOTE_STATE,    /* the verdict of a VM changed */
	NOTE_STEP,     /* an operation begins */
	NOTE_PROGRESS, /* of an operation: percent, or -1 */
	NOTE_DONE,     /* an operation ended; text says how */
	NOTE_DRIFT,
	NOTE_REPORT,  /* a report was published */
	NOTE_TROUBLE, /* Git, the cluster or the report: a problem began or ended */
	NOTE__MAX
};
struct note {
	enum note_kind kind;
	const char *vm;	  /* NULL = the controller as a whole */
	const char *text; /* for people */
	int percent;
};
typedef void (*note_cb)(void *arg, const struct note *n);

struct ports {
	struct clock *clock;
	struct cluster_port *cluster;
	struct gitport *git; /* NULL: apply and plan on a PATH */
	struct store *store;
	struct outdir *outdir; /* NULL = commit through git */
	/* "user@realm!name" of the token, without its secret: what it did itself is nobody's drift.
	 * NULL = unknown; then it is learnt from the first task. Borrowed. */
	const char *pve_user;
	note_cb note; /* may be NULL */
	void *note_arg;
};

#endif
