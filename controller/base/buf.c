#include "buf.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void buf_init(struct buf *b, size_t max)
{
	*b = (struct buf){.max = max};
}

void buf_init_secret(struct buf *b, size_t max)
{
	*b = (struct buf){.max = max, .secret = true};
}

void buf_fini(struct buf *b)
{
	if (b->data && b->secret)
		explicit_bzero(b->data, b->len);
	free(b->data);
	*b = (struct buf){.max = b->max, .secret = b->secret};
}

void buf_reset(struct buf *b)
{
	b->overflow = false;
	buf_cut(b, 0);
}

/* realloc would leave a copy behind. */
static void move_secret(struct buf *b, size_t cap)
{
	char *to = mem_grow(NULL, cap, 1);
	if (b->data) {
		memcpy(to, b->data, b->len + 1);
		explicit_bzero(b->data, b->len);
	}
	free(b->data);
	b->data = to;
}

/* Room for len more bytes and a NUL, or false and `overflow`. */
static bool make_room(struct buf *b, size_t len)
{
	size_t max = b->max ? b->max : BUF_DEFAULT_MAX;
	if (b->overflow || len > max - b->len) {
		b->overflow = true;
		return false;
	}
	size_t need = b->len + len + 1;
	if (need <= b->cap)
		return true;
	size_t cap = b->cap ? b->cap : 64;
	while (cap < need)
		cap = cap > SIZE_MAX / 2 ? need : cap * 2;
	if (b->secret)
		move_secret(b, cap);
	else
		b->data = mem_grow(b->data, cap, 1);
	b->cap = cap;
	return true;
}

void buf_add(struct buf *b, const void *data, size_t len)
{
	if (!make_room(b, len))
		return;
	if (len)
		memcpy(b->data + b->len, data, len);
	b->len += len;
	b->data[b->len] = '\0';
}

void buf_adds(struct buf *b, const char *s)
{
	if (s)
		buf_add(b, s, strlen(s));
}

void buf_addc(struct buf *b, char c)
{
	if (!make_room(b, 1))
		return;
	b->data[b->len++] = c;
	b->data[b->len] = '\0';
}

void buf_vaddf(struct buf *b, const char *fmt, va_list ap)
{
	char room[256];
	va_list again;
	va_copy(again, ap);
	int len = vsnprintf(room, sizeof(room), fmt, ap);
	if (len >= 0 && (size_t)len < sizeof(room)) {
		buf_add(b, room, (size_t)len);
	} else {
		_cleanup_str_ char *s = mem_vprintf(fmt, again);
		buf_adds(b, s);
	}
	va_end(again);
}

void buf_addf(struct buf *b, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	buf_vaddf(b, fmt, ap);
	va_end(ap);
}

void buf_cut(struct buf *b, size_t len)
{
	if (len >= b->len)
		return;
	if (b->secret)
		explicit_bzero(b->data + len, b->len - len);
	b->len = len;
	b->data[len] = '\0';
}

const char *buf_str(const struct buf *b)
{
	return b->data ? b->data : "";
}

char *buf_take(struct buf *b)
{
	char *s = b->data ? b->data : mem_strdup("");
	*b = (struct buf){.max = b->max, .secret = b->secret};
	return s;
}
