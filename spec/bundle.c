#include "bundle.h"

#include <stdlib.h>
#include <string.h>

#include "buf.h"
#include "check.h"
#include "decode.h"

#define BUNDLE_MAGIC 0x62756e64u
#define FINDINGS_PER_FILE 200 /* so that one file cannot hide those of all others */
#define ROUNDS_MAX 64

const struct bundle_limits bundle_limits_default = {
    .files = 100000,
    .bytes_total = (size_t)256 << 20,
    .resources = 50000,
};

/* A document of ours in this revision: usable, or known by name only, or not even that. */
struct candidate {
	struct resource *res; /* NULL: it cannot be used */
	char *name;	      /* NULL: unknown */
	bool stale;	      /* res is the version of `last` */
	const struct bundle_entry *old;
};

struct build {
	struct bundle *b;
	const struct bundle *last;
	const struct bundle_file **files; /* sorted by path */
	size_t n_files;
	struct candidate *v;
	size_t n, cap;
	struct strs lost; /* files in which there may be manifests that could not be seen */
};

/* ---- reading ---- */

static int compare_files(const void *pa, const void *pb)
{
	const struct bundle_file *const *a = pa, *const *b = pb;
	return strcmp((*a)->path, (*b)->path);
}

static int check_limits(const struct bundle_file *files, size_t n, struct err **err)
{
	size_t bytes = 0;
	if (n > bundle_limits_default.files)
		return err_set(err, ERR_LIMIT,
		    "there are %zu manifest files, more than the %zu "
		    "that are read",
		    n, bundle_limits_default.files);
	for (size_t i = 0; i < n; i++) {
		bytes += files[i].len;
		if (bytes > bundle_limits_default.bytes_total)
			return err_set(err, ERR_LIMIT,
			    "the manifest files are larger than %zu MiB together",
			    bundle_limits_default.bytes_total >> 20);
	}
	return 0;
}

static void add_candidate(struct build *p, struct resource *res, char *name)
{
	MEM_PUSH_ROOM(p->v, p->n, p->cap);
	p->v[p->n++] = (struct candidate){.res = res, .name = name};
}

static void lose(struct build *p, const struct bundle_file *f)
{
	p->b->incomplete = true;
	/* Files come sorted by path. */
	if (p->lost.n == 0 || strcmp(p->lost.v[p->lost.n - 1], f->path) != 0)
		strs_add(&p->lost, f->path);
}

static void read_doc(struct build *p, const struct bundle_file *f, const struct ydoc *y, size_t i,
    struct diags *found)
{
	struct resource *res = NULL;
	char *name = NULL;
	switch (decode_doc(f->path, y, i, found, &res, &name)) {
	case DECODE_FOREIGN:
	case DECODE_OUTCOME__MAX:
		free(name);
		return;
	case DECODE_BAD:
		if (!name)
			lose(p, f);
		else
			add_candidate(p, NULL, name);
		return;
	case DECODE_OK:
		if (check_resource(res, found) > 0)
			resource_unref(&res);
		add_candidate(p, res, name);
		return;
	}
}

static const struct bundle_seen *find_seen(const struct bundle *b, const char *path)
{
	for (size_t low = 0, high = b ? b->n_seen : 0; low < high;) {
		size_t mid = low + (high - low) / 2;
		int c = strcmp(b->seen[mid].path, path);
		if (c == 0)
			return &b->seen[mid];
		if (c < 0)
			low = mid + 1;
		else
			high = mid;
	}
	return NULL;
}

/* What the candidates from number `from` on came of. Files come sorted by path. */
static void remember(struct build *p, const char *path, const char *digest, size_t from)
{
	struct bundle *b = p->b;
	MEM_PUSH_ROOM(b->seen, b->n_seen, b->cap_seen);
	struct bundle_seen *s = &b->seen[b->n_seen++];
	*s = (struct bundle_seen){.path = mem_strdup(path)};
	memcpy(s->digest, digest, sizeof(s->digest));
	s->v = mem_calloc(p->n - from, sizeof(*s->v));
	for (size_t i = from; i < p->n; i++)
		s->v[s->n++] = resource_ref(p->v[i].res);
}

/* True when the last bundle was made of the same bytes. */
static bool read_again(struct build *p, const struct bundle_file *f, const char *digest)
{
	const struct bundle_seen *s = find_seen(p->last, f->path);
	size_t from = p->n;
	if (!s || strcmp(s->digest, digest) != 0)
		return false;
	for (size_t i = 0; i < s->n; i++)
		add_candidate(p, resource_ref(s->v[i]), mem_strdup(s->v[i]->name));
	remember(p, f->path, digest, from);
	return true;
}

static void read_file(struct build *p, const struct bundle_file *f)
{
	struct diags found = {.max = FINDINGS_PER_FILE};
	char digest[CRYPT_HEX_LEN];
	size_t from = p->n;
	if (f->skipped) {
		struct diag *d = diags_add(&found, DIAG_UNREADABLE, f->path, (struct mark){0},
		    "the file could not be read: %s", f->skipped);
		diag_hint(d, "until it can be read, nothing is released or destroyed");
		lose(p, f);
	} else {
		struct ydoc *y = NULL;
		crypt_sha256_hex(f->data, f->len, digest);
		if (read_again(p, f, digest))
			return;
		if (ydoc_parse(f->path, f->data, f->len, NULL, &found, &y) != 0 &&
		    ydoc_is_broken(y))
			lose(p, f);
		for (size_t i = 0; i < ydoc_count(y); i++)
			read_doc(p, f, y, i, &found);
		ydoc_free(&y);
		if (found.n == 0)
			remember(p, f->path, digest, from);
		diags_excerpt(&found, 0, f->path, f->data, f->len);
	}
	diags_append(&p->b->diags, &found);
	diags_fini(&found);
}

/* Findings of the rules between manifests come when the files are closed. */
static void add_excerpts(struct build *p, size_t from)
{
	struct diags *l = &p->b->diags;
	for (size_t i = from; i < l->n; i++) {
		const struct bundle_file key = {.path = l->v[i].file}, *pkey = &key;
		if (l->v[i].line || l->v[i].mark.line == 0)
			continue;
		const struct bundle_file **f =
		    bsearch(&pkey, p->files, p->n_files, sizeof(*p->files), compare_files);
		if (f && !(*f)->skipped)
			diags_excerpt(l, i, (*f)->path, (*f)->data, (*f)->len);
	}
}

/* ---- which version is in force ---- */

static int compare_candidates(const void *pa, const void *pb)
{
	const struct candidate *a = pa, *b = pb;
	int c = strcmp(a->name, b->name);
	if (c != 0)
		return c;
	/* Equal names: by place, so that the order of the input does not matter. */
	if (!a->res || !b->res)
		return (a->res == NULL) - (b->res == NULL);
	c = strcmp(a->res->file, b->res->file);
	return c != 0 ? c : a->res->doc < b->res->doc ? -1 : a->res->doc > b->res->doc;
}

/* Back to the version that was in force, or to none. */
static void fall_back(struct candidate *c)
{
	resource_unref(&c->res);
	if (c->old) {
		c->res = resource_ref(c->old->res);
		c->stale = true;
	}
}

/* A name that a broken document has too: nobody can tell which of the two is meant. */
static void find_broken_doubles(struct build *p)
{
	for (size_t i = 1; i < p->n; i++) {
		/* Good ones stand in front: only the first broken one has any before it. */
		if (p->v[i].res || !p->v[i - 1].res || strcmp(p->v[i].name, p->v[i - 1].name) != 0)
			continue;
		for (size_t k = i; k-- > 0 && strcmp(p->v[k].name, p->v[i].name) == 0;) {
			struct resource *r = p->v[k].res;
			if (!r)
				continue;
			struct diag *d =
			    diags_add(&p->b->diags, DIAG_DUPLICATE_NAME, r->file, r->name_mark,
				"metadata.name %s is also given in a broken manifest", r->name);
			diag_hint(d, "mend the other one, then rename one of the two");
			d->object = mem_strdup(r->name);
			resource_unref(&p->v[k].res);
		}
	}
}

/* A version of this revision goes by that name. */
static bool is_current(const struct build *p, const char *name)
{
	size_t low = 0, high = p->n;
	while (low < high) {
		size_t mid = low + (high - low) / 2;
		if (strcmp(p->v[mid].name, name) < 0)
			low = mid + 1;
		else
			high = mid;
	}
	for (; low < p->n && strcmp(p->v[low].name, name) == 0; low++)
		if (p->v[low].res && !p->v[low].stale)
			return true;
	return false;
}

/* Findings about old versions are left out: their places are those of another revision. Later
 * rounds repeat the warnings of the first. */
static void report(struct build *p, const struct diags *found, bool first)
{
	size_t listed = 0;
	for (size_t i = 0; i < found->n; i++) {
		const struct diag *d = &found->v[i];
		bool error = diag_severity(d->code) == DIAG_ERROR;
		struct diags one = {.v = (struct diag *)d, .n = 1};
		one.errors = error && d->code != DIAG_TOO_MANY_FINDINGS;
		if ((first || error) && (!d->object || is_current(p, d->object)))
			diags_append(&p->b->diags, &one);
		listed += error && d->code != DIAG_TOO_MANY_FINDINGS;
	}
	/* Those that found no room are counted all the same. */
	if (first)
		p->b->diags.errors += found->errors - listed;
}

/* One round of the rules between all; true when a version of this revision was turned away. */
static bool cross_check(struct build *p, const struct strs *others, bool first)
{
	const struct resource **v = mem_calloc(p->n, sizeof(*v));
	size_t *index = mem_calloc(p->n, sizeof(*index)), n = 0;
	for (size_t i = 0; i < p->n; i++) {
		if (!p->v[i].res)
			continue;
		index[n] = i;
		v[n++] = p->v[i].res;
	}
	bool *bad = mem_calloc(n, sizeof(*bad)), changed = false;
	struct diags found = {0};
	check_bundle(v, n, others, &found, bad);
	report(p, &found, first);
	for (size_t i = 0; i < n; i++) {
		struct candidate *c = &p->v[index[i]];
		if (!bad[i] || c->stale)
			continue;
		fall_back(c);
		changed = true;
	}
	diags_fini(&found);
	free(bad);
	free(index);
	free(v);
	return changed;
}

/* Of each name only one candidate stays; all of one name that fell back are the same version. */
static void drop_doubles(struct build *p)
{
	size_t kept = 0;
	for (size_t i = 0; i < p->n; i++) {
		struct candidate *c = &p->v[i];
		if (kept > 0 && strcmp(p->v[kept - 1].name, c->name) == 0) {
			if (!p->v[kept - 1].res) {
				p->v[kept - 1].res = TAKE(c->res);
				p->v[kept - 1].stale = c->stale;
			}
			resource_unref(&c->res);
			free(c->name);
		} else {
			p->v[kept++] = *c;
		}
	}
	p->n = kept;
}

/* Manifests that may stand in what could not be read stay as they are. */
static void keep_lost(struct build *p)
{
	size_t n = p->n;
	for (size_t i = 0; p->last && i < p->last->n; i++) {
		const struct bundle_entry *old = &p->last->v[i];
		const struct candidate key = {.name = old->res->name};
		if (!strs_has_sorted(&p->lost, old->res->file))
			continue;
		bool seen = false;
		for (size_t low = 0, high = n; low < high && !seen;) {
			size_t mid = low + (high - low) / 2;
			int c = strcmp(p->v[mid].name, key.name);
			seen = c == 0;
			if (c < 0)
				low = mid + 1;
			else
				high = mid;
		}
		if (seen)
			continue;
		add_candidate(p, resource_ref(old->res), mem_strdup(old->res->name));
		p->v[p->n - 1].stale = true;
		p->v[p->n - 1].old = old;
	}
}

static void sort_candidates(struct build *p)
{
	if (p->n > 1)
		qsort(p->v, p->n, sizeof(*p->v), compare_candidates);
}

static void settle(struct build *p)
{
	struct strs others = {0};
	size_t from = p->b->diags.n;
	sort_candidates(p);
	keep_lost(p);
	sort_candidates(p);
	find_broken_doubles(p);
	for (size_t i = 0; i < p->n; i++) {
		struct candidate *c = &p->v[i];
		c->old = bundle_find(p->last, c->name);
		if (c->res)
			continue;
		/* The first of its name only: several would look like doubles. */
		if (i == 0 || strcmp(p->v[i - 1].name, c->name) != 0)
			fall_back(c);
		if (!c->res)
			strs_add(&others, c->name);
	}
	strs_sort_unique(&others);
	bool changed = cross_check(p, &others, true);
	drop_doubles(p);
	/* An old version that came back may clash with others again. */
	for (int round = 0; changed && round < ROUNDS_MAX; round++)
		changed = cross_check(p, &others, false);
	strs_fini(&others);
	add_excerpts(p, from);
}

/* ---- the bundle ---- */

static void add_entry(struct bundle *b, struct candidate *c)
{
	struct bundle_entry *e = &b->v[b->n++];
	bool same = c->old && strcmp(c->old->res->hash, c->res->hash) == 0;
	e->rev = mem_strdup(c->stale || same ? c->old->rev : b->rev);
	e->stale = c->stale;
	e->res = TAKE(c->res);
}

static void hash_entries(struct bundle *b)
{
	_cleanup_buf_ struct buf text;
	buf_init(&text, (size_t)1 << 30);
	for (size_t i = 0; i < b->n; i++)
		buf_addf(&text, "%s %s\n", b->v[i].res->name, b->v[i].res->hash);
	crypt_sha256_hex(buf_str(&text), text.len, b->hash);
}

static void seal(struct build *p)
{
	struct bundle *b = p->b;
	b->v = mem_calloc(p->n, sizeof(*b->v));
	for (size_t i = 0; i < p->n; i++)
		if (p->v[i].res)
			add_entry(b, &p->v[i]);
	hash_entries(b);
	diags_sort(&b->diags);
}

static void build_fini(struct build *p)
{
	for (size_t i = 0; i < p->n; i++) {
		resource_unref(&p->v[i].res);
		free(p->v[i].name);
	}
	free(p->v);
	free(p->files);
	strs_fini(&p->lost);
}

int bundle_build(const char *rev, const struct bundle_file *files, size_t n,
    const struct bundle *last, struct bundle **ret, struct err **err)
{
	if (check_limits(files, n, err) != 0)
		return -1;
	struct bundle *b = mem_alloc(sizeof(*b));
	b->magic = BUNDLE_MAGIC;
	b->refs = 1;
	b->rev = mem_strdup(rev);
	b->n_files = n;
	struct build p = {.b = b, .last = last, .n_files = n};
	p.files = mem_calloc(n, sizeof(*p.files));
	for (size_t i = 0; i < n; i++)
		p.files[i] = &files[i];
	if (n > 1)
		qsort(p.files, n, sizeof(*p.files), compare_files);
	for (size_t i = 0; i < n && p.n <= bundle_limits_default.resources; i++)
		read_file(&p, p.files[i]);
	if (p.n > bundle_limits_default.resources) {
		build_fini(&p);
		bundle_unref(&b);
		return err_set(err, ERR_LIMIT, "there are more than %zu manifests",
		    bundle_limits_default.resources);
	}
	settle(&p);
	seal(&p);
	build_fini(&p);
	*ret = b;
	return 0;
}

static int compare_entries(const void *pa, const void *pb)
{
	const struct bundle_entry *a = pa, *b = pb;
	return strcmp(a->res->name, b->res->name);
}

struct bundle *bundle_gather(struct bundle *const *from, const char *const *names, size_t n)
{
	struct bundle *b = mem_alloc(sizeof(*b));
	b->magic = BUNDLE_MAGIC;
	b->refs = 1;
	b->rev = mem_strdup("");
	b->v = mem_calloc(n, sizeof(*b->v));
	for (size_t i = 0; i < n; i++) {
		const struct bundle_entry *e = bundle_find(from[i], names[i]);
		if (!e)
			continue;
		struct bundle_entry *mine = &b->v[b->n++];
		mine->res = resource_ref(e->res);
		mine->rev = mem_strdup(e->rev);
		mine->stale = e->stale;
	}
	if (b->n > 1)
		qsort(b->v, b->n, sizeof(*b->v), compare_entries);
	hash_entries(b);
	return b;
}

struct bundle *bundle_ref(struct bundle *b)
{
	CHECK_OBJ(b, BUNDLE_MAGIC);
	b->refs++;
	return b;
}

void bundle_unref(struct bundle **pb)
{
	struct bundle *b = *pb;
	*pb = NULL;
	if (!b)
		return;
	CHECK_OBJ(b, BUNDLE_MAGIC);
	if (--b->refs > 0)
		return;
	for (size_t i = 0; i < b->n; i++) {
		struct resource *r = (struct resource *)(uintptr_t)b->v[i].res;
		resource_unref(&r);
		free(b->v[i].rev);
	}
	for (size_t i = 0; i < b->n_seen; i++) {
		for (size_t k = 0; k < b->seen[i].n; k++)
			resource_unref(&b->seen[i].v[k]);
		free(b->seen[i].v);
		free(b->seen[i].path);
	}
	free(b->seen);
	free(b->v);
	free(b->rev);
	diags_fini(&b->diags);
	free(b);
}

const struct bundle_entry *bundle_find(const struct bundle *b, const char *name)
{
	size_t low = 0, high = b ? b->n : 0;
	while (low < high) {
		size_t mid = low + (high - low) / 2;
		int c = strcmp(b->v[mid].res->name, name);
		if (c == 0)
			return &b->v[mid];
		if (c < 0)
			low = mid + 1;
		else
			high = mid;
	}
	return NULL;
}

bool bundle_is_manifest_path(const char *path)
{
	if (!text_ends(path, ".yaml") && !text_ends(path, ".yml"))
		return false;
	for (const char *p = path; p; p = strchr(p, '/')) {
		p += *p == '/';
		/* "." and ".." are ways, not hidden names. */
		if (p[0] == '.' && p[1] != '/' && !(p[1] == '.' && p[2] == '/'))
			return false;
	}
	return true;
}
