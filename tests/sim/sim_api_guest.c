/* Writing a guest's configuration: the calls around sim_conf. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "sim_api.h"
#include "sim_conf.h"
#include "sim_net.h"
#include "sim_volume.h"

static void conf_write(struct job *j)
{
	struct confop *op = j->data;
	_cleanup_oops_ struct oops o = {0};

	/* It may have changed or gone while the volumes were made. */
	if (!conf_load(j, op->vmid, &o) || !conf_apply(j, op, &o)) {
		job_oops(j, &o);
		return;
	}
	job_done(j);
}

/* With the file lock in hand. */
static void conf_locked(struct job *j)
{
	struct confop *op = j->data;
	struct sim *s = j->sim;
	_cleanup_oops_ struct oops o = {0};
	int64_t wait;

	if (!conf_enter(j, op, &o)) {
		job_oops(j, &o);
		return;
	}
	if (!j->node->quorate && noquorum_changes(j, op)) {
		noquorum_conf(j, op);
		return;
	}
	wait = (int64_t)op->news * s->timing[TIMING_ALLOC];
	if (j->task)
		wait += s->timing[TIMING_WORK];
	if (op->copies && volume_rate(s, "clone", 0))
		wait += op->copies * 1000 / volume_rate(s, "clone", 0);
	if (wait)
		job_next(j, wait, conf_write);
	else
		conf_write(j);
}

static void conf_lock_now(struct job *j)
{
	job_lock_guest(j, j->vmid, true, conf_locked);
}

static void conf_lock(struct job *j)
{
	job_when_fs(j, conf_lock_now);
}

/* In 8 a POST waits for the lock before it forks; the worker inherits it. */
static void conf_fork_locked(struct job *j)
{
	_cleanup_oops_ struct oops o = {0};
	_cleanup_str_ char *id = mem_printf("%" PRId64, j->vmid);

	if (!conf_enter(j, j->data, &o)) {
		job_oops(j, &o);
		return;
	}
	conf_say(j, j->data);
	job_fork(j, "qmconfig", id, conf_locked);
}

static bool conf_begin(struct job *j)
{
	struct confop *op = mem_alloc(sizeof(*op));
	_cleanup_oops_ struct oops o = {0};

	j->data = op;
	j->data_free = confop_free;
	if (!conf_prepare(j, op, &o) || (j->sim->v9 && !conf_enter(j, op, &o)) ||
	    (!guest_find(j->sim, j->vmid) && !conf_load(j, j->vmid, &o))) {
		job_oops(j, &o);
		return false;
	}
	return true;
}

void api_config_put(struct job *j)
{
	if (conf_begin(j))
		conf_lock(j);
}

void api_config_post(struct job *j)
{
	_cleanup_str_ char *id = mem_printf("%" PRId64, j->vmid);

	if (!conf_begin(j))
		return;
	j->hold = job_param_int(j, "background_delay", 0) * 1000;
	if (j->sim->v9)
		job_fork(j, "qmconfig", id, conf_lock);
	else
		job_lock_guest(j, j->vmid, true, conf_fork_locked);
}

void api_unlink(struct job *j)
{
	kv_set(&j->params, "delete", job_param(j, "idlist"));
	kv_del(&j->params, "idlist");
	api_config_put(j);
}
