/*
 * decode: a YAML document to a resource, strictly, by the table.
 *
 * Not the checks between attributes or between files (check.h).
 *
 * The resource is the caller's. Findings are added to the list; a resource is given only when its
 * document had none of severity error. The name is given as soon as it is known, so that the last
 * good version of a broken manifest can be found.
 *
 * Pure.
 */
#ifndef RAMET_DECODE_H
#define RAMET_DECODE_H

#include "resource.h"
#include "ydoc.h"

#define DECODE_API_VERSION "ramet.dev/v1"
#define DECODE_KIND "ClonedVM"
#define DECODE_GROUP "ramet.dev/"
#define DECODE_RENAMED_FROM DECODE_GROUP "renamed-from"
#define DECODE_ADOPT DECODE_GROUP "adopt"
#define DECODE_LEAVE_UNUSED DECODE_GROUP "leave-unused"

enum decode_outcome {
	DECODE_OK,
	DECODE_FOREIGN, /* another apiVersion, or an empty document: not ours */
	DECODE_BAD,
	DECODE_OUTCOME__MAX
};

enum decode_outcome decode_doc(const char *file, const struct ydoc *y, size_t doc,
    struct diags *diags, struct resource **ret, char **ret_name);

#endif
