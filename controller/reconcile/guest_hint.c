#include "guest_int.h"

#include <string.h>

const char *guest_hint(enum pve_reason why, const char *text)
{
	static const struct {
		enum pve_reason why;
		const char *words, *hint;
	} rows[] = {
	    {PVE_FORBIDDEN, "for modifying tag '",
		"the datacenter's options (registered-tags, user-tag-access) keep the tag from the "
		"token: allow it there, grant Sys.Modify on /, or, if the tag is Ramet's own, set "
		"cluster.tag to another one or to \"\""},
	    {PVE_NO_SHUTDOWN, "",
		"shut it down yourself; it needs ACPI, or its agent, to do so when it is asked"},
	    {PVE_NO_VOLUME, "",
		"put it there (pvesm list STORAGE on the node tells what is), or name another one "
		"in "
		"the manifest"},
	    {PVE_PARAMETER, "Custom cputype '",
		"make that CPU model on the cluster (/etc/pve/virtual-guest/cpu-models.conf), or "
		"list another cpu.type"},
	    /* Drives of cloud-init have one name for each VMID. */
	    {PVE_OTHER, "-cloudinit",
		"if it says that the volume exists: it was left by an earlier VM of that number; "
		"remove it on the node (pvesm free STORAGE:VOLUME), or give spec.id a number that "
		"was never used"},
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		if (rows[i].why == why && strstr(text, rows[i].words))
			return rows[i].hint;
	return NULL;
}

/* PVE renames a volume before it writes the new name down: what broke off there finds none. */
char *guest_step_hint(const struct guest *g)
{
	const struct turn *t = g->turn;
	const struct plan *p = t && t->planned ? &t->plan : NULL;
	const struct step *s = p && p->n_steps ? &p->steps[0] : NULL;
	const char *text = s && s->kind == STEP_TEMPLATE && s->slot && t->has_guest
			       ? kv_get(&t->guest.current, s->slot)
			       : NULL;
	const char *at = text ? strstr(text, "vm-") : NULL;

	if (!at)
		return NULL;
	return mem_printf(
	    "its storage may have it as a base image already, and the configuration "
	    "does not say so; look with pvesm list %.*s --vmid %u on %s, and then, as "
	    "root: qm set %u --%s %.*sbase-%s",
	    (int)strcspn(text, ":"), text, t->guest.vmid, t->guest.node, t->guest.vmid, s->slot,
	    (int)(at - text), text, at + strlen("vm-"));
}
