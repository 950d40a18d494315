/*
 * The numbered cases of docs/planner.md: one folder each in tests/plan.
 *
 *   desired.yaml   the manifest
 *   current.conf   the guest as it is; not there: no guest
 *   pending.conf   the guest after its next start; not there: the same
 *   source.conf    the template; not there: a plain one
 *   source-pending.conf  the source after its next start; not there: the same
 *   options        "key: value" lines, see set_option
 *   expected       what the plan comes to
 */
#include "support.h"

#include <dirent.h>

#include "decode.h"
#include "renderkit.h"

#define CASES_DIR RAMET_SOURCE_DIR "/tests/plan"
#define TEXT_MAX 65536

struct golden {
	struct scene s;
	struct strs lists[6], fight, refused, linked;
	struct kv peril, secrets, secret_errors;
};

static char *slurp(const char *dir, const char *name)
{
	_cleanup_str_ char *path = mem_printf("%s/%s/%s", CASES_DIR, dir, name);
	FILE *f = fopen(path, "r");
	if (!f)
		return NULL;
	char *text = mem_alloc(TEXT_MAX);
	size_t n = fread(text, 1, TEXT_MAX - 1, f);
	if (ferror(f)) /* a folder */
		fail_msg("%s cannot be read", path);
	text[n] = '\0';
	fclose(f);
	return text;
}

static struct resource *read_manifest(const char *dir)
{
	_cleanup_str_ char *text = slurp(dir, "desired.yaml"), *name = NULL;
	_cleanup_diags_ struct diags diags = {0};
	struct ydoc *y = NULL;
	struct resource *r = NULL;

	if (!text)
		fail_msg("%s: no desired.yaml", dir);
	int parsed =
	    ydoc_parse("desired.yaml", text, strlen(text), &ydoc_limits_default, &diags, &y);
	if (parsed < 0 || decode_doc("desired.yaml", y, 0, &diags, &r, &name) != DECODE_OK)
		fail_msg("%s: desired.yaml: %s", dir, diags.n ? diags.v[0].msg : "not a manifest");
	ydoc_free(&y);
	return r;
}

static void set_bool_or_word(struct golden *t, const char *key, const char *v)
{
	struct scene *s = &t->s;
	bool on = strcmp(v, "true") == 0;

	if (!strcmp(key, "root"))
		s->policy.token_is_root = on;
	else if (!strcmp(key, "observe_only"))
		s->policy.observe_only = on;
	else if (!strcmp(key, "recreate"))
		s->policy.recreate_missing = on;
	else if (!strcmp(key, "node_cpus"))
		for (size_t i = 0; i < s->cluster.n_nodes; i++)
			s->cluster.nodes[i].cpus = strtoll(v, NULL, 10);
	else if (!strcmp(key, "gone"))
		s->in.guest_gone = on;
	else if (!strcmp(key, "sized_gb")) {
		s->in.sized_slot = "scsi0";
		s->in.sized_gb = strtoull(v, NULL, 10);
	} else if (!strcmp(key, "restarting"))
		s->in.restarting = on;
	else if (!strcmp(key, "tagless"))
		s->in.tagless = on;
	else if (!strcmp(key, "snapshots"))
		s->guest.snapshots = on;
	else if (!strcmp(key, "ha"))
		s->guest.ha_managed = on;
	else if (!strcmp(key, "ha_state"))
		s->guest.ha_state = mem_strdup(v);
	else if (!strcmp(key, "is_template"))
		s->guest.template = on;
	else if (!strcmp(key, "source_is_template"))
		s->source.template = on;
	else if (!strcmp(key, "proven"))
		s->record.proven = on;
	else if (!strcmp(key, "whole"))
		s->record.whole = on;
	else if (!strcmp(key, "quorate"))
		s->cluster.quorate = on;
	else if (!strcmp(key, "complete"))
		s->cluster.complete = on;
	else if (!strcmp(key, "going"))
		s->in.going = on;
	else if (!strcmp(key, "quorum_visible"))
		s->cluster.quorum_visible = on;
	else if (!strcmp(key, "pve")) {
		s->cluster.version_major = (int)strtol(v, NULL, 10);
		s->cluster.version_minor = (int)strtol(strchr(v, '.') + 1, NULL, 10);
	} else if (!strcmp(key, "taken")) {
		s->cluster.rows = mem_calloc(1, sizeof(*s->cluster.rows));
		s->cluster.rows[0] = (struct obs_row){.vmid = (uint32_t)strtoul(v, NULL, 10),
		    .qemu = true,
		    .name = mem_strdup("other"),
		    .node = mem_strdup("pve2")};
		s->cluster.n_rows = 1;
	} else {
		fail_msg("unknown option %s", key);
	}
}

static void set_list(struct golden *t, size_t i, const struct strs **to, const char *v)
{
	assert_int_equal(text_split(v, ", ", true, 100, &t->lists[i]), 0);
	*to = &t->lists[i];
}

static void set_power(struct obs_guest *g, const char *v)
{
	mem_replace(&g->power_word, v);
	g->power = !strcmp(v, "running")      ? OBS_POWER_RUNNING
		   : !strcmp(v, "stopped")    ? OBS_POWER_STOPPED
		   : !strcmp(v, "hibernated") ? OBS_POWER_HIBERNATED
					      : OBS_POWER_PAUSED;
}

static void set_peril(struct golden *t, const char *key, const char *v)
{
	struct plan_peril *p = &t->s.in.peril;
	const char *what = strchr(key, '.') + 1;
	const struct {
		const char *word;
		const char **to;
	} rows[] = {{"unread", &p->unread}, {"named", &p->named}, {"history", &p->history},
	    {"replicated", &p->replicated}, {"dependent", &p->dependent}, {"budget", &p->budget},
	    {"stale", &p->stale}};

	kv_set(&t->peril, what, v);
	if (!strcmp(what, "linked")) {
		strs_add(&t->linked, v);
		p->linked = &t->linked;
		return;
	}
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		if (!strcmp(what, rows[i].word)) {
			*rows[i].to = kv_get(&t->peril, what);
			return;
		}
	}
	fail_msg("unknown option %s", key);
}

static void set_record(struct golden *t, const char *key, const char *v)
{
	struct record *r = &t->s.record;
	const char *slot = strchr(key, '.') + 1;

	if (text_starts(key, "peril.")) {
		set_peril(t, key, v);
		return;
	}
	if (text_starts(key, "owned.")) {
		kv_set(&r->owned, slot, v);
		r->owns = true;
	} else if (text_starts(key, "volumes."))
		kv_set(&r->volumes, slot, v);
	else if (text_starts(key, "cloned."))
		kv_set(&r->cloned, slot, v);
	else if (text_starts(key, "macs."))
		kv_set(&r->macs, slot, v);
	else if (text_starts(key, "sizes."))
		kv_set(&r->sizes, slot, v);
	else if (text_starts(key, "secrets."))
		kv_set(&r->secrets, slot, v);
	else if (text_starts(key, "in_file."))
		kv_set(&t->secrets, slot, v);
	else if (text_starts(key, "unreadable."))
		kv_set(&t->secret_errors, slot, v);
	else if (text_starts(key, "silent."))
		kv_set(&r->silent, slot, v);
	else if (text_starts(key, "stored.")) {
		_cleanup_str_ char *both = mem_strdup(v);
		*strchr(both, '>') = '\t';
		kv_set(&r->stored, slot, both);
	} else {
		fail_msg("unknown option %s", key);
	}
}

/* "content.thick: iso", "plugin.thick: dir", "avail.thick: 20" in GiB, "silent_since.thick: any",
 * on all nodes */
static void set_storage(struct obs_cluster *c, const char *key, const char *v)
{
	bool any = false;
	for (size_t i = 0; i < c->n_storages; i++) {
		if (strcmp(c->storages[i].id, strchr(key, '.') + 1) != 0)
			continue;
		any = true;
		if (text_starts(key, "avail.")) {
			c->storages[i].avail = strtoull(v, NULL, 10) << 30;
			c->storages[i].full = !c->storages[i].avail;
		} else if (text_starts(key, "silent_since.")) {
			c->storages[i].silent_since = 1795300000000;
			c->storages[i].active = false;
		} else if (text_starts(key, "plugin."))
			mem_replace(&c->storages[i].plugin, v);
		else
			mem_replace(&c->storages[i].content, v);
	}
	assert_true(any);
}

static void set_source_gone(struct scene *s)
{
	s->in.source = NULL;
	s->in.source_gone = true;
}

static void set_option(struct golden *t, const char *key, const char *v)
{
	struct scene *s = &t->s;
	static const char *const drifts[] = {"correct", "report", "ignore"};
	static const char *const ceilings[] = {"none", "hotplug", "reboot"};

	if (text_starts(key, "content.") || text_starts(key, "avail.") ||
	    text_starts(key, "plugin.") || text_starts(key, "silent_since."))
		set_storage(&s->cluster, key, v);
	else if (strchr(key, '.'))
		set_record(t, key, v);
	else if (!strcmp(key, "power"))
		set_power(&s->guest, v);
	else if (!strcmp(key, "source_power"))
		set_power(&s->source, v);
	else if (!strcmp(key, "lock"))
		mem_replace(&s->guest.lock, v);
	else if (!strcmp(key, "uuid"))
		mem_replace(&s->guest.uuid, strcmp(v, "none") ? v : "");
	else if (!strcmp(key, "node"))
		mem_replace(&s->guest.node, v);
	else if (!strcmp(key, "source_node"))
		mem_replace(&s->source.node, v);
	else if (!strcmp(key, "source_lock"))
		mem_replace(&s->source.lock, v);
	else if (!strcmp(key, "source_snapshots")) {
		s->source.snapshots_known = true;
		assert_int_equal(text_split(v, ", ", true, 100, &s->source.snapshot_names), 0);
	} else if (!strcmp(key, "recorded_uuid"))
		mem_replace(&s->record.uuid, strcmp(v, "unknown") ? v : NULL);
	else if (!strcmp(key, "source_vmid"))
		s->record.source_vmid = (uint32_t)strtoul(v, NULL, 10);
	else if (!strcmp(key, "record"))
		s->in.record = NULL;
	else if (!strcmp(key, "nonce"))
		s->in.nonce = NONCE;
	else if (!strcmp(key, "synced") && !strcmp(v, "now"))
		scene_synced(s);
	else if (!strcmp(key, "synced"))
		s->record.synced_hash[0] = '\0';
	else if (!strcmp(key, "quorate_for"))
		s->cluster.quorate_for_ms = strtoll(v, NULL, 10);
	else if (!strcmp(key, "refused")) {
		assert_int_equal(text_split(v, ", ", true, 100, &t->refused), 0);
		s->in.tags_refused = &t->refused;
	} else if (!strcmp(key, "fight")) {
		strs_add(&t->fight, v);
		s->in.fights = true;
		s->in.fight = &t->fight;
	} else if (!strcmp(key, "drift")) {
		for (size_t i = 0; i < 3; i++)
			if (!strcmp(v, drifts[i]))
				s->policy.drift = (enum plan_drift)i;
	} else if (!strcmp(key, "max_disruption")) {
		for (size_t i = 0; i < 3; i++)
			if (!strcmp(v, ceilings[i]))
				s->policy.max_disruption = (enum plan_disruption)i;
	} else if (!strcmp(key, "source"))
		set_source_gone(s);
	else if (!strcmp(key, "vmid_range"))
		assert_int_equal(sscanf(v, "%u-%u", &s->policy.vmid_min, &s->policy.vmid_max), 2);
	else if (!strcmp(key, "pools_there")) {
		s->cluster.pools_known = true;
		assert_int_equal(text_split(v, ", ", true, 100, &s->cluster.pools), 0);
	} else if (!strcmp(key, "bridges_there"))
		set_list(t, 5, &s->in.bridges, v);
	else if (!strcmp(key, "bridges"))
		set_list(t, 0, &s->policy.bridges, v);
	else if (!strcmp(key, "datastores"))
		set_list(t, 1, &s->policy.datastores, v);
	else if (!strcmp(key, "templates"))
		set_list(t, 2, &s->policy.templates, v);
	else if (!strcmp(key, "nodes"))
		set_list(t, 3, &s->policy.nodes, v);
	else if (!strcmp(key, "pools"))
		set_list(t, 4, &s->policy.pools, v);
	else
		set_bool_or_word(t, key, v);
}

static void set_options(struct golden *t, const char *dir)
{
	_cleanup_str_ char *text = slurp(dir, "options");
	_cleanup_kv_ struct kv options = {0};

	if (!text)
		return;
	conf_from(&options, text);
	KV_FOREACH (item, &options)
		set_option(t, item->key, item->value);
}

static void set_confs(struct golden *t, const char *dir)
{
	struct scene *s = &t->s;
	_cleanup_str_ char *now = slurp(dir, "current.conf"), *next = slurp(dir, "pending.conf");
	_cleanup_str_ char *source = slurp(dir, "source.conf");
	_cleanup_str_ char *source_next = slurp(dir, "source-pending.conf");

	if (now) {
		conf_from(&s->guest.current, now);
		conf_from(&s->guest.pending, next ? next : now);
	} else {
		s->in.guest = NULL;
	}
	if (source) {
		conf_from(&s->source.current, source);
		conf_from(&s->source.pending, source_next ? source_next : source);
	}
}

static void add_step(struct buf *out, size_t i, const struct step *s)
{
	buf_addf(out, "%zu. %s", i + 1, step_kind_word(s->kind));
	if (s->slot)
		buf_addf(out, " %s", s->slot);
	if (s->storage)
		buf_addf(out, " to %s", s->storage);
	if (s->format)
		buf_addf(out, " as %s", s->format);
	if (s->size_gb)
		buf_addf(out, " to %llu", (unsigned long long)s->size_gb);
	if (s->pool)
		buf_addf(out, " %s", s->pool);
	if (s->kind == STEP_CONFIG)
		buf_addf(
		    out, "%s%s", s->task ? " as a task" : "", s->allocates ? ", allocates" : "");
	if (s->kind == STEP_DESTROY)
		buf_addf(out, "%s%s", s->purge ? ", with its jobs" : "",
		    s->unreferenced ? ", with unreferenced volumes" : "");
	buf_addc(out, '\n');
	KV_FOREACH (item, &s->set) {
		_cleanup_str_ char *line = mem_strdup(item->value);
		buf_addf(out, "   %s=", item->key);
		for (const char *c = line; *c; c++)
			if (*c == '\n')
				buf_adds(out, "\\n");
			else if (*c == ' ' && !c[1])
				buf_adds(out, "\\s");
			else
				buf_addc(out, *c);
		buf_addc(out, '\n');
	}
	for (size_t k = 0; k < s->del.n; k++)
		buf_addf(out, "   delete %s\n", s->del.v[k]);
}

static char *print(const struct plan *p)
{
	struct buf out;
	buf_init(&out, 0);
	buf_addf(&out, "%s %s\n", renderkit_verdict(p->verdict), reason_word(p->reason));
	for (size_t i = 0; i < p->n_changes; i++) {
		const struct change *c = &p->changes[i];
		_cleanup_str_ char *effect = renderkit_effect(p, c);
		buf_addf(&out, "%c %s: %s -> %s, %s\n", renderkit_change_symbol(c), c->path,
		    c->from, c->to, effect);
	}
	for (size_t i = 0; i < p->n_steps; i++)
		add_step(&out, i, &p->steps[i]);
	return buf_take(&out);
}

static void run_case(const char *dir)
{
	struct golden t = {0};
	_cleanup_str_ char *expected = slurp(dir, "expected");

	if (!expected)
		fail_msg("%s: no file expected", dir);
	scene_open(&t.s, "");
	resource_free(&t.s.want);
	t.s.want = read_manifest(dir);
	t.s.in.want = t.s.want;
	t.s.in.secrets = &t.secrets;
	t.s.in.secret_errors = &t.secret_errors;
	set_confs(&t, dir);
	set_options(&t, dir);
	const struct plan *p = scene_plan(&t.s);
	_cleanup_str_ char *got = print(p);
	if (strcmp(got, expected) != 0)
		fail_msg("%s\n--- expected\n%s--- got\n%s(%s)", dir, expected, got,
		    p->message ? p->message : "");
	for (size_t i = 0; i < ARRAY_LEN(t.lists); i++)
		strs_fini(&t.lists[i]);
	strs_fini(&t.fight);
	strs_fini(&t.refused);
	strs_fini(&t.linked);
	kv_fini(&t.peril);
	kv_fini(&t.secrets);
	kv_fini(&t.secret_errors);
	scene_close(&t.s);
}

static void run(void **state)
{
	run_case(*state);
}

static int is_case(const struct dirent *d)
{
	return strlen(d->d_name) > 4 && strspn(d->d_name, "0123456789") == 3 && d->d_name[3] == '-';
}

int main(void)
{
	struct dirent **names;
	int n = scandir(CASES_DIR, &names, is_case, alphasort);
	if (n <= 0) {
		fprintf(stderr, "no cases in %s\n", CASES_DIR);
		return 1;
	}
	struct CMUnitTest *tests = mem_calloc((size_t)n, sizeof(*tests));
	for (int i = 0; i < n; i++)
		tests[i] = (struct CMUnitTest){names[i]->d_name, run, NULL, NULL, names[i]->d_name};
	int failed = _cmocka_run_group_tests("cases", tests, (size_t)n, NULL, NULL);
	for (int i = 0; i < n; i++)
		free(names[i]);
	free(names);
	free(tests);
	return failed;
}
