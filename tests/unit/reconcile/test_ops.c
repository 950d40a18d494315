/* The last question before a write: is the guest that was read the one on record? */
#include "bundle.h"
#include "ops.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define UUID "11111111-2222-3333-4444-555555555555"

struct fixture {
	struct bundle *bundle;
	struct obs_guest guest;
	struct record record;
	struct op_job job;
};

static void describe(struct fixture *f, const char *text)
{
	kv_set(&f->guest.current, "description", text);
}

static void open_fixture(struct fixture *f, const char *annotations)
{
	_cleanup_str_ char *yaml =
	    mem_printf("apiVersion: ramet.dev/v1\nkind: ClonedVM\nmetadata:\n  name: web-01\n"
		       "  annotations: { %s }\nspec:\n  node_name: pve1\n  id: 1204\n"
		       "  clone: { source_vm_id: 9000 }\n",
		annotations);
	struct bundle_file file = {.path = "web.yaml", .data = yaml, .len = strlen(yaml)};

	*f = (struct fixture){0};
	assert_int_equal(bundle_build("r", &file, 1, NULL, &f->bundle, NULL), 0);
	assert_int_equal(f->bundle->n, 1);
	f->guest =
	    (struct obs_guest){.vmid = 1204, .node = mem_strdup("pve1"), .uuid = mem_strdup(UUID)};
	f->record = (struct record){
	    .vmid = 1204, .uuid = mem_strdup(UUID), .nonce = mem_strdup("00112233aabbccdd")};
	describe(f, "Front end\nramet: homelab/web-01 vmid=1204 00112233aabbccdd");
	f->job = (struct op_job){.name = "web-01",
	    .want = f->bundle->v[0].res,
	    .record = &f->record,
	    .guest = &f->guest};
}

static void close_fixture(struct fixture *f)
{
	bundle_unref(&f->bundle);
	obs_guest_fini(&f->guest);
	record_fini(&f->record);
}

/* want: a part of the refusal, NULL = it is the one. */
static void assert_identity(struct fixture *f, const char *want)
{
	_cleanup_str_ char *why = op_identity("homelab", &f->job);

	if (!want && why)
		fail_msg("refused: %s", why);
	if (want && !why)
		fail_msg("not refused");
	if (want)
		assert_non_null(strstr(why, want));
}

static void test_the_one(void **state)
{
	struct fixture f;

	(void)state;
	open_fixture(&f, "");
	assert_identity(&f, NULL);
	/* A rebuilt record may know neither UUID nor nonce: marker and VMID are what there is. */
	mem_replace(&f.record.uuid, NULL);
	mem_replace(&f.record.nonce, NULL);
	assert_identity(&f, NULL);
	close_fixture(&f);
}

static void test_no_marker(void **state)
{
	struct fixture f;

	(void)state;
	open_fixture(&f, "");
	describe(&f, "Front end");
	assert_identity(&f, "does not carry our marker");
	kv_del(&f.guest.current, "description");
	assert_identity(&f, "does not carry our marker");
	describe(&f, "ramet: homelab/web-01 vmid=1204 00112233aabbccdd\n"
		     "ramet: homelab/db-01 vmid=1204 00112233aabbccdd");
	assert_identity(&f, "does not carry our marker"); /* two that differ are none */
	close_fixture(&f);
}

static void test_another_ones_marker(void **state)
{
	struct fixture f;

	(void)state;
	open_fixture(&f, "");
	describe(&f, "ramet: office/web-01 vmid=1204 00112233aabbccdd");
	assert_identity(&f, "office/web-01");
	describe(&f, "ramet: homelab/db-01 vmid=1204 00112233aabbccdd");
	assert_identity(&f, "manifest db-01");
	/* a copy: the marker names another VMID */
	describe(&f, "ramet: homelab/web-01 vmid=1300 00112233aabbccdd");
	assert_identity(&f, "VMID 1300");
	describe(&f, "ramet: homelab/web-01 vmid=1204 ffffffffffffffff");
	assert_identity(&f, "not the one that was written");
	close_fixture(&f);
}

static void test_stranger_under_the_number(void **state)
{
	struct fixture f;

	(void)state;
	open_fixture(&f, "");
	mem_replace(&f.guest.uuid, "99999999-2222-3333-4444-555555555555");
	assert_identity(&f, "UUID");
	mem_replace(&f.guest.uuid, "");
	assert_identity(&f, "UUID");
	mem_replace(&f.guest.uuid, UUID);
	f.record.vmid = 1205;
	assert_identity(&f, "not on record");
	f.job.record = NULL;
	assert_identity(&f, "not on record");
	close_fixture(&f);
}

static void test_renamed(void **state)
{
	struct fixture f;

	(void)state;
	open_fixture(&f, "ramet.dev/renamed-from: old-01");
	describe(&f, "ramet: homelab/old-01 vmid=1204 00112233aabbccdd");
	assert_identity(&f, NULL);
	describe(&f, "ramet: homelab/older-01 vmid=1204 00112233aabbccdd");
	assert_identity(&f, "older-01");
	close_fixture(&f);
}

static void test_adopted(void **state)
{
	struct fixture f;

	(void)state;
	open_fixture(&f, "ramet.dev/adopt: " UUID);
	describe(&f, "by hand");
	f.job.record = NULL;
	assert_identity(&f, NULL);
	mem_replace(&f.guest.uuid, "99999999-2222-3333-4444-555555555555");
	assert_identity(&f, "does not carry our marker");
	/* Somebody else's VM is not taken over, whatever the annotation says. */
	mem_replace(&f.guest.uuid, UUID);
	describe(&f, "ramet: office/web-01 vmid=1204 00112233aabbccdd");
	assert_identity(&f, "office/web-01");
	close_fixture(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_the_one),
	    cmocka_unit_test(test_no_marker),
	    cmocka_unit_test(test_another_ones_marker),
	    cmocka_unit_test(test_stranger_under_the_number),
	    cmocka_unit_test(test_renamed),
	    cmocka_unit_test(test_adopted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
