/*
 * Manifests that are drafted from random guests: valid, complete, and with nothing to do but the
 * adoption; after it, nothing at all.
 */
#include "../unit/plan/support.h"

#include "bundle.h"
#include "draft.h"
#include "support_plangen.h"
#include "support_planmodel.h"

#define SEEDS 200

struct stage {
	struct scene s;
	struct planmodel m;
};

static void stage_open(struct stage *t, uint64_t seed)
{
	*t = (struct stage){0};
	plangen_seed(seed);
	scene_open(&t->s, "");
	t->m.guest = (struct obs_guest){.vmid = 1204,
	    .node = mem_strdup("pve1"),
	    .uuid = mem_strdup(UUID),
	    .pool = plangen_chance(30) ? mem_strdup("lab") : NULL,
	    .pool_known = true,
	    .power = plangen_chance(60) ? OBS_POWER_RUNNING : OBS_POWER_STOPPED,
	    .power_word = mem_strdup("running"),
	    .started_s = 1000};
	plangen_conf(&t->m.guest.current, 1204);
	if (plangen_chance(80))
		kv_set(&t->m.guest.current, "name", plangen_chance(50) ? "Web_01" : "web.example");
	if (plangen_chance(50))
		kv_set(&t->m.guest.current, "description",
		    plangen_chance(50) ? "a: b # c\n- \"d\"\n\ttab \\ {x}"
				       : "%YAML: \xe2\x80\xa8!");
	if (plangen_chance(10))
		kv_set(&t->m.guest.current, "description", "bell \x07 and escape \x1b[2J");
	kv_set(&t->m.guest.current, "tags", "zeta;Alpha");
	kv_copy(&t->m.guest.pending, &t->m.guest.current);
	t->m.exists = true;
	planmodel_adopt_volumes(&t->m);
	t->s.in.record = NULL;
	t->s.in.guest = &t->m.guest;
	t->s.in.nonce = NONCE;
}

static void stage_close(struct stage *t)
{
	scene_close(&t->s);
	planmodel_fini(&t->m);
}

static char *draft(struct stage *t, bool all)
{
	const struct draft_opts o = {.guest = &t->m.guest,
	    .cluster = &t->s.cluster,
	    .policy = &t->s.policy,
	    .source = 9000,
	    .all_leaves = all};
	struct err *err = NULL;
	char *text = NULL;
	if (draft_make(&o, &text, &err) < 0)
		fail_msg("no draft: %s", err_msg(err));
	return text;
}

static struct bundle *read_back(uint64_t seed, const char *text)
{
	const struct bundle_file f = {.path = "a.yaml", .data = text, .len = strlen(text)};
	struct bundle *b = NULL;
	assert_int_equal(bundle_build("r", &f, 1, NULL, &b, NULL), 0);
	if (diags_errors(&b->diags) || b->n != 1)
		fail_msg("seed %llu: %s\n%s", (unsigned long long)seed,
		    b->diags.n ? b->diags.v[0].msg : "no manifest", text);
	return b;
}

static bool says_why_not(const char *text, const char *key)
{
	_cleanup_str_ char *word = mem_printf("%s: ", key);
	for (const char *p = text, *end; (end = strchr(p, '\n')); p = end + 1) {
		_cleanup_str_ char *line = mem_strndup(p, (size_t)(end - p));
		if (text_starts(line + strspn(line, " "), "# ") && strstr(line, word) &&
		    strstr(line, " # left out: "))
			return true;
	}
	return false;
}

static bool is_nothing(const struct value *v)
{
	return v->type == VALUE_ABSENT || (v->type == VALUE_SET && !v->set.n) ||
	       (v->type == VALUE_STR && !*v->s);
}

/* The leaves of devices, in blocks below them too. */
static void expect_devices(
    uint64_t seed, struct stage *t, const struct resource *r, const char *text)
{
	for (unsigned i = 0; i < ATTR_ID__MAX; i++) {
		const struct attr *a = schema_attr(i);
		bool net = text_starts(a->path, "network.*."),
		     disk = text_starts(a->path, "disk.*.");
		if (a->codec == CODEC_NONE || (!net && !disk) || a->id == ATTR_disk_file)
			continue;
		KV_FOREACH (item, &t->m.guest.current) {
			_cleanup_value_ struct value v = {0};
			const char *bus;
			unsigned index;
			if (!form_slot_parse(item->key, &bus, &index) ||
			    text_eq(bus, "net") != net || strstr(item->value, "media=cdrom") ||
			    pvecodec_get(a, item->key, &t->m.guest.current, NULL, &v, NULL) < 0 ||
			    is_nothing(&v) || resource_find(r, a->id, item->key) ||
			    says_why_not(text, schema_key(a)))
				continue;
			fail_msg("seed %llu: %s of %s is not there\n%s", (unsigned long long)seed,
			    a->path, item->key, text);
		}
	}
}

/* Every leaf that the guest has is listed, or stands there with the reason why not. */
static void expect_complete(
    uint64_t seed, struct stage *t, const struct resource *r, const char *text)
{
	for (unsigned i = 0; i < ATTR_ID__MAX; i++) {
		const struct attr *a = schema_attr(i);
		_cleanup_value_ struct value v = {0};
		if (a->codec == CODEC_NONE || strchr(a->path, '*') ||
		    pvecodec_get(a, NULL, &t->m.guest.current, &t->s.policy.env, &v, NULL) < 0 ||
		    is_nothing(&v) || resource_find(r, a->id, NULL))
			continue;
		if (!says_why_not(text, schema_key(a)))
			fail_msg("seed %llu: %s is not there\n%s", (unsigned long long)seed,
			    a->path, text);
	}
}

static void adopt_and_expect_nothing(uint64_t seed, struct stage *t, const char *text)
{
	for (unsigned round = 0; round < 5; round++) {
		planmodel_observe(&t->m);
		const struct plan *p = scene_plan(&t->s);
		if (round > 0 && p->verdict == PLAN_IN_SYNC && !p->n_changes)
			return;
		if (p->n_changes > 1 || p->n_steps != 1 ||
		    (p->n_changes && strcmp(p->changes[0].path, "adoption") != 0) || round > 1)
			fail_msg("seed %llu: %s (%s) %zu changes, %zu steps\n%s",
			    (unsigned long long)seed, p->n_changes ? p->changes[0].path : "",
			    p->message, p->n_changes, p->n_steps, text);
		/* Nothing but Ramet's own is written. */
		KV_FOREACH (item, &p->steps[0].set)
			assert_true(
			    text_eq(item->key, "description") || text_eq(item->key, "tags"));
		assert_int_equal(p->steps[0].del.n, 0);
		_cleanup_str_ char *wrong = planmodel_apply(&t->m, &p->steps[0], &t->s.in);
		assert_null(wrong);
		record_fini(&t->s.record);
		record_copy(&t->s.record, &p->learned);
		assert_true(t->s.record.proven);
		t->s.in.record = &t->s.record;
	}
	fail_msg("seed %llu: never in sync", (unsigned long long)seed);
}

static void with_all_leaves(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed <= SEEDS; seed++) {
		struct stage t;
		stage_open(&t, seed);
		_cleanup_str_ char *text = draft(&t, true);
		struct bundle *b = read_back(seed, text);
		expect_complete(seed, &t, b->v[0].res, text);
		expect_devices(seed, &t, b->v[0].res, text);
		t.s.in.want = b->v[0].res;
		adopt_and_expect_nothing(seed, &t, text);
		bundle_unref(&b);
		stage_close(&t);
	}
}

/* "  # cpu:" becomes "  cpu:", as a person would do it; what was left out stays out. */
static char *take_signs_away(const char *text)
{
	struct buf out;
	buf_init(&out, 0);
	for (const char *p = text, *end; (end = strchr(p, '\n')); p = end + 1) {
		_cleanup_str_ char *line = mem_strndup(p, (size_t)(end - p));
		size_t blanks = strspn(line, " ");
		bool sign = blanks && text_starts(line + blanks, "# ");
		if (sign && !strstr(line, " # left out: "))
			buf_addf(&out, "%*s%s\n", (int)blanks, "", line + blanks + 2);
		else
			buf_addf(&out, "%s\n", line);
	}
	return buf_take(&out);
}

static void comments_are_the_rest(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed <= SEEDS; seed++) {
		struct stage t;
		stage_open(&t, seed);
		_cleanup_str_ char *all = draft(&t, true), *little = draft(&t, false);
		_cleanup_str_ char *uncommented = take_signs_away(little);
		struct bundle *a = read_back(seed, all), *b = read_back(seed, little);
		struct bundle *c = read_back(seed, uncommented);
		const struct resource *r = b->v[0].res;
		/* node_name, id, clone.source_vm_id, and the name if it has one that can be listed
		 */
		assert_int_equal(r->n_leaves, resource_find(r, ATTR_name, NULL) ? 4 : 3);
		if (strcmp(a->v[0].res->hash, c->v[0].res->hash) != 0)
			fail_msg("seed %llu:\n%s\n%s", (unsigned long long)seed, all, uncommented);
		t.s.in.want = r;
		adopt_and_expect_nothing(seed, &t, little);
		bundle_unref(&a);
		bundle_unref(&b);
		bundle_unref(&c);
		stage_close(&t);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(with_all_leaves),
	    cmocka_unit_test(comments_are_the_rest),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
