/*
 * The rows of the table that operations write: disks made, attached, moved, grown; drives for
 * firmware, TPM and cloud-init; delete lists, pool, power, template. As test_rows.c does it: set,
 * told as in sync or pending, in force after a restart; changed by hand, told as drift of this
 * leaf, corrected or told why not; null, which none of them can be: told, and the version before
 * stays in force; taken out of the manifest, left alone; an empty list, left alone; listed again.
 * Each row of spec/attrs.def is in one of both or in the list of those that write nothing to a VM.
 */
#include "plan.h"
#include "pvekeys.h"
#include "rows/oprows.h"
#include "rows/rowlives.h"
#include "support_plangen.h"
#include "support_wire.h"
#include "support_world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define HOUR_MS 3600000
#define FIRST 1100
#define SOURCE 5000

static struct world *w;
static bool running;
static unsigned wrong;
static size_t marks[OPROW_COUNT]; /* of the cluster's journal */

static void complain(size_t i, const char *fmt, ...) PRINTF(2, 3);

static void complain(size_t i, const char *fmt, ...)
{
	const struct oprow *r = &oprows[i];
	_cleanup_str_ char *name = mem_printf("o%zu", i);
	const struct vmstat *s = world_vmstat(w, name);
	char text[600];
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	print_error("%s, %s, %s it (%s): %s [%s %s]\n", schema_attr(r->id)->path,
	    running ? "running" : "stopped", r->with ? "with" : "without", name, text,
	    s ? reason_word(s->reason) : "?", s && s->message ? s->message : "");
	wrong++;
}

static int64_t vmid_of(size_t i)
{
	return FIRST + (int64_t)i;
}

static bool is_too_new(size_t i)
{
	int major, minor;
	return w->seed % 2 == 0 && pvekeys_since(schema_attr(oprows[i].id), &major, &minor) &&
	       major > 8; /* 8.4 */
}

/* $VM is the number, $SOURCE that of the source, $OTHER the power that it has not. */
static char *fill(size_t i, const char *text)
{
	_cleanup_str_ char *vm = mem_printf("%lld", (long long)vmid_of(i));
	_cleanup_str_ char *source = mem_printf("%lld", (long long)(SOURCE + (int64_t)i));
	const char *const words[][2] = {
	    {"$VM", vm}, {"$SOURCE", source}, {"$OTHER", running ? "false" : "true"}};
	struct buf out;

	buf_init(&out, 0);
	while (*text) {
		const char *with = NULL;
		for (size_t k = 0; k < ARRAY_LEN(words) && !with; k++)
			if (text_starts(text, words[k][0])) {
				with = words[k][1];
				text += strlen(words[k][0]);
			}
		if (with)
			buf_adds(&out, with);
		else
			buf_addc(&out, *text++);
	}
	return buf_take(&out);
}

/* ---- people ---- */

static void on_reply(void *arg, const struct sim_reply *reply)
{
	*(int *)arg = reply->status;
}

static void request(size_t i, const char *method, const char *what, const struct kv *params)
{
	_cleanup_str_ char *path =
	    mem_printf("/nodes/pve1/qemu/%lld/%s", (long long)vmid_of(i), what);
	struct sim_req q = {
	    .method = method, .path = path, .params = params, .authorization = ROWLIVES_ADMIN};
	int status = 0;

	sim_submit(w->sim, &q, on_reply, &status);
	while (!status)
		world_step(w);
	if (status != 200)
		complain(i, "%s %s by hand: %d", method, what, status);
}

static void edit(size_t i, const char *word, const char *what)
{
	_cleanup_kv_ struct kv set = {0};
	_cleanup_err_ struct err *e = NULL;
	const char *eq = strchr(what, '=');
	bool del = strcmp(word, "del") == 0;
	_cleanup_str_ char *key = mem_strndup(what, del ? strlen(what) : (size_t)(eq - what));

	if (!del)
		kv_set(&set, key, eq + 1);
	if (sim_human_edit(w->sim, vmid_of(i), "ops@pam", &set, del ? key : NULL, &e) < 0)
		complain(i, "%s by hand: %s", key, err_msg(e));
}

static void act(size_t i, const char *text)
{
	_cleanup_str_ char *filled = fill(i, text);
	_cleanup_strs_ struct strs words = {0};
	_cleanup_kv_ struct kv params = {0};
	_cleanup_err_ struct err *e = NULL;
	bool on = sim_guest_running(w->sim, vmid_of(i));

	assert_int_equal(text_split(filled, " ", true, 4, &words), 0);
	const char *word = words.v[0], *what = words.n > 1 ? words.v[1] : "";
	if (strcmp(word, "power") == 0) {
		assert_int_equal(sim_human_power(w->sim, vmid_of(i), !on, &e), 0);
	} else if (strcmp(word, "pool") == 0) {
		assert_int_equal(sim_human_pool(w->sim, vmid_of(i), what, &e), 0);
	} else if (strcmp(word, "move") == 0) {
		kv_set(&params, "disk", what);
		kv_set(&params, "storage", words.v[2]);
		kv_set(&params, "delete", "1");
		if (words.n > 3)
			kv_set(&params, "format", words.v[3]);
		request(i, "POST", "move_disk", &params);
	} else if (strcmp(word, "grow") == 0) {
		kv_set(&params, "disk", what);
		kv_set(&params, "size", words.v[2]);
		request(i, "PUT", "resize", &params);
	} else {
		edit(i, word, what);
	}
}

static void act_all(bool prepare)
{
	for (size_t i = 0; i < OPROW_COUNT; i++) {
		const char *text = prepare ? oprows[i].prepare : oprows[i].hand;
		marks[i] = sim_journal_len(w->sim);
		if (*text && !is_too_new(i))
			act(i, text);
	}
}

/* ---- manifests ---- */

enum version {
	VERSION_WITHOUT, /* the leaf is not listed */
	VERSION_LISTED,
	VERSION_NULL,
	VERSION_EMPTY, /* a list is there and has no entries */
};

static bool is_list(size_t i)
{
	return schema_attr(oprows[i].id)->type == ATTR_SET;
}

static void add_spec(struct buf *b, size_t i, enum version v)
{
	const struct attr *a = schema_attr(oprows[i].id);
	_cleanup_str_ char *listed = fill(i, v == VERSION_LISTED ? oprows[i].spec : "");
	_cleanup_str_ char *path = schema_path(a, oprows[i].key);
	_cleanup_str_ char *source = fill(i, "source_vm_id: $SOURCE");
	char indent[ROWLIVES_INDENT];
	bool within = v == VERSION_NULL && text_starts(path, "clone.");

	buf_adds(b, listed);
	if (v == VERSION_NULL || (v == VERSION_EMPTY && is_list(i)))
		rowlives_add_leaf(b, path, v == VERSION_NULL ? "null" : "[]", indent);
	if (within)
		buf_addf(b, "%s%s\n", indent, source);
	else if (!strstr(listed, "  clone:"))
		buf_addf(b, "  clone: { %s }\n", source);
}

static void commit(enum version v)
{
	_cleanup_kv_ struct kv files = {0};
	static unsigned number;

	for (size_t i = 0; i < OPROW_COUNT; i++) {
		struct buf b;
		buf_init(&b, 0);
		buf_addf(&b,
		    "apiVersion: ramet.dev/v1\nkind: ClonedVM\nmetadata: { name: o%zu }\nspec:\n"
		    "  node_name: pve1\n  id: %lld\n",
		    i, (long long)vmid_of(i));
		add_spec(&b, i, v);
		_cleanup_str_ char *name = mem_printf("o%zu.yaml", i);
		kv_set(&files, name, buf_str(&b));
		buf_fini(&b);
		marks[i] = sim_journal_len(w->sim);
	}
	_cleanup_str_ char *subject = mem_printf("phase %u", ++number);
	memgit_commit(w->git, &files, subject);
}

static bool all_settled(struct world *world)
{
	for (size_t i = 0; i < OPROW_COUNT; i++) {
		_cleanup_str_ char *name = mem_printf("o%zu", i);
		const struct vmstat *s = world_vmstat(world, name);
		if (!s || (s->verdict != PLAN_IN_SYNC && s->verdict != PLAN_STALLED))
			return false;
	}
	return true;
}

static void settle(int64_t ms)
{
	world_run(w, ms, NULL, NULL);
	world_run(w, 4LL * HOUR_MS, all_settled, NULL);
}

static void make_sources(void)
{
	for (size_t i = 0; i < OPROW_COUNT; i++) {
		_cleanup_kv_ struct kv conf = {0};
		_cleanup_strs_ struct strs more = {0};
		_cleanup_err_ struct err *e = NULL;

		kv_setf(&conf, "name", "source-o%zu", i);
		kv_set(&conf, "scsihw", "virtio-scsi-single");
		kv_set(&conf, "ostype", "l26");
		kv_set(&conf, "scsi0", "ceph:1,backup=1");
		kv_set(&conf, "net0", "virtio,bridge=vmbr0,mtu=1400");
		assert_int_equal(text_split(oprows[i].source, ";", true, 10, &more), 0);
		for (size_t k = 0; k < more.n; k++) {
			size_t len = strcspn(more.v[k], "=");
			_cleanup_str_ char *key = mem_strndup(more.v[k], len);
			kv_set(&conf, key, more.v[k] + len + 1);
		}
		bool made = is_too_new(i) && oprows[i].with
				? true /* that version knows no such VM */
				: sim_human_create(w->sim, SOURCE + (int64_t)i, "pve1", "root@pam",
				      &conf, &e) == 0;
		if (!made)
			complain(i, "its source: %s", err_msg(e));
	}
}

/* ---- what must be so ---- */

static bool is_skipped(size_t i)
{
	return is_too_new(i) && oprows[i].with;
}

static const char *found(size_t i, const char *key)
{
	if (strcmp(key, "@pool") == 0)
		return sim_guest_pool(w->sim, vmid_of(i));
	if (strcmp(key, "@power") == 0)
		return sim_guest_running(w->sim, vmid_of(i)) == running ? "as before" : NULL;
	return sim_guest_get(w->sim, vmid_of(i), *key == '@' ? key + 1 : key);
}

static void expect_in_force(size_t i, const char *when)
{
	const struct oprow *r = &oprows[i];
	const char *have = found(i, r->key);

	if (*r->holds ? !have || !strstr(have, r->holds) : have != NULL)
		complain(i, "%s: %s is %s, not %s", when, r->key, have ? have : "absent",
		    *r->holds ? r->holds : "absent");
}

static bool may_touch(const struct oprow *r, const char *key)
{
	_cleanup_strs_ struct strs keys = {0};

	assert_int_equal(text_split(r->touch, ",", true, 10, &keys), 0);
	return strs_has(&keys, key);
}

/* Volumes are told as effects of their own. */
static void expect_journal(size_t i, bool anything, const char *when)
{
	for (size_t k = marks[i]; k < sim_journal_len(w->sim); k++) {
		struct sim_entry e;
		sim_journal_at(w->sim, k, &e);
		if (e.vmid != vmid_of(i) || !text_eq(e.user, WORLD_USER) ||
		    (anything && text_starts(e.effect, "volume")))
			continue;
		if (!anything || (*e.key && !may_touch(&oprows[i], e.key)))
			complain(i, "%s: %s %s was written: '%s' to '%s'", when, e.effect, e.key,
			    e.before ? e.before : "absent", e.after ? e.after : "absent");
	}
}

static void expect_state(size_t i, bool waits, const char *when)
{
	_cleanup_str_ char *name = mem_printf("o%zu", i);
	const struct vmstat *s = world_vmstat(w, name);

	if (!s || s->verdict != PLAN_IN_SYNC)
		complain(i, "%s: not in sync", when);
	else if ((s->reason == REASON_PENDING_REBOOT) != waits)
		complain(i, "%s: %s", when, waits ? "does not wait" : "waits");
}

static void expect_told(size_t i)
{
	const struct oprow *r = &oprows[i];
	_cleanup_str_ char *name = mem_printf("o%zu", i);
	const struct vmstat *s = world_vmstat(w, name);
	const struct drifts *d = r->stuck == REASON_IN_SYNC ? &s->corrected : &s->drifts;
	bool told = false;

	for (size_t k = 0; k < d->n; k++) {
		/* With a device that is gone, what it had is gone. */
		const char *rest = text_after(d->v[k].path, r->path);
		if (rest && !*rest)
			told = true;
		else if (!rest || *rest != '.')
			complain(i, "drift of %s is told", d->v[k].path);
	}
	if (!told)
		complain(i, "the drift is not told");
	if (r->stuck != REASON_IN_SYNC && s->reason != r->stuck)
		complain(i, "not %s", reason_word(r->stuck));
}

/* ---- the life of them all ---- */

static void restart_all(void)
{
	for (size_t i = 0; i < OPROW_COUNT; i++) {
		_cleanup_err_ struct err *e = NULL;
		if (!sim_guest_running(w->sim, vmid_of(i)) || *oprows[i].key == '@')
			continue;
		if (sim_human_power(w->sim, vmid_of(i), false, &e) < 0 ||
		    sim_human_power(w->sim, vmid_of(i), true, &e) < 0)
			complain(i, "cannot be restarted: %s", err_msg(e));
	}
	settle(700000);
}

static void phase_set(void)
{
	commit(VERSION_LISTED);
	settle(200000);
	for (size_t i = 0; i < OPROW_COUNT; i++) {
		if (is_skipped(i))
			continue;
		if (is_too_new(i))
			continue;
		expect_state(i, running && oprows[i].waits, "set");
		expect_journal(i, true, "set");
	}
	restart_all();
	for (size_t i = 0; i < OPROW_COUNT; i++)
		if (!is_too_new(i))
			expect_state(i, running && oprows[i].waits > 1, "restarted once");
	restart_all();
	for (size_t i = 0; i < OPROW_COUNT; i++) {
		if (is_too_new(i))
			continue;
		expect_state(i, false, "restarted");
		expect_in_force(i, "restarted");
	}
}

static void phase_drift(void)
{
	act_all(false);
	settle(700000);
	restart_all();
	for (size_t i = 0; i < OPROW_COUNT; i++) {
		if (!*oprows[i].hand || is_too_new(i))
			continue;
		expect_told(i);
		expect_journal(i, oprows[i].stuck == REASON_IN_SYNC, "corrected");
		if (oprows[i].stuck == REASON_IN_SYNC) {
			expect_state(i, false, "corrected");
			expect_in_force(i, "corrected");
		}
	}
}

/* None of these can be null: what is there cannot be without a storage or a size, and a list that
 * asks for nothing is []. */
static void expect_refused(size_t i)
{
	_cleanup_str_ char *name = mem_printf("o%zu", i);
	_cleanup_str_ char *path = schema_path(schema_attr(oprows[i].id), oprows[i].key);
	const struct vmstat *s = world_vmstat(w, name);

	/* What was wrong before is told first. */
	if (!s || !s->stale ||
	    vmstat_reason(s) !=
		(oprows[i].stuck == REASON_IN_SYNC ? REASON_MANIFEST_INVALID : oprows[i].stuck))
		complain(i, "null is taken");
	else if (s->findings.n != 1 || s->findings.v[0].code != DIAG_NULL_NOT_ALLOWED ||
		 !strstr(s->findings.v[0].msg, path))
		complain(i, "null: the finding is %s",
		    s->findings.n ? s->findings.v[0].msg : "not told");
	expect_journal(i, false, "null");
}

static void phase_null(void)
{
	commit(VERSION_NULL);
	settle(200000);
	for (size_t i = 0; i < OPROW_COUNT; i++)
		if (!is_too_new(i))
			expect_refused(i);
	/* The version before is in force, and what it lists is still held. */
	act_all(false);
	settle(700000);
	restart_all();
	for (size_t i = 0; i < OPROW_COUNT; i++)
		if (*oprows[i].hand && !is_too_new(i) && oprows[i].stuck == REASON_IN_SYNC)
			expect_in_force(i, "null");
}

static void phase_left(void)
{
	commit(VERSION_WITHOUT);
	settle(200000);
	act_all(false);
	settle(700000);
	for (size_t i = 0; i < OPROW_COUNT; i++)
		if (!is_too_new(i))
			expect_journal(i, false, "left");
}

/* What was taken out by hand meanwhile, or put in, stays as it is. */
static void phase_empty(void)
{
	commit(VERSION_EMPTY);
	settle(200000);
	for (size_t i = 0; i < OPROW_COUNT; i++)
		if (!is_too_new(i)) {
			expect_state(i, false, "empty");
			expect_journal(i, false, "empty");
		}
}

static void phase_again(void)
{
	commit(VERSION_LISTED);
	settle(200000);
	restart_all();
	restart_all();
	for (size_t i = 0; i < OPROW_COUNT; i++) {
		if (is_too_new(i) || oprows[i].stuck != REASON_IN_SYNC)
			continue;
		expect_state(i, false, "listed again");
		expect_journal(i, true, "listed again");
		expect_in_force(i, "listed again");
	}
}

static void live(uint64_t seed, bool on)
{
	running = on;
	wrong = 0;
	w = rowlives_world(seed);
	make_sources();
	commit(VERSION_WITHOUT);
	world_start(w, CONTROLLER_RUN);
	settle(200000);
	for (size_t i = 0; on && i < OPROW_COUNT; i++)
		if (!is_skipped(i))
			assert_int_equal(sim_human_power(w->sim, vmid_of(i), true, NULL), 0);
	act_all(true);
	settle(700000);
	phase_set();
	phase_drift();
	phase_null();
	phase_left();
	phase_empty();
	phase_again();
	world_free(&w);
	assert_int_equal(wrong, 0);
}

/* ---- every row ---- */

/* They say how a VM is cloned, kept and ended, and nothing of it is in a configuration. */
static bool is_word_to_ramet(const struct attr *a)
{
	static const char *const blocks[] = {"clone.", "timeouts.", "suspend."};
	static const enum attr_id words[] = {ATTR_id, ATTR_node_name, ATTR_stop_on_destroy,
	    ATTR_purge_on_destroy, ATTR_delete_unreferenced_disks_on_destroy, ATTR_state,
	    ATTR_drift, ATTR_placement, ATTR_on_missing, ATTR_max_disruption, ATTR_protect,
	    ATTR_depends_on};

	for (size_t i = 0; i < ARRAY_LEN(words); i++)
		if (a->id == words[i])
			return true;
	for (size_t i = 0; i < ARRAY_LEN(blocks); i++)
		if (text_starts(a->path, blocks[i]))
			return true;
	return false;
}

static void every_row_is_tried(void **state)
{
	(void)state;
	for (unsigned id = 0; id < ATTR_ID__MAX; id++) {
		const struct attr *a = schema_attr(id);
		bool with[2] = {false, false};

		/* Passwords have a test of their own: world.secret. */
		if (plangen_is_leaf_of_guest(a) || a->codec == CODEC_SECRET)
			continue;
		for (size_t i = 0; i < OPROW_COUNT; i++)
			if (oprows[i].id == id)
				with[oprows[i].with] = true;
		if (is_word_to_ramet(a))
			continue;
		if (id == ATTR_template) /* nothing can be changed on one that is a template */
			with[1] = true;
		if (!with[0] || !with[1])
			fail_msg("%s is in no test of rows, %s", a->path,
			    with[0] ? "with it" : "without it");
	}
}

int main(void)
{
	wire_watch(RAMET_SOURCE_DIR "/../shared/pve");
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(every_row_is_tried),
	};
	int failed = cmocka_run_group_tests(tests, NULL, NULL);
	failed += rowlives_run(live);
	wire_tell();
	return failed;
}
