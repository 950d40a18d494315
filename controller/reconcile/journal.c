#include "journal.h"

#include "journal_int.h"
#include "journal_line.h"
#include "log.h"

#include <stdlib.h>
#include <string.h>

#define COMPACT_SLACK 2000 /* lines beyond what is needed before the file is rewritten */
#define GATHER_LINES 16	   /* more than so many at once are written by rewriting the file */

void intent_fini(struct intent *in)
{
	free(in->nonce);
	free(in->source_uuid);
	free(in->source_node);
	free(in->target_node);
	free(in->upid);
	kv_fini(&in->cloned);
	*in = (struct intent){0};
}

void intent_copy(struct intent *dst, const struct intent *src)
{
	*dst = *src;
	dst->nonce = mem_strdup(src->nonce);
	dst->source_uuid = mem_strdup(src->source_uuid);
	dst->source_node = mem_strdup(src->source_node);
	dst->target_node = mem_strdup(src->target_node);
	dst->upid = mem_strdup(src->upid);
	kv_copy(&dst->cloned, &src->cloned);
}

/* Where name stands, or would stand. */
static size_t item_place(const struct journal *j, const char *name)
{
	return MEM_PLACE(at, j->n, strcmp(j->v[at].name, name) < 0);
}

struct item *journal_item(const struct journal *j, const char *name)
{
	size_t i = item_place(j, name);

	return i < j->n && strcmp(j->v[i].name, name) == 0 ? &j->v[i] : NULL;
}

struct item *journal_item_make(struct journal *j, const char *name)
{
	size_t i = item_place(j, name);

	if (i < j->n && strcmp(j->v[i].name, name) == 0)
		return &j->v[i];
	MEM_PUSH_ROOM(j->v, j->n, j->cap);
	memmove(&j->v[i + 1], &j->v[i], (j->n - i) * sizeof(*j->v));
	j->n++;
	j->v[i] = (struct item){.name = mem_strdup(name)};
	return &j->v[i];
}

static void item_fini(struct item *it)
{
	journal_clear_departure(it);
	journal_clear_step(it);
	free(it->name);
	if (it->has_record)
		record_fini(&it->record);
	if (it->has_intent)
		intent_fini(&it->intent);
}

void journal_item_drop_if_empty(struct journal *j, struct item *it)
{
	size_t i = (size_t)(it - j->v);

	if (it->has_record || it->has_intent || it->steps)
		return;
	item_fini(it);
	j->n--;
	memmove(&j->v[i], &j->v[i + 1], (j->n - i) * sizeof(*j->v));
}

static size_t used_place(const struct journal *j, uint32_t vmid)
{
	return MEM_PLACE(at, j->n_used, j->used[at] < vmid);
}

static void used_add(struct journal *j, uint32_t vmid)
{
	size_t i = used_place(j, vmid);

	if (vmid == 0 || (i < j->n_used && j->used[i] == vmid))
		return;
	MEM_PUSH_ROOM(j->used, j->n_used, j->cap_used);
	memmove(&j->used[i + 1], &j->used[i], (j->n_used - i) * sizeof(*j->used));
	j->used[i] = vmid;
	j->n_used++;
}

static void set_record(struct journal *j, const char *name, const struct record *rec)
{
	struct item *it = journal_item_make(j, name);

	if (it->departs && it->departure.vmid != rec->vmid)
		journal_clear_departure(it);
	if (it->steps && it->doing.vmid != rec->vmid)
		journal_clear_step(it);
	if (it->has_record)
		record_fini(&it->record);
	record_copy(&it->record, rec);
	it->has_record = true;
	used_add(j, rec->vmid);
}

static void set_intent(struct journal *j, const char *name, const struct intent *in)
{
	struct item *it = journal_item_make(j, name);
	struct intent copy;

	intent_copy(&copy, in); /* before the old one goes: in may be it */
	if (it->has_intent)
		intent_fini(&it->intent);
	it->intent = copy;
	it->has_intent = true;
	used_add(j, in->vmid);
}

static void clear_intent(struct item *it)
{
	if (it->has_intent)
		intent_fini(&it->intent);
	it->has_intent = false;
}

static int replay_named(struct journal *j, const struct jsn *o, const char *kind, const char *name)
{
	struct item *it = journal_item(j, name);

	if (journal_is_end(kind))
		return journal_replay_end(j, o, kind, name);
	if (text_starts(kind, "step"))
		return journal_replay_step(j, o, kind, name);
	if (strcmp(kind, "intent") == 0) {
		struct intent in;

		if (j->n >= JOURNAL_NAMES_MAX || journal_line_get_intent(o, &in) < 0)
			return -1;
		set_intent(j, name, &in);
		intent_fini(&in);
		return 0;
	}
	if (strcmp(kind, "record") == 0) {
		struct record rec;

		if (j->n >= JOURNAL_NAMES_MAX || journal_line_get_record(o, &rec) < 0)
			return -1;
		set_record(j, name, &rec);
		record_fini(&rec);
		return 0;
	}
	if (!it)
		return 0;
	if (strcmp(kind, "upid") == 0 && it->has_intent) {
		mem_replace(&it->intent.upid, jsn_get_text(o, "upid"));
	} else if (strcmp(kind, "end") == 0) {
		clear_intent(it);
		journal_item_drop_if_empty(j, it);
	} else if (strcmp(kind, "forget") == 0) {
		if (it->has_record)
			record_fini(&it->record);
		it->has_record = false;
		journal_clear_departure(it);
		journal_clear_step(it);
		journal_item_drop_if_empty(j, it);
	}
	return 0;
}

static int replay_head(struct journal *j, const struct jsn *o, struct err **err)
{
	const char *id = jsn_get_text(o, "controller");

	if (jsn_get_int(o, "version", 0) != 1)
		return err_set(err, ERR_CONFIG,
		    "the journal in the state directory was written by a newer version");
	if (!text_eq(id, j->controller_id)) {
		err_set(err, ERR_CONFIG,
		    "the state directory belongs to the controller \"%s\", not to \"%s\"",
		    id ? id : "", j->controller_id);
		return err_hint(err, "give each controller.id a state directory of its own");
	}
	if (!j->instance)
		j->instance = mem_strdup(jsn_get_text(o, "instance"));
	return 0;
}

static int replay_line(struct journal *j, const char *line, struct err **err)
{
	_cleanup_jsn_ struct jsn *o = NULL;
	const char *kind, *name;

	if (jsn_parse(line, strlen(line), &o, NULL) < 0 || !(kind = jsn_get_text(o, "t"))) {
		log_warn("journal", "a line makes no sense, ignoring");
		return 0;
	}
	if (strcmp(kind, "ramet") == 0)
		return replay_head(j, o, err);
	name = jsn_get_text(o, "name");
	if (strcmp(kind, "scanned") == 0) {
		j->scanned = true;
	} else if (strcmp(kind, "unscanned") == 0) {
		j->scanned = false;
	} else if (strcmp(kind, "history") == 0) {
		mem_replace(&j->history, jsn_get_text(o, "rev"));
	} else if (strcmp(kind, "cluster") == 0) {
		mem_replace(&j->cluster, jsn_get_text(o, "of"));
	} else if (strcmp(kind, "used") == 0) {
		int64_t v = jsn_get_int(o, "vmid", 0);

		if (v >= 100 && v <= 999999999)
			used_add(j, (uint32_t)v);
	} else if (!name || replay_named(j, o, kind, name) < 0) {
		log_warn("journal", "a line of kind %s makes no sense, ignoring", kind);
	}
	return 0;
}

static int compact(struct journal *j, struct err **err)
{
	struct strs l = {0};
	int rc;

	strs_add_take(&l, journal_line_head(j->controller_id, j->instance));
	if (j->scanned)
		strs_add_take(&l, journal_line_scanned(true));
	for (size_t i = 0; i < j->n_used; i++)
		strs_add_take(&l, journal_line_used(j->used[i]));
	if (j->history)
		strs_add_take(&l, journal_line_history(j->history));
	if (j->cluster)
		strs_add_take(&l, journal_line_cluster(j->cluster));
	for (size_t i = 0; i < j->n_fallen; i++)
		strs_add_take(&l, journal_line_fallen(&j->fallen[i]));
	for (size_t i = 0; i < j->doubts.n; i++)
		strs_add_take(&l, journal_line_doubt(j->doubts.v[i], true));
	KV_FOREACH (it, &j->left)
		strs_add_take(&l, journal_line_left(it->key, it->value));
	for (size_t i = 0; i < j->n; i++) {
		if (j->v[i].has_record)
			strs_add_take(&l, journal_line_record(j->v[i].name, &j->v[i].record));
		if (j->v[i].departs)
			strs_add_take(
			    &l, journal_line_depart(j->v[i].name, &j->v[i].departure, NULL));
		if (j->v[i].steps)
			strs_add_take(&l, journal_line_step(j->v[i].name, &j->v[i].doing));
		if (j->v[i].has_intent)
			strs_add_take(&l, journal_line_intent(j->v[i].name, &j->v[i].intent));
	}
	rc = j->readonly ? 0 : j->store->ops->rewrite(j->store, &l, err);
	if (rc == 0) {
		j->lines = l.n;
		j->behind = false;
	}
	strs_fini(&l);
	return rc;
}

int journal_open(struct store *store, const char *controller_id, bool readonly,
    struct journal **ret, struct err **err)
{
	struct journal *j = mem_alloc(sizeof(*j));
	struct strs lines = {0};
	int rc;

	j->magic = JOURNAL_MAGIC;
	j->store = store;
	j->controller_id = mem_strdup(controller_id);
	j->readonly = readonly;
	rc = store->ops->load(store, &lines, err);
	for (size_t i = 0; rc == 0 && i < lines.n; i++)
		rc = replay_line(j, lines.v[i], err);
	if (rc == 0 && !j->instance) {
		j->instance = mem_alloc(17);
		crypt_random_hex(8, j->instance);
	}
	if (rc == 0)
		rc = compact(j, err);
	strs_fini(&lines);
	if (rc < 0)
		journal_free(&j);
	else
		*ret = j;
	return rc;
}

void journal_free(struct journal **jp)
{
	struct journal *j = *jp;

	if (!j)
		return;
	CHECK_OBJ(j, JOURNAL_MAGIC);
	for (size_t i = 0; i < j->n; i++)
		item_fini(&j->v[i]);
	for (size_t i = 0; i < j->n_fallen; i++)
		journal_clear_fallen(&j->fallen[i]);
	free(j->fallen);
	kv_fini(&j->left);
	strs_fini(&j->doubts);
	strs_fini(&j->gathered);
	free(j->history);
	free(j->boot);
	free(j->cluster);
	free(j->problem);
	free(j->v);
	free(j->used);
	free(j->controller_id);
	free(j->instance);
	j->magic = 0;
	free(j);
	*jp = NULL;
}

bool journal_is_scanned(const struct journal *j)
{
	return j->scanned;
}

const char *journal_instance(const struct journal *j)
{
	return j->instance;
}

const struct record *journal_find(const struct journal *j, const char *name)
{
	const struct item *it = journal_item(j, name);

	return it && it->has_record ? &it->record : NULL;
}

const struct intent *journal_intent(const struct journal *j, const char *name)
{
	const struct item *it = journal_item(j, name);

	return it && it->has_intent ? &it->intent : NULL;
}

const char *journal_name(const struct journal *j, size_t i)
{
	return i < j->n ? j->v[i].name : NULL;
}

const char *journal_holder(const struct journal *j, uint32_t vmid)
{
	for (size_t i = 0; vmid && i < j->n; i++) {
		const struct item *it = &j->v[i];

		if ((it->has_record && it->record.vmid == vmid) ||
		    (it->has_intent && it->intent.vmid == vmid))
			return it->name;
	}
	return NULL;
}

/* Keeps in mind whether the last writing worked. */
static int note_writing(struct journal *j, int rc, struct err *e, struct err **err)
{
	if (rc == 0) {
		mem_free_str(&j->problem);
		return 0;
	}
	mem_replace(&j->problem, err_msg(e));
	return err_pass(err, &e);
}

/* Takes the line over. */
static void gather_line(struct journal *j, char *line)
{
	j->lines++;
	if (!j->behind && j->gathered.n < GATHER_LINES) {
		strs_add_take(&j->gathered, line);
		return;
	}
	j->behind = true;
	free(line);
}

int journal_add_line(struct journal *j, char *line, struct err **err)
{
	struct err *e = NULL;
	int rc = j->behind && !j->gathering ? compact(j, &e) : 0;

	if (j->gathering) {
		gather_line(j, line);
		return 0;
	}
	if (rc == 0 && !j->readonly)
		rc = j->store->ops->append(j->store, line, &e);
	free(line);
	if (rc == 0)
		j->lines++;
	return note_writing(j, rc, e, err);
}

const char *journal_problem(const struct journal *j)
{
	return j->problem;
}

bool journal_try(struct journal *j)
{
	struct err *e = NULL;
	int rc;

	if (!j->problem)
		return true;
	/* Anew: a line whose writing failed may stand there all the same. */
	rc = compact(j, &e);
	return note_writing(j, rc, e, NULL) == 0;
}

void journal_gather(struct journal *j)
{
	j->gathering = true;
}

/* One by one: a few records are not worth a file of megabytes. */
static int append_gathered(struct journal *j, struct err **err)
{
	for (size_t i = 0; !j->readonly && i < j->gathered.n; i++)
		if (j->store->ops->append(j->store, j->gathered.v[i], err) < 0)
			return -1;
	return 0;
}

int journal_settle(struct journal *j, struct err **err)
{
	struct err *e = NULL;
	int rc = 0;

	j->gathering = false;
	if (!j->behind && !j->gathered.n)
		return 0;
	if (!j->behind && append_gathered(j, &e) < 0) {
		j->behind = true;
		rc = -1;
	} else if (j->behind) {
		rc = compact(j, &e);
	}
	strs_fini(&j->gathered);
	return note_writing(j, rc, e, err);
}

/* A compaction that fails costs nothing but space: the lines are all there. */
void journal_maybe_compact(struct journal *j)
{
	_cleanup_err_ struct err *e = NULL;

	if (j->gathering)
		return;
	if (j->lines > 2 * (j->n + j->n_used) + COMPACT_SLACK && compact(j, &e) < 0) {
		log_warn("journal", "%s, ignoring", err_msg(e));
		j->lines = 0; /* not again at every line */
	}
}

int journal_set_scanned(struct journal *j, bool scanned, struct err **err)
{
	if (j->scanned == scanned)
		return 0;
	if (journal_add_line(j, journal_line_scanned(scanned), err) < 0)
		return -1;
	j->scanned = scanned;
	return 0;
}

int journal_begin(struct journal *j, const char *name, const struct intent *in, struct err **err)
{
	if (journal_add_line(j, journal_line_intent(name, in), err) < 0)
		return -1;
	set_intent(j, name, in);
	journal_maybe_compact(j);
	return 0;
}

int journal_upid(struct journal *j, const char *name, const char *upid, struct err **err)
{
	struct item *it = journal_item(j, name);

	MUST(it && it->has_intent);
	if (journal_add_line(j, journal_line_upid(name, upid), err) < 0)
		return -1;
	mem_replace(&it->intent.upid, upid);
	return 0;
}

int journal_end(struct journal *j, const char *name, const struct record *rec, struct err **err)
{
	struct item *it;

	/* The record first: a crash between the two lines only proves the same VM once more. */
	if (rec && journal_record(j, name, rec, err) < 0)
		return -1;
	if (journal_add_line(j, journal_line_end(name), err) < 0)
		return -1;
	it = journal_item(j, name);
	if (it) {
		clear_intent(it);
		journal_item_drop_if_empty(j, it);
	}
	journal_maybe_compact(j);
	return 0;
}

int journal_record(struct journal *j, const char *name, const struct record *rec, struct err **err)
{
	const struct record *old = journal_find(j, name);

	if (old == rec || (old && record_eq(old, rec)))
		return 0;
	bool other = !old || old->vmid != rec->vmid || !text_eq(old->uuid, rec->uuid);
	if (other && journal_is_there_again(j, name, rec->vmid, err) < 0)
		return -1;
	if (journal_add_line(j, journal_line_record(name, rec), err) < 0)
		return -1;
	set_record(j, name, rec);
	journal_maybe_compact(j);
	return 0;
}

int journal_forget(struct journal *j, const char *name, struct err **err)
{
	struct item *it = journal_item(j, name);

	if (!it || !it->has_record)
		return 0;
	if (journal_add_line(j, journal_line_forget(name), err) < 0)
		return -1;
	record_fini(&it->record);
	it->has_record = false;
	journal_clear_departure(it);
	journal_clear_step(it);
	journal_item_drop_if_empty(j, it);
	return 0;
}

int journal_use(struct journal *j, uint32_t vmid, struct err **err)
{
	if (journal_is_used(j, vmid))
		return 0;
	if (journal_add_line(j, journal_line_used(vmid), err) < 0)
		return -1;
	used_add(j, vmid);
	return 0;
}

bool journal_is_used(const struct journal *j, uint32_t vmid)
{
	size_t i = used_place(j, vmid);

	return i < j->n_used && j->used[i] == vmid;
}

size_t journal_used(const struct journal *j, const uint32_t **ret)
{
	*ret = j->used;
	return j->n_used;
}
