#include "rowcases.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "pvekeys.h"
#include "support_plangen.h"

#define SOURCE_BASE 5000

struct stage *stage;

void rowcase_complain(const struct rowcase *c, const char *fmt, ...)
{
	char text[600];
	va_list ap;
	const struct vmstat *s = world_vmstat(stage->w, c->name);

	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	print_error("%s, %s, %s it (%s %lld): %s [%s %s]\n", c->path,
	    stage->running ? "running" : "stopped", c->has ? "with" : "without", c->name,
	    (long long)c->vmid, text, s ? reason_word(s->reason) : "?",
	    s && s->message ? s->message : "");
	stage->wrong++;
}

/* ---- values ---- */

static bool is_fit(const struct attr *a, const struct value *v)
{
	static const enum attr_id counts[] = {ATTR_cpu_vcpus, ATTR_memory_balloon};

	if (a->id == counts[0])
		return v->i <= 8;
	if (a->id == counts[1])
		return v->i > 0 && v->i <= 2048;
	if (a->id == ATTR_network_mtu)
		return v->i >= 576;
	if (a->id == ATTR_memory_size)
		return v->i >= 2048 && v->i <= 8192;
	if (a->codec == CODEC_CDROM)
		return !text_eq(v->s, "cdrom");
	if (a->codec == CODEC_BOOT)
		return v->set.n > 0 && !strs_has(&v->set, "usb1");
	if (a->flags & ATTR_ROOT_DEVICE)
		return text_eq(v->s, "socket") || text_eq(v->s, "spice") ||
		       a->id == ATTR_hostpci_id;
	return true;
}

static bool is_same(const struct attr *a, const struct value *x, const struct value *y)
{
	_cleanup_value_ struct value p = {0}, q = {0};
	static const struct codec_env env = {.tag = "ramet", .suspend_tag = "ramet-suspend"};
	pvecodec_want(a, x, &env, &p);
	pvecodec_want(a, y, &env, &q);
	return pvecodec_same(a, &p, &q);
}

static bool draw(
    const struct attr *a, const struct value * not, const struct value *nor, struct value *ret)
{
	static const struct value null = {.type = VALUE_NULL};

	for (int i = 0; i < 400; i++) {
		plangen_value(a, ret);
		if (a->id == ATTR_memory_size)
			ret->i = 2048 + 512 * plangen_below(12);
		/* Beside 2 sockets or 4 cores; the node has 128 of them. */
		if (a->id == ATTR_cpu_sockets || a->id == ATTR_cpu_cores)
			ret->i = 1 + plangen_below(32);
		if (a->id == ATTR_network_mtu)
			ret->i = 1000 + plangen_below(300);
		if (is_fit(a, ret) && !is_same(a, ret, &null) && (!not || !is_same(a, ret, not )) &&
		    (!nor || !is_same(a, ret, nor)))
			return true;
		value_fini(ret);
	}
	return false;
}

/* ---- cases ---- */

static void set_slot(struct rowcase *c)
{
	const struct attr_block *b = schema_slot_block(c->a);
	_cleanup_str_ char *word = b ? form_slot_word(b->slot_format) : NULL;

	if (!b)
		return;
	if (word)
		(void)snprintf(c->slot, sizeof(c->slot), "%.*s0", (int)strlen(word) - 1, word);
	else
		(void)snprintf(c->slot, sizeof(c->slot), "%s",
		    b->slot_format == FMT_CDROM_SLOT ? "ide2"
		    : c->a->id == ATTR_disk_model    ? "ide0"
						     : "scsi0");
}

const char *rowcase_slot(const struct rowcase *c)
{
	return *c->slot ? c->slot : NULL;
}

bool rowcase_is_too_new(const struct attr *a)
{
	int major, minor;
	return stage->w->seed % 2 == 0 && pvekeys_since(a, &major, &minor) && major > 8; /* 8.4 */
}

/* What the row's device is nothing without. */
static const struct attr *core_of(const struct attr *a)
{
	if (a->flags & ATTR_CORE)
		return a; /* a device is one thing or another */
	if (text_starts(a->path, "hostpci."))
		return schema_attr(ATTR_hostpci_mapping); /* the token may not touch others */
	size_t block = (size_t)(schema_key(a) - a->path);
	for (int i = 0; block && i < ATTR_ID__MAX; i++) {
		const struct attr *core = schema_attr((enum attr_id)i);
		if ((core->flags & ATTR_CORE) && strncmp(core->path, a->path, block) == 0)
			return core;
	}
	return NULL;
}

static void add_companion_keys(struct kv *conf, const struct rowcase *c)
{
	const char *limits = plangen_limits_beside(c->a->id);

	if (limits)
		kv_setf(conf, c->slot, "ceph:1,backup=1,%s", limits);
	if (c->a->id == ATTR_init_ipv4_gateway)
		kv_set(conf, c->slot, "ip=10.9.0.2/24");
	else if (c->a->id == ATTR_init_ipv6_gateway)
		kv_set(conf, c->slot, "ip6=fd09::2/64");
	else if (c->a->id == ATTR_rng_period) /* may be 0 beside no limit */
		kv_set(conf, "rng0", "/dev/urandom,max_bytes=0");
	else if (text_starts(c->a->path, "rng."))
		kv_set(conf, "rng0", "/dev/urandom");
	else if (c->a->id == ATTR_memory_hugepages)
		kv_set(conf, "numa", "1");
	else if (c->a->id == ATTR_hostpci_legacy_igd) /* beside no other display */
		kv_set(conf, "vga", "none");
	else if (c->a->id == ATTR_viommu ||
		 c->a->id ==
		     ATTR_hostpci_pcie) /* one of its two kinds goes with no other machine */
		kv_set(conf, "machine", "q35");
	else if (c->a->id == ATTR_aw_bits) /* the width of its addresses */
		kv_set(conf, "machine", "q35,viommu=virtio");
	else if (text_starts(c->a->path, "intel_tdx.") &&
		 (c->has || c->a->id != ATTR_intel_tdx_type))
		kv_set(conf, "intel-tdx", "tdx,attestation=1");
}

static void make_source(struct rowcase *c)
{
	_cleanup_kv_ struct kv conf = {0};
	_cleanup_err_ struct err *e = NULL;
	const struct attr *core = core_of(c->a);
	static const char *const lines[][2] = {{"cores", "4"}, {"sockets", "2"}, {"memory", "4096"},
	    {"scsihw", "virtio-scsi-single"}, {"ostype", "l26"}, {"boot", "order=scsi0"},
	    {"scsi0", "ceph:1,backup=1"}, {"ide0", "ceph:1,backup=1"}, {"ide2", "none,media=cdrom"},
	    {"net0", "virtio,bridge=vmbr0,mtu=1400"}, {"cpu", "kvm64,hidden=1"}};

	for (size_t i = 0; i < ARRAY_LEN(lines); i++)
		kv_set(&conf, lines[i][0], lines[i][1]);
	/* Not the manifest's own: a VM of that name would be asked about before anything is cloned.
	 */
	kv_setf(&conf, "name", "source-%s", c->name);
	if (core && core != c->a) {
		_cleanup_value_ struct value v = {0};
		assert_int_equal(schema_parse_value(core, core->example, &v), 0);
		assert_int_equal(pvecodec_put(core, rowcase_slot(c), &v, &conf, NULL, NULL), 0);
	}
	add_companion_keys(&conf, c);
	if (c->has)
		assert_int_equal(
		    pvecodec_put(c->a, rowcase_slot(c), &c->first, &conf, NULL, NULL), 0);
	if (sim_human_create(stage->w->sim, c->source, "pve1", "root@pam", &conf, &e) < 0)
		rowcase_complain(c, "its source cannot be made: %s", err_msg(e));
}

static void add_case(const struct attr *a, bool has)
{
	struct rowcase *c = &stage->v[stage->n];
	static const struct value null = {.type = VALUE_NULL};

	*c = (struct rowcase){.a = a, .has = has, .source = SOURCE_BASE + (int64_t)stage->n};
	c->blocked =
	    (a->flags & ATTR_ROOT_ONLY) || a->id == ATTR_hostpci_id || rowcase_is_too_new(a);
	/* A device passed through by its address is not even cloned by anybody but root. */
	if (has && (rowcase_is_too_new(a) || a->id == ATTR_hostpci_id))
		return;
	set_slot(c);
	(void)snprintf(c->name, sizeof(c->name), "r%zu", stage->n);
	c->path = schema_path(a, rowcase_slot(c));
	plangen_seed((uint64_t)a->id + 77);
	assert_true(draw(a, NULL, NULL, &c->first));
	c->one = !draw(a, &c->first, NULL, &c->wanted);
	if (c->one)
		value_copy(&c->wanted, &c->first);
	if (c->one)
		value_copy(&c->hand, &null);
	else if (!draw(a, &c->wanted, &c->first, &c->hand))
		value_copy(&c->hand, c->blocked ? &c->wanted : &c->first);
	stage->n++;
	make_source(c);
}

void rowcase_add_all(void)
{
	for (int i = 0; i < ATTR_ID__MAX; i++) {
		const struct attr *a = schema_attr((enum attr_id)i);
		if (!plangen_is_leaf_of_guest(a))
			continue;
		add_case(a, false);
		add_case(a, true);
	}
}

void rowcase_free_all(void)
{
	for (size_t i = 0; i < stage->n; i++) {
		free(stage->v[i].path);
		value_fini(&stage->v[i].first);
		value_fini(&stage->v[i].wanted);
		value_fini(&stage->v[i].hand);
	}
}
