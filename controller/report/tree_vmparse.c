/* vms/NAME.yaml read back. Whoever can push to the status branch can write anything into it, so
 * each value is held against the form that it was written in; unknown keys are left alone, so that
 * a file of a newer version can be read. */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "tree_part.h"
#include "ydoc.h"

#define VMID_MIN 100
#define VMID_MAX 999999999
#define KV_MAX 512
#define LIST_MAX 1000
#define KEY_BYTES 200
#define TEXT_BYTES ((size_t)64 << 10)

static const struct ydoc_limits limits = {
    .bytes = (size_t)4 << 20, .depth = 8, .nodes = 40000, .docs = 1};

struct reader {
	struct err **err;
	bool failed;
};

static void fail(struct reader *r, const struct ynode *n, const char *key, const char *what)
{
	if (!r->failed)
		(void)err_set(r->err, ERR_INPUT, "status file, line %u: %s is %s",
		    n ? n->mark.line : 0, key, what);
	r->failed = true;
}

/* ---- forms of values ---- */

typedef bool (*form)(const char *s);

static bool is_any(const char *s)
{
	return strlen(s) <= TEXT_BYTES;
}

static bool is_line(const char *s)
{
	size_t len = strlen(s);
	return len > 0 && len <= TEXT_BYTES && text_is_printable(s, len);
}

static bool is_hex(const char *s, size_t min, size_t max)
{
	size_t len = strlen(s);
	return len >= min && len <= max && strspn(s, "0123456789abcdef") == len;
}

static bool is_uuid(const char *s)
{
	static const char pattern[] = "xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx";
	if (strlen(s) != strlen(pattern))
		return false;
	for (size_t i = 0; s[i]; i++)
		if (pattern[i] == '-' ? s[i] != '-' : !strchr("0123456789abcdef", s[i]))
			return false;
	return true;
}

static bool is_nonce(const char *s)
{
	return is_hex(s, 8, 64);
}

static bool is_hash(const char *s)
{
	return is_hex(s, CRYPT_HEX_LEN - 1, CRYPT_HEX_LEN - 1);
}

/* Most are commits; what names the state of a folder on disk is none. */
static bool is_rev_word(const char *s)
{
	return is_line(s) && strlen(s) <= KEY_BYTES;
}

static bool is_node(const char *s)
{
	return text_is_dns_name(s);
}

/* Inside the repository, or wherever a working tree was: only shown, or looked up among the files
 * of a commit. */
static bool is_path(const char *s)
{
	return is_line(s) && strlen(s) <= 4096;
}

static bool is_key(const char *s)
{
	size_t len = strlen(s);
	return len > 0 && len <= KEY_BYTES &&
	       strspn(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-") ==
		   len;
}

static bool is_mac(const char *s)
{
	if (strlen(s) != strlen("xx:xx:xx:xx:xx:xx"))
		return false;
	for (size_t i = 0; s[i]; i++)
		if (i % 3 == 2 ? s[i] != ':' : !isxdigit((unsigned char)s[i]))
			return false;
	return true;
}

static bool is_size(const char *s)
{
	int64_t n;
	return text_to_int(s, 0, (int64_t)1 << 32, &n) == 0;
}

/* ---- members ---- */

static const struct ynode *child(
    struct reader *r, const struct ynode *map, const char *key, enum ynode_kind kind)
{
	if (!map || map->kind != YNODE_MAP)
		return NULL;
	const struct ynode *n = ynode_get(map, key);
	if (!n || ynode_is_null(n))
		return NULL;
	if (n->kind != kind) {
		fail(r, n, key, "of another kind than it should be");
		return NULL;
	}
	return n;
}

static char *text(struct reader *r, const struct ynode *map, const char *key, form ok)
{
	const struct ynode *n = child(r, map, key, YNODE_SCALAR);
	if (!n)
		return NULL;
	if (!ok(n->text)) {
		fail(r, n, key, "not of the form that it should have");
		return NULL;
	}
	return mem_strdup(n->text);
}

static int64_t number(
    struct reader *r, const struct ynode *map, const char *key, int64_t min, int64_t max)
{
	const struct ynode *n = child(r, map, key, YNODE_SCALAR);
	int64_t v = 0;
	if (n && (!n->plain || text_to_int(n->text, min, max, &v) != 0))
		fail(r, n, key, "no number, or out of range");
	return v;
}

static bool truth(struct reader *r, const struct ynode *map, const char *key)
{
	const struct ynode *n = child(r, map, key, YNODE_SCALAR);
	if (!n)
		return false;
	bool yes = n->plain && strcmp(n->text, "true") == 0;
	if (!yes && !(n->plain && strcmp(n->text, "false") == 0))
		fail(r, n, key, "neither true nor false");
	return yes;
}

/* The very form that yout_time writes; anything that text_time would not print is refused. */
static int64_t when(struct reader *r, const struct ynode *map, const char *key)
{
	const struct ynode *n = child(r, map, key, YNODE_SCALAR);
	if (!n)
		return 0;
	struct tm tm = {0};
	const char *end = strptime(n->text, "%Y-%m-%dT%H:%M:%SZ", &tm);
	int64_t ms = end && !*end ? (int64_t)timegm(&tm) * 1000 : 0;
	_cleanup_str_ char *again = text_time(ms);
	if (strcmp(again, n->text) != 0 || ms < 0)
		fail(r, n, key, "no time in UTC");
	return ms;
}

static void map_of(
    struct reader *r, const struct ynode *map, const char *key, form ok, struct kv *ret)
{
	const struct ynode *n = child(r, map, key, YNODE_MAP);
	if (!n)
		return;
	if (n->n > KV_MAX)
		fail(r, n, key, "too long");
	for (size_t i = 0; i < n->n && !r->failed; i++) {
		const struct ynode *v = n->items[i];
		if (!is_key(n->keys[i]) || !v || v->kind != YNODE_SCALAR || !ok(v->text))
			fail(r, n, key, "not of the form that it should have");
		else
			kv_set(ret, n->keys[i], v->text);
	}
}

static void list_of(
    struct reader *r, const struct ynode *map, const char *key, form ok, struct strs *ret)
{
	const struct ynode *n = child(r, map, key, YNODE_SEQ);
	if (!n)
		return;
	if (n->n > LIST_MAX)
		fail(r, n, key, "too long");
	for (size_t i = 0; i < n->n && !r->failed; i++) {
		const struct ynode *v = n->items[i];
		if (!v || v->kind != YNODE_SCALAR || !ok(v->text))
			fail(r, n, key, "not of the form that it should have");
		else
			strs_add(ret, v->text);
	}
}

/* One of the words that word(0…max-1) gives. */
static int choice(
    struct reader *r, const struct ynode *map, const char *key, int max, const char *(*word)(int i))
{
	const struct ynode *n = child(r, map, key, YNODE_SCALAR);
	for (int i = 0; n && i < max; i++)
		if (strcmp(n->text, word(i)) == 0)
			return i;
	if (n)
		fail(r, n, key, "a word that is not known");
	return 0;
}

static const char *phase_word(int i)
{
	return tree_phase_word((enum plan_verdict)i);
}

static const char *outlook_word(int i)
{
	return tree_outlook_word((enum change_state)i);
}

/* ---- the parts of the file ---- */

static void read_drifts(
    struct reader *r, const struct ynode *map, const char *key, size_t max, struct drifts *ret)
{
	const struct ynode *n = child(r, map, key, YNODE_SEQ);
	if (!n)
		return;
	if (n->n > max)
		fail(r, n, key, "too long");
	for (size_t i = 0; i < n->n && !r->failed; i++) {
		const struct ynode *item = n->items[i];
		struct drift *d = drifts_add(ret);
		d->path = text(r, item, "path", is_key);
		if (!d->path)
			fail(r, n, key, "without a path");
		d->wanted = text(r, item, "wanted", is_any);
		d->found = text(r, item, "found", is_any);
		d->who = text(r, item, "by", is_line);
		d->since_wall = when(r, item, "since");
		d->corrected_wall = when(r, item, "corrected");
		d->fight = truth(r, item, "fight");
		d->state =
		    (enum change_state)choice(r, item, "state", CHANGE_STATE__MAX, outlook_word);
		d->why = text(r, item, "why", is_any);
	}
}

static void read_findings(struct reader *r, const struct ynode *map, struct diags *ret)
{
	const struct ynode *n = child(r, map, "findings", YNODE_SEQ);
	if (!n)
		return;
	if (n->n > TREE_VM_FINDINGS_MAX)
		fail(r, n, "findings", "too long");
	for (size_t i = 0; i < n->n && !r->failed; i++) {
		const struct ynode *item = n->items[i];
		_cleanup_str_ char *code = text(r, item, "code", is_key);
		_cleanup_str_ char *file = text(r, item, "file", is_line);
		_cleanup_str_ char *msg = text(r, item, "message", is_any);
		_cleanup_str_ char *hint = text(r, item, "hint", is_any);
		struct mark at = {.line = (unsigned)number(r, item, "line", 1, 100000000),
		    .col = (unsigned)number(r, item, "column", 0, 100000000)};
		size_t c = 0;
		while (c < DIAG_CODE__MAX && !text_eq(code, diag_word((enum diag_code)c)))
			c++;
		/* A finding of another version has no number here; it is seen anew anyway. */
		if (r->failed || c == DIAG_CODE__MAX || !file || !msg)
			continue;
		struct diag *d = diags_add(ret, (enum diag_code)c, file, at, "%s", msg);
		if (hint)
			diag_hint(d, "%s", hint);
	}
}

static void read_record(struct reader *r, const struct ynode *n, struct record *ret)
{
	ret->vmid = (uint32_t)number(r, n, "vmid", VMID_MIN, VMID_MAX);
	ret->uuid = text(r, n, "uuid", is_uuid);
	ret->nonce = text(r, n, "nonce", is_nonce);
	ret->proven = truth(r, n, "proven");
	ret->node = text(r, n, "node", is_node);
	ret->source_vmid = (uint32_t)number(r, n, "sourceVmid", VMID_MIN, VMID_MAX);
	ret->source_uuid = text(r, n, "sourceUuid", is_uuid);
	_cleanup_str_ char *hash = text(r, n, "syncedHash", is_hash);
	if (hash)
		memcpy(ret->synced_hash, hash, CRYPT_HEX_LEN);
	ret->synced_rev = text(r, n, "syncedRevision", is_rev_word);
	ret->good_rev = text(r, n, "goodRevision", is_rev_word);
	ret->good_path = text(r, n, "goodPath", is_path);
	ret->boot_mark = number(r, n, "bootMark", 0, INT64_MAX / 1000);
	ret->whole = truth(r, n, "whole");
	map_of(r, n, "cloned", is_line, &ret->cloned);
	map_of(r, n, "volumes", is_line, &ret->volumes);
	map_of(r, n, "loose", is_line, &ret->loose);
	map_of(r, n, "macs", is_mac, &ret->macs);
	map_of(r, n, "sizes", is_size, &ret->sizes);
	map_of(r, n, "stored", is_any, &ret->stored);
	map_of(r, n, "silent", is_line, &ret->silent);
	map_of(r, n, "unmet", is_key, &ret->unmet);
	ret->owns = truth(r, n, "owns");
	map_of(r, n, "owned", is_line, &ret->owned);
	map_of(r, n, "parting", is_any, &ret->parting);
}

static void read_status(struct reader *r, const struct ynode *n, struct vmstat *v)
{
	v->verdict = (enum plan_verdict)choice(r, n, "phase", PLAN_VERDICT__MAX, phase_word);
	_cleanup_str_ char *reason = text(r, n, "reason", is_key);
	enum reason known = reason ? reason_parse(reason) : REASON_IN_SYNC;
	/* The word of another version: what is left is that the VM has to be looked at. */
	v->reason = known == REASON__MAX ? REASON_READING : known;
	v->message = text(r, n, "message", is_any);
	v->hint = text(r, n, "hint", is_any);
	v->since_wall = when(r, n, "since");
	v->file = text(r, n, "file", is_path);
	v->rev = text(r, n, "revision", is_rev_word);
	v->stale = truth(r, n, "stale");
	v->node = text(r, n, "node", is_node);
	v->power = text(r, n, "power", is_line);
	v->lock = text(r, n, "lock", is_line);
	list_of(r, n, "linkedTo", is_line, &v->linked_to);
	list_of(r, n, "pendingKeys", is_line, &v->pending_keys);
	list_of(r, n, "blocked", is_any, &v->blocked);
	read_drifts(r, n, "drift", TREE_VM_DRIFTS_MAX, &v->drifts);
	read_drifts(r, n, "corrected", STATUS_CORRECTED_MAX, &v->corrected);
	const struct ynode *op = child(r, n, "lastOperation", YNODE_MAP);
	v->last_op = text(r, op, "what", is_any);
	v->last_upid = text(r, op, "upid", is_line);
	v->last_result = text(r, op, "result", is_any);
	read_findings(r, n, &v->findings);
	const struct ynode *record = child(r, n, "record", YNODE_MAP);
	if (!record)
		fail(r, n, "record", "missing");
	else
		read_record(r, record, &v->record);
}

static void read_root(struct reader *r, const struct ynode *root, struct vmstat *v)
{
	_cleanup_str_ char *version = text(r, root, "apiVersion", is_any);
	_cleanup_str_ char *kind = text(r, root, "kind", is_any);
	if (!text_eq(version, "ramet.dev/v1") || !text_eq(kind, "ClonedVMStatus")) {
		fail(r, root, "the document", "no ClonedVMStatus of ramet.dev/v1");
		return;
	}
	v->name = text(r, child(r, root, "metadata", YNODE_MAP), "name", text_is_dns_label);
	const struct ynode *status = child(r, root, "status", YNODE_MAP);
	if (!v->name)
		fail(r, root, "metadata.name", "missing");
	else if (!status)
		fail(r, root, "status", "missing");
	else
		read_status(r, status, v);
}

int tree_parse_vm(const char *text, size_t len, struct vmstat *ret, struct err **err)
{
	struct diags diags = {0};
	_cleanup_ydoc_ struct ydoc *doc = NULL;
	struct vmstat v = {0};
	struct reader r = {.err = err};
	if (ydoc_parse("status file", text, len, &limits, &diags, &doc) != 0) {
		fail(&r, NULL, "it", diags.n ? diags.v[0].msg : "no YAML");
	} else {
		const struct ynode *root = ydoc_count(doc) == 1 ? ydoc_root(doc, 0) : NULL;
		if (!root || root->kind != YNODE_MAP)
			fail(&r, root, "it", "no block of keys and values");
		else
			read_root(&r, root, &v);
	}
	diags_fini(&diags);
	if (r.failed) {
		vmstat_fini(&v);
		return -1;
	}
	*ret = v;
	return 0;
}
