#include "drive.h"

#include <stdlib.h>
#include <string.h>

#include "propstr.h"
#include "text.h"

#define GIB ((uint64_t)1 << 30)

void drive_fini(struct drive *d)
{
	free(d->volume);
	free(d->storage);
	free(d->format);
	*d = (struct drive){0};
}

const char *drive_tail(const char *volume)
{
	const char *colon = strchr(volume, ':'), *slash = strrchr(volume, '/');

	return slash ? slash + 1 : colon ? colon + 1 : volume;
}

uint64_t drive_gib_up(uint64_t bytes)
{
	return bytes / GIB + (bytes % GIB != 0);
}

int drive_parse_size(const char *text, uint64_t *ret)
{
	static const char units[] = "KMGT";
	_cleanup_str_ char *number = NULL;
	size_t len = strlen(text);
	unsigned shift = 0;
	double v;

	if (!len)
		return -1;
	const char *unit = strchr(units, text[len - 1]);
	if (unit) {
		shift = 10 * (unsigned)(unit - units + 1);
		len--;
	}
	number = mem_strndup(text, len);
	if (text_to_num(number, &v) < 0 || v < 0)
		return -1;
	v *= (double)((uint64_t)1 << shift);
	if (v >= 9007199254740992.0) /* 2^53: larger than any disk, and exact below */
		return -1;
	*ret = (uint64_t)v;
	return 0;
}

/* Digits of a VMID at s that end at `end`, 0 if there are none. */
static uint32_t vmid_at(const char *s, char end)
{
	size_t digits = strspn(s, "0123456789");
	int64_t v;

	if (!digits || digits > 9 || s[digits] != end)
		return 0;
	_cleanup_str_ char *number = mem_strndup(s, digits);
	return text_to_int(number, 1, 999999999, &v) == 0 ? (uint32_t)v : 0;
}

/* The number in "vm-100-disk-0", "base-100-disk-0", "vm-100-cloudinit" at the start of s. */
static uint32_t owner_at(const char *s)
{
	const char *rest = text_after(s, "vm-");

	if (!rest)
		rest = text_after(s, "base-");
	return rest ? vmid_at(rest, '-') : 0;
}

/* "cloudinit" or "vm-100-cloudinit", and a format of images may follow. */
static bool is_cloudinit(const char *name)
{
	static const char *const ends[] = {
	    "", ".qcow2", ".raw", ".vmdk", ".qcow", ".qed", ".cloop"};
	const char *number = text_after(name, "vm-");
	const char *rest = number && vmid_at(number, '-') ? strchr(number, '-') + 1 : name;

	rest = text_after(rest, "cloudinit");
	for (size_t i = 0; rest && i < ARRAY_LEN(ends); i++)
		if (text_eq(rest, ends[i]))
			return true;
	return false;
}

static void read_format(struct drive *d, const char *name)
{
	static const char *const suffixes[] = {"raw", "qcow2", "vmdk"};
	const char *dot = strrchr(name, '.');

	for (size_t i = 0; dot && i < ARRAY_LEN(suffixes); i++)
		if (!d->format && text_eq(dot + 1, suffixes[i]))
			d->format = mem_strdup(suffixes[i]);
}

/* The volume's name below its storage: the last component belongs to the guest, an earlier
 * component "base-…" is the image that it is a clone of. Among files the folder is the guest's. */
static void read_name(struct drive *d, const char *name)
{
	uint32_t folder = 0;

	for (const char *s = name, *slash; s; s = slash ? slash + 1 : NULL) {
		slash = strchr(s, '/');
		if (slash) {
			d->linked |= text_starts(s, "base-");
			folder = vmid_at(s, '/');
			continue;
		}
		d->owner = folder ? folder : owner_at(s);
		d->cloudinit = is_cloudinit(s);
		read_format(d, s);
	}
}

static const char *const volume_names[] = {"file", "volume"};

const char *drive_volume(const struct propstr *p)
{
	const char *volume = propstr_lead(p);

	for (size_t i = 0; !volume && i < ARRAY_LEN(volume_names); i++)
		volume = propstr_get(p, volume_names[i]);
	return volume;
}

void drive_put_volume(struct propstr *p, const char *volume)
{
	for (size_t i = 0; !propstr_lead(p) && i < ARRAY_LEN(volume_names); i++) {
		if (!propstr_get(p, volume_names[i]))
			continue;
		propstr_set(p, volume_names[i], volume);
		return;
	}
	propstr_set_lead(p, volume);
}

int drive_parse(const char *text, struct drive *ret, struct err **err)
{
	_cleanup_propstr_ struct propstr p = {0};
	_cleanup_drive_ struct drive d = {0};

	if (propstr_parse(text, &p, err) < 0)
		return -1;
	const char *volume = drive_volume(&p);
	if (!volume || !*volume)
		return err_set(err, ERR_INPUT, "drive without a volume");
	const char *size = propstr_get(&p, "size"), *format = propstr_get(&p, "format");
	if (size && drive_parse_size(size, &d.bytes) < 0)
		return err_set(err, ERR_INPUT, "drive with the size '%s'", size);
	d.volume = mem_strdup(volume);
	d.format = mem_strdup(format);
	d.cdrom = text_eq(propstr_get(&p, "media"), "cdrom") || text_eq(volume, "none") ||
		  text_eq(volume, "cdrom");
	const char *colon = volume[0] == '/' ? NULL : strchr(volume, ':');
	d.storage = mem_strndup(volume, colon ? (size_t)(colon - volume) : 0);
	if (colon)
		read_name(&d, colon + 1);
	if (!d.format)
		d.format = mem_strdup("");
	*ret = d;
	d = (struct drive){0};
	return 0;
}
