/*
 * Random worlds: merges, human edits, lost answers, deaths of the controller, losses of its state;
 * after all that exactly one right VM per manifest.
 *
 * RAMET_WORLD_SEEDS=N   so many seeds (200; 50 with a sanitizer, which is slow)
 * RAMET_WORLD_FIRST=K   the first one (1)
 * RAMET_WORLD_SEED=K    this one alone, with its story
 */
#include "log.h"
#include "support_judge.h"
#include "support_manifest.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#if defined(__SANITIZE_ADDRESS__)
#define SEEDS 50
#else
#define SEEDS 200
#endif
#define VMS 8
#define TURNS 40
#define LONGEST_MS (3 * 3600 * 1000LL)

struct play {
	struct world *w;
	struct judge judge;
	struct manifest m[VMS];
	bool faulty, no_quorum;
	bool busy;	   /* people are at work */
	int64_t reborn_at; /* when the next life begins; 0 = alive */
	int64_t locked;	   /* VMID with a backup's lock */
	unsigned merges;
};

static struct play *playing; /* cmocka's callbacks and world_run carry no argument for it */

static unsigned pick(struct play *p, unsigned n)
{
	return (unsigned)world_random(p->w, n);
}

/* --- the repository --- */

static void merge(struct play *p)
{
	_cleanup_kv_ struct kv files = {0};
	_cleanup_str_ char *subject = mem_printf("merge %u", ++p->merges);

	for (size_t i = 0; i < VMS; i++) {
		_cleanup_str_ char *path = mem_printf("vms/%s.yaml", p->m[i].name);
		_cleanup_str_ char *text = manifest_text(&p->m[i]);

		if (p->m[i].there)
			kv_set(&files, path, text);
		if (p->m[i].there && !p->m[i].started)
			p->judge.may_stop = true;
	}
	kv_set(&files, "README.txt", "no manifest");
	memgit_commit(p->w->git, &files, subject);
}

static void invent(struct play *p, size_t i)
{
	struct manifest *m = &p->m[i];
	bool small = pick(p, 2);

	snprintf(m->name, sizeof(m->name), "vm-%zu", i);
	judge_name(&p->judge, m->name);
	m->source = small ? 9001 : 9000;
	m->size = small ? 4 : 20;
	m->node = 1 + pick(p, 3);
	m->cores = 1 + pick(p, 4);
	m->memory = 512 * (1 + pick(p, 4));
	m->full = pick(p, 3) == 0;
	m->started = pick(p, 4) > 0;
	m->no_net1 = pick(p, 2);
	m->tag = pick(p, 2) ? 1 + pick(p, 100) : 0;
	m->recreate = pick(p, 3) == 0;
	m->there = true;
}

static void change_manifest(struct play *p)
{
	struct manifest *m = &p->m[pick(p, VMS)];

	m->edits++;
	if (!m->name[0]) {
		invent(p, (size_t)(m - p->m));
		world_tell(p->w, "merge: %s is new", m->name);
		merge(p);
		return;
	}
	switch (pick(p, 8)) {
	case 0:
		m->cores = 1 + pick(p, 8);
		break;
	case 1:
		m->memory = 512 * (1 + pick(p, 8));
		break;
	case 2:
		m->tag = 1 + pick(p, 100);
		break;
	case 3:
		m->size += pick(p, 3);
		break;
	case 4:
		m->started = !m->started;
		break;
	case 5:
		m->no_net1 = !m->no_net1;
		break;
	case 6:
		m->there = !m->there || pick(p, 2);
		break;
	default:
		m->broken = !m->broken;
		break;
	}
	world_tell(p->w, "merge: %s edit %u%s%s", m->name, m->edits, m->there ? "" : ", removed",
	    m->broken ? ", broken" : "");
	merge(p);
}

/* --- people --- */

static void human(struct play *p)
{
	struct manifest *m = &p->m[pick(p, VMS)];
	int64_t vmid = m->name[0] ? world_find(p->w, m->name, NULL) : 0;
	_cleanup_err_ struct err *e = NULL;
	_cleanup_kv_ struct kv set = {0};
	_cleanup_str_ char *node = NULL;
	int rc = 0;
	unsigned what = pick(p, 9);

	if (!vmid)
		return;
	world_tell(p->w, "human: %u on VM %lld of %s", what, (long long)vmid, m->name);
	switch (what) {
	case 0:
		kv_setf(&set, "cores", "%u", 1 + pick(p, 8));
		break;
	case 1:
		kv_set(&set, "onboot", pick(p, 2) ? "1" : "0");
		break;
	case 2:
		kv_set(&set, "net1", "virtio,bridge=vmbr1");
		break;
	case 3:
		rc = sim_human_power(p->w->sim, vmid, pick(p, 2), &e);
		break;
	case 4:
		node = mem_printf("pve%u", 1 + pick(p, 3));
		rc = sim_human_migrate(p->w->sim, vmid, node, &e);
		break;
	case 5:
		if (!p->locked && (rc = sim_human_lock(p->w->sim, vmid, "backup", &e)) == 0)
			p->locked = vmid;
		break;
	case 6:
		kv_setf(&set, "memory", "%u", 512 * (1 + pick(p, 8)));
		break;
	case 7:
		kv_set(&set, "tags", "byhand");
		break;
	default:
		if (pick(p, 6) == 0 && !m->lost &&
		    (rc = sim_human_delete(p->w->sim, vmid, "ops@pam", &e)) == 0)
			m->lost = !m->recreate;
		break;
	}
	if (set.n)
		rc = sim_human_edit(p->w->sim, vmid, "ops@pam", &set, NULL, &e);
	if (rc < 0)
		world_tell(p->w, "  refused: %s", err_msg(e));
}

/* Somebody is quicker: between what was read and what is written, or before the last reading. */
static void meanwhile(void *arg, const char *method, const char *path)
{
	struct play *p = arg;
	struct world *w = p->w;
	const char *at = strstr(path, "/qemu/");
	_cleanup_err_ struct err *e = NULL;
	_cleanup_kv_ struct kv set = {0};
	_cleanup_str_ char *net = NULL;
	int64_t vmid = at ? strtoll(at + strlen("/qemu/"), NULL, 10) : 0;
	const char *net0 = vmid ? sim_guest_get(w->sim, vmid, "net0") : NULL;
	bool write = strcmp(method, "GET") != 0;

	/* A task under way holds the guest's file lock, which sim_human_edit does not wait for. */
	if (!p->busy || vmid < 1000 || vmid >= 1100 || sim_tasks_running(w->sim) ||
	    pick(p, write ? 10 : 400))
		return;
	if (write && net0) {
		_cleanup_str_ char *without = mem_strndup(net0, strcspn(net0, "\n"));
		char *fw = strstr(without, ",firewall=1");

		if (fw)
			memmove(
			    fw, fw + strlen(",firewall=1"), strlen(fw + strlen(",firewall=1")) + 1);
		net = mem_printf("%s%s", without, fw ? "" : ",firewall=1");
		kv_set(&set, "net0", net);
		world_tell(w, "meanwhile: net0 of VM %lld becomes %s", (long long)vmid, net);
		if (sim_human_edit(w->sim, vmid, "ops@pam", &set, NULL, &e) < 0)
			world_tell(w, "  refused: %s", err_msg(e));
	} else if (!write) {
		struct manifest *m = NULL;

		for (size_t i = 0; i < VMS; i++)
			if (p->m[i].name[0] && world_find(w, p->m[i].name, NULL) == vmid)
				m = &p->m[i];
		if (!m || m->lost || sim_human_delete(w->sim, vmid, "ops@pam", &e) < 0)
			return;
		world_tell(w, "meanwhile: VM %lld of %s gives way to a stranger", (long long)vmid,
		    m->name);
		m->lost = true; /* foreign, not missing: a person must decide */
		if (sim_human_create(w->sim, vmid, "pve3", "ops@pam", NULL, &e) < 0)
			world_tell(w, "  refused: %s", err_msg(e));
	}
}

static void stranger(struct play *p)
{
	int64_t vmid = 1000 + (int64_t)pick(p, 100);
	const struct manifest *m = &p->m[pick(p, VMS)];
	int64_t of = m->name[0] ? world_find(p->w, m->name, NULL) : 0;
	const char *desc = of ? sim_guest_get(p->w->sim, of, "description") : NULL;
	_cleanup_err_ struct err *e = NULL;
	_cleanup_kv_ struct kv conf = {0};
	bool copy = desc && pick(p, 2);

	if (copy) { /* somebody cloned our VM: marker and tag came along */
		kv_set(&conf, "description", desc);
		kv_set(&conf, "tags", "ramet");
		kv_set(&conf, "cores", "1");
	}
	if (sim_human_create(p->w->sim, vmid, "pve3", "ops@pam", copy ? &conf : NULL, &e) == 0)
		world_tell(p->w, "a stranger takes VMID %lld%s", (long long)vmid,
		    copy ? ", a copy of ours" : "");
}

static void unlock(struct play *p)
{
	_cleanup_err_ struct err *e = NULL;

	if (p->locked && sim_guest_exists(p->w->sim, p->locked) &&
	    sim_human_lock(p->w->sim, p->locked, NULL, &e) < 0)
		world_tell(p->w, "  unlock: %s", err_msg(e));
	p->locked = 0;
}

/* --- faults --- */

static void add_fault(struct play *p)
{
	static const struct {
		enum sim_fault_kind kind;
		int status;
		const char *text;
	} kinds[] = {{SIM_FAULT_REFUSE, 0, NULL}, {SIM_FAULT_RESET_BEFORE, 0, NULL},
	    {SIM_FAULT_RESET_AFTER, 0, NULL}, {SIM_FAULT_DELAY, 0, NULL},
	    {SIM_FAULT_DELAY_ANSWER, 0, NULL}, {SIM_FAULT_STATUS, 500, "something odd"},
	    {SIM_FAULT_STATUS, 595, "No route to host"}, {SIM_FAULT_STATUS, 503, "busy"},
	    {SIM_FAULT_STATUS_AFTER, 596, "Connection timed out"},
	    {SIM_FAULT_STATUS_AFTER, 500,
		"can't lock file '/var/log/pve/tasks/.active.lock' - got "
		"timeout"},
	    {SIM_FAULT_TASK_ERROR, 0, NULL}, {SIM_FAULT_TASK_ERROR_AFTER, 0, NULL},
	    {SIM_FAULT_TRUNCATE, 0, NULL}};
	static const char *const methods[] = {NULL, "POST", "PUT", "GET"};
	size_t k = pick(p, ARRAY_LEN(kinds));
	bool clone = pick(p, 3) == 0; /* the call that must not be answered with a second VM */
	struct sim_fault f = {.kind = kinds[k].kind,
	    .status = kinds[k].status,
	    .text = kinds[k].text,
	    .method = clone ? "POST" : methods[pick(p, 4)],
	    .path = clone ? "*/clone" : NULL,
	    .probability = clone ? 0.8 : 0.05 + pick(p, 40) / 100.0,
	    .delay_ms = 1000 + (int64_t)pick(p, 60000)};

	world_tell(p->w, "fault: kind %d status %d on %s %s, %.2f", (int)f.kind, f.status,
	    f.method ? f.method : "all", f.path ? f.path : "", f.probability);
	sim_fault_add(p->w->sim, &f);
	p->faulty = true;
}

static void heal(struct play *p)
{
	_cleanup_err_ struct err *e = NULL;

	sim_fault_clear(p->w->sim);
	memgit_set_faults(p->w->git, 0, 0);
	memgit_set_down(p->w->git, false);
	if (p->no_quorum && sim_node_quorum(p->w->sim, NULL, true, &e) < 0)
		world_tell(p->w, "  quorum: %s", err_msg(e));
	p->no_quorum = p->faulty = false;
	world_tell(p->w, "all is healed");
}

static void break_something(struct play *p)
{
	_cleanup_err_ struct err *e = NULL;

	switch (pick(p, 6)) {
	case 0:
	case 1:
	case 2:
		add_fault(p);
		break;
	case 3:
		world_tell(p->w, "git is shaky");
		memgit_set_faults(p->w->git, 200, 200);
		break;
	case 4:
		world_tell(p->w, "somebody pushes to the status branch");
		memgit_foreign_status(p->w->git, "NOTES.txt", "hello");
		break;
	default:
		world_tell(p->w, "quorum is lost");
		if (sim_node_quorum(p->w->sim, NULL, false, &e) == 0)
			p->no_quorum = true;
		break;
	}
}

/* --- lives --- */

static void begin_life(struct play *p)
{
	world_start(p->w, CONTROLLER_RUN);
	simport_set_hook(p->w->port, meanwhile, p);
}

static void end_life(struct play *p)
{
	if (!p->w->controller)
		return;
	switch (pick(p, 3)) {
	case 0:
		world_kill(p->w);
		break;
	default:
		world_kill_after_lines(p->w, 1 + pick(p, 4));
		break;
	}
	p->reborn_at = 0;
}

static void maybe_reborn(struct play *p)
{
	int64_t now = clock_now(p->w->clock);

	if (p->w->controller)
		return;
	if (!p->reborn_at) {
		p->reborn_at = now + 1000 + (int64_t)pick(p, 60000);
		if (pick(p, 6) == 0) {
			world_tell(p->w, "the state directory is lost");
			memstore_drop(p->w->store);
		}
		if (pick(p, 12) == 0) {
			world_tell(p->w, "the status branch is lost");
			memgit_drop_status(p->w->git);
		}
	} else if (now >= p->reborn_at) {
		p->reborn_at = 0;
		begin_life(p);
	}
}

static void each(struct world *w)
{
	maybe_reborn(playing);
	judge_look(&playing->judge, w);
}

/* --- the end --- */

static const char *effective(struct world *w, int64_t vmid, const char *key)
{
	const char *p = sim_guest_pending(w->sim, vmid, key);

	return p ? p : sim_guest_get(w->sim, vmid, key);
}

static bool has_part(const char *text, const char *part)
{
	struct strs parts = {0};
	bool found =
	    text && text_split(text, ",", true, 100, &parts) == 0 && strs_has(&parts, part);

	strs_fini(&parts);
	return found;
}

/* NULL, or what is not as the manifest says. Caller frees. */
static char *wrong(struct play *p, const struct manifest *m)
{
	struct world *w = p->w;
	_cleanup_str_ char *cores = mem_printf("%u", m->cores),
			   *memory = mem_printf("%u", m->memory);
	_cleanup_str_ char *tag = mem_printf("tag=%u", m->tag);
	size_t n = 0;
	int64_t vmid = world_find(w, m->name, &n);

	if (n != 1)
		return mem_printf("%zu VMs of %s", n, m->name);
	if (!text_eq(effective(w, vmid, "cores"), cores))
		return mem_printf("cores of %s", m->name);
	if (!text_eq(effective(w, vmid, "memory"), memory))
		return mem_printf("memory of %s", m->name);
	if (m->tag && !has_part(effective(w, vmid, "net0"), tag))
		return mem_printf("net0 of %s", m->name);
	if (m->no_net1 && effective(w, vmid, "net1") && !sim_guest_pending(w->sim, vmid, "net1"))
		return mem_printf("net1 of %s is there", m->name);
	if (sim_guest_running(w->sim, vmid) != m->started)
		return mem_printf("power of %s", m->name);
	return NULL;
}

/* A person who reads the report does what it says: root removes what a broken clone left. */
static void clean_up(struct world *w)
{
	int64_t ids[1000];
	size_t n = sim_guests(w->sim, ids, ARRAY_LEN(ids));
	_cleanup_err_ struct err *e = NULL;

	for (size_t i = 0; i < n && i < ARRAY_LEN(ids); i++) {
		if (!text_eq(sim_guest_get(w->sim, ids[i], "lock"), "clone"))
			continue;
		world_tell(w, "root: qm unlock %lld && qm destroy %lld", (long long)ids[i],
		    (long long)ids[i]);
		if (sim_human_lock(w->sim, ids[i], NULL, &e) < 0 ||
		    sim_human_delete(w->sim, ids[i], "root@pam", &e) < 0)
			world_violation(w, "debris: %s", err_msg(e));
	}
}

static bool converged(struct world *w)
{
	struct play *p = playing;
	const struct status *s;
	bool debris = false;

	if (!w->controller)
		return false;
	s = controller_status(w->controller);
	for (size_t i = 0; i < s->n_vms; i++)
		debris |= s->vms[i]->reason == REASON_DEBRIS;
	if (debris && sim_tasks_running(w->sim) == 0)
		clean_up(w);
	if (!text_eq(s->rev_wanted, memgit_head(w->git)) || s->report_problem)
		return false;
	for (size_t i = 0; i < VMS; i++) {
		const struct manifest *m = &p->m[i];
		_cleanup_str_ char *why = NULL;
		const struct vmstat *v;

		if (!m->there || m->broken || m->lost)
			continue;
		if ((why = wrong(p, m)) != NULL)
			return false;
		v = world_vmstat(w, m->name);
		if (!v || !vmstat_is_ready(v))
			return false;
	}
	return true;
}

static void must_converge(struct play *p)
{
	if (world_run(p->w, LONGEST_MS, converged, each))
		return;
	for (size_t i = 0; i < VMS; i++) {
		if (!p->m[i].name[0])
			continue;
		const struct manifest *m = &p->m[i];
		const struct vmstat *v = world_vmstat(p->w, m->name);
		_cleanup_str_ char *why = wrong(p, m);

		world_tell(p->w, "%s: there %d broken %d lost %d: %s; says %s: %s", m->name,
		    m->there, m->broken, m->lost, why ? why : "right",
		    v ? reason_word(v->reason) : "nothing", v && v->message ? v->message : "");
	}
	world_violation(p->w, "did not converge in %lld virtual minutes", LONGEST_MS / 60000);
}

static unsigned play_seed(uint64_t seed, bool tell)
{
	struct play p = {.w = world_new(seed, NULL)};
	unsigned violations;

	playing = &p;
	p.w->tell = tell;
	for (size_t i = 0; i < VMS / 2; i++)
		invent(&p, i);
	merge(&p);
	p.busy = true;
	begin_life(&p);
	if (pick(&p, 2))
		add_fault(&p);
	if (pick(&p, 2))
		world_kill_after_lines(p.w, 1 + pick(&p, 20));
	for (unsigned turn = 0; turn < TURNS; turn++) {
		unsigned dice = pick(&p, 21);

		world_run(p.w, 1000 + (int64_t)pick(&p, 40000), NULL, each);
		if (dice < 5)
			change_manifest(&p);
		else if (dice < 10)
			human(&p);
		else if (dice < 12)
			unlock(&p);
		else if (dice < 15)
			break_something(&p);
		else if (dice < 16)
			stranger(&p);
		else if (dice < 19)
			end_life(&p);
		else
			heal(&p);
	}
	p.busy = false;
	heal(&p);
	unlock(&p);
	for (size_t i = 0; i < VMS; i++)
		p.m[i].broken = false;
	merge(&p);
	must_converge(&p);
	violations = p.w->violations;
	if (violations && !tell)
		fprintf(stderr, "%s\nseed %llu: RAMET_WORLD_SEED=%llu tells this again\n",
		    buf_str(&p.w->story), (unsigned long long)seed, (unsigned long long)seed);
	judge_fini(&p.judge);
	world_free(&p.w);
	return violations;
}

static uint64_t number(const char *name, uint64_t fallback)
{
	const char *s = getenv(name);

	return s && *s ? strtoull(s, NULL, 10) : fallback;
}

static void drop_log(const char *line, void *arg)
{
	(void)line, (void)arg;
}

static void test_worlds(void **state)
{
	uint64_t only = number("RAMET_WORLD_SEED", 0), n = number("RAMET_WORLD_SEEDS", SEEDS);
	uint64_t first = number("RAMET_WORLD_FIRST", 1);
	unsigned violations = 0, bad = 0;

	(void)state;
	log_set_sink(drop_log, NULL);
	if (only) {
		assert_int_equal(play_seed(only, true), 0);
		return;
	}
	for (uint64_t i = 0; i < n && bad < 5; i++) {
		unsigned v = play_seed(first + i, false);

		violations += v;
		bad += v > 0;
	}
	printf("world: %llu seeds, %u violations\n", (unsigned long long)n, violations);
	assert_int_equal(violations, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_worlds)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
