/*
 * progress: what the controller is doing, for a person who waits: a live display on a terminal,
 * plain lines elsewhere.
 *
 * Not the log (base/log.h; on a terminal its lines are put above the display meanwhile) and not the
 * result (statusview.h).
 *
 * Borrows clock and options until progress_free.
 *
 * The controller process.
 */
#ifndef RAMET_PROGRESS_H
#define RAMET_PROGRESS_H

#include "cli.h"
#include "ports.h"

#define PROGRESS_FRAME_MS 100

struct progress_opts {
	struct clock *clock;
	bool live;	      /* redraw in place; else a line per event */
	bool colors, unicode; /* of the display */
	size_t columns, rows; /* of the terminal */
	int fd;		      /* asked for them before each frame; 0 = they stay as they are */
	/* Where it goes. */
	void (*write)(void *arg, const char *text);
	void *arg;
	/* The line below the VMs, "3 of 5 ready"; caller frees; may be NULL. */
	char *(*summary)(void *arg);
	void *summary_arg;
};

struct progress;
#define _cleanup_progress_ _cleanup_(progress_free)

struct progress *progress_new(const struct progress_opts *o);
/* Takes the display off the terminal; the cursor is as it was. */
void progress_free(struct progress **p);
/* Is a note_cb. */
void progress_note(void *progress, const struct note *n);
/* A line of the caller's own, above the display. */
void progress_line(struct progress *p, const char *line);

/* The options for standard output or, when what is shown there is for a program, standard error. */
struct progress_opts progress_stdout(const struct cli *c, struct clock *clock);
struct progress_opts progress_stderr(const struct cli *c, struct clock *clock);

#endif
