/* conf_load: the transcript and its start state, read. Included by conf_replay.h. */
#ifndef RAMET_CONF_LOAD_H
#define RAMET_CONF_LOAD_H

static int by_start(const void *a, const void *b)
{
	const struct step *x = a, *y = b;

	if (x->start != y->start)
		return x->start < y->start ? -1 : 1;
	return x->number < y->number ? -1 : 1;
}

static int by_end(const void *a, const void *b)
{
	const struct step *x = *(struct step *const *)a, *y = *(struct step *const *)b;

	return x->end != y->end ? (x->end < y->end ? -1 : 1) : 0;
}

/* Compressed bodies were recorded as texts, damaged: no text holds a NUL. */
static void without_nul(char *line)
{
	for (char *p = line; (p = strstr(p, "\\u0000")); p += 6)
		memcpy(p, "\\ufffd", 6);
}

static int load_steps(struct run *r, const char *path, bool quiet)
{
	FILE *f = fopen(path, "re");
	char *line = mem_alloc(LINE_MAX_BYTES);
	size_t number = 0;

	if (!f) {
		free(line);
		return -1;
	}
	for (; fgets(line, (int)LINE_MAX_BYTES, f); number++) {
		struct step s = {.number = quiet ? number + 100000 : number, .quiet = quiet};
		const struct jsn *q;
		bool timed;

		without_nul(line);
		if (jsn_parse(line, strlen(line), &s.rec, NULL) < 0)
			continue;
		q = jsn_get(s.rec, "request");
		s.status = (int)jsn_get_int(jsn_get(s.rec, "response"), "status", 0);
		s.method = jsn_get_text(q, "method");
		s.path = jsn_get_text(q, "path");
		s.name = jsn_get_text(s.rec, "step");
		timed = !jsn_is_null(jsn_get(s.rec, "t"));
		s.wire = jsn_has(jsn_get(jsn_get(s.rec, "response"), "headers"), "Date") ||
			 jsn_get_text(jsn_get(q, "params"), "RAW");
		if (!q && s.wire) { /* without TLS: a line "plain PATH" says what for */
			s.plain = true;
			s.method = "GET";
			s.path = "/";
		}
		if (!q && s.name && timed)
			s.event = true;
		else if (!s.method || !s.path || !s.status || !(timed || s.wire)) {
			jsn_free(&s.rec);
			continue;
		}
		s.end = (int64_t)(jsn_get_num(s.rec, "t", 0) * 1000);
		s.start = s.end - (int64_t)(jsn_get_num(s.rec, "elapsed_s", 0) * 1000);
		if (strstr(path, "transcripts-cluster")) { /* here t is when it was asked */
			s.end += s.end - s.start;
			s.start = (int64_t)(jsn_get_num(s.rec, "t", 0) * 1000);
		}
		if (!timed) /* after what stands before it */
			s.start = s.end = r->n ? r->v[r->n - 1].end + 1 : 0;
		MEM_PUSH_ROOM(r->v, r->n, r->cap);
		r->v[r->n++] = s;
	}
	fclose(f);
	free(line);
	qsort(r->v, r->n, sizeof(*r->v), by_start);
	return 0;
}

static char *slurp(const char *path)
{
	FILE *f = fopen(path, "re");
	char *text = mem_alloc(1 << 20);
	size_t n = f ? fread(text, 1, (1 << 20) - 1, f) : 0;

	text[n] = '\0';
	if (f)
		fclose(f);
	return text;
}

static char *replaced(const char *text, const char *from, const char *to)
{
	struct buf b;
	const char *hit;

	buf_init(&b, 0);
	while ((hit = strstr(text, from))) {
		buf_add(&b, text, (size_t)(hit - text));
		buf_adds(&b, to);
		text = hit + strlen(from);
	}
	buf_adds(&b, text);
	return buf_take(&b);
}

/* The seed is the common part and that of the scenario; its comments beginning with "#!" say what
 * the recorder did without keeping it. */
/* The recorded node is the first that a path names. */
static char *first_node(const struct run *r)
{
	for (size_t i = 0; i < r->n; i++) {
		const char *p = text_after(r->v[i].path, "/api2/json/nodes/");

		if (p && text_starts(p, "pve"))
			return mem_strndup(p, strcspn(p, "/"));
	}
	return mem_strdup("pve1");
}

/* Lines of the start state that begin with "@8 " or "@9 " are for one version only. */
static char *of_version(const char *text, char version)
{
	struct buf b;

	buf_init(&b, 0);
	while (*text) {
		size_t len = strcspn(text, "\n");
		bool marked =
		    text[0] == '@' && (text[1] == '8' || text[1] == '9') && text[2] == ' ';

		if (!marked || text[1] == version)
			buf_add(&b, text + 3 * marked, len - 3 * marked);
		buf_addc(&b, '\n');
		text += len + (text[len] != '\0');
	}
	return buf_take(&b);
}

/* When pvestatd of the recorded node broadcast first: a line "#! statd-at 2s". */
static char *statd_at(const char *text)
{
	static const char key[] = "\n#! statd-at ";
	const char *p = strstr(text, key);

	p = p ? p + strlen(key) : "0ms";
	return mem_strndup(p, strcspn(p, "\n"));
}

/* A start state that begins with "#< NAME" goes on from another file in the folder. */
static char *with_earlier(const char *folder, const char *own)
{
	const char *name = text_after(own, "#< ");
	_cleanup_str_ char *path = NULL;
	_cleanup_str_ char *earlier = NULL;

	if (!name)
		return mem_strdup(own);
	path = mem_printf("%s/%.*s", folder, (int)strcspn(name, "\n"), name);
	earlier = slurp(path);
	return mem_printf("%s\n%s", earlier, own);
}

/* Of the tasks that are known, those that had begun before. */
static char *earlier_tasks(const char *folder, int64_t before_ms)
{
	_cleanup_str_ char *path = mem_printf("%s/c-past.yaml", folder);
	_cleanup_str_ char *all = slurp(path);
	_cleanup_strs_ struct strs lines = {0};
	struct buf b;

	buf_init(&b, 0);
	if (text_split(all, "\n", true, 100000, &lines) < 0)
		return mem_strdup("");
	for (size_t i = 0; i < lines.n; i++) {
		const char *start = text_after(lines.v[i], "  - {at: ");

		if (!start || strtoll(start, NULL, 10) * 1000 + 999 < before_ms)
			buf_addf(&b, "%s\n", lines.v[i]);
	}
	return buf_take(&b);
}

/* pvestatd waits for a second of the clock: "second NODE MS" says which of each ten. */
static void round_second(struct run *r, const char *line)
{
	_cleanup_strs_ struct strs w = {0};
	int64_t ms, from;

	MUST(text_split(line, " ", true, 4, &w) == 0 && w.n == 3);
	MUST(!text_to_int(w.v[2], 0, 9999, &ms));
	from = r->n ? r->v[0].start % 10000 : 0;
	MUST(!sim_node_round(r->sim, w.v[1], (ms + 10000 - from) % 10000, NULL));
}

static int load_start(
    struct run *r, const char *folder, const char *scenario, const char *version, bool cluster)
{
	_cleanup_str_ char *base_path =
	    mem_printf("%s/%s.yaml", folder, cluster ? "base-cluster" : "base");
	_cleanup_str_ char *own_path =
	    mem_printf("%s/%s%.2s.yaml", folder, cluster ? "c" : "", scenario);
	_cleanup_str_ char *base = slurp(base_path);
	_cleanup_str_ char *own = slurp(own_path);
	_cleanup_str_ char *node = first_node(r);
	_cleanup_str_ char *more = with_earlier(folder, own);
	const char *later = strstr(own, "#! tasks-before ");
	_cleanup_str_ char *tasks =
	    earlier_tasks(folder, later		    ? strtoll(later + 16, NULL, 10) * 1000
				  : cluster && r->n ? r->v[0].start
						    : INT64_MIN);
	_cleanup_str_ char *both =
	    mem_printf("%s\n%s\n%s", base, more, strchr(tasks, '{') ? tasks : "");
	_cleanup_str_ char *its = of_version(both, *version);
	_cleanup_str_ char *named = replaced(its, "@NODE@", node);
	_cleanup_str_ char *statd = statd_at(named);
	_cleanup_str_ char *yaml = replaced(named, "@STATD@", statd);
	struct err *e = NULL;
	struct sim_opts o = {.seed_yaml = yaml,
	    .seed_name = scenario,
	    .version = version,
	    .random = 7,
	    .wall_ms = r->n ? r->v[0].start : 0};

	if (sim_new(&o, &r->sim, &e) < 0) {
		printf("%s: %s\n", scenario, err_msg(e));
		err_free(&e);
		return -1;
	}
	for (const char *p = yaml; (p = strstr(p, "#! ")); p++) {
		_cleanup_str_ char *line = mem_strndup(p + 3, strcspn(p + 3, "\n"));

		if (text_starts(line, "v") && line[1] != *version)
			continue; /* for the other version */
		if (text_starts(line, "v"))
			memmove(line, line + 3, strlen(line + 3) + 1);
		if (text_starts(line, "statd-at ") || text_starts(line, "tasks-before "))
			continue;
		if (text_starts(line, "second ")) {
			round_second(r, line);
			continue;
		}
		if (text_starts(line, "round ")) { /* node, ms */
			_cleanup_str_ char *name = mem_strndup(line + 6, strcspn(line + 6, " "));

			MUST(!sim_node_round(
			    r->sim, name, strtoll(strrchr(line, ' '), NULL, 10), NULL));
			continue;
		}
		if (text_starts(line, "ticket "))
			mem_replace(&r->ticket_user, line + 7);
		else
			strs_add(&r->before, line);
	}
	return 0;
}

#endif
