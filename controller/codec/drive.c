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

/* The number in "vm-100-disk-0", "base-100-disk-0", "vm-100-cloudinit" at the start of s. */
static uint32_t owner_at(const char *s)
{
	const char *rest = text_after(s, "vm-");
	int64_t v;

	if (!rest)
		rest = text_after(s, "base-");
	if (!rest)
		return 0;
	size_t digits = strspn(rest, "0123456789");
	if (!digits || digits > 9 || rest[digits] != '-')
		return 0;
	_cleanup_str_ char *number = mem_strndup(rest, digits);
	return text_to_int(number, 1, 999999999, &v) == 0 ? (uint32_t)v : 0;
}

/* The volume's name below its storage: the last component belongs to the guest, an earlier
 * component "base-…" is the image that it is a clone of. */
static void read_name(struct drive *d, const char *name)
{
	for (const char *s = name, *slash; s; s = slash ? slash + 1 : NULL) {
		slash = strchr(s, '/');
		if (slash && text_starts(s, "base-"))
			d->linked = true;
		if (!slash) {
			d->owner = owner_at(s);
			d->cloudinit = strstr(s, "cloudinit") != NULL;
			const char *dot = strrchr(s, '.');
			static const char *const suffixes[] = {"raw", "qcow2", "vmdk"};
			for (size_t i = 0; dot && i < ARRAY_LEN(suffixes); i++)
				if (!d->format && text_eq(dot + 1, suffixes[i]))
					d->format = mem_strdup(suffixes[i]);
		}
	}
}

int drive_parse(const char *text, struct drive *ret, struct err **err)
{
	_cleanup_propstr_ struct propstr p = {0};
	_cleanup_drive_ struct drive d = {0};

	if (propstr_parse(text, &p, err) < 0)
		return -1;
	const char *volume = propstr_lead(&p);
	if (!volume)
		volume = propstr_get(&p, "file");
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
