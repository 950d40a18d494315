#include "gitkey.h"
#include "crypt.h"
#include "gitprog.h"
#include "text.h"

#include <string.h>

#define KEY_BYTES ((size_t)1 << 20)
#define OPENSSH_BEGIN "-----BEGIN OPENSSH PRIVATE KEY-----"
#define OPENSSH_END "-----END OPENSSH PRIVATE KEY-----"

/* Its public half stands in front, in clear text even when there is a passphrase. */
static bool is_hardware(const char *text)
{
	const char *from = strstr(text, OPENSSH_BEGIN);
	const char *to = from ? strstr(from, OPENSSH_END) : NULL;
	_cleanup_buf_ struct buf raw = {0};
	bool found = false;

	if (!to)
		return false;
	from += strlen(OPENSSH_BEGIN);
	_cleanup_(mem_free_secret) char *body = mem_strndup(from, (size_t)(to - from));
	buf_init_secret(&raw, KEY_BYTES);
	if (crypt_base64_decode(body, &raw) && raw.len)
		found = memmem(raw.data, raw.len, "sk-ssh-", 7) ||
			memmem(raw.data, raw.len, "sk-ecdsa-", 9);
	return found;
}

/* RFC 4880, 4.2: the tag of the first packet, in the old form or the new one. */
static unsigned packet_tag(unsigned char first)
{
	if (!(first & 0x80))
		return 0;
	return first & 0x40 ? first & 0x3f : first >> 2 & 0x0f;
}

static enum gitkey_kind look(const char *text, size_t len)
{
	if (strstr(text, "-----BEGIN PGP PRIVATE KEY BLOCK-----"))
		return GITKEY_PGP;
	if (strstr(text, "-----BEGIN PGP PUBLIC KEY BLOCK-----"))
		return GITKEY_PGP_PUBLIC;
	if (len && packet_tag((unsigned char)text[0]) == 5)
		return GITKEY_PGP;
	if (len && packet_tag((unsigned char)text[0]) == 6)
		return GITKEY_PGP_PUBLIC;
	return is_hardware(text) ? GITKEY_HARDWARE : GITKEY_OTHER;
}

enum gitkey_kind gitkey_kind(const char *path)
{
	_cleanup_buf_ struct buf text = {0};

	if (gitprog_read(path, KEY_BYTES, &text, NULL) != 0)
		return GITKEY_OTHER;
	return look(buf_str(&text), text.len);
}

int gitkey_blame_hardware(const char *setting, struct err **err)
{
	err_set(err, ERR_CONFIG, "%s stands for a key in a security key (-sk)", setting);
	return err_hint(err,
	    "such a key wants to be touched by a person: make one for ramet alone, "
	    "ssh-keygen -t ed25519, and register it");
}
