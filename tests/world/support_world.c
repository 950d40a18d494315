#include "support_world.h"

#include "log.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define WALL_MS 1795300000000
#define IDLE_MS 1000 /* with nothing to happen, time goes by in such steps */
#define STORY_MAX ((size_t)4 << 20)

static const char config_yaml[] =
    "controller: { id: " WORLD_ID ", state_dir: /nonexistent }\n"
    "git: { url: \"https://git.example.org/vms.git\", interval: 60s }\n"
    "cluster: { endpoints: [\"https://pve1.example.org:8006\"] }\n";
static const char policy_yaml[] = "policy: { vmid_range: 1000-1099 }\n";

uint64_t world_random(struct world *w, uint64_t below)
{
	/* splitmix64: small, and the same everywhere */
	uint64_t z = (w->rng += 0x9e3779b97f4a7c15u);

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
	return (z ^ (z >> 31)) % below;
}

static void tell(struct world *w, const char *kind, const char *text)
{
	size_t from = w->story.len;
	int64_t now = clock_now(w->clock);

	buf_addf(&w->story, "%6lld.%03lld %s%s\n", (long long)(now / 1000), (long long)(now % 1000),
	    kind, text);
	if (w->tell && w->story.len > from)
		fputs(w->story.data + from, stderr);
}

void world_tell(struct world *w, const char *fmt, ...)
{
	va_list ap;
	char *text;

	va_start(ap, fmt);
	text = mem_vprintf(fmt, ap);
	va_end(ap);
	tell(w, "", text);
	free(text);
}

void world_violation(struct world *w, const char *fmt, ...)
{
	va_list ap;
	char *text;

	va_start(ap, fmt);
	text = mem_vprintf(fmt, ap);
	va_end(ap);
	tell(w, "VIOLATION: ", text);
	free(text);
	w->violations++;
}

static void drop_line(const char *line, void *arg)
{
	(void)line, (void)arg;
}

void world_quiet(void)
{
	log_set_sink(drop_line, NULL);
}

struct world *world_new(uint64_t seed, const char *extra)
{
	return world_new_on(seed, extra, world_cluster_yaml);
}

struct world *world_new_on(uint64_t seed, const char *extra, const char *cluster_yaml)
{
	_cleanup_str_ char *yaml = mem_printf("%s%s", config_yaml, extra ? extra : policy_yaml);
	_cleanup_err_ struct err *e = NULL;
	struct diags diags = {0};
	struct world *w = mem_alloc(sizeof(*w));
	struct sim_opts o = {.seed_yaml = cluster_yaml,
	    .seed_name = "world",
	    .version = seed % 2 ? "9.2" : "8.4",
	    .random = seed,
	    .wall_ms = WALL_MS,
	    .journal = true};

	w->seed = w->rng = seed;
	buf_init(&w->story, STORY_MAX);
	w->vclock = vclock_new(seed, WALL_MS);
	w->clock = vclock_clock(w->vclock);
	if (sim_new(&o, &w->sim, &e) < 0) {
		fprintf(stderr, "the simulated cluster: %s\n", err_msg(e));
		abort();
	}
	if (config_parse("world.yaml", yaml, strlen(yaml), NULL, &diags, &w->config) < 0) {
		_cleanup_buf_ struct buf b = {0};

		diags_print_text(&diags, false, &b);
		fprintf(stderr, "%s\n", buf_str(&b));
		abort();
	}
	diags_fini(&diags);
	w->git = memgit_new(w->clock);
	w->store = memstore_new();
	w->tell = getenv("RAMET_WORLD_TELL") != NULL;
	w->token_file = mem_strdup(WORLD_TOKEN);
	return w;
}

void world_free(struct world **wp)
{
	struct world *w = *wp;

	if (!w)
		return;
	world_kill(w);
	memgit_free(&w->git);
	memstore_free(&w->store);
	config_free(&w->config);
	sim_free(&w->sim);
	vclock_free(&w->vclock);
	buf_fini(&w->story);
	free(w->token_file);
	free(w);
	*wp = NULL;
}

static void on_note(void *arg, const struct note *n)
{
	struct world *w = arg;

	if (n->kind == NOTE_PROGRESS)
		return;
	world_tell(w, "  %s%s%s", n->vm ? n->vm : "", n->vm ? ": " : "", n->text);
}

/* What the life before was told to be durable must be there. */
static void look_into_store(struct world *w)
{
	_cleanup_str_ char *wrong = memstore_wrong(w->store);

	if (wrong)
		world_violation(w, "the journal is not what was written; %s", wrong);
}

static void start(struct world *w, enum controller_mode mode, const struct bundle *desired)
{
	_cleanup_err_ struct err *e = NULL;
	struct controller_opts o = {.config = w->config,
	    .mode = mode,
	    .desired = desired,
	    .observe_only = w->observe_only,
	    .destroy_budget = w->destroy_budget};

	w->port = simport_new(w->sim, w->clock, &w->token_file, "pve1");
	simport_set_beyond(w->port, &w->beyond);
	simport_set_fates(w->port, &w->fates);
	simport_set_trees(w->port, w->trees);
	simport_set_answers(w->port, &w->answers);
	w->gitport = memgit_port_new(w->git);
	memstore_set_dead(w->store, false);
	look_into_store(w);
	o.ports = (struct ports){.clock = w->clock,
	    .cluster = w->port,
	    .git = w->gitport,
	    .store = memstore_port(w->store),
	    .pve_user = WORLD_USER,
	    .note = on_note,
	    .note_arg = w};
	w->lives++;
	w->since = ++w->starts;
	world_tell(w, "a controller starts (life %u%s)", w->lives,
	    w->observe_only ? ", it only observes" : "");
	if (controller_new(&o, &w->controller, &e) < 0 && w->doomed) {
		world_kill(w);
	} else if (!w->controller) {
		fprintf(stderr, "controller_new: %s\n", err_msg(e));
		abort();
	}
}

void world_start(struct world *w, enum controller_mode mode)
{
	start(w, mode, NULL);
}

void world_start_path(struct world *w, const struct bundle *desired)
{
	start(w, CONTROLLER_APPLY, desired);
}

void world_kill(struct world *w)
{
	if (w->controller)
		world_tell(w, "the controller dies");
	controller_free(&w->controller);
	simport_free(&w->port);
	memgit_port_free(&w->gitport);
	w->doomed = false;
	memstore_trap(w->store, 0, NULL, NULL);
}

/* In the middle of a callback: from here on nothing it does reaches the world. */
static void doom(void *arg)
{
	struct world *w = arg;

	w->doomed = true;
	memstore_set_dead(w->store, true);
	simport_kill(w->port);
	memgit_port_kill(w->gitport);
}

void world_set_fates(struct world *w,
    enum fate (*ask)(void *arg, enum touch kind, const char *what, const char *where), void *arg)
{
	w->fates = (struct fates){.ask = ask, .arg = arg, .die = doom, .world = w};
	memstore_set_fates(w->store, &w->fates);
	memgit_set_fates(w->git, &w->fates);
	if (w->port)
		simport_set_fates(w->port, &w->fates);
}

void world_kill_after_lines(struct world *w, unsigned n)
{
	memstore_trap(w->store, n, doom, w);
}

void world_step(struct world *w)
{
	int64_t a = vclock_next_at(w->vclock), b = sim_next_event(w->sim);
	int64_t t = clock_now(w->clock) + IDLE_MS;

	if (a >= 0 && a < t)
		t = a;
	if (b >= 0 && b < t)
		t = b;
	/* The cluster's answers come when the clock is just short of t, so that neither is late. */
	if (b >= 0 && b <= t) {
		if (t > clock_now(w->clock))
			vclock_run_until(w->vclock, t - 1);
		sim_run_until(w->sim, t);
	} else {
		sim_run_until(w->sim, t);
		vclock_run_until(w->vclock, t);
	}
	if (w->doomed)
		world_kill(w);
}

bool world_run(
    struct world *w, int64_t ms, bool (*done)(struct world *w), void (*each)(struct world *w))
{
	int64_t until = clock_now(w->clock) + ms, asked = -1;

	while (clock_now(w->clock) < until) {
		/* Asking is dear: once a virtual second. */
		if (done && clock_now(w->clock) / 1000 != asked) {
			asked = clock_now(w->clock) / 1000;
			if (done(w))
				return true;
		}
		world_step(w);
		if (each)
			each(w);
	}
	return done && done(w);
}

int64_t world_find(struct world *w, const char *name, size_t *ret_n)
{
	_cleanup_str_ char *start = mem_printf("ramet: " WORLD_ID "/%s vmid=", name);
	int64_t ids[1000], found = 0;
	size_t n = sim_guests(w->sim, ids, ARRAY_LEN(ids)), count = 0;

	for (size_t i = 0; i < n && i < ARRAY_LEN(ids); i++) {
		const char *desc = sim_guest_get(w->sim, ids[i], "description");
		const char *p = desc ? strstr(desc, start) : NULL;

		if (p && strtoll(p + strlen(start), NULL, 10) == ids[i]) {
			found = ids[i];
			count++;
		}
	}
	if (ret_n)
		*ret_n = count;
	return found;
}

const struct vmstat *world_vmstat(struct world *w, const char *name)
{
	const struct status *s = w->controller ? controller_status(w->controller) : NULL;

	for (size_t i = 0; s && i < s->n_vms; i++)
		if (strcmp(s->vms[i]->name, name) == 0)
			return s->vms[i];
	return NULL;
}

bool world_all_ready(struct world *w)
{
	const struct status *s = w->controller ? controller_status(w->controller) : NULL;

	if (!s || !s->rev_wanted || strcmp(s->rev_wanted, memgit_head(w->git)) != 0)
		return false;
	for (size_t i = 0; i < s->n_vms; i++)
		if (!vmstat_is_ready(s->vms[i]))
			return false;
	return s->rev_applied && strcmp(s->rev_applied, s->rev_wanted) == 0;
}

/* ---- what tests do to it ---- */

void world_merge_web(struct world *w, const char *more, const char *message)
{
	_cleanup_kv_ struct kv files = {0};

	kv_setf(&files, "web.yaml",
	    "apiVersion: ramet.dev/v1\nkind: ClonedVM\nmetadata: { name: web-01 }\nspec:\n"
	    "  node_name: pve2\n  clone: { source_vm_id: 9001, full: false }\n%s",
	    more);
	memgit_commit(w->git, &files, message);
}

static const struct {
	enum sim_fault_kind kind;
	int status;
	const char *text;
} call_faults[WORLD_CALL_FAULTS] = {
    {SIM_FAULT_REFUSE, 0, NULL},
    {SIM_FAULT_RESET_BEFORE, 0, NULL},
    {SIM_FAULT_RESET_AFTER, 0, NULL},
    {SIM_FAULT_DELAY, 0, NULL},
    {SIM_FAULT_DELAY_ANSWER, 0, NULL},
    {SIM_FAULT_STATUS, 500, "something odd"},
    {SIM_FAULT_STATUS, 595, "No route to host"},
    {SIM_FAULT_STATUS, 500, "got no worker upid - start worker failed"},
    {SIM_FAULT_STATUS_AFTER, 596, "Connection timed out"},
    {SIM_FAULT_STATUS_AFTER, 500,
	"can't lock file '/var/log/pve/tasks/.active.lock' - got timeout"},
    {SIM_FAULT_TASK_ERROR, 0, NULL},
    {SIM_FAULT_TASK_ERROR_AFTER, 0, NULL},
    {SIM_FAULT_TRUNCATE, 0, NULL},
};

void world_add_fault(
    struct world *w, size_t i, const char *method, const char *path, unsigned times)
{
	struct sim_fault f = {.kind = call_faults[i].kind,
	    .method = method,
	    .path = path,
	    .nth = 1,
	    .times = times,
	    .status = call_faults[i].status,
	    .text = call_faults[i].text,
	    .delay_ms = 50000};

	sim_fault_add(w->sim, &f);
}

/* What is told of one VM. */
static void clean_up(struct world *w, const char *hint)
{
	const char *command = hint ? strstr(hint, "`qm unlock ") : NULL;
	_cleanup_err_ struct err *e = NULL;
	_cleanup_str_ char *want = NULL;
	int64_t vmid;

	if (!command)
		return;
	vmid = strtoll(command + strlen("`qm unlock "), NULL, 10);
	want = mem_printf("`qm unlock %lld && qm destroy %lld", (long long)vmid, (long long)vmid);
	if (!text_starts(command, want))
		world_violation(w, "debris: no command for VM %lld: %s", (long long)vmid, hint);
	if (!sim_guest_exists(w->sim, vmid) || !sim_guest_get(w->sim, vmid, "lock"))
		return;
	world_tell(w, "root: %s", want + 1);
	if (sim_human_lock(w->sim, vmid, NULL, &e) < 0 ||
	    sim_human_delete(w->sim, vmid, "root@pam", &e) < 0)
		world_violation(w, "debris: %s", err_msg(e));
}

void world_clean_up(struct world *w)
{
	const struct status *s = w->controller ? controller_status(w->controller) : NULL;

	for (size_t i = 0; s && i < s->n_vms && sim_tasks_running(w->sim) == 0; i++)
		if (s->vms[i]->reason == REASON_DEBRIS)
			clean_up(w, s->vms[i]->hint);
}
