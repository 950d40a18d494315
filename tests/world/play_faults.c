#include "play.h"

#include <string.h>

static const char *const fault_docs[] = {
#define SIM_FAULT(code, word, doc) doc,
#include "sim_fault.def"
#undef SIM_FAULT
};

void play_add_fault(struct play *p)
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
	    {SIM_FAULT_TASK_ERROR_AFTER, 0, "WARNINGS: 1"},
	    {SIM_FAULT_TASK_ERROR_AFTER, 0, "unexpected status"},
	    {SIM_FAULT_STATUS, 500,
		"can't lock file '/var/lock/qemu-server/lock-1.conf' - got "
		"timeout"},
	    {SIM_FAULT_TASK_ERROR, 0, NULL}, {SIM_FAULT_TASK_ERROR_AFTER, 0, NULL},
	    {SIM_FAULT_TRUNCATE, 0, NULL}};
	static const char *const methods[] = {NULL, "POST", "PUT", "GET"};
	size_t k = play_pick(p, ARRAY_LEN(kinds));
	bool clone = play_pick(p, 3) == 0; /* the call that must not be answered with a second VM */
	struct sim_fault f = {.kind = kinds[k].kind,
	    .status = kinds[k].status,
	    .text = kinds[k].text,
	    .method = clone ? "POST" : methods[play_pick(p, 4)],
	    .path = clone ? "*/clone" : NULL,
	    .probability = clone ? 0.8 : 0.05 + play_pick(p, 40) / 100.0,
	    .delay_ms = 1000 + (int64_t)play_pick(p, 60000)};

	world_tell(p->w, "fault: %s %s: %s%s%s%s (status %d), %.0f %% of the calls",
	    f.method ? f.method : "any call", f.path ? f.path : "", fault_docs[f.kind],
	    f.text ? " (" : "", f.text ? f.text : "", f.text ? ")" : "", f.status,
	    100 * f.probability);
	sim_fault_add(p->w->sim, &f);
	p->faulty = true;
}

/* A node that is just coming up takes no writes yet: a person tries again. */
static void on_shown(void *arg, const struct sim_reply *reply)
{
	struct play *p = arg;

	if (reply->cut == SIM_CUT_NONE && reply->status == 200)
		p->hidden = 0;
	else
		p->show_at = clock_now(p->w->clock) + 10000;
}

static void on_hidden(void *arg, const struct sim_reply *reply)
{
	(void)reply;
	((struct play *)arg)->hiding = false;
}

void play_show(struct play *p)
{
	if (!p->show_at || clock_now(p->w->clock) < p->show_at)
		return;
	p->show_at = 0;
	play_hide(p, 0);
}

void play_hide(struct play *p, int64_t vmid)
{
	_cleanup_str_ char *path = mem_printf("/vms/%lld", (long long)(vmid ? vmid : p->hidden));
	_cleanup_kv_ struct kv params = {0};
	struct sim_req q = {.method = "PUT",
	    .path = "/access/acl",
	    .params = &params,
	    .authorization = "PVEAPIToken=admin@pve!t=22222222-2222-2222-2222-222222222222",
	    .node = "pve2"};

	if (!vmid == !p->hidden)
		return;
	kv_set(&params, "path", path);
	kv_set(&params, "roles", "NoAccess");
	kv_set(&params, "tokens", WORLD_USER);
	if (!vmid)
		kv_set(&params, "delete", "1");
	if (!vmid && p->hiding) { /* that call is late */
		p->show_at = clock_now(p->w->clock) + 10000;
		return;
	}
	if (vmid)
		p->hidden = vmid;
	p->hiding = vmid != 0;
	(void)sim_submit(p->w->sim, &q, vmid ? on_hidden : on_shown, p);
}

/* What nobody put on record and nobody may see cannot be known; of two instances the one that acts
 * may not have it on record yet. */
static bool is_on_record(const struct play *p, const char *name, int64_t vmid)
{
	bool acts = p->w->controller && !p->w->observe_only && !p->rival.controller;
	const struct status *s = acts ? controller_status(p->w->controller) : NULL;

	for (size_t i = 0; s && i < s->n_vms; i++)
		if (strcmp(s->vms[i]->name, name) == 0)
			return s->vms[i]->record.vmid == vmid;
	return false;
}

static char *token_now(const struct play *p)
{
	return mem_printf(
	    WORLD_USER "=%08u-1111-1111-1111-111111111111", p->tokens ? p->tokens : 11111111);
}

void play_mend_token(struct play *p)
{
	_cleanup_str_ char *now = token_now(p);

	if (text_eq(p->w->token_file, now))
		return;
	world_tell(p->w, "the new token is put into the file");
	mem_replace(&p->w->token_file, now);
}

/* Somebody makes another secret of the token; the file has it at once, or later. */
static void token_changes(struct play *p)
{
	_cleanup_str_ char *now = NULL;
	_cleanup_err_ struct err *e = NULL;
	unsigned how = play_pick(p, 3);

	p->tokens++;
	now = token_now(p);
	world_tell(p->w, "the token gets another secret, and the file %s",
	    (const char *[]){"has it", "is half written", "has the old one"}[how]);
	if (sim_token_secret(p->w->sim, WORLD_USER, strchr(now, '=') + 1, &e) < 0)
		world_violation(p->w, "%s", err_msg(e));
	if (how == 0)
		mem_replace(&p->w->token_file, now);
	else if (how == 1)
		mem_replace(&p->w->token_file, WORLD_USER);
}

/* For a while the token is not known, or may nothing with one VM. */
static void refuse(struct play *p, bool token)
{
	const struct manifest *m = &p->m[play_pick(p, PLAY_VMS)];
	int64_t vmid = m->name[0] ? world_find(p->w, m->name, NULL) : 0;
	_cleanup_str_ char *path = mem_printf("/nodes/*/qemu/%lld/*", (long long)vmid);
	struct sim_fault f = {.kind = token ? SIM_FAULT_UNAUTHORIZED : SIM_FAULT_FORBIDDEN,
	    .path = token ? NULL : path,
	    .probability = 1};

	if (!token && !vmid)
		return;
	if (!token && play_pick(p, 3) == 0 && is_on_record(p, m->name, vmid)) {
		world_tell(p->w, "VM %lld of %s is hidden", (long long)vmid, m->name);
		play_hide(p, vmid);
		return;
	}
	if (token)
		world_tell(p->w, "fault: the token is refused");
	else
		world_tell(
		    p->w, "fault: nothing is allowed on VM %lld of %s", (long long)vmid, m->name);
	sim_fault_add(p->w->sim, &f);
	p->faulty = true;
}

/* Tasks that begin and never end, until a person stops them. */
static void let_hang(struct play *p)
{
	static const char *const paths[] = {"*/clone", "*/config", "*/status/*", "*/move_disk"};
	const char *path = paths[play_pick(p, ARRAY_LEN(paths))];
	struct sim_fault f = {.kind = SIM_FAULT_TASK_HANG, .path = path, .probability = 0.5};

	world_tell(p->w, "fault: every other task of %s hangs", path);
	sim_fault_add(p->w->sim, &f);
	p->faulty = true;
}

void play_let_lag(struct play *p)
{
	struct sim_fault f = {.kind = SIM_FAULT_OLD_COPY,
	    .method = "GET",
	    .path = "/cluster/resources",
	    .probability = 0.5};

	if (p->lag)
		sim_fault_add(p->w->sim, &f);
}

void play_heal(struct play *p)
{
	_cleanup_err_ struct err *e = NULL;
	size_t n;

	sim_fault_clear(p->w->sim);
	play_let_lag(p);
	if ((n = sim_human_stop_tasks(p->w->sim)) > 0)
		world_tell(p->w, "somebody stops %zu tasks that hang", n);
	memgit_set_faults(p->w->git, 0, 0);
	memgit_set_down(p->w->git, false);
	play_mend_token(p);
	if (p->no_quorum && sim_node_quorum(p->w->sim, NULL, true, &e) < 0)
		world_tell(p->w, "  quorum: %s", err_msg(e));
	if (p->node_off && sim_node_power(p->w->sim, p->node_off, true, &e) < 0)
		world_tell(p->w, "  node: %s", err_msg(e));
	p->node_off = NULL;
	p->no_quorum = p->faulty = false;
	play_hide(p, 0);
	world_tell(p->w, "all is healed");
}

/* Of several endpoints any; never the only one: then nothing happens at all. */
static void node_goes_off(struct play *p)
{
	static const char *const nodes[] = {"pve2", "pve3", "pve1"};
	_cleanup_err_ struct err *e = NULL;

	if (p->node_off)
		return;
	p->node_off = nodes[play_pick(p, p->several ? 3 : 2)];
	world_tell(p->w, "node %s is switched off", p->node_off);
	if (sim_node_power(p->w->sim, p->node_off, false, &e) < 0)
		world_tell(p->w, "  refused: %s", err_msg(e));
}

static void clock_jumps(struct play *p)
{
	int64_t by = (int64_t)play_pick(p, 240000) - 120000;

	if (play_pick(p, 4) == 0)
		by *= 180; /* six hours at most */
	if (by > 0)
		p->judge.n_fallen = 0; /* by that clock it was long ago */
	world_tell(p->w, "the clock jumps by %lld ms", (long long)by);
	vclock_jump_wall(p->w->vclock, by);
}

void play_break_something(struct play *p)
{
	_cleanup_err_ struct err *e = NULL;

	switch (play_pick(p, 12)) {
	case 8:
		if (play_pick(p, 2))
			token_changes(p);
		else
			refuse(p, true);
		break;
	case 9:
	case 10:
		refuse(p, false);
		break;
	case 11:
		let_hang(p);
		break;
	case 6:
		node_goes_off(p);
		break;
	case 7:
		clock_jumps(p);
		break;
	case 0:
	case 1:
	case 2:
		play_add_fault(p);
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
