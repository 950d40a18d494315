/* Plans for a comment on a pull request: a table to read in ten seconds, details folded. */
#include <stdlib.h>
#include <string.h>

#include "md.h"
#include "renderkit.h"

/* Forges refuse comments beyond 65,536 characters; bytes are counted, which are never fewer. */
#define ALL_MAX 59000
#define TABLE_MAX 24000
#define VALUE_CHARS 120
#define WHY_CHARS 300
#define FINDINGS_MAX 12000

static void add_value(struct buf *out, const char *s)
{
	md_text(out, s ? s : "", VALUE_CHARS);
}

static void add_next(struct buf *out, const char *next)
{
	if (!next)
		return;
	buf_adds(out, ". **Next:** ");
	md_prose(out, next, WHY_CHARS);
}

/* What it comes to, and for whom something is to be decided, why and what then. */
static void add_row(struct buf *out, const struct render_item *item)
{
	const struct plan *p = item->plan;
	_cleanup_str_ char *where = renderkit_where(item), *extent = renderkit_extent(p);
	_cleanup_str_ char *felt = renderkit_felt(p);
	bool acts = p->verdict == PLAN_ACT;

	buf_addf(out, "| `%c` | ", renderkit_item_symbol(p));
	md_code(out, item->name, VALUE_CHARS);
	buf_adds(out, " (");
	md_text(out, where, VALUE_CHARS);
	buf_addf(
	    out, ") | **%s**%s%s | %s | ", renderkit_deed(p), *extent ? "<br>" : "", extent, felt);
	if (!acts)
		buf_addf(out, "`%s`: ", reason_word(p->reason));
	md_text(out, p->message, WHY_CHARS);
	add_next(out, renderkit_next(p));
	buf_adds(out, " |\n");
}

static void add_change(struct buf *out, const struct plan *p, const struct change *c)
{
	_cleanup_str_ char *effect = renderkit_effect(p, c);

	buf_addf(out, "| `%c` | ", renderkit_change_symbol(c));
	md_code(out, c->path, VALUE_CHARS);
	buf_adds(out, " | ");
	add_value(out, c->from);
	buf_adds(out, " | ");
	add_value(out, c->to);
	const char *bold = c->state == CHANGE_BLOCKED ? "**" : "";
	buf_addf(out, " | %s%s%s", bold, renderkit_has_effect(p, c) ? effect : "", bold);
	if (c->why) {
		buf_adds(out, ": ");
		md_text(out, c->why, WHY_CHARS);
	}
	if (c->why && c->place) {
		buf_adds(out, " (");
		md_code(out, c->place, WHY_CHARS);
		buf_addc(out, ')');
	}
	add_next(out, c->hint);
	buf_adds(out, " |\n");
}

static void add_changes(struct buf *out, const struct plan *p)
{
	if (!p->n_changes)
		return;
	buf_addf(out, "| | leaf | %s | %s | |\n|---|---|---|---|---|\n",
	    p->create ? "template" : "now", p->create ? "new VM" : "then");
	for (size_t i = 0; i < p->n_changes; i++)
		add_change(out, p, &p->changes[i]);
	buf_addc(out, '\n');
}

static void add_rest(struct buf *out, const struct render_item *item, enum renderkit_rest kind)
{
	const struct resource *r = item->want;
	bool any = false;

	for (size_t i = 0; r && i < r->n_leaves; i++) {
		enum renderkit_rest k;
		if (!renderkit_is_rest(item, &r->leaves[i], &k) || k != kind)
			continue;
		_cleanup_str_ char *path = schema_path(r->leaves[i].attr, r->leaves[i].slot);
		_cleanup_str_ char *value = value_print(&r->leaves[i].value);
		if (!any)
			buf_addf(out, "*%s:* ", renderkit_rest_title(kind));
		else
			buf_adds(out, ", ");
		any = true;
		md_code(out, path, VALUE_CHARS);
		buf_addc(out, ' ');
		add_value(out, value);
	}
	if (any)
		buf_adds(out, "\n\n");
}

static bool has_details(const struct render_item *item)
{
	return item->plan->n_changes || item->plan->n_steps || (item->plan->create && item->want);
}

static void add_details(struct buf *out, const struct render_item *item)
{
	const struct plan *p = item->plan;
	_cleanup_str_ char *extent = renderkit_extent(p);

	buf_adds(out, "<details><summary>");
	md_text(out, item->name, VALUE_CHARS);
	buf_addf(out, ": %s</summary>\n\n", *extent ? extent : renderkit_deed(p));
	add_changes(out, p);
	for (int i = 0; i < RENDERKIT_REST__MAX; i++)
		add_rest(out, item, (enum renderkit_rest)i);
	for (size_t i = 0; i < p->n_steps; i++) {
		buf_addf(out, "%zu. ", i + 1);
		md_text(out, p->steps[i].text, WHY_CHARS);
		buf_addc(out, '\n');
	}
	buf_adds(out, "\n</details>\n");
}

/* Adds the piece if it fits; false when it was left out. */
static bool add_within(struct buf *out, struct buf *piece, size_t max)
{
	bool fits = !piece->overflow && out->len + piece->len <= max;
	if (fits)
		buf_add(out, buf_str(piece), piece->len);
	buf_reset(piece);
	return fits;
}

static void add_finding(struct buf *out, const struct diag *d)
{
	_cleanup_str_ char *at = d->mark.line > 0
				     ? mem_printf("%s:%u:%u", d->file, d->mark.line, d->mark.col)
				     : mem_strdup(d->file);

	buf_adds(out, "- ");
	md_code(out, at, WHY_CHARS);
	buf_addf(out, " `%s`: ", diag_word(d->code));
	md_text(out, d->msg, WHY_CHARS);
	add_next(out, d->hint);
	buf_addc(out, '\n');
}

/* What refuses a manifest comes before what is done to the others. */
static void add_findings(struct buf *out, struct buf *piece, const struct diags *l)
{
	size_t left = 0;

	if (!l || l->n == 0)
		return;
	size_t errors = diags_errors(l), warnings = diags_warnings(l);
	buf_addf(out, "**Findings in manifests:** %zu error%s, %zu warning%s.\n\n", errors,
	    errors == 1 ? "" : "s", warnings, warnings == 1 ? "" : "s");
	for (size_t i = 0; i < l->n; i++) {
		add_finding(piece, &l->v[i]);
		left += !add_within(out, piece, FINDINGS_MAX);
	}
	if (left)
		buf_addf(out, "- … and %zu more; `ramet validate` shows all.\n", left);
	buf_addc(out, '\n');
}

char *render_markdown(const struct render_item *v, size_t n, const struct diags *findings)
{
	const struct render_item **sorted = renderkit_sort(v, n);
	struct renderkit_counts counts;
	struct buf out, piece;
	size_t rows_left = 0, details_left = 0, worth = 0;

	buf_init(&out, 0);
	buf_init(&piece, 0);
	renderkit_count(v, n, &counts);
	_cleanup_str_ char *summary = renderkit_summary(&counts);
	_cleanup_str_ char *disturbed = renderkit_disturbed(&counts);
	add_findings(&out, &piece, findings);
	bool refused = n == 0 && findings && diags_errors(findings) > 0;
	buf_addf(&out, "**Plan:** %s.\n",
	    refused ? "none, as long as the manifests have errors" : summary);
	if (disturbed)
		buf_addf(&out, "\n**Guests:** %s.\n", disturbed);
	for (size_t i = 0; i < n; i++)
		worth += renderkit_is_worth(sorted[i]->plan);
	if (worth)
		buf_adds(&out, "\n| | VM | | running guest | |\n|---|---|---|---|---|\n");
	for (size_t i = 0; i < worth; i++) { /* those that are in sync come last */
		add_row(&piece, sorted[i]);
		rows_left += !add_within(&out, &piece, TABLE_MAX);
	}
	if (rows_left)
		buf_addf(&out, "\n%zu more VMs are left out of this table.\n", rows_left);
	buf_addc(&out, '\n');
	for (size_t i = 0; i < worth; i++) {
		if (!has_details(sorted[i]))
			continue;
		add_details(&piece, sorted[i]);
		details_left += !add_within(&out, &piece, ALL_MAX);
	}
	if (details_left)
		buf_addf(&out, "\nThe details of %zu VMs are left out; `ramet plan` shows all.\n",
		    details_left);
	buf_fini(&piece);
	free(sorted);
	return buf_take(&out);
}
