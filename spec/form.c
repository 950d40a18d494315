#include "form.h"

#include <arpa/inet.h>
#include <regex.h>
#include <stdlib.h>
#include <string.h>

#include "crypt.h"
#include "value.h"

#define TEXT_MAX 65536	/* longer ones are refused before a pattern sees them */
#define NETWORK_LEAST 8 /* PVE takes no shorter prefix */
#define STORE "[A-Za-z][A-Za-z0-9_.-]*[A-Za-z0-9]"
#define VOLUME STORE ":[!-+.-~-]+" /* no blank, no comma: it becomes part of a property string */
/* Names of media are their files': blanks within them stay what they are. */
#define MEDIUM VOLUME "( +[!-+.-~-]+)*"
#define HEX "[0-9A-Fa-f]"
#define LABEL "[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
#define CPUS "[0-9]{1,5}(-[0-9]{1,5})?"
#define PCI "([0-9a-f]{4,}:)?[0-9a-f]{2}:[0-9a-f]{2}(\\.[0-9a-f])?"
#define IDE_SATA_SCSI "ide[0-3]|sata[0-5]|scsi([0-9]|[12][0-9]|30)"

static const char *const cpu_models[] = {
#define CPU_MODEL(name, since) name,
#include "cpumodels.def"
#undef CPU_MODEL
};

static const char *const cpu_flags[] = {
#define CPU_FLAG(name, since) name,
#include "cpuflags.def"
#undef CPU_FLAG
};

static const struct bus {
	const char *name;
	unsigned max;
} buses[] = {{"net", 31}, {"ide", 3}, {"sata", 5}, {"scsi", 30}, {"virtio", 15}};

typedef bool check_fn(const char *s, char **ret_why, char **ret_hint);

static void say(char **ret, char *text)
{
	if (ret)
		*ret = text;
	else
		free(text);
}

static bool check_any(const char *s, char **ret_why, char **ret_hint)
{
	if (text_is_printable(s, strlen(s)))
		return true;
	say(ret_why, mem_strdup("contains a line end or a control character"));
	say(ret_hint, mem_strdup("write it in one line"));
	return false;
}

static bool check_text(const char *s, char **ret_why, char **ret_hint)
{
	for (const char *p = s; *p;) {
		size_t n = strcspn(p, "\n\t\r");
		if (!text_is_printable(p, n)) {
			say(ret_why, mem_strdup("contains a control character"));
			say(ret_hint, mem_strdup("remove it"));
			return false;
		}
		p += n;
		p += strspn(p, "\n\t\r");
	}
	return true;
}

/* "a-b,c": each number at least min and at most max, each range upwards. */
static bool check_ranges(const char *s, long min, long max, char **ret_why)
{
	while (*s) {
		char *end;
		long a = strtol(s, &end, 10), b = a;
		if (*end == '-')
			b = strtol(end + 1, &end, 10);
		if (a > b) {
			say(ret_why, mem_printf("the range %ld-%ld runs backwards", a, b));
			return false;
		}
		if (a < min || b > max) {
			say(ret_why,
			    mem_printf("%ld is not within %ld to %ld", a < min ? a : b, min, max));
			return false;
		}
		s = *end == ',' ? end + 1 : end;
	}
	return true;
}

static bool check_vlan(const char *s, char **ret_why, char **ret_hint)
{
	if (check_ranges(s, FORM_VLAN_MIN, FORM_VLAN_MAX, ret_why))
		return true;
	say(ret_hint, mem_strdup("write a VLAN or a range such as 20-29"));
	return false;
}

static bool check_cpu_list(const char *s, char **ret_why, char **ret_hint)
{
	if (check_ranges(s, 0, FORM_CPU_MAX, ret_why))
		return true;
	say(ret_hint, mem_strdup("write numbers and ranges such as \"0-3,8\""));
	return false;
}

static bool check_listed(const char *s, const char *const *words, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (strcmp(words[i], s) == 0)
			return true;
	return false;
}

static bool check_cpu_model(const char *s, char **ret_why, char **ret_hint)
{
	if (text_starts(s, "custom-") || check_listed(s, cpu_models, ARRAY_LEN(cpu_models)))
		return true;
	const char *near = text_nearest(s, cpu_models, ARRAY_LEN(cpu_models));
	say(ret_why, mem_printf("PVE knows no CPU model %s", s));
	if (near)
		say(ret_hint, mem_printf("did you mean %s?", near));
	else
		say(ret_hint,
		    mem_strdup("use a model of PVE such as host or x86-64-v2-AES; the names of own "
			       "models begin with custom-"));
	return false;
}

static bool check_cpu_flag(const char *s, char **ret_why, char **ret_hint)
{
	if (check_listed(s + 1, cpu_flags, ARRAY_LEN(cpu_flags)))
		return true;
	const char *near = text_nearest(s + 1, cpu_flags, ARRAY_LEN(cpu_flags));
	say(ret_why, mem_printf("PVE does not let a VM set the CPU flag %s", s + 1));
	if (near) {
		say(ret_hint, mem_printf("did you mean %c%s?", s[0], near));
	} else {
		struct strs l = {0};
		for (size_t i = 0; i < ARRAY_LEN(cpu_flags); i++)
			strs_add(&l, cpu_flags[i]);
		_cleanup_str_ char *all = strs_join(&l, ", ");
		strs_fini(&l);
		say(ret_hint, mem_printf("possible are %s", all));
	}
	return false;
}

/* STORE:32 makes PVE allocate a new disk each time that it is sent. */
static bool check_volume(const char *s, char **ret_why, char **ret_hint)
{
	const char *rest = strchr(s, ':');
	if (!rest || rest[1 + strspn(rest + 1, "0123456789.")])
		return true;
	say(ret_why, mem_printf("\"%s\" is an order to allocate, not a volume", s));
	say(ret_hint, mem_strdup("use datastore_id and size_gb for a new disk"));
	return false;
}

static bool check_time(const char *s, char **ret_why, char **ret_hint)
{
	int64_t ms;
	if (value_parse_time(s, &ms) == 0)
		return true;
	say(ret_why, mem_printf("\"%s\" is no time that exists", s));
	say(ret_hint, mem_strdup("write it as 2026-12-01T08:00:00Z"));
	return false;
}

/* The key itself begins with the length and the name of its type. */
static bool check_ssh_key(const char *s, char **ret_why, char **ret_hint)
{
	size_t type = strcspn(s, " ");

	if (!check_any(s, ret_why, ret_hint)) /* its comment may be in any language */
		return false;
	_cleanup_str_ char *code = mem_strndup(s + type + 1, strcspn(s + type + 1, " "));
	_cleanup_buf_ struct buf key;

	buf_init(&key, 0);
	if (crypt_base64_decode(code, &key) && key.len > 4 + type &&
	    (unsigned char)buf_str(&key)[3] == type && memcmp(buf_str(&key) + 4, s, type) == 0)
		return true;
	say(ret_why, mem_printf("the key does not fit its type, %.*s", (int)type, s));
	say(ret_hint, mem_strdup("copy the whole line of a .pub file"));
	return false;
}

static bool is_address(int family, const char *s)
{
	unsigned char address[sizeof(struct in6_addr)];
	return inet_pton(family, s, address) == 1;
}

static bool no_address(const char *s, char **ret_why, char **ret_hint, const char *hint)
{
	say(ret_why, mem_printf("\"%s\" is no address", s));
	say(ret_hint, mem_strdup(hint));
	return false;
}

static bool check_ipv4(const char *s, char **ret_why, char **ret_hint)
{
	return is_address(AF_INET, s) ||
	       no_address(s, ret_why, ret_hint, "write it as 192.168.1.1");
}

static bool check_ipv6(const char *s, char **ret_why, char **ret_hint)
{
	return is_address(AF_INET6, s) || no_address(s, ret_why, ret_hint, "write it as fd00::1");
}

static bool check_address(const char *s, char **ret_why, char **ret_hint)
{
	return is_address(AF_INET, s) || check_ipv6(s, ret_why, ret_hint);
}

/* A word, or an address with the length of its network. */
static bool check_cidr(const char *s, int family, char **ret_why, char **ret_hint)
{
	const char *slash = strchr(s, '/');
	int64_t length;
	if (!slash)
		return true;
	_cleanup_str_ char *address = mem_strndup(s, (size_t)(slash - s));
	if (!is_address(family, address))
		return family == AF_INET ? check_ipv4(address, ret_why, ret_hint)
					 : check_ipv6(address, ret_why, ret_hint);
	if (text_to_int(slash + 1, NETWORK_LEAST, family == AF_INET ? 32 : 128, &length) == 0)
		return true;
	say(ret_why, mem_printf("a network cannot have the length %s", slash + 1));
	say(ret_hint,
	    mem_printf("possible is %d to %d", NETWORK_LEAST, family == AF_INET ? 32 : 128));
	return false;
}

static bool check_cidr4(const char *s, char **ret_why, char **ret_hint)
{
	return check_cidr(s, AF_INET, ret_why, ret_hint);
}

static bool check_cidr6(const char *s, char **ret_why, char **ret_hint)
{
	return check_cidr(s, AF_INET6, ret_why, ret_hint);
}

struct form {
	const char *word;
	const char *pattern; /* without the anchors */
	const char *hint;
	check_fn *check;
};

static const struct form forms[FMT__MAX] = {
    [FMT_ANY] = {"a text in one line", NULL, NULL, check_any},
    [FMT_TEXT] = {"a text", NULL, NULL, check_text},
    [FMT_DNS_LABEL] = {"a DNS label", "[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?",
	"use lower-case letters, digits and hyphens, at most 63", NULL},
    [FMT_DNS_NAME] = {"a DNS name", LABEL "(\\." LABEL ")*",
	"use letters, digits and hyphens, with dots between labels; no underscore", NULL},
    [FMT_NODE] = {"a node name", LABEL, "use the node's name as PVE shows it", NULL},
    [FMT_STORAGE] = {"a storage", STORE, "use the storage's ID as PVE shows it", NULL},
    [FMT_POOL] = {"a resource pool", "[A-Za-z0-9._-]+(/[A-Za-z0-9._-]+){0,2}",
	"use the pool's ID as PVE shows it", NULL},
    [FMT_SNAPSHOT] = {"a snapshot name", "[A-Za-z][A-Za-z0-9_-]+",
	"use a letter first, then letters, digits, _ and -", NULL},
    [FMT_TAG] = {"a tag", "[A-Za-z0-9_][A-Za-z0-9_+.-]*",
	"use letters, digits, _ + . and -, not beginning with + . or -", NULL},
    [FMT_BRIDGE] = {"a bridge", "[A-Za-z0-9_.-]+", "use a bridge or VNet such as vmbr0", NULL},
    [FMT_MAC] = {"a unicast MAC address", HEX "[02468ACEace](:" HEX "{2}){5}",
	"write six pairs such as BC:24:11:2E:C5:00; the second digit must be even", NULL},
    [FMT_VLAN_RANGE] = {"a VLAN or a range of VLANs", "[0-9]{1,4}(-[0-9]{1,4})?",
	"write a VLAN or a range such as 20-29", check_vlan},
    [FMT_CPU_LIST] = {"a list of CPUs", CPUS "(," CPUS ")*",
	"write numbers and ranges such as \"0-3,8\"", check_cpu_list},
    [FMT_CPU_MODEL] = {"a CPU model", "[A-Za-z0-9][A-Za-z0-9_.-]*",
	"use a model of PVE such as host or x86-64-v2-AES", check_cpu_model},
    [FMT_CPU_FLAG] = {"a CPU flag with + or -", "[+-][a-z0-9-]+",
	"write +aes to switch a flag on, -aes to switch it off", check_cpu_flag},
    [FMT_VOLUME] = {"a volume", VOLUME, "write STORAGE:VOLUME, for example local-lvm:vm-100-disk-0",
	check_volume},
    [FMT_CDROM] = {"none, cdrom or a volume", "none|cdrom|" MEDIUM,
	"write none, cdrom or an image such as local:iso/debian-12.iso", check_volume},
    [FMT_SERIAL] = {"a URL-encoded serial number", "([A-Za-z0-9_.~-]|%" HEX "{2})+",
	"use letters, digits, - _ . ~ and %XX", NULL},
    [FMT_NET_SLOT] = {"a network slot", "net([0-9]|[12][0-9]|3[01])", "slots are net0 to net31",
	NULL},
    [FMT_DISK_SLOT] = {"a disk slot", IDE_SATA_SCSI "|virtio([0-9]|1[0-5])",
	"slots are ide0 to ide3, sata0 to sata5, scsi0 to scsi30, virtio0 to virtio15", NULL},
    [FMT_CDROM_SLOT] = {"a slot for a CD-ROM drive", IDE_SATA_SCSI,
	"slots are ide0 to ide3, sata0 to sata5, scsi0 to scsi30", NULL},
    [FMT_UUID] = {"a UUID", HEX "{8}(-" HEX "{4}){3}-" HEX "{12}",
	"copy the UUID from the VM's SMBIOS settings", NULL},
    [FMT_TIME] = {"a time as in RFC 3339",
	"[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt ][0-9]{2}:[0-9]{2}:[0-9]{2}(\\.[0-9]+)?"
	"([Zz]|[+-][0-9]{2}:[0-9]{2})",
	"write it as 2026-12-01T08:00:00Z", check_time},
    [FMT_SSH_KEY] = {"a public key for SSH", "[a-z0-9@.-]+ [A-Za-z0-9+/]{16,}={0,3}( .+)?",
	"copy one line of a .pub file: type, key and comment", check_ssh_key},
    [FMT_IPV4] = {"an IPv4 address", "[0-9]{1,3}(\\.[0-9]{1,3}){3}", "write it as 192.168.1.1",
	check_ipv4},
    [FMT_IPV6] = {"an IPv6 address", "[0-9A-Fa-f:.]{2,45}", "write it as fd00::1", check_ipv6},
    [FMT_ADDRESS] = {"an IP address", "[0-9A-Fa-f:.]{2,45}", "write it as 192.168.1.1 or fd00::1",
	check_address},
    [FMT_CIDR4] = {"dhcp or an IPv4 address with the length of its network",
	"dhcp|[0-9]{1,3}(\\.[0-9]{1,3}){3}/[0-9]{1,2}",
	"write dhcp, or an address as 192.168.1.5/24", check_cidr4},
    [FMT_CIDR6] = {"dhcp, auto or an IPv6 address with the length of its network",
	"dhcp|auto|[0-9A-Fa-f:.]{2,45}/[0-9]{1,3}", "write dhcp, auto, or an address as fd00::5/64",
	check_cidr6},
    [FMT_DOMAINS] = {"a domain", LABEL "(\\." LABEL ")*( " LABEL "(\\." LABEL ")*)*",
	"write a domain such as example.org, or several with a blank between them", NULL},
    [FMT_SECRET_FILE] = {"the absolute path of a file", "/[!-~]+",
	"write the path of a file on the controller's host, beginning with /", NULL},
    [FMT_CPU_RANGE] = {"a number or a range", CPUS, "write a number or a range such as 0-3",
	check_cpu_list},
    [FMT_MACHINE] = {"a machine type",
	"pc|q35|virt|(pc(-i440fx)?|pc-q35|virt)-[0-9]+(\\.[0-9]+)+(\\+pve[0-9]+)?(\\.pxe)?",
	"write q35 or pc, or a version of them such as pc-q35-9.2", NULL},
    [FMT_BOOT_DEVICE] = {"a device to boot from",
	IDE_SATA_SCSI "|virtio([0-9]|1[0-5])|net([0-9]|[12][0-9]|3[01])|usb([0-9]|1[0-3])|"
		      "hostpci([0-9]|1[0-5])",
	"write slots such as scsi0, ide2 or net0", NULL},
    [FMT_HOTPLUG_WORD] = {"a kind of device", "network|disk|cpu|memory|usb|cloudinit",
	"possible are network, disk, cpu, memory, usb, cloudinit", NULL},
    [FMT_SERIAL_DEVICE] = {"socket or a device", "socket|/dev/[!-+.-~-]+",
	"write socket, or a device such as /dev/ttyS0", NULL},
    [FMT_PARALLEL_DEVICE] = {"a parallel port", "/dev/parport[0-9]+|/dev/usb/lp[0-9]+",
	"write a device such as /dev/parport0", NULL},
    [FMT_USB_HOST] = {"spice or a USB device",
	"spice|(0x)?" HEX "{4}:(0x)?" HEX "{4}|[0-9]+-[0-9]+(\\.[0-9]+)*",
	"write spice, vendor:product such as 1234:abcd, or bus-port such as 1-2.4", NULL},
    [FMT_PCI_HOST] = {"a PCI device", PCI "(;" PCI ")*",
	"write an address such as 0000:01:00.0, several with ; between them", NULL},
    [FMT_PCI_ID] = {"a PCI ID", "0x" HEX "{4}", "write four hex digits such as 0x10de", NULL},
    [FMT_MAPPING] = {"a resource mapping", "[A-Za-z][A-Za-z0-9_-]+",
	"use the mapping's ID as PVE shows it", NULL},
    [FMT_WORD] = {"a word", "[!-+.-<>-~-]+", "leave out blanks, commas and equals signs", NULL},
    [FMT_SNIPPET] = {"a snippet", STORE ":snippets/[!-+.0-~-]+",
	"write STORAGE:snippets/FILE, for example local:snippets/user.yaml", NULL},
    [FMT_MDEV] = {"a type of mediated devices", "[!-+0-9;<>-~-]+",
	"write it as PVE shows it, such as nvidia-35", NULL},
    [FMT_ROM] = {"a file", "[!-+.-:<>-~-]+",
	"write the name of a file below /usr/share/kvm, such as vbios.bin", NULL},
    [FMT_WWN] = {"a World Wide Name", "0x" HEX "{16}", "write 0x and 16 hex digits", NULL},
    [FMT_PRODUCT] = {"a name of a drive", "[A-Za-z0-9_-]+( [A-Za-z0-9_-]+)*",
	"use letters, digits, blanks, _ and -", NULL},
    [FMT_SHM_NAME] = {"a name of shared memory", "[A-Za-z0-9-]+", "use letters, digits and hyphens",
	NULL},
    [FMT_START_DATE] = {"now or a date",
	"now|[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}"
	"(T[0-9]{1,2}:[0-9]{1,2}:[0-9]{1,2})?",
	"write now, 2006-06-17 or 2006-06-17T16:01:21", NULL},
    [FMT_IPCONFIG_SLOT] = {"a slot for addresses", "ipconfig([0-9]|[12][0-9]|3[01])",
	"slots are ipconfig0 to ipconfig31; ipconfig0 belongs to net0", NULL},
    [FMT_SERIAL_SLOT] = {"a serial port", "serial[0-3]", "slots are serial0 to serial3", NULL},
    [FMT_PARALLEL_SLOT] = {"a parallel port", "parallel[0-2]", "slots are parallel0 to parallel2",
	NULL},
    [FMT_USB_SLOT] = {"a USB slot", "usb([0-9]|1[0-3])", "slots are usb0 to usb13", NULL},
    [FMT_HOSTPCI_SLOT] = {"a PCI slot", "hostpci([0-9]|1[0-5])", "slots are hostpci0 to hostpci15",
	NULL},
    [FMT_NUMA_SLOT] = {"a NUMA node", "numa[0-7]", "slots are numa0 to numa7", NULL},
    [FMT_VIRTIOFS_SLOT] = {"a slot for a directory", "virtiofs[0-9]",
	"slots are virtiofs0 to virtiofs9", NULL},
};

static char *anchored(enum attr_format f)
{
	return mem_printf("^(%s)$", forms[f].pattern);
}

const char *form_pattern(enum attr_format f)
{
	static char *kept[FMT__MAX];
	MUST((size_t)f < FMT__MAX);
	if (!forms[f].pattern)
		return NULL;
	if (!kept[f])
		kept[f] = anchored(f);
	return kept[f];
}

static const regex_t *compiled(enum attr_format f)
{
	static regex_t *kept[FMT__MAX];
	if (!kept[f]) {
		kept[f] = mem_alloc(sizeof(regex_t));
		MUST(regcomp(kept[f], form_pattern(f), REG_EXTENDED | REG_NOSUB) == 0);
	}
	return kept[f];
}

const char *form_word(enum attr_format f)
{
	MUST((size_t)f < FMT__MAX);
	return forms[f].word;
}

const char *const *form_words(enum attr_format f, size_t *ret_n)
{
	if (f == FMT_CPU_MODEL) {
		*ret_n = ARRAY_LEN(cpu_models);
		return cpu_models;
	}
	if (f == FMT_CPU_FLAG) {
		*ret_n = ARRAY_LEN(cpu_flags);
		return cpu_flags;
	}
	*ret_n = 0;
	return NULL;
}

bool form_check(enum attr_format f, const char *s, char **ret_why, char **ret_hint)
{
	MUST((size_t)f < FMT__MAX);
	const struct form *form = &forms[f];
	if (ret_why)
		*ret_why = NULL;
	if (ret_hint)
		*ret_hint = NULL;
	bool fits = strlen(s) <= TEXT_MAX;
	if (fits && form->pattern)
		fits = regexec(compiled(f), s, 0, NULL, 0) == 0;
	if (!fits) {
		_cleanup_str_ char *shown = text_oneline(s, 60);
		say(ret_why, mem_printf("\"%s\" is not %s", shown, form->word));
		say(ret_hint, mem_strdup(form->hint));
		return false;
	}
	return !form->check || form->check(s, ret_why, ret_hint);
}

char *form_slot_word(enum attr_format f)
{
	const char *pattern = f == FMT_NET_SLOT || f >= FMT_IPCONFIG_SLOT ? forms[f].pattern : NULL;
	return pattern ? mem_printf("%.*sN", (int)strcspn(pattern, "[("), pattern) : NULL;
}

bool form_slot_parse(const char *slot, const char **ret_bus, unsigned *ret_index)
{
	for (size_t i = 0; i < ARRAY_LEN(buses); i++) {
		const char *digits = text_after(slot, buses[i].name);
		int64_t n;
		if (!digits || text_to_int(digits, 0, buses[i].max, &n) != 0)
			continue;
		if (digits[0] == '0' && digits[1])
			return false; /* scsi01 is no slot */
		*ret_bus = buses[i].name;
		*ret_index = (unsigned)n;
		return true;
	}
	return false;
}
