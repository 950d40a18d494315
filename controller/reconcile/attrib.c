#include "attrib.h"

#include "jsnrows.h"

#include <stdlib.h>
#include <string.h>

#define MAGIC 0x41545452u
#define SEEN_MAX ((size_t)2 * ATTRIB_LOG_MAX)

struct change {
	uint32_t vmid;
	char *key, *user;
	int64_t time;
};

/* What was seen of a node's lines, up to here: time, and the ids of that very second. Each node
 * dates its own by its own clock. */
struct origin {
	char *node;
	int64_t time;
	struct strs ids;
};

struct attrib {
	uint32_t magic;
	char *own;
	struct change *v; /* a ring, oldest first from `at` once it is full */
	size_t n, at;
	struct origin *origins;
	size_t n_origins, cap_origins;
	bool fed;
};

struct attrib *attrib_new(const char *own_user)
{
	struct attrib *a = mem_alloc(sizeof(*a));

	a->magic = MAGIC;
	a->own = mem_strdup(own_user);
	a->v = mem_calloc(ATTRIB_MAX, sizeof(*a->v));
	return a;
}

static void change_fini(struct change *c)
{
	free(c->key);
	free(c->user);
	*c = (struct change){0};
}

void attrib_free(struct attrib **ap)
{
	struct attrib *a = *ap;

	if (!a)
		return;
	CHECK_OBJ(a, MAGIC);
	for (size_t i = 0; i < a->n; i++)
		change_fini(&a->v[i]);
	for (size_t i = 0; i < a->n_origins; i++) {
		free(a->origins[i].node);
		strs_fini(&a->origins[i].ids);
	}
	free(a->origins);
	free(a->v);
	free(a->own);
	a->magic = 0;
	free(a);
	*ap = NULL;
}

/* UPID:node:pid:pstart:start:type:id:user: */
static int upid_split(const char *upid, struct strs *ret)
{
	struct strs p = {0};

	if (text_split(upid, ":", false, 16, &p) < 0)
		return -1;
	if (p.n < 8 || strcmp(p.v[0], "UPID") != 0) {
		strs_fini(&p);
		return -1;
	}
	*ret = p;
	return 0;
}

void attrib_learn_self(struct attrib *a, const char *upid)
{
	struct strs p = {0};

	if (a->own || upid_split(upid, &p) < 0)
		return;
	a->own = mem_strdup(p.v[7]);
	strs_fini(&p);
}

static void remember(struct attrib *a, uint32_t vmid, const char *key, const char *user, int64_t t)
{
	struct change *c = &a->v[a->at];

	if (a->n < ATTRIB_MAX)
		a->n++;
	change_fini(c);
	*c = (struct change){
	    .vmid = vmid, .key = mem_strdup(key), .user = text_oneline(user, 80), .time = t};
	a->at = (a->at + 1) % ATTRIB_MAX;
}

static void update_line(
    struct attrib *a, uint32_t vmid, const char *rest, const char *user, int64_t t)
{
	struct strs w = {0};

	if (text_split(rest, " ", true, 400, &w) < 0)
		return;
	for (size_t i = 0; i < w.n; i++) {
		const char *key = w.v[i];

		if (strcmp(key, "resize") == 0 || key[0] != '-')
			continue;
		key += strspn(key, "-");
		if ((strcmp(key, "delete") == 0 || strcmp(key, "revert") == 0 ||
			strcmp(key, "disk") == 0) &&
		    i + 1 < w.n) {
			struct strs keys = {0};

			if (text_split(w.v[i + 1], ",;", true, 100, &keys) < 0)
				continue;
			for (size_t k = 0; k < keys.n; k++)
				remember(a, vmid, keys.v[k], user, t);
			strs_fini(&keys);
		} else if (key[0] && strcmp(key, "size") != 0 && strcmp(key, "digest") != 0) {
			remember(a, vmid, key, user, t);
		}
	}
	strs_fini(&w);
}

/* What a kind of task changes: "power", "node", or "*" = anything. */
static const char *task_key(const char *type)
{
	static const char *const power[] = {"qmstart", "qmstop", "qmshutdown", "qmreboot",
	    "qmreset", "qmsuspend", "qmresume", "hastart", "hastop"};

	for (size_t i = 0; i < ARRAY_LEN(power); i++)
		if (strcmp(type, power[i]) == 0)
			return "power";
	if (strcmp(type, "qmigrate") == 0 || strcmp(type, "hamigrate") == 0)
		return "node";
	if (strcmp(type, "qmrollback") == 0 || strcmp(type, "qmmove") == 0 ||
	    strcmp(type, "qmtemplate") == 0 || strcmp(type, "qmdestroy") == 0)
		return "*";
	return NULL;
}

/* The VMID that the line is about, 0 = none. */
static uint32_t line(struct attrib *a, const char *msg, const char *user, int64_t t)
{
	const char *p = text_after(msg, "update VM ");
	const char *upid = strstr(msg, "UPID:");
	struct strs parts = {0};
	int64_t vmid = 0;

	if (p) {
		_cleanup_str_ char *num = mem_strndup(p, strcspn(p, ":"));

		if (text_to_int(num, 100, 999999999, &vmid) < 0 || !p[strlen(num)])
			return 0;
		update_line(a, (uint32_t)vmid, p + strlen(num) + 1, user, t);
	} else if (upid && upid_split(upid, &parts) == 0) {
		const char *key = task_key(parts.v[5]);

		if (text_to_int(parts.v[6], 100, 999999999, &vmid) < 0)
			vmid = 0;
		else if (key)
			remember(a, (uint32_t)vmid, key, user, t);
		strs_fini(&parts);
	}
	return (uint32_t)vmid;
}

/* A line of the log that may be new. */
struct fresh {
	char *node, *id, *msg, *user;
	int64_t time;
};

struct feed {
	const struct attrib *a;
	struct fresh *v; /* newest first */
	size_t n, cap;
	size_t seen;
};

static struct origin *origin_of(const struct attrib *a, const char *node)
{
	for (size_t i = 0; i < a->n_origins; i++)
		if (text_eq(a->origins[i].node, node))
			return &a->origins[i];
	return NULL;
}

/* NULL: there are more nodes than there can be. */
static struct origin *make_origin(struct attrib *a, const char *node)
{
	struct origin *o = origin_of(a, node);

	if (o || a->n_origins >= ATTRIB_NODES_MAX)
		return o;
	MEM_PUSH_ROOM(a->origins, a->n_origins, a->cap_origins);
	o = &a->origins[a->n_origins++];
	*o = (struct origin){.node = mem_strdup(node)};
	return o;
}

/* What is read of a line. */
enum part { P_MSG, P_USER, P_UID, P_NODE, P_TIME };
static const char *const parts[] = {"msg", "user", "uid", "node", "time", NULL};

static void take_line(void *arg, const char *const *m)
{
	struct feed *f = arg;
	const struct origin *o = m[P_NODE] ? origin_of(f->a, m[P_NODE]) : NULL;
	int64_t t = 0;

	if (++f->seen > ATTRIB_LOG_MAX || !m[P_MSG] || !m[P_USER] || !m[P_NODE] ||
	    (m[P_TIME] && text_to_int(m[P_TIME], 0, INT64_MAX, &t) < 0) || (o && t < o->time))
		return;
	MEM_PUSH_ROOM(f->v, f->n, f->cap);
	f->v[f->n++] = (struct fresh){.node = mem_strdup(m[P_NODE]),
	    .id = mem_printf("%s %s", m[P_UID] ? m[P_UID] : "", m[P_MSG]),
	    .msg = mem_strdup(m[P_MSG]),
	    .user = mem_strdup(m[P_USER]),
	    .time = t};
}

static void learn(struct attrib *a, const struct fresh *l, bool first, attrib_cb cb, void *arg)
{
	struct origin *o = make_origin(a, l->node);
	uint32_t vmid;

	if (!o || l->time < o->time || (l->time == o->time && strs_has(&o->ids, l->id)))
		return;
	/* A second with more lines than that is none of a clock's: some are told again. */
	if (l->time > o->time || o->ids.n == SEEN_MAX)
		strs_fini(&o->ids);
	o->time = l->time;
	strs_add(&o->ids, l->id);
	vmid = line(a, l->msg, l->user, l->time);
	if (vmid && !first && !text_eq(l->user, a->own))
		cb(arg, vmid);
}

int attrib_feed(struct attrib *a, const char *list, size_t len, attrib_cb cb, void *arg)
{
	struct feed f = {.a = a};
	struct jsnrows what = {.list = "data", .keys = parts, .cb = take_line, .arg = &f};
	int rc;

	CHECK_OBJ(a, MAGIC);
	rc = jsnrows_read(list, len, &what, NULL);
	for (size_t i = f.n; i-- > 0;) {
		if (rc == 0)
			learn(a, &f.v[i], !a->fed, cb, arg);
		free(f.v[i].node);
		free(f.v[i].id);
		free(f.v[i].msg);
		free(f.v[i].user);
	}
	free(f.v);
	a->fed |= rc == 0;
	return rc;
}

const char *attrib_who(const struct attrib *a, uint32_t vmid, const char *key)
{
	for (size_t i = 0; i < a->n; i++) {
		const struct change *c = &a->v[(a->at + ATTRIB_MAX - 1 - i) % ATTRIB_MAX];

		if (c->vmid != vmid || (strcmp(c->key, key) != 0 && strcmp(c->key, "*") != 0))
			continue;
		if (text_eq(c->user, a->own))
			continue; /* our own correction in between */
		return c->user;
	}
	return NULL;
}
