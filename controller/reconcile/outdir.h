/*
 * outdir: the report as files in a directory (report.mode: files).
 *
 * Not what stands in them (report/tree.h).
 *
 * The port is the caller's until outdir_close. Nothing outside the directory is ever touched:
 * paths with "..", an empty part or a leading slash are refused.
 *
 * The controller process.
 */
#ifndef RAMET_OUTDIR_H
#define RAMET_OUTDIR_H

#include "ports.h"

#define OUTDIR_FILES_MAX 100000

/* Makes the directory when its parent exists. ERR_IO. */
int outdir_open(const char *dir, bool writing, struct outdir **ret, struct err **err) MUST_CHECK;
void outdir_close(struct outdir **o);

#endif
