/*
 * pveanswer_read on any answer: the first byte picks the call, two give the status, then the reason
 * phrase up to a line end, then the body. Whatever a server says, there is one outcome, and a text
 * that can stand in a report.
 */
#include "pveanswer.h"

#include <stdlib.h>
#include <string.h>

#include "pvetask.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(const struct pveanswer *a, const struct endpoint *e, int status)
{
	bool good = status >= 200 && status <= 299;
	struct upid upid;
	MUST((size_t)a->err.outcome < PVE_OUTCOME__MAX && (size_t)a->err.reason < PVE_REASON__MAX);
	MUST((a->err.outcome == PVE_DONE) == (a->err.reason == PVE_NONE));
	MUST(a->err.outcome != PVE_DONE || good);
	MUST(memchr(a->err.subject, '\0', sizeof(a->err.subject)));
	MUST((a->err.outcome == PVE_DONE) == (*a->text == '\0'));
	MUST(text_is_printable(a->text, strlen(a->text)));
	MUST(!a->upid || (e->kind == ENDPOINT_KIND_TASK && a->err.outcome == PVE_DONE));
	MUST(!a->upid || pvetask_parse_upid(a->upid, &upid, NULL) == 0);
	/* A read leaves nothing behind; only a lost answer leaves open what it was. */
	if (e->kind == ENDPOINT_KIND_READ)
		MUST(a->err.outcome != PVE_PARTIAL);
	/* What was refused by name or right never happened. */
	if (status == 401 || status == 501)
		MUST(a->err.outcome == PVE_REJECTED);
	if (status == 595)
		MUST(a->err.outcome == PVE_NOT_SENT);
	else
		MUST(a->err.outcome != PVE_NOT_SENT);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size < 3)
		return 0;
	enum endpoint_id id = (enum endpoint_id)(data[0] % ENDPOINT__MAX);
	int status = 100 + (data[1] << 8 | data[2]) % 900;
	_cleanup_str_ char *text = mem_strndup((const char *)data + 3, size - 3);
	size_t split = strcspn(text, "\n");
	_cleanup_str_ char *reason = mem_strndup(text, split);
	const char *body = text + split + (text[split] == '\n');
	struct cluster_reply reply = {
	    .transport = CLUSTER_REPLIED,
	    .status = status,
	    .reason = reason,
	    .body = body,
	    .body_len = strlen(body),
	};
	struct pveanswer a;
	pveanswer_read(id, &reply, &a);
	check(&a, endpoint_get(id), status);
	pveanswer_fini(&a);
	return 0;
}
