#include "pass.h"

#include <signal.h>
#include <string.h>

#include "log.h"

#define IMPATIENT_MS 1000

static void end(struct pass *p, enum pass_end how)
{
	p->end = how;
	loop_stop(p->setup->loop);
}

static void on_settled(void *arg)
{
	end(arg, PASS_SETTLED);
}

static void on_stopped(void *arg)
{
	struct pass *p = arg;
	end(p, p->signals == 0 && p->reloading ? PASS_RELOAD : PASS_STOPPED);
}

static void on_signal(void *arg, int signo)
{
	struct pass *p = arg;
	(void)signo;
	if (p->signals++ > 0) {
		end(p, PASS_CUT);
		return;
	}
	if (p->on_stopping)
		p->on_stopping(p->arg);
	/* A plan has nothing under way. */
	if (p->mode == CONTROLLER_PLAN)
		end(p, PASS_STOPPED);
	else if (!p->reloading)
		controller_stop(p->controller, on_stopped, p);
}

static void on_reload(void *arg, int signo)
{
	struct pass *p = arg;
	(void)signo;
	/* Whoever stops reads nothing any more; what changed since is read at the next start. */
	if (p->signals > 0 || p->reloading)
		return;
	log_info(NULL, "SIGHUP: looking again");
	if (!setup_reload(p->setup)) {
		controller_retry(p->controller);
		return;
	}
	p->reloading = true;
	if (p->on_stopping)
		p->on_stopping(p->arg);
	controller_stop(p->controller, on_stopped, p);
}

/* Somebody waits for a plan: a server that does not answer is asked again at once, not with the
 * pauses of a controller, so that what is out of reach is said to be so in seconds. */
static void on_impatient(void *arg)
{
	struct pass *p = arg;
	const struct status *s = controller_status(p->controller);
	p->impatient = clock_timer(p->setup->ports.clock, IMPATIENT_MS, on_impatient, p);
	if (s->git_problem || s->cluster_problem)
		controller_poke(p->controller);
}

static void on_note(void *arg, const struct note *n)
{
	struct pass *p = arg;
	if (p->note)
		p->note(p->note_arg, n);
}

int pass_start(struct pass *p, struct setup *s, const struct controller_opts *o, struct err **err)
{
	struct controller_opts opts = *o;
	opts.config = s->config;
	opts.ports.clock = s->ports.clock;
	opts.ports.cluster = s->ports.cluster;
	opts.ports.git = s->ports.git;
	opts.ports.store = s->ports.store;
	opts.ports.outdir = s->ports.outdir;
	opts.ports.pve_user = s->ports.pve_user;
	_cleanup_strs_ struct strs only = {0};
	/* With a PATH nobody else's VM is anybody's business, whatever markers are found. */
	for (size_t i = 0; o->desired && i < o->desired->n; i++)
		strs_add(&only, o->desired->v[i].res->name);
	opts.only = o->desired ? &only : o->only;
	opts.ports.note = on_note;
	opts.ports.note_arg = p;
	p->setup = s;
	p->mode = o->mode;
	p->note = o->ports.note;
	p->note_arg = o->ports.note_arg;
	/* Told once the loop turns: who is asked to end while it begins ends in order as well. */
	p->on_int = loop_signal_add(s->loop, SIGINT, on_signal, p);
	p->on_term = loop_signal_add(s->loop, SIGTERM, on_signal, p);
	if (controller_new(&opts, &p->controller, err) != 0)
		return -1;
	if (o->mode != CONTROLLER_RUN)
		controller_on_settled(p->controller, on_settled, p);
	if (o->mode == CONTROLLER_PLAN)
		p->impatient = clock_timer(s->ports.clock, IMPATIENT_MS, on_impatient, p);
	if (o->mode == CONTROLLER_RUN)
		p->on_hup = loop_signal_add(s->loop, SIGHUP, on_reload, p);
	return 0;
}

int pass_wait(struct pass *p, struct err **err)
{
	p->end = PASS_CUT;
	int rc = loop_run(p->setup->loop, err);
	/* Who listened may be gone before the controller is. */
	p->note = NULL;
	return rc;
}

void pass_finish(struct pass *p)
{
	if (p->setup)
		clock_cancel(p->setup->ports.clock, &p->impatient);
	loop_signal_del(&p->on_int);
	loop_signal_del(&p->on_term);
	loop_signal_del(&p->on_hup);
	controller_free(&p->controller);
}

struct err *pass_sentence(const char *text)
{
	struct err *err = NULL;
	const char *next;
	int facts = (int)status_problem_facts(text, &next);
	(void)err_set(&err, ERR_UNREACHABLE, "%.*s", facts, text);
	if (*next)
		(void)err_hint(&err, "%s", next);
	return err;
}

struct err *pass_problem(struct pass *p)
{
	const struct status *s = controller_status(p->controller);
	const char *text = s->git_problem && !controller_bundle(p->controller) ? s->git_problem
			   : s->cluster_problem				       ? s->cluster_problem
									       : NULL;
	return text ? pass_sentence(text) : NULL;
}
