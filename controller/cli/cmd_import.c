/* ramet import: a manifest for a VM that exists. */
#include <stdio.h>

#include "draft.h"
#include "marker.h"
#include "seevm.h"

#define VMID_MIN 100
#define VMID_MAX 999999999

static int take_vmid(const char *word, const char *text, uint32_t *ret, struct err **err)
{
	int64_t v;
	if (text_to_int(text, VMID_MIN, VMID_MAX, &v) == 0) {
		*ret = (uint32_t)v;
		return 0;
	}
	(void)err_set(err, ERR_USAGE, "%s: %s is no VMID", word, text);
	return err_hint(err, "a VMID is a number from %d to %d", VMID_MIN, VMID_MAX);
}

/* It is history, so it need not be there any more. */
static void tell_source(const struct obs_cluster *cl, uint32_t source)
{
	if (!obs_cluster_row(cl, source))
		fprintf(stderr,
		    "ramet: note: there is no VM %u now, or the token cannot see it; with "
		    "on_missing: recreate it would be needed\n",
		    source);
}

/* It is ours already, by its marker. A copied one has another number and says nothing. */
static void tell_owner(const struct obs_guest *g, const char *controller)
{
	struct marker m;
	const char *text = kv_get(&g->current, "description");
	if (!text || marker_find(text, &m) != MARKER_OK)
		return;
	if (m.vmid == g->vmid && text_eq(m.controller, controller))
		fprintf(stderr,
		    "ramet: note: VM %u is managed already, by the manifest named %s: change that "
		    "one, a second one of the same VM is refused\n",
		    g->vmid, m.name);
	marker_fini(&m);
}

static int run(const struct cli *c, uint32_t vmid, uint32_t source)
{
	_cleanup_setup_ struct setup s = SETUP_NONE;
	_cleanup_seevm_ struct seevm seen = {0};
	_cleanup_err_ struct err *err = NULL;
	_cleanup_str_ char *text = NULL;
	int rc = setup_open(c, SETUP_CLUSTER, &s);
	if (rc != CLI_OK)
		return rc;
	if (seevm_read(&seen, &s, vmid, &err) != 0)
		return cli_fail(c, err);
	tell_owner(&seen.guest, s.config->controller_id);
	const struct plan_policy policy = {.controller_id = s.config->controller_id,
	    .env = {.tag = s.config->cluster_tag, .suspend_tag = "ramet-suspend"}};
	const struct draft_opts o = {.guest = &seen.guest,
	    .cluster = seevm_cluster(&seen),
	    .policy = &policy,
	    .source = source,
	    .all_leaves = cli_has(c, CLI_OPT_ALL_LEAVES)};
	if (draft_make(&o, &text, &err) != 0)
		return cli_fail(c, err);
	tell_source(o.cluster, source ? source : draft_source(&seen.guest));
	return cli_put(text) ? CLI_OK : CLI_ERROR;
}

int cmd_import(const struct cli *c)
{
	_cleanup_err_ struct err *err = NULL;
	const char *given = c->opt[CLI_OPT_SOURCE];
	uint32_t vmid, source = 0;
	if (take_vmid("VMID", c->args[0], &vmid, &err) != 0 ||
	    (given && take_vmid("--source", given, &source, &err) != 0))
		return cli_fail(c, err);
	return run(c, vmid, source);
}
