/* Nodes that are cut off, dead or frozen: the rules, on small clusters of any names and numbers. */
#include "sim_client.h"

#define ROUNDS 12

struct lot {
	char *cut, *other, *third; /* nodes */
	int64_t far, near;	   /* guests: on the node that is cut off, on another */
	struct client c;
};

static uint64_t state;

static uint64_t dice(uint64_t n)
{
	state = state * 6364136223846793005u + 1442695040888963407u;
	return (state >> 33) % n;
}

/* Three nodes in any order, two guests with any numbers on storage that all see. */
static void draw(struct lot *l, unsigned round)
{
	static const char *const names[] = {"alpha", "beta", "gamma", "pve-7", "n1", "x"};
	_cleanup_str_ char *yaml = NULL;
	struct sim_opts o = {.seed_name = "lot", .random = round + 1};
	struct err *e = NULL;
	size_t first;
	bool turned;

	state = round * 977 + 5;
	first = dice(4);
	*l = (struct lot){.cut = mem_strdup(names[first]),
	    .other = mem_strdup(names[first + 1]),
	    .third = mem_strdup(names[first + 2]),
	    .far = 100 + (int64_t)dice(5000),
	    .near = 6000 + (int64_t)dice(5000)};
	turned = dice(2);
	yaml = mem_printf(
	    "cluster: {name: lot}\n"
	    "nodes: [{name: %s}, {name: %s}, {name: %s}]\n"
	    "storages: [{name: all, type: nfs, content: [images]}, {name: own, type: dir, content: "
	    "[images]}]\n"
	    "users: [{name: root@pam, tokens: [{name: admin, secret: "
	    "6f1c6e0c-5c1d-4f0e-9a59-000000000001, privsep: false}]}]\n"
	    "guests:\n"
	    "  - {id: %lld, node: %s, config: {name: far, scsi0: \"own:%d\"}}\n"
	    "  - {id: %lld, node: %s, config: {name: near, scsi0: \"all:%d\"}}\n",
	    turned ? l->third : l->cut, l->other, turned ? l->cut : l->third, (long long)l->far,
	    l->cut, (int)dice(9) + 1, (long long)l->near, l->other, (int)dice(9) + 1);
	o.seed_yaml = yaml;
	assert_int_equal(sim_new(&o, &l->c.sim, &e), 0);
	l->c.auth = ADMIN;
	sim_run_until(l->c.sim, 60000);
}

static void drop(struct lot *l)
{
	answer_fini(&l->c.a);
	sim_free(&l->c.sim);
	free(l->cut);
	free(l->other);
	free(l->third);
}

static int ask(
    struct lot *l, const char *entry, const char *method, const char *path, const char *params)
{
	l->c.node = entry;
	return call(&l->c, method, path, params);
}

static char *config_of(const char *node, int64_t vmid)
{
	return mem_printf("/nodes/%s/qemu/%lld/config", node, (long long)vmid);
}

static void later(struct lot *l, int64_t ms)
{
	sim_run_until(l->c.sim, sim_now(l->c.sim) + ms);
}

/* The majority goes on, the node that is cut off reads what it knew and writes nothing. */
static void minority_only_reads(void **unused)
{
	(void)unused;
	for (unsigned i = 0; i < ROUNDS; i++) {
		struct lot l;
		_cleanup_str_ char *far = NULL, *near = NULL, *wrong = NULL;
		struct err *e = NULL;
		int64_t start;

		draw(&l, i);
		far = config_of(l.cut, l.far);
		near = config_of(l.other, l.near);
		wrong = config_of(l.cut, l.near);
		assert_int_equal(ask(&l, l.cut, "GET", near, NULL), 200); /* through any node */
		assert_int_equal(ask(&l, l.cut, "GET", wrong, NULL), 500);
		assert_int_equal(sim_node_link(l.c.sim, l.cut, false, &e), 0);
		start = sim_now(l.c.sim);
		/* Writes hang until the others have agreed on who is left. */
		assert_int_equal(ask(&l, l.other, "PUT", near, "description=a"), 200);
		assert_in_range(sim_now(l.c.sim) - start, 7000, 9000);
		assert_string_equal(sim_guest_get(l.c.sim, l.near, "description"), "a");
		assert_int_equal(ask(&l, l.cut, "GET", far, NULL), 200);
		assert_int_equal(ask(&l, l.cut, "PUT", far, "description=b"), 500);
		assert_non_null(strstr(l.c.a.reason, "Permission denied"));
		assert_null(sim_guest_get(l.c.sim, l.far, "description"));
		assert_int_equal(ask(&l, l.cut, "PUT", far, "delete=cores"), 200); /* no change */
		later(&l, 60000);
		assert_int_equal(ask(&l, l.other, "GET", far, NULL), 595);
		assert_string_equal(l.c.a.reason, "No route to host");
		assert_int_equal(sim_node_link(l.c.sim, l.cut, true, &e), 0);
		later(&l, 5000);
		assert_int_equal(ask(&l, l.cut, "PUT", far, "description=c"), 200);
		assert_int_equal(ask(&l, l.other, "GET", far, NULL), 200);
		drop(&l);
	}
}

/* A volume made before the write that fails stays, and nothing names it. */
static void disks_are_left_behind(void **unused)
{
	(void)unused;
	for (unsigned i = 0; i < ROUNDS; i++) {
		struct lot l;
		_cleanup_str_ char *far = NULL, *value = NULL, *move = NULL;
		const char *why;
		struct err *e = NULL;
		size_t before;
		int64_t start;

		draw(&l, i);
		far = config_of(l.cut, l.far);
		assert_int_equal(sim_node_link(l.c.sim, l.cut, false, &e), 0);
		later(&l, 20000);
		before = sim_volumes_of(l.c.sim, l.far);
		value = mem_printf("scsi%d=own:%d", (int)dice(8) + 1, (int)dice(5) + 1);
		assert_int_equal(ask(&l, l.cut, "PUT", far, value), 500);
		assert_int_equal(sim_volumes_of(l.c.sim, l.far), before + 1);
		start = sim_now(l.c.sim);
		assert_int_equal(ask(&l, l.cut, "PUT", far, "scsi20=all:1"), 500);
		assert_string_equal(l.c.a.reason, "cfs-lock 'storage-all' error: no quorum!");
		assert_in_range(sim_now(l.c.sim) - start, 9000, 11000);
		/* A copy that cannot be entered is taken away again. */
		move = mem_printf("/nodes/%s/qemu/%lld/move_disk", l.cut, (long long)l.far);
		l.c.node = l.cut;
		why = call_task(&l.c, "POST", move, "disk=scsi0&storage=own&format=qcow2");
		assert_true(text_starts(why, "storage migration failed: unable to open file"));
		assert_int_equal(sim_volumes_of(l.c.sim, l.far), before + 1);
		drop(&l);
	}
}

/* What the others move to the node that is cut off does not stand in its file system. */
static void own_list_as_it_was(void **unused)
{
	(void)unused;
	for (unsigned i = 0; i < ROUNDS; i++) {
		struct lot l;
		_cleanup_str_ char *list = NULL, *moved = NULL;

		draw(&l, i);
		list = mem_printf("/nodes/%s/qemu", l.cut);
		moved = config_of(l.cut, l.near);
		assert_int_equal(sim_node_link(l.c.sim, l.cut, false, NULL), 0);
		later(&l, 20000);
		assert_int_equal(sim_human_migrate(l.c.sim, l.near, l.cut, NULL), 0);
		assert_int_equal(ask(&l, l.cut, "GET", list, NULL), 200);
		assert_int_equal(jsn_len(l.c.a.data), 1);
		assert_int_equal(jsn_get_int(jsn_at(l.c.a.data, 0), "vmid", 0), l.far);
		assert_int_equal(ask(&l, l.cut, "GET", moved, NULL), 500);
		assert_int_equal(sim_node_link(l.c.sim, l.cut, true, NULL), 0);
		later(&l, 20000);
		assert_int_equal(ask(&l, l.cut, "GET", list, NULL), 200);
		assert_int_equal(jsn_len(l.c.a.data), 2);
		assert_int_equal(ask(&l, l.cut, "GET", moved, NULL), 200);
		drop(&l);
	}
}

/* What stands still answers nothing, and does it all when it goes on. */
static void frozen_daemon_catches_up(void **unused)
{
	(void)unused;
	for (unsigned i = 0; i < ROUNDS; i++) {
		struct lot l;
		_cleanup_str_ char *far = NULL;
		struct err *e = NULL;

		draw(&l, i);
		far = config_of(l.cut, l.far);
		assert_int_equal(sim_node_freeze(l.c.sim, l.cut, "pvedaemon", true, &e), 0);
		assert_int_equal(ask(&l, l.other, "GET", far, NULL), 200);
		assert_int_equal(ask(&l, l.other, "PUT", far, "description=late"), 596);
		assert_null(sim_guest_get(l.c.sim, l.far, "description"));
		assert_int_equal(sim_node_freeze(l.c.sim, l.cut, "pvedaemon", false, &e), 0);
		later(&l, 1000);
		assert_string_equal(sim_guest_get(l.c.sim, l.far, "description"), "late");
		assert_int_equal(sim_node_freeze(l.c.sim, l.cut, "pveproxy", true, &e), 0);
		assert_int_equal(ask(&l, l.other, "PUT", far, "description=never"), 596);
		assert_int_equal(sim_node_freeze(l.c.sim, l.cut, "pveproxy", false, &e), 0);
		later(&l, 60000);
		assert_string_equal(sim_guest_get(l.c.sim, l.far, "description"), "late");
		assert_int_equal(sim_node_proxy(l.c.sim, l.cut, false, &e), 0);
		assert_int_equal(ask(&l, l.other, "GET", far, NULL), 595);
		assert_string_equal(l.c.a.reason, "Connection refused");
		drop(&l);
	}
}

static const struct jsn *row_of(const struct client *c, const char *key, const char *value)
{
	for (size_t i = 0; i < jsn_len(c->a.data); i++)
		if (text_eq(jsn_get_text(jsn_at(c->a.data, i), key), value))
			return jsn_at(c->a.data, i);
	return NULL;
}

/* pvecm delnode: pmxcfs goes on listing what lies in the node's folder, nodes are those of the
 * members, and whose address nobody knows cannot be asked (remote_node_ip). */
static void former_member(void **unused)
{
	(void)unused;
	for (unsigned i = 0; i < ROUNDS; i++) {
		struct lot l;
		_cleanup_str_ char *far = NULL, *id = NULL, *why = NULL, *free = NULL;
		const struct jsn *row;
		struct err *e = NULL;

		draw(&l, i);
		far = config_of(l.cut, l.far);
		id = mem_printf("qemu/%lld", (long long)l.far);
		free = mem_printf("vmid=%lld", (long long)l.far);
		why = mem_printf("hostname lookup '%s' failed - failed to get address info for: "
				 "%s: Temporary failure in name resolution",
		    l.cut, l.cut);
		assert_int_equal(sim_node_leave(l.c.sim, l.cut, &e), -1);
		err_free(&e);
		assert_int_equal(sim_node_power(l.c.sim, l.cut, false, &e), 0);
		assert_int_equal(sim_node_leave(l.c.sim, l.cut, &e), 0);
		later(&l, 400000); /* by then nothing is heard of it */
		assert_int_equal(ask(&l, l.other, "GET", "/cluster/resources", NULL), 200);
		row = row_of(&l.c, "id", id);
		assert_string_equal(jsn_get_text(row, "node"), l.cut);
		assert_string_equal(jsn_get_text(row, "status"), "unknown");
		assert_null(jsn_get(row, "name"));
		assert_int_equal(ask(&l, l.other, "GET", "/nodes", NULL), 200);
		assert_int_equal(jsn_len(l.c.a.data), 2);
		assert_null(row_of(&l.c, "node", l.cut));
		assert_int_equal(ask(&l, l.other, "GET", "/cluster/status", NULL), 200);
		assert_null(row_of(&l.c, "name", l.cut));
		assert_int_equal(ask(&l, l.other, "GET", far, NULL), 500);
		assert_string_equal(l.c.a.reason, why);
		assert_int_equal(ask(&l, l.other, "GET", "/cluster/nextid", free), 400);
		ask(&l, l.cut, "GET", "/version", NULL);
		assert_int_equal(l.c.a.cut, SIM_CUT_REFUSED);
		drop(&l);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(minority_only_reads),
	    cmocka_unit_test(disks_are_left_behind),
	    cmocka_unit_test(own_list_as_it_was),
	    cmocka_unit_test(frozen_daemon_catches_up),
	    cmocka_unit_test(former_member),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
