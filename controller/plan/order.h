/*
 * order: steps from changes, in the order that loses nothing.
 *
 * Not a decision about a single change.
 *
 * Fills pl->out->steps.
 *
 * Pure. Moves and resizes of disks that are there come first, one at a time: a pending option
 * change holds the slot's whole old text. Then one write of deletes and options, then what needs
 * the configured VM.
 */
#ifndef RAMET_ORDER_H
#define RAMET_ORDER_H

#include "planner.h"

/* The clone, moves, resizes, and the configuration. */
void order_steps(struct planner *pl);
/* A restart, when nothing else is left to do, it is allowed, and everything that waits for it is
 * managed. */
void order_restart(struct planner *pl);
/* What waits for a restart, as a digest; and where the record keeps the one of the last restart
 * that was made, among the stored values: it is never made twice for the same. */
#define ORDER_RESTART_KEY "restart"
void order_restart_digest(const struct plan *p, char ret_hex[CRYPT_HEX_LEN]);
struct step *order_push(struct planner *pl, enum step_kind kind);

#endif
