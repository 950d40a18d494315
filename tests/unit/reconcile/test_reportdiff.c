/* What is found to differ without rendering everything, beside what rendering everything finds. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "reportdiff.h"

#define NAMES 12
#define ROUNDS 800

static char id[] = "c", name[] = "a";
static uint64_t state = 1;

static unsigned draw(unsigned n)
{
	state = state * 6364136223846793005u + 1442695040888963407u;
	return (unsigned)(state >> 33) % n;
}

static const char *const words[] = {
    NULL, "", "a", "b", "a b", "true", "x\ny", "\xff", "longer than eight"};

static const char *word(void)
{
	return words[draw(ARRAY_LEN(words))];
}

static void set_str(char **s)
{
	mem_replace(s, word());
}

static void set_kv(struct kv *m)
{
	static const char *const keys[] = {"scsi0", "scsi1", "net0"};
	const char *key = keys[draw(ARRAY_LEN(keys))], *value = word();

	if (value)
		kv_set(m, key, value);
	else
		kv_del(m, key);
}

static void set_strs(struct strs *l)
{
	const char *s = word();

	if (!s || l->n > 3)
		strs_fini(l);
	else
		strs_add(l, s);
}

static void set_drifts(struct drifts *l)
{
	struct drift *d = l->n ? &l->v[draw((unsigned)l->n)] : NULL;

	if (!d || (draw(4) == 0 && l->n < 4)) {
		*drifts_add(l) =
		    (struct drift){.path = mem_strdup("cpu.cores"), .since_wall = 1000};
		return;
	}
	switch (draw(9)) {
	case 0:
		set_str(&d->wanted);
		break;
	case 1:
		set_str(&d->found);
		break;
	case 2:
		set_str(&d->who);
		break;
	case 3:
		set_str(&d->why);
		break;
	case 4:
		d->since_wall = 1000 * (1 + draw(3));
		break;
	case 5:
		d->corrected_wall = 1000 * draw(3);
		break;
	case 6:
		d->fight = draw(2);
		break;
	case 7:
		d->state = (enum change_state)draw(CHANGE_STATE__MAX);
		break;
	default:
		drifts_fini(l);
	}
}

static void set_findings(struct diags *l)
{
	if (draw(3) == 0 || l->n > 3)
		diags_fini(l);
	else
		diag_hint(diags_add(l, (enum diag_code)draw(DIAG_CODE__MAX), word(),
			      (struct mark){.line = draw(3), .col = draw(3)}, "msg %u", draw(3)),
		    "hint %u", draw(3));
}

static void set_record(struct record *r)
{
	char **const texts[] = {&r->uuid, &r->nonce, &r->node, &r->source_uuid, &r->synced_rev,
	    &r->good_rev, &r->good_path};
	struct kv *const maps[] = {&r->volumes, &r->loose, &r->macs, &r->sizes, &r->stored,
	    &r->silent, &r->owned, &r->parting, &r->unmet};
	bool *const flags[] = {&r->proven, &r->whole, &r->owns};

	switch (draw(6)) {
	case 0:
		r->vmid = draw(3);
		break;
	case 1:
		r->source_vmid = draw(3);
		break;
	case 2:
		memset(r->synced_hash, draw(2) ? 'a' : 'b', CRYPT_HEX_LEN - 1);
		break;
	case 3:
		r->boot_mark = draw(3);
		break;
	case 4:
		*flags[draw(ARRAY_LEN(flags))] = draw(2);
		break;
	default:
		if (draw(2))
			set_str(texts[draw(ARRAY_LEN(texts))]);
		else
			set_kv(maps[draw(ARRAY_LEN(maps))]);
	}
}

static void change(struct vmstat *v)
{
	char **const texts[] = {&v->file, &v->rev, &v->message, &v->hint, &v->node, &v->power,
	    &v->lock, &v->last_op, &v->last_upid, &v->last_result};

	switch (draw(12)) {
	case 0:
		v->stale = draw(2);
		break;
	case 1:
		v->verdict = (enum plan_verdict)draw(PLAN_VERDICT__MAX);
		break;
	case 2:
		v->reason = (enum reason)draw(REASON__MAX);
		break;
	case 3:
		v->since_wall = 1000 * draw(3);
		break;
	case 4:
		set_drifts(draw(2) ? &v->drifts : &v->corrected);
		break;
	case 5:
		set_strs(draw(2) ? &v->pending_keys : &v->blocked);
		break;
	case 6:
		set_findings(&v->findings);
		break;
	case 7:
	case 8:
	case 9:
		set_record(&v->record);
		break;
	default:
		set_str(texts[draw(ARRAY_LEN(texts))]);
	}
}

/* The same, from a rendering of everything. */
static void expect_same(
    const struct reportdiff *d, const struct status *s, const struct kv *known, bool partial)
{
	_cleanup_kv_ struct kv files = {0};
	_cleanup_tree_ struct tree t;
	size_t put = 0, del = 0;

	tree_render(s, &t);
	if (partial)
		kv_copy(&files, known);
	for (size_t i = 0; i < t.n; i++) {
		char hex[CRYPT_HEX_LEN];

		if (partial && !text_starts(t.v[i].path, "vms/"))
			continue;
		crypt_sha256_hex(t.v[i].data, t.v[i].len, hex);
		kv_set(&files, t.v[i].path, hex);
		if (text_eq(kv_get(known, t.v[i].path), hex))
			continue;
		assert_true(put < d->n_put);
		assert_string_equal(d->put[put].path, t.v[i].path);
		assert_int_equal(d->put[put].len, t.v[i].len);
		assert_memory_equal(d->put[put].data, t.v[i].data, t.v[i].len);
		put++;
	}
	assert_int_equal(d->n_put, put);
	assert_true(kv_eq(&d->files, &files));
	KV_FOREACH (it, known) {
		if (kv_has(&files, it->key))
			continue;
		assert_true(del < d->n_del);
		assert_string_equal(d->del[del++], it->key);
	}
	assert_int_equal(d->n_del, del);
}

static void test_random(void **unused UNUSED)
{
	static const char *const names[NAMES] = {
	    "Not.A.Label", "a", "a-b", "a1", "b", "c", "d", "e", "f", "g", "h", "i"};
	struct vmstat vms[NAMES] = {0};
	const struct vmstat *shown[NAMES];
	bool there[NAMES] = {false};
	struct treememo memo = {.seed = 42};
	struct kv known = {0};

	for (size_t i = 0; i < NAMES; i++) {
		vms[i].name = mem_strdup(names[i]);
		vms[i].reason = REASON_READING;
	}
	for (unsigned round = 0; round < ROUNDS; round++) {
		bool partial = draw(20) == 0;
		struct status s = {.controller_id = id, .vms = shown};
		struct reportdiff d;

		for (unsigned k = draw(4); k > 0; k--)
			change(&vms[draw(NAMES)]);
		if (draw(5) == 0)
			there[draw(NAMES)] ^= true;
		for (size_t i = 0; i < NAMES; i++)
			if (there[i])
				shown[s.n_vms++] = &vms[i];
		reportdiff_make(&d, &s, &known, partial, &memo);
		expect_same(&d, &s, &known, partial);
		if (draw(4)) { /* else it was not published */
			kv_fini(&known);
			known = d.files;
			d.files = (struct kv){0};
		}
		if (draw(10) == 0) /* others write there too */
			kv_set(&known, "vms/a.yaml", draw(2) ? "theirs" : "");
		if (draw(10) == 0)
			kv_del(&known, "vms/b.yaml");
		reportdiff_fini(&d);
	}
	for (size_t i = 0; i < NAMES; i++)
		vmstat_fini(&vms[i]);
	treememo_fini(&memo);
	kv_fini(&known);
}

/* Who is gone is forgotten, and rendered anew when he comes back. */
static void test_gone(void **unused UNUSED)
{
	struct vmstat v = {.name = name, .reason = REASON_READING};
	const struct vmstat *shown[] = {&v};
	struct status s = {.controller_id = id, .vms = shown, .n_vms = 1};
	struct treememo memo = {0};
	struct kv known = {0};
	struct reportdiff d;

	reportdiff_make(&d, &s, &known, false, &memo);
	reportdiff_fini(&d);
	assert_int_equal(memo.n, 1);
	s.n_vms = 0;
	reportdiff_make(&d, &s, &known, false, &memo);
	assert_int_equal(d.n_put, 3);
	reportdiff_fini(&d);
	assert_int_equal(memo.n, 0);
	treememo_fini(&memo);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_random),
	    cmocka_unit_test(test_gone),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
