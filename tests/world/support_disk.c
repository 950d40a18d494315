#include "support_disk.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>

#include "text.h"

#define DISKS_MAX 8
#define FD_BASE (1 << 24) /* far above those of the kernel */
#define FDS_PER_DISK 64
#define GONE SIZE_MAX

struct name {
	char *text;
	size_t node;
};

struct names {
	struct name *v;
	size_t n, cap;
};

/* One change of a directory that is not flushed: a name now stands for that node (GONE: for none),
 * and another one goes in the same moment. */
struct change {
	char *name, *other;
	size_t node;
};

struct node {
	bool dir, locked;
	struct buf now, dirty, flushed; /* as it is read; as a flush finds it; on the disk */
	struct names names, names_flushed;
	struct change *changes;
	size_t n_changes, cap_changes;
};

struct open_file {
	bool used, append, holds;
	size_t node, at;
};

struct disk {
	char *root;
	size_t number;
	struct node *v;
	size_t n, cap;
	struct open_file files[FDS_PER_DISK];
	unsigned steps, cut_at, fail_at;
	bool off;
	uint64_t chance;
};

static struct disk *disks[DISKS_MAX];

/* --- names --- */

static size_t names_find(const struct names *l, const char *text)
{
	for (size_t i = 0; i < l->n; i++)
		if (strcmp(l->v[i].text, text) == 0)
			return l->v[i].node;
	return GONE;
}

static void names_set(struct names *l, const char *text, size_t node)
{
	for (size_t i = 0; i < l->n; i++) {
		if (strcmp(l->v[i].text, text) != 0)
			continue;
		l->v[i].node = node;
		if (node != GONE)
			return;
		free(l->v[i].text);
		l->v[i] = l->v[--l->n];
		return;
	}
	if (node == GONE)
		return;
	MEM_PUSH_ROOM(l->v, l->n, l->cap);
	l->v[l->n++] = (struct name){mem_strdup(text), node};
}

static void names_fini(struct names *l)
{
	for (size_t i = 0; i < l->n; i++)
		free(l->v[i].text);
	free(l->v);
	*l = (struct names){0};
}

static void names_copy(struct names *to, const struct names *from)
{
	names_fini(to);
	for (size_t i = 0; i < from->n; i++)
		names_set(to, from->v[i].text, from->v[i].node);
}

static void apply(struct names *l, const struct change *c)
{
	names_set(l, c->name, c->node);
	if (c->other)
		names_set(l, c->other, GONE);
}

static void forget_changes(struct node *dir)
{
	for (size_t i = 0; i < dir->n_changes; i++) {
		free(dir->changes[i].name);
		free(dir->changes[i].other);
	}
	dir->n_changes = 0;
}

static void change(struct node *dir, const char *name, size_t node, const char *other)
{
	struct change c = {mem_strdup(name), mem_strdup(other), node};

	MEM_PUSH_ROOM(dir->changes, dir->n_changes, dir->cap_changes);
	dir->changes[dir->n_changes++] = c;
	apply(&dir->names, &c);
}

/* --- nodes --- */

static size_t node_new(struct disk *d, bool dir)
{
	MEM_PUSH_ROOM(d->v, d->n, d->cap);
	d->v[d->n] = (struct node){.dir = dir};
	return d->n++;
}

static void nodes_free(struct disk *d)
{
	for (size_t i = 0; i < d->n; i++) {
		struct node *n = &d->v[i];

		buf_fini(&n->now);
		buf_fini(&n->dirty);
		buf_fini(&n->flushed);
		names_fini(&n->names);
		names_fini(&n->names_flushed);
		forget_changes(n);
		free(n->changes);
	}
	d->n = 0;
}

static void set_bytes(struct buf *to, const struct buf *from)
{
	buf_reset(to);
	buf_add(to, buf_str(from), from->len);
}

struct disk *disk_new(void)
{
	struct disk *d = mem_alloc(sizeof(*d));

	while (disks[d->number])
		MUST(++d->number < DISKS_MAX);
	disks[d->number] = d;
	d->root = mem_printf("/disk-of-a-test.%zu", d->number);
	node_new(d, true);
	return d;
}

void disk_free(struct disk **dp)
{
	struct disk *d = *dp;

	if (!d)
		return;
	disks[d->number] = NULL;
	nodes_free(d);
	free(d->v);
	free(d->root);
	free(d);
	*dp = NULL;
}

const char *disk_root(const struct disk *d)
{
	return d->root;
}

void disk_wipe(struct disk *d)
{
	nodes_free(d);
	node_new(d, true);
	memset(d->files, 0, sizeof(d->files));
}

void disk_cut_at(struct disk *d, unsigned n)
{
	d->cut_at = n ? d->steps + n : 0;
}

void disk_fail_at(struct disk *d, unsigned n)
{
	d->fail_at = n ? d->steps + n : 0;
}

bool disk_is_off(const struct disk *d)
{
	return d->off;
}

unsigned disk_steps(const struct disk *d)
{
	return d->steps;
}

/* --- the power goes, and returns --- */

static unsigned chance(struct disk *d, unsigned n)
{
	d->chance = d->chance * 6364136223846793005u + 1442695040888963407u;
	return (unsigned)(d->chance >> 33) % n;
}

/* Of what was added a part, or nothing but its length. */
static void keep_some(struct disk *d, struct node *n)
{
	size_t from = n->flushed.len, more;

	if (n->dirty.len <= from || memcmp(buf_str(&n->dirty), buf_str(&n->flushed), from) != 0) {
		if (chance(d, 2))
			set_bytes(&n->flushed, &n->dirty);
		return;
	}
	more = n->dirty.len - from;
	switch (chance(d, 4)) {
	case 0:
		break;
	case 1:
		buf_add(&n->flushed, buf_str(&n->dirty) + from, more);
		break;
	case 2:
		buf_add(&n->flushed, buf_str(&n->dirty) + from, chance(d, (unsigned)more));
		break;
	default:
		for (size_t i = 0; i < more; i++)
			buf_addc(&n->flushed, '\0');
		break;
	}
}

static void settle(struct disk *d, struct node *n, enum disk_keeps keeps)
{
	size_t kept = keeps == DISK_NAMES ? n->n_changes : 0;

	if (keeps == DISK_CHANCE) {
		kept = n->n_changes ? chance(d, (unsigned)n->n_changes + 1) : 0;
		keep_some(d, n);
	}
	if (keeps == DISK_BYTES)
		set_bytes(&n->flushed, &n->dirty);
	set_bytes(&n->now, &n->flushed);
	set_bytes(&n->dirty, &n->flushed);
	for (size_t i = 0; i < kept; i++)
		apply(&n->names_flushed, &n->changes[i]);
	names_copy(&n->names, &n->names_flushed);
	forget_changes(n);
	n->locked = false;
}

void disk_on(struct disk *d)
{
	d->off = false;
	d->cut_at = d->fail_at = 0;
}

void disk_power(struct disk *d, enum disk_keeps keeps, uint64_t number)
{
	d->chance = number * 2 + 1;
	for (size_t i = 0; i < d->n; i++)
		settle(d, &d->v[i], keeps);
	memset(d->files, 0, sizeof(d->files));
	disk_on(d);
}

/* Whether a change or flush may go on; errno says why not. */
static bool step(struct disk *d)
{
	d->steps++;
	if (d->cut_at && d->steps >= d->cut_at)
		d->off = true;
	if (!d->off && d->fail_at && d->steps == d->fail_at) {
		d->fail_at = 0;
		errno = ENOSPC;
		return false;
	}
	errno = EIO;
	return !d->off;
}

/* --- calls --- */

static struct open_file *find_fd(int fd, struct disk **ret)
{
	int i = fd - FD_BASE;

	if (i < 0 || i >= DISKS_MAX * FDS_PER_DISK)
		return NULL;
	*ret = disks[i / FDS_PER_DISK];
	if (!*ret || !(*ret)->files[i % FDS_PER_DISK].used)
		return NULL;
	return &(*ret)->files[i % FDS_PER_DISK];
}

static struct disk *find_disk(const char *path, const char **ret_rest)
{
	for (size_t i = 0; i < DISKS_MAX; i++) {
		size_t len = disks[i] ? strlen(disks[i]->root) : 0;

		if (!len || strncmp(path, disks[i]->root, len) != 0 ||
		    (path[len] && path[len] != '/'))
			continue;
		*ret_rest = path + len;
		return disks[i];
	}
	return NULL;
}

struct place {
	struct disk *disk;
	size_t dir;	/* GONE: a directory on the way does not exist */
	char leaf[256]; /* "" or "." = the directory itself */
};

static bool find_place(int at, const char *path, struct place *ret)
{
	struct open_file *f = find_fd(at, &ret->disk);
	const char *rest = path;

	*ret = (struct place){.disk = f ? ret->disk : find_disk(path, &rest)};
	if (!ret->disk || (f && *path == '/'))
		return false;
	ret->dir = f ? f->node : 0;
	while (*rest) {
		size_t n;

		rest += strspn(rest, "/");
		n = strcspn(rest, "/");
		MUST(n < sizeof(ret->leaf));
		if (ret->leaf[0] && ret->dir != GONE)
			ret->dir = names_find(&ret->disk->v[ret->dir].names, ret->leaf);
		memcpy(ret->leaf, rest, n);
		ret->leaf[n] = '\0';
		rest += n;
	}
	return true;
}

static size_t node_at(const struct place *p)
{
	if (!p->leaf[0] || strcmp(p->leaf, ".") == 0 || p->dir == GONE)
		return p->dir;
	return names_find(&p->disk->v[p->dir].names, p->leaf);
}

static int fail(int code)
{
	errno = code;
	return -1;
}

static int open_node(struct disk *d, size_t node, int flags)
{
	for (int i = 0; i < FDS_PER_DISK; i++) {
		if (d->files[i].used)
			continue;
		d->files[i] =
		    (struct open_file){.used = true, .append = flags & O_APPEND, .node = node};
		return FD_BASE + (int)d->number * FDS_PER_DISK + i;
	}
	return fail(EMFILE);
}

static int open_at(const struct place *p, int flags)
{
	struct disk *d = p->disk;
	size_t node = node_at(p);

	if (d->off)
		return fail(EIO);
	if (p->dir == GONE || (node == GONE && !(flags & O_CREAT)))
		return fail(ENOENT);
	if (node == GONE) {
		if (!step(d))
			return -1;
		node = node_new(d, false);
		change(&d->v[p->dir], p->leaf, node, NULL);
	} else if ((flags & O_TRUNC) && d->v[node].now.len) {
		if (!step(d))
			return -1;
		buf_reset(&d->v[node].now);
		buf_reset(&d->v[node].dirty);
	}
	return open_node(d, node, flags);
}

bool disk_open(int at, const char *path, int flags, int *ret)
{
	struct place p;

	if (!find_place(at, path, &p))
		return false;
	*ret = open_at(&p, flags);
	return true;
}

bool disk_read(int fd, void *to, size_t len, ssize_t *ret)
{
	struct disk *d;
	struct open_file *f = find_fd(fd, &d);
	const struct buf *b = f ? &d->v[f->node].now : NULL;

	if (!f)
		return false;
	if (d->off) {
		*ret = fail(EIO);
		return true;
	}
	if (f->at > b->len)
		f->at = b->len;
	len = len < b->len - f->at ? len : b->len - f->at;
	memcpy(to, buf_str(b) + f->at, len);
	f->at += len;
	*ret = (ssize_t)len;
	return true;
}

bool disk_write(int fd, const void *from, size_t len, ssize_t *ret)
{
	struct disk *d;
	struct open_file *f = find_fd(fd, &d);

	if (!f)
		return false;
	*ret = -1;
	if (!step(d))
		return true;
	/* Nobody writes into the middle. */
	MUST(f->append || f->at == d->v[f->node].now.len);
	buf_add(&d->v[f->node].now, from, len);
	buf_add(&d->v[f->node].dirty, from, len);
	f->at = d->v[f->node].now.len;
	*ret = (ssize_t)len;
	return true;
}

bool disk_close(int fd, int *ret)
{
	struct disk *d;
	struct open_file *f = find_fd(fd, &d);

	/* Of a descriptor that went with the power nothing is left to be closed. */
	if (!f)
		return fd >= FD_BASE && (*ret = 0, true);
	if (f->holds)
		d->v[f->node].locked = false;
	*f = (struct open_file){0};
	*ret = 0;
	return true;
}

/* As Linux does: what could not be flushed counts as clean from then on, and is read from the cache
 * while it lasts. */
static void lose_dirty(struct node *n)
{
	size_t from = n->flushed.len;

	for (size_t i = from; i < n->dirty.len; i++)
		n->dirty.data[i] = '\0';
}

bool disk_sync(int fd, int *ret)
{
	struct disk *d;
	struct open_file *f = find_fd(fd, &d);
	struct node *n = f ? &d->v[f->node] : NULL;

	if (!f)
		return false;
	*ret = -1;
	if (!step(d)) {
		lose_dirty(n);
		return true;
	}
	set_bytes(&n->flushed, &n->dirty);
	names_copy(&n->names_flushed, &n->names);
	forget_changes(n);
	*ret = 0;
	return true;
}

bool disk_lock(int fd, int *ret)
{
	struct disk *d;
	struct open_file *f = find_fd(fd, &d);

	if (!f)
		return false;
	if (d->v[f->node].locked) {
		*ret = fail(EWOULDBLOCK);
		return true;
	}
	d->v[f->node].locked = f->holds = true;
	*ret = 0;
	return true;
}

bool disk_rename(int at, const char *from, int to_at, const char *to, int *ret)
{
	struct place a, b;
	size_t node;

	if (!find_place(at, from, &a))
		return false;
	MUST(find_place(to_at, to, &b) && a.disk == b.disk && a.dir == b.dir);
	node = node_at(&a);
	*ret = -1;
	if (node == GONE) {
		*ret = fail(ENOENT);
	} else if (step(a.disk)) {
		change(&a.disk->v[a.dir], b.leaf, node, a.leaf);
		*ret = 0;
	}
	return true;
}

bool disk_unlink(int at, const char *path, int *ret)
{
	struct place p;

	if (!find_place(at, path, &p))
		return false;
	*ret = -1;
	if (node_at(&p) == GONE) {
		*ret = fail(ENOENT);
	} else if (step(p.disk)) {
		change(&p.disk->v[p.dir], p.leaf, GONE, NULL);
		*ret = 0;
	}
	return true;
}

bool disk_mkdir(const char *path, int *ret)
{
	struct place p;

	if (!find_place(AT_FDCWD, path, &p))
		return false;
	*ret = -1;
	if (p.dir == GONE) {
		*ret = fail(ENOENT);
	} else if (node_at(&p) != GONE) {
		*ret = fail(EEXIST);
	} else if (step(p.disk)) {
		size_t node = node_new(p.disk, true);

		change(&p.disk->v[p.dir], p.leaf, node, NULL);
		*ret = 0;
	}
	return true;
}
