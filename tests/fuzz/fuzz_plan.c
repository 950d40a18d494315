/* Any two configurations of a guest are planned without harm: the plan names nothing that is not
 * listed, and a step sets no key to what it is and deletes none that is not there. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "decode.h"
#include "plan.h"
#include "render.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char manifest[] =
    "apiVersion: ramet.dev/v1\nkind: ClonedVM\nmetadata: { name: web-01 }\nspec:\n"
    "  node_name: pve1\n  clone: { source_vm_id: 9000, pool_id: prod }\n  name: web-01\n"
    "  description: Front\n  tags: [web]\n"
    "  cpu: { cores: 4, type: host, flags: [+aes], limit: 2, units: 200 }\n"
    "  memory: { size: 2048, balloon: 512 }\n"
    "  network: { net0: { tag: 7, model: virtio, trunks: [5] }, net1: { bridge: vmbr0 } }\n"
    "  disk: { scsi0: { size_gb: 40, datastore_id: ceph, discard: \"on\" },"
    " scsi1: { datastore_id: ceph, size_gb: 5 }, scsi2: { file: \"ceph:vm-100-disk-9\" } }\n"
    "  cdrom: { ide2: {} }\n  rng: { source: /dev/urandom }\n  vga: { memory: null }\n"
    "  delete: { network: [net7], disk: [sata0] }\n  started: true\n  max_disruption: reboot\n";

/* Lines "key: value"; a line "-" alone goes on to the pending configuration. */
static void read_confs(const char *text, struct obs_guest *g)
{
	struct kv *to = &g->current;
	bool second = false;

	for (const char *s = text; *s;) {
		size_t len = strcspn(s, "\n");
		const char *colon = memmem(s, len, ": ", 2);
		if (len == 1 && *s == '-') {
			to = &g->pending;
			second = true;
		} else if (colon && colon > s) {
			_cleanup_str_ char *key = mem_strndup(s, (size_t)(colon - s));
			_cleanup_str_ char *value =
			    mem_strndup(colon + 2, len - (size_t)(colon + 2 - s));
			kv_set(to, key, value);
		}
		s += len + (s[len] == '\n');
	}
	if (!second)
		kv_copy(&g->pending, &g->current);
	kv_set(&g->current, "description", "ramet: c/web-01 vmid=100 0123456789abcdef");
	kv_set(&g->pending, "description", "ramet: c/web-01 vmid=100 0123456789abcdef");
}

static void check(const struct plan *p, const struct plan_input *in)
{
	_cleanup_str_ char *wrong = plan_check_steps(p, in);
	struct render_item v = {.name = "web-01", .vmid = 100, .node = "pve1", .plan = p};
	_cleanup_str_ char *text = render_text(&v, 1, false);
	_cleanup_str_ char *md = render_markdown(&v, 1, NULL);
	_cleanup_str_ char *json = render_json(&v, 1, NULL);

	if (p->reason == REASON_BUG)
		fprintf(stderr, "%s\n", p->message);
	MUST(!wrong && p->reason != REASON_BUG);
	MUST(strlen(md) < 60000 && *json == '{');
	for (const char *c = text; *c; c++)
		MUST((unsigned char)*c >= ' ' || *c == '\n');
	for (size_t i = 0; i < p->n_steps; i++) {
		const struct step *s = &p->steps[i];
		KV_FOREACH (item, &s->set)
			MUST(!text_eq(kv_get(&in->guest->pending, item->key), item->value));
		for (size_t k = 0; k < s->del.n; k++) {
			MUST(kv_has(&in->guest->pending, s->del.v[k]));
			MUST(!kv_has(&s->set, s->del.v[k]));
		}
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct resource *want;
	_cleanup_str_ char *text = mem_strndup((const char *)data, size);
	_cleanup_str_ char *name = NULL;
	struct obs_guest g = {.vmid = 100,
	    .node = mem_strdup("pve1"),
	    .power = OBS_POWER_RUNNING,
	    .power_word = mem_strdup("running"),
	    .pool_known = true,
	    .uuid = mem_strdup("u")};
	struct record r = {.vmid = 100, .uuid = mem_strdup("u"), .proven = true};
	const struct plan_policy policy = {.controller_id = "c",
	    .env = {.tag = "ramet", .suspend_tag = "ramet-suspend"},
	    .max_disruption = PLAN_HOTPLUG};
	struct plan p;

	if (!want) {
		struct diags diags = {0};
		struct ydoc *y = NULL;
		MUST(ydoc_parse(
			 "m", manifest, strlen(manifest), &ydoc_limits_default, &diags, &y) == 0);
		MUST(decode_doc("m", y, 0, &diags, &want, &name) == DECODE_OK);
		ydoc_free(&y);
		diags_fini(&diags);
	}
	read_confs(text, &g);
	const struct plan_input in = {
	    .want = want, .record = &r, .guest = &g, .policy = &policy, .wall_ms = 1};
	plan_make(&in, &p);
	check(&p, &in);
	plan_fini(&p);
	obs_guest_fini(&g);
	record_fini(&r);
	return 0;
}
