/* What is in a guest and around it: the agent, cloud-init's files, backup jobs that name it. */
#include "buf.h"
#include "sim_client.h"

static const char seed[] =
    "cluster: {bridge-warning: \"an old perl grumbles\"}\n"
    "timing: {agent: 2s}\n"
    "nodes: [{name: alpha, ip: 10.4.4.1, bridges: [vmbr0]}]\n"
    "storages: [{name: pile, type: dir, path: /pile, content: [images, iso], size: 100G,\n"
    "  iso: [{name: boot.iso, size: 1M}]}]\n"
    "users: [{name: root@pam, tokens: [{name: admin, privsep: false,\n"
    "  secret: 6f1c6e0c-5c1d-4f0e-9a59-000000000001}]}]\n"
    "guests:\n"
    "  - id: 700\n"
    "    inside: {agent: \"8.0.1\", boot: 20s, os: {id: plan9, machine: sparc}}\n"
    "    config: {name: mail.example, agent: 1, memory: 64, net0: \"virtio=02:AB:CD:EF:01:20,"
    "bridge=vmbr0\", net3: \"virtio,bridge=vmbr0\", ide0: \"pile:iso/boot.iso,media=cdrom\", "
    "ide2: \"pile:cloudinit\", ciuser: eve, ipconfig0: \"ip=10.9.8.7/20,gw=10.9.0.1\", "
    "nameserver: \"10.9.0.2 10.9.0.3\", boot: order=ide0}\n"
    "  - id: 701\n"
    "    config: {memory: 64, agent: 1}\n"
    "  - id: 702\n"
    "    config: {memory: 64, scsi0: \"pile:1\"}\n";

static void start(struct client *c, const char *version)
{
	const struct sim_opts o = {.seed_yaml = seed, .seed_name = "seed", .version = version};
	struct err *e = NULL;

	*c = (struct client){0};
	if (sim_new(&o, &c->sim, &e) < 0)
		fail_msg("%s", err_msg(e));
}

#define GUEST(n, rest) "/nodes/alpha/qemu/" #n "/" rest

static const char *reason(struct client *c, const char *method, const char *path)
{
	assert_int_equal(call(c, method, path, NULL), 500);
	return c->a.reason;
}

static const struct jsn *row(const struct jsn *rows, const char *key)
{
	for (size_t i = 0; i < jsn_len(rows); i++)
		if (text_eq(jsn_get_text(jsn_at(rows, i), "key"), key))
			return jsn_at(rows, i);
	return NULL;
}

static void agent_answers_once_booted(void **state)
{
	struct client c;
	int64_t asked;
	const struct jsn *all, *nic;

	(void)state;
	start(&c, "9.2");
	assert_string_equal(reason(&c, "POST", GUEST(700, "agent/ping")), "VM 700 is not running");
	assert_string_equal(
	    reason(&c, "GET", GUEST(702, "agent/info")), "No QEMU guest agent configured");
	assert_string_equal(call_task(&c, "POST", GUEST(700, "status/start"), NULL), "OK");
	asked = sim_now(c.sim);
	assert_string_equal(
	    reason(&c, "POST", GUEST(700, "agent/ping")), "QEMU guest agent is not running");
	assert_true(c.a.at - asked >= 2000);
	sim_run_until(c.sim, sim_now(c.sim) + 20000);
	asked = sim_now(c.sim);
	assert_int_equal(call(&c, "POST", GUEST(700, "agent/ping"), NULL), 200);
	assert_true(c.a.at - asked < 1000);
	assert_int_equal(jsn_len(jsn_get(c.a.data, "result")), 0);
	assert_int_equal(call(&c, "GET", GUEST(700, "agent/get-osinfo"), NULL), 200);
	assert_string_equal(jsn_get_text(jsn_get(c.a.data, "result"), "machine"), "sparc");
	assert_int_equal(call(&c, "GET", GUEST(700, "agent/info"), NULL), 200);
	assert_string_equal(jsn_get_text(jsn_get(c.a.data, "result"), "version"), "8.0.1");
	assert_int_equal(call(&c, "GET", GUEST(700, "agent/network-get-interfaces"), NULL), 200);
	all = jsn_get(c.a.data, "result");
	assert_int_equal(jsn_len(all), 3);
	nic = jsn_at(all, 1);
	assert_string_equal(jsn_get_text(nic, "name"), "eth0");
	assert_string_equal(jsn_get_text(nic, "hardware-address"), "02:ab:cd:ef:01:20");
	assert_string_equal(jsn_get_text(jsn_at(jsn_get(nic, "ip-addresses"), 0), "ip-address"),
	    "fe80::ab:cdff:feef:120");
	assert_string_equal(jsn_get_text(jsn_at(all, 2), "name"), "eth3");
	/* Nothing in this one answers, ever. */
	assert_string_equal(call_task(&c, "POST", GUEST(701, "status/start"), NULL), "OK");
	sim_run_until(c.sim, sim_now(c.sim) + 60000);
	assert_string_equal(
	    reason(&c, "POST", GUEST(701, "agent/ping")), "QEMU guest agent is not running");
	client_fini(&c);
}

static void log_of_start(struct client *c, char **ret)
{
	_cleanup_str_ char *upid = NULL;
	_cleanup_str_ char *path = NULL;
	_cleanup_str_ char *enc = NULL;
	struct buf b;

	assert_int_equal(call(c, "POST", GUEST(700, "status/start"), NULL), 200);
	upid = mem_strdup(jsn_text(c->a.data));
	enc = text_url_encode(upid);
	path = mem_printf("/nodes/alpha/tasks/%s/log", enc);
	sim_run_until(c->sim, sim_now(c->sim) + 30000);
	assert_int_equal(call(c, "GET", path, NULL), 200);
	buf_init(&b, 0);
	for (size_t i = 0; i < jsn_len(c->a.data); i++)
		buf_addf(&b, "%s|", jsn_get_text(jsn_at(c->a.data, i), "t"));
	*ret = buf_take(&b);
}

static void script_grumbles_for_each_nic(void **state)
{
	struct client c;
	_cleanup_str_ char *nine = NULL;
	_cleanup_str_ char *eight = NULL;

	(void)state;
	start(&c, "9.2");
	log_of_start(&c, &nine);
	assert_string_equal(
	    nine, "generating cloud-init ISO|an old perl grumbles|an old perl grumbles|TASK OK|");
	client_fini(&c);
	start(&c, "8.4");
	log_of_start(&c, &eight);
	assert_string_equal(eight, "generating cloud-init ISO|TASK OK|");
	client_fini(&c);
}

static void cloudinit_files(void **state)
{
	struct client c;

	(void)state;
	start(&c, "9.2");
	assert_int_equal(call(&c, "GET", GUEST(700, "cloudinit/dump"), "type=user"), 200);
	assert_string_equal(jsn_text(c.a.data),
	    "#cloud-config\nhostname: mail\nmanage_etc_hosts: true\nfqdn: mail.example\n"
	    "user: eve\nchpasswd:\n  expire: False\nusers:\n  - default\npackage_upgrade: true\n");
	assert_int_equal(call(&c, "GET", GUEST(700, "cloudinit/dump"), "type=network"), 200);
	assert_string_equal(jsn_text(c.a.data),
	    "version: 1\nconfig:\n"
	    "    - type: physical\n      name: eth0\n      mac_address: '02:ab:cd:ef:01:20'\n"
	    "      subnets:\n      - type: static\n        address: '10.9.8.7'\n"
	    "        netmask: '255.255.240.0'\n        gateway: '10.9.0.1'\n"
	    "    - type: nameserver\n      address:\n      - '10.9.0.2'\n      - '10.9.0.3'\n");
	assert_int_equal(call(&c, "GET", GUEST(700, "cloudinit/dump"), "type=meta"), 200);
	assert_int_equal(strlen(jsn_text(c.a.data)), strlen("instance-id: ") + 40 + 1);
	assert_int_equal(call(&c, "GET", GUEST(700, "cloudinit/dump"), "type=vendor"), 400);
	client_fini(&c);
}

/* Of a guest that is off the drive is written anew at its start: nothing is pending. */
static void cloudinit_waits_for_a_running_guest(void **state)
{
	struct client c;

	(void)state;
	start(&c, "9.2");
	assert_int_equal(call(&c, "PUT", GUEST(700, "config"), "ciuser=mallory"), 200);
	assert_int_equal(call(&c, "GET", GUEST(700, "cloudinit"), NULL), 200);
	assert_string_equal(jsn_get_text(row(c.a.data, "ciuser"), "value"), "mallory");
	assert_null(jsn_get(row(c.a.data, "ciuser"), "pending"));
	assert_null(row(c.a.data, "ipconfig0"));
	assert_null(row(c.a.data, "name"));
	assert_string_equal(call_task(&c, "POST", GUEST(700, "status/start"), NULL), "OK");
	assert_int_equal(
	    call(&c, "PUT", GUEST(700, "config"), "ciuser=trent&delete=nameserver&citype=nocloud"),
	    200);
	assert_int_equal(call(&c, "GET", GUEST(700, "cloudinit"), NULL), 200);
	assert_string_equal(jsn_get_text(row(c.a.data, "ciuser"), "value"), "mallory");
	assert_string_equal(jsn_get_text(row(c.a.data, "ciuser"), "pending"), "trent");
	assert_int_equal(jsn_get_int(row(c.a.data, "nameserver"), "delete", 0), 1);
	assert_null(jsn_get(row(c.a.data, "citype"), "value"));
	assert_string_equal(jsn_get_text(row(c.a.data, "citype"), "pending"), "nocloud");
	assert_int_equal(call(&c, "PUT", GUEST(700, "cloudinit"), NULL), 200);
	assert_int_equal(call(&c, "GET", GUEST(700, "cloudinit"), NULL), 200);
	assert_string_equal(jsn_get_text(row(c.a.data, "ciuser"), "value"), "trent");
	assert_null(row(c.a.data, "nameserver"));
	client_fini(&c);
}

static void a_purge_clears_backup_jobs(void **state)
{
	struct client c;

	(void)state;
	start(&c, "8.4");
	assert_int_equal(call(&c, "POST", "/cluster/backup",
			     "id=both&vmid=701,702&schedule=mon 02:30&enabled=1"),
	    200);
	assert_int_equal(call(&c, "POST", "/cluster/backup", "id=one&vmid=702"), 200);
	assert_int_equal(call(&c, "POST", "/cluster/backup", "id=all&all=1&exclude=702"), 200);
	assert_int_equal(call(&c, "POST", "/cluster/backup", "id=one&vmid=701"), 500);
	/* Without purge they keep naming what is gone. */
	assert_string_equal(call_task(&c, "DELETE", "/nodes/alpha/qemu/701", NULL), "OK");
	assert_int_equal(call(&c, "GET", "/cluster/backup/both", NULL), 200);
	assert_string_equal(jsn_get_text(c.a.data, "vmid"), "701,702");
	assert_int_equal(jsn_get_int(c.a.data, "enabled", 0), 1);
	assert_string_equal(jsn_get_text(c.a.data, "type"), "vzdump");
	assert_string_equal(call_task(&c, "DELETE", "/nodes/alpha/qemu/702", "purge=1"), "OK");
	assert_int_equal(call(&c, "GET", "/cluster/backup/both", NULL), 200);
	assert_string_equal(jsn_get_text(c.a.data, "vmid"), "701");
	assert_int_equal(call(&c, "GET", "/cluster/backup/one", NULL), 400);
	assert_int_equal(call(&c, "GET", "/cluster/backup/all", NULL), 200);
	assert_null(jsn_get(c.a.data, "exclude"));
	assert_int_equal(call(&c, "PUT", "/cluster/backup/both", "comment=x&delete=schedule"), 200);
	assert_int_equal(call(&c, "DELETE", "/cluster/backup/all", NULL), 200);
	assert_int_equal(call(&c, "GET", "/cluster/backup", NULL), 200);
	assert_int_equal(jsn_len(c.a.data), 1);
	assert_string_equal(jsn_get_text(jsn_at(c.a.data, 0), "comment"), "x");
	assert_null(jsn_get(jsn_at(c.a.data, 0), "schedule"));
	client_fini(&c);
}

static void bulk_actions_are_of_nine(void **state)
{
	struct client c;

	(void)state;
	start(&c, "8.4");
	assert_int_equal(call(&c, "POST", "/cluster/bulk-action/guest/start", "vms=701"), 501);
	client_fini(&c);
	start(&c, "9.2");
	assert_int_equal(call(&c, "GET", "/cluster/bulk-action/guest", NULL), 200);
	assert_int_equal(jsn_len(c.a.data), 4);
	assert_string_equal(
	    call_task(&c, "POST", "/cluster/bulk-action/guest/start", "vms=701,702"), "OK");
	assert_false(sim_guest_running(c.sim, 700));
	assert_true(sim_guest_running(c.sim, 701));
	assert_true(sim_guest_running(c.sim, 702));
	assert_string_equal(
	    call_task(&c, "POST", "/cluster/bulk-action/guest/shutdown", NULL), "OK");
	assert_false(sim_guest_running(c.sim, 701));
	assert_false(sim_guest_running(c.sim, 702));
	client_fini(&c);
}

static void nothing_is_managed_by_ha(void **state)
{
	struct client c;

	(void)state;
	start(&c, "9.2");
	assert_int_equal(call(&c, "DELETE", "/cluster/ha/resources/vm:701", NULL), 500);
	assert_string_equal(c.a.reason, "cannot delete service 'vm:701', not HA managed!");
	client_fini(&c);
}

/* The firmware's variables are copied into their disk; a size that no image can have is refused by
 * the tool that was to make it, after it said what it does. */
static void logs_of_making(void **state)
{
	struct client c;
	_cleanup_str_ char *enc = NULL;
	_cleanup_str_ char *log = NULL;
	static const char *const lines[] = {("Formatting '/pile/images/720/vm-720-disk-0.raw', "
					     "fmt=raw size=131072 preallocation=off"),
	    "transferred 0.0 B of 128.0 KiB (0.00%)",
	    "transferred 128.0 KiB of 128.0 KiB (100.00%)",
	    "transferred 128.0 KiB of 128.0 KiB (100.00%)"};

	(void)state;
	start(&c, "8.4");
	assert_int_equal(
	    call(&c, "POST", "/nodes/alpha/qemu", "vmid=720&bios=ovmf&efidisk0=pile:1,efitype=2m"),
	    200);
	enc = text_url_encode(jsn_text(c.a.data));
	log = mem_printf("/nodes/alpha/tasks/%s/log", enc);
	sim_run_until(c.sim, sim_now(c.sim) + 5000);
	assert_int_equal(call(&c, "GET", log, NULL), 200);
	for (size_t i = 0; i < ARRAY_LEN(lines); i++)
		assert_string_equal(jsn_get_text(jsn_at(c.a.data, i), "t"), lines[i]);
	client_fini(&c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(agent_answers_once_booted),
	    cmocka_unit_test(script_grumbles_for_each_nic),
	    cmocka_unit_test(cloudinit_files),
	    cmocka_unit_test(cloudinit_waits_for_a_running_guest),
	    cmocka_unit_test(a_purge_clears_backup_jobs),
	    cmocka_unit_test(bulk_actions_are_of_nine),
	    cmocka_unit_test(nothing_is_managed_by_ha),
	    cmocka_unit_test(logs_of_making),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
