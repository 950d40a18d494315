/*
 * wire: whatever goes out to the cluster, held against the recorded schemas of its API.
 *
 * Not what the simulated cluster takes: that is its authors' reading of the same API.
 *
 * Static state of one program. A request that no version would take ends it, told in words.
 *
 * Tests. Where the recordings are absent nothing is watched.
 */
#ifndef RAMET_SUPPORT_WIRE_H
#define RAMET_SUPPORT_WIRE_H

#include "clusterport.h"

/* folder: with schema-8.4.json and schema-9.2.json. */
void wire_watch(const char *folder);
/* major: of the cluster's version, 0 = not known yet. */
void wire_note(int major, const struct cluster_request *req);
/* How many requests were looked at, and of which kinds. */
void wire_tell(void);

#endif
