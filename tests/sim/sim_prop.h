/*
 * sim_prop: property strings as PVE takes them apart and writes them: drives, NICs, sizes, tags.
 *
 * Not the check of parameters (sim_schema), not volumes (sim_volume).
 *
 * Results are the caller's. A value that does not parse gives an empty result: what is stored went
 * through the checks before.
 *
 * Inside the simulated cluster only.
 */
#ifndef RAMET_SIM_PROP_H
#define RAMET_SIM_PROP_H

#include "sim_state.h"

/* Is it the name of a drive slot (not unusedN)? */
bool prop_is_drive(const char *key);
bool prop_is_unused(const char *key);
bool prop_is_net(const char *key);
/* i, s, c, v for the four buses; 0 for others. */
char prop_kind(const char *key);

struct drive {
	char *file;
	struct kv opts; /* all but file */
};
#define _cleanup_drive_ _cleanup_(drive_fini)
void drive_fini(struct drive *d);
bool drive_parse(const struct sim *s, const char *key, const char *text, struct drive *ret);
char *drive_print(const struct drive *d);
bool drive_is_cdrom(const struct drive *d); /* cloud-init drives too */
bool drive_is_cloudinit(const struct drive *d);
/* For both at once: what a configuration's value is. */
bool value_is_cdrom(const struct sim *s, const char *key, const char *text);

/* A NIC with its model first; a missing MAC is made up. */
char *net_canonical(struct sim *s, const char *key, const char *text);
bool net_parse(const struct sim *s, const char *key, const char *text, struct kv *ret);
char *net_print(const struct kv *parts);

/* "32G" and the like in bytes, -1 if it is none; and back in the largest whole unit. */
int64_t size_parse(const char *text);
char *size_print(int64_t bytes);

/* As tags are stored: by the cluster's tag-style, sorted, each once. */
char *tags_canonical(const struct sim *s, const char *text);
/* The device list of a boot value "order=…" as owned names; none for another kind of value. */
void boot_order(const char *value, struct strs *ret);
char *boot_print(const struct strs *order);

int64_t guest_cpus(const struct guest *g);
int64_t guest_memory(const struct guest *g); /* bytes */
int64_t guest_bootsize(const struct guest *g);
int64_t memory_mib(const char *value);

#endif
