#include "observe.h"

#include "buf.h"
#include "jsnrows.h"
#include "propstr.h"

#include <stdlib.h>
#include <string.h>

#define SNAPSHOTS_MAX 10000
#define RULES_MAX_BYTES ((size_t)64 << 10)
#define VMID_LEAST 100
#define VMID_MOST 999999999

static int not_a_list(const char *what, struct err **err)
{
	return err_set(err, ERR_PROTOCOL, "the answer to %s is no list", what);
}

/* NULL and "" are the same: not there. */
static char *copy(const char *s)
{
	return s && s[0] ? mem_strdup(s) : NULL;
}

static char *word(const struct jsn *row, const char *key)
{
	return copy(jsn_get_text(row, key));
}

static void take_uuid(struct obs_guest *g)
{
	const char *smbios = kv_get(&g->current, "smbios1");
	_cleanup_propstr_ struct propstr p = {0};
	const char *uuid = NULL;

	if (smbios && propstr_parse(smbios, &p, NULL) == 0)
		uuid = propstr_get(&p, "uuid");
	free(g->uuid);
	g->uuid = text_lower(uuid ? uuid : "");
}

/* What is read of a key's row. */
enum part { P_KEY, P_VALUE, P_PENDING, P_DELETE };
static const char *const parts[] = {"key", "value", "pending", "delete", NULL};

struct keys {
	struct obs_guest *g;
	size_t seen;
};

static void take_key(void *arg, const char *const *m)
{
	struct keys *k = arg;
	struct obs_guest *g = k->g;
	const char *key = m[P_KEY], *value = m[P_VALUE], *next = m[P_PENDING];
	bool del = m[P_DELETE] && strcmp(m[P_DELETE], "0") != 0;

	if (++k->seen > OBSERVE_KEYS_MAX || !key || !key[0])
		return;
	if (strcmp(key, "digest") == 0) {
		mem_replace(&g->digest, value);
		return;
	}
	if (strcmp(key, "lock") == 0) {
		mem_replace(&g->lock, value);
		return;
	}
	if (value)
		kv_set(&g->current, key, value);
	if (next)
		kv_set(&g->pending, key, next);
	else if (value && !del)
		kv_set(&g->pending, key, value);
	if (del || (next && !text_eq(next, value)))
		strs_add(&g->pending_keys, key);
}

int observe_pending(const char *list, size_t len, struct obs_guest *g, struct err **err)
{
	struct keys k = {.g = g};
	struct jsnrows what = {.list = "data", .keys = parts, .cb = take_key, .arg = &k};
	const char *template;

	kv_fini(&g->current);
	kv_fini(&g->pending);
	strs_fini(&g->pending_keys);
	mem_replace(&g->digest, NULL);
	mem_replace(&g->lock, NULL);
	if (jsnrows_read(list, len, &what, err) < 0)
		return -1;
	if (k.seen > OBSERVE_KEYS_MAX)
		return err_set(err, ERR_LIMIT, "the guest has more than %d keys", OBSERVE_KEYS_MAX);
	strs_sort_unique(&g->pending_keys);
	if (!g->digest)
		return err_set(
		    err, ERR_PROTOCOL, "the guest's configuration came without a digest");
	template = kv_get(&g->current, "template");
	g->template = template && strcmp(template, "1") == 0;
	take_uuid(g);
	return 0;
}

static enum obs_power power_of(const char *status, const char *qmp, const char *lock)
{
	if (!status)
		return OBS_POWER_UNKNOWN;
	if (strcmp(status, "stopped") == 0)
		return text_eq(lock, "suspended") ? OBS_POWER_HIBERNATED : OBS_POWER_STOPPED;
	/* To back up a guest that is down, PVE starts its process and lets nothing run in it. */
	if (text_eq(qmp, "prelaunch") && text_eq(lock, "backup"))
		return OBS_POWER_STOPPED;
	if (!qmp || strcmp(qmp, "running") == 0)
		return strcmp(status, "running") == 0 ? OBS_POWER_RUNNING : OBS_POWER_UNKNOWN;
	return OBS_POWER_PAUSED;
}

int observe_status(const struct jsn *data, int64_t wall_ms, struct obs_guest *g, struct err **err)
{
	const char *status = jsn_get_text(data, "status"), *qmp = jsn_get_text(data, "qmpstatus");
	const struct jsn *ha = jsn_get(data, "ha");
	int64_t uptime = jsn_get_int(data, "uptime", 0);

	if (!jsn_is_object(data) || !status)
		return err_set(err, ERR_PROTOCOL, "the guest's state came without a status");
	free(g->lock);
	g->lock = word(data, "lock");
	g->power = power_of(status, qmp, g->lock);
	mem_replace(&g->power_word, qmp ? qmp : status);
	g->started_s = g->power == OBS_POWER_RUNNING && uptime > 0 ? wall_ms / 1000 - uptime : 0;
	g->ha_managed = jsn_get_int(ha, "managed", 0) != 0;
	free(g->ha_state);
	g->ha_state = g->ha_managed ? word(ha, "state") : NULL;
	return 0;
}

int observe_snapshots(const struct jsn *data, struct obs_guest *g, struct err **err)
{
	if (!jsn_is_array(data))
		return not_a_list("snapshot", err);
	g->snapshots = false;
	g->snapshots_known = true;
	strs_fini(&g->snapshot_names);
	for (size_t i = 0; i < jsn_len(data) && i < SNAPSHOTS_MAX; i++) {
		const char *name = jsn_get_text(jsn_at(data, i), "name");

		if (!name || strcmp(name, "current") == 0)
			continue;
		g->snapshots = true;
		/* One that is being made or deleted has a state. */
		if (!jsn_get_text(jsn_at(data, i), "snapstate"))
			strs_add(&g->snapshot_names, name);
	}
	return 0;
}

int observe_snapshot_config(const struct jsn *data, struct kv *ret, struct err **err)
{
	static const char *const kept[] = {"digest", "description", "lock", "parent", "snapshots",
	    "snapstate", "snaptime", "vmstate"};
	struct jsn_iter it;

	if (!jsn_is_object(data) || jsn_len(data) > OBSERVE_KEYS_MAX)
		return err_set(err, ERR_PROTOCOL, "the snapshot came without its configuration");
	JSN_FOREACH (it, data) {
		const char *value = jsn_get_text(data, it.key);
		bool own = value == NULL || text_starts(it.key, "running");

		for (size_t i = 0; !own && i < ARRAY_LEN(kept); i++)
			own = text_eq(it.key, kept[i]);
		if (!own)
			kv_set(ret, it.key, value);
	}
	return 0;
}

static int by_vmid(const void *a, const void *b)
{
	const struct obs_row *x = a, *y = b;

	return x->vmid < y->vmid ? -1 : x->vmid > y->vmid;
}

/* What is read of a row. */
enum member { M_TYPE, M_NODE, M_VMID, M_TEMPLATE, M_NAME, M_LOCK, M_TAGS, M_POOL, M_HA, M_STATUS };
static const char *const members[] = {
    "type", "node", "vmid", "template", "name", "lock", "tags", "pool", "hastate", "status", NULL};

struct rows {
	struct obs_row *v;
	size_t n, cap;
	size_t seen; /* whatever they are */
};

static void rows_fini(struct rows *r)
{
	for (size_t i = 0; i < r->n; i++)
		obs_row_fini(&r->v[i]);
	free(r->v);
}

/* 12, 12.0 or "12"; 0 for anything else. */
static int64_t number(const char *s)
{
	int64_t n = 0;
	double d = 0;

	if (!s || text_to_int(s, 0, INT32_MAX, &n) == 0)
		return n;
	return text_to_num(s, &d) == 0 && d >= 0 && d <= INT32_MAX && d == (double)(int64_t)d
		   ? (int64_t)d
		   : 0;
}

static void take_row(void *arg, const char *const *m)
{
	struct rows *r = arg;
	int64_t vmid = number(m[M_VMID]);

	if (++r->seen > OBSERVE_ROWS_MAX || !m[M_TYPE] || !m[M_NODE] || vmid < VMID_LEAST ||
	    vmid > VMID_MOST || (strcmp(m[M_TYPE], "qemu") != 0 && strcmp(m[M_TYPE], "lxc") != 0))
		return;
	MEM_PUSH_ROOM(r->v, r->n, r->cap);
	r->v[r->n++] = (struct obs_row){.vmid = (uint32_t)vmid,
	    .node = mem_strdup(m[M_NODE]),
	    .qemu = strcmp(m[M_TYPE], "qemu") == 0,
	    .template = number(m[M_TEMPLATE]) == 1,
	    .name = copy(m[M_NAME]),
	    .lock = copy(m[M_LOCK]),
	    .tags = copy(m[M_TAGS]),
	    .pool = copy(m[M_POOL]),
	    .ha_state = copy(m[M_HA]),
	    .status = copy(m[M_STATUS])};
}

static int put_rows(struct rows *r, struct obs_cluster *c, struct err **err)
{
	struct rows old = {.v = c->rows, .n = c->n_rows};

	if (r->seen > OBSERVE_ROWS_MAX) {
		rows_fini(r);
		return err_set(err, ERR_LIMIT, "more than %d guests", OBSERVE_ROWS_MAX);
	}
	if (r->n)
		qsort(r->v, r->n, sizeof(*r->v), by_vmid);
	c->rows = r->v;
	c->n_rows = r->n;
	rows_fini(&old);
	return 0;
}

int observe_rows(const char *list, size_t len, struct obs_cluster *c, struct err **err)
{
	struct rows r = {0};
	struct jsnrows what = {.list = "data", .keys = members, .cb = take_row, .arg = &r};

	if (jsnrows_read(list, len, &what, err) < 0) {
		rows_fini(&r);
		return -1;
	}
	return put_rows(&r, c, err);
}

int observe_nodes(const struct jsn *data, struct obs_cluster *c, struct err **err)
{
	size_t n = jsn_len(data), k = 0;
	struct obs_node *v;

	if (!jsn_is_array(data))
		return not_a_list("nodes", err);
	if (n > OBSERVE_ROWS_MAX)
		return err_set(err, ERR_LIMIT, "more than %d nodes", OBSERVE_ROWS_MAX);
	v = mem_calloc(n + 1, sizeof(*v));
	for (size_t i = 0; i < n; i++) {
		const struct jsn *row = jsn_at(data, i);
		const char *node = jsn_get_text(row, "node");
		const char *status = jsn_get_text(row, "status");

		if (!node)
			continue;
		/* `unknown` is what a node shows that just came back: its services answer. */
		v[k++] = (struct obs_node){.name = mem_strdup(node),
		    .online = status && strcmp(status, "offline") != 0,
		    .cpus = jsn_get_int(row, "maxcpu", 0)};
	}
	for (size_t i = 0; i < c->n_nodes; i++)
		free(c->nodes[i].name);
	free(c->nodes);
	c->nodes = v;
	c->n_nodes = k;
	return 0;
}

/* When its node fell silent about it: now, unless it was so before. */
static int64_t silent_since(
    const struct obs_cluster *before, const char *id, const char *node, int64_t wall_ms)
{
	const struct obs_storage *old = obs_cluster_storage(before, id, node);

	return old && old->silent_since ? old->silent_since : wall_ms;
}

int observe_storages(
    const struct jsn *data, int64_t wall_ms, struct obs_cluster *c, struct err **err)
{
	size_t n = jsn_len(data), k = 0;
	struct obs_storage *v;

	if (!jsn_is_array(data))
		return not_a_list("storages", err);
	if (n > OBSERVE_ROWS_MAX)
		return err_set(err, ERR_LIMIT, "more than %d storages", OBSERVE_ROWS_MAX);
	v = mem_calloc(n + 1, sizeof(*v));
	for (size_t i = 0; i < n; i++) {
		const struct jsn *row = jsn_at(data, i);
		const char *id = jsn_get_text(row, "storage"), *node = jsn_get_text(row, "node");
		int64_t max = jsn_get_int(row, "maxdisk", 0), used = jsn_get_int(row, "disk", 0);

		if (!id || !node)
			continue;
		v[k++] = (struct obs_storage){.id = mem_strdup(id),
		    .node = mem_strdup(node),
		    .plugin = mem_strdup(jsn_get_text(row, "plugintype")),
		    .shared = jsn_get_int(row, "shared", 0) == 1,
		    .active = text_eq(jsn_get_text(row, "status"), "available"),
		    .content = mem_strdup(jsn_get_text(row, "content")),
		    .avail = max > used && used >= 0 ? (uint64_t)(max - used) : 0,
		    .full = max > 0 && used >= max};
		if (text_eq(jsn_get_text(row, "status"), "unknown"))
			v[k - 1].silent_since = silent_since(c, id, node, wall_ms);
		if (!v[k - 1].plugin)
			v[k - 1].plugin = mem_strdup("");
		if (!v[k - 1].content)
			v[k - 1].content = mem_strdup("");
	}
	for (size_t i = 0; i < c->n_storages; i++) {
		free(c->storages[i].id);
		free(c->storages[i].node);
		free(c->storages[i].plugin);
		free(c->storages[i].content);
	}
	free(c->storages);
	c->storages = v;
	c->n_storages = k;
	return 0;
}

int observe_quorum(const struct jsn *data, bool *ret_quorate, struct err **err)
{
	bool quorate = true;

	if (!jsn_is_array(data) || jsn_len(data) == 0)
		return not_a_list("the cluster's status", err);
	for (size_t i = 0; i < jsn_len(data); i++) {
		const struct jsn *row = jsn_at(data, i);

		if (text_eq(jsn_get_text(row, "type"), "cluster"))
			quorate = jsn_get_int(row, "quorate", 0) == 1;
	}
	*ret_quorate = quorate;
	return 0;
}

int observe_quorum_of(const struct jsn *data, const char *node, bool *ret_quorate, struct err **err)
{
	bool quorate, here = false, rows = false;

	if (observe_quorum(data, &quorate, err) < 0)
		return -1;
	for (size_t i = 0; i < jsn_len(data); i++) {
		const struct jsn *row = jsn_at(data, i);

		if (!text_eq(jsn_get_text(row, "type"), "node"))
			continue;
		rows = true;
		if (text_eq(jsn_get_text(row, "name"), node))
			here =
			    jsn_get_int(row, "local", 0) == 1 || jsn_get_int(row, "online", 0) == 1;
	}
	*ret_quorate = quorate && (here || !rows);
	return 0;
}

static uint32_t vmid_option(int64_t v)
{
	return v >= VMID_LEAST && v <= VMID_MOST ? (uint32_t)v : 0;
}

static void add_text(struct buf *out, const struct jsn *j)
{
	_cleanup_str_ char *text = j ? jsn_print(j, false) : NULL;

	buf_addf(out, "%s\n", text ? text : "");
}

/* Who may put on which tags, without understanding it. The members of an object have no order. */
static char *tag_rules_of(const struct jsn *options)
{
	const struct jsn *access = jsn_get(options, "user-tag-access");
	struct buf out;

	buf_init(&out, RULES_MAX_BYTES);
	add_text(&out, jsn_get(options, "registered-tags"));
	add_text(&out, jsn_get(options, "allowed-tags"));
	if (jsn_is_object(access)) {
		add_text(&out, jsn_get(access, "user-allow"));
		add_text(&out, jsn_get(access, "user-allow-list"));
	} else {
		add_text(&out, access);
	}
	return buf_take(&out);
}

int observe_options(const struct jsn *data, struct obs_cluster *c, struct err **err)
{
	const struct jsn *range = jsn_get(data, "next-id");
	int64_t lower = jsn_get_int(range, "lower", 0), upper = jsn_get_int(range, "upper", 0);
	_cleanup_propstr_ struct propstr p = {0};

	if (!jsn_is_object(data))
		return err_set(
		    err, ERR_PROTOCOL, "the answer to the cluster's options makes no sense");
	if (jsn_is_string(range) && propstr_parse(jsn_text(range), &p, NULL) == 0) {
		const char *a = propstr_get(&p, "lower"), *b = propstr_get(&p, "upper");
		if (a && text_to_int(a, 0, 999999999, &lower) < 0)
			lower = 0;
		if (b && text_to_int(b, 0, 1000000000, &upper) < 0)
			upper = 0;
	}
	free(c->tag_rules);
	c->tag_rules = tag_rules_of(data);
	c->vmid_lower = vmid_option(lower);
	c->vmid_upper = upper > 0 ? vmid_option(upper - 1) : 0; /* PVE stops before it */
	return 0;
}

int observe_version(const struct jsn *data, struct obs_cluster *c, struct err **err)
{
	const char *release = jsn_get_text(data, "release");
	struct strs p = {0};
	int64_t major, minor;

	if (!release)
		release = jsn_get_text(data, "version");
	if (!release || text_split(release, ".-", true, 8, &p) < 0)
		return err_set(err, ERR_PROTOCOL, "the version came without a release");
	if (p.n < 2 || text_to_int(p.v[0], 0, 1000, &major) < 0 ||
	    text_to_int(p.v[1], 0, 1000, &minor) < 0) {
		strs_fini(&p);
		return err_set(err, ERR_PROTOCOL, "the version makes no sense");
	}
	strs_fini(&p);
	c->version_major = (int)major;
	c->version_minor = (int)minor;
	return 0;
}
