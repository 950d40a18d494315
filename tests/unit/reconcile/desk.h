/*
 * desk: one operation on a scripted cluster port, in virtual time.
 *
 * Not a guest's machine and not a cluster: each request takes the next line of the script.
 *
 * The desk owns everything; close_desk frees it.
 *
 * Test programs; everything is static.
 */
#ifndef RAMET_DESK_H
#define RAMET_DESK_H

#include "../pve/fakeport.h"
#include "bundle.h"
#include "ops.h"

#define UUID "11111111-2222-3333-4444-555555555555"
#define MARKER "ramet: homelab/web-01 vmid=1204 0011223344556677"

struct desk {
	struct store store;
	unsigned lines; /* that the journal was given */
	struct vclock *v;
	struct fakeport port;
	struct pvereq *pve;
	struct inventory *inventory;
	struct journal *journal;
	struct bundle *bundle;
	struct obs_guest guest, source;
	struct record record;
	struct op *op;
	enum op_end end;
	enum reason reason; /* of STUCK */
	char *text, *hint;
	bool over;
};

static int keep_line(struct store *store, const char *line, struct err **err)
{
	struct desk *d = (struct desk *)store;

	(void)line;
	(void)err;
	d->lines++;
	return 0;
}

static int load_nothing(struct store *store, struct strs *ret, struct err **err)
{
	(void)store;
	(void)err;
	*ret = (struct strs){0};
	return 0;
}

static int keep_all(struct store *store, const struct strs *lines, struct err **err)
{
	(void)store;
	(void)lines;
	(void)err;
	return 0;
}

static void on_view(void *arg)
{
	(void)arg;
}

static void on_touched(void *arg, const uint32_t *vmids, size_t n)
{
	(void)arg;
	(void)vmids;
	(void)n;
}

static bool nobody_has(void *arg, uint32_t vmid, const char *name)
{
	(void)arg;
	(void)vmid;
	(void)name;
	return false;
}

static void on_end(void *arg, const struct op_result *r)
{
	struct desk *d = arg;

	d->end = r->end;
	d->reason = r->reason;
	mem_replace(&d->text, r->text);
	mem_replace(&d->hint, r->hint);
	d->over = true;
	op_cancel(&d->op);
}

static bool is_over(const void *arg)
{
	return ((const struct desk *)arg)->over;
}

static void open_desk_of(
    struct desk *d, const char *id, const char *clone, const struct fake_answer *script, size_t n)
{
	_cleanup_str_ char *yaml =
	    mem_printf("apiVersion: ramet.dev/v1\nkind: ClonedVM\nmetadata:\n  name: web-01\n"
		       "spec:\n  node_name: pve1\n%s  clone: { source_vm_id: 9000%s }\n",
		id, clone);
	struct bundle_file file = {.path = "web.yaml", .data = yaml, .len = strlen(yaml)};

	static const struct store_ops ops = {
	    .append = keep_line, .load = load_nothing, .rewrite = keep_all};

	*d = (struct desk){.store.ops = &ops, .v = vclock_new(1, 1800000000000)};
	fakeport_init(&d->port, d->v, script, n);
	d->pve = pvereq_new(&d->port.port, vclock_clock(d->v), 30000);
	struct inventory_opts o = {.clock = vclock_clock(d->v),
	    .pve = d->pve,
	    .tick_ms = 15000,
	    .on_view = on_view,
	    .on_touched = on_touched};
	d->inventory = inventory_new(&o);
	assert_int_equal(journal_open(&d->store, "homelab", false, &d->journal, NULL), 0);
	assert_int_equal(bundle_build("r", &file, 1, NULL, &d->bundle, NULL), 0);
	assert_int_equal(d->bundle->n, 1);
	d->guest =
	    (struct obs_guest){.vmid = 1204, .node = mem_strdup("pve1"), .uuid = mem_strdup(UUID)};
	d->guest.digest = mem_strdup("abc");
	kv_set(&d->guest.current, "description", MARKER);
	d->source =
	    (struct obs_guest){.vmid = 9000, .node = mem_strdup("pve1"), .uuid = mem_strdup(UUID)};
	d->record = (struct record){
	    .vmid = 1204, .uuid = mem_strdup(UUID), .nonce = mem_strdup("0011223344556677")};
	assert_int_equal(journal_record(d->journal, "web-01", &d->record, NULL), 0);
}

static UNUSED void open_desk(
    struct desk *d, const char *clone, const struct fake_answer *script, size_t n)
{
	open_desk_of(d, "  id: 1204\n", clone, script, n);
}

/* Carries the step out; the last request that was sent. */
static UNUSED const struct fake_seen *send(struct desk *d, const struct step *s)
{
	bool clone = s->kind == STEP_CLONE;
	struct op_env env = {.clock = vclock_clock(d->v),
	    .pve = d->pve,
	    .journal = d->journal,
	    .inventory = d->inventory,
	    .controller_id = "homelab",
	    .is_reserved = nobody_has,
	    .arg = d};
	struct op_job job = {.name = "web-01",
	    .step = s,
	    .want = d->bundle->v[0].res,
	    .record = clone ? NULL : &d->record,
	    .guest = clone ? NULL : &d->guest,
	    .source = clone ? &d->source : NULL};

	d->over = false;
	d->op = op_start(&env, &job, on_end, NULL, d);
	assert_true(vclock_run_to(d->v, clock_now(env.clock) + 600000, is_over, d));
	assert_true(d->port.n_seen > 0);
	return &d->port.seen[d->port.n_seen - 1];
}

static UNUSED void close_desk(struct desk *d)
{
	op_cancel(&d->op);
	inventory_free(&d->inventory);
	journal_free(&d->journal);
	pvereq_free(&d->pve);
	fakeport_fini(&d->port);
	vclock_free(&d->v);
	bundle_unref(&d->bundle);
	obs_guest_fini(&d->guest);
	obs_guest_fini(&d->source);
	record_fini(&d->record);
	free(d->text);
	free(d->hint);
}

#endif
