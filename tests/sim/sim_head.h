/*
 * sim_head: the head of a request as pveproxy reads it, and that of its answer.
 *
 * Not connections nor bodies (sim_http).
 *
 * A head owns its texts.
 *
 * Inside the simulated cluster only.
 */
#ifndef RAMET_SIM_HEAD_H
#define RAMET_SIM_HEAD_H

#include "sim.h"

struct evbuffer;

#define HEAD_MAX ((size_t)8 << 10)

struct head {
	char *method, *target, *type, *authorization, *cookie, *csrf, *host;
	size_t body_len;
	bool keep_alive;
	bool expects; /* 100 Continue */
	bool gzip;    /* the client takes compressed answers */
	int refuse;   /* status to be answered instead */
	char *refuse_reason;
};

enum head_state { HEAD_WAIT, HEAD_WHOLE, HEAD_BROKEN, HEAD_MUTE };

/* Takes it out of the buffer once it is all there. */
enum head_state head_read(struct evbuffer *in, struct head *ret);
void head_fini(struct head *h);

/* The answer with its head, at this second of the clock. */
void head_answer(struct evbuffer *out, const struct head *h, const struct sim_reply *r, bool close,
    int64_t now_s);

#endif
