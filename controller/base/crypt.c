#include "crypt.h"

#include <errno.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#define SHA256_BYTES 32
#define RANDOM_MAX_BYTES 32
#define PASSWORD_ROUNDS 5000

static void to_hex(const unsigned char *bytes, size_t n, char *ret)
{
	static const char digits[] = "0123456789abcdef";
	for (size_t i = 0; i < n; i++) {
		ret[2 * i] = digits[bytes[i] >> 4];
		ret[2 * i + 1] = digits[bytes[i] & 15];
	}
	ret[2 * n] = '\0';
}

void crypt_sha256_hex(const void *data, size_t len, char ret_hex[CRYPT_HEX_LEN])
{
	unsigned char digest[SHA256_BYTES];
	/* Fails only without memory or without the algorithm; neither can be mended here. */
	MUST(EVP_Digest(len ? data : "", len, digest, NULL, EVP_sha256(), NULL) == 1);
	to_hex(digest, sizeof(digest), ret_hex);
}

void crypt_hmac_sha256_hex(
    const void *key, size_t key_len, const void *data, size_t len, char ret_hex[CRYPT_HEX_LEN])
{
	unsigned char digest[SHA256_BYTES];
	unsigned digest_len = 0;
	MUST(key_len <= INT32_MAX);
	MUST(HMAC(EVP_sha256(), key_len ? key : "", (int)key_len, len ? data : (const void *)"",
		 len, digest, &digest_len) &&
	     digest_len == sizeof(digest));
	to_hex(digest, sizeof(digest), ret_hex);
}

void crypt_password_hex(const char *password, const char *salt, char ret_hex[CRYPT_HEX_LEN])
{
	unsigned char digest[SHA256_BYTES];
	MUST(PKCS5_PBKDF2_HMAC(password, (int)strlen(password), (const unsigned char *)salt,
		 (int)strlen(salt), PASSWORD_ROUNDS, EVP_sha256(), sizeof(digest), digest) == 1);
	to_hex(digest, sizeof(digest), ret_hex);
}

char *crypt_base64_encode(const void *data, size_t len)
{
	char *out = mem_alloc((len + 2) / 3 * 4 + 1);
	MUST(len <= INT32_MAX / 2);
	int n = EVP_EncodeBlock((unsigned char *)out, data, (int)len);
	MUST(n >= 0);
	out[n] = '\0';
	return out;
}

void crypt_random_hex(size_t n, char *ret)
{
	unsigned char bytes[RANDOM_MAX_BYTES];
	MUST(n <= sizeof(bytes));
	size_t have = 0;
	while (have < n) {
		ssize_t got = getrandom(bytes + have, n - have, 0);
		MUST(got > 0 || (got < 0 && errno == EINTR));
		if (got > 0)
			have += (size_t)got;
	}
	to_hex(bytes, n, ret);
	explicit_bzero(bytes, sizeof(bytes));
}

bool crypt_base64_decode(const char *text, struct buf *ret)
{
	size_t len = strlen(text);
	int n = 0, rest = 0;

	/* The library takes a hyphen for the end. */
	if (len > INT32_MAX / 2 || strchr(text, '-'))
		return false;
	unsigned char *bytes = mem_alloc(len / 4 * 3 + 3);
	EVP_ENCODE_CTX *ctx = EVP_ENCODE_CTX_new();
	MUST(ctx);
	EVP_DecodeInit(ctx);
	bool good = EVP_DecodeUpdate(ctx, bytes, &n, (const unsigned char *)text, (int)len) >= 0 &&
		    EVP_DecodeFinal(ctx, bytes + n, &rest) == 1;
	EVP_ENCODE_CTX_free(ctx);
	if (good) {
		buf_add(ret, bytes, (size_t)n);
		buf_add(ret, bytes + n, (size_t)rest);
	}
	free(bytes);
	return good;
}

bool crypt_equal(const char *a, const char *b)
{
	if (!a || !b)
		return false;
	size_t len = strlen(a);
	return len == strlen(b) && CRYPTO_memcmp(a, b, len) == 0;
}
