#include "sim_head.h"

#include <event2/buffer.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <zlib.h>

#include "text.h"

#define HEAD_LINES 64
#define GZIP_FROM 1024	    /* shorter answers go as they are */
#define GZIP_BITS (15 + 16) /* the largest window; with the head of a gzip file */

void head_fini(struct head *h)
{
	mem_free_str(&h->method);
	mem_free_str(&h->target);
	mem_free_str(&h->type);
	mem_free_secret(&h->authorization);
	mem_free_secret(&h->cookie);
	mem_free_str(&h->csrf);
	mem_free_str(&h->host);
	*h = (struct head){.keep_alive = h->keep_alive};
}

static void refuse(struct head *h, int status, const char *reason)
{
	h->refuse = status;
	h->refuse_reason = reason;
}

static void content_length(struct head *h, const char *v)
{
	int64_t n;

	if (text_to_int(v, 0, INT32_MAX, &n) < 0)
		refuse(h, 400, "bad content length");
	else
		h->body_len = (size_t)n;
}

static void header(struct head *h, char *line)
{
	const struct {
		const char *name;
		char **text;
	} texts[] = {{"host", &h->host}, {"content-type", &h->type},
	    {"authorization", &h->authorization}, {"cookie", &h->cookie},
	    {"csrfpreventiontoken", &h->csrf}};
	char *v = strchr(line, ':');

	if (!v)
		return;
	*v++ = '\0';
	v += strspn(v, " \t");
	for (size_t i = 0; i < ARRAY_LEN(texts); i++)
		if (text_eq_nocase(line, texts[i].name))
			mem_replace(texts[i].text, v);
	if (text_eq_nocase(line, "content-length"))
		content_length(h, v);
	else if (text_eq_nocase(line, "transfer-encoding"))
		refuse(h, 501, "chunked transfer encoding not supported");
	else if (text_eq_nocase(line, "connection"))
		h->keep_alive = !text_eq_nocase(v, "close");
	else if (text_eq_nocase(line, "expect"))
		h->expects = true;
	else if (text_eq_nocase(line, "accept-encoding"))
		h->gzip = strstr(v, "gzip") != NULL;
}

static bool first_line(struct head *h, char *line)
{
	char *sp = strchr(line, ' '), *sp2 = sp ? strchr(sp + 1, ' ') : NULL;

	if (!sp2 || !text_starts(sp2 + 1, "HTTP/1."))
		return false;
	*sp = *sp2 = '\0';
	h->method = mem_strdup(line);
	h->target = mem_strdup(sp + 1);
	h->keep_alive = sp2[8] == '1';
	return true;
}

enum head_state head_read(struct evbuffer *in, struct head *ret)
{
	struct evbuffer_ptr end = evbuffer_search(in, "\r\n\r\n", 4, NULL);
	_cleanup_str_ char *head = NULL;
	char *rest, *line;
	unsigned n = 0;

	if (end.pos < 0 || (size_t)end.pos > HEAD_MAX)
		return evbuffer_get_length(in) > HEAD_MAX ? HEAD_BROKEN : HEAD_WAIT;
	head = mem_alloc((size_t)end.pos + 5);
	evbuffer_remove(in, head, (size_t)end.pos + 4);
	rest = head;
	while ((line = strsep(&rest, "\n")) && *line && *line != '\r') {
		line[strcspn(line, "\r")] = '\0';
		if (n++ == 0) {
			if (!first_line(ret, line))
				return HEAD_BROKEN;
		} else if (n > HEAD_LINES)
			refuse(ret, 501, "too many header lines");
		else
			header(ret, line);
	}
	return ret->method ? HEAD_WHOLE : HEAD_BROKEN;
}

/* The body as pveproxy compresses it; NULL = it goes as it is. */
static char *squeeze(const struct head *h, const struct sim_reply *r, size_t *ret_len)
{
	z_stream z = {0};
	char *out;
	uLong room;

	if (!h->gzip || r->len <= GZIP_FROM)
		return NULL;
	if (deflateInit2(&z, Z_DEFAULT_COMPRESSION, Z_DEFLATED, GZIP_BITS, 8, Z_DEFAULT_STRATEGY) !=
	    Z_OK)
		return NULL;
	room = deflateBound(&z, r->len);
	out = mem_alloc(room);
	z.next_in = (Bytef *)r->body;
	z.avail_in = (uInt)r->len;
	z.next_out = (Bytef *)out;
	z.avail_out = (uInt)room;
	if (deflate(&z, Z_FINISH) != Z_STREAM_END)
		mem_free_str(&out);
	*ret_len = z.total_out;
	deflateEnd(&z);
	return out;
}

void head_answer(struct evbuffer *out, const struct head *h, const struct sim_reply *r, bool close,
    int64_t now_s)
{
	char date[64];
	time_t t = (time_t)now_s;
	struct tm tm;
	size_t len = r->len, announced;
	_cleanup_str_ char *small = squeeze(h, r, &len);

	announced = r->cut == SIM_CUT_SHORT ? len * 2 : len;

	strftime(date, sizeof(date), "%a, %d %b %Y %H:%M:%S GMT", gmtime_r(&t, &tm));
	evbuffer_add_printf(out,
	    "HTTP/1.1 %d %.*s\r\nCache-Control: max-age=0\r\nConnection: %s\r\nDate: %s\r\n"
	    "Pragma: no-cache\r\nServer: pve-api-daemon/3.0\r\n",
	    r->status, (int)strcspn(r->reason, "\n"), r->reason, close ? "close" : "Keep-Alive",
	    date);
	if (len)
		evbuffer_add_printf(out, "Content-Length: %zu\r\n%s%s", announced,
		    small ? "Content-Encoding: gzip\r\n" : "",
		    r->plain ? "" : "Content-Type: application/json;charset=UTF-8\r\n");
	if (r->status == 301)
		evbuffer_add_printf(out, "Location: https://%s%s\r\n", h->host, h->target);
	evbuffer_add_printf(out, "Expires: %s\r\n\r\n", date);
	evbuffer_add(out, small ? small : r->body, len);
}
