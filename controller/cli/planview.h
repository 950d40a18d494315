/*
 * planview: the plans of a finished pass for a person or a program.
 *
 * Not the rendering of one plan (plan/render.h).
 *
 * Results belong to the caller.
 *
 * The controller process; pure.
 */
#ifndef RAMET_PLANVIEW_H
#define RAMET_PLANVIEW_H

#include "pass.h"

/* Makes the plans: a pass of mode PLAN over these options, shown on standard error meanwhile if
 * that is a terminal. Whoever calls ends the pass. */
int planview_read(
    struct pass *p, struct setup *s, const struct controller_opts *o, struct err **err) MUST_CHECK;

enum planview_form { PLANVIEW_TEXT, PLANVIEW_JSON, PLANVIEW_MARKDOWN, PLANVIEW_FORM__MAX };

enum planview_sum {
	PLANVIEW_NOTHING, /* to do */
	PLANVIEW_BLOCKED, /* nothing would be done, but something is not as listed */
	PLANVIEW_TODO,
	PLANVIEW_SUM__MAX
};

/* Of manifests with findings, for which nothing was planned; "" as text. */
char *planview_refused(enum planview_form form, const struct diags *findings);
char *planview_render(struct pass *p, enum planview_form form, bool colors, enum planview_sum *ret);

/* PATH or --rev of plan and apply: 40 hex digits, and not both. */
int planview_check_scope(const struct cli *c, struct err **err) MUST_CHECK;

#endif
