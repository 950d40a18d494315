#include "support_manifest.h"

#include "buf.h"

char *manifest_text(const struct manifest *m)
{
	_cleanup_buf_ struct buf b = {0};

	buf_addf(&b, "apiVersion: ramet.dev/v1\nkind: ClonedVM\nmetadata: { name: %s }\nspec:\n",
	    m->name);
	buf_addf(&b, "  node_name: pve%u\n  clone: { source_vm_id: %u, full: %s }\n", m->node,
	    m->source, m->full ? "true" : "false");
	buf_addf(&b, "  cpu: { cores: %u }\n  memory: { size: %u }\n", m->cores, m->memory);
	buf_addf(&b, "  tags: [t%u]\n  description: edit %u\n", m->edits % 3, m->edits);
	if (m->tag)
		buf_addf(&b, "  network: { net0: { tag: %u } }\n", m->tag);
	buf_addf(&b, "  disk: { scsi0: { size_gb: %u } }\n", m->size);
	if (m->no_net1)
		buf_adds(&b, "  delete: { network: [net1] }\n");
	buf_addf(&b, "  started: %s\n", m->started ? "true" : "false");
	if (m->absent)
		buf_adds(&b, "  state: absent\n");
	if (m->protect)
		buf_adds(&b, "  protect: true\n");
	if (m->recreate)
		buf_adds(&b, "  on_missing: recreate\n");
	if (m->broken)
		buf_adds(&b, "  cpus: 3\n");
	return buf_take(&b);
}
