/*
 * form: the forms that texts in a manifest can have: names, addresses, slots, volumes.
 *
 * Not limits of length or number (schema.h has those).
 *
 * One pattern per form serves the check, the JSON Schema and the reference; it is written in what
 * POSIX extended and ECMA expressions have in common. Some forms have a further check in code.
 *
 * Pure, but for patterns compiled on first use.
 */
#ifndef RAMET_FORM_H
#define RAMET_FORM_H

#include "text.h"

#define FORM_VLAN_MIN 1
#define FORM_VLAN_MAX 4094
#define FORM_CPU_MAX 99999

enum attr_format {
	FMT_ANY,  /* one line, printable */
	FMT_TEXT, /* several lines allowed */
	FMT_DNS_LABEL,
	FMT_DNS_NAME,
	FMT_NODE,
	FMT_STORAGE,
	FMT_POOL,
	FMT_SNAPSHOT,
	FMT_TAG,
	FMT_BRIDGE,
	FMT_MAC,
	FMT_VLAN_RANGE,
	FMT_CPU_LIST,
	FMT_CPU_MODEL,
	FMT_CPU_FLAG,
	FMT_VOLUME,
	FMT_CDROM, /* none, cdrom or a volume */
	FMT_SERIAL,
	FMT_NET_SLOT,
	FMT_DISK_SLOT,
	FMT_CDROM_SLOT,
	FMT_UUID,
	FMT_TIME, /* RFC 3339 */
	FMT_SSH_KEY,
	FMT_IPV4,
	FMT_IPV6,
	FMT_ADDRESS, /* either */
	FMT_CIDR4,   /* or dhcp */
	FMT_CIDR6,   /* or dhcp or auto */
	FMT_DOMAINS,
	FMT_SECRET_FILE, /* absolute path on the controller's host */
	FMT_CPU_RANGE,
	FMT_MACHINE,
	FMT_BOOT_DEVICE,
	FMT_HOTPLUG_WORD,
	FMT_SERIAL_DEVICE,
	FMT_PARALLEL_DEVICE,
	FMT_USB_HOST,
	FMT_PCI_HOST,
	FMT_PCI_ID,
	FMT_MAPPING,
	FMT_WORD,    /* no blank, comma or equals sign */
	FMT_SNIPPET, /* a volume that PVE reads as a file */
	FMT_MDEV,
	FMT_ROM,
	FMT_WWN,
	FMT_PRODUCT,
	FMT_SHM_NAME,
	FMT_START_DATE,
	FMT_IPCONFIG_SLOT,
	FMT_SERIAL_SLOT,
	FMT_PARALLEL_SLOT,
	FMT_USB_SLOT,
	FMT_HOSTPCI_SLOT,
	FMT_NUMA_SLOT,
	FMT_VIRTIOFS_SLOT,
	FMT__MAX
};

/* The text has the form. If not, *ret_why and *ret_hint (may be NULL; the caller frees) say what is
 * wrong and what to do; the hint may stay NULL. */
bool form_check(enum attr_format f, const char *s, char **ret_why, char **ret_hint);
const char *form_pattern(enum attr_format f); /* NULL when there is none */
const char *form_word(enum attr_format f);    /* "a MAC address" */
/* Words of a form that is a list (CPU models and flags, without + and -), else NULL. */
const char *const *form_words(enum attr_format f, size_t *ret_n);

/* "netN" of a form that is one kind of slot; NULL when it is another form, or several kinds. Caller
 * frees. */
char *form_slot_word(enum attr_format f);
/* Slots: "net3" is index 3 of "net"; false if it is none. The bus lives for ever. */
bool form_slot_parse(const char *slot, const char **ret_bus, unsigned *ret_index);

#endif
