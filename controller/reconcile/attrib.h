/*
 * attrib: who changed what, from the lines of the cluster log.
 *
 * Not a detector of change: the log loses lines, and without a right it shows nothing. It only
 * gives names to drift that was found otherwise.
 *
 * A bounded memory of the newest changes; names are copied. Lines are foreign text.
 *
 * The controller process.
 */
#ifndef RAMET_ATTRIB_H
#define RAMET_ATTRIB_H

#include "text.h"

#define ATTRIB_MAX 5000
#define ATTRIB_LOG_MAX 2000 /* lines looked at in one answer */
#define ATTRIB_NODES_MAX 1000

struct attrib;
struct attrib *attrib_new(const char *own_user);
void attrib_free(struct attrib **a);
/* The user of a UPID that our own POST returned. */
void attrib_learn_self(struct attrib *a, const char *upid);

typedef void (*attrib_cb)(void *arg, uint32_t vmid);
/* The answer to GET /cluster/log, left unread (pvereq.h). For each line that is new and not ours,
 * cb tells the VMID. -1: it is none. */
int attrib_feed(struct attrib *a, const char *list, size_t len, attrib_cb cb, void *arg) MUST_CHECK;

/* Who changed this PVE key of the guest last ("cores", "net0"; "power", "node" for what tasks do);
 * NULL = unknown. Borrowed until the next feed. */
const char *attrib_who(const struct attrib *a, uint32_t vmid, const char *key);

#endif
