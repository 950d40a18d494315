/*
 * grant: what a refusal for lack of a right names, and the command that gives it.
 *
 * Not what is needed at all (needs.h) and not the asking whether it is there (cli/checkup.h).
 *
 * Results belong to the caller.
 *
 * Pure. Sources: check, check_any and check_full of PVE::RPCEnvironment, which put path and
 * privileges into the text, but not where either of two paths would do.
 */
#ifndef RAMET_GRANT_H
#define RAMET_GRANT_H

#include "endpoints.h"
#include "needs.h"

/* A call that was refused. */
struct grant_call {
	enum endpoint_id endpoint;
	uint32_t vmid, newid; /* newid: of a clone */
	const char *pool;
	const struct strs *privileges; /* for those that the endpoint leaves open; NULL = none */
};

/* The privileges that one of is lacking, and where: from PVE's words, else, when these name none,
 * from the endpoint. -1: nobody knows. */
int grant_lack(const struct grant_call *call, const char *text, struct strs *ret_privileges,
    char **ret_path) MUST_CHECK;
/* The need that one of these privileges on this path fills, directly or by inheritance; NULL = it
 * is no need. Borrowed. */
const struct need *grant_need(
    const struct needs *l, const struct strs *privileges, const char *path);
/* Gives user and token everything that is needed on this path: what stands on a path replaces what
 * it would inherit. token: "user@realm!name", NULL = not known. */
char *grant_command(const struct needs *l, const char *path, const char *token);

#endif
