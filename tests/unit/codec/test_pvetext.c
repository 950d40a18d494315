/* Notations of PVE inside a single value, and parts with several names or in base64. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "pvepart.h"
#include "pvetext.h"

static void url_encoding(void **state)
{
	static const char *const wrong[] = {"%", "%2", "%zz", "a%00b", "%G0"};
	(void)state;
	_cleanup_str_ char *text = pvetext_url_decode("a%20b%2Bc%0a+%c3%A9");
	assert_string_equal(text, "a b+c\n+\xc3\xa9");
	for (size_t i = 0; i < ARRAY_LEN(wrong); i++)
		assert_null(pvetext_url_decode(wrong[i]));
}

static void keys(void **state)
{
	struct strs l = {0};
	(void)state;
	/* Blank lines and blanks at the end mean nothing, the order neither. */
	assert_int_equal(pvetext_keys_parse("ssh-b%20BB%20x%20%0A%0D%0Assh-a%20AA%0A", &l), 0);
	assert_int_equal(l.n, 2);
	assert_string_equal(l.v[0], "ssh-a AA");
	assert_string_equal(l.v[1], "ssh-b BB x");
	_cleanup_str_ char *text = pvetext_keys_print(&l);
	assert_string_equal(text, "ssh-a%20AA%0Assh-b%20BB%20x");
	strs_fini(&l);
	assert_int_equal(pvetext_keys_parse("ssh-a%2", &l), -1);
}

static void boot_order(void **state)
{
	struct strs l = {0};
	static const char *const older[] = {"cdn", "legacy=c", "c,order=scsi0", "order=a,x=1"};
	(void)state;
	assert_int_equal(pvetext_boot_parse("order=scsi0;net0;ide2", &l), 0);
	assert_int_equal(l.n, 3);
	assert_string_equal(l.v[0], "scsi0");
	assert_string_equal(l.v[1], "net0");
	_cleanup_str_ char *text = pvetext_boot_print(&l);
	assert_string_equal(text, "order=scsi0;net0;ide2");
	strs_fini(&l);
	for (size_t i = 0; i < ARRAY_LEN(older); i++)
		assert_int_equal(pvetext_boot_parse(older[i], &l), -1);
	/* As PVE leaves it behind when the last device of the order was deleted. */
	assert_int_equal(pvetext_boot_parse(" ", &l), 0);
	assert_int_equal(l.n, 0);
	/* PVE refuses "order=": recorded as "set: boot=order=". */
	_cleanup_str_ char *none = pvetext_boot_print(&l);
	assert_string_equal(none, " ");
	strs_fini(&l);
}

static void hotplug_words(void **state)
{
	struct strs l = {0};
	(void)state;
	assert_int_equal(pvetext_hotplug_parse("1", &l), 0);
	assert_int_equal(l.n, 3);
	assert_true(strs_has(&l, "network") && strs_has(&l, "disk") && strs_has(&l, "usb"));
	strs_fini(&l);
	assert_int_equal(pvetext_hotplug_parse("0", &l), 0);
	assert_int_equal(l.n, 0);
	_cleanup_str_ char *none = pvetext_hotplug_print(&l);
	assert_string_equal(none, "0");
	assert_int_equal(pvetext_hotplug_parse("usb,cpu", &l), 0);
	_cleanup_str_ char *two = pvetext_hotplug_print(&l);
	assert_string_equal(two, "cpu,usb");
	strs_fini(&l);
}

static void names(void **state)
{
	_cleanup_propstr_ struct propstr p = {0};
	(void)state;
	assert_int_equal(propstr_parse("1,freeze-fs=0", &p, NULL), 0);
	_cleanup_str_ char *there = pvepart_name("freeze-fs-on-backup|freeze-fs", &p);
	_cleanup_str_ char *first = pvepart_name("old|new", &p);
	_cleanup_str_ char *one = pvepart_name("type", &p);
	assert_string_equal(there, "freeze-fs");
	assert_string_equal(first, "old");
	assert_string_equal(one, "type");
}

/* RFC 4648 and the parts of smbios1. */
static void base64(void **state)
{
	static const struct {
		const char *plain, *code;
	} pairs[] = {{"f", "Zg=="}, {"fo", "Zm8="}, {"foo", "Zm9v"}, {"foobar", "Zm9vYmFy"}};
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(pairs); i++) {
		_cleanup_str_ char *code = pvetext_base64_encode(pairs[i].plain);
		_cleanup_str_ char *plain = pvetext_base64_decode(pairs[i].code);
		assert_string_equal(code, pairs[i].code);
		assert_string_equal(plain, pairs[i].plain);
	}
	assert_null(pvetext_base64_decode("AGE=")); /* a NUL in front */
}

static void parts_in_base64(void **state)
{
	_cleanup_propstr_ struct propstr p = {0};
	(void)state;
	assert_int_equal(propstr_parse("uuid=u-1,family=web", &p, NULL), 0);
	/* What needs no mark gets none. */
	pvepart_put_base64(&p, "sku", "A7");
	_cleanup_str_ char *plain = propstr_print(&p);
	assert_string_equal(plain, "uuid=u-1,family=web,sku=A7");
	/* The first that does takes the others with it, but for the UUID. */
	pvepart_put_base64(&p, "product", "a b");
	_cleanup_str_ char *coded = propstr_print(&p);
	assert_string_equal(coded, "uuid=u-1,family=d2Vi,sku=QTc=,base64=1,product=YSBi");
	_cleanup_str_ char *family = pvepart_get_base64(&p, "family");
	assert_string_equal(family, "web");
	pvepart_put_base64(&p, "family", "db");
	_cleanup_str_ char *again = pvepart_get_base64(&p, "family");
	assert_string_equal(again, "db");
	assert_null(pvepart_get_base64(&p, "serial"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(url_encoding),
	    cmocka_unit_test(keys),
	    cmocka_unit_test(boot_order),
	    cmocka_unit_test(hotplug_words),
	    cmocka_unit_test(names),
	    cmocka_unit_test(base64),
	    cmocka_unit_test(parts_in_base64),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
