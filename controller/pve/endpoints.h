/*
 * endpoints: the table of API calls (endpoints.def) as data, and paths from it.
 *
 * Not the calls themselves (pvereq.h).
 *
 * Rows are constant.
 *
 * Pure.
 */
#ifndef RAMET_ENDPOINTS_H
#define RAMET_ENDPOINTS_H

#include "err.h"

enum endpoint_id {
#define ENDPOINT(id, method, path, kind, again, check, privilege, doc) ENDPOINT_##id,
#include "endpoints.def"
#undef ENDPOINT
	ENDPOINT__MAX
};

enum endpoint_kind {
	ENDPOINT_KIND_READ,
	ENDPOINT_KIND_WRITE,
	ENDPOINT_KIND_TASK,
	ENDPOINT_KIND__MAX
};
enum endpoint_again { ENDPOINT_AGAIN_SAFE, ENDPOINT_AGAIN_ONCE, ENDPOINT_AGAIN__MAX };
enum endpoint_check {
	ENDPOINT_CHECK_NOTHING,
	ENDPOINT_CHECK_CONFIG,
	ENDPOINT_CHECK_VMID,
	ENDPOINT_CHECK_POWER,
	ENDPOINT_CHECK_PLACE,
	ENDPOINT_CHECK_POOL,
	ENDPOINT_CHECK__MAX
};

struct endpoint {
	const char *word; /* "CLONE" */
	const char *method, *path, *privilege, *doc;
	enum endpoint_kind kind;
	enum endpoint_again again;
	enum endpoint_check check;
};

/* What fills a path; what the path does not name is not looked at. */
struct endpoint_args {
	const char *node;
	int64_t vmid;
	const char *upid, *storage, *pool;
};

const struct endpoint *endpoint_get(enum endpoint_id id);

/* The path, percent-encoded. ERR_INTERNAL when a value is missing, or would change the path's
 * shape: a part of a path is never "", "." or "..". Caller frees. */
int endpoint_path(
    enum endpoint_id id, const struct endpoint_args *args, char **ret, struct err **err) MUST_CHECK;

#endif
