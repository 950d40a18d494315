/*
 * conf_took: how long the recorder's host needed for a request, beside what the request waits for.
 *
 * A host that was slow for a moment is chance, and so is which worker took up a connection. Both
 * are told to the simulation: the time from asking to the answer where it is short, and where it
 * is long the moment a task was forked, which stands in the task's number in ticks of 10 ms since
 * the host came up. What was answered is not looked at.
 *
 * Included by conf_replay.h.
 */
#ifndef RAMET_CONF_TOOK_H
#define RAMET_CONF_TOOK_H

#define TOOK_SHORT_MS 500 /* beyond that something was waited for */
#define TOGETHER_MS 30
#define UNSEEN_PAUSE_MS 2000 /* a shorter pause is not looked at */

/* When the task that the answer names was forked, in ticks, or 0. */
static int64_t fork_tick(const struct step *s)
{
	const char *p = jsn_text(jsn_get(jsn_get(jsn_get(s->rec, "response"), "body"), "data"));

	if (!p || !text_starts(p, "UPID:") || !(p = strchr(p + 5, ':')) ||
	    !(p = strchr(p + 1, ':')))
		return 0;
	return strtoll(p + 1, NULL, 16);
}

/* The host came up then, as closely as the answers tell. */
static int64_t host_start(const struct run *r)
{
	int64_t at = INT64_MAX;

	for (size_t i = 0; i < r->n; i++) {
		int64_t tick = fork_tick(&r->v[i]);

		if (tick && r->v[i].end - tick * 10 < at)
			at = r->v[i].end - tick * 10;
	}
	return at;
}

/* What had to wait was taken up after what came with it and had not to. */
static int64_t after_others(const struct run *r, const struct step *s)
{
	int64_t last = s->start;

	for (size_t i = 0; i < r->n; i++) {
		const struct step *q = &r->v[i];
		int64_t until = q->start + q->took;

		if (q->took && !q->waited && q->start <= s->start + TOGETHER_MS && until > last &&
		    until - s->start < TOOK_SHORT_MS)
			last = until;
	}
	return last > s->start ? last - s->start + 1 : 0;
}

static void learn_took(struct run *r)
{
	int64_t up = host_start(r);

	for (size_t i = 0; i < r->n; i++) {
		struct step *s = &r->v[i];

		if (s->end - s->start < TOOK_SHORT_MS)
			s->took = s->end - s->start;
		else if (fork_tick(s) && fork_tick(s) * 10 + up > s->start)
			s->took = fork_tick(s) * 10 + up - s->start;
		else
			s->waited = s->method && strcmp(s->method, "GET") != 0;
	}
	for (size_t i = 0; i < r->n; i++)
		if (r->v[i].waited)
			r->v[i].took = after_others(r, &r->v[i]);
}

/* What the recorder did unseen it did after what it had waited for, not at once. */
static void wait_before(struct run *r, const struct step *s, const char *tag)
{
	int64_t at = s->start + r->offset - UNSEEN_PAUSE_MS / 2;

	for (size_t k = 0; k < r->before.n; k++)
		if (text_starts(r->before.v[k], tag) && at - sim_now(r->sim) > UNSEEN_PAUSE_MS / 2)
			run_until(r, at);
}

#endif
