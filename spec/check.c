#include "check.h"

#include "checkdev.h"

#include <stdlib.h>
#include <string.h>

/* What the rules of one manifest get. */
struct subject {
	const struct resource *r;
	struct diags *diags;
};

/* clang-format off */
#define RULE_RESOURCE(fn) static void fn(const struct subject *s);
#define RULE_BUNDLE(fn)
#define RULE_DEVICE(fn)
#define RULE(code, word, severity, scope, fn, doc, where, json) RULE_##scope(fn)
#include "rules.def"
#undef RULE
#undef RULE_DEVICE
#undef RULE_RESOURCE
/* clang-format on */

static struct diag *complain(
    const struct subject *s, enum diag_code code, struct mark mark, const char *msg)
{
	return diags_add(s->diags, code, s->r->file, mark, "%s", msg);
}

static const struct leaf *find(const struct subject *s, enum attr_id id, const char *slot)
{
	return resource_find(s->r, id, slot);
}

/* The number, when it is listed as one. */
static bool get_int(const struct subject *s, enum attr_id id, int64_t *ret)
{
	const struct leaf *l = find(s, id, NULL);
	if (!l || l->value.type != VALUE_INT)
		return false;
	*ret = l->value.i;
	return true;
}

/* The word, when it is listed as one. */
static const char *get_str(const struct subject *s, enum attr_id id, const char *slot)
{
	const struct leaf *l = find(s, id, slot);
	return l && l->value.type == VALUE_STR ? l->value.s : NULL;
}

static bool is_listed_as(const struct subject *s, enum attr_id id, bool wanted)
{
	const struct leaf *l = find(s, id, NULL);
	return l && l->value.type == VALUE_BOOL && l->value.b == wanted;
}

static bool is_null(const struct leaf *l)
{
	return l && l->value.type == VALUE_NULL;
}

/* Walks over the leaves of one attribute in all slots. */
static const struct leaf *next_leaf(
    const struct subject *s, enum attr_id id, const struct leaf *after)
{
	const struct leaf *end = s->r->leaves + s->r->n_leaves;
	for (const struct leaf *l = after ? after + 1 : s->r->leaves; l < end; l++)
		if (l->attr->id == id)
			return l;
	return NULL;
}

/* ---- slots ---- */

static void find_deleted(const struct subject *s, enum attr_id list, const char *block)
{
	const struct leaf *l = find(s, list, NULL);
	if (!l || l->value.type != VALUE_SET)
		return;
	for (size_t i = 0; i < l->value.set.n; i++) {
		const char *slot = l->value.set.v[i];
		const struct mark *m = resource_slot_mark(s->r, block, slot);
		if (!m)
			continue;
		struct diag *d = diags_add(s->diags, DIAG_SLOT_DELETED, s->r->file,
		    l->item_marks[i], "%s: %s is listed under %s too", l->attr->path, slot, block);
		diag_hint(d, "line %u lists it: keep one of the two", m->line);
	}
}

static void check_slot_deleted(const struct subject *s)
{
	find_deleted(s, ATTR_delete_network, "network");
	find_deleted(s, ATTR_delete_disk, "disk");
	find_deleted(s, ATTR_delete_disk, "cdrom");
}

static void check_slot_twice(const struct subject *s)
{
	for (size_t i = 0; i < s->r->slots.n; i++) {
		const char *slot = text_after(s->r->slots.v[i], "cdrom.");
		const struct mark *m = slot ? resource_slot_mark(s->r, "disk", slot) : NULL;
		if (!m)
			continue;
		struct diag *d = diags_add(s->diags, DIAG_SLOT_TWICE, s->r->file,
		    s->r->slot_marks[i], "cdrom: %s is listed under disk too", slot);
		diag_hint(d, "line %u lists it: a slot holds one drive", m->line);
	}
}

/* ---- clone ---- */

static void check_linked_target(const struct subject *s)
{
	static const enum attr_id ids[] = {ATTR_clone_target_datastore, ATTR_clone_target_format};
	if (!is_listed_as(s, ATTR_clone_full, false))
		return;
	for (size_t i = 0; i < ARRAY_LEN(ids); i++) {
		const struct leaf *l = find(s, ids[i], NULL);
		if (!l)
			continue;
		struct diag *d = diags_add(s->diags, DIAG_LINKED_TARGET, s->r->file, l->mark,
		    "%s is not possible for a linked clone", l->attr->path);
		diag_hint(d, "remove it, or make a full clone with full: true");
	}
}

static void check_clones_itself(const struct subject *s)
{
	int64_t id, source;
	if (!get_int(s, ATTR_id, &id) || !get_int(s, ATTR_clone_source_vm_id, &source) ||
	    id != source)
		return;
	struct diag *d = complain(
	    s, DIAG_CLONES_ITSELF, find(s, ATTR_id, NULL)->mark, "id is the VMID of the source");
	diag_hint(d, "give the clone a number of its own, or leave id out");
}

static void check_adopt(const struct subject *s)
{
	if (!s->r->adopt || find(s, ATTR_id, NULL))
		return;
	struct diag *d = complain(s, DIAG_ADOPT_WITHOUT_ID, s->r->name_mark,
	    "the annotation ramet.dev/adopt needs spec.id");
	diag_hint(d, "add the VMID of the VM to take over as spec.id");
}

static void check_renamed_self(const struct subject *s)
{
	if (!s->r->renamed_from || strcmp(s->r->renamed_from, s->r->name) != 0)
		return;
	struct diag *d = complain(s, DIAG_RENAMED_TO_ITSELF, s->r->name_mark,
	    "ramet.dev/renamed-from holds the present name");
	diag_hint(d, "write the old name there, or remove the annotation");
}

/* ---- text ---- */

/* As the marker is recognised: its word in front, the VMID somewhere behind it. */
static bool is_like_marker(const char *line, size_t len)
{
	static const char word[] = "ramet:", vmid[] = "vmid=";
	size_t blank = strspn(line, " \t");
	return blank < len && strncasecmp(line + blank, word, strlen(word)) == 0 &&
	       memmem(line, len, vmid, strlen(vmid));
}

static void check_description(const struct subject *s)
{
	const char *p = get_str(s, ATTR_description, NULL);
	while (p) {
		size_t len = strcspn(p, "\n");
		if (is_like_marker(p, len)) {
			struct diag *d = complain(s, DIAG_MARKER_IN_DESCRIPTION,
			    find(s, ATTR_description, NULL)->mark,
			    "description: a line looks like the marker of Ramet");
			diag_hint(d, "word it differently; the marker is added by Ramet");
			return;
		}
		p = p[len] ? p + len + 1 : NULL;
	}
}

static void check_tags(const struct subject *s)
{
	const struct leaf *l = find(s, ATTR_tags, NULL);
	for (size_t i = 0; l && l->value.type == VALUE_SET && i < l->value.set.n; i++) {
		if (strcmp(l->value.set.v[i], "ramet-suspend") != 0)
			continue;
		struct diag *d = complain(s, DIAG_RESERVED_TAG, l->item_marks[i],
		    "tags: ramet-suspend is not for manifests");
		diag_hint(d, "use the block suspend with a reason");
	}
}

/* ---- cpu and memory ---- */

static void check_vcpus(const struct subject *s)
{
	int64_t vcpus, cores, sockets;
	if (!get_int(s, ATTR_cpu_vcpus, &vcpus) || !get_int(s, ATTR_cpu_cores, &cores) ||
	    !get_int(s, ATTR_cpu_sockets, &sockets) || vcpus <= cores * sockets)
		return;
	struct diag *d = diags_add(s->diags, DIAG_TOO_MANY_VCPUS, s->r->file,
	    find(s, ATTR_cpu_vcpus, NULL)->mark,
	    "cpu.vcpus: %lld is more than %lld sockets times %lld cores", (long long)vcpus,
	    (long long)sockets, (long long)cores);
	long long most = (long long)cores * sockets;
	diag_hint(d, "possible is 1 to %lld", most);
}

static void check_flags(const struct subject *s)
{
	const struct leaf *l = find(s, ATTR_cpu_flags, NULL);
	if (!l || find(s, ATTR_cpu_type, NULL))
		return;
	struct diag *d =
	    complain(s, DIAG_FLAGS_WITHOUT_TYPE, l->mark, "cpu.flags needs cpu.type beside it");
	diag_hint(d, "add the CPU type, for example type: host");
}

static void check_balloon(const struct subject *s)
{
	int64_t balloon, size;
	if (!get_int(s, ATTR_memory_balloon, &balloon) || !get_int(s, ATTR_memory_size, &size) ||
	    balloon <= size)
		return;
	struct diag *d = diags_add(s->diags, DIAG_BALLOON_TOO_LARGE, s->r->file,
	    find(s, ATTR_memory_balloon, NULL)->mark,
	    "memory.balloon: %lld is more than memory.size, which is %lld", (long long)balloon,
	    (long long)size);
	diag_hint(d, "balloon is the part of the memory that the guest always keeps");
}

static void check_hugepages_numa(const struct subject *s)
{
	const struct leaf *numa = find(s, ATTR_cpu_numa, NULL);
	if (!get_str(s, ATTR_memory_hugepages, NULL) ||
	    !(is_null(numa) || is_listed_as(s, ATTR_cpu_numa, false)))
		return;
	struct diag *d = complain(s, DIAG_HUGEPAGES_WITHOUT_NUMA,
	    find(s, ATTR_memory_hugepages, NULL)->mark, "memory.hugepages needs cpu.numa");
	diag_hint(d, "set cpu.numa to true");
}

static void check_hugepages_size(const struct subject *s)
{
	const char *pages = get_str(s, ATTR_memory_hugepages, NULL);
	int64_t size, page;
	if (!pages || !get_int(s, ATTR_memory_size, &size) ||
	    text_to_int(pages, 1, 1024, &page) != 0 || size % page == 0)
		return;
	struct diag *d = diags_add(s->diags, DIAG_HUGEPAGES_SIZE, s->r->file,
	    find(s, ATTR_memory_size, NULL)->mark,
	    "memory.size: %lld is no multiple of the huge pages of %lld MiB", (long long)size,
	    (long long)page);
	long long next = (long long)(size / page + 1) * page;
	diag_hint(d, "%lld would be", next);
}

static void check_keep_hugepages(const struct subject *s)
{
	if (!is_listed_as(s, ATTR_memory_keep_hugepages, true) ||
	    !is_null(find(s, ATTR_memory_hugepages, NULL)))
		return;
	struct diag *d =
	    complain(s, DIAG_KEEP_HUGEPAGES, find(s, ATTR_memory_keep_hugepages, NULL)->mark,
		"memory.keep_hugepages needs memory.hugepages, which is null");
	diag_hint(d, "set hugepages, or remove keep_hugepages");
}

/* ---- devices ---- */

static void check_mtu(const struct subject *s)
{
	for (const struct leaf *l = NULL; (l = next_leaf(s, ATTR_network_mtu, l));) {
		if (l->value.type != VALUE_INT || l->value.i == 1 || l->value.i >= 576)
			continue;
		struct diag *d = diags_add(s->diags, DIAG_MTU_VALUE, s->r->file, l->mark,
		    "network.%s.mtu: %lld is too small", l->slot, (long long)l->value.i);
		diag_hint(d, "write 1 for the MTU of the bridge, or at least 576");
	}
}

static void find_not_virtio(const struct subject *s, enum attr_id id)
{
	for (const struct leaf *l = NULL; (l = next_leaf(s, id, l));) {
		const char *model = get_str(s, ATTR_network_model, l->slot);
		if (l->value.type != VALUE_INT || !model || strcmp(model, "virtio") == 0)
			continue;
		_cleanup_str_ char *path = schema_path(l->attr, l->slot);
		struct diag *d = diags_add(s->diags, DIAG_VIRTIO_ONLY, s->r->file, l->mark,
		    "%s has no effect on a card of model %s", path, model);
		diag_hint(d, "use model: virtio, or remove it");
	}
}

static void check_virtio_only(const struct subject *s)
{
	find_not_virtio(s, ATTR_network_mtu);
	find_not_virtio(s, ATTR_network_queues);
}

static void check_ssd(const struct subject *s)
{
	for (const struct leaf *l = NULL; (l = next_leaf(s, ATTR_disk_ssd, l));) {
		if (!text_starts(l->slot, "virtio"))
			continue;
		struct diag *d = diags_add(s->diags, DIAG_SSD_ON_VIRTIO, s->r->file, l->mark,
		    "disk.%s.ssd: virtio disks have no such option", l->slot);
		diag_hint(d, "remove it, or use a scsi slot");
	}
}

static void check_iothread(const struct subject *s)
{
	for (const struct leaf *l = NULL; (l = next_leaf(s, ATTR_disk_iothread, l));) {
		if (!text_starts(l->slot, "ide") && !text_starts(l->slot, "sata"))
			continue;
		struct diag *d = diags_add(s->diags, DIAG_IOTHREAD_BUS, s->r->file, l->mark,
		    "disk.%s.iothread: only scsi and virtio disks have this option", l->slot);
		diag_hint(d, "remove it, or use a scsi or virtio slot");
	}
}

static void check_file_conflict(const struct subject *s)
{
	for (const struct leaf *l = NULL; (l = next_leaf(s, ATTR_disk_file, l));) {
		const struct leaf *import = find(s, ATTR_disk_import_from, l->slot);
		const struct leaf *store = find(s, ATTR_disk_datastore_id, l->slot);
		size_t len = strcspn(l->value.s, ":");
		if (import) {
			struct diag *d =
			    diags_add(s->diags, DIAG_FILE_CONFLICT, s->r->file, import->mark,
				"disk.%s: file and import_from exclude each other", l->slot);
			diag_hint(d, "keep file for a volume that is there, import_from for a new "
				     "disk");
		}
		if (store && (strlen(store->value.s) != len ||
				 memcmp(store->value.s, l->value.s, len) != 0)) {
			struct diag *d =
			    diags_add(s->diags, DIAG_FILE_CONFLICT, s->r->file, store->mark,
				"disk.%s: datastore_id is not the storage of file", l->slot);
			diag_hint(d, "remove datastore_id, or name the volume on that storage");
		}
	}
}

static void check_import(const struct subject *s)
{
	for (const struct leaf *l = NULL; (l = next_leaf(s, ATTR_disk_import_from, l));) {
		if (find(s, ATTR_disk_datastore_id, l->slot) || find(s, ATTR_disk_file, l->slot))
			continue;
		struct diag *d = diags_add(s->diags, DIAG_IMPORT_WITHOUT_DATASTORE, s->r->file,
		    l->mark, "disk.%s: import_from needs datastore_id beside it", l->slot);
		diag_hint(d, "add the storage on which the disk is to be made");
	}
}

static void check_media(const struct subject *s)
{
	static const enum attr_id ids[] = {
	    ATTR_disk_datastore_id, ATTR_disk_size_gb, ATTR_disk_format, ATTR_disk_import_from};
	for (const struct leaf *m = NULL; (m = next_leaf(s, ATTR_disk_media, m));) {
		if (strcmp(m->value.s, "cdrom") != 0)
			continue;
		for (size_t i = 0; i < ARRAY_LEN(ids); i++) {
			const struct leaf *l = find(s, ids[i], m->slot);
			if (!l)
				continue;
			_cleanup_str_ char *path = schema_path(l->attr, l->slot);
			struct diag *d = diags_add(s->diags, DIAG_MEDIA_CDROM, s->r->file, l->mark,
			    "%s is not possible for a drive with media: cdrom", path);
			diag_hint(d, "remove it, or list the drive under cdrom");
		}
	}
}

static void check_cdrom_bus(const struct subject *s)
{
	for (const struct leaf *l = NULL; (l = next_leaf(s, ATTR_disk_media, l));) {
		if (!text_starts(l->slot, "virtio") || strcmp(l->value.s, "cdrom") != 0)
			continue;
		struct diag *d = diags_add(s->diags, DIAG_CDROM_BUS, s->r->file, l->mark,
		    "disk.%s.media: there are no CD-ROM drives on virtio", l->slot);
		diag_hint(d, "use an ide, sata or scsi slot, and list the drive under cdrom");
	}
}

/* "local:iso/x.iso": content of the type iso. */
static bool is_iso(const char *volume)
{
	const char *rest = strchr(volume, ':');
	return rest && text_starts(rest + 1, "iso/");
}

static void check_iso(const struct subject *s)
{
	for (const struct leaf *l = NULL; (l = next_leaf(s, ATTR_disk_file, l));) {
		const char *media = get_str(s, ATTR_disk_media, l->slot);
		if (!is_iso(l->value.s) || (media && strcmp(media, "cdrom") == 0))
			continue;
		struct diag *d = diags_add(s->diags, DIAG_ISO_AS_DISK, s->r->file, l->mark,
		    "disk.%s.file: an ISO image cannot be a disk", l->slot);
		diag_hint(d, "list the drive under cdrom with file_id");
	}
	for (const struct leaf *l = NULL; (l = next_leaf(s, ATTR_disk_import_from, l));) {
		if (!is_iso(l->value.s))
			continue;
		struct diag *d = diags_add(s->diags, DIAG_ISO_AS_DISK, s->r->file, l->mark,
		    "disk.%s.import_from: an ISO image cannot be imported", l->slot);
		diag_hint(d, "use an image of the content type import, or a disk");
	}
}

/* VMID in the name of a volume, as in "9000/vm-9000-disk-0.qcow2"; 0 = none. */
static int64_t volume_owner(const char *volume)
{
	const char *colon = strchr(volume, ':'), *slash = strrchr(volume, '/');
	const char *name = slash ? slash + 1 : colon ? colon + 1 : volume;
	const char *digits = text_after(name, "vm-");
	_cleanup_str_ char *number = digits ? mem_strndup(digits, strcspn(digits, "-")) : NULL;
	int64_t vmid = 0;
	if (!number || text_to_int(number, 1, 999999999, &vmid) != 0)
		return 0;
	return vmid;
}

static void check_file_owner(const struct subject *s)
{
	int64_t id;
	if (!get_int(s, ATTR_id, &id))
		return;
	for (const struct leaf *l = NULL; (l = next_leaf(s, ATTR_disk_file, l));) {
		int64_t owner = volume_owner(l->value.s);
		if (owner == 0 || owner == id)
			continue;
		struct diag *d = diags_add(s->diags, DIAG_FOREIGN_VOLUME, s->r->file, l->mark,
		    "disk.%s.file: the volume belongs to VM %lld, not to %lld", l->slot,
		    (long long)owner, (long long)id);
		diag_hint(d, "name a volume of this VM, or copy that one with import_from");
	}
}

static bool has_no_card(const struct subject *s)
{
	const char *type = get_str(s, ATTR_vga_type, NULL);
	return type && (strcmp(type, "none") == 0 || text_starts(type, "serial"));
}

static void check_vga_clipboard(const struct subject *s)
{
	if (!get_str(s, ATTR_vga_clipboard, NULL) || !has_no_card(s))
		return;
	struct diag *d = complain(s, DIAG_VGA_CLIPBOARD, find(s, ATTR_vga_clipboard, NULL)->mark,
	    "vga.clipboard is not possible without a graphics card");
	diag_hint(d, "remove it, or use a type such as std");
}

static void check_vga_memory(const struct subject *s)
{
	int64_t memory;
	if (!get_int(s, ATTR_vga_memory, &memory) || !has_no_card(s))
		return;
	struct diag *d = complain(s, DIAG_VGA_MEMORY, find(s, ATTR_vga_memory, NULL)->mark,
	    "vga.memory has no effect without a graphics card");
	diag_hint(d, "remove it, or use a type such as std");
}

/* ---- life ---- */

static void check_template(const struct subject *s)
{
	if (!is_listed_as(s, ATTR_template, true) || !is_listed_as(s, ATTR_started, true))
		return;
	struct diag *d = complain(s, DIAG_TEMPLATE_STARTED, find(s, ATTR_started, NULL)->mark,
	    "started: a template cannot be started");
	diag_hint(d, "remove started, or template");
}

static void check_protected(const struct subject *s)
{
	const char *state = get_str(s, ATTR_state, NULL);
	if (!is_listed_as(s, ATTR_protect, true) || !state || strcmp(state, "absent") != 0)
		return;
	struct diag *d = complain(s, DIAG_PROTECTED_ABSENT, find(s, ATTR_state, NULL)->mark,
	    "state: absent waits while protect is true");
	diag_hint(d, "remove protect when the VM may be destroyed");
}

static void check_depends_self(const struct subject *s)
{
	const struct leaf *l = find(s, ATTR_depends_on, NULL);
	for (size_t i = 0; l && i < l->value.set.n; i++) {
		if (strcmp(l->value.set.v[i], s->r->name) != 0)
			continue;
		struct diag *d = complain(s, DIAG_DEPENDS_ON_ITSELF, l->item_marks[i],
		    "depends_on: the manifest names itself");
		diag_hint(d, "remove the entry");
	}
}

size_t check_resource(const struct resource *r, struct diags *diags)
{
	const struct subject s = {r, diags};
	size_t errors = diags_errors(diags), from = diags->n;
/* clang-format off */
#define RULE_RESOURCE(fn) fn(&s);
#define RULE_DEVICE(fn)
#define RULE(code, word, severity, scope, fn, doc, where, json) RULE_##scope(fn)
#include "rules.def"
#undef RULE
#undef RULE_DEVICE
#undef RULE_RESOURCE
	/* clang-format on */
	checkdev_rules(r, diags);
	diags_set_object(diags, from, r->name);
	return diags_errors(diags) - errors;
}
