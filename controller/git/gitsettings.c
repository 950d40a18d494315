#include "gitsettings.h"
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

static int check_url(const char *url, struct err **err)
{
	const char *rest = strstr(url, "://");
	bool ssh = text_starts(url, "ssh://") || text_starts(url, "git+ssh://") ||
		   (!rest && strchr(url, ':') && url[0] != '/');

	if (!url[0]) {
		err_set(err, ERR_CONFIG, "git.url is not set");
		return err_hint(err, "set it to an address such as "
				     "https://git.example.org/group/name.git");
	}
	if (ssh) {
		err_set(err, ERR_CONFIG, "git.url \"%s\": ssh is not supported yet", url);
		return err_hint(err, "use https with git.username and git.password_file");
	}
	if (!text_starts(url, "https://") && !text_starts(url, "http://") &&
	    !text_starts(url, "file:///") && !text_starts(url, "file://localhost/")) {
		err_set(err, ERR_CONFIG, "git.url \"%s\" is none of https, http and file", url);
		return err_hint(err, "write a repository on this machine as file:///path/name.git");
	}
	const char *end = rest + 3 + strcspn(rest + 3, "/?#");
	const char *at = memrchr(rest + 3, '@', (size_t)(end - rest - 3));
	if (at && memchr(rest + 3, ':', (size_t)(at - rest - 3))) {
		/* Not repeated in the message: it holds a secret. */
		err_set(err, ERR_CONFIG, "git.url contains a password");
		return err_hint(err, "put it into a file and set git.password_file");
	}
	return 0;
}

/* Whether the host is this machine: nobody listens in between. */
static bool is_loopback(const char *url)
{
	const char *host = strstr(url, "://") + 3;
	const char *end = host + strcspn(host, "/?#");
	const char *at = memrchr(host, '@', (size_t)(end - host));
	if (at)
		host = at + 1;
	return text_starts(host, "127.") || text_starts(host, "[::1]") ||
	       (text_starts(host, "localhost") && strchr(":/", host[9]));
}

static int check_secret(const struct gitproto_setup *s, struct err **err)
{
	if (!s->password || !s->password[0] || !text_starts(s->url, "http://") ||
	    is_loopback(s->url))
		return 0;
	err_set(err, ERR_CONFIG, "git.url \"%s\" would send the password in clear text", s->url);
	return err_hint(err, "use https");
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
	if (check_url(msg.setup.url, err) != 0 || check_secret(&msg.setup, err) != 0)
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
