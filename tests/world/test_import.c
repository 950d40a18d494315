/*
 * Manifests drafted from guests of the simulated cluster with random configurations: the plan is
 * the adoption and nothing else, then the VM is Ready, and no key but Ramet's own ever changed.
 */
#include "draft.h"
#include "inventory.h"
#include "look.h"
#include "pvecodec.h"
#include "support_world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define SEEDS 25
#define SOURCE 9000

struct seen {
	struct world *w;
	struct cluster_port *port;
	struct pvereq *pve;
	struct inventory *inventory;
	struct look *look;
	struct obs_guest guest;
	uint32_t vmid;
	bool done;
};

/* Examples of the table, put on the guest as somebody at the web interface would; what PVE refuses
 * stays as it was. */
static void vary(struct world *w, uint32_t vmid)
{
	_cleanup_kv_ struct kv drive = {0};

	kv_set(&drive, "ide2", "fast:cloudinit");
	if (w->seed % 2 == 0)
		assert_int_equal(sim_human_edit(w->sim, vmid, "ops@pam", &drive, NULL, NULL), 0);
	for (unsigned i = 0; i < ATTR_ID__MAX; i++) {
		const struct attr *a = schema_attr(i);
		const char *slot = !strchr(a->path, '*')	      ? NULL
				   : text_starts(a->path, "network.") ? "net0"
								      : "scsi0";
		_cleanup_str_ char *example = mem_strdup(a->example + (a->example[0] == '"'));
		_cleanup_value_ struct value v = {0};
		_cleanup_kv_ struct kv conf = {0}, set = {0};
		const char *key = pvecodec_key(a, slot);
		example[strcspn(example, "\"")] = '\0';
		if (a->codec == CODEC_NONE || (a->flags & ATTR_SPECIAL) || !key ||
		    world_random(w, 100) < 60 || schema_parse_value(a, example, &v) < 0)
			continue;
		kv_copy(&conf, sim_guest_conf(w->sim, vmid));
		if (slot && !kv_has(&conf, slot))
			continue;
		if (pvecodec_put(a, slot, &v, &conf, NULL, NULL) < 0 || !kv_get(&conf, key))
			continue;
		kv_set(&set, key, kv_get(&conf, key));
		if (sim_human_edit(w->sim, vmid, "ops@pam", &set, NULL, NULL) == 0)
			world_tell(w, "human: %s=%s", key, kv_get(&conf, key));
	}
}

static void on_look(
    void *arg, enum look_end end, struct obs_guest *g, const struct pvereq_result *why)
{
	struct seen *s = arg;
	if (end != LOOK_OK)
		fail_msg("VM %u cannot be read: %s", s->vmid, why->text);
	s->guest = *g;
	*g = (struct obs_guest){0};
	look_cancel(&s->look);
	s->done = true;
}

static void on_view(void *arg)
{
	struct seen *s = arg;
	const struct obs_row *row = obs_cluster_row(inventory_view(s->inventory), s->vmid);
	if (s->look || s->done || !row || !inventory_is_ready(s->inventory))
		return;
	s->look = look_start(s->pve, s->vmid, row->node, false, on_look, s);
}

static void on_touched(void *arg, const uint32_t *vmids, size_t n)
{
	(void)arg;
	(void)vmids;
	(void)n;
}

static void see(struct seen *s, struct world *w, uint32_t vmid)
{
	*s = (struct seen){.w = w, .vmid = vmid};
	s->port = simport_new(w->sim, w->clock, &w->token_file, "pve1");
	s->pve = pvereq_new(s->port, w->clock, 30000);
	s->inventory = inventory_new(&(struct inventory_opts){.clock = w->clock,
	    .pve = s->pve,
	    .tick_ms = 5000,
	    .nothing_sent = true,
	    .on_view = on_view,
	    .on_touched = on_touched,
	    .arg = s});
	inventory_start(s->inventory);
	for (unsigned i = 0; i < 10000 && !s->done; i++)
		world_step(w);
	assert_true(s->done);
	const struct obs_row *row = obs_cluster_row(inventory_view(s->inventory), vmid);
	s->guest.pool = mem_strdup(row->pool);
	s->guest.pool_known = true;
}

static void unsee(struct seen *s)
{
	look_cancel(&s->look);
	inventory_free(&s->inventory);
	pvereq_free(&s->pve);
	simport_free(&s->port);
	obs_guest_fini(&s->guest);
}

/* As the text says at its head. */
static void expect_remark(const char *text, bool managed)
{
	bool said = strstr(text, "marker of this name already") != NULL;

	assert_int_equal(said, managed);
}

static struct bundle *import(struct world *w, uint32_t vmid, bool managed)
{
	const struct plan_policy policy = {.controller_id = WORLD_ID,
	    .env = {.tag = w->config->cluster_tag, .suspend_tag = "ramet-suspend"}};
	_cleanup_str_ char *text = NULL;
	_cleanup_err_ struct err *err = NULL;
	struct bundle *b = NULL;
	struct seen s;
	see(&s, w, vmid);
	const struct draft_opts o = {.guest = &s.guest,
	    .cluster = inventory_view(s.inventory),
	    .policy = &policy,
	    .source = SOURCE,
	    .all_leaves = true};
	if (draft_make(&o, &text, &err) < 0)
		fail_msg("seed %llu: %s", (unsigned long long)w->seed, err_msg(err));
	world_tell(w, "%s", text);
	expect_remark(text, managed);
	const struct bundle_file f = {.path = "a.yaml", .data = text, .len = strlen(text)};
	assert_int_equal(bundle_build("r", &f, 1, NULL, &b, NULL), 0);
	assert_int_equal(diags_errors(&b->diags), 0);
	unsee(&s);
	return b;
}

/* The marker line came behind the description, and the tag to the tags, which PVE sorts. */
static void expect_grown(struct world *w, const char *key, const char *old, const char *now)
{
	_cleanup_strs_ struct strs was = {0}, is = {0};
	_cleanup_str_ char *trimmed = mem_strdup(old);
	text_trim_right(trimmed);
	bool fine = text_starts(now, trimmed);
	if (text_eq(key, "tags")) {
		assert_int_equal(text_split(old, ";", true, 100, &was), 0);
		assert_int_equal(text_split(now, ";", true, 100, &is), 0);
		strs_add(&was, w->config->cluster_tag);
		strs_sort_unique(&was);
		strs_sort_unique(&is);
		fine = strs_eq(&was, &is);
	}
	if (!fine)
		fail_msg(
		    "seed %llu: %s went from %s to %s", (unsigned long long)w->seed, key, old, now);
}

/* Nothing changed but the marker and Ramet's tag. */
static void expect_as_before(struct world *w, uint32_t vmid, const struct kv *before)
{
	const struct kv *after = sim_guest_conf(w->sim, vmid);
	KV_FOREACH (item, after) {
		const char *old = kv_get(before, item->key);
		bool own = text_eq(item->key, "description") || text_eq(item->key, "tags") ||
			   text_eq(item->key, "digest");
		if (!own && !text_eq(old, item->value))
			fail_msg("seed %llu: %s went from %s to %s\n%s",
			    (unsigned long long)w->seed, item->key, old ? old : "absent",
			    item->value, buf_str(&w->story));
		if (own && old && !text_eq(item->key, "digest"))
			expect_grown(w, item->key, old, item->value);
	}
	KV_FOREACH (item, before)
		assert_true(kv_has(after, item->key));
}

static bool is_ready(struct world *w)
{
	const struct status *s = controller_status(w->controller);
	return s->n_vms == 1 && s->vms[0]->verdict == PLAN_IN_SYNC && vmstat_is_ready(s->vms[0]);
}

static void import_and_adopt(uint64_t seed, uint32_t vmid)
{
	struct world *w = world_new(seed, NULL);
	_cleanup_kv_ struct kv before = {0};
	vary(w, vmid);
	struct bundle *b = import(w, vmid, false), *again = NULL;
	kv_copy(&before, sim_guest_conf(w->sim, vmid));
	const char *name = b->v[0].res->name;
	assert_true(b->v[0].res->n_leaves > 6);
	/* The drive with the data of cloud-init stands with the data. */
	const char *on = resource_str(b->v[0].res, ATTR_init_datastore_id);
	const char *in = resource_str(b->v[0].res, ATTR_init_interface);
	assert_string_equal(on ? on : "none", seed % 2 == 0 ? "fast" : "none");
	assert_string_equal(in ? in : "none", seed % 2 == 0 ? "ide2" : "none");

	world_start_path(w, b);
	if (!world_run(w, 600000, is_ready, NULL))
		fail_msg("seed %llu: not ready\n%s", (unsigned long long)seed, buf_str(&w->story));
	assert_int_equal(world_find(w, name, NULL), vmid);
	expect_as_before(w, vmid, &before);
	const struct plan *p = controller_plan(w->controller, name);
	assert_int_equal(p->verdict, PLAN_IN_SYNC);
	for (size_t i = 0; i < p->n_changes; i++) /* of the running guest: not even begun by us */
		assert_int_equal(p->changes[i].state, CHANGE_PENDING);
	assert_true(world_vmstat(w, name)->record.proven);
	again = import(w, vmid, true);
	assert_string_equal(again->v[0].res->name, name);
	bundle_unref(&again);
	bundle_unref(&b);
	world_free(&w);
}

static void stopped(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed <= SEEDS; seed++)
		import_and_adopt(seed, 1003);
}

static void running(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed <= SEEDS; seed++)
		import_and_adopt(seed, 1050);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(stopped),
	    cmocka_unit_test(running),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
