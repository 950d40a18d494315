/*
 * The life of one leaf, for every row of the table that is written by its value: from a guest that
 * has it and one that has not, stopped and running. Set, changed by hand, corrected, taken out of
 * the manifest, null. After each write nothing else has changed.
 */
#include "../unit/plan/support.h"

#include "support_plangen.h"
#include "support_planmodel.h"

#define CONF                                                                        \
	"boot: order=scsi0\ndescription: " MARKER "\ncpu: kvm64,hidden=1\n"         \
	"ide2: local:iso/a.iso,media=cdrom\nname: web-01\nrng0: /dev/urandom,x=1\n" \
	"net0: virtio=" MAC0 ",bridge=vmbr0,host-tunnel=1\n"                        \
	"scsi0: local-lvm:vm-1204-disk-0,zz=5,size=32G\nzork: keep\n"

struct row {
	const struct attr *a;
	const char *slot;
	bool running, has;
	struct scene s;
	struct planmodel m;
};

static const char *slot_of(const struct attr *a)
{
	static char kept[32];
	const struct attr_block *b = schema_slot_block(a);
	if (!b)
		return NULL;
	char *word = form_slot_word(b->slot_format);
	if (!word)
		return b->slot_format == FMT_CDROM_SLOT ? "ide2" : "scsi0";
	(void)snprintf(kept, sizeof(kept), "%.*s0", (int)strlen(word) - 1, word);
	free(word);
	return kept;
}

static void where(const struct row *r, const char *what)
{
	fail_msg("%s, %s guest, %s it: %s", r->a->path, r->running ? "running" : "stopped",
	    r->has ? "with" : "without", what);
}

/* A manifest with this leaf alone; NULL = without it. */
static void set_manifest(struct row *r, const struct value *v)
{
	resource_free(&r->s.want);
	struct resource *m = resource_draft(
	    "web-01", "node_name = pve1\nclone.source_vm_id = 9000\nmax_disruption = hotplug\n");
	if (v) {
		m->leaves = realloc(m->leaves, (m->n_leaves + 1) * sizeof(*m->leaves));
		struct leaf *l = &m->leaves[m->n_leaves++];
		*l = (struct leaf){.attr = r->a, .slot = mem_strdup(r->slot)};
		value_copy(&l->value, v);
	}
	if (r->slot) {
		_cleanup_str_ char *device =
		    mem_printf("%.*s%s", (int)strcspn(r->a->path, "*"), r->a->path, r->slot);
		strs_add(&m->slots, device);
	}
	resource_seal(m);
	r->s.want = m;
	r->s.in.want = m;
}

static const struct plan *look(struct row *r)
{
	planmodel_observe(&r->m);
	r->s.in.guest = &r->m.guest;
	const struct plan *p = scene_plan(&r->s);
	record_fini(&r->s.record);
	record_copy(&r->s.record, &p->learned);
	return p;
}

/* Other keys have their text, other parts of this key theirs. */
static void expect_others_kept(
    const struct row *r, const struct kv *before, const struct kv *after, const char *what)
{
	const char *key = pvecodec_key(r->a, r->slot);

	for (int i = 0; i < 2; i++) {
		const struct kv *x = i == 0 ? before : after, *y = i == 0 ? after : before;
		KV_FOREACH (item, x)
			if (strcmp(item->key, key) != 0 &&
			    !text_eq(item->value, kv_get(y, item->key)))
				where(r, mem_printf("%s: %s changed", what, item->key));
	}
	const char *old = kv_get(before, key), *new = kv_get(after, key);
	static const char *const kept[] = {",hidden=1", ",host-tunnel=1", ",zz=5", ",x=1", MAC0};
	for (size_t i = 0; old && i < ARRAY_LEN(kept); i++)
		if (strstr(old, kept[i]) && (!new || !strstr(new, kept[i])) &&
		    r->a->codec != CODEC_NIC_MAC)
			where(r, mem_printf("%s: %s lost %s", what, key, kept[i]));
}

/* Carries out what is planned; at most one configuration step, or two where PVE stores otherwise.
 */
static void settle(struct row *r, const char *what)
{
	const struct plan *p = look(r);
	for (int i = 0; p->verdict == PLAN_ACT; i++) {
		struct kv before = {0};
		if (i == 2 || p->n_steps != 1 || p->steps[0].kind != STEP_CONFIG)
			where(r, mem_printf("%s: %s", what, p->message));
		kv_copy(&before, &r->m.guest.pending);
		plan_note_step(p, &r->s.in, &r->s.record);
		char *wrong = planmodel_apply(&r->m, &p->steps[0], &r->s.in);
		if (wrong)
			where(r, wrong);
		expect_others_kept(r, &before, &r->m.guest.pending, what);
		kv_fini(&before);
		plan_learn_step(p, 0, &r->s.in, &r->m.guest, &r->s.record);
		p = look(r);
	}
	if (p->verdict != PLAN_IN_SYNC)
		where(r, mem_printf("%s: %s %s", what, reason_word(p->reason), p->message));
}

/* Where it is in force at once and where it waits is a matter of class and guest. */
static void expect_effect(struct row *r, bool waits, const char *what)
{
	bool told = r->s.plan.reason == REASON_PENDING_REBOOT;
	if (told != waits)
		where(r, mem_printf("%s: %s", what, told ? "waits" : "does not wait"));
}

static void restart(struct row *r)
{
	char *wrong = planmodel_restart(&r->m);
	if (wrong)
		where(r, wrong);
}

static void expect_in_force(struct row *r, const struct value *want, const char *what)
{
	_cleanup_value_ struct value now = {0}, wanted = {0};
	const struct codec_env *env = &r->s.policy.env;
	_cleanup_str_ char *path = schema_path(r->a, r->slot);
	pvecodec_want(r->a, want, env, &wanted);
	assert_int_equal(pvecodec_get(r->a, r->slot, &r->m.guest.current, env, &now, NULL), 0);
	bool stored = kv_has(&r->s.record.stored, path);
	if (!stored && !pvecodec_same(r->a, &wanted, &now))
		where(r, what);
}

static void by_hand(struct row *r, const struct value *v)
{
	struct kv *q = &r->m.guest.pending;
	assert_int_equal(pvecodec_put(r->a, r->slot, v, q, &r->s.policy.env, NULL), 0);
	kv_fini(&r->m.guest.current);
	kv_copy(&r->m.guest.current, q);
}

static bool differs(struct row *r, const struct value *a, const struct value *b)
{
	_cleanup_value_ struct value x = {0}, y = {0};
	pvecodec_want(r->a, a, &r->s.policy.env, &x);
	pvecodec_want(r->a, b, &r->s.policy.env, &y);
	return !pvecodec_same(r->a, &x, &y);
}

/* A value that is none of the two and none that the row has by default. */
static bool other_value(
    struct row *r, const struct value *a, const struct value *b, struct value *ret)
{
	static const struct value null = {.type = VALUE_NULL};
	for (int i = 0; i < 200; i++) {
		plangen_value(r->a, ret);
		/* 0 of the balloon switches a device, which is another row of the table */
		bool zero = r->a->id == ATTR_memory_balloon && ret->i == 0;
		if (!zero && differs(r, ret, a) && (!b || differs(r, ret, b)) &&
		    differs(r, ret, &null))
			return true;
		value_fini(ret);
	}
	return false;
}

static bool should_wait(const struct row *r)
{
	return r->running &&
	       (r->a->class == CLASS_PENDING || r->a->class == CLASS_SILENT ||
		   (r->a->class == CLASS_HOTPLUG && strcmp(r->a->hotplug, "network") &&
		       r->a->id != ATTR_tablet_device));
}

/* What a row goes together with. */
static const struct {
	enum attr_id id;
	const char *key, *text;
} beside[] = {{ATTR_memory_balloon, "memory", "268435456"}, {ATTR_cpu_vcpus, "sockets", "65536"},
    {ATTR_viommu, "machine", "q35"}, {ATTR_aw_bits, "machine", "q35,viommu=virtio"},
    {ATTR_boot_order, "usb1", "spice"}, {ATTR_hostpci_pcie, "machine", "q35"},
    {ATTR_memory_hugepages, "numa", "1"}, {ATTR_rng_period, "rng0", "/dev/urandom,max_bytes=0"},
    {ATTR_hostpci_legacy_igd, "vga", "none"}, {ATTR_hostpci_legacy_igd, "hostpci0", "mapping=igd"},
    {ATTR_init_ipv4_gateway, "ipconfig0", "ip=10.0.0.5/24"},
    {ATTR_init_ipv6_gateway, "ipconfig0", "ip6=fd00::5/64"}};

static void open_row(struct row *r)
{
	scene_open(&r->s, "");
	r->s.policy.token_is_root = true;
	r->s.policy.env.tag = "";
	conf_from(&r->m.guest.current, CONF);
	r->m.guest.vmid = 1204;
	r->m.guest.node = mem_strdup("pve1");
	r->m.guest.uuid = mem_strdup(UUID);
	r->m.guest.power = r->running ? OBS_POWER_RUNNING : OBS_POWER_STOPPED;
	r->m.guest.power_word = mem_strdup(r->running ? "running" : "stopped");
	r->m.guest.started_s = 1000;
	r->m.exists = true;
	if (r->a->id == ATTR_memory_balloon)
		kv_set(&r->m.guest.current, "balloon", "64");
	for (size_t i = 0; i < ARRAY_LEN(beside); i++)
		if (beside[i].id == r->a->id)
			kv_set(&r->m.guest.current, beside[i].key, beside[i].text);
	const char *limits = plangen_limits_beside(r->a->id);
	if (limits)
		kv_setf(&r->m.guest.current, "scsi0", "local-lvm:vm-1204-disk-0,zz=5,%s,size=32G",
		    limits);
}

/* What the row's device is nothing without, unless that is the row itself. */
static void make_device(struct row *r)
{
	size_t block = (size_t)(schema_key(r->a) - r->a->path);
	bool is_core = r->a->flags & ATTR_CORE;

	if (is_core || kv_has(&r->m.guest.current, pvecodec_key(r->a, r->slot)))
		return;
	for (unsigned i = 0; block && i < ATTR_ID__MAX; i++) {
		const struct attr *core = schema_attr(i);
		_cleanup_value_ struct value v = {0};
		if (!(core->flags & ATTR_CORE) || strncmp(core->path, r->a->path, block) != 0)
			continue;
		assert_int_equal(schema_parse_value(core, core->example, &v), 0);
		assert_int_equal(
		    pvecodec_put(core, r->slot, &v, &r->m.guest.current, NULL, NULL), 0);
		return;
	}
}

/* What an order of devices names has to be there. */
static void have_devices(struct row *r, const struct value *order)
{
	for (size_t i = 0; r->a->codec == CODEC_BOOT && i < order->set.n; i++) {
		if (kv_has(&r->m.guest.current, order->set.v[i]))
			continue;
		kv_set(&r->m.guest.current, order->set.v[i], "none");
		kv_set(&r->m.guest.pending, order->set.v[i], "none");
	}
}

static void live(struct row *r)
{
	_cleanup_value_ struct value first = {0}, wanted = {0}, hand = {0};
	static const struct value null = {.type = VALUE_NULL};
	_cleanup_str_ char *path = schema_path(r->a, r->slot);

	open_row(r);
	make_device(r);
	kv_copy(&r->m.guest.pending, &r->m.guest.current);
	assert_true(other_value(r, &null, NULL, &first));
	if (r->has)
		by_hand(r, &first);
	planmodel_adopt_volumes(&r->m);
	bool wide = other_value(r, &first, NULL, &wanted);
	if (!wide) /* a row with one value only */
		value_copy(&wanted, &first);
	have_devices(r, &wanted);

	set_manifest(r, &wanted);
	settle(r, "set");
	if (wide || !r->has)
		expect_effect(r, should_wait(r), "set");
	restart(r);
	settle(r, "restarted");
	expect_effect(r, false, "restarted");
	expect_in_force(r, &wanted, "the wanted value is not in force");

	if (other_value(r, &wanted, NULL, &hand)) {
		by_hand(r, &hand);
		const struct plan *p = look(r);
		if (p->n_changes != 1 || strcmp(p->changes[0].path, path) != 0 ||
		    !p->changes[0].drift || p->reason != REASON_CORRECTING)
			where(r, "a hand edit is not told as drift of this leaf alone");
		settle(r, "corrected");
		restart(r);
		settle(r, "corrected and restarted");
		expect_in_force(r, &wanted, "the drift was not corrected");
		by_hand(r, &hand);
	}
	set_manifest(r, NULL);
	const struct plan *p = look(r);
	if (p->verdict != PLAN_IN_SYNC || p->n_changes)
		where(r, "it is taken out of the manifest and still looked at");
	if (r->a->flags & ATTR_NULLABLE) {
		set_manifest(r, &null);
		settle(r, "null");
		restart(r);
		settle(r, "null and restarted");
		expect_in_force(r, &null, "null did not take it away");
	}
	scene_close(&r->s);
	planmodel_fini(&r->m);
}

static void every_row(void **state)
{
	unsigned rows = 0;
	(void)state;
	plangen_seed(7);
	for (unsigned i = 0; i < ATTR_ID__MAX; i++) {
		const struct attr *a = schema_attr(i);
		if (!plangen_is_leaf_of_guest(a))
			continue;
		rows++;
		for (int k = 0; k < 4; k++) {
			struct row r = {.a = a, .slot = slot_of(a), .running = k & 1, .has = k & 2};
			live(&r);
		}
	}
	assert_true(rows >= 40);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(every_row)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
