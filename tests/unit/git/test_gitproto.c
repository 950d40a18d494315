/* The messages between controller and worker, and the small judges of names and settings. */
#include "gitfix.h"

#include <dirent.h>

#include "gitfiles.h"
#include "gitname.h"
#include "gitproto.h"
#include "gitproxy.h"
#include "gitsettings.h"

static const char oid_a[] = "00112233445566778899aabbccddeeff00112233";

static void encode(const struct gitproto_msg *msg, struct buf *b)
{
	struct err *err = NULL;
	buf_init(b, 0);
	if (gitproto_encode(msg, b, &err) != 0)
		fail_msg("%s", err_msg(err));
}

static void test_bytes(void **state UNUSED)
{
	/* By hand: type, job, then the fields with their lengths. */
	struct gitproto_msg msg = {
	    .type = GITPROTO_READ, .job = 0x0102030405060708, .rev = oid_a, .path = "a"};
	unsigned char want[9 + 4 + 41 + 4 + 1 + 4 + 2] = {
	    GITPROTO_READ, 1, 2, 3, 4, 5, 6, 7, 8, 0, 0, 0, 40};
	memcpy(want + 13, oid_a, 41);
	memcpy(want + 54, "\0\0\0\0\0\0\0\0\1a\0", 11);
	struct buf b;
	encode(&msg, &b);
	assert_int_equal(b.len, sizeof(want));
	assert_memory_equal(b.data, want, b.len);
	buf_fini(&b);
}

static void test_round_trip(void **state UNUSED)
{
	struct gitproto_msg msg = {.type = GITPROTO_SETUP, .job = 7};
	msg.setup = (struct gitproto_setup){
	    .dir = "/var/lib",
	    .url = "https://h/x.git",
	    .branch = "main",
	    .path = "vms",
	    .suffixes = ".yaml .yml",
	    .status_branch = "ramet/status",
	    .username = "bot",
	    .password = "s\x01\xff",
	    .ca_file = "/ca.pem",
	    .author_name = "Jos\xc3\xa9",
	    .max_files = 1,
	    .max_file_bytes = 2,
	    .max_total_bytes = 3,
	    .max_depth = 4,
	    .max_pack_bytes = 5,
	    .connect_ms = 6,
	    .stall_ms = 7,
	};
	struct buf b;
	struct gitproto_msg got;
	encode(&msg, &b);
	assert_int_equal(gitproto_decode(b.data, b.len, &got, NULL), 0);
	assert_int_equal(got.type, GITPROTO_SETUP);
	assert_int_equal(got.job, 7);
	assert_string_equal(got.setup.url, "https://h/x.git");
	assert_string_equal(got.setup.password, "s\x01\xff");
	assert_string_equal(got.setup.author_name, "Jos\xc3\xa9");
	assert_string_equal(got.setup.status_path, ""); /* NULL counts as empty */
	assert_int_equal(got.setup.max_depth, 4);
	assert_int_equal(got.setup.stall_ms, 7);

	/* Every shorter message is refused, and one byte more as well. */
	for (size_t len = 0; len < b.len; len++)
		assert_int_equal(gitproto_decode(b.data, len, &got, NULL), -1);
	buf_addc(&b, 0);
	assert_int_equal(gitproto_decode(b.data, b.len, &got, NULL), -1);
	buf_fini(&b);

	msg = (struct gitproto_msg){
	    .type = GITPROTO_FILE, .path = "a b.yaml", .rev = oid_a, .data = {"x\0y", 3}};
	encode(&msg, &b);
	assert_int_equal(gitproto_decode(b.data, b.len, &got, NULL), 0);
	assert_int_equal(got.data.len, 3);
	assert_memory_equal(got.data.ptr, "x\0y", 3);
	assert_string_equal(got.skipped, "");
	buf_fini(&b);

	msg = (struct gitproto_msg){.type = GITPROTO_DONE, .commit_wall_ms = -5, .truncated = true};
	encode(&msg, &b);
	assert_int_equal(gitproto_decode(b.data, b.len, &got, NULL), 0);
	assert_int_equal(got.commit_wall_ms, -5);
	assert_true(got.truncated);
	assert_false(got.path_missing);
	buf_fini(&b);
}

static void test_refused(void **state UNUSED)
{
	struct err *err = NULL;
	struct buf b;
	buf_init(&b, 0);
	static const struct gitproto_msg bad[] = {
	    {.type = GITPROTO_READ, .rev = "00112233445566778899AABBCCDDEEFF00112233"},
	    {.type = GITPROTO_READ, .rev = "0011"},
	    {.type = GITPROTO_READ, .path = "a\nb"},
	    {.type = GITPROTO_READ, .path = "\xff"},
	    {.type = GITPROTO_PUBLISH, .text = "a\x1b[0m"},
	    {.type = GITPROTO_FAILED, .code = ERR__MAX},
	    {.type = GITPROTO_FAILED, .code = -1},
	};
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		assert_int_equal(gitproto_encode(&bad[i], &b, &err), -1);
		assert_non_null(err);
		assert_int_equal(b.len, 0);
		err_free(&err);
	}
	/* The secret is never repeated. */
	char *big = mem_alloc(70000);
	memset(big, 'q', 69999);
	struct gitproto_msg msg = {.type = GITPROTO_SETUP, .setup.password = big};
	assert_int_equal(gitproto_encode(&msg, &b, &err), -1);
	assert_null(strstr(err_msg(err), "qqqq"));
	err_free(&err);
	free(big);

	/* What an encoder would never make: an object id of other characters, a NUL inside. */
	struct gitproto_msg got;
	buf_fini(&b);
	msg = (struct gitproto_msg){.type = GITPROTO_READ, .rev = oid_a, .path = "ab"};
	encode(&msg, &b);
	assert_int_equal(gitproto_decode(b.data, b.len, &got, NULL), 0);
	b.data[20] = 'g';
	assert_int_equal(gitproto_decode(b.data, b.len, &got, &err), -1);
	assert_int_equal(err->code, ERR_PROTOCOL);
	err_free(&err);
	b.data[20] = '0';
	assert_int_equal(gitproto_decode(b.data, b.len, &got, NULL), 0);
	b.data[b.len - 2] = '\0';
	assert_int_equal(gitproto_decode(b.data, b.len, &got, NULL), -1);
	buf_fini(&b);
}

/* The fuzzer's first messages are what this version says: only then do their descendants get far.
 */
static void test_corpus(void **state UNUSED)
{
	static const char dir[] = RAMET_SOURCE_DIR "/tests/fuzz/corpus/gitproto";
	unsigned seen[GITPROTO__MAX] = {0};
	DIR *d = opendir(dir);
	assert_non_null(d);
	for (struct dirent *e; (e = readdir(d));) {
		_cleanup_str_ char *path = mem_printf("%s/%s", dir, e->d_name);
		char text[4096];
		struct gitproto_msg got;
		FILE *f = e->d_name[0] == '.' ? NULL : fopen(path, "r");
		if (!f)
			continue;
		size_t n = fread(text, 1, sizeof(text), f);
		fclose(f);
		bool good = gitproto_decode(text, n, &got, NULL) == 0;
		if (good != !text_starts(e->d_name, "bad-"))
			fail_msg("%s is %s", e->d_name, good ? "accepted" : "refused");
		if (good)
			seen[got.type]++;
	}
	closedir(d);
	for (int i = 0; i < GITPROTO__MAX; i++)
		if (!seen[i])
			fail_msg("no message \"%s\"", gitproto_word((enum gitproto_type)i));
}

static void test_names(void **state UNUSED)
{
	static const char *const good[] = {"a.yaml", ".hidden", "a b", "...", ".gitignore", ".gitx",
	    "git~10", "\xc3\xa9", "\xe6\x97\xa5"};
	static const struct {
		const char *name, *why;
	} bad[] = {
	    {"", "no name"},
	    {".", "no name"},
	    {"..", "no name"},
	    {"a/b", "slash"},
	    {"a\tb", "control"},
	    {"a\x7f", "control"},
	    {"\xc2\x85", "control"},
	    {"\xff", "not UTF-8"},
	    {"a\xc0\xaf", "not UTF-8"},
	    {"e\xcc\x81", "combining"},
	    {"a\xe2\x80\x8b", "invisible"},
	    {"\xe2\x80\xae", "invisible"},
	    {".git", "disguise"},
	    {".GIT", "disguise"},
	    {".git. .", "disguise"},
	    {".git::$INDEX_ALLOCATION", "disguise"},
	    {"GIT~1", "disguise"},
	    {".g\xe2\x80\x8cit", "invisible"},
	};
	for (size_t i = 0; i < ARRAY_LEN(good); i++) {
		if (gitname_fault(good[i]))
			fail_msg("%s: %s", good[i], gitname_fault(good[i]));
	}
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		const char *why = gitname_fault(bad[i].name);
		if (!why || !strstr(why, bad[i].why))
			fail_msg("%zu: %s, not %s", i, why ? why : "nothing", bad[i].why);
	}
	assert_true(gitname_has_suffix("a.yaml", ".yaml .yml"));
	assert_true(gitname_has_suffix("a.yml", ".yaml .yml"));
	assert_true(gitname_has_suffix("a.YmL", ".yaml .yml"));
	assert_false(gitname_has_suffix("a.yaml.bak", ".yaml .yml"));
	assert_false(gitname_has_suffix(".yaml", ".yaml .yml"));
	assert_true(gitname_has_suffix("a", " "));
	assert_true(gitname_is_lfs("version https://git-lfs.github.com/spec/v1\noid x\n", 49));
	assert_false(gitname_is_lfs("version: 1\n", 11));

	_cleanup_str_ char *line = gitname_clean("a\r\nb\x1b[31m\xff\xc3\xa9 \n", 100, false);
	assert_string_equal(line, "a b?[31m?\xc3\xa9");
	_cleanup_str_ char *lines = gitname_clean("a\nb\tc\n\n", 100, true);
	assert_string_equal(lines, "a\nb\tc");
	_cleanup_str_ char *cut = gitname_clean("ab\xc3\xa9", 3, false);
	assert_string_equal(cut, "ab");
	struct buf b;
	buf_init(&b, 0);
	gitname_add_printable(&b, "a\n\xff\xc3\xa9");
	assert_string_equal(buf_str(&b), "a\\x0a\\xff\xc3\xa9");
	buf_fini(&b);
}

static void test_settings(void **state UNUSED)
{
	static const struct {
		const char *url, *in_msg;
	} bad[] = {
	    {"", "not set"},
	    {"git@example.org:infra/vms.git", "none of https, http, ssh and file"},
	    {"ssh://git@example.org/infra/vms.git", "needs git.known_hosts_file"},
	    {"ssh://git:x@example.org/infra/vms.git", "which ssh does not use"},
	    {"ssh://-oProxyCommand=id/x.git", "characters that no host has"},
	    {"ssh://-x@example.org/x.git", "characters that no user has"},
	    {"ssh://example.org:0/x.git", "the port is not"},
	    {"https://example.org", "no path"},
	    {"https://example.org/x.git?a=b", "no ? and no #"},
	    {"https://example.org/%zz", "percent sign"},
	    {"https:///x.git", "no host"},
	    {"git://example.org/x.git", "none of https, http, ssh and file"},
	    {"/srv/git/x.git", "none of https, http, ssh and file"},
	    {"file://server/x.git", "no host"},
	    {"ext::sh -c id", "none of https, http, ssh and file"},
	    {"https://bot:hunter2@example.org/x.git", "contains a password"},
	    {"http://example.org/x.git", "clear text"},
	    {"http://127.0.0.1@example.org/x.git", "clear text"},
	    {"http://127.0.0.1.example.org/x.git", "clear text"},
	    {"http://localhost.example.org/x.git", "clear text"},
	};
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		struct gitproto_setup s;
		struct err *err = NULL;
		struct buf b;
		buf_init(&b, 0);
		gitsettings_defaults(&s);
		s.url = bad[i].url;
		s.password = "hunter2";
		assert_int_equal(gitsettings_encode(&s, &b, &err), -1);
		assert_int_equal(err->code, ERR_CONFIG);
		if (!strstr(err->msg, bad[i].in_msg))
			fail_msg("%s: %s", bad[i].url, err->msg);
		assert_null(strstr(err->msg, "hunter2"));
		assert_non_null(err->hint);
		err_free(&err);
		buf_fini(&b);
	}
	static const char *const good[] = {"https://example.org/x.git",
	    "https://bot@example.org:8443/x", "file:///srv/x.git", "http://127.0.0.1:3000/x.git",
	    "http://[::1]/x.git", "http://localhost/x.git"};
	for (size_t i = 0; i < ARRAY_LEN(good); i++) {
		struct gitproto_setup s;
		struct gitproto_msg got;
		struct buf b;
		buf_init(&b, 0);
		gitsettings_defaults(&s);
		s.url = good[i];
		s.password = "hunter2";
		s.path = "//vms/linux/";
		assert_int_equal(gitsettings_encode(&s, &b, NULL), 0);
		assert_int_equal(gitproto_decode(b.data, b.len, &got, NULL), 0);
		assert_string_equal(got.setup.path, "vms/linux");
		buf_fini(&b);
	}
	struct gitproto_setup s;
	struct err *err = NULL;
	struct buf b;
	buf_init(&b, 0);
	gitsettings_defaults(&s);
	s.url = good[0];
	s.path = "vms/../..";
	assert_int_equal(gitsettings_encode(&s, &b, &err), -1);
	assert_non_null(strstr(err->msg, "git.path"));
	err_free(&err);
	buf_fini(&b);
}

static void test_proxies(void **state UNUSED)
{
	static const struct {
		const char *setting, *url, *env[4], *want;
	} cases[] = {
	    {"http://p:1", "https://h/x.git", {"https_proxy=http://q:2"}, "http://p:1"},
	    {"none", "https://h/x.git", {"https_proxy=http://q:2"}, ""},
	    {"", "https://h/x.git", {"PATH=/bin"}, ""},
	    {"", "https://h/x.git", {"https_proxy=http://q:2"}, "http://q:2"},
	    {"", "https://h/x.git", {"HTTPS_PROXY=http://u:p@q:2"}, "http://u:p@q:2"},
	    {"", "https://h/x.git", {"https_proxy=q:2", "HTTPS_PROXY=z"}, "http://q:2"},
	    {"", "https://h/x.git", {"https_proxy=", "ALL_PROXY=http://q:2"}, "http://q:2"},
	    {"", "https://h/x.git", {"http_proxy=http://q:2"}, ""},
	    {"", "http://h/x.git", {"http_proxy=http://q:2"}, "http://q:2"},
	    {"", "http://h/x.git", {"HTTP_PROXY=http://evil:2"}, ""},
	    {"", "ssh://h/x.git", {"all_proxy=http://q:2"}, ""},
	    {"", "https://127.0.0.1/x.git", {"https_proxy=http://q:2"}, ""},
	    {"", "https://localhost:8443/x.git", {"https_proxy=http://q:2"}, ""},
	    {"", "https://h.lan/x.git", {"https_proxy=http://q:2", "no_proxy=a,.lan"}, ""},
	    {"", "https://h.lan/x.git", {"https_proxy=http://q:2", "NO_PROXY=lan b"}, ""},
	    {"", "https://h.lan/x.git", {"https_proxy=http://q:2", "no_proxy=*"}, ""},
	    {"", "https://H.LAN/x.git", {"https_proxy=http://q:2", "no_proxy=h.lan"}, ""},
	    {"", "https://h.lan/x.git", {"https_proxy=http://q:2", "no_proxy=h.lan:443"}, ""},
	    {"", "https://h.lan/x.git", {"https_proxy=http://q:2", "no_proxy=h.lan:8443"},
		"http://q:2"},
	    {"", "https://plan/x.git", {"https_proxy=http://q:2", "no_proxy=lan"}, "http://q:2"},
	    {"", "https://h.lan/x.git", {"https_proxy=http://q:2", "no_proxy=x.h.lan,,"},
		"http://q:2"},
	    {"", "https://[fd00::1]/x.git", {"https_proxy=http://q:2", "no_proxy=fd00::1"}, ""},
	};
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		char *env[ARRAY_LEN(cases[i].env) + 1] = {NULL};
		for (size_t k = 0; k < ARRAY_LEN(cases[i].env) && cases[i].env[k]; k++)
			env[k] = mem_strdup(cases[i].env[k]);
		_cleanup_str_ char *got = gitproxy_choose(cases[i].setting, cases[i].url, env);
		if (strcmp(got, cases[i].want) != 0)
			fail_msg("%zu: \"%s\", not \"%s\"", i, got, cases[i].want);
		for (size_t k = 0; env[k]; k++)
			free(env[k]);
	}
	_cleanup_str_ char *none = gitproxy_choose("", "https://h/x.git", NULL);
	assert_string_equal(none, "");
}

static void test_files(void **state UNUSED)
{
	struct gitfiles l = {.max_files = 3, .max_bytes = 10};
	struct gitproto_msg m = {.path = "b", .rev = oid_a, .skipped = "", .data = {"12345", 5}};
	assert_true(gitfiles_add(&l, &m));
	m.path = "a";
	assert_true(gitfiles_add(&l, &m));
	m.path = "c";
	assert_false(gitfiles_add(&l, &m)); /* bytes */
	m.data.len = 0;
	m.skipped = "a symbolic link";
	assert_true(gitfiles_add(&l, &m));
	assert_false(gitfiles_add(&l, &m)); /* number */
	const struct gitport_file *f = gitfiles_sorted(&l);
	assert_string_equal(f[0].path, "a");
	assert_string_equal(f[1].path, "b");
	assert_string_equal(f[1].data, "12345");
	assert_string_equal(f[2].path, "c");
	assert_null(f[2].data);
	assert_string_equal(f[2].skipped, "a symbolic link");
	gitfiles_drop(&l);
	assert_int_equal(l.n, 0);
	assert_int_equal(l.max_files, 3);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_bytes),
	    cmocka_unit_test(test_round_trip),
	    cmocka_unit_test(test_refused),
	    cmocka_unit_test(test_corpus),
	    cmocka_unit_test(test_names),
	    cmocka_unit_test(test_settings),
	    cmocka_unit_test(test_proxies),
	    cmocka_unit_test(test_files),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
