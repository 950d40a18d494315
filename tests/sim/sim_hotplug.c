/* What waits in the pending section, applied to a stopped guest at once, to a running one as far as
 * hot-plugging goes. */
#include <stdlib.h>
#include <string.h>

#include "sim_conf.h"
#include "sim_nic.h"
#include "sim_schema.h"

/* Takes away what is not a change: equal values, deletions of what is not there. */
void pending_clean(struct sim *s, struct guest *g)
{
	for (size_t i = 0; i < g->pend.n; i++) {
		_cleanup_str_ char *key = mem_strdup(g->pend.v[i].key);

		if (text_eq(g->pend.v[i].value, kv_get(&g->conf, key))) {
			guest_unpend(s, g, key);
			i--;
		}
	}
	for (size_t i = 0; i < g->pend_del.n; i++) {
		_cleanup_str_ char *key = mem_strdup(g->pend_del.v[i].key);

		if (!kv_has(&g->conf, key)) {
			guest_unpend_del(s, g, key);
			i--;
		}
	}
}

static void take(struct sim *s, struct guest *g, const char *key)
{
	_cleanup_str_ char *v = mem_strdup(kv_get(&g->pend, key));

	guest_unpend(s, g, key);
	guest_set(s, g, key, v);
	if (g->running)
		kv_set(&g->live, key, v);
}

/* A drive that cannot leave its slot: told under its key, the others go on. */
static bool leave(
    struct job *j, struct guest *g, const char *key, bool force, const char *told, struct oops *o)
{
	_cleanup_str_ char *old = mem_strdup(kv_get(&g->conf, key));
	_cleanup_oops_ struct oops why = {0};

	if (!old || !prop_is_drive(key) || drive_leave(j, g, key, old, force, &why))
		return true;
	return oops_param(o, key, "%s%s\n", told, why.msg);
}

static void drop(struct sim *s, struct guest *g, const char *key)
{
	guest_unpend_del(s, g, key);
	guest_unset(s, g, key);
	if (g->running)
		kv_del(&g->live, key);
}

/* vmconfig_apply_pending: deletions first, in the order of their names. */
bool pending_apply_stopped(struct job *j, struct guest *g, struct oops *o)
{
	struct sim *s = j->sim;
	bool ci = false;
	_cleanup_kv_ struct kv del = {0}, set = {0};

	kv_copy(&del, &g->pend_del);
	kv_copy(&set, &g->pend);
	KV_FOREACH (i, &del) {
		_cleanup_str_ char *told =
		    mem_printf("unable to apply pending change %s : ", i->key);

		if (leave(j, g, i->key, !strcmp(i->value, "2"), told, o))
			drop(s, g, i->key);
	}
	pending_clean(s, g);
	KV_FOREACH (i, &set) {
		_cleanup_str_ char *old = mem_strdup(kv_get(&g->conf, i->key));
		_cleanup_drive_ struct drive a = {0}, b = {0};

		if (!kv_has(&g->pend, i->key))
			continue;
		if (prop_is_drive(i->key) && drive_parse(s, i->key, i->value, &a)) {
			_cleanup_str_ char *told =
			    mem_printf("unable to apply pending change %s : ", i->key);

			ci = ci || drive_is_cloudinit(&a);
			if (old && drive_parse(s, i->key, old, &b) && !text_eq(a.file, b.file) &&
			    !leave(j, g, i->key, false, told, o))
				continue;
		}
		take(s, g, i->key);
	}
	if (ci)
		cloudinit_write(j, g);
	drive_drop_unused(s, g);
	conf_old_names(s, g);
	return !o->status;
}

static bool fast(const char *key)
{
	static const char words[] = "|lock|name|onboot|shares|startup|description|protection"
				    "|vmstatestorage|hookscript|tags|migrate_downtime"
				    "|migrate_speed|";
	_cleanup_str_ char *w = mem_printf("|%s|", key);

	return strstr(words, w) || cloudinit_key(key);
}

static bool feature(const struct guest *g, const char *name)
{
	const char *v = kv_get(&g->conf, "hotplug");
	_cleanup_strs_ struct strs l = {0};

	if (!v || !strcmp(v, "1"))
		v = "network,disk,usb";
	return text_split(v, ",; ", true, 16, &l) == 0 && strs_has(&l, name);
}

enum plug { PLUG_DONE, PLUG_WAIT, PLUG_FAILED };

/* USB devices come and go in guests whose system is known to take them. */
static bool hot_usb(const struct guest *g)
{
	const char *os = kv_get(&g->conf, "ostype");

	return feature(g, "usb") && os &&
	       (!strcmp(os, "l26") || !strcmp(os, "win8") || !strcmp(os, "win10") ||
		   !strcmp(os, "win11"));
}

/* qemu_devicedelverify: what sits on the PCI bus goes only if the guest lets it. A SCSI disk with a
 * controller of its own takes that along. */
static bool held_in_guest(const struct guest *g, const char *key, struct buf *why)
{
	const char *scsi = text_after(key, "scsi");
	_cleanup_str_ char *device = NULL;

	if (!g->clings)
		return false;
	if (prop_is_net(key) || text_starts(key, "virtio"))
		device = mem_strdup(key);
	else if (scsi && text_eq(kv_get(&g->conf, "scsihw"), "virtio-scsi-single"))
		device = mem_printf("virtioscsi%s", scsi);
	else
		return false;
	buf_addf(why, "error on hot-unplugging device '%s' - still busy in guest?\n", device);
	return true;
}

/* vm_deviceunplug: what the guest may boot from stays, and so does what has no slot to leave. */
static enum plug unplug(const struct guest *g, const char *key, struct buf *why)
{
	_cleanup_strs_ struct strs order = {0};
	const char *boot = kv_get(&g->conf, "boot");
	char kind = prop_kind(key);

	boot_order(boot, &order);
	if (boot && strstr(boot, "order=") ? strs_has(&order, key)
					   : text_eq(kv_get(&g->conf, "bootdisk"), key))
		buf_addf(why, "can't unplug bootdisk '%s'\n", key);
	else if (kind == 'i' || kind == 's')
		buf_addf(why, "can't unplug device '%s'\n", key);
	else if (!held_in_guest(g, key, why))
		return PLUG_DONE;
	return PLUG_FAILED;
}

static bool bridge_there(const struct guest *g, const char *bridge)
{
	return !bridge || strs_has(&g->node->bridges, bridge);
}

static enum plug plug_net(
    struct sim *s, struct guest *g, const char *key, const char *value, struct buf *why)
{
	static const char *const fixed[] = {"model", "macaddr", "queues", "mtu"};
	_cleanup_kv_ struct kv a = {0}, b = {0};
	const char *old = kv_get(&g->conf, key), *bridge;
	bool replug;

	if (!net_parse(s, key, value, &b))
		return PLUG_WAIT;
	bridge = kv_get(&b, "bridge");
	replug = !old || !net_parse(s, key, old, &a) || !bridge || !kv_has(&a, "bridge");
	if (!replug)
		for (size_t i = 0; i < ARRAY_LEN(fixed); i++)
			replug = replug || !text_eq(kv_get(&a, fixed[i]), kv_get(&b, fixed[i]));
	if (replug && !feature(g, "network"))
		return PLUG_WAIT;
	if (replug && old && held_in_guest(g, key, why))
		return PLUG_FAILED;
	if (g->node->portless && kv_has(&b, "tag") &&
	    !text_eq(kv_get(&a, "tag"), kv_get(&b, "tag"))) {
		buf_addf(why, "no physical interface on bridge '%s'\n", bridge);
		return PLUG_FAILED;
	}
	if (!bridge_there(g, bridge)) {
		if (replug)
			buf_addf(why,
			    "VM %lld qmp command 'netdev_add' failed - network script "
			    "/usr/libexec/qemu-server/pve-bridge-hotplug failed with status 512\n",
			    (long long)g->vmid);
		else
			buf_addf(why, "bridge '%s' does not exist\n", bridge);
		return PLUG_FAILED;
	}
	if (replug)
		nic_plug(s, g, key, value);
	return PLUG_DONE;
}

static bool same_cold_options(const struct drive *a, const struct drive *b)
{
	static const char *const cold[] = {
	    "aio", "cache", "discard", "iothread", "product", "queues", "ro", "ssd", "vendor"};

	for (size_t i = 0; i < ARRAY_LEN(cold); i++)
		if (!text_eq(kv_get(&a->opts, cold[i]), kv_get(&b->opts, cold[i])))
			return false;
	return true;
}

/* Disks on these buses come and go while the guest runs. */
static bool hot_bus(const struct guest *g, const char *key)
{
	char kind = prop_kind(key);

	return kind && kind != 'i' && kind != 's' && feature(g, "disk");
}

/* vmconfig_update_disk */
static enum plug plug_disk(struct job *j, struct guest *g, const char *key, const char *value,
    struct buf *why, struct oops *o)
{
	struct sim *s = j->sim;
	_cleanup_drive_ struct drive a = {0}, b = {0};
	_cleanup_str_ char *old = mem_strdup(kv_get(&g->conf, key));

	if (!prop_kind(key) || !drive_parse(s, key, value, &b))
		return PLUG_WAIT;
	if (!old || !drive_parse(s, key, old, &a))
		return hot_bus(g, key) ? PLUG_DONE : PLUG_WAIT;
	if (drive_is_cdrom(&a) != drive_is_cdrom(&b)) {
		buf_adds(why, "unable to change media type\n");
		return PLUG_FAILED;
	}
	if (drive_is_cdrom(&a)) {
		/* Another medium: the cloud-init volume goes only when nothing takes its place. */
		if (!drive_is_cloudinit(&a) || strcmp(b.file, "none") != 0)
			return PLUG_DONE;
	} else if (!strcmp(a.file, b.file))
		return same_cold_options(&a, &b) ? PLUG_DONE : PLUG_WAIT;
	else if (!feature(g, "disk"))
		return PLUG_WAIT;
	else if (unplug(g, key, why) != PLUG_DONE)
		return PLUG_FAILED;
	return leave(j, g, key, false, "hotplug problem - ", o) ? PLUG_DONE : PLUG_FAILED;
}

/* The agent's options as they count: none of them when it is off (parse_guest_agent). */
static void agent_options(const struct sim *s, const char *value, struct kv *ret)
{
	struct buf why;
	const char *on;

	buf_init(&why, 0);
	schema_split(&SCHEMA_OF("agent", s->v9), value, ret, &why);
	buf_fini(&why);
	on = kv_get(ret, "enabled");
	if (!on || strcasestr("0 no off false", on))
		kv_fini(ret);
	else
		kv_set(ret, "enabled", "1");
	kv_del(ret, "fstrim_cloned_disks"); /* takes effect when a clone asks for it */
}

/* vmconfig_update_agent */
static enum plug plug_agent(const struct sim *s, const struct guest *g, const char *value)
{
	const char *old = kv_get(&g->conf, "agent");
	_cleanup_kv_ struct kv a = {0}, b = {0};

	if (!old || !strcmp(old, "0"))
		return PLUG_WAIT;
	agent_options(s, old, &a);
	agent_options(s, value, &b);
	return kv_eq(&a, &b) ? PLUG_DONE : PLUG_WAIT;
}

/* qemu_cpu_hotplug */
static enum plug plug_vcpus(const struct guest *g, const char *value, struct buf *why)
{
	const char *cores = kv_get(&g->conf, "cores"), *sockets = kv_get(&g->conf, "sockets");
	int64_t most =
	    (cores ? strtoll(cores, NULL, 10) : 1) * (sockets ? strtoll(sockets, NULL, 10) : 1);

	if (!feature(g, "cpu"))
		return PLUG_WAIT;
	if (strtoll(value, NULL, 10) <= most)
		return PLUG_DONE;
	buf_adds(why, "you can't add more vcpus than maxcpus\n");
	return PLUG_FAILED;
}

static bool hot_memory(const struct guest *g)
{
	return feature(g, "memory") && text_eq(kv_get(&g->conf, "numa"), "1");
}

/* What the modules add up to is what it gets. */
static enum plug plug_memory(struct sim *s, struct guest *g, const char *value, struct buf *why)
{
	_cleanup_str_ char *sum = NULL;

	if (!hot_memory(g))
		return PLUG_WAIT;
	if (!memory_plug(s, g, value, &sum, why))
		return PLUG_FAILED;
	guest_pend(s, g, "memory", sum);
	return PLUG_DONE;
}

/* Without a word it would have less than can be taken away. */
static enum plug unplug_memory(struct sim *s, const struct guest *g, struct oops *o)
{
	enum plug p = PLUG_WAIT;
	_cleanup_str_ char *sum = NULL;
	struct buf why;

	buf_init(&why, 0);
	if (hot_memory(g) && !memory_plug(s, g, NULL, &sum, &why)) {
		oops_param(o, "memory", "hotplug problem - %s", buf_str(&why));
		p = PLUG_FAILED;
	}
	buf_fini(&why);
	return p;
}

static bool hot_cpu_or_memory(const char *hotplug)
{
	return hotplug && (strstr(hotplug, "cpu") || strstr(hotplug, "memory"));
}

static bool balloon_on(const char *v)
{
	return !v || strcmp(v, "0") != 0;
}

static enum plug plug_one(struct job *j, struct guest *g, const char *key, const char *value,
    struct buf *why, struct oops *o)
{
	const char *hp = kv_get(&g->conf, "hotplug");

	if (prop_is_net(key))
		return plug_net(j->sim, g, key, value, why);
	if (prop_is_drive(key))
		return plug_disk(j, g, key, value, why, o);
	if (!strcmp(key, "agent"))
		return plug_agent(j->sim, g, value);
	if (!strcmp(key, "balloon"))
		return balloon_on(kv_get(&g->conf, "balloon")) == balloon_on(value) ? PLUG_DONE
										    : PLUG_WAIT;
	if (!strcmp(key, "cpulimit") || !strcmp(key, "cpuunits"))
		return PLUG_DONE;
	if (!strcmp(key, "hotplug"))
		return hot_cpu_or_memory(value) || hot_cpu_or_memory(hp) ? PLUG_WAIT : PLUG_DONE;
	if (!strcmp(key, "vcpus"))
		return plug_vcpus(g, value, why);
	if (!strcmp(key, "memory"))
		return plug_memory(j->sim, g, value, why);
	if (!strcmp(key, "tablet"))
		return feature(g, "usb") ? PLUG_DONE : PLUG_WAIT;
	if (text_starts(key, "usb"))
		return hot_usb(g) ? PLUG_DONE : PLUG_WAIT;
	return PLUG_WAIT;
}

static enum plug unplug_drive(
    struct job *j, struct guest *g, const char *key, bool force, struct oops *o)
{
	enum plug p;
	struct buf why;

	if (!hot_bus(g, key))
		return PLUG_WAIT;
	buf_init(&why, 0);
	p = unplug(g, key, &why);
	if (p != PLUG_DONE)
		oops_param(o, key, "hotplug problem - %s", buf_str(&why));
	else if (!leave(j, g, key, force, "hotplug problem - ", o))
		p = PLUG_FAILED;
	buf_fini(&why);
	return p;
}

static enum plug unplug_net(struct guest *g, const char *key, struct oops *o)
{
	enum plug p = feature(g, "network") ? PLUG_DONE : PLUG_WAIT;
	struct buf why;

	buf_init(&why, 0);
	if (p == PLUG_DONE && held_in_guest(g, key, &why)) {
		oops_param(o, key, "hotplug problem - %s", buf_str(&why));
		p = PLUG_FAILED;
	}
	buf_fini(&why);
	if (p == PLUG_DONE)
		nic_unplug(g, key);
	return p;
}

static enum plug unplug_one(
    struct job *j, struct guest *g, const char *key, bool force, struct oops *o)
{
	const char *old = kv_get(&g->conf, key);
	bool now;

	if (prop_is_drive(key))
		return unplug_drive(j, g, key, force, o);
	if (!strcmp(key, "memory"))
		return unplug_memory(j->sim, g, o);
	if (prop_is_net(key))
		return unplug_net(g, key, o);
	if (!strcmp(key, "hotplug"))
		now = !hot_cpu_or_memory(old);
	else if (!strcmp(key, "balloon"))
		now = balloon_on(old);
	else if (!strcmp(key, "tablet"))
		now = feature(g, "usb");
	else if (text_starts(key, "usb"))
		now = hot_usb(g);
	else if (!strcmp(key, "vcpus"))
		now = feature(g, "cpu");
	else
		now = !strcmp(key, "cpulimit") || !strcmp(key, "cpuunits") || fast(key);
	return now ? PLUG_DONE : PLUG_WAIT;
}

static bool plug_all(struct job *j, struct guest *g, const struct strs *modified, struct oops *o)
{
	struct sim *s = j->sim;
	_cleanup_kv_ struct kv del = {0}, set = {0};

	kv_copy(&del, &g->pend_del);
	kv_copy(&set, &g->pend);
	KV_FOREACH (i, &del) {
		if (!strs_has(modified, i->key))
			continue;
		if (unplug_one(j, g, i->key, !strcmp(i->value, "2"), o) == PLUG_DONE)
			drop(s, g, i->key);
	}
	KV_FOREACH (i, &set) {
		struct buf why;
		enum plug p;

		if (!strs_has(modified, i->key) || !kv_has(&g->pend, i->key))
			continue;
		buf_init(&why, 0);
		p = plug_one(j, g, i->key, i->value, &why, o);
		if (p == PLUG_DONE)
			take(s, g, i->key);
		else if (p == PLUG_FAILED && why.len)
			oops_param(o, i->key, "hotplug problem - %s", buf_str(&why));
		buf_fini(&why);
	}
	return !o->status;
}

bool pending_apply_running(
    struct job *j, struct guest *g, const struct strs *modified, struct oops *o)
{
	struct sim *s = j->sim;
	_cleanup_kv_ struct kv set = {0};
	bool ok;

	kv_copy(&set, &g->pend);
	KV_FOREACH (i, &set)
		if (fast(i->key))
			take(s, g, i->key);
	ok = plug_all(j, g, modified, o);
	if (feature(g, "cloudinit"))
		cloudinit_write(j, g);
	drive_drop_unused(s, g);
	return ok;
}
