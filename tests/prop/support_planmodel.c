#include "support_planmodel.h"

#include <stdlib.h>
#include <string.h>

#define GIB ((uint64_t)1 << 30)

void planmodel_fini(struct planmodel *m)
{
	obs_guest_fini(&m->guest);
	kv_fini(&m->volumes);
}

static bool is_disk_slot(const char *key)
{
	const char *bus;
	unsigned index;
	return form_slot_parse(key, &bus, &index) && strcmp(bus, "net") != 0;
}

static bool is_net_slot(const char *key)
{
	return strncmp(key, "net", 3) == 0;
}

static bool is_volume(const char *text)
{
	return strchr(text, ':') && !strstr(text, ":iso/");
}

static void adopt_from(struct planmodel *m, const struct kv *conf)
{
	KV_FOREACH (item, conf) {
		struct drive d = {0};
		if (!is_disk_slot(item->key) && strncmp(item->key, "unused", 6) != 0)
			continue;
		if (drive_parse(item->value, &d, NULL) == 0 && is_volume(d.volume))
			kv_setf(&m->volumes, d.volume, "%llu",
			    (unsigned long long)(d.bytes ? d.bytes : GIB));
		drive_fini(&d);
	}
}

void planmodel_adopt_volumes(struct planmodel *m)
{
	adopt_from(m, &m->guest.current);
	adopt_from(m, &m->guest.pending);
}

static char *new_volume(struct planmodel *m, const char *storage, uint64_t bytes)
{
	char *volume = mem_printf("%s:vm-%u-disk-%u", storage, m->guest.vmid, 100 + m->next_disk++);
	kv_setf(&m->volumes, volume, "%llu", (unsigned long long)bytes);
	return volume;
}

static char *size_text(uint64_t bytes)
{
	return bytes % GIB == 0 ? mem_printf("%lluG", (unsigned long long)(bytes / GIB))
				: mem_printf("%lluM", (unsigned long long)(bytes >> 20));
}

/* "STORE:5,…" and "STORE:0,import-from=…" become a volume; a volume gets its real size. */
static char *settle_drive(struct planmodel *m, const char *text, char **wrong)
{
	struct propstr p = {0};
	struct drive d = {0};
	char *out = NULL;

	if (propstr_parse(text, &p, NULL) < 0 || drive_parse(text, &d, NULL) < 0) {
		*wrong = mem_printf("unreadable drive %s", text);
	} else if (is_volume(d.volume)) {
		const char *name = strchr(d.volume, ':') + 1;
		int64_t gib;
		char *volume = mem_strdup(d.volume);
		if (text_to_int(name, 0, 1 << 20, &gib) == 0) {
			free(volume);
			volume = new_volume(m, d.storage, gib ? (uint64_t)gib * GIB : GIB);
		}
		propstr_del(&p, "import-from");
		propstr_del(&p, "format");
		propstr_set_lead(&p, volume);
		int64_t bytes = 0;
		if (!kv_has(&m->volumes, volume) ||
		    text_to_int(kv_get(&m->volumes, volume), 0, INT64_MAX, &bytes) < 0)
			*wrong = mem_printf("volume %s does not exist", volume);
		char *size = size_text((uint64_t)bytes);
		propstr_set(&p, "size", size);
		free(size);
		free(volume);
		out = propstr_print(&p);
	} else {
		out = mem_strdup(text);
	}
	propstr_fini(&p);
	drive_fini(&d);
	return out ? out : mem_strdup("");
}

static char *settle_nic(struct planmodel *m, const char *text)
{
	struct propstr p = {0};
	char *out;

	if (propstr_parse(text, &p, NULL) < 0)
		return mem_strdup(text);
	char *mac = mem_printf("BC:24:11:FF:00:%02X", m->next_mac % 256);
	if (propstr_lead(&p) && !strchr(propstr_lead(&p), ':')) {
		char *lead = mem_strdup(propstr_lead(&p));
		mem_replace(&p.v[0].key, lead);
		mem_replace(&p.v[0].value, mac);
		free(lead);
		m->next_mac++;
	}
	free(mac);
	out = propstr_print(&p);
	propstr_fini(&p);
	return out;
}

static bool is_live_key(const char *key)
{
	static const char *const keys[] = {"name", "description", "tags", "cpulimit", "cpuunits",
	    "shares", "onboot", "startup", "protection", "vmstatestorage", "hookscript",
	    "migrate_downtime", "migrate_speed", "ciuser", "cipassword", "citype", "ciupgrade",
	    "cicustom", "nameserver", "searchdomain", "sshkeys"};
	for (size_t i = 0; i < ARRAY_LEN(keys); i++)
		if (strcmp(key, keys[i]) == 0)
			return true;
	return is_net_slot(key) || strncmp(key, "ipconfig", 8) == 0;
}

/* Both texts have the same parts, but for those that PVE writes at once, seen by the guest or not.
 */
static bool differs_quietly(const char *a, const char *b)
{
	static const char *const quiet[] = {"backup", "replicate", "serial", "size", "mbps",
	    "mbps_max", "mbps_rd", "mbps_rd_max", "mbps_wr", "mbps_wr_max", "iops", "iops_max",
	    "iops_rd", "iops_rd_max", "iops_wr", "iops_wr_max", "bps_max_length",
	    "bps_rd_max_length", "bps_wr_max_length", "iops_max_length", "iops_rd_max_length",
	    "iops_wr_max_length", "detect_zeroes", "rerror", "werror", "shared", "snapshot",
	    "scsiblock", "wwn", "model"};
	struct propstr x = {0}, y = {0};
	bool same = propstr_parse(a, &x, NULL) == 0 && propstr_parse(b, &y, NULL) == 0;

	for (size_t i = 0; same && i < ARRAY_LEN(quiet); i++) {
		propstr_del(&x, quiet[i]);
		propstr_del(&y, quiet[i]);
	}
	same = same && x.n == y.n && text_eq(propstr_lead(&x), propstr_lead(&y));
	for (size_t i = 0; same && i < x.n; i++)
		same = !x.v[i].key || text_eq(x.v[i].value, propstr_get(&y, x.v[i].key));
	propstr_fini(&x);
	propstr_fini(&y);
	return same;
}

/* Of the agent, the trimming alone is looked at anew. */
static bool is_only_trim(const char *a, const char *b)
{
	struct propstr x = {0}, y = {0};
	bool same = a && b && propstr_parse(a, &x, NULL) == 0 && propstr_parse(b, &y, NULL) == 0;
	if (same) {
		propstr_del(&x, "fstrim_cloned_disks");
		propstr_del(&y, "fstrim_cloned_disks");
		char *p = propstr_print(&x), *q = propstr_print(&y);
		same = strcmp(p, q) == 0;
		free(p);
		free(q);
	}
	propstr_fini(&x);
	propstr_fini(&y);
	return same;
}

static bool switches_now(const struct planmodel *m, const char *key, const char *text)
{
	const char *was = kv_get(&m->guest.current, key);
	const char *plugs = kv_get(&m->guest.current, "hotplug");
	if (strcmp(key, "agent") == 0)
		return is_only_trim(was, text);
	if (strcmp(key, "hotplug") == 0)
		return !(was && (strstr(was, "cpu") || strstr(was, "memory"))) &&
		       !(text && (strstr(text, "cpu") || strstr(text, "memory")));
	if (strcmp(key, "tablet") == 0)
		return !plugs || strcmp(plugs, "1") == 0 || strstr(plugs, "usb");
	return false;
}

/* A running guest takes this text at once. */
static bool takes_now(const struct planmodel *m, const char *key, const char *text)
{
	if (m->guest.power != OBS_POWER_RUNNING || is_live_key(key))
		return true;
	if (strcmp(key, "balloon") == 0) {
		const char *was = kv_get(&m->guest.current, key);
		return !text_eq(was, "0") == !text_eq(text, "0"); /* 0 is no device */
	}
	if (!is_disk_slot(key))
		return switches_now(m, key, text);
	bool plugs = strncmp(key, "scsi", 4) == 0 || strncmp(key, "virtio", 6) == 0;
	bool there = kv_has(&m->guest.current, key);
	bool medium = text && strstr(text, "media=cdrom") && there;
	const char *now = kv_get(&m->guest.current, key);
	if (now && text && differs_quietly(now, text))
		return true;
	return medium || (plugs && (!there || !text));
}

static void set_unused(struct planmodel *m, const char *volume)
{
	for (unsigned i = 0;; i++) {
		char *key = mem_printf("unused%u", i);
		bool taken = kv_has(&m->guest.current, key);
		if (!taken) {
			kv_set(&m->guest.current, key, volume);
			kv_set(&m->guest.pending, key, volume);
		}
		free(key);
		if (!taken)
			return;
	}
}

static void forget_unused(struct planmodel *m, const char *volume)
{
	struct kv all = {0};
	kv_copy(&all, &m->guest.current);
	KV_FOREACH (item, &all)
		if (strncmp(item->key, "unused", 6) == 0 && text_eq(item->value, volume)) {
			kv_del(&m->guest.current, item->key);
			kv_del(&m->guest.pending, item->key);
		}
	kv_fini(&all);
}

/* The volume that leaves a slot in force becomes unused, the one that comes is no longer. */
static void swap_volume(struct planmodel *m, const char *key, const char *text)
{
	struct drive old = {0}, new = {0};
	const char *was = kv_get(&m->guest.current, key);
	bool had = was && drive_parse(was, &old, NULL) == 0 && is_volume(old.volume);
	bool has = text && drive_parse(text, &new, NULL) == 0 && is_volume(new.volume);
	if (had && (!has || !text_eq(old.volume, new.volume)))
		set_unused(m, old.volume);
	if (has)
		forget_unused(m, new.volume);
	drive_fini(&old);
	drive_fini(&new);
}

static char *write_key(struct planmodel *m, const char *key, const char *text)
{
	char *settled, *wrong = NULL;
	int64_t units;

	if (is_disk_slot(key))
		settled = settle_drive(m, text, &wrong);
	else if (is_net_slot(key))
		settled = settle_nic(m, text);
	else if (strcmp(key, "cpuunits") == 0 && text_to_int(text, 0, INT64_MAX, &units) == 0 &&
		 units > 10000)
		settled = mem_strdup("10000");
	else
		settled = mem_strdup(text);
	kv_set(&m->guest.pending, key, settled);
	if (takes_now(m, key, settled)) {
		if (is_disk_slot(key))
			swap_volume(m, key, settled);
		kv_set(&m->guest.current, key, settled);
	}
	free(settled);
	return wrong;
}

static char *delete_key(struct planmodel *m, const char *key)
{
	if (!kv_has(&m->guest.pending, key))
		return mem_printf("%s is deleted and not there", key);
	kv_del(&m->guest.pending, key);
	if (takes_now(m, key, NULL)) {
		if (is_disk_slot(key))
			swap_volume(m, key, NULL);
		kv_del(&m->guest.current, key);
	}
	return NULL;
}

static char *configure(struct planmodel *m, const struct step *s)
{
	char *wrong = NULL;
	for (size_t i = 0; !wrong && i < s->del.n; i++)
		wrong = delete_key(m, s->del.v[i]);
	for (size_t i = 0; !wrong && i < s->set.n; i++)
		wrong = write_key(m, s->set.v[i].key, s->set.v[i].value);
	return wrong;
}

/* Moves and resizes touch what is in force; a pending text of the slot stays as it is. */
static char *rework(struct planmodel *m, const struct step *s)
{
	const char *was = kv_get(&m->guest.current, s->slot);
	struct propstr p = {0};
	struct drive d = {0};
	char *wrong = NULL;

	if (!was || drive_parse(was, &d, NULL) < 0 || propstr_parse(was, &p, NULL) < 0) {
		propstr_fini(&p);
		return mem_printf("%s has no disk", s->slot);
	}
	bool waits = !text_eq(was, kv_get(&m->guest.pending, s->slot));
	uint64_t bytes = s->kind == STEP_RESIZE ? s->size_gb * GIB : d.bytes;
	char *size = size_text(bytes);
	if (bytes < d.bytes) {
		wrong = mem_printf("%s would shrink", s->slot);
	} else if (s->kind == STEP_MOVE) {
		if (text_eq(s->storage, d.storage) && !s->format)
			wrong = mem_strdup("moved to where it is");
		char *volume = new_volume(m, s->storage, bytes);
		kv_del(&m->volumes, d.volume);
		propstr_set_lead(&p, volume);
		free(volume);
	} else {
		kv_setf(&m->volumes, d.volume, "%llu", (unsigned long long)bytes);
	}
	propstr_set(&p, "size", size);
	char *text = propstr_print(&p);
	kv_set(&m->guest.current, s->slot, text);
	if (!waits)
		kv_set(&m->guest.pending, s->slot, text);
	free(text);
	free(size);
	propstr_fini(&p);
	drive_fini(&d);
	return wrong;
}

static void clone(struct planmodel *m, const struct plan_input *in)
{
	static const char nonce[] = "00112233445566ff";
	const struct obs_guest *src = in->source;
	const struct leaf *l = resource_find(in->want, ATTR_description, NULL);
	const char *text = kv_get(&src->current, "description");
	char *joined = NULL;
	const struct marker mark = {.controller = (char *)(uintptr_t)in->policy->controller_id,
	    .name = in->want->name,
	    .vmid = m->guest.vmid,
	    .nonce = (char *)(uintptr_t)nonce};

	KV_FOREACH (item, &src->current) {
		if (is_disk_slot(item->key)) {
			struct drive d = {0};
			struct propstr p = {0};
			MUST(drive_parse(item->value, &d, NULL) == 0);
			MUST(propstr_parse(item->value, &p, NULL) == 0);
			if (is_volume(d.volume)) {
				char *volume = new_volume(m, d.storage, d.bytes);
				propstr_set_lead(&p, volume);
				free(volume);
			}
			char *out = propstr_print(&p);
			kv_set(&m->guest.current, item->key, out);
			free(out);
			propstr_fini(&p);
			drive_fini(&d);
		} else if (is_net_slot(item->key)) {
			/* "MODEL=ADDRESS,…" with another address */
			char *nic = mem_printf("%.*s%s", (int)strcspn(item->value, "="),
			    item->value, strchr(item->value, ','));
			char *settled = settle_nic(m, nic);
			kv_set(&m->guest.current, item->key, settled);
			free(nic);
			free(settled);
		} else {
			kv_set(&m->guest.current, item->key, item->value);
		}
	}
	if (l)
		text = l->value.type == VALUE_STR ? l->value.s : "";
	MUST(marker_join(text, &mark, &joined, NULL) == 0);
	kv_set(&m->guest.current, "description", joined);
	free(joined);
	l = resource_find(in->want, ATTR_name, NULL);
	kv_set(&m->guest.current, "name",
	    l && l->value.type == VALUE_STR ? l->value.s : in->want->name);
	kv_fini(&m->guest.pending);
	kv_copy(&m->guest.pending, &m->guest.current);
	m->exists = true;
}

char *planmodel_restart(struct planmodel *m)
{
	struct kv was = {0};
	char *wrong = NULL;

	kv_copy(&was, &m->guest.current);
	KV_FOREACH (item, &was)
		if (is_disk_slot(item->key))
			swap_volume(m, item->key, kv_get(&m->guest.pending, item->key));
	KV_FOREACH (item, &m->guest.pending)
		if (is_disk_slot(item->key)) {
			struct drive d = {0};
			if (drive_parse(item->value, &d, NULL) == 0 && is_volume(d.volume) &&
			    !kv_has(&m->volumes, d.volume) && !wrong)
				wrong = mem_printf(
				    "%s hangs on the lost volume %s", item->key, d.volume);
			drive_fini(&d);
		}
	kv_fini(&m->guest.current);
	kv_copy(&m->guest.current, &m->guest.pending);
	kv_fini(&was);
	m->guest.started_s = 1000 + 1000 * (int64_t)++m->next_boot;
	return wrong;
}

static void set_power(struct planmodel *m, enum obs_power power)
{
	m->guest.power = power;
	mem_replace(&m->guest.power_word, power == OBS_POWER_RUNNING ? "running" : "stopped");
}

/* The disks of a template, or one of them, get the names of base images. */
static void make_bases(struct planmodel *m, struct kv *conf, const char *slot)
{
	struct kv next = {0};

	KV_FOREACH (item, conf) {
		const char *at = strstr(item->value, ":vm-");
		if (!is_disk_slot(item->key) || !at || strstr(item->value, "media=cdrom") ||
		    (slot && strcmp(slot, item->key) != 0))
			continue;
		char *text = mem_printf(
		    "%.*s:base-%s", (int)(at - item->value), item->value, at + strlen(":vm-"));
		kv_set(&next, item->key, text);
		free(text);
	}
	KV_FOREACH (item, &next)
		kv_set(conf, item->key, item->value);
	kv_fini(&next);
	adopt_from(m, conf);
}

char *planmodel_apply(struct planmodel *m, const struct step *s, const struct plan_input *in)
{
	char *wrong;

	switch (s->kind) {
	case STEP_CLONE:
		clone(m, in);
		return NULL;
	case STEP_MOVE:
	case STEP_RESIZE:
		return rework(m, s);
	case STEP_CONFIG:
		return configure(m, s);
	case STEP_POOL:
		mem_replace(&m->guest.pool, s->pool);
		return NULL;
	case STEP_TEMPLATE:
		if (m->guest.power != OBS_POWER_STOPPED)
			return mem_strdup("a running guest cannot become a template");
		m->guest.template = true;
		make_bases(m, &m->guest.current, s->slot);
		make_bases(m, &m->guest.pending, s->slot);
		return NULL;
	case STEP_START:
		set_power(m, OBS_POWER_RUNNING);
		return planmodel_restart(m);
	case STEP_SHUTDOWN:
		set_power(m, OBS_POWER_STOPPED);
		return NULL;
	case STEP_REBOOT:
		wrong = planmodel_restart(m);
		return wrong;
	case STEP_STOP:
	case STEP_DESTROY:
	case STEP_MIGRATE:
	case STEP_KIND__MAX:
		break;
	}
	return mem_printf("the model does not know %s", step_kind_word(s->kind));
}

void planmodel_observe(struct planmodel *m)
{
	struct obs_guest *g = &m->guest;
	strs_fini(&g->pending_keys);
	KV_FOREACH (item, &g->current)
		if (!text_eq(item->value, kv_get(&g->pending, item->key)))
			strs_add(&g->pending_keys, item->key);
	KV_FOREACH (item, &g->pending)
		if (!kv_has(&g->current, item->key))
			strs_add(&g->pending_keys, item->key);
	strs_sort_unique(&g->pending_keys);
}
