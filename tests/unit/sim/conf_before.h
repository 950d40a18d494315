/* conf_before: what the recorder did without keeping it: lines "#! number word …" of the start
 * state, carried out before the request of that number. Included by conf_replay.h. */
#ifndef RAMET_CONF_BEFORE_H
#define RAMET_CONF_BEFORE_H

static bool node_event(struct sim *sim, const struct strs *w);
static void run_until(struct run *r, int64_t t);

static void login(struct run *r, const char *user)
{
	_cleanup_str_ char *params = mem_printf("username=%s&password=labsecret1", user);
	struct step *s = own_call(r, "POST", "/access/ticket", params);

	if (s->got_status == 200) {
		mem_replace(&r->ticket, jsn_get_text(jsn_get(s->got_body, "data"), "ticket"));
		mem_replace(
		    &r->csrf, jsn_get_text(jsn_get(s->got_body, "data"), "CSRFPreventionToken"));
	}
	step_fini(s);
	free(s);
}

/* Asks, and lets the task it began run for a second at most. */
static void own_task(struct run *r, const char *method, const char *path, const char *params)
{
	struct step *s = own_call(r, method, path, params);
	const char *upid = jsn_text(jsn_get(s->got_body, "data"));

	for (int i = 0; i < 100 && upid && sim_task_running(r->sim, upid); i++)
		sim_run_until(r->sim, sim_now(r->sim) + 10);
	step_fini(s);
	free(s);
}

/* As the recorder cleaned up: what still is there after it was removed in another way. */
static void drop(struct run *r, int64_t vmid)
{
	_cleanup_str_ char *at = NULL;
	_cleanup_str_ char *stop = NULL;

	if (!sim_guest_exists(r->sim, vmid))
		return;
	at = mem_printf("/nodes/%s/qemu/%lld", sim_guest_node(r->sim, vmid), (long long)vmid);
	stop = mem_printf("%s/status/stop", at);
	own_task(r, "POST", stop, "");
	own_task(r, "DELETE", at, "purge=1");
	if (sim_guest_exists(r->sim, vmid) && sim_human_delete(r->sim, vmid, "root@pam", NULL) < 0)
		printf("  (cannot be dropped: %lld)\n", (long long)vmid);
}

/* "slot=bytes" */
static void lay_image(struct run *r, const char *vmid, const char *what)
{
	_cleanup_str_ char *key = mem_strndup(what, strcspn(what, "="));
	int64_t n, size;

	MUST(!text_to_int(vmid, 100, 999999999, &n));
	MUST(!text_to_int(strchr(what, '=') + 1, 0, INT64_MAX, &size));
	MUST(sim_human_image(r->sim, n, key, size, NULL) == 0);
}

/* A call of the recorder that was not recorded; a task is followed to its end. */
static void unrecorded(struct run *r, const char *line)
{
	_cleanup_strs_ struct strs w = {0};
	struct step *s;
	int64_t wait;

	if (text_split(line, " ", true, 4, &w) < 0 || w.n < 2)
		mem_broken(__FILE__, __LINE__, line);
	if (!strcmp(w.v[1], "as")) {
		mem_replace(&r->as, strchr(w.v[2], '=') ? w.v[2] : NULL);
		return;
	}
	if (!strcmp(w.v[1], "csrf") || !strcmp(w.v[1], "cookie") || !strcmp(w.v[1], "type")) {
		mem_replace(*w.v[1] == 't'     ? &r->type
			    : w.v[1][1] == 's' ? &r->csrf_as
					       : &r->cookie_as,
		    w.v[2]);
		return;
	}
	if (!strcmp(w.v[1], "plain")) {
		mem_replace(&r->plain, w.v[2]);
		return;
	}
	if (!strcmp(w.v[1], "pad")) {
		MUST(!text_to_int(w.v[2], 0, 1 << 20, &r->pad));
		return;
	}
	if (!strcmp(w.v[1], "late") || node_event(r->sim, &w))
		return;
	if (!strcmp(w.v[1], "wait")) {
		MUST(!text_to_int(w.v[2], 0, 1000000, &wait));
		sim_run_until(r->sim, sim_now(r->sim) + wait);
		r->offset += wait;
		return;
	}
	if (!strcmp(w.v[1], "drop")) {
		MUST(!text_to_int(w.v[2], 100, 999999999, &wait));
		drop(r, wait);
		return;
	}
	if (!strcmp(w.v[1], "image")) {
		lay_image(r, w.v[2], w.v[3]);
		return;
	}
	if (!strcmp(w.v[1], "ticket")) {
		login(r, w.v[2]);
		return;
	}
	if (!strcmp(w.v[1], "stuck")) {
		MUST(sim_store_stuck(r->sim, w.v[2], *w.v[3] == '1', NULL) == 0);
		return;
	}
	s = own_call(r, w.v[1], w.v[2], w.n > 3 ? w.v[3] : "");
	if (s->got_status != 200)
		printf("  (unrecorded call failed: %s: %d %s %s)\n", line, s->got_status,
		    s->got_reason, s->got_text);
	for (int i = 0; i < 100 && sim_tasks_running(r->sim); i++) {
		sim_run_until(r->sim, sim_now(r->sim) + 100);
		r->offset += 100;
	}
	step_fini(s);
	free(s);
}

#endif
