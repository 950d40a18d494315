/*
 * The rules hold whatever things are called: nodes, storages, users, numbers, slots, sizes and tags
 * are drawn anew in each round, and what must come of them is worked out here.
 */
#include <inttypes.h>

#include "buf.h"
#include "sim_client.h"

#define ROUNDS 60
#define SECRET "6f1c6e0c-5c1d-4f0e-9a59-000000000001"

static uint64_t chance;

static unsigned draw(unsigned n)
{
	chance ^= chance << 13;
	chance ^= chance >> 7;
	chance ^= chance << 17;
	return (unsigned)(chance >> 20) % n;
}

/* A name of its own, such as "k3x". */
static char *word(const char *lead)
{
	static const char letters[] = "abcdefghijklmnopqrstuvwxyz0123456789";
	char w[8] = {0};
	unsigned n = 3 + draw(4);

	for (unsigned i = 0; i < n; i++)
		w[i] = letters[draw(i + 1 < n ? 36 : 26)];
	return mem_printf("%s%s", lead, w);
}

/* One cluster as it was drawn. */
struct drawn {
	char *node, *other, *store, *user, *token, *bridge, *slot, *name;
	int64_t tmpl, vmid, fresh;
	int gib, slot_n;
	bool v9, linkable;
	struct client c;
};

static void draw_cluster(struct drawn *d)
{
	static const char *const types[] = {"dir", "lvmthin", "zfspool", "rbd"};
	static const char *const buses[] = {"scsi", "virtio", "sata"};
	const char *type = types[draw(4)], *bus = buses[draw(3)];
	_cleanup_str_ char *yaml = NULL;

	*d = (struct drawn){.node = word("n"),
	    .other = word("m"),
	    .store = word("s"),
	    .user = word("u"),
	    .token = word("t"),
	    .bridge = mem_printf("vmbr%u", draw(100)),
	    .name = word("vm-"),
	    .tmpl = 100 + draw(900),
	    .vmid = 1000 + draw(900000),
	    .gib = 1 + (int)draw(64),
	    .slot_n = (int)draw(6),
	    .v9 = draw(2)};
	d->fresh = d->vmid + 1 + draw(1000);
	d->slot = mem_printf("%s%d", bus, d->slot_n);
	yaml = mem_printf(
	    "timing: {request: 1}\n"
	    "cluster: {options: {mac_prefix: \"02:%02X:%02X\"}}\n"
	    "nodes: [{name: %s, bridges: [%s]}, {name: %s, bridges: [%s]}]\n"
	    "storages: [{name: %s, type: %s, content: [images], size: 9000G}]\n"
	    "users:\n"
	    "  - {name: root@pam, tokens: [{name: all, secret: " SECRET ", privsep: false}]}\n"
	    "  - {name: %s@pve, tokens: [{name: %s, secret: " SECRET ", privsep: false}]}\n"
	    "roles: [{name: Look, privs: [VM.Audit, VM.Config.Memory]}]\n"
	    "acl: [{path: /vms, who: %s@pve, role: Look}]\n"
	    "guests:\n"
	    "  - {id: %" PRId64 ", node: %s, template: true, config: {name: base, %s: \"%s:%d\"}}\n"
	    "  - {id: %" PRId64 ", node: %s, config: {name: %s, memory: 64, %s: \"%s:%d\", net0: "
	    "\"virtio,bridge=%s\"}}\n",
	    draw(256), draw(256), d->node, d->bridge, d->other, d->bridge, d->store, type, d->user,
	    d->token, d->user, d->tmpl, d->node, d->slot, d->store, d->gib, d->vmid, d->node,
	    d->name, d->slot, d->store, d->gib, d->bridge);
	client_of(&d->c, yaml, "drawn", d->v9 ? "9.2" : "8.4");
	d->c.auth = "PVEAPIToken=root@pam!all=" SECRET;
	d->c.node = draw(2) ? d->node : d->other;
}

static void drop_cluster(struct drawn *d)
{
	char *own[] = {d->node, d->other, d->store, d->user, d->token, d->bridge, d->slot, d->name};

	client_fini(&d->c);
	for (size_t i = 0; i < ARRAY_LEN(own); i++)
		free(own[i]);
}

static int on_guest(
    struct drawn *d, const char *method, const char *node, const char *rest, const char *params)
{
	_cleanup_str_ char *path = mem_printf("/nodes/%s/qemu/%" PRId64 "%s", node, d->vmid, rest);

	return call(&d->c, method, path, params);
}

static int put(struct drawn *d, const char *params)
{
	return on_guest(d, "PUT", d->node, "/config", params);
}

static const char *conf(const struct drawn *d, const char *key)
{
	return sim_guest_get(d->c.sim, d->vmid, key);
}

/* Tags come back in lower case, each once, in order. */
static void tags(struct drawn *d)
{
	static const char *const pool[] = {
	    "Beta", "alpha", "z9", "web", "Alpha", "k-1", "db", "WEB"};
	static const char *const sorted[] = {"alpha", "beta", "db", "k-1", "web", "z9"};
	struct buf sent, want;
	unsigned taken = 1 + draw(255);

	buf_init(&sent, 0);
	buf_init(&want, 0);
	buf_adds(&sent, "tags=");
	for (unsigned i = 0, first = draw(8); i < 8; i++) {
		unsigned k = (first + i) % 8;

		if (taken & (1u << k))
			buf_addf(&sent, "%s%s", sent.len > 5 ? ";" : "", pool[k]);
	}
	for (size_t s = 0; s < ARRAY_LEN(sorted); s++)
		for (unsigned k = 0; k < 8; k++)
			if ((taken & (1u << k)) && text_eq_nocase(pool[k], sorted[s])) {
				buf_addf(&want, "%s%s", want.len ? ";" : "", sorted[s]);
				break;
			}
	assert_int_equal(put(d, buf_str(&sent)), 200);
	assert_string_equal(conf(d, "tags"), buf_str(&want));
	buf_fini(&sent);
	buf_fini(&want);
}

/* A device without an address gets a new one with the cluster's prefix, one with keeps it. */
static void addresses(struct drawn *d)
{
	_cleanup_str_ char *first = mem_strdup(conf(d, "net0"));
	_cleanup_str_ char *again = mem_printf("net0=virtio,bridge=%s", d->bridge);
	_cleanup_str_ char *own = mem_printf(
	    "net0=e1000=02:00:00:00:%02X:%02X,bridge=%s", draw(256), draw(256), d->bridge);

	assert_int_equal(put(d, again), 200);
	assert_string_not_equal(conf(d, "net0"), first);
	assert_int_equal(strncmp(conf(d, "net0"), first, strlen("virtio=02:XX:XX")), 0);
	assert_int_equal(put(d, own), 200);
	assert_string_equal(conf(d, "net0"), own + 5);
}

static void digests(struct drawn *d)
{
	_cleanup_str_ char *digest = NULL;
	_cleanup_str_ char *good = NULL;

	assert_int_equal(on_guest(d, "GET", d->node, "/config", NULL), 200);
	digest = mem_strdup(jsn_get_text(d->c.a.data, "digest"));
	good = mem_printf("memory=%u&digest=%s", 128 + 16 * draw(64), digest);
	assert_int_equal(put(d, good), 200);
	assert_int_equal(put(d, good), 500);
	assert_string_equal(d->c.a.reason, "checksum mismatch (file change by other user?)");
}

/* A disk taken out of its slot stays, and can only grow. */
static void disks(struct drawn *d)
{
	_cleanup_str_ char *volid = mem_strndup(conf(d, d->slot), strcspn(conf(d, d->slot), ","));
	_cleanup_str_ char *grow = mem_printf("disk=%s&size=+%dG", d->slot, 1 + (int)draw(20));
	_cleanup_str_ char *shrink = mem_printf("disk=%s&size=%dM", d->slot, 512);
	_cleanup_str_ char *del = mem_printf("delete=%s", d->slot);
	_cleanup_str_ char *path =
	    mem_printf("/nodes/%s/qemu/%" PRId64 "/resize", d->node, d->vmid);
	int64_t before = sim_volume_size(d->c.sim, d->node, volid);

	assert_int_equal(before, (int64_t)d->gib << 30);
	assert_string_equal(call_task(&d->c, "PUT", path, grow), "OK");
	assert_int_equal(sim_volume_size(d->c.sim, d->node, volid) - before,
	    strtoll(strchr(grow, '+') + 1, NULL, 10) << 30);
	assert_string_equal(
	    call_task(&d->c, "PUT", path, shrink), "shrinking disks is not supported");
	assert_int_equal(put(d, del), 200);
	assert_null(conf(d, d->slot));
	assert_string_equal(conf(d, "unused0"), volid);
	assert_true(sim_volume_size(d->c.sim, d->node, volid) > before);
}

/* A linked clone has all of its template but address and uuid, and a disk that names its base where
 * the storage does. */
static void clones(struct drawn *d)
{
	_cleanup_str_ char *path = mem_printf("/nodes/%s/qemu/%" PRId64 "/clone", d->node, d->tmpl);
	_cleanup_str_ char *name = word("c-");
	_cleanup_str_ char *params = mem_printf("newid=%" PRId64 "&name=%s", d->fresh, name);
	_cleanup_str_ char *size = mem_printf("size=%dG", d->gib);
	const char *drive;

	assert_string_equal(call_task(&d->c, "POST", path, params), "OK");
	assert_string_equal(sim_guest_get(d->c.sim, d->fresh, "name"), name);
	assert_null(sim_guest_get(d->c.sim, d->fresh, "template"));
	assert_null(sim_guest_get(d->c.sim, d->fresh, "lock"));
	drive = sim_guest_get(d->c.sim, d->fresh, d->slot);
	assert_true(text_ends(drive, size));
	assert_int_equal(strncmp(drive, d->store, strlen(d->store)), 0);
	assert_int_equal(sim_volumes_of(d->c.sim, d->fresh), 1);
	/* Its number is taken now, for cloning and for asking. */
	assert_int_equal(call(&d->c, "POST", path, params), 500);
	assert_int_equal(sscanf(d->c.a.reason, "unable to create VM %" SCNd64, &(int64_t){0}), 1);
}

/* Under another node a guest is not to be found. */
static void wrong_node(struct drawn *d)
{
	_cleanup_str_ char *want =
	    mem_printf("Configuration file 'nodes/%s/qemu-server/%" PRId64 ".conf' does not exist",
		d->other, d->vmid);

	assert_int_equal(on_guest(d, "GET", d->other, "/config", NULL), 500);
	assert_string_equal(d->c.a.reason, want);
	assert_int_equal(on_guest(d, "PUT", d->other, "/config", "cores=2"), 500);
	assert_string_equal(d->c.a.reason, want);
	assert_null(conf(d, "cores"));
}

static void rights(struct drawn *d)
{
	_cleanup_str_ char *token = mem_printf("PVEAPIToken=%s@pve!%s=" SECRET, d->user, d->token);
	_cleanup_str_ char *want =
	    mem_printf("Permission check failed (/vms/%" PRId64 ", VM.Config.CPU)", d->vmid);
	const char *root = d->c.auth;

	d->c.auth = token;
	assert_int_equal(put(d, "memory=96"), 200);
	assert_string_equal(conf(d, "memory"), "96");
	assert_int_equal(put(d, "cores=3"), 403);
	assert_string_equal(d->c.a.reason, want);
	d->c.auth = root;
	assert_null(conf(d, "cores"));
}

static void locks(struct drawn *d)
{
	static const char *const words[] = {
	    "backup", "migrate", "rollback", "snapshot", "snapshot-delete"};
	const char *w = words[draw(ARRAY_LEN(words))];
	_cleanup_str_ char *want = mem_printf("VM is locked (%s)", w);

	assert_int_equal(sim_human_lock(d->c.sim, d->vmid, w, NULL), 0);
	assert_int_equal(put(d, "onboot=1"), 500);
	assert_string_equal(d->c.a.reason, want);
	assert_int_equal(sim_human_lock(d->c.sim, d->vmid, NULL, NULL), 0);
	assert_int_equal(put(d, "protection=1"), 200);
	free(want);
	want = mem_printf("can't remove VM %" PRId64 " - protection mode enabled", d->vmid);
	assert_int_equal(on_guest(d, "DELETE", d->node, "", NULL), 500);
	assert_string_equal(d->c.a.reason, want);
	assert_true(sim_guest_exists(d->c.sim, d->vmid));
}

/* In another order each time: none depends on what came before. */
static void rounds(void **state)
{
	static void (*const rules[])(struct drawn * d) = {
	    tags, addresses, digests, disks, clones, wrong_node, rights};

	(void)state;
	for (unsigned i = 0; i < ROUNDS; i++) {
		struct drawn d;
		unsigned first;

		chance = 0x9e3779b97f4a7c15 * (i + 1);
		draw_cluster(&d);
		first = draw(ARRAY_LEN(rules));
		for (unsigned k = 0; k < ARRAY_LEN(rules); k++) {
			rules[(first + k) % ARRAY_LEN(rules)](&d);
		}
		locks(&d);
		drop_cluster(&d);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(rounds)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
