/* Manifests, guests and clusters from short texts, for tests of the planner. */
#ifndef RAMET_TEST_PLAN_SUPPORT_H
#define RAMET_TEST_PLAN_SUPPORT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "plan.h"

#define UUID "5a1c7c9e-0000-4000-8000-000000001204"
#define NONCE "0123456789abcdef"
#define MARKER "ramet: homelab/web-01 vmid=1204 " NONCE
#define MAC0 "BC:24:11:00:00:01"

struct scene {
	struct resource *want;
	struct record record;
	struct obs_guest guest, source;
	struct obs_cluster cluster;
	struct plan_policy policy;
	struct plan_input in;
	struct plan plan;
};

static inline void add_leaf(struct resource *r, const char *path, const char *text)
{
	char *slot = NULL;
	const struct attr *a = schema_find_path(path, &slot);
	if (!a)
		fail_msg("no attribute %s", path);
	r->leaves = realloc(r->leaves, (r->n_leaves + 1) * sizeof(*r->leaves));
	struct leaf *l = &r->leaves[r->n_leaves++];
	*l = (struct leaf){.attr = a, .slot = slot};
	if (strcmp(text, "null") == 0)
		l->value.type = VALUE_NULL;
	else if (schema_parse_value(a, text, &l->value) < 0)
		fail_msg("%s is no value for %s", text, path);
	if (slot) {
		_cleanup_str_ char *device =
		    mem_printf("%.*s%s", (int)strcspn(a->path, "*"), a->path, slot);
		if (!strs_has(&r->slots, device))
			strs_add(&r->slots, device);
	}
}

/* Lines "cpu.cores = 4"; "network.net1 = {}" is a device without a leaf. */
static inline struct resource *resource_draft(const char *name, const char *lines)
{
	struct resource *r = resource_new();
	_cleanup_strs_ struct strs all = {0};
	r->name = mem_strdup(name);
	r->file = mem_strdup("web.yaml");
	assert_int_equal(text_split(lines, "\n", true, 1000, &all), 0);
	for (size_t i = 0; i < all.n; i++) {
		char *eq = strstr(all.v[i], " = ");
		assert_non_null(eq);
		*eq = '\0';
		if (strcmp(eq + 3, "{}") == 0)
			strs_add(&r->slots, all.v[i]);
		else
			add_leaf(r, all.v[i], eq + 3);
	}
	return r;
}

static inline struct resource *resource_from(const char *name, const char *lines)
{
	struct resource *r = resource_draft(name, lines);
	resource_seal(r);
	return r;
}

/* Lines "cores: 2" as in a configuration file of PVE; \n in a value is a line end, \s a blank. */
static inline void conf_from(struct kv *conf, const char *lines)
{
	_cleanup_strs_ struct strs all = {0};
	kv_fini(conf);
	assert_int_equal(text_split(lines, "\n", true, 1000, &all), 0);
	for (size_t i = 0; i < all.n; i++) {
		char *colon = strstr(all.v[i], ": ");
		assert_non_null(colon);
		*colon = '\0';
		char *v = colon + 2, *w = v;
		for (char *s = v; *s; s++) {
			bool end = s[0] == '\\' && s[1] == 'n';
			bool blank = s[0] == '\\' && s[1] == 's';
			*w++ = end ? '\n' : blank ? ' ' : *s;
			s += end || blank;
		}
		*w = '\0';
		kv_set(conf, all.v[i], v);
	}
}

static inline void add_storage(
    struct obs_cluster *c, const char *id, const char *node, const char *plugin, bool shared)
{
	c->storages = realloc(c->storages, (c->n_storages + 1) * sizeof(*c->storages));
	c->storages[c->n_storages++] = (struct obs_storage){.id = mem_strdup(id),
	    .node = mem_strdup(node),
	    .plugin = mem_strdup(plugin),
	    .shared = shared,
	    .active = true,
	    .content = mem_strdup("images,rootdir")};
}

static inline void set_cluster(struct obs_cluster *c)
{
	*c = (struct obs_cluster){.complete = true,
	    .quorum_visible = true,
	    .quorate = true,
	    .quorate_for_ms = 60000,
	    .version_major = 9,
	    .version_minor = 1};
	c->nodes = mem_calloc(2, sizeof(*c->nodes));
	c->n_nodes = 2;
	c->nodes[0] = (struct obs_node){.name = mem_strdup("pve1"), .online = true};
	c->nodes[1] = (struct obs_node){.name = mem_strdup("pve2"), .online = true};
	for (int i = 1; i <= 2; i++) {
		const char *node = i == 1 ? "pve1" : "pve2";
		add_storage(c, "local", node, "dir", false);
		add_storage(c, "local-lvm", node, "lvmthin", false);
		add_storage(c, "thick", node, "lvm", false);
		add_storage(c, "ceph", node, "rbd", true);
		add_storage(c, "tank", node, "zfspool", false);
	}
}

#define TEMPLATE_CONF                                                                       \
	"boot: order=scsi0\ncores: 2\ncpu: kvm64,hidden=1\nmemory: 2048\nname: debian-12\n" \
	"net0: virtio=" MAC0 ",bridge=vmbr0,firewall=1,tag=5\n"                             \
	"scsi0: local-lvm:base-9000-disk-0,cache=writeback,size=32G\n"                      \
	"scsihw: virtio-scsi-single\nsmbios1: uuid=1\ntags: golden\nzork: keep, this = too\n"

#define GUEST_CONF                                                               \
	"boot: order=scsi0\ncores: 2\ncpu: kvm64,hidden=1\ndescription: " MARKER \
	"\nmemory: 2048\nname: web-01\n"                                         \
	"net0: virtio=" MAC0 ",bridge=vmbr0,firewall=1,tag=5\n"                  \
	"scsi0: local-lvm:vm-1204-disk-0,cache=writeback,size=32G\n"             \
	"scsihw: virtio-scsi-single\nsmbios1: uuid=" UUID                        \
	"\ntags: golden;ramet\nzork: keep, this = too\n"

/* A manifest of lines over a running guest that was cloned from 9000 and is known. */
static inline void scene_open(struct scene *s, const char *lines)
{
	*s = (struct scene){0};
	_cleanup_str_ char *all =
	    mem_printf("node_name = pve1\nclone.source_vm_id = 9000\n%s", lines);
	s->want = resource_from("web-01", all);
	s->record = (struct record){.vmid = 1204,
	    .uuid = mem_strdup(UUID),
	    .nonce = mem_strdup(NONCE),
	    .node = mem_strdup("pve1"),
	    .source_vmid = 9000,
	    .proven = true,
	    .whole = true};
	snprintf(s->record.synced_hash, sizeof(s->record.synced_hash), "older");
	s->guest = (struct obs_guest){.vmid = 1204,
	    .node = mem_strdup("pve1"),
	    .digest = mem_strdup("d"),
	    .power = OBS_POWER_RUNNING,
	    .power_word = mem_strdup("running"),
	    .pool_known = true,
	    .uuid = mem_strdup(UUID)};
	conf_from(&s->guest.current, GUEST_CONF);
	conf_from(&s->guest.pending, GUEST_CONF);
	s->source = (struct obs_guest){.vmid = 9000,
	    .node = mem_strdup("pve1"),
	    .power = OBS_POWER_STOPPED,
	    .power_word = mem_strdup("stopped"),
	    .template = true,
	    .uuid = mem_strdup("")};
	conf_from(&s->source.current, TEMPLATE_CONF);
	conf_from(&s->source.pending, TEMPLATE_CONF);
	set_cluster(&s->cluster);
	s->policy = (struct plan_policy){.controller_id = "homelab",
	    .env = {.tag = "ramet", .suspend_tag = "ramet-suspend"},
	    .max_disruption = PLAN_HOTPLUG};
	s->in = (struct plan_input){.want = s->want,
	    .record = &s->record,
	    .guest = &s->guest,
	    .source = &s->source,
	    .cluster = &s->cluster,
	    .policy = &s->policy,
	    .wall_ms = INT64_C(1796000000000)};
}

/* There is no VM yet. */
static inline void scene_create(struct scene *s, const char *lines)
{
	scene_open(s, lines);
	s->in.record = NULL;
	s->in.guest = NULL;
}

static inline void scene_synced(struct scene *s)
{
	memcpy(s->record.synced_hash, s->want->hash, sizeof(s->record.synced_hash));
}

static inline void scene_stopped(struct scene *s)
{
	s->guest.power = OBS_POWER_STOPPED;
	mem_replace(&s->guest.power_word, "stopped");
}

/* Both configurations: a line replaces its key; "key:" alone removes it. */
static inline void scene_conf(struct kv *conf, const char *key, const char *value)
{
	if (value)
		kv_set(conf, key, value);
	else
		kv_del(conf, key);
}

static inline void scene_both(struct scene *s, const char *key, const char *value)
{
	scene_conf(&s->guest.current, key, value);
	scene_conf(&s->guest.pending, key, value);
}

static inline const struct plan *scene_plan(struct scene *s)
{
	plan_fini(&s->plan);
	plan_make(&s->in, &s->plan);
	return &s->plan;
}

static inline void scene_close(struct scene *s)
{
	plan_fini(&s->plan);
	resource_free(&s->want);
	record_fini(&s->record);
	obs_guest_fini(&s->guest);
	obs_guest_fini(&s->source);
	obs_cluster_fini(&s->cluster);
}

static inline const struct change *find_change(const struct plan *p, const char *path)
{
	for (size_t i = 0; i < p->n_changes; i++)
		if (strcmp(p->changes[i].path, path) == 0)
			return &p->changes[i];
	return NULL;
}

static inline const struct step *find_step(const struct plan *p, enum step_kind kind)
{
	for (size_t i = 0; i < p->n_steps; i++)
		if (p->steps[i].kind == kind)
			return &p->steps[i];
	return NULL;
}

/* What a plan comes to, in one line: "ACT Updating | configure set cores=4 | cpu.cores 2>4". */
static inline void expect_verdict(const struct plan *p, enum plan_verdict v, enum reason r)
{
	if (p->verdict != v || p->reason != r)
		fail_msg("verdict %d, reason %s: %s", p->verdict, reason_word(p->reason),
		    p->message ? p->message : "");
}

static inline void expect_set(const struct step *s, const char *key, const char *value)
{
	assert_non_null(s);
	const char *got = kv_get(&s->set, key);
	assert_string_equal(got ? got : "(not set)", value);
}

static inline void expect_blocked(const struct plan *p, const char *path, enum reason r)
{
	const struct change *c = find_change(p, path);
	if (!c)
		fail_msg("no change %s", path);
	assert_int_equal(c->state, CHANGE_BLOCKED);
	assert_string_equal(reason_word(c->reason), reason_word(r));
	assert_non_null(c->why);
}

#endif
