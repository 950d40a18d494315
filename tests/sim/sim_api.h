/*
 * sim_api: from a request to its handler: faults, who, where, which method, parameters, rights.
 *
 * Not what the handlers do: those are in sim_api_* and the files of the operations.
 *
 * A handler gets a job whose parameters are checked, whose node is the one that does it, and whose
 * vmid is set when the path has one. It answers or arranges its next step, then returns.
 *
 * Inside the simulated cluster only.
 */
#ifndef RAMET_SIM_API_H
#define RAMET_SIM_API_H

#include "sim_auth.h"
#include "sim_job.h"
#include "sim_row.h"
#include "sim_schema.h"

enum {
	ROUTE_PROTECTED = 1, /* done by pvedaemon, not by pveproxy */
	ROUTE_CONF = 2,	     /* takes the keys of a guest's configuration as well */
	ROUTE_WORLD = 4,     /* without credentials */
	ROUTE_HERE = 8,	     /* done by the node asked, whatever node the path names */
};

struct route {
	const char *method;
	const char *path;
	unsigned flags;
	const char *rights; /* "" = for all; "/vms/{vmid} VM.Audit|…"; see sim_routes.def */
	void (*fn)(struct job *j);
	const char *params;
	struct stable table; /* filled on first use */
	bool ready;
	size_t depth; /* components of the path, counted on first use */
};

/* The request arrives (an event of the clock). */
void api_arrive(void *job);
void routes_free(void);
/* For calls that came with 9: otherwise the answer is that there is none. */
bool api_since_9(struct job *j);
char *percent_decode(const char *s, size_t len); /* owned */

#define ROUTE(method, path, flags, rights, fn, params) void fn(struct job *j);
#include "sim_routes.def"
#undef ROUTE

/* A list of the names below a path, each under this key. */
struct jsn *index_of(const char *key, const char *const *v, size_t n);
/* What stands for the build of this version. */
const char *release_id(const struct sim *s);
bool sees_guest(const struct sim *s, const struct who *w, int64_t vmid);
/* The guest row that /cluster/resources and pools share; false if the caller may not see it. all =
 * the caller may see any; listed = with what only the list has. */
bool resource_guest(struct row *r, struct job *j, struct guest *g, bool all, bool listed);
struct jsn *resource_store(struct sim *s, struct store *st, struct node *n, bool seen);
/* The configuration as the API gives it, with types. */
void put_conf(struct sim *s, struct jsn *o, const char *key, const char *value);
/* The same under another name; nothing when there is no value. */
void put_value(struct sim *s, struct jsn *row, const char *as, const char *key, const char *value);
/* Dies with the usual text when the node has no quorum. */
bool quorum_check(struct job *j, struct oops *o);
/* pmxcfs refuses to write without quorum. */
bool pmxcfs_check(struct job *j, int64_t vmid, struct oops *o);

#endif
