#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka needs the four above first. */
#include <cmocka.h>

#include "crypt.h"

#include <string.h>

/* FIPS 180-2 appendix B and the digest of nothing. */
static void sha256_vectors(void **state UNUSED)
{
	char hex[CRYPT_HEX_LEN];
	crypt_sha256_hex("abc", 3, hex);
	assert_string_equal(
	    hex, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
	crypt_sha256_hex(NULL, 0, hex);
	assert_string_equal(
	    hex, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
}

/* RFC 4231, cases 2 and 6 (a key longer than a block). */
static void hmac_vectors(void **state UNUSED)
{
	char hex[CRYPT_HEX_LEN];
	const char *text = "what do ya want for nothing?";
	crypt_hmac_sha256_hex("Jefe", 4, text, strlen(text), hex);
	assert_string_equal(
	    hex, "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
	unsigned char key[131];
	memset(key, 0xaa, sizeof(key));
	text = "Test Using Larger Than Block-Size Key - Hash Key First";
	crypt_hmac_sha256_hex(key, sizeof(key), text, strlen(text), hex);
	assert_string_equal(
	    hex, "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54");
}

static void random_words(void **state UNUSED)
{
	char a[65], b[65];
	memset(a, 'x', sizeof(a));
	crypt_random_hex(8, a);
	assert_int_equal(strlen(a), 16);
	assert_int_equal(strspn(a, "0123456789abcdef"), 16);
	crypt_random_hex(32, a);
	crypt_random_hex(32, b);
	assert_int_equal(strlen(a), 64);
	assert_string_not_equal(a, b);
	crypt_random_hex(0, a);
	assert_string_equal(a, "");
}

static void base64(void **state UNUSED)
{
	static const char *const bad[] = {"Zm9", "Zm9v*", "=Zm9", "Zm-v", "Zm9vYg=x"};
	struct buf b;

	/* RFC 4648, with a line end as armour has them. */
	buf_init(&b, 0);
	assert_true(crypt_base64_decode("Zm9v\nYmE=\n", &b));
	assert_string_equal(buf_str(&b), "fooba");
	assert_true(crypt_base64_decode("", &b));
	assert_int_equal(b.len, 5);
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		if (crypt_base64_decode(bad[i], &b))
			fail_msg("%s", bad[i]);
	}
	buf_fini(&b);
}

static void equality(void **state UNUSED)
{
	assert_true(crypt_equal("secret", "secret"));
	assert_true(crypt_equal("", ""));
	assert_false(crypt_equal("secret", "secreT"));
	assert_false(crypt_equal("secret", "secret1"));
	assert_false(crypt_equal("secret", ""));
	assert_false(crypt_equal(NULL, NULL));
	assert_false(crypt_equal("", NULL));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(sha256_vectors),
	    cmocka_unit_test(hmac_vectors),
	    cmocka_unit_test(random_words),
	    cmocka_unit_test(base64),
	    cmocka_unit_test(equality),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
