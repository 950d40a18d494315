/* Storages and their content. */
#include <ctype.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "sim_api.h"
#include "sim_conf.h"
#include "sim_prop.h"
#include "sim_volume.h"

static bool store_seen(struct job *j, const struct store *st)
{
	_cleanup_str_ char *path = mem_printf("/storage/%s", st->name);

	return auth_has(
	    j->sim, &j->who, path, PRIV_BIT(DATASTORE_AUDIT) | PRIV_BIT(DATASTORE_ALLOCATESPACE));
}

/* storage_info: a storage of other nodes alone is there, too, and counts as one that is disabled.
 */
static struct jsn *store_json(struct job *j, const struct store *st, bool list)
{
	struct jsn *o = jsn_new_object();
	_cleanup_str_ char *content = strs_join(&st->content, ",");
	bool enabled = st->enabled && store_on(st, j->node), active = enabled && st->online;
	int64_t used = active ? store_used(j->sim, st, j->node) : 0;

	jsn_put_str(o, "type", store_word(st));
	jsn_put_str(o, "content", content);
	jsn_put_int(o, "shared", st->shared);
	jsn_put_int(o, "enabled", enabled);
	jsn_put_int(o, "active", active);
	jsn_put_int(o, "total", active ? st->total : 0);
	jsn_put_int(o, "used", used);
	jsn_put_int(o, "avail", active ? st->total - used : 0);
	if (list && active && st->total)
		jsn_put(o, "used_fraction", jsn_new_num((double)used / (double)st->total));
	return o;
}

static bool has_content(const struct store *st, const char *list)
{
	_cleanup_strs_ struct strs l = {0};

	if (!list)
		return true;
	if (text_split(list, ",; ", true, 16, &l) < 0)
		return false;
	for (size_t i = 0; i < l.n; i++)
		if (store_has(st, l.v[i]))
			return true;
	return false;
}

/* Asked for a kind of content, only those are told that the node can use. */
static bool listed(struct job *j, const struct store *st)
{
	const char *content = job_param(j, "content");

	return !content || (has_content(st, content) && st->enabled && store_on(st, j->node));
}

void api_storages(struct job *j)
{
	struct sim *s = j->sim;
	struct jsn *a = jsn_new_array();
	const char *only = job_param(j, "storage"), *target = job_param(j, "target");
	struct node *to = target ? node_find(s, target) : NULL;
	_cleanup_oops_ struct oops o = {0};

	if (only && !(store_find(s, only) && listed(j, store_find(s, only)))) {
		jsn_free(&a);
		oops_param(&o, "storage", "No such storage.");
		job_oops(j, &o);
		return;
	}
	for (size_t i = 0; i < s->nstores; i++) {
		struct store *st = s->stores[i];
		struct jsn *row;

		if (!listed(j, st) || !store_seen(j, st) || (only && strcmp(only, st->name) != 0) ||
		    (job_param_bool(j, "enabled") && !st->enabled) ||
		    (to && to != j->node &&
			(!st->shared || !store_on(st, to) || !store_on(st, j->node))))
			continue;
		row = store_json(j, st, true);
		jsn_put_str(row, "storage", st->name);
		jsn_push(a, row);
	}
	job_ok(j, a);
}

void api_storage_status(struct job *j)
{
	struct store *st = store_find(j->sim, job_param(j, "storage"));
	_cleanup_oops_ struct oops o = {0};

	if (!st) {
		oops_param(&o, "storage", "No such storage.");
		job_oops(j, &o);
		return;
	}
	job_ok(j, store_json(j, st, false));
}

static struct jsn *volume_json(const struct volume *v, bool v9)
{
	struct jsn *o = jsn_new_object();
	_cleanup_str_ char *id = volume_id(v);
	bool image = !strcmp(v->content, "images");

	jsn_put_str(o, "volid", id);
	jsn_put_str(o, "content", v->content);
	jsn_put_str(o, "format", v->format);
	jsn_put_int(o, "size", v->file_size ? v->file_size : v->size);
	jsn_put_int(o, "ctime", v->ctime);
	if (volname_archived(v->name)) {
		jsn_put_int(o, "vmid", volname_archived(v->name));
		jsn_put_str(o, "subtype", "qemu");
	}
	if (!image)
		return o;
	jsn_put_int(o, "vmid", v->vmid);
	if (store_is_file(v->store)) {
		_cleanup_str_ char *parent = v->base ? mem_printf("../%s", v->base) : NULL;

		jsn_put(o, "parent", jsn_new_str(parent));
		jsn_put_int(o, "used", volume_used(v, v9));
	} else if (v->base)
		jsn_put_str(o, "parent", v->base);
	return o;
}

static int by_id(const void *a, const void *b)
{
	const struct volume *x = *(struct volume *const *)a, *y = *(struct volume *const *)b;

	return strcmp(x->name, y->name);
}

/* Only what the caller could use is listed (check_volume_access). */
static bool may_list(struct job *j, const struct volume *v)
{
	_cleanup_str_ char *id = volume_id(v);
	_cleanup_oops_ struct oops no = {0};

	return conf_may_volume(j, id, 0, &no);
}

void api_content(struct job *j)
{
	struct sim *s = j->sim;
	struct store *st = store_find(s, job_param(j, "storage"));
	const char *type = job_param(j, "content");
	int64_t vmid = job_param_int(j, "vmid", 0);
	struct jsn *a;
	struct volume **v = NULL;
	size_t n = 0, cap = 0;
	_cleanup_oops_ struct oops o = {0};

	if (!store_active(s, job_param(j, "storage"), j->node, &o)) {
		job_oops(j, &o);
		return;
	}
	for (size_t i = 0; i < s->nvolumes; i++) {
		struct volume *x = s->volumes[i];

		if (x->store != st || (x->node && x->node != j->node) ||
		    (type && strcmp(type, x->content) != 0) ||
		    (vmid && x->vmid != vmid && !strcmp(x->content, "images")) ||
		    (vmid && volname_archived(x->name) && volname_archived(x->name) != vmid) ||
		    (vmid && !strcmp(x->content, "iso")))
			continue;
		if (!may_list(j, x))
			continue;
		MEM_PUSH_ROOM(v, n, cap);
		v[n++] = x;
	}
	if (n)
		qsort(v, n, sizeof(*v), by_id);
	a = jsn_new_array();
	for (size_t i = 0; i < n; i++)
		jsn_push(a, volume_json(v[i], j->sim->v9));
	free(v);
	job_ok(j, a);
}

/* Whether the storage takes an image of that name, and in which format. */
static bool content_name(
    const struct job *j, const struct store *st, const char **ret_fmt, struct oops *o)
{
	const char *file = job_param(j, "filename"), *fmt = job_param(j, "format"),
		   *dot = strrchr(file, '.');
	_cleanup_str_ char *prefix = mem_printf("vm-%s-", job_param(j, "vmid"));
	bool named =
	    dot && (!strcmp(dot, ".raw") || !strcmp(dot, ".qcow2") || !strcmp(dot, ".vmdk"));

	if (named && fmt && strcmp(fmt, dot + 1) != 0)
		return oops_param(
		    o, "format", "different storage formats (%s != %s)", fmt, dot + 1);
	if (named)
		fmt = dot + 1;
	else if (!fmt)
		fmt = "raw";
	*ret_fmt = fmt;
	if (store_is_file(st)) {
		if (!volname_file_ok(file, o))
			return false;
		if (strcmp(dot + 1, fmt) != 0)
			return oops_die(o,
			    "illegal name '%s' - wrong extension for format ('%s != '%s')", file,
			    dot + 1, fmt);
		return true;
	}
	if (!store_can_format(st, fmt))
		return oops_die(o, "unsupported format '%s'", fmt);
	if (text_starts(file, prefix))
		return true;
	return oops_die(o, "illegal name '%s' - should be 'vm-%s-*'", file, job_param(j, "vmid"));
}

static void content_post_do(struct job *j)
{
	struct sim *s = j->sim;
	const char *size = job_param(j, "size"), *fmt = NULL;
	struct store *st;
	struct volume *v;
	_cleanup_oops_ struct oops o = {0};
	_cleanup_str_ char *id = NULL;
	int64_t bytes = size_parse(size);

	st = store_active(s, job_param(j, "storage"), j->node, &o);
	if (!st || !content_name(j, st, &fmt, &o)) {
		job_oops(j, &o);
		return;
	}
	if (strspn(size, "0123456789") == strlen(size))
		bytes <<= 10; /* a bare number counts KiB */
	v = volume_new(j, st,
	    &(struct volume_ask){.vmid = job_param_int(j, "vmid", 0),
		.file = job_param(j, "filename"),
		.format = fmt,
		.size = bytes},
	    &o);
	if (!v) {
		job_oops(j, &o);
		return;
	}
	id = volume_id(v);
	job_ok(j, jsn_new_str(id));
}

void api_content_post(struct job *j)
{
	const struct store *st = store_find(j->sim, job_param(j, "storage"));
	_cleanup_str_ char *lock = st && st->shared ? mem_printf("storage-%s", st->name) : NULL;

	if (lock)
		job_lock_cfs(j, lock, NULL, content_post_do);
	else
		content_post_do(j);
}

/* A directory is cleared of what is not there; others look first. */
static void content_missing(struct job *j)
{
	const char *id = job_param(j, "volume");
	_cleanup_str_ char *store = NULL;
	_cleanup_str_ char *name = NULL;
	const struct store *st = volid_split(id, &store, &name) ? store_find(j->sim, store) : NULL;

	if (!st || !store_is_file(st) || !strchr(name, '/')) {
		job_die(j, "volume '%s' does not exist", id);
		return;
	}
	job_log(j, "disk image '%s/images/%s' does not exist", st->path, name);
	job_log(j, "Removed volume '%s'", id);
	job_done(j);
}

static void content_free(struct job *j)
{
	struct volume *v = volume_find(j->sim, j->node, job_param(j, "volume"));

	if (!v) {
		content_missing(j);
		return;
	}
	if (v->store->type == STORE_ISCSI) {
		job_die(j, "can't free space in iscsi storage");
		return;
	}
	if (volume_children(j->sim, v)) {
		job_die(j, "base volume '%s' is still in use by linked cloned", v->own);
		return;
	}
	{
		_cleanup_str_ char *id = volume_id(v);

		volume_free(j->sim, v);
		job_log(j, "Removed volume '%s'", id);
	}
	job_done(j);
}

void api_content_delete(struct job *j)
{
	const char *vol = job_param(j, "volume"), *store = job_param(j, "storage");
	_cleanup_str_ char *id =
	    strchr(vol, ':') ? mem_strdup(vol) : mem_printf("%s:%s", store ? store : "", vol);
	const struct volume *v = volume_find(j->sim, j->node, id);
	_cleanup_oops_ struct oops o = {0};
	_cleanup_str_ char *path = mem_printf("/storage/%s", store ? store : "");
	const char *rest = strchr(id, ':') + 1;

	kv_set(&j->params, "volume", id);
	if (!auth_check(j->sim, &j->who, path,
		v && v->vmid ? PRIV_BIT(DATASTORE_ALLOCATESPACE) | PRIV_BIT(DATASTORE_ALLOCATE)
			     : PRIV_BIT(DATASTORE_ALLOCATETEMPLATE) | PRIV_BIT(DATASTORE_ALLOCATE),
		true, &o)) {
		job_oops(j, &o);
		return;
	}
	{
		_cleanup_str_ char *what =
		    v && v->vmid ? mem_printf("%" PRId64 "@%s", v->vmid, store ? store : "")
		    : isdigit((unsigned char)*rest) && strchr(rest, '/')
			? mem_printf("%.*s@%s", (int)strcspn(rest, "/"), rest, store ? store : "")
			: mem_printf("@%s", store ? store : "");

		job_fork(j, "imgdel", what, content_free);
	}
}

void api_storage_cfg(struct job *j)
{
	struct sim *s = j->sim;
	struct jsn *a = jsn_new_array();
	const char *type = job_param(j, "type");

	for (size_t i = 0; i < s->nstores; i++) {
		struct store *st = s->stores[i];
		struct jsn *o;
		_cleanup_str_ char *content = NULL;

		if (!store_seen(j, st) || (type && strcmp(type, store_word(st)) != 0))
			continue;
		o = jsn_new_object();
		content = strs_join(&st->content, ",");
		jsn_put_str(o, "storage", st->name);
		jsn_put_str(o, "type", store_word(st));
		jsn_put_str(o, "content", content);
		if (store_is_file(st))
			jsn_put_str(o, "path", st->path);
		if (st->shared && st->type == STORE_DIR)
			jsn_put_int(o, "shared", 1);
		if (st->nodes.n) {
			_cleanup_str_ char *nodes = strs_join(&st->nodes, ",");

			jsn_put_str(o, "nodes", nodes);
		}
		jsn_put_str(o, "digest", "d6417f6ea6662417e8378f779a03ea3e6a6fea5e");
		jsn_push(a, o);
	}
	job_ok(j, a);
}
