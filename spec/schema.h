/*
 * schema: the table of attributes (attrs.def) as data, with lookup and self-check.
 *
 * Not a decoder and not a codec: they walk over it.
 *
 * Everything is constant and lives for ever.
 *
 * Pure.
 */
#ifndef RAMET_SCHEMA_H
#define RAMET_SCHEMA_H

#include "form.h"
#include "value.h"

/* How a manifest writes it. */
enum attr_type {
	ATTR_BOOL,
	ATTR_INT,
	ATTR_NUM,
	ATTR_STR,  /* checked by `format` */
	ATTR_ENUM, /* one of `choices` */
	ATTR_SET,  /* sequence of strings (or integers), each checked by `format` */
	ATTR_DUR,
	ATTR_TIME, /* RFC 3339, kept as text */
	ATTR_TYPE__MAX
};

/* What a change does to a guest; the letters are those of docs/semantics.md. */
enum attr_class {
	CLASS_NONE,	 /* no PVE configuration: settings of Ramet */
	CLASS_CLONE,	 /* C: used at clone time only */
	CLASS_LIVE,	 /* L: at once on a running guest */
	CLASS_LIVE_FLAP, /* L~: at once, the link flaps */
	CLASS_HOTPLUG,	 /* H(x): at once if the guest's `hotplug` contains x, else pending */
	CLASS_PENDING,	 /* P: until stop and start */
	CLASS_SILENT, /* S: configuration at once, guest after restart, not shown as pending; with a
			 hotplug word at once for the guest too, if that is there */
	CLASS_ACTION, /* A: an action, not a configuration write */
	CLASS__MAX
};

/* How the value stands in the PVE configuration. */
enum attr_codec {
	CODEC_NONE,	  /* not in the configuration of the guest */
	CODEC_SCALAR,	  /* the key's whole value */
	CODEC_LIST,	  /* the key's whole value is a set, joined by `sep` (tags) */
	CODEC_PART,	  /* `part=value` of a property string */
	CODEC_PART_LIST,  /* part whose value is a set, joined by `sep` (flags, trunks) */
	CODEC_LEAD,	  /* leading part without a name (cpu type, volume of a drive); `part` is
			     PVE's name for it, which may stand there instead (cputype=, type=,
			     source=, file=, current= of memory) */
	CODEC_CDROM,	  /* leading volume of a drive that is a CD-ROM: media=cdrom goes with it */
	CODEC_NIC_MODEL,  /* `MODEL=MAC` leads: the model … */
	CODEC_NIC_MAC,	  /* … and the address */
	CODEC_DRIVE_SIZE, /* part size=, GiB, rounded up */
	CODEC_DRIVE_STORE,  /* storage id in the leading volume */
	CODEC_DRIVE_FORMAT, /* format= or the volume's suffix */
	CODEC_DESCRIPTION,  /* with Ramet's marker line kept apart */
	CODEC_TAGS,	    /* set with case folded; Ramet's own tags kept apart */
	CODEC_BOOT,	    /* order=…;… of a key whose older notation is written over */
	CODEC_HOTPLUG,	    /* list of words; none is 0, PVE's default is 1 */
	CODEC_SSH_KEYS,	    /* lines, URL-encoded as a whole */
	CODEC_SECRET,	    /* content of a file; PVE never shows it again */
	CODEC_BASE64,	    /* part in base64, when the part base64=1 says so */
	CODEC__MAX
};

enum attr_flag {
	ATTR_REQUIRED = 1 << 0,	 /* in its block (top level: always) */
	ATTR_NULLABLE = 1 << 1,	 /* null = managed and absent */
	ATTR_ROOT_ONLY = 1 << 2, /* PVE lets only root@pam with a password set it */
	ATTR_NOCASE = 1 << 3,	 /* compared without case */
	ATTR_FIXED = 1 << 4,	 /* not changed on an existing device (media) */
	ATTR_SPECIAL = 1 << 5,	/* written by an operation that names it (plan/), not by the walk */
	ATTR_NEW_ONLY = 1 << 6, /* only when the device is made (import_from, file allocation) */
	ATTR_INT_ITEMS = 1 << 7, /* set items may be written as integers */
	ATTR_ORDERED = 1 << 8,	 /* of a set: the order is part of the value */
	ATTR_CORE = 1 << 9,	 /* its key in PVE is nothing without one of these: with the last of
				    them the whole key goes */
	ATTR_ROOT_DEVICE = 1 << 10, /* only root@pam, where it names a device of the host and not
				       socket or spice */
	ATTR_AT_LEAST = 1 << 11, /* of choices: a later one is as good, as PVE moves on by itself */
};

enum attr_id {
#define ATTR(id, path, ...) ATTR_##id,
#include "attrs.def"
#undef ATTR
	ATTR_ID__MAX
};

struct attr {
	enum attr_id id;
	const char *path; /* below spec: "cpu.cores"; "network.*.tag" where * is a slot */
	enum attr_type type;
	enum attr_format format; /* of a STR or of the items of a SET */
	double min, max;	 /* INT, NUM: value; STR: characters; SET: items; DUR: ms */
	const char *choices;	 /* ENUM: "a|b|c" */
	enum attr_codec codec;
	const char *key;  /* PVE key: "cores"; "*" = the slot's name; NULL when CODEC_NONE */
	const char *part; /* name within the property string, NULL for a whole value; other names
			     that are read too stand behind it: "a|b" */
	char sep;	  /* of lists */
	enum attr_class class;
	const char *hotplug;   /* H, S: word looked for in the guest's `hotplug` */
	const char *privilege; /* needed on /vms/N, e.g. "VM.Config.CPU" */
	const char *deflt;     /* PVE's (or Ramet's) value when absent, as text; NULL = none */
	unsigned flags;
	const char *brief;   /* one line */
	const char *doc;     /* a paragraph */
	const char *example; /* YAML value */
};

/* Blocks that hold attributes: top level (""), "cpu", "network.*", … with their documentation. */
struct attr_block {
	const char *path;
	enum attr_format slot_format; /* of the key in place of `*`; FMT_ANY when there is none */
	bool required;
	const char *brief;
};

/* Every id from 0 to ATTR_ID__MAX - 1 has its row, in the order of the table. */
const struct attr *schema_attr(enum attr_id id);
/* Row of a block path and a key: ("network.*", "tag"); NULL if unknown. */
const struct attr *schema_find(const char *block, const char *key);
/* Old names, by number; false behind the last. */
bool schema_old_name(size_t i, const char **ret_block, const char **ret_old, const char **ret_key);
/* The key that an old one stands for now ("cpu", "hotplugged": "vcpus"), or NULL. */
const char *schema_alias(const char *block, const char *key);
/* Row by full path with "*" or with a slot in its place ("network.net0.tag"); ret_slot (may be
 * NULL) gets the slot as a copy, or NULL. */
const struct attr *schema_find_path(const char *path, char **ret_slot);
size_t schema_blocks(const struct attr_block **ret);
const struct attr_block *schema_block(const char *path);
/* The block stands directly in the other one ("" = top level): *ret (may be NULL) gets the key that
 * it is written as. Caller frees. */
bool schema_block_is_in(const struct attr_block *b, const char *block, char **ret);
/* The last word of the path: the key within its block. Borrowed. */
const char *schema_key(const struct attr *a);
bool schema_is_in(const struct attr *a, const char *block); /* the block is its own, "" = top */
bool schema_is_choice(const struct attr *a, const char *word);
/* Path with the slot in place of `*`. Caller frees. */
char *schema_path(const struct attr *a, const char *slot);

/* How a value fails its row. */
enum schema_verdict {
	SCHEMA_OK,
	SCHEMA_TYPE,
	SCHEMA_NULL,
	SCHEMA_RANGE,
	SCHEMA_CHOICE,
	SCHEMA_FORM,
	SCHEMA_VERDICT__MAX
};
/* The value fits type, form, limits and choices. If not, *ret_why says what is wrong, *ret_hint
 * what to do (either may be NULL; the caller frees; the hint may stay NULL). */
enum schema_verdict schema_judge(
    const struct attr *a, const struct value *v, char **ret_why, char **ret_hint);
/* The same for one entry of a set. */
enum schema_verdict schema_judge_item(
    const struct attr *a, const char *item, char **ret_why, char **ret_hint);
bool schema_accepts(const struct attr *a, const struct value *v);
/* An entry of a set as it is kept: tags in lower case, leading zeros gone. Caller frees. */
char *schema_canon_item(const struct attr *a, const char *item);
/* The value from text in the attribute's type: for defaults and PVE scalars. Sets: "[a, b]" or
 * separated by the row's separator. Booleans in all spellings of PVE. Limits are not checked. */
int schema_parse_value(const struct attr *a, const char *text, struct value *ret) MUST_CHECK;
const char *schema_class_word(enum attr_class c); /* one stable word: "live", "pending", … */
const char *schema_type_word(enum attr_type t);

/* The block whose slot the row's `*` stands for: "disk.*" of "disk.*.speed.read"; NULL: none. */
const struct attr_block *schema_slot_block(const struct attr *a);

/* Consistency of the table, for tests: NULL or what is wrong (caller frees). */
char *schema_self_check(void);

#endif
