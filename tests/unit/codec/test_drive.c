#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "drive.h"

#define GIB ((uint64_t)1 << 30)

static void sizes(void **state)
{
	static const struct {
		const char *text;
		uint64_t bytes;
	} good[] = {
	    {"32G", 32 * GIB},
	    {"33280M", 33280 * ((uint64_t)1 << 20)},
	    {"1049K", 1049 * 1024},
	    {"0T", 0},
	    {"1.5G", GIB + GIB / 2},
	    {"2T", 2048 * GIB},
	    {"1073741824", GIB},
	};
	static const char *const bad[] = {
	    "", "G", "-1G", "1g", "1e3", "1GG", " 1G", "99999999999T"};
	uint64_t v = 7;
	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(*good); i++) {
		assert_int_equal(drive_parse_size(good[i].text, &v), 0);
		assert_int_equal(v, good[i].bytes);
	}
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		assert_int_equal(drive_parse_size(bad[i], &v), -1);
	assert_int_equal(drive_gib_up(0), 0);
	assert_int_equal(drive_gib_up(1), 1);
	assert_int_equal(drive_gib_up(GIB), 1);
	assert_int_equal(drive_gib_up(GIB + 1), 2);
	assert_int_equal(drive_gib_up(33280 * ((uint64_t)1 << 20)), 33); /* 32.5 GiB */
}

static void drives(void **state)
{
	static const struct {
		const char *text;
		struct drive d;
	} cases[] = {
	    {"local-lvm:vm-100-disk-0,iothread=1,size=32G",
		{(char *)"local-lvm:vm-100-disk-0", (char *)"local-lvm", 32 * GIB, false, false,
		    100, false, (char *)""}},
	    {"local:9310/vm-9310-disk-0.qcow2,size=1G",
		{(char *)"local:9310/vm-9310-disk-0.qcow2", (char *)"local", GIB, false, false,
		    9310, false, (char *)"qcow2"}},
	    {"local:9000/base-9000-disk-0.raw/1204/vm-1204-disk-0.qcow2,size=8G",
		{(char *)"local:9000/base-9000-disk-0.raw/1204/vm-1204-disk-0.qcow2",
		    (char *)"local", 8 * GIB, false, false, 1204, true, (char *)"qcow2"}},
	    {"zfs:base-9000-disk-0/vm-1204-disk-0,size=8G",
		{(char *)"zfs:base-9000-disk-0/vm-1204-disk-0", (char *)"zfs", 8 * GIB, false,
		    false, 1204, true, (char *)""}},
	    {"zfs:base-9000-disk-0,size=8G", {(char *)"zfs:base-9000-disk-0", (char *)"zfs",
						 8 * GIB, false, false, 9000, false, (char *)""}},
	    {"discard=on,file=local-lvm:vm-100-disk-1,format=raw",
		{(char *)"local-lvm:vm-100-disk-1", (char *)"local-lvm", 0, false, false, 100,
		    false, (char *)"raw"}},
	    {"none,media=cdrom",
		{(char *)"none", (char *)"", 0, true, false, 0, false, (char *)""}},
	    {"cdrom", {(char *)"cdrom", (char *)"", 0, true, false, 0, false, (char *)""}},
	    {"local:iso/small.iso,media=cdrom,size=350K",
		{(char *)"local:iso/small.iso", (char *)"local", 350 * 1024, true, false, 0, false,
		    (char *)""}},
	    {"local:9300/vm-9300-cloudinit.qcow2,media=cdrom",
		{(char *)"local:9300/vm-9300-cloudinit.qcow2", (char *)"local", 0, true, true, 9300,
		    false, (char *)"qcow2"}},
	    /* What PVE takes for the drive of cloud-init, and what only sounds like it. */
	    {"local-zfs:vm-9300-cloudinit,media=cdrom",
		{(char *)"local-zfs:vm-9300-cloudinit", (char *)"local-zfs", 0, true, true, 9300,
		    false, (char *)""}},
	    {"local-lvm:cloudinit,media=cdrom", {(char *)"local-lvm:cloudinit", (char *)"local-lvm",
						    0, true, true, 0, false, (char *)""}},
	    {"local:iso/noble-cloudinit.iso,media=cdrom",
		{(char *)"local:iso/noble-cloudinit.iso", (char *)"local", 0, true, false, 0, false,
		    (char *)""}},
	    {"local-lvm:vm-100-cloudinit-data,size=1G",
		{(char *)"local-lvm:vm-100-cloudinit-data", (char *)"local-lvm", GIB, false, false,
		    100, false, (char *)""}},
	    /* Among files the folder says whose they are, whatever the name. */
	    {"nfs:100/data.qcow2,size=1G", {(char *)"nfs:100/data.qcow2", (char *)"nfs", GIB, false,
					       false, 100, false, (char *)"qcow2"}},
	    {"nfs:9000/base.raw/100/vm-7-disk-0.qcow2",
		{(char *)"nfs:9000/base.raw/100/vm-7-disk-0.qcow2", (char *)"nfs", 0, false, false,
		    100, false, (char *)"qcow2"}},
	    {"drbd:pm-1a2b3c4d_100,size=1G", {(char *)"drbd:pm-1a2b3c4d_100", (char *)"drbd", GIB,
						 false, false, 0, false, (char *)""}},
	    {"/dev/disk/by-id/x:y,size=1G", {(char *)"/dev/disk/by-id/x:y", (char *)"", GIB, false,
						false, 0, false, (char *)""}},
	};
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		_cleanup_drive_ struct drive d = {0};
		assert_int_equal(drive_parse(cases[i].text, &d, NULL), 0);
		assert_string_equal(d.volume, cases[i].d.volume);
		assert_string_equal(d.storage, cases[i].d.storage);
		assert_int_equal(d.bytes, cases[i].d.bytes);
		assert_int_equal(d.cdrom, cases[i].d.cdrom);
		assert_int_equal(d.cloudinit, cases[i].d.cloudinit);
		assert_int_equal(d.owner, cases[i].d.owner);
		assert_int_equal(d.linked, cases[i].d.linked);
		assert_string_equal(d.format, cases[i].d.format);
	}
}

static void nonsense(void **state)
{
	static const char *const bad[] = {"", "discard=on", "x:y,size=big", "file=", "a=1,=2"};
	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		_cleanup_err_ struct err *err = NULL;
		struct drive d = {0};
		assert_int_equal(drive_parse(bad[i], &d, &err), -1);
		assert_int_equal(err->code, ERR_INPUT);
		assert_null(d.volume);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(sizes),
	    cmocka_unit_test(drives),
	    cmocka_unit_test(nonsense),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
