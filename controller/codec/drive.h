/*
 * drive: what a drive string says of its volume ("local-lvm:vm-100-disk-0,size=32G").
 *
 * Not the options of the slot (pvecodec.h walks over those).
 *
 * drive_fini frees what is inside.
 *
 * Pure. Sources of the forms: PVE::QemuServer::Drive and the volume names of PVE::Storage's
 * plugins.
 */
#ifndef RAMET_DRIVE_H
#define RAMET_DRIVE_H

#include "err.h"

struct propstr;

struct drive {
	char *volume;	/* "local-lvm:vm-100-disk-0", "none", "cdrom" */
	char *storage;	/* "" when the volume has none */
	uint64_t bytes; /* size=, 0 = unknown */
	bool cdrom;	/* media=cdrom, an empty drive or the host's */
	bool cloudinit;
	uint32_t owner; /* VMID by the volume's folder or name, 0 = it says none */
	bool linked;	/* the volume names a base image */
	char *format;	/* raw, qcow2, vmdk; "" = unknown */
};

#define _cleanup_drive_ _cleanup_(drive_fini)

int drive_parse(const char *text, struct drive *ret, struct err **err) MUST_CHECK;
void drive_fini(struct drive *d);
/* "vm-100-disk-0.qcow2" of "local:100/vm-100-disk-0.qcow2": some storages leave out what a volume
 * is linked to where they list it. */
const char *drive_tail(const char *volume);
uint64_t drive_gib_up(uint64_t bytes); /* rounded up */
/* "32G", "33280M", "1049K", "0T", "1.5G", bytes without a suffix. */
int drive_parse_size(const char *text, uint64_t *ret) MUST_CHECK;
/* The volume in a drive's text: the part without a name, or one by any of its names. */
const char *drive_volume(const struct propstr *p); /* NULL: there is none */
void drive_put_volume(struct propstr *p, const char *volume);

#endif
