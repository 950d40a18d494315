/*
 * exchange: recorded exchanges with the calls that the controller makes.
 *
 * They lie beside the project and are no part of it (recordings.h).
 *
 * An exchange is the callback's for the length of the call.
 *
 * Tests.
 */
#ifndef RAMET_EXCHANGE_H
#define RAMET_EXCHANGE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "../recordings.h"
#include "clusterport.h"
#include "endpoints.h"

#define PREFIX "/api2/json"

/* One recorded exchange with a call that the controller makes. */
struct exchange {
	const char *file, *step;
	enum endpoint_id id;
	const struct endpoint *e;
	const struct jsn *params, *response;
	struct cluster_reply reply;
};

typedef void (*exchange_fn)(const struct exchange *x, void *arg);

/* ---- walking ---- */

static UNUSED bool is_path(const char *path, const char *template)
{
	while (*template) {
		if (*template == '{') {
			template += strcspn(template, "}") + 1;
			if (!*path || *path == '/' || *path == '?')
				return false;
			path += strcspn(path, "/?");
		} else if (*path++ != *template ++) {
			return false;
		}
	}
	return !*path || *path == '?';
}

static UNUSED bool find_endpoint(const char *method, const char *path, enum endpoint_id *ret)
{
	for (int i = 0; i < ENDPOINT__MAX; i++) {
		const struct endpoint *e = endpoint_get((enum endpoint_id)i);
		if (text_eq(e->method, method) && is_path(path, e->path)) {
			*ret = (enum endpoint_id)i;
			return true;
		}
	}
	return false;
}

struct walk {
	exchange_fn fn;
	void *arg;
};

static UNUSED void one_exchange(void *arg, const char *file, const struct jsn *j)
{
	const struct walk *w = arg;
	_cleanup_str_ char *body = NULL;
	struct exchange x = {.file = file};

	const struct jsn *request = jsn_get(j, "request");
	const char *path = jsn_get_text(request, "path");
	path = path ? text_after(path, PREFIX) : NULL;
	x.response = jsn_get(j, "response");
	x.step = jsn_get_text(j, "step");
	x.params = jsn_get(request, "params");
	int64_t status = jsn_get_int(x.response, "status", 0);
	if (!path || !status || !find_endpoint(jsn_get_text(request, "method"), path, &x.id))
		return;
	const struct jsn *b = jsn_get(x.response, "body");
	body = jsn_is_object(b) ? jsn_print(b, false) : mem_strdup(jsn_text(b));
	const char *reason = jsn_get_text(x.response, "reason");
	x.e = endpoint_get(x.id);
	x.reply = (struct cluster_reply){.transport = CLUSTER_REPLIED,
	    .status = (int)status,
	    .reason = reason ? reason : "",
	    .body = body ? body : "",
	    .body_len = body ? strlen(body) : 0};
	w->fn(&x, w->arg);
}

/* Skips the test where there is nothing to read. */
static UNUSED void exchange_walk(exchange_fn fn, void *arg)
{
	struct walk w = {fn, arg};

	if (!recordings_walk(one_exchange, &w))
		skip();
}

#endif
