#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "../recordings.h"
#include "buf.h"
#include "endpoints.h"
#include "jsn.h"
#include "pveerr.h"
#include "text.h"

struct text_row {
	enum pve_reason reason;
	enum pve_outcome outcome;
	const char *pattern;
};

static const struct text_row rows[] = {
#define PVE_REASON(id, word, next, doc)
#define PVE_TEXT(reason, outcome, pattern) {PVE_##reason, PVE_##outcome, pattern},
#include "pveerr.def"
#undef PVE_REASON
#undef PVE_TEXT
};

/* Each row fits its own words, and no row before it takes them away. */
static void no_row_hides_another(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct buf text;
		buf_init(&text, 0);
		bool has_gap = false, first = true;
		buf_adds(&text, "step failed: ");
		for (const char *p = rows[i].pattern; *p; p++) {
			if (*p != '*') {
				buf_addc(&text, *p);
			} else {
				buf_adds(&text, first ? "first-one" : "second-one");
				has_gap = true;
				first = false;
			}
		}
		struct pveerr e;
		if (!pveerr_find(buf_str(&text), &e) || e.reason != rows[i].reason ||
		    e.outcome != rows[i].outcome)
			fail_msg("%s is taken for %s", rows[i].pattern, pve_reason_word(e.reason));
		assert_string_equal(e.subject, has_gap ? "first-one" : "");
		buf_fini(&text);
	}
}

static void every_reason_has_words(void **state)
{
	(void)state;
	for (size_t i = 0; i < PVE_REASON__MAX; i++) {
		const char *word = pve_reason_word((enum pve_reason)i);
		const char *doc = pve_reason_doc((enum pve_reason)i);
		assert_true(strlen(word) >= 3 && strlen(doc) >= 5);
		assert_int_equal(doc[strlen(doc) - 1], '.');
		assert_true(pve_reason_next((enum pve_reason)i) < PVE_NEXT__MAX);
		for (size_t k = 0; k < i; k++)
			assert_string_not_equal(word, pve_reason_word((enum pve_reason)k));
	}
}

static void words_are_found_anywhere_and_bounded(void **state)
{
	(void)state;
	struct pveerr e = {.reason = PVE_NONE};
	assert_false(pveerr_find("", &e));
	assert_false(pveerr_find("VM is locked", &e));
	assert_int_equal(e.reason, PVE_NONE);
	assert_true(pveerr_find("clone failed: line 1\nVM is locked (backup)\n", &e));
	assert_string_equal(e.subject, "backup");
	/* The subject never runs over. */
	char text[1000] = "VM is locked (";
	memset(text + strlen(text), 'x', 900);
	text[914] = ')';
	assert_true(pveerr_find(text, &e));
	assert_int_equal(strlen(e.subject), PVEERR_SUBJECT_MAX - 1);
}

/* Words of storages that no recording has, as their plugins and tools print them. */
static void storages_speak_in_many_words(void **state)
{
	static const struct {
		const char *text;
		enum pve_reason reason;
	} rows_of[] = {
	    {"clone failed: lvcreate 'pve/vm-1204-disk-0' error:   Cannot create new thin volume, "
	     "free "
	     "space in thin pool pve/data reached threshold.",
		PVE_NO_SPACE},
	    {"unable to create VM 1204 - lvcreate 'vg/vm-1204-disk-0' error:   Insufficient free "
	     "space: "
	     "25600 extents needed, but only 4095 available",
		PVE_NO_SPACE},
	    {"lvcreate 'vg/vm-1204-disk-0' error:   Volume group \"vg\" has insufficient free "
	     "space "
	     "(4095 extents): 25600 required.",
		PVE_NO_SPACE},
	    {"clone failed: zfs error: cannot create 'rpool/data/vm-1204-disk-0': out of space",
		PVE_NO_SPACE},
	    {"clone failed: rbd create 'vm-1204-disk-0' error: rbd: create error: (122) Disk quota "
	     "exceeded",
		PVE_NO_SPACE},
	    {"clone failed: not enough free space (1073741824 < 34359738368)", PVE_NO_SPACE},
	    {"clone failed: cfs-lock 'storage-ceph' error: got lock request timeout",
		PVE_STORAGE_LOCK},
	    {"clone failed: unable to create image: got lock timeout - aborting command",
		PVE_STORAGE_LOCK},
	    {"clone failed: 'storage-nfs'-locked command timed out - aborting", PVE_STORAGE_LOCK},
	    {"update pools failed: 'file-user_cfg'-locked command timed out - aborting",
		PVE_CLUSTER_LOCK},
	    {"base volume 'zfs:base-9000-disk-0' is still in use by linked cloned",
		PVE_BASE_IN_USE},
	    {"There is a replication job '1204-0' for guest '1204' - Please remove that first.",
		PVE_REPLICATED},
	    {"storage 'nfs' is not available on node 'pve2'", PVE_NO_STORAGE},
	    {"storage 'nfs' is not online", PVE_NO_STORAGE},
	    {"storage 'nfs' is disabled", PVE_NO_STORAGE},
	};
	struct pveerr e;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows_of); i++)
		if (!pveerr_find(rows_of[i].text, &e) || e.reason != rows_of[i].reason)
			fail_msg("misread: %s", rows_of[i].text);
}

/* ---- held against what real clusters said ---- */

/* Words that need no reason of their own: they concern calls that Ramet never makes, or values that
 * it never sends. */
static const char *const unnamed[] = {
    "SSH public key validation error",
    "no sdn vnet ID specified",
    "QEMU guest agent is not running",
    "create user failed",
    "create pool failed",
    "delete pool failed",
    "delete role failed",
    "expected, at character offset",
    "unable to parse value of",
    "balloon value too large",
    "invalid bootorder",
    "disk image '",
    "cloud-init drive is already attached",
    "unable to parse directory volume name",
    "different from storage format",
    "failed to stat",
    "not HA managed",
    "disable firewall",
    "clone failed: copy failed: command",
    "snapshot feature is not available",
    "unable to parse volume ID",
    "The image size is too large",
    "qemu-img resize",
    "Only root may use this option",
};

static bool is_unnamed(const char *text)
{
	for (size_t i = 0; i < ARRAY_LEN(unnamed); i++) {
		if (strstr(text, unnamed[i]))
			return true;
	}
	return false;
}

struct tally {
	size_t known, unnamed, unknown;
};

static void judge(const char *text, struct tally *t)
{
	struct pveerr e;
	if (pveerr_find(text, &e)) {
		t->known++;
	} else if (is_unnamed(text)) {
		t->unnamed++;
	} else {
		t->unknown++;
		print_message("no reason for: %s\n", text);
	}
}

static void judge_exchange(void *arg, const char *file UNUSED, const struct jsn *j)
{
	struct tally *t = arg;
	const struct jsn *response = jsn_get(j, "response");
	int64_t status = jsn_get_int(response, "status", 0);
	const char *reason = jsn_get_text(response, "reason");
	const struct jsn *data = jsn_get(jsn_get(response, "body"), "data");
	const char *exitstatus = jsn_get_text(data, "exitstatus");
	if ((status == 500 || status == 403) && reason)
		judge(reason, t);
	if (exitstatus && !text_eq(exitstatus, "OK") && !text_starts(exitstatus, "WARNINGS: "))
		judge(exitstatus, t);
}

static void recorded_refusals_have_reasons(void **state)
{
	(void)state;
	struct tally t = {0};
	if (!recordings_walk(judge_exchange, &t))
		skip();
	print_message("%zu with a reason, %zu left without on purpose\n", t.known, t.unnamed);
	assert_int_equal(t.unknown, 0);
	assert_true(t.known > 500);
}

/* "GET /nodes/{node}/qemu/{vmid}" names the same call, whatever its variables are called. */
static bool same_template(const char *a, const char *b)
{
	while (*a && *b) {
		if (*a == '{' && *b == '{') {
			a += strcspn(a, "}");
			b += strcspn(b, "}");
		}
		if (*a++ != *b++)
			return false;
	}
	return *a == *b;
}

static const struct jsn *find_method(const struct jsn *methods, const struct endpoint *e)
{
	_cleanup_str_ char *call = mem_printf("%s %s", e->method, e->path);
	struct jsn_iter it;
	JSN_FOREACH (it, methods) {
		if (same_template(it.key, call))
			return it.val;
	}
	return NULL;
}

/* The recording is a selection of the API: one call stands in the recorded exchanges only, one was
 * never asked for. */
static bool is_left_out(const struct endpoint *e)
{
	return strcmp(e->word, "NODE_NETWORK") == 0 || strcmp(e->word, "REPLICATION") == 0;
}

/* Caller frees. NULL: there is none. */
static struct jsn *load_schema(const char *path)
{
	struct buf text;
	char chunk[65536];
	struct jsn *schema = NULL;
	size_t n;
	FILE *f = fopen(path, "r");
	if (!f)
		return NULL;
	buf_init(&text, 0);
	while ((n = fread(chunk, 1, sizeof(chunk), f)) > 0)
		buf_add(&text, chunk, n);
	fclose(f);
	assert_int_equal(jsn_parse(buf_str(&text), text.len, &schema, NULL), 0);
	buf_fini(&text);
	return schema;
}

typedef void (*schema_fn)(const char *file, const struct endpoint *e, const struct jsn *method);

static void each_call(schema_fn fn)
{
	static const char *const files[] = {
	    RECORDINGS "/schema-8.4.json", RECORDINGS "/schema-9.2.json"};
	for (size_t i = 0; i < ARRAY_LEN(files); i++) {
		struct jsn *schema = load_schema(files[i]);
		if (!schema)
			skip();
		for (size_t k = 0; k < ENDPOINT__MAX; k++) {
			const struct endpoint *e = endpoint_get((enum endpoint_id)k);
			if (!is_left_out(e))
				fn(files[i], e, find_method(schema, e));
		}
		jsn_free(&schema);
	}
}

static void call_exists(const char *file, const struct endpoint *e, const struct jsn *method)
{
	if (!method)
		fail_msg("%s: no %s %s", file, e->method, e->path);
}

static void all_calls_exist_in_the_api(void **state)
{
	(void)state;
	each_call(call_exists);
}

/* "VM.Config.*" stands for any of them. */
static bool names_privilege(const char *row, const char *privilege)
{
	_cleanup_str_ char *any =
	    mem_printf("%.*s*", (int)(strrchr(privilege, '.') + 1 - privilege), privilege);
	return strstr(row, privilege) || strstr(row, any);
}

/* ["perm", path, [privileges], "any", 1], below "and" and "or": each of them, or any of them. */
static bool is_named(const char *row, const struct jsn *check)
{
	const char *kind = jsn_text(jsn_at(check, 0));
	bool perm = text_eq(kind, "perm"), or = text_eq(kind, "or");
	const struct jsn *list = perm ? jsn_at(check, 2) : check;
	size_t named = 0, all = jsn_len(list) - (perm ? 0 : 1);
	if (perm && text_eq(jsn_text(jsn_at(check, 3)), "any"))
		or = true;
	for (size_t i = perm ? 0 : 1; i < jsn_len(list); i++)
		named += perm ? names_privilege(row, jsn_text(jsn_at(list, i)))
			      : is_named(row, jsn_at(list, i));
	return or ? named > 0 : named == all;
}

static void privilege_is_named(const char *file, const struct endpoint *e, const struct jsn *method)
{
	const struct jsn *check = jsn_get(jsn_get(method, "permissions"), "check");
	if (check && !is_named(e->privilege, check))
		fail_msg("%s: %s needs more than \"%s\"", file, e->word, e->privilege);
}

static void all_privileges_are_named(void **state)
{
	(void)state;
	each_call(privilege_is_named);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(no_row_hides_another),
	    cmocka_unit_test(every_reason_has_words),
	    cmocka_unit_test(words_are_found_anywhere_and_bounded),
	    cmocka_unit_test(storages_speak_in_many_words),
	    cmocka_unit_test(recorded_refusals_have_reasons),
	    cmocka_unit_test(all_calls_exist_in_the_api),
	    cmocka_unit_test(all_privileges_are_named),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
