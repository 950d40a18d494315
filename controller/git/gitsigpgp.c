#include "gitsigpgp.h"
#include "gitpgpwords.h"
#include "gitprog.h"

#include <unistd.h>

#define KEYRING_BYTES ((size_t)16 << 20)

/* gpgv reads binary keyrings only; what people export is often in ASCII armour. */
static int unarmour(
    const struct gitproto_setup *s, const char *path, bool *ret_done, struct err **err)
{
	struct buf text, keys;

	if (gitprog_read(s->keyring_file, KEYRING_BYTES, &text, err) != 0)
		return -1;
	int r = 0;
	buf_init(&keys, KEYRING_BYTES);
	*ret_done = text.len && gitpgpwords_is_armoured(text.data, text.len);
	if (*ret_done && (!gitpgpwords_unarmour(buf_str(&text), &keys) || keys.overflow)) {
		r = err_set(err, ERR_CONFIG, "git.verify.keyring_file has a broken key in it");
		err_hint(err, "make it anew: gpg --export --armor WHO >FILE");
	}
	if (*ret_done && r == 0)
		r = gitprog_write(path, keys.data, keys.len, err);
	buf_fini(&keys);
	buf_fini(&text);
	return r;
}

static int judge(const struct gitverdict_case *c, const char *sig_file, const char *keyring,
    enum gitverdict *ret, struct err **err)
{
	const char *argv[] = {"gpgv", "--quiet", "--homedir", c->setup->dir, "--status-fd", "1",
	    "--keyring", keyring, "--", sig_file, "-", NULL};
	_cleanup_gitprog_ struct gitprog p = {0};

	if (gitprog_write(sig_file, c->sig.ptr, c->sig.len, err) != 0 ||
	    gitprog_run(argv, NULL, &c->data, &p, err) != 0)
		return -1;
	/* More of an answer than one signature makes is no answer. */
	*ret = p.out.overflow ? GITVERDICT_SEVERAL : gitpgpwords_verdict(buf_str(&p.out), p.status);
	return 0;
}

int gitsigpgp_judge(const struct gitverdict_case *c, enum gitverdict *ret, struct err **err)
{
	_cleanup_str_ char *sig_file = mem_printf("%s/" GITPROG_SIGNATURE, c->setup->dir);
	_cleanup_str_ char *keyring = mem_printf("%s/" GITPROG_KEYRING, c->setup->dir);
	bool armoured = false;

	int r = unarmour(c->setup, keyring, &armoured, err);
	if (r == 0)
		r = judge(c, sig_file, armoured ? keyring : c->setup->keyring_file, ret, err);
	unlink(sig_file);
	unlink(keyring);
	return r;
}
