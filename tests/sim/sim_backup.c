/* Backup jobs, as far as guests are named in them; nothing is ever backed up. */
#include "sim_backup.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "sim_api.h"

static struct backup *backup_find(const struct sim *s, const char *id)
{
	for (size_t i = 0; i < s->nbackups; i++)
		if (!strcmp(s->backups[i].id, id))
			return &s->backups[i];
	return NULL;
}

static void backup_drop(struct sim *s, struct backup *b)
{
	free(b->id);
	kv_fini(&b->conf);
	*b = s->backups[--s->nbackups];
}

void backups_free(struct sim *s)
{
	while (s->nbackups)
		backup_drop(s, &s->backups[0]);
	free(s->backups);
}

/* A list of numbers without one of them; NULL when none is left. */
static char *without(const char *list, const char *vmid)
{
	_cleanup_strs_ struct strs all = {0}, rest = {0};

	if (text_split(list, ",; ", true, 10000, &all) < 0)
		return mem_strdup(list);
	for (size_t i = 0; i < all.n; i++)
		if (strcmp(all.v[i], vmid) != 0)
			strs_add(&rest, all.v[i]);
	return rest.n ? strs_join(&rest, ",") : NULL;
}

void backups_forget(struct sim *s, int64_t vmid)
{
	_cleanup_str_ char *id = mem_printf("%" PRId64, vmid);

	for (size_t i = 0; i < s->nbackups; i++) {
		struct backup *b = &s->backups[i];
		const char *key = kv_has(&b->conf, "vmid") ? "vmid" : "exclude",
			   *list = kv_get(&b->conf, key);
		_cleanup_str_ char *rest = list ? without(list, id) : NULL;

		if (!list)
			continue;
		if (rest)
			kv_set(&b->conf, key, rest);
		else if (!strcmp(key, "exclude"))
			kv_del(&b->conf, key);
		else /* a job for nothing goes with its last guest */
			backup_drop(s, b), i--;
	}
}

static struct jsn *backup_json(const struct backup *b)
{
	struct jsn *o = jsn_new_object();

	jsn_put_str(o, "id", b->id);
	jsn_put_str(o, "type", "vzdump");
	KV_FOREACH (i, &b->conf) {
		int64_t v;

		if ((!strcmp(i->key, "enabled") || !strcmp(i->key, "all")) &&
		    text_to_int(i->value, 0, 1, &v) == 0)
			jsn_put_int(o, i->key, v);
		else
			jsn_put_str(o, i->key, i->value);
	}
	return o;
}

static void take_params(const struct job *j, struct backup *b)
{
	KV_FOREACH (i, &j->params)
		if (strcmp(i->key, "id") != 0 && strcmp(i->key, "delete") != 0)
			kv_set(&b->conf, i->key, i->value);
}

void api_backups(struct job *j)
{
	struct jsn *a = jsn_new_array();

	for (size_t i = 0; i < j->sim->nbackups; i++)
		jsn_push(a, backup_json(&j->sim->backups[i]));
	job_ok(j, a);
}

void api_backup_get(struct job *j)
{
	const struct backup *b = backup_find(j->sim, job_param(j, "id"));
	_cleanup_oops_ struct oops o = {0};

	if (b) {
		job_ok(j, backup_json(b));
		return;
	}
	oops_param(&o, "id", "No such job '%s'", job_param(j, "id"));
	job_oops(j, &o);
}

static void backup_make(struct job *j)
{
	struct sim *s = j->sim;
	const char *id = job_param(j, "id");
	_cleanup_str_ char *uuid = sim_uuid(s);
	_cleanup_str_ char *own =
	    id ? mem_strdup(id) : mem_printf("backup-%.8s-%.4s", uuid, uuid + 9);

	if (backup_find(s, own)) {
		job_die(j, "Job '%s' already exists", own);
		return;
	}
	MEM_PUSH_ROOM(s->backups, s->nbackups, s->backupcap);
	s->backups[s->nbackups] = (struct backup){.id = TAKE(own)};
	take_params(j, &s->backups[s->nbackups++]);
	job_ok(j, NULL);
}

static void backup_change(struct job *j)
{
	struct backup *b = backup_find(j->sim, job_param(j, "id"));
	_cleanup_strs_ struct strs gone = {0};
	_cleanup_oops_ struct oops o = {0};

	if (!b) {
		oops_param(&o, "id", "no such vzdump job");
		job_oops(j, &o);
		return;
	}
	take_params(j, b);
	if (job_param(j, "delete") &&
	    text_split(job_param(j, "delete"), ",; ", true, 64, &gone) == 0)
		for (size_t i = 0; i < gone.n; i++)
			kv_del(&b->conf, gone.v[i]);
	job_ok(j, NULL);
}

static void backup_remove(struct job *j)
{
	struct backup *b = backup_find(j->sim, job_param(j, "id"));
	_cleanup_oops_ struct oops o = {0};

	if (!b) {
		oops_param(&o, "id", "no such job");
		job_oops(j, &o);
		return;
	}
	backup_drop(j->sim, b);
	job_ok(j, NULL);
}

void api_backup_post(struct job *j)
{
	job_lock_cfs(j, "file-jobs_cfg", NULL, backup_make);
}

void api_backup_put(struct job *j)
{
	job_lock_cfs(j, "file-jobs_cfg", NULL, backup_change);
}

void api_backup_delete(struct job *j)
{
	job_lock_cfs(j, "file-jobs_cfg", NULL, backup_remove);
}
