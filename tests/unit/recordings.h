/*
 * recordings: walks through recorded exchanges with real clusters, line by line.
 *
 * They lie beside the project and are no part of it: where they are absent, who reads them skips.
 *
 * A line is the callback's for the length of the call.
 *
 * Tests.
 */
#ifndef RAMET_RECORDINGS_H
#define RAMET_RECORDINGS_H

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "jsn.h"
#include "text.h"

#define RECORDINGS RAMET_SOURCE_DIR "/../shared/pve"

/* file: below RECORDINGS. A few of the recorded bodies are no text at all; they are passed over. */
typedef void (*recordings_cb)(void *arg, const char *file, const struct jsn *exchange);

static UNUSED void recordings_read(const char *path, recordings_cb fn, void *arg)
{
	char *line = NULL;
	size_t cap = 0;
	FILE *f = text_ends(path, ".jsonl") ? fopen(path, "r") : NULL;

	while (f && getline(&line, &cap, f) > 0) {
		_cleanup_jsn_ struct jsn *j = NULL;
		if (jsn_parse(line, strlen(line), &j, NULL) == 0)
			fn(arg, path + strlen(RECORDINGS) + 1, j);
	}
	free(line);
	if (f)
		fclose(f);
}

static UNUSED bool recordings_exist(void)
{
	return access(RECORDINGS "/README.md", R_OK) == 0;
}

/* False when there are none. */
static UNUSED bool recordings_walk(recordings_cb fn, void *arg)
{
	static const char *const folders[] = {
	    "transcripts-8.4", "transcripts-9.2", "transcripts-cluster-9.2"};

	for (size_t i = 0; i < ARRAY_LEN(folders); i++) {
		_cleanup_str_ char *dir = mem_printf(RECORDINGS "/%s", folders[i]);
		DIR *d = opendir(dir);
		if (!d)
			return false;
		for (struct dirent *e; (e = readdir(d));) {
			_cleanup_str_ char *path = mem_printf("%s/%s", dir, e->d_name);
			recordings_read(path, fn, arg);
		}
		closedir(d);
	}
	return true;
}

#endif
