#include "checkdev.h"

#include <string.h>

#include "speeds.h"

struct subject {
	const struct resource *r;
	struct diags *diags;
};

/* clang-format off */
#define RULE_RESOURCE(fn)
#define RULE_BUNDLE(fn)
#define RULE_DEVICE(fn) static void fn(const struct subject *s);
#define RULE(code, word, severity, scope, fn, doc, where, json) RULE_##scope(fn)
#include "rules.def"
#undef RULE
#undef RULE_DEVICE
/* clang-format on */

static struct diag *complain(
    const struct subject *s, enum diag_code code, const struct leaf *l, const char *what)
{
	_cleanup_str_ char *path = schema_path(l->attr, l->slot);
	return diags_add(s->diags, code, s->r->file, l->mark, "%s: %s", path, what);
}

/* The word, when it is listed as one. */
static const char *word_of(const struct subject *s, enum attr_id id, const char *slot)
{
	const struct leaf *l = resource_find(s->r, id, slot);
	return l && l->value.type == VALUE_STR ? l->value.s : NULL;
}

/* ---- devices ---- */

static bool is_nothing(const struct leaf *l)
{
	return l->value.type == VALUE_NULL || (l->value.type == VALUE_SET && l->value.set.n == 0);
}

static bool is_beside(const struct leaf *a, const struct leaf *b)
{
	size_t block = (size_t)(schema_key(a->attr) - a->attr->path);
	return block && strncmp(a->attr->path, b->attr->path, block) == 0 &&
	       text_eq(a->slot, b->slot);
}

/* All that the device could be is listed as nothing. */
static const struct leaf *null_core(const struct subject *s, const struct leaf *of)
{
	const struct leaf *gone = NULL;

	for (int id = 0; id < ATTR_ID__MAX; id++) {
		const struct attr *a = schema_attr((enum attr_id)id);
		const struct leaf row = {.attr = a, .slot = of->slot};
		if (!(a->flags & ATTR_CORE) || !is_beside(of, &row))
			continue;
		const struct leaf *l = resource_find(s->r, a->id, of->slot);
		if (!l || !is_nothing(l))
			return NULL;
		gone = l;
	}
	return gone;
}

static void check_null_device(const struct subject *s)
{
	for (size_t i = 0; i < s->r->n_leaves; i++) {
		const struct leaf *l = &s->r->leaves[i];
		const struct leaf *core = is_nothing(l) ? NULL : null_core(s, l);
		if (!core)
			continue;
		struct diag *d = complain(
		    s, DIAG_NULL_DEVICE, l, "the device is removed by another key that is null");
		diag_hint(d, "line %u removes it: keep one of the two", core->mark.line);
	}
}

static void check_option_bus(const struct subject *s)
{
	static const struct {
		enum attr_id id;
		const char *buses; /* that have it */
	} options[] = {{ATTR_disk_ro, "scsi virtio"}, {ATTR_disk_queues, "scsi"},
	    {ATTR_disk_product, "scsi"}, {ATTR_disk_vendor, "scsi"}, {ATTR_disk_scsiblock, "scsi"},
	    {ATTR_disk_wwn, "ide sata scsi"}, {ATTR_disk_model, "ide"}};

	for (size_t i = 0; i < s->r->n_leaves; i++) {
		const struct leaf *l = &s->r->leaves[i];
		const char *bus;
		unsigned index;
		for (size_t k = 0; k < ARRAY_LEN(options); k++) {
			if (l->attr->id != options[k].id ||
			    !form_slot_parse(l->slot, &bus, &index) ||
			    strstr(options[k].buses, bus))
				continue;
			struct diag *d =
			    complain(s, DIAG_OPTION_BUS, l, "PVE has no such option on this bus");
			diag_hint(d, "remove it, or put the disk on one of: %s", options[k].buses);
		}
	}
}

struct speed {
	const struct subject *s;
	const char *slot;
};

/* Of what is not listed the template may have a value, and of null nothing is left. */
static bool listed_speed(const void *arg, enum attr_id id, double *ret)
{
	const struct speed *speed = arg;
	const struct leaf *l = resource_find(speed->s->r, id, speed->slot);

	if (!l)
		return false;
	*ret = l->value.type == VALUE_NUM   ? l->value.n
	       : l->value.type == VALUE_INT ? (double)l->value.i
					    : 0;
	return true;
}

static void check_speeds(const struct subject *s)
{
	for (size_t i = 0; i < s->r->n_leaves; i++) {
		const struct leaf *l = &s->r->leaves[i];
		const struct attr *other;
		const struct speed speed = {s, l->slot};
		_cleanup_str_ char *problem = NULL;
		if (!is_nothing(l))
			problem = speeds_problem(l->attr->id, false, listed_speed, &speed, &other);
		if (!problem)
			continue;
		struct diag *d = complain(s, DIAG_SPEEDS, l, problem);
		diag_hint(d, "remove one of the two, or change it");
	}
}

static void check_twice(const struct subject *s, enum diag_code code, enum attr_id device,
    enum attr_id mapping, const char *hint)
{
	for (size_t i = 0; i < s->r->n_leaves; i++) {
		const struct leaf *l = &s->r->leaves[i];
		if (l->attr->id != device || is_nothing(l) || !word_of(s, mapping, l->slot))
			continue;
		diag_hint(complain(s, code, l, "the device is named by mapping too"), "%s", hint);
	}
}

static void check_usb_twice(const struct subject *s)
{
	check_twice(s, DIAG_USB_TWICE, ATTR_usb_host, ATTR_usb_mapping,
	    "keep one of the two; host: null removes the one that the template has");
}

static void check_pci_twice(const struct subject *s)
{
	check_twice(s, DIAG_PCI_TWICE, ATTR_hostpci_id, ATTR_hostpci_mapping,
	    "keep one of the two; id: null removes the one that the template has");
}

static void check_tdx(const struct subject *s)
{
	const struct leaf *l = resource_find(s->r, ATTR_intel_tdx_type, NULL);
	if (!l || is_nothing(l) || resource_find(s->r, ATTR_intel_tdx_attestation, NULL))
		return;
	struct diag *d = complain(s, DIAG_TDX_ATTESTATION, l, "needs attestation beside it");
	diag_hint(d, "add attestation: true or false");
}

/* ---- cloud-init ---- */

static void check_gateway(const struct subject *s)
{
	static const enum attr_id pairs[][2] = {{ATTR_init_ipv4_gateway, ATTR_init_ipv4_address},
	    {ATTR_init_ipv6_gateway, ATTR_init_ipv6_address}};

	for (size_t i = 0; i < s->r->n_leaves; i++) {
		const struct leaf *l = &s->r->leaves[i];
		for (size_t k = 0; k < ARRAY_LEN(pairs); k++) {
			const char *address = word_of(s, pairs[k][1], l->slot);
			if (l->attr->id != pairs[k][0] || is_nothing(l) ||
			    (address && strchr(address, '/')))
				continue;
			struct diag *d = complain(s, DIAG_GATEWAY_ALONE, l,
			    address ? "the address says it by itself" : "needs an address");
			diag_hint(d, address ? "remove the gateway, or write the address out"
					     : "add the address beside it");
		}
	}
}

static void check_data_slot(const struct subject *s)
{
	const struct leaf *l = resource_find(s->r, ATTR_init_interface, NULL);
	const struct strs *deleted = resource_set(s->r, ATTR_delete_disk);
	const char *slot = word_of(s, ATTR_init_interface, NULL);

	if (!slot)
		return;
	const char *where = resource_has_slot(s->r, "disk", slot)    ? "disk"
			    : resource_has_slot(s->r, "cdrom", slot) ? "cdrom"
			    : deleted && strs_has(deleted, slot)     ? "delete.disk"
								     : NULL;
	if (!where)
		return;
	struct diag *d = complain(s, DIAG_DATA_SLOT, l, "the slot is listed as another drive");
	diag_hint(d, "it stands under %s: name another slot here", where);
}

static void check_user_data(const struct subject *s)
{
	if (!word_of(s, ATTR_init_user_data_file_id, NULL))
		return;
	for (size_t i = 0; i < s->r->n_leaves; i++) {
		const struct leaf *l = &s->r->leaves[i];
		if (!schema_is_in(l->attr, "initialization.user_account") || is_nothing(l))
			continue;
		struct diag *d =
		    complain(s, DIAG_USER_DATA_WINS, l, "has no effect beside user_data_file_id");
		diag_hint(d, "write it into that file, or remove user_data_file_id");
		return;
	}
}

void checkdev_rules(const struct resource *r, struct diags *diags)
{
	const struct subject s = {r, diags};
/* clang-format off */
#define RULE_DEVICE(fn) fn(&s);
#define RULE(code, word, severity, scope, fn, doc, where, json) RULE_##scope(fn)
#include "rules.def"
#undef RULE
#undef RULE_DEVICE
	/* clang-format on */
}
