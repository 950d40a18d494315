/* What people do while the cluster runs: edits, new guests, and when. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "sim_control.h"
#include "sim_field.h"
#include "sim_form.h"
#include "sim_job.h"
#include "sim_power.h"

#define SOMEBODY "root@pam"

static int wrong(struct err **err, const char *what)
{
	return err_set(err, ERR_USAGE, "%s", what);
}

/* "key=value" to be set, values percent-encoded, and "-key" to be deleted. */
static int changes(
    const struct strs *w, size_t from, struct kv *ret_set, struct buf *ret_del, struct err **err)
{
	for (size_t i = from; i < w->n; i++) {
		const char *eq = strchr(w->v[i], '=');

		if (*w->v[i] == '-' && w->v[i][1] && !eq) {
			buf_addf(ret_del, "%s%s", ret_del->len ? "," : "", w->v[i] + 1);
		} else if (eq && eq > w->v[i]) {
			_cleanup_str_ char *key = mem_strndup(w->v[i], (size_t)(eq - w->v[i]));
			_cleanup_str_ char *value = form_decode(eq + 1, strlen(eq + 1), false);

			if (!value)
				return wrong(err, "a value is not percent-encoded as it should be");
			kv_set(ret_set, key, value);
		} else
			return wrong(err, "a change is KEY=VALUE or -KEY");
	}
	return 0;
}

int script_edit(struct sim *s, const struct strs *w, struct err **err)
{
	_cleanup_kv_ struct kv set = {0};
	struct buf del;
	int64_t vmid;
	int r;

	if (w->n < 3 || text_to_int(w->v[1], 1, SIM_VMID_MAX, &vmid) < 0)
		return wrong(err, "edit VMID KEY=VALUE… -KEY…");
	buf_init(&del, 0);
	r = changes(w, 2, &set, &del, err);
	if (r == 0)
		r = sim_human_edit(s, vmid, SOMEBODY, &set, del.len ? buf_str(&del) : NULL, err);
	buf_fini(&del);
	return r;
}

int script_create(struct sim *s, const struct strs *w, struct err **err)
{
	_cleanup_kv_ struct kv set = {0};
	struct buf del;
	int64_t vmid;
	int r;

	if (w->n < 3 || text_to_int(w->v[1], 100, SIM_VMID_MAX, &vmid) < 0)
		return wrong(err, "create VMID NODE KEY=VALUE…");
	buf_init(&del, 0);
	r = changes(w, 3, &set, &del, err);
	if (r == 0 && del.len)
		r = wrong(err, "nothing can be deleted of a new guest");
	if (r == 0)
		r = sim_human_create(s, vmid, w->v[2], SOMEBODY, &set, err);
	buf_fini(&del);
	return r;
}

int script_restore(struct sim *s, const struct strs *w, struct err **err)
{
	_cleanup_kv_ struct kv set = {0};
	struct buf del;
	int64_t vmid;
	int r;

	if (w->n < 2 || text_to_int(w->v[1], 100, SIM_VMID_MAX, &vmid) < 0)
		return wrong(err, "restore VMID KEY=VALUE…");
	buf_init(&del, 0);
	r = changes(w, 2, &set, &del, err);
	if (r == 0 && del.len)
		r = wrong(err, "nothing of an archive can be deleted");
	if (r == 0)
		r = sim_human_restore(s, vmid, SOMEBODY, &set, err);
	buf_fini(&del);
	return r;
}

/* What was said beforehand; whether it could be done stands in the journal. */
static void due(struct job *j)
{
	_cleanup_str_ char *line = TAKE(j->data);
	_cleanup_str_ char *answer = NULL;
	struct sim *s = j->sim;

	job_done(j);
	answer = control_do(s, line);
	answer[strcspn(answer, "\n")] = '\0';
	note(s, NULL, "script", line, NULL, answer);
}

void script_at(struct sim *s, int64_t ms, const char *line)
{
	struct job *j = power_daemon(s, s->nodes[0], 0);

	j->data = mem_strdup(line);
	j->data_free = free;
	job_next(j, ms, due);
}

int script_later(struct sim *s, const char *line, struct err **err)
{
	const char *when = text_after(line, "at "), *rest = when ? strchr(when, ' ') : NULL;
	_cleanup_str_ char *time = rest ? mem_strndup(when, (size_t)(rest - when)) : NULL;
	int64_t ms = time ? field_duration(time) : -1;

	while (rest && *rest == ' ')
		rest++;
	if (ms < 0 || !*rest || text_starts(rest, "at "))
		return wrong(err, "at TIME LINE, TIME from now on as 500 or 5s");
	script_at(s, ms, rest);
	return 0;
}
