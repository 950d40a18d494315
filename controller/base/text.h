/*
 * text: small questions about strings.
 *
 * Not a parser of any format.
 *
 * Nothing here keeps a pointer. Results that are allocated belong to the caller.
 *
 * Any process.
 */
#ifndef RAMET_TEXT_H
#define RAMET_TEXT_H

#include "strs.h"

/* Whole string, decimal, optional minus, no blanks, within [min,max]. Output only on success. */
int text_to_int(const char *s, int64_t min, int64_t max, int64_t *ret) MUST_CHECK;
/* Decimal fraction without exponent, independent of the locale. */
int text_to_num(const char *s, double *ret) MUST_CHECK;
/* Shortest decimal that reads back as the same number, never with an exponent. v is finite. */
char *text_from_num(double v);

bool text_eq(const char *a, const char *b);	   /* NULL equals NULL only */
bool text_eq_nocase(const char *a, const char *b); /* ASCII */
bool text_starts(const char *s, const char *prefix);
bool text_ends(const char *s, const char *suffix);
/* Rest of s after prefix, or NULL. */
const char *text_after(const char *s, const char *prefix);

/* How many bytes at the start are UTF-8: len when all are. */
size_t text_utf8_len(const char *s, size_t len);
static inline bool text_is_utf8(const char *s, size_t len)
{
	return text_utf8_len(s, len) == len;
}

/* UTF-8 without control characters, line separators and marks that turn the direction of writing.
 */
bool text_is_printable(const char *s, size_t len);
/* The code point at s (len > 0 bytes are there) and its length in *ret_len; a byte that starts no
 * valid UTF-8 gives -1 and length 1. */
int32_t text_codepoint(const char *s, size_t len, size_t *ret_len);
/* False for what text_is_printable refuses. */
bool text_codepoint_is_printable(int32_t cp);
char *text_to_utf8(const char *s);     /* what is not UTF-8 becomes U+FFFD */
bool text_is_dns_label(const char *s); /* RFC 1123 label, lower case, 1…63 */
bool text_is_dns_name(const char *s);  /* labels with dots, any case, 1…253 */

char *text_lower(const char *s); /* ASCII */
void text_trim_right(char *s);	 /* blanks, tabs, line ends; in place */
char *text_oneline(
    const char *s, size_t max_chars); /* what is not printable as blanks, cut with … */
void text_drop_elapsed(char *s); /* " after 12 ms", which no two attempts have alike; in place */

/* Edits (insert, delete, replace, swap of neighbours) from a to b; at most 64 characters each
 * count. */
unsigned text_distance(const char *a, const char *b);
/* The best of n candidates within a third of the length (at least 1 edit), or NULL. Borrowed. */
const char *text_nearest(const char *s, const char *const *candidates, size_t n);

/* "1.5 GiB"-like, for people. */
char *text_bytes(uint64_t bytes);
/* "3 s", "2 min 5 s", "4 h 3 min": for people. */
char *text_duration(int64_t ms);
/* RFC 3339 in UTC, seconds: 2026-12-01T08:00:00Z. */
char *text_time(int64_t wall_ms);

/* Percent-encoding of everything but the unreserved characters of RFC 3986. */
char *text_url_encode(const char *s);

/* Parts between separators (any byte of seps); ret is overwritten as if empty; empty parts are left
 * out when skip_empty. More than max parts fail. */
int text_split(
    const char *s, const char *seps, bool skip_empty, size_t max, struct strs *ret) MUST_CHECK;

#endif
