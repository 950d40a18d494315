#include "metrics.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "text.h"

static const struct metric_row rows[METRIC__MAX] = {
#define METRIC(kind, id, name, label, values, doc) {METRIC_KIND_##kind, name, label, values, doc},
#include "metrics.def"
#undef METRIC
};

static struct {
	double v[METRICS_VALUES_MAX];
	uint64_t count; /* of a SUMMARY */
} state[METRIC__MAX];

const struct metric_row *metrics_row(enum metric m)
{
	return &rows[m];
}

void metrics_add(enum metric m, unsigned which, double n)
{
	MUST(which < METRICS_VALUES_MAX && rows[m].kind == METRIC_KIND_COUNTER && n >= 0);
	state[m].v[which] += n;
}

void metrics_set(enum metric m, unsigned which, double v)
{
	MUST(which < METRICS_VALUES_MAX && rows[m].kind != METRIC_KIND_SUMMARY);
	state[m].v[which] = v;
}

void metrics_observe(enum metric m, double v)
{
	MUST(rows[m].kind == METRIC_KIND_SUMMARY);
	state[m].v[0] += v;
	state[m].count++;
}

double metrics_get(enum metric m, unsigned which)
{
	MUST(which < METRICS_VALUES_MAX);
	return state[m].v[which];
}

void metrics_reset(void)
{
	memset(state, 0, sizeof(state));
}

static void add_number(struct buf *out, double v)
{
	_cleanup_str_ char *s = text_from_num(isfinite(v) ? v : 0);
	buf_addf(out, " %s\n", s);
}

static const char *kind_word(enum metric_kind k)
{
	switch (k) {
	case METRIC_KIND_COUNTER:
		return "counter";
	case METRIC_KIND_GAUGE:
		return "gauge";
	case METRIC_KIND_SUMMARY:
		return "summary";
	case METRIC_KIND__MAX:
		break;
	}
	return "untyped";
}

/* The table is written by us: neither a doc nor a value holds what the format would have escaped.
 */
static void print_row(enum metric m, struct buf *out)
{
	const struct metric_row *r = &rows[m];
	buf_addf(out, "# HELP %s %s\n# TYPE %s %s\n", r->name, r->doc, r->name, kind_word(r->kind));
	if (r->kind == METRIC_KIND_SUMMARY) {
		buf_addf(out, "%s_sum", r->name);
		add_number(out, state[m].v[0]);
		buf_addf(out, "%s_count %" PRIu64 "\n", r->name, state[m].count);
		return;
	}
	if (!r->label) {
		buf_adds(out, r->name);
		add_number(out, state[m].v[0]);
		return;
	}
	const char *value = r->values;
	for (unsigned i = 0; i < METRICS_VALUES_MAX && *value; i++) {
		int len = (int)strcspn(value, "|");
		buf_addf(out, "%s{%s=\"%.*s\"}", r->name, r->label, len, value);
		add_number(out, state[m].v[i]);
		value += len + (value[len] == '|');
	}
}

void metrics_print(struct buf *out)
{
	for (enum metric m = 0; m < METRIC__MAX; m++)
		print_row(m, out);
}

void metrics_print_markdown(struct buf *out)
{
	buf_adds(out, "| metric | type | labels | what it tells |\n| :-- | :-- | :-- | :-- |\n");
	for (enum metric m = 0; m < METRIC__MAX; m++) {
		const struct metric_row *r = &rows[m];
		buf_addf(out, "| `%s` | %s | ", r->name, kind_word(r->kind));
		const char *value = m == METRIC_BUILD ? "" : r->values ? r->values : "";
		if (r->label)
			buf_addf(out, "`%s`%s", r->label, *value ? ": " : "");
		while (*value) {
			int len = (int)strcspn(value, "|");
			buf_addf(out, "%.*s%s", len, value, value[len] ? ", " : "");
			value += len + (value[len] == '|');
		}
		buf_addf(out, " | %s |\n", r->doc);
	}
}
