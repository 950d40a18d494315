/* The configuration of a stopped guest, as a client sees it. */
#include "sim_client.h"

#define CONF "/nodes/pve1/qemu/300/config"

static int setup(void **state)
{
	static struct client c;

	client_init(&c, "9.2");
	assert_string_equal(call_task(&c, "POST", "/nodes/pve1/qemu",
				"vmid=300&name=web&memory=512&scsi0=local:1&boot=order=scsi0;net0&"
				"net0=virtio,bridge=vmbr0"),
	    "OK");
	*state = &c;
	return 0;
}

static int teardown(void **state)
{
	client_fini(*state);
	return 0;
}

static const char *value(struct client *c, const char *key)
{
	return sim_guest_get(c->sim, 300, key);
}

static void assert_put(struct client *c, const char *params)
{
	if (call(c, "PUT", CONF, params) != 200)
		fail_msg("%s: %d %s %s", params, c->a.status, c->a.reason, c->a.text);
	assert_string_equal(c->a.text, "{\"data\":null}");
}

static void assert_refused(
    struct client *c, const char *params, int status, const char *key, const char *text)
{
	assert_int_equal(call(c, "PUT", CONF, params), status);
	assert_string_equal(key ? param_error(c, key) : c->a.reason, text);
	if (key)
		assert_string_equal(c->a.reason, "Parameter verification failed.");
}

static void tags_are_sorted(void **state)
{
	struct client *c = *state;

	assert_put(c, "tags=B,a;b;C");
	assert_string_equal(value(c, "tags"), "a;b;c");
	/* "tags: " in the file is read as one blank. */
	assert_put(c, "tags=");
	assert_string_equal(value(c, "tags"), " ");
	assert_refused(c, "tags=a!b", 400, "tags", "invalid format - invalid characters in tag\n");
}

static void parameters_are_checked(void **state)
{
	struct client *c = *state;

	assert_refused(c, "cores=0", 400, "cores", "value must have a minimum value of 1");
	assert_refused(c, "cores=x", 400, "cores", "type check ('integer') failed - got 'x'");
	assert_refused(c, "nonsense=1", 400, "nonsense",
	    "property is not defined in schema and the schema does not allow additional "
	    "properties");
	assert_refused(c, "onboot=2", 400, "onboot", "type check ('boolean') failed - got '2'");
	assert_refused(c, "cores=2&delete=cores", 400, "delete",
	    "you can't use '-cores' and -delete cores' at the same time");
	assert_refused(c, "args=-S", 500, NULL, "only root can set 'args' config");
	assert_refused(
	    c, "boot=order=sata3", 500, NULL, "invalid bootorder: device 'sata3' does not exist'");
	assert_refused(c, "scsi3=nowhere:1", 500, NULL, "storage 'nowhere' does not exist");
}

static void digest_guards(void **state)
{
	struct client *c = *state;
	_cleanup_str_ char *digest = NULL;
	_cleanup_str_ char *params = NULL;

	assert_int_equal(call(c, "GET", CONF, NULL), 200);
	digest = mem_strdup(jsn_get_text(c->a.data, "digest"));
	assert_int_equal(strlen(digest), 40);
	params = mem_printf("cores=2&digest=%s", digest);
	assert_put(c, params);
	assert_refused(c, params, 500, NULL, "checksum mismatch (file change by other user?)");
	assert_string_equal(value(c, "cores"), "2");
}

static void nic_gets_an_address(void **state)
{
	struct client *c = *state;
	const char *mac;
	_cleanup_str_ char *again = NULL;

	assert_put(c, "net1=model=virtio,bridge=vmbr1,tag=5");
	mac = value(c, "net1");
	assert_true(text_starts(mac, "virtio=BC:24:11:"));
	assert_string_equal(mac + 24, ",bridge=vmbr1,tag=5");
	again = mem_printf("net1=%s,firewall=1", mac);
	assert_put(c, again);
	assert_string_equal(value(c, "net1") + 24, ",bridge=vmbr1,firewall=1,tag=5");
	/* Written without the address, it is a new one. */
	assert_put(c, "net1=virtio,bridge=vmbr1");
	assert_string_not_equal(value(c, "net1"), again + 5);
}

static void disks_come_and_go(void **state)
{
	struct client *c = *state;

	assert_string_equal(value(c, "scsi0"), "local:300/vm-300-disk-0.raw,size=1G");
	assert_put(c, "scsi1=local-lvm:2,discard=on,iothread=1");
	assert_string_equal(
	    value(c, "scsi1"), "local-lvm:vm-300-disk-0,discard=on,iothread=1,size=2G");
	assert_put(c, "scsi2=local-lvm:0.5");
	assert_string_equal(value(c, "scsi2"), "local-lvm:vm-300-disk-1,size=512M");
	assert_put(c, "virtio0=shared:1,format=qcow2");
	assert_string_equal(value(c, "virtio0"), "shared:300/vm-300-disk-0.qcow2,size=1G");
	assert_put(c, "delete=scsi1");
	assert_null(value(c, "scsi1"));
	assert_string_equal(value(c, "unused0"), "local-lvm:vm-300-disk-0");
	/* Another volume in the slot: the old one is kept, the new one attached. */
	assert_put(c, "scsi2=local-lvm:vm-300-disk-0,ssd=1");
	assert_string_equal(value(c, "scsi2"), "local-lvm:vm-300-disk-0,size=2G,ssd=1");
	assert_string_equal(value(c, "unused0"), "local-lvm:vm-300-disk-1");
	assert_int_equal(sim_volumes_of(c->sim, 300), 4);
	assert_put(c, "delete=unused0");
	assert_int_equal(sim_volumes_of(c->sim, 300), 3);
	assert_true(sim_volume_size(c->sim, "pve1", "local-lvm:vm-300-disk-1") == -1);
}

static void boot_order_loses_what_goes(void **state)
{
	struct client *c = *state;

	assert_put(c, "delete=scsi0");
	assert_string_equal(value(c, "boot"), "order=net0");
	assert_put(c, "scsi0=local:300/vm-300-disk-0.raw&boot=order=net0;scsi0");
	assert_string_equal(value(c, "boot"), "order=net0;scsi0");
}

static void protection_keeps(void **state)
{
	struct client *c = *state;

	assert_put(c, "protection=1");
	assert_int_equal(call(c, "DELETE", "/nodes/pve1/qemu/300", NULL), 500);
	assert_string_equal(c->a.reason, "can't remove VM 300 - protection mode enabled");
	assert_put(c, "protection=0");
	assert_string_equal(call_task(c, "DELETE", "/nodes/pve1/qemu/300", "purge=1"), "OK");
	assert_false(sim_guest_exists(c->sim, 300));
	assert_int_equal(sim_volumes_of(c->sim, 300), 0);
	assert_int_equal(call(c, "GET", CONF, NULL), 500);
	assert_string_equal(
	    c->a.reason, "Configuration file 'nodes/pve1/qemu-server/300.conf' does not exist");
}

static void texts_survive(void **state)
{
	struct client *c = *state;
	const char *text = "l1 ä\n#% x: \"y\"\n\n  last";
	_cleanup_str_ char *p = mem_printf("description=%s", text);

	assert_put(c, p);
	assert_int_equal(call(c, "GET", CONF, NULL), 200);
	assert_string_equal(jsn_get_text(c->a.data, "description"), text);
	assert_refused(c, "name=-bad-", 400, "name",
	    "invalid format - value does not look like a valid DNS name\n");
}

static void locked_guest_is_left_alone(void **state)
{
	struct client *c = *state;
	struct err *e = NULL;

	assert_int_equal(sim_human_lock(c->sim, 300, "backup", &e), 0);
	assert_refused(c, "cores=2", 500, NULL, "VM is locked (backup)");
	assert_refused(c, "cores=2&skiplock=1", 400, "skiplock", "Only root may use this option.");
	assert_int_equal(sim_human_lock(c->sim, 300, NULL, &e), 0);
	assert_put(c, "cores=2");
}

static void log_tells_the_parameters(void **state)
{
	struct client *c = *state;
	const struct jsn *first;

	assert_put(c, "cores=4&delete=balloon");
	assert_int_equal(call(c, "GET", "/cluster/log", "max=1"), 200);
	first = jsn_at(c->a.data, 0);
	assert_string_equal(jsn_get_text(first, "msg"), "update VM 300: -cores 4 -delete balloon");
	assert_string_equal(jsn_get_text(first, "user"), "root@pam!admin");
	assert_string_equal(jsn_get_text(first, "node"), "pve1");
}

static void older_version_knows_less(void **state)
{
	struct client old;

	(void)state;
	client_init(&old, "8.4");
	assert_int_equal(call(&old, "PUT", "/nodes/pve2/qemu/101/config", "allow-ksm=0"), 400);
	assert_string_equal(param_error(&old, "allow-ksm"),
	    "property is not defined in schema and the schema does not allow additional "
	    "properties");
	client_fini(&old);
	client_init(&old, "9.2");
	assert_int_equal(call(&old, "PUT", "/nodes/pve2/qemu/101/config", "allow-ksm=0"), 200);
	client_fini(&old);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(tags_are_sorted, setup, teardown),
	    cmocka_unit_test_setup_teardown(parameters_are_checked, setup, teardown),
	    cmocka_unit_test_setup_teardown(digest_guards, setup, teardown),
	    cmocka_unit_test_setup_teardown(nic_gets_an_address, setup, teardown),
	    cmocka_unit_test_setup_teardown(disks_come_and_go, setup, teardown),
	    cmocka_unit_test_setup_teardown(boot_order_loses_what_goes, setup, teardown),
	    cmocka_unit_test_setup_teardown(protection_keeps, setup, teardown),
	    cmocka_unit_test_setup_teardown(texts_survive, setup, teardown),
	    cmocka_unit_test_setup_teardown(locked_guest_is_left_alone, setup, teardown),
	    cmocka_unit_test_setup_teardown(log_tells_the_parameters, setup, teardown),
	    cmocka_unit_test(older_version_knows_less),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
