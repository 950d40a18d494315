/* What a node answers, as observed values: the first byte picks the answer, the rest is its body.
 * Read twice into the same place, as after a change: whatever it is, what is observed keeps its
 * form. */
#include <stdlib.h>
#include <string.h>

#include "holder.h"
#include "observe.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define NOW_MS 1795284323000

enum answer { PENDING, ROWS, STATUS, SNAPSHOTS, NODES, STORAGES, QUORUM, OPTIONS, VERSION, TASKS };
#define ANSWERS (TASKS + 1)

struct seen {
	struct obs_guest g;
	struct obs_cluster c;
};

static void check_holder(const struct jsn *tasks)
{
	_cleanup_str_ char *who = holder_find(tasks, "backup", 1204);
	if (who && !text_is_printable(who, strlen(who)))
		abort();
}

static int read_tree(enum answer a, const struct jsn *j, struct seen *s)
{
	bool quorate;
	switch (a) {
	case STATUS:
		return observe_status(j, NOW_MS, &s->g, NULL);
	case SNAPSHOTS:
		return observe_snapshots(j, &s->g, NULL);
	case NODES:
		return observe_nodes(j, &s->c, NULL);
	case STORAGES:
		return observe_storages(j, NOW_MS, &s->c, NULL);
	case QUORUM:
		return observe_quorum_of(j, "pve1", &quorate, NULL);
	case OPTIONS:
		return observe_options(j, &s->c, NULL);
	case VERSION:
		return observe_version(j, &s->c, NULL);
	case TASKS:
		check_holder(j);
		return 0;
	case PENDING:
	case ROWS:
		break;
	}
	abort();
}

static void check(enum answer a, const struct seen *s)
{
	if (a == PENDING && (!s->g.digest || !s->g.uuid))
		abort();
	if (a == STATUS && (!s->g.power_word || (size_t)s->g.power >= OBS_POWER__MAX))
		abort();
	for (size_t i = 0; i < s->c.n_rows; i++)
		if (s->c.rows[i].vmid < 100 || !s->c.rows[i].node ||
		    (i > 0 && s->c.rows[i - 1].vmid > s->c.rows[i].vmid))
			abort();
	for (size_t i = 0; i < s->c.n_storages; i++)
		if (!s->c.storages[i].plugin || !s->c.storages[i].content)
			abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size == 0)
		return 0;
	enum answer a = (enum answer)(data[0] % ANSWERS);
	_cleanup_str_ char *text = mem_strndup((const char *)data + 1, size - 1);
	size_t len = strlen(text);
	_cleanup_jsn_ struct jsn *j = NULL;
	struct seen s = {0};
	bool unread = a == PENDING || a == ROWS;
	if (!unread && jsn_parse(text, len, &j, NULL) < 0)
		return 0;
	for (int i = 0; i < 2; i++) {
		int rc = a == PENDING ? observe_pending(text, len, &s.g, NULL)
			 : a == ROWS  ? observe_rows(text, len, &s.c, NULL)
				      : read_tree(a, j, &s);
		if (rc == 0)
			check(a, &s);
	}
	obs_guest_fini(&s.g);
	obs_cluster_fini(&s.c);
	return 0;
}
