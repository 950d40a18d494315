/* Volumes that a step left and no configuration names: looked for after whatever allocates, told,
 * and never removed: whose they are is not proven by their name. */
#include "drive.h"
#include "guest_int.h"
#include "log.h"
#include "rootcmd.h"

#include <string.h>

#define VOLUMES_MAX 100000
#define CANDIDATES_MAX 64

static bool is_end(char c)
{
	return c == '\0' || c == ',' || c == '/';
}

static bool names(const struct kv *conf, const char *volume)
{
	const char *tail = drive_tail(volume);
	size_t store = strcspn(volume, ":") + 1, len = strlen(tail);

	KV_FOREACH (item, conf) {
		const char *at = strstr(item->value, volume);
		if (at && is_end(at[strlen(volume)]))
			return true;
		if (strncmp(item->value, volume, store) != 0)
			continue;
		for (at = item->value; (at = strstr(at, tail)); at += len)
			if (at > item->value && strchr(":/", at[-1]) && is_end(at[len]))
				return true;
	}
	return false;
}

static bool is_named(const struct guest *g, const char *volume)
{
	return names(&g->turn->guest.current, volume) || names(&g->turn->guest.pending, volume);
}

/* What was told and hangs at the VM again is no leftover. */
static void forget_named(struct guest *g)
{
	const struct kv *left = journal_leftovers(g->env->journal);
	_cleanup_str_ char *of = mem_printf(" of VM %u (%s)", g->rec.vmid, g->name);
	_cleanup_strs_ struct strs gone = {0};

	KV_FOREACH (item, left) {
		size_t len = strcspn(item->key, " ");
		_cleanup_str_ char *volume = mem_strndup(item->key, len);

		if (text_starts(item->key + len, of) && is_named(g, volume))
			strs_add(&gone, item->key);
	}
	for (size_t i = 0; i < gone.n; i++) {
		_cleanup_err_ struct err *e = NULL;

		if (journal_leave(g->env->journal, gone.v[i], NULL, &e) < 0)
			log_error(g->name, "%s", err_msg(e));
	}
}

static void tell(struct guest *g, const char *volume)
{
	_cleanup_err_ struct err *e = NULL;
	_cleanup_str_ char *shown = text_oneline(volume, GUEST_VOLUME_CHARS);
	_cleanup_str_ char *command = rootcmd_free(g->turn->guest.node, volume);
	_cleanup_str_ char *text =
	    mem_printf("%s of VM %u (%s) is named by no configuration; when nothing needs it, %s",
		shown, g->rec.vmid, g->name, command);

	if (kv_has(journal_leftovers(g->env->journal), text))
		return;
	log_warn(g->name, "%s", text);
	if (journal_leave(g->env->journal, text, text, &e) < 0)
		log_error(g->name, "%s", err_msg(e));
	g->env->changed(g->env->arg, g, NULL);
}

/* One look may be between a step of somebody else and its line in the configuration. */
static bool take_rows(struct guest *g, const struct jsn *rows)
{
	const char *store = g->rec.loose.v[g->loose_at].key;
	_cleanup_strs_ struct strs seen = {0};
	bool all_known = true;

	for (size_t i = 0; i < jsn_len(rows) && seen.n < CANDIDATES_MAX; i++) {
		const struct jsn *row = jsn_at(rows, i);
		const char *volume = jsn_get_text(row, "volid");
		const char *rest = volume ? text_after(volume, store) : NULL;

		if (!rest || *rest != ':' || !text_eq(jsn_get_text(row, "content"), "images") ||
		    jsn_get_int(row, "vmid", 0) != (int64_t)g->rec.vmid || is_named(g, volume))
			continue;
		if (strs_has(&g->loose_seen, volume))
			tell(g, volume);
		else
			all_known = false;
		strs_add(&seen, volume);
	}
	for (size_t i = 0; i < seen.n; i++)
		if (!strs_has(&g->loose_seen, seen.v[i]))
			strs_add(&g->loose_seen, seen.v[i]);
	return all_known;
}

static void next_store(struct guest *g);

static void on_content(void *arg, const struct pvereq_result *a)
{
	struct guest *g = arg;

	CHECK_OBJ(g, GUEST_MAGIC);
	g->call = 0;
	bool seen =
	    a->outcome == PVE_DONE && jsn_is_array(a->data) && jsn_len(a->data) <= VOLUMES_MAX;
	if (!seen || !take_rows(g, a->data)) {
		g->loose_at++; /* looked at again with the next reading */
	} else {
		_cleanup_str_ char *store = mem_strdup(g->rec.loose.v[g->loose_at].key);
		kv_del(&g->rec.loose, store);
		guest_save_record(g);
	}
	next_store(g);
}

static void next_store(struct guest *g)
{
	_cleanup_kv_ struct kv params = {0};

	if (g->loose_at >= g->rec.loose.n) {
		if (!g->rec.loose.n)
			strs_fini(&g->loose_seen);
		guest_plan_turn(g);
		return;
	}
	struct pvereq_spec q = {.endpoint = ENDPOINT_STORAGE_CONTENT,
	    .args = {.node = g->turn->guest.node, .storage = g->rec.loose.v[g->loose_at].key},
	    .params = &params};

	kv_setf(&params, "vmid", "%u", g->rec.vmid);
	g->call = pvereq_send(g->env->pve, &q, on_content, g);
}

/* While a task works on the VM, its volumes are named when it ends. */
static void on_tasks(void *arg, const struct pvereq_result *a)
{
	struct guest *g = arg;
	bool idle = a->outcome == PVE_DONE && jsn_is_array(a->data) && jsn_len(a->data) == 0;

	CHECK_OBJ(g, GUEST_MAGIC);
	g->call = 0;
	if (idle)
		next_store(g);
	else
		guest_plan_turn(g);
}

void guest_look_loose(struct guest *g)
{
	const struct obs_guest *o = &g->turn->guest;
	_cleanup_kv_ struct kv params = {0};

	if (g->rec.vmid == o->vmid)
		forget_named(g);
	if (!g->rec.loose.n || g->rec.vmid != o->vmid || o->lock || o->snapshots ||
	    g->env->readonly) {
		guest_plan_turn(g);
		return;
	}
	struct pvereq_spec q = {
	    .endpoint = ENDPOINT_NODE_TASKS, .args.node = o->node, .params = &params};

	g->loose_at = 0;
	kv_set(&params, "source", "active");
	kv_setf(&params, "vmid", "%u", g->rec.vmid);
	g->call = pvereq_send(g->env->pve, &q, on_tasks, g);
}
