#include "sweep.h"

#include <stdlib.h>
#include <string.h>

#define LOCK_MS 120000
#define NO_QUORUM_MS 60000
#define STUCK_MS 60000
#define STOP_MS 300000 /* until somebody looks at a task that hangs */
#define REBORN_MS 5000
#define LATE_MS 180000
#define END_MS 10000 /* after SIGTERM */

static const struct {
	const char *word, *touches;
} rows[] = {
#define FAULT(code, word, touches, doc) {word, touches},
#include "faults.def"
#undef FAULT
};

const char *fault_word(enum fault f)
{
	return f < FAULT__MAX ? rows[f].word : "none";
}

static bool begins_task(const char *what, const char *where)
{
	static const char *const ends[] = {"/clone", "/config", "/resize", "/move_disk", "/start",
	    "/shutdown", "/stop", "/reboot", "/migrate", "/template"};

	if (strcmp(what, "DELETE") == 0)
		return true;
	if (strcmp(what, "GET") == 0)
		return false;
	for (size_t i = 0; i < ARRAY_LEN(ends); i++)
		if (text_ends(where, ends[i]))
			return !text_ends(where, "/config") || strcmp(what, "POST") == 0;
	return false;
}

/* These carry no digest: between the last reading and them nobody can look any more. */
static bool unguarded(enum touch kind, const char *what, const char *where)
{
	return kind == TOUCH_CLUSTER && strcmp(what, "GET") != 0 && !text_ends(where, "/config") &&
	       !text_ends(where, "/resize") && !text_ends(where, "/move_disk");
}

bool fault_fits(enum fault f, enum touch kind, const char *what, const char *where)
{
	const char *t = rows[f].touches;

	if ((f == FAULT_STRANGER || f == FAULT_TWIN) && unguarded(kind, what, where))
		return false;
	switch (kind) {
	case TOUCH_CLUSTER:
		if (strchr(t, 'L'))
			return strcmp(what, "GET") == 0 && strcmp(where, "/cluster/resources") == 0;
		return strchr(t, 'C') || (strchr(t, 'W') && strcmp(what, "GET") != 0) ||
		       (strchr(t, 'T') && begins_task(what, where)) ||
		       (strchr(t, 'D') && strcmp(what, "DELETE") == 0);
	case TOUCH_GIT:
		return strchr(t, 'G');
	case TOUCH_JOURNAL:
		return strchr(t, 'J');
	case TOUCH__MAX:
		break;
	}
	return false;
}

static void must(struct trial *t, int rc, const char *what, struct err *e)
{
	if (rc < 0)
		world_tell(t->w, "  %s: %s", what, err_msg(e));
}

/* One key that nobody lists, and one part of a key of which others are listed. */
static void edit(struct trial *t, int64_t vmid)
{
	const char *net = sim_guest_get(t->w->sim, vmid, "net0");
	_cleanup_err_ struct err *e = NULL;
	_cleanup_kv_ struct kv set = {0};
	int rc;

	kv_set(&set, "onboot", "1");
	if (net)
		kv_setf(&set, "net0", "%s" SWEEP_BY_HAND, net);
	rc = sim_human_edit(t->w->sim, vmid, "ops@pam", &set, NULL, &e);
	t->edited = rc == 0;
	must(t, rc, "edit", e);
}

static void lock(struct trial *t, int64_t vmid)
{
	_cleanup_err_ struct err *e = NULL;
	int rc;

	if (sim_guest_get(t->w->sim, vmid, "lock"))
		return;
	rc = sim_human_lock(t->w->sim, vmid, "backup", &e);
	if (rc == 0)
		t->locked = vmid;
	must(t, rc, "lock", e);
}

static void move(struct trial *t, int64_t vmid)
{
	_cleanup_err_ struct err *e = NULL;
	const char *from = sim_guest_node(t->w->sim, vmid);

	must(t, sim_human_migrate(t->w->sim, vmid, text_eq(from, "pve3") ? "pve2" : "pve3", &e),
	    "migrate", e);
}

static void replace(struct trial *t, int64_t vmid)
{
	const char *text = sim_guest_get(t->w->sim, vmid, "description");
	_cleanup_str_ char *description = mem_strdup(text);
	_cleanup_err_ struct err *e = NULL;
	_cleanup_kv_ struct kv conf = {0};

	if (sim_human_delete(t->w->sim, vmid, "ops@pam", &e) < 0) {
		must(t, -1, "delete", e);
		return;
	}
	kv_set(&conf, "name", "another");
	kv_set(&conf, "cores", "2");
	kv_set(&conf, "scsi0", "shared:3");
	kv_set(&conf, "net1", "virtio,bridge=vmbr1");
	if (t->fault == FAULT_TWIN && description)
		kv_set(&conf, "description", description);
	must(t, sim_human_create(t->w->sim, vmid, "pve1", "ops@pam", &conf, &e), "create", e);
	t->stranger = vmid;
	t->stranger_conf = picture_raw(t, vmid);
}

static void quorum(struct trial *t, bool on)
{
	_cleanup_err_ struct err *e = NULL;

	must(t, sim_node_quorum(t->w->sim, NULL, on, &e), "quorum", e);
}

static void stick(struct trial *t, bool on)
{
	static const char *const stores[] = {"shared", "fast"};
	_cleanup_err_ struct err *e = NULL;

	for (size_t i = 0; i < ARRAY_LEN(stores); i++)
		must(t, sim_store_stuck(t->w->sim, stores[i], on, &e), stores[i], e);
}

/* The number that the VM gets undisturbed goes to somebody else. */
static void take_number(struct trial *t, int64_t vmid)
{
	_cleanup_err_ struct err *e = NULL;

	if (!vmid && !sim_guest_exists(t->w->sim, t->number))
		must(t, sim_human_create(t->w->sim, t->number, "pve1", "ops@pam", NULL, &e),
		    "create", e);
}

/* As from a backup: our marker, for the very number, with the nonce of an earlier clone. */
static void bring_back(struct trial *t, int64_t vmid)
{
	_cleanup_err_ struct err *e = NULL;
	_cleanup_kv_ struct kv conf = {0};

	if (vmid || !t->intended || sim_guest_exists(t->w->sim, t->number))
		return;
	kv_setf(&conf, "description",
	    "ramet: " WORLD_ID "/" SWEEP_NAME " vmid=%lld 0123456789abcdef", (long long)t->number);
	kv_set(&conf, "scsi0", "fast:25");
	kv_set(&conf, "net0", "virtio,bridge=vmbr0");
	must(t, sim_human_create(t->w->sim, t->number, "pve1", "ops@pam", &conf, &e), "create", e);
	judge_look(&t->judge, t->w);
	judge_allow_adopt(&t->judge, t->number, SWEEP_NAME);
	t->leftover = t->number;
}

/* A task that runs holds the guest, and people cannot do these things at once then. */
static bool people(struct trial *t)
{
	static const struct {
		enum fault fault;
		void (*act)(struct trial *t, int64_t vmid);
	} acts[] = {{FAULT_EDITED, edit}, {FAULT_LOCKED, lock}, {FAULT_MOVED, move},
	    {FAULT_STRANGER, replace}, {FAULT_TWIN, replace}, {FAULT_TAKEN, take_number},
	    {FAULT_LEFTOVER, bring_back}};
	int64_t vmid = world_find(t->w, SWEEP_NAME, NULL);
	bool new = t->fault == FAULT_TAKEN || t->fault == FAULT_LEFTOVER;

	for (size_t i = 0; i < ARRAY_LEN(acts); i++) {
		if (acts[i].fault != t->fault)
			continue;
		if ((vmid || new) && !sim_tasks_running(t->w->sim))
			acts[i].act(t, vmid);
		return true;
	}
	return false;
}

/* The next request, which is this one, gets the fault. */
static void in_cluster(struct trial *t, const char *what, const char *where)
{
	static const struct {
		enum fault fault;
		enum sim_fault_kind kind;
		int status;
		const char *text;
	} kinds[] = {{FAULT_REFUSED, SIM_FAULT_REFUSE, 0, NULL},
	    {FAULT_RESET_BEFORE, SIM_FAULT_RESET_BEFORE, 0, NULL},
	    {FAULT_RESET_AFTER, SIM_FAULT_RESET_AFTER, 0, NULL},
	    {FAULT_TIMEOUT, SIM_FAULT_DELAY_ANSWER, 0, NULL},
	    {FAULT_TERM_HUNG, SIM_FAULT_DELAY_ANSWER, 0, NULL},
	    {FAULT_LATE, SIM_FAULT_DELAY, 0, NULL},
	    {FAULT_UNAUTHORIZED, SIM_FAULT_UNAUTHORIZED, 401, NULL},
	    {FAULT_FORBIDDEN, SIM_FAULT_FORBIDDEN, 403, NULL},
	    {FAULT_STATUS_500, SIM_FAULT_STATUS, 500, "something odd"},
	    {FAULT_STATUS_503, SIM_FAULT_STATUS, 503, "Service Unavailable"},
	    {FAULT_STATUS_595, SIM_FAULT_STATUS, 595, "No route to host"},
	    {FAULT_STATUS_596, SIM_FAULT_STATUS_AFTER, 596, "Connection timed out"},
	    {FAULT_TASK_ERROR, SIM_FAULT_TASK_ERROR, 0, NULL},
	    {FAULT_TASK_ERROR_AFTER, SIM_FAULT_TASK_ERROR_AFTER, 0, NULL},
	    {FAULT_TASK_HANG, SIM_FAULT_TASK_HANG, 0, NULL},
	    {FAULT_TRUNCATED, SIM_FAULT_TRUNCATE, 0, NULL},
	    {FAULT_OLD_COPY, SIM_FAULT_OLD_COPY, 0, NULL}};

	for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
		struct sim_fault f = {.kind = kinds[i].kind,
		    .status = kinds[i].status,
		    .text = kinds[i].text,
		    .method = what,
		    .path = where,
		    .nth = 1,
		    .times = 1,
		    .delay_ms = LATE_MS};

		if (kinds[i].fault == t->fault)
			sim_fault_add(t->w->sim, &f);
	}
}

static void on_ended(void *arg)
{
	struct trial *t = arg;

	t->ended_at = clock_now(t->w->clock);
}

static void ask_to_end(struct trial *t)
{
	t->asked_at = clock_now(t->w->clock);
	controller_stop(t->w->controller, on_ended, t);
}

/* The process is gone once its controller has said that it has stopped. */
static void await_end(struct trial *t)
{
	int64_t now = clock_now(t->w->clock);

	if (!t->asked_at || (!t->ended_at && now - t->asked_at <= END_MS))
		return;
	if (!t->ended_at || t->ended_at - t->asked_at > END_MS)
		world_violation(t->w, "asked to end, it goes on for more than 10 s");
	t->asked_at = 0;
	world_kill(t->w);
}

/* What is lost when the process dies of it. */
enum loss { LOSS_NONE, LOSS_POWER, LOSS_STATE };

static enum fate fate_of(struct trial *t, enum touch kind, const char *what, const char *where)
{
	static const struct {
		enum fault fault;
		enum fate fate;
		enum loss loss;
	} fates[] = {{FAULT_WRITE, FATE_FAIL, LOSS_NONE}, {FAULT_FLUSH, FATE_FAIL_AFTER, LOSS_NONE},
	    {FAULT_KILL, FATE_DIE, LOSS_NONE}, {FAULT_KILL_AFTER, FATE_DIE_AFTER, LOSS_NONE},
	    {FAULT_UNPLUGGED, FATE_DIE_AFTER, LOSS_NONE}, {FAULT_POWER, FATE_DIE, LOSS_POWER},
	    {FAULT_POWER_IN, FATE_DIE_IN, LOSS_POWER},
	    {FAULT_POWER_AFTER, FATE_DIE_AFTER, LOSS_POWER},
	    {FAULT_POWER_TWICE, FATE_DIE_IN, LOSS_POWER}, {FAULT_LOST, FATE_DIE, LOSS_STATE},
	    {FAULT_LOST_AFTER, FATE_DIE_AFTER, LOSS_STATE},
	    {FAULT_LOST_ALL, FATE_DIE_AFTER, LOSS_STATE}};

	for (size_t i = 0; i < ARRAY_LEN(fates); i++) {
		if (fates[i].fault != t->fault)
			continue;
		t->lose_state = fates[i].loss == LOSS_STATE;
		t->lose_power = fates[i].loss == LOSS_POWER;
		return fates[i].fate;
	}
	if (people(t))
		return FATE_NORMAL;
	if (t->fault == FAULT_TERM || t->fault == FAULT_TERM_HUNG)
		ask_to_end(t);
	if (t->fault == FAULT_TERM)
		return FATE_NORMAL;
	if (t->fault == FAULT_NO_QUORUM)
		quorum(t, false);
	else if (t->fault == FAULT_STUCK)
		stick(t, true);
	else if (kind == TOUCH_CLUSTER)
		in_cluster(t, what, where);
	else if (kind == TOUCH_GIT)
		return t->fault == FAULT_REFUSED ? FATE_FAIL : FATE_FAIL_AFTER;
	return FATE_NORMAL;
}

/* Long after everybody must have seen that there is no quorum. */
static void without_quorum(struct trial *t, enum touch kind, const char *what, const char *where)
{
	bool allocates = text_ends(where, "/clone") || text_ends(where, "/resize") ||
			 text_ends(where, "/move_disk");

	if (t->fault == FAULT_NO_QUORUM && t->struck && kind == TOUCH_CLUSTER && allocates &&
	    strcmp(what, "POST") >= 0 && clock_now(t->w->clock) - t->struck_at > 1000)
		world_violation(t->w, "%s %s without quorum", what, where);
}

/* Long after it must have seen that somebody else works on the VM. */
static void with_lock(struct trial *t, enum touch kind, const char *what, const char *where)
{
	_cleanup_str_ char *guest = mem_printf("/qemu/%lld/", (long long)t->locked);

	if (t->locked && kind == TOUCH_CLUSTER && strcmp(what, "GET") != 0 &&
	    strstr(where, guest) && clock_now(t->w->clock) - t->struck_at > 5000)
		world_violation(t->w, "%s %s of a VM that is locked", what, where);
}

/* Of these nobody can say whether the call had its effect. */
static bool is_ambiguous(enum fault f)
{
	return f == FAULT_RESET_BEFORE || f == FAULT_RESET_AFTER || f == FAULT_TIMEOUT ||
	       f == FAULT_LATE || f == FAULT_STATUS_596 || f == FAULT_TRUNCATED;
}

/* What may have had its effect is not sent again without a look at what came of it. */
static void without_look(struct trial *t, enum touch kind, const char *what, const char *where)
{
	if (kind != TOUCH_CLUSTER || !t->unseen)
		return;
	if (strcmp(what, "GET") != 0 && strcmp(t->unseen, where) == 0)
		world_violation(t->w, "%s %s once more, without a look", what, where);
	if (strstr(where, "/qemu/") || strstr(where, "/tasks/") || strstr(where, "nextid") ||
	    t->w->lives > t->life)
		mem_free_str(&t->unseen);
}

static void asks(struct trial *t, const char *what, const char *where)
{
	bool forgets = t->struck && t->fault == FAULT_LOST_ALL;

	judge_request(&t->judge, t->w, what, where);
	if (t->scene->never && strstr(where, t->scene->never) && !forgets)
		world_violation(t->w, "%s %s, and nobody is to", what, where);
}

enum fate strike_ask(void *arg, enum touch kind, const char *what, const char *where)
{
	struct trial *t = arg;

	if (kind == TOUCH_CLUSTER && t->rival.controller && strcmp(what, "GET") != 0)
		rival_asks(&t->rival, t->w->controller, t->w->since, what, where);
	if (!t->armed)
		return FATE_NORMAL;
	t->count++;
	t->intended |=
	    kind == TOUCH_JOURNAL && strstr(where, "\"t\":\"intent\"") && t->count != t->at;
	without_quorum(t, kind, what, where);
	with_lock(t, kind, what, where);
	without_look(t, kind, what, where);
	if (kind == TOUCH_CLUSTER && strcmp(what, "GET") != 0)
		asks(t, what, where);
	if (t->fault == FAULT__MAX) {
		MEM_PUSH_ROOM(t->touches, t->n_touches, t->cap_touches);
		t->touches[t->n_touches++] = (struct touched){
		    .kind = kind, .what = mem_strdup(what), .where = mem_strdup(where)};
		return FATE_NORMAL;
	}
	if (t->count > t->at && t->fault == FAULT_POWER_TWICE && !t->again &&
	    kind == TOUCH_JOURNAL && strcmp(what, "rewrite") == 0) {
		t->again = t->lose_power = true;
		world_tell(t->w, "the power goes once more");
		return FATE_DIE_IN;
	}
	if (t->count != t->at)
		return FATE_NORMAL;
	t->struck = true;
	t->struck_at = clock_now(t->w->clock);
	t->life = t->w->lives;
	if (kind == TOUCH_CLUSTER && strcmp(what, "GET") != 0 && is_ambiguous(t->fault))
		mem_replace(&t->unseen, where);
	world_tell(
	    t->w, "STRIKE: %s at touch %zu: %s %s", fault_word(t->fault), t->at, what, where);
	return fate_of(t, kind, what, where);
}

static void power_returns(struct trial *t)
{
	enum disk_keeps keeps = (enum disk_keeps)((t->at + t->again) % DISK_KEEPS__MAX);

	if (t->lose_power)
		memstore_power(t->w->store, keeps, t->at);
	t->lose_power = false;
}

static void unplug(struct trial *t)
{
	int64_t vmid = world_find(t->w, SWEEP_NAME, NULL);
	_cleanup_err_ struct err *e = NULL;

	if (vmid && sim_guest_get(t->w->sim, vmid, t->scene->makes))
		must(t, sim_human_edit(t->w->sim, vmid, "ops@pam", NULL, t->scene->makes, &e),
		    "detach", e);
}

static void reborn(struct trial *t)
{
	int64_t now = clock_now(t->w->clock);

	if (t->w->controller)
		return;
	if (!t->reborn_at) {
		t->reborn_at = now + REBORN_MS;
		power_returns(t);
		if (t->lose_state)
			memstore_drop(t->w->store);
		if (t->lose_state && t->fault == FAULT_LOST_ALL)
			memgit_drop_status(t->w->git);
		t->lose_state = false;
	} else if (now >= t->reborn_at) {
		t->reborn_at = 0;
		if (t->fault == FAULT_UNPLUGGED)
			unplug(t);
		world_start(t->w, CONTROLLER_RUN);
	}
}

void strike_over(struct trial *t)
{
	int64_t since = clock_now(t->w->clock) - t->struck_at;
	_cleanup_err_ struct err *e = NULL;

	await_end(t);
	reborn(t);
	if (!t->struck)
		return;
	if (t->locked && since >= LOCK_MS) {
		if (sim_guest_exists(t->w->sim, t->locked))
			must(t, sim_human_lock(t->w->sim, t->locked, NULL, &e), "unlock", e);
		t->locked = 0;
	}
	if (t->fault == FAULT_NO_QUORUM && since >= NO_QUORUM_MS) {
		quorum(t, true);
		t->struck_at = INT64_MAX / 2; /* once */
	}
	if (t->fault == FAULT_STUCK && since >= STUCK_MS)
		stick(t, false);
	if (t->fault == FAULT_TASK_HANG && since >= STOP_MS && sim_human_stop_tasks(t->w->sim))
		world_tell(t->w, "somebody stops the task that hangs");
}
