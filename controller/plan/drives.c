#include "drives.h"

#include <stdlib.h>
#include <string.h>

#include "destroy.h"
#include "diff.h"
#include "effect.h"
#include "hostdrive.h"
#include "policy.h"
#include "rootcmd.h"
#include "spare.h"

/* Which rows a drive is planned by; NONE where it has no such row. */
#define NONE ATTR_ID__MAX
struct kind {
	enum attr_id file, store, size, format, import, media;
	const char *fixed_size; /* what an allocation says when there is no size to list */
	bool still;		/* is not moved while the guest runs */
};

/* A listed disk slot and what stands there. */
struct slot {
	struct planner *pl;
	const struct kind *kind;
	const char *device, *name; /* "disk.scsi0", "scsi0" */
	const char *in;		   /* the slot in the manifest; NULL where there is one of it */
	const char *now_text, *next_text;
	struct drive now, next; /* next: as pending, when next_text */
	bool has_now, has_next; /* text is there and was understood */
};

static struct change *device_change(struct slot *s, const char *to)
{
	struct change *c = planner_change(s->pl, s->device, NULL, s->name);
	const char *there = s->next_text ? s->next_text : s->now_text;
	change_texts(c, there ? planner_shorten(there) : mem_strdup("absent"), mem_strdup(to));
	return c;
}

static void skip(struct slot *s)
{
	strs_add(&s->pl->skip, s->device);
}

/* Changes the goal's text of the slot: NULL values remove the part. */
static void edit_goal(struct slot *s, const char *volume, const char *size, bool with_size)
{
	_cleanup_propstr_ struct propstr p = {0};
	const char *text = kv_get(&s->pl->goal, s->name);

	if (!text || propstr_parse(text, &p, NULL) < 0)
		return;
	if (volume)
		drive_put_volume(&p, volume);
	if (with_size && size)
		propstr_set(&p, "size", size);
	else if (with_size)
		propstr_del(&p, "size");
	_cleanup_str_ char *out = propstr_print(&p);
	kv_set(&s->pl->goal, s->name, out);
}

/* ---- making and attaching ---- */

/* The volume is not there, but may hang in another slot or be unused. */
static const char *where_is(const struct kv *conf, const char *volume, bool unused)
{
	KV_FOREACH (item, conf) {
		_cleanup_drive_ struct drive d = {0};
		const char *bus;
		unsigned index;
		if (text_starts(item->key, "unused") != unused ||
		    (!unused && !form_slot_parse(item->key, &bus, &index)))
			continue;
		if (drive_parse(item->value, &d, NULL) == 0 && text_eq(d.volume, volume))
			return item->key;
	}
	return NULL;
}

static void put_new(struct slot *s, struct change *c, const char *text)
{
	effect_of_slot(s->pl, c, s->name);
	if (!planner_may(s->pl, c)) {
		skip(s);
		return;
	}
	kv_set(&s->pl->goal, s->name, text);
	strs_add(&s->pl->made, s->device);
}

/* A disk that was made here once is never made again. */
static void attach_again(struct slot *s, const char *volume)
{
	struct planner *pl = s->pl;
	const char *unused = where_is(&pl->g->pending, volume, true);
	const char *elsewhere = where_is(&pl->g->pending, volume, false);
	_cleanup_str_ char *to = mem_printf("attached again (%s)", volume);
	struct change *c = device_change(s, to);

	if (!unused) {
		change_block(c, REASON_DISK_MISSING, "its disk %s is %s%s", volume,
		    elsewhere ? "now at " : "neither attached nor among the unused ones",
		    elsewhere ? elsewhere : "");
		change_hint(c,
		    "attach the volume to %s again, or name a slot that never had a disk", s->name);
	}
	put_new(s, c, volume);
}

static bool is_own_volume(struct slot *s, struct change *c, const char *volume)
{
	_cleanup_drive_ struct drive d = {0};

	if (text_eq(planner_text(s->pl, s->kind->media, s->in), "cdrom"))
		return true; /* a medium belongs to nobody */
	if (s->pl->foretold)
		return true; /* its number is not known yet; asked again before it is attached */
	bool read = drive_parse(volume, &d, NULL) == 0;
	if (read && d.owner == s->pl->g->vmid)
		return true;
	change_block(
	    c, REASON_FOREIGN_VOLUME, "%s does not belong to VM %u", volume, s->pl->g->vmid);
	change_hint(c, "name a volume of VM %u, or copy this one with import_from", s->pl->g->vmid);
	return false;
}

static void block_incomplete(struct slot *s, struct change *c, bool store, bool size)
{
	change_block(c, REASON_DISK_INCOMPLETE,
	    "the VM has no disk at %s, and the manifest lacks %s", s->name,
	    !store && !size ? "datastore_id and size_gb"
	    : store	    ? "size_gb"
			    : "datastore_id");
	change_hint(c, "add %s.%s", s->device, store ? "size_gb" : "datastore_id");
}

static void resize_after_import(struct slot *s, int64_t gib)
{
	struct planner *pl = s->pl;
	struct step *st = step_push(&pl->late, &pl->n_late, &pl->cap_late, STEP_RESIZE);
	st->slot = mem_strdup(s->name);
	st->size_gb = (uint64_t)gib;
	st->allocates = true;
	st->disruption = pl->running ? PLAN_HOTPLUG : PLAN_NONE;
	st->text = mem_printf("grow %s to %lld GiB", s->name, (long long)gib);
}

/* What the manifest says of a disk that is to be made. */
struct wish {
	const char *store, *format, *import, *fixed_size;
	const struct value *size;
};

static char *allocation_text(const struct wish *w)
{
	_cleanup_str_ char *format =
	    w->format ? mem_printf(",format=%s", w->format) : mem_strdup("");

	if (w->import)
		return mem_printf("%s:0,import-from=%s%s", w->store, w->import, format);
	if (!w->size)
		return mem_printf("%s:%s%s", w->store, w->fixed_size, format);
	return mem_printf("%s:%lld%s", w->store, (long long)w->size->i, format);
}

static struct change *allocation_change(struct slot *s, const struct wish *w)
{
	_cleanup_str_ char *to = NULL;

	if (w->import)
		to = mem_printf("new, copied from %s", w->import);
	else if (w->store && w->fixed_size)
		to = mem_printf("new, on %s", w->store);
	else if (w->store && w->size)
		to = mem_printf("new, %lld GiB on %s", (long long)w->size->i, w->store);
	return device_change(s, to ? to : "new");
}

/* Without proof that there never was a disk here, what hangs unused may be it. A second one would
 * be made in its place, and the data would seem to be gone. */
static bool may_be_there(struct slot *s, struct change *c)
{
	_cleanup_kv_ struct kv spares = {0};
	_cleanup_strs_ struct strs names = {0};

	if (!spare_is_unsure(s->pl, s->name))
		return false;
	spare_find(s->pl, s->name, &spares);
	if (!spares.n)
		return false;
	const char *first = spares.v[0].value;
	KV_FOREACH (item, &spares)
		strs_add_take(&names, mem_printf("%s (%s)", item->key, item->value));
	_cleanup_str_ char *all = strs_join(&names, ", ");
	change_block(c, REASON_DISK_MISSING,
	    "whether its disk was made before is not on record, and %s may be it", all);
	_cleanup_str_ char *word = rootcmd_word(first);
	change_hint(c,
	    "if it is, attach it: qm set %u --%s %s as root on %s; if it is not, name it in the "
	    "annotation ramet.dev/leave-unused: \"%s\", and a new disk is made",
	    s->pl->g->vmid, s->name, word ? word : "…", s->pl->g->node, first);
	return true;
}

static void allocate(struct slot *s)
{
	struct planner *pl = s->pl;
	const struct wish w = {
	    .store = planner_text(pl, s->kind->store, s->in),
	    .format = planner_text(pl, s->kind->format, s->in),
	    .import = planner_text(pl, s->kind->import, s->in),
	    .size = planner_value(pl, s->kind->size, s->in),
	    .fixed_size = s->kind->fixed_size,
	};
	bool sized = w.size || w.import || w.fixed_size;
	struct change *c = allocation_change(s, &w);
	_cleanup_str_ char *text = NULL;

	if (!w.store || !sized)
		block_incomplete(s, c, w.store != NULL, sized);
	else if (may_be_there(s, c) || (s->in && spare_is_elsewhere(pl, c, s->name, w.store,
						     w.size ? (uint64_t)w.size->i : 0)))
		text = NULL;
	else if (policy_storage_fits(pl, c, w.store, w.format))
		text = allocation_text(&w);
	put_new(s, c, text ? text : "");
	bool made = kv_has(&pl->goal, s->name);
	pl->allocates |= made;
	if (made && !pl->foretold)
		strs_add(&pl->allocated, s->name);
	if (made && w.import && w.size)
		resize_after_import(s, w.size->i);
}

static void make(struct slot *s)
{
	struct planner *pl = s->pl;
	const char *file = planner_text(pl, s->kind->file, s->in);
	const char *known =
	    pl->in->record && !pl->foretold ? kv_get(&pl->in->record->volumes, s->name) : NULL;

	if (file) {
		struct change *c = device_change(s, file);
		c->attr = schema_attr(s->kind->file);
		is_own_volume(s, c, file);
		put_new(s, c, file);
	} else if (known && *known && !text_eq(known, RECORD_IN_MAKING)) {
		attach_again(s, known);
	} else {
		allocate(s);
	}
}

/* ---- what is there ---- */

static bool is_wanted_kind(struct slot *s, const struct drive *d)
{
	const char *media = planner_text(s->pl, s->kind->media, s->in);
	bool want_cdrom = text_eq(media, "cdrom");

	return d->cdrom == want_cdrom && !d->cloudinit;
}

static bool check_kind(struct slot *s)
{
	const struct drive *wrong = NULL;

	if (s->has_now && !is_wanted_kind(s, &s->now))
		wrong = &s->now;
	else if (s->has_next && !is_wanted_kind(s, &s->next))
		wrong = &s->next;
	bool unreadable = (s->now_text && !s->has_now) || (s->next_text && !s->has_next);
	if (!wrong && !unreadable)
		return true;
	struct change *c = device_change(s, "disk");
	change_block(c, REASON_SLOT_TAKEN, "%s holds %s", s->name,
	    unreadable	       ? "something that cannot be understood"
	    : wrong->cloudinit ? "the cloud-init drive"
	    : wrong->cdrom     ? "a CD-ROM drive"
			       : "a disk");
	planner_may(s->pl, c);
	skip(s);
	return false;
}

/* True when the slot is pointed at another volume: then nothing else is done to it this time. */
static bool repoint(struct slot *s)
{
	struct planner *pl = s->pl;
	const struct leaf *l = resource_find(pl->want, s->kind->file, s->in);

	if (!l || l->value.type != VALUE_STR)
		return false;
	const struct drive *d = s->has_next ? &s->next : &s->now;
	if (text_eq(d->volume, l->value.s)) {
		if (!s->has_now || text_eq(s->now.volume, l->value.s))
			return false;
		struct change *c = planner_leaf_change(pl, l);
		change_texts(c, planner_shorten(s->now.volume), planner_shorten(l->value.s));
		c->state = CHANGE_PENDING;
		c->takes_restart = true;
		return true;
	}
	struct change *c = planner_leaf_change(pl, l);
	change_texts(c, planner_shorten(d->volume), planner_shorten(l->value.s));
	effect_of_slot(pl, c, s->name);
	is_own_volume(s, c, l->value.s);
	if (planner_may(pl, c))
		edit_goal(s, l->value.s, NULL, true);
	return true;
}

static bool can_move(struct slot *s, struct change *c, const char *store, const char *format)
{
	if (s->kind->still && s->pl->running) {
		change_block(
		    c, REASON_NOT_SUPPORTED, "PVE does not move %s while the guest runs", s->name);
		change_hint(c, "stop the guest");
		return false;
	}
	if (s->pl->g->snapshots) {
		change_block(c, REASON_HAS_SNAPSHOTS,
		    "the VM has snapshots, and its disks stay where "
		    "they are as long as it has");
		return false;
	}
	/* PVE would move it all the same, and leave them linked to a volume that no VM has. */
	destroy_ask_linked(s->pl, c);
	return policy_storage_fits(s->pl, c, store, format);
}

/* Images on block storage are always raw and do not say so. */
static const char *format_of(const struct slot *s)
{
	const struct obs_storage *st =
	    obs_cluster_storage(s->pl->in->cluster, s->now.storage, s->pl->g->node);
	static const char *const blocks[] = {"lvm", "lvmthin", "zfspool", "rbd", "iscsi", "zfs"};

	if (*s->now.format)
		return s->now.format;
	for (size_t i = 0; st && i < ARRAY_LEN(blocks); i++)
		if (text_eq(st->plugin, blocks[i]))
			return "raw";
	return "";
}

/* Of a stopped guest: it names the volume, and the next write by anybody puts it in force, also
 * after that volume is gone. So it is put in force first. */
static bool settle_pending(struct slot *s)
{
	if (s->pl->running || !s->has_next || text_eq(s->now_text, s->next_text))
		return false;
	struct step *st = step_push(&s->pl->early, &s->pl->n_early, &s->pl->cap_early, STEP_CONFIG);
	kv_set(&st->set, s->name, s->next_text);
	st->text = mem_printf("put in force what is pending for %s, before it is moved", s->name);
	return true;
}

static void move(struct slot *s)
{
	struct planner *pl = s->pl;
	const enum attr_id ids[] = {s->kind->store, s->kind->format};
	const char *have[] = {s->now.storage, format_of(s)};
	const char *want[2] = {NULL, NULL};
	const char *store = planner_text(pl, s->kind->store, s->in);
	bool step = false;

	for (size_t i = 0; i < 2; i++) {
		const struct leaf *l = resource_find(pl->want, ids[i], s->in);
		if (!l || l->value.type != VALUE_STR || text_eq(l->value.s, have[i]) || !*have[i])
			continue;
		struct change *c = planner_leaf_change(pl, l);
		change_texts(c, mem_strdup(have[i]), mem_strdup(l->value.s));
		effect_of_action(pl, c);
		can_move(s, c, store ? store : s->now.storage, i == 1 ? l->value.s : NULL);
		if (planner_may(pl, c)) {
			c->step = (int)pl->n_early;
			want[i] = l->value.s;
			step = true;
		}
	}
	if (!step || settle_pending(s))
		return;
	struct step *st = step_push(&pl->early, &pl->n_early, &pl->cap_early, STEP_MOVE);
	st->slot = mem_strdup(s->name);
	st->storage = mem_strdup(want[0] ? want[0] : s->now.storage);
	st->format = mem_strdup(want[1]);
	st->allocates = true;
	st->disruption = pl->running ? PLAN_HOTPLUG : PLAN_NONE;
	st->text = mem_printf("move %s from %s to %s%s%s", s->name, s->now.storage, st->storage,
	    want[1] ? " as " : "", want[1] ? want[1] : "");
}

static void refuse_shrink(struct slot *s, struct change *c, int64_t want, uint64_t have)
{
	const char *reached = s->pl->in->record ? kv_get(&s->pl->in->record->sizes, s->name) : NULL;
	int64_t before;
	bool by_hand = !s->pl->foretold && reached &&
		       text_to_int(reached, 0, INT64_MAX, &before) == 0 && before == want;

	change_block(c, by_hand ? REASON_DISK_GROWN : REASON_DISK_SHRINK,
	    by_hand	      ? "somebody grew the disk to %llu GiB, and disks cannot shrink"
	    : s->pl->foretold ? "the disk of the template has %llu GiB, and disks cannot shrink"
			      : "the disk has %llu GiB, and disks cannot shrink",
	    (unsigned long long)have);
	change_hint(c, "write size_gb: %llu for %s", (unsigned long long)have, s->name);
}

/* An earlier call enlarged the image and could not write that down, as when quorum was lost between
 * the two; PVE does nothing about a disk that has its size, so the configuration is told. */
static bool only_written_less(const struct slot *s, uint64_t want)
{
	return text_eq(s->pl->in->sized_slot, s->name) && s->pl->in->sized_gb == want;
}

static void resize(struct slot *s)
{
	struct planner *pl = s->pl;
	const struct leaf *l = resource_find(pl->want, s->kind->size, s->in);

	if (!l || l->value.type != VALUE_INT)
		return;
	uint64_t have = drive_gib_up(s->now.bytes), want = (uint64_t)l->value.i;
	if (have == want) {
		if (!pl->foretold)
			kv_setf(&pl->out->learned.sizes, s->name, "%llu", (unsigned long long)want);
		return;
	}
	struct change *c = planner_leaf_change(pl, l);
	change_texts(c, have ? mem_printf("%llu", (unsigned long long)have) : mem_strdup("unknown"),
	    mem_printf("%llu", (unsigned long long)want));
	effect_of_action(pl, c);
	if (have > want)
		refuse_shrink(s, c, l->value.i, have);
	if (!planner_may(pl, c))
		return;
	if (only_written_less(s, want)) {
		_cleanup_str_ char *size = mem_printf("%lluG", (unsigned long long)want);
		edit_goal(s, NULL, size, true);
		return;
	}
	c->step = (int)pl->n_early;
	struct step *st = step_push(&pl->early, &pl->n_early, &pl->cap_early, STEP_RESIZE);
	st->slot = mem_strdup(s->name);
	st->size_gb = want;
	st->allocates = true;
	st->disruption = c->disruption;
	st->text = mem_printf("grow %s to %llu GiB", s->name, (unsigned long long)want);
}

/* A pending text holds the slot's whole string as it was. When the disk was moved or grown since,
 * it names the freed volume or the old size, and the next start would put it in force. */
static void mend_pending(struct slot *s)
{
	struct planner *pl = s->pl;
	const char *known = pl->in->record ? kv_get(&pl->in->record->volumes, s->name) : NULL;
	bool moved = !text_eq(s->now.volume, s->next.volume);
	bool grown = !moved && s->next.bytes && s->now.bytes != s->next.bytes;

	if (moved && (!text_eq(s->next.volume, known) || text_eq(s->now.volume, known)))
		moved = false; /* somebody pointed it elsewhere on purpose */
	if (!moved && !grown)
		return;
	_cleanup_propstr_ struct propstr p = {0};
	if (propstr_parse(s->now_text, &p, NULL) < 0)
		return;
	struct change *c = planner_change(pl, s->device, NULL, s->name);
	change_texts(c, mem_printf("pending with the %s from before", moved ? "volume" : "size"),
	    mem_strdup("pending with the present one"));
	c->class = CLASS_PENDING;
	c->takes_restart = pl->running;
	/* What Ramet's own move left behind is no drift, whoever looks at it. */
	enum plan_drift mode = pl->drift;
	pl->drift = PLAN_DRIFT_CORRECT;
	bool may = planner_may(pl, c);
	pl->drift = mode;
	if (may) {
		c->drift = false;
		edit_goal(s, moved ? s->now.volume : NULL, propstr_get(&p, "size"), true);
	}
	if (moved) /* until it is mended, the record keeps the old volume to know it by */
		kv_set(&pl->out->learned.volumes, s->name, known);
}

/* It comes with the next start; until then it can neither be moved nor grown. */
static void await_plug(struct slot *s)
{
	struct change *c = planner_change(s->pl, s->device, NULL, s->name);

	change_texts(c, mem_strdup("absent"), planner_shorten(s->next_text));
	c->class = CLASS_PENDING;
	c->state = CHANGE_PENDING;
	c->takes_restart = true;
}

static void existing(struct slot *s)
{
	struct planner *pl = s->pl;

	if (!check_kind(s))
		return;
	if (!s->has_next && !diff_keep_slot(pl, s->device, s->name))
		return;
	const struct drive *there = s->has_now ? &s->now : &s->next;
	if (!pl->foretold && !there->cdrom)
		kv_set(&pl->out->learned.volumes, s->name, there->volume);
	if (!s->has_now) {
		await_plug(s);
		return;
	}
	if (repoint(s) || s->now.cdrom)
		return;
	if (hostdrive_is(&s->now)) {
		const enum attr_id rows[] = {s->kind->store, s->kind->format, s->kind->size};
		hostdrive_stay(pl, s->name, s->in, &s->now, rows, ARRAY_LEN(rows));
		return;
	}
	if (s->has_next && !text_eq(s->now_text, s->next_text))
		mend_pending(s);
	move(s);
	resize(s);
}

static void plan_kind(struct planner *pl, const struct kind *kind, const char *device,
    const char *name, const char *in)
{
	struct slot s = {
	    .pl = pl,
	    .kind = kind,
	    .device = device,
	    .name = name,
	    .in = in,
	    .now_text = kv_get(&pl->g->current, name),
	    .next_text = kv_get(&pl->g->pending, name),
	};

	s.has_now = s.now_text && drive_parse(s.now_text, &s.now, NULL) == 0;
	s.has_next = s.next_text && drive_parse(s.next_text, &s.next, NULL) == 0;
	if (s.now_text || s.next_text)
		existing(&s);
	else
		make(&s);
	drive_fini(&s.now);
	drive_fini(&s.next);
}

static void plan_slot(struct planner *pl, const char *device, const char *name)
{
	static const struct kind disk = {
	    .file = ATTR_disk_file,
	    .store = ATTR_disk_datastore_id,
	    .size = ATTR_disk_size_gb,
	    .format = ATTR_disk_format,
	    .import = ATTR_disk_import_from,
	    .media = ATTR_disk_media,
	};
	plan_kind(pl, &disk, device, name, name);
}

static bool is_listed(const struct planner *pl, const char *block)
{
	for (size_t i = 0; i < pl->want->n_leaves; i++)
		if (schema_is_in(pl->want->leaves[i].attr, block))
			return true;
	return false;
}

/* Drives that there is one of, and whose size is PVE's matter. */
static void plan_singles(struct planner *pl)
{
	static const struct kind efi = {.file = NONE,
	    .store = ATTR_efi_disk_datastore_id,
	    .size = NONE,
	    .format = ATTR_efi_disk_file_format,
	    .import = NONE,
	    .media = NONE,
	    .fixed_size = "1"};
	static const struct kind tpm = {.file = NONE,
	    .store = ATTR_tpm_state_datastore_id,
	    .size = NONE,
	    .format = NONE,
	    .import = NONE,
	    .media = NONE,
	    .fixed_size = "1",
	    .still = true};

	if (is_listed(pl, "efi_disk"))
		plan_kind(pl, &efi, "efi_disk", schema_attr(efi.store)->key, NULL);
	if (is_listed(pl, "tpm_state"))
		plan_kind(pl, &tpm, "tpm_state", schema_attr(tpm.store)->key, NULL);
}

void drives_plan(struct planner *pl)
{
	planner_devices(pl, FMT_DISK_SLOT, plan_slot);
	plan_singles(pl);
}
