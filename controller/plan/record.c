#include "record.h"

#include <stdlib.h>
#include <string.h>

#include "text.h"

void record_fini(struct record *r)
{
	free(r->uuid);
	free(r->nonce);
	free(r->node);
	free(r->source_uuid);
	free(r->synced_rev);
	free(r->good_rev);
	free(r->good_path);
	kv_fini(&r->cloned);
	kv_fini(&r->volumes);
	kv_fini(&r->loose);
	kv_fini(&r->macs);
	kv_fini(&r->sizes);
	kv_fini(&r->stored);
	kv_fini(&r->silent);
	kv_fini(&r->unmet);
	kv_fini(&r->owned);
	kv_fini(&r->parting);
	kv_fini(&r->secrets);
	*r = (struct record){0};
}

void record_copy(struct record *dst, const struct record *src)
{
	*dst = *src;
	dst->uuid = mem_strdup(src->uuid);
	dst->nonce = mem_strdup(src->nonce);
	dst->node = mem_strdup(src->node);
	dst->source_uuid = mem_strdup(src->source_uuid);
	dst->synced_rev = mem_strdup(src->synced_rev);
	dst->good_rev = mem_strdup(src->good_rev);
	dst->good_path = mem_strdup(src->good_path);
	kv_copy(&dst->cloned, &src->cloned);
	kv_copy(&dst->volumes, &src->volumes);
	kv_copy(&dst->loose, &src->loose);
	kv_copy(&dst->macs, &src->macs);
	kv_copy(&dst->sizes, &src->sizes);
	kv_copy(&dst->stored, &src->stored);
	kv_copy(&dst->silent, &src->silent);
	kv_copy(&dst->unmet, &src->unmet);
	kv_copy(&dst->owned, &src->owned);
	kv_copy(&dst->parting, &src->parting);
	kv_copy(&dst->secrets, &src->secrets);
}

bool record_eq(const struct record *a, const struct record *b)
{
	return a->owns == b->owns && a->whole == b->whole && a->vmid == b->vmid &&
	       a->source_vmid == b->source_vmid && a->proven == b->proven &&
	       a->boot_mark == b->boot_mark && text_eq(a->uuid, b->uuid) &&
	       text_eq(a->nonce, b->nonce) && text_eq(a->node, b->node) &&
	       text_eq(a->source_uuid, b->source_uuid) && text_eq(a->synced_hash, b->synced_hash) &&
	       text_eq(a->synced_rev, b->synced_rev) && text_eq(a->good_rev, b->good_rev) &&
	       text_eq(a->good_path, b->good_path) && kv_eq(&a->volumes, &b->volumes) &&
	       kv_eq(&a->macs, &b->macs) && kv_eq(&a->loose, &b->loose) &&
	       kv_eq(&a->sizes, &b->sizes) && kv_eq(&a->stored, &b->stored) &&
	       kv_eq(&a->silent, &b->silent) && kv_eq(&a->unmet, &b->unmet) &&
	       kv_eq(&a->owned, &b->owned) && kv_eq(&a->parting, &b->parting) &&
	       kv_eq(&a->secrets, &b->secrets) && kv_eq(&a->cloned, &b->cloned);
}

bool record_is_unmet(const struct record *r, const char *path)
{
	if (!r)
		return false;
	KV_FOREACH (item, &r->unmet) {
		const char *rest = text_after(path, item->key);
		if (rest && (!*rest || *rest == '.'))
			return true;
	}
	return false;
}
