#include "sim_prop.h"

#include <ctype.h>
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "sim_mutant.h"
#include "sim_schema.h"

static const struct {
	const char *name;
	char kind;
	int n;
} buses[] = {{"ide", 'i', 4}, {"sata", 's', 6}, {"scsi", 'c', 31}, {"virtio", 'v', 16}};

char prop_kind(const char *key)
{
	for (size_t i = 0; i < ARRAY_LEN(buses); i++) {
		const char *num = text_after(key, buses[i].name);
		int64_t v;

		if (num && isdigit((unsigned char)*num) && !(num[0] == '0' && num[1]) &&
		    !text_to_int(num, 0, buses[i].n - 1, &v))
			return buses[i].kind;
	}
	return 0;
}

bool prop_is_drive(const char *key)
{
	return prop_kind(key) || !strcmp(key, "efidisk0") || !strcmp(key, "tpmstate0");
}

static bool numbered(const char *key, const char *prefix, int max)
{
	const char *num = text_after(key, prefix);
	int64_t v;

	return num && isdigit((unsigned char)*num) && !text_to_int(num, 0, max, &v);
}

bool prop_is_unused(const char *key)
{
	return numbered(key, "unused", SIM_UNUSED_MAX - 1);
}

bool prop_is_net(const char *key)
{
	return numbered(key, "net", 31);
}

void drive_fini(struct drive *d)
{
	mem_free_str(&d->file);
	kv_fini(&d->opts);
}

static bool limit_set(const struct kv *opts, const char *base, const char *rest)
{
	_cleanup_str_ char *key = mem_printf("%s%s", base, rest);
	const char *v = kv_get(opts, key);

	return v && strtod(v, NULL) != 0;
}

/* One limit for all and one for a direction exclude each other; what bursts has a limit, and what
 * says how long it may has a burst. Nobody asks for the limit under a burst of operations. */
static bool limits_fit(const struct kv *opts)
{
	static const char *const ways[] = {"", "_rd", "_wr"};

	for (size_t i = 0; i < ARRAY_LEN(ways); i++) {
		_cleanup_str_ char *max = mem_printf("%s_max", ways[i]);
		_cleanup_str_ char *length = mem_printf("%s_max_length", ways[i]);

		if (*ways[i] &&
		    ((limit_set(opts, "mbps", "") && limit_set(opts, "mbps", ways[i])) ||
			(limit_set(opts, "iops", "") && limit_set(opts, "iops", ways[i]))))
			return false;
		if ((limit_set(opts, "mbps", max) && !limit_set(opts, "mbps", ways[i])) ||
		    (limit_set(opts, "bps", length) && !limit_set(opts, "mbps", max)) ||
		    (limit_set(opts, "iops", length) && !limit_set(opts, "iops", max)))
			return false;
	}
	return true;
}

bool drive_parse(const struct sim *s, const char *key, const char *text, struct drive *ret)
{
	const char *table = prop_kind(key) ? "disk" : prop_is_unused(key) ? "unused" : key;
	struct buf why;
	bool ok;

	*ret = (struct drive){0};
	buf_init(&why, 0);
	ok = schema_split(
	    &(struct sby){
		.table = schema_table(table), .path = key, .kind = prop_kind(key), .v9 = s->v9},
	    text, &ret->opts, &why);
	buf_fini(&why);
	if (!ok) {
		drive_fini(ret);
		return false;
	}
	ret->file = mem_strdup(kv_get(&ret->opts, "file"));
	kv_del(&ret->opts, "file");
	if (!limits_fit(&ret->opts)) {
		drive_fini(ret);
		return false;
	}
	if (!kv_has(&ret->opts, "media") &&
	    (!strcmp(ret->file, "none") || !strcmp(ret->file, "cdrom")))
		kv_set(&ret->opts, "media", "cdrom");
	return true;
}

char *drive_print(const struct drive *d)
{
	struct buf b;

	buf_init(&b, 0);
	buf_adds(&b, d->file);
	KV_FOREACH (i, &d->opts)
		buf_addf(&b, ",%s=%s", i->key, i->value);
	return buf_take(&b);
}

bool drive_is_cdrom(const struct drive *d)
{
	return text_eq(kv_get(&d->opts, "media"), "cdrom");
}

/* "cloudinit" or "vm-N-cloudinit", with the ending of an image or without, after the last ":" or
 * "/" and nothing else: what is only called alike is a disk or a disc as others. */
bool drive_is_cloudinit(const struct drive *d)
{
	static const char *const endings[] = {
	    "", ".raw", ".qcow", ".qcow2", ".qed", ".vmdk", ".cloop"};
	const char *file = d->file ? d->file : "", *slash = strrchr(file, '/'),
		   *colon = strrchr(file, ':'), *own, *end,
		   *name = slash && (!colon || slash > colon) ? slash : colon;

	if (!name)
		return false;
	name++;
	own = text_after(name, "vm-");
	if (own && isdigit((unsigned char)*own)) {
		own += strspn(own, "0123456789");
		if (*own++ != '-')
			return false;
		name = own;
	}
	end = text_after(name, "cloudinit");
	for (size_t i = 0; end && i < ARRAY_LEN(endings); i++)
		if (!strcmp(end, endings[i]))
			return true;
	return false;
}

bool value_is_cdrom(const struct sim *s, const char *key, const char *text)
{
	_cleanup_drive_ struct drive d;

	return drive_parse(s, key, text, &d) && drive_is_cdrom(&d);
}

bool net_parse(const struct sim *s, const char *key, const char *text, struct kv *ret)
{
	struct buf why;
	bool ok;

	*ret = (struct kv){0};
	buf_init(&why, 0);
	ok = schema_split(
	    &(struct sby){.table = schema_table("net"), .path = key, .v9 = s->v9}, text, ret, &why);
	buf_fini(&why);
	if (!ok)
		kv_fini(ret);
	return ok;
}

char *net_print(const struct kv *parts)
{
	struct buf b;
	const char *mac = kv_get(parts, "macaddr");

	buf_init(&b, 0);
	buf_adds(&b, kv_get(parts, "model"));
	if (mac)
		buf_addf(&b, "=%s", mac);
	KV_FOREACH (i, parts)
		if (strcmp(i->key, "model") != 0 && strcmp(i->key, "macaddr") != 0)
			buf_addf(&b, ",%s=%s", i->key, i->value);
	return buf_take(&b);
}

char *net_canonical(struct sim *s, const char *key, const char *text)
{
	_cleanup_kv_ struct kv parts = {0};

	if (!net_parse(s, key, text, &parts))
		return mem_strdup(text);
	if (!kv_has(&parts, "macaddr")) {
		_cleanup_str_ char *mac = sim_mac(s);

		kv_set(&parts, "macaddr", mac);
	}
	return net_print(&parts);
}

static const char size_units[] = "KMGT"; /* each 1024 of the one before */

int64_t size_parse(const char *text)
{
	const char *unit;
	char *end;
	double v;

	if (!text || !isdigit((unsigned char)*text))
		return -1;
	v = strtod(text, &end);
	unit = *end ? strchr(size_units, *end) : NULL;
	for (const char *p = size_units; unit && p <= unit; p++)
		v *= 1024;
	if (unit)
		end++;
	return *end || v > 9e18 ? -1 : (int64_t)v;
}

char *size_print(int64_t bytes)
{
	int64_t v = bytes;
	char unit = 0;

	for (size_t i = 0; i < 4 && v % 1024 == 0; i++) {
		v /= 1024;
		unit = size_units[i];
	}
	return unit ? mem_printf("%" PRId64 "%c", v, unit) : mem_printf("%" PRId64, v);
}

static bool style_has(const struct sim *s, const char *word)
{
	const char *style = kv_get(&s->options, "tag-style");

	return style && strstr(style, word);
}

static int by_bytes(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

char *tags_canonical(const struct sim *s, const char *text)
{
	_cleanup_strs_ struct strs in = {0}, out = {0};

	if (text_split(text, ",; \t\n", true, 1024, &in) < 0)
		return mem_strdup(text);
	for (size_t i = 0; i < in.n; i++) {
		char *t =
		    style_has(s, "case-sensitive=1") ? mem_strdup(in.v[i]) : text_lower(in.v[i]);

		if (strs_has(&out, t))
			free(t);
		else
			strs_add_take(&out, t);
	}
	if (!style_has(s, "ordering=config") && out.n)
		if (!MUTANT(TAGS_UNSORTED))
			qsort(out.v, out.n, sizeof(char *), by_bytes);
	return strs_join(&out, ";");
}

void boot_order(const char *value, struct strs *ret)
{
	const char *order = value ? strstr(value, "order=") : NULL;
	_cleanup_str_ char *list = NULL;

	*ret = (struct strs){0};
	if (!order || (order != value && order[-1] != ','))
		return;
	order += 6;
	list = mem_strndup(order, strcspn(order, ","));
	if (text_split(list, ";", true, 256, ret) < 0)
		*ret = (struct strs){0};
}

char *boot_print(const struct strs *order)
{
	_cleanup_str_ char *list = NULL;

	if (!order->n)
		return mem_strdup("");
	list = strs_join(order, ";");
	return mem_printf("order=%s", list);
}

int64_t memory_mib(const char *value)
{
	const char *p = value ? strstr(value, "current=") : NULL;
	int64_t v;
	_cleanup_str_ char *num = NULL;

	if (!value)
		return 512;
	p = p ? p + 8 : value;
	num = mem_strndup(p, strcspn(p, ","));
	v = strtoll(num, NULL, 10);
	return v > 0 ? v : 512;
}

static int64_t conf_int(const struct guest *g, const char *key, int64_t fallback)
{
	int64_t v;
	const char *s = kv_get(&g->conf, key);

	return s && !text_to_int(s, 0, INT64_MAX, &v) ? v : fallback;
}

int64_t guest_cpus(const struct guest *g)
{
	int64_t n = conf_int(g, "sockets", 1) * conf_int(g, "cores", 1);

	if (n > g->node->maxcpu)
		n = g->node->maxcpu;
	return conf_int(g, "vcpus", n);
}

int64_t guest_memory(const struct guest *g)
{
	return memory_mib(kv_get(&g->conf, "memory")) << 20;
}

static int64_t value_size(const char *value)
{
	const char *p = value;

	while ((p = strstr(p, "size="))) {
		if (p != value && p[-1] == ',') {
			_cleanup_str_ char *num = mem_strndup(p + 5, strcspn(p + 5, ","));

			return size_parse(num);
		}
		p += 5;
	}
	return 0;
}

/* The first disk that the guest boots from, else the first there is. */
int64_t guest_bootsize(const struct guest *g)
{
	_cleanup_strs_ struct strs order = {0};
	const char *bd = kv_get(&g->conf, "bootdisk");

	boot_order(kv_get(&g->conf, "boot"), &order);
	for (size_t i = 0; i < order.n; i++) {
		const char *v = kv_get(&g->conf, order.v[i]);

		if (v && prop_kind(order.v[i]) && !strstr(v, "media=cdrom"))
			return value_size(v);
	}
	if (bd && kv_get(&g->conf, bd))
		return value_size(kv_get(&g->conf, bd));
	return 0;
}
