/*
 * pveform: parameters of a call as they go over the wire.
 *
 * Not where they go, into the address or the body (pveport.c).
 *
 * The result belongs to the caller.
 *
 * Pure.
 */
#ifndef RAMET_PVEFORM_H
#define RAMET_PVEFORM_H

#include "kv.h"

/* "a=1&b=2", percent-encoded; NULL when it would be longer than max. */
char *pveform_encode(const struct kv *params, size_t max, size_t *ret_len);

#endif
