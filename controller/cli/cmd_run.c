/* ramet run: the controller. */
#include <signal.h>

#include "log.h"
#include "meter.h"
#include "pass.h"
#include "telemetry.h"

/* What the machines do not log themselves. */
static void on_note(void *arg, const struct note *n)
{
	telemetry_note(arg, n);
	switch (n->kind) {
	case NOTE_STATE:
	case NOTE_STEP:
	case NOTE_REPORT:
		log_info(n->vm ? n->vm : "report", "%s", n->text);
		return;
	case NOTE_DRIFT:
	case NOTE_FINDING:
		log_warn(n->vm ? n->vm : "git", "%s", n->text);
		return;
	case NOTE_PROGRESS:
		log_debug(n->vm, "%s %d %%", n->text, n->percent);
		return;
	case NOTE_DONE:
	case NOTE_REVISION:
	case NOTE_TROUBLE:
	case NOTE__MAX:
		return;
	}
}

struct watched {
	struct telemetry *telemetry;
	const struct pass *pass;
};

static void on_stopping(void *arg)
{
	const struct watched *w = arg;
	if (w->pass->reloading)
		telemetry_reloading(w->telemetry);
	else
		telemetry_stopping(w->telemetry);
	log_info(NULL, "stopping: steps under way end first, at most 10 s");
}

/* Outside the loop they wait for it: who is asked to end while it begins ends in order as well, and
 * so does the first process of a container, which the kernel would let have none of them. */
static void hold_signals(bool on)
{
	sigset_t set;
	(void)sigemptyset(&set);
	(void)sigaddset(&set, SIGINT);
	(void)sigaddset(&set, SIGTERM);
	(void)sigaddset(&set, SIGHUP);
	(void)sigprocmask(on ? SIG_BLOCK : SIG_UNBLOCK, &set, NULL);
}

/* One run with one configuration. *ret_again: with another one there is more to do. */
static int run_once(const struct cli *c, bool *ret_again)
{
	_cleanup_setup_ struct setup s = SETUP_NONE;
	_cleanup_err_ struct err *err = NULL;
	int rc = setup_open(c,
	    SETUP_CLUSTER | SETUP_GIT | SETUP_STORE | SETUP_REPORT | SETUP_HTTP | SETUP_SERVICE,
	    &s);
	if (rc != CLI_OK)
		return rc;
	/* Freed in the reverse order: the listener, the controller, its ports. */
	_cleanup_meter_ struct meter *meter =
	    meter_new(s.ports.clock, s.ports.cluster, s.ports.git);
	s.ports.cluster = meter_cluster(meter);
	s.ports.git = meter_git(meter);
	struct watched w = {0};
	_cleanup_pass_ struct pass p = {.on_stopping = on_stopping, .arg = &w};
	_cleanup_telemetry_ struct telemetry *telemetry = NULL;
	/* Before anything is done: who cannot listen should not have begun. */
	if (telemetry_new(&s, &telemetry, &err) != 0)
		return cli_fail(c, err);
	w = (struct watched){.telemetry = telemetry, .pass = &p};
	struct controller_opts o = {.mode = CONTROLLER_RUN,
	    .observe_only = cli_has(c, CLI_OPT_OBSERVE_ONLY),
	    .ports.note = on_note,
	    .ports.note_arg = telemetry};
	log_info(NULL, "ramet " RAMET_VERSION " runs as %s%s", s.config->controller_id,
	    o.observe_only ? ", observing only" : "");
	if (pass_start(&p, &s, &o, &err) != 0)
		return cli_fail(c, err);
	telemetry_set_controller(telemetry, p.controller);
	hold_signals(false);
	rc = pass_wait(&p, &err);
	hold_signals(true);
	if (rc != 0)
		return cli_fail(c, err);
	*ret_again = p.end == PASS_RELOAD;
	if (*ret_again)
		log_info(NULL, "going on with the new configuration");
	else if (p.end == PASS_STOPPED)
		log_info(NULL, "stopped");
	else
		log_info(NULL, "stopped at once; the journal knows what was under way");
	return CLI_OK;
}

int cmd_run(const struct cli *c)
{
	int rc;
	bool again;
	hold_signals(true);
	do {
		again = false;
		rc = run_once(c, &again);
	} while (again);
	return rc;
}
