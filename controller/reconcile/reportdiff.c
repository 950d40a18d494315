#include "reportdiff.h"

#include <stdlib.h>
#include <string.h>

void reportdiff_fini(struct reportdiff *d)
{
	tree_fini(&d->files_put);
	free(d->put);
	free(d->del);
	kv_fini(&d->files);
	*d = (struct reportdiff){0};
}

static void note_file(struct reportdiff *d, const struct kv *known, const struct tree_file *f)
{
	char hex[CRYPT_HEX_LEN];

	crypt_sha256_hex(f->data, f->len, hex);
	if (!text_eq(kv_get(known, f->path), hex))
		d->put[d->n_put++] =
		    (struct gitport_put){.path = f->path, .data = f->data, .len = f->len};
	kv_set(&d->files, f->path, hex);
}

static void note_vm(
    struct reportdiff *d, const struct kv *known, const struct vmstat *v, struct treememo *memo)
{
	_cleanup_str_ char *path = tree_vm_path(v->name);
	char hex[CRYPT_HEX_LEN];
	char *data;

	if (!text_is_dns_label(v->name))
		return; /* it could not be a file of this tree */
	data = treememo_render(memo, v, kv_get(known, path), hex);
	kv_set(&d->files, path, hex);
	if (!data)
		return;
	d->put[d->n_put++] = (struct gitport_put){.path = path, .data = data, .len = strlen(data)};
	tree_add(&d->files_put, TAKE(path), data);
}

static int by_path(const void *a, const void *b)
{
	const struct gitport_put *x = a, *y = b;

	return strcmp(x->path, y->path);
}

void reportdiff_make(struct reportdiff *ret, const struct status *s, const struct kv *known,
    bool partial, struct treememo *memo)
{
	struct reportdiff d = {0};
	size_t n_tables = 0;

	if (partial) {
		kv_copy(&d.files, known);
	} else {
		tree_render_tables(s, &d.files_put);
		n_tables = d.files_put.n;
	}
	d.put = mem_calloc(n_tables + s->n_vms + 1, sizeof(*d.put));
	d.del = mem_calloc(known->n + 1, sizeof(*d.del));
	for (size_t i = 0; i < n_tables; i++)
		note_file(&d, known, &d.files_put.v[i]);
	for (size_t i = 0; i < s->n_vms; i++)
		note_vm(&d, known, s->vms[i], memo);
	treememo_sweep(memo);
	qsort(d.put, d.n_put, sizeof(*d.put), by_path); /* a-b.yaml, a.yaml */
	KV_FOREACH (it, known)
		if (!kv_has(&d.files, it->key))
			d.del[d.n_del++] = it->key;
	*ret = d;
}
