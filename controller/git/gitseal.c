#include "gitseal.h"
#include "gitkey.h"
#include "gitprog.h"
#include "text.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define ASKPASS "askpass-sign"

bool gitseal_is_on(const struct gitproto_setup *s)
{
	return s->signing_key_file[0] != '\0';
}

bool gitseal_is_pgp(const struct gitproto_setup *s)
{
	return gitseal_is_on(s) && gitkey_kind(s->signing_key_file) == GITKEY_PGP;
}

static int unreadable(const char *setting, struct err **err)
{
	err_set(err, ERR_CONFIG, "%s cannot be read: %s", setting, strerror(errno));
	return err_hint(err, "check the file's name and who may read it");
}

static char *askpass_path(const struct gitproto_setup *s)
{
	return mem_printf("%s/" ASKPASS, s->dir);
}

int gitseal_check_settings(const struct gitproto_setup *s, struct err **err)
{
	_cleanup_str_ char *askpass = askpass_path(s);

	if (!gitseal_is_on(s))
		return 0;
	if (access(s->signing_key_file, R_OK) != 0)
		return unreadable("report.signing_key_file", err);
	if (s->signing_passphrase_file[0] && access(s->signing_passphrase_file, R_OK) != 0)
		return unreadable("report.signing_passphrase_file", err);
	switch (gitkey_kind(s->signing_key_file)) {
	case GITKEY_PGP:
		if (gitprog_need("gpg", err) != 0)
			return -1;
		return gitprog_need("gpg-agent", err);
	case GITKEY_PGP_PUBLIC:
		err_set(err, ERR_CONFIG,
		    "report.signing_key_file holds the public half of an OpenPGP key only");
		return err_hint(
		    err, "write the other one: gpg --export-secret-keys --armor WHO >FILE");
	case GITKEY_HARDWARE:
		return gitkey_blame_hardware("report.signing_key_file", err);
	case GITKEY_OTHER:
	case GITKEY_KIND__MAX:
		break;
	}
	if (s->signing_passphrase_file[0])
		return gitprog_askpass(askpass, s->signing_passphrase_file, err);
	return 0;
}

static int cannot(const struct gitprog *p, const char *program, const char *hint, struct err **err)
{
	err_set(err, ERR_CONFIG, "report.signing_key_file cannot sign: %s%s",
	    p->words[0] ? p->words : program, p->words[0] ? "" : " says nothing");
	return err_hint(err, "%s", hint);
}

static int sign_ssh(const struct gitproto_setup *s, const char *data, size_t len,
    struct gitprog *ret, struct err **err)
{
	const char *argv[] = {
	    "ssh-keygen", "-q", "-Y", "sign", "-n", "git", "-f", s->signing_key_file, NULL};
	_cleanup_str_ char *askpass = askpass_path(s);
	_cleanup_str_ char *asks = mem_printf("SSH_ASKPASS=%s", askpass);
	const char *env[] = {"SSH_ASKPASS_REQUIRE=force", asks, NULL};
	const char *none[] = {"SSH_ASKPASS_REQUIRE=never", NULL};
	bool locked = s->signing_passphrase_file[0] != '\0';

	if (gitprog_run(argv, locked ? env : none, &(struct gitproto_bytes){data, len}, ret, err) !=
	    0)
		return -1;
	if (ret->status == 0 && text_starts(buf_str(&ret->out), "-----BEGIN SSH"))
		return 0;
	return cannot(ret, "ssh-keygen",
	    locked ? "check that the content of report.signing_passphrase_file opens the key, "
		     "and that the key is readable by this user only (chmod 600)"
		   : "it must be a private SSH or OpenPGP key, with rights for this user only "
		     "(chmod 600); one with a passphrase needs report.signing_passphrase_file",
	    err);
}

/* In a home of its own, which goes away: of the user's keys and settings gpg knows nothing. Its
 * helper, which holds the key, ends with the program that it was started for. */
static int sign_pgp(const struct gitproto_setup *s, const char *data, size_t len,
    struct gitprog *ret, struct err **err)
{
	static const char script[] =
	    "set -- \"$2\" --homedir \"$1\" --batch --no-tty --quiet --pinentry-mode loopback "
	    "${3:+--passphrase-file \"$3\"}; key=$1; shift; "
	    "gpg \"$@\" --import \"$key\" </dev/null && exec gpg \"$@\" --armor --detach-sign";
	_cleanup_str_ char *home = mem_printf("%s/" GITPROG_HOME, s->dir);
	_cleanup_str_ char *log = mem_printf("%s/log", home);
	const char *argv[] = {"gpg-agent", "--homedir", home, "--quiet", "--log-file", log,
	    "--daemon", "/bin/sh", "-c", script, "sh", home, s->signing_key_file,
	    s->signing_passphrase_file, NULL};

	gitprog_sweep(s->dir);
	if (mkdir(home, 0700) != 0)
		return err_set(err, ERR_IO, "cannot make %s: %s", home, strerror(errno));
	int r = gitprog_run(argv, NULL, &(struct gitproto_bytes){data, len}, ret, err);
	gitprog_sweep(s->dir);
	if (r != 0)
		return -1;
	if (ret->status == 0 && text_starts(buf_str(&ret->out), "-----BEGIN PGP SIGNATURE"))
		return 0;
	return cannot(ret, "gpg",
	    s->signing_passphrase_file[0]
		? "check that the content of report.signing_passphrase_file opens the key, and "
		  "that the key may sign and has not expired"
		: "it must be what gpg --export-secret-keys prints, of a key that may sign and has "
		  "not expired; one with a passphrase needs report.signing_passphrase_file",
	    err);
}

int gitseal_sign(
    const struct gitproto_setup *s, const char *data, size_t len, char **ret, struct err **err)
{
	_cleanup_gitprog_ struct gitprog p = {0};

	int r =
	    gitseal_is_pgp(s) ? sign_pgp(s, data, len, &p, err) : sign_ssh(s, data, len, &p, err);
	if (r != 0)
		return -1;
	if (p.out.overflow)
		return err_set(err, ERR_CONFIG, "the signature of the report is too long");
	char *sig = mem_strdup(buf_str(&p.out));
	text_trim_right(sig);
	*ret = sig;
	return 0;
}
