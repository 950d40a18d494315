/* Names of images: whose they are, what they are, which is free. */
#include <ctype.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "sim_volume.h"

const char *volname_own(const struct store *st, const char *name)
{
	const char *p = strrchr(name, '/');

	if (!p)
		return name;
	if (!store_is_file(st))
		return p + 1;
	while (p > name && p[-1] != '/')
		p--;
	return p;
}

char *volname_key(const struct store *st, const struct node *n, const char *own)
{
	return mem_printf("%s@%s/%s", st->name, st->shared || !n ? "" : n->name, own);
}

bool volname_taken(
    const struct sim *s, const struct store *st, const struct node *n, const char *own)
{
	_cleanup_str_ char *key = volname_key(st, n, own);

	return smap_get(&s->volmap, key) != NULL;
}

int64_t volname_owner(const struct store *st, const char *name)
{
	const char *own = volname_own(st, name), *n;

	if (store_is_file(st)) {
		size_t digits = strspn(own, "0123456789");

		return digits && own[digits] == '/' ? strtoll(own, NULL, 10) : 0;
	}
	n = text_after(own, "vm-");
	if (!n)
		n = text_after(own, "base-");
	return n ? strtoll(n, NULL, 10) : 0;
}

int64_t volname_archived(const char *name)
{
	const char *n = text_after(name, "backup/vzdump-qemu-");

	return n ? strtoll(n, NULL, 10) : 0;
}

bool volname_file_ok(const char *file, struct oops *o)
{
	static const char *const formats[] = {"raw", "qcow2", "vmdk", "subvol"};
	const char *dot = strrchr(file, '.');
	bool known = false;

	for (size_t i = 0; dot && i < ARRAY_LEN(formats); i++)
		known = known || !strcmp(dot + 1, formats[i]);
	if (known && dot > file && !strpbrk(file, "/ \t\r\n\f\v"))
		return true;
	return oops_die(o, "unable to parse volume filename '%s'", file);
}

bool volname_ok(const struct store *st, const char *name, struct oops *o)
{
	const char *own = volname_own(st, name);

	if (st->type == STORE_ISCSI) { /* channel.id.lun.device */
		const char *p = name;
		int numbers = 0;

		while (numbers < 3 && isdigit((unsigned char)*p) &&
		       p[strspn(p, "0123456789")] == '.') {
			p += strspn(p, "0123456789") + 1;
			numbers++;
		}
		return numbers == 3 && *p && !strpbrk(p, "/ \t")
			   ? true
			   : oops_die(o, "unable to parse iscsi volume name '%s'", name);
	}
	if (!store_is_file(st)) {
		if (strstr(name, "vm-") || strstr(name, "base-"))
			return true;
		return oops_die(o, "unable to parse %s volume name '%s'",
		    st->type == STORE_ZFS   ? "zfs"
		    : st->type == STORE_RBD ? "rbd"
					    : "lvm",
		    name);
	}
	if (!strchr(name, '/'))
		return oops_die(o, "unable to parse directory volume name '%s'", name);
	return !volname_owner(st, name) || volname_file_ok(strchr(own, '/') + 1, o);
}

/* Directories count all formats together; a share knows nothing of the other ones. */
static bool index_taken(const struct sim *s, const struct store *st, const struct node *n,
    const struct volume_ask *ask, int k)
{
	static const char *const formats[] = {"raw", "qcow2", "vmdk"};
	bool apart = st->type == STORE_NFS || st->type == STORE_CIFS;

	for (int b = 0; b < 2; b++) {
		_cleanup_str_ char *name =
		    mem_printf("%s-%" PRId64 "-disk-%d", b ? "base" : "vm", ask->vmid, k);

		if (!store_is_file(st)) {
			if (volname_taken(s, st, n, name))
				return true;
			continue;
		}
		for (size_t f = 0; f < ARRAY_LEN(formats); f++) {
			_cleanup_str_ char *own =
			    mem_printf("%" PRId64 "/%s.%s", ask->vmid, name, formats[f]);

			if ((!apart || !strcmp(formats[f], ask->format)) &&
			    volname_taken(s, st, n, own))
				return true;
		}
	}
	return false;
}

char *volname_new(
    const struct sim *s, const struct store *st, const struct node *n, const struct volume_ask *ask)
{
	_cleanup_str_ char *name = NULL;
	int k = 0;

	if (ask->file)
		return store_is_file(st) ? mem_printf("%" PRId64 "/%s", ask->vmid, ask->file)
					 : mem_strdup(ask->file);
	if (ask->suffix)
		name = mem_printf("vm-%" PRId64 "-%s", ask->vmid, ask->suffix);
	else {
		while (index_taken(s, st, n, ask, k))
			k++;
		name = mem_printf("vm-%" PRId64 "-disk-%d", ask->vmid, k);
	}
	if (!store_is_file(st))
		return TAKE(name);
	return mem_printf("%" PRId64 "/%s.%s", ask->vmid, name, ask->format);
}

const char *volname_format(const struct store *st, const char *own)
{
	static const char *const known[] = {"qcow2", "vmdk", "iso", "raw"};
	const char *dot = strrchr(own, '.');

	if (store_is_file(st) && dot)
		for (size_t i = 0; i < ARRAY_LEN(known); i++)
			if (!strcmp(dot + 1, known[i]))
				return known[i];
	return "raw";
}

const char *volname_content(const char *own)
{
	if (text_starts(own, "iso/"))
		return "iso";
	if (text_starts(own, "import/"))
		return "import";
	if (text_starts(own, "snippets/"))
		return "snippets";
	if (text_starts(own, "backup/"))
		return "backup";
	return "images";
}
