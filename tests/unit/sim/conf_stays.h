/*
 * conf_stays: what the server made up is another in each run, but it is the same as long as it was
 * the same when recorded, and a new one when that was new: addresses of NICs, uuids, generations.
 * Included by conf_replay.h.
 */
#ifndef RAMET_CONF_STAYS_H
#define RAMET_CONF_STAYS_H

/* The part of a text that normal_texts replaces by `as`; NULL if there is none. Owned. */
static char *made_up(const char *text, const char *as)
{
	char *found = NULL;

	for (size_t i = 0; text && !found && i < ARRAY_LEN(normal_texts); i++) {
		regex_t re;
		regmatch_t m;

		if (strcmp(normal_texts[i].as, as) != 0)
			continue;
		MUST(!regcomp(&re, normal_texts[i].re, REG_EXTENDED));
		if (!regexec(&re, text, 1, &m, 0))
			found = mem_strndup(text + m.rm_so, (size_t)(m.rm_eo - m.rm_so));
		regfree(&re);
	}
	return found;
}

static bool stays(struct run *r, const char *rec, const char *got)
{
	bool known = false;

	for (size_t i = 0; i < r->nmade; i++) {
		if (!strcmp(r->made[i].from, rec))
			return !strcmp(r->made[i].to, got);
		known = known || !strcmp(r->made[i].to, got);
	}
	learn(r, rec, got); /* its client may send it back */
	MEM_PUSH_ROOM(r->made, r->nmade, r->madecap);
	r->made[r->nmade++] = (struct smap_pair){mem_strdup(rec), mem_strdup(got)};
	return !known;
}

/* An answer that is equal otherwise. */
static bool made_up_stays(struct run *r, const struct step *s)
{
	const struct jsn *rec = jsn_get(rec_body(s), "data"), *got = jsn_get(s->got_body, "data");
	struct jsn_iter it;
	bool same = true;

	if (!jsn_is_object(rec) || !text_ends(s->path, "/config"))
		return true;
	JSN_FOREACH (it, rec) {
		bool net = text_starts(it.key, "net");
		_cleanup_str_ char *a = NULL;
		_cleanup_str_ char *b = NULL;

		if (!net && strcmp(it.key, "smbios1") != 0 && strcmp(it.key, "vmgenid") != 0)
			continue;
		a = made_up(jsn_text(it.val), net ? "MAC" : "UUID");
		b = made_up(jsn_get_text(got, it.key), net ? "MAC" : "UUID");
		if (a && b)
			same = stays(r, a, b) && same;
	}
	return same;
}

#endif
