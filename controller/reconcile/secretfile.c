#include "secretfile.h"

#include <stdlib.h>
#include <string.h>

#include "log.h"
#include "pvecodec.h"
#include "secret.h"

#define SALT_BYTES 16

/* The directory's own name is the administrator's; what follows is a stranger's. */
static int check_place(const char *dir, const char *path, struct err **err)
{
	const char *rest = dir && *dir ? text_after(path, dir) : NULL;
	bool below = rest && (*rest == '/' || text_ends(dir, "/"));

	if (!dir || !*dir)
		return err_set(err, ERR_INPUT, "policy.secrets_directory allows no such file");
	if (!below || strstr(rest, "/../") || text_ends(rest, "/.."))
		return err_set(
		    err, ERR_INPUT, "%s is not below policy.secrets_directory, %s", path, dir);
	return 0;
}

static int read_one(const char *dir, const char *path, char **ret, struct err **err)
{
	char *text = NULL;
	bool loose = false;

	if (check_place(dir, path, err) < 0 || secret_read(path, &text, &loose, err) < 0)
		return -1;
	int r = 0;
	if (loose)
		r = err_set(err, ERR_INPUT, "%s may be read by everybody on this host", path);
	else if (strlen(text) > SECRETFILE_MAX_BYTES || strpbrk(text, "\r\n"))
		r = err_set(err, ERR_INPUT, "%s is more than one line of %d bytes", path,
		    SECRETFILE_MAX_BYTES);
	if (r < 0) {
		mem_free_secret(&text);
		return -1;
	}
	*ret = text;
	return 0;
}

static bool is_secret(const struct leaf *l)
{
	return l->attr->codec == CODEC_SECRET && l->value.type == VALUE_STR;
}

/* "salt:digest" */
static char *digest_of(const char *secret, const char *known)
{
	char salt[2 * SALT_BYTES + 1], digest[CRYPT_HEX_LEN];

	if (known && strcspn(known, ":") == sizeof(salt) - 1) {
		memcpy(salt, known, sizeof(salt) - 1);
		salt[sizeof(salt) - 1] = '\0';
	} else {
		crypt_random_hex(SALT_BYTES, salt);
	}
	crypt_password_hex(secret, salt, digest);
	return mem_printf("%s:%s", salt, digest);
}

void secretfile_look(const char *dir, const struct resource *want, const struct record *rec,
    struct kv *ret_digests, struct kv *ret_errors)
{
	*ret_digests = *ret_errors = (struct kv){0};
	for (size_t i = 0; want && i < want->n_leaves; i++) {
		const struct leaf *l = &want->leaves[i];
		_cleanup_err_ struct err *err = NULL;
		char *secret = NULL;
		if (!is_secret(l))
			continue;
		_cleanup_str_ char *path = schema_path(l->attr, l->slot);
		if (read_one(dir, l->value.s, &secret, &err) < 0) {
			kv_set(ret_errors, path, err_msg(err));
			continue;
		}
		_cleanup_str_ char *digest =
		    digest_of(secret, rec ? kv_get(&rec->secrets, path) : NULL);
		kv_set(ret_digests, path, digest);
		mem_free_secret(&secret);
	}
}

int secretfile_fill(
    const char *dir, const struct resource *want, struct kv *params, struct err **err)
{
	for (size_t i = 0; i < want->n_leaves; i++) {
		const struct leaf *l = &want->leaves[i];
		char *secret = NULL;
		if (!is_secret(l) || !kv_has(params, pvecodec_key(l->attr, l->slot)))
			continue;
		if (read_one(dir, l->value.s, &secret, err) < 0)
			return -1;
		kv_set(params, pvecodec_key(l->attr, l->slot), secret);
		mem_free_secret(&secret);
	}
	return 0;
}
