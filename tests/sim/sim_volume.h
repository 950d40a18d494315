/*
 * sim_volume: images on storages: their names by kind of storage, their bases, room.
 *
 * Not drives of a guest (sim_prop, sim_conf) and not the time that making one takes.
 *
 * The simulation owns volumes; a pointer is valid until the next step of any job.
 *
 * Inside the simulated cluster only.
 */
#ifndef RAMET_SIM_VOLUME_H
#define RAMET_SIM_VOLUME_H

#include "sim_job.h"

const char *store_word(const struct store *st);
int store_type_parse(const char *word, enum store_type *ret) MUST_CHECK;
bool store_is_file(const struct store *st);
bool store_can_format(const struct store *st, const char *format);
/* Does the storage do linked clones (of a template's image, or of a snapshot)? */
bool store_can_link(const struct store *st, bool snapshot);
/* The same for a full copy: feature "copy" of the storage's plugin. */
bool store_can_copy(const struct store *st, const char *format, bool snapshot);
bool store_can_template(const struct store *st);
/* Can a snapshot of it be taken? */
bool volume_can_snapshot(const struct volume *v);
/* What an image of that size takes there: volumes are made of units. */
int64_t store_round(const struct store *st, int64_t bytes);
int64_t store_used(const struct sim *s, const struct store *st, const struct node *n);
/* An enabled storage on the node, or the usual complaint. */
struct store *store_check(struct sim *s, const char *name, const struct node *n, struct oops *o);
/* The same, and it answers. */
struct store *store_active(struct sim *s, const char *name, const struct node *n, struct oops *o);

/* "store:name" in two owned parts. */
bool volid_split(const char *volid, char **ret_store, char **ret_name);
struct volume *volume_find(const struct sim *s, const struct node *n, const char *volid);
char *volume_id(const struct volume *v);
char *volume_path(const struct volume *v);
bool volume_is_base(const struct volume *v);
size_t volume_children(const struct sim *s, const struct volume *v);

/* A volume with a given name (seed, ISO images). */
struct volume *volume_add(
    struct sim *s, struct store *st, struct node *n, const char *name, int64_t vmid, int64_t size);
struct volume_ask {
	int64_t vmid, size;
	const char *format;
	const char *suffix;	   /* vm-N-<suffix> instead of vm-N-disk-K; may be NULL */
	const char *file;	   /* all of the name as somebody gave it; may be NULL */
	const struct volume *base; /* of a linked clone; may be NULL */
};
/* A new image. NULL and an error if there is no room. The job's log says what the storage's tools
 * would. */
struct volume *volume_new(
    struct job *j, struct store *st, const struct volume_ask *ask, struct oops *o);
/* The progress of a full copy, as qemu-img reports it. */
/* The lines of a copy's progress after `from` percent (-1 = from the beginning) up to `to`. */
void volume_log_copy(struct job *j, const struct volume *src, int64_t size, int from, int to);
/* Bytes that the file takes on its file system; v9: by the layout of PVE 9. */
int64_t volume_used(const struct volume *v, bool v9);
/* Bytes that a copy has to move: files are sparse. */
int64_t volume_data(const struct volume *v);
/* Bytes a second of a copy: what the hardware does, or less where the options of the data center
 * limit it ("clone", "move" …); kib > 0: what the request says instead of these. 0 = no time. */
int64_t volume_rate(const struct sim *s, const char *what, int64_t kib);
/* A copy to dst does not fit into what its storage has left: it breaks off there. */
bool volume_overflows(const struct sim *s, const struct volume *src, const struct volume *dst);
void volume_log_full(struct job *j, struct volume *dst);
/* How a copy that was cut off is called, by the program that made it. */
char *volume_copy_failed(struct job *j, const struct volume *src, const struct volume *dst,
    bool mirrored, const char *why);
char *volume_amount(int64_t bytes); /* "1.5 GiB"; owned */
void volume_free(struct sim *s, struct volume *v);
void volume_rename(struct sim *s, struct volume *v, const char *own);
/* create_base of its plugin: another name, unless that one is taken. */
bool volume_to_base(struct sim *s, struct volume *v, struct oops *o);
/* To another storage of the same kind. */
void volume_restore(struct sim *s, struct volume *v, struct store *st, struct node *n);
void volume_move(struct sim *s, struct volume *v, struct node *n);
void volume_grow(struct sim *s, struct volume *v, int64_t size);

/* Names of images (sim_volname.c). The part that says the image itself, without the base it hangs
 * on; the key it is found by; whether there is one. */
const char *volname_own(const struct store *st, const char *name);
char *volname_key(const struct store *st, const struct node *n, const char *own);
bool volname_taken(
    const struct sim *s, const struct store *st, const struct node *n, const char *own);
/* Whose image it is, whether there is one or not: among files by the folder, whatever the file is
 * called, else by the name. 0 = nobody's. */
int64_t volname_owner(const struct store *st, const char *name);
/* Could it be the name of a volume there, of an image's file? */
bool volname_ok(const struct store *st, const char *name, struct oops *o);
bool volname_file_ok(const char *file, struct oops *o);
/* The first that is free. */
char *volname_new(const struct sim *s, const struct store *st, const struct node *n,
    const struct volume_ask *ask);
const char *volname_format(const struct store *st, const char *own);
const char *volname_content(const char *own);
/* Of an archive: whose it is, or 0. */
int64_t volname_archived(const char *name);

#endif
