#include "needs.h"

#include <stdlib.h>
#include <string.h>

#include "drive.h"
#include "endpoints.h"
#include "propstr.h"

#define HWRNG "/dev/hwrng"
#define ZONES "/sdn/zones/"
#define BRIDGES ZONES "localnetwork/"
/* Never more than half full. */
#define INDEX_SIZE ((size_t)NEEDS_MAX * 2)

static void need_fini(struct need *n)
{
	free(n->privilege);
	free(n->path);
	free(n->or_path);
	free(n->who);
}

void needs_fini(struct needs *l)
{
	for (size_t i = 0; i < l->n; i++)
		need_fini(&l->v[i]);
	free(l->v);
	free(l->index);
	*l = (struct needs){0};
}

/* ---- finding one: each leaf of each manifest asks whether its need is there already ---- */

static uint32_t hash_word(uint32_t h, const char *s)
{
	/* FNV-1a; the end counts, so that words do not run into each other. */
	for (; s && *s; s++)
		h = (h ^ (unsigned char)*s) * 16777619u;
	return (h ^ (s ? 0u : 1u)) * 16777619u;
}

/* Its place in the index, or the free one where it would be. */
static uint32_t *place(
    const struct needs *l, const char *privilege, const char *path, const char *or_path)
{
	uint32_t h = hash_word(hash_word(hash_word(2166136261u, privilege), path), or_path);

	for (size_t i = h % INDEX_SIZE;; i = (i + 1) % INDEX_SIZE) {
		const struct need *n = l->index[i] ? &l->v[l->index[i] - 1] : NULL;

		if (!n || (text_eq(n->privilege, privilege) && text_eq(n->path, path) &&
			      text_eq(n->or_path, or_path)))
			return &l->index[i];
	}
}

/* Whoever sorts drops it. */
static void ensure_index(struct needs *l)
{
	if (l->index)
		return;
	l->index = mem_calloc(INDEX_SIZE, sizeof(*l->index));
	for (size_t i = 0; i < l->n; i++)
		*place(l, l->v[i].privilege, l->v[i].path, l->v[i].or_path) = (uint32_t)i + 1;
}

/* Takes the paths over. */
static struct need *add(struct needs *l, const char *privilege, char *path, char *or_path,
    const struct resource *r, const char *of)
{
	ensure_index(l);
	uint32_t *at = place(l, privilege, path, or_path);
	if (*at) {
		struct need *n = &l->v[*at - 1];
		/* Manifests come one after the other. */
		n->n += r && !text_eq(n->who, r->name) && !text_eq(n->of, of);
		free(path);
		free(or_path);
		return n;
	}
	if (l->n >= NEEDS_MAX) {
		l->overflow = true;
		free(path);
		free(or_path);
		return NULL;
	}
	MEM_PUSH_ROOM(l->v, l->n, l->cap);
	struct need *n = &l->v[l->n++];
	*at = (uint32_t)l->n;
	*n = (struct need){.privilege = mem_strdup(privilege),
	    .path = path,
	    .or_path = or_path,
	    .who = mem_strdup(r ? r->name : NULL),
	    .of = of,
	    .n = r != NULL};
	return n;
}

/* ---- from endpoints.def ---- */

/* "Sys.Audit on /": a place without anything to fill in is one that the controller needs anyhow. */
static void add_fixed(struct needs *l, const struct endpoint *e, const char *item)
{
	const char *on = strstr(item, " on ");
	if (!on || strchr(on, '{'))
		return;
	_cleanup_str_ char *name = mem_strndup(item, (size_t)(on - item));
	struct need *n = add(l, name, mem_strdup(on + strlen(" on ")), NULL, NULL, e->doc);
	if (n)
		n->wished = e - endpoint_get(0) == ENDPOINT_CLUSTER_LOG;
}

void needs_add_controller(struct needs *l)
{
	for (enum endpoint_id id = 0; id < ENDPOINT__MAX; id++) {
		const struct endpoint *e = endpoint_get(id);
		_cleanup_strs_ struct strs items = {0};
		if (text_split(e->privilege, ";", true, 16, &items) != 0)
			continue;
		for (size_t i = 0; i < items.n; i++)
			add_fixed(l, e, items.v[i] + strspn(items.v[i], " "));
	}
}

/* ---- from a manifest ---- */

static char *vm_path(const struct resource *r)
{
	return resource_is_listed(r, ATTR_id)
		   ? mem_printf("/vms/%lld", (long long)resource_int(r, ATTR_id))
		   : mem_strdup("/vms");
}

static char *pool_path(const struct resource *r)
{
	const char *pool = resource_str(r, ATTR_clone_pool_id);
	return pool ? mem_printf("/pool/%s", pool) : NULL;
}

/* A right over the VM itself may also come from its pool. */
void needs_add_vm(struct needs *l, const struct resource *r, const char *privilege, const char *of)
{
	char *pool = pool_path(r);
	if (l->shared && !pool && resource_is_listed(r, ATTR_id))
		return;
	add(l, privilege, pool ? pool : vm_path(r), pool && !l->shared ? vm_path(r) : NULL, r, of);
}

void needs_add_path(struct needs *l, const char *privilege, const char *path, const char *of)
{
	add(l, privilege, mem_strdup(path), NULL, NULL, of);
}

void needs_add_at(struct needs *l, const struct needs *from, const char *path)
{
	for (size_t i = 0; i < from->n; i++)
		if (text_eq(from->v[i].path, path))
			needs_add_path(l, from->v[i].privilege, path, from->v[i].of);
}

static void add_storage(
    struct needs *l, const struct resource *r, const char *storage, const char *of)
{
	add(l, "Datastore.AllocateSpace", mem_printf("/storage/%s", storage), NULL, r, of);
	add(l, "Datastore.Audit", mem_printf("/storage/%s", storage), NULL, r, of);
}

static void add_bridge(
    struct needs *l, const struct resource *r, const char *bridge, const char *of)
{
	add(l, "SDN.Use", mem_printf(BRIDGES "%s", bridge), NULL, r, of);
}

/* What lies on a storage is read with any right to it; what belongs to a VM, with that to copy it.
 */
static void add_volume(
    struct needs *l, const struct resource *r, const char *volume, const char *of)
{
	_cleanup_drive_ struct drive d = {0};

	if (drive_parse(volume, &d, NULL) < 0 || !*d.storage)
		return;
	const char *name = d.volume + strlen(d.storage) + 1;
	bool kept = text_starts(name, "iso/") || text_starts(name, "import/") ||
		    text_starts(name, "snippets/");
	if (d.owner && !kept)
		add(l, "VM.Clone", mem_printf("/vms/%u", d.owner), NULL, r, of);
	else
		add(l, "Datastore.Audit", mem_printf("/storage/%s", d.storage), NULL, r, of);
}

/* Devices and directories of the host that the cluster keeps a list of. */
static void add_mapping(struct needs *l, const struct resource *r, const char *slot,
    const char *mapping, const char *of)
{
	static const struct {
		const char *slots, *kind;
	} kinds[] = {{"usb", "usb"}, {"hostpci", "pci"}, {"virtiofs", "dir"}};

	for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
		if (text_starts(slot, kinds[i].slots))
			add(l, "Mapping.Use", mem_printf("/mapping/%s/%s", kinds[i].kind, mapping),
			    NULL, r, of);
}

/* An own model of the cluster. PVE asks for the right from 9.1 on. */
static void add_model(struct needs *l, const struct resource *r, const char *model, const char *of)
{
	const char *name = text_after(model, "custom-");
	struct need *n =
	    name ? add(l, "Mapping.Use", mem_printf("/mapping/cpu/%s", name), NULL, r, of) : NULL;

	if (n)
		n->wished = true;
}

static void add_word(struct needs *l, const struct resource *r, const struct leaf *leaf)
{
	const struct attr *a = leaf->attr;
	const char *word = leaf->value.s;

	if (a->codec == CODEC_CDROM && text_eq(word, "cdrom"))
		add(l, "Sys.Console", mem_strdup("/"), NULL, r, a->path);
	else if (a->codec == CODEC_CDROM || a->id == ATTR_disk_import_from ||
		 text_eq(a->key, "cicustom"))
		add_volume(l, r, word, a->path);
	else if (a->format == FMT_MAPPING)
		add_mapping(l, r, leaf->slot, word, a->path);
	else if (a->format == FMT_CPU_MODEL)
		add_model(l, r, word, a->path);
	else if (text_eq(word, HWRNG))
		add(l, "Mapping.Use", mem_strdup("/mapping/hwrng"), NULL, r, a->path);
	else if (a->format == FMT_STORAGE)
		add_storage(l, r, word, a->path);
	else if (a->format == FMT_BRIDGE)
		add_bridge(l, r, word, a->path);
}

static void add_leaf(struct needs *l, const struct resource *r, const struct leaf *leaf)
{
	const struct attr *a = leaf->attr;
	/* A whole word only: some cells say in words what is needed. */
	if (a->privilege && !strchr(a->privilege, ' ') && a->id != ATTR_node_name)
		needs_add_vm(l, r, a->privilege, a->path);
	if (text_eq(a->key, "startup"))
		add(l, "Sys.Modify", mem_strdup("/"), NULL, r, a->path);
	/* The drive of cloud-init is a CD-ROM drive as well. */
	if (text_eq(a->privilege, "VM.Config.Cloudinit") && a->class == CLASS_ACTION)
		needs_add_vm(l, r, "VM.Config.CDROM", a->path);
	if (leaf->value.type != VALUE_STR)
		return;
	/* The drive for cloud-init is one for CDs as well. */
	if (a->id == ATTR_init_datastore_id || a->id == ATTR_init_interface)
		needs_add_vm(l, r, "VM.Config.CDROM", a->path);
	add_word(l, r, leaf);
}

void needs_add_manifest(struct needs *l, const struct resource *r)
{
	char *pool = pool_path(r);
	if (pool)
		add(l, "Pool.Allocate", pool, NULL, r, "clone.pool_id");
	add(l, "VM.Clone",
	    mem_printf("/vms/%lld", (long long)resource_int(r, ATTR_clone_source_vm_id)), NULL, r,
	    "clone.source_vm_id");
	/* It is read as well, and what stands on a path replaces what it would inherit. */
	add(l, "VM.Audit",
	    mem_printf("/vms/%lld", (long long)resource_int(r, ATTR_clone_source_vm_id)), NULL, r,
	    "clone.source_vm_id");
	needs_add_vm(l, r, "VM.Allocate", "the clone itself");
	needs_add_vm(l, r, "VM.Audit", "reading it");
	/* Marker, tag and name are Ramet's own. */
	needs_add_vm(l, r, "VM.Config.Options", "the marker");
	for (size_t i = 0; i < r->n_leaves; i++)
		add_leaf(l, r, &r->leaves[i]);
	if (text_eq(resource_str(r, ATTR_placement), "pin"))
		needs_add_vm(l, r, "VM.Migrate", "placement");
	if (text_eq(resource_str(r, ATTR_state), "absent") ||
	    text_eq(resource_str(r, ATTR_max_disruption), "reboot"))
		needs_add_vm(l, r, "VM.PowerMgmt", "max_disruption or state");
}

/* ---- from the source of a clone ---- */

static bool is_slot(const char *key, const char *bus)
{
	const char *number = text_after(key, bus);
	return number && *number && strspn(number, "0123456789") == strlen(number);
}

/* What the clone takes over of the host. */
static void add_source_device(
    struct needs *l, const struct resource *r, const char *key, const char *value)
{
	_cleanup_drive_ struct drive d = {0};
	_cleanup_propstr_ struct propstr p = {0};

	if (propstr_parse(value, &p, NULL) != 0)
		return;
	const char *mapping = propstr_get(&p, "mapping");
	const struct strs *deleted = resource_set(r, ATTR_delete_disk);
	const char *list = schema_attr(ATTR_delete_disk)->path;
	bool drive = is_slot(key, "ide") || is_slot(key, "sata") || is_slot(key, "scsi");
	if (drive && drive_parse(value, &d, NULL) == 0 && text_eq(d.volume, "cdrom"))
		add(l, "Sys.Console", mem_strdup("/"), NULL, r, "the CD-ROM drive of its template");
	/* The list says disks, and PVE looks at what is in the slot. */
	if (drive && d.cdrom && deleted && strs_has(deleted, key)) {
		needs_add_vm(l, r, "VM.Config.CDROM", list);
		if (d.cloudinit)
			needs_add_vm(l, r, "VM.Config.Cloudinit", list);
	}
	const char *lead = propstr_lead(&p);
	if (mapping && (is_slot(key, "usb") || is_slot(key, "hostpci")))
		add_mapping(l, r, key, mapping, "the devices of its template");
	else if (is_slot(key, "rng") && text_eq(lead ? lead : propstr_get(&p, "source"), HWRNG))
		add(l, "Mapping.Use", mem_strdup("/mapping/hwrng"), NULL, r,
		    "the devices of its template");
	else if (is_slot(key, "virtiofs") && propstr_lead(&p))
		add_mapping(l, r, key, propstr_lead(&p), "the devices of its template");
}

void needs_add_source(struct needs *l, const struct resource *r, const char *key, const char *value)
{
	static const char *const buses[] = {"ide", "sata", "scsi", "virtio", "efidisk", "tpmstate"};
	if (is_slot(key, "net")) {
		_cleanup_propstr_ struct propstr p = {0};
		if (propstr_parse(value, &p, NULL) != 0)
			return;
		const char *bridge = propstr_get(&p, "bridge");
		if (bridge)
			add_bridge(l, r, bridge, "the NICs of its template");
		return;
	}
	/* PVE asks for it with each clone, whatever the target. */
	if (text_eq(key, schema_attr(ATTR_vmstatestorage)->key)) {
		add(l, "Datastore.AllocateSpace", mem_printf("/storage/%s", value), NULL, r,
		    "the vmstatestorage of its template");
		return;
	}
	if (text_eq(key, schema_attr(ATTR_cpu_type)->key)) {
		_cleanup_str_ char *model = mem_strndup(value, strcspn(value, ","));
		const char *named = text_after(model, "cputype=");
		add_model(l, r, named ? named : model, "the CPU model of its template");
		return;
	}
	add_source_device(l, r, key, value);
	if (resource_is_listed(r, ATTR_clone_target_datastore))
		return;
	for (size_t i = 0; i < ARRAY_LEN(buses); i++) {
		_cleanup_drive_ struct drive d = {0};
		if (is_slot(key, buses[i]) && drive_parse(value, &d, NULL) == 0 && *d.storage &&
		    !d.cdrom)
			add_storage(l, r, d.storage, "the disks of its template");
	}
}

static int by_path(const void *a, const void *b)
{
	const struct need *x = a, *y = b;
	int c = strcmp(x->path, y->path);
	return c ? c : strcmp(x->privilege, y->privilege);
}

void needs_sort(struct needs *l)
{
	if (l->n > 1)
		qsort(l->v, l->n, sizeof(*l->v), by_path);
	free(l->index);
	l->index = NULL;
}

bool needs_may_be_vnet(const struct need *n, const struct jsn *rights)
{
	struct jsn_iter it;

	if (!text_starts(n->path, BRIDGES))
		return false;
	JSN_FOREACH (it, rights)
		if (text_starts(it.key, ZONES) && !text_starts(it.key, BRIDGES) &&
		    !text_eq(it.key, ZONES "localnetwork") && jsn_has(it.val, n->privilege))
			return true;
	return false;
}
