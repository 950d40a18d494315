/*
 * jsnrows_read on any bytes against the tree: what it takes jsn_parse takes, with the same rows and
 * the same texts; what jsn_parse refuses it refuses.
 */
#include "jsn.h"
#include "jsnrows.h"
#include "text.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char *const keys[] = {"vmid", "name", "a", "", NULL};

struct told {
	struct strs texts; /* "=" before each that is there */
	size_t n;
};

static void on_row(void *arg, const char *const *values)
{
	struct told *t = arg;
	for (size_t i = 0; keys[i]; i++)
		strs_add_take(&t->texts, values[i] ? mem_printf("=%s", values[i]) : mem_strdup(""));
	t->n++;
}

static void told_by_tree(const struct jsn *list, struct told *t)
{
	for (size_t i = 0; i < jsn_len(list); i++) {
		const struct jsn *row = jsn_at(list, i);
		const char *values[ARRAY_LEN(keys)];
		for (size_t k = 0; keys[k]; k++)
			values[k] = jsn_get_text(row, keys[k]);
		if (jsn_is_object(row))
			on_row(t, values);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_cleanup_jsn_ struct jsn *j = NULL;
	_cleanup_err_ struct err *e = NULL, *te = NULL;
	struct told rows = {0}, tree = {0};
	const char *text = (const char *)data;
	struct jsnrows what = {.list = "data", .keys = keys, .cb = on_row, .arg = &rows};
	int rc = jsnrows_read(text, size, &what, &e);
	int tree_rc = jsn_parse(text, size, &j, &te);
	const struct jsn *list = jsn_get(j, "data");

	if (rc == 0) {
		MUST(tree_rc == 0 && jsn_is_array(list));
		told_by_tree(list, &tree);
		MUST(rows.n == tree.n && rows.texts.n == tree.texts.n);
		for (size_t i = 0; i < tree.texts.n; i++)
			MUST(text_eq(rows.texts.v[i], tree.texts.v[i]));
	} else if (e->code == ERR_PROTOCOL) {
		MUST(tree_rc == 0 && !jsn_is_array(list));
	} else {
		MUST(tree_rc != 0 || strstr(err_msg(e), "a second list"));
		MUST(e->code == ERR_INPUT || e->code == ERR_LIMIT);
	}
	strs_fini(&rows.texts);
	strs_fini(&tree.texts);
	return 0;
}
