/*
 * pvetoken: the API token, and whether the cluster accepts it.
 *
 * Not the requests (pveport.h) and not the file that the token comes from.
 *
 * Owns its copy of the token, which is masked in the log; borrows the clock and what `read` needs.
 *
 * The controller process.
 *
 * After a 401 no request may go out but one a minute, the probe; all others would be refused as
 * well. Before each probe the token is read again, and while it is refused before each request:
 * another one gets its chance at once.
 */
#ifndef RAMET_PVETOKEN_H
#define RAMET_PVETOKEN_H

#include "clock.h"
#include "err.h"

#define PVETOKEN_PROBE_MS 60000

struct pvetoken_opts {
	struct clock *clock;
	const char *token; /* user@realm!name=uuid */
	/* Reads the token again; the text is taken over. May be NULL: it never changes. */
	int (*read)(void *arg, char **ret, struct err **err);
	void *arg;
	int64_t probe_ms; /* between two tries with a refused token; 0 = PVETOKEN_PROBE_MS */
};

/* What a request went out with. */
struct pvetoken_pass {
	bool probe;
	unsigned serial; /* of the token */
};

struct pvetoken {
	uint32_t magic;
	unsigned serial;	/* how often it became another one */
	struct pvetoken_opts o; /* without the token */
	char *text;
	bool refused;	  /* the last answer was 401 */
	bool probing;	  /* the probe is under way */
	int64_t probe_at; /* the next one may go out */
};

bool pvetoken_is_valid(const char *text);
void pvetoken_init(struct pvetoken *t, const struct pvetoken_opts *opts);
void pvetoken_fini(struct pvetoken *t);
/* Whether a request may go out now. */
bool pvetoken_ask(struct pvetoken *t, struct pvetoken_pass *ret);
/* The status that it was answered with. */
void pvetoken_answered(struct pvetoken *t, int status, const struct pvetoken_pass *pass);
/* To be called at its end, answered or not. */
void pvetoken_over(struct pvetoken *t, const struct pvetoken_pass *pass);

#endif
