#include "gitworker.h"
#include "child.h"
#include "gitjail.h"
#include "gitproto.h"
#include "gitread.h"
#include "gitrepo.h"
#include "gitseal.h"
#include "gitsign.h"
#include "gitwrite.h"
#include "log.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* How often a push is rehearsed when another one comes in between. */
#define REHEARSALS 5u

struct worker {
	int fd;
	bool ready; /* settings have come */
	struct buf setup_frame;
	struct gitproto_msg setup;
	struct err *setup_err; /* why no request can be served */
	struct gitrepo repo;
	bool repo_open;
	struct gitwrite write;
	uint64_t write_job;
	uint64_t job;
};

static int answer(struct worker *w, struct gitproto_msg *msg, struct err **err)
{
	struct buf b;
	buf_init(&b, GITPROTO_FRAME_MAX);
	msg->job = w->job;
	int r = gitproto_encode(msg, &b, err);
	if (r == 0)
		r = child_worker_write(w->fd, b.data, b.len, err);
	buf_fini(&b);
	return r;
}

static int answer_failure(struct worker *w, const struct err *why, bool rejected, struct err **err)
{
	struct gitproto_msg msg = {
	    .type = GITPROTO_FAILED,
	    .code = why ? why->code : ERR_INTERNAL,
	    .text = err_msg(why),
	    .hint = why ? why->hint : NULL,
	    .rejected = rejected,
	    .retry_ms = why ? why->retry_ms : 0,
	};
	return answer(w, &msg, err);
}

static int emit_file(void *arg, const struct gitproto_msg *file, struct err **err)
{
	struct gitproto_msg msg = *file;
	return answer(arg, &msg, err);
}

static int run_list(struct worker *w, struct err **err)
{
	struct gitrepo_heads heads;
	if (gitrepo_list(&w->repo, &heads, err) != 0)
		return -1;
	struct gitproto_msg msg = {
	    .type = GITPROTO_LISTED,
	    .head = heads.head[GITREPO_WATCHED],
	    .status_head = heads.head[GITREPO_STATUS],
	    .empty = heads.empty,
	    .note = heads.note,
	};
	int r = answer(w, &msg, err);
	mem_free_str(&heads.note);
	return r;
}

static int run_read(
    struct worker *w, const struct gitread_job *job, const char *rev, struct err **err)
{
	struct gitread_result res;
	char base[GIT_OID_HEXSZ + 1];
	if (gitread_run(&w->repo, job, &res, err) != 0)
		return -1;
	struct gitproto_msg msg = {
	    .type = GITPROTO_DONE,
	    .rev = rev,
	    .author = res.author,
	    .subject = res.subject,
	    .commit_wall_ms = res.commit_wall_ms,
	    .truncated = res.truncated,
	    .path_missing = res.path_missing,
	    .base = res.on_base ? git_oid_tostr(base, sizeof(base), job->base) : NULL,
	    .gaps = res.gaps,
	};
	int r = answer(w, &msg, err);
	gitread_result_fini(&res);
	return r;
}

/* Fetches the watched branch when the commit is not there yet. */
static int need_commit(struct worker *w, const char *hex, git_oid *ret, struct err **err)
{
	git_oid head;
	bool exists;

	if (!hex[0] || git_oid_fromstr(ret, hex) != 0)
		return err_set(err, ERR_INTERNAL, "no revision to read");
	if (gitrepo_has_commit(&w->repo, ret))
		return 0;
	if (gitrepo_fetch(&w->repo, GITREPO_WATCHED, &head, &exists, err) != 0)
		return -1;
	if (gitrepo_has_commit(&w->repo, ret))
		return 0;
	err_set(err, ERR_NOTFOUND, "commit %s is not in the history of %s", hex,
	    w->repo.ref[GITREPO_WATCHED]);
	return err_hint(err, "the branch may have been rewritten; its new head is read at the next "
			     "poll");
}

static void use_write(struct worker *w)
{
	if (w->write_job == w->job)
		return;
	gitwrite_fini(&w->write);
	gitrepo_begin(&w->repo);
	w->write_job = w->job;
}

/* Once. *ret_head: of the status branch, "" = there is none. *ret_moved, with an error: it moved
 * while the server was asked. */
static int rehearse(
    struct worker *w, char ret_head[GIT_OID_HEXSZ + 1], bool *ret_moved, struct err **err)
{
	git_remote *remote = NULL;
	git_oid at;
	int r = 0;

	*ret_head = '\0';
	*ret_moved = false;
	if (gitrepo_connect_push(&w->repo, &remote, err) != 0)
		return -1;
	if (gitrepo_advertised(remote, w->repo.ref[GITREPO_STATUS], &at)) {
		git_oid_tostr(ret_head, GIT_OID_HEXSZ + 1, &at);
		/* A folder on this machine has nobody who would object. */
		if (!w->repo.local)
			r = gitwrite_rehearse(&w->write, remote, &at, ret_moved, err);
	}
	git_remote_free(remote);
	gitwrite_fini(&w->write);
	return r;
}

static int run_can_push(struct worker *w, struct err **err)
{
	struct gitproto_msg msg = {.type = GITPROTO_PUBLISHED};
	char hex[GIT_OID_HEXSZ + 1];

	use_write(w);
	for (unsigned i = 0; i < REHEARSALS; i++) {
		struct err *why = NULL;
		bool moved;
		if (rehearse(w, hex, &moved, &why) == 0) {
			msg.head = hex;
			return answer(w, &msg, err);
		}
		if (!moved)
			return err_pass(err, &why);
		/* The controller itself has just reported, most likely. */
		err_free(&why);
	}
	err_set(err, ERR_CONFLICT, "%s moved each of the %u times that a push was tried",
	    w->repo.ref[GITREPO_STATUS], REHEARSALS);
	return err_hint(err, "somebody pushes to it all the time: give this controller a "
			     "report.branch of its own");
}

static int run_compare(struct worker *w, const struct gitproto_msg *req, struct err **err)
{
	struct gitproto_msg msg = {.type = GITPROTO_COMPARED, .relation = GITPORT_UNKNOWN};
	git_oid rev, base;

	if (need_commit(w, req->rev, &rev, err) != 0)
		return -1;
	if (git_oid_fromstr(&base, req->base) == 0 && gitrepo_has_commit(&w->repo, &base)) {
		int after = git_graph_descendant_of(w->repo.repo, &rev, &base);
		int before = git_graph_descendant_of(w->repo.repo, &base, &rev);
		if (after < 0 || before < 0)
			return gitrepo_fail(&w->repo, after, err, "cannot compare two revisions");
		msg.relation = git_oid_equal(&rev, &base) ? GITPORT_SAME
			       : after			  ? GITPORT_AHEAD
			       : before			  ? GITPORT_BEHIND
							  : GITPORT_DIVERGED;
	}
	return answer(w, &msg, err);
}

static int run_read_watched(
    struct worker *w, const struct gitproto_msg *req, bool strict, struct err **err)
{
	struct gitread_job job = {
	    .what.strict = strict,
	    .what.folder = w->setup.setup.path,
	    .what.only = req->path,
	    .what.suffixes = w->setup.setup.suffixes,
	    .what.ignores = true,
	    .emit = emit_file,
	    .arg = w,
	};
	git_oid base;
	if (need_commit(w, req->rev, &job.what.rev, err) != 0)
		return -1;
	if (gitsign_check(&w->repo, &job.what.rev, req->path[0] != '\0', err) != 0)
		return -1;
	if (req->base[0] && git_oid_fromstr(&base, req->base) == 0)
		job.base = &base;
	return run_read(w, &job, req->rev, err);
}

static int run_read_status(struct worker *w, bool strict, struct err **err)
{
	struct gitread_job job = {
	    .what.strict = strict,
	    .what.folder = w->setup.setup.status_path,
	    .what.only = "",
	    .what.suffixes = "",
	    .emit = emit_file,
	    .arg = w,
	};
	char hex[GIT_OID_HEXSZ + 1];
	bool exists;

	if (gitrepo_fetch(&w->repo, GITREPO_STATUS, &job.what.rev, &exists, err) != 0)
		return -1;
	if (exists)
		return run_read(w, &job, git_oid_tostr(hex, sizeof(hex), &job.what.rev), err);
	struct gitproto_msg msg = {.type = GITPROTO_DONE};
	return answer(w, &msg, err);
}

/* A reading that fails on a broken cache is done again with a new one; what the new one lacks is
 * the server's fault and is reported file by file. */
static int run_reading(struct worker *w, const struct gitproto_msg *req, struct err **err)
{
	_cleanup_err_ struct err *why = NULL;

	for (int attempt = 0;; attempt++) {
		bool strict = attempt == 0;
		err_free(&why);
		int r = req->type == GITPROTO_READ ? run_read_watched(w, req, strict, &why)
						   : run_read_status(w, strict, &why);
		if (r == 0)
			return 0;
		if (attempt > 0 || !w->repo.suspect)
			return err_pass(err, &why);
		gitrepo_renew(&w->repo);
		if (!w->repo.repo)
			return err_pass(err, &why);
		if (answer(w, &(struct gitproto_msg){.type = GITPROTO_AGAIN}, err) != 0)
			return -1;
	}
}

/* The parts of a publish of another job, which was given up, are dropped. */
static int run_publish(
    struct worker *w, const struct gitproto_msg *req, bool *ret_rejected, struct err **err)
{
	char head[GIT_OID_HEXSZ + 1];
	use_write(w);
	int r = gitwrite_publish(&w->write, req->rev, req->text, head, ret_rejected, err);
	gitwrite_fini(&w->write);
	if (r != 0) {
		/* Its files were in the cache: whoever asked asks again. */
		gitrepo_renew(&w->repo);
		return -1;
	}
	struct gitproto_msg msg = {.type = GITPROTO_PUBLISHED, .head = head};
	return answer(w, &msg, err);
}

/* A repository on this machine that lies in other places, too, or not there yet. */
static bool is_scattered(const char *path)
{
	_cleanup_str_ char *bare = mem_printf("%s/objects/info/alternates", path);
	_cleanup_str_ char *work = mem_printf("%s/.git/objects/info/alternates", path);
	_cleanup_str_ char *linked = mem_printf("%s/.git", path);
	struct stat st;
	return access(path, F_OK) != 0 || access(bare, F_OK) == 0 || access(work, F_OK) == 0 ||
	       (stat(linked, &st) == 0 && !S_ISDIR(st.st_mode));
}

static uint16_t proxy_port(const char *url)
{
	_cleanup_gitaddr_ struct gitaddr a = {0};
	/* Its path is missing, which is no fault here; 1080 is what libcurl takes without a port.
	 */
	const char *fault = url[0] ? gitaddr_parse(url, &a) : NULL;
	(void)fault;
	return (uint16_t)(!url[0] ? 0 : a.port ? a.port : a.scheme == GITADDR_HTTPS ? 443 : 1080);
}

/* Only what this remote takes. */
static void enter_jail(const struct gitrepo *g)
{
	const struct gitproto_setup *s = g->setup;
	const struct gitaddr *a = &g->addr;
	struct gitjail jail = {.folders = true, .max_file_bytes = s->max_pack_bytes + (64 << 20)};

	gitjail_add_system(&jail);
	strs_add(&jail.write, s->dir);
	switch (a->scheme) {
	case GITADDR_FILE:
		strs_add(&jail.write, a->path);
		jail.folders = !is_scattered(a->path);
		break;
	case GITADDR_HTTP:
	case GITADDR_HTTPS:
		jail.ports[0] = (uint16_t)(a->port			? a->port
					   : a->scheme == GITADDR_HTTPS ? 443
									: 80);
		jail.ports[1] = 53; /* of long answers of the name service */
		strs_add(&jail.read, s->ca_file);
		strs_add(&jail.read, s->client_cert_file);
		strs_add(&jail.read, s->client_key_file);
		jail.ports[2] = proxy_port(s->proxy);
		break;
	case GITADDR_SSH:
		jail.programs = true;
		jail.ports[0] = (uint16_t)(a->port ? a->port : 22);
		jail.ports[1] = 53;
		strs_add(&jail.read, s->known_hosts_file);
		strs_add(&jail.read, s->ssh_key_file);
		strs_add(&jail.read, s->ssh_passphrase_file);
		strs_add(&jail.read, s->write_ssh_key_file);
		strs_add(&jail.read, s->write_ssh_passphrase_file);
		break;
	case GITADDR_SCHEME__MAX:
		break;
	}
	if (s->verify[0] && strcmp(s->verify, "none") != 0) {
		jail.programs = true; /* ssh-keygen, gpgv */
		strs_add(&jail.read, s->keyring_file);
		strs_add(&jail.read, s->allowed_signers_file);
		strs_add(&jail.read, s->revoked_signers_file);
	}
	if (gitseal_is_on(s)) {
		jail.programs = true;
		jail.helpers = gitseal_is_pgp(s); /* gpg's agent */
		strs_add(&jail.read, s->signing_key_file);
		/* Of a key in PEM form ssh-keygen wants the public half, too. */
		strs_add_take(&jail.read, mem_printf("%s.pub", s->signing_key_file));
		strs_add(&jail.read, s->signing_passphrase_file);
	}
	gitjail_enter(&jail);
	gitjail_fini(&jail);
}

static int take_setup(struct worker *w, struct buf *frame, struct err **err)
{
	if (w->ready)
		return err_set(err, ERR_PROTOCOL, "settings came twice");
	w->ready = true;
	/* The settings borrow from the frame: it stays. */
	w->setup_frame = *frame;
	buf_init_secret(frame, frame->max);
	if (gitproto_decode(w->setup_frame.data, w->setup_frame.len, &w->setup, err) != 0)
		return -1;
	const struct gitproto_setup *s = &w->setup.setup;
	const char *const secrets[] = {s->password, s->token, s->write_password, s->write_token};
	for (size_t i = 0; i < ARRAY_LEN(secrets); i++) {
		if (secrets[i][0])
			log_mask(secrets[i]);
	}
	w->repo_open = true;
	/* What is wrong with the settings is the answer to every request. */
	if (gitrepo_open(&w->repo, s, &w->setup_err) == 0)
		enter_jail(&w->repo);
	else if (!w->setup_err)
		err_set(&w->setup_err, ERR_INTERNAL, "cannot open the cache");
	return 0;
}

static int run(
    struct worker *w, const struct gitproto_msg *req, bool *ret_rejected, struct err **err)
{
	switch (req->type) {
	case GITPROTO_LIST:
		return run_list(w, err);
	case GITPROTO_READ:
	case GITPROTO_READ_STATUS:
		return run_reading(w, req, err);
	case GITPROTO_COMPARE:
		return run_compare(w, req, err);
	case GITPROTO_CAN_PUSH:
		return run_can_push(w, err);
	case GITPROTO_PUBLISH:
		return run_publish(w, req, ret_rejected, err);
	case GITPROTO_PUT:
		use_write(w);
		gitwrite_put(&w->write, req->path, req->data.ptr, req->data.len);
		return 0;
	case GITPROTO_DEL:
		use_write(w);
		gitwrite_del(&w->write, req->path);
		return 0;
	case GITPROTO_SETUP:
	case GITPROTO_FILE:
	case GITPROTO_GONE:
	case GITPROTO_AGAIN:
	case GITPROTO_LISTED:
	case GITPROTO_DONE:
	case GITPROTO_COMPARED:
	case GITPROTO_PUBLISHED:
	case GITPROTO_FAILED:
	case GITPROTO__MAX:
		break;
	}
	return err_set(err, ERR_PROTOCOL, "a %s message is no request", gitproto_word(req->type));
}

static bool is_part(enum gitproto_type type)
{
	return type == GITPROTO_PUT || type == GITPROTO_DEL;
}

/* One frame. A failure is the end of the worker; what fails within a request is its answer. */
static int serve(struct worker *w, struct buf *frame, struct err **err)
{
	struct gitproto_msg req;
	bool rejected = false;
	_cleanup_err_ struct err *why = NULL;

	if (gitproto_decode(frame->data, frame->len, &req, err) != 0)
		return -1;
	if (req.type == GITPROTO_SETUP)
		return take_setup(w, frame, err);
	if (!w->ready)
		return err_set(err, ERR_PROTOCOL, "a request came before the settings");
	w->job = req.job;
	if (w->setup_err)
		return is_part(req.type) ? 0 : answer_failure(w, w->setup_err, false, err);
	if (!is_part(req.type))
		gitrepo_begin(&w->repo);
	if (run(w, &req, &rejected, &why) == 0)
		return 0;
	return answer_failure(w, why, rejected, err);
}

int gitworker_main(int fd)
{
	struct worker w = {.fd = fd};
	_cleanup_err_ struct err *err = NULL;
	struct buf frame;
	int r;

	child_worker_init();
	gitwrite_init(&w.write, &w.repo);
	buf_init_secret(&frame, GITPROTO_FRAME_MAX);
	while ((r = child_worker_read(fd, GITPROTO_FRAME_MAX, &frame, &err)) > 0) {
		if (serve(&w, &frame, &err) != 0) {
			r = -1;
			break;
		}
	}
	if (r < 0)
		log_error("git worker", "%s, ending", err_msg(err));
	buf_fini(&frame);
	gitwrite_fini(&w.write);
	if (w.repo_open)
		gitrepo_close(&w.repo);
	buf_fini(&w.setup_frame);
	err_free(&w.setup_err);
	return r < 0 ? 1 : 0;
}
