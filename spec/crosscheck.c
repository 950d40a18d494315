/* The rules of check.h between manifests. */
#include <stdlib.h>
#include <string.h>

#include "check.h"

struct whole {
	const struct resource *const *v;
	size_t n;
	const size_t *by_name; /* indices sorted by name */
	const struct strs *others;
	struct diags *diags;
	bool *bad;
};

/* clang-format off */
#define RULE_RESOURCE(fn)
#define RULE_BUNDLE(fn) static void fn(struct whole *w);
#define RULE_DEVICE(fn)
#define RULE(code, word, severity, scope, fn, doc, where, json) RULE_##scope(fn)
#include "rules.def"
#undef RULE
#undef RULE_DEVICE
#undef RULE_BUNDLE
/* clang-format on */

/* Something that should be there once: a word, whose it is, and where. */
struct claim {
	char *word;
	size_t index;
	struct mark mark;
};

struct claims {
	struct claim *v;
	size_t n, cap;
};

static void claims_add(struct claims *c, char *word, size_t index, struct mark mark)
{
	MEM_PUSH_ROOM(c->v, c->n, c->cap);
	c->v[c->n++] = (struct claim){word, index, mark};
}

static void claims_fini(struct claims *c)
{
	for (size_t i = 0; i < c->n; i++)
		free(c->v[i].word);
	free(c->v);
}

static int compare_claims(const void *pa, const void *pb)
{
	const struct claim *a = pa, *b = pb;
	int c = strcmp(a->word, b->word);
	return c != 0 ? c : a->index < b->index ? -1 : a->index > b->index;
}

static void complain(struct whole *w, enum diag_code code, size_t i, struct mark mark,
    const char *msg, const char *hint)
{
	struct diag *d = diags_add(w->diags, code, w->v[i]->file, mark, "%s", msg);
	d->object = mem_strdup(w->v[i]->name);
	diag_hint(d, "%s", hint);
	if (diag_severity(code) == DIAG_ERROR)
		w->bad[i] = true;
}

/* A finding at every place where a word is claimed more than once. */
static void find_doubles(
    struct whole *w, struct claims *c, enum diag_code code, const char *what, const char *advice)
{
	if (c->n > 1)
		qsort(c->v, c->n, sizeof(*c->v), compare_claims);
	for (size_t i = 0; i < c->n;) {
		size_t end = i + 1;
		while (end < c->n && strcmp(c->v[end].word, c->v[i].word) == 0)
			end++;
		for (size_t k = i; k < end && end - i > 1; k++) {
			const struct claim *other = &c->v[k == i ? i + 1 : i];
			_cleanup_str_ char *msg = mem_printf("%s %s is also given in %s:%u", what,
			    c->v[k].word, w->v[other->index]->file, other->mark.line);
			complain(w, code, c->v[k].index, c->v[k].mark, msg, advice);
		}
		i = end;
	}
	claims_fini(c);
}

static void check_names(struct whole *w)
{
	struct claims c = {0};
	for (size_t i = 0; i < w->n; i++)
		claims_add(&c, mem_strdup(w->v[i]->name), i, w->v[i]->name_mark);
	find_doubles(w, &c, DIAG_DUPLICATE_NAME, "metadata.name",
	    "names are unique in the whole watched tree: rename one of the two");
}

static void check_vmids(struct whole *w)
{
	struct claims c = {0};
	for (size_t i = 0; i < w->n; i++) {
		const struct leaf *l = resource_find(w->v[i], ATTR_id, NULL);
		if (l)
			claims_add(&c, value_print(&l->value), i, l->mark);
	}
	find_doubles(w, &c, DIAG_DUPLICATE_VMID, "VMID",
	    "give each VM a number of its own, or leave id out");
}

static void check_macs(struct whole *w)
{
	struct claims c = {0};
	for (size_t i = 0; i < w->n; i++) {
		const struct resource *r = w->v[i];
		for (size_t k = 0; k < r->n_leaves; k++)
			if (r->leaves[k].attr->id == ATTR_network_mac_address)
				claims_add(
				    &c, text_lower(r->leaves[k].value.s), i, r->leaves[k].mark);
	}
	find_doubles(w, &c, DIAG_DUPLICATE_MAC, "MAC address",
	    "two cards with one address cannot share a network");
}

/* Index of the manifest with that name, or w->n. */
static size_t find_name(const struct whole *w, const char *name)
{
	size_t i = MEM_PLACE(at, w->n, strcmp(w->v[w->by_name[at]]->name, name) < 0);
	return i < w->n && strcmp(w->v[w->by_name[i]]->name, name) == 0 ? w->by_name[i] : w->n;
}

static void check_renames(struct whole *w)
{
	struct claims c = {0};
	for (size_t i = 0; i < w->n; i++) {
		const struct resource *r = w->v[i];
		if (!r->renamed_from)
			continue;
		size_t old = find_name(w, r->renamed_from);
		if (old < w->n && old != i) {
			_cleanup_str_ char *msg =
			    mem_printf("renamed from %s, but %s:%u still has that name",
				r->renamed_from, w->v[old]->file, w->v[old]->name_mark.line);
			complain(w, DIAG_RENAME_CLASH, i, r->name_mark, msg,
			    "remove the old manifest, or the annotation ramet.dev/renamed-from");
		}
		claims_add(&c, mem_strdup(r->renamed_from), i, r->name_mark);
	}
	find_doubles(w, &c, DIAG_RENAME_CLASH, "the former name",
	    "only one manifest can be the successor: remove the annotation from the others");
}

static const struct leaf *depends_on(const struct resource *r)
{
	const struct leaf *l = resource_find(r, ATTR_depends_on, NULL);
	return l && l->value.type == VALUE_SET ? l : NULL;
}

static void check_dependencies(struct whole *w)
{
	for (size_t i = 0; i < w->n; i++) {
		const struct leaf *l = depends_on(w->v[i]);
		for (size_t k = 0; l && k < l->value.set.n; k++) {
			const char *name = l->value.set.v[k];
			if (find_name(w, name) < w->n ||
			    (w->others && strs_has_sorted(w->others, name)))
				continue;
			_cleanup_str_ char *msg =
			    mem_printf("depends_on: there is no manifest %s here", name);
			complain(w, DIAG_UNKNOWN_DEPENDENCY, i, l->item_marks[k], msg,
			    "the VM waits until there is one and it is Ready");
		}
	}
}

/* ---- circles: Tarjan's strongly connected components, without recursion ---- */

struct visit {
	size_t node, next_edge;
};

struct scc {
	struct whole *w;
	size_t *order, *low; /* order 0 = not seen yet */
	size_t *component;   /* 0 = none yet */
	bool *on_stack;
	size_t *stack, n_stack;
	struct visit *path;
	size_t n_path, counter;
};

static void enter(struct scc *c, size_t node)
{
	c->order[node] = c->low[node] = ++c->counter;
	c->stack[c->n_stack++] = node;
	c->on_stack[node] = true;
	c->path[c->n_path++] = (struct visit){node, 0};
}

/* The first dependency that leads into the same circle. */
static size_t find_inner_edge(const struct scc *c, size_t node, size_t id)
{
	const struct leaf *l = depends_on(c->w->v[node]);
	for (size_t k = 0; k < l->value.set.n; k++) {
		size_t to = find_name(c->w, l->value.set.v[k]);
		if (to < c->w->n && c->component[to] == id)
			return k;
	}
	return 0;
}

/* The component on top of the stack is complete; more than one member is a circle. */
static void leave_component(struct scc *c, size_t root)
{
	size_t from = c->n_stack;
	do {
		from--;
		c->on_stack[c->stack[from]] = false;
		c->component[c->stack[from]] = root + 1;
	} while (c->stack[from] != root);
	for (size_t i = from; i < c->n_stack && c->n_stack - from > 1; i++) {
		const struct resource *r = c->w->v[c->stack[i]];
		const struct leaf *l = depends_on(r);
		size_t k = find_inner_edge(c, c->stack[i], root + 1);
		_cleanup_str_ char *msg =
		    mem_printf("depends_on: %s is in a circle of %zu manifests that wait for one "
			       "another",
			l->value.set.v[k], c->n_stack - from);
		complain(c->w, DIAG_DEPENDENCY_CYCLE, c->stack[i], l->item_marks[k], msg,
		    "remove one of the dependencies");
	}
	c->n_stack = from;
}

static void walk(struct scc *c, size_t start)
{
	enter(c, start);
	while (c->n_path > 0) {
		struct visit *v = &c->path[c->n_path - 1];
		const struct leaf *l = depends_on(c->w->v[v->node]);
		if (l && v->next_edge < l->value.set.n) {
			size_t to = find_name(c->w, l->value.set.v[v->next_edge++]);
			if (to == c->w->n)
				continue;
			if (c->order[to] == 0)
				enter(c, to);
			else if (c->on_stack[to] && c->order[to] < c->low[v->node])
				c->low[v->node] = c->order[to];
			continue;
		}
		size_t node = v->node;
		c->n_path--;
		if (c->n_path > 0) {
			size_t parent = c->path[c->n_path - 1].node;
			if (c->low[node] < c->low[parent])
				c->low[parent] = c->low[node];
		}
		if (c->low[node] == c->order[node])
			leave_component(c, node);
	}
}

static void check_cycles(struct whole *w)
{
	struct scc c = {.w = w};
	c.order = mem_calloc(w->n, sizeof(*c.order));
	c.low = mem_calloc(w->n, sizeof(*c.low));
	c.component = mem_calloc(w->n, sizeof(*c.component));
	c.on_stack = mem_calloc(w->n, sizeof(*c.on_stack));
	c.stack = mem_calloc(w->n, sizeof(*c.stack));
	c.path = mem_calloc(w->n, sizeof(*c.path));
	for (size_t i = 0; i < w->n; i++)
		if (c.order[i] == 0)
			walk(&c, i);
	free(c.order);
	free(c.low);
	free(c.component);
	free(c.on_stack);
	free(c.stack);
	free(c.path);
}

struct name_ref {
	const char *name;
	size_t index;
};

static int compare_names(const void *pa, const void *pb)
{
	const struct name_ref *a = pa, *b = pb;
	int c = strcmp(a->name, b->name);
	return c != 0 ? c : a->index < b->index ? -1 : a->index > b->index;
}

static size_t *sort_by_name(const struct resource *const *v, size_t n)
{
	struct name_ref *refs = mem_calloc(n, sizeof(*refs));
	size_t *ret = mem_calloc(n, sizeof(*ret));
	for (size_t i = 0; i < n; i++)
		refs[i] = (struct name_ref){v[i]->name, i};
	if (n > 1)
		qsort(refs, n, sizeof(*refs), compare_names);
	for (size_t i = 0; i < n; i++)
		ret[i] = refs[i].index;
	free(refs);
	return ret;
}

size_t check_bundle(const struct resource *const *v, size_t n, const struct strs *others,
    struct diags *diags, bool *bad)
{
	size_t errors = diags_errors(diags);
	size_t *by_name = sort_by_name(v, n);
	struct whole whole = {
	    .v = v, .n = n, .by_name = by_name, .others = others, .diags = diags, .bad = bad};
	struct whole *w = &whole;
/* clang-format off */
#define RULE_BUNDLE(fn) fn(w);
#define RULE_DEVICE(fn)
#define RULE(code, word, severity, scope, fn, doc, where, json) RULE_##scope(fn)
#include "rules.def"
#undef RULE
#undef RULE_DEVICE
#undef RULE_BUNDLE
	/* clang-format on */
	free(by_name);
	return diags_errors(diags) - errors;
}
