#include "gitfiles.h"

#include <stdlib.h>
#include <string.h>

static bool add_gone(struct gitfiles *l, const char *path)
{
	if ((int64_t)l->gone.n >= l->max_files)
		return false;
	strs_add(&l->gone, path);
	return true;
}

bool gitfiles_add(struct gitfiles *l, const struct gitproto_msg *msg)
{
	if (msg->type == GITPROTO_GONE)
		return add_gone(l, msg->path);
	int64_t len = (int64_t)msg->data.len;
	bool skipped = msg->skipped[0] != '\0';

	if ((int64_t)l->n >= l->max_files || len > l->max_bytes - l->bytes)
		return false;
	l->bytes += len;
	MEM_PUSH_ROOM(l->v, l->n, l->cap);
	l->v[l->n++] = (struct gitport_file){
	    .path = mem_strdup(msg->path),
	    .oid = mem_strdup(msg->rev),
	    .skipped = skipped ? mem_strdup(msg->skipped) : NULL,
	    .data = skipped ? NULL : mem_strndup(msg->data.ptr, msg->data.len),
	    .len = skipped ? 0 : msg->data.len,
	};
	return true;
}

static int by_path(const void *a, const void *b)
{
	return strcmp(
	    ((const struct gitport_file *)a)->path, ((const struct gitport_file *)b)->path);
}

/* The fields are constant to those who get them; here they are ours to free. */
static void drop(const char **p)
{
	free((char *)(uintptr_t)*p);
	*p = NULL;
}

static void skip_double(struct gitport_file *f)
{
	drop(&f->data);
	drop(&f->skipped);
	f->len = 0;
	f->skipped = mem_strdup("twice in its folder");
}

const struct gitport_file *gitfiles_sorted(struct gitfiles *l)
{
	if (l->n)
		qsort(l->v, l->n, sizeof(*l->v), by_path);
	for (size_t i = 1; i < l->n; i++) {
		if (strcmp(l->v[i - 1].path, l->v[i].path) == 0) {
			skip_double(&l->v[i - 1]);
			skip_double(&l->v[i]);
		}
	}
	return l->v;
}

const char *const *gitfiles_gone(struct gitfiles *l)
{
	strs_sort_unique(&l->gone);
	return (const char *const *)l->gone.v;
}

void gitfiles_drop(struct gitfiles *l)
{
	strs_fini(&l->gone);
	for (size_t i = 0; i < l->n; i++) {
		drop(&l->v[i].path);
		drop(&l->v[i].oid);
		drop(&l->v[i].skipped);
		drop(&l->v[i].data);
	}
	free(l->v);
	l->v = NULL;
	l->n = l->cap = 0;
	l->bytes = 0;
}
