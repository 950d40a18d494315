#include "tlspin.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/ssl.h>

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

int tlspin_parse(const char *text, unsigned char ret[TLSPIN_BYTES], struct err **err)
{
	unsigned char out[TLSPIN_BYTES];
	const char *s = text;
	for (size_t i = 0; i < TLSPIN_BYTES; i++) {
		if (i > 0 && *s == ':')
			s++;
		int high = hex_digit(s[0]);
		int low = high < 0 ? -1 : hex_digit(s[1]);
		if (low < 0)
			goto bad;
		out[i] = (unsigned char)(high << 4 | low);
		s += 2;
	}
	if (*s)
		goto bad;
	memcpy(ret, out, sizeof(out));
	return 0;
bad:
	err_set(err, ERR_CONFIG, "\"%.100s\" is not a SHA-256 fingerprint", text);
	return err_hint(err, "give 32 bytes in hex, as `openssl x509 -noout -fingerprint -sha256 "
			     "-in CERT` prints them");
}

int tlspin_init(struct tlspin *p, const char *const *texts, size_t n, struct err **err)
{
	struct tlspin fresh = {.v = mem_calloc(n, sizeof(*fresh.v)), .n = n};
	for (size_t i = 0; i < n; i++) {
		if (tlspin_parse(texts[i], fresh.v[i], err) < 0) {
			tlspin_fini(&fresh);
			return -1;
		}
	}
	*p = fresh;
	return 0;
}

void tlspin_fini(struct tlspin *p)
{
	free(p->v);
	*p = (struct tlspin){0};
}

void tlspin_print(const unsigned char md[TLSPIN_BYTES], char ret[3 * TLSPIN_BYTES])
{
	for (unsigned i = 0; i < TLSPIN_BYTES; i++)
		snprintf(ret + 3 * i, 4, "%02X%s", md[i], i + 1 < TLSPIN_BYTES ? ":" : "");
}

/* In place of the whole chain verification. */
static int verify(X509_STORE_CTX *store, void *arg)
{
	struct tlspin *p = arg;
	unsigned char md[EVP_MAX_MD_SIZE];
	unsigned int len = 0;
	X509 *leaf = X509_STORE_CTX_get0_cert(store);
	if (leaf && X509_digest(leaf, EVP_sha256(), md, &len) == 1 && len == TLSPIN_BYTES) {
		for (size_t i = 0; i < p->n; i++) {
			if (memcmp(md, p->v[i], TLSPIN_BYTES) == 0) {
				X509_STORE_CTX_set_error(store, X509_V_OK);
				return 1;
			}
		}
	}
	p->refused[0] = '\0';
	if (len == TLSPIN_BYTES)
		tlspin_print(md, p->refused);
	X509_STORE_CTX_set_error(store, X509_V_ERR_CERT_REJECTED);
	return 0;
}

void tlspin_apply(struct tlspin *p, void *ssl_ctx)
{
	SSL_CTX_set_verify(ssl_ctx, SSL_VERIFY_PEER, NULL);
	SSL_CTX_set_cert_verify_callback(ssl_ctx, verify, p);
}

enum tlstrust tlspin_judge(long verdict)
{
	/* libcurl looks at the name before it asks what came of the chain. */
	if (verdict == X509_V_OK || verdict == X509_V_ERR_UNSPECIFIED)
		return TLSTRUST_MISNAMED;
	if (verdict == X509_V_ERR_CERT_HAS_EXPIRED)
		return TLSTRUST_EXPIRED;
	return verdict == X509_V_ERR_CERT_NOT_YET_VALID ? TLSTRUST_EARLY : TLSTRUST_UNKNOWN;
}
