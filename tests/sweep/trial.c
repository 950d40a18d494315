#include "scenes_kept.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SETUP_MS 1800000
#define LONGEST_MS (4 * 3600 * 1000LL)
#define QUIET_MS 90000	/* all is well, and stays so */
#define LATER_MS 200000 /* also when a call is carried out that comes late */

static struct trial *trying; /* world_run carries no argument for it */

static void commit(struct trial *t, const char *text, const char *subject)
{
	_cleanup_kv_ struct kv files = {0};

	kv_set(&files, "README.txt", "no manifest");
	if (text)
		kv_set(&files, "vms/all.yaml", text);
	memgit_commit(t->w->git, &files, subject);
}

static void each(struct world *w)
{
	strike_over(trying);
	judge_look(&trying->judge, w);
}

/* Nobody remembers whose the volume is that hangs unused, and the report says how to attach it. */
static void attach_back(struct trial *t)
{
	const struct vmstat *v = world_vmstat(t->w, SWEEP_NAME);
	int64_t vmid = world_find(t->w, SWEEP_NAME, NULL);
	const char *volume = vmid ? sim_guest_get(t->w->sim, vmid, "unused0") : NULL;
	_cleanup_err_ struct err *e = NULL;
	_cleanup_kv_ struct kv set = {0};

	if (!v || v->reason != REASON_DISK_MISSING || t->attached || !volume)
		return;
	_cleanup_str_ char *how =
	    mem_printf("qm set %lld --%s %s ", (long long)vmid, t->scene->makes, volume);
	if (!v->hint || !strstr(v->hint, how))
		world_violation(t->w, "the report does not say: %s", how);
	kv_set(&set, t->scene->makes, volume);
	if (sim_human_edit(t->w->sim, vmid, "root@pam", &set, NULL, &e) < 0)
		world_violation(t->w, "attach: %s", err_msg(e));
	t->attached = true;
}

/* With every record lost nobody destroys it before a person has said whose it is, and nobody knows
 * of a manifest that is gone: what the scene says of that, and only then. */
static bool forgotten(const struct trial *t, const struct vmstat *v)
{
	return t->struck && t->fault == FAULT_LOST_ALL && v && t->scene->forgotten &&
	       text_eq(reason_word(v->reason), t->scene->forgotten);
}

static char *unready(struct trial *t, const char *name)
{
	const struct vmstat *v = world_vmstat(t->w, name);
	const char *reason = t->scene->reason;
	bool said = v && reason && text_eq(reason_word(v->reason), reason), must = false;
	size_t n = 0;

	world_find(t->w, name, &n);
	if (n != 1)
		return mem_printf("%zu VMs of %s", n, name);
	if (forgotten(t, v))
		return NULL;
	must = reason && strcmp(name, SWEEP_NAME) == 0;
	if (said || (!must && v && vmstat_is_ready(v)))
		return NULL;
	return mem_printf("%s is %s: %s", name, v ? reason_word(v->reason) : "not known",
	    v && v->message ? v->message : "");
}

static char *not_gone(struct trial *t)
{
	const struct vmstat *v = world_vmstat(t->w, SWEEP_NAME);
	size_t n = 0;

	world_find(t->w, SWEEP_NAME, &n);
	t->unconfirmed = n == 1 && forgotten(t, v);
	if (t->unconfirmed || (n == 0 && (!v || v->verdict == PLAN_IN_SYNC)))
		return NULL;
	return mem_printf("%zu VMs, %s", n, v ? reason_word(v->reason) : "not known");
}

/* NULL, or what is still missing. Caller frees. */
static char *unfinished(struct trial *t)
{
	const struct status *s = t->w->controller ? controller_status(t->w->controller) : NULL;
	struct strs names = {0};
	char *why = NULL;

	if (!s)
		return mem_strdup("no controller");
	if (!text_eq(s->rev_wanted, memgit_head(t->w->git)))
		return mem_strdup("the revision has not been seen");
	if (s->report_problem)
		return mem_strdup(s->report_problem);
	if (text_split(t->scene->vms, ",", true, 10, &names) < 0)
		return mem_strdup("scene");
	for (size_t i = 0; i < names.n && !why; i++)
		why = unready(t, names.v[i]);
	strs_fini(&names);
	if (!why && t->scene->gone)
		why = not_gone(t);
	return why ? why : t->scene->wrong(t);
}

static bool is_done(struct world *w)
{
	struct trial *t = trying;
	_cleanup_str_ char *why = NULL;

	world_clean_up(w);
	if (t->at && t->scene->makes)
		attach_back(t);
	if (t->locked || (t->at && !t->struck))
		return false;
	why = unfinished(t);
	return !why;
}

static bool edit_is_kept(struct trial *t)
{
	const char *net = sim_guest_get(t->w->sim, world_find(t->w, SWEEP_NAME, NULL), "net0");

	return !net || strstr(net, SWEEP_BY_HAND);
}

static void compare(struct trial *t, const struct trial *undisturbed)
{
	_cleanup_str_ char *now = picture_take(t), *orphans = picture_orphans(t);
	const char *then = undisturbed->picture;
	size_t i, line = 0;

	if (t->edited && !edit_is_kept(t))
		world_violation(t->w, "what was changed by hand in net0 is lost");
	if (orphans)
		world_violation(t->w, "left over and not reported: %s", orphans);
	if (strcmp(now, then) == 0)
		return;
	for (i = 0; now[i] && now[i] == then[i]; i++)
		line = now[i] == '\n' ? i + 1 : line;
	world_violation(t->w, "the cluster is not as it is undisturbed: %.*s instead of %.*s",
	    (int)strcspn(now + line, "\n"), now + line, (int)strcspn(then + line, "\n"),
	    then + line);
}

/* Somebody else's VM stands under the number: it is left alone, and the report says so. */
static void end_with_stranger(struct trial *t)
{
	_cleanup_str_ char *after = NULL;
	const struct vmstat *v;
	int64_t now;

	world_run(t->w, 1800000, NULL, each);
	after = picture_raw(t, t->stranger);
	if (!text_eq(t->stranger_conf, after)) {
		_cleanup_str_ char *is = text_oneline(after, 1000),
				   *was = text_oneline(t->stranger_conf, 1000);

		world_violation(t->w, "the stranger was changed: %s instead of %s", is, was);
	}
	now = world_find(t->w, SWEEP_NAME, NULL);
	v = world_vmstat(t->w, SWEEP_NAME);
	if (v && vmstat_is_ready(v) && (!now || now == t->stranger))
		world_violation(t->w, "Ready is said of a VM that is gone");
}

/* It may be taken for the one that the manifest means, and nobody knows for certain: a person has
 * to say so before it is destroyed. */
static void end_with_leftover(struct trial *t)
{
	commit(t, SCENE_BASE "  state: absent\n", "absent");
	world_run(t->w, 1800000, NULL, each);
	if (!sim_guest_exists(t->w->sim, t->leftover))
		world_violation(t->w, "a VM of another attempt was destroyed");
}

bool trial_may_leave(const struct trial *t)
{
	return t->scene->moves && t->fault == FAULT_NO_QUORUM && t->w->story.len &&
	       strstr(t->w->story.data, "storage migration failed");
}

size_t trial_tells_left(const struct trial *t, int64_t vmid)
{
	const struct status *s = t->w->controller ? controller_status(t->w->controller) : NULL;
	_cleanup_str_ char *of = mem_printf("vm-%lld-disk-", (long long)vmid);
	size_t n = 0;

	for (size_t i = 0; s && i < s->leftovers.n; i++)
		n += strstr(s->leftovers.v[i], of) && strstr(s->leftovers.v[i], "pvesm free ");
	return n;
}

static void take_picture(struct trial *t)
{
	int64_t number = world_find(t->w, SWEEP_NAME, NULL);

	if (number)
		t->number = number;
	t->picture = picture_take(t);
}

static void setup(struct trial *t)
{
	const struct scene *s = t->scene;

	t->judge.keys = s->keys;
	judge_name(&t->judge, SWEEP_NAME);
	if (s->stops)
		judge_allow_stop(&t->judge, SWEEP_NAME);
	if (s->destroys)
		judge_allow_destroy(&t->judge, SWEEP_NAME);
	judge_name(&t->judge, "db-01");
	judge_name(&t->judge, "app-01");
	if (s->past)
		commit(t, s->past, "past");
	commit(t, s->before, "before");
	world_start(t->w, CONTROLLER_RUN);
	if (s->before && !world_run(t->w, SETUP_MS, world_all_ready, each))
		world_violation(t->w, "not Ready before the scene begins");
	world_run(t->w, 30000, NULL, each); /* the report, the end of what settles */
}

unsigned trial_play(struct trial *t, const struct trial *undisturbed, bool tell)
{
	bool done;

	trying = t;
	if (undisturbed)
		t->number = undisturbed->number;
	t->w = world_new(11, t->scene->policy);
	t->w->tell = tell;
	setup(t);
	t->number = t->number ? t->number : world_find(t->w, SWEEP_NAME, NULL);
	world_set_fates(t->w, strike_ask, t);
	t->armed = true;
	if (t->scene->after)
		commit(t, t->scene->after, "after");
	if (t->scene->happens)
		t->scene->happens(t);
	done = world_run(t->w, LONGEST_MS, is_done, each);
	if (t->leftover) {
		end_with_leftover(t);
		return t->w->violations;
	}
	if (t->stranger) {
		end_with_stranger(t);
		return t->w->violations;
	}
	if (!done) {
		_cleanup_str_ char *why = unfinished(t);

		world_violation(
		    t->w, "did not converge: %s", why ? why : "the fault did not strike");
		return t->w->violations;
	}
	if (!undisturbed)
		t->armed = false;
	world_run(t->w, t->fault == FAULT_LATE ? LATER_MS : QUIET_MS, NULL, each);
	if (!is_done(t->w))
		world_violation(t->w, "what was well did not stay so");
	if (undisturbed && !t->unconfirmed)
		compare(t, undisturbed);
	else if (!undisturbed)
		take_picture(t);
	return t->w->violations;
}

void trial_fini(struct trial *t)
{
	judge_fini(&t->judge);
	rival_free(&t->rival);
	world_free(&t->w);
	for (size_t i = 0; i < t->n_touches; i++) {
		free(t->touches[i].what);
		free(t->touches[i].where);
	}
	free(t->touches);
	free(t->picture);
	free(t->stranger_conf);
	free(t->unseen);
	*t = (struct trial){0};
}
