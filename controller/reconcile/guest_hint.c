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
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		if (rows[i].why == why && strstr(text, rows[i].words))
			return rows[i].hint;
	return NULL;
}
