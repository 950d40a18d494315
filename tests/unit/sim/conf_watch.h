/*
 * conf_watch: what a watcher saw, and what was done to the nodes meanwhile.
 *
 * A line named "… changed" was not asked once: its client asked the same question over and over
 * and kept an answer only when it was another one. Such a line agrees when the simulation gives
 * that answer too, to the same question, at most one broadcast period before or after: names,
 * states and sizes are told by each node's pvestatd in rounds of 10 s, and where in its round a
 * daemon stood when the recording began is known for few nodes only; so an answer that hangs on a
 * round may come a whole round earlier or later in the simulation. What a line shows and not only
 * when is compared in full. Some watchers kept a few members of each row only, or the rows of their
 * own guest: what they left out cannot be compared.
 *
 * Included by conf_replay.h.
 */
#ifndef RAMET_CONF_WATCH_H
#define RAMET_CONF_WATCH_H

#define WATCH_WINDOW_MS 10000 /* one broadcast period */
#define WATCH_NEAR_MS 600     /* here it asks often */
#define WATCH_OFTEN_MS 20
#define WATCH_SELDOM_MS 500

static bool is_watched(const struct step *s)
{
	return !s->event && s->name && text_ends(s->name, " changed");
}

static bool rows_name(const struct jsn *rows, const char *id)
{
	for (size_t i = 0; i < jsn_len(rows); i++) {
		const struct jsn *r = jsn_at(rows, i);
		const char *have = jsn_is_array(r) ? jsn_text(jsn_at(r, 0)) : jsn_get_text(r, "id");

		if (text_eq(have, id))
			return true;
	}
	return false;
}

static struct jsn *text_or_null(const struct jsn *row, const char *key)
{
	const char *v = jsn_get_text(row, key);

	return v ? jsn_new_str(v) : jsn_new_null();
}

/* The members that the watcher of this name kept of a row. */
static struct jsn *watched_row(const char *step, const struct jsn *row)
{
	struct jsn *a = jsn_new_array();

	if (strstr(step, "nodes changed")) {
		jsn_push(a, text_or_null(row, "node"));
		jsn_push(a, text_or_null(row, "status"));
		jsn_push(a, jsn_new_bool(jsn_get(row, "maxcpu") != NULL));
		jsn_push(a, jsn_new_bool(jsn_get(row, "uptime") != NULL));
	} else if (strstr(step, "status changed")) {
		bool whole = text_eq(jsn_get_text(row, "type"), "cluster");

		jsn_push(a, text_or_null(row, "name"));
		jsn_push(a, jsn_new_int(jsn_get_int(row, whole ? "quorate" : "online", 0)));
	} else {
		jsn_push(a, text_or_null(row, "id"));
		if (!strstr(step, "other types"))
			jsn_push(a, text_or_null(row, "node"));
		jsn_push(a, text_or_null(row, "status"));
		if (!strstr(step, "other types"))
			jsn_push(a, text_or_null(row, "lock"));
	}
	return a;
}

/* The answer reduced to what the watcher kept, as text. */
static char *watched_body(const struct step *s, const struct jsn *body)
{
	const struct jsn *kept = jsn_get(rec_body(s), "data"), *rows = jsn_get(body, "data");
	_cleanup_jsn_ struct jsn *data = NULL;
	bool condensed = jsn_is_array(jsn_at(kept, 0));

	if (!jsn_is_array(kept) || !jsn_is_array(rows) ||
	    !(condensed || strstr(s->name, "resources")))
		return body ? replay_normal(body) : mem_strdup("");
	data = jsn_new_array();
	for (size_t i = 0; i < jsn_len(rows); i++) {
		const struct jsn *row = jsn_at(rows, i);
		const char *id = jsn_get_text(row, "id");

		if (strstr(s->name, "resources") && !rows_name(kept, id))
			continue;
		if (condensed)
			jsn_push(data, watched_row(s->name, row));
		else
			jsn_push(data, jsn_copy(row));
	}
	{
		_cleanup_str_ char *text = replay_normal(data);

		return mem_printf("{\"data\":%s}", text);
	}
}

struct probe {
	struct step *watched;
	struct step asked; /* its answer */
};

static void on_probe(void *arg, const struct sim_reply *r)
{
	struct probe *p = arg;
	struct step *w = p->watched;

	on_reply(&p->asked, r);
	if (!w->matched) {
		_cleanup_str_ char *a = rec_side(w);
		_cleanup_str_ char *body = watched_body(w, p->asked.got_body);
		_cleanup_str_ char *b = side(r->status, r->reason, body);

		w->matched = !strcmp(a, b);
		if (!w->matched && !w->done) {
			w->got_status = r->status;
			mem_replace(&w->got_reason, r->reason);
			free(w->got_text);
			w->got_text = TAKE(body);
		}
	}
	free(p->asked.got_reason);
	free(p->asked.got_text);
	jsn_free(&p->asked.got_body);
	w->probes--;
	free(p);
}

/* Asks for all who watch now. */
static void watch(struct run *r)
{
	int64_t now = sim_now(r->sim);

	for (size_t i = 0; i < r->n; i++) {
		struct step *s = &r->v[i];
		int64_t at = s->start + r->offset, off = now > at ? now - at : at - now;
		struct probe *p;

		if (!is_watched(s) || s->matched || off > WATCH_WINDOW_MS || s->over ||
		    (off > WATCH_NEAR_MS && now - s->probed < WATCH_SELDOM_MS))
			continue;
		s->probed = now;
		s->probes++;
		p = mem_alloc(sizeof(*p));
		p->watched = s;
		MUST(ask(r, s, on_probe, p));
	}
}

static bool anyone_watches(const struct run *r)
{
	for (size_t i = 0; i < r->n; i++)
		if (is_watched(&r->v[i]))
			return true;
	return false;
}

static void run_until(struct run *r, int64_t t)
{
	while (r->watching && sim_now(r->sim) + WATCH_OFTEN_MS < t) {
		sim_run_until(r->sim, sim_now(r->sim) + WATCH_OFTEN_MS);
		watch(r);
	}
	sim_run_until(r->sim, t);
}

/* The process number in the task that the recorded answer names. */
static uint32_t recorded_pid(const struct step *s)
{
	const char *upid = jsn_text(jsn_get(rec_body(s), "data")),
		   *p = upid && text_starts(upid, "UPID:") ? strchr(upid + 5, ':') : NULL;

	return p ? (uint32_t)strtoul(p + 1, NULL, 16) : 0;
}

/* Of requests that were on their way together the clock of the client does not tell which was taken
 * first: the numbers of the processes do, and lines "late" where they were on two nodes. */
static void order_of_arrival(struct run *r)
{
	for (size_t i = 0; i < r->n; i++) {
		struct step *a = &r->v[i];

		for (size_t k = 0; k < r->before.n; k++) {
			_cleanup_strs_ struct strs w = {0};
			int64_t number, ms;

			if (text_split(r->before.v[k], " ", true, 4, &w) == 0 && w.n == 3 &&
			    !strcmp(w.v[1], "late") &&
			    text_to_int(w.v[0], 0, 100000, &number) == 0 &&
			    (size_t)number == a->number && text_to_int(w.v[2], 0, 1000, &ms) == 0)
				a->start += ms;
		}
		for (size_t k = i + 1; k < r->n && r->v[k].start - a->start < 60; k++) {
			struct step *b = &r->v[k];
			int64_t t = a->start;

			if (!recorded_pid(b) || !recorded_pid(a) || b->start >= a->end ||
			    strncmp(a->path, b->path, 22) != 0 || recorded_pid(b) > recorded_pid(a))
				continue;
			a->start = b->start > t ? b->start : t + 1;
			b->start = t;
		}
	}
}

/* What was done to the nodes beside the API. Returns whether it was such a thing. */
static bool node_event(struct sim *sim, const struct strs *w)
{
	const char *what = w->v[1], *node = w->v[2];
	bool on = w->n > 3 && *w->v[3] == '1';
	struct err *e = NULL;
	int rc = 0;
	int64_t n;

	if (!strcmp(what, "cut") || !strcmp(what, "heal"))
		rc = sim_node_link(sim, node, *what == 'h', &e);
	else if (!strcmp(what, "power"))
		rc = sim_node_power(sim, node, on, &e);
	else if (!strcmp(what, "daemon"))
		rc = sim_node_daemon(sim, node, on, &e);
	else if (!strcmp(what, "proxy"))
		rc = sim_node_proxy(sim, node, on, &e);
	else if (!strcmp(what, "blackhole"))
		rc = sim_node_blackhole(sim, node, on, &e);
	else if (!strcmp(what, "freeze") || !strcmp(what, "thaw"))
		rc = sim_node_freeze(sim, node, w->v[3], *what == 'f', &e);
	else if (!strcmp(what, "move"))
		rc = text_to_int(node, 100, 999999999, &n) < 0
			 ? -1
			 : sim_human_migrate(sim, n, w->v[3], &e);
	else if (!strcmp(what, "unlock"))
		rc = text_to_int(node, 100, 999999999, &n) < 0 ? -1
							       : sim_human_lock(sim, n, NULL, &e);
	else
		return false;
	if (rc < 0)
		printf("  (%s %s: %s)\n", what, node, e ? err_msg(e) : "not understood");
	err_free(&e);
	return true;
}

#endif
