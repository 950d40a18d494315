/*
 * webhook: whether a push event is really from the forge, and whether it concerns the watched
 * branch.
 *
 * Not the listener (httpd.h) and not trust in what the event says: a good one only means that Git
 * is asked now instead of at the next poll.
 *
 * Nothing is kept.
 *
 * Pure; in the controller process.
 */
#ifndef RAMET_WEBHOOK_H
#define RAMET_WEBHOOK_H

#include "mem.h"

/* What the forge sent beside the body; NULL = not there. */
struct webhook_proof {
	const char *sha256;    /* X-Hub-Signature-256 (GitHub, Gitea, Forgejo): sha256=HEX */
	const char *signature; /* X-Gitea-Signature, X-Forgejo-Signature, X-Gogs-Signature: HEX */
	const char *token;     /* X-Gitlab-Token: the secret itself */
};

enum webhook_verdict {
	WEBHOOK_ACCEPTED,
	WEBHOOK_IGNORED, /* genuine, but a push to another branch */
	WEBHOOK_REFUSED, /* no proof, or a wrong one */
	WEBHOOK__MAX
};

/* branch: the watched one, with or without refs/heads/. An event that names no "ref" (a ping, a
 * merge) is accepted: looking once too often costs one listing. secret is not empty. */
enum webhook_verdict webhook_judge(const char *secret, const char *branch,
    const struct webhook_proof *proof, const char *body, size_t len);

#endif
