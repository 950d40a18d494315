/* Reading a guest: configuration, pending changes, state. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "sim_api.h"
#include "sim_conf.h"
#include "sim_ha.h"
#include "sim_net.h"
#include "sim_nic.h"
#include "sim_row.h"

#define GUESTS_MAX ((size_t)64 << 20) /* bytes of the list */

static bool is_number(struct sim *s, const char *key, const char *value, int64_t *ret)
{
	const struct sprop *p = schema_conf(key, s->v9);

	return p && (p->type == STYPE_INT || p->type == STYPE_BOOL) &&
	       !text_to_int(value, INT64_MIN, INT64_MAX, ret);
}

void put_conf(struct sim *s, struct jsn *o, const char *key, const char *value)
{
	int64_t v;

	if (!strcmp(key, "cipassword"))
		value = "**********";
	if (is_number(s, key, value, &v))
		jsn_put_int(o, key, v);
	else
		jsn_put_str(o, key, value);
}

/* As it will be when all that is pending has been applied. */
static void conf_to_be(const struct guest *g, struct kv *ret)
{
	kv_copy(ret, &g->conf);
	KV_FOREACH (i, &g->pend)
		kv_set(ret, i->key, i->value);
	KV_FOREACH (i, &g->pend_del)
		kv_del(ret, i->key);
}

/* One of the two: what is, or what was. */
static bool one_of_them(struct job *j, struct oops *o)
{
	static const char *const why = "cannot use 'snapshot' parameter with 'current'";

	if (!job_param(j, "snapshot") || !job_param_bool(j, "current"))
		return true;
	oops_param(o, "snapshot", "%s", why);
	return oops_param(o, "current", "%s", why);
}

void api_config_get(struct job *j)
{
	struct sim *s = j->sim;
	_cleanup_oops_ struct oops o = {0};
	struct guest *g = one_of_them(j, &o) ? conf_load(j, j->vmid, &o) : NULL;
	const char *snap = job_param(j, "snapshot");
	int64_t snaptime = 0;
	_cleanup_kv_ struct kv conf = {0};
	struct jsn *d;

	if (!g) {
		job_oops(j, &o);
		return;
	}
	if (snap) {
		const struct snap *sn = snap_find(g, snap);

		if (!sn) {
			job_die(j, "snapshot '%s' does not exist", snap);
			return;
		}
		kv_copy(&conf, &sn->conf);
		snaptime = sn->time;
	} else if (job_param_bool(j, "current"))
		kv_copy(&conf, &g->conf);
	else
		conf_to_be(g, &conf);
	d = jsn_new_object();
	KV_FOREACH (i, &conf)
		put_conf(s, d, i->key, i->value);
	if (snaptime)
		jsn_put_int(d, "snaptime", snaptime);
	jsn_put_str(d, "digest", guest_digest(g));
	job_ok(j, d);
}

void put_value(struct sim *s, struct jsn *row, const char *as, const char *key, const char *value)
{
	struct jsn *tmp;

	if (!value)
		return;
	tmp = jsn_new_object();
	put_conf(s, tmp, key, value);
	jsn_put(row, as, jsn_copy(jsn_get(tmp, key)));
	jsn_free(&tmp);
}

static void row_value(
    struct sim *s, struct row *r, const char *as, const char *key, const char *value)
{
	int64_t v;

	if (!value)
		return;
	if (!strcmp(key, "cipassword"))
		value = "**********";
	if (is_number(s, key, value, &v))
		row_int(r, as, v);
	else
		row_str(r, as, value);
}

static void pending_row(struct sim *s, struct guest *g, struct row *r, const char *key)
{
	const char *del = kv_get(&g->pend_del, key);

	if (r->text->len > 1)
		buf_addc(r->text, ',');
	row_begin(r);
	row_str(r, "key", key);
	row_value(s, r, "value", key, kv_get(&g->conf, key));
	row_value(s, r, "pending", key, kv_get(&g->pend, key));
	if (del)
		row_int(r, "delete", strtoll(del, NULL, 10));
	row_end(r);
}

static void digest_row(struct row *r, struct guest *g)
{
	if (r->text->len > 1)
		buf_addc(r->text, ',');
	row_begin(r);
	row_str(r, "key", "digest");
	row_str(r, "value", guest_digest(g));
	row_end(r);
}

void api_pending(struct job *j)
{
	struct sim *s = j->sim;
	_cleanup_oops_ struct oops o = {0};
	struct guest *g = conf_load(j, j->vmid, &o);
	_cleanup_buf_ struct buf list = {0};
	struct row r = {.text = &list};

	if (!g) {
		job_oops(j, &o);
		return;
	}
	buf_addc(&list, '[');
	KV_FOREACH (i, &g->conf)
		pending_row(s, g, &r, i->key);
	digest_row(&r, g);
	KV_FOREACH (i, &g->pend)
		if (!kv_has(&g->conf, i->key))
			pending_row(s, g, &r, i->key);
	KV_FOREACH (i, &g->pend_del)
		if (!kv_has(&g->conf, i->key) && !kv_has(&g->pend, i->key))
			pending_row(s, g, &r, i->key);
	buf_addc(&list, ']');
	job_ok_text(j, &list);
}

static bool has_serial(const struct guest *g)
{
	KV_FOREACH (i, &g->conf)
		if (text_starts(i->key, "serial") && !strcmp(i->value, "socket"))
			return true;
	return false;
}

static void status_row(struct row *r, struct sim *s, struct guest *g)
{
	const char *name = kv_get(&g->conf, "name"), *tags = kv_get(&g->conf, "tags"),
		   *lock = kv_get(&g->conf, "lock"), *balloon = kv_get(&g->conf, "balloon"),
		   *shares = kv_get(&g->conf, "shares");
	_cleanup_str_ char *usual = mem_printf("VM %" PRId64, g->vmid);
	int64_t in = 0, out = 0;

	row_int(r, "vmid", g->vmid);
	row_str(r, "name", name ? name : usual);
	row_str(r, "status", g->running ? "running" : "stopped");
	row_int(r, "cpus", guest_cpus(g));
	row_int(r, "maxmem", guest_memory(g));
	row_int(r, "maxdisk", guest_bootsize(g));
	row_int(r, "uptime", g->running ? (s->now - g->started) / 1000 : 0);
	row_int(r, "cpu", 0);
	row_int(r, "disk", 0);
	row_int(r, "mem", 0); /* simulated guests use nothing */
	if (s->v9)
		row_int(r, "memhost", 0);
	for (unsigned i = 0; i < SIM_NICS_MAX; i++) {
		in += nic_in(&g->nics, i);
		out += nic_out(&g->nics, i);
	}
	row_int(r, "netin", in);
	row_int(r, "netout", out);
	if (g->running)
		row_int(r, "pid", g->pid);
	if (balloon && strcmp(balloon, "0") != 0) {
		row_int(r, "balloon_min", strtoll(balloon, NULL, 10) << 20);
		row_int(r, "shares", shares ? strtoll(shares, NULL, 10) : 1000);
	}
	if (text_eq(kv_get(&g->conf, "template"), "1"))
		row_int(r, "template", 1);
	if (has_serial(g))
		row_int(r, "serial", 1);
	if (tags && strcmp(tags, " ") != 0)
		row_str(r, "tags", tags);
	row_str(r, "lock", lock);
}

static void put_pressure(struct row *r, const struct sim *s, const struct guest *g)
{
	static const char *const keys[] = {"pressurecpusome", "pressurecpufull", "pressureiosome",
	    "pressureiofull", "pressurememorysome", "pressurememoryfull"};

	for (size_t i = 0; g->running && s->v9 && i < ARRAY_LEN(keys); i++)
		row_int(r, keys[i], 0);
}

void api_guests(struct job *j)
{
	struct sim *s = j->sim;
	struct buf list;

	buf_init(&list, GUESTS_MAX);
	buf_addc(&list, '[');
	for (size_t i = 0; i < s->nguests; i++) {
		struct guest *g = s->guests[i];
		struct row r = {.text = &list};

		if (g->node != j->node || !net_shows(s, j->node, g) ||
		    !sees_guest(s, &j->who, g->vmid))
			continue;
		if (list.len > 1)
			buf_addc(&list, ',');
		row_begin(&r);
		status_row(&r, s, g);
		put_pressure(&r, s, g);
		if (job_param_bool(j, "full"))
			row_str(&r, "qmpstatus", g->running ? g->qmp : "stopped");
		row_end(&r);
	}
	buf_addc(&list, ']');
	job_ok_text(j, &list);
	buf_fini(&list);
}

static void put_nics(struct jsn *d, const struct guest *g)
{
	struct jsn *nics = jsn_new_object();

	KV_FOREACH (i, &g->conf)
		if (prop_is_net(i->key)) {
			_cleanup_str_ char *tap =
			    mem_printf("tap%" PRId64 "i%s", g->vmid, i->key + 3);
			struct jsn *n = jsn_new_object();

			jsn_put_int(n, "netin", nic_in(&g->nics, nic_slot(i->key)));
			jsn_put_int(n, "netout", nic_out(&g->nics, nic_slot(i->key)));
			jsn_put(nics, tap, n);
		}
	if (jsn_len(nics))
		jsn_put(d, "nics", nics);
	else
		jsn_free(&nics);
}

void api_status_current(struct job *j)
{
	struct sim *s = j->sim;
	_cleanup_oops_ struct oops o = {0};
	struct guest *g = conf_load(j, j->vmid, &o);
	const char *agent = g ? kv_get(&g->conf, "agent") : NULL;
	struct jsn *d, *ha;
	struct row r = {0};

	if (!g) {
		job_oops(j, &o);
		return;
	}
	row_begin(&r);
	status_row(&r, s, g);
	put_pressure(&r, s, g);
	row_end(&r);
	d = r.tree;
	jsn_put_str(d, "qmpstatus", g->running ? g->qmp : "stopped");
	ha = jsn_new_object();
	jsn_put_int(ha, "managed", g->ha && ha_managed(g));
	if (g->ha && ha_managed(g)) {
		const char *group = kv_get(&g->ha_conf, "group");

		jsn_put(ha, "group", group ? jsn_new_str(group) : jsn_new_null());
		jsn_put(ha, "state", g->ha_state ? jsn_new_str(g->ha_state) : jsn_new_null());
	}
	jsn_put(d, "ha", ha);
	if (agent && (*agent == '1' || strstr(agent, "enabled=1")))
		jsn_put_int(d, "agent", 1);
	if (g->running)
		put_nics(d, g);
	job_ok(j, d);
}

void api_guest_index(struct job *j)
{
	static const char *const v[] = {"config", "cloudinit", "pending", "status", "unlink",
	    "vncproxy", "termproxy", "migrate", "resize", "move", "rrd", "rrddata", "monitor",
	    "agent", "snapshot", "spiceproxy", "sendkey", "firewall", "mtunnel", "remote_migrate"};
	struct jsn *a = jsn_new_array();

	for (size_t i = 0; i < ARRAY_LEN(v); i++) {
		struct jsn *o = jsn_new_object();

		jsn_put_str(o, "subdir", v[i]);
		jsn_push(a, o);
	}
	job_ok(j, a);
}
