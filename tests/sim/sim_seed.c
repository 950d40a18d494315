#include "sim_seed.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "crypt.h"
#include "sim_auth.h"
#include "sim_conf.h"
#include "sim_control.h"
#include "sim_field.h"
#include "sim_haseed.h"
#include "sim_human.h"
#include "sim_nic.h"
#include "sim_past.h"
#include "sim_repl.h"
#include "sim_schema.h"
#include "sim_volume.h"

/* --- cluster, timing --- */

static int load_timing(const struct seed *c, const struct ynode *map)
{
	static const char *const words[] = {
#define TIMING(code, word, ms, doc) word,
#include "sim_timing.def"
#undef TIMING
	};

	for (size_t i = 0; map && i < map->n; i++) {
		const char *v = field_str(map, map->keys[i], "");
		bool found = false;

		if (!strcmp(map->keys[i], "bandwidth")) {
			c->s->bandwidth = size_parse(v);
			if (c->s->bandwidth < 0)
				return field_bad(c, map->items[i], "\"%s\" is no size", v);
			continue;
		}
		for (size_t k = 0; k < ARRAY_LEN(words); k++)
			if (!strcmp(words[k], map->keys[i])) {
				found = true;
				c->s->timing[k] = field_duration(v);
				if (c->s->timing[k] < 0)
					return field_bad(
					    c, map->items[i], "\"%s\" is no duration", v);
			}
		if (!found)
			return field_bad(c, map->items[i], "unknown timing \"%s\"", map->keys[i]);
	}
	return 0;
}

static int load_cluster(const struct seed *c, const struct ynode *map)
{
	const struct ynode *o = ynode_get(map, "options"), *f = ynode_get(map, "files"),
			   *h = ynode_get(map, "hosts");

	if (!map)
		return 0;
	if (field_known(c, map,
		"|name|version|options|files|hosts|nameserver|cpuunits-max|image-data|"
		"qemu|bridge-warning|cpu-models|no-ha|") < 0)
		return -1;
	mem_replace(&c->s->name, field_str(map, "name", NULL));
	c->s->image_data = field_bytes(map, "image-data", 0);
	c->s->cpuunits_max = field_number(map, "cpuunits-max", c->s->cpuunits_max);
	mem_replace(&c->s->qemu, field_str(map, "qemu", c->s->qemu));
	field_list(ynode_get(map, "cpu-models"), &c->s->cpu_models);
	c->s->no_ha = field_flag(map, "no-ha", false);
	mem_replace(&c->s->bridge_warning, field_str(map, "bridge-warning", NULL));
	for (size_t i = 0; o && i < o->n; i++)
		kv_set(&c->s->options, o->keys[i], field_str(o, o->keys[i], ""));
	for (size_t i = 0; f && i < f->n; i++)
		kv_set(&c->s->files, f->keys[i], field_str(f, f->keys[i], ""));
	for (size_t i = 0; h && i < h->n; i++)
		kv_set(&c->s->hosts, h->keys[i], field_str(h, h->keys[i], ""));
	c->s->nameserver = field_flag(map, "nameserver", false);
	return 0;
}

/* --- nodes, storages --- */

/* What a machine is made of, when nobody says otherwise. */
static int load_hardware(const struct seed *c, const struct ynode *map, struct node *n)
{
	static const struct {
		const char *key, *usual;
	} facts[] = {{"model", "Simulated CPU"}, {"mhz", "2500.000"}, {"flags", "fpu sse2 aes"},
	    {"hvm", "1"}, {"vendor", "GenuineIntel"}, {"family", "6"}, {"release", "6.14.0-1-pve"},
	    {"version", "#1 SMP PREEMPT_DYNAMIC"}, {"boot", "efi"}};

	if (map && field_known(c, map,
		       "|model|mhz|flags|hvm|vendor|family|release|version|boot|sockets|") < 0)
		return -1;
	for (size_t i = 0; i < ARRAY_LEN(facts); i++)
		kv_set(&n->hardware, facts[i].key,
		    map ? field_str(map, facts[i].key, facts[i].usual) : facts[i].usual);
	n->sockets = map ? (int)field_number(map, "sockets", 1) : 1;
	if (n->sockets < 1)
		return field_bad(c, map, "a node has at least one socket");
	return 0;
}

/* Of a certificate that nobody gave to the node: made of its name. */
static char *usual_fingerprint(const char *name)
{
	char hex[CRYPT_HEX_LEN];
	struct buf b;

	crypt_sha256_hex(name, strlen(name), hex);
	buf_init(&b, 0);
	for (size_t i = 0; hex[i]; i++)
		buf_addf(&b, "%s%c", i && i % 2 == 0 ? ":" : "", toupper((unsigned char)hex[i]));
	return buf_take(&b);
}

static int load_node(const struct seed *c, const struct ynode *map)
{
	struct sim *s = c->s;
	struct node *n;

	if (field_known(c, map,
		"|name|ip|cpus|memory|disk|bridges|addresses|nic|interfaces|hardware|statd-at|"
		"cgroup|portless|fingerprint|") < 0)
		return -1;
	if (!field_str(map, "name", NULL))
		return field_bad(c, map, "a node needs a name");
	if (node_find(s, field_str(map, "name", "")))
		return field_bad(c, map, "node \"%s\" is there twice", field_str(map, "name", ""));
	n = mem_alloc(sizeof(*n));
	n->name = mem_strdup(field_str(map, "name", ""));
	n->id = (int)s->nnodes + 1;
	n->ip = mem_strdup(field_str(map, "ip", NULL));
	if (!n->ip)
		n->ip = mem_printf("10.0.0.%d", n->id);
	n->maxcpu = (int)field_number(map, "cpus", 16);
	n->maxmem = field_bytes(map, "memory", (int64_t)64 << 30);
	n->disk = field_bytes(map, "disk", (int64_t)100 << 30);
	n->portless = field_flag(map, "portless", false);
	field_list(ynode_get(map, "bridges"), &n->bridges);
	field_list(ynode_get(map, "addresses"), &n->addresses);
	field_list(ynode_get(map, "interfaces"), &n->interfaces);
	n->cgroup = (int)field_number(map, "cgroup", 2);
	n->nic = mem_strdup(field_str(map, "nic", NULL));
	n->fingerprint = mem_strdup(field_str(map, "fingerprint", NULL));
	if (!n->fingerprint)
		n->fingerprint = usual_fingerprint(n->name);
	if (!n->bridges.n)
		strs_add(&n->bridges, "vmbr0");
	n->up = n->daemon = n->proxy = n->quorate = n->statd = true;
	n->rejoined = n->rebooted = NOT_DIRTY;
	n->pid = 1000 + (uint32_t)s->nnodes * 100;
	n->phase = s->timing[TIMING_STATD] ? (int64_t)s->nnodes * 700 % s->timing[TIMING_STATD] : 0;
	if (field_str(map, "statd-at", NULL))
		n->phase = field_duration(field_str(map, "statd-at", NULL));
	MEM_PUSH_ROOM(s->nodes, s->nnodes, s->nodecap);
	s->nodes[s->nnodes++] = n;
	return load_hardware(c, ynode_get(map, "hardware"), n);
}

static int load_files(
    const struct seed *c, const struct ynode *seq, struct store *st, const char *folder)
{
	for (size_t i = 0; seq && i < seq->n; i++) {
		const struct ynode *f = seq->items[i];
		const char *name = f->kind == YNODE_SCALAR ? f->text : field_str(f, "name", "");
		int64_t size = f->kind == YNODE_MAP ? field_bytes(f, "size", 350 << 10) : 350 << 10;
		_cleanup_str_ char *path = mem_printf("%s/%s", folder, name);
		struct volume *v;

		if (!*name)
			return field_bad(c, f, "a file needs a name");
		for (size_t k = 0; k < c->s->nnodes; k++) {
			if (!store_on(st, c->s->nodes[k]))
				continue;
			v = volume_add(c->s, st, c->s->nodes[k], path, 0, size);
			if (f->kind == YNODE_MAP && ynode_get(f, "virtual")) {
				v->file_size = size;
				v->size = field_bytes(f, "virtual", size);
				v->written = size > 1 << 20;
				v->data = v->written ? size : 0;
			}
			if (st->shared)
				break;
		}
	}
	return 0;
}

/* What a target shows: images of nobody. */
static int load_luns(const struct seed *c, const struct ynode *seq, struct store *st)
{
	for (size_t i = 0; seq && i < seq->n; i++) {
		const struct ynode *l = seq->items[i];
		const char *name = field_str(l, "name", "");
		_cleanup_oops_ struct oops o = {0};

		if (st->type != STORE_ISCSI || !volname_ok(st, name, &o))
			return field_bad(
			    c, l, "a LUN belongs to iscsi and is called as 0.0.1.scsi-36001");
		volume_add(c->s, st, NULL, name, 0, field_bytes(l, "size", (int64_t)1 << 30));
	}
	return 0;
}

static int load_store(const struct seed *c, const struct ynode *map)
{
	static const bool shared[] = {
#define STORE(code, word, file, sh, formats) sh,
#include "sim_store.def"
#undef STORE
	};
	struct sim *s = c->s;
	struct store *st;
	enum store_type type;
	const char *name;

	if (field_known(c, map,
		"|name|type|path|content|nodes|shared|size|used|iso|import|snippets|luns|"
		"disabled|") < 0)
		return -1;
	name = field_str(map, "name", NULL);
	if (!name || store_type_parse(field_str(map, "type", ""), &type) < 0)
		return field_bad(c, map,
		    "a storage needs a name and a type of dir, nfs, cifs, btrfs, lvm, "
		    "lvmthin, zfspool, rbd, iscsi");
	if (store_find(s, name))
		return field_bad(c, map, "storage \"%s\" is there twice", name);
	st = mem_alloc(sizeof(*st));
	st->name = mem_strdup(name);
	st->type = type;
	st->path = mem_strdup(field_str(map, "path", NULL));
	if (!st->path)
		st->path = mem_printf(store_is_file(st) ? "/mnt/pve/%s" : "%s", name);
	field_list(ynode_get(map, "content"), &st->content);
	if (!st->content.n) {
		strs_add(&st->content, "images");
		strs_add(&st->content, "rootdir");
	}
	field_list(ynode_get(map, "nodes"), &st->nodes);
	st->shared = field_flag(map, "shared", shared[type]);
	st->enabled = !field_flag(map, "disabled", false);
	st->online = true;
	st->total = field_bytes(map, "size", (int64_t)500 << 30);
	st->used_base = field_bytes(map, "used", 0);
	if (type == STORE_ISCSI) /* nobody knows */
		st->total = st->used_base = 0;
	MEM_PUSH_ROOM(s->stores, s->nstores, s->storecap);
	s->stores[s->nstores++] = st;
	if (load_files(c, ynode_get(map, "iso"), st, "iso") < 0 ||
	    load_files(c, ynode_get(map, "import"), st, "import") < 0)
		return -1;
	return load_files(c, ynode_get(map, "snippets"), st, "snippets") < 0
		   ? -1
		   : load_luns(c, ynode_get(map, "luns"), st);
}

/* --- users and rights --- */

static int load_pool(const struct seed *c, const struct ynode *n)
{
	struct pool *p;
	const char *name = n->kind == YNODE_SCALAR ? n->text : field_str(n, "name", NULL);

	if (n->kind == YNODE_MAP && field_known(c, n, "|name|comment|storages|") < 0)
		return -1;
	if (!name)
		return field_bad(c, n, "a pool needs a name");
	p = mem_alloc(sizeof(*p));
	p->name = mem_strdup(name);
	if (n->kind == YNODE_MAP) {
		p->comment = mem_strdup(field_str(n, "comment", NULL));
		field_list(ynode_get(n, "storages"), &p->stores);
	}
	MEM_PUSH_ROOM(c->s->pools, c->s->npools, c->s->poolcap);
	c->s->pools[c->s->npools++] = p;
	return 0;
}

static int load_role(const struct seed *c, const struct ynode *map)
{
	struct strs l = {0};
	uint64_t bits = 0;

	if (field_known(c, map, "|name|privs|") < 0)
		return -1;
	field_list(ynode_get(map, "privs"), &l);
	/* A privilege that this version does not know is left out: one seed serves both. */
	for (size_t i = 0; i < l.n; i++)
		bits |= priv_parse(c->s, l.v[i]);
	strs_fini(&l);
	MEM_PUSH_ROOM(c->s->roles, c->s->nroles, c->s->rolecap);
	c->s->roles[c->s->nroles++] =
	    (struct srole){mem_strdup(field_str(map, "name", "unnamed")), bits, false};
	return 0;
}

static int load_user(const struct seed *c, const struct ynode *map)
{
	const struct ynode *tokens = ynode_get(map, "tokens");
	struct suser *u;
	const char *name = field_str(map, "name", NULL);

	if (field_known(c, map, "|name|password|enabled|expire|groups|tokens|") < 0)
		return -1;
	if (!name || !strchr(name, '@'))
		return field_bad(c, map, "a user needs a name with a realm, as in ops@pam");
	u = mem_alloc(sizeof(*u));
	u->name = mem_strdup(name);
	u->password = mem_strdup(field_str(map, "password", NULL));
	u->enabled = field_flag(map, "enabled", true);
	u->expire = field_number(map, "expire", 0);
	field_list(ynode_get(map, "groups"), &u->groups);
	MEM_PUSH_ROOM(c->s->users, c->s->nusers, c->s->usercap);
	c->s->users[c->s->nusers++] = u;
	for (size_t i = 0; tokens && i < tokens->n; i++) {
		const struct ynode *t = tokens->items[i];

		if (field_known(c, t, "|name|secret|privsep|expire|comment|") < 0)
			return -1;
		if (!field_str(t, "name", NULL) || !field_str(t, "secret", NULL))
			return field_bad(c, t, "a token needs a name and a secret");
		MEM_PUSH_ROOM(u->tokens, u->ntokens, u->tcap);
		u->tokens[u->ntokens++] = (struct stoken){mem_strdup(field_str(t, "name", "")),
		    mem_strdup(field_str(t, "secret", "")), field_flag(t, "privsep", true),
		    field_number(t, "expire", 0), mem_strdup(field_str(t, "comment", NULL))};
	}
	return 0;
}

static int load_acl(const struct seed *c, const struct ynode *map)
{
	if (field_known(c, map, "|path|who|role|propagate|") < 0)
		return -1;
	if (!field_str(map, "path", NULL) || !field_str(map, "who", NULL) ||
	    !field_str(map, "role", NULL))
		return field_bad(c, map, "an acl entry needs path, who and role");
	if (!role_find(c->s, field_str(map, "role", "")))
		return field_bad(c, map, "there is no role \"%s\"", field_str(map, "role", ""));
	MEM_PUSH_ROOM(c->s->acls, c->s->nacls, c->s->aclcap);
	c->s->acls[c->s->nacls++] = (struct sacl){mem_strdup(field_str(map, "path", "")),
	    mem_strdup(field_str(map, "who", "")), mem_strdup(field_str(map, "role", "")),
	    field_flag(map, "propagate", true)};
	return 0;
}

/* --- guests --- */

static int load_inside(const struct seed *c, const struct ynode *map, struct guest *g)
{
	const struct ynode *os;

	if (!map)
		return 0;
	if (field_known(c, map, "|agent|boot|os|") < 0)
		return -1;
	os = ynode_get(map, "os");
	g->inside.agent = mem_strdup(field_str(map, "agent", NULL));
	g->inside.boot = field_duration(field_str(map, "boot", "10s"));
	if (g->inside.boot < 0)
		return field_bad(c, map, "\"boot\" is no duration");
	for (size_t i = 0; os && i < os->n; i++)
		kv_set(&g->inside.os, os->keys[i], field_str(os, os->keys[i], ""));
	return 0;
}

static int load_replicate(const struct seed *c, const struct ynode *map, const struct guest *g)
{
	const char *target = field_str(map, "replicate", NULL);
	const struct node *to = target ? node_find(c->s, target) : NULL;
	_cleanup_kv_ struct kv conf = {0};
	_cleanup_oops_ struct oops o = {0};

	if (!target)
		return 0;
	if (!to || to == g->node)
		return field_bad(c, map, "\"replicate\" names another node");
	kv_set(&conf, "target", target);
	kv_set(&conf, "source", g->node->name);
	return repl_add(c->s, g->vmid, 0, &conf, &o) ? 0 : field_bad(c, map, "%s", o.msg);
}

static int load_one_guest(
    const struct seed *c, const struct ynode *map, int64_t vmid, int64_t nth, struct node *node)
{
	const struct ynode *conf = ynode_get(map, "config");
	_cleanup_kv_ struct kv set = {0};
	struct err *e = NULL;
	struct guest *g;
	const char *pool = field_str(map, "pool", NULL);

	for (size_t i = 0; conf && i < conf->n; i++) {
		const char *v = field_str(conf, conf->keys[i], ""); /* null: left out */

		if (!schema_conf_key(conf->keys[i], c->s->v9))
			return field_bad(c, conf->items[i],
			    "guest %" PRId64 ": unknown option \"%s\"", vmid, conf->keys[i]);
		kv_set(&set, conf->keys[i], v);
	}
	if (nth)
		kv_setf(&set, "name", "%s-%" PRId64,
		    kv_get(&set, "name") ? kv_get(&set, "name") : "vm", nth);
	if (field_flag(map, "bare", false)) { /* nothing but what is said: debris of an operation */
		g = guest_new(c->s, vmid, node);
		KV_FOREACH (i, &set)
			guest_set(c->s, g, i->key, i->value);
		return 0;
	}
	if (human_make(c->s, vmid, node, &set, field_flag(map, "template", false), &e) < 0) {
		int r = field_bad(c, map, "guest %" PRId64 ": %s", vmid, err_msg(e));

		err_free(&e);
		return r;
	}
	g = guest_find(c->s, vmid);
	if (pool && !pool_find(c->s, pool))
		return field_bad(c, map, "there is no pool \"%s\"", pool);
	if (pool)
		guest_pool(c->s, g, pool);
	/* Disks without a system: nothing in the guest hears the power button. */
	for (size_t i = 0; field_flag(map, "blank", false) && i < c->s->nvolumes; i++) {
		struct volume *v = c->s->volumes[i];

		if (v->vmid == vmid && v->laid) {
			v->written = v->laid = false;
			v->data = 0;
		}
	}
	if (field_flag(map, "running", false)) {
		guest_run(c->s, g, true);
		nic_plug_all(c->s, g);
	}
	if (load_replicate(c, map, g) < 0)
		return -1;
	g->deaf = field_flag(map, "blank", false);
	g->fresh = field_flag(map, "new", false);
	return haseed_guest(c, ynode_get(map, "ha"), g) < 0
		   ? -1
		   : load_inside(c, ynode_get(map, "inside"), g);
}

static int load_guest(const struct seed *c, const struct ynode *map)
{
	struct node *node;
	int64_t vmid, count;

	if (field_known(c, map,
		"|id|count|node|template|running|pool|blank|bare|new|inside|ha|replicate|config|") <
	    0)
		return -1;
	vmid = field_number(map, "id", 0);
	count = field_number(map, "count", 0);
	node = node_find(c->s, field_str(map, "node", c->s->nodes[0]->name));
	if (vmid < 100 || vmid > SIM_VMID_MAX || count < 0 || count > 100000)
		return field_bad(c, map, "a guest needs an id from 100 on");
	if (!node)
		return field_bad(c, map, "there is no node \"%s\"", field_str(map, "node", ""));
	for (int64_t i = 0; i < (count ? count : 1); i++) {
		if (guest_find(c->s, vmid + i))
			return field_bad(c, map, "guest %" PRId64 " is there twice", vmid + i);
		if (load_one_guest(c, map, vmid + i, count ? i + 1 : 0, node) < 0)
			return -1;
	}
	return 0;
}

static int each(const struct seed *c, const struct ynode *root, const char *key,
    int (*fn)(const struct seed *c, const struct ynode *n))
{
	const struct ynode *seq = ynode_get(root, key);

	if (!seq || ynode_is_null(seq))
		return 0;
	if (seq->kind != YNODE_SEQ)
		return field_bad(c, seq, "%s: a list is expected here", key);
	for (size_t i = 0; i < seq->n; i++)
		if (fn(c, seq->items[i]) < 0)
			return -1;
	return 0;
}

static int load_fault(const struct seed *c, const struct ynode *n)
{
	struct err *e = NULL;
	int r = 0;

	if (sim_fault_add_text(c->s, n->kind == YNODE_SCALAR ? n->text : "", &e) < 0)
		r = field_bad(c, n, "%s", err_msg(e));
	err_free(&e);
	return r;
}

static int load_line(const struct seed *c, const struct ynode *map)
{
	int64_t at = field_duration(field_str(map, "at", ""));
	const char *line = field_str(map, "do", "");

	if (field_known(c, map, "|at|do|") < 0)
		return -1;
	if (at < 0 || !*line)
		return field_bad(c, map, "what happens has a time (at) and a line (do)");
	script_at(c->s, at, line);
	return 0;
}

static int load_all(const struct seed *c, const struct ynode *root)
{
	struct sim *s = c->s;

	if (field_known(c, root,
		"|cluster|timing|nodes|storages|pools|roles|users|acl|ha|guests|past|heard|"
		"volumes|faults|script|") < 0 ||
	    load_cluster(c, ynode_get(root, "cluster")) < 0 ||
	    load_timing(c, ynode_get(root, "timing")) < 0 || each(c, root, "nodes", load_node) < 0)
		return -1;
	if (!s->nnodes)
		return field_bad(c, root, "there must be a node");
	if (s->nnodes > 1 && !s->name)
		s->name = mem_strdup("cluster");
	auth_builtin_roles(s);
	if (each(c, root, "storages", load_store) < 0 || each(c, root, "pools", load_pool) < 0 ||
	    each(c, root, "roles", load_role) < 0 || each(c, root, "users", load_user) < 0 ||
	    each(c, root, "acl", load_acl) < 0)
		return -1;
	if (haseed_load(c, ynode_get(root, "ha")) < 0 || each(c, root, "heard", past_heard) < 0 ||
	    each(c, root, "guests", load_guest) < 0)
		return -1;
	if (each(c, root, "volumes", past_volume) < 0)
		return -1;
	if (each(c, root, "past", past_event) < 0 || each(c, root, "faults", load_fault) < 0)
		return -1;
	return each(c, root, "script", load_line);
}

static int choose_version(const struct seed *c, const struct ynode *root, const char *version)
{
	const struct ynode *cl = ynode_get(root, "cluster");

	if (!version)
		version = field_str(cl, "version", "9.2");
	if (strcmp(version, "8.4") != 0 && strcmp(version, "9.2") != 0)
		return field_bad(
		    c, cl, "version \"%s\" is not simulated; there are 8.4 and 9.2", version);
	c->s->v9 = *version == '9';
	c->s->release = mem_strdup(c->s->v9 ? "9.2" : "8.4");
	c->s->manager = mem_strdup(c->s->v9 ? "9.2.11" : "8.4.21");
	return 0;
}

/* A seed is its user's own file, and 10,000 guests with a description each are some megabytes. */
static const struct ydoc_limits seed_limits = {
    .bytes = (size_t)32 << 20,
    .depth = 32,
    .nodes = 2000000,
    .docs = 1,
};

int seed_load(struct sim *s, const struct sim_opts *opts, struct err **err)
{
	struct seed c = {s, opts->seed_name ? opts->seed_name : "seed", err};
	_cleanup_diags_ struct diags diags = {0};
	_cleanup_ydoc_ struct ydoc *y = NULL;
	size_t len = opts->seed_len ? opts->seed_len : strlen(opts->seed_yaml);
	const struct ynode *root;

	if (ydoc_parse(c.file, opts->seed_yaml, len, &seed_limits, &diags, &y) < 0)
		return err_set(err, ERR_CONFIG, "%s:%u:%u: %s", c.file,
		    diags.n ? diags.v[0].mark.line : 0, diags.n ? diags.v[0].mark.col : 0,
		    diags.n ? diags.v[0].msg : "cannot be read");
	root = ydoc_count(y) ? ydoc_root(y, 0) : NULL;
	if (!root)
		return err_set(err, ERR_CONFIG, "%s: is empty", c.file);
	if (choose_version(&c, root, opts->version) < 0)
		return -1;
	return load_all(&c, root);
}
