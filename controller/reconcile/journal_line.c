#include "journal_line.h"

#include <string.h>

#define VMID_MAX 999999999
#define PAIRS_MAX 4096

static char *print_line(struct jsn *o)
{
	char *s = jsn_print(o, false);

	jsn_free(&o);
	return s;
}

static struct jsn *line_new(const char *kind, const char *name)
{
	struct jsn *o = jsn_new_object();

	jsn_put_str(o, "t", kind);
	if (name)
		jsn_put_str(o, "name", name);
	return o;
}

/* The task that an intent, a departure or a step written before has become. */
static char *task_line(const char *kind, const char *name, const char *upid)
{
	struct jsn *o = line_new(kind, name);

	jsn_put_str(o, "upid", upid);
	return print_line(o);
}

char *journal_line_head(const char *controller_id, const char *instance)
{
	struct jsn *o = line_new("ramet", NULL);

	jsn_put_int(o, "version", 1);
	jsn_put_str(o, "controller", controller_id);
	jsn_put_str(o, "instance", instance);
	return print_line(o);
}

static void put_kv(struct jsn *o, const char *key, const struct kv *m)
{
	struct jsn *c;

	if (!m->n)
		return;
	c = jsn_new_object();
	KV_FOREACH (it, m)
		jsn_put_str(c, it->key, it->value);
	jsn_put(o, key, c);
}

char *journal_line_intent(const char *name, const struct intent *in)
{
	struct jsn *o = line_new("intent", name);

	jsn_put_int(o, "vmid", in->vmid);
	jsn_put_str(o, "nonce", in->nonce);
	jsn_put_int(o, "source", in->source);
	jsn_put_str(o, "source_uuid", in->source_uuid);
	jsn_put_str(o, "source_node", in->source_node);
	jsn_put_str(o, "target_node", in->target_node);
	jsn_put_str(o, "upid", in->upid);
	jsn_put_int(o, "tries", in->tries);
	jsn_put_int(o, "wall_ms", in->wall_ms);
	if (in->restored)
		jsn_put_bool(o, "restored", true);
	put_kv(o, "cloned", &in->cloned);
	return print_line(o);
}

char *journal_line_upid(const char *name, const char *upid)
{
	return task_line("upid", name, upid);
}

char *journal_line_end(const char *name)
{
	return print_line(line_new("end", name));
}

char *journal_line_forget(const char *name)
{
	return print_line(line_new("forget", name));
}

char *journal_line_used(uint32_t vmid)
{
	struct jsn *o = line_new("used", NULL);

	jsn_put_int(o, "vmid", vmid);
	return print_line(o);
}

char *journal_line_scanned(bool scanned)
{
	return print_line(line_new(scanned ? "scanned" : "unscanned", NULL));
}

static void put_boot(struct jsn *o, int64_t now_ms, const char *boot)
{
	if (!boot)
		return;
	jsn_put_int(o, "now_ms", now_ms);
	jsn_put_str(o, "boot", boot);
}

char *journal_line_depart(const char *name, const struct departure *d, const char *boot)
{
	struct jsn *o = line_new("depart", name);

	jsn_put_int(o, "vmid", d->vmid);
	jsn_put_bool(o, "deleting", d->deleting);
	jsn_put_str(o, "upid", d->upid);
	jsn_put_int(o, "wall_ms", d->wall_ms);
	put_boot(o, d->now_ms, boot);
	return print_line(o);
}

char *journal_line_depart_upid(const char *name, const char *upid)
{
	return task_line("depart-upid", name, upid);
}

char *journal_line_stay(const char *name)
{
	return print_line(line_new("stay", name));
}

char *journal_line_cluster(const char *name)
{
	struct jsn *o = line_new("cluster", NULL);

	jsn_put_str(o, "of", name);
	return print_line(o);
}

char *journal_line_step(const char *name, const struct doing *d)
{
	struct jsn *o = line_new("step", name);

	jsn_put_int(o, "vmid", d->vmid);
	jsn_put_str(o, "text", d->text);
	jsn_put_str(o, "upid", d->upid);
	if (d->boot) {
		jsn_put_int(o, "boot", d->boot);
		jsn_put_int(o, "wall_ms", d->wall_ms);
	}
	return print_line(o);
}

char *journal_line_step_upid(const char *name, const char *upid)
{
	return task_line("step-upid", name, upid);
}

char *journal_line_step_end(const char *name)
{
	return print_line(line_new("step-end", name));
}

char *journal_line_fallen(const struct fallen *f)
{
	struct jsn *o = line_new("fallen", f->name);

	jsn_put_int(o, "vmid", f->vmid);
	jsn_put_int(o, "wall_ms", f->wall_ms);
	if (f->last_ms > f->wall_ms)
		jsn_put_int(o, "last_ms", f->last_ms);
	put_boot(o, f->now_ms, f->boot);
	if (f->past)
		jsn_put_bool(o, "past", true);
	return print_line(o);
}

char *journal_line_left(const char *key, const char *text)
{
	struct jsn *o = line_new("left", key);

	jsn_put_str(o, "text", text);
	return print_line(o);
}

char *journal_line_doubt(const char *name, bool doubted)
{
	struct jsn *o = line_new("doubt", name);

	jsn_put_bool(o, "doubted", doubted);
	return print_line(o);
}

char *journal_line_history(const char *rev)
{
	struct jsn *o = line_new("history", NULL);

	jsn_put_str(o, "rev", rev);
	return print_line(o);
}

char *journal_line_record(const char *name, const struct record *rec)
{
	struct jsn *o = line_new("record", name);

	jsn_put_int(o, "vmid", rec->vmid);
	jsn_put_str(o, "uuid", rec->uuid);
	jsn_put_str(o, "nonce", rec->nonce);
	jsn_put_str(o, "node", rec->node);
	jsn_put_int(o, "source", rec->source_vmid);
	jsn_put_str(o, "source_uuid", rec->source_uuid);
	jsn_put_bool(o, "proven", rec->proven);
	if (rec->synced_hash[0])
		jsn_put_str(o, "synced_hash", rec->synced_hash);
	jsn_put_str(o, "synced_rev", rec->synced_rev);
	jsn_put_str(o, "good_rev", rec->good_rev);
	jsn_put_str(o, "good_path", rec->good_path);
	if (rec->boot_mark)
		jsn_put_int(o, "boot_mark", rec->boot_mark);
	if (rec->whole)
		jsn_put_bool(o, "whole", true);
	put_kv(o, "cloned", &rec->cloned);
	put_kv(o, "volumes", &rec->volumes);
	put_kv(o, "loose", &rec->loose);
	put_kv(o, "macs", &rec->macs);
	put_kv(o, "sizes", &rec->sizes);
	put_kv(o, "stored", &rec->stored);
	put_kv(o, "silent", &rec->silent);
	put_kv(o, "unmet", &rec->unmet);
	if (rec->owns)
		jsn_put_bool(o, "owns", true);
	put_kv(o, "owned", &rec->owned);
	put_kv(o, "parting", &rec->parting);
	put_kv(o, "secrets", &rec->secrets);
	return print_line(o);
}

static char *get_str(const struct jsn *j, const char *key)
{
	return mem_strdup(jsn_get_text(j, key));
}

static void get_kv(const struct jsn *j, const char *key, struct kv *ret)
{
	const struct jsn *o = jsn_get(j, key);
	struct jsn_iter it;

	if (!jsn_is_object(o) || jsn_len(o) > PAIRS_MAX)
		return;
	JSN_FOREACH (it, o)
		if (jsn_text(it.val))
			kv_set(ret, it.key, jsn_text(it.val));
}

static int get_vmid(const struct jsn *j, const char *key, uint32_t *ret)
{
	int64_t v = jsn_get_int(j, key, -1);

	if (v < 0 || v > VMID_MAX)
		return -1;
	*ret = (uint32_t)v;
	return 0;
}

int journal_line_get_record(const struct jsn *j, struct record *ret)
{
	const char *hash = jsn_get_text(j, "synced_hash");
	struct record r = {0};

	if (get_vmid(j, "vmid", &r.vmid) < 0 || get_vmid(j, "source", &r.source_vmid) < 0)
		return -1;
	r.uuid = get_str(j, "uuid");
	r.nonce = get_str(j, "nonce");
	r.node = get_str(j, "node");
	r.source_uuid = get_str(j, "source_uuid");
	r.proven = jsn_get_bool(j, "proven", false);
	if (hash && strlen(hash) < sizeof(r.synced_hash))
		memcpy(r.synced_hash, hash, strlen(hash) + 1);
	r.synced_rev = get_str(j, "synced_rev");
	r.good_rev = get_str(j, "good_rev");
	r.good_path = get_str(j, "good_path");
	r.boot_mark = jsn_get_int(j, "boot_mark", 0);
	r.whole = jsn_get_bool(j, "whole", false);
	get_kv(j, "cloned", &r.cloned);
	get_kv(j, "volumes", &r.volumes);
	get_kv(j, "loose", &r.loose);
	get_kv(j, "macs", &r.macs);
	get_kv(j, "sizes", &r.sizes);
	get_kv(j, "stored", &r.stored);
	get_kv(j, "silent", &r.silent);
	get_kv(j, "unmet", &r.unmet);
	r.owns = jsn_get_bool(j, "owns", false);
	get_kv(j, "owned", &r.owned);
	get_kv(j, "parting", &r.parting);
	get_kv(j, "secrets", &r.secrets);
	*ret = r;
	return 0;
}

int journal_line_get_intent(const struct jsn *j, struct intent *ret)
{
	struct intent in = {0};

	if (get_vmid(j, "vmid", &in.vmid) < 0 || get_vmid(j, "source", &in.source) < 0 ||
	    in.vmid < 100 || !jsn_get_text(j, "nonce"))
		return -1;
	in.nonce = get_str(j, "nonce");
	in.source_uuid = get_str(j, "source_uuid");
	in.source_node = get_str(j, "source_node");
	in.target_node = get_str(j, "target_node");
	in.upid = get_str(j, "upid");
	in.tries = (unsigned)jsn_get_int(j, "tries", 0);
	in.wall_ms = jsn_get_int(j, "wall_ms", 0);
	in.restored = jsn_get_bool(j, "restored", false);
	get_kv(j, "cloned", &in.cloned);
	*ret = in;
	return 0;
}
