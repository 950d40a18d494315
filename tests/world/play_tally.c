#include "play_tally.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define ROWS 8192
#define KEY_MAX 88

struct row {
	char key[KEY_MAX];
	uint64_t all, worlds;
};

/* Of all processes, of the world that one of them plays. */
static struct table {
	atomic_flag busy;
	struct row v[ROWS];
} * table;
static struct row world[ROWS];

void tally_begin(void)
{
	table =
	    mmap(NULL, sizeof(*table), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	MUST(table != MAP_FAILED);
}

bool tally_is_on(void)
{
	return table != NULL;
}

/* "kind: what", each number a #, each task the same. */
static void make_key(const char *kind, const char *what, char ret[KEY_MAX])
{
	int at = snprintf(ret, KEY_MAX, "%s: ", kind);
	size_t len = at > 0 && at < KEY_MAX ? (size_t)at : 0;

	for (; *what && *what != '\n' && len + 1 < KEY_MAX; what++) {
		if (text_starts(what, "UPID"))
			what += strcspn(what, "/") - 1;
		else if (!isdigit((unsigned char)*what))
			ret[len++] = *what;
		else if (!len || ret[len - 1] != '#')
			ret[len++] = '#';
	}
	ret[len] = '\0';
}

static struct row *find(struct row *v, const char *key)
{
	uint64_t h = 14695981039346656037u;

	for (const char *c = key; *c; c++)
		h = (h ^ (unsigned char)*c) * 1099511628211u;
	for (size_t i = 0; i < ROWS; i++) {
		struct row *r = &v[(h + i) % ROWS];

		if (!r->key[0])
			memcpy(r->key, key, strlen(key) + 1);
		if (strcmp(r->key, key) == 0)
			return r;
	}
	MUST(!"more rows than there are");
	return NULL;
}

void tally_add(const char *kind, const char *what, uint64_t n)
{
	char key[KEY_MAX];

	if (!table || !n)
		return;
	make_key(kind, what, key);
	find(world, key)->all += n;
}

/* A line of the story: its time, then what happened; what the controller says is set in. */
static void count_line(const char *line)
{
	const char *text = strchr(line, '.');
	_cleanup_str_ char *what = NULL;
	bool said;

	text = text ? text + strcspn(text, " ") : NULL;
	if (!text || !*text)
		return;
	said = text_starts(text, "   ");
	text += said ? 3 : 1;
	if (said && text_starts(text, "vm-"))
		text += strcspn(text, ":\n");
	/* What stands in brackets and after a name differs in every world. */
	what = mem_strndup(text, strcspn(text, said ? "(;\n" : "(;\n"));
	if (text_starts(what, "merge: ") && strchr(what + strlen("merge: "), ':'))
		*strchr(what + strlen("merge: "), ':') = '\0';
	tally_add(said ? "says" : "happens", what, 1);
}

void tally_world(struct world *w)
{
	const char *line = buf_str(&w->story);

	if (!table)
		return;
	while (*line) {
		count_line(line);
		line += strcspn(line, "\n");
		line += *line == '\n';
	}
	for (size_t i = 0; i < sim_journal_len(w->sim); i++) {
		_cleanup_str_ char *what = NULL;
		struct sim_entry e;

		sim_journal_at(w->sim, i, &e);
		what = mem_printf("%s %s", e.effect, strchr(e.key, ':') ? "a volume" : e.key);
		tally_add(strcmp(e.user, WORLD_USER) == 0 ? "ours"
			  : *e.user			  ? "people's"
							  : "the cluster's",
		    what, 1);
	}
	while (atomic_flag_test_and_set(&table->busy))
		;
	for (size_t i = 0; i < ROWS; i++) {
		struct row *r;

		if (!world[i].key[0])
			continue;
		r = find(table->v, world[i].key);
		r->all += world[i].all;
		r->worlds++;
	}
	atomic_flag_clear(&table->busy);
	memset(world, 0, sizeof(world));
}

static int by_key(const void *a, const void *b)
{
	const struct row *const *x = a, *const *y = b;

	return strcmp((*x)->key, (*y)->key);
}

void tally_print(void)
{
	struct row *rows[ROWS];
	size_t n = 0;

	for (size_t i = 0; table && i < ROWS; i++)
		if (table->v[i].key[0])
			rows[n++] = &table->v[i];
	if (!n)
		return;
	qsort(rows, n, sizeof(rows[0]), by_key);
	printf("%10s %7s\n", "times", "worlds");
	for (size_t i = 0; i < n; i++)
		printf("%10" PRIu64 " %7" PRIu64 "  %s\n", rows[i]->all, rows[i]->worlds,
		    rows[i]->key);
}
