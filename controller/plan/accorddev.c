#include "accorddev.h"

#include <string.h>

#include "coming.h"
#include "effect.h"

#define PCI_SLOTS 16
#define USB_SLOTS 14
#define USB_FEW 5
#define DIRECTORY_SLOTS 10
#define GRAPHICS_ADDRESS "02.0" /* the one that PVE gives to a guest in the older way */

void accorddev_express(const struct planner *pl, struct change *c)
{
	if (coming_q35(pl))
		return;
	for (unsigned i = 0; i < PCI_SLOTS; i++) {
		_cleanup_str_ char *slot = mem_printf("hostpci%u", i);
		_cleanup_value_ struct value pcie = {0};
		if ((c->slot && !text_eq(c->slot, slot)) ||
		    !coming_at(pl, ATTR_hostpci_pcie, slot, &pcie) || !pcie.b)
			continue;
		change_block(c, REASON_VALUES_CONFLICT,
		    "%s is shown as PCI Express, which takes a machine of type q35: the guest "
		    "could not be started",
		    slot);
		change_hint(c, "list %s as well",
		    c->slot ? schema_attr(ATTR_machine)->path : "hostpci.*.pcie");
		return;
	}
}

void accorddev_many_usb(const struct planner *pl, struct change *c)
{
	static const enum attr_id rows[] = {ATTR_usb_host, ATTR_usb_mapping};
	_cleanup_value_ struct value system = {0}, type = {0};
	bool old =
	    coming(pl, ATTR_machine, &type) && effect_machine_before(type.s, EFFECT_USB_MACHINE);

	if (!old && coming(pl, ATTR_operating_system_type, &system) && effect_knows_usb(system.s))
		return;
	for (unsigned i = USB_FEW; i < USB_SLOTS; i++) {
		_cleanup_str_ char *slot = mem_printf("usb%u", i);
		bool there = false;
		for (size_t k = 0; k < ARRAY_LEN(rows); k++) {
			_cleanup_value_ struct value v = {0};
			there |= coming_at(pl, rows[k], slot, &v);
		}
		if (!there || (c->slot && !text_eq(c->slot, slot)))
			continue;
		change_block(c, REASON_VALUES_CONFLICT,
		    "%s is for %s: the guest could not be started", slot,
		    old ? "machines of version 7.1 and later"
			: "guests of type l26 and Windows from 8 on");
		change_hint(c, "%s",
		    !c->slot ? "take that device away as well"
		    : old    ? "use a slot up to usb4, or list the machine as well"
			     : "use a slot up to usb4, or list the type as well");
		return;
	}
}

/* ---- which device ---- */

void accorddev_named_twice(const struct planner *pl, struct change *c)
{
	bool usb = c->attr->id == ATTR_usb_host || c->attr->id == ATTR_usb_mapping;
	const struct attr *host = schema_attr(usb ? ATTR_usb_host : ATTR_hostpci_id);
	const struct attr *mapping = schema_attr(usb ? ATTR_usb_mapping : ATTR_hostpci_mapping);
	_cleanup_value_ struct value device = {0}, name = {0};

	if (!coming_at(pl, host->id, c->slot, &device) ||
	    !coming_at(pl, mapping->id, c->slot, &name))
		return;
	/* Of a device of the host a token may change nothing, which is said elsewhere. */
	if (!planner_is_root(pl) && !text_eq_nocase(device.s, "spice"))
		return;
	const struct attr *other = c->attr == host ? mapping : host;
	change_block(c, REASON_VALUES_CONFLICT,
	    "%s would be the device %s and the mapping %s: PVE takes one of the two", c->slot,
	    device.s, name.s);
	change_hint(c, "list %s: null as well", schema_key(other));
}

/* The part of a PCI device that is a text; NULL: none. */
static const char *word_at(
    const struct planner *pl, enum attr_id id, const char *slot, struct value *hold)
{
	return coming_at(pl, id, slot, hold) && hold->type == VALUE_STR ? hold->s : NULL;
}

void accorddev_mediated(const struct planner *pl, struct change *c)
{
	_cleanup_value_ struct value mdev = {0}, id = {0};
	const char *type = word_at(pl, ATTR_hostpci_mdev, c->slot, &mdev);
	const char *devices = word_at(pl, ATTR_hostpci_id, c->slot, &id);

	if (!type || !devices || !strchr(devices, ';'))
		return;
	change_block(c, REASON_VALUES_CONFLICT,
	    "%s would be the mediated device %s of several devices, %s: the guest could not be "
	    "started",
	    c->slot, type, devices);
	change_hint(c, "list %s as well", c->attr->id == ATTR_hostpci_mdev ? "id" : "mdev: null");
}

/* What keeps the device of the slot from being passed on in the older way; NULL: nothing. */
static const char *graphics_problem(const struct planner *pl, const char *slot)
{
	_cleanup_value_ struct value vga = {0}, mdev = {0}, id = {0}, rom = {0};
	const char *display = word_at(pl, ATTR_vga_type, NULL, &vga);
	const char *device = word_at(pl, ATTR_hostpci_id, slot, &id);

	if (!text_eq(display, "none"))
		return "vga.type is not none";
	if (coming_q35(pl))
		return "machine is q35";
	if (coming_at(pl, ATTR_hostpci_rombar, slot, &rom) && !rom.b)
		return "rombar is off";
	if (coming_bool_at(pl, ATTR_hostpci_xvga, slot))
		return "xvga is on";
	if (word_at(pl, ATTR_hostpci_mdev, slot, &mdev))
		return "there is mdev";
	if (device && strchr(device, ';'))
		return "id names several devices";
	if (device && !text_ends(device, GRAPHICS_ADDRESS))
		return "id is not 0000:00:02.0";
	return NULL;
}

void accorddev_legacy_graphics(const struct planner *pl, struct change *c)
{
	for (unsigned i = 0; i < PCI_SLOTS; i++) {
		_cleanup_str_ char *slot = mem_printf("hostpci%u", i);
		if ((c->slot && !text_eq(c->slot, slot)) ||
		    !coming_bool_at(pl, ATTR_hostpci_legacy_igd, slot))
			continue;
		const char *problem = graphics_problem(pl, slot);
		if (!problem)
			continue;
		change_block(c, REASON_VALUES_CONFLICT,
		    "%s is Intel graphics in the older way, and %s: the guest could not be "
		    "started",
		    slot, problem);
		change_hint(c, "list %s as well",
		    c->attr->id == ATTR_hostpci_legacy_igd ? "what is in the way"
							   : "legacy_igd: null");
		return;
	}
}

/* ---- directories and entropy ---- */

static bool is_windows(const char *system)
{
	return text_starts(system, "w");
}

void accorddev_directory(const struct planner *pl, struct change *c)
{
	_cleanup_value_ struct value system = {0};

	if (!coming(pl, ATTR_operating_system_type, &system) || !is_windows(system.s))
		return;
	for (unsigned i = 0; i < DIRECTORY_SLOTS; i++) {
		_cleanup_str_ char *slot = mem_printf("virtiofs%u", i);
		if ((c->slot && !text_eq(c->slot, slot)) ||
		    !coming_bool_at(pl, ATTR_virtiofs_expose_acl, slot))
			continue;
		change_block(c, REASON_VALUES_CONFLICT,
		    "%s would show access control lists, which Windows guests cannot mount: the "
		    "guest could not be started",
		    slot);
		change_hint(c, "list %s as well",
		    c->slot ? "operating_system.type" : "virtiofs.*.expose_acl: false");
		return;
	}
}

void accorddev_rng(const struct planner *pl, struct change *c)
{
	if (!coming_int(pl, ATTR_rng_max_bytes, 1) || coming_int(pl, ATTR_rng_period, 1))
		return;
	change_block(c, REASON_VALUES_CONFLICT,
	    "rng.period would be 0, which QEMU takes only where rng.max_bytes is 0: the guest "
	    "could not be started");
	change_hint(c, "list %s as well",
	    c->attr->id == ATTR_rng_period ? "rng.max_bytes: 0" : "rng.period");
}
