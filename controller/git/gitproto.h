/*
 * gitproto: the messages between the controller and its git worker, as bytes.
 *
 * Not their transport (loop/child.h frames them) and not their meaning (gitwork.h, gitworker.h).
 * Both ends are one binary, so there is no version; but the worker reads what strangers wrote, so
 * the controller believes none of its bytes: what decodes obeys every limit in gitproto.def.
 *
 * A decoded message borrows its strings and bytes from the frame it was decoded from.
 *
 * Controller and git worker. Pure.
 */
#ifndef RAMET_GITPROTO_H
#define RAMET_GITPROTO_H

#include "buf.h"
#include "err.h"
#include "gitport.h"

#define GITPROTO_RELATION_MAX (GITPORT_RELATION__MAX - 1)
#define GITPROTO_FRAME_MAX ((size_t)(16 << 20) + (64 << 10))

enum gitproto_type {
#define GITMSG(type, word, direction) GITPROTO_##type,
#include "gitproto.def"
	GITPROTO__MAX
};

/* What a field may hold. Strings are never NULL after decoding and have no NUL inside. */
enum gitproto_kind {
	GITPROTO_LINE,	 /* printable UTF-8 without control characters */
	GITPROTO_TEXT,	 /* the same with line feeds and tabs */
	GITPROTO_SECRET, /* any bytes but NUL */
	GITPROTO_OID,	 /* 40 hex digits in lower case, or "" */
	GITPROTO_BYTES,	 /* struct gitproto_bytes */
	GITPROTO_NUMBER, /* int64_t, not negative */
	GITPROTO_TIME,	 /* int64_t, any */
	GITPROTO_FLAG,	 /* bool */
	GITPROTO_KIND__MAX
};

struct gitproto_bytes {
	const char *ptr;
	size_t len;
};

/* What a worker knows. NULL counts as "". */
struct gitproto_setup {
	const char *dir;		 /* folder for the cached repository; created if missing */
	const char *url;		 /* https, http, ssh or file; without a password */
	const char *branch;		 /* watched: short name, or a full ref */
	const char *path;		 /* watched folder, "" = whole tree */
	const char *suffixes;		 /* of files worth reading: ".yaml .yml"; "" = all */
	const char *status_branch;	 /* short name, or a full ref */
	const char *status_path;	 /* report folder in the status tree, "" = its root */
	const char *username;		 /* https */
	const char *password;		 /* https; "" = none */
	const char *token;		 /* https, instead of a password; "" = none */
	const char *ca_file;		 /* https; "" = the system's */
	const char *client_cert_file;	 /* https; "" = none */
	const char *client_key_file;	 /* https; "" = it is in the certificate's file */
	const char *proxy;		 /* http://[user:password@]host:port for https; "" = none */
	const char *ssh_key_file;	 /* ssh; "" = the client's own */
	const char *ssh_passphrase_file; /* ssh; "" = the key has none */
	/* For pushing, where others are to be used than for reading; "" = the same. */
	const char *write_username, *write_password, *write_token;  /* https */
	const char *write_ssh_key_file, *write_ssh_passphrase_file; /* ssh */
	const char *known_hosts_file;				    /* ssh; mandatory */
	const char *verify;		  /* none, head, range; "" = none */
	const char *allowed_signers_file; /* SSH keys of who may sign; "" = nobody */
	const char *revoked_signers_file; /* who may no more; "" = nobody */
	const char *keyring_file;	  /* OpenPGP keys of who may sign; "" = nobody */
	const char *author_name, *author_email;
	const char *signing_key_file; /* of our own commits, SSH or OpenPGP; "" = not signed */
	const char *signing_passphrase_file; /* "" = the key has none */
	int64_t max_files;		     /* in one reading */
	int64_t max_file_bytes;		     /* of one file */
	int64_t max_total_bytes;	     /* of one reading */
	int64_t max_depth;		     /* folders within folders */
	int64_t max_pack_bytes;		     /* one transfer */
	int64_t connect_ms;		     /* connection and TLS */
	int64_t stall_ms;		     /* longest silence in a transfer */
};

struct gitproto_msg {
	enum gitproto_type type;
	uint64_t job;
	struct gitproto_setup setup;
	const char *rev, *base, *path, *text, *hint, *skipped;
	const char *head, *status_head, *note;
	const char *author, *subject;
	struct gitproto_bytes data;
	int64_t commit_wall_ms, code, relation, retry_ms;
	bool empty, truncated, path_missing, gaps, rejected;
};

/* "setup", "list", …: for logs. */
const char *gitproto_word(enum gitproto_type type);
bool gitproto_is_request(enum gitproto_type type);

/* Appends the message to b. ERR_LIMIT or ERR_INPUT naming the field that does not fit. */
int gitproto_encode(const struct gitproto_msg *msg, struct buf *b, struct err **err) MUST_CHECK;
/* ERR_PROTOCOL; *ret borrows from data. */
int gitproto_decode(
    const void *data, size_t len, struct gitproto_msg *ret, struct err **err) MUST_CHECK;

#endif
