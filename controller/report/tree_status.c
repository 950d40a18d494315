/* STATUS.md: what a person reads in the forge, worst first. */
#include <stdlib.h>
#include <string.h>

#include "tree_part.h"

#define REV_CHARS 10

static void put_rev(struct buf *out, const char *rev)
{
	/* What is no commit has a name of its own. */
	_cleanup_str_ char *cut = mem_strndup(rev, strlen(rev) < 40 ? strlen(rev) : REV_CHARS);
	md_code(out, cut, TREE_WORD_CHARS);
}

/* ---- the head ---- */

static void put_counts(struct buf *out, const struct status_counts *c)
{
	if (c->total == 0) {
		buf_adds(out, "**No VM is managed yet.**");
		return;
	}
	if (c->ready == c->total && c->total == 1)
		buf_adds(out, "**The one VM is ready.**");
	else if (c->ready == c->total)
		buf_addf(out, "**All %zu VMs are ready.**", c->total);
	else
		buf_addf(out, "**%zu of %zu VM%s ready.**", c->ready, c->total,
		    c->total == 1 ? " is" : "s are");
	const char *sep = " ";
	for (int i = 0; i < VMSTAT_STATE__MAX; i++) {
		const char *word = vmstat_state_count_word((enum vmstat_state)i);
		if (c->by_state[i] == 0 || !word)
			continue;
		buf_addf(out, "%s%zu %s", sep, c->by_state[i], word);
		sep = ", ";
	}
	if (strcmp(sep, ", ") == 0)
		buf_addc(out, '.');
}

static void put_revision(struct buf *out, const struct status *s)
{
	if (!s->rev_wanted) {
		buf_adds(out, "No revision has been read yet.\n");
		return;
	}
	buf_adds(out, "Revision ");
	put_rev(out, s->rev_wanted);
	if (s->subject && *s->subject) {
		buf_adds(out, " (");
		md_text(out, s->subject, TREE_WORD_CHARS);
		buf_addc(out, ')');
	}
	if (s->rev_applied && strcmp(s->rev_applied, s->rev_wanted) == 0) {
		buf_adds(out, " is applied.\n");
		return;
	}
	buf_adds(out, " is not applied everywhere yet");
	if (s->rev_applied) {
		buf_adds(out, "; the last one that was is ");
		put_rev(out, s->rev_applied);
	}
	buf_adds(out, ".\n");
}

static void put_next(struct buf *out, const char *next)
{
	if (!next || !*next)
		return;
	buf_adds(out, " **Next:** ");
	tree_put_sentence(out, next);
}

static void put_problem(struct buf *out, const char *what, const char *text)
{
	if (!text)
		return;
	const char *next;
	_cleanup_str_ char *facts = mem_strndup(text, status_problem_facts(text, &next));
	buf_addf(out, "- **%s:** ", what);
	tree_put_sentence(out, facts);
	put_next(out, next);
	buf_addc(out, '\n');
}

static void put_problems(struct buf *out, const struct status *s)
{
	if (!s->git_problem && !s->cluster_problem && !s->report_problem && !s->state_problem)
		return;
	buf_adds(out, "\n## Problems\n\n");
	put_problem(out, "Git", s->git_problem);
	put_problem(out, "Cluster", s->cluster_problem);
	put_problem(out, "Report", s->report_problem);
	put_problem(out, "State", s->state_problem);
}

static void put_more(struct buf *out, size_t n, size_t shown)
{
	if (n > shown)
		buf_addf(out, "- … and %zu more\n", n - shown);
}

static void put_stalled(struct buf *out, const struct vmstat **v, size_t n)
{
	size_t stalled = 0;
	while (stalled < n && vmstat_is_stalled(v[stalled]))
		stalled++;
	if (stalled == 0)
		return;
	buf_adds(out, "\n## What needs a person\n\n");
	for (size_t i = 0; i < stalled && i < TREE_LIST_MAX; i++) {
		enum reason why = vmstat_reason(v[i]);
		buf_adds(out, "- ");
		tree_put_vm(out, v[i]->name);
		buf_addf(out, " `%s`: ", reason_word(why));
		bool own = why == v[i]->reason && v[i]->message;
		tree_put_sentence(out, own ? v[i]->message : reason_doc(why));
		put_next(out, vmstat_next(v[i]));
		buf_addc(out, '\n');
	}
	put_more(out, stalled, TREE_LIST_MAX);
}

static void put_findings(struct buf *out, const struct diags *l)
{
	if (l->n == 0)
		return;
	buf_adds(out, "\n## Findings in manifests\n\n");
	for (size_t i = 0; i < l->n && i < TREE_LIST_MAX; i++) {
		const struct diag *d = &l->v[i];
		_cleanup_str_ char *at =
		    d->mark.line > 0
			? mem_printf("%s:%u:%u", d->file ? d->file : "?", d->mark.line, d->mark.col)
			: mem_strdup(d->file ? d->file : "?");
		buf_adds(out, "- ");
		md_code(out, at, 4 * TREE_WORD_CHARS);
		buf_addf(out, " `%s`: ", diag_word(d->code));
		tree_put_sentence(out, d->msg);
		put_next(out, d->hint);
		buf_addc(out, '\n');
	}
	put_more(out, l->n, TREE_LIST_MAX);
}

static void put_lines(struct buf *out, const char *title, const struct strs *l)
{
	if (l->n == 0)
		return;
	buf_addf(out, "\n## %s\n\n", title);
	for (size_t i = 0; i < l->n && i < TREE_LIST_MAX; i++) {
		buf_adds(out, "- ");
		tree_put_sentence(out, l->v[i]);
		buf_addc(out, '\n');
	}
	put_more(out, l->n, TREE_LIST_MAX);
}

/* ---- the table ---- */

static void put_drift(struct buf *out, const struct drifts *l)
{
	const struct drift *d = &l->v[0];
	md_code(out, d->path, TREE_WORD_CHARS);
	buf_adds(out, " is ");
	md_code(out, d->found, TREE_WORD_CHARS);
	buf_adds(out, ", wanted ");
	md_code(out, d->wanted, TREE_WORD_CHARS);
	if (d->who) {
		buf_adds(out, ", by ");
		md_code(out, d->who, TREE_WORD_CHARS);
	}
	if (l->n > 1)
		buf_addf(out, "; [%zu more](DRIFT.md)", l->n - 1);
}

static void put_what(struct buf *out, const struct vmstat *v)
{
	if (v->verdict == PLAN_IN_SYNC && vmstat_is_drifted(v)) {
		put_drift(out, &v->drifts);
		return;
	}
	enum reason why = vmstat_reason(v);
	if (why != REASON_IN_SYNC)
		buf_addf(out, "`%s`", reason_word(why));
	if (why != v->reason && v->rev) {
		buf_adds(out, " the version of ");
		put_rev(out, v->rev);
		buf_adds(out, " stays in force");
	} else if (v->message && *v->message && why != REASON_IN_SYNC) {
		buf_addc(out, ' ');
		md_text(out, v->message, TREE_TEXT_CHARS);
	}
}

static void put_row(struct buf *out, const struct vmstat *v, bool unseen)
{
	enum vmstat_state state = vmstat_state(v);
	const char *bold = state == VMSTAT_STALLED ? "**" : "";
	buf_adds(out, "| ");
	tree_put_vm(out, v->name);
	buf_addf(out, " | %s%s%s%s | ", bold, vmstat_state_word(state), bold,
	    unseen || vmstat_is_unknown(v) ? " (unknown)" : "");
	put_what(out, v);
	buf_adds(out, " | ");
	if (v->record.vmid)
		buf_addf(out, "%u", v->record.vmid);
	buf_adds(out, " | ");
	md_code(out, v->node, TREE_WORD_CHARS);
	buf_adds(out, " | ");
	tree_put_time(out, v->since_wall);
	buf_adds(out, " |\n");
}

static void put_table(struct buf *out, const struct vmstat **v, size_t n, bool unseen)
{
	if (n == 0)
		return;
	buf_adds(out, "\n## VMs\n\n| VM | State | What | VMID | Node | Since (UTC) |\n"
		      "| :-- | :-- | :-- | --: | :-- | :-- |\n");
	for (size_t i = 0; i < n && i < TREE_STATUS_ROWS; i++)
		put_row(out, v[i], unseen);
	if (n <= TREE_STATUS_ROWS)
		return;
	size_t rest[VMSTAT_STATE__MAX] = {0};
	for (size_t i = TREE_STATUS_ROWS; i < n; i++)
		rest[vmstat_state(v[i])]++;
	buf_addf(out, "\nNot in the table: %zu more", n - TREE_STATUS_ROWS);
	const char *sep = " (";
	for (int i = 0; i < VMSTAT_STATE__MAX; i++) {
		if (rest[i] == 0)
			continue;
		buf_addf(out, "%s%s: %zu", sep, vmstat_state_word((enum vmstat_state)i), rest[i]);
		sep = ", ";
	}
	buf_adds(out, "). Each has its file under `vms/`.\n");
}

char *tree_status_md(const struct status *s)
{
	struct buf out = {0};
	struct status_counts c = status_count(s);
	const struct vmstat **v = status_sorted(s);
	buf_adds(&out, "# Ramet ");
	md_code(&out, s->controller_id, TREE_WORD_CHARS);
	buf_adds(&out, "\n\n");
	if (s->cluster_problem)
		buf_adds(
		    &out, "**The cluster cannot be seen: this is how it was when last seen.** ");
	put_counts(&out, &c);
	if (c.drifted > 0) {
		buf_adds(&out, " Drift on ");
		tree_put_count(&out, c.drifted, "VM", "VMs");
		buf_adds(&out, ": [DRIFT.md](DRIFT.md).");
	}
	if (diags_errors(&s->findings) > 0) {
		buf_adds(&out, " **");
		tree_put_count(&out, diags_errors(&s->findings), "error", "errors");
		buf_adds(&out, " in manifests**, [listed below](#findings-in-manifests).");
	}
	buf_adds(&out, "\n\n");
	put_revision(&out, s);
	if (s->observe_only)
		buf_adds(&out, "\nThis controller only observes: it changes nothing.\n");
	put_problems(&out, s);
	put_stalled(&out, v, s->n_vms);
	put_findings(&out, &s->findings);
	put_lines(&out, "Copies of managed VMs", &s->copies);
	put_lines(&out, "VMs of ours that nobody asks for", &s->unclaimed);
	put_lines(&out, "Volumes that were left", &s->leftovers);
	put_table(&out, v, s->n_vms, s->cluster_problem != NULL);
	free(v);
	return buf_take(&out);
}
