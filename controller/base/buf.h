/*
 * buf: a growing string of bytes with a ceiling.
 *
 * Not for structured text: JSON is written by jsn, YAML by those who own the format.
 *
 * Embedded or on the stack; buf_fini frees. A zeroed struct is an empty buffer with the default
 * ceiling. What would pass the ceiling is dropped whole, and so is everything after it: `overflow`
 * stays set, so that a caller may check once at the end, and what is there is a true beginning.
 *
 * Any process.
 */
#ifndef RAMET_BUF_H
#define RAMET_BUF_H

#include "mem.h"

struct buf {
	char *data; /* NUL-terminated when not NULL */
	size_t len;
	size_t cap;
	size_t max; /* bytes; 0 = BUF_DEFAULT_MAX */
	bool overflow;
	bool secret; /* what it held is wiped when it moves, is cut off or goes */
};

#define BUF_DEFAULT_MAX ((size_t)64 << 20)
#define _cleanup_buf_ _cleanup_(buf_fini)

void buf_init(struct buf *b, size_t max);
void buf_init_secret(struct buf *b, size_t max);
void buf_fini(struct buf *b);
void buf_reset(struct buf *b); /* empty again, memory kept, overflow cleared */
void buf_add(struct buf *b, const void *data, size_t len);
void buf_adds(struct buf *b, const char *s); /* NULL adds nothing */
void buf_addc(struct buf *b, char c);
void buf_addf(struct buf *b, const char *fmt, ...) PRINTF(2, 3);
void buf_vaddf(struct buf *b, const char *fmt, va_list ap) PRINTF(2, 0);
void buf_cut(struct buf *b, size_t len);  /* shorten to len */
const char *buf_str(const struct buf *b); /* never NULL; borrowed */
char *buf_take(struct buf *b);		  /* the string is the caller's, never NULL; b is empty */

#endif
