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
	    {PVE_FORBIDDEN, ", Mapping.Use",
		"the template has devices by mappings of the cluster: grant the token Mapping.Use "
		"on "
		"them, or take them out of it"},
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		if (rows[i].why == why && strstr(text, rows[i].words))
			return rows[i].hint;
	return NULL;
}

/* A write was refused for Ramet's own tag, which is decoration: once, for without its tag nothing
 * that is refused for it is sent. */
static bool lacks_tag(struct guest *g, const char *text)
{
	const char *tag = g->env->policy->env.tag;
	_cleanup_str_ char *words = tag ? mem_printf("for modifying tag '%s'", tag) : NULL;

	if (!words || !*tag || g->tagless || !strstr(text, words))
		return false;
	g->tagless = true;
	return true;
}

void guest_forbidden(struct guest *g, const char *text)
{
	if (lacks_tag(g, text)) {
		guest_wait(g, REASON_UPDATING, text, 0, false);
		return;
	}
	g->fails++;
	guest_stall(g, REASON_FORBIDDEN, text, guest_hint(PVE_FORBIDDEN, text));
}
