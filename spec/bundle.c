#include "bundle.h"

#include <stdlib.h>
#include <string.h>

#include "buf.h"
#include "check.h"

#define BUNDLE_MAGIC 0x62756e64u
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
	struct candidate *v;
	size_t n, cap;
};

/* ---- reading ---- */

static int check_limits(size_t n, size_t bytes, struct err **err)
{
	const struct bundle_limits *l = &bundle_limits_default;
	if (n > l->files)
		return err_set(err, ERR_LIMIT,
		    "there are %zu manifest files, more than the %zu that are read", n, l->files);
	if (bytes > l->bytes_total)
		return err_set(err, ERR_LIMIT,
		    "the manifest files are larger than %zu MiB together", l->bytes_total >> 20);
	return 0;
}

static void add_candidate(struct build *p, struct resource *res, char *name)
{
	MEM_PUSH_ROOM(p->v, p->n, p->cap);
	p->v[p->n++] = (struct candidate){.res = res, .name = name};
}

static void take_sheet(struct build *p, const struct sheet *s)
{
	for (size_t i = 0; i < s->n; i++) {
		const struct sheet_doc *d = &s->v[i];
		add_candidate(p, d->res ? resource_ref(d->res) : NULL, mem_strdup(d->name));
	}
	if (s->lost) {
		p->b->incomplete = true;
		/* Sheets come sorted by path. */
		struct strs *lost = &p->b->lost;
		if (lost->n == 0 || strcmp(lost->v[lost->n - 1], s->path) != 0)
			strs_add(lost, s->path);
	}
	diags_append(&p->b->diags, &s->found);
}

/* Findings of the rules between manifests come when the files are closed. */
static void add_excerpts(struct build *p, size_t from)
{
	struct diags *l = &p->b->diags;
	for (size_t i = from; i < l->n; i++) {
		if (l->v[i].line || l->v[i].mark.line == 0)
			continue;
		const struct sheet *s = sheet_find(p->b->sheets, p->b->n_files, l->v[i].file);
		if (s && s->data)
			diags_excerpt(l, i, s->path, s->data, s->len);
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
	size_t i = MEM_PLACE(at, p->n, strcmp(p->v[at].name, name) < 0);
	for (; i < p->n && strcmp(p->v[i].name, name) == 0; i++)
		if (p->v[i].res && !p->v[i].stale)
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
		if (!strs_has_sorted(&p->b->lost, old->res->file))
			continue;
		size_t place = MEM_PLACE(at, n, strcmp(p->v[at].name, old->res->name) < 0);
		if (place < n && strcmp(p->v[place].name, old->res->name) == 0)
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
	for (size_t i = 0; i < p->n; i++) {
		if (p->v[i].res)
			add_entry(b, &p->v[i]);
		else
			strs_add(&b->broken, p->v[i].name);
	}
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
}

static struct bundle *build(
    const char *rev, struct sheet **sheets, size_t n, const struct bundle *last)
{
	struct bundle *b = mem_alloc(sizeof(*b));
	struct build p = {.b = b, .last = last};
	b->magic = BUNDLE_MAGIC;
	b->refs = 1;
	b->rev = mem_strdup(rev);
	b->sheets = sheets;
	b->n_files = n;
	for (size_t i = 0; i < n; i++)
		take_sheet(&p, sheets[i]);
	settle(&p);
	seal(&p);
	build_fini(&p);
	return b;
}

/* The sheets of one revision while they are gathered. */
struct pile {
	struct sheet **v;
	size_t n, docs, bytes;
	size_t n_read; /* that had to be decoded */
};

static void pile_add(struct pile *p, struct sheet *s)
{
	p->v[p->n++] = s;
	p->docs += s->n;
	p->bytes += s->len;
}

static void pile_fini(struct pile *p)
{
	for (size_t i = 0; i < p->n; i++)
		sheet_unref(&p->v[i]);
	free(p->v);
}

static int compare_sheets(const void *pa, const void *pb)
{
	const struct sheet *const *a = pa, *const *b = pb;
	return strcmp((*a)->path, (*b)->path);
}

/* Those of `last` that the change leaves alone. */
static void keep_sheets(struct pile *p, const struct bundle_change *c, const struct bundle *last)
{
	_cleanup_strs_ struct strs out = {0};
	for (size_t i = 0; i < c->n_gone; i++)
		strs_add(&out, c->gone[i]);
	for (size_t i = 0; i < c->n; i++)
		strs_add(&out, c->files[i].path);
	strs_sort_unique(&out);
	for (size_t i = 0; i < last->n_files; i++)
		if (!strs_has_sorted(&out, last->sheets[i]->path))
			pile_add(p, sheet_ref(last->sheets[i]));
}

/* The same bytes at the same place say the same again. */
static void read_one(struct pile *p, const struct bundle_file *f, const struct bundle *last)
{
	struct sheet *old = last ? sheet_find(last->sheets, last->n_files, f->path) : NULL;
	bool same = old && sheet_is_of(old, f);
	pile_add(p, same ? sheet_ref(old) : sheet_new(f));
	p->n_read += !same;
}

static int read_sheets(
    struct pile *p, const struct bundle_change *c, const struct bundle *last, struct err **err)
{
	size_t bytes = p->bytes;
	for (size_t i = 0; i < c->n; i++)
		bytes += c->files[i].len;
	if (check_limits(p->n + c->n, bytes, err) != 0)
		return -1;
	for (size_t i = 0; i < c->n && p->docs <= bundle_limits_default.resources; i++)
		read_one(p, &c->files[i], last);
	if (p->docs > bundle_limits_default.resources)
		return err_set(err, ERR_LIMIT, "there are more than %zu manifests",
		    bundle_limits_default.resources);
	if (p->n > 1)
		qsort(p->v, p->n, sizeof(*p->v), compare_sheets);
	return 0;
}

int bundle_update(const char *rev, const struct bundle_change *c, const struct bundle *last,
    struct bundle **ret, struct err **err)
{
	bool whole = c->all || !last;
	struct pile p = {.v = mem_calloc((whole ? 0 : last->n_files) + c->n, sizeof(*p.v))};
	if (!whole)
		keep_sheets(&p, c, last);
	if (read_sheets(&p, c, last, err) != 0) {
		pile_fini(&p);
		return -1;
	}
	*ret = build(rev, p.v, p.n, last);
	(*ret)->n_read = p.n_read;
	return 0;
}

int bundle_build(const char *rev, const struct bundle_file *files, size_t n,
    const struct bundle *last, struct bundle **ret, struct err **err)
{
	const struct bundle_change all = {.files = files, .n = n, .all = true};
	return bundle_update(rev, &all, last, ret, err);
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

struct bundle *bundle_again(const struct bundle *b, const struct bundle *last)
{
	struct sheet **sheets = mem_calloc(b->n_files, sizeof(struct sheet *));
	for (size_t i = 0; i < b->n_files; i++)
		sheets[i] = sheet_ref(b->sheets[i]);
	struct bundle *again = build(b->rev, sheets, b->n_files, last);
	again->n_read = b->n_read;
	return again;
}

bool bundle_is_missed(const struct bundle *b, const char *name, const char *path)
{
	return b && !bundle_find(b, name) &&
	       (strs_has_sorted(&b->broken, name) || (path && strs_has_sorted(&b->lost, path)));
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
	free(b->v);
	free(b->rev);
	for (size_t i = 0; i < b->n_files; i++)
		sheet_unref(&b->sheets[i]);
	free(b->sheets);
	diags_fini(&b->diags);
	strs_fini(&b->lost);
	strs_fini(&b->broken);
	free(b);
}

const struct bundle_entry *bundle_find(const struct bundle *b, const char *name)
{
	size_t n = b ? b->n : 0, i = MEM_PLACE(at, n, strcmp(b->v[at].res->name, name) < 0);
	return i < n && strcmp(b->v[i].res->name, name) == 0 ? &b->v[i] : NULL;
}

static bool is_hidden(const char *path)
{
	for (const char *p = path; p; p = strchr(p, '/')) {
		p += *p == '/';
		/* "." and ".." are ways, not hidden names. */
		if (p[0] == '.' && p[1] != '/' && !(p[1] == '.' && p[2] == '/'))
			return true;
	}
	return false;
}

bool bundle_is_manifest_path(const char *path)
{
	return (text_ends(path, ".yaml") || text_ends(path, ".yml")) && !is_hidden(path);
}

bool bundle_is_near_path(const char *path)
{
	const char *dot = strrchr(path, '.');
	bool near = dot && (text_eq_nocase(dot, ".yaml") || text_eq_nocase(dot, ".yml"));
	return near && !bundle_is_manifest_path(path) && !is_hidden(path);
}
