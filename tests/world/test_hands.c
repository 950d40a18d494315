/* What people do to a VM that is known by its number, UUID and marker: rename it, copy it, set it
 * back, restore it, make another thing of it, here and in the repository, also all at once. */
#include "support_judge.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define HOUR_MS 3600000
#define HEAD(name) "apiVersion: ramet.dev/v1\nkind: ClonedVM\nmetadata: { name: " name " }\nspec:\n"
#define RENAMED(name, old)                                                  \
	"apiVersion: ramet.dev/v1\nkind: ClonedVM\nmetadata: { name: " name \
	", annotations: { ramet.dev/renamed-from: " old " } }\nspec:\n"
#define CLONE "  node_name: pve2\n  clone: { source_vm_id: 9001, full: false }\n"
#define SECRET "PVEAPIToken=admin@pve!t=22222222-2222-2222-2222-222222222222"

static struct judge judge;

static void look(struct world *w)
{
	judge_look(&judge, w);
}

/* NAME, or NULL for none, stands in a file of its own each. */
static void merge(struct world *w, const char *one, const char *other)
{
	_cleanup_kv_ struct kv files = {0};

	kv_set(&files, "README.txt", "no manifest");
	if (one)
		kv_set(&files, "one.yaml", one);
	if (other)
		kv_set(&files, "other.yaml", other);
	memgit_commit(w->git, &files, "merge");
}

static struct world *new_world(const char *one, const char *other)
{
	struct world *w = world_new(31, NULL);

	judge = (struct judge){0};
	judge_name(&judge, "web-01");
	judge_name(&judge, "web-02");
	merge(w, one, other);
	world_start(w, CONTROLLER_RUN);
	return w;
}

static void end_world(struct world *w, const char *what)
{
	unsigned violations = w->violations;

	if (what || violations)
		fputs(buf_str(&w->story), stderr);
	judge_fini(&judge);
	world_free(&w);
	if (what)
		fail_msg("%s", what);
	assert_int_equal(violations, 0);
}

static void must_be_ready(struct world *w)
{
	if (!world_run(w, HOUR_MS, world_all_ready, look))
		end_world(w, "not Ready");
}

static struct world *ready_world(const char *one, const char *other)
{
	struct world *w = new_world(one, other);

	must_be_ready(w);
	world_run(w, 60000, NULL, look);
	return w;
}

/* The report says so of the VM, reason and text. */
static void must_say(struct world *w, const char *name, enum reason reason, const char *text)
{
	const struct vmstat *v = world_vmstat(w, name);

	if (v && v->reason == reason && (!text || (v->message && strstr(v->message, text))))
		return;
	_cleanup_str_ char *what = mem_printf("%s: %s: %s", name, v ? reason_word(v->reason) : "?",
	    v && v->message ? v->message : "");
	end_world(w, what);
}

static void drop_reply(void *arg, const struct sim_reply *reply)
{
	(void)arg, (void)reply;
}

/* At the web interface. */
static void by_hand(
    struct world *w, const char *method, int64_t vmid, const char *what, const struct kv *params)
{
	_cleanup_str_ char *path = mem_printf(
	    "/nodes/%s/qemu/%lld/%s", sim_guest_node(w->sim, vmid), (long long)vmid, what);
	struct sim_req q = {.method = method,
	    .path = path,
	    .params = params,
	    .authorization = SECRET,
	    .node = "pve2"};

	(void)sim_submit(w->sim, &q, drop_reply, NULL);
	world_run(w, 5000, NULL, look);
	while (sim_tasks_running(w->sim))
		world_step(w);
}

static void edit(struct world *w, int64_t vmid, const char *key, const char *value)
{
	_cleanup_err_ struct err *e = NULL;
	_cleanup_kv_ struct kv set = {0};

	kv_set(&set, key, value);
	if (sim_human_edit(w->sim, vmid, "ops@pam", &set, NULL, &e) < 0)
		fail_msg("%s: %s", key, err_msg(e));
}

/* Its configuration, as a backup has it, under this number. */
static void restore_as(struct world *w, const struct kv *conf, int64_t vmid)
{
	_cleanup_err_ struct err *e = NULL;
	_cleanup_kv_ struct kv set = {0};

	kv_copy(&set, conf);
	kv_del(&set, "digest");
	kv_del(&set, "vmgenid");
	kv_set(&set, "scsi0", "shared:4");
	if (sim_human_create(w->sim, vmid, "pve3", "ops@pam", &set, &e) < 0)
		fail_msg("restore: %s", err_msg(e));
}

/* Renamed in PVE, its notes edited and migrated, while its manifest gets another name and another
 * wish: the same VM, and what nobody lists stays. */
static void test_everything_at_once(void **state)
{
	struct world *w = ready_world(HEAD("web-01") CLONE, NULL);
	int64_t vmid = world_find(w, "web-01", NULL), ids[100];
	size_t guests = sim_guests(w->sim, ids, 100);

	(void)state;
	_cleanup_str_ char *notes =
	    mem_printf("Ask Jo first\n%s\nReally", sim_guest_get(w->sim, vmid, "description"));
	edit(w, vmid, "name", "jos-machine");
	edit(w, vmid, "description", notes);
	assert_int_equal(sim_human_migrate(w->sim, vmid, "pve3", NULL), 0);
	merge(w, NULL, RENAMED("web-02", "web-01") CLONE "  cpu: { cores: 4 }\n");
	world_run(w, 600000, NULL, look);
	must_be_ready(w);
	assert_int_equal(world_find(w, "web-02", NULL), vmid);
	assert_int_equal(world_find(w, "web-01", NULL), 0);
	assert_int_equal(sim_guests(w->sim, ids, 100), guests);
	assert_string_equal(sim_guest_get(w->sim, vmid, "cores"), "4");
	assert_string_equal(sim_guest_get(w->sim, vmid, "name"), "jos-machine");
	assert_string_equal(sim_guest_node(w->sim, vmid), "pve3");
	assert_non_null(strstr(sim_guest_get(w->sim, vmid, "description"), "Ask Jo first"));
	assert_non_null(strstr(sim_guest_get(w->sim, vmid, "description"), "Really"));
	end_world(w, NULL);
}

/* Another file, the same name: nothing happens. */
static void test_file_is_renamed(void **state)
{
	struct world *w = ready_world(HEAD("web-01") CLONE, NULL);
	int64_t vmid = world_find(w, "web-01", NULL);
	size_t entries = sim_journal_len(w->sim);

	(void)state;
	merge(w, NULL, HEAD("web-01") CLONE);
	world_run(w, 600000, NULL, look);
	must_be_ready(w);
	assert_string_equal(world_vmstat(w, "web-01")->file, "other.yaml");
	assert_int_equal(world_find(w, "web-01", NULL), vmid);
	assert_int_equal(sim_journal_len(w->sim), entries);
	end_world(w, NULL);
}

/* Two that change names at one go: which VM is meant to be which cannot be told from the half that
 * is seen first, so it is refused, and both stay as they were. */
static void test_two_swap_names(void **state)
{
	struct world *w = ready_world(HEAD("web-01") CLONE "  cpu: { cores: 2 }\n",
	    HEAD("web-02") CLONE "  cpu: { cores: 3 }\n");
	int64_t one = world_find(w, "web-01", NULL), two = world_find(w, "web-02", NULL);
	size_t entries = sim_journal_len(w->sim);

	(void)state;
	merge(w, RENAMED("web-02", "web-01") CLONE "  cpu: { cores: 2 }\n",
	    RENAMED("web-01", "web-02") CLONE "  cpu: { cores: 3 }\n");
	world_run(w, 600000, NULL, look);
	assert_int_equal(world_find(w, "web-01", NULL), one);
	assert_int_equal(world_find(w, "web-02", NULL), two);
	assert_int_equal(sim_journal_len(w->sim), entries);
	assert_true(world_vmstat(w, "web-01")->stale);
	assert_true(world_vmstat(w, "web-02")->stale);
	assert_non_null(strstr(memgit_status_file(w->git, "STATUS.md"), "still has that name"));
	end_world(w, NULL);
}

/* A VM keeps its number: told, and nothing is done. */
static void test_another_number(void **state)
{
	struct world *w = ready_world(HEAD("web-01") CLONE "  id: 1040\n", NULL);
	int64_t ids[100];
	size_t entries = sim_journal_len(w->sim), guests = sim_guests(w->sim, ids, 100);

	(void)state;
	merge(w, HEAD("web-01") CLONE "  id: 1041\n", NULL);
	world_run(w, 600000, NULL, look);
	assert_int_equal(world_find(w, "web-01", NULL), 1040);
	assert_int_equal(sim_journal_len(w->sim), entries);
	assert_int_equal(sim_guests(w->sim, ids, 100), guests);
	must_say(w, "web-01", REASON_CLONE_SOURCE_CHANGED, "id 1040 → 1041");
	/* Also when everything is forgotten. */
	world_kill(w);
	memstore_drop(w->store);
	memgit_drop_status(w->git);
	world_start(w, CONTROLLER_RUN);
	world_run(w, 600000, NULL, look);
	assert_int_equal(world_find(w, "web-01", NULL), 1040);
	assert_int_equal(sim_guests(w->sim, ids, 100), guests);
	end_world(w, NULL);
}

/* The template is gone, and then there is another one with its number: what was cloned is not
 * concerned. */
static void test_template_replaced(void **state)
{
	static const char full[] =
	    HEAD("web-01") "  node_name: pve2\n  clone: { source_vm_id: 9001 }\n";
	struct world *w = ready_world(full, NULL);
	int64_t vmid = world_find(w, "web-01", NULL);
	size_t entries;

	(void)state;
	assert_int_equal(sim_human_delete(w->sim, 9001, "ops@pam", NULL), 0);
	entries = sim_journal_len(w->sim);
	world_run(w, 1200000, NULL, look);
	must_be_ready(w);
	merge(w, full, HEAD("web-02") CLONE);
	world_run(w, 600000, NULL, look);
	must_say(w, "web-02", REASON_SOURCE_MISSING, "no VM 9001");
	assert_int_equal(sim_journal_len(w->sim), entries);
	assert_int_equal(sim_human_create(w->sim, 9001, "pve2", "ops@pam", NULL, NULL), 0);
	world_run(w, 1200000, NULL, look);
	/* It is a VM, and no template that could be linked to. */
	must_say(w, "web-02", REASON_LINKED_CLONE, "no template");
	assert_int_equal(world_find(w, "web-01", NULL), vmid);
	assert_int_equal(world_vmstat(w, "web-01")->verdict, PLAN_IN_SYNC);
	end_world(w, NULL);
}

/* Somebody makes a template of it, and it is to run. */
static void test_turned_into_a_template(void **state)
{
	struct world *w = ready_world(HEAD("web-01") CLONE "  started: true\n", NULL);
	int64_t vmid = world_find(w, "web-01", NULL);
	size_t entries;

	(void)state;
	assert_int_equal(sim_human_power(w->sim, vmid, false, NULL), 0);
	by_hand(w, "POST", vmid, "template", NULL);
	if (!text_eq(sim_guest_get(w->sim, vmid, "template"), "1")) /* the controller was quicker */
		assert_int_equal(sim_human_power(w->sim, vmid, false, NULL), 0);
	by_hand(w, "POST", vmid, "template", NULL);
	assert_string_equal(sim_guest_get(w->sim, vmid, "template"), "1");
	world_run(w, 60000, NULL, look);
	entries = sim_journal_len(w->sim);
	world_run(w, HOUR_MS, NULL, look);
	assert_int_equal(sim_journal_len(w->sim), entries);
	assert_int_equal(world_vmstat(w, "web-01")->verdict, PLAN_STALLED);
	must_say(w, "web-01", world_vmstat(w, "web-01")->reason, "template");
	end_world(w, NULL);
}

/* A snapshot of long ago: the notes stay, marker and all, and the rest is drift. */
static void test_set_back(void **state)
{
	struct world *w = ready_world(HEAD("web-01") CLONE, NULL);
	int64_t vmid = world_find(w, "web-01", NULL);
	_cleanup_kv_ struct kv params = {0};

	(void)state;
	edit(w, vmid, "tags", "old");
	kv_set(&params, "snapname", "before");
	by_hand(w, "POST", vmid, "snapshot", &params);
	merge(w, HEAD("web-01") CLONE "  cpu: { cores: 4 }\n  tags: [new]\n", NULL);
	world_run(w, 600000, NULL, look);
	must_be_ready(w);
	assert_string_equal(sim_guest_get(w->sim, vmid, "cores"), "4");
	by_hand(w, "POST", vmid, "snapshot/before/rollback", NULL);
	world_run(w, 600000, NULL, look);
	must_be_ready(w);
	assert_int_equal(world_find(w, "web-01", NULL), vmid);
	assert_string_equal(sim_guest_get(w->sim, vmid, "cores"), "4");
	assert_non_null(strstr(sim_guest_get(w->sim, vmid, "tags"), "new"));
	end_world(w, NULL);
}

/* A backup restored over it: the same number, UUID and marker are the same VM, with other volumes,
 * which are not taken for somebody's own. */
static void test_restored_over(void **state)
{
	struct world *w = new_world(HEAD("web-01") CLONE "  cpu: { cores: 4 }\n"
							 "  disk: { scsi1: { datastore_id: "
							 "fast, size_gb: 2 } }\n",
	    NULL);
	_cleanup_kv_ struct kv old = {0};

	(void)state;
	judge_allow_key(&judge, "web-01", "scsi1", NULL);
	must_be_ready(w);
	int64_t vmid = world_find(w, "web-01", NULL);
	kv_set(&old, "cores", "1");
	assert_int_equal(sim_human_restore(w->sim, vmid, "ops@pam", &old, NULL), 0);
	world_run(w, 600000, NULL, look);
	must_be_ready(w);
	assert_string_equal(sim_guest_get(w->sim, vmid, "cores"), "4");
	assert_true(world_vmstat(w, "web-01")->record.proven);
	judge_allow_destroy(&judge, "web-01");
	merge(w, HEAD("web-01") CLONE "  state: absent\n", NULL);
	world_run(w, 600000, NULL, look);
	must_say(w, "web-01", REASON_IN_SYNC, "no VM");
	assert_false(sim_guest_exists(w->sim, vmid));
	end_world(w, NULL);
}

/* The same with an identity of its own: it is another VM, and the report says how it is taken back.
 */
static void test_restored_over_as_another(void **state)
{
	struct world *w = ready_world(HEAD("web-01") CLONE, NULL);
	int64_t vmid = world_find(w, "web-01", NULL);
	_cleanup_kv_ struct kv set = {0};
	size_t entries;

	(void)state;
	kv_set(&set, "smbios1", "uuid=11111111-2222-3333-4444-555555555555");
	assert_int_equal(sim_human_restore(w->sim, vmid, "ops@pam", &set, NULL), 0);
	entries = sim_journal_len(w->sim);
	world_run(w, HOUR_MS, NULL, look);
	must_say(w, "web-01", REASON_FOREIGN_VM, "11111111-2222-3333-4444-555555555555");
	assert_non_null(world_vmstat(w, "web-01")->hint);
	assert_non_null(strstr(world_vmstat(w, "web-01")->hint, "ramet.dev/adopt"));
	assert_int_equal(sim_journal_len(w->sim), entries);
	/* A person's word for it. */
	_cleanup_str_ char *again = mem_printf(
	    "apiVersion: ramet.dev/v1\nkind: ClonedVM\nmetadata: { name: web-01, annotations: { "
	    "ramet.dev/adopt: 11111111-2222-3333-4444-555555555555 } }\nspec:\n%s  id: %lld\n",
	    CLONE, (long long)vmid);
	merge(w, again, NULL);
	must_be_ready(w);
	assert_true(world_vmstat(w, "web-01")->record.proven);
	end_world(w, NULL);
}

/* A backup restored under another number, and a clone: copies, each told and left alone. */
static void test_copies(void **state)
{
	struct world *w = ready_world(HEAD("web-01") CLONE, NULL);
	int64_t vmid = world_find(w, "web-01", NULL);
	_cleanup_kv_ struct kv conf = {0}, params = {0};
	const struct status *s;

	(void)state;
	kv_copy(&conf, sim_guest_conf(w->sim, vmid));
	restore_as(w, &conf, 1090);
	kv_set(&params, "newid", "1091");
	kv_set(&params, "full", "1");
	by_hand(w, "POST", vmid, "clone", &params);
	world_run(w, 600000, NULL, look);
	s = controller_status(w->controller);
	assert_int_equal(s->copies.n, 2);
	assert_non_null(strstr(s->copies.v[0], "VM 1090"));
	assert_non_null(strstr(s->copies.v[1], "VM 1091"));
	must_be_ready(w);
	assert_int_equal(world_find(w, "web-01", NULL), vmid);
	/* Nor does one take its place when it goes. */
	assert_int_equal(sim_human_delete(w->sim, vmid, "ops@pam", NULL), 0);
	world_run(w, 600000, NULL, look);
	must_say(w, "web-01", REASON_MISSING, NULL);
	assert_int_equal(controller_status(w->controller)->copies.n, 2);
	/* Whoever does as the report says hears no more of it. */
	edit(w, 1090, "description", "Jo's");
	edit(w, 1091, "description", "Jo's");
	world_run(w, 120000, NULL, look);
	assert_int_equal(controller_status(w->controller)->copies.n, 0);
	end_world(w, NULL);
}

/* Also where the cluster's log, which would tell of it, may not be read. */
static void test_copy_without_the_log(void **state)
{
	struct world *w = ready_world(HEAD("web-01") CLONE, NULL);
	struct sim_fault f = {
	    .kind = SIM_FAULT_FORBIDDEN, .method = "GET", .path = "/cluster/log", .probability = 1};
	_cleanup_kv_ struct kv conf = {0};

	(void)state;
	sim_fault_add(w->sim, &f);
	kv_copy(&conf, sim_guest_conf(w->sim, world_find(w, "web-01", NULL)));
	restore_as(w, &conf, 1090);
	world_run(w, 600000, NULL, look);
	assert_int_equal(controller_status(w->controller)->copies.n, 1);
	edit(w, 1090, "description", "Jo's");
	world_run(w, 1200000, NULL, look);
	assert_int_equal(controller_status(w->controller)->copies.n, 0);
	end_world(w, NULL);
}

static bool is_gone(struct world *w)
{
	const struct vmstat *v = world_vmstat(w, "web-01");

	return v && v->verdict == PLAN_IN_SYNC && !world_find(w, "web-01", NULL);
}

/* Destroyed as ordered, and a person restores it: it is not destroyed again before somebody says
 * so, and it is managed when its manifest says present again. */
static void test_restored_after_its_end(void **state)
{
	struct world *w = ready_world(HEAD("web-01") CLONE, NULL);
	int64_t vmid = world_find(w, "web-01", NULL);
	_cleanup_kv_ struct kv conf = {0};

	(void)state;
	judge_allow_destroy(&judge, "web-01");
	kv_copy(&conf, sim_guest_conf(w->sim, vmid));
	merge(w, HEAD("web-01") CLONE "  state: absent\n", NULL);
	assert_true(world_run(w, HOUR_MS, is_gone, look));
	restore_as(w, &conf, vmid);
	world_run(w, 60000, NULL, NULL); /* until it is seen */
	judge_look(&judge, w);
	judge_allow_adopt(&judge, vmid, "web-01");
	strs_fini(&judge.may_destroy);
	world_run(w, HOUR_MS, NULL, look);
	assert_true(sim_guest_exists(w->sim, vmid));
	must_say(w, "web-01", REASON_UNCONFIRMED_OWNER, NULL);
	merge(w, HEAD("web-01") CLONE "  cpu: { cores: 4 }\n", NULL);
	world_run(w, 600000, NULL, look);
	must_be_ready(w);
	assert_int_equal(world_find(w, "web-01", NULL), vmid);
	assert_string_equal(sim_guest_get(w->sim, vmid, "cores"), "4");
	/* Whoever deletes it now is told, and it is not made anew. */
	assert_int_equal(sim_human_delete(w->sim, vmid, "ops@pam", NULL), 0);
	world_run(w, 600000, NULL, look);
	must_say(w, "web-01", REASON_MISSING, NULL);
	assert_int_equal(world_find(w, "web-01", NULL), 0);
	end_world(w, NULL);
}

/* The budget counts each end, also of two VMs that had one name and number one after the other, and
 * over a restart, with the journal or without. */
static void two_ends(bool lost, int64_t jump)
{
	static const char there[] = HEAD("web-01") CLONE "  id: 1040\n",
			  absent[] = HEAD("web-01") CLONE "  id: 1040\n  state: absent\n";
	struct world *w = new_world(there, NULL);

	judge_allow_destroy(&judge, "web-01");
	judge.budget = 1; /* a tenth of few */
	judge.budget_ms = HOUR_MS;
	must_be_ready(w);
	merge(w, absent, NULL);
	assert_true(world_run(w, 600000, is_gone, look));
	merge(w, there, NULL);
	world_run(w, 120000, NULL, look);
	must_be_ready(w);
	world_run(w, 60000, NULL, look); /* until it is told */
	world_kill(w);
	if (lost)
		memstore_drop(w->store);
	vclock_jump_wall(w->vclock, jump);
	world_start(w, CONTROLLER_RUN);
	must_be_ready(w);
	merge(w, absent, NULL);
	world_run(w, 600000, NULL, look);
	must_say(w, "web-01", REASON_DESTROY_BUDGET, "1 was within");
	assert_true(sim_guest_exists(w->sim, 1040));
	/* An hour after the first one. */
	assert_true(world_run(w, 2 * (int64_t)HOUR_MS, is_gone, look));
	end_world(w, NULL);
}

static void test_two_ends_of_one_number(void **state)
{
	(void)state;
	two_ends(false, 0);
	two_ends(true, 0);
}

/* Also when the clock is set while it is dead. */
static void test_two_ends_and_another_clock(void **state)
{
	(void)state;
	two_ends(false, 3 * (int64_t)HOUR_MS);
	two_ends(false, -3 * (int64_t)HOUR_MS);
	two_ends(true, -3 * (int64_t)HOUR_MS);
}

static int64_t first;

static bool is_made_anew(struct world *w)
{
	int64_t vmid = world_find(w, "web-01", NULL);

	return vmid && vmid != first && world_all_ready(w);
}

/* Deleted, made anew under another number, and the first one restored: it is told, and when all is
 * forgotten as well, nobody can say which of the two is meant, and a person is asked. */
static void test_two_of_one_name(void **state)
{
	struct world *w = ready_world(HEAD("web-01") CLONE "  on_missing: recreate\n", NULL);
	_cleanup_kv_ struct kv conf = {0};
	int64_t second;
	size_t entries;

	(void)state;
	first = world_find(w, "web-01", NULL);
	kv_copy(&conf, sim_guest_conf(w->sim, first));
	assert_int_equal(sim_human_delete(w->sim, first, "ops@pam", NULL), 0);
	assert_true(world_run(w, HOUR_MS, is_made_anew, look));
	second = world_find(w, "web-01", NULL);
	world_run(w, 60000, NULL, look);
	restore_as(w, &conf, first);
	world_run(w, 600000, NULL, NULL);
	assert_int_equal(world_vmstat(w, "web-01")->record.vmid, second);
	assert_int_equal(controller_status(w->controller)->copies.n, 1);
	entries = sim_journal_len(w->sim);
	world_kill(w);
	memstore_drop(w->store);
	memgit_drop_status(w->git);
	merge(w, HEAD("web-01") CLONE "  on_missing: recreate\n  cpu: { cores: 4 }\n", NULL);
	world_start(w, CONTROLLER_RUN);
	world_run(w, HOUR_MS, NULL, NULL);
	assert_int_equal(sim_journal_len(w->sim), entries);
	must_say(w, "web-01", REASON_COPIED_MARKER, "both");
	/* The marker is taken off the one. */
	edit(w, first, "description", "the old one");
	world_run(w, 600000, NULL, NULL);
	must_be_ready(w);
	assert_int_equal(world_vmstat(w, "web-01")->record.vmid, second);
	assert_string_equal(sim_guest_get(w->sim, second, "cores"), "4");
	end_world(w, NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_everything_at_once),
	    cmocka_unit_test(test_file_is_renamed),
	    cmocka_unit_test(test_two_swap_names),
	    cmocka_unit_test(test_another_number),
	    cmocka_unit_test(test_template_replaced),
	    cmocka_unit_test(test_turned_into_a_template),
	    cmocka_unit_test(test_set_back),
	    cmocka_unit_test(test_restored_over),
	    cmocka_unit_test(test_restored_over_as_another),
	    cmocka_unit_test(test_copies),
	    cmocka_unit_test(test_copy_without_the_log),
	    cmocka_unit_test(test_restored_after_its_end),
	    cmocka_unit_test(test_two_ends_of_one_number),
	    cmocka_unit_test(test_two_ends_and_another_clock),
	    cmocka_unit_test(test_two_of_one_name),
	};

	world_quiet();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
