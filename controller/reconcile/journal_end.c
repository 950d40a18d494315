/* What the journal keeps of the end of VMs: departures, what fell lately, what was left. */
#include <stdlib.h>
#include <string.h>

#include "journal_int.h"
#include "journal_line.h"

void journal_clear_departure(struct item *it)
{
	if (it->departs)
		free(it->departure.upid);
	it->departure = (struct departure){0};
	it->departs = false;
}

/* The one that this VM has as long as it is not there again, or the one of that second: the report
 * tells no finer. */
static struct fallen *fallen_find(
    const struct journal *j, const char *name, uint32_t vmid, int64_t wall_ms)
{
	for (size_t i = 0; i < j->n_fallen; i++) {
		struct fallen *f = &j->fallen[i];

		if (f->vmid == vmid && text_eq(f->name, name) &&
		    (!f->past || f->wall_ms / 1000 == wall_ms / 1000))
			return f;
	}
	return NULL;
}

static void fallen_add(struct journal *j, const char *name, uint32_t vmid, int64_t wall_ms)
{
	if (fallen_find(j, name, vmid, wall_ms))
		return;
	if (j->n_fallen >= JOURNAL_FALLEN_MAX) {
		journal_clear_fallen(&j->fallen[0]);
		memmove(&j->fallen[0], &j->fallen[1], --j->n_fallen * sizeof(*j->fallen));
	}
	MEM_PUSH_ROOM(j->fallen, j->n_fallen, j->cap_fallen);
	j->fallen[j->n_fallen++] =
	    (struct fallen){.vmid = vmid, .name = mem_strdup(name), .wall_ms = wall_ms};
}

void journal_clear_fallen(struct fallen *f)
{
	free(f->name);
	free(f->boot);
}

/* It was asked for again: that is when it fell, if it does. */
static void fallen_touch(struct fallen *f, int64_t wall_ms, int64_t now_ms, const char *boot)
{
	if (f->boot && !boot && wall_ms <= f->last_ms)
		return; /* the same, by who knows less of it */
	f->last_ms = wall_ms > f->last_ms ? wall_ms : f->last_ms;
	f->now_ms = now_ms;
	mem_replace(&f->boot, boot);
	f->dated = false;
}

static void set_departure(
    struct journal *j, struct item *it, const struct departure *d, const char *boot)
{
	char *upid = mem_strdup(d->upid); /* before the old one goes: d may be it */

	journal_clear_departure(it);
	it->departure = *d;
	it->departure.upid = upid;
	it->departs = true;
	if (!d->deleting)
		return;
	fallen_add(j, it->name, d->vmid, d->wall_ms);
	fallen_touch(fallen_find(j, it->name, d->vmid, d->wall_ms), d->wall_ms, d->now_ms, boot);
}

static void set_doubt(struct journal *j, const char *name, bool doubted)
{
	struct strs rest = {0};

	for (size_t i = 0; i < j->doubts.n; i++)
		if (strcmp(j->doubts.v[i], name) != 0)
			strs_add(&rest, j->doubts.v[i]);
	if (doubted && rest.n < JOURNAL_NAMES_MAX)
		strs_add(&rest, name);
	strs_fini(&j->doubts);
	j->doubts = rest;
}

/* Of the end of VMs. */
int journal_replay_end(struct journal *j, const struct jsn *o, const char *kind, const char *name)
{
	struct item *it = journal_item(j, name);

	if (strcmp(kind, "fallen") == 0) {
		int64_t vmid = jsn_get_int(o, "vmid", 0);

		if (vmid < 100 || vmid > 999999999)
			return -1;
		int64_t wall_ms = jsn_get_int(o, "wall_ms", 0);
		fallen_add(j, name, (uint32_t)vmid, wall_ms);
		struct fallen *f = fallen_find(j, name, (uint32_t)vmid, wall_ms);
		f->past |= jsn_get_bool(o, "past", false);
		fallen_touch(f, jsn_get_int(o, "last_ms", wall_ms), jsn_get_int(o, "now_ms", 0),
		    jsn_get_text(o, "boot"));
	} else if (strcmp(kind, "left") == 0) {
		const char *text = jsn_get_text(o, "text");

		if (text && j->left.n < JOURNAL_FALLEN_MAX)
			kv_set(&j->left, name, text);
		else
			kv_del(&j->left, name);
	} else if (strcmp(kind, "doubt") == 0) {
		set_doubt(j, name, jsn_get_bool(o, "doubted", false));
	} else if (strcmp(kind, "depart") == 0 && it && it->has_record) {
		struct departure d = {.vmid = it->record.vmid,
		    .deleting = jsn_get_bool(o, "deleting", false),
		    .upid = (char *)jsn_get_text(o, "upid"),
		    .wall_ms = jsn_get_int(o, "wall_ms", 0),
		    .now_ms = jsn_get_int(o, "now_ms", 0)};

		if (jsn_get_int(o, "vmid", 0) != (int64_t)d.vmid)
			return -1;
		set_departure(j, it, &d, jsn_get_text(o, "boot"));
	} else if (strcmp(kind, "depart-upid") == 0 && it && it->departs) {
		mem_replace(&it->departure.upid, jsn_get_text(o, "upid"));
	} else if (strcmp(kind, "stay") == 0 && it) {
		journal_clear_departure(it);
	}
	return 0;
}

bool journal_is_end(const char *kind)
{
	static const char *const kinds[] = {
	    "fallen", "left", "doubt", "depart", "depart-upid", "stay"};

	for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
		if (strcmp(kind, kinds[i]) == 0)
			return true;
	return false;
}

int journal_depart(struct journal *j, const char *name, const struct departure *d, struct err **err)
{
	struct item *it = journal_item(j, name);

	MUST(it && it->has_record && it->record.vmid == d->vmid);
	if (journal_add_line(j, journal_line_depart(name, d, j->boot), err) < 0)
		return -1;
	set_departure(j, it, d, j->boot);
	for (size_t i = 0; d->deleting && i < j->n_fallen; i++)
		j->fallen[i].own |= j->fallen[i].vmid == d->vmid && !j->fallen[i].past &&
				    strcmp(j->fallen[i].name, name) == 0;
	journal_maybe_compact(j);
	return 0;
}

int journal_depart_upid(struct journal *j, const char *name, const char *upid, struct err **err)
{
	struct item *it = journal_item(j, name);

	MUST(it && it->departs);
	if (journal_add_line(j, journal_line_depart_upid(name, upid), err) < 0)
		return -1;
	mem_replace(&it->departure.upid, upid);
	return 0;
}

const struct departure *journal_departure(const struct journal *j, const char *name)
{
	const struct item *it = journal_item(j, name);

	return it && it->departs ? &it->departure : NULL;
}

int journal_stay(struct journal *j, const char *name, struct err **err)
{
	struct item *it = journal_item(j, name);

	if (!it || !it->departs)
		return 0;
	if (journal_add_line(j, journal_line_stay(name), err) < 0)
		return -1;
	journal_clear_departure(it);
	return 0;
}

static void date(const struct journal *j, struct fallen *f, int64_t now_ms, int64_t wall_ms)
{
	int64_t last = f->last_ms > f->wall_ms ? f->last_ms : f->wall_ms, age = wall_ms - last;

	if (f->boot && text_eq(f->boot, j->boot) && f->now_ms <= now_ms) {
		f->at_ms = f->now_ms;
		f->unsure = false;
		return;
	}
	f->unsure = age < 0 || age > now_ms;
	f->at_ms = age < 0 ? now_ms : age > now_ms ? 0 : now_ms - age;
}

void journal_set_boot(struct journal *j, const char *boot)
{
	mem_replace(&j->boot, boot);
}

void journal_date(struct journal *j, int64_t now_ms, int64_t wall_ms)
{
	for (size_t i = 0; i < j->n_fallen; i++) {
		struct fallen *f = &j->fallen[i];

		if (!f->dated)
			date(j, f, now_ms, wall_ms);
		f->dated = true;
	}
}

size_t journal_fallen(const struct journal *j, const struct fallen **ret)
{
	*ret = j->fallen;
	return j->n_fallen;
}

int journal_add_fallen(
    struct journal *j, const char *name, uint32_t vmid, int64_t wall_ms, struct err **err)
{
	struct fallen f = {.vmid = vmid, .name = (char *)name, .wall_ms = wall_ms};

	if (fallen_find(j, name, vmid, wall_ms))
		return 0;
	if (journal_add_line(j, journal_line_fallen(&f), err) < 0)
		return -1;
	fallen_add(j, name, vmid, wall_ms);
	return 0;
}

int journal_is_there_again(struct journal *j, const char *name, uint32_t vmid, struct err **err)
{
	for (size_t i = 0; i < j->n_fallen; i++) {
		struct fallen *f = &j->fallen[i], past = *f;

		if (f->past || f->vmid != vmid || strcmp(f->name, name) != 0)
			continue;
		past.past = true;
		if (journal_add_line(j, journal_line_fallen(&past), err) < 0)
			return -1;
		f->past = true;
	}
	return 0;
}

int journal_leave(struct journal *j, const char *key, const char *text, struct err **err)
{
	if (text_eq(kv_get(&j->left, key), text))
		return 0;
	if (journal_add_line(j, journal_line_left(key, text), err) < 0)
		return -1;
	if (text)
		kv_set(&j->left, key, text);
	else
		kv_del(&j->left, key);
	return 0;
}

const struct kv *journal_leftovers(const struct journal *j)
{
	return &j->left;
}

int journal_doubt(struct journal *j, const char *name, bool doubted, struct err **err)
{
	if (journal_is_doubted(j, name) == doubted)
		return 0;
	if (journal_add_line(j, journal_line_doubt(name, doubted), err) < 0)
		return -1;
	set_doubt(j, name, doubted);
	return 0;
}

bool journal_is_doubted(const struct journal *j, const char *name)
{
	return strs_has(&j->doubts, name);
}

const char *journal_history(const struct journal *j)
{
	return j->history;
}

int journal_set_history(struct journal *j, const char *rev, struct err **err)
{
	if (text_eq(j->history, rev))
		return 0;
	if (journal_add_line(j, journal_line_history(rev), err) < 0)
		return -1;
	mem_replace(&j->history, rev);
	return 0;
}

const char *journal_cluster(const struct journal *j)
{
	return j->cluster;
}

int journal_set_cluster(struct journal *j, const char *name, struct err **err)
{
	if (text_eq(j->cluster, name))
		return 0;
	if (journal_add_line(j, journal_line_cluster(name), err) < 0)
		return -1;
	mem_replace(&j->cluster, name);
	return 0;
}
