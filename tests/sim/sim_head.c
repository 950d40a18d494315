#include "sim_head.h"

#include <ctype.h>
#include <event2/buffer.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <zlib.h>

#include "text.h"

#define HEAD_LINES 64 /* so many are too many, the empty one at the end among them */
#define READ_MAX ((size_t)64 << 10)
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
	mem_free_str(&h->refuse_reason);
	*h = (struct head){.keep_alive = h->keep_alive};
}

/* The first thing that is wrong counts. */
static void refuse(struct head *h, int status, const char *fmt, ...) PRINTF(3, 4);
static void refuse(struct head *h, int status, const char *fmt, ...)
{
	va_list ap;

	if (h->refuse)
		return;
	h->refuse = status;
	va_start(ap, fmt);
	if (vasprintf(&h->refuse_reason, fmt, ap) < 0)
		h->refuse_reason = NULL;
	va_end(ap);
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
	size_t len = strcspn(line, ": \t");
	char *v = line + len + strspn(line + len, " \t");

	if (*line == ' ' || *line == '\t') /* the one before goes on, which is none of ours */
		return;
	if (!len || *v != ':') {
		refuse(h, 506, "unable to parse request header");
		return;
	}
	line[len] = '\0';
	v++;
	v += strspn(v, " \t");
	for (size_t i = 0; i < ARRAY_LEN(texts); i++)
		if (text_eq_nocase(line, texts[i].name))
			mem_replace(texts[i].text, v);
	if (text_eq_nocase(line, "content-length"))
		content_length(h, v);
	else if (text_eq_nocase(line, "transfer-encoding") && text_eq_nocase(v, "chunked"))
		refuse(h, 501, "chunked transfer encoding not supported");
	else if (text_eq_nocase(line, "transfer-encoding"))
		refuse(h, 501, "Unknown transfer encoding '%s'", v);
	else if (text_eq_nocase(line, "connection"))
		h->keep_alive = !strcasestr(v, "close");
	else if (text_eq_nocase(line, "expect"))
		h->expects = true;
	else if (text_eq_nocase(line, "accept-encoding"))
		h->gzip = strstr(v, "gzip") != NULL;
}

/* "METHOD TARGET HTTP/1.x"; anything else is answered at once, whatever follows. */
static bool first_line(struct head *h, char *line)
{
	char *sp = strchr(line, ' '), *sp2 = sp ? strchr(sp + 1, ' ') : NULL, *end;
	const char *version = sp2 ? text_after(sp2 + 1, "HTTP/") : NULL;
	long major = version ? strtol(version, &end, 10) : 0;

	if (!version || sp == line || sp2 == sp + 1 || !isdigit((unsigned char)*version) ||
	    *end != '.' || !isdigit((unsigned char)end[1]))
		refuse(h, 400, "bad request");
	else if (major != 1)
		refuse(h, 506, "http protocol version %s not supported", version);
	else if (strcspn(sp + 1, "@/") < strcspn(sp + 1, "/ "))
		refuse(h, 400, "invalid url");
	if (h->refuse) {
		mem_replace(&h->method, "");
		return false;
	}
	*sp = *sp2 = '\0';
	mem_replace(&h->method, line);
	mem_replace(&h->target, sp + 1);
	h->keep_alive = strtol(end + 1, NULL, 10) >= 1;
	return true;
}

/* The next line from there on, its end taken off; NULL if it is not all there. Owned. */
static char *line_at(struct evbuffer *in, size_t at, size_t *ret_next)
{
	struct evbuffer_ptr from, end;
	size_t eol, len;
	char *line;

	if (evbuffer_ptr_set(in, &from, at, EVBUFFER_PTR_SET) < 0)
		return NULL;
	end = evbuffer_search_eol(in, &from, &eol, EVBUFFER_EOL_CRLF);
	if (end.pos < 0)
		return NULL;
	len = (size_t)end.pos - at;
	line = mem_alloc(len + 1);
	evbuffer_copyout_from(in, &from, line, len);
	*ret_next = (size_t)end.pos + eol;
	return line;
}

/* unshift_read_header: whoever sends too much of a head is not answered and not read any more. */
enum head_state head_read(struct evbuffer *in, struct head *ret)
{
	size_t at = 0, size = 0;
	unsigned lines = 0;
	char *line;

	do { /* empty lines before a request do not count */
		line = line_at(in, 0, &at);
		if (!line)
			return evbuffer_get_length(in) > READ_MAX ? HEAD_BROKEN : HEAD_WAIT;
		if (!*line)
			evbuffer_drain(in, at);
		else if (!first_line(ret, line))
			at = 0;
		size = strlen(line);
		free(line);
	} while (!size);
	if (ret->refuse) {
		evbuffer_drain(in, evbuffer_get_length(in));
		return HEAD_WHOLE;
	}
	for (size = 0; (line = line_at(in, at, &at));) {
		bool last = !*line;

		size += strlen(line);
		if (!last)
			header(ret, line);
		free(line);
		if (++lines >= HEAD_LINES || size >= HEAD_MAX)
			return HEAD_MUTE;
		if (last) {
			evbuffer_drain(in, at);
			return HEAD_WHOLE;
		}
	}
	return evbuffer_get_length(in) > READ_MAX ? HEAD_BROKEN : HEAD_WAIT;
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
