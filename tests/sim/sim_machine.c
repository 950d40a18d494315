/* The machine that a guest is given: what does not go together, and what is pinned for Windows. */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "sim_conf.h"
#include "sim_schema.h"

static bool split(const struct sim *s, const char *value, struct kv *ret)
{
	struct buf why;
	bool ok;

	buf_init(&why, 0);
	ok = schema_split(&SCHEMA_OF("machine", s->v9), value, ret, &why);
	buf_fini(&why);
	return ok;
}

/* Machine::assert_valid_machine_property */
bool machine_fits(const struct sim *s, const char *value, struct oops *o)
{
	_cleanup_kv_ struct kv parts = {0};
	const char *type, *viommu, *bits;

	if (!value || !split(s, value, &parts))
		return true;
	type = kv_get(&parts, "type");
	viommu = kv_get(&parts, "viommu");
	bits = kv_get(&parts, "aw-bits");
	if (text_eq(viommu, "intel")) {
		if (!type || !strstr(type, "q35"))
			return oops_die(
			    o, "to use Intel vIOMMU please set the machine type to q35");
		if (bits && strtod(bits, NULL) != 39 && strtod(bits, NULL) != 48)
			return oops_die(
			    o, "Intel vIOMMU supports only 39 or 48 bits as address width");
	}
	if (bits && !viommu)
		return oops_die(o, "cannot set aw-bits if no vIOMMU is configured");
	return true;
}

/* Helpers::windows_version */
static bool is_windows(const char *ostype)
{
	static const char *const old[] = {"wxp", "w2k", "w2k3", "w2k8", "wvista"};
	const char *n = ostype ? text_after(ostype, "win") : NULL;

	for (size_t i = 0; ostype && i < ARRAY_LEN(old); i++)
		if (!strcmp(old[i], ostype))
			return true;
	return n && isdigit((unsigned char)*n);
}

char *qemu_release(const struct sim *s)
{
	size_t major = strcspn(s->qemu, "."),
	       minor = s->qemu[major] ? 1 + strcspn(s->qemu + major + 1, ".") : 0;

	return mem_strndup(s->qemu, major + minor);
}

/* The newest machine that the node's QEMU has: its version, and Proxmox' own revision of it. */
static char *newest(const struct sim *s)
{
	static const struct {
		const char *version;
		int revision;
	} own[] = {{"4.1", 2}, {"9.2", 1}, {"10.0", 1}};
	_cleanup_str_ char *version = qemu_release(s);

	for (size_t i = 0; i < ARRAY_LEN(own); i++)
		if (!strcmp(own[i].version, version))
			return mem_printf("%s+pve%d", version, own[i].revision);
	return TAKE(version);
}

static char *print(const struct kv *parts)
{
	const char *type = kv_get(parts, "type");
	struct buf b;

	buf_init(&b, 0);
	buf_adds(&b, type ? type : "");
	KV_FOREACH (i, parts)
		if (strcmp(i->key, "type") != 0)
			buf_addf(&b, "%s%s=%s", b.len ? "," : "", i->key, i->value);
	return buf_take(&b);
}

/* Windows takes a machine of another version for other hardware. */
char *machine_pinned(struct job *j, const char *value, const char *ostype)
{
	_cleanup_kv_ struct kv parts = {0};
	const char *type;

	if (value && !split(j->sim, value, &parts))
		return mem_strdup(value);
	type = kv_get(&parts, "type");
	if (is_windows(ostype) && (!type || !strcmp(type, "pc") || !strcmp(type, "q35"))) {
		_cleanup_str_ char *version = newest(j->sim);
		_cleanup_str_ char *pinned =
		    mem_printf("pc-%s-%s", text_eq(type, "q35") ? "q35" : "i440fx", version);

		kv_set(&parts, "type", pinned);
		job_log(j, "pinning machine type to '%s' for Windows guest OS", pinned);
	}
	return parts.n ? print(&parts) : NULL;
}
