#include "gitsshwords.h"
#include "gitname.h"

#include <string.h>

#define WORDS_SHOWN 300

static const struct {
	const char *word;
	enum err_code code;
	const char *what, *hint;
} table[] = {
    {"REMOTE HOST IDENTIFICATION HAS CHANGED", ERR_TLS, "the host key is not the known one",
	"if the key was changed on purpose, compare the new fingerprint with what the server's "
	"administrator says and replace the old line in git.known_hosts_file; if not, somebody may "
	"stand between you and the server"},
    {"REVOKED HOST KEY", ERR_TLS, "the host key is marked as revoked in git.known_hosts_file",
	"do not trust this server before its administrator has told you its new key"},
    {"Certificate invalid", ERR_TLS, "the certificate of the host key is not valid",
	"let the server's administrator renew it, or add the host key itself to "
	"git.known_hosts_file"},
    {"you have requested strict checking", ERR_TLS, "no host key of this server is known",
	"add the output of ssh-keyscan for it to git.known_hosts_file, after comparing it with "
	"what "
	"the server's administrator says"},
    {"Host key verification failed", ERR_TLS, "the host key cannot be verified",
	"check git.known_hosts_file"},
    {"UNPROTECTED PRIVATE KEY FILE", ERR_CONFIG, "others may read git.ssh_key_file",
	"take their rights away: chmod 600"},
    {"incorrect passphrase", ERR_CONFIG, "the passphrase does not open git.ssh_key_file",
	"check git.ssh_passphrase_file"},
    {"no such identity", ERR_CONFIG, "git.ssh_key_file is not there", "check git.ssh_key_file"},
    {"Load key", ERR_CONFIG, "git.ssh_key_file cannot be used",
	"it must be a private key in OpenSSH or PEM form that this user may read; one with a "
	"passphrase needs git.ssh_passphrase_file"},
    {"Permission denied (", ERR_AUTH, "the server does not accept the key",
	"register the public half of git.ssh_key_file with the server, for the user in git.url; a "
	"key "
	"with a passphrase needs git.ssh_passphrase_file"},
    {"Too many authentication failures", ERR_AUTH, "the server does not accept the key",
	"set git.ssh_key_file to the one key that is meant"},
    {"Could not resolve hostname", ERR_UNREACHABLE, "the Git server is unknown",
	"check the host in git.url and the name service"},
    {"timed out", ERR_TIMEOUT, "the Git server does not answer",
	"check the server and the network; it will be tried again"},
    {"not responding", ERR_TIMEOUT, "the Git server does not answer",
	"check the server and the network; it will be tried again"},
    {"Connection refused", ERR_UNREACHABLE, "no connection to the Git server",
	"check host and port in git.url, and that the server runs"},
    {"No route to host", ERR_UNREACHABLE, "no connection to the Git server",
	"check host and port in git.url, and the network"},
    {"Network is unreachable", ERR_UNREACHABLE, "no connection to the Git server",
	"check the network"},
    {"kex_exchange_identification", ERR_UNREACHABLE, "the Git server hung up",
	"check host and port in git.url; the server may refuse so many connections"},
    {"Unable to negotiate", ERR_PROTOCOL, "the server and the ssh program have no way in common",
	"update the server or the ssh program"},
    {"does not appear to be a git repository", ERR_NOTFOUND, "there is no repository",
	"check the path in git.url"},
    {"epository not found", ERR_NOTFOUND, "there is no repository",
	"check the path in git.url; some servers also say so to a user without rights"},
    {"No such file or directory", ERR_NOTFOUND, "there is no repository",
	"check the path in git.url"},
    {"not found", ERR_REMOTE, "the server cannot serve Git",
	"check that Git is installed there, and the path in git.url"},
    {"closed by remote host", ERR_UNREACHABLE, "the Git server hung up",
	"look into the log of the Git server; it will be tried again"},
    {"Connection reset", ERR_UNREACHABLE, "the connection broke",
	"check the server and the network; it will be tried again"},
    {"Broken pipe", ERR_UNREACHABLE, "the connection broke",
	"check the server and the network; it will be tried again"},
};

#define KEY_SENT " key sent by the remote host is\n"

/* The type of key that the server showed, in the warning about a changed one; its length. */
static const char *sent_type(const char *words, size_t *ret_len)
{
	const char *at = strstr(words, KEY_SENT);
	if (!at)
		return NULL;
	const char *type = at;
	while (type > words && type[-1] != ' ')
		type--;
	*ret_len = (size_t)(at - type);
	return type;
}

/* The lines on one; of the warning about a changed key, which is long, type and fingerprint. */
static char *shown(const char *words)
{
	struct buf b;
	size_t len;

	buf_init(&b, 0);
	const char *type = sent_type(words, &len);
	if (type) {
		const char *print = type + len + strlen(KEY_SENT);
		buf_addf(
		    &b, "it shows %.*s %.*s", (int)len, type, (int)strcspn(print, ".\r\n"), print);
		words = "";
	}
	while (*words) {
		len = strcspn(words, "\r\n");
		if (len)
			buf_adds(&b, b.len ? "; " : "");
		buf_add(&b, words, len);
		words += len;
		words += strspn(words, "\r\n");
	}
	char *clean = gitname_clean(buf_str(&b), WORDS_SHOWN, false);
	buf_fini(&b);
	return clean;
}

int gitsshwords_blame(const char *host, const char *words, int status, struct err **err)
{
	if (status == 127 && !words[0]) {
		err_set(err, ERR_CONFIG, "there is no ssh program on this machine");
		return err_hint(err, "install openssh-client, or use https");
	}
	_cleanup_str_ char *said = shown(words);
	const char *sep = *said ? ": " : "";
	for (size_t i = 0; i < ARRAY_LEN(table); i++) {
		if (!strcasestr(words, table[i].word))
			continue;
		err_set(err, table[i].code, "%s: %s%s%s", host, table[i].what, sep, said);
		return err_hint(err, "%s", table[i].hint);
	}
	err_set(err, status == 255 ? ERR_UNREACHABLE : ERR_REMOTE,
	    "%s: ssh ended with status %d%s%s", host, status, sep, said);
	return err_hint(err, "try the same by hand: ssh -i KEY USER@%s", host);
}

bool gitsshwords_is_hostkey(const char *words)
{
	return strstr(words, "Host key verification failed") || strstr(words, "strict checking") ||
	       strstr(words, "no matching host key type");
}

const char *gitsshwords_changed(const char *words)
{
	static const struct {
		const char *type, *pattern;
	} types[] = {
	    {"ED25519", "*ed25519*"},
	    {"ECDSA", "*ecdsa*"},
	    {"RSA", "*rsa*"},
	};
	size_t len;
	const char *type = sent_type(words, &len);
	if (!type || !strstr(words, "REMOTE HOST IDENTIFICATION HAS CHANGED"))
		return NULL;
	for (size_t i = 0; i < ARRAY_LEN(types); i++) {
		if (len == strlen(types[i].type) && memcmp(type, types[i].type, len) == 0)
			return types[i].pattern;
	}
	return NULL;
}
