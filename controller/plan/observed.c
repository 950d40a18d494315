#include "observed.h"

#include <stdlib.h>
#include <string.h>

void obs_guest_fini(struct obs_guest *g)
{
	free(g->node);
	kv_fini(&g->current);
	kv_fini(&g->pending);
	strs_fini(&g->pending_keys);
	strs_fini(&g->snapshot_names);
	free(g->digest);
	free(g->power_word);
	free(g->lock);
	free(g->lock_holder);
	free(g->ha_state);
	free(g->pool);
	free(g->uuid);
	*g = (struct obs_guest){0};
}

void obs_guest_copy(struct obs_guest *dst, const struct obs_guest *src)
{
	*dst = *src;
	dst->node = mem_strdup(src->node);
	kv_copy(&dst->current, &src->current);
	kv_copy(&dst->pending, &src->pending);
	strs_copy(&dst->pending_keys, &src->pending_keys);
	strs_copy(&dst->snapshot_names, &src->snapshot_names);
	dst->digest = mem_strdup(src->digest);
	dst->power_word = mem_strdup(src->power_word);
	dst->lock = mem_strdup(src->lock);
	dst->lock_holder = mem_strdup(src->lock_holder);
	dst->ha_state = mem_strdup(src->ha_state);
	dst->pool = mem_strdup(src->pool);
	dst->uuid = mem_strdup(src->uuid);
}

void obs_row_fini(struct obs_row *r)
{
	free(r->node);
	free(r->name);
	free(r->lock);
	free(r->tags);
	free(r->pool);
	free(r->ha_state);
	free(r->status);
}

char *obs_guest_lock_text(const struct obs_guest *g, const char *what)
{
	return mem_printf("%s %u is locked (%s)%s%s", what, g->vmid, g->lock,
	    g->lock_holder ? ": " : "", g->lock_holder ? g->lock_holder : "");
}

void obs_cluster_fini(struct obs_cluster *c)
{
	for (size_t i = 0; i < c->n_nodes; i++)
		free(c->nodes[i].name);
	for (size_t i = 0; i < c->n_storages; i++) {
		free(c->storages[i].id);
		free(c->storages[i].node);
		free(c->storages[i].plugin);
		free(c->storages[i].content);
	}
	for (size_t i = 0; i < c->n_rows; i++)
		obs_row_fini(&c->rows[i]);
	free(c->nodes);
	free(c->storages);
	free(c->rows);
	strs_fini(&c->pools);
	free(c->tag_rules);
	*c = (struct obs_cluster){0};
}

static int compare_vmid(const void *key, const void *row)
{
	uint32_t a = *(const uint32_t *)key, b = ((const struct obs_row *)row)->vmid;
	return (a > b) - (a < b);
}

bool obs_row_has_tag(const struct obs_row *row, const char *tag)
{
	struct strs tags = {0};
	bool found;

	if (!row->tags || !tag[0] || text_split(row->tags, ";, ", true, 500, &tags) < 0)
		return false;
	found = strs_has(&tags, tag);
	strs_fini(&tags);
	return found;
}

const struct obs_row *obs_cluster_row(const struct obs_cluster *c, uint32_t vmid)
{
	if (!c || !c->n_rows)
		return NULL;
	return bsearch(&vmid, c->rows, c->n_rows, sizeof(*c->rows), compare_vmid);
}

const struct obs_node *obs_cluster_node(const struct obs_cluster *c, const char *name)
{
	for (size_t i = 0; c && i < c->n_nodes; i++)
		if (text_eq(c->nodes[i].name, name))
			return &c->nodes[i];
	return NULL;
}

const struct obs_storage *obs_cluster_storage(
    const struct obs_cluster *c, const char *id, const char *node)
{
	for (size_t i = 0; c && i < c->n_storages; i++)
		if (text_eq(c->storages[i].id, id) && text_eq(c->storages[i].node, node))
			return &c->storages[i];
	return NULL;
}
