/* summary.json: the same in numbers, for programs, and the two things that a new start needs. */
#include <stdlib.h>
#include <string.h>

#include "jsn.h"
#include "tree_part.h"

#define SUMMARY_BYTES_MAX ((size_t)16 << 20)
#define USED_MAX 1000000
#define LEFT_MAX 1000
#define VMID_MIN 100
#define VMID_MAX 999999999

static struct jsn *counts_json(const struct status_counts *c)
{
	struct jsn *j = jsn_new_object();
	jsn_put_int(j, "total", (int64_t)c->total);
	jsn_put_int(j, "ready", (int64_t)c->ready);
	jsn_put_int(j, "reconciling", (int64_t)c->reconciling);
	jsn_put_int(j, "stalled", (int64_t)c->stalled);
	jsn_put_int(j, "drifted", (int64_t)c->drifted);
	jsn_put_int(j, "pendingReboot", (int64_t)c->pending);
	jsn_put_int(j, "suspended", (int64_t)c->suspended);
	return j;
}

static struct jsn *problems_json(const struct status *s)
{
	struct jsn *j = jsn_new_object();
	jsn_put_str(j, "git", s->git_problem);
	jsn_put_str(j, "cluster", s->cluster_problem);
	jsn_put_str(j, "report", s->report_problem);
	jsn_put_str(j, "state", s->state_problem);
	return j;
}

static void put_fallen(struct jsn *j, const struct status *s)
{
	struct jsn *list = jsn_new_array();
	for (size_t i = 0; i < s->fallen.n; i++) {
		const struct status_fallen *f = &s->fallen.v[i];
		struct jsn *one = jsn_new_object();
		_cleanup_str_ char *when = text_time(f->wall_ms);
		jsn_put_str(one, "name", f->name);
		jsn_put_int(one, "vmid", f->vmid);
		jsn_put_str(one, "at", when);
		jsn_push(list, one);
	}
	jsn_put(j, "destroyed", list);
}

char *tree_summary_json(const struct status *s)
{
	struct status_counts c = status_count(s);
	_cleanup_jsn_ struct jsn *j = jsn_new_object();
	jsn_put_str(j, "apiVersion", "ramet.dev/v1");
	jsn_put_str(j, "kind", "Summary");
	struct jsn *controller = jsn_new_object();
	jsn_put_str(controller, "id", s->controller_id);
	jsn_put_str(controller, "instance", s->instance);
	jsn_put_str(controller, "version", RAMET_VERSION);
	jsn_put_bool(controller, "observeOnly", s->observe_only);
	jsn_put(j, "controller", controller);
	struct jsn *revision = jsn_new_object();
	jsn_put_str(revision, "attempted", s->rev_wanted);
	jsn_put_str(revision, "applied", s->rev_applied);
	jsn_put_str(revision, "followed", s->rev_followed);
	jsn_put_str(revision, "subject", s->subject);
	jsn_put(j, "revision", revision);
	jsn_put(j, "counts", counts_json(&c));
	jsn_put_int(j, "findings", (int64_t)s->findings.n);
	jsn_put_int(j, "errors", (int64_t)diags_errors(&s->findings));
	jsn_put(j, "problems", problems_json(s));
	struct jsn *used = jsn_new_array();
	for (size_t i = 0; i < s->used_vmids.n; i++) {
		int64_t vmid;
		if (text_to_int(s->used_vmids.v[i], VMID_MIN, VMID_MAX, &vmid) == 0)
			jsn_push(used, jsn_new_int(vmid));
	}
	jsn_put(j, "usedVmids", used);
	put_fallen(j, s);
	struct jsn *left = jsn_new_array();
	for (size_t i = 0; i < s->leftovers.n; i++)
		jsn_push(left, jsn_new_str(s->leftovers.v[i]));
	jsn_put(j, "leftovers", left);
	return jsn_print(j, true);
}

/* ---- and back ---- */

static int bad(struct err **err, const char *what)
{
	return err_set(err, ERR_INPUT, "summary.json cannot be understood: %s", what);
}

/* Text of a member that may be absent; false if it is there and no text, or far too long. */
static bool take_text(const struct jsn *j, const char *key, size_t max, char **ret)
{
	const struct jsn *m = jsn_get(j, key);
	if (!m)
		return true;
	if (!jsn_is_string(m) || strlen(jsn_text(m)) > max)
		return false;
	*ret = mem_strdup(jsn_text(m));
	return true;
}

/* The same of a name, which is shown as it is. */
static bool take_word(const struct jsn *j, const char *key, size_t max, char **ret)
{
	const char *word = jsn_get_text(j, key);
	return (!word || text_is_printable(word, strlen(word))) && take_text(j, key, max, ret);
}

static int take_used(const struct jsn *j, struct strs *ret, struct err **err)
{
	const struct jsn *used = jsn_get(j, "usedVmids");
	if (!used)
		return 0;
	if (!jsn_is_array(used) || jsn_len(used) > USED_MAX)
		return bad(err, "usedVmids is no list of numbers");
	int64_t last = 0;
	for (size_t i = 0; i < jsn_len(used); i++) {
		int64_t vmid;
		const char *text = jsn_text(jsn_at(used, i));
		if (!text || text_to_int(text, VMID_MIN, VMID_MAX, &vmid) != 0)
			return bad(err, "usedVmids holds something that is no VMID");
		if (vmid <= last)
			return bad(err, "usedVmids is not sorted");
		last = vmid;
		strs_add(ret, text);
	}
	return 0;
}

static int take_fallen(const struct jsn *j, struct status *s, struct err **err)
{
	const struct jsn *list = jsn_get(j, "destroyed");
	if (!list)
		return 0;
	if (!jsn_is_array(list) || jsn_len(list) > STATUS_FALLEN_KEEP)
		return bad(err, "destroyed is no list, or too long");
	for (size_t i = 0; i < jsn_len(list); i++) {
		const struct jsn *one = jsn_at(list, i);
		int64_t vmid = jsn_get_int(one, "vmid", 0), when;
		const char *at = jsn_get_text(one, "at");
		_cleanup_str_ char *name = NULL;
		if (!take_text(one, "name", 63, &name) || !text_is_dns_label(name) ||
		    vmid < VMID_MIN || vmid > VMID_MAX || !at || value_parse_time(at, &when) < 0)
			return bad(err, "destroyed holds something that is no VM");
		MEM_PUSH_ROOM(s->fallen.v, s->fallen.n, s->fallen.cap);
		s->fallen.v[s->fallen.n++] = (struct status_fallen){
		    .name = TAKE(name), .vmid = (uint32_t)vmid, .wall_ms = when};
	}
	return 0;
}

static int take_left(const struct jsn *j, struct status *s, struct err **err)
{
	const struct jsn *list = jsn_get(j, "leftovers");
	if (!list)
		return 0;
	if (!jsn_is_array(list) || jsn_len(list) > LEFT_MAX)
		return bad(err, "leftovers is no list, or too long");
	for (size_t i = 0; i < jsn_len(list); i++) {
		const char *text = jsn_text(jsn_at(list, i));
		if (!text || strlen(text) > 4096)
			return bad(err, "leftovers holds something that is no text");
		strs_add(&s->leftovers, text);
	}
	return 0;
}

static int take_all(const struct jsn *j, struct status *s, struct err **err)
{
	const char *kind = jsn_get_text(j, "kind"), *version = jsn_get_text(j, "apiVersion");
	if (!text_eq(kind, "Summary") || !text_eq(version, "ramet.dev/v1"))
		return bad(err, "it is no Summary of ramet.dev/v1");
	const struct jsn *controller = jsn_get(j, "controller");
	const struct jsn *revision = jsn_get(j, "revision");
	const struct jsn *problems = jsn_get(j, "problems");
	s->observe_only = jsn_get_bool(controller, "observeOnly", false);
	if (!take_word(controller, "id", 253, &s->controller_id) ||
	    !take_word(controller, "instance", 253, &s->instance) ||
	    !take_word(revision, "attempted", 64, &s->rev_wanted) ||
	    !take_word(revision, "applied", 64, &s->rev_applied) ||
	    !take_word(revision, "followed", 64, &s->rev_followed) ||
	    !take_text(revision, "subject", 4096, &s->subject) ||
	    !take_text(problems, "git", 4096, &s->git_problem) ||
	    !take_text(problems, "cluster", 4096, &s->cluster_problem) ||
	    !take_text(problems, "report", 4096, &s->report_problem) ||
	    !take_text(problems, "state", 4096, &s->state_problem))
		return bad(err, "a text is of another type, far too long, or no text");
	/* Only their number: what they are stands in STATUS.md and at each VM. */
	int64_t errors = jsn_get_int(j, "errors", 0);
	s->findings.errors = errors > 0 ? (size_t)errors : 0;
	if (take_fallen(j, s, err) < 0 || take_left(j, s, err) < 0)
		return -1;
	return take_used(j, &s->used_vmids, err);
}

int tree_parse_status(const char *text, size_t len, struct status *ret, struct err **err)
{
	if (len > SUMMARY_BYTES_MAX)
		return bad(err, "it is too large");
	_cleanup_jsn_ struct jsn *j = NULL;
	if (jsn_parse(text, len, &j, err) != 0)
		return err_wrap(err, "summary.json cannot be understood");
	struct status s = {0};
	if (take_all(j, &s, err) != 0) {
		status_fini(&s);
		return -1;
	}
	*ret = s;
	return 0;
}

int tree_parse_summary(
    const char *text, size_t len, struct strs *ret_used, char **ret_instance, struct err **err)
{
	struct status s;
	if (tree_parse_status(text, len, &s, err) != 0)
		return -1;
	*ret_used = s.used_vmids;
	*ret_instance = TAKE(s.instance);
	s.used_vmids = (struct strs){0};
	status_fini(&s);
	return 0;
}
