#include "progress.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "log.h"
#include "term.h"
#include "text.h"

#define HIDE_CURSOR "\x1b[?25l"
#define SHOW_CURSOR "\x1b[?25h"
#define TO_END "\x1b[J"
#define SUMMARY_MS 500

/* One VM under work. */
struct task {
	char *vm;
	char *text;
	int percent;   /* -1 = unknown */
	int64_t since; /* monotonic */
};

struct progress {
	struct progress_opts o;
	struct task *v; /* in order of their beginning */
	size_t n, cap;
	size_t drawn; /* lines of the display that stand on the terminal */
	unsigned frame;
	timer_id timer;
	char *summary;
	int64_t summary_at; /* when it is to be asked for again */
	bool hidden;	    /* the cursor */
};

/* ---- drawing ---- */

static void put_erase(struct progress *p, struct buf *out)
{
	if (p->drawn > 0)
		buf_addf(out, "\x1b[%zuA\r" TO_END, p->drawn);
	p->drawn = 0;
}

static const char *spinner(const struct progress *p)
{
	static const char *const round[] = {"⠋", "⠙", "⠹", "⠸", "⠼", "⠴", "⠦", "⠧", "⠇", "⠏"};
	static const char *const plain[] = {"|", "/", "-", "\\"};
	return p->o.unicode ? round[p->frame % ARRAY_LEN(round)]
			    : plain[p->frame % ARRAY_LEN(plain)];
}

static void put_line(struct progress *p, struct buf *out, enum term_color color, const char *text)
{
	_cleanup_str_ char *fit = term_fit(text, p->o.columns > 1 ? p->o.columns - 1 : 1);
	term_put(out, color, p->o.colors, fit);
	buf_addc(out, '\n');
	p->drawn++;
}

static void put_task(struct progress *p, struct buf *out, const struct task *t, size_t width)
{
	int64_t ms = clock_now(p->o.clock) - t->since;
	_cleanup_str_ char *took = text_duration(ms - ms % 1000);
	_cleanup_str_ char *percent = t->percent >= 0 ? mem_printf(" %3d %%", t->percent) : NULL;
	_cleanup_str_ char *line = mem_printf("%s %-*s  %s%s  %s", spinner(p), (int)width, t->vm,
	    t->text, percent ? percent : "", took);
	put_line(p, out, TERM_CYAN, line);
}

/* It takes a look at every VM, so not for each frame. */
static const char *summary(struct progress *p)
{
	int64_t now = clock_now(p->o.clock);
	if (p->o.summary && (!p->summary || now >= p->summary_at)) {
		free(p->summary);
		p->summary = p->o.summary(p->o.summary_arg);
		p->summary_at = now + SUMMARY_MS;
	}
	return p->summary;
}

static void put_display(struct progress *p, struct buf *out)
{
	size_t room = p->o.rows > 4 ? p->o.rows - 3 : 1, width = 0;
	for (size_t i = 0; i < p->n; i++)
		if (strlen(p->v[i].vm) > width)
			width = strlen(p->v[i].vm);
	for (size_t i = 0; i < p->n && i < room; i++)
		put_task(p, out, &p->v[i], width);
	if (p->n > room) {
		_cleanup_str_ char *more = mem_printf("  and %zu more", p->n - room);
		put_line(p, out, TERM_DIM, more);
	}
	const char *line = summary(p);
	if (line)
		put_line(p, out, TERM_DIM, line);
}

static void redraw(struct progress *p)
{
	_cleanup_buf_ struct buf out = {0};
	put_erase(p, &out);
	if (!p->hidden)
		buf_adds(&out, HIDE_CURSOR);
	p->hidden = true;
	put_display(p, &out);
	p->o.write(p->o.arg, buf_str(&out));
}

static void on_frame(void *arg)
{
	struct progress *p = arg;
	p->timer = clock_timer(p->o.clock, PROGRESS_FRAME_MS, on_frame, p);
	p->frame++;
	if (p->o.fd > 0) {
		p->o.columns = term_columns(p->o.fd);
		p->o.rows = term_rows(p->o.fd);
	}
	redraw(p);
}

/* A line that stays, above the display. */
static void put_above(struct progress *p, enum term_color color, const char *line)
{
	_cleanup_buf_ struct buf out = {0};
	put_erase(p, &out);
	term_put(&out, color, p->o.colors, line);
	buf_addc(&out, '\n');
	if (p->o.live)
		put_display(p, &out);
	p->o.write(p->o.arg, buf_str(&out));
}

void progress_line(struct progress *p, const char *line)
{
	_cleanup_str_ char *text = text_oneline(line, 2000);
	put_above(p, TERM_PLAIN, text);
}

static void on_log(const char *line, void *arg)
{
	put_above(arg, TERM_PLAIN, line);
}

/* ---- events ---- */

static struct task *find(struct progress *p, const char *vm)
{
	for (size_t i = 0; i < p->n; i++)
		if (strcmp(p->v[i].vm, vm) == 0)
			return &p->v[i];
	return NULL;
}

static void begin(struct progress *p, const struct note *n)
{
	struct task *t = find(p, n->vm);
	if (!t) {
		MEM_PUSH_ROOM(p->v, p->n, p->cap);
		t = &p->v[p->n++];
		*t = (struct task){.vm = mem_strdup(n->vm)};
	}
	mem_replace(&t->text, n->text ? n->text : "");
	t->percent = -1;
	t->since = clock_now(p->o.clock);
}

static void advance(struct progress *p, const struct note *n)
{
	struct task *t = find(p, n->vm);
	if (t)
		t->percent = n->percent > 100 ? 100 : n->percent;
}

static void end(struct progress *p, const char *vm)
{
	struct task *t = find(p, vm);
	if (!t)
		return;
	free(t->vm);
	free(t->text);
	size_t after = (size_t)(p->v + p->n - (t + 1));
	memmove(t, t + 1, after * sizeof(*t));
	p->n--;
}

static enum term_color note_color(enum note_kind kind)
{
	switch (kind) {
	case NOTE_FINDING:
	case NOTE_DRIFT:
	case NOTE_TROUBLE:
		return TERM_YELLOW;
	case NOTE_DONE:
		return TERM_GREEN;
	case NOTE_REPORT:
	case NOTE_REVISION:
		return TERM_DIM;
	case NOTE_STATE:
	case NOTE_STEP:
	case NOTE_PROGRESS:
	case NOTE__MAX:
		break;
	}
	return TERM_PLAIN;
}

/* What stays on the screen, or the plain line. */
static void tell(struct progress *p, const struct note *n)
{
	_cleanup_str_ char *text = text_oneline(n->text ? n->text : "", 1000);
	_cleanup_str_ char *when = p->o.live ? NULL : text_time(clock_wall(p->o.clock));
	_cleanup_str_ char *line = mem_printf("%s%s%s%s%s", when ? when : "", when ? " " : "",
	    n->vm ? n->vm : "", n->vm ? ": " : "", text);
	put_above(p, note_color(n->kind), line);
}

/* What was done, how long it took, and how it ended unless well. */
static void tell_done(struct progress *p, const struct note *n)
{
	const struct task *t = n->vm ? find(p, n->vm) : NULL;
	bool well = text_eq(n->text, "OK");
	if (!t) {
		tell(p, n);
		return;
	}
	_cleanup_str_ char *took = text_duration(clock_now(p->o.clock) - t->since);
	_cleanup_str_ char *line = mem_printf("%s: %s%s (%s)", t->text, well ? "done" : "",
	    well      ? ""
	    : n->text ? n->text
		      : "",
	    took);
	struct note done = {.kind = well ? NOTE_DONE : NOTE_TROUBLE, .vm = n->vm, .text = line};
	end(p, n->vm);
	tell(p, &done);
}

void progress_note(void *progress, const struct note *n)
{
	struct progress *p = progress;
	switch (n->kind) {
	case NOTE_STEP:
		if (n->vm)
			begin(p, n);
		if (!p->o.live)
			tell(p, n);
		return;
	case NOTE_PROGRESS:
		if (n->vm)
			advance(p, n);
		return;
	case NOTE_DONE:
		tell_done(p, n);
		return;
	case NOTE_REVISION:
	case NOTE_FINDING:
	case NOTE_STATE:
	case NOTE_DRIFT:
	case NOTE_REPORT:
	case NOTE_TROUBLE:
		tell(p, n);
		return;
	case NOTE__MAX:
		return;
	}
}

/* ---- life ---- */

struct progress *progress_new(const struct progress_opts *o)
{
	struct progress *p = mem_alloc(sizeof(*p));
	p->o = *o;
	if (o->live) {
		log_set_sink(on_log, p);
		p->timer = clock_timer(o->clock, 0, on_frame, p);
	}
	return p;
}

void progress_free(struct progress **pp)
{
	struct progress *p = *pp;
	if (!p)
		return;
	clock_cancel(p->o.clock, &p->timer);
	if (p->o.live) {
		_cleanup_buf_ struct buf out = {0};
		log_set_sink(NULL, NULL);
		put_erase(p, &out);
		if (p->hidden)
			buf_adds(&out, SHOW_CURSOR);
		p->o.write(p->o.arg, buf_str(&out));
	}
	while (p->n > 0)
		end(p, p->v[0].vm);
	free(p->v);
	free(p->summary);
	free(p);
	*pp = NULL;
}

static void write_file(void *arg, const char *text)
{
	fputs(text, arg);
	fflush(arg);
}

static struct progress_opts options(const struct cli *c, struct clock *clock, FILE *f, bool colors)
{
	const char *term = cli_env(c->env, "TERM"), *locale = cli_env(c->env, "LC_ALL");
	if (!locale || !*locale)
		locale = cli_env(c->env, "LC_CTYPE");
	if (!locale || !*locale)
		locale = cli_env(c->env, "LANG");
	int fd = fileno(f);
	return (struct progress_opts){.clock = clock,
	    .live = isatty(fd) == 1 && term && strcmp(term, "dumb") != 0,
	    .colors = colors,
	    .unicode = locale && (strstr(locale, "UTF-8") || strstr(locale, "utf8")),
	    .columns = term_columns(fd),
	    .rows = term_rows(fd),
	    .fd = fd,
	    .write = write_file,
	    .arg = f};
}

struct progress_opts progress_stdout(const struct cli *c, struct clock *clock)
{
	return options(c, clock, stdout, c->color);
}

struct progress_opts progress_stderr(const struct cli *c, struct clock *clock)
{
	return options(c, clock, stderr, c->err_color);
}
