#include "gitseal.h"
#include "gitprog.h"
#include "text.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

bool gitseal_is_on(const struct gitproto_setup *s)
{
	return s->signing_key_file[0] != '\0';
}

int gitseal_check_settings(const struct gitproto_setup *s, struct err **err)
{
	if (!gitseal_is_on(s) || access(s->signing_key_file, R_OK) == 0)
		return 0;
	err_set(err, ERR_CONFIG, "report.signing_key_file cannot be read: %s", strerror(errno));
	return err_hint(err, "check the file's name and who may read it");
}

int gitseal_sign(
    const struct gitproto_setup *s, const char *data, size_t len, char **ret, struct err **err)
{
	const char *argv[] = {
	    "ssh-keygen", "-q", "-Y", "sign", "-n", "git", "-f", s->signing_key_file, NULL};
	_cleanup_gitprog_ struct gitprog p = {0};

	if (gitprog_run(argv, data, len, &p, err) != 0)
		return -1;
	if (p.status != 0 || p.out.overflow || !text_starts(buf_str(&p.out), "-----BEGIN SSH")) {
		err_set(err, ERR_CONFIG, "report.signing_key_file cannot sign: %s",
		    p.words[0] ? p.words : "ssh-keygen says nothing");
		return err_hint(err, "it must be a private SSH key without a passphrase, with "
				     "rights for this user only (chmod 600)");
	}
	char *sig = mem_strdup(buf_str(&p.out));
	text_trim_right(sig);
	*ret = sig;
	return 0;
}
