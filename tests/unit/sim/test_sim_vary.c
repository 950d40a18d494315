/*
 * The rules hold whatever things are called: nodes, storages, users, numbers, slots, sizes, tags,
 * rights and the order of it all are drawn anew in each round, and what must come of them is worked
 * out here.
 */
#include <inttypes.h>

#include "buf.h"
#include "sim_client.h"

#define ROUNDS 100
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
	bool v9, grown;
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

	if (!d->grown)
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
	assert_true(text_starts(d->c.a.reason, "unable to create VM "));
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

/* --- who may what: any privileges, given in any way --- */

static const struct {
	const char *priv, *set; /* what one may set with it alone */
	unsigned least, most;
} needs[] = {
    {"VM.Config.CPU", "cores", 1, 4},
    {"VM.Config.CPU", "cpulimit", 1, 4},
    {"VM.Config.Memory", "memory", 64, 900},
    {"VM.Config.Memory", "balloon", 1, 16},
    {"VM.Config.Options", "onboot", 0, 1},
    {"VM.Config.Options", "protection", 0, 0},
    {"VM.Config.CPU", "numa", 0, 1},
    {"VM.Config.Cloudinit", "ciupgrade", 0, 1},
    {"VM.Config.HWType", "tablet", 0, 1},
};

static void must(struct drawn *d, const char *method, const char *path, const char *params)
{
	if (call(&d->c, method, path, params) != 200)
		fail_msg("%s %s %s: %s", method, path, params, d->c.a.reason);
}

/* A user of any name has a role of any name, itself or by a pool, propagated to the guest. */
static void hand_out(struct drawn *d, const char *user, const char *privs)
{
	_cleanup_str_ char *role = word("R");
	_cleanup_str_ char *pool = word("p");
	_cleanup_str_ char *p = mem_printf("roleid=%s&privs=%s", role, privs);
	unsigned way = draw(4);

	must(d, "POST", "/access/roles", p);
	mem_replace(&p, NULL);
	p = mem_printf("userid=%s@pve", user);
	must(d, "POST", "/access/users", p);
	mem_replace(&p, NULL);
	if (way == 3) {
		_cleanup_str_ char *path = mem_printf("/pools/%s", pool);
		_cleanup_str_ char *vms = mem_printf("vms=%" PRId64, d->vmid);

		p = mem_printf("poolid=%s", pool);
		must(d, "POST", "/pools", p);
		must(d, "PUT", path, vms);
		mem_replace(&p, NULL);
		p = mem_printf("path=/pool/%s&users=%s@pve&roles=%s", pool, user, role);
	} else if (way == 2)
		p = mem_printf("path=/&users=%s@pve&roles=%s", user, role);
	else if (way == 1)
		p = mem_printf("path=/vms&users=%s@pve&roles=%s", user, role);
	else
		p = mem_printf("path=/vms/%" PRId64 "&users=%s@pve&roles=%s", d->vmid, user, role);
	must(d, "PUT", "/access/acl", p);
}

static void drawn_rights(struct drawn *d)
{
	static const char *const all[] = {"VM.Config.CPU", "VM.Config.Memory", "VM.Config.Options",
	    "VM.Config.HWType", "VM.Config.Cloudinit"};
	_cleanup_str_ char *user = word("w");
	_cleanup_str_ char *token = mem_printf("/access/users/%s@pve/token/k", user);
	_cleanup_str_ char *header = NULL;
	const char *root = d->c.auth;
	unsigned has = 1 + draw(31); /* one at least */
	struct buf privs;

	buf_init(&privs, 0);
	buf_adds(&privs, "VM.Audit");
	for (unsigned i = 0; i < ARRAY_LEN(all); i++)
		if (has & (1u << i))
			buf_addf(&privs, ",%s", all[i]);
	hand_out(d, user, buf_str(&privs));
	must(d, "POST", token, "privsep=0");
	header = mem_printf("PVEAPIToken=%s@pve!k=%s", user, jsn_get_text(d->c.a.data, "value"));
	d->c.auth = header;
	for (unsigned i = 0; i < ARRAY_LEN(needs); i++) {
		const char *key = needs[i].set;
		_cleanup_str_ char *set = mem_printf(
		    "%s=%u", key, needs[i].least + draw(needs[i].most - needs[i].least + 1));
		_cleanup_str_ char *why =
		    mem_printf("Permission check failed (/vms/%" PRId64 ", ", d->vmid);
		_cleanup_str_ char *before = mem_strdup(conf(d, key));
		bool may = strstr(buf_str(&privs), needs[i].priv);

		if (may == (put(d, set) == 200) &&
		    (may || (text_starts(d->c.a.reason, why) &&
				strstr(d->c.a.reason, needs[i].priv))) &&
		    (may ? text_eq(conf(d, key), strchr(set, '=') + 1)
			 : text_eq(conf(d, key), before)))
			continue;
		fail_msg("%s with %s: %s", set, buf_str(&privs), d->c.a.reason);
	}
	d->c.auth = root;
	buf_fini(&privs);
	assert_int_equal(
	    put(d, "delete=cores,cpulimit,balloon,onboot,protection,numa,ciupgrade,tablet"), 200);
}

/* --- sizes, orders, what waits --- */

/* Any size is written in its largest whole unit. */
static void sizes(struct drawn *d)
{
	_cleanup_str_ char *path =
	    mem_printf("/nodes/%s/qemu/%" PRId64 "/resize", d->node, d->vmid);
	/* In units that every kind of storage has. */
	int64_t mib = (int64_t)(90 + draw(500)) * 1024 + (draw(2) ? 0 : 4 * (1 + (int)draw(255)));
	_cleanup_str_ char *set = mem_printf("disk=%s&size=%" PRId64 "M", d->slot, mib);
	_cleanup_str_ char *want = mib % 1024 ? mem_printf("size=%" PRId64 "M", mib)
					      : mem_printf("size=%" PRId64 "G", mib / 1024);

	if (!conf(d, d->slot)) { /* its disk has been taken out */
		_cleanup_str_ char *back = mem_printf("%s=%s", d->slot, conf(d, "unused0"));

		assert_int_equal(put(d, back), 200);
	}
	d->grown = true;
	assert_string_equal(call_task(&d->c, "PUT", path, set), "OK");
	assert_non_null(strstr(conf(d, d->slot), want));
	/* Once more it is no change, a little less is refused. */
	assert_string_equal(call_task(&d->c, "PUT", path, set), "OK");
	mem_replace(&set, NULL);
	set = mem_printf("disk=%s&size=%" PRId64 "M", d->slot, mib - 4);
	assert_string_equal(call_task(&d->c, "PUT", path, set), "shrinking disks is not supported");
}

/* What is taken out of a boot order leaves the rest of it as it was. */
static void boot_orders(struct drawn *d)
{
	static const char *const nics[] = {"net2", "net4", "net5", "net7", "net8"};
	unsigned order[ARRAY_LEN(nics)], gone = draw(ARRAY_LEN(nics));
	_cleanup_str_ char *del = mem_printf("delete=%s", nics[gone]);
	struct buf set, want;

	buf_init(&set, 0);
	buf_init(&want, 0);
	for (unsigned i = 0; i < ARRAY_LEN(nics); i++) {
		unsigned k = draw(i + 1);

		order[i] = order[k];
		order[k] = i;
		buf_addf(&set, "%s=virtio,bridge=%s&", nics[i], d->bridge);
	}
	buf_adds(&set, "boot=order=");
	buf_adds(&want, "order=");
	for (unsigned i = 0; i < ARRAY_LEN(nics); i++) {
		buf_addf(&set, "%s%s", i ? ";" : "", nics[order[i]]);
		if (order[i] != gone)
			buf_addf(&want, "%s%s", want.len > 6 ? ";" : "", nics[order[i]]);
	}
	assert_int_equal(put(d, buf_str(&set)), 200);
	assert_int_equal(put(d, del), 200);
	assert_string_equal(conf(d, "boot"), buf_str(&want));
	assert_int_equal(put(d, "delete=boot,net2,net4,net5,net7,net8"), 200);
	buf_fini(&set);
	buf_fini(&want);
}

/* A running guest takes some at once and others with its next start, in whatever order and company
 * they come. */
static void what_waits(struct drawn *d)
{
	static const struct {
		const char *key, *value;
		bool waits;
	} keys[] = {
	    {"cores", "3", true},
	    {"onboot", "1", false},
	    {"sockets", "2", true},
	    {"description", "x", false},
	    {"acpi", "0", true},
	    {"startdate", "now", true},
	    {"cpuunits", "77", false},
	    {"scsihw", "virtio-scsi-pci", true},
	};
	unsigned chosen = 1 + draw(255), first = draw(8);
	struct buf set;

	assert_int_equal(sim_human_power(d->c.sim, d->vmid, true, NULL), 0);
	buf_init(&set, 0);
	for (unsigned i = 0; i < 8; i++)
		if (chosen & (1u << (first + i) % 8))
			buf_addf(&set, "%s%s=%s", set.len ? "&" : "", keys[(first + i) % 8].key,
			    keys[(first + i) % 8].value);
	assert_int_equal(put(d, buf_str(&set)), 200);
	for (unsigned i = 0; i < 8; i++) {
		bool in = chosen & (1u << i);
		const char *now = conf(d, keys[i].key),
			   *then = sim_guest_pending(d->c.sim, d->vmid, keys[i].key);

		assert_int_equal(now != NULL, in && !keys[i].waits);
		assert_int_equal(then != NULL, in && keys[i].waits);
	}
	assert_int_equal(sim_human_power(d->c.sim, d->vmid, false, NULL), 0);
	assert_int_equal(sim_human_power(d->c.sim, d->vmid, true, NULL), 0);
	for (unsigned i = 0; i < 8; i++)
		assert_int_equal(conf(d, keys[i].key) != NULL, (chosen & (1u << i)) != 0);
	assert_int_equal(sim_human_power(d->c.sim, d->vmid, false, NULL), 0);
	assert_int_equal(put(d, "delete=cores,onboot,sockets,description,acpi,startdate,cpuunits,"
				"scsihw"),
	    200);
	buf_fini(&set);
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
	static void (*const all[])(struct drawn * d) = {tags, addresses, digests, disks, clones,
	    wrong_node, rights, drawn_rights, sizes, boot_orders, what_waits};

	(void)state;
	for (unsigned i = 0; i < ROUNDS; i++) {
		struct drawn d;
		unsigned order[ARRAY_LEN(all)];

		chance = 0x9e3779b97f4a7c15 * (i + 1);
		draw_cluster(&d);
		for (unsigned k = 0; k < ARRAY_LEN(all); k++) {
			unsigned at = draw(k + 1);

			order[k] = order[at];
			order[at] = k;
		}
		for (unsigned k = 0; k < ARRAY_LEN(all); k++)
			all[order[k]](&d);
		locks(&d);
		drop_cluster(&d);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(rounds)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
