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

	for (size_t i = 0; s && s->ops->word && !c->env.readonly && i < c->n_guests; i++) {
		struct guest *g = c->guests[i];
		const struct record *r = guest_record(g);
		bool rebuilt = r->vmid && r->uuid && !r->proven;
		_cleanup_str_ char *word = rebuilt ? s->ops->word(s, guest_name(g)) : NULL;

		if (word)
			take_word(c, g, word);
	}
}
