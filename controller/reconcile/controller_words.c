/* What people said about VMs beside the journal: ramet adopt. */
#include "controller_int.h"
#include "log.h"

#include <stdlib.h>
#include <string.h>

/* "VMID UUID" of a record that was rebuilt, confirmed with ramet adopt. */
static void take_word(struct controller *c, struct guest *g, char *word)
{
	struct store *s = c->o.ports.store;
	char *uuid = strchr(word, ' ');
	int64_t vmid;

	if (uuid)
		*uuid++ = '\0';
	if (!uuid || text_to_int(word, 100, 999999999, &vmid) < 0 ||
	    !guest_confirm(g, (uint32_t)vmid, uuid))
		log_warn(guest_name(g),
		    "the confirmation that was left is not about VM %u, ignoring", guest_vmid(g));
	s->ops->drop_word(s, guest_name(g));
}

void controller_take_words(struct controller *c)
{
	struct store *s = c->o.ports.store;
	_cleanup_strs_ struct strs names = {0};

	if (s && s->ops->words && !c->env.readonly)
		s->ops->words(s, &names);
	for (size_t i = 0; i < names.n; i++) {
		struct guest *g = controller_find_guest(c, names.v[i]);
		const struct record *r = g ? guest_record(g) : NULL;
		bool rebuilt = r && r->vmid && r->uuid && !r->proven;
		_cleanup_str_ char *word = rebuilt ? s->ops->word(s, names.v[i]) : NULL;

		if (word)
			take_word(c, g, word);
	}
}
