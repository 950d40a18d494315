/*
 * reportread: files of a report that was published, told to whoever wants to know.
 *
 * Not the machine that reads and publishes them (reporter.h).
 *
 * Nothing is kept.
 *
 * The controller process.
 */
#ifndef RAMET_REPORTREAD_H
#define RAMET_REPORTREAD_H

#include "reporter.h"

#define REPORTREAD_SUMMARY "summary.json"

bool reportread_is_ours(const char *path);
/* A file of the report of an earlier life: VMs, numbers, what was destroyed. */
void reportread_restore(
    const struct reporter_opts *o, const char *path, const char *data, size_t len);
/* A summary: whose report it is. */
void reportread_instance(const struct reporter_opts *o, const char *data, size_t len);

#endif
