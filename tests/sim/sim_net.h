/*
 * sim_net: the network between the nodes: who reaches whom, who has quorum, and what a node that is
 * cut off still believes.
 *
 * Not the network to the client, who reaches every node that is up; and not the broadcasts of
 * nodes that see each other (sim_guest).
 *
 * When a node is cut off, a copy of all guests as they were is kept, owned by the simulation: that
 * is what the side without quorum goes on showing of the others, and what the others go on showing
 * of it. It is dropped when all are back.
 *
 * Inside the simulated cluster only.
 */
#ifndef RAMET_SIM_NET_H
#define RAMET_SIM_NET_H

#include "sim_job.h"

/* Whether packets of a arrive at b now, though the membership may say otherwise yet. */
bool net_linked(const struct node *a, const struct node *b);
/* Whether b is a member of the cluster as a sees it. */
bool net_sees(const struct node *a, const struct node *b);
/* The guests that stand in the file system of this node: all, or those it knew when it was cut off.
 */
size_t net_guests(const struct sim *s, const struct node *by, struct guest ***ret);
/* Whether the node's file system has this guest under this node. */
bool net_shows(const struct sim *s, const struct node *by, const struct guest *g);
/* What node by heard last of the guest, or NULL. */
const struct heard *net_heard(struct sim *s, const struct node *by, struct guest *g);
/* When node by heard last of node n. */
int64_t net_heard_at(const struct sim *s, const struct node *by, const struct node *n);
/* Until when node by knows what node n made known at once: now, or when they lost each other. */
int64_t net_known_until(const struct sim *s, const struct node *by, const struct node *n);
/* The status of n in the eyes of by: "online", "offline" or "unknown". */
const char *net_status(const struct sim *s, const struct node *by, const struct node *n);
/* Sends the request on to j->node, where fn does it, or answers that it cannot be reached. */
void net_pass(struct job *j, bool protected_call, void (*fn)(struct job *j));

/* Answers a request for a node that is none of the cluster: its name is looked up all the same. */
void net_stranger(struct job *j, const char *name);

/* Without quorum: whether this would change anything; then what it leaves behind, and its error. */
struct confop;
bool noquorum_changes(const struct job *j, const struct confop *op);
void noquorum_conf(struct job *j, struct confop *op);

#endif
