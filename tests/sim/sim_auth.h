/*
 * sim_auth: users, tokens, roles, access lists: who may do what on which path.
 *
 * Not which rights a call needs (sim_routes.def and the handlers say that).
 *
 * All data belong to the simulation.
 *
 * Inside the simulated cluster only.
 */
#ifndef RAMET_SIM_AUTH_H
#define RAMET_SIM_AUTH_H

#include "sim_job.h"

enum spriv {
#define PRIV(code, word, v8, v9) SPRIV_##code,
#include "sim_priv.def"
#undef PRIV
	SPRIV__MAX
};
#define PRIV_BIT(p) ((uint64_t)1 << SPRIV_##p)

/* All privileges of this version. */
uint64_t priv_all(const struct sim *s);
const char *priv_word(enum spriv p);
/* 0 if there is none of this name in this version. */
uint64_t priv_parse(const struct sim *s, const char *word);

void auth_builtin_roles(struct sim *s);
struct srole *role_find(const struct sim *s, const char *name);

/* Who sent it. False: a 401 with this reason. */
bool auth_identify(struct sim *s, const struct job *j, struct who *ret, const char **ret_reason);
/* What this user or token may do on a path; propagate = only what also counts below it. */
uint64_t auth_privs(
    const struct sim *s, const struct who *w, const char *path, uint64_t *propagate);
/* The paths on which somebody was given something, and those above them. */
void auth_paths(const struct sim *s, struct strs *ret);
bool auth_has(const struct sim *s, const struct who *w, const char *path, uint64_t any);
/* Whether the right counts for all below the path, without looking at each. */
bool auth_everywhere(const struct sim *s, const struct who *w, const char *path, uint64_t any);
/* The usual 403 unless all (or, with any, one) of the privileges are there. */
bool auth_check(const struct sim *s, const struct who *w, const char *path, uint64_t privs,
    bool any, struct oops *o);
/* On /vms/N, with the privileges in the order in which the message names them. */
bool auth_vm(
    const struct sim *s, const struct who *w, int64_t vmid, uint64_t privs, struct oops *o);

/* A ticket for a user with this password; NULL if it is wrong. Owned text. */
char *auth_ticket(struct sim *s, const char *user, const char *password);
const char *auth_csrf(const char *ticket);

#endif
