/* Signatures by RFC 2104 with the key "s3cret", computed with openssl dgst -sha256 -hmac. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "webhook.h"

#define MAIN "{\"ref\":\"refs/heads/main\"}"
#define MAIN_HEX "232a5e067b6a5aa567ed5a1d21a0dffaf6ef0eeecb6bd9bcf43b3d5ef3fc4f43"
#define OTHER "{\"ref\":\"refs/heads/other\"}"
#define OTHER_HEX "c478ab1988ddfa02cf0f7de6bf0c2d92450793ff162b345a67b60d91cde013e1"
#define PING "{\"zen\":\"less\"}"
#define PING_HEX "08c6d3abfc7984115976ff72015a6f129326518037d7573bba987eae7172c638"

static enum webhook_verdict judge(struct webhook_proof proof, const char *body)
{
	return webhook_judge("s3cret", "main", &proof, body, strlen(body));
}

static void a_signed_push_is_accepted(void **state UNUSED)
{
	assert_int_equal(
	    judge((struct webhook_proof){.sha256 = "sha256=" MAIN_HEX}, MAIN), WEBHOOK_ACCEPTED);
	assert_int_equal(
	    judge((struct webhook_proof){.signature = MAIN_HEX}, MAIN), WEBHOOK_ACCEPTED);
	assert_int_equal(judge((struct webhook_proof){.token = "s3cret"}, MAIN), WEBHOOK_ACCEPTED);
	assert_int_equal(
	    judge((struct webhook_proof){.sha256 = "sha256=" PING_HEX}, PING), WEBHOOK_ACCEPTED);
	struct webhook_proof full = {.signature = MAIN_HEX};
	assert_int_equal(webhook_judge("s3cret", "refs/heads/main", &full, MAIN, strlen(MAIN)),
	    WEBHOOK_ACCEPTED);
}

static void another_branch_is_ignored(void **state UNUSED)
{
	assert_int_equal(
	    judge((struct webhook_proof){.sha256 = "sha256=" OTHER_HEX}, OTHER), WEBHOOK_IGNORED);
}

static void everything_else_is_refused(void **state UNUSED)
{
	static const struct webhook_proof bad[] = {
	    {0},
	    {.sha256 = "sha256=" OTHER_HEX},
	    {.sha256 = MAIN_HEX}, /* without the name of the method */
	    {.sha256 = "sha256="},
	    {.signature = ""},
	    {.token = "S3cret"},
	    {.token = ""},
	    /* A wrong signature is not mended by a token: who signs, signs rightly. */
	    {.sha256 = "sha256=" OTHER_HEX, .token = "s3cret"},
	};
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		assert_int_equal(judge(bad[i], MAIN), WEBHOOK_REFUSED);
	assert_int_equal(
	    webhook_judge("", "main", &(struct webhook_proof){.token = ""}, MAIN, strlen(MAIN)),
	    WEBHOOK_REFUSED);
}

static void a_body_that_is_no_json_costs_one_look(void **state UNUSED)
{
	assert_int_equal(
	    judge((struct webhook_proof){.token = "s3cret"}, "payload=%7B"), WEBHOOK_ACCEPTED);
	assert_int_equal(
	    judge((struct webhook_proof){.token = "s3cret"}, "{\"ref\":7}"), WEBHOOK_IGNORED);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_signed_push_is_accepted),
	    cmocka_unit_test(another_branch_is_ignored),
	    cmocka_unit_test(everything_else_is_refused),
	    cmocka_unit_test(a_body_that_is_no_json_costs_one_look),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
