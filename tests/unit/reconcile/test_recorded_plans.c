/*
 * Plans over texts as real clusters keep them: as people write them by hand, and as they were
 * recorded (beside the project and not part of it; where they are absent that test counts as
 * skipped). A row of the table is listed over each text of its key, also where another one waits
 * for a restart, and with it standing beside what is listed. No plan is refused by its own last
 * look, and what is written is so for the next one.
 */
#include "../plan/support.h"
#include "../recordings.h"

#include "crypt.h"
#include "diff.h"
#include "observe.h"

/* Texts by key, each once: "net0\tvirtio=…". */
static struct strs seen;

static void take_guest(const struct jsn *data)
{
	_cleanup_str_ char *rows = jsn_is_array(data) ? jsn_print(data, false) : NULL;
	_cleanup_str_ char *list = mem_printf("{\"data\":%s}", rows ? rows : "null");
	struct obs_guest g = {0};

	if (observe_pending(list, strlen(list), &g, NULL) == 0)
		KV_FOREACH (item, &g.pending)
			strs_add_take(&seen, mem_printf("%s\t%s", item->key, item->value));
	obs_guest_fini(&g);
}

static void take_exchange(void *arg UNUSED, const char *file UNUSED, const struct jsn *j)
{
	const struct jsn *request = jsn_get(j, "request"), *response = jsn_get(j, "response");
	const char *path = jsn_get_text(request, "path");
	if (path && text_ends(path, "/pending") && jsn_get_int(response, "status", 0) == 200)
		take_guest(jsn_get(jsn_get(response, "body"), "data"));
}

static struct resource *manifest(const struct attr *a, const char *slot, const struct value *v)
{
	struct resource *m = resource_draft(
	    "web-01", "node_name = pve1\nclone.source_vm_id = 9000\nmax_disruption = reboot\n");

	m->leaves = realloc(m->leaves, (m->n_leaves + 1) * sizeof(*m->leaves));
	struct leaf *l = &m->leaves[m->n_leaves++];
	*l = (struct leaf){.attr = a, .slot = mem_strdup(slot)};
	value_copy(&l->value, v);
	if (slot) {
		_cleanup_str_ char *device =
		    mem_printf("%.*s%s", (int)strcspn(a->path, "*"), a->path, slot);
		strs_add(&m->slots, device);
	}
	resource_seal(m);
	return m;
}

static void apply(struct scene *s, const struct step *st)
{
	KV_FOREACH (item, &st->set)
		scene_both(s, item->key, item->value);
	for (size_t i = 0; i < st->del.n; i++)
		scene_both(s, st->del.v[i], NULL);
}

static void try(const struct attr *a, const char *slot, const char *key, const char *text,
    const struct value *v)
{
	struct scene s;

	if (strcmp(key, "smbios1") == 0)
		return;
	scene_open(&s, "");
	resource_free(&s.want);
	s.want = manifest(a, slot, v);
	s.in.want = s.want;
	s.policy.token_is_root = true;
	s.cluster.version_minor = 9;
	scene_stopped(&s);
	/* The marker and the identity stay ours. */
	_cleanup_str_ char *all = NULL;
	if (strcmp(key, "description") == 0)
		all = mem_printf("%s\n\n%s", text, MARKER);
	scene_both(&s, key, all ? all : text);
	const struct plan *p = scene_plan(&s);
	if (p->reason == REASON_BUG)
		fail_msg("%s over %s: %s: %s", a->path, key, text, p->message);
	const struct step *st = find_step(p, STEP_CONFIG);
	if (st) {
		apply(&s, st);
		record_fini(&s.record);
		record_copy(&s.record, &p->learned);
		p = scene_plan(&s);
		if (p->reason == REASON_BUG || find_step(p, STEP_CONFIG))
			fail_msg("%s over %s: %s: again: %s", a->path, key, text, p->message);
	}
	scene_close(&s);
}

static void example_of(const struct attr *a, struct value *ret)
{
	bool quoted = a->example[0] == '"';
	_cleanup_str_ char *example =
	    mem_strndup(a->example + quoted, strlen(a->example) - (size_t)(2 * quoted));
	assert_int_equal(schema_parse_value(a, example, ret), 0);
}

static void try_values(const struct attr *a, const char *slot, const char *key, const char *text)
{
	static const struct value null = {.type = VALUE_NULL}, none = {.type = VALUE_SET};
	_cleanup_value_ struct value v = {0};

	example_of(a, &v);
	try(a, slot, key, text, &v);
	if (a->flags & ATTR_NULLABLE)
		try(a, slot, key, text, &null);
	if (a->type == ATTR_SET)
		try(a, slot, key, text, &none);
}

/* One text is in force and the other waits for a restart. */
static void try_pending(
    const struct attr *a, const char *slot, const char *key, const char *now, const char *next)
{
	_cleanup_value_ struct value v = {0};

	if (strcmp(key, "smbios1") == 0 || strcmp(key, "description") == 0)
		return;
	example_of(a, &v);
	for (int create = 0; create < 2; create++) {
		struct scene s;
		(create ? scene_create : scene_open)(&s, "");
		resource_free(&s.want);
		s.want = manifest(a, slot, &v);
		s.in.want = s.want;
		s.policy.token_is_root = true;
		s.cluster.version_minor = 9;
		scene_conf(&s.guest.current, key, now);
		scene_conf(&s.guest.pending, key, next);
		scene_conf(&s.source.current, key, now);
		scene_conf(&s.source.pending, key, next);
		const struct plan *p = scene_plan(&s);
		if (p->reason == REASON_BUG)
			fail_msg(
			    "%s over %s: %s, then %s: %s", a->path, key, now, next, p->message);
		scene_close(&s);
	}
}

/* It stands there, and nothing of it is listed; or the template has it. */
static void try_beside(const char *key, const char *text)
{
	static const char *const lines[] = {"name = zz-9", ""};
	_cleanup_str_ char *all = NULL;

	if (strcmp(key, "smbios1") == 0)
		return;
	if (strcmp(key, "description") == 0)
		all = mem_printf("%s\n\n%s", text, MARKER);
	for (size_t i = 0; i < 2 * ARRAY_LEN(lines); i++) {
		struct scene s;
		bool create = i >= ARRAY_LEN(lines);
		(create ? scene_create : scene_open)(&s, lines[i % ARRAY_LEN(lines)]);
		s.record.synced_hash[0] = '\0';
		s.policy.token_is_root = true;
		s.cluster.version_minor = 9;
		scene_stopped(&s);
		scene_both(&s, key, all ? all : text);
		scene_conf(&s.source.current, key, text);
		const struct plan *p = scene_plan(&s);
		bool locked = strcmp(key, "protection") == 0;
		locked |= create && text_starts(text, "/"); /* PVE clones no such drive */
		if (p->reason == REASON_BUG || (p->verdict != PLAN_ACT && !locked && *lines[i % 2]))
			fail_msg("beside %s: %s: %s", key, text, p->message);
		scene_close(&s);
	}
}

/* As people write them into files by hand, and older versions did. */
static const char *const by_hand[] = {"tags\ta, b", "tags\ta; b;;c", "tags\t ", "tags\tB a",
    "boot\tcdn", "boot\tc", "boot\tlegacy=cdn", "boot\torder=", "bootdisk\tide0",
    "memory\tcurrent=2048", "memory\t2048", "cpu\tcputype=host,flags=+aes;-pcid",
    "cpu\thost,hidden=1,phys-bits=host", "cpu\tcustom-mine,flags=+aes", "cpu\t ",
    "net0\tmodel=virtio,macaddr=BC:24:11:00:00:01,bridge=vmbr0",
    "net0\tbridge=vmbr0,virtio=bc:24:11:00:00:01,tag=5", "net0\tvirtio,bridge=vmbr0",
    "net0\te1000=BC:24:11:00:00:01", "net0\tvirtio=BC:24:11:00:00:01,bridge=vmbr0,,tag=5,",
    "net0\tvirtio=BC:24:11:00:00:01,trunks=1;2;3-5,bridge=vmbr0,host-tunnel=1",
    "ide2\tnone,media=cdrom", "ide2\tmedia=cdrom,file=none", "ide2\tcdrom,media=cdrom",
    "ide2\tlocal:iso/a b.iso,media=cdrom,size=4M", "ide2\tfile=local:iso/x.iso,media=cdrom",
    "ide2\tlocal:1204/vm-1204-cloudinit.qcow2,media=cdrom,size=4M",
    "scsi0\tlocal:1204/vm-1204-disk-0.qcow2,size=32G,ssd=1",
    "scsi0\tfile=local-lvm:vm-1204-disk-0,size=33554432K,backup=no,iothread=on",
    "scsi0\tlocal-lvm:vm-1204-disk-0,discard=on,size=34359738368",
    "scsi0\tlocal-lvm:vm-1204-disk-0", "scsi0\t/dev/disk/by-id/wwn-0x5000,size=1T",
    "scsi0\tlun:0.0.0.scsi-36001405,size=8G", "scsi0\tlocal-lvm:vm-1204-disk-0,size=0T",
    "agent\tenabled=1,fstrim_cloned_disks=1", "agent\tyes", "agent\t1,freeze-fs-on-backup=0",
    "vga\ttype=qxl,memory=32", "vga\tmemory=32", "vga\t ", "machine\ttype=q35,viommu=intel",
    "machine\tpc-i440fx-9.2+pve1", "startup\t1", "startup\torder=1,up=30,down=60", "startup\t ",
    "rng0\t/dev/urandom,max_bytes=1024", "rng0\tsource=/dev/random", "watchdog\taction=reset",
    "hotplug\t0", "hotplug\t1", "hotplug\tdisk;network, usb", "hotplug\t ",
    "usb0\thost=1-2,usb3=yes", "usb0\tmapping=key,usb3=1", "hostpci0\t01:00.0;01:00.1,pcie=on",
    "serial0\tsocket", "numa0\tcpus=0-1;3,memory=1024", "ipconfig0\tgw=10.0.0.1,ip=10.0.0.5/24",
    "ipconfig0\tip=dhcp,ip6=auto", "ipconfig0\t ", "cicustom\t ",
    "cicustom\tuser=a:snippets/u.yaml", "nameserver\t10.0.0.1,10.0.0.2",
    "nameserver\t10.0.0.1 10.0.0.2 ", "nameserver\t ", "searchdomain\t ", "ciuser\t ", "sshkeys\t ",
    "sshkeys\tssh-rsa%20AAAA%0A%0D%0Assh-rsa%20BBBB", "description\t ", "description\ta\r\nb  \n\n",
    "description\t\xc3\xa4 %41 #x: y", "onboot\ton", "onboot\tyes", "onboot\tTRUE", "numa\toff",
    "acpi\tno", "cpulimit\t1.50", "cpulimit\t2.", "migrate_downtime\t.5", "cpuunits\t0100",
    "args\t-cpu a,b=c", "smp\t02", "audio0\tdriver=none,device=AC97",
    "tpmstate0\tlocal-lvm:vm-1204-disk-1,size=4M,version=v2.0",
    "efidisk0\tlocal-lvm:vm-1204-disk-2,efitype=4m,pre-enrolled-keys=1,size=528K",
    "virtiofs0\tdirid=a,cache=never", "virtiofs0\ta", "zork\t ",
    "unused0\tlocal-lvm:vm-1204-disk-9"};

static size_t try_all(void)
{
	size_t n = 0;

	strs_sort_unique(&seen);
	for (size_t i = 0; i < seen.n; i++) {
		const char *tab = strchr(seen.v[i], '\t');
		_cleanup_str_ char *key = mem_strndup(seen.v[i], (size_t)(tab - seen.v[i]));
		bool again = i && strncmp(seen.v[i - 1], seen.v[i], strlen(key) + 1) == 0;
		try_beside(key, tab + 1);
		for (unsigned k = 0; k < ATTR_ID__MAX; k++) {
			const struct attr *a = schema_attr(k);
			const struct attr_block *b = schema_slot_block(a);
			bool slot = b && form_check(b->slot_format, key, NULL, NULL);
			if (!diff_is_walked(a) || (b ? !slot : !text_eq(a->key, key)))
				continue;
			try_values(a, b ? key : NULL, key, tab + 1);
			if (again)
				try_pending(a, b ? key : NULL, key, seen.v[i - 1] + strlen(key) + 1,
				    tab + 1);
			n++;
		}
	}
	strs_fini(&seen);
	return n;
}

static void texts_by_hand(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(by_hand); i++)
		strs_add(&seen, by_hand[i]);
	assert_true(try_all() >= ARRAY_LEN(by_hand));
}

static void recorded_texts(void **state)
{
	(void)state;
	if (!recordings_walk(take_exchange, NULL))
		skip();
	assert_true(try_all() > 1000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(texts_by_hand), cmocka_unit_test(recorded_texts)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
