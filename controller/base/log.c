#include "log.h"

#include "buf.h"
#include "jsn.h"
#include "text.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MASKS_MAX 32
#define MASK_MIN_LEN 4
#define MASK_TEXT "***"
#define CUT_MARK "…"
/* What a JSON line needs besides its message: time, level, quotes, names, and the object. */
#define OBJECT_MAX 512
#define JSON_FRAME 256

static const struct {
	const char *word;
	const char *color;
	int priority; /* of syslog */
} levels[LOG__MAX] = {
    [LOG_ERROR] = {"error", "\033[31m", 3},
    [LOG_WARN] = {"warn", "\033[33m", 4},
    [LOG_INFO] = {"info", "", 6},
    [LOG_DEBUG] = {"debug", "\033[2m", 7},
};

static struct {
	enum log_level level;
	bool json, color, journal;
	struct {
		char *text;
		uint64_t born;
	} masks[MASKS_MAX]; /* longest first, so that a part never spoils the whole */
	size_t n_masks;
	uint64_t masks_ever;
	int64_t (*wall_ms)(void);
	void (*sink)(const char *line, void *arg);
	void *sink_arg;
} state = {.level = LOG_INFO};

void log_setup(enum log_level level, bool json)
{
	MUST((unsigned)level < LOG__MAX);
	state.level = level;
	state.json = json;
	state.color = isatty(STDERR_FILENO);
}

int log_level_parse(const char *s, enum log_level *ret)
{
	for (enum log_level l = LOG_ERROR; l < LOG__MAX; l++)
		if (text_eq(s, levels[l].word)) {
			*ret = l;
			return 0;
		}
	return -1;
}

bool log_enabled(enum log_level level)
{
	return level <= state.level;
}

void log_set_color(bool on)
{
	state.color = on;
}

void log_set_journal(bool on)
{
	state.journal = on;
}

/* Secrets are exchanged now and then; the one that was registered first is the least missed. */
static void forget_oldest(void)
{
	size_t oldest = 0;
	for (size_t i = 1; i < state.n_masks; i++) {
		if (state.masks[i].born < state.masks[oldest].born)
			oldest = i;
	}
	mem_free_secret(&state.masks[oldest].text);
	state.n_masks--;
	memmove(state.masks + oldest, state.masks + oldest + 1,
	    (state.n_masks - oldest) * sizeof(state.masks[0]));
}

void log_mask(const char *secret)
{
	if (!secret || strlen(secret) < MASK_MIN_LEN)
		return;
	for (size_t i = 0; i < state.n_masks; i++) {
		if (strcmp(state.masks[i].text, secret) == 0)
			return;
	}
	if (state.n_masks == MASKS_MAX)
		forget_oldest();
	size_t at = 0;
	while (at < state.n_masks && strlen(state.masks[at].text) >= strlen(secret))
		at++;
	memmove(
	    state.masks + at + 1, state.masks + at, (state.n_masks - at) * sizeof(state.masks[0]));
	state.masks[at].text = mem_strdup(secret);
	state.masks[at].born = ++state.masks_ever;
	state.n_masks++;
}

void log_set_clock(int64_t (*wall_ms)(void))
{
	state.wall_ms = wall_ms;
}

void log_set_sink(void (*sink)(const char *line, void *arg), void *arg)
{
	state.sink = sink;
	state.sink_arg = arg;
}

static size_t mask_len_at(const char *s)
{
	for (size_t i = 0; i < state.n_masks; i++) {
		const char *rest = text_after(s, state.masks[i].text);
		if (rest)
			return (size_t)(rest - s);
	}
	return 0;
}

static char *masked(const char *s)
{
	_cleanup_buf_ struct buf out = {0};
	const char *plain = s; /* start of what is not added yet */
	while (*s) {
		size_t len = mask_len_at(s);
		if (len) {
			buf_add(&out, plain, (size_t)(s - plain));
			buf_adds(&out, MASK_TEXT);
			plain = s + len;
		}
		s += len ? len : 1;
	}
	buf_adds(&out, plain);
	return buf_take(&out);
}

/* One character as it may stand in a line of text. */
static void add_escaped(struct buf *out, const char *s, size_t step, int32_t cp)
{
	if (cp < 0)
		buf_addf(out, "\\x%02x", (unsigned char)*s);
	else if (cp == '\n')
		buf_adds(out, "\\n");
	else if (cp == '\t')
		buf_adds(out, "\\t");
	else if (cp == '\r')
		buf_adds(out, "\\r");
	else if (!text_codepoint_is_printable(cp))
		buf_addf(out, cp < 0x80 ? "\\x%02x" : "\\u%04x", (unsigned)cp);
	else
		buf_add(out, s, step);
}

/* Escapes s into at most max bytes, the mark of a cut included. */
static char *escaped(const char *s, size_t max)
{
	_cleanup_buf_ struct buf out = {0};
	size_t len = strlen(s), step, fits = 0;
	for (size_t i = 0; i < len; i += step) {
		int32_t cp = text_codepoint(s + i, len - i, &step);
		add_escaped(&out, s + i, step, cp);
		if (out.len > max) {
			buf_cut(&out, fits);
			buf_adds(&out, CUT_MARK);
			break;
		}
		if (out.len + strlen(CUT_MARK) <= max)
			fits = out.len;
	}
	return buf_take(&out);
}

static char *text_line(enum log_level level, const char *time, const char *object, const char *msg)
{
	_cleanup_buf_ struct buf line = {0};
	if (time)
		buf_addf(&line, "%s ", time);
	if (object)
		buf_addf(&line, "%s: ", object);
	buf_adds(&line, msg);
	/* Once more: object and message together may spell a secret. */
	_cleanup_str_ char *body = masked(buf_str(&line) + (time ? strlen(time) + 1 : 0));
	_cleanup_str_ char *safe = escaped(body, LOG_LINE_MAX - 64);
	if (state.journal)
		return mem_printf("<%d>%s", levels[level].priority, safe);
	bool color = state.color && *levels[level].color;
	return mem_printf("%s%s%s%-5s%s %s", time ? time : "", time ? " " : "",
	    color ? levels[level].color : "", levels[level].word, color ? "\033[0m" : "", safe);
}

static char *json_line(enum log_level level, const char *time, const char *object, const char *msg)
{
	size_t max = LOG_LINE_MAX;
	for (;;) {
		/* Escaping may stretch a message sixfold; what then is too long is cut further. */
		_cleanup_str_ char *shown = mem_strndup(msg, strnlen(msg, max));
		_cleanup_jsn_ struct jsn *j = jsn_new_object();
		jsn_put_str(j, "time", time);
		jsn_put_str(j, "level", levels[level].word);
		jsn_put_str(j, "object", object);
		jsn_put_str(j, "msg", shown);
		_cleanup_str_ char *line = jsn_print(j, false);
		if (strlen(line) <= LOG_LINE_MAX)
			return TAKE(line);
		max /= 2;
		MUST(max > 0);
	}
}

static void emit(char *line)
{
	if (state.sink) {
		state.sink(line, state.sink_arg);
		return;
	}
	/* One write for the line and its end, so that lines of two processes do not mix. */
	size_t len = strlen(line), done = 0;
	line[len] = '\n';
	while (done <= len) {
		ssize_t n = write(STDERR_FILENO, line + done, len + 1 - done);
		if (n < 0 && errno != EINTR)
			return; /* nobody is left to tell */
		if (n > 0)
			done += (size_t)n;
	}
}

void log_line(enum log_level level, const char *object, const char *fmt, ...)
{
	MUST((unsigned)level < LOG__MAX);
	if (!log_enabled(level))
		return;
	int saved = errno;
	va_list ap;
	va_start(ap, fmt);
	_cleanup_str_ char *raw = mem_vprintf(fmt, ap);
	va_end(ap);
	/* Masked before anything is escaped or cut: half a secret would not be recognised. */
	_cleanup_str_ char *msg = masked(raw);
	_cleanup_str_ char *whole_object = object ? masked(object) : NULL;
	_cleanup_str_ char *short_object =
	    whole_object ? mem_strndup(whole_object, strnlen(whole_object, OBJECT_MAX)) : NULL;
	_cleanup_str_ char *time = state.wall_ms ? text_time(state.wall_ms()) : NULL;
	_cleanup_str_ char *line = state.json ? json_line(level, time, short_object, msg)
					      : text_line(level, time, short_object, msg);
	emit(line);
	errno = saved;
}
