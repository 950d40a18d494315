/*
 * guest: machine: one VM, from its manifest to its state and back, one turn after the other: read,
 * plan, carry out one step, read again.
 *
 * Not the plan (plan/) and not the calls (ops.h). Machines know nothing of one another but through
 * the environment: a stuck VM holds up nobody.
 *
 * The guest owns its record, plan and status, and lends the last two until the next turn. The
 * environment belongs to the controller and outlives all guests.
 *
 * The controller process.
 */
#ifndef RAMET_GUEST_H
#define RAMET_GUEST_H

#include "bundle.h"
#include "claims.h"
#include "gate.h"
#include "needs.h"
#include "ops.h"
#include "ports.h"
#include "status.h"

enum guest_state {
#define GUEST(code, name, longest_ms, doc) GUEST_##code,
#include "guest.def"
#undef GUEST
	GUEST__MAX
};

struct guest;

/* What the manifests of a bundle need, for the words about a refusal; 0 = not read yet. */
struct guest_rights {
	struct bundle *bundle;
	struct needs needs;
};
void guest_rights_fini(struct guest_rights *r);

struct guest_env {
	struct clock *clock;
	struct pvereq *pve;
	struct journal *journal;
	struct gate *gate;
	struct inventory *inventory;
	struct claims *claims;
	const struct plan_policy *policy;
	struct op_env op;
	const char *pve_user; /* of the token, without its secret; NULL = not known */
	struct guest_rights *rights;
	int64_t full_read_ms;
	bool readonly; /* plan, or --observe-only: no operation, no line in the journal */
	bool stopping; /* no new operation */
	/* All places where a VM may be on record were read: NULL, or what is missing. hint: what a
	 * person has to do about it; NULL = it comes by itself. */
	const char *(*not_ready)(void *arg, const char **ret_hint);
	/* g was renamed from `old`: takes the record over (guest_take_record). True: not yet, the
	 * old name still has something under way. */
	bool (*take_over)(void *arg, struct guest *g, const char *old);
	/* The VM of that name is Ready as its manifest in force says. */
	bool (*dependency_ready)(void *arg, const char *name);
	/* A VM may be the one that g is to clone: who it is; NULL = none. Good until the next call.
	 */
	const char *(*lookalike)(void *arg, const struct guest *g);
	/* The same of one whose old name nobody knows: why it may be there under a third one. */
	const char *(*renamed)(void *arg, const struct guest *g);
	/* Why nothing may be changed just now: TAKING_OVER, REPLACED; IN_SYNC = nothing. */
	enum reason (*held)(void *arg);
	/* Another instance acted until a moment ago, or may have: what is gone may be its work. */
	bool (*rivalled)(void *arg);
	/* Asked before a record is written that may as well be written in the next turn of the
	 * loop: so many were in this one that others wait. */
	bool (*is_crowded)(void *arg);
	/* What speaks against destroying the VM of g. The texts are good until the next call. */
	void (*peril)(void *arg, const struct guest *g, struct plan_peril *ret);
	/* The status changed. event: one line for the commit message, or NULL; it replaces an
	 * earlier one that it begins with. */
	void (*changed)(void *arg, struct guest *g, const char *event);
	void (*note)(void *arg, enum note_kind kind, const char *vm, const char *text, int percent);
	void *arg;
};

struct guest *guest_new(const struct guest_env *env, const char *name);
void guest_free(struct guest **g);

/* What a status tree told, for a VM that the journal does not know. Before guest_want. */
void guest_restore(struct guest *g, const struct vmstat *old);
/* The record was lost, and this guest carries the marker of the name. Nothing is done when there is
 * a record or an intent. */
void guest_take_claim(struct guest *g, const struct claim *c);
/* A person's word that the record, which was rebuilt, is right. False, and nothing is done, unless
 * number and UUID are those on record. */
bool guest_confirm(struct guest *g, uint32_t vmid, const char *uuid);
/* The record goes over from a name that is no more. False, and nothing is done, while that one has
 * something under way or the journal cannot be written. */
bool guest_take_record(struct guest *g, struct guest *from);
/* The manifest in force, NULL = it is gone. b is referenced. Makes the guest due when it changed.
 */
void guest_want(struct guest *g, struct bundle *b, const struct bundle_entry *entry);
/* Something happened to it, or it may go on. Never disturbs an operation under way. */
void guest_wake(struct guest *g);
/* There is a new view of the cluster: those that wait for one go on. */
void guest_view(struct guest *g);

const char *guest_name(const struct guest *g);
enum guest_state guest_state(const struct guest *g);
const char *guest_state_name(enum guest_state s);
uint32_t guest_vmid(const struct guest *g); /* 0 = none yet */
bool guest_is_wanted(const struct guest *g);
const struct record *guest_record(const struct guest *g);
const struct vmstat *guest_status(const struct guest *g);
/* Puts the number and nonce of an open intent into the status, so that a report tells them. */
void guest_show_intent(struct guest *g);
const struct plan *guest_plan(const struct guest *g); /* NULL = none was made */
/* Planned since the manifest in force came, and neither reading nor acting now. */
bool guest_is_quiet(const struct guest *g);
/* Quiet, and nothing is going to happen by itself soon; waits longer than this are for others. */
bool guest_is_settled(const struct guest *g);
/* Its manifest asks for it to be absent. */
bool guest_is_leaving(const struct guest *g);
/* Its end is ordered, by its manifest or by the lack of one, and nothing written forbids it. */
bool guest_is_ordered(const struct guest *g);
/* Its manifest is there with findings, and no version of it is in force or known. */
bool guest_is_missed(const struct guest *g);
/* Disks of its VM are linked to those of the template. */
bool guest_is_linked_to(const struct guest *g, uint32_t vmid);
/* The manifest in force, NULL = it is gone. Borrowed. */
const struct resource *guest_manifest(const struct guest *g);
/* The manifest in force is still the one that was planned for. */
bool guest_is_current(const struct guest *g);
/* An operation is under way. */
bool guest_is_acting(const struct guest *g);

#endif
