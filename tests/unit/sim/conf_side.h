/* conf_side: the two sides of a comparison as texts. Included by conf_replay.h. */
#ifndef RAMET_CONF_SIDE_H
#define RAMET_CONF_SIDE_H

static char *side(int status, const char *reason, const char *body)
{
	_cleanup_str_ char *r = text_normal(reason ? reason : "");

	return mem_printf("%d %s\n%s", status, r, body);
}

static const struct jsn *rec_body(const struct step *s)
{
	return jsn_get(jsn_get(s->rec, "response"), "body");
}

/* A body as text: JSON in one order, anything else as it is. */
static char *body_side(const struct jsn *parsed, const char *text)
{
	_cleanup_jsn_ struct jsn *j = NULL;

	if (jsn_is_object(parsed))
		return replay_normal(parsed);
	if (text && *text == '{' && jsn_parse(text, strlen(text), &j, NULL) == 0)
		return replay_normal(j);
	return text_normal(text ? text : "");
}

/* What counts of the head, as far as the record tells it. */
static char *head_side(const struct step *s, bool got)
{
	static const char *const names[] = {"Cache-Control", "Connection", "Pragma", "Location",
	    "Server", "Content-Encoding", "Content-Type"};
	const struct jsn *h = jsn_get(jsn_get(s->rec, "response"), "headers");
	struct jsn_iter it;
	struct buf b;

	buf_init(&b, 0);
	for (size_t i = 0; s->wire && i < ARRAY_LEN(names); i++) {
		_cleanup_str_ char *mine = s->got_head ? wire_header(s->got_head, names[i]) : NULL;
		const char *theirs = NULL;
		bool told = jsn_has(h, "Date"); /* then all of it is there */

		JSN_FOREACH (it, h)
			if (text_eq_nocase(it.key, names[i]))
				theirs = jsn_text(it.val), told = true;
		if (told)
			buf_addf(&b, "%s: %s\n", names[i],
			    got ? (mine ? mine : "-") : (theirs ? theirs : "-"));
	}
	buf_adds(&b, "");
	return b.data ? buf_take(&b) : mem_strdup("");
}

static char *rec_side(const struct step *s)
{
	const struct jsn *resp = jsn_get(s->rec, "response"), *b = rec_body(s);
	_cleanup_str_ char *body = body_side(b, jsn_text(b));
	_cleanup_str_ char *head = head_side(s, false);
	_cleanup_str_ char *both = mem_printf("%s%s", head, body);

	return side(s->status, jsn_get_text(resp, "reason"), both);
}

static char *got_side(const struct step *s)
{
	bool told = jsn_has(jsn_get(s->rec, "response"), "body");
	_cleanup_str_ char *body = told ? body_side(s->got_body, s->got_text) : mem_strdup("");
	_cleanup_str_ char *head = head_side(s, true);
	_cleanup_str_ char *both = mem_printf("%s%s", head, body);

	return side(s->got_status, s->got_reason, both);
}

static void show(const struct step *s, const char *a, const char *b, int verbose)
{
	_cleanup_strs_ struct strs x = {0}, y = {0};
	unsigned shown = 0;

	printf("%s/%zu %s\n   %s %s %s\n", jsn_get_text(s->rec, "scenario"), s->number, s->name,
	    s->method, s->path, "");
	if (verbose > 1) {
		printf("<<<\n%s\n>>>\n%s\n", a, b);
		return;
	}
	if (text_split(a, "\n", true, 100000, &x) < 0 || text_split(b, "\n", true, 100000, &y) < 0)
		return;
	for (size_t i = 0; i < x.n && shown < 12; i++)
		if (!strs_has(&y, x.v[i]))
			printf("   - %.300s\n", x.v[i]), shown++;
	for (size_t i = 0; i < y.n && shown < 24; i++)
		if (!strs_has(&x, y.v[i]))
			printf("   + %.300s\n", y.v[i]), shown++;
}

#endif
