/*
 * verdict: what all changes and steps of a plan come to, in a word and in a sentence.
 *
 * Not a pass over leaves.
 *
 * Sets verdict, reason, message and hint of the plan, and what the record learns from them.
 *
 * Pure.
 */
#ifndef RAMET_VERDICT_H
#define RAMET_VERDICT_H

#include "planner.h"

void verdict_give(struct planner *pl);

#endif
