#include "support_end.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define RANGE "vmid_range: 1000-1099"

struct end_rules end_rules;

void end_allow(int64_t vmid)
{
	strs_add_take(&end_rules.may, mem_printf("%lld", (long long)vmid));
}

static bool is_allowed(int64_t vmid)
{
	_cleanup_str_ char *id = mem_printf("%lld", (long long)vmid);

	return strs_has(&end_rules.may, id);
}

void end_look(struct world *w)
{
	for (; end_rules.seen < sim_journal_len(w->sim); end_rules.seen++) {
		struct sim_entry e;

		sim_journal_at(w->sim, end_rules.seen, &e);
		if (strcmp(e.user, WORLD_USER) != 0)
			continue;
		if (strcmp(e.effect, "destroy") == 0 && !is_allowed(e.vmid))
			world_violation(w, "VM %lld was destroyed", (long long)e.vmid);
		if (end_rules.replaced && end_rules.seen >= end_rules.replaced_at &&
		    e.vmid == end_rules.victim)
			world_violation(w, "%s %s of VM %lld, which is a stranger now", e.effect,
			    e.key, (long long)e.vmid);
	}
}

static void replace_by_stranger(struct world *w)
{
	const char *desc = sim_guest_get(w->sim, end_rules.victim, "description");
	_cleanup_err_ struct err *e = NULL;
	_cleanup_kv_ struct kv conf = {0};

	if (end_rules.stranger != END_PLAIN)
		kv_set(&conf, "tags", "ramet");
	if (end_rules.stranger == END_COPY && desc) /* our marker with it, number and all */
		kv_set(&conf, "description", desc);
	if (sim_guest_running(w->sim, end_rules.victim) &&
	    sim_human_power(w->sim, end_rules.victim, false, &e) < 0)
		world_tell(w, "  refused: %s", err_msg(e));
	err_free(&e);
	if (sim_human_delete(w->sim, end_rules.victim, "ops@pam", &e) < 0)
		world_tell(w, "  refused: %s", err_msg(e));
	err_free(&e);
	if (sim_human_create(w->sim, end_rules.victim, "pve2", "ops@pam", &conf, &e) < 0)
		world_tell(w, "  refused: %s", err_msg(e));
	else
		end_rules.replaced = true;
	end_rules.replaced_at = sim_journal_len(w->sim);
	world_tell(w, "VM %lld gives way to a stranger", (long long)end_rules.victim);
}

static void on_request(void *arg, const char *method, const char *path)
{
	const char *at = strstr(path, "/qemu/");
	struct world *w = arg;
	int64_t vmid = at ? strtoll(at + strlen("/qemu/"), NULL, 10) : 0;
	bool delete = strcmp(method, "DELETE") == 0 && at;

	if (end_rules.countdown && --end_rules.countdown == 0 && !delete &&!end_rules.deletes)
		replace_by_stranger(w);
	if (!delete)
		return;
	end_rules.deletes++;
	if (!is_allowed(vmid) || (end_rules.replaced && vmid == end_rules.victim))
		world_violation(w, "DELETE of VM %lld", (long long)vmid);
}

void end_merge(struct world *w, const struct vm *v, size_t n, const char *subject)
{
	_cleanup_kv_ struct kv files = {0};

	for (size_t i = 0; i < n; i++) {
		_cleanup_str_ char *path = mem_printf("%s.yaml", v[i].name);

		if (v[i].more)
			kv_setf(&files, path,
			    "apiVersion: ramet.dev/v1\nkind: ClonedVM\nmetadata: { name: %s }\n"
			    "spec:\n  node_name: pve2\n  clone: { source_vm_id: 9001, full: false "
			    "}\n%s",
			    v[i].name, v[i].more);
	}
	kv_set(&files, "other.txt", subject);
	memgit_commit(w->git, &files, subject);
}

void end_start_life(struct world *w)
{
	world_start(w, CONTROLLER_RUN);
	simport_set_hook(w->port, on_request, w);
}

struct world *end_open(uint64_t seed, const char *policy, const struct vm *v, size_t n)
{
	_cleanup_str_ char *extra =
	    mem_printf("policy: { " RANGE "%s%s }\n", *policy ? ", " : "", policy);
	struct world *w = world_new(seed, extra);

	strs_fini(&end_rules.may);
	memset(&end_rules, 0, sizeof(end_rules));
	end_merge(w, v, n, "first");
	end_start_life(w);
	if (!world_run(w, HOUR_MS, world_all_ready, end_look))
		fail_msg("not Ready: %s", buf_str(&w->story));
	return w;
}

void end_close(struct world *w, const char *wrong)
{
	unsigned violations = w->violations;

	end_look(w);
	if (wrong || violations)
		fputs(buf_str(&w->story), stderr);
	world_free(&w);
	strs_fini(&end_rules.may);
	if (wrong)
		fail_msg("%s", wrong);
	assert_int_equal(violations, 0);
}

int64_t end_target; /* of end_gone: it has no argument for it */
static enum reason awaited;
static const char *named;

bool end_gone(struct world *w)
{
	return !sim_guest_exists(w->sim, end_target);
}

/* Gone, and the controller knows it. */
static bool over(struct world *w)
{
	const struct vmstat *v = world_vmstat(w, named);

	return end_gone(w) && (!v || (!v->record.vmid && v->reason == REASON_IN_SYNC));
}

static bool says(struct world *w)
{
	const struct vmstat *v = world_vmstat(w, named);

	return v && v->reason == awaited;
}

void end_must_say(struct world *w, const char *name, enum reason r)
{
	named = name;
	awaited = r;
	if (!world_run(w, HOUR_MS, says, end_look)) {
		const struct vmstat *v = world_vmstat(w, name);
		_cleanup_str_ char *text = mem_printf("%s says %s: %s, not %s", name,
		    v ? reason_word(v->reason) : "nothing", v && v->message ? v->message : "",
		    reason_word(r));

		end_close(w, text);
	}
}

void end_must_go(struct world *w, const char *name, int64_t vmid)
{
	end_target = vmid;
	named = name;
	if (!world_run(w, HOUR_MS, over, end_look)) {
		const struct vmstat *v = world_vmstat(w, name);
		_cleanup_str_ char *text = mem_printf("%s is not gone: %s: %s", name,
		    v ? reason_word(v->reason) : "nothing", v && v->message ? v->message : "");

		end_close(w, text);
	}
}
