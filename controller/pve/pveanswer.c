#include "pveanswer.h"

#include <stdlib.h>
#include <string.h>

#include "pvetask.h"

#define TEXT_CHARS 400
#define ERRORS_MAX 64
#define HAYSTACK_MAX ((size_t)64 << 10)

/* Statuses of PVE's HTTP server between nodes. */
enum {
	STATUS_NOT_CONNECTED = 595,
	STATUS_PROXY_FIRST = 596, /* connected, then lost: 596, 597, 598, 599 */
	STATUS_PROXY_LAST = 599,
	STATUS_CONTENT_TYPE = 506,
};

static void verdict(struct pveanswer *a, enum pve_outcome outcome, enum pve_reason reason)
{
	a->err.outcome = outcome;
	a->err.reason = reason;
}

static void set_subject(struct pveanswer *a, const char *s)
{
	size_t len = strnlen(s, PVEERR_SUBJECT_MAX - 1);
	memcpy(a->err.subject, s, len);
	a->err.subject[len] = '\0';
}

static void read_errors(struct pveanswer *a)
{
	struct jsn_iter it;
	JSN_FOREACH (it, jsn_get(a->body, "errors")) {
		const char *text = jsn_text(it.val);
		if (text && a->errors.n < ERRORS_MAX)
			kv_set(&a->errors, it.key, text);
	}
}

/* Reason phrase, message and errors, for the table of texts. */
static void gather(const struct pveanswer *a, const struct cluster_reply *reply, struct buf *out)
{
	const char *message = jsn_get_text(a->body, "message");
	buf_addf(out, "%.4000s\n%.8000s", reply->reason, message ? message : "");
	KV_FOREACH (item, &a->errors) {
		buf_addf(out, "\n%.2000s", item->value);
	}
}

/* One line: what a person should read. */
static char *text_of(const struct pveanswer *a, const struct cluster_reply *reply)
{
	struct buf line;
	buf_init(&line, HAYSTACK_MAX);
	const char *message = jsn_get_text(a->body, "message");
	/* The phrase is the first line of the message, but older servers send no message. */
	buf_adds(&line, *reply->reason ? reply->reason : message);
	if (line.len == 0)
		buf_addf(&line, "HTTP status %d", reply->status);
	KV_FOREACH (item, &a->errors) {
		buf_addf(&line, "%s %.100s: %.1000s", item == a->errors.v ? "" : ";", item->key,
		    item->value);
	}
	char *text = text_oneline(buf_str(&line), TEXT_CHARS);
	buf_fini(&line);
	text_trim_right(text);
	/* Nothing but control characters. */
	if (!*text) {
		free(text);
		text = mem_printf("HTTP status %d", reply->status);
	}
	return text;
}

static void read_done(struct pveanswer *a, const struct endpoint *e)
{
	verdict(a, PVE_DONE, PVE_NONE);
	if (!jsn_has(a->body, "data")) {
		verdict(a, PVE_AMBIGUOUS, PVE_PROTOCOL);
		mem_replace(&a->text, "the answer is none of this API");
		return;
	}
	const struct jsn *data = jsn_get(a->body, "data");
	if (e->kind != ENDPOINT_KIND_TASK || jsn_is_null(data))
		return;
	struct upid upid;
	const char *text = jsn_text(data);
	if (text && pvetask_parse_upid(text, &upid, NULL) == 0) {
		a->upid = text;
		return;
	}
	verdict(a, PVE_AMBIGUOUS, PVE_PROTOCOL);
	mem_replace(&a->text, "the answer names no task");
}

/* A refusal in words, or an error on the way. */
static void read_words(
    struct pveanswer *a, const struct endpoint *e, const struct cluster_reply *reply)
{
	struct buf words;
	buf_init(&words, HAYSTACK_MAX);
	gather(a, reply, &words);
	bool known = pveerr_find(buf_str(&words), &a->err);
	buf_fini(&words);
	if (!known && reply->status == 400) {
		verdict(a, PVE_REJECTED, PVE_PARAMETER);
		if (a->errors.n > 0)
			set_subject(a, a->errors.v[0].key);
	} else if (!known && reply->status == 403) {
		verdict(a, PVE_REJECTED, PVE_FORBIDDEN);
	} else if (!known) {
		/* What begins a task had not begun it yet; what works while it answers may have
		 * done a part. */
		bool may_have_run = reply->status == 500 && e->kind == ENDPOINT_KIND_WRITE;
		verdict(a, may_have_run ? PVE_AMBIGUOUS : PVE_REJECTED, PVE_OTHER);
	}
	/* A read has no effect that could be partial. */
	if (e->kind == ENDPOINT_KIND_READ)
		a->err.outcome = PVE_REJECTED;
}

bool pveanswer_is_page(int status, const char *body)
{
	char first = body[strspn(body, " \t\r\n")];
	return first == '<' || (status >= 400 && status < 500 && first && first != '{');
}

static void read_page(struct pveanswer *a)
{
	char *text = mem_printf("a page answers in place of the API: %s", a->text);
	free(a->text);
	a->text = text;
	verdict(a, PVE_REJECTED, PVE_PROTOCOL);
}

static void read_status(
    struct pveanswer *a, const struct endpoint *e, const struct cluster_reply *reply)
{
	int status = reply->status;
	if (status >= 200 && status <= 299) {
		read_done(a, e);
		return;
	}
	mem_free_str(&a->text);
	a->text = text_of(a, reply);
	if (status < 500 && pveanswer_is_page(status, reply->body))
		read_page(a);
	else if (status == 401)
		verdict(a, PVE_REJECTED, PVE_UNAUTHENTICATED);
	else if (status == 501 || status == STATUS_CONTENT_TYPE)
		verdict(a, PVE_REJECTED, PVE_UNSUPPORTED);
	else if (status == STATUS_NOT_CONNECTED)
		verdict(a, PVE_NOT_SENT, PVE_NODE_AWAY);
	else if ((status >= 502 && status <= 504) ||
		 (status >= STATUS_PROXY_FIRST && status <= STATUS_PROXY_LAST))
		verdict(a, PVE_AMBIGUOUS, PVE_CUT);
	else
		read_words(a, e, reply);
}

/* What is wrong with a certificate has a next step of its own. */
static void read_unsent(struct pveanswer *a, const struct cluster_reply *reply)
{
	static const char *const next[TLSTRUST__MAX] = {
	    [TLSTRUST_UNKNOWN] =
		"check cluster.ca_file (/etc/pve/pve-root-ca.pem) or cluster.fingerprints",
	    [TLSTRUST_EXPIRED] = "renew it on that node (pvecm updatecerts --force)",
	    [TLSTRUST_EARLY] = "set the clocks of that node and of this machine by NTP",
	    [TLSTRUST_MISNAMED] = "name the endpoint in cluster.endpoints as its certificate does"};
	const char *detail = reply->detail ? reply->detail : "no connection to the API";
	const char *step = next[reply->trust];
	verdict(a, PVE_NOT_SENT, step ? PVE_TLS : PVE_CONNECT);
	free(a->text);
	a->text = mem_printf("%s%s%s", detail, step ? "; " : "", step ? step : "");
}

void pveanswer_read(
    enum endpoint_id endpoint, const struct cluster_reply *reply, struct pveanswer *ret)
{
	const struct endpoint *e = endpoint_get(endpoint);
	*ret = (struct pveanswer){.text = mem_strdup("")};
	switch (reply->transport) {
	case CLUSTER_NOT_SENT:
		read_unsent(ret, reply);
		return;
	case CLUSTER_CUT:
		verdict(ret, PVE_AMBIGUOUS, PVE_CUT);
		mem_replace(&ret->text, reply->detail ? reply->detail : "the connection was cut");
		return;
	case CLUSTER_REPLIED:
		if (reply->tree)
			ret->body = TAKE(*reply->tree);
		if (reply->tree || jsn_parse(reply->body, reply->body_len, &ret->body, NULL) == 0)
			read_errors(ret);
		read_status(ret, e, reply);
		return;
	case CLUSTER_TRANSPORT__MAX:
		break;
	}
	MUST(false);
}

void pveanswer_fini(struct pveanswer *a)
{
	free(a->text);
	jsn_free(&a->body);
	kv_fini(&a->errors);
	*a = (struct pveanswer){0};
}
