/* The prose of export.h: the reference for people and the words for a fuzzing engine. */
#include <string.h>

#include "decode.h"
#include "diag.h"
#include "export.h"
#include "pvekeys.h"

static void add_type(struct buf *b, const struct attr *a)
{
	_cleanup_str_ char *min = text_from_num(a->min), *max = text_from_num(a->max);
	switch (a->type) {
	case ATTR_BOOL:
		buf_adds(b, "true, false");
		break;
	case ATTR_INT:
		buf_addf(b, "whole number, %s to %s", min, max);
		break;
	case ATTR_NUM:
		buf_addf(b, "number, %s to %s", min, max);
		break;
	case ATTR_STR:
		buf_addf(b, "%s, at most %s characters", form_word(a->format), max);
		break;
	case ATTR_ENUM:
		for (const char *p = a->choices; *p; p++) {
			if (*p == '|')
				buf_adds(b, ", ");
			else
				buf_addc(b, *p);
		}
		break;
	case ATTR_SET:
		buf_addf(b, "list; each entry %s", form_word(a->format));
		break;
	case ATTR_DUR:
		buf_adds(b, "duration such as 90s, 30m, 1h30m");
		break;
	case ATTR_TIME:
		buf_adds(b, form_word(a->format));
		break;
	case ATTR_TYPE__MAX:
		break;
	}
	if (a->flags & ATTR_NULLABLE)
		buf_adds(b, "; null");
}

static void add_effect(struct buf *b, const struct attr *a)
{
	static const char *const words[CLASS__MAX] = {
	    [CLASS_CLONE] = "Used once, for cloning.",
	    [CLASS_LIVE] = "Takes effect at once, also on a running guest.",
	    [CLASS_LIVE_FLAP] = "Takes effect at once; the link of a running guest goes down "
				"and up.",
	    [CLASS_PENDING] = "A running guest sees it after the next stop and start.",
	    [CLASS_SILENT] = "A running guest sees it after a restart; PVE does not show it as "
			     "pending.",
	    [CLASS_ACTION] = "Brought about by an action, not by a setting.",
	};
	if (a->class == CLASS_HOTPLUG)
		buf_addf(b,
		    "Takes effect at once if the guest's hotplug option contains %s, else after "
		    "the next stop and start.",
		    a->hotplug);
	else if (a->class == CLASS_SILENT && a->hotplug)
		buf_addf(b,
		    "A running guest sees it at once if its hotplug option contains %s, else after "
		    "a restart; PVE does not show it as pending.",
		    a->hotplug);
	else
		buf_adds(b, words[a->class]);
}

static void add_since(struct buf *b, const struct attr *a);

static void add_pve(struct buf *b, const struct attr *a)
{
	bool slot = a->key && strcmp(a->key, "*") == 0;
	_cleanup_str_ char *key =
	    slot ? mem_strdup("the slot's key") : mem_printf("`%s`", a->key ? a->key : "");
	if (a->key && a->part)
		buf_addf(b, "In PVE: `%.*s` of %s.", (int)strcspn(a->part, "|"), a->part, key);
	else if (a->key)
		buf_addf(b, "In PVE: %s.", key);
	add_since(b, a);
	if (a->flags & ATTR_ROOT_ONLY)
		buf_adds(b, " Only root@pam may set it.");
	else if (a->privilege)
		buf_addf(b, "%sPrivilege on the VM: %s.", a->key ? " " : "", a->privilege);
}

/* "netN"; SLOT where slots have several names. */
static char *slot_word(const struct attr *a)
{
	const struct attr_block *b = schema_slot_block(a);
	char *word = b ? form_slot_word(b->slot_format) : NULL;
	return word || !b ? word : mem_strdup("SLOT");
}

static void add_since(struct buf *b, const struct attr *a)
{
	int major, minor;
	if (pvekeys_since(a, &major, &minor))
		buf_addf(b, " Since PVE %d.%d.", major, minor);
	if (pvekeys_root_until(a, &major, &minor))
		buf_addf(b, " Before PVE %d.%d only root@pam may set it.", major, minor);
}

static void add_attr(struct buf *b, const struct attr *a)
{
	_cleanup_str_ char *slot = slot_word(a), *path = schema_path(a, slot);
	buf_addf(b, "### `%s`%s\n\n%s %s\n\n", path, a->flags & ATTR_REQUIRED ? " (required)" : "",
	    a->brief, a->doc);
	buf_adds(b, "- Value: ");
	add_type(b, a);
	buf_addf(b, "\n- Example: `%s: %s`\n", schema_key(a), a->example);
	if (a->deflt)
		buf_addf(b, "- Default: `%s`\n", a->deflt);
	if (a->class != CLASS_NONE) {
		buf_adds(b, "- ");
		add_effect(b, a);
		buf_adds(b, "\n");
	}
	if (a->key || a->privilege) {
		buf_adds(b, "- ");
		add_pve(b, a);
		buf_adds(b, "\n");
	}
	buf_adds(b, "\n");
}

static void add_block(struct buf *b, const struct attr_block *block)
{
	if (*block->path)
		buf_addf(b, "## `%s`%s\n\n%s\n\n", block->path,
		    block->required ? " (required)" : "", block->brief);
	else
		buf_addf(b, "## `spec`\n\n%s\n\n", block->brief);
	for (int id = 0; id < ATTR_ID__MAX; id++) {
		const struct attr *a = schema_attr((enum attr_id)id);
		if (schema_is_in(a, block->path))
			add_attr(b, a);
	}
	const char *in, *old, *key;
	for (size_t i = 0; schema_old_name(i, &in, &old, &key); i++)
		if (strcmp(in, block->path) == 0)
			buf_addf(
			    b, "`%s` is the old name of `%s` and still understood.\n\n", old, key);
}

static const char intro[] =
    "# Manifests\n\n"
    "<!-- Made by `ramet schema --output markdown` from spec/*.def; not edited by hand. -->\n\n"
    "A manifest is a YAML document that describes one VM cloned from a template. A file may hold\n"
    "several; every `*.yaml` and `*.yml` below the watched folder is read. Documents of another\n"
    "`apiVersion` are ignored; where the kind is ours and the group is no domain (`v1`, "
    "`ramet/v1`),\n"
    "that is taken for a mistake.\n\n"
    "```yaml\n"
    "apiVersion: " DECODE_API_VERSION "\n"
    "kind: " DECODE_KIND "\n"
    "metadata:\n"
    "  name: web-01            # identity in the repository, unique in the whole watched tree\n"
    "  annotations:\n"
    "    " DECODE_RENAMED_FROM ": \"\"   # after changing the name: the old one\n"
    "    " DECODE_ADOPT ": \"\"          # SMBIOS UUID of an existing VM to take over\n"
    "    " DECODE_LEAVE_UNUSED
    ": \"\"   # volumes that are no disks of this manifest, with commas between them\n"
    "spec:\n"
    "  node_name: pve1\n"
    "  clone: { source_vm_id: 9000 }\n"
    "  cpu: { cores: 4 }\n"
    "```\n\n"
    "Only what is listed is managed, value by value: `network.net0.tag` says nothing about the "
    "rest\n"
    "of net0, and what the template gave stays. Taking a value out stops managing it and changes\n"
    "nothing on the VM. `null`, where it is possible, means managed and absent: PVE's default.\n"
    "A key without a value, an unknown key and a key given twice are errors. Values have one\n"
    "spelling: numbers without quotes or units, `true` and `false`, texts in quotes where YAML "
    "would\n"
    "take them for something else.\n\n";

static void add_findings(struct buf *b)
{
	buf_adds(b,
	    "## Findings\n\nWhat may be found in manifests and in the configuration. A manifest "
	    "with an error keeps its last\ngood version in force; warnings change "
	    "nothing.\n\n"
	    "| code | | meaning |\n| --- | --- | --- |\n");
	for (int i = 0; i < DIAG_CODE__MAX; i++) {
		enum diag_code c = (enum diag_code)i;
		buf_addf(b, "| `%s` | %s | %s |\n", diag_word(c),
		    diag_severity(c) == DIAG_ERROR ? "error" : "warning", diag_doc(c));
	}
}

/* What a person may set in PVE, and what of it a manifest cannot say. The last line counts. */
static void add_coverage(struct buf *b)
{
	const struct pvekey *keys;
	size_t n = pvekeys_all(&keys), settable = 0, managed = 0;

	buf_adds(b, "\n## Keys of PVE\n\nOf what PVE takes for the configuration of a guest, these "
		    "are no settings:\n\n| key | why |\n| --- | --- |\n");
	for (size_t i = 0; i < n; i++) {
		settable += keys[i].kind == PVEKEYS_SETTING;
		managed += pvekeys_is_managed(&keys[i]);
		if (keys[i].kind != PVEKEYS_SETTING)
			buf_addf(b, "| `%s` | %s |\n", keys[i].name, keys[i].why);
	}
	buf_adds(b, "| `smbios1`: `uuid` | drawn by PVE: identity of the VM |\n\n");
	for (size_t i = 0; i < n; i++)
		if (keys[i].kind == PVEKEYS_SETTING && !pvekeys_is_managed(&keys[i]))
			buf_addf(b, "`%s` is not manageable yet.\n", keys[i].name);
	buf_addf(b, "%zu of %zu settable PVE keys manageable\n", managed, settable);
}

char *export_markdown(void)
{
	struct buf b;
	const struct attr_block *blocks;
	size_t n = schema_blocks(&blocks);
	buf_init(&b, 0);
	buf_adds(&b, intro);
	for (size_t i = 0; i < n; i++)
		add_block(&b, &blocks[i]);
	add_findings(&b);
	add_coverage(&b);
	return buf_take(&b);
}

static void add_word(struct buf *b, struct strs *seen, const char *word)
{
	if (!*word || strs_has(seen, word))
		return;
	strs_add(seen, word);
	buf_addc(b, '"');
	for (const char *p = word; *p; p++) {
		unsigned char c = (unsigned char)*p;
		if (c == '"' || c == '\\' || c < 0x20 || c >= 0x7f)
			buf_addf(b, "\\x%02x", c);
		else
			buf_addc(b, *p);
	}
	buf_adds(b, "\"\n");
}

char *export_dictionary(void)
{
	static const char *const words[] = {DECODE_API_VERSION, DECODE_KIND, "apiVersion:", "kind:",
	    /* NOLINTNEXTLINE(bugprone-suspicious-missing-comma): a prefix and a name */
	    "metadata:", "name:", "spec:", "annotations:", DECODE_RENAMED_FROM, DECODE_ADOPT,
	    DECODE_LEAVE_UNUSED, "---", "null", "true", "false",
	    "net0:", "scsi0:", "ide2:", "virtio1:", "&a", "*a", "!!str", "<<:", "? ", "- ", ": ",
	    "|", ">", "\xef\xbb\xbf", "\t", "\r\n"};
	struct buf b;
	struct strs seen = {0};
	buf_init(&b, 0);
	for (size_t i = 0; i < ARRAY_LEN(words); i++)
		add_word(&b, &seen, words[i]);
	const struct attr_block *blocks;
	size_t n = schema_blocks(&blocks);
	for (size_t i = 0; i < n; i++) {
		_cleanup_str_ char *key = mem_strndup(blocks[i].path, strcspn(blocks[i].path, "."));
		add_word(&b, &seen, key);
	}
	for (int id = 0; id < ATTR_ID__MAX; id++) {
		const struct attr *a = schema_attr((enum attr_id)id);
		add_word(&b, &seen, schema_key(a));
		add_word(&b, &seen, a->example);
	}
	strs_fini(&seen);
	return buf_take(&b);
}
