/*
 * marker: the line in a guest's description that says whose it is.
 *
 *     ramet: <controller-id>/<metadata.name> vmid=<n> <nonce>
 *
 * Not a verdict about ownership (plan/match.h).
 *
 * Results belong to the caller.
 *
 * Pure.
 */
#ifndef RAMET_MARKER_H
#define RAMET_MARKER_H

#include "err.h"

#define MARKER_NONCE_BYTES 8	    /* 16 hex digits */
#define MARKER_DESCRIPTION_MAX 8192 /* PVE's limit, characters */

struct marker {
	char *controller;
	char *name;
	uint32_t vmid;
	char *nonce;
};

enum marker_found { MARKER_NONE, MARKER_OK, MARKER_GARBLED, MARKER_SEVERAL, MARKER_FOUND__MAX };

/* Looks for marker lines; with MARKER_OK *ret is filled (marker_fini frees). */
enum marker_found marker_find(const char *description, struct marker *ret);
void marker_fini(struct marker *m);
/* The description without any marker line and without trailing blanks. Caller frees. */
char *marker_strip(const char *description);
/* text (stripped of older markers first) with the marker as its last line. ERR_LIMIT if too long.
 */
int marker_join(const char *text, const struct marker *m, char **ret, struct err **err) MUST_CHECK;
char *marker_print(const struct marker *m);
bool marker_is_line(const char *line); /* begins as a marker does: refused in manifests */

#endif
