#include "sim_volume.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "sim_mutant.h"
#include "sim_prop.h"
#include "sim_restore.h"

static const struct {
	const char *word, *formats;
	bool file, shared;
} kinds[] = {
#define STORE(code, word, file, shared, formats) {word, formats, file, shared},
#include "sim_store.def"
#undef STORE
};

const char *store_word(const struct store *st)
{
	return kinds[st->type].word;
}

int store_type_parse(const char *word, enum store_type *ret)
{
	for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
		if (!strcmp(kinds[i].word, word)) {
			*ret = (enum store_type)i;
			return 0;
		}
	return -1;
}

bool store_is_file(const struct store *st)
{
	return kinds[st->type].file;
}

bool store_can_format(const struct store *st, const char *format)
{
	_cleanup_str_ char *list = mem_printf("|%s|", kinds[st->type].formats);
	_cleanup_str_ char *w = mem_printf("|%s|", format);

	return strstr(list, w) != NULL;
}

bool store_can_link(const struct store *st, bool snapshot)
{
	switch (st->type) {
	case STORE_LVMTHIN:
	case STORE_RBD:
		return true;
	case STORE_DIR:
	case STORE_NFS:
	case STORE_CIFS:
	case STORE_ZFS:
		return !snapshot;
	case STORE_BTRFS:
		return true;
	case STORE_LVM:
	case STORE_ISCSI:
	case STORE__MAX:
		break;
	}
	return false;
}

bool store_can_copy(const struct store *st, const char *format, bool snapshot)
{
	switch (st->type) {
	case STORE_LVMTHIN:
	case STORE_RBD:
		return true;
	case STORE_DIR:
	case STORE_NFS:
	case STORE_CIFS:
		return !snapshot || !strcmp(format, "qcow2");
	case STORE_BTRFS:
		return !snapshot || !strcmp(format, "raw");
	case STORE_ZFS:
	case STORE_LVM:
	case STORE_ISCSI:
	case STORE__MAX:
		break;
	}
	return !snapshot;
}

bool volume_can_snapshot(const struct volume *v)
{
	static const bool by_store[STORE__MAX] = {
	    [STORE_LVMTHIN] = true, [STORE_ZFS] = true, [STORE_RBD] = true, [STORE_BTRFS] = true};

	return !volume_is_base(v) && (!strcmp(v->format, "qcow2") || by_store[v->store->type]);
}

bool store_can_template(const struct store *st)
{
	return st->type != STORE_LVM && st->type != STORE_ISCSI;
}

int64_t store_round(const struct store *st, int64_t bytes)
{
	static const int64_t units[STORE__MAX] = {[STORE_LVM] = 4 << 20, /* extents */
	    [STORE_LVMTHIN] = 4 << 20,
	    [STORE_ZFS] = 1 << 20,
	    [STORE_RBD] = 1 << 20};
	int64_t unit = units[st->type] ? units[st->type] : 512;

	return (bytes + unit - 1) / unit * unit;
}

int64_t store_used(const struct sim *s, const struct store *st, const struct node *n)
{
	int64_t used = st->used_base;

	for (size_t i = 0; i < s->nvolumes; i++)
		if (s->volumes[i]->store == st &&
		    (!s->volumes[i]->node || s->volumes[i]->node == n))
			used += volume_used(s->volumes[i], s->v9);
	return used < st->total ? used : st->total;
}

struct store *store_check(struct sim *s, const char *name, const struct node *n, struct oops *o)
{
	struct store *st = store_find(s, name);

	if (!st)
		oops_die(o, "storage '%s' does not exist", name);
	else if (!st->enabled)
		oops_die(o, "storage '%s' is disabled", name);
	else if (n && !store_on(st, n))
		oops_die(o, "storage '%s' is not available on node '%s'", name, n->name);
	else
		return st;
	return NULL;
}

struct store *store_active(struct sim *s, const char *name, const struct node *n, struct oops *o)
{
	struct store *st = store_check(s, name, n, o);

	if (!st || st->online)
		return st;
	oops_die(o, "storage '%s' is not online", name);
	return NULL;
}

bool volid_split(const char *volid, char **ret_store, char **ret_name)
{
	const char *colon = strchr(volid, ':');

	if (!colon || colon == volid || !colon[1])
		return false;
	*ret_store = mem_strndup(volid, (size_t)(colon - volid));
	*ret_name = mem_strdup(colon + 1);
	return true;
}

struct volume *volume_find(const struct sim *s, const struct node *n, const char *volid)
{
	_cleanup_str_ char *store = NULL;
	_cleanup_str_ char *name = NULL;
	_cleanup_str_ char *key = NULL;
	const struct store *st;

	if (!volid_split(volid, &store, &name))
		return NULL;
	st = store_find(s, store);
	if (!st)
		return NULL;
	key = volname_key(st, n, volname_own(st, name));
	return smap_get(&s->volmap, key);
}

char *volume_id(const struct volume *v)
{
	return mem_printf("%s:%s", v->store->name, v->name);
}

char *volume_path(const struct volume *v)
{
	const char *dir = v->store->path;

	if (!store_is_file(v->store))
		return mem_printf("/dev/%s/%s", dir ? dir : v->store->name, v->own);
	if (v->vmid)
		return mem_printf("%s/images/%s", dir, v->own);
	return mem_printf("%s/%s%s", dir, text_starts(v->own, "iso/") ? "template/" : "", v->own);
}

static const char *base_name(const struct volume *v)
{
	const char *slash = strrchr(v->own, '/');

	return slash ? slash + 1 : v->own;
}

bool volume_is_base(const struct volume *v)
{
	return text_starts(base_name(v), "base-");
}

size_t volume_children(const struct sim *s, const struct volume *v)
{
	size_t n = 0;

	for (size_t i = 0; i < s->nvolumes; i++)
		if (s->volumes[i]->store == v->store && s->volumes[i]->node == v->node &&
		    text_eq(s->volumes[i]->base, v->own))
			n++;
	return n;
}

struct volume *volume_add(
    struct sim *s, struct store *st, struct node *n, const char *name, int64_t vmid, int64_t size)
{
	struct volume *v = mem_alloc(sizeof(*v));
	const char *own = volname_own(st, name);
	_cleanup_str_ char *key = NULL;
	_cleanup_str_ char *id = NULL;

	v->store = st;
	v->node = st->shared ? NULL : n;
	v->name = mem_strdup(name);
	v->own = mem_strdup(own);
	v->base = own > name ? mem_strndup(name, (size_t)(own - name) - 1) : NULL;
	v->format = volname_format(st, v->own);
	v->content = volname_content(v->own);
	v->vmid = vmid;
	v->size = size;
	v->ctime = sim_secs(s);
	v->index = s->nvolumes;
	MEM_PUSH_ROOM(s->volumes, s->nvolumes, s->volcap);
	s->volumes[s->nvolumes++] = v;
	key = volname_key(st, n, v->own);
	MUST(!smap_get(&s->volmap, key));
	smap_put(&s->volmap, key, v);
	id = volume_id(v);
	note(s, guest_find(s, vmid), "volume-new", id, NULL, NULL);
	return v;
}

/* What qemu-img or the volume manager print. */
static void log_made(struct job *j, const struct volume *v, const struct volume *base)
{
	_cleanup_str_ char *path = volume_path(v);

	if (v->store->type == STORE_LVM || v->store->type == STORE_LVMTHIN) {
		job_log(j, "  Logical volume \"%s\" created.", v->own);
	} else if (!store_is_file(v->store))
		return;
	else if (!strcmp(v->format, "raw"))
		job_log(j, "Formatting '%s', fmt=raw size=%" PRId64 " preallocation=off", path,
		    v->size);
	else if (base) {
		bool q = !strcmp(base->format, "qcow2");

		job_log(j,
		    "Formatting '%s', fmt=qcow2 cluster_size=%s extended_l2=%s%s "
		    "compression_type=zlib size=%" PRId64 " backing_file=../%s backing_fmt=%s "
		    "lazy_refcounts=off refcount_bits=16",
		    path, j->sim->v9 ? "131072" : "65536", j->sim->v9 ? "on" : "off",
		    !j->sim->v9 ? ""
		    : q		? " preallocation=metadata"
				: " preallocation=off",
		    v->size, base->own, base->format);
	} else if (!strcmp(v->format, "vmdk"))
		job_log(j,
		    "Formatting '%s', fmt=vmdk size=%" PRId64
		    " compat6=off hwversion=undefined subformat=monolithicSparse",
		    path, v->size);
	else
		job_log(j,
		    "Formatting '%s', fmt=qcow2 cluster_size=65536 extended_l2=off "
		    "preallocation=metadata compression_type=zlib size=%" PRId64
		    " lazy_refcounts=off refcount_bits=16",
		    path, v->size);
}

struct volume *volume_new(
    struct job *j, struct store *st, const struct volume_ask *ask, struct oops *o)
{
	struct sim *s = j->sim;
	const struct volume *base = ask->base;
	_cleanup_str_ char *own = volname_new(s, st, j->node, ask);
	_cleanup_str_ char *name = NULL;
	struct volume *v;
	bool named = base && st->type != STORE_LVMTHIN && !MUTANT(LINKED_AS_FULL);

	if (st->type == STORE_ISCSI) {
		oops_die(o, "can't allocate space in iscsi storage");
		return NULL;
	}
	if (volname_taken(s, st, j->node, own)) {
		oops_die(
		    o, "disk image '%s/images/%s' already exists", st->path ? st->path : "", own);
		return NULL;
	}
	if (st->type == STORE_LVM && store_used(s, st, j->node) + ask->size > st->total) {
		oops_die(o, "not enough free space (%" PRId64 " < %" PRId64 ")",
		    (st->total - store_used(s, st, j->node)) >> 10, ask->size >> 10);
		return NULL;
	}
	if (st->type == STORE_ZFS && !base && store_used(s, st, j->node) + ask->size > st->total) {
		oops_die(o, "zfs error: cannot create '%s/%s': out of space",
		    st->path ? st->path : st->name, own);
		return NULL;
	}
	if (store_is_file(st) && !base && ask->size > (int64_t)16 << 40) {
		const struct volume tried = {.store = st,
		    .own = own,
		    .format = ask->format,
		    .vmid = ask->vmid,
		    .size = ask->size};

		log_made(j, &tried, NULL);
		oops_die(o,
		    "unable to create image: qemu-img.distrib: %s/images/%s: The image size is "
		    "too large for file format '%s'",
		    st->path, own, ask->format);
		return NULL;
	}
	name = named ? mem_printf("%s/%s", base->own, own) : mem_strdup(own);
	if (base && store_is_file(st))
		job_log(j, "clone %s: images, %s, %" PRId64 " to %s (base=../%s)", base->own,
		    strchr(own, '/') + 1, ask->vmid, strchr(own, '/') + 1, base->own);
	v = volume_add(s, st, j->node, name, ask->vmid, store_round(st, ask->size));
	v->written = base && base->written;
	log_made(j, v, base);
	return v;
}

static void map_drop(struct sim *s, const struct volume *v)
{
	_cleanup_str_ char *key = volname_key(v->store, v->node, v->own);

	smap_del(&s->volmap, key);
}

void volume_free(struct sim *s, struct volume *v)
{
	_cleanup_str_ char *id = volume_id(v);

	note(s, guest_find(s, v->vmid), "volume-free", id, NULL, NULL);
	map_drop(s, v);
	s->volumes[v->index] = s->volumes[--s->nvolumes];
	s->volumes[v->index]->index = v->index;
	free(v->name);
	free(v->own);
	free(v->base);
	restore_saved_free(v->saved);
	free(v);
}

void volume_rename(struct sim *s, struct volume *v, const char *own)
{
	_cleanup_str_ char *old = TAKE(v->own);
	_cleanup_str_ char *key = volname_key(v->store, v->node, old);
	_cleanup_str_ char *next = volname_key(v->store, v->node, own);

	smap_del(&s->volmap, key);
	v->own = mem_strdup(own);
	free(v->name);
	v->name = v->base ? mem_printf("%s/%s", v->base, own) : mem_strdup(own);
	smap_put(&s->volmap, next, v);
}

bool volume_to_base(struct sim *s, struct volume *v, struct oops *o)
{
	const char *name = base_name(v), *rest = text_after(name, "vm-");
	_cleanup_str_ char *own =
	    rest ? mem_printf("%.*sbase-%s", (int)(name - v->own), v->own, rest)
		 : mem_strdup(v->own);

	if (volname_taken(s, v->store, v->node, own)) {
		_cleanup_str_ char *path = volume_path(v);

		return oops_die(o, "file '%.*s%s' already exists",
		    (int)(strlen(path) - strlen(v->own)), path, own);
	}
	volume_rename(s, v, own);
	return true;
}

void volume_move(struct sim *s, struct volume *v, struct node *n)
{
	_cleanup_str_ char *key = NULL;

	if (v->store->shared)
		return;
	map_drop(s, v);
	v->node = n;
	key = volname_key(v->store, n, v->own);
	smap_put(&s->volmap, key, v);
}

void volume_restore(struct sim *s, struct volume *v, struct store *st, struct node *n)
{
	_cleanup_str_ char *key = NULL;

	map_drop(s, v);
	v->store = st;
	v->node = st->shared ? NULL : n;
	key = volname_key(st, v->node, v->own);
	smap_put(&s->volmap, key, v);
}

void volume_grow(struct sim *s, struct volume *v, int64_t size)
{
	_cleanup_str_ char *id = volume_id(v);
	_cleanup_str_ char *before = size_print(v->size);
	_cleanup_str_ char *after = size_print(size);

	note(s, guest_find(s, v->vmid), "volume-size", id, before, after);
	v->size = size;
}

/* "20.5 MiB" */
static char *amount(double bytes)
{
	static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB"};
	size_t u = 0;

	for (; bytes >= 1024 && u + 1 < ARRAY_LEN(units); u++)
		bytes /= 1024;
	return mem_printf("%.1f %s", bytes, units[u]);
}

/* An image that nobody wrote to is copied in one jump. */
void volume_log_copy(struct job *j, const struct volume *src, int64_t size, int from, int to)
{
	bool raw = src && !strcmp(src->format, "raw"), empty = src && !raw && !src->written;
	_cleanup_str_ char *all = amount((double)size);

	for (int pct = 0; pct <= to; pct += (raw && !src->written) || empty ? 100 : 2) {
		if (pct <= from)
			continue;
		_cleanup_str_ char *part = amount((double)size * pct / 100);

		job_log(j, "transferred %s of %s (%d.00%%)", part, all, pct);
	}
	if (!empty && to == 100)
		job_log(j, "transferred %s of %s (100.00%%)", all, all);
}

char *volume_copy_failed(struct job *j, const struct volume *src, const struct volume *dst,
    bool mirrored, const char *why)
{
	_cleanup_str_ char *from = src ? volume_path(src) : NULL;
	_cleanup_str_ char *to = dst ? volume_path(dst) : NULL;
	_cleanup_str_ char *rate = NULL;
	int64_t kib = job_param_int(j, "bwlimit", 0);

	if (!from || !to)
		return mem_strdup(why);
	if (mirrored)
		return mem_printf("block job (mirror) error: %s", why);
	rate = kib ? mem_printf(" -r %" PRId64 "K", kib) : mem_strdup("");
	return mem_printf("copy failed: command '/usr/bin/qemu-img convert -p -n%s -f %s -O %s %s "
			  "%s%s' failed: %s",
	    rate, src->format, dst->format, from, store_is_file(dst->store) ? "zeroinit:" : "", to,
	    why);
}

static int64_t room_for(const struct sim *s, const struct volume *v)
{
	return v->store->total - store_used(s, v->store, v->node);
}

bool volume_overflows(const struct sim *s, const struct volume *src, const struct volume *dst)
{
	return src && dst && (store_is_file(dst->store) || dst->store->type == STORE_LVMTHIN) &&
	       volume_data(src) > room_for(s, dst);
}

void volume_log_full(struct job *j, struct volume *dst)
{
	int64_t room = room_for(j->sim, dst);

	dst->data += room > 0 ? room : 0;
	job_log(j, "qemu-img: error while writing at byte %" PRId64 ": No space left on device",
	    dst->data / (2 << 20) * (2 << 20));
}

char *volume_amount(int64_t bytes)
{
	return amount((double)bytes);
}

int64_t volume_data(const struct volume *v)
{
	if (!store_is_file(v->store))
		return v->size;
	return v->data;
}

#define BLOCK 4096	  /* of the file system */
#define EXTENTS_INLINE 4  /* that an inode names; more need a block */
#define EXTENTS_BLOCK 340 /* that such a block names */

static int64_t whole(int64_t n, int64_t unit)
{
	return (n + unit - 1) / unit;
}

/* A qcow2 file: the first block of its header, the table of reference counts with its blocks, the
 * first level of the map, the second level, data. The second level is made ahead for all of the
 * image (preallocation=metadata); each of its clusters lies before its data, so that the file has
 * holes and the file system one more extent. An overlay has larger clusters in PVE 9, where an
 * entry takes 16 bytes, and none ahead over a raw base. */
static int64_t qcow2_used(const struct volume *v, bool v9)
{
	bool large = v->base && v9;
	bool ahead = v->base ? v9 && !text_ends(v->base, ".raw") : !v->laid;
	int64_t cluster = large ? 131072 : 65536, covers = cluster / (large ? 16 : 8) * cluster;
	int64_t mapped = ahead ? v->size : v->data, l2 = whole(mapped, covers),
		l1 = whole(whole(v->size, covers) * 8, cluster),
		counted = whole(mapped, cluster) + l2 + l1 + 2,
		counts = whole(counted, cluster / 2), extents = 1 + l2;

	return BLOCK + (1 + counts + l1 + l2) * cluster + whole(v->data, BLOCK) * BLOCK +
	       (extents > EXTENTS_INLINE ? whole(extents, EXTENTS_BLOCK) * BLOCK : 0);
}

int64_t volume_used(const struct volume *v, bool v9)
{
	if (strcmp(v->content, "images") != 0)
		return v->file_size ? v->file_size : v->size;
	switch (v->store->type) {
	case STORE_DIR:
	case STORE_NFS:
	case STORE_CIFS:
	case STORE_BTRFS:
		break;
	case STORE_LVM: /* nothing is thin */
	case STORE_ISCSI:
		return v->size;
	case STORE_ZFS: /* all of it is set aside */
		return v->base ? v->data : v->size;
	case STORE_LVMTHIN:
	case STORE_RBD:
	case STORE__MAX:
		return v->data;
	}
	if (!strcmp(v->format, "qcow2"))
		return qcow2_used(v, v9);
	if (!strcmp(v->format, "vmdk"))
		return 3 * BLOCK + v->data; /* header and description */
	return v->data ? whole(v->data, BLOCK) * BLOCK : v->size < BLOCK ? v->size : BLOCK;
}

static int64_t limit_of(const char *list, const char *what)
{
	_cleanup_strs_ struct strs l = {0};
	int64_t n;

	if (!list || text_split(list, ", ", true, 16, &l) < 0)
		return -1;
	for (size_t i = 0; i < l.n; i++) {
		const char *v = text_after(l.v[i], what);

		if (v && *v == '=' && !text_to_int(v + 1, 0, INT64_MAX >> 10, &n))
			return n;
	}
	return -1;
}

int64_t volume_rate(const struct sim *s, const char *what, int64_t kib)
{
	const char *limits = kv_get(&s->options, "bwlimit");

	if (kib <= 0)
		kib = limit_of(limits, what);
	if (kib < 0)
		kib = limit_of(limits, "default");
	return kib > 0 && (!s->bandwidth || kib << 10 < s->bandwidth) ? kib << 10 : s->bandwidth;
}
