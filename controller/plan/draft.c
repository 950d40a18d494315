#include "draft.h"

#include <stdlib.h>
#include <string.h>

#include "bundle.h"
#include "decode.h"

#define NOTE_CHARS 120
#define INDENT 2
#define FILE_NAME "import.yaml"
/* What stands in the proof of a draft for the nonce that an adoption would draw. */
#define NONCE "0000000000000000"

enum entry_kind {
	ENTRY_IDENTITY, /* which VM it is: always there */
	ENTRY_LEAF,
	ENTRY_LEFT_OUT, /* a comment that says why */
	ENTRY_KIND__MAX
};

/* One leaf of the VM. */
struct entry {
	const struct attr *attr;
	char *slot;
	char *path; /* "network.net0.tag" */
	char *text; /* of the value, as YAML */
	char *note; /* beside it, or why it is left out; may be NULL */
	enum entry_kind kind;
	unsigned line;
	bool done; /* printed */
};

struct draft {
	const struct draft_opts *o;
	char *name;  /* metadata.name */
	bool ours;   /* it carries the marker of this name already */
	bool leaves; /* are listed, and no comments */
	struct entry *v;
	size_t n, cap;
	unsigned line;
	struct buf *out;
};

static void draft_fini(struct draft *d)
{
	for (size_t i = 0; i < d->n; i++) {
		free(d->v[i].slot);
		free(d->v[i].path);
		free(d->v[i].text);
		free(d->v[i].note);
	}
	free(d->v);
	free(d->name);
}

/* ---- what the VM has ---- */

static struct entry *add(struct draft *d, const struct attr *a, const char *slot, char *text)
{
	MEM_PUSH_ROOM(d->v, d->n, d->cap);
	struct entry *e = &d->v[d->n++];
	*e = (struct entry){.attr = a,
	    .slot = mem_strdup(slot),
	    .path = schema_path(a, slot),
	    .text = text,
	    .kind = ENTRY_LEAF};
	return e;
}

static bool is_listed(const struct draft *d, const struct entry *e)
{
	return e->kind == ENTRY_IDENTITY || (e->kind == ENTRY_LEAF && d->leaves);
}

static struct entry *add_word(struct draft *d, enum attr_id id, const char *word)
{
	struct value v = {.type = VALUE_STR, .s = (char *)(uintptr_t)word};
	return add(d, schema_attr(id), NULL, value_print_yaml(&v));
}

static void leave_out(struct entry *e, const char *why)
{
	e->kind = ENTRY_LEFT_OUT;
	free(e->note);
	e->note = text_oneline(why, NOTE_CHARS);
}

/* What is an action or a place, and no part of the configuration. */
static void surroundings(struct draft *d)
{
	const struct obs_guest *g = d->o->guest;

	if (g->pool)
		add_word(d, ATTR_clone_pool_id, g->pool);
	if (g->template)
		add(d, schema_attr(ATTR_template), NULL, mem_strdup("true"));
	else if (g->power == OBS_POWER_RUNNING || g->power == OBS_POWER_STOPPED)
		add(d, schema_attr(ATTR_started), NULL,
		    mem_strdup(g->power == OBS_POWER_RUNNING ? "true" : "false"));
}

static void leaf(struct draft *d, const struct attr *a, const char *slot)
{
	const struct obs_guest *g = d->o->guest;
	const struct codec_env *env = &d->o->policy->env;
	_cleanup_value_ struct value now = {0}, next = {0};
	_cleanup_err_ struct err *err = NULL;

	if (pvecodec_get(a, slot, &g->pending, env, &next, &err) < 0) {
		const char *raw = kv_get(&g->pending, pvecodec_key(a, slot));
		_cleanup_str_ char *shown = text_oneline(raw ? raw : "", NOTE_CHARS);
		struct value v = {.type = VALUE_STR, .s = shown};
		leave_out(add(d, a, slot, value_print_yaml(&v)), "it cannot be understood");
		return;
	}
	bool nothing = next.type == VALUE_ABSENT || (next.type == VALUE_SET && !next.set.n) ||
		       (a->codec == CODEC_DESCRIPTION && next.type == VALUE_STR && !*next.s);
	if (nothing)
		return;
	struct entry *e = add(d, a, slot, value_print_yaml(&next));
	if (pvecodec_get(a, slot, &g->current, env, &now, NULL) < 0 || !value_eq(&now, &next))
		e->note = mem_strdup("with the next stop and start of the guest");
}

static bool block_has(const char *path, enum attr_codec codec)
{
	for (unsigned i = 0; i < ATTR_ID__MAX; i++)
		if (schema_is_in(schema_attr(i), path) && schema_attr(i)->codec == codec)
			return true;
	return false;
}

/* The key is a device of this block: a drive is a disk or a CD-ROM drive by what it holds. */
static bool is_device_of(const struct attr_block *b, const char *key, const char *text)
{
	_cleanup_drive_ struct drive d = {0};
	_cleanup_str_ char *why = NULL, *hint = NULL;
	bool disk = block_has(b->path, CODEC_DRIVE_SIZE), cdrom = block_has(b->path, CODEC_CDROM);

	if (!form_check(b->slot_format, key, &why, &hint))
		return false;
	if (!disk && !cdrom)
		return true;
	return drive_parse(text, &d, NULL) == 0 && !d.cloudinit && d.cdrom == cdrom;
}

/* The volume itself stands for nothing that a person means: storage, size and format do. */
static bool is_leaf_of(const struct attr *a, const struct attr_block *b)
{
	const struct attr_block *slots = schema_slot_block(a);
	bool in = slots ? slots == b : schema_is_in(a, b->path);
	/* A password is not shown by PVE, and its file is nobody's but the controller's. */
	return in && a->codec != CODEC_NONE && a->codec != CODEC_SECRET &&
	       a->id != ATTR_disk_file && a->id != ATTR_name;
}

static int compare_slots(const void *a, const void *b)
{
	return resource_compare_slots(*(char *const *)a, *(char *const *)b);
}

static void devices(struct draft *d, const struct attr_block *b)
{
	_cleanup_strs_ struct strs slots = {0};

	KV_FOREACH (item, &d->o->guest->pending)
		if (is_device_of(b, item->key, item->value))
			strs_add(&slots, item->key);
	if (slots.n > 1)
		qsort(slots.v, slots.n, sizeof(*slots.v), compare_slots);
	for (size_t k = 0; k < slots.n; k++)
		for (unsigned i = 0; i < ATTR_ID__MAX; i++)
			if (is_leaf_of(schema_attr(i), b))
				leaf(d, schema_attr(i), slots.v[k]);
}

/* Which VM it is and where it comes from. */
static void identity(struct draft *d, uint32_t source)
{
	const struct obs_guest *g = d->o->guest;

	add_word(d, ATTR_node_name, g->node)->kind = ENTRY_IDENTITY;
	add(d, schema_attr(ATTR_id), NULL, mem_printf("%u", g->vmid))->kind = ENTRY_IDENTITY;
	size_t before = d->n;
	leaf(d, schema_attr(ATTR_name), NULL);
	if (d->n > before && d->v[before].kind == ENTRY_LEAF)
		d->v[before].kind = ENTRY_IDENTITY;
	struct entry *e =
	    add(d, schema_attr(ATTR_clone_source_vm_id), NULL, mem_printf("%u", source));
	e->kind = ENTRY_IDENTITY;
	e->note = mem_strdup("history: a VM that exists is not cloned again");
}

/* PVE shows the drive with the data of cloud-init as a CD-ROM drive; the manifest has it with the
 * data. */
static void data_drive(struct draft *d)
{
	KV_FOREACH (item, &d->o->guest->pending) {
		_cleanup_drive_ struct drive drive = {0};

		if (!form_check(FMT_DISK_SLOT, item->key, NULL, NULL) ||
		    drive_parse(item->value, &drive, NULL) < 0 || !drive.cloudinit)
			continue;
		add_word(d, ATTR_init_datastore_id, drive.storage);
		add_word(d, ATTR_init_interface, item->key);
		return;
	}
}

static void collect(struct draft *d, uint32_t source)
{
	const struct attr_block *blocks;
	size_t n_blocks = schema_blocks(&blocks);

	identity(d, source);
	for (size_t i = 0; i < n_blocks; i++) {
		if (blocks[i].slot_format != FMT_ANY) {
			devices(d, &blocks[i]);
			continue;
		}
		for (unsigned k = 0; k < ATTR_ID__MAX; k++)
			if (is_leaf_of(schema_attr(k), &blocks[i]))
				leaf(d, schema_attr(k), NULL);
	}
	data_drive(d);
	surroundings(d);
}

/* ---- the text ---- */

static void begin_line(struct draft *d, size_t depth, bool listed, size_t comment_depth)
{
	size_t indent = INDENT * (listed ? depth : comment_depth);

	d->line++;
	buf_addf(d->out, "%*s", (int)indent, "");
	if (!listed)
		buf_addf(d->out, "# %*s", (int)(INDENT * (depth - comment_depth)), "");
}

/* Whether e is below the first n characters of this path, and its next word there. */
static bool is_below(const struct entry *e, const char *prefix, size_t n)
{
	return strncmp(e->path, prefix, n) == 0;
}

static bool has_leaves(const struct draft *d, const char *prefix, size_t n)
{
	for (size_t i = 0; i < d->n; i++)
		if (d->v[i].kind != ENTRY_LEFT_OUT && is_below(&d->v[i], prefix, n))
			return true;
	return false;
}

/* Prints all entries below a prefix ("" or "cpu." …), those that share their next word together.
 * comment_depth: where the comment sign stands in lines that are comments. */
static void print_below(struct draft *d, const char *prefix, size_t depth, size_t comment_depth)
{
	size_t n = strlen(prefix);

	for (size_t i = 0; i < d->n; i++) {
		struct entry *e = &d->v[i];
		if (e->done || !is_below(e, prefix, n))
			continue;
		const char *word = e->path + n, *dot = strchr(word, '.');
		/* A block of nothing but what is left out is none: taking away its sign would open
		 * an empty one. */
		if (!dot || !has_leaves(d, e->path, (size_t)(dot + 1 - e->path))) {
			begin_line(d, depth, is_listed(d, e), comment_depth);
			buf_addf(d->out, "%s: %s%s%s\n", word, e->text, e->note ? " # " : "",
			    e->note ? e->note : "");
			e->line = d->line;
			e->done = true;
			continue;
		}
		_cleanup_str_ char *inner = mem_strndup(e->path, (size_t)(dot + 1 - e->path));
		bool any = false;
		for (size_t k = i; k < d->n; k++)
			any |= is_listed(d, &d->v[k]) && is_below(&d->v[k], inner, strlen(inner));
		begin_line(d, depth, any, comment_depth);
		buf_addf(d->out, "%.*s:\n", (int)(dot - word), word);
		print_below(d, inner, depth + 1, any ? depth + 1 : comment_depth);
	}
}

static void add_line(struct draft *d, const char *line)
{
	d->line++;
	buf_addf(d->out, "%s\n", line);
}

static void print_head(struct draft *d)
{
	const struct obs_guest *g = d->o->guest;
	bool comments = false, notes = false;

	for (size_t i = 0; i < d->n; i++) {
		comments |= d->v[i].kind == ENTRY_LEAF && !d->leaves;
		notes |= d->v[i].kind == ENTRY_LEFT_OUT;
	}
	d->line++;
	buf_addf(d->out, "# VM %u on %s as \"ramet import\" found it.\n", g->vmid, g->node);
	if (d->ours) {
		add_line(d, "# It carries the marker of this name already: where the manifest of "
			    "that name is merged,");
		add_line(d, "# compare with it, and merge no second one.");
	}
	if (comments) {
		add_line(d, "# What is a comment is not managed: it stays as it is, whoever "
			    "changes it. Take the sign");
		add_line(d, "# away from what Ramet is to keep so.");
	} else if (notes) {
		add_line(d, "# What is a comment cannot be managed as it is; it stays so.");
	}
}

static char *print(struct draft *d)
{
	struct buf out;

	buf_init(&out, 0);
	d->out = &out;
	d->line = 0;
	for (size_t i = 0; i < d->n; i++)
		d->v[i].done = false;
	print_head(d);
	add_line(d, "apiVersion: " DECODE_API_VERSION);
	add_line(d, "kind: " DECODE_KIND);
	add_line(d, "metadata:");
	d->line++;
	struct value name = {.type = VALUE_STR, .s = d->name};
	_cleanup_str_ char *quoted = value_print_yaml(&name);
	buf_addf(&out, "  name: %s\n", quoted);
	add_line(d, "  annotations:");
	d->line++;
	buf_addf(&out, "    " DECODE_ADOPT ": \"%s\"\n", d->o->guest->uuid);
	add_line(d, "spec:");
	print_below(d, "", 1, 1);
	return buf_take(&out);
}

/* ---- the proof ---- */

/* Comments out what the finding is about. A line that opens a block stands for all in it, and a
 * finding about the frame for nothing that could be left out. */
static bool take_out_line(struct draft *d, unsigned line, const char *why)
{
	unsigned next = 0;

	for (size_t i = 0; i < d->n; i++)
		if (d->v[i].kind != ENTRY_LEFT_OUT && d->v[i].line >= line &&
		    (!next || d->v[i].line < next))
			next = d->v[i].line;
	for (size_t i = 0; i < d->n; i++) {
		struct entry *e = &d->v[i];
		bool needed = e->kind == ENTRY_IDENTITY && e->attr->id != ATTR_name;
		if (e->kind == ENTRY_LEFT_OUT || e->line != next || needed)
			continue;
		leave_out(e, why);
		return true;
	}
	return false;
}

static bool take_out_path(struct draft *d, const char *path, const char *why)
{
	bool any = false;

	for (size_t i = 0; i < d->n; i++) {
		struct entry *e = &d->v[i];
		const char *rest = text_after(e->path, path);
		bool needed = e->kind == ENTRY_IDENTITY && e->attr->id != ATTR_name;
		if (e->kind == ENTRY_LEFT_OUT || needed || !rest || (*rest && *rest != '.'))
			continue;
		leave_out(e, why);
		any = true;
	}
	return any;
}

/* Ramet's own doing at an adoption. */
static bool is_expected(const struct draft *d, const struct change *c)
{
	return c->state == CHANGE_PENDING ||
	       (!d->ours && text_eq(c->path, "adoption") && c->state == CHANGE_DO);
}

enum proof { PROOF_GOOD, PROOF_AGAIN, PROOF_BAD };

static enum proof prove_plan(struct draft *d, const struct resource *want, struct err **err)
{
	struct plan_policy policy = *d->o->policy;
	struct plan plan;
	enum proof r = PROOF_GOOD;

	/* What the VM is, it may be; how much may be changed does not matter to what is so. */
	policy.max_disruption = PLAN_REBOOT;
	const struct plan_input in = {.want = want,
	    .guest = d->o->guest,
	    .cluster = d->o->cluster,
	    .policy = &policy,
	    .nonce = NONCE};
	plan_make(&in, &plan);
	for (size_t i = 0; i < plan.n_changes; i++) {
		const struct change *c = &plan.changes[i];
		if (is_expected(d, c))
			continue;
		_cleanup_str_ char *why = mem_printf("left out: %s",
		    c->why ? c->why : "what PVE shows is not what would be written");
		if (take_out_path(d, c->path, why)) {
			r = PROOF_AGAIN;
			continue;
		}
		(void)err_set(err, ERR_INPUT, "VM %u cannot be adopted: %s: %s", d->o->guest->vmid,
		    c->path, c->why ? c->why : c->to);
		r = PROOF_BAD;
		break;
	}
	bool fine = plan.verdict == PLAN_ACT || plan.verdict == PLAN_IN_SYNC ||
		    plan.verdict == PLAN_WAIT || plan.verdict == PLAN_OFF;
	if (r == PROOF_GOOD && !fine) {
		(void)err_set(err, ERR_INPUT, "VM %u cannot be adopted: %s", d->o->guest->vmid,
		    plan.message ? plan.message : reason_word(plan.reason));
		r = PROOF_BAD;
	}
	plan_fini(&plan);
	return r;
}

static enum proof prove(struct draft *d, const char *text, struct err **err)
{
	const struct bundle_file file = {.path = FILE_NAME, .data = text, .len = strlen(text)};
	struct bundle *b = NULL;
	enum proof r = PROOF_BAD;

	if (bundle_build("", &file, 1, NULL, &b, err) < 0)
		return PROOF_BAD;
	for (size_t i = 0; i < b->diags.n; i++) {
		const struct diag *f = &b->diags.v[i];
		if (diag_severity(f->code) != DIAG_ERROR)
			continue;
		_cleanup_str_ char *why = mem_printf("left out: %s", f->msg);
		if (take_out_line(d, f->mark.line, why)) {
			r = PROOF_AGAIN;
			goto out;
		}
		(void)err_set(err, ERR_INPUT, "no manifest can say what VM %u is: %s",
		    d->o->guest->vmid, f->msg);
		goto out;
	}
	if (b->n == 1)
		r = prove_plan(d, b->v[0].res, err);
	else
		(void)err_set(err, ERR_INTERNAL, "the manifest that was made is none");
out:
	bundle_unref(&b);
	return r;
}

/* ---- all together ---- */

uint32_t draft_source(const struct obs_guest *g)
{
	KV_FOREACH (item, &g->current) {
		_cleanup_drive_ struct drive d = {0};
		const char *bus;
		unsigned index;
		if (!form_slot_parse(item->key, &bus, &index) || text_eq(bus, "net") ||
		    drive_parse(item->value, &d, NULL) < 0 || !d.linked)
			continue;
		const char *base = strstr(d.volume, "base-");
		size_t digits = base ? strspn(base + 5, "0123456789") : 0;
		_cleanup_str_ char *number = base ? mem_strndup(base + 5, digits) : NULL;
		int64_t id;
		if (number && text_to_int(number, 100, 999999999, &id) == 0)
			return (uint32_t)id;
	}
	return 0;
}

/* A DNS label as close to the VM's name as can be. */
static char *label_of(const struct obs_guest *g)
{
	const char *name = kv_get(&g->current, "name");
	_cleanup_str_ char *s = text_lower(name ? name : "");
	size_t n = 0;

	for (const char *c = s; *c && *c != '.' && n < 63; c++) {
		bool word = (*c >= 'a' && *c <= 'z') || (*c >= '0' && *c <= '9');
		if (word)
			s[n++] = *c;
		else if (n && s[n - 1] != '-')
			s[n++] = '-';
	}
	while (n && s[n - 1] == '-')
		n--;
	s[n] = '\0';
	return text_is_dns_label(s) ? TAKE(s) : mem_printf("vm-%u", g->vmid);
}

static int check_owner(struct draft *d, struct err **err)
{
	const struct obs_guest *g = d->o->guest;
	const char *text = kv_get(&g->current, "description");
	struct marker m = {0};
	int r = 0;

	if (!g->uuid || !*g->uuid) {
		(void)err_set(err, ERR_INPUT,
		    "VM %u has no SMBIOS UUID, by which an adoption could be proven", g->vmid);
		return err_hint(err,
		    "give it one: `qm set %u --smbios1 uuid=$(cat /proc/sys/kernel/random/uuid)`; "
		    "a "
		    "running guest needs a stop and start then",
		    g->vmid);
	}
	enum marker_found found = marker_find(text ? text : "", &m);
	d->ours = found == MARKER_OK && m.vmid == g->vmid &&
		  text_eq(m.controller, d->o->policy->controller_id);
	if (d->ours) {
		d->name = mem_strdup(m.name);
	} else if (found == MARKER_OK) {
		(void)err_set(err, ERR_INPUT, "VM %u carries the marker of VM %u, %s/%s", g->vmid,
		    m.vmid, m.controller, m.name);
		r = err_hint(err, "if that one has no claim to it, take the line \"ramet: …\" out "
				  "of its notes first");
	} else if (found == MARKER_SEVERAL) {
		(void)err_set(err, ERR_INPUT, "VM %u carries several markers", g->vmid);
		r = err_hint(err, "take the lines \"ramet: …\" out of its notes first");
	}
	marker_fini(&m);
	return r;
}

int draft_make(const struct draft_opts *o, char **ret, struct err **err)
{
	struct draft d = {.o = o};
	uint32_t source = o->source ? o->source : draft_source(o->guest);
	_cleanup_str_ char *text = NULL;
	enum proof r = PROOF_BAD;

	if (check_owner(&d, err) < 0) {
		draft_fini(&d);
		return -1;
	}
	if (!d.name)
		d.name = label_of(o->guest);
	if (!source) {
		(void)err_set(err, ERR_NOTFOUND,
		    "what VM %u was cloned from cannot be seen, and a manifest has to say it",
		    o->guest->vmid);
		draft_fini(&d);
		return err_hint(err, "name it with --source VMID: nothing is cloned or changed by "
				     "it, but it stands in the manifest");
	}
	collect(&d, source);
	/* With all leaves, so that a comment whose sign is taken away is as good as what is listed.
	 * Each round leaves something out. */
	d.leaves = true;
	r = PROOF_AGAIN;
	for (size_t round = 0; r == PROOF_AGAIN && round <= d.n; round++) {
		free(text);
		text = print(&d);
		r = prove(&d, text, err);
	}
	if (r == PROOF_GOOD && !o->all_leaves) {
		d.leaves = false;
		free(text);
		text = print(&d);
		r = prove(&d, text, err);
	}
	draft_fini(&d);
	if (r != PROOF_GOOD)
		return -1;
	*ret = TAKE(text);
	return 0;
}
