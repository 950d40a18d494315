#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "propstr.h"

static void parts_keep_order_and_bytes(void **state)
{
	static const char *const texts[] = {
	    "virtio=BC:24:11:6A:5D:50,bridge=vmbr0,tag=5",
	    "local-lvm:vm-100-disk-0,iothread=1,size=32G",
	    "host,flags=+aes;-pcid",
	    "memory=16,type=std",
	    "virtio=AA:BB:CC:DD:EE:F2,bridge=vmbr0,host-tunnel=1,x= y ,trunks=20;30-32",
	    "uuid=1,serial=YWJj==,base64=1",
	    "a=",
	};
	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++) {
		_cleanup_propstr_ struct propstr p = {0};
		assert_int_equal(propstr_parse(texts[i], &p, NULL), 0);
		_cleanup_str_ char *out = propstr_print(&p);
		assert_string_equal(out, texts[i]);
	}
}

static void blank_parts_are_dropped(void **state)
{
	_cleanup_propstr_ struct propstr p = {0};
	(void)state;
	assert_int_equal(propstr_parse(",none,, ,media=cdrom,", &p, NULL), 0);
	_cleanup_str_ char *out = propstr_print(&p);
	assert_string_equal(out, "none,media=cdrom");
	assert_int_equal(p.n, 2);
}

static void nonsense_is_refused(void **state)
{
	_cleanup_err_ struct err *err = NULL;
	struct propstr p = {0};
	(void)state;
	assert_int_equal(propstr_parse("a=1,=2", &p, &err), -1);
	assert_int_equal(err->code, ERR_INPUT);
	err_free(&err);
	assert_int_equal(propstr_parse("a=1\nlock: clone", &p, &err), -1);
	assert_int_equal(err->code, ERR_INPUT);
	err_free(&err);

	char many[2 * PROPSTR_PARTS_MAX + 8];
	size_t n = 0;
	for (int i = 0; i <= PROPSTR_PARTS_MAX; i++) {
		many[n++] = 'x';
		many[n++] = ',';
	}
	many[n] = '\0';
	assert_int_equal(propstr_parse(many, &p, &err), -1);
	assert_int_equal(err->code, ERR_LIMIT);
	assert_null(p.v);
}

static void setting_replaces_in_place(void **state)
{
	_cleanup_propstr_ struct propstr p = {0};
	(void)state;
	assert_int_equal(propstr_parse("virtio=M,bridge=vmbr0,tag=5,rate=2", &p, NULL), 0);
	propstr_set(&p, "tag", "7");
	propstr_set(&p, "firewall", "1");
	assert_true(propstr_del(&p, "bridge"));
	assert_false(propstr_del(&p, "bridge"));
	_cleanup_str_ char *out = propstr_print(&p);
	assert_string_equal(out, "virtio=M,tag=7,rate=2,firewall=1");
	assert_string_equal(propstr_get(&p, "rate"), "2");
	assert_null(propstr_get(&p, "bridge"));
}

static void leads(void **state)
{
	_cleanup_propstr_ struct propstr p = {0};
	(void)state;
	assert_int_equal(propstr_parse("flags=+aes", &p, NULL), 0);
	assert_null(propstr_lead(&p));
	propstr_set_lead(&p, "host");
	assert_string_equal(propstr_lead(&p), "host");
	propstr_set_lead(&p, "kvm64");
	_cleanup_str_ char *out = propstr_print(&p);
	assert_string_equal(out, "kvm64,flags=+aes");
	propstr_del_lead(&p);
	propstr_del_lead(&p);
	propstr_rename(&p, "flags", "f");
	_cleanup_str_ char *rest = propstr_print(&p);
	assert_string_equal(rest, "f=+aes");
}

/* As a person writes it: PVE takes the part without a name wherever it stands, and no second one.
 */
static void a_lead_may_stand_anywhere(void **state)
{
	_cleanup_propstr_ struct propstr p = {0};
	(void)state;
	assert_int_equal(propstr_parse("hidden=1,host,flags=+aes", &p, NULL), 0);
	assert_string_equal(propstr_lead(&p), "host");
	propstr_set_lead(&p, "kvm64");
	_cleanup_str_ char *out = propstr_print(&p);
	assert_string_equal(out, "hidden=1,kvm64,flags=+aes");
	assert_true(propstr_name_lead(&p, "x"));
	assert_false(propstr_name_lead(&p, "y"));
	_cleanup_str_ char *named = propstr_print(&p);
	assert_string_equal(named, "hidden=1,kvm64=x,flags=+aes");
	propstr_set_lead(&p, "max");
	propstr_del_lead(&p);
	_cleanup_str_ char *rest = propstr_print(&p);
	assert_string_equal(rest, "hidden=1,kvm64=x,flags=+aes");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(parts_keep_order_and_bytes),
	    cmocka_unit_test(blank_parts_are_dropped),
	    cmocka_unit_test(nonsense_is_refused),
	    cmocka_unit_test(setting_replaces_in_place),
	    cmocka_unit_test(leads),
	    cmocka_unit_test(a_lead_may_stand_anywhere),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
