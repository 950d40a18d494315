/*
 * Every row of the table that is written by its value, through the whole controller on the
 * simulated cluster: 8.4 and 9.2, stopped and running guests, cloned from a VM that has the leaf
 * and from one that has not. Set, in sync or pending as its class says, in sync after a restart;
 * changed by hand, told as drift of this leaf alone, corrected; taken out of the manifest, left
 * alone; an empty set, empty; null, absent; both held like a value. The journal of the cluster says
 * that no other key and no other part changed.
 */
#include "rowcases.h"
#include "rowlives.h"
#include "support_wire.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define HOUR_MS 3600000

enum phase {
	PHASE_CLONED, /* the leaf is not listed */
	PHASE_SET,    /* it is */
	PHASE_LEFT,   /* it is not listed any more */
	PHASE_EMPTY,  /* listed as a set without entries */
	PHASE_NULL,   /* listed as null */
};

/* ---- manifests ---- */

/* What the row needs beside it. */
static void add_companions(struct buf *b, const struct rowcase *c, const char *indent)
{
	if (c->a->id == ATTR_cpu_flags)
		buf_addf(b, "%stype: kvm64\n", indent);
	else if (c->a->id == ATTR_init_ipv4_gateway)
		buf_addf(b, "%saddress: 10.9.0.2/24\n", indent);
	else if (c->a->id == ATTR_init_ipv6_gateway)
		buf_addf(b, "%saddress: \"fd09::2/64\"\n", indent);
	else if (text_starts(c->a->path, "rng.") && !(c->a->flags & ATTR_REQUIRED))
		buf_addf(b, "%ssource: /dev/urandom\n", indent);
	else if (c->a->id == ATTR_intel_tdx_type)
		buf_addf(b, "%sattestation: true\n", indent);
}

static void add_leaf(struct buf *b, const struct rowcase *c, const struct value *v)
{
	_cleanup_str_ char *yaml = value_print_yaml(v);
	char indent[ROWLIVES_INDENT];

	rowlives_add_leaf(b, c->path, yaml, indent);
	add_companions(b, c, indent);
}

static const struct value *listed_in(const struct rowcase *c, enum phase p)
{
	static const struct value null = {.type = VALUE_NULL}, empty = {.type = VALUE_SET};

	switch (p) {
	case PHASE_SET:
		/* What the token may not change can still be what is there. */
		return c->blocked && c->has ? &c->first : &c->wanted;
	case PHASE_EMPTY:
		return c->a->type == ATTR_SET && !c->blocked ? &empty : NULL;
	case PHASE_NULL:
		return (c->a->flags & ATTR_NULLABLE) && !c->blocked ? &null : NULL;
	case PHASE_CLONED:
	case PHASE_LEFT:
		break;
	}
	return NULL;
}

static void commit(enum phase p)
{
	_cleanup_kv_ struct kv files = {0};
	static unsigned number;

	for (size_t i = 0; i < stage->n; i++) {
		struct rowcase *c = &stage->v[i];
		const struct value *v = listed_in(c, p);
		struct buf b;
		buf_init(&b, 0);
		buf_addf(&b,
		    "apiVersion: ramet.dev/v1\nkind: ClonedVM\nmetadata: { name: %s }\nspec:\n"
		    "  node_name: pve1\n  clone: { source_vm_id: %lld }\n",
		    c->name, (long long)c->source);
		/* An order about power is no part of what is looked at here. */
		if (p == PHASE_CLONED)
			buf_addf(&b, "  started: %s\n", stage->running ? "true" : "false");
		if (v)
			add_leaf(&b, c, v);
		_cleanup_str_ char *name = mem_printf("%s.yaml", c->name);
		kv_set(&files, name, buf_str(&b));
		buf_fini(&b);
		c->journal = sim_journal_len(stage->w->sim);
	}
	_cleanup_str_ char *subject = mem_printf("phase %u", ++number);
	memgit_commit(stage->w->git, &files, subject);
}

/* Asked after each event, answered once a second. */
static bool all_settled(struct world *w)
{
	static int64_t last;
	int64_t now = clock_now(w->clock);

	if (now >= last && now < last + 1000)
		return false;
	last = now;
	for (size_t i = 0; i < stage->n; i++) {
		const struct vmstat *s = world_vmstat(w, stage->v[i].name);
		if (!s || (s->verdict != PLAN_IN_SYNC && s->verdict != PLAN_STALLED))
			return false;
	}
	return true;
}

static void settle(void)
{
	world_run(stage->w, 200000, NULL, NULL); /* longer than Git and the log are asked */
	world_run(stage->w, 4LL * HOUR_MS, all_settled, NULL);
}

/* ---- what must be so ---- */

static bool is_own_part(const struct rowcase *c, const char *part)
{
	_cleanup_strs_ struct strs names = {0};
	_cleanup_str_ char *key = mem_strndup(part, strcspn(part, "="));

	if (!strchr(part, '='))
		return c->a->codec == CODEC_LEAD || c->a->codec == CODEC_CDROM;
	if (c->a->codec == CODEC_BASE64 && !text_eq(key, "uuid"))
		return true; /* the mark recodes the others */
	if (c->a->codec == CODEC_NIC_MAC || c->a->codec == CODEC_NIC_MODEL)
		return text_eq(key, "virtio") || strlen(part) - strlen(key) == 18;
	if (c->a->codec == CODEC_CDROM && text_eq(key, "size"))
		return true;
	return c->a->part && text_split(c->a->part, "|", true, 8, &names) == 0 &&
	       strs_has(&names, key);
}

static bool is_whole(const struct attr *a)
{
	return !a->part;
}

static void expect_parts_kept(const struct rowcase *c, const char *before, const char *after)
{
	_cleanup_strs_ struct strs old = {0}, new = {0};

	if (is_whole(c->a) || !before || !after)
		return;
	assert_int_equal(text_split(before, ",", true, 100, &old), 0);
	assert_int_equal(text_split(after, ",", true, 100, &new), 0);
	for (int k = 0; k < 2; k++) {
		const struct strs *x = k ? &new : &old, *y = k ? &old : &new;
		for (size_t i = 0; i < x->n; i++)
			if (!is_own_part(c, x->v[i]) && !strs_has(y, x->v[i]))
				rowcase_complain(
				    c, "another part changed: '%s' to '%s'", before, after);
	}
}

/* What PVE writes itself: a new drive for media can be booted from, a Windows guest keeps the
 * version of its machine, and a disk whose options wait is for a moment among the unused ones. */
static bool follows(const struct rowcase *c, const char *key)
{
	return (c->a->codec == CODEC_CDROM && text_eq(key, "boot")) ||
	       (text_starts(c->a->path, "disk.") && text_starts(key, "unused")) ||
	       (c->a->id == ATTR_operating_system_type && text_eq(key, "machine"));
}

/* Nothing but the row's key was written, and of it only the row's part; or nothing at all. */
static void expect_journal(const struct rowcase *c, bool anything)
{
	const char *key = pvecodec_key(c->a, rowcase_slot(c));

	for (size_t i = c->journal; i < sim_journal_len(stage->w->sim); i++) {
		struct sim_entry e;
		sim_journal_at(stage->w->sim, i, &e);
		if (e.vmid != c->vmid || !text_eq(e.user, WORLD_USER))
			continue;
		if (!anything)
			rowcase_complain(c, "%s %s was written: '%s' to '%s'", e.effect, e.key,
			    e.before ? e.before : "absent", e.after ? e.after : "absent");
		else if (!text_eq(e.key, key) && !follows(c, e.key))
			rowcase_complain(c, "%s %s was written", e.effect, e.key);
		else if (text_eq(e.key, key))
			expect_parts_kept(c, e.before, e.after);
	}
}

/* At once, or with the next stop and start: by the table and this very guest. */
static bool should_wait(const struct rowcase *c)
{
	const struct attr *a = c->a;

	if (!stage->running)
		return false;
	switch (a->class) {
	case CLASS_PENDING:
	case CLASS_SILENT:
		return true;
	case CLASS_HOTPLUG: /* the usual option, and a guest that understands USB */
		return !text_eq(a->hotplug, "network") && !text_eq(a->hotplug, "usb");
	case CLASS_NONE:
	case CLASS_CLONE:
	case CLASS_LIVE:
	case CLASS_LIVE_FLAP:
	case CLASS_ACTION:
	case CLASS__MAX:
		break;
	}
	return false;
}

static void expect_state(const struct rowcase *c, bool may_wait, const char *when)
{
	const struct vmstat *s = world_vmstat(stage->w, c->name);
	bool waits = s && s->reason == REASON_PENDING_REBOOT;

	if (!s || s->verdict != PLAN_IN_SYNC)
		rowcase_complain(c, "%s: not in sync", when);
	else if (waits != may_wait)
		rowcase_complain(c, "%s: %s", when, waits ? "waits" : "does not wait");
}

static void expect_in_force(const struct rowcase *c, const struct value *want, const char *when)
{
	_cleanup_value_ struct value now = {0}, wanted = {0};
	static const struct codec_env env = {.tag = "ramet", .suspend_tag = "ramet-suspend"};
	const struct kv *conf = sim_guest_conf(stage->w->sim, c->vmid);

	if (!conf || pvecodec_get(c->a, rowcase_slot(c), conf, &env, &now, NULL) < 0) {
		rowcase_complain(c, "%s: it cannot be read", when);
		return;
	}
	pvecodec_want(c->a, want, &env, &wanted);
	KV_FOREACH (item, conf)
		if (text_starts(item->key, "unused"))
			rowcase_complain(c, "%s: %s is left over", when, item->key);
	if (pvecodec_same(c->a, &wanted, &now))
		return;
	_cleanup_str_ char *x = value_print(&wanted), *y = value_print(&now);
	rowcase_complain(c, "%s: in force is %s, not %s", when, y, x);
}

static void expect_blocked(const struct rowcase *c, const char *when)
{
	const struct vmstat *s = world_vmstat(stage->w, c->name);
	enum reason why = rowcase_is_too_new(c->a) ? REASON_PVE_TOO_OLD : REASON_ROOT_ONLY;

	if (!s || s->verdict != PLAN_STALLED || s->reason != why)
		rowcase_complain(c, "%s: not blocked", when);
	else if (s->blocked.n != 1 || !text_starts(s->blocked.v[0], c->path))
		rowcase_complain(
		    c, "%s: blocked is %s", when, s->blocked.n ? s->blocked.v[0] : "nothing");
	/* What a token may not do, root does with a command. */
	_cleanup_str_ char *command = mem_printf("qm set %lld --", (long long)c->vmid);
	if (why == REASON_ROOT_ONLY && s && (!s->hint || !strstr(s->hint, command)))
		rowcase_complain(c, "%s: no command is told, but %s", when, s->hint ? s->hint : "");
	expect_journal(c, false);
}

/* ---- the life of them all ---- */

static void restart_all(void)
{
	for (size_t i = 0; stage->running && i < stage->n; i++) {
		_cleanup_err_ struct err *e = NULL;
		if (sim_human_power(stage->w->sim, stage->v[i].vmid, false, &e) < 0 ||
		    sim_human_power(stage->w->sim, stage->v[i].vmid, true, &e) < 0)
			rowcase_complain(&stage->v[i], "cannot be restarted: %s", err_msg(e));
	}
	world_run(stage->w, 700000, NULL, NULL); /* until each was read again */
	settle();
}

static void cannot_edit(struct rowcase *c, const char *text, const struct err *e)
{
	/* Volumes with scripts cannot be put into this cluster. */
	if (c->a->id == ATTR_hook_script_file_id)
		c->uneditable = true;
	else
		rowcase_complain(
		    c, "cannot be edited to '%s': %s", text ? text : "absent", err_msg(e));
}

/* What somebody sets by hand: other than what is wanted in this phase. */
static const struct value *hand_of(const struct rowcase *c, enum phase p)
{
	bool void_wanted = p == PHASE_EMPTY || p == PHASE_NULL;
	return void_wanted && c->hand.type == VALUE_NULL ? &c->first : &c->hand;
}

static void edit_all(enum phase p)
{
	for (size_t i = 0; i < stage->n; i++) {
		struct rowcase *c = &stage->v[i];
		const char *key = pvecodec_key(c->a, rowcase_slot(c));
		_cleanup_kv_ struct kv conf = {0}, set = {0};
		_cleanup_err_ struct err *e = NULL;
		const struct kv *now = sim_guest_conf(stage->w->sim, c->vmid);

		c->journal = sim_journal_len(stage->w->sim);
		if (!now || rowcase_is_too_new(c->a))
			continue;
		kv_copy(&conf, now);
		if (pvecodec_put(c->a, rowcase_slot(c), hand_of(c, p), &conf, NULL, NULL) < 0)
			continue;
		if (kv_has(&conf, key))
			kv_set(&set, key, kv_get(&conf, key));
		if (sim_human_edit(stage->w->sim, c->vmid, "root@pam", &set,
			kv_has(&conf, key) ? NULL : key, &e) < 0)
			cannot_edit(c, kv_get(&conf, key), e);
	}
}

static bool expect_drift_told(const struct rowcase *c)
{
	const struct vmstat *s = world_vmstat(stage->w, c->name);
	bool told = false;

	for (size_t i = 0; s && i < s->corrected.n; i++) {
		const char *path = s->corrected.v[i].path;
		if (text_eq(path, c->path))
			told = true;
		else
			rowcase_complain(c, "drift of %s is told", path);
	}
	if (!told)
		rowcase_complain(c, "the drift is not told");
	return told;
}

static void phase_set(void)
{
	commit(PHASE_SET);
	settle();
	for (size_t i = 0; i < stage->n; i++) {
		const struct rowcase *c = &stage->v[i];
		if (c->blocked && !c->has)
			expect_blocked(c, "set");
		else if (c->blocked || (c->one && c->has))
			expect_state(c, false, "listed as it is");
		else
			expect_state(c, should_wait(c), "set");
		expect_journal(c, !c->blocked);
	}
	restart_all();
	for (size_t i = 0; i < stage->n; i++) {
		const struct rowcase *c = &stage->v[i];
		if (c->blocked)
			continue;
		expect_state(c, false, "restarted");
		expect_in_force(c, &c->wanted, "restarted");
	}
}

static void phase_drift(void)
{
	edit_all(PHASE_SET);
	world_run(stage->w, 700000, NULL, NULL);
	settle();
	for (size_t i = 0; i < stage->n; i++) {
		const struct rowcase *c = &stage->v[i];
		if (c->blocked && c->has && !c->uneditable)
			expect_blocked(c, "edited");
		if (c->blocked)
			continue;
		expect_drift_told(c);
		expect_journal(c, true);
	}
	restart_all();
	for (size_t i = 0; i < stage->n; i++)
		if (!stage->v[i].blocked)
			expect_in_force(&stage->v[i], &stage->v[i].wanted, "corrected");
}

static void phase_left(void)
{
	commit(PHASE_LEFT);
	settle();
	edit_all(PHASE_LEFT);
	world_run(stage->w, 700000, NULL, NULL);
	settle();
	for (size_t i = 0; i < stage->n; i++)
		expect_journal(&stage->v[i], false);
}

static void expect_void(enum phase p, const char *when)
{
	for (size_t i = 0; i < stage->n; i++) {
		const struct rowcase *c = &stage->v[i];
		const struct value *want = listed_in(c, p);
		if (!want)
			continue;
		expect_state(c, false, when);
		expect_in_force(c, want, when);
	}
}

/* [] and null are values as any other: held, and nothing else with them. */
static void phase_void(enum phase p, const char *word)
{
	_cleanup_str_ char *held = mem_printf("%s, corrected", word);

	commit(p);
	settle();
	for (size_t i = 0; i < stage->n; i++)
		expect_journal(&stage->v[i], listed_in(&stage->v[i], p) != NULL);
	restart_all();
	expect_void(p, word);
	edit_all(p);
	world_run(stage->w, 700000, NULL, NULL);
	settle();
	for (size_t i = 0; i < stage->n; i++) {
		const struct rowcase *c = &stage->v[i];
		if (listed_in(c, p))
			expect_drift_told(c);
		expect_journal(c, listed_in(c, p) != NULL);
	}
	restart_all();
	expect_void(p, held);
}

static void live(uint64_t seed, bool running)
{
	struct stage *s = mem_alloc(sizeof(*s));

	stage = s;
	s->running = running;
	s->w = rowlives_world(seed);
	rowcase_add_all();
	commit(PHASE_CLONED);
	world_start(s->w, CONTROLLER_RUN);
	settle();
	for (size_t i = 0; i < s->n; i++) {
		s->v[i].vmid = world_find(s->w, s->v[i].name, NULL);
		if (!s->v[i].vmid)
			rowcase_complain(&s->v[i], "it was not cloned");
	}
	phase_set();
	phase_drift();
	phase_left();
	phase_void(PHASE_EMPTY, "[]");
	phase_void(PHASE_NULL, "null");
	rowcase_free_all();
	unsigned wrong = s->wrong;
	size_t n = s->n;
	world_free(&s->w);
	free(s);
	assert_true(n > 300);
	assert_int_equal(wrong, 0);
}

int main(void)
{
	wire_watch(RAMET_SOURCE_DIR "/../shared/pve");
	int failed = rowlives_run(live);
	wire_tell();
	return failed;
}
