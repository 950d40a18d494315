/*
 * pvepart: parts of property strings with several names, and parts in base64.
 *
 * Not the property string itself (propstr.h).
 *
 * Results belong to the caller.
 *
 * Pure.
 */
#ifndef RAMET_PVEPART_H
#define RAMET_PVEPART_H

#include "propstr.h"

/* Of "a|b" the one that is there, else the first, which is what is written. */
char *pvepart_name(const char *names, const struct propstr *p);
/* Parts of a string in which base64=1 counts for all of them but the UUID. NULL: it is not there.
 */
char *pvepart_get_base64(const struct propstr *p, const char *part);
/* The others are recoded with the first that needs it. */
void pvepart_put_base64(struct propstr *p, const char *part, const char *text);

/* Before a limit of a drive's speed is put: PVE takes limits in bytes for none at all, and neither
 * these nor a none that it wrote as 0.000 beside the new one. Other parts: nothing. */
void pvepart_make_room(struct propstr *p, const char *part);

#endif
