/*
 * desired: the wanted state from a PATH of the command line.
 *
 * Not from Git (reconcile/source.h).
 *
 * The bundle is the caller's (bundle_unref).
 *
 * The controller process, before the loop runs.
 */
#ifndef RAMET_DESIRED_H
#define RAMET_DESIRED_H

#include "bundle.h"
#include "cli.h"

/* What the revision of a working tree is called. */
#define DESIRED_REV "working-tree"

/* Loads what the arguments name, tells findings on standard error. CLI_OK, or the exit status when
 * there is a finding that refuses a manifest, or nothing at all. `refused` (may be NULL) is told of
 * such findings. */
int desired_load(const struct cli *c,
    void (*refused)(const struct cli *c, const struct diags *findings),
    struct bundle **ret) MUST_CHECK;

#endif
