/* Named formats of the API: what they accept and what they say when not. */
#include "sim_schema.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <regex.h>
#include <stdlib.h>
#include <string.h>

static const struct {
	const char *name;
	int since;
} cpu_models[] = {
#define CPU_MODEL(name, vendor, since) {name, since},
#include "sim_cpu.def"
#undef CPU_MODEL
};
static const char cpu_flags_8[] = "pcid, spec-ctrl, ibpb, ssbd, virt-ssbd, amd-ssbd, amd-no-ssb, "
				  "pdpe1gb, md-clear, hv-tlbflush, hv-evmcs, aes";
static const char cpu_flags_9[] =
    "aes, amd-no-ssb, amd-ssbd, hv-evmcs, hv-tlbflush, ibpb, "
    "md-clear, nested-virt, pcid, pdpe1gb, spec-ctrl, ssbd, virt-ssbd";

/* Compiled once each: they are asked for with every request. The patterns are literals. */
static struct {
	const char *text;
	regex_t re;
} kept[32];
static size_t nkept;

static void forget_kept(void)
{
	while (nkept)
		regfree(&kept[--nkept].re);
}

static bool matches(const char *re, const char *s)
{
	size_t i = 0;

	while (i < nkept && kept[i].text != re)
		i++;
	if (i == nkept) {
		if (!nkept)
			atexit(forget_kept);
		MUST(nkept < ARRAY_LEN(kept));
		MUST(!regcomp(&kept[nkept].re, re, REG_EXTENDED | REG_NOSUB));
		kept[nkept++].text = re;
	}
	return !regexec(&kept[i].re, s, 0, NULL, 0);
}

static bool word_in(const char *list, const char *word)
{
	_cleanup_str_ char *w = mem_printf("|%s|", word);

	return strstr(list, w) != NULL;
}

static bool cpu_model(const char *name, bool v9)
{
	for (size_t i = 0; i < ARRAY_LEN(cpu_models); i++)
		if (!strcmp(cpu_models[i].name, name))
			return v9 || !cpu_models[i].since;
	return false;
}

static bool is_ip4(const char *s)
{
	struct in_addr a;

	return inet_pton(AF_INET, s, &a) == 1;
}

static bool is_ip6(const char *s)
{
	struct in6_addr a;

	return inet_pton(AF_INET6, s, &a) == 1;
}

static bool is_cidr(const char *s, bool v6)
{
	const char *slash = strchr(s, '/');
	_cleanup_str_ char *ip = slash ? mem_strndup(s, (size_t)(slash - s)) : NULL;
	int64_t bits;

	return ip && !text_to_int(slash + 1, 8, v6 ? 128 : 32, &bits) &&
	       (v6 ? is_ip6(ip) : is_ip4(ip));
}

static bool is_dns_name(const char *s)
{
	return matches(
	    "^([a-zA-Z0-9]([a-zA-Z0-9-]*[a-zA-Z0-9])?\\.)*[a-zA-Z0-9]([a-zA-Z0-9-]*[a-zA-"
	    "Z0-9])?$",
	    s);
}

static bool is_volume_id(const char *s)
{
	return matches("^[a-zA-Z][a-zA-Z0-9_.-]*[a-zA-Z0-9]:.+$", s);
}

static bool hotplug_ok(const char *value, struct buf *why)
{
	struct strs parts = {0};
	bool ok = true;

	if (!strcmp(value, "0") || !strcmp(value, "1"))
		return true;
	if (text_split(value, ",; ", true, 64, &parts) < 0)
		return false;
	for (size_t i = 0; ok && i < parts.n; i++)
		if (!word_in("|network|disk|cpu|memory|usb|cloudinit|", parts.v[i])) {
			buf_addf(why, "invalid hotplug feature '%s'\n", parts.v[i]);
			ok = false;
		}
	strs_fini(&parts);
	return ok;
}

static bool flag_known(const char *flags, const char *flag)
{
	_cleanup_str_ char *list = mem_printf(", %s,", flags);
	_cleanup_str_ char *w = mem_printf(", %s,", flag);

	return strstr(list, w) != NULL;
}

/* What cannot be said by types alone of a guest's CPU. */
static bool cpu_ok(const char *value, bool v9, struct buf *why)
{
	_cleanup_kv_ struct kv parts = {0};
	struct buf ignored;
	const char *type, *flags, *known = v9 ? cpu_flags_9 : cpu_flags_8;
	struct strs fl = {0};
	bool ok = true;

	buf_init(&ignored, 0);
	ok = schema_split(&SCHEMA_OF("cpu", v9), value, &parts, &ignored);
	buf_fini(&ignored);
	if (!ok)
		return false;
	type = kv_get(&parts, "cputype");
	flags = kv_get(&parts, "flags");
	/* Whether there is such a model of the cluster's own is looked at by who knows the cluster.
	 */
	if (type && !text_starts(type, "custom-") && !cpu_model(type, v9)) {
		buf_addf(why, "Built-in cputype '%s' is not defined (missing 'custom-' prefix?)\n",
		    type);
		return false;
	}
	if (flags && text_split(flags, ";", true, 64, &fl) == 0)
		for (size_t i = 0; i < fl.n; i++)
			ok = ok && flag_known(known, fl.v[i] + 1);
	strs_fini(&fl);
	if (!ok) {
		buf_addf(why, "VM-specific CPU flags must be a subset of: %s\n", known);
		return false;
	}
	if (kv_has(&parts, "reported-model")) {
		buf_adds(why, "Property 'reported-model' not allowed in VM-specific CPU config.\n");
		return false;
	}
	return true;
}

static bool mac_ok(const char *s)
{
	return matches("^[a-fA-F0-9][02468aceACE]:([a-fA-F0-9]{2}:){4}[a-fA-F0-9]{2}$", s);
}

static bool percent_ok(const char *s)
{
	return matches("^([a-zA-Z0-9_.!~*'()-]|%[0-9a-fA-F]{2})*$", s);
}

/* pve_parse_startup_order: to Perl "0" is nothing, though "order=0" is a place; empty parts count
 * for nothing, and of what is said twice the last one holds. */
static bool startup_ok(const char *s)
{
	_cleanup_strs_ struct strs parts = {0};

	if (!*s || !strcmp(s, "0") || text_split(s, ",", true, 4096, &parts) < 0)
		return false;
	for (size_t i = 0; i < parts.n; i++)
		if (!matches("^([ \t\r\n]*|((order|up|down)=)?[0-9]+)$", parts.v[i]))
			return false;
	return true;
}

struct format {
	const char *name;
	const char *re;		       /* or */
	bool (*fn)(const char *value); /* or neither: anything goes */
	const char *text;	       /* %s = the value */
};

static bool vmid_ok(const char *s)
{
	return matches("^[1-9][0-9]{2,8}$", s);
}

static bool ip4conf_ok(const char *s)
{
	return !strcmp(s, "dhcp") || !strcmp(s, "manual") || is_cidr(s, false);
}

static bool ip6conf_ok(const char *s)
{
	return !strcmp(s, "dhcp") || !strcmp(s, "auto") || !strcmp(s, "manual") || is_cidr(s, true);
}

static bool address_ok(const char *s)
{
	return is_ip4(s) || is_ip6(s) || is_dns_name(s);
}

static bool qm_path_ok(const char *s)
{
	return !strcmp(s, "none") || !strcmp(s, "cdrom") || *s == '/' || is_volume_id(s);
}

static bool abs_path_ok(const char *s)
{
	return *s == '/' || is_volume_id(s);
}

static bool cidr_ok(const char *s)
{
	return is_cidr(s, false) || is_cidr(s, true);
}

static const struct format formats[] = {
    {"pve-vmid", NULL, vmid_ok, "value does not look like a valid VM ID"},
    {"pve-node", "^[a-zA-Z0-9]([a-zA-Z0-9-]*[a-zA-Z0-9])?$", NULL,
	"value does not look like a valid node name"},
    {"pve-configid", "^[a-zA-Z][a-zA-Z0-9_-]+$", NULL, "invalid configuration ID '%s'"},
    {"pve-storage-id", "^[a-zA-Z][a-zA-Z0-9_.-]*[a-zA-Z0-9]$", NULL,
	"storage ID '%s' contains illegal characters"},
    {"pve-poolid", "^[A-Za-z0-9._-]+(/[A-Za-z0-9._-]+){0,2}$", NULL,
	"pool name '%s' contains invalid characters"},
    {"dns-name", NULL, is_dns_name, "value does not look like a valid DNS name"},
    {"address", NULL, address_ok, "value does not look like a valid address: %s"},
    {"mac-addr", NULL, mac_ok, "value does not look like a valid unicast MAC address"},
    {"pve-bridge-id", "^[-_.a-zA-Z0-9]+$", NULL, "invalid bridge ID '%s'"},
    {"disk-size", "^[0-9]+(\\.[0-9]+)?[KMGT]?$", NULL,
	"value does not look like a valid disk size: %s"},
    {"urlencoded", NULL, percent_ok, "invalid urlencoded string: %s"},
    {"pve-volume-id", NULL, is_volume_id, "unable to parse volume ID '%s'"},
    {"pve-volume-id-or-qm-path", NULL, qm_path_ok, "unable to parse volume ID '%s'"},
    {"pve-volume-id-or-absolute-path", NULL, abs_path_ok, "unable to parse volume ID '%s'"},
    {"pve-tag", "^[a-zA-Z0-9_][a-zA-Z0-9_+.-]*$", NULL, "invalid characters in tag"},
    {"pve-startup-order", NULL, startup_ok, "unable to parse startup options"},
    {"pve-cpuset", "^([0-9]+(-[0-9]+)?(,[0-9]+(-[0-9]+)?)*[ \n]*)?$", NULL,
	"unable to parse cpuset option"},
    {"pve-qm-bootdev", "^((ide|sata|scsi|virtio|net|usb|hostpci)[0-9]+)$", NULL,
	"invalid boot device '%s'"},
    {"pve-qm-bootdisk", "^(ide|sata|scsi|virtio)[0-9]+$", NULL, "invalid boot disk '%s'"},
    {"pve-phys-bits", "^(host|[1-9][0-9]*)$", NULL,
	"value must be an integer between 8 and 64 or 'host'"},
    {"ipv4", NULL, is_ip4, "value does not look like a valid IPv4 address"},
    {"ipv6", NULL, is_ip6, "value does not look like a valid IPv6 address"},
    {"pve-ipv4-config", NULL, ip4conf_ok,
	"value does not look like a valid ipv4 network configuration"},
    {"pve-ipv6-config", NULL, ip6conf_ok,
	"value does not look like a valid ipv6 network configuration"},
    {"pve-ha-resource-id", "^[a-z]+:[^ ]+$", NULL,
	"value does not look like a valid ha resource id"},
    {"pve-ha-group-node", "^[a-zA-Z0-9]([a-zA-Z0-9-]*[a-zA-Z0-9])?(:[0-9]+)?$", NULL,
	"value does not look like a valid ha group node"},
    {"pve-replication-job-id", "^0*[1-9][0-9]{2,}-[0-9]+$", NULL,
	"invalid replication job id '%s'"},
    {"CIDR", NULL, cidr_ok, "value does not look like a valid CIDR network"},
};

static bool one(const char *format, const char *value, struct buf *why)
{
	for (size_t i = 0; i < ARRAY_LEN(formats); i++) {
		const struct format *f = &formats[i];
		const char *pct = strstr(f->text, "%s");

		if (strcmp(f->name, format) != 0)
			continue;
		if (f->re ? matches(f->re, value) : f->fn(value))
			return true;
		if (pct) {
			buf_add(why, f->text, (size_t)(pct - f->text));
			buf_addf(why, "%s%s\n", value, pct + 2);
		} else
			buf_addf(why, "%s\n", f->text);
		return false;
	}
	return true; /* a format without rules of ours */
}

bool format_check(const char *format, const char *value, bool v9, struct buf *why)
{
	struct strs parts = {0};
	bool ok = true;

	if (!strcmp(format, "cpu-parts"))
		return cpu_ok(value, v9, why);
	if (!strcmp(format, "pve-hotplug-features"))
		return hotplug_ok(value, why);
	if (!text_ends(format, "-list"))
		return one(format, value, why);
	{
		_cleanup_str_ char *base = mem_strndup(format, strlen(format) - 5);

		if (text_split(value, ",; \t\n", true, 4096, &parts) < 0)
			ok = false;
		for (size_t i = 0; ok && i < parts.n; i++)
			ok = one(base, parts.v[i], why);
	}
	strs_fini(&parts);
	return ok;
}
