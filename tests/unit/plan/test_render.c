/* Plans as people and programs see them. */
#include "support.h"

#include "jsn.h"
#include "render.h"

static struct render_item item(struct scene *s)
{
	return (struct render_item){
	    .name = "web-01", .vmid = 1204, .node = "pve1", .plan = scene_plan(s)};
}

static void text_lines_up(void **state)
{
	struct scene s;
	(void)state;
	scene_open(&s, "cpu.cores = 4\ndelete.disk = [ide2]\ndisk.scsi0.size_gb = 60\n"
		       "network.net0.tag = 7\ncpu.affinity = 0-3\n");
	scene_both(&s, "ide2", "none,media=cdrom");
	struct render_item v = item(&s);
	_cleanup_str_ char *out = render_text(&v, 1, false);
	assert_string_equal(out,
	    "~ web-01 (1204 on pve1)\n"
	    "  ! cpu.affinity        absent → 0-3               blocked: RootOnly\n"
	    "      PVE lets only root@pam with a password set it, and it is absent\n"
	    "  ~ cpu.cores           2 → 4                      after restart\n"
	    "  - delete.disk.ide2    none,media=cdrom → absent  after restart\n"
	    "  ~ disk.scsi0.size_gb  32 → 60                    now\n"
	    "  ~ network.net0.tag    5 → 7                      now, link flaps\n"
	    "  1. grow scsi0 to 60 GiB\n"
	    "  2. set cores=4, net0; delete ide2\n"
	    "\n"
	    "Plan: 1 to change, 1 blocked.\n");
	scene_close(&s);
}

static void text_of_a_new_vm(void **state)
{
	struct scene s;
	(void)state;
	scene_create(&s, "cpu.cores = 4\nstarted = true\ntags = [golden]\n");
	struct render_item v = {.name = "web-01", .node = "pve1", .plan = scene_plan(&s)};
	_cleanup_str_ char *out = render_text(&v, 1, false);
	assert_string_equal(out, "+ web-01 (new on pve1)\n"
				 "  ~ cpu.cores  2 → 4              when made\n"
				 "  ~ started    stopped → running  when made\n"
				 "  1. clone 9000 (debian-12) to pve1\n"
				 "  2. set cores=4, tags=golden;ramet\n"
				 "  3. start the guest\n"
				 "\n"
				 "Plan: 1 to create.\n");
	scene_close(&s);
}

static void nothing_to_do(void **state)
{
	struct scene s;
	(void)state;
	scene_open(&s, "cpu.cores = 2\n");
	struct render_item v = item(&s);
	_cleanup_str_ char *out = render_text(&v, 1, true);
	assert_string_equal(out, "Plan: 1 in sync.\n");
	_cleanup_str_ char *none = render_text(NULL, 0, false);
	assert_string_equal(none, "Plan: no VMs.\n");
	_cleanup_str_ char *md = render_markdown(&v, 1);
	assert_string_equal(md, "**Plan:** 1 in sync.\n\n");
	scene_close(&s);
}

static void stalled_comes_first_and_says_what_next(void **state)
{
	struct scene a, b;
	(void)state;
	scene_open(&a, "cpu.cores = 4\n");
	scene_open(&b, "disk.scsi0.size_gb = 8\n");
	const struct render_item v[] = {
	    {.name = "a", .vmid = 1, .node = "pve1", .plan = scene_plan(&a)},
	    {.name = "b", .vmid = 2, .node = "pve1", .plan = scene_plan(&b)},
	};
	_cleanup_str_ char *out = render_text(v, 2, false);
	assert_ptr_equal(strstr(out, "! b (2 on pve1): DiskShrink: "), out);
	assert_non_null(strstr(out, "  next: write size_gb: 32 for scsi0\n"));
	assert_non_null(strstr(out, "Plan: 1 to change, 1 blocked.\n"));
	scene_close(&a);
	scene_close(&b);
}

static void control_characters_do_not_reach_the_terminal(void **state)
{
	struct scene s;
	(void)state;
	scene_open(&s, "name = web-02\n");
	scene_both(&s, "name", "x\x1b[2J");
	struct render_item v = item(&s);
	_cleanup_str_ char *out = render_text(&v, 1, false);
	assert_null(strchr(out, '\x1b'));
	_cleanup_str_ char *coloured = render_text(&v, 1, true);
	assert_null(strstr(coloured, "\x1b[2J"));
	assert_non_null(strstr(coloured, "\x1b[33m~\x1b[0m"));
	scene_close(&s);
}

static void markdown(void **state)
{
	struct scene s;
	(void)state;
	scene_open(&s, "cpu.cores = 4\nname = web-02\n");
	scene_both(&s, "name", "<img>|`x`");
	struct render_item v = item(&s);
	_cleanup_str_ char *out = render_markdown(&v, 1);
	assert_ptr_equal(strstr(out, "**Plan:** 1 to change.\n\n| | VM | state | |\n"), out);
	assert_non_null(strstr(out, "| `~` | `web-01` (1204 on pve1) | Updating | "));
	assert_non_null(strstr(out, "<details><summary>web"));
	assert_non_null(strstr(out, "| `~` | `cpu.cores` | 2 | 4 | after restart |\n"));
	assert_null(strstr(out, "<img>"));
	scene_close(&s);
}

static void markdown_stays_small(void **state)
{
	enum { N = 3000 };
	struct scene s;
	struct render_item *v = mem_calloc(N, sizeof(*v));
	(void)state;
	scene_open(&s, "cpu.cores = 4\nname = web-02\nnetwork.net0.tag = 7\n");
	for (size_t i = 0; i < N; i++)
		v[i] = item(&s);
	_cleanup_str_ char *out = render_markdown(v, N);
	assert_true(strlen(out) < 60000);
	assert_non_null(strstr(out, "3000 to change"));
	assert_non_null(strstr(out, "more VMs are left out of this table"));
	assert_non_null(strstr(out, "VMs are left out; `ramet plan` shows all"));
	free(v);
	scene_close(&s);
}

static void json(void **state)
{
	struct scene s;
	struct jsn *j = NULL;
	(void)state;
	scene_open(&s, "cpu.cores = 4\ndisk.scsi0.size_gb = 8\n");
	struct render_item v = item(&s);
	_cleanup_str_ char *out = render_json(&v, 1);
	assert_int_equal(jsn_parse(out, strlen(out), &j, NULL), 0);
	assert_int_equal(jsn_get_int(j, "format", 0), 1);
	assert_int_equal(jsn_get_int(jsn_get(j, "summary"), "change", 0), 1);
	assert_int_equal(jsn_get_int(jsn_get(j, "summary"), "blocked", 0), 1);
	const struct jsn *vm = jsn_at(jsn_get(j, "vms"), 0);
	assert_string_equal(jsn_get_text(vm, "verdict"), "act");
	assert_int_equal(jsn_get_int(vm, "vmid", 0), 1204);
	const struct jsn *cores = jsn_at(jsn_get(vm, "changes"), 0);
	assert_string_equal(jsn_get_text(cores, "path"), "cpu.cores");
	assert_string_equal(jsn_get_text(cores, "to"), "4");
	assert_string_equal(jsn_get_text(cores, "state"), "do");
	assert_true(jsn_get_bool(cores, "takesRestart", false));
	const struct jsn *size = jsn_at(jsn_get(vm, "changes"), 1);
	assert_string_equal(jsn_get_text(size, "reason"), "DiskShrink");
	const struct jsn *step = jsn_at(jsn_get(vm, "steps"), 0);
	assert_string_equal(jsn_get_text(step, "kind"), "configure");
	assert_string_equal(jsn_get_text(jsn_get(step, "set"), "cores"), "4");
	jsn_free(&j);
	scene_close(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(text_lines_up),
	    cmocka_unit_test(text_of_a_new_vm),
	    cmocka_unit_test(nothing_to_do),
	    cmocka_unit_test(stalled_comes_first_and_says_what_next),
	    cmocka_unit_test(control_characters_do_not_reach_the_terminal),
	    cmocka_unit_test(markdown),
	    cmocka_unit_test(markdown_stays_small),
	    cmocka_unit_test(json),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
