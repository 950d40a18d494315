/*
 * conf_replay: one recorded transcript, asked again of the simulated cluster and compared.
 *
 * Nothing is looked up from the recording but what the recorded client knew: numbers of tasks,
 * digests, addresses and secrets that earlier answers gave it are carried over to what the
 * simulation gave.
 */
#ifndef RAMET_CONF_REPLAY_H
#define RAMET_CONF_REPLAY_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "conf_normal.h"
#include "jsn.h"
#include "kv.h"
#include "sim.h"

struct replay_result {
	unsigned total, equal;
	struct strs differences; /* "scenario/number step: what" */
};

/* Replays the transcript file in this version; start = folder with the start states. verbose > 0
 * prints differences, > 1 both texts whole. */
static int replay_file(const char *path, const char *version, const char *start, int verbose,
    struct replay_result *ret);

#define LINE_MAX_BYTES ((size_t)8 << 20)
#define TOKEN "PVEAPIToken=root@pam!test=12345678-1234-1234-1234-1234567890ab"

/* --- a transcript --- */

struct step {
	struct jsn *rec;
	const char *name, *method, *path;
	int64_t start, end; /* ms of the recording */
	int64_t took;	    /* see conf_took.h */
	bool waited;
	size_t number;
	int status;
	bool done, polled;
	bool quiet; /* what stood before: played, not compared */
	bool event; /* no request: something was done to the nodes */
	bool wire;  /* told with its bytes and the head of its answer */
	bool plain; /* sent without TLS where TLS is spoken */
	char *got_head;
	bool matched, over; /* of a watcher, see conf_watch.h */
	unsigned probes;
	int64_t probed;
	int got_status;
	char *got_reason;
	struct jsn *got_body;
	char *got_text;
	struct run *run;
};

struct run {
	struct sim *sim;
	const char *scenario;
	struct step *v;
	size_t n, cap;
	struct smap_pair {
		char *from, *to;
	} * map; /* recorded text -> the simulation's */
	size_t nmap, mapcap;
	struct smap_pair *made; /* what both made up, see conf_stays.h */
	size_t nmade, madecap;
	int64_t offset; /* simulated minus recorded time */
	char *ticket, *csrf;
	char *ticket_user;
	char *csrf_as, *cookie_as; /* what the client sent instead of its own, "none" = nothing */
	char *type;		   /* content type of a body that is told as it was */
	int64_t pad;		   /* its length when it was cut in the record */
	struct sim_http *front, *tls_front;
	char *plain;	    /* what was asked without TLS */
	struct strs before; /* "number method path params" */
	const char *node;
	bool watching, at_end;
	char *as; /* whose token the client has, when it is not the usual one */
};

static void learn(struct run *r, const char *from, const char *to)
{
	if (!from || !to || !strcmp(from, to) || strlen(from) < 8)
		return;
	for (size_t i = 0; i < r->nmap; i++)
		if (!strcmp(r->map[i].from, from)) {
			mem_replace(&r->map[i].to, to);
			return;
		}
	MEM_PUSH_ROOM(r->map, r->nmap, r->mapcap);
	r->map[r->nmap++] = (struct smap_pair){mem_strdup(from), mem_strdup(to)};
}

/* What the recorded answer told its client, beside what the simulation tells. */
static void learn_from(struct run *r, const struct jsn *rec, const struct jsn *got)
{
	static const char *const keys[] = {"digest", "value", "smbios1", "upid"};
	const struct jsn *a = jsn_get(rec, "data"), *b = jsn_get(got, "data");

	if (jsn_text(a) && jsn_text(b) && text_starts(jsn_text(a), "UPID:"))
		learn(r, jsn_text(a), jsn_text(b));
	for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
		const char *x = jsn_get_text(a, keys[i]), *y = jsn_get_text(b, keys[i]);

		learn(r, x, y);
	}
}

/* A client that was given a ticket goes on with it. */
static void take_ticket(struct run *r, const struct step *s)
{
	const struct jsn *rec = jsn_get(jsn_get(jsn_get(s->rec, "response"), "body"), "data"),
			 *got = jsn_get(s->got_body, "data");

	if (strcmp(s->method, "POST") != 0 || !text_ends(s->path, "/access/ticket") ||
	    s->status != 200 || s->got_status != 200)
		return;
	learn(r, jsn_get_text(rec, "ticket"), jsn_get_text(got, "ticket"));
	mem_replace(&r->ticket, jsn_get_text(got, "ticket"));
	mem_replace(&r->csrf, jsn_get_text(got, "CSRFPreventionToken"));
}

static char *translate(const struct run *r, const char *text)
{
	char *cur = mem_strdup(text);

	for (size_t i = r->nmap; i-- > 0;) {
		for (int enc = 0; enc < 2; enc++) {
			_cleanup_str_ char *from =
			    enc ? text_url_encode(r->map[i].from) : mem_strdup(r->map[i].from);
			_cleanup_str_ char *to =
			    enc ? text_url_encode(r->map[i].to) : mem_strdup(r->map[i].to);
			char *hit = strstr(cur, from);

			if (hit) {
				char *next = mem_printf(
				    "%.*s%s%s", (int)(hit - cur), cur, to, hit + strlen(from));

				free(cur);
				cur = next;
				break;
			}
		}
	}
	return cur;
}

static void on_reply(void *arg, const struct sim_reply *r)
{
	struct step *s = arg;

	s->done = true;
	s->got_status = r->status;
	mem_replace(&s->got_reason, r->reason);
	free(s->got_text);
	s->got_text = mem_strndup(r->body, r->len);
	jsn_free(&s->got_body);
	if (r->len && jsn_parse(r->body, r->len, &s->got_body, NULL) < 0)
		s->got_body = NULL;
}

static void wait_for(struct run *r, const struct step *s)
{
	while (!s->done) {
		int64_t t = sim_next_event(r->sim);

		MUST(t >= 0);
		sim_run_until(r->sim, t);
	}
}

static void sent_params(const struct jsn *rec, struct kv *params)
{
	const struct jsn *p = jsn_get(jsn_get(rec, "request"), "params");
	struct jsn_iter it;

	if (jsn_is_object(p))
		JSN_FOREACH (it, p)
			kv_set(params, it.key, jsn_text(it.val) ? jsn_text(it.val) : "");
}

/* What the client sends instead of its own, if anything. */
static const char *instead_of(const char *own, const char *as)
{
	return !as || !strcmp(as, "own") ? own : !strcmp(as, "none") ? NULL : as;
}

static bool ask(
    struct run *r, struct step *s, void (*cb)(void *arg, const struct sim_reply *reply), void *arg)
{
	const struct jsn *q = jsn_get(s->rec, "request");
	const char *auth = jsn_get_text(q, "auth"), *path = s->path;
	_cleanup_kv_ struct kv params = {0}, sent = {0};
	_cleanup_str_ char *real = NULL;
	_cleanup_str_ char *header = NULL;
	struct sim_req req = {.method = s->method, .params = &sent};

	_cleanup_str_ char *format = NULL;

	path = text_after(path, "/api2/");
	if (!path)
		return false;
	format = mem_strndup(path, strcspn(path, "/"));
	path += strlen(format);
	req.format = format;
	sent_params(s->rec, &params);
	KV_FOREACH (i, &params) {
		_cleanup_str_ char *v = translate(r, i->value);

		kv_set(&sent, i->key, v);
	}
	real = translate(r, path);
	req.path = *real ? real : "/";
	if (auth && !strcmp(auth, "token") && r->as) {
		_cleanup_str_ char *tok = translate(r, r->as);

		header = mem_printf("PVEAPIToken=%s", tok);
		req.authorization = header;
	} else if (auth && !strcmp(auth, "token"))
		req.authorization = TOKEN;
	else if (auth && text_starts(auth, "tok:")) {
		_cleanup_str_ char *tok = translate(r, auth + 4);

		header = mem_printf("PVEAPIToken=%s", tok);
		req.authorization = header;
	} else if (auth && !strcmp(auth, "ticket")) {
		req.ticket = instead_of(r->ticket, r->cookie_as);
		req.csrf = instead_of(r->csrf, r->csrf_as);
	}
	req.node = jsn_get_text(s->rec, "node");
	req.took_ms = s->took;
	sim_submit(r->sim, &req, cb, arg);
	return true;
}

#include "conf_wire.h"

/* The request as its client wrote it. */
static void wire_ask(struct run *r, struct step *s)
{
	const struct jsn *q = jsn_get(s->rec, "request"), *h = jsn_get(q, "headers");
	const char *raw = jsn_get_text(jsn_get(q, "params"), "RAW"),
		   *text = raw ? raw : jsn_get_text(q, "body"), *end;
	_cleanup_str_ char *head = NULL;
	struct jsn_iter it;
	struct buf out, body, in;
	struct sim_http **front = s->plain ? &r->tls_front : &r->front;

	if (!*front)
		*front = wire_new(r->sim, s->plain);
	buf_init(&out, 0);
	buf_init(&body, 0);
	buf_init(&in, 0);
	wire_bytes(&body, text ? text : "");
	while ((int64_t)body.len < r->pad)
		buf_addc(&body, body.data[body.len - 1]);
	buf_addf(&out, "%s %s HTTP/1.1\r\nHost: 127.0.0.1:8006\r\n", s->method,
	    s->plain && r->plain ? r->plain : s->path);
	if (raw)
		buf_addf(&out, "Authorization: %s\r\nContent-Type: %s\r\n", TOKEN,
		    r->type ? r->type : "application/json");
	JSN_FOREACH (it, h)
		buf_addf(&out, "%s: %s\r\n", it.key, jsn_text(it.val));
	if (body.len)
		buf_addf(&out, "Content-Length: %zu\r\n", body.len);
	buf_adds(&out, "\r\n");
	buf_add(&out, body.data, body.len);
	wire_talk(*front, &out, &in);
	end = strstr(buf_str(&in), "\r\n\r\n");
	s->done = true;
	if (end) {
		const char *p = buf_str(&in) + strlen("HTTP/1.1 ");

		head = mem_strndup(p + 4, strcspn(p + 4, "\r"));
		s->got_head = mem_strndup(buf_str(&in), (size_t)(end + 4 - buf_str(&in)));
		on_reply(s, &(struct sim_reply){.status = (int)strtol(p, NULL, 10),
				.reason = head,
				.body = end + 4,
				.len = strlen(end + 4)});
	}
	buf_fini(&out);
	buf_fini(&body);
	buf_fini(&in);
}

static bool submit(struct run *r, struct step *s)
{
	s->done = false;
	if (s->wire) {
		wire_ask(r, s);
		return true;
	}
	return ask(r, s, on_reply, s);
}

static struct step *own_call(
    struct run *r, const char *method, const char *path, const char *params)
{
	struct step *s = mem_alloc(sizeof(*s));
	_cleanup_kv_ struct kv p = {0};
	_cleanup_str_ char *copy = mem_strdup(params);
	char *rest = copy, *part;
	struct sim_req req = {.method = method, .path = path, .params = &p, .authorization = TOKEN};

	while (rest && (part = strsep(&rest, "&"))) {
		char *eq = strchr(part, '=');

		if (!eq)
			continue;
		*eq = '\0';
		kv_set(&p, part, eq + 1);
	}
	sim_submit(r->sim, &req, on_reply, s);
	wait_for(r, s);
	return s;
}

static void step_fini(struct step *s)
{
	free(s->got_reason);
	free(s->got_text);
	free(s->got_head);
	jsn_free(&s->got_body);
	jsn_free(&s->rec);
}

#include "conf_before.h"
#include "conf_side.h"
#include "conf_stays.h"
#include "conf_watch.h"

static bool still_running(const struct step *s)
{
	const char *rec = jsn_get_text(jsn_get(rec_body(s), "data"), "status"),
		   *got = jsn_get_text(jsn_get(s->got_body, "data"), "status");

	return (strstr(s->name, "status final") || strstr(s->name, "task status")) &&
	       text_eq(rec, "stopped") && text_eq(got, "running");
}

static void finish(struct run *r, struct step *s, int verbose, struct replay_result *ret)
{
	_cleanup_str_ char *a = NULL;
	_cleanup_str_ char *b = NULL;

	if (s->event)
		return;
	if (s->quiet) {
		wait_for(r, s);
		for (int i = 0; i < 2000 && still_running(s); i++) {
			sim_run_until(r->sim, sim_now(r->sim) + 100);
			if (!submit(r, s))
				break;
			wait_for(r, s);
		}
		learn_from(r, rec_body(s), s->got_body);
		return;
	}
	if (is_watched(s)) {
		while (!s->matched && sim_now(r->sim) < s->start + r->offset + WATCH_WINDOW_MS &&
		       r->at_end)
			run_until(r, sim_now(r->sim) + 2 * WATCH_OFTEN_MS);
		ret->total++;
		ret->equal += s->matched;
		s->over = true;
		if (s->matched)
			return;
		strs_add_take(&ret->differences,
		    mem_printf("%s/%zu %s", jsn_get_text(s->rec, "scenario"), s->number, s->name));
		a = rec_side(s);
		b = side(s->got_status, s->got_reason, s->got_text ? s->got_text : "");
		if (verbose)
			show(s, a, b, verbose);
		return;
	}
	/* Of a poll only the last one was kept: ask until the task is over, as its client did. */
	wait_for(r, s);
	for (int i = 0; i < 2000 && still_running(s); i++) {
		sim_run_until(r->sim, sim_now(r->sim) + 100);
		if (!submit(r, s))
			break;
		wait_for(r, s);
	}
	learn_from(r, rec_body(s), s->got_body);
	take_ticket(r, s);
	a = rec_side(s);
	b = got_side(s);
	ret->total++;
	if (!strcmp(a, b) && made_up_stays(r, s)) {
		ret->equal++;
		return;
	}
	strs_add_take(&ret->differences,
	    mem_printf("%s/%zu %s", jsn_get_text(s->rec, "scenario"), s->number, s->name));
	if (verbose)
		show(s, a, b, verbose);
}

/* --- running one --- */

#include "conf_load.h"
#include "conf_took.h"

static bool probes_left(const struct run *r)
{
	for (size_t i = 0; i < r->n; i++)
		if (r->v[i].probes)
			return true;
	return false;
}

/* Guests that the recorder dropped go before the first of the requests that came together. */
static bool due_drop(struct run *r, size_t line, const struct step *s)
{
	char *end;
	size_t number = strtoul(r->before.v[line], &end, 10);

	if (!text_starts(end, " drop ") || s->number <= number || s->number > number + 12)
		return false;
	for (size_t i = 0; i < r->n && &r->v[i] < s; i++)
		if (r->v[i].number >= number)
			return false;
	return true;
}

static void play(struct run *r, int verbose, struct replay_result *ret)
{
	struct step **order = mem_calloc(r->n + 1, sizeof(struct step *));
	size_t closed = 0;

	for (size_t i = 0; i < r->n; i++)
		order[i] = &r->v[i];
	qsort(order, r->n, sizeof(*order), by_end);
	r->watching = anyone_watches(r);
	r->offset = sim_now(r->sim) - (r->n ? r->v[0].start : 0);
	for (size_t i = 0; i < r->n; i++) {
		struct step *s = &r->v[i];
		_cleanup_str_ char *tag = mem_printf("%zu ", s->number);

		/* What its client had read before it asked must have been read. */
		for (; closed < r->n && order[closed]->end <= s->start + 6; closed++) {
			if (order[closed] >= s)
				break;
			if (is_watched(order[closed]))
				continue;
			finish(r, order[closed], verbose, ret);
		}
		if (s->event)
			run_until(r, s->start + r->offset);
		wait_before(r, s, tag);
		for (size_t k = 0; k < r->before.n; k++)
			if (text_starts(r->before.v[k], tag) || due_drop(r, k, s))
				unrecorded(r, r->before.v[k]);
		if (sim_now(r->sim) > s->start + r->offset)
			r->offset = sim_now(r->sim) - s->start;
		run_until(r, s->start + r->offset);
		if (s->event || is_watched(s)) {
			s->done = true;
			continue;
		}
		if (!submit(r, s)) { /* not a call that the engine can be asked */
			s->done = true;
			s->got_status = 0;
		}
	}
	for (; closed < r->n; closed++)
		if (!is_watched(order[closed]))
			finish(r, order[closed], verbose, ret);
	r->at_end = true;
	for (size_t i = 0; i < r->n; i++)
		if (is_watched(&r->v[i]))
			finish(r, &r->v[i], verbose, ret);
	while (r->watching && sim_next_event(r->sim) >= 0 && probes_left(r))
		sim_run_until(r->sim, sim_next_event(r->sim));
	free(order);
}

static int replay_file(const char *path, const char *version, const char *start, int verbose,
    struct replay_result *ret)
{
	struct run r = {0};
	const char *name = strrchr(path, '/') + 1;
	const char *first = strstr(path, "/01-views");
	int rc;

	if (first) { /* it begins where the making of its guests ended */
		_cleanup_str_ char *made =
		    mem_printf("%.*s/00-fixtures.jsonl", (int)(first - path), path);

		if (load_steps(&r, made, true) < 0)
			return -1;
	}
	rc = load_steps(&r, path, false);

	if (rc == 0)
		rc = load_start(
		    &r, start, name, version, strstr(path, "transcripts-cluster") != NULL);
	if (rc == 0) {
		if (strstr(path, "transcripts-cluster"))
			order_of_arrival(&r);
		else
			learn_took(&r);
		qsort(r.v, r.n, sizeof(*r.v), by_start);
		if (r.ticket_user)
			login(&r, r.ticket_user);
		play(&r, verbose, ret);
	}
	for (size_t i = 0; i < r.n; i++)
		step_fini(&r.v[i]);
	for (size_t i = 0; i < r.nmap; i++) {
		free(r.map[i].from);
		free(r.map[i].to);
	}
	free(r.map);
	for (size_t i = 0; i < r.nmade; i++) {
		free(r.made[i].from);
		free(r.made[i].to);
	}
	free(r.made);
	free(r.v);
	free(r.ticket);
	free(r.csrf);
	free(r.ticket_user);
	free(r.csrf_as);
	free(r.cookie_as);
	free(r.type);
	free(r.as);
	wire_free(&r.front);
	wire_free(&r.tls_front);
	free(r.plain);
	strs_fini(&r.before);
	sim_free(&r.sim);
	return rc;
}

#endif
