#include "match.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "destroy.h"
#include "rootcmd.h"

static enum match done(struct planner *pl, enum plan_verdict v, enum reason r, const char *fmt, ...)
    PRINTF(4, 5);

static enum match done(struct planner *pl, enum plan_verdict v, enum reason r, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	pl->out->verdict = v;
	pl->out->reason = r;
	free(pl->out->message);
	pl->out->message = mem_vprintf(fmt, ap);
	va_end(ap);
	return MATCH_DONE;
}

/* "+02:00" in seconds; 0 for Z. */
static int64_t offset_of(const char *s)
{
	_cleanup_strs_ struct strs parts = {0};
	int64_t hours, minutes;

	if ((*s != '+' && *s != '-') || text_split(s + 1, ":", false, 2, &parts) < 0 ||
	    parts.n != 2 || text_to_int(parts.v[0], 0, 23, &hours) < 0 ||
	    text_to_int(parts.v[1], 0, 59, &minutes) < 0)
		return 0;
	int64_t seconds = hours * 3600 + minutes * 60;
	return *s == '-' ? -seconds : seconds;
}

/* RFC 3339 with Z or an offset, to wall milliseconds. The form was checked with the manifest. */
static int parse_time(const char *text, int64_t *ret_ms)
{
	_cleanup_str_ char *s = mem_strdup(text);
	struct tm tm = {0};

	if (strlen(s) > 10)
		s[10] = 'T'; /* or a blank, or a small letter */
	const char *rest = strptime(s, "%Y-%m-%dT%H:%M:%S", &tm);
	if (!rest)
		return -1;
	if (*rest == '.')
		rest += 1 + strspn(rest + 1, "0123456789");
	*ret_ms = ((int64_t)timegm(&tm) - offset_of(rest)) * 1000;
	return 0;
}

static bool is_suspended_by_manifest(struct planner *pl)
{
	const char *reason = planner_text(pl, ATTR_suspend_reason, NULL);
	const char *until = planner_text(pl, ATTR_suspend_until, NULL);
	const char *owner = planner_text(pl, ATTR_suspend_owner, NULL);
	int64_t end;

	if (!reason && !until && !owner)
		return false;
	if (until && parse_time(until, &end) == 0 && pl->in->wall_ms >= end)
		return false;
	_cleanup_str_ char *shown = text_oneline(reason ? reason : "", 200);
	done(pl, PLAN_OFF, REASON_SUSPEND_SPEC, "the manifest says suspend%s%s%s%s%s%s",
	    *shown ? ": " : "", shown, owner ? ", by " : "", owner ? owner : "",
	    until ? ", until " : "", until ? until : "");
	return true;
}

static bool has_tag(const struct obs_guest *g, const char *tag)
{
	const char *text = kv_get(&g->current, "tags");
	_cleanup_strs_ struct strs tags = {0};

	if (!text || !tag || !*tag || text_split(text, ";, \t", true, 1024, &tags) < 0)
		return false;
	for (size_t i = 0; i < tags.n; i++)
		if (text_eq_nocase(tags.v[i], tag))
			return true;
	return false;
}

static bool is_our_uuid(const struct record *r, const struct obs_guest *g)
{
	return r && r->uuid && *r->uuid && text_eq_nocase(r->uuid, g->uuid);
}

/* The annotation names the VM by number and UUID. */
static bool is_named(const struct planner *pl)
{
	const struct obs_guest *g = pl->in->guest;
	const char *uuid = pl->want->adopt;

	return uuid && *uuid && g->uuid && text_eq_nocase(uuid, g->uuid) &&
	       resource_int(pl->want, ATTR_id) == (int64_t)g->vmid;
}

/* It is named, and nobody else owns it. */
static bool may_adopt(const struct planner *pl, enum marker_found found)
{
	return is_named(pl) && (found == MARKER_NONE || found == MARKER_GARBLED);
}

static enum match unmarked(struct planner *pl, enum marker_found found)
{
	const struct obs_guest *g = pl->in->guest;
	const struct record *r = pl->in->record;

	/* The record of an adoption under way is made before its marker is written. */
	bool first = !r || !r->synced_hash[0];
	if (first && may_adopt(pl, found)) {
		pl->adopting = true;
		return MATCH_OURS;
	}
	if (is_our_uuid(r, g))
		return done(pl, PLAN_OFF, REASON_RELEASED,
		    "VM %u has no marker any more%s: somebody took it out of Ramet's hands",
		    g->vmid, found == MARKER_GARBLED ? " that can be read" : "");
	return done(pl, PLAN_STALLED, REASON_FOREIGN_VM,
	    "VM %u carries no marker of ours%s and is not touched", g->vmid,
	    r && r->uuid ? " and another SMBIOS UUID than recorded" : "");
}

/* As a backup that was restored with an identity of its own, or with none. */
static enum match another_uuid(struct planner *pl)
{
	const struct obs_guest *g = pl->in->guest;
	bool has = g->uuid && *g->uuid;

	if (has)
		pl->out->hint = mem_printf(
		    "if it is the one that is meant, as a backup restored over it with a UUID of "
		    "its own: spec.id: %u and the annotation ramet.dev/adopt: %s; if not, take the "
		    "line \"ramet: …\" out of its notes and give spec.id another number, or remove "
		    "the manifest",
		    g->vmid, g->uuid);
	return done(pl, PLAN_STALLED, REASON_FOREIGN_VM,
	    "VM %u has the SMBIOS UUID %s, recorded was %s: it is another VM and not touched",
	    g->vmid, has ? g->uuid : "(none)", pl->in->record->uuid);
}

static enum match marked(struct planner *pl, const struct marker *m)
{
	const struct obs_guest *g = pl->in->guest;
	const struct record *r = pl->in->record;

	if (m->vmid != g->vmid)
		return done(pl, PLAN_STALLED, REASON_COPIED_MARKER,
		    "VM %u carries the marker of VM %u (%s/%s): it is a copy and not touched",
		    g->vmid, m->vmid, m->controller, m->name);
	bool ours = text_eq(m->controller, pl->policy->controller_id);
	if (ours && text_eq(m->name, pl->want->name)) {
		pl->renaming = false;
	} else if (ours && pl->want->renamed_from && *pl->want->renamed_from &&
		   text_eq(m->name, pl->want->renamed_from)) {
		pl->renaming = true;
	} else {
		return done(pl, PLAN_STALLED, REASON_FOREIGN_VM,
		    "VM %u belongs to %s/%s and is not touched", g->vmid, m->controller, m->name);
	}
	/* A person's word for this very VM is more than a record, which may be older than it. */
	bool known = r && r->uuid && *r->uuid && !is_named(pl);
	if (known && !is_our_uuid(r, g))
		return another_uuid(pl);
	if (!known && r && r->nonce && !is_named(pl) && !text_eq(r->nonce, m->nonce))
		return done(pl, PLAN_STALLED, REASON_FOREIGN_VM,
		    "the marker of VM %u is not the one that was drawn for it", g->vmid);
	mem_replace(&pl->out->learned.nonce, m->nonce);
	return MATCH_OURS;
}

/* The guest that was read is one to compare with the manifest. */
static enum match whose(struct planner *pl)
{
	const struct obs_guest *g = pl->in->guest;
	const char *text = kv_get(&g->current, "description");
	struct marker m = {0};
	enum match r;

	/* What PVE leaves for a moment, or for good when it is cut short: nothing to know it by.
	 * That we did it ourselves may have been forgotten. */
	if (text_eq(g->lock, "destroyed") && (pl->in->going || !g->uuid || !*g->uuid)) {
		done(pl, PLAN_STALLED, REASON_DEBRIS,
		    "VM %u was being destroyed, and that broke off: its configuration is left",
		    g->vmid);
		pl->out->hint = rootcmd_clear(g->node, g->vmid, "task destroys it",
		    resource_bool(pl->want, ATTR_purge_on_destroy));
		return MATCH_DONE;
	}
	if (pl->in->record && pl->in->record->vmid && pl->in->record->vmid != g->vmid)
		return done(pl, PLAN_STALLED, REASON_BUG, "VM %u was read instead of %u", g->vmid,
		    pl->in->record->vmid);
	enum marker_found found = marker_find(text ? text : "", &m);
	if (found == MARKER_SEVERAL)
		return done(pl, PLAN_STALLED, REASON_COPIED_MARKER,
		    "VM %u carries several markers that differ, and is not touched", g->vmid);
	r = found == MARKER_OK ? marked(pl, &m) : unmarked(pl, found);
	marker_fini(&m);
	if (r != MATCH_OURS)
		return r;
	struct record *learned = &pl->out->learned;
	learned->vmid = g->vmid;
	mem_replace(&learned->uuid, g->uuid);
	mem_replace(&learned->node, g->node);
	/* The annotation is a person's word for it, also when the record was lost. */
	learned->proven |= pl->want->adopt && *pl->want->adopt && g->uuid &&
			   text_eq_nocase(pl->want->adopt, g->uuid);
	if (!pl->adopting)
		destroy_learn_volumes(learned, g);
	return MATCH_OURS;
}

static enum match no_guest(struct planner *pl)
{
	const struct record *r = pl->in->record;
	const char *word = planner_text(pl, ATTR_on_missing, NULL);
	bool recreate = word ? text_eq(word, "recreate") : pl->policy->recreate_missing;

	if (!r || !r->vmid)
		return MATCH_CREATE;
	if (!pl->in->guest_gone)
		return done(pl, PLAN_WAIT, REASON_READING, "VM %u has not been read yet", r->vmid);
	if (recreate)
		return MATCH_CREATE;
	return done(pl, PLAN_STALLED, REASON_MISSING, "VM %u does not exist any more", r->vmid);
}

static enum match hands_off(struct planner *pl)
{
	pl->hands_off = true;
	if (!pl->in->guest)
		return MATCH_DONE;
	struct plan kept = *pl->out;
	pl->out->message = NULL;
	/* Somebody else's VM is not compared even for the report. */
	bool ours = whose(pl) == MATCH_OURS;
	free(pl->out->message);
	mem_free_str(&pl->out->hint);
	pl->out->verdict = kept.verdict;
	pl->out->reason = kept.reason;
	pl->out->message = kept.message;
	return ours ? MATCH_OURS : MATCH_DONE;
}

enum match match_guest(struct planner *pl)
{
	if (is_suspended_by_manifest(pl))
		return hands_off(pl);
	bool absent = text_eq(planner_text(pl, ATTR_state, NULL), "absent");
	if (!pl->in->guest) {
		enum match r = no_guest(pl);
		if (!absent || r != MATCH_CREATE)
			return absent && pl->out->reason == REASON_MISSING
				   ? done(pl, PLAN_IN_SYNC, REASON_IN_SYNC,
					 "the VM is gone, as state: absent asks")
				   : r;
		return done(
		    pl, PLAN_IN_SYNC, REASON_IN_SYNC, "there is no VM, as state: absent asks");
	}
	enum match r = whose(pl);
	if (r != MATCH_OURS)
		return r;
	if (has_tag(pl->in->guest, pl->policy->env.suspend_tag)) {
		done(pl, PLAN_OFF, REASON_SUSPEND_TAG, "VM %u carries the tag %s",
		    pl->in->guest->vmid, pl->policy->env.suspend_tag);
		pl->hands_off = true;
		return MATCH_OURS;
	}
	return absent ? MATCH_END : MATCH_OURS;
}
