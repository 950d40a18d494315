/* The program as a person calls it: what it ends with, and what it says where. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "buf.h"
#include "text.h"

#define RAMET RAMET_BINARY_DIR "/ramet"

struct answer {
	int status;
	char *out, *err;
};

static char *read_file(const char *path)
{
	struct buf b = {0};
	char chunk[4096];
	FILE *f = fopen(path, "r");
	assert_non_null(f);
	for (size_t n; (n = fread(chunk, 1, sizeof(chunk), f)) > 0;)
		buf_add(&b, chunk, n);
	fclose(f);
	return buf_take(&b);
}

/* Runs in the test's own folder, without a terminal. */
static struct answer ramet(const char *args)
{
	_cleanup_str_ char *command = mem_printf(RAMET " %s >out 2>err </dev/null", args);
	int rc = system(command);
	assert_true(WIFEXITED(rc));
	return (struct answer){
	    .status = WEXITSTATUS(rc), .out = read_file("out"), .err = read_file("err")};
}

static void done(struct answer *a)
{
	free(a->out);
	free(a->err);
}

static void expect(const char *args, int status, const char *out, const char *err)
{
	struct answer a = ramet(args);
	if (a.status != status || (out && !strstr(a.out, out)) || (err && !strstr(a.err, err)))
		fail_msg("ramet %s: %d\n--- out\n%s--- err\n%s", args, a.status, a.out, a.err);
	if (!err && *a.err)
		fail_msg("ramet %s also says: %s", args, a.err);
	done(&a);
}

static void put(const char *path, const char *text)
{
	FILE *f = fopen(path, "w");
	assert_non_null(f);
	fputs(text, f);
	assert_int_equal(fclose(f), 0);
}

static int setup(void **state)
{
	char *dir = mem_strdup("/tmp/ramet-exits-XXXXXX");
	assert_non_null(mkdtemp(dir));
	assert_int_equal(chdir(dir), 0);
	/* What the machine has in its environment must not matter. */
	assert_int_equal(unsetenv("RAMET_CONTROLLER_ID"), 0);
	*state = dir;
	return 0;
}

static int teardown(void **state)
{
	assert_int_equal(chdir("/"), 0);
	_cleanup_str_ char *command = mem_printf("rm -rf '%s'", (char *)*state);
	assert_int_equal(system(command), 0);
	free(*state);
	return 0;
}

static void test_usage(void **state)
{
	(void)state;
	expect("version", 0, "ramet " RAMET_VERSION "\n", NULL);
	expect("help", 0, "Commands:", NULL);
	expect("--help", 0, "Commands:", NULL);
	expect("help plan", 0, "Exit status:", NULL);
	expect("apply --help", 0, "--yes", NULL);
	expect("", 64, "Commands:", NULL);
	expect(
	    "paln", 64, "", "ramet: error: there is no command paln\n  hint: did you mean plan?");
	expect("help nothing", 64, "", "there is no command nothing");
	expect("plan --rev abc", 64, "", "--rev takes a whole commit id");
	expect("plan . --rev abc", 64, "", "a PATH and --rev at once");
	expect("apply", 64, "", "call apply with --yes");
	expect("run --log-level loud", 64, "", "--log-level does not know loud");
	expect("version --log-format xml", 64, "", "--log-format does not know xml");
}

static void test_configuration(void **state)
{
	(void)state;
	expect("run", 78, "", "controller.id");
	expect("plan", 1, "", "no configuration was found");
	expect("status", 1, "", "git.url");
	expect("plan --config none.yaml", 1, "", "none.yaml");
	put("broken.yaml", "controller: {id: a\n");
	expect("run --config broken.yaml", 78, "", "broken.yaml:");
	put("unknown.yaml", "controler: {id: a}\n");
	expect("status --config unknown.yaml", 1, "", "unknown.yaml:1:1");
}

static void test_status_where_nothing_is(void **state)
{
	_cleanup_str_ char *config = mem_printf("controller: {id: a, state_dir: %s/state}\n"
						"git: {url: \"file://%s/repo.git\"}\n",
	    (char *)*state, (char *)*state);
	put("ramet.yaml", config);
	expect("status", 1, "", "repo.git");
	assert_int_equal(system("git init -q --bare -b main repo.git"), 0);
	expect("status", 1, "", "no status was ever reported to ramet/status");
	expect("explain web", 1, "", "hint: start the controller");
	/* Looking leaves nothing behind where there was nothing. */
	assert_int_not_equal(access("state", F_OK), 0);
}

static const char vm_yaml[] =
    "apiVersion: ramet.dev/v1\nkind: ClonedVMStatus\n"
    "metadata: {name: %s}\n"
    "status: {phase: %s, reason: %s, message: a message, record: {vmid: %d}}\n";

static void test_status_from_a_directory(void **state)
{
	put("ramet.yaml", "controller: {id: a}\nreport: {mode: files, directory: report}\n");
	_cleanup_str_ char *web = mem_printf(vm_yaml, "web", "InSync", "InSync", 1001);
	_cleanup_str_ char *db = mem_printf(vm_yaml, "db", "Stalled", "DiskShrink", 1002);
	assert_int_equal(system("mkdir -p report/vms"), 0);
	put("report/vms/web.yaml", web);
	put("report/summary.json",
	    "{\"apiVersion\":\"ramet.dev/v1\",\"kind\":\"Summary\",\"controller\":{\"id\":\"a\"}}");
	expect("status", 0, "a: 1 of 1 ready\n", NULL);
	put("report/vms/db.yaml", db);
	expect("status", 3,
	    "NAME  STATE    VMID  NODE  REASON      WHAT\n"
	    "db    Stalled  1002        DiskShrink  a message\n"
	    "web   Ready    1001        InSync\n",
	    NULL);
	expect("status web", 0, "web: Ready\n", NULL);
	expect("status db", 3, "next step     Disks cannot shrink", NULL);
	expect("status --output json db", 3, "\"state\": \"Stalled\"", NULL);
	expect("explain db", 0, "db is Stalled (DiskShrink), as last reported.\n", NULL);
	expect("status wbe", 1, "", "did you mean web?");
	put("report/vms/bad.yaml", "{}");
	expect("status --log-level warn", 1, "db ", "vms/bad.yaml");
	/* A VM that was never made: its manifest has errors. */
	put("report/summary.json", "{\"apiVersion\":\"ramet.dev/v1\",\"kind\":\"Summary\","
				   "\"controller\":{\"id\":\"a\"},\"findings\":1,\"errors\":1}");
	assert_int_equal(unlink("report/vms/db.yaml"), 0);
	assert_int_equal(unlink("report/vms/bad.yaml"), 0);
	expect("status", 3, "a: 1 of 1 ready, 1 error in manifests\n", NULL);
	expect("status web", 0, "web: Ready\n", NULL);
	expect("explain new", 1, "", "its manifest may have errors: STATUS.md lists");
	(void)state;
}

/* No byte of an escape sequence reaches what is no terminal. */
static void test_no_colour_into_a_pipe(void **state)
{
	(void)state;
	put("ramet.yaml", "controller: {id: a}\nreport: {mode: files, directory: report}\n");
	_cleanup_str_ char *db = mem_printf(vm_yaml, "db", "Stalled", "DiskShrink", 1002);
	assert_int_equal(system("mkdir -p report/vms"), 0);
	put("report/vms/db.yaml", db);
	struct answer a = ramet("status");
	assert_null(strchr(a.out, '\x1b'));
	done(&a);
	a = ramet("paln");
	assert_null(strchr(a.err, '\x1b'));
	done(&a);
}

static void test_plan_of_bad_manifests(void **state)
{
	(void)state;
	put("token", "ramet@pve!t=00000000-0000-0000-0000-000000000000\n");
	assert_int_equal(system("chmod 600 token; mkdir vms"), 0);
	put("ramet.yaml", "controller: {id: a, state_dir: state}\n"
			  "cluster: {endpoints: [https://127.0.0.1:9], token_file: token}\n");
	put("vms/a.yaml", "apiVersion: ramet.dev/v1\nkind: ClonedVM\nmetadata: {name: a}\n"
			  "spec: {node_nam: x}\n");
	expect("plan vms", 1, "", "vms/a.yaml:4:8");
	expect("apply --yes vms", 1, "", "the manifests have findings");
	expect("plan nowhere", 1, "", "cannot open nowhere");
	expect("plan token", 1, "", "token:1:");
	assert_int_equal(system("mkdir empty"), 0);
	expect("plan empty", 1, "", "there is no manifest in empty");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(test_usage, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_configuration, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_status_where_nothing_is, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_status_from_a_directory, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_no_colour_into_a_pipe, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_plan_of_bad_manifests, setup, teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
