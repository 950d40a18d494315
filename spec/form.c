#include "form.h"

#include <regex.h>
#include <stdlib.h>
#include <string.h>

#include "value.h"

#define TEXT_MAX 65536 /* longer ones are refused before a pattern sees them */
#define STORE "[A-Za-z][A-Za-z0-9_.-]*[A-Za-z0-9]"
#define VOLUME STORE ":[!-+.-~-]+" /* no blank, no comma: it becomes part of a property string */
#define HEX "[0-9A-Fa-f]"
#define LABEL "[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
#define CPUS "[0-9]{1,5}(-[0-9]{1,5})?"
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
	if (check_ranges(s, 0, 99999, ret_why))
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
    [FMT_CDROM] = {"none, cdrom or a volume", "none|cdrom|" VOLUME,
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
