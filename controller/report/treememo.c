#include "treememo.h"

#include <stdlib.h>
#include <string.h>

#include "tree.h"

void treememo_fini(struct treememo *m)
{
	for (size_t i = 0; i < m->n; i++)
		free(m->v[i].name);
	free(m->v);
	*m = (struct treememo){.seed = m->seed};
}

static struct treememo_entry *entry(struct treememo *m, const char *name)
{
	size_t i = MEM_PLACE(at, m->n, strcmp(m->v[at].name, name) < 0);
	if (i < m->n && strcmp(m->v[i].name, name) == 0)
		return &m->v[i];
	MEM_PUSH_ROOM(m->v, m->n, m->cap);
	memmove(&m->v[i + 1], &m->v[i], (m->n - i) * sizeof(*m->v));
	m->n++;
	m->v[i] = (struct treememo_entry){.name = mem_strdup(name)};
	return &m->v[i];
}

char *treememo_render(
    struct treememo *m, const struct vmstat *v, const char *known, char ret_digest[CRYPT_HEX_LEN])
{
	struct treememo_entry *e = entry(m, v->name);
	uint64_t fold = tree_fold_vm(v, m->seed);
	bool holds = e->digest[0] && e->fold == fold;
	_cleanup_str_ char *data = NULL;

	e->asked = true;
	if (!holds || !known || strcmp(known, e->digest) != 0)
		data = tree_render_vm(v);
	if (!holds) {
		e->fold = fold;
		crypt_sha256_hex(data, strlen(data), e->digest);
	}
	memcpy(ret_digest, e->digest, CRYPT_HEX_LEN);
	return known && strcmp(known, e->digest) == 0 ? NULL : TAKE(data);
}

void treememo_sweep(struct treememo *m)
{
	size_t k = 0;
	for (size_t i = 0; i < m->n; i++) {
		if (!m->v[i].asked) {
			free(m->v[i].name);
			continue;
		}
		m->v[k] = m->v[i];
		m->v[k++].asked = false;
	}
	m->n = k;
}
