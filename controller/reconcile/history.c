#include "history.h"

#include "log.h"

#include <stdlib.h>
#include <string.h>

/* A version that was good once. */
struct old {
	char *name, *rev, *path;
	struct bundle *bundle; /* NULL = not read, or gone for good */
};

struct history {
	struct bundle *lacking;
	struct old *v;
	size_t n, cap, at;
};

static void look_for(struct history *h, const char *name, const struct record *rec)
{
	MEM_PUSH_ROOM(h->v, h->n, h->cap);
	h->v[h->n++] = (struct old){.name = mem_strdup(name),
	    .rev = mem_strdup(rec->good_rev),
	    .path = mem_strdup(rec->good_path)};
}

struct history *history_new(struct bundle *b, history_records records, void *arg)
{
	struct history *h = mem_alloc(sizeof(*h));
	const struct record *rec;
	const char *name;

	h->lacking = bundle_ref(b);
	for (size_t i = 0; h->n < HISTORY_MAX && records(arg, i, &name, &rec); i++)
		if (rec->good_rev && rec->good_path && strcmp(rec->good_rev, b->rev) != 0 &&
		    bundle_is_missed(b, name, rec->good_path))
			look_for(h, name, rec);
	if (h->n == 0)
		history_free(&h);
	return h;
}

void history_free(struct history **hp)
{
	struct history *h = *hp;

	*hp = NULL;
	if (!h)
		return;
	for (size_t i = 0; i < h->n; i++) {
		free(h->v[i].name);
		free(h->v[i].rev);
		free(h->v[i].path);
		bundle_unref(&h->v[i].bundle);
	}
	free(h->v);
	bundle_unref(&h->lacking);
	free(h);
}

bool history_next(const struct history *h, const char **ret_rev, const char **ret_path)
{
	if (h->at == h->n)
		return false;
	*ret_rev = h->v[h->at].rev;
	*ret_path = h->v[h->at].path;
	return true;
}

/* Another try gives the same. */
static bool is_for_good(enum err_code code)
{
	switch (code) {
	case ERR_NOTFOUND:
	case ERR_SIGNATURE:
	case ERR_INPUT:
	case ERR_LIMIT:
	case ERR_PROTOCOL:
	case ERR_INTERNAL:
	case ERR_USAGE:
	case ERR_CONFIG:
	case ERR__MAX:
		return true;
	case ERR_IO:
	case ERR_BUSY:
	case ERR_TIMEOUT:
	case ERR_CANCELLED:
	case ERR_UNREACHABLE:
	case ERR_TLS:
	case ERR_AUTH:
	case ERR_FORBIDDEN:
	case ERR_CONFLICT:
	case ERR_DECLINED:
	case ERR_REMOTE:
		break;
	}
	return false;
}

int history_take(struct history *h, const struct gitport_result *res, struct err **err)
{
	_cleanup_err_ struct err *e = NULL;
	struct old *o = &h->v[h->at];

	if (res->err && !is_for_good(res->err->code)) {
		err_set(err, res->err->code, "%s", err_msg(res->err));
		if (err)
			(*err)->retry_ms = res->err->retry_ms;
		return res->err->hint ? err_hint(err, "%s", res->err->hint) : -1;
	}
	h->at++;
	if (res->err) {
		log_warn("git", "the last good version of %s (%.12s) cannot be read: %s, ignoring",
		    o->name, o->rev, err_msg(res->err));
	} else if (res->n_files == 1 && res->files[0].data) {
		struct bundle_file f = {
		    .path = o->path, .data = res->files[0].data, .len = res->files[0].len};

		if (bundle_build(o->rev, &f, 1, NULL, &o->bundle, &e) < 0)
			log_warn("git", "%s at %.12s: %s, ignoring", o->path, o->rev, err_msg(e));
	}
	return 0;
}

struct bundle *history_end(const struct history *h, struct bundle *last)
{
	size_t n_last = last ? last->n : 0, n = 0;
	struct bundle **from = mem_calloc(n_last + h->n, sizeof(*from)), *older, *b;
	const char **names = mem_calloc(n_last + h->n, sizeof(*names));

	for (; n < n_last; n++) {
		from[n] = last;
		names[n] = last->v[n].res->name;
	}
	for (size_t i = 0; i < h->n; i++) {
		if (!h->v[i].bundle || bundle_find(last, h->v[i].name))
			continue;
		from[n] = h->v[i].bundle;
		names[n++] = h->v[i].name;
	}
	older = bundle_gather(from, names, n);
	b = bundle_again(h->lacking, older);
	bundle_unref(&older);
	free(from);
	free(names);
	return b;
}
