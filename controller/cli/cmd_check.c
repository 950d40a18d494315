/* ramet check: is everything there? */
#include <stdlib.h>
#include <unistd.h>

#include "checkup.h"
#include "jsn.h"
#include "term.h"
#include "text.h"

static enum term_color color(enum checkup_verdict v)
{
	switch (v) {
	case CHECKUP_OK:
		return TERM_GREEN;
	case CHECKUP_REMARK:
		return TERM_YELLOW;
	case CHECKUP_FAILED:
		return TERM_RED;
	case CHECKUP_VERDICT__MAX:
		break;
	}
	return TERM_PLAIN;
}

/* The same next step helps several. */
static bool told_before(const struct checkup *k, size_t i)
{
	for (size_t j = 0; j < i; j++)
		if (text_eq(k->v[j].next, k->v[i].next))
			return true;
	return false;
}

/* Whole, never cut: it is to be copied. */
static void print_next(const struct checkup *k, size_t i, struct buf *out)
{
	buf_addc(out, '\n');
	for (size_t j = i; j < k->n; j++)
		if (text_eq(k->v[j].next, k->v[i].next))
			buf_addf(out, "%s: %s\n", k->v[j].what, k->v[j].text);
	buf_addf(out, "  next: %s\n", k->v[i].next);
}

static void print_text(const struct cli *c, const struct checkup *k, struct buf *out)
{
	size_t columns = c->terminal ? term_columns(STDOUT_FILENO) : 0;
	struct term_table t = {.columns = 3};
	for (size_t i = 0; i < k->n; i++) {
		const struct checkup_item *item = &k->v[i];
		term_cell(&t, color(item->verdict), checkup_word(item->verdict));
		term_cell(&t, TERM_PLAIN, item->what);
		term_cell(&t, TERM_PLAIN, item->text);
	}
	term_table_print(&t, c->color, columns, out);
	term_table_fini(&t);
	for (size_t i = 0; i < k->n; i++)
		if (k->v[i].next && !told_before(k, i))
			print_next(k, i, out);
}

static char *print_json(const struct checkup *k)
{
	_cleanup_jsn_ struct jsn *doc = jsn_new_object();
	struct jsn *items = jsn_new_array();
	for (size_t i = 0; i < k->n; i++) {
		struct jsn *o = jsn_new_object();
		jsn_put_str(o, "check", k->v[i].what);
		jsn_put_str(o, "verdict",
		    k->v[i].verdict == CHECKUP_FAILED ? "failed" : checkup_word(k->v[i].verdict));
		jsn_put_str(o, "text", k->v[i].text);
		jsn_put_str(o, "next", k->v[i].next);
		jsn_push(items, o);
	}
	jsn_put_bool(doc, "ok", !k->failed);
	jsn_put(doc, "checks", items);
	return jsn_print(doc, true);
}

int cmd_check(const struct cli *c)
{
	_cleanup_setup_ struct setup s = SETUP_NONE;
	_cleanup_checkup_ struct checkup k = {0};
	_cleanup_err_ struct err *err = NULL;
	_cleanup_buf_ struct buf out = {0};
	int rc = setup_open(c, SETUP_CLUSTER | SETUP_GIT | SETUP_HTTP, &s);
	if (rc != CLI_OK)
		return rc;
	if (checkup_run(&s, &k, &err) != 0)
		return cli_fail(c, err);
	if (cli_form_is(c, "json")) {
		_cleanup_str_ char *json = print_json(&k);
		buf_adds(&out, json);
	} else {
		print_text(c, &k, &out);
	}
	if (!cli_put(buf_str(&out)))
		return CLI_ERROR;
	return k.failed ? CLI_ERROR : CLI_OK;
}
