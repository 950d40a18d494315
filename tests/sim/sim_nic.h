/*
 * sim_nic: what a running guest's NICs have counted, as far as a rule says so.
 *
 * Not what a system in the guest sends and receives: that is chance. A NIC that no system drives
 * takes one packet, which QEMU read before it knew that nobody wants it; a pause empties QEMU's
 * queue and lets in one more. What comes by itself is the host's own report of the multicast groups
 * of a bridge, when a first port gives that bridge its carrier.
 *
 * Owns nothing: the counts stand in struct guest.
 *
 * Inside the simulated cluster only.
 */
#ifndef RAMET_SIM_NIC_H
#define RAMET_SIM_NIC_H

#include "sim_state.h"

/* The guest's process has begun here: its NICs are plugged, those of lower numbers first. */
void nic_plug_all(struct sim *s, struct guest *g);
/* One comes while it runs (instead of another one), or goes. Before it is in the configuration. */
void nic_plug(struct sim *s, struct guest *g, const char *key, const char *value);
void nic_unplug(struct guest *g, const char *key);
/* QEMU pauses. */
void nic_pause(struct guest *g);
/* It has come from another node while it ran: QEMU tells the switches where its addresses are. */
void nic_moved(struct sim *s, struct guest *g);

int64_t nic_in(const struct nics *v, unsigned slot);
int64_t nic_out(const struct nics *v, unsigned slot);
unsigned nic_slot(const char *key); /* of "net3" */

#endif
