#include "gitsettings.h"
#include "gitaddr.h"
#include "text.h"

#include <string.h>

void gitsettings_defaults(struct gitproto_setup *setup)
{
	*setup = (struct gitproto_setup){
	    .branch = "main",
	    .status_branch = "ramet/status",
	    .suffixes = ".yaml .yml",
	    .author_name = "Ramet",
	    .author_email = "ramet@localhost",
	    .max_files = 100000,
	    .max_file_bytes = 1 << 20,
	    .max_total_bytes = 256 << 20,
	    .max_depth = 64,
	    .max_pack_bytes = (int64_t)2 << 30,
	    .connect_ms = 10000,
	    .stall_ms = 30000,
	};
}

static int check_ssh(const struct gitproto_setup *s, struct err **err)
{
	if (s->known_hosts_file && s->known_hosts_file[0])
		return 0;
	err_set(err, ERR_CONFIG, "git.url \"%s\" needs git.known_hosts_file", s->url);
	return err_hint(err,
	    "write the output of ssh-keyscan for that host to a file, after comparing "
	    "it with what the server's administrator says");
}

static int check_proxy(const char *proxy, struct err **err)
{
	const char *rest = text_after(proxy, "http://");
	if (!rest)
		rest = text_after(proxy, "https://");
	if (!proxy[0] || (rest && rest[0] && !strpbrk(rest, " \t")))
		return 0;
	/* Not repeated: it may hold a password. */
	err_set(err, ERR_CONFIG,
	    "git.proxy, or the proxy that the environment names, is not the address of one");
	return err_hint(err, "write it as http://proxy.example.org:3128, or set git.proxy to "
			     "none");
}

static int check_url(const struct gitproto_setup *s, struct err **err)
{
	_cleanup_gitaddr_ struct gitaddr a = {0};

	if (!s->url[0]) {
		err_set(err, ERR_CONFIG, "git.url is not set");
		return err_hint(err, "set it to an address such as "
				     "https://git.example.org/group/name.git");
	}
	const char *fault = gitaddr_parse(s->url, &a);
	/* Not repeated in the messages: it holds a secret. */
	if (a.has_password && a.scheme != GITADDR_SSH) {
		err_set(err, ERR_CONFIG, "git.url contains a password");
		return err_hint(err, "put it into a file and set git.password_file");
	}
	if (a.has_password) {
		err_set(err, ERR_CONFIG, "git.url contains a password, which ssh does not use");
		return err_hint(err, "set git.ssh_key_file");
	}
	if (fault) {
		err_set(err, ERR_CONFIG, "git.url \"%s\": %s", s->url, fault);
		return err_hint(err,
		    "write it as https://host/group/name.git, ssh://git@host/name.git, "
		    "or file:///path/name.git");
	}
	if (a.scheme == GITADDR_SSH)
		return check_ssh(s, err);
	const char *const secrets[] = {s->password, s->token, s->write_password, s->write_token};
	bool secret = false;
	for (size_t i = 0; i < ARRAY_LEN(secrets); i++)
		secret = secret || (secrets[i] && secrets[i][0]);
	if (a.scheme == GITADDR_HTTP && secret && !gitaddr_is_loopback(&a)) {
		err_set(err, ERR_CONFIG, "git.url \"%s\" would send the password in clear text",
		    s->url);
		return err_hint(err, "use https");
	}
	return 0;
}

/* "/vms//linux/" → "vms/linux". */
static char *clean_folder(const char *path, const char *setting, struct err **err)
{
	struct strs parts = {0};
	if (text_split(path ? path : "", "/", true, 256, &parts) != 0) {
		err_set(err, ERR_CONFIG, "%s has too many parts", setting);
		return NULL;
	}
	bool good = true;
	for (size_t i = 0; i < parts.n; i++)
		good = good && strcmp(parts.v[i], ".") != 0 && strcmp(parts.v[i], "..") != 0;
	char *folder = good ? strs_join(&parts, "/") : NULL;
	strs_fini(&parts);
	if (!folder) {
		err_set(err, ERR_CONFIG, "%s \"%s\" has a part . or ..", setting, path);
		err_hint(err, "write the folder from the root of the repository, such as vms");
	}
	return folder;
}

int gitsettings_encode(const struct gitproto_setup *setup, struct buf *b, struct err **err)
{
	struct gitproto_msg msg = {.type = GITPROTO_SETUP, .setup = *setup};
	struct err *why = NULL;

	if (!msg.setup.url)
		msg.setup.url = "";
	if (check_url(&msg.setup, err) != 0 ||
	    check_proxy(setup->proxy ? setup->proxy : "", err) != 0)
		return -1;
	_cleanup_str_ char *path = clean_folder(setup->path, "git.path", err);
	if (!path)
		return -1;
	_cleanup_str_ char *status = clean_folder(setup->status_path, "report.path", err);
	if (!status)
		return -1;
	msg.setup.path = path;
	msg.setup.status_path = status;
	if (gitproto_encode(&msg, b, &why) == 0)
		return 0;
	err_set(err, ERR_CONFIG, "settings of git: %s", err_msg(why));
	err_free(&why);
	return -1;
}
