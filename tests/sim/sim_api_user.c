/* Calls about users. */
#include <stdlib.h>
#include <string.h>

#include "sim_api.h"

/* What the parameters say of a user; the rest stays. */
static void user_take(struct job *j, struct suser *u)
{
	const char *groups = job_param(j, "groups");
	_cleanup_strs_ struct strs l = {0};

	if (job_param(j, "enable"))
		u->enabled = job_param_bool(j, "enable");
	u->expire = job_param_int(j, "expire", u->expire);
	if (!groups || text_split(groups, ",; ", true, 64, &l) < 0)
		return;
	if (!job_param_bool(j, "append")) {
		strs_fini(&u->groups);
		u->groups = (struct strs){0};
	}
	for (size_t i = 0; i < l.n; i++)
		if (!strs_has(&u->groups, l.v[i]))
			strs_add(&u->groups, l.v[i]);
}

static void user_post_do(struct job *j)
{
	struct sim *s = j->sim;
	const char *id = job_param(j, "userid");
	struct suser *u;

	if (user_find(s, id)) {
		job_die(j, "create user failed: user '%s' already exists", id);
		return;
	}
	u = mem_alloc(sizeof(*u));
	u->name = mem_strdup(id);
	u->password = mem_strdup(job_param(j, "password"));
	u->enabled = true;
	user_take(j, u);
	MEM_PUSH_ROOM(s->users, s->nusers, s->usercap);
	s->users[s->nusers++] = u;
	job_ok(j, NULL);
}

void api_user_post(struct job *j)
{
	job_lock_cfs(j, "file-user_cfg", "create user failed: ", user_post_do);
}

static void user_delete(struct job *j)
{
	struct sim *s = j->sim;
	struct suser *u = user_find(s, job_param(j, "userid"));

	if (!u) {
		job_die(j, "delete user failed: user '%s' does not exist", job_param(j, "userid"));
		return;
	}
	for (size_t i = 0; i < s->nusers; i++)
		if (s->users[i] == u)
			s->users[i] = s->users[--s->nusers];
	user_drop(u);
	job_ok(j, NULL);
}

void api_user_delete(struct job *j)
{
	job_lock_cfs(j, "file-user_cfg", "delete user failed: ", user_delete);
}

static void user_put_do(struct job *j)
{
	struct suser *u = user_find(j->sim, job_param(j, "userid"));

	if (!u) {
		job_die(j, "update user failed: no such user ('%s')", job_param(j, "userid"));
		return;
	}
	user_take(j, u);
	job_ok(j, NULL);
}

void api_user_put(struct job *j)
{
	job_lock_cfs(j, "file-user_cfg", "update user failed: ", user_put_do);
}
