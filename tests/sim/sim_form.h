/*
 * sim_form: queries, forms and JSON bodies as the API's HTTP server takes them apart.
 *
 * Not a check of parameters (sim_schema).
 *
 * Results are the caller's.
 *
 * The HTTP front of the simulated cluster.
 */
#ifndef RAMET_SIM_FORM_H
#define RAMET_SIM_FORM_H

#include "jsn.h"
#include "kv.h"

/* Percent-encoding (and, if plus, "+" as a blank) undone. Owned. */
char *form_decode(const char *s, size_t len, bool plus);
/* "a=1&b=2"; ";" separates as "&" does. What is there twice becomes a list (SIM_MANY); what stands
 * in ret already is replaced. Bytes that are no UTF-8 become U+FFFD. */
void form_parse(const char *text, struct kv *ret);
/* A body by its content type. 0, or the status to answer with the reason (owned). */
int form_body(
    const char *type, const char *body, size_t len, bool v9, struct kv *ret, char **ret_why);
/* What is wrong with a JSON text, in the words of the parser that pveproxy uses; NULL = nothing. */
char *form_flaw(const char *text, size_t len);

#endif
