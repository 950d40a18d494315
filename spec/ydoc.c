#include "ydoc.h"

#include <stdlib.h>
#include <string.h>
#include <yaml.h>

#include "ytext.h"

#define CHUNK_BYTES ((size_t)16 << 10)
#define YDOC_MAGIC 0x79646f63u

const struct ydoc_limits ydoc_limits_default = {
    .bytes = (size_t)1 << 20,
    .depth = 32,
    .nodes = 100000,
    .docs = 10000,
};

struct chunk {
	struct chunk *next;
	size_t used, size;
	max_align_t data[];
};

struct document {
	struct ynode *root;
	struct mark mark;
	bool bad;
};

struct ydoc {
	uint32_t magic;
	struct chunk *chunks;
	struct document *docs;
	size_t n, cap;
	bool broken;
};

/* A sequence or map whose end has not been seen. */
struct frame {
	struct ynode *node;
	struct ynode **items;
	const char **keys;
	struct mark *key_marks;
	size_t n, items_cap, keys_cap;
	bool in_key;  /* map: the node under way is a key, though no word */
	bool has_key; /* map: the next node is the value of key/key_mark */
	bool drop;    /* map: that value belongs to no usable key */
	const char *key;
	struct mark key_mark;
};

struct parse {
	const char *file;
	struct diags *diags;
	const struct ydoc_limits *limits;
	struct ydoc *y;
	struct frame *frames;
	size_t depth;
	size_t nodes;
	struct mark last;				  /* of the event under way */
	bool said_anchor, said_tag, said_merge, said_key; /* once per document is enough */
};

/* ---- memory of the stream ---- */

static void *take(struct ydoc *y, size_t size)
{
	size = (size + sizeof(max_align_t) - 1) / sizeof(max_align_t) * sizeof(max_align_t);
	if (!y->chunks || y->chunks->size - y->chunks->used < size) {
		size_t room = size > CHUNK_BYTES ? size : CHUNK_BYTES;
		struct chunk *c = mem_alloc(sizeof(*c) + room);
		c->size = room;
		c->next = y->chunks;
		y->chunks = c;
	}
	void *p = (char *)y->chunks->data + y->chunks->used;
	y->chunks->used += size;
	return p;
}

static void *take_copy(struct ydoc *y, const void *src, size_t n, size_t size)
{
	if (n == 0)
		return NULL;
	void *p = take(y, n * size);
	memcpy(p, src, n * size);
	return p;
}

void ydoc_free(struct ydoc **py)
{
	struct ydoc *y = *py;
	if (!y)
		return;
	while (y->chunks) {
		struct chunk *next = y->chunks->next;
		free(y->chunks);
		y->chunks = next;
	}
	free(y->docs);
	free(y);
	*py = NULL;
}

/* ---- findings ---- */

static struct document *this_doc(struct parse *p)
{
	return p->y->n ? &p->y->docs[p->y->n - 1] : NULL;
}

static void spoil(struct parse *p)
{
	if (this_doc(p))
		this_doc(p)->bad = true;
}

static struct diag *complain(
    struct parse *p, enum diag_code code, struct mark mark, const char *msg)
{
	spoil(p);
	struct diag *d = diags_add(p->diags, code, p->file, mark, "%s", msg);
	d->doc = (unsigned)p->y->n;
	return d;
}

/* As complain, but the rest of the stream is lost with it. */
static struct diag *give_up(struct parse *p, enum diag_code code, struct mark mark, const char *msg)
{
	struct diag *d = complain(p, code, mark, msg);
	d->doc = 0;
	return d;
}

static struct mark mark_of(const yaml_mark_t *start, const yaml_mark_t *end)
{
	struct mark m = {.line = (unsigned)start->line + 1, .col = (unsigned)start->column + 1};
	if (end && end->line == start->line && end->column > start->column)
		m.end_col = (unsigned)end->column + 1;
	return m;
}

/* ---- building the tree ---- */

static struct ynode *new_node(struct parse *p, enum ynode_kind kind, struct mark mark)
{
	struct ynode *n = take(p->y, sizeof(*n));
	n->kind = kind;
	n->mark = mark;
	return n;
}

static struct frame *top(struct parse *p)
{
	return p->depth ? &p->frames[p->depth - 1] : NULL;
}

/* A finished value finds its place: root, item, or value of the key before it. */
static void place(struct parse *p, struct ynode *n)
{
	struct frame *f = top(p);
	if (!f) {
		this_doc(p)->root = n;
		return;
	}
	if (f->in_key) {
		f->in_key = false;
		f->has_key = true;
		f->drop = true;
		return;
	}
	if (f->node->kind == YNODE_MAP) {
		f->has_key = false;
		if (f->drop)
			return;
		if (f->n == f->keys_cap) {
			size_t cap = f->keys_cap ? f->keys_cap * 2 : 8;
			f->keys = mem_grow(f->keys, cap, sizeof(*f->keys));
			f->key_marks = mem_grow(f->key_marks, cap, sizeof(*f->key_marks));
			f->keys_cap = cap;
		}
		f->keys[f->n] = f->key;
		f->key_marks[f->n] = f->key_mark;
	}
	MEM_PUSH_ROOM(f->items, f->n, f->items_cap);
	f->items[f->n++] = n;
}

static bool wants_key(const struct frame *f)
{
	return f && f->node->kind == YNODE_MAP && !f->has_key;
}

static void frame_fini(struct frame *f)
{
	free(f->items);
	free(f->keys);
	free(f->key_marks);
	*f = (struct frame){0};
}

struct key_ref {
	const char *key;
	size_t index;
};

static int compare_keys(const void *pa, const void *pb)
{
	const struct key_ref *a = pa, *b = pb;
	int c = strcmp(a->key, b->key);
	return c != 0 ? c : a->index < b->index ? -1 : a->index > b->index;
}

/* libyaml accepts doubles. Sorted, because a map from outside may have as many keys as it likes. */
static void find_duplicates(struct parse *p, const struct frame *f)
{
	if (f->n < 2)
		return;
	struct key_ref *refs = mem_calloc(f->n, sizeof(*refs));
	for (size_t i = 0; i < f->n; i++)
		refs[i] = (struct key_ref){f->keys[i], i};
	qsort(refs, f->n, sizeof(*refs), compare_keys);
	size_t first = 0;
	for (size_t i = 1; i < f->n; i++) {
		if (strcmp(refs[i].key, refs[first].key) != 0) {
			first = i;
			continue;
		}
		struct mark m = f->key_marks[refs[i].index];
		struct diag *d = diags_add(p->diags, DIAG_DUPLICATE_KEY, p->file, m,
		    "%s is given twice in this block", refs[i].key);
		diag_hint(d, "the first one is in line %u: keep one of them",
		    f->key_marks[refs[first].index].line);
		d->doc = (unsigned)p->y->n;
		spoil(p);
	}
	free(refs);
}

static void close_frame(struct parse *p)
{
	struct frame *f = top(p);
	struct ynode *n = f->node;
	if (n->kind == YNODE_MAP) {
		if (!p->y->broken)
			find_duplicates(p, f);
		n->keys = take_copy(p->y, f->keys, f->n, sizeof(*f->keys));
		n->key_marks = take_copy(p->y, f->key_marks, f->n, sizeof(*f->key_marks));
	}
	n->items = take_copy(p->y, f->items, f->n, sizeof(struct ynode *));
	n->n = f->n;
	frame_fini(f);
	p->depth--;
	place(p, n);
}

static int open_frame(struct parse *p, enum ynode_kind kind, struct mark mark)
{
	struct frame *f = top(p);
	if (p->depth == p->limits->depth) {
		struct diag *d =
		    give_up(p, DIAG_TOO_DEEP, mark, "blocks and lists are nested too deep");
		diag_hint(d, "no more than %zu levels are read", p->limits->depth);
		return -1;
	}
	if (wants_key(f)) {
		spoil(p);
		if (!p->said_key) {
			struct diag *d =
			    complain(p, DIAG_BAD_KEY, mark, "a list or a block cannot be a key");
			diag_hint(d, "a text with [ or { at its start must be quoted");
			p->said_key = true;
		}
		f->in_key = true;
	}
	p->frames[p->depth++] = (struct frame){.node = new_node(p, kind, mark)};
	return 0;
}

/* Anchors and tags on any node, aliases in place of one. */
static void check_properties(
    struct parse *p, const yaml_char_t *anchor, const yaml_char_t *tag, struct mark mark)
{
	if (anchor && !p->said_anchor) {
		struct diag *d =
		    complain(p, DIAG_ANCHOR, mark, "anchors and aliases are not used in manifests");
		diag_hint(d, "write the value out; a text with & or * at its start must be "
			     "quoted");
		p->said_anchor = true;
	}
	if (tag && !p->said_tag) {
		struct diag *d = complain(p, DIAG_TAG, mark, "type tags are not used in manifests");
		diag_hint(d, "leave it out: each key has one type; a text with ! at its start must "
			     "be quoted");
		p->said_tag = true;
	}
	if (anchor || tag)
		spoil(p);
}

static void take_key(struct parse *p, const char *text, bool plain, struct mark mark)
{
	struct frame *f = top(p);
	f->has_key = true;
	f->drop = false;
	f->key = text;
	f->key_mark = mark;
	if (plain && strcmp(text, "<<") == 0) {
		f->drop = true;
		spoil(p);
		if (!p->said_merge) {
			struct diag *d = complain(
			    p, DIAG_MERGE_KEY, mark, "the merge key << is not used in manifests");
			diag_hint(d, "write the keys out in each block");
			p->said_merge = true;
		}
	} else if (!*text) {
		f->drop = true;
		spoil(p);
		if (!p->said_key) {
			struct diag *d = complain(p, DIAG_BAD_KEY, mark, "a key is empty");
			diag_hint(d, "write a name before the colon");
			p->said_key = true;
		}
	}
}

static void on_scalar(struct parse *p, const yaml_event_t *e, struct mark mark)
{
	const char *text = (const char *)e->data.scalar.value;
	size_t len = e->data.scalar.length;
	bool plain = e->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
	check_properties(p, e->data.scalar.anchor, e->data.scalar.tag, mark);
	if (memchr(text, '\0', len)) {
		struct diag *d =
		    complain(p, DIAG_CONTROL_CHARACTER, mark, "the text contains a NUL character");
		diag_hint(d, "remove the escape \\0");
		len = strlen(text);
	}
	char *copy = take(p->y, len + 1);
	memcpy(copy, text, len);
	if (wants_key(top(p))) {
		take_key(p, copy, plain, mark);
		return;
	}
	struct ynode *n = new_node(p, YNODE_SCALAR, mark);
	n->text = copy;
	n->plain = plain;
	place(p, n);
}

static void on_alias(struct parse *p, const yaml_event_t *e, struct mark mark)
{
	check_properties(p, e->data.alias.anchor, NULL, mark);
	if (wants_key(top(p))) {
		top(p)->has_key = true;
		top(p)->drop = true;
		return;
	}
	struct ynode *n = new_node(p, YNODE_SCALAR, mark);
	n->text = "";
	n->plain = true;
	place(p, n);
}

static int on_document(struct parse *p, struct mark mark)
{
	if (p->y->n == p->limits->docs) {
		struct diag *d =
		    give_up(p, DIAG_TOO_MANY_NODES, mark, "the file has too many documents");
		diag_hint(d, "no more than %zu are read from one file", p->limits->docs);
		return -1;
	}
	MEM_PUSH_ROOM(p->y->docs, p->y->n, p->y->cap);
	p->y->docs[p->y->n++] = (struct document){.mark = mark};
	p->said_anchor = p->said_tag = p->said_merge = p->said_key = false;
	return 0;
}

static int count_node(struct parse *p, struct mark mark)
{
	if (p->nodes++ < p->limits->nodes)
		return 0;
	struct diag *d = give_up(p, DIAG_TOO_MANY_NODES, mark, "the file has too many values");
	diag_hint(d, "no more than %zu are read from one file", p->limits->nodes);
	return -1;
}

/* 1 = the stream has ended, -1 = it is to be given up. */
static int on_event(struct parse *p, const yaml_event_t *e)
{
	struct mark mark = mark_of(&e->start_mark, &e->end_mark);
	switch (e->type) {
	case YAML_NO_EVENT:
	case YAML_STREAM_START_EVENT:
	case YAML_DOCUMENT_END_EVENT:
		return 0;
	case YAML_STREAM_END_EVENT:
		return 1;
	case YAML_DOCUMENT_START_EVENT:
		return on_document(p, mark);
	case YAML_ALIAS_EVENT:
		on_alias(p, e, mark);
		return count_node(p, mark);
	case YAML_SCALAR_EVENT:
		on_scalar(p, e, mark);
		return count_node(p, mark);
	case YAML_SEQUENCE_START_EVENT:
		mark.end_col = 0;
		check_properties(
		    p, e->data.sequence_start.anchor, e->data.sequence_start.tag, mark);
		return open_frame(p, YNODE_SEQ, mark) || count_node(p, mark) ? -1 : 0;
	case YAML_MAPPING_START_EVENT:
		mark.end_col = 0;
		check_properties(p, e->data.mapping_start.anchor, e->data.mapping_start.tag, mark);
		return open_frame(p, YNODE_MAP, mark) || count_node(p, mark) ? -1 : 0;
	case YAML_SEQUENCE_END_EVENT:
	case YAML_MAPPING_END_EVENT:
		close_frame(p);
		return 0;
	}
	return 0;
}

/* What most often lies behind libyaml's words. */
static const char *syntax_hint(const char *problem)
{
	static const struct {
		const char *part, *hint;
	} known[] = {
	    {"cannot start any token",
		"indent with blanks, not with tabs; quote a value that begins with @, ` or %"},
	    {"mapping values are not allowed",
		"quote a value that contains a colon and a blank, or mend the indentation"},
	    {"did not find expected key", "check the indentation of this line and those "
					  "before it"},
	    {"could not find expected ':'",
		"check the indentation, and that a colon and a blank follow the key"},
	    {"did not find expected '-' indicator", "check the indentation of the list's entries"},
	    {"did not find expected ',' or", "a bracket or brace is not closed, or a comma is "
					     "missing"},
	    {"unexpected end of stream", "a quote is not closed"},
	    {"unknown escape", "use single quotes for a text with backslashes"},
	    {"did not find expected <document start>",
		"check the indentation; a new document begins with ---"},
	};
	for (size_t i = 0; problem && i < ARRAY_LEN(known); i++)
		if (strstr(problem, known[i].part))
			return known[i].hint;
	return "check the indentation and the quotes around here";
}

static void on_syntax_error(
    struct parse *p, const yaml_parser_t *parser, const char *text, size_t len)
{
	const char *problem = parser->problem ? parser->problem : "cannot be read";
	struct mark m = mark_of(&parser->problem_mark, NULL);
	if (parser->error == YAML_READER_ERROR || parser->error == YAML_MEMORY_ERROR)
		m = p->last;
	spoil(p);
	unsigned conflict = ytext_conflict(text, len);
	if (conflict) {
		struct diag *d = diags_add(p->diags, DIAG_SYNTAX, p->file,
		    (struct mark){.line = conflict, .col = 1},
		    "here begins a merge conflict that nobody resolved");
		diag_hint(d, "choose what is to be, and remove the lines of <<<<<<<, ======= and "
			     ">>>>>>>");
		return;
	}
	struct diag *d = diags_add(p->diags, DIAG_SYNTAX, p->file, m, "not YAML: %s%s%s", problem,
	    parser->context ? " " : "", parser->context ? parser->context : "");
	diag_hint(d, "%s", syntax_hint(problem));
}

/* Reads events until the end or the first thing that cannot be survived. */
static void run(struct parse *p, const char *text, size_t len)
{
	yaml_parser_t parser;
	if (!yaml_parser_initialize(&parser))
		mem_broken(__FILE__, __LINE__, "yaml_parser_initialize");
	yaml_parser_set_encoding(&parser, YAML_UTF8_ENCODING);
	yaml_parser_set_input_string(&parser, (const unsigned char *)text, len);
	for (int rc = 0; rc == 0;) {
		yaml_event_t e;
		if (!yaml_parser_parse(&parser, &e)) {
			on_syntax_error(p, &parser, text, len);
			p->y->broken = true;
			break;
		}
		p->last = mark_of(&e.start_mark, NULL);
		rc = on_event(p, &e);
		yaml_event_delete(&e);
		if (rc < 0)
			p->y->broken = true;
	}
	yaml_parser_delete(&parser);
}

int ydoc_parse(const char *file, const char *text, size_t len, const struct ydoc_limits *limits,
    struct diags *diags, struct ydoc **ret)
{
	size_t errors = diags_errors(diags);
	struct ydoc *y = mem_alloc(sizeof(*y));
	struct parse p = {.file = file, .diags = diags, .y = y};
	p.limits = limits ? limits : &ydoc_limits_default;
	y->magic = YDOC_MAGIC;
	if (len > p.limits->bytes) {
		struct diag *d = diags_add(diags, DIAG_TOO_LARGE, file, (struct mark){0},
		    "the file has more than %zu bytes", p.limits->bytes);
		diag_hint(d, "split it, or move it out of the watched folder");
		y->broken = true;
	} else {
		/* libyaml would count the byte order mark as a column. */
		if (len >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0) {
			text += 3;
			len -= 3;
		}
		p.frames = mem_calloc(p.limits->depth, sizeof(*p.frames));
		if (ytext_check(file, text, len, diags) == 0)
			run(&p, text, len);
		else
			y->broken = true;
		/* What was read so far becomes a tree: it may show whose manifest this is. */
		while (p.depth > 0)
			close_frame(&p);
		free(p.frames);
	}
	*ret = y;
	return diags_errors(diags) == errors ? 0 : -1;
}

/* ---- reading it ---- */

size_t ydoc_count(const struct ydoc *y)
{
	CHECK_OBJ(y, YDOC_MAGIC);
	return y->n;
}

const struct ynode *ydoc_root(const struct ydoc *y, size_t i)
{
	CHECK_OBJ(y, YDOC_MAGIC);
	if (i >= y->n || !y->docs[i].root)
		return NULL;
	const struct ynode *n = y->docs[i].root;
	bool empty = n->kind == YNODE_SCALAR && n->plain && !*n->text;
	return empty && !y->docs[i].bad ? NULL : n;
}

bool ydoc_is_broken(const struct ydoc *y)
{
	CHECK_OBJ(y, YDOC_MAGIC);
	return y->broken;
}

bool ydoc_is_bad(const struct ydoc *y, size_t i)
{
	CHECK_OBJ(y, YDOC_MAGIC);
	return i < y->n && y->docs[i].bad;
}

struct mark ydoc_mark(const struct ydoc *y, size_t i)
{
	CHECK_OBJ(y, YDOC_MAGIC);
	if (i >= y->n)
		return (struct mark){0};
	return y->docs[i].root ? y->docs[i].root->mark : y->docs[i].mark;
}

const struct ynode *ynode_get(const struct ynode *map, const char *key)
{
	if (!map || map->kind != YNODE_MAP)
		return NULL;
	for (size_t i = 0; i < map->n; i++)
		if (strcmp(map->keys[i], key) == 0)
			return map->items[i];
	return NULL;
}

bool ynode_is_null(const struct ynode *n)
{
	if (!n || n->kind != YNODE_SCALAR || !n->plain)
		return false;
	return !*n->text || strcmp(n->text, "~") == 0 || strcmp(n->text, "null") == 0 ||
	       strcmp(n->text, "Null") == 0 || strcmp(n->text, "NULL") == 0;
}
