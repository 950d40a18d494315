#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "jsn.h"
#include "tree.h"

#define T0 1795284000000 /* 2026-11-21T18:00:00Z */
#define REV_A "aaaaaaaaaabbbbbbbbbbccccccccccdddddddddd"
#define REV_B "0123456789abcdef0123456789abcdef01234567"

#define N_VMS 5

struct model {
	struct vmstat vms[N_VMS];
	const struct vmstat *sorted[N_VMS];
	struct status s;
};

static void fill_vms(struct vmstat *v)
{
	v[0] = (struct vmstat){.name = mem_strdup("app"),
	    .verdict = PLAN_IN_SYNC,
	    .node = mem_strdup("pve1"),
	    .since_wall = T0,
	    .record.vmid = 1001};
	v[1] = (struct vmstat){.name = mem_strdup("cache"),
	    .verdict = PLAN_IN_SYNC,
	    .reason = REASON_DRIFT_REPORTED,
	    .node = mem_strdup("pve2"),
	    .since_wall = T0 + 60000,
	    .record.vmid = 1002};
	struct drift *d = drifts_add(&v[1].drifts);
	*d = (struct drift){.path = mem_strdup("cpu.cores"),
	    .wanted = mem_strdup("4"),
	    .found = mem_strdup("8"),
	    .who = mem_strdup("ops@pam"),
	    .since_wall = T0 + 60000,
	    .state = CHANGE_REPORT};
	d = drifts_add(&v[1].drifts);
	*d = (struct drift){.path = mem_strdup("tags"),
	    .wanted = mem_strdup("[web]"),
	    .found = mem_strdup("absent"),
	    .since_wall = T0,
	    .state = CHANGE_BLOCKED,
	    .why = mem_strdup("no right")};
	v[2] = (struct vmstat){.name = mem_strdup("db"),
	    .verdict = PLAN_STALLED,
	    .reason = REASON_DISK_SHRINK,
	    .message = mem_strdup("scsi0 has 50 GiB, 40 are wanted"),
	    .hint = mem_strdup("write 50"),
	    .node = mem_strdup("pve1"),
	    .since_wall = T0,
	    .record.vmid = 1003};
	v[3] = (struct vmstat){.name = mem_strdup("web"),
	    .verdict = PLAN_IN_SYNC,
	    .stale = true,
	    .rev = mem_strdup(REV_A),
	    .since_wall = T0,
	    .record.vmid = 1004};
	v[4] = (struct vmstat){.name = mem_strdup("zoo"),
	    .verdict = PLAN_WAIT,
	    .reason = REASON_NODE_OFFLINE,
	    .message = mem_strdup("pve3 is offline")};
	d = drifts_add(&v[0].corrected);
	*d = (struct drift){.path = mem_strdup("memory.size"),
	    .wanted = mem_strdup("2048"),
	    .found = mem_strdup("1024"),
	    .who = mem_strdup("root@pam"),
	    .since_wall = T0,
	    .corrected_wall = T0 + 120000};
	d = drifts_add(&v[2].corrected);
	*d = (struct drift){.path = mem_strdup("name"),
	    .wanted = mem_strdup("db"),
	    .found = mem_strdup("bd"),
	    .since_wall = T0,
	    .corrected_wall = T0 + 180000};
}

static void setup(struct model *m)
{
	*m = (struct model){0};
	fill_vms(m->vms);
	for (size_t i = 0; i < N_VMS; i++)
		m->sorted[i] = &m->vms[i];
	m->s = (struct status){.controller_id = mem_strdup("homelab"),
	    .instance = mem_strdup("i-77"),
	    .rev_wanted = mem_strdup(REV_B),
	    .rev_applied = mem_strdup(REV_A),
	    .rev_followed = mem_strdup(REV_B),
	    .subject = mem_strdup("grow the database"),
	    .cluster_problem = mem_strdup("pve3 does not answer; bring it back"),
	    .vms = m->sorted,
	    .n_vms = N_VMS};
	diag_hint(diags_add(&m->s.findings, DIAG_UNKNOWN_KEY, "vms/web.yaml",
		      (struct mark){12, 5, 0}, "unknown key croes"),
	    "did you mean cores?");
	strs_add(&m->s.copies, "1050 on pve2 carries the marker of web");
	strs_add(&m->s.unclaimed, "1051 on pve2 is nobody's");
	strs_add(&m->s.used_vmids, "1001");
	strs_add(&m->s.used_vmids, "1020");
	strs_add(&m->s.leftovers, "ceph:vm-1020-disk-0 could not be removed");
	MEM_PUSH_ROOM(m->s.fallen.v, m->s.fallen.n, m->s.fallen.cap);
	m->s.fallen.v[m->s.fallen.n++] =
	    (struct status_fallen){.name = mem_strdup("old"), .vmid = 1020, .wall_ms = T0};
}

static void teardown(struct model *m)
{
	m->s.vms = NULL;
	status_fini(&m->s);
	for (size_t i = 0; i < N_VMS; i++)
		vmstat_fini(&m->vms[i]);
}

static const char status_md[] =
    "# Ramet `homelab`\n"
    "\n"
    "**The cluster cannot be seen: this is how it was when last seen.** **2 of 5 VMs are ready.** "
    "2 stalled, 1 waiting, 1 ready but drifted. Drift on 1 VM: "
    "[DRIFT.md](DRIFT.md). **1 error in manifests**, [listed below](#findings-in-manifests).\n"
    "\n"
    "Revision `0123456789` (grow the database) is not applied everywhere yet; the last one that "
    "was is `aaaaaaaaaa`.\n"
    "\n"
    "## Problems\n"
    "\n"
    "- **Cluster:** pve3 does not answer. **Next:** bring it back.\n"
    "\n"
    "## What needs a person\n"
    "\n"
    "- [`db`](vms/db.yaml) `DiskShrink`: scsi0 has 50 GiB, 40 are wanted. **Next:** write 50.\n"
    "- [`web`](vms/web.yaml) `ManifestInvalid`: The newest version of the manifest has findings; "
    "the last good one stays in force. **Next:** Mend the manifest as the findings say.\n"
    "\n"
    "## Findings in manifests\n"
    "\n"
    "- `vms/web.yaml:12:5` `UnknownKey`: unknown key croes. **Next:** did you mean cores?\n"
    "\n"
    "## Copies of managed VMs\n"
    "\n"
    "- 1050 on pve2 carries the marker of web.\n"
    "\n"
    "## VMs of ours that nobody asks for\n"
    "\n"
    "- 1051 on pve2 is nobody's.\n"
    "\n"
    "## Volumes that were left\n"
    "\n"
    "- ceph:vm-1020-disk-0 could not be removed.\n"
    "\n"
    "## VMs\n"
    "\n"
    "| VM | State | What | VMID | Node | Since (UTC) |\n"
    "| :-- | :-- | :-- | --: | :-- | :-- |\n"
    "| [`db`](vms/db.yaml) | **Stalled** (unknown) | `DiskShrink` scsi0 has 50 GiB, 40 are wanted "
    "| 1003 | "
    "`pve1` | 2026-11-21 18:00 |\n"
    "| [`web`](vms/web.yaml) | **Stalled** (unknown) | `ManifestInvalid` the version of "
    "`aaaaaaaaaa` stays "
    "in force | 1004 |  | 2026-11-21 18:00 |\n"
    "| [`zoo`](vms/zoo.yaml) | Waiting (unknown) | `NodeOffline` pve3 is offline |  |  |  |\n"
    "| [`cache`](vms/cache.yaml) | Drifted (unknown) | `cpu.cores` is `8`, wanted `4`, by "
    "`ops@pam`; "
    "[1 more](DRIFT.md) | 1002 | `pve2` | 2026-11-21 18:01 |\n"
    "| [`app`](vms/app.yaml) | Ready (unknown) |  | 1001 | `pve1` | 2026-11-21 18:00 |\n";

static const char drift_md[] =
    "# Drift of `homelab`\n"
    "\n"
    "What a manifest lists and the cluster has otherwise, although the manifest did not change. "
    "Back to the [status](STATUS.md).\n"
    "\n"
    "## Now\n"
    "\n"
    "| VM | Leaf | Wanted | Found | By | Since (UTC) | What happens |\n"
    "| :-- | :-- | :-- | :-- | :-- | :-- | :-- |\n"
    "| [`cache`](vms/cache.yaml) | `tags` | `[web]` | `absent` | unknown | 2026-11-21 18:00:00 | "
    "**blocked**: no right |\n"
    "| [`cache`](vms/cache.yaml) | `cpu.cores` | `4` | `8` | `ops@pam` | 2026-11-21 18:01:00 | "
    "reported only |\n"
    "\n"
    "## Corrected lately\n"
    "\n"
    "| VM | Leaf | Wanted | Found | By | Seen (UTC) | Corrected (UTC) |\n"
    "| :-- | :-- | :-- | :-- | :-- | :-- | :-- |\n"
    "| [`db`](vms/db.yaml) | `name` | `db` | `bd` | unknown | 2026-11-21 18:00:00 | 2026-11-21 "
    "18:03:00 "
    "|\n"
    "| [`app`](vms/app.yaml) | `memory.size` | `2048` | `1024` | `root@pam` | 2026-11-21 18:00:00 "
    "| "
    "2026-11-21 18:02:00 |\n";

static const char summary_json[] =
    "{\"apiVersion\":\"ramet.dev/v1\",\"kind\":\"Summary\",\"controller\":{\"id\":\"homelab\","
    "\"instance\":\"i-77\",\"version\":\"" RAMET_VERSION "\",\"observeOnly\":false},"
    "\"revision\":{\"attempted\":\"" REV_B "\",\"applied\":\"" REV_A "\","
    "\"followed\":\"" REV_B "\","
    "\"subject\":\"grow the database\"},\"counts\":{\"total\":5,\"ready\":2,\"reconciling\":1,"
    "\"stalled\":2,\"drifted\":1,\"pendingReboot\":0,\"suspended\":0},\"findings\":1,\"errors\":1,"
    "\"problems\":{\"cluster\":\"pve3 does not answer; bring it back\"},"
    "\"usedVmids\":[1001,1020],"
    "\"destroyed\":[{\"name\":\"old\",\"vmid\":1020,\"at\":\"2026-11-21T18:00:00Z\"}],"
    "\"leftovers\":[\"ceph:vm-1020-disk-0 could not be removed\"]}";

static const char *file(const struct tree *t, const char *path)
{
	const struct tree_file *f = tree_find(t, path);
	assert_non_null(f);
	assert_int_equal(f->len, strlen(f->data));
	return f->data;
}

static void test_golden(void **state)
{
	(void)state;
	struct model m;
	setup(&m);
	_cleanup_tree_ struct tree t;
	tree_render(&m.s, &t);
	assert_string_equal(file(&t, "STATUS.md"), status_md);
	assert_string_equal(file(&t, "DRIFT.md"), drift_md);
	_cleanup_jsn_ struct jsn *want = NULL, *got = NULL;
	assert_int_equal(jsn_parse(summary_json, strlen(summary_json), &want, NULL), 0);
	const char *summary = file(&t, "summary.json");
	assert_int_equal(jsn_parse(summary, strlen(summary), &got, NULL), 0);
	assert_true(jsn_eq(want, got));
	assert_int_equal(t.n, 3 + N_VMS);
	for (size_t i = 1; i < t.n; i++)
		assert_true(strcmp(t.v[i - 1].path, t.v[i].path) < 0);
	_cleanup_str_ char *db = tree_render_vm(&m.vms[2]);
	assert_string_equal(file(&t, "vms/db.yaml"), db);
	assert_null(tree_find(&t, "vms/none.yaml"));
	teardown(&m);
}

static void test_same_model_same_bytes(void **state)
{
	(void)state;
	struct model a, b;
	setup(&a);
	setup(&b);
	_cleanup_tree_ struct tree ta, tb;
	tree_render(&a.s, &ta);
	tree_render(&b.s, &tb);
	assert_int_equal(ta.n, tb.n);
	for (size_t i = 0; i < ta.n; i++)
		assert_string_equal(ta.v[i].data, tb.v[i].data);
	teardown(&a);
	teardown(&b);
}

static void test_nothing_yet(void **state)
{
	(void)state;
	struct status s = {.controller_id = (char *)"homelab"};
	_cleanup_tree_ struct tree t;
	tree_render(&s, &t);
	assert_string_equal(file(&t, "STATUS.md"),
	    "# Ramet `homelab`\n\n**No VM is managed yet.**\n\nNo revision has been read yet.\n");
	assert_non_null(strstr(file(&t, "DRIFT.md"), "Nothing differs from its manifest.\n"));
}

static void test_all_well(void **state)
{
	(void)state;
	struct vmstat a = {.name = (char *)"a"}, b = {.name = (char *)"b"};
	strs_add(&b.pending_keys, "cores");
	const struct vmstat *all[] = {&a, &b};
	struct status s = {.controller_id = (char *)"h",
	    .rev_wanted = (char *)REV_A,
	    .rev_applied = (char *)REV_A,
	    .vms = all,
	    .n_vms = 2,
	    .observe_only = true};
	_cleanup_tree_ struct tree t;
	tree_render(&s, &t);
	assert_string_equal(file(&t, "STATUS.md"),
	    "# Ramet `h`\n\n**All 2 VMs are ready.** 1 ready but for a restart.\n\n"
	    "Revision `aaaaaaaaaa` is applied.\n\n"
	    "This controller only observes: it changes nothing.\n\n## VMs\n\n"
	    "| VM | State | What | VMID | Node | Since (UTC) |\n"
	    "| :-- | :-- | :-- | --: | :-- | :-- |\n"
	    "| [`b`](vms/b.yaml) | Ready, restart pending |  |  |  |  |\n"
	    "| [`a`](vms/a.yaml) | Ready |  |  |  |  |\n");
	strs_fini(&b.pending_keys);
}

/* Copied out of a forge, it is to work: whole, and without what keeps prose from being a mention.
 */
static void test_a_command_can_be_copied(void **state)
{
	(void)state;
	char privs[600];
	memset(privs, 'x', sizeof(privs) - 1);
	privs[sizeof(privs) - 1] = '\0';
	_cleanup_str_ char *hint =
	    mem_printf("as root: `pveum acl modify / --tokens 'r@pve!t' --privs %s`", privs);
	struct vmstat a = {.name = (char *)"a",
	    .verdict = PLAN_STALLED,
	    .reason = REASON_FORBIDDEN,
	    .message = (char *)"asked @all",
	    .hint = hint};
	const struct vmstat *all[] = {&a};
	struct status s = {.controller_id = (char *)"h", .vms = all, .n_vms = 1};
	_cleanup_tree_ struct tree t;
	tree_render(&s, &t);
	_cleanup_str_ char *line =
	    mem_printf("- [`a`](vms/a.yaml) `Forbidden`: asked @&#8203;all. **Next:** %s\n", hint);
	assert_non_null(strstr(file(&t, "STATUS.md"), line));
}

static size_t count(const char *text, const char *what)
{
	size_t n = 0;
	for (const char *p = text; (p = strstr(p, what)); p += strlen(what))
		n++;
	return n;
}

static void test_more_rows_than_a_page_holds(void **state)
{
	(void)state;
	enum { N = 507 };
	struct vmstat *v = mem_calloc(N, sizeof(*v));
	const struct vmstat **all = mem_calloc(N, sizeof(*all));
	for (size_t i = 0; i < N; i++) {
		v[i].name = mem_printf("vm-%03zu", i);
		if (i >= N - 2)
			v[i].verdict = PLAN_OFF;
		if (i < 150) {
			v[i].verdict = PLAN_STALLED;
			v[i].reason = REASON_MISSING;
		}
		all[i] = &v[i];
	}
	struct status s = {.controller_id = (char *)"h", .vms = all, .n_vms = N};
	_cleanup_tree_ struct tree t;
	tree_render(&s, &t);
	const char *md = file(&t, "STATUS.md");
	assert_int_equal(count(md, "\n| [`vm-"), 500);
	assert_int_equal(count(md, "\n- [`vm-"), 100);
	assert_non_null(strstr(md, "\n- … and 50 more\n"));
	/* The suspended ones are worse than the ready ones, so that only ready ones are left out.
	 */
	assert_non_null(strstr(md, "\nNot in the table: 7 more (Ready: 7). Each"));
	assert_int_equal(t.n, 3 + N);
	for (size_t i = 0; i < N; i++)
		free(v[i].name);
	free(v);
	free(all);
}

/* Whatever stands in a name or a message, each VM is one row of six cells, and no HTML, link or
 * mention comes out of it. */
static void test_hostile_texts_in_markdown(void **state)
{
	(void)state;
	static const char evil[] = "|\n| a | b |\n\n# <img src=x onerror=alert(1)> "
				   "[x](https://evil.example) `| @everyone \\| \x1b[31m";
	struct vmstat v = {.name = (char *)evil,
	    .verdict = PLAN_STALLED,
	    .reason = REASON_REJECTED,
	    .message = (char *)evil,
	    .hint = (char *)evil,
	    .node = (char *)evil};
	struct drift *d = drifts_add(&v.drifts);
	*d = (struct drift){.path = mem_strdup(evil),
	    .wanted = mem_strdup(evil),
	    .found = mem_strdup(evil),
	    .who = mem_strdup(evil),
	    .why = mem_strdup(evil)};
	const struct vmstat *all[] = {&v};
	struct status s = {.controller_id = (char *)evil,
	    .subject = (char *)evil,
	    .rev_wanted = (char *)evil,
	    .git_problem = (char *)evil,
	    .vms = all,
	    .n_vms = 1};
	strs_add(&s.copies, evil);
	_cleanup_tree_ struct tree t;
	tree_render(&s, &t);
	assert_int_equal(t.n, 3); /* no file of that name */
	static const char *const pages[] = {"STATUS.md", "DRIFT.md"};
	static const size_t rows[] = {3, 3}, borders[] = {3 * 7, 3 * 8};
	for (size_t i = 0; i < ARRAY_LEN(pages); i++) {
		const char *md = file(&t, pages[i]);
		assert_null(strstr(md, "<img"));
		assert_null(strstr(md, "[x]("));
		assert_null(strstr(md, "://"));
		assert_null(strstr(md, "@everyone"));
		assert_null(strchr(md, '\x1b'));
		assert_int_equal(count(md, "\n|"), rows[i]);
		assert_int_equal(count(md, "|"), borders[i]);
	}
	drifts_fini(&v.drifts);
	strs_fini(&s.copies);
}

static void test_summary_comes_back(void **state)
{
	(void)state;
	struct status s;
	_cleanup_err_ struct err *err = NULL;
	assert_int_equal(tree_parse_status(summary_json, strlen(summary_json), &s, &err), 0);
	assert_string_equal(s.controller_id, "homelab");
	assert_string_equal(s.rev_wanted, REV_B);
	assert_string_equal(s.rev_applied, REV_A);
	assert_string_equal(s.subject, "grow the database");
	assert_null(s.git_problem);
	assert_string_equal(s.cluster_problem, "pve3 does not answer; bring it back");
	assert_int_equal(diags_errors(&s.findings), 1);
	status_fini(&s);
	struct strs used;
	char *instance = NULL;
	assert_int_equal(
	    tree_parse_summary(summary_json, strlen(summary_json), &used, &instance, &err), 0);
	assert_string_equal(instance, "i-77");
	assert_int_equal(used.n, 2);
	assert_string_equal(used.v[1], "1020");
	strs_fini(&used);
	free(instance);
}

static void test_bad_summaries_are_refused(void **state)
{
	(void)state;
#define HEAD "{\"apiVersion\":\"ramet.dev/v1\",\"kind\":\"Summary\""
	static const char *const bad[] = {"", "[]", "{}", "null", "{\"kind\":\"Summary\"}",
	    HEAD ",\"usedVmids\":7}", HEAD ",\"usedVmids\":[1]}", HEAD ",\"usedVmids\":[\"x\"]}",
	    HEAD ",\"usedVmids\":[101,100]}", HEAD ",\"usedVmids\":[100,100]}",
	    HEAD ",\"usedVmids\":[null]}", HEAD ",\"controller\":{\"instance\":7}}",
	    HEAD ",\"usedVmids\":[1000000000]}", HEAD ",\"destroyed\":{}}",
	    HEAD ",\"destroyed\":[{\"name\":\"a\",\"vmid\":5,\"at\":\"2026-11-21T18:00:00Z\"}]}",
	    HEAD ",\"destroyed\":[{\"name\":\"a\",\"vmid\":500,\"at\":\"once\"}]}",
	    HEAD ",\"leftovers\":[7,{}]}", HEAD ",\"leftovers\":\"x\"}",
	    /* What is shown as it is has nothing in it that a terminal would obey. */
	    HEAD ",\"controller\":{\"id\":\"a\\u001b[2J\"}}",
	    HEAD ",\"revision\":{\"attempted\":\"a\\u009b2J\"}}",
	    HEAD ",\"revision\":{\"applied\":\"a\\u202eb\"}}",
	    HEAD ",\"destroyed\":[{\"name\":\"a b\",\"vmid\":500,"
		 "\"at\":\"2026-11-21T18:00:00Z\"}]}"};
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		struct status s;
		_cleanup_err_ struct err *err = NULL;
		if (tree_parse_status(bad[i], strlen(bad[i]), &s, &err) == 0)
			fail_msg("accepted: %s", bad[i]);
		assert_int_equal(err->code, ERR_INPUT);
	}
	static const char least[] = HEAD "}";
	struct strs used;
	char *instance = (char *)"";
	assert_int_equal(tree_parse_summary(least, strlen(least), &used, &instance, NULL), 0);
	assert_int_equal(used.n, 0);
	assert_null(instance);
}

static char *message(const char *const *events, size_t n)
{
	struct vmstat a = {.name = (char *)"a"};
	const struct vmstat *all[] = {&a};
	struct status s = {.vms = all, .n_vms = 1};
	struct strs l = {0};
	for (size_t i = 0; i < n; i++)
		strs_add(&l, events[i]);
	char *m = tree_message(&l, &s);
	strs_fini(&l);
	return m;
}

static void test_messages(void **state)
{
	(void)state;
	static const char *const one[] = {"drift: web-01 cpu.cores 4→8 by ops@pam; corrected"};
	_cleanup_str_ char *m = message(one, 1);
	assert_string_equal(m, "drift: web-01 cpu.cores 4→8 by ops@pam; corrected\n");
	static const char *const more[] = {"created web-01 as 1204", "drift: a name x→y",
	    "stalled: db DiskShrink", "created web-02 as 1205"};
	_cleanup_str_ char *m2 = message(more, 4);
	assert_string_equal(m2, "stalled: db DiskShrink (+3 more)\n\nstalled: db DiskShrink\n"
				"drift: a name x→y\ncreated web-01 as 1204\n"
				"created web-02 as 1205\n");
	_cleanup_str_ char *none = message(NULL, 0);
	assert_string_equal(none, "status: 1 of 1 ready\n");
}

static void test_long_and_hostile_messages(void **state)
{
	(void)state;
	/* 80 characters: the subject ends at 72 with an ellipsis, the body has all of it. */
	static const char *const longer[] = {
	    "drift: 0123456789012345678901234567890123456789012345678901234567890123456789012"};
	_cleanup_str_ char *m = message(longer, 1);
	assert_string_equal(m,
	    "drift: 0123456789012345678901234567890123456789012345678901234567890123…\n\n"
	    "drift: 0123456789012345678901234567890123456789012345678901234567890123456789012\n");
	static const char *const evil[] = {"drift: a\nSigned-off-by: root\x1b[2J"};
	_cleanup_str_ char *e = message(evil, 1);
	assert_string_equal(e, "drift: a Signed-off-by: root [2J\n");
	const char *many[60];
	for (size_t i = 0; i < 60; i++)
		many[i] = "created x";
	_cleanup_str_ char *f = message(many, 60);
	assert_int_equal(count(f, "\n"), 1 + 1 + 50 + 1);
	assert_non_null(strstr(f, "\nand 10 more\n"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_golden),
	    cmocka_unit_test(test_same_model_same_bytes),
	    cmocka_unit_test(test_nothing_yet),
	    cmocka_unit_test(test_all_well),
	    cmocka_unit_test(test_a_command_can_be_copied),
	    cmocka_unit_test(test_more_rows_than_a_page_holds),
	    cmocka_unit_test(test_hostile_texts_in_markdown),
	    cmocka_unit_test(test_summary_comes_back),
	    cmocka_unit_test(test_bad_summaries_are_refused),
	    cmocka_unit_test(test_messages),
	    cmocka_unit_test(test_long_and_hostile_messages),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
