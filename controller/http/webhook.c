#include "webhook.h"

#include <string.h>

#include "crypt.h"
#include "jsn.h"
#include "text.h"

#define HEADS "refs/heads/"

static bool is_signed(
    const char *secret, const struct webhook_proof *proof, const char *body, size_t len)
{
	char want[CRYPT_HEX_LEN];
	const char *hex = proof->sha256 ? text_after(proof->sha256, "sha256=") : proof->signature;
	if (!hex)
		return proof->token && crypt_equal(proof->token, secret);
	_cleanup_str_ char *got = text_lower(hex);
	crypt_hmac_sha256_hex(secret, strlen(secret), body, len, want);
	return crypt_equal(got, want);
}

enum webhook_verdict webhook_judge(const char *secret, const char *branch,
    const struct webhook_proof *proof, const char *body, size_t len)
{
	if (!*secret || !is_signed(secret, proof, body, len))
		return WEBHOOK_REFUSED;
	_cleanup_jsn_ struct jsn *doc = NULL;
	const char *ref = NULL;
	if (jsn_parse(body, len, &doc, NULL) == 0)
		ref = jsn_get_text(doc, "ref");
	_cleanup_str_ char *full =
	    text_starts(branch, "refs/") ? mem_strdup(branch) : mem_printf(HEADS "%s", branch);
	return !ref || text_eq(ref, full) ? WEBHOOK_ACCEPTED : WEBHOOK_IGNORED;
}
