/*
 * pveanswer: what an answer of the API means.
 *
 * Not the sending (pvereq.c, its only user).
 *
 * pveanswer_read fills a struct that the caller frees with pveanswer_fini.
 *
 * Pure.
 */
#ifndef RAMET_PVEANSWER_H
#define RAMET_PVEANSWER_H

#include "buf.h"
#include "clusterport.h"
#include "endpoints.h"
#include "jsn.h"
#include "pveerr.h"

struct pveanswer {
	struct pveerr err; /* reason, outcome, subject */
	char *text;	   /* one line for people, never NULL */
	struct jsn *body;  /* NULL when it is no JSON */
	struct kv errors;
	const char *upid; /* in body; NULL if no task was begun */
};

void pveanswer_read(
    enum endpoint_id endpoint, const struct cluster_reply *reply, struct pveanswer *ret);
/* Of somebody in front of the API, which itself never answers so: a page, or a few words. What that
 * one refuses is no lack of the token's. */
bool pveanswer_is_page(int status, const char *body);
void pveanswer_fini(struct pveanswer *a);

#endif
