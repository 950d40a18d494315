#include "planview.h"

#include <stdlib.h>
#include <string.h>

#include "progress.h"
#include "render.h"

/* ---- the reading ---- */

static char *summary(void *arg)
{
	struct pass *p = arg;
	if (!p->controller || !controller_bundle(p->controller))
		return mem_strdup("reading the manifests");
	const struct status *s = controller_status(p->controller);
	size_t planned = 0;
	for (size_t i = 0; i < s->n_vms; i++)
		planned += controller_plan(p->controller, s->vms[i]->name) != NULL;
	return mem_printf("reading the cluster: %zu of %zu VMs", planned, s->n_vms);
}

/* Findings are shown with the plan. */
static void on_note(void *arg, const struct note *n)
{
	if (n->kind == NOTE_TROUBLE)
		progress_note(arg, n);
}

int planview_read(
    struct pass *p, struct setup *s, const struct controller_opts *o, struct err **err)
{
	struct controller_opts opts = *o;
	struct progress_opts po = progress_stderr(s->cli, s->ports.clock);
	po.summary = summary;
	po.summary_arg = p;
	_cleanup_progress_ struct progress *progress = po.live ? progress_new(&po) : NULL;
	opts.mode = CONTROLLER_PLAN;
	opts.ports.note = progress ? on_note : NULL;
	opts.ports.note_arg = progress;
	if (pass_start(p, s, &opts, err) != 0)
		return -1;
	return pass_wait(p, err);
}

/* ---- the result ---- */

/* A clone that broke off is taken up again by whoever may. */
static bool is_todo(const struct plan *plan)
{
	return plan->verdict == PLAN_ACT || plan->create || plan->n_steps > 0 ||
	       plan->reason == REASON_UNCONFIRMED;
}

/* What is known of a VM that could not be planned for. Its texts are those of the status. */
static struct plan stand_in(const struct vmstat *v)
{
	return (struct plan){
	    .verdict = v->verdict, .reason = v->reason, .message = v->message, .hint = v->hint};
}

static enum planview_sum sum_of(const struct plan *plan)
{
	if (is_todo(plan))
		return PLANVIEW_TODO;
	bool held = plan->verdict == PLAN_WAIT || plan->verdict == PLAN_STALLED;
	return held ? PLANVIEW_BLOCKED : PLANVIEW_NOTHING;
}

static const struct resource *manifest_of(struct pass *p, const char *name)
{
	const struct bundle *b = controller_bundle(p->controller);
	const struct bundle_entry *e = b ? bundle_find(b, name) : NULL;
	return e ? e->res : NULL;
}

static char *with_findings(
    const struct render_item *v, size_t n, enum planview_form form, const struct diags *findings)
{
	switch (form) {
	case PLANVIEW_JSON:
		return render_json(v, n, findings);
	case PLANVIEW_MARKDOWN:
		return render_markdown(v, n, findings);
	case PLANVIEW_TEXT: /* they stand on standard error */
	case PLANVIEW_FORM__MAX:
		break;
	}
	return mem_strdup("");
}

char *planview_refused(enum planview_form form, const struct diags *findings)
{
	return with_findings(NULL, 0, form, findings);
}

char *planview_render(struct pass *p, enum planview_form form, bool colors, enum planview_sum *ret)
{
	const struct status *s = controller_status(p->controller);
	struct render_item *items = mem_calloc(s->n_vms ? s->n_vms : 1, sizeof(*items));
	struct plan *stand_ins = mem_calloc(s->n_vms ? s->n_vms : 1, sizeof(*stand_ins));
	char *text = NULL;
	size_t n = 0;
	*ret = PLANVIEW_NOTHING;
	for (size_t i = 0; i < s->n_vms; i++) {
		const struct vmstat *v = s->vms[i];
		const struct plan *plan = controller_plan(p->controller, v->name);
		if (!plan) {
			stand_ins[i] = stand_in(v);
			plan = &stand_ins[i];
		}
		items[n++] = (struct render_item){.name = v->name,
		    .vmid = v->record.vmid,
		    .node = v->node,
		    .plan = plan,
		    .want = manifest_of(p, v->name)};
		if (sum_of(plan) > *ret)
			*ret = sum_of(plan);
	}
	const struct bundle *b = controller_bundle(p->controller);
	text = form == PLANVIEW_TEXT ? render_text(items, n, colors)
				     : with_findings(items, n, form, b ? &b->diags : NULL);
	free(stand_ins);
	free(items);
	return text;
}

int planview_check_scope(const struct cli *c, struct err **err)
{
	const char *rev = c->opt[CLI_OPT_REV];
	if (!rev)
		return 0;
	if (c->n_args > 0) {
		(void)err_set(err, ERR_USAGE, "a PATH and --rev at once");
		return err_hint(err, "a PATH is read from disk, a revision from the branch");
	}
	if (strlen(rev) == 40 && strspn(rev, "0123456789abcdef") == 40)
		return 0;
	(void)err_set(err, ERR_USAGE, "--rev takes a whole commit id, not %s", rev);
	return err_hint(err, "\"git rev-parse REV\" prints its 40 digits");
}
