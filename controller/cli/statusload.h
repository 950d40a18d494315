/*
 * statusload: the status model from where the controller reports it: branch or directory.
 *
 * Not the state of the cluster: nobody is asked but Git.
 *
 * The model owns its VMs until statusload_fini.
 *
 * The controller process.
 */
#ifndef RAMET_STATUSLOAD_H
#define RAMET_STATUSLOAD_H

#include "gitport.h"
#include "status.h"

struct statusload {
	struct status status;
	struct vmstat *vms;
	size_t n, cap;
	struct strs problems; /* files that cannot be understood */
};

#define _cleanup_statusload_ _cleanup_(statusload_fini)

/* From the files of the status tree, in any order. */
void statusload_files(const struct gitport_file *files, size_t n, struct statusload *ret);
void statusload_fini(struct statusload *l);
const struct vmstat *statusload_find(const struct statusload *l, const char *name);

struct cli;
struct setup;
/* Asks the branch, or reads the directory when the report goes there. ERR_NOTFOUND when nothing was
 * ever reported, ERR_TIMEOUT when Git has not answered within within_ms; 0 = as long as git.timeout
 * allows. */
int statusload_get(
    struct setup *s, int64_t within_ms, struct statusload *ret, struct err **err) MUST_CHECK;

/* The same for a command, with a set-up of its own (Git alone, and with report.mode: files not even
 * that): CLI_OK, or the exit status after telling why not. Files of the report that make no sense
 * are told, and are in `problems`. */
int statusload_open(const struct cli *c, int64_t within_ms, struct statusload *ret) MUST_CHECK;
/* Tells that nobody of that name is reported. Returns the exit status. */
int statusload_unknown(const struct cli *c, const struct statusload *l, const char *name);

#endif
