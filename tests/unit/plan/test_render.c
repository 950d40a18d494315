/* Plans as people and programs see them. */
#include "support.h"

#include "jsn.h"
#include "render.h"

static struct render_item item(struct scene *s)
{
	return (struct render_item){
	    .name = "web-01", .vmid = 1204, .node = "pve1", .plan = scene_plan(s), .want = s->want};
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
	    "~ web-01 (1204 on pve1): 5 changes, 1 blocked; link flaps, 2 changes after a restart\n"
	    "  ! cpu.affinity        absent → 0-3               blocked: RootOnly\n"
	    "      PVE lets only root@pam with a password set it, and it is absent\n"
	    "      hint: as root on pve1: `qm set 1204 --affinity '0-3'`\n"
	    "  ~ cpu.cores           2 → 4                      after restart\n"
	    "  - delete.disk.ide2    none,media=cdrom → absent  after restart\n"
	    "  ~ disk.scsi0.size_gb  32 → 60                    now\n"
	    "  ~ network.net0.tag    5 → 7                      now, link flaps\n"
	    "  1. grow scsi0 to 60 GiB\n"
	    "  2. set cores=4, net0; delete ide2\n"
	    "\n"
	    "Plan: 1 to change, 1 blocked.\n"
	    "Guests: 1 running guest notices it at once; 1 guest sees some of it only after a "
	    "restart.\n");
	scene_close(&s);
}

static void text_of_a_new_vm(void **state)
{
	struct scene s;
	(void)state;
	scene_create(&s, "cpu.cores = 4\nstarted = true\ntags = [golden]\ndrift = report\n"
			 "network.net7.bridge = vmbr1\nnetwork.net7.tag = 7\n"
			 "delete.network = [net8]\n");
	struct render_item v = {.name = "web-01", .plan = scene_plan(&s), .want = s.want};
	_cleanup_str_ char *out = render_text(&v, 1, false);
	assert_string_equal(out, "+ web-01 (new on pve1): create, 5 changes\n"
				 "  ~ cpu.cores            2 → 4\n"
				 "  + network.net7         absent → new\n"
				 "  + network.net7.bridge  absent → vmbr1\n"
				 "  + network.net7.tag     absent → 7\n"
				 "  ~ started              stopped → running\n"
				 "  with the clone: node_name pve1, clone.source_vm_id 9000\n"
				 "  as the template has it: tags [golden], delete.network [net8]\n"
				 "  settings: drift report\n"
				 "  1. clone 9000 (debian-12) to pve1\n"
				 "  2. set cores=4, net7, tags=golden;ramet\n"
				 "  3. start the guest\n"
				 "\n"
				 "Plan: 1 to create.\n");
	scene_close(&s);
}

/* The worst that can happen to a VM is seen first. */
static void what_is_destroyed_comes_first(void **state)
{
	struct scene a, b;
	(void)state;
	scene_open(&a, "disk.scsi0.size_gb = 8\n"); /* blocked */
	scene_open(&b, "state = absent\n");
	const struct render_item v[] = {
	    {.name = "a", .vmid = 1203, .node = "pve1", .plan = scene_plan(&a), .want = a.want},
	    {.name = "b", .vmid = 1204, .node = "pve1", .plan = scene_plan(&b), .want = b.want},
	};
	_cleanup_str_ char *out = render_text(v, 2, false);
	assert_ptr_equal(strstr(out, "- b (1204 on pve1): destroy, "), out);
	assert_non_null(strstr(out, "local-lvm:vm-1204-disk-0"));
	assert_non_null(strstr(out, "\nPlan: 1 to destroy, 1 blocked.\n"));
	_cleanup_str_ char *md = render_markdown(v, 2, NULL);
	assert_non_null(
	    strstr(md, "\n|---|---|---|---|---|\n| `-` | `b` (1204 on pve1) | **destroy**"));
	scene_close(&a);
	scene_close(&b);
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
	_cleanup_str_ char *md = render_markdown(&v, 1, NULL);
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
	_cleanup_str_ char *out = render_markdown(&v, 1, NULL);
	assert_ptr_equal(
	    strstr(out,
		"**Plan:** 1 to change.\n\n**Guests:** 1 guest sees some of it only after a "
		"restart.\n\n| | VM | | running guest | |\n"),
	    out);
	assert_non_null(strstr(out,
	    "| `~` | `web-01` (1204 on pve1) | **change**<br>2 changes | 1 change after a "
	    "restart | "));
	assert_non_null(strstr(out, "<details><summary>web"));
	assert_non_null(strstr(out, "| `~` | `cpu.cores` | 2 | 4 | after restart |\n"));
	assert_null(strstr(out, "<img>"));
	scene_close(&s);
}

/* Whatever is listed for a new VM is there once, differing from the template or not. */
static void all_leaves_of_a_new_vm(void **state)
{
	struct scene s;
	struct jsn *j = NULL;
	(void)state;
	scene_create(&s, "id = 1204\nname = web\ndescription = x\ncpu.cores = 2\ncpu.sockets = 2\n"
			 "clone.pool_id = lab\ntimeouts.create = 1h\n"
			 "disk.scsi1.datastore_id = local-lvm\ndisk.scsi1.size_gb = 5\n");
	struct render_item v = {.name = "web-01", .plan = scene_plan(&s), .want = s.want};
	_cleanup_str_ char *out = render_json(&v, 1, NULL);
	assert_int_equal(jsn_parse(out, strlen(out), &j, NULL), 0);
	const struct jsn *given = jsn_get(jsn_at(jsn_get(j, "vms"), 0), "given");
	static const char *const expected[][3] = {
	    {"node_name", "pve1", "sent"},
	    {"id", "1204", "sent"},
	    {"name", "web", "sent"},
	    {"description", "x", "sent"},
	    {"clone.source_vm_id", "9000", "sent"},
	    {"clone.pool_id", "lab", "sent"},
	    {"cpu.cores", "2", "same"},
	    {"timeouts.create", "1h", "setting"},
	};
	assert_int_equal(jsn_len(given), ARRAY_LEN(expected));
	for (size_t i = 0; i < ARRAY_LEN(expected); i++) {
		assert_string_equal(jsn_get_text(jsn_at(given, i), "path"), expected[i][0]);
		assert_string_equal(jsn_get_text(jsn_at(given, i), "value"), expected[i][1]);
		assert_string_equal(jsn_get_text(jsn_at(given, i), "how"), expected[i][2]);
	}
	/* cpu.sockets and the new disk are changes: they differ from the template */
	assert_int_equal(v.plan->n_changes, 2);
	jsn_free(&j);
	_cleanup_str_ char *md = render_markdown(&v, 1, NULL);
	for (size_t i = 0; i < ARRAY_LEN(expected); i++) {
		_cleanup_str_ char *code = mem_printf("`%s`", expected[i][0]);
		assert_non_null(strstr(md, code));
	}
	scene_close(&s);
}

static void blocked_rows_say_where_and_what_next(void **state)
{
	struct scene s;
	(void)state;
	scene_create(&s, "disk.scsi0.size_gb = 8\n");
	struct render_item v = {.name = "web-01", .plan = scene_plan(&s), .want = s.want};
	_cleanup_str_ char *out = render_markdown(&v, 1, NULL);
	assert_non_null(
	    strstr(out, "| `!` | `web-01` (new on pve1) | **not created**<br>1 change, 1 "
			"blocked |  | `DiskShrink`: "));
	assert_non_null(strstr(out, "**blocked: DiskShrink**: "));
	assert_non_null(strstr(out, "**Next:** write size\\_gb: 32 for scsi0"));
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
	_cleanup_str_ char *out = render_markdown(v, N, NULL);
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
	_cleanup_str_ char *out = render_json(&v, 1, NULL);
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

/* Whoever reads a plan in a program or a comment sees what refused a manifest, too. */
static void findings(void **state)
{
	struct scene s;
	struct jsn *j = NULL;
	_cleanup_diags_ struct diags l = {0};
	(void)state;
	scene_open(&s, "cpu.cores = 2\n");
	struct render_item v = item(&s);
	diag_hint(diags_add(&l, DIAG_UNKNOWN_KEY, "vms/a.yaml", (struct mark){.line = 3, .col = 5},
		      "cpu has no key %s", "*cors*"),
	    "did you mean cores?");
	_cleanup_str_ char *out = render_json(&v, 1, &l);
	assert_int_equal(jsn_parse(out, strlen(out), &j, NULL), 0);
	assert_int_equal(jsn_get_int(j, "manifestErrors", 0), 1);
	const struct jsn *one = jsn_at(jsn_get(j, "findings"), 0);
	assert_string_equal(jsn_get_text(one, "code"), "UnknownKey");
	assert_string_equal(jsn_get_text(one, "file"), "vms/a.yaml");
	assert_int_equal(jsn_get_int(one, "line", 0), 3);
	_cleanup_str_ char *md = render_markdown(&v, 1, &l);
	assert_string_equal(md, "**Findings in manifests:** 1 error, 0 warnings.\n\n"
				"- `vms/a.yaml:3:5` `UnknownKey`: cpu has no key \\*cors\\*. "
				"**Next:** did you mean cores?\n\n"
				"**Plan:** 1 in sync.\n\n");
	_cleanup_str_ char *refused = render_markdown(NULL, 0, &l);
	assert_non_null(strstr(refused, "**Plan:** none, as long as the manifests have errors.\n"));
	jsn_free(&j);
	scene_close(&s);
}

/* ---- docs/planner.md, "As JSON" ---- */

static void add_members(const struct jsn *j, struct strs *ret)
{
	for (size_t i = 0; jsn_is_array(j) && i < jsn_len(j); i++)
		add_members(jsn_at(j, i), ret);
	struct jsn_iter it;
	if (!jsn_is_object(j))
		return;
	JSN_FOREACH (it, j) {
		strs_add(ret, it.key);
		if (strcmp(it.key, "set") != 0) /* whose members are PVE's keys */
			add_members(it.val, ret);
	}
}

/* The words in `code` of the first column, and those that the third one says are members. */
static void documented(struct strs *ret)
{
	_cleanup_str_ char *text = mem_alloc(65536);
	FILE *f = fopen(RAMET_SOURCE_DIR "/docs/planner.md", "r");
	assert_non_null(f);
	text[fread(text, 1, 65535, f)] = '\0';
	fclose(f);
	for (char *line = strstr(text, "## As JSON"), *end; (end = strchr(line, '\n'));
	     line = end + 1) {
		*end = '\0';
		bool lists =
		    text_starts(line, "| `summary`") || text_starts(line, "| `vms[].given`");
		if (!text_starts(line, "| `"))
			continue;
		if (!lists)
			*strchr(line + 1, '|') = '\0';
		for (char *p = line, *stop; (p = strchr(p, '`')); p = stop + 1) {
			stop = strchr(p + 1, '`');
			*stop = '\0';
			strs_add(ret, strrchr(p, '.') ? strrchr(p, '.') + 1 : p + 1);
		}
	}
}

static void add_plan(struct scene *s, struct strs *ret)
{
	struct render_item v = item(s);
	struct jsn *j = NULL;
	_cleanup_str_ char *out = render_json(&v, 1, NULL);
	assert_int_equal(jsn_parse(out, strlen(out), &j, NULL), 0);
	add_members(j, ret);
	jsn_free(&j);
}

static void json_is_documented(void **state)
{
	_cleanup_strs_ struct strs want = {0}, got = {0};
	struct scene s;
	(void)state;
	documented(&want);
	scene_open(&s, "cpu.cores = 4\ndisk.scsi0.size_gb = 8\nclone.pool_id = lab\n"
		       "disk.scsi1.size_gb = 9\ndisk.scsi1.datastore_id = ceph\n"
		       "disk.scsi1.format = raw\n");
	scene_both(&s, "scsi1", "local-lvm:vm-1204-disk-1,size=5G");
	/* a place, as decoding gives it */
	mem_replace(&s.want->file, "a.yaml");
	for (size_t i = 0; i < s.want->n_leaves; i++)
		s.want->leaves[i].mark = (struct mark){.line = 1, .col = 1};
	add_plan(&s, &got);
	scene_close(&s);
	scene_open(&s, "disk.scsi0.size_gb = 8\n"); /* stalled, with a hint */
	add_plan(&s, &got);
	scene_close(&s);
	scene_create(&s, "cpu.cores = 2\n");
	add_plan(&s, &got);
	scene_close(&s);
	strs_sort_unique(&want);
	strs_sort_unique(&got);
	_cleanup_str_ char *w = strs_join(&want, " "), *g = strs_join(&got, " ");
	assert_string_equal(g, w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(text_lines_up),
	    cmocka_unit_test(text_of_a_new_vm),
	    cmocka_unit_test(what_is_destroyed_comes_first),
	    cmocka_unit_test(nothing_to_do),
	    cmocka_unit_test(stalled_comes_first_and_says_what_next),
	    cmocka_unit_test(control_characters_do_not_reach_the_terminal),
	    cmocka_unit_test(markdown),
	    cmocka_unit_test(all_leaves_of_a_new_vm),
	    cmocka_unit_test(blocked_rows_say_where_and_what_next),
	    cmocka_unit_test(markdown_stays_small),
	    cmocka_unit_test(json),
	    cmocka_unit_test(findings),
	    cmocka_unit_test(json_is_documented),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
