/* What a running guest's NICs have counted. */
#include "sim_nic.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sim_prop.h"

/* MLDv2 over Ethernet: 14 + 40 + 8 (router alert) + 8, and 20 for each of the bridge's two groups:
 * the one of its own address and the one of all that snoop. */
#define REPORT_BYTES (14 + 40 + 8 + 8 + 2 * 20)
/* QEMU's announcement after a migration: five reverse ARP requests of the shortest frame. */
#define ANNOUNCE_BYTES (5 * 60)

unsigned nic_slot(const char *key)
{
	return (unsigned)strtoul(key + strlen("net"), NULL, 10) % SIM_NICS_MAX;
}

static uint32_t bit(const char *key)
{
	return UINT32_C(1) << nic_slot(key);
}

int64_t nic_in(const struct nics *v, unsigned slot)
{
	return (int64_t)REPORT_BYTES * (((v->first >> slot) & 1) + ((v->second >> slot) & 1));
}

int64_t nic_out(const struct nics *v, unsigned slot)
{
	return (int64_t)ANNOUNCE_BYTES * ((v->moved >> slot) & 1);
}

/* Whether a running guest's NIC is a port of the bridge, by itself or by a firewall's bridge. */
static bool has_port(struct sim *s, const struct node *n, const char *bridge)
{
	for (size_t i = 0; i < s->nguests; i++) {
		const struct guest *g = s->guests[i];

		if (!g->running || g->node != n)
			continue;
		KV_FOREACH (k, &g->conf) {
			_cleanup_kv_ struct kv p = {0};

			if (prop_is_net(k->key) && (g->nics.plugged & bit(k->key)) &&
			    net_parse(s, k->key, k->value, &p) &&
			    text_eq(kv_get(&p, "bridge"), bridge))
				return true;
		}
	}
	return false;
}

void nic_plug(struct sim *s, struct guest *g, const char *key, const char *value)
{
	_cleanup_kv_ struct kv p = {0};
	const char *bridge;

	nic_unplug(g, key);
	if (!net_parse(s, key, value, &p) || text_eq(kv_get(&p, "link_down"), "1"))
		return;
	bridge = kv_get(&p, "bridge");
	/* A NIC with the firewall's flag is the first on a bridge of its own. */
	if (bridge && (text_eq(kv_get(&p, "firewall"), "1") ||
			  (g->node->portless && !has_port(s, g->node, bridge))))
		g->nics.first |= bit(key);
	g->nics.plugged |= bit(key);
}

void nic_plug_all(struct sim *s, struct guest *g)
{
	for (unsigned i = 0; i < SIM_NICS_MAX; i++) {
		char key[16];

		snprintf(key, sizeof(key), "net%u", i);
		if (kv_has(&g->conf, key))
			nic_plug(s, g, key, kv_get(&g->conf, key));
	}
}

void nic_unplug(struct guest *g, const char *key)
{
	uint32_t b = bit(key);

	g->nics.plugged &= ~b;
	g->nics.first &= ~b;
	g->nics.second &= ~b;
	g->nics.moved &= ~b;
}

/* The report is sent twice. */
void nic_pause(struct guest *g)
{
	g->nics.second = g->nics.first;
}

void nic_moved(struct sim *s, struct guest *g)
{
	g->nics = (struct nics){0};
	nic_plug_all(s, g);
	g->nics.moved = g->nics.plugged;
}
