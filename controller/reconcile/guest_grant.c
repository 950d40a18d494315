/* What is told when PVE refuses something for lack of a right: which one, where, and the command
 * that gives it. The others go on. */
#include "guest_int.h"

#include <stdlib.h>
#include <string.h>

#define TEXT_CHARS 300
#define TAGS_MAX 64

/* A write was refused for a tag: once, for without that tag nothing more is refused for it. */
static bool lacks_tag(struct guest *g, const char *text)
{
	static const char words[] = "for modifying tag '";
	const struct obs_cluster *view = inventory_view(g->env->inventory);
	const char *own = g->env->policy->env.tag, *at = strstr(text, words);
	const char *from = at ? at + strlen(words) : "";
	_cleanup_str_ char *said = mem_strndup(from, strcspn(from, "'")), *tag = text_lower(said);
	bool is_own = own && text_eq_nocase(own, tag);

	if (!*tag || (is_own && g->tagless) || strs_has(&g->tags_refused, tag) ||
	    g->tags_refused.n >= TAGS_MAX)
		return false;
	if (is_own)
		g->tagless = true;
	else
		strs_add(&g->tags_refused, tag);
	mem_replace(&g->tag_rules, view->tag_rules);
	return true;
}

void guest_retry_tags(struct guest *g)
{
	g->tagless = false;
	strs_fini(&g->tags_refused);
}

void guest_look_at_tags(struct guest *g)
{
	const struct obs_cluster *view = inventory_view(g->env->inventory);

	if ((g->tagless || g->tags_refused.n) && !text_eq(g->tag_rules, view->tag_rules))
		guest_retry_tags(g);
}

void guest_rights_fini(struct guest_rights *r)
{
	needs_fini(&r->needs);
	bundle_unref(&r->bundle);
}

/* What the controller and all manifests need, as `ramet check` finds it: what is given on a path
 * replaces what it would inherit, so that nothing may be missing there. Read once for all VMs that
 * are refused: a token that lacks a right lacks it for many. */
static const struct needs *shared_needs(const struct guest *g)
{
	struct guest_rights *r = g->env->rights;

	if (r->needs.n && r->bundle == g->bundle)
		return &r->needs;
	guest_rights_fini(r);
	r->needs.shared = true;
	r->bundle = g->bundle;
	if (r->bundle)
		bundle_ref(r->bundle);
	needs_add_controller(&r->needs);
	for (size_t i = 0; r->bundle && i < r->bundle->n; i++)
		needs_add_manifest(&r->needs, r->bundle->v[i].res);
	return &r->needs;
}

/* What this VM needs by itself. */
static void collect(const struct guest *g, struct needs *l)
{
	const struct turn *t = g->turn;

	if (guest_wanted(g))
		needs_add_manifest(l, guest_wanted(g));
	for (size_t i = 0; t && t->has_source && t->want && i < t->source.current.n; i++)
		needs_add_source(
		    l, t->want, t->source.current.v[i].key, t->source.current.v[i].value);
}

static const struct need *need_of(const struct guest *g, const struct needs *all, struct needs *own,
    const struct strs *privileges, const char *path)
{
	const struct need *n = grant_need(all, privileges, path);

	if (!n)
		n = grant_need(own, privileges, path);
	if (n)
		return n;
	if (text_starts(path, "/vms/") && guest_wanted(g))
		needs_add_vm(own, guest_wanted(g), privileges->v[0], "the step");
	else
		needs_add_path(own, privileges->v[0], path, "the step");
	return grant_need(own, privileges, path);
}

char *guest_lack(
    const struct guest *g, const struct grant_call *call, const char *text, char **ret_hint)
{
	_cleanup_needs_ struct needs own = {0}, there = {0};
	_cleanup_strs_ struct strs privileges = {0};
	_cleanup_str_ char *path = NULL, *line = text_oneline(text, TEXT_CHARS);

	if (grant_lack(call, text, &privileges, &path) < 0 || !privileges.n) {
		*ret_hint = NULL;
		return TAKE(line);
	}
	_cleanup_str_ char *names = strs_join(&privileges, " or ");
	const struct needs *all = shared_needs(g);
	collect(g, &own);
	const struct need *n = need_of(g, all, &own, &privileges, path);
	const char *at = n ? n->path : path;
	needs_add_at(&there, all, at);
	needs_add_at(&there, &own, at);
	needs_sort(&there);
	*ret_hint = grant_command(&there, at, g->env->pve_user);
	return mem_printf("the token lacks %s on %s: %s", names, path, line);
}

/* What the leaves of a step need where the endpoint leaves it open. */
static void privileges_of(const struct guest *g, struct strs *ret)
{
	const struct plan *p = g->turn && g->turn->planned ? &g->turn->plan : NULL;

	for (size_t i = 0; p && i < p->n_changes; i++) {
		const struct change *c = &p->changes[i];
		const char *privilege = c->attr && c->step == 0 ? c->attr->privilege : NULL;

		if (privilege && !strchr(privilege, ' ') && !strs_has(ret, privilege))
			strs_add(ret, privilege);
	}
	if (!ret->n) /* the marker, the tag */
		strs_add(ret, "VM.Config.Options");
}

void guest_forbidden(struct guest *g, const struct op_result *r)
{
	_cleanup_strs_ struct strs privileges = {0};
	_cleanup_str_ char *text = text_oneline(r->text, TEXT_CHARS), *said = NULL, *hint = NULL;
	const char *words = guest_hint(r->why, r->text);
	struct grant_call call = r->call;

	if (lacks_tag(g, r->text)) {
		guest_wait(g, REASON_UPDATING, text, 0, false);
		return;
	}
	g->fails++;
	privileges_of(g, &privileges);
	call.privileges = &privileges;
	said = guest_lack(g, &call, r->text, &hint);
	guest_stall(g, REASON_FORBIDDEN, said, words ? words : hint);
}
