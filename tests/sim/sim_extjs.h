/*
 * sim_extjs: the formatters of answers: /api2/json and /api2/extjs.
 *
 * Not the other ones of pveproxy (html, png, spiceconfig): those are answered as unknown.
 *
 * Nothing is owned here.
 *
 * Inside the simulated cluster only.
 */
#ifndef RAMET_SIM_EXTJS_H
#define RAMET_SIM_EXTJS_H

#include "jsn.h"

/* Whether there is such a formatter; NULL = json. */
bool format_known(const char *format);
/* Rewrites an answer for this formatter: extjs wants "success" instead of a status. The body is
 * changed in place. */
void format_answer(const char *format, struct jsn *body, int *status, const char **reason);

#endif
