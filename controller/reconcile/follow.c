#include "follow.h"

#include "text.h"

#include <stdlib.h>
#include <string.h>

#define MAGIC 0x464f4c4cu
#define POLL_FIRST_MS 300
#define POLL_MAX_MS 3000
#define LOG_EVERY 2

struct follow {
	uint32_t magic;
	struct asker *asker;
	char *upid, *node, *path;
	int64_t deadline;
	follow_cb cb;
	follow_progress_cb progress;
	void *arg;
	slot_id call;
	timer_id timer;
	int64_t pause;
	unsigned polls, log_from;
};

bool follow_upid_ok(const char *upid)
{
	size_t len = strlen(upid), colons = 0;

	for (const char *p = upid; *p; p++)
		colons += *p == ':';
	return text_starts(upid, "UPID:") && len < 300 && colons >= 7 &&
	       text_is_printable(upid, len) && !strchr(upid, ' ');
}

void follow_cancel(struct follow **fp)
{
	struct follow *f = *fp;

	if (!f)
		return;
	CHECK_OBJ(f, MAGIC);
	clock_cancel(asker_clock(f->asker), &f->timer);
	ask_cancel(f->asker, &f->call);
	free(f->upid);
	free(f->node);
	free(f->path);
	f->magic = 0;
	free(f);
	*fp = NULL;
}

/* The owner frees f from within its callback with follow_cancel, or later; nothing of f is touched
 * afterwards. */
static void finish(struct follow *f, enum follow_end end, const char *text)
{
	f->cb(f->arg, end, text);
}

static void on_timer(void *arg);

static void again(struct follow *f)
{
	f->timer = clock_timer(asker_clock(f->asker), f->pause, on_timer, f);
	f->pause = f->pause * 3 / 2 > POLL_MAX_MS ? POLL_MAX_MS : f->pause * 3 / 2;
}

/* "transferred 1.0 GiB of 4.0 GiB (25.00%)" and the like. */
static int percent_of(const char *line)
{
	const char *p = strchr(line, '%'), *start = p;
	int v = 0;

	if (!p)
		return -1;
	while (start > line && (start[-1] == '.' || (start[-1] >= '0' && start[-1] <= '9')))
		start--;
	for (; start < p && *start >= '0' && *start <= '9' && v < 1000; start++)
		v = v * 10 + (*start - '0');
	return v <= 100 ? v : -1;
}

static void on_log(void *arg, const struct ask_answer *a)
{
	struct follow *f = arg;
	const char *line = NULL;
	int percent = -1;

	f->call = 0;
	for (size_t i = 0; i < jsn_len(a->data); i++) {
		const char *t = jsn_get_text(jsn_at(a->data, i), "t");

		if (!t)
			continue;
		f->log_from++;
		line = t;
		if (percent_of(t) >= 0)
			percent = percent_of(t);
	}
	again(f);
	if (line)
		f->progress(f->arg, percent, line);
}

static void ask_log(struct follow *f)
{
	_cleanup_kv_ struct kv params = {0};
	_cleanup_str_ char *path = mem_printf("%s/log", f->path);
	struct ask_req q = {.method = "GET", .path = path, .params = &params, .node = f->node};

	kv_setf(&params, "start", "%u", f->log_from);
	kv_set(&params, "limit", "500");
	f->call = ask(f->asker, &q, on_log, f);
}

static void on_status(void *arg, const struct ask_answer *a)
{
	struct follow *f = arg;
	const char *status = jsn_get_text(a->data, "status");
	const char *exit = jsn_get_text(a->data, "exitstatus");

	f->call = 0;
	if (a->outcome == ASK_DONE && text_eq(status, "stopped")) {
		if (!exit || ask_why_of(exit) == ASK_WHY_NO_TASK ||
		    text_starts(exit, "unable to get last line"))
			finish(f, FOLLOW_LOST, "the task ended without a word");
		else if (strcmp(exit, "OK") == 0)
			finish(f, FOLLOW_OK, exit);
		else if (text_starts(exit, "WARNINGS"))
			finish(f, FOLLOW_WARNINGS, exit);
		else
			finish(f, FOLLOW_FAILED, exit);
		return;
	}
	if (a->why == ASK_WHY_NO_TASK) {
		finish(f, FOLLOW_LOST, "PVE does not know the task any more");
		return;
	}
	if (clock_now(asker_clock(f->asker)) >= f->deadline) {
		finish(f, FOLLOW_STUCK,
		    a->outcome == ASK_DONE ? "the task has not ended in its time" : a->text);
		return;
	}
	if (a->outcome == ASK_DONE && f->progress && f->polls % LOG_EVERY == 0)
		ask_log(f);
	else
		again(f);
}

static void on_timer(void *arg)
{
	struct follow *f = arg;
	_cleanup_str_ char *path = mem_printf("%s/status", f->path);
	struct ask_req q = {.method = "GET", .path = path, .node = f->node};

	f->timer = 0;
	f->polls++;
	f->call = ask(f->asker, &q, on_status, f);
}

struct follow *follow_start(struct asker *a, const char *upid, int64_t timeout_ms, follow_cb cb,
    follow_progress_cb progress, void *arg)
{
	_cleanup_str_ char *node = NULL, *enc_node = NULL, *enc = NULL;
	const char *start = upid + strlen("UPID:");
	struct follow *f;

	if (!follow_upid_ok(upid))
		return NULL;
	node = mem_strndup(start, strcspn(start, ":"));
	enc_node = text_url_encode(node);
	enc = text_url_encode(upid);
	f = mem_alloc(sizeof(*f));
	f->magic = MAGIC;
	f->asker = a;
	f->upid = mem_strdup(upid);
	f->node = TAKE(node);
	f->path = mem_printf("/nodes/%s/tasks/%s", enc_node, enc);
	f->deadline = clock_now(asker_clock(a)) + timeout_ms;
	f->cb = cb;
	f->progress = progress;
	f->arg = arg;
	f->pause = POLL_FIRST_MS;
	f->timer = clock_timer(asker_clock(a), f->pause, on_timer, f);
	f->pause = f->pause * 3 / 2;
	return f;
}
