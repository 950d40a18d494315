/* Whose a VMID is: on record, wanted by a manifest, touched by somebody. */
#include "controller_int.h"

#include <stdlib.h>
#include <string.h>

bool controller_is_known(void *arg, uint32_t vmid)
{
	const struct controller *c = arg;

	return c->n_known && bsearch(&vmid, c->known, c->n_known, sizeof(vmid), mem_compare_u32);
}

bool controller_is_sought(void *arg, const char *name)
{
	const struct controller *c = arg;

	return strs_has_sorted(&c->sought, name);
}

static void note_sought(struct controller *c, const struct guest *g)
{
	const struct resource *r = guest_manifest(g);
	const char *name = r ? resource_str(r, ATTR_name) : NULL;

	if (r && !guest_vmid(g))
		strs_add(&c->sought, name ? name : guest_name(g));
}

void controller_note_known(struct controller *c)
{
	strs_fini(&c->sought);
	for (size_t i = 0; i < c->n_guests; i++)
		note_sought(c, c->guests[i]);
	strs_sort_unique(&c->sought);
	free(c->known);
	c->known = mem_calloc(c->n_guests + 1, sizeof(*c->known));
	c->n_known = 0;
	for (size_t i = 0; i < c->n_guests; i++)
		if (guest_vmid(c->guests[i]))
			c->known[c->n_known++] = guest_vmid(c->guests[i]);
	qsort(c->known, c->n_known, sizeof(*c->known), mem_compare_u32);
}

void controller_on_touched(void *arg, const uint32_t *vmids, size_t n)
{
	struct controller *c = arg;

	claims_touch(c->claims, vmids, n);
	for (size_t i = 0; i < c->n_guests; i++) {
		uint32_t vmid = guest_vmid(c->guests[i]);

		if (bsearch(&vmid, vmids, n, sizeof(vmid), mem_compare_u32))
			guest_wake(c->guests[i]);
	}
}

static int by_id(const void *a, const void *b)
{
	const struct controller_id *x = a, *y = b;

	return x->vmid < y->vmid ? -1 : x->vmid > y->vmid;
}

/* A bundle never changes, so its numbers are sorted once. */
static void note_ids(struct controller *c)
{
	const struct bundle *b = c->bundle;

	if (c->ids)
		return;
	c->ids = mem_calloc(b ? b->n + 1 : 1, sizeof(*c->ids));
	c->n_ids = 0;
	for (size_t i = 0; b && i < b->n; i++) {
		int64_t id = resource_int(b->v[i].res, ATTR_id);

		if (id > 0 && id <= UINT32_MAX)
			c->ids[c->n_ids++] =
			    (struct controller_id){.vmid = (uint32_t)id, .name = b->v[i].res->name};
	}
	qsort(c->ids, c->n_ids, sizeof(*c->ids), by_id);
}

static bool is_wanted_by_other(struct controller *c, uint32_t vmid, const char *name)
{
	size_t i;

	note_ids(c);
	i = MEM_PLACE(at, c->n_ids, c->ids[at].vmid < vmid);
	for (; i < c->n_ids && c->ids[i].vmid == vmid; i++)
		if (strcmp(c->ids[i].name, name) != 0)
			return true;
	return false;
}

bool controller_is_reserved(void *arg, uint32_t vmid, const char *name)
{
	struct controller *c = arg;

	if (is_wanted_by_other(c, vmid, name))
		return true;
	for (size_t i = 0; i < c->n_guests; i++)
		if (guest_vmid(c->guests[i]) == vmid && strcmp(guest_name(c->guests[i]), name) != 0)
			return true;
	return false;
}
