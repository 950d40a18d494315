/*
 * crypt: digests, random words and comparisons in constant time. Owner of libcrypto.
 *
 * Not TLS (libcurl does it) and not signatures of commits.
 *
 * Nothing is kept; results are in the caller's buffers.
 *
 * Any process.
 */
#ifndef RAMET_CRYPT_H
#define RAMET_CRYPT_H

#include "buf.h"

#define CRYPT_HEX_LEN 65 /* SHA-256 in hex with NUL */

void crypt_sha256_hex(const void *data, size_t len, char ret_hex[CRYPT_HEX_LEN]);
/* HMAC-SHA-256 (RFC 2104) in hex. */
void crypt_hmac_sha256_hex(
    const void *key, size_t key_len, const void *data, size_t len, char ret_hex[CRYPT_HEX_LEN]);
/* For remembering which password it was: PBKDF2 with HMAC-SHA-256, slow on purpose. */
void crypt_password_hex(const char *password, const char *salt, char ret_hex[CRYPT_HEX_LEN]);
/* n random bytes as 2n hex digits with NUL, from the kernel. n ≤ 32. */
void crypt_random_hex(size_t n, char *ret);
/* Appends what the base64 text (with blanks and line ends, NUL-terminated) stands for; false when
 * it is none. */
bool crypt_base64_decode(const char *text, struct buf *ret) MUST_CHECK;
/* In one line. Caller frees. */
char *crypt_base64_encode(const void *data, size_t len);
/* Equal length and bytes, without telling by time where they differ. NULL equals nothing. */
bool crypt_equal(const char *a, const char *b);

#endif
