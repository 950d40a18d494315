/*
 * sim_conf: what happens to a guest's configuration when somebody writes to it.
 *
 * Not reading it (sim_confget), not volumes themselves (sim_volume).
 *
 * A struct confop is one write: made from a request's parameters, checked, then applied in the hold
 * of the guest's file lock. It belongs to its job or to the function that made it.
 *
 * Inside the simulated cluster only.
 */
#ifndef RAMET_SIM_CONF_H
#define RAMET_SIM_CONF_H

#include "sim_job.h"
#include "sim_prop.h"

struct confop {
	int64_t vmid;
	struct kv set;
	struct strs del, revert;
	bool force, skiplock;
	bool fresh; /* the guest is being created */
	char *digest;
	char *summary;	/* for the logs: "-cores 4 -delete tags" */
	size_t news;	/* volumes it makes */
	bool said;	/* the log of the cluster has it already */
	int64_t copies; /* bytes it copies from import sources */
};
void confop_fini(struct confop *op);
void confop_free(void *op);

/* Parameters to changes: drives and NICs in their canonical form, rights, unknown names. */
bool conf_prepare(struct job *j, struct confop *op, struct oops *o);
/* The guest on this node, if it is there, unlocked and has the digest. */
struct guest *conf_enter(struct job *j, const struct confop *op, struct oops *o);
/* Tells the log of the cluster what is to be changed, once. */
void conf_say(struct job *j, struct confop *op);
/* All changes, at once. The guest exists. */
bool conf_apply(struct job *j, struct confop *op, struct oops *o);

/* What was called otherwise once becomes what it is called now, whenever the file is written. */
void conf_old_names(struct sim *s, struct guest *g);

/* On this node, or the complaint about a missing file. */
struct guest *conf_load(struct job *j, int64_t vmid, struct oops *o);
bool conf_unlocked(const struct guest *g, struct oops *o);

/* What is read back of a written value; NULL when it is dropped. */
char *conf_normal(const struct sim *s, const char *key, const char *value);
/* Parts of a value that exclude each other. */
bool conf_fits(const struct sim *s, const char *key, const char *value, struct oops *o);
/* Values in their canonical form, and a list of ssh keys (sim_confval.c). */
bool conf_take_values(struct job *j, struct confop *op, struct oops *o);
bool conf_keys_ok(const char *value);

/* Rights for keys (sim_confperm.c). */
bool conf_may(struct job *j, const struct confop *op, struct oops *o);
/* For what is in a drive's slot now, and for what is put there. */
bool conf_may_drive(struct job *j, const char *key, const char *value, struct oops *o);
/* Devices of the node, passed through or mapped; either value may be NULL. */
bool conf_may_device(
    struct job *j, const char *key, const char *old, const char *value, struct oops *o);
/* CPU models (sim_cpu.c): the one that a value asks for; NULL = the usual one. Owned. */
char *cpu_type(const struct sim *s, const char *value);
/* A model of the cluster's own that is not there. */
void cpu_check(const struct sim *s, const char *value, struct kv *errors);
/* The right to use one that the guest had not; either value may be NULL. */
bool conf_may_cpu(struct job *j, const char *value, const char *old, struct oops *o);
/* Its machine (sim_machine.c): whether its parts go together, and the value with what Windows
 * needs, NULL if there is none; value and ostype may be NULL. */
bool machine_fits(const struct sim *s, const char *value, struct oops *o);
char *qemu_release(const struct sim *s); /* "10.0"; owned */
char *machine_pinned(struct job *j, const char *value, const char *ostype);
bool conf_may_mappings(struct job *j, const struct kv *conf, struct oops *o);
/* Tags (sim_tags.c). */
void tags_allowed(struct job *j, struct strs *ret);
bool conf_may_tags(struct job *j, const char *old, const char *value, struct oops *o);
bool conf_may_new_tags(struct job *j, const char *value, struct oops *o);
bool conf_may_volume(struct job *j, const char *volid, int64_t vmid, struct oops *o);
bool conf_may_net(struct job *j, const char *key, const char *value, struct oops *o);

/* Drives (sim_drive.c). */
bool drive_clean(
    struct job *j, struct confop *op, const char *key, struct drive *d, struct oops *o);
/* Makes or finds the volume that a value asks for; *ret is the value to be stored. */
bool drive_make(
    struct job *j, struct guest *g, const char *key, const char *value, char **ret, struct oops *o);
/* A drive that leaves a slot: kept as unusedN, or freed if forced or a cloud-init drive. */
bool drive_leave(
    struct job *j, struct guest *g, const char *key, const char *value, bool force, struct oops *o);
/* Another slot has the volume, or a snapshot of the guest. */
bool drive_in_use(
    const struct sim *s, const struct guest *g, const char *volid, const char *but_key);
/* As the first unusedN that is free; its N, or -1. */
int drive_set_aside(struct job *j, struct guest *g, const char *volid, struct oops *o);
bool drive_free_unused(struct job *j, struct guest *g, const char *key, struct oops *o);
void drive_drop_unused(struct sim *s, struct guest *g);
/* The images of a template become ones that linked clones start from, where storages can that. */
bool drives_to_base(
    struct sim *s, struct guest *g, const char *only, struct oops *o); /* only: NULL = all */
/* AbstractConfig::foreach_volume over images: in the order of buses and numbers. False from fn ends
 * it. */
bool drives_each(struct sim *s, const struct kv *conf, bool cloudinit_too,
    bool (*fn)(void *arg, const char *key, const struct drive *d), void *arg);
bool drive_new_size(const char *file, double *ret_gib);
/* Writes the cloud-init drive anew, if there is one. */
void cloudinit_write(struct job *j, struct guest *g);
bool cloudinit_key(const char *key);

/* The configuration in force or of a snapshot; NULL if there is no such (sim_clone.c). */
const struct kv *source_conf(const struct guest *g, const char *snap);

/* move_disk to another guest (sim_reassign.c). */
void reassign_disk(struct job *j);

/* Memory (sim_memory.c): whether a guest starts with what it has, and what a running one comes to
 * when it is to have so much; why not otherwise. */
bool memory_starts(const struct sim *s, const struct guest *g, struct oops *o);
bool memory_plug(
    const struct sim *s, const struct guest *g, const char *value, char **ret, struct buf *why);

/* Applying what is pending (sim_hotplug.c). */
bool pending_apply_stopped(struct job *j, struct guest *g, struct oops *o);
bool pending_apply_running(
    struct job *j, struct guest *g, const struct strs *modified, struct oops *o);
void pending_clean(struct sim *s, struct guest *g);

#endif
