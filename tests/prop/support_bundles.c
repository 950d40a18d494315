#include "support_bundles.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void same_entry(const struct bundle_entry *a, const struct bundle_entry *b)
{
	assert_string_equal(a->res->name, b->res->name);
	assert_string_equal(a->res->hash, b->res->hash);
	assert_string_equal(a->res->file, b->res->file);
	assert_int_equal(a->res->doc, b->res->doc);
	assert_int_equal(a->res->mark.line, b->res->mark.line);
	assert_string_equal(a->rev, b->rev);
	assert_int_equal(a->stale, b->stale);
}

static void same_findings(const struct diags *a, const struct diags *b)
{
	_cleanup_str_ char *ja = diags_print_json(a), *jb = diags_print_json(b);
	struct buf ta, tb;
	buf_init(&ta, 0);
	buf_init(&tb, 0);
	diags_print_text(a, false, &ta);
	diags_print_text(b, false, &tb);
	assert_string_equal(ja, jb);
	/* With the lines of the files. */
	assert_string_equal(buf_str(&ta), buf_str(&tb));
	assert_int_equal(a->errors, b->errors);
	assert_int_equal(a->dropped, b->dropped);
	buf_fini(&ta);
	buf_fini(&tb);
}

void bundles_same(const struct bundle *a, const struct bundle *b)
{
	assert_string_equal(a->rev, b->rev);
	assert_int_equal(a->n_files, b->n_files);
	for (size_t i = 0; i < a->n_files; i++)
		assert_string_equal(a->sheets[i]->path, b->sheets[i]->path);
	assert_int_equal(a->incomplete, b->incomplete);
	same_findings(&a->diags, &b->diags);
	assert_int_equal(a->n, b->n);
	for (size_t i = 0; i < a->n; i++)
		same_entry(&a->v[i], &b->v[i]);
	assert_string_equal(a->hash, b->hash);
}

struct bundle *bundles_bare(struct bundle *b)
{
	if (!b)
		return NULL;
	struct bundle **from = mem_calloc(b->n + 1, sizeof(*from));
	const char **names = mem_calloc(b->n + 1, sizeof(*names));
	for (size_t i = 0; i < b->n; i++) {
		from[i] = b;
		names[i] = b->v[i].res->name;
	}
	struct bundle *bare = bundle_gather(from, names, b->n);
	free(from);
	free(names);
	return bare;
}

#define MANIFEST                                                                              \
	"apiVersion: ramet.dev/v1\nkind: ClonedVM\nmetadata: { name: %s }\nspec:\n  id: %u\n" \
	"  node_name: pve1\n  clone: { source_vm_id: 9000 }\n  cpu: { cores: %u }\n"

char *bundles_text(uint64_t r)
{
	static const char *const names[] = {
	    "ann", "bob", "cid", "dee", "eve", "fay", "gus", "hal", "ida", "jon"};
	const char *name = names[r % ARRAY_LEN(names)];
	const char *other = names[r / 11 % ARRAY_LEN(names)];
	unsigned id = 100 + (unsigned)(r / 128 % 24), cores = 1 + (unsigned)(r / 4096 % 4);

	switch (r / 16384 % 12) {
	case 0: /* broken to the end */
		return mem_strdup("spec: [\n");
	case 1: /* a broken one whose name is known */
		return mem_printf("apiVersion: ramet.dev/v1\nkind: ClonedVM\nmetadata: { name: %s "
				  "}\nspec:\n  node_nme: pve1\n",
		    name);
	case 2: /* nobody's */
		return mem_printf("apiVersion: v1\nkind: Secret\nmetadata: { name: %s }\n", name);
	case 3: /* two in one file */
		return mem_printf(
		    MANIFEST "---\n" MANIFEST, name, id, cores, other, id + 1, cores + 1);
	case 4:
		return mem_printf(
		    MANIFEST "  lifecycle: { dependsOn: [%s] }\n", name, id, cores, other);
	case 5: /* cut short */
		return mem_printf("apiVersion: ramet.dev/v1\nkind: ClonedVM\nmetadata: { name: %s "
				  "}\nspec:\n  node_name: \"",
		    name);
	default:
		return mem_printf(MANIFEST, name, id, cores);
	}
}
