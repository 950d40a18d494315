/*
 * metrics: the figures of a running controller, and how Prometheus reads them.
 *
 * Not where they are measured (cli/meter.c at the ports, cli/telemetry.c from the model) and not
 * how they are asked for (http/httpd.c). The pure middle counts nothing.
 *
 * One set for the process, as for log: counters survive a new configuration. Nothing is allocated;
 * which samples there are is fixed by metrics.def.
 *
 * The controller process.
 */
#ifndef RAMET_METRICS_H
#define RAMET_METRICS_H

#include "buf.h"

enum metric {
#define METRIC(kind, id, name, label, values, doc) METRIC_##id,
#include "metrics.def"
#undef METRIC
	METRIC__MAX
};

enum metric_kind { METRIC_KIND_COUNTER, METRIC_KIND_GAUGE, METRIC_KIND_SUMMARY, METRIC_KIND__MAX };

struct metric_row {
	enum metric_kind kind;
	const char *name, *label, *values, *doc;
};

#define METRICS_VALUES_MAX 8 /* of a label */

const struct metric_row *metrics_row(enum metric m);

/* `which` is the position of the label's value in the table, 0 without a label. */
void metrics_add(enum metric m, unsigned which, double n); /* a COUNTER; n ≥ 0 */
void metrics_set(
    enum metric m, unsigned which, double v);	   /* a GAUGE, or a COUNTER read elsewhere */
void metrics_observe(enum metric m, double v);	   /* one event of a SUMMARY */
double metrics_get(enum metric m, unsigned which); /* of a SUMMARY the sum */

/* Text format 0.0.4: HELP, TYPE and samples of every row, in the order of the table. */
void metrics_print(struct buf *out);
/* The reference: one table row for each metric. */
void metrics_print_markdown(struct buf *out);
/* For tests: all zero again. */
void metrics_reset(void);

#endif
