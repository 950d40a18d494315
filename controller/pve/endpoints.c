#include "endpoints.h"

#include <stdlib.h>
#include <string.h>

#include "buf.h"
#include "text.h"

#define PATH_MAX_BYTES 2048

static const struct endpoint rows[ENDPOINT__MAX] = {
#define ENDPOINT(id, method, path, kind, again, check, privilege, doc)                     \
	{#id, #method, path, privilege, doc, ENDPOINT_KIND_##kind, ENDPOINT_AGAIN_##again, \
	    ENDPOINT_CHECK_##check},
#include "endpoints.def"
#undef ENDPOINT
};

const struct endpoint *endpoint_get(enum endpoint_id id)
{
	MUST((size_t)id < ENDPOINT__MAX);
	return &rows[id];
}

/* Text of a variable of a path, or NULL. Caller frees. */
static char *arg_text(const struct endpoint_args *args, const char *name, size_t len)
{
	const char *text = NULL;
	if (len == 4 && memcmp(name, "vmid", 4) == 0)
		return args->vmid > 0 ? mem_printf("%lld", (long long)args->vmid) : NULL;
	if (len == 4 && memcmp(name, "node", 4) == 0)
		text = args->node;
	else if (len == 4 && memcmp(name, "upid", 4) == 0)
		text = args->upid;
	else if (len == 7 && memcmp(name, "storage", 7) == 0)
		text = args->storage;
	else if (len == 4 && memcmp(name, "pool", 4) == 0)
		text = args->pool;
	if (!text || !*text || text_eq(text, ".") || text_eq(text, ".."))
		return NULL;
	return text_url_encode(text);
}

int endpoint_path(
    enum endpoint_id id, const struct endpoint_args *args, char **ret, struct err **err)
{
	int rc = -1;
	struct buf path;
	buf_init(&path, PATH_MAX_BYTES);
	for (const char *p = endpoint_get(id)->path; *p;) {
		size_t plain = strcspn(p, "{");
		buf_add(&path, p, plain);
		p += plain;
		if (!*p)
			break;
		size_t len = strcspn(p + 1, "}");
		_cleanup_str_ char *text = arg_text(args, p + 1, len);
		if (!text) {
			err_set(err, ERR_INTERNAL, "call %s without a %.*s", endpoint_get(id)->word,
			    (int)len, p + 1);
			goto out;
		}
		buf_adds(&path, text);
		p += len + 2;
	}
	if (path.overflow) {
		err_set(err, ERR_INTERNAL, "call %s with a path that is too long",
		    endpoint_get(id)->word);
		goto out;
	}
	*ret = buf_take(&path);
	rc = 0;
out:
	buf_fini(&path);
	return rc;
}
