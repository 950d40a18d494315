/*
 * files: manifests of a working tree, read from disk.
 *
 * Not their meaning (spec/bundle.h) and not Git: what is committed does not matter here.
 *
 * The set owns paths and contents until files_fini.
 *
 * The controller process, before the loop runs: it blocks.
 */
#ifndef RAMET_FILES_H
#define RAMET_FILES_H

#include "bundle.h"

#define FILES_BYTES_MAX ((size_t)1 << 20) /* of one file */
#define FILES_DEPTH_MAX 32

struct files {
	struct bundle_file *v; /* sorted by path, each once */
	size_t n, cap;
	size_t bytes;
};

#define _cleanup_files_ _cleanup_(files_fini)

/* Each path is a file, whatever its name, or a folder, whose manifests (bundle_is_manifest_path)
 * are taken at any depth, hidden folders, symbolic links and what an ignore file names
 * (fileignore.h) left out. What cannot be read is in the
 * set with the reason. ERR_NOTFOUND or ERR_IO when a path itself cannot be opened, ERR_LIMIT beyond
 * bundle_limits_default. */
int files_load(char *const *paths, size_t n, struct files *ret, struct err **err) MUST_CHECK;
void files_fini(struct files *f);

#endif
