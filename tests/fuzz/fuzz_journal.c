/* The journal's lines as a disk, another version or a person left them: a controller starts with
 * them or says why not, and what it makes of them it understands again as the same. */
#include <stdlib.h>
#include <string.h>

#include "journal.h"
#include "ports.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define OWNER "ramet"

/* A disk. */
struct lines {
	struct store base; /* first, so that the port's pointer is ours */
	struct strs l;
};

static int on_append(struct store *s, const char *line, struct err **err)
{
	(void)err;
	strs_add(&((struct lines *)s)->l, line);
	return 0;
}

static int on_load(struct store *s, struct strs *ret, struct err **err)
{
	(void)err;
	strs_copy(ret, &((struct lines *)s)->l);
	return 0;
}

static int on_rewrite(struct store *s, const struct strs *lines, struct err **err)
{
	struct lines *disk = (struct lines *)s;
	(void)err;
	strs_fini(&disk->l);
	strs_copy(&disk->l, lines);
	return 0;
}

static const struct store_ops ops = {.append = on_append, .load = on_load, .rewrite = on_rewrite};

static void look(const struct journal *j)
{
	const struct fallen *fallen;
	size_t n = journal_fallen(j, &fallen);
	for (size_t i = 0; journal_name(j, i); i++) {
		const struct record *rec = journal_find(j, journal_name(j, i));
		const struct intent *in = journal_intent(j, journal_name(j, i));
		if (i > 0 && strcmp(journal_name(j, i - 1), journal_name(j, i)) >= 0)
			abort();
		if ((in && !journal_is_used(j, in->vmid)) ||
		    (rec && rec->vmid && !journal_is_used(j, rec->vmid)))
			abort();
	}
	for (size_t i = 0; i < n; i++)
		if (!fallen[i].name || fallen[i].vmid < 100)
			abort();
}

/* A number that fell has a date after the next start. */
static void act(struct journal *j)
{
	journal_date(j, 1000, 1795284323000);
	for (size_t i = 0; journal_name(j, i); i++) {
		const struct intent *in = journal_intent(j, journal_name(j, i));
		if (in && journal_begin(j, journal_name(j, i), in, NULL) < 0)
			abort();
	}
	look(j);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_cleanup_str_ char *text = mem_strndup((const char *)data, size);
	struct lines disk = {.base.ops = &ops};
	struct journal *j = NULL;
	struct strs first;
	if (text_split(text, "\n", true, 10000, &disk.l) < 0 ||
	    journal_open(&disk.base, OWNER, false, &j, NULL) < 0) {
		strs_fini(&disk.l);
		return 0;
	}
	look(j);
	journal_free(&j);
	strs_copy(&first, &disk.l);
	if (journal_open(&disk.base, OWNER, false, &j, NULL) < 0 || !strs_eq(&first, &disk.l))
		abort();
	act(j);
	journal_free(&j);
	strs_fini(&first);
	strs_fini(&disk.l);
	return 0;
}
