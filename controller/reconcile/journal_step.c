/* What the journal keeps of steps of VMs that are there: what was about to be done to one, and the
 * task that does it. */
#include <stdlib.h>
#include <string.h>

#include "journal_int.h"
#include "journal_line.h"

void journal_clear_step(struct item *it)
{
	free(it->doing.text);
	free(it->doing.upid);
	it->doing = (struct doing){0};
	it->steps = false;
}

static void set_step(struct journal *j, const char *name, const struct doing *d)
{
	struct item *it = journal_item_make(j, name);

	journal_clear_step(it);
	it->doing = *d;
	it->doing.text = mem_strdup(d->text);
	it->doing.upid = mem_strdup(d->upid);
	it->steps = true;
}

int journal_replay_step(struct journal *j, const struct jsn *o, const char *kind, const char *name)
{
	struct item *it = journal_item(j, name);
	int64_t vmid = jsn_get_int(o, "vmid", 0);

	if (strcmp(kind, "step") == 0) {
		struct doing d = {.vmid = (uint32_t)vmid,
		    .text = (char *)jsn_get_text(o, "text"),
		    .upid = (char *)jsn_get_text(o, "upid"),
		    .boot = jsn_get_int(o, "boot", 0),
		    .wall_ms = jsn_get_int(o, "wall_ms", 0)};

		if (vmid < 100 || vmid > 999999999 || j->n >= JOURNAL_NAMES_MAX)
			return -1;
		set_step(j, name, &d);
	} else if (strcmp(kind, "step-upid") == 0 && it && it->steps) {
		mem_replace(&it->doing.upid, jsn_get_text(o, "upid"));
	} else if (strcmp(kind, "step-end") == 0 && it) {
		journal_clear_step(it);
		journal_item_drop_if_empty(j, it);
	}
	return 0;
}

int journal_step(struct journal *j, const char *name, const struct doing *d, struct err **err)
{
	if (journal_add_line(j, journal_line_step(name, d), err) < 0)
		return -1;
	set_step(j, name, d);
	journal_maybe_compact(j);
	return 0;
}

int journal_step_upid(struct journal *j, const char *name, const char *upid, struct err **err)
{
	struct item *it = journal_item(j, name);

	MUST(it && it->steps);
	if (journal_add_line(j, journal_line_step_upid(name, upid), err) < 0)
		return -1;
	mem_replace(&it->doing.upid, upid);
	return 0;
}

int journal_step_end(struct journal *j, const char *name, struct err **err)
{
	struct item *it = journal_item(j, name);
	int rc;

	if (!it || !it->steps)
		return 0;
	rc = journal_add_line(j, journal_line_step_end(name), err);
	journal_clear_step(it);
	journal_item_drop_if_empty(j, it);
	return rc;
}

const struct doing *journal_doing(const struct journal *j, const char *name)
{
	const struct item *it = journal_item(j, name);

	return it && it->steps ? &it->doing : NULL;
}
