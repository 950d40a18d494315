/*
 * look: one guest read in full: power, snapshots, current and pending configuration.
 *
 * Not a verdict: "no such guest on this node" is not "gone" (guest.c asks further).
 *
 * The configuration is read last, so that marker, UUID and digest are the freshest. What was read
 * is the callback's (taken or freed by it: *g is moved). One callback, never from within
 * look_start; not after look_cancel.
 *
 * The controller process.
 */
#ifndef RAMET_LOOK_H
#define RAMET_LOOK_H

#include "observed.h"
#include "pvereq.h"

enum look_end {
	LOOK_OK,
	LOOK_NO_CONFIG, /* not on that node */
	LOOK_FORBIDDEN,
	LOOK_FAILED, /* tried in vain: text */
	LOOK_END__MAX
};

typedef void (*look_cb)(
    void *arg, enum look_end end, struct obs_guest *g, const struct pvereq_result *why);

struct look;
/* brief: the configuration alone (templates, strangers). */
struct look *look_start(
    struct pvereq *pve, uint32_t vmid, const char *node, bool brief, look_cb cb, void *arg);
/* Right after look_start, not of a brief one: the guest is read as this snapshot has it, and as it
 * is now where nobody knows that. */
void look_at_snapshot(struct look *l, const char *name);
void look_cancel(struct look **l);

#endif
