/* ramet adopt: confirms a record that was rebuilt from a marker. */
#include <stdlib.h>
#include <string.h>

#include "journal.h"
#include "peekstore.h"
#include "setup.h"
#include "store.h"

#define LOOK_MS 500
#define LOOKS_MAX 120

struct adopt {
	const struct cli *cli;
	struct setup setup;
	const char *name, *dir;
	struct record rec;
	unsigned looks;
	bool taken;
};

static int no_record(const struct adopt *a, const struct journal *j, struct err **err)
{
	const char *near = NULL;
	struct strs names = {0};
	for (size_t i = 0; journal_name(j, i); i++)
		strs_add(&names, journal_name(j, i));
	near = text_nearest(a->name, (const char *const *)names.v, names.n);
	(void)err_set(err, ERR_NOTFOUND, "the journal in %s has no VM of %s", a->dir, a->name);
	if (near)
		(void)err_hint(err, "did you mean %s?", near);
	else
		(void)err_hint(err, "call it where the controller runs, with its configuration; "
				    "from elsewhere, put the annotation ramet.dev/adopt into the "
				    "manifest");
	strs_fini(&names);
	return -1;
}

/* What is on record now. */
static int read_record(struct adopt *a, struct store *store, struct err **err)
{
	struct journal *j = NULL;
	if (journal_open(store, a->setup.config->controller_id, true, &j, err) != 0)
		return -1;
	const struct record *r = journal_find(j, a->name);
	int rc = r && r->vmid ? 0 : no_record(a, j, err);
	if (rc == 0 && (!r->uuid || !*r->uuid)) {
		rc = err_set(
		    err, ERR_NOTFOUND, "VM %u of %s has not been read yet", r->vmid, a->name);
		(void)err_hint(err, "try again once the controller has read it");
	}
	if (rc == 0) {
		record_fini(&a->rec);
		record_copy(&a->rec, r);
	}
	journal_free(&j);
	return rc;
}

static int say(const struct adopt *a, const char *what)
{
	_cleanup_str_ char *line = mem_printf(
	    "%s is VM %u with the UUID %s: %s\n", a->name, a->rec.vmid, a->rec.uuid, what);
	return cli_put(line) ? CLI_OK : CLI_ERROR;
}

/* Nobody else holds the journal. */
static int write_record(struct adopt *a, struct store *store, struct err **err)
{
	struct journal *j = NULL;
	if (journal_open(store, a->setup.config->controller_id, false, &j, err) != 0)
		return -1;
	const struct record *r = journal_find(j, a->name);
	int rc = 0;
	if (!r || r->vmid != a->rec.vmid || !text_eq(r->uuid, a->rec.uuid)) {
		rc = err_set(err, ERR_BUSY, "the record of %s has just changed", a->name);
	} else {
		a->rec.proven = true;
		rc = journal_record(j, a->name, &a->rec, err);
	}
	journal_free(&j);
	return rc;
}

/* ---- a controller runs ---- */

static void on_timer(void *arg)
{
	struct adopt *a = arg;
	_cleanup_err_ struct err *err = NULL;
	struct store *store = NULL;
	if (peekstore_open(a->dir, &store, &err) == 0 && read_record(a, store, &err) == 0)
		a->taken = a->rec.proven;
	peekstore_close(&store);
	if (a->taken || ++a->looks >= LOOKS_MAX)
		loop_stop(a->setup.loop);
	else
		(void)clock_timer(a->setup.ports.clock, LOOK_MS, on_timer, a);
}

static int hand_over(struct adopt *a, struct err **err)
{
	_cleanup_str_ char *line = mem_printf("%u %s", a->rec.vmid, a->rec.uuid);
	_cleanup_str_ char *path = store_word_path(a->dir, a->name);
	if (store_leave_word(a->dir, a->name, line, err) != 0)
		return -1;
	(void)clock_timer(a->setup.ports.clock, 0, on_timer, a);
	if (loop_run(a->setup.loop, err) != 0)
		return -1;
	if (a->taken)
		return 0;
	(void)err_set(err, ERR_BUSY, "the controller has not taken up the confirmation");
	return err_hint(err,
	    "it lies in %s and counts when the controller sees the cluster again; see \"ramet "
	    "status\"",
	    path);
}

static int confirm(struct adopt *a)
{
	_cleanup_err_ struct err *err = NULL;
	struct store *store = NULL;
	if (read_record(a, a->setup.store, &err) != 0)
		return cli_fail(a->cli, err);
	if (a->rec.proven)
		return say(a, "it was confirmed before");
	int rc = store_open(a->dir, &store, &err);
	if (rc == 0) {
		rc = write_record(a, store, &err);
	} else if (err->code == ERR_BUSY) {
		err_free(&err);
		rc = hand_over(a, &err);
	}
	store_close(&store);
	return rc == 0 ? say(a, "confirmed") : cli_fail(a->cli, err);
}

int cmd_adopt(const struct cli *c)
{
	struct adopt a = {.cli = c, .setup = SETUP_NONE, .name = c->args[0]};
	if (!text_is_dns_label(a.name)) {
		_cleanup_err_ struct err *err = NULL;
		(void)err_set(&err, ERR_USAGE, "%s is no name of a manifest", a.name);
		(void)err_hint(&err, "it takes metadata.name, not a VMID or the name in PVE");
		return cli_fail(c, err);
	}
	int rc = setup_open(c, SETUP_JOURNAL, &a.setup);
	if (rc == CLI_OK) {
		a.dir = a.setup.config->controller_state_dir;
		rc = confirm(&a);
	}
	record_fini(&a.rec);
	setup_close(&a.setup);
	return rc;
}
