/*
 * What real clusters answered (recorded, kept beside the project and not part of it), read by what
 * the controller reads answers with: nothing is refused, misread or lost, and no text of a
 * configuration changes by being taken apart and put together. Where the recordings are absent the
 * tests count as skipped.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "buf.h"
#include "exchange.h"
#include "observe.h"
#include "pveanswer.h"
#include "pvecodec.h"
#include "pvetask.h"

struct tally {
	size_t seen, wrong;
};

static void complain(struct tally *t, const struct exchange *x, const char *what)
{
	t->wrong++;
	print_message("%s: %s: %s\n", x->file, x->step ? x->step : "", what);
}

/* ---- answers: the class of each ---- */

static bool fits_status(int status, const struct pveerr *e, enum endpoint_kind kind)
{
	enum pve_reason r = e->reason;

	switch (status) {
	case 200:
		return e->outcome == PVE_DONE;
	case 400:
		if (r == PVE_HOTPLUG)
			return e->outcome == PVE_PARTIAL;
		return e->outcome == PVE_REJECTED && (r == PVE_PARAMETER || r == PVE_EXISTS ||
							 r == PVE_NO_TASK || r == PVE_ROOT_ONLY);
	case 401:
		return e->outcome == PVE_REJECTED && r == PVE_UNAUTHENTICATED;
	case 403:
		return e->outcome == PVE_REJECTED && (r == PVE_FORBIDDEN || r == PVE_NO_POOL);
	case 501:
		return e->outcome == PVE_REJECTED && r == PVE_UNSUPPORTED;
	case 595:
		return e->outcome == PVE_NOT_SENT && r == PVE_NODE_AWAY;
	case 596:
		return e->outcome == PVE_AMBIGUOUS && r == PVE_CUT;
	case 500:
		/* What is not known may have been done in part, unless it only reads. */
		if (r == PVE_OTHER && kind == ENDPOINT_KIND_WRITE)
			return e->outcome == PVE_AMBIGUOUS;
		return e->outcome == PVE_REJECTED || e->outcome == PVE_AMBIGUOUS;
	default:
		return false;
	}
}

static void answer(const struct exchange *x, void *arg)
{
	struct tally *t = arg;
	struct pveanswer a;

	/* A page for people, or a note of whoever recorded, in place of an answer of the API. */
	if (x->reply.status == 200 && !jsn_has(jsn_get(x->response, "body"), "data"))
		return;
	pveanswer_read(x->id, &x->reply, &a);
	t->seen++;
	if (!fits_status(x->reply.status, &a.err, x->e->kind)) {
		_cleanup_str_ char *what =
		    mem_printf("%s %d %s: %s %s", x->e->word, x->reply.status, x->reply.reason,
			pve_outcome_word(a.err.outcome), pve_reason_word(a.err.reason));
		complain(t, x, what);
	}
	if (a.err.outcome == PVE_DONE && x->e->kind == ENDPOINT_KIND_TASK && !a.upid &&
	    !jsn_is_null(jsn_get(a.body, "data")))
		complain(t, x, "a task without its name");
	pveanswer_fini(&a);
}

static void answers_have_the_class_of_their_status(void **state)
{
	struct tally t = {0};

	(void)state;
	exchange_walk(answer, &t);
	assert_int_equal(t.wrong, 0);
	assert_true(t.seen > 4000);
}

/* ---- what the words mean, as a person reads them ---- */

static const struct {
	const char *words;
	enum pve_outcome outcome;
	enum pve_next next;
} meant[] = {
    /* Somebody else is at it, or nobody can decide: it passes. */
    {"VM is locked (", PVE_REJECTED, PVE_NEXT_RETRY},
    {"can't lock file '/var/lock/qemu-server/", PVE_REJECTED, PVE_NEXT_RETRY},
    {"no quorum", PVE_REJECTED, PVE_NEXT_RETRY},
    {"conf.tmp.", PVE_AMBIGUOUS, PVE_NEXT_RETRY},
    {"got no worker upid", PVE_AMBIGUOUS, PVE_NEXT_RETRY},
    {"interrupted by signal", PVE_AMBIGUOUS, PVE_NEXT_RETRY},
    {"received interrupt", PVE_AMBIGUOUS, PVE_NEXT_RETRY},
    {"VM quit/powerdown failed", PVE_AMBIGUOUS, PVE_NEXT_RETRY},
    /* The world is another one than was believed. */
    {"checksum mismatch", PVE_REJECTED, PVE_NEXT_REPLAN},
    {"Configuration file '", PVE_REJECTED, PVE_NEXT_REPLAN},
    {"unable to find configuration file for VM", PVE_REJECTED, PVE_NEXT_REPLAN},
    {"config file already exists", PVE_REJECTED, PVE_NEXT_REPLAN},
    {"failed: File exists", PVE_REJECTED, PVE_NEXT_REPLAN},
    {"already running", PVE_REJECTED, PVE_NEXT_REPLAN},
    {"is running - destroy failed", PVE_REJECTED, PVE_NEXT_REPLAN},
    {"unexpected status", PVE_AMBIGUOUS, PVE_NEXT_REPLAN},
    {"if it's a template", PVE_REJECTED, PVE_NEXT_REPLAN},
    {"no options specified", PVE_REJECTED, PVE_NEXT_REPLAN},
    /* Nothing changes until a person does something. */
    {"protection mode enabled", PVE_REJECTED, PVE_NEXT_PERSON},
    {"only root can", PVE_REJECTED, PVE_NEXT_PERSON},
    {"is still in use by linked clone", PVE_REJECTED, PVE_NEXT_PERSON},
    {"shrinking disks is not supported", PVE_REJECTED, PVE_NEXT_PERSON},
    {"not allowed for linked clones", PVE_REJECTED, PVE_NEXT_PERSON},
    {"can't clone", PVE_REJECTED, PVE_NEXT_PERSON},
    {"storage '", PVE_REJECTED, PVE_NEXT_PERSON},
    {"because VM contains snapshots", PVE_REJECTED, PVE_NEXT_PERSON},
};

struct words {
	struct tally t;
	size_t hits[ARRAY_LEN(meant)];
};

static void word(const struct exchange *x, const char *text, struct words *w)
{
	struct pveerr e = {.reason = PVE_OTHER, .outcome = PVE_AMBIGUOUS};
	size_t i = 0;

	while (i < ARRAY_LEN(meant) && !strstr(text, meant[i].words))
		i++;
	if (i == ARRAY_LEN(meant))
		return;
	w->hits[i]++;
	w->t.seen++;
	if (!pveerr_find(text, &e) || e.outcome != meant[i].outcome ||
	    pve_reason_next(e.reason) != meant[i].next)
		complain(&w->t, x, text);
}

static void words_of(const struct exchange *x, void *arg)
{
	const struct jsn *data = jsn_get(jsn_get(x->response, "body"), "data");
	const char *end = x->id == ENDPOINT_TASK_STATUS ? jsn_get_text(data, "exitstatus") : NULL;

	if (x->reply.status == 500)
		word(x, x->reply.reason, arg);
	if (end && !text_eq(end, "OK"))
		word(x, end, arg);
}

static void words_mean_what_a_person_reads(void **state)
{
	struct words w = {0};

	(void)state;
	exchange_walk(words_of, &w);
	for (size_t i = 0; i < ARRAY_LEN(meant); i++)
		if (!w.hits[i])
			fail_msg("no recorded text with the words: %s", meant[i].words);
	assert_int_equal(w.t.wrong, 0);
	assert_true(w.t.seen > 300);
}

/* ---- answers: what is in them ---- */

static char *unread(const struct jsn *data)
{
	_cleanup_str_ char *text = data ? jsn_print(data, true) : mem_strdup("null");

	return mem_printf("{\"data\":%s}", text);
}

static int pending(const struct jsn *data, struct obs_guest *g)
{
	_cleanup_str_ char *list = unread(data);

	return observe_pending(list, strlen(list), g, NULL);
}

/* Every row stands in what was observed, with its very text. */
static void pending_rows(const struct exchange *x, const struct jsn *data, struct tally *t)
{
	struct obs_guest g = {0};

	if (pending(data, &g) < 0) {
		complain(t, x, "the configuration is refused");
		return;
	}
	for (size_t i = 0; i < jsn_len(data); i++) {
		const struct jsn *row = jsn_at(data, i);
		const char *key = jsn_get_text(row, "key"), *value = jsn_get_text(row, "value");
		const char *next = jsn_get_text(row, "pending");
		bool gone = jsn_get_int(row, "delete", 0) != 0;
		const char *wanted = next ? next : gone ? NULL : value;

		if (text_eq(key, "digest") || text_eq(key, "lock")) {
			if (!text_eq(value, *key == 'd' ? g.digest : g.lock))
				complain(t, x, key);
		} else if (!text_eq(kv_get(&g.current, key), value) ||
			   !text_eq(kv_get(&g.pending, key), wanted) ||
			   strs_has(&g.pending_keys, key) != !text_eq(value, wanted)) {
			complain(t, x, key);
		}
	}
	obs_guest_fini(&g);
}

static void power(const struct exchange *x, const struct jsn *data, struct tally *t)
{
	struct obs_guest g = {0};
	const char *status = jsn_get_text(data, "status"), *qmp = jsn_get_text(data, "qmpstatus");
	bool asleep = text_eq(jsn_get_text(data, "lock"), "suspended");
	enum obs_power want = text_eq(status, "running") && text_eq(qmp, "running")
				  ? OBS_POWER_RUNNING
			      : text_eq(status, "running") ? OBS_POWER_PAUSED
			      : asleep			   ? OBS_POWER_HIBERNATED
							   : OBS_POWER_STOPPED;

	if (observe_status(data, 1800000000000, &g, NULL) < 0 || g.power != want ||
	    !text_eq(g.lock, jsn_get_text(data, "lock")))
		complain(t, x, status ? status : "no status");
	obs_guest_fini(&g);
}

static size_t count_type(const struct jsn *data, const char *a, const char *b)
{
	size_t n = 0;

	for (size_t i = 0; i < jsn_len(data); i++) {
		const char *type = jsn_get_text(jsn_at(data, i), "type");
		n += text_eq(type, a) || (b && text_eq(type, b));
	}
	return n;
}

static int rows_of(const struct jsn *data, struct obs_cluster *c)
{
	_cleanup_str_ char *list = unread(data);

	return observe_rows(list, strlen(list), c, NULL);
}

static void resources(const struct exchange *x, const struct jsn *data, struct tally *t)
{
	const char *type = jsn_get_text(x->params, "type");
	struct obs_cluster c = {0};

	if (!type || text_eq(type, "vm"))
		if (rows_of(data, &c) < 0 || c.n_rows != count_type(data, "qemu", "lxc"))
			complain(t, x, "guests are lost");
	if (text_eq(type, "node"))
		if (observe_nodes(data, &c, NULL) < 0 ||
		    c.n_nodes != count_type(data, "node", NULL))
			complain(t, x, "nodes are lost");
	if (text_eq(type, "storage"))
		if (observe_storages(data, 1, &c, NULL) < 0 ||
		    c.n_storages != count_type(data, "storage", NULL))
			complain(t, x, "storages are lost");
	obs_cluster_fini(&c);
}

static void cluster_status(const struct exchange *x, const struct jsn *data, struct tally *t)
{
	bool quorate = false, want = true;

	for (size_t i = 0; i < jsn_len(data); i++)
		if (text_eq(jsn_get_text(jsn_at(data, i), "type"), "cluster"))
			want = text_eq(jsn_get_text(jsn_at(data, i), "quorate"), "1");
	if (observe_quorum(data, &quorate, NULL) < 0 || quorate != want)
		complain(t, x, "the quorum is misread");
}

static void version(const struct exchange *x, const struct jsn *data, struct tally *t)
{
	struct obs_cluster c = {0};
	bool old = strstr(x->file, "-8.4") != NULL;

	if (observe_version(data, &c, NULL) < 0 || c.version_major != (old ? 8 : 9) ||
	    c.version_minor != (old ? 4 : 2))
		complain(t, x, "the version is misread");
}

static void snapshots(const struct exchange *x, const struct jsn *data, struct tally *t)
{
	struct obs_guest g = {0};

	/* One row is the present state itself. */
	if (observe_snapshots(data, &g, NULL) < 0 || g.snapshots != (jsn_len(data) > 1))
		complain(t, x, "snapshots are lost");
	obs_guest_fini(&g);
}

static void content(const struct exchange *x, void *arg)
{
	const struct jsn *data = jsn_get(jsn_get(x->response, "body"), "data");
	struct tally *t = arg;
	size_t before = t->seen++;

	if (x->reply.status != 200 || jsn_is_null(data))
		t->seen--;
	else if (x->id == ENDPOINT_GUEST_PENDING)
		pending_rows(x, data, t);
	else if (x->id == ENDPOINT_GUEST_STATUS)
		power(x, data, t);
	else if (x->id == ENDPOINT_RESOURCES)
		resources(x, data, t);
	else if (x->id == ENDPOINT_CLUSTER_STATUS)
		cluster_status(x, data, t);
	else if (x->id == ENDPOINT_VERSION)
		version(x, data, t);
	else if (x->id == ENDPOINT_GUEST_SNAPSHOTS)
		snapshots(x, data, t);
	else
		t->seen = before;
}

static void nothing_in_an_answer_is_lost(void **state)
{
	struct tally t = {0};

	(void)state;
	exchange_walk(content, &t);
	assert_int_equal(t.wrong, 0);
	assert_true(t.seen > 700);
}

/* ---- configurations, leaf by leaf ---- */

static bool is_written_by_its_value(const struct attr *a)
{
	return a->codec != CODEC_NONE && a->codec != CODEC_DRIVE_SIZE &&
	       a->codec != CODEC_DRIVE_STORE && a->codec != CODEC_DRIVE_FORMAT &&
	       a->codec != CODEC_SECRET;
}

/* Texts of PVE that say the same in another order or notation, which Ramet writes in one only. */
static bool is_another_notation(const struct attr *a, const struct kv *conf, const char *key)
{
	const char *text = kv_get(conf, key);

	if (a->codec == CODEC_BOOT)
		return !strstr(text, "order=");
	if (a->codec == CODEC_LEAD || a->codec == CODEC_SCALAR)
		return a->type != ATTR_STR; /* 0512, 2.00, true */
	return a->type == ATTR_SET;
}

static void leaf(const struct exchange *x, const struct attr *a, const char *slot,
    const struct kv *conf, struct tally *t)
{
	_cleanup_value_ struct value v = {0}, again = {0};
	_cleanup_kv_ struct kv c = {0};
	_cleanup_err_ struct err *err = NULL;
	const char *key = pvecodec_key(a, slot);

	if (!kv_has(conf, key))
		return;
	t->seen++;
	if (pvecodec_get(a, slot, conf, NULL, &v, &err) < 0) {
		/* Boot devices by letters are left to whoever wrote them. */
		if (a->codec != CODEC_BOOT || strspn(kv_get(conf, key), "acdn") == 0)
			complain(t, x, err_msg(err));
		return;
	}
	if (v.type == VALUE_ABSENT || !is_written_by_its_value(a))
		return;
	kv_copy(&c, conf);
	if (pvecodec_put(a, slot, &v, &c, NULL, &err) < 0 ||
	    pvecodec_get(a, slot, &c, NULL, &again, NULL) < 0 || !pvecodec_same(a, &v, &again))
		complain(t, x, a->path);
	else if (!text_eq(kv_get(&c, key), kv_get(conf, key)) && !is_another_notation(a, conf, key))
		complain(t, x, kv_get(conf, key));
	/* Nothing else of the guest changes. */
	KV_FOREACH (item, conf)
		if (!text_eq(item->key, key) && !text_eq(kv_get(&c, item->key), item->value))
			complain(t, x, item->key);
}

/* A drive is a disk or a CD-ROM drive by what it holds. */
static bool is_in_block(const struct attr *a, const char *key, const char *text)
{
	const struct attr_block *b = schema_slot_block(a);
	_cleanup_str_ char *why = NULL, *hint = NULL;
	_cleanup_drive_ struct drive d = {0};

	if (!form_check(b->slot_format, key, &why, &hint))
		return false;
	return a->codec != CODEC_CDROM || (drive_parse(text, &d, NULL) == 0 && d.cdrom);
}

static void leaves(const struct exchange *x, const struct kv *conf, struct tally *t)
{
	for (int i = 0; i < ATTR_ID__MAX; i++) {
		const struct attr *a = schema_attr((enum attr_id)i);
		if (a->key && !schema_slot_block(a))
			leaf(x, a, NULL, conf, t);
		if (!a->key || !schema_slot_block(a))
			continue;
		KV_FOREACH (item, conf)
			if (is_in_block(a, item->key, item->value))
				leaf(x, a, item->key, conf, t);
	}
}

static void configuration(const struct exchange *x, void *arg)
{
	const struct jsn *data = jsn_get(jsn_get(x->response, "body"), "data");
	struct obs_guest g = {0};

	if (x->id != ENDPOINT_GUEST_PENDING || x->reply.status != 200 || pending(data, &g) < 0)
		return;
	leaves(x, &g.current, arg);
	leaves(x, &g.pending, arg);
	obs_guest_fini(&g);
}

static void configurations_survive_leaf_by_leaf(void **state)
{
	struct tally t = {0};

	(void)state;
	exchange_walk(configuration, &t);
	assert_int_equal(t.wrong, 0);
	assert_true(t.seen > 20000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(answers_have_the_class_of_their_status),
	    cmocka_unit_test(words_mean_what_a_person_reads),
	    cmocka_unit_test(nothing_in_an_answer_is_lost),
	    cmocka_unit_test(configurations_survive_leaf_by_leaf),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
