#include "gitssh.h"
#include "gitkey.h"
#include "gitname.h"
#include "gitprog.h"
#include "gitsshproc.h"
#include "gitsshwords.h"
#include "gitsub.h"
#include "log.h"
#include "text.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define SSH_MAGIC 0x67737368u

struct gitssh {
	uint32_t magic;
	const struct gitproto_setup *setup;
	const struct gitaddr *addr;
	struct err **cause;
	char *askpass;	     /* script that prints the passphrase, or NULL */
	char *write_askpass; /* the same of the key for pushing, when it has one of its own */
	char *without;	     /* types of host keys that turned out changed, as ssh wants them */
	char *changed;	     /* what ssh said of the first of them */
	struct gitsub_kind kind;
};

struct stream {
	git_smart_subtransport_stream parent; /* first */
	struct gitssh *h;
	bool push;
	struct gitsshproc proc;
	bool running, moved; /* moved: bytes went over it */
	int64_t received;
};

static int refuse(struct stream *s)
{
	git_error_set_str(GIT_ERROR_SSH, err_msg(*s->h->cause));
	return -1;
}

static int silent(struct stream *s)
{
	if (!*s->h->cause) {
		err_set(s->h->cause, ERR_TIMEOUT, "%s: the Git server is silent", s->h->addr->host);
		err_hint(s->h->cause, "check the server and the network; it will be tried again");
	}
	return refuse(s);
}

/* --- the command --- */

/* Quoted for the list of files that an option takes; the client would expand % in it. */
static void add_file(struct strs *argv, const char *option, const char *path)
{
	struct buf b;
	if (!path || !path[0])
		return;
	buf_init(&b, 0);
	buf_addf(&b, "%s=\"", option);
	for (const char *p = path; *p; p++) {
		buf_addc(&b, *p);
		if (*p == '%')
			buf_addc(&b, '%');
	}
	buf_addc(&b, '"');
	strs_add(argv, "-o");
	strs_add_take(argv, buf_take(&b));
}

static void add_option(struct strs *argv, const char *option)
{
	strs_add(argv, "-o");
	strs_add(argv, option);
}

/* For the shell on the other side. */
static char *command(const char *program, const char *path)
{
	struct buf b;
	/* "/~user/x" is how a URL writes a folder of somebody. */
	if (text_starts(path, "/~"))
		path++;
	buf_init(&b, 0);
	buf_addf(&b, "%s '", program);
	for (const char *p = path; *p; p++) {
		if (*p == '\'' || *p == '!')
			buf_addf(&b, "'\\%c'", *p);
		else
			buf_addc(&b, *p);
	}
	buf_addc(&b, '\'');
	return buf_take(&b);
}

static bool has_write_key(const struct gitssh *h)
{
	return h->setup->write_ssh_key_file[0] != '\0';
}

static const char *askpass_of(const struct gitssh *h, bool push)
{
	return push && has_write_key(h) ? h->write_askpass : h->askpass;
}

static void build_argv(const struct gitssh *h, bool push, struct strs *argv)
{
	static const char *const fixed[] = {"StrictHostKeyChecking=yes",
	    "GlobalKnownHostsFile=/dev/null", "UpdateHostKeys=no", "IdentitiesOnly=yes",
	    "IdentityAgent=none", "PasswordAuthentication=no", "KbdInteractiveAuthentication=no",
	    "NumberOfPasswordPrompts=1", "ClearAllForwardings=yes", "ForwardAgent=no",
	    "ForwardX11=no", "PermitLocalCommand=no", "ControlMaster=no", "ControlPath=none",
	    "ProxyCommand=none", "CanonicalizeHostname=no", "ServerAliveInterval=15",
	    "ServerAliveCountMax=2", "LogLevel=INFO"};
	const struct gitproto_setup *o = h->setup;

	strs_add(argv, "ssh");
	strs_add(argv, "-F");
	strs_add(argv, "/dev/null");
	strs_add(argv, "-T");
	for (size_t i = 0; i < ARRAY_LEN(fixed); i++)
		add_option(argv, fixed[i]);
	add_option(argv, askpass_of(h, push) ? "BatchMode=no" : "BatchMode=yes");
	strs_add(argv, "-o");
	strs_add_take(
	    argv, mem_printf("ConnectTimeout=%lld", (long long)(o->connect_ms + 999) / 1000));
	add_file(argv, "UserKnownHostsFile", o->known_hosts_file);
	add_file(argv, "IdentityFile",
	    push && has_write_key(h) ? o->write_ssh_key_file : o->ssh_key_file);
	if (h->without) {
		strs_add(argv, "-o");
		strs_add_take(argv, mem_printf("HostKeyAlgorithms=-%s", h->without));
	}
	if (h->addr->port) {
		strs_add(argv, "-p");
		strs_add_take(argv, mem_printf("%d", h->addr->port));
	}
	if (h->addr->user) {
		strs_add(argv, "-l");
		strs_add(argv, h->addr->user);
	}
	strs_add(argv, "--");
	strs_add(argv, h->addr->host);
	strs_add_take(argv, command(push ? "git-receive-pack" : "git-upload-pack", h->addr->path));
}

static int start(struct stream *s)
{
	struct gitssh *h = s->h;
	_cleanup_strs_ struct strs argv = {0};
	const char *script = askpass_of(h, s->push);
	_cleanup_str_ char *askpass = script ? mem_printf("SSH_ASKPASS=%s", script) : NULL;
	const char *env[] = {"PATH=/usr/local/bin:/usr/bin:/bin", "LC_ALL=C",
	    script ? "SSH_ASKPASS_REQUIRE=force" : "SSH_ASKPASS_REQUIRE=never", askpass, NULL};

	build_argv(h, s->push, &argv);
	const char **v = mem_calloc(argv.n + 1, sizeof(*v));
	for (size_t i = 0; i < argv.n; i++)
		v[i] = argv.v[i];
	int r = gitsshproc_start(&s->proc, v, env, h->cause);
	free(v);
	if (r != 0)
		return refuse(s);
	s->running = true;
	s->moved = false;
	return 0;
}

/* --- streams --- */

/* The server has another key than the known one of a type, but may still prove itself by one of
 * another type: that is how keys are rotated. 1 = try again without that type. */
static int another_key(struct stream *s)
{
	const char *pattern = gitsshwords_changed(buf_str(&s->proc.words));
	struct gitssh *h = s->h;

	if (!pattern || s->moved || (h->without && strstr(h->without, pattern)))
		return 0;
	log_warn("git",
	    "the host key of %s (%s) is not the one in git.known_hosts_file, trying its "
	    "others",
	    h->addr->host, pattern);
	char *without = h->without ? mem_printf("%s,%s", h->without, pattern) : mem_strdup(pattern);
	if (!h->changed)
		h->changed = mem_strdup(buf_str(&s->proc.words));
	mem_free_str(&h->without);
	h->without = without;
	gitsshproc_fini(&s->proc);
	s->running = false;
	return 1;
}

static const char *key_setting(const struct stream *s)
{
	return s->push && has_write_key(s->h) ? "git.write.ssh" : "git.ssh";
}

/* ssh has closed its output. 1 = started again, 0 = a normal end, -1 with the reason. */
static int at_end(struct stream *s)
{
	int status = WIFEXITED(s->proc.status) ? WEXITSTATUS(s->proc.status) : 255;

	if (status == 0)
		return 0;
	if (another_key(s))
		return start(s) == 0 ? 1 : -1;
	if (*s->h->cause)
		return refuse(s);
	const char *words = buf_str(&s->proc.words);
	/* When none of its keys is a known one, the first that differed is what a person must see;
	 * the next attempt begins with all of them again. */
	bool none_fits = s->h->changed && gitsshwords_is_hostkey(words);
	gitsshwords_blame(s->h->addr->host, none_fits ? s->h->changed : words, status, s->h->cause);
	/* A wrong passphrase shows as nothing else than a key that is not offered. */
	bool own = s->push && has_write_key(s->h);
	if ((own || askpass_of(s->h, s->push)) && (*s->h->cause)->code == ERR_AUTH)
		err_hint(s->h->cause,
		    "check that the content of %s_passphrase_file opens "
		    "%s_key_file, and that its public half is registered with "
		    "the server",
		    key_setting(s), key_setting(s));
	if (none_fits) {
		mem_free_str(&s->h->changed);
		mem_free_str(&s->h->without);
	}
	return refuse(s);
}

static int stream_read(git_smart_subtransport_stream *stream, char *to, size_t size, size_t *ret_n)
{
	struct stream *s = (struct stream *)stream;
	ssize_t n;

	*ret_n = 0;
	if (!s->running && start(s) != 0)
		return -1;
	while ((n = gitsshproc_read(&s->proc, to, size, s->h->setup->stall_ms)) == 0) {
		int r = at_end(s);
		if (r <= 0)
			return r;
	}
	if (n < 0)
		return silent(s);
	if (!s->received && !*s->h->cause && gitname_is_sha256(to, (size_t)n))
		(void)gitname_blame_sha256(s->h->cause);
	s->moved = true;
	s->received += n;
	if (s->received > s->h->setup->max_pack_bytes) {
		_cleanup_str_ char *max = text_bytes((uint64_t)s->h->setup->max_pack_bytes);
		err_set(s->h->cause, ERR_LIMIT, "the server sends more than %s", max);
		err_hint(s->h->cause,
		    "keep manifests in a repository of their own, without large files");
		return refuse(s);
	}
	*ret_n = (size_t)n;
	return 0;
}

static int stream_write(git_smart_subtransport_stream *stream, const char *data, size_t len)
{
	struct stream *s = (struct stream *)stream;
	char rest[256];

	if (!s->running && start(s) != 0)
		return -1;
	s->moved = true;
	int r = gitsshproc_write(&s->proc, data, len, s->h->setup->stall_ms);
	if (r == 0)
		return 0;
	if (r < 0)
		return silent(s);
	/* It hung up while we spoke: its words and its status tell why. */
	while (gitsshproc_read(&s->proc, rest, sizeof(rest), s->h->setup->stall_ms) > 0)
		;
	if (at_end(s) == 0) {
		err_set(
		    s->h->cause, ERR_UNREACHABLE, "%s: the Git server hung up", s->h->addr->host);
		err_hint(
		    s->h->cause, "look into the log of the Git server; it will be tried again");
	}
	return refuse(s);
}

static void stream_stop(struct stream *s)
{
	if (s->running)
		gitsshproc_fini(&s->proc);
	s->running = false;
}

static void stream_free(git_smart_subtransport_stream *stream)
{
	struct stream *s = (struct stream *)stream;
	struct gitsub *sub = (struct gitsub *)stream->subtransport;
	stream_stop(s);
	if (sub->stream == s)
		sub->stream = NULL;
	free(s);
}

/* --- what libgit2 calls --- */

static int sub_action(git_smart_subtransport_stream **ret, git_smart_subtransport *parent,
    const char *url UNUSED, git_smart_service_t service)
{
	struct gitsub *sub = (struct gitsub *)parent;

	if (service == GIT_SERVICE_UPLOADPACK || service == GIT_SERVICE_RECEIVEPACK) {
		if (!sub->stream) {
			git_error_set_str(GIT_ERROR_SSH, "no connection to go on with");
			return -1;
		}
		*ret = sub->stream;
		return 0;
	}
	struct stream *s = mem_alloc(sizeof(*s));
	s->parent.subtransport = parent;
	s->parent.read = stream_read;
	s->parent.write = stream_write;
	s->parent.free = stream_free;
	s->h = sub->transport;
	s->push = service == GIT_SERVICE_RECEIVEPACK_LS;
	sub->stream = s;
	*ret = &s->parent;
	return 0;
}

static int sub_close(git_smart_subtransport *parent)
{
	struct gitsub *sub = (struct gitsub *)parent;
	if (sub->stream)
		stream_stop(sub->stream);
	return 0;
}

static int write_askpass(
    struct gitssh *h, const char *file, const char *name, char **ret, struct err **err)
{
	_cleanup_str_ char *path = mem_printf("%s/%s", h->setup->dir, name);

	if (!file[0])
		return 0;
	if (gitprog_askpass(path, file, err) != 0)
		return -1;
	*ret = TAKE(path);
	return 0;
}

static int check_files(const struct gitproto_setup *o, struct err **err)
{
	const char *const files[] = {o->known_hosts_file, o->ssh_key_file, o->write_ssh_key_file};
	static const char *const names[] = {
	    "git.known_hosts_file", "git.ssh_key_file", "git.write.ssh_key_file"};
	for (size_t i = 0; i < ARRAY_LEN(files); i++) {
		if (!files[i][0])
			continue;
		if (strpbrk(files[i], "\"$\\"))
			return err_set(err, ERR_CONFIG,
			    "%s has a character in its name that ssh "
			    "would expand",
			    names[i]);
		if (access(files[i], R_OK) != 0) {
			err_set(
			    err, ERR_CONFIG, "%s cannot be read: %s", names[i], strerror(errno));
			return err_hint(err, "check the file's name and who may read it");
		}
		if (i > 0 && gitkey_kind(files[i]) == GITKEY_HARDWARE)
			return gitkey_blame_hardware(names[i], err);
	}
	return 0;
}

int gitssh_new(struct gitssh **ret, const struct gitproto_setup *setup, const struct gitaddr *addr,
    struct err **cause, struct err **err)
{
	struct gitssh *h = mem_alloc(sizeof(*h));
	h->magic = SSH_MAGIC;
	h->setup = setup;
	h->addr = addr;
	h->cause = cause;
	h->kind = (struct gitsub_kind){.transport = h, .action = sub_action, .close = sub_close};
	*ret = h;
	if (gitsub_register(&h->kind, "ssh") != 0)
		err_set(err, ERR_INTERNAL, "ssh cannot be set up");
	else if (check_files(setup, err) == 0 &&
		 write_askpass(h, setup->ssh_passphrase_file, "askpass", &h->askpass, err) == 0 &&
		 write_askpass(h, setup->write_ssh_passphrase_file, "askpass-write",
		     &h->write_askpass, err) == 0)
		return 0;
	gitssh_free(ret);
	return -1;
}

void gitssh_free(struct gitssh **hp)
{
	struct gitssh *h = *hp;
	if (!h)
		return;
	CHECK_OBJ(h, SSH_MAGIC);
	git_transport_unregister("ssh");
	mem_free_str(&h->askpass);
	mem_free_str(&h->write_askpass);
	mem_free_str(&h->without);
	mem_free_str(&h->changed);
	h->magic = 0;
	free(h);
	*hp = NULL;
}
