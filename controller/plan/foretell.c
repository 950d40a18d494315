#include "foretell.h"

#include <stdlib.h>
#include <string.h>

char *foretell_name(const struct resource *want)
{
	const struct leaf *l = resource_find(want, ATTR_name, NULL);
	return mem_strdup(l && l->value.type == VALUE_STR ? l->value.s : want->name);
}

bool foretell_sends(const struct attr *a)
{
	return a->class == CLASS_CLONE || a->id == ATTR_node_name || a->id == ATTR_name ||
	       a->id == ATTR_clone_pool_id || a->codec == CODEC_DESCRIPTION;
}

static int put_description(const struct planner *pl, struct kv *conf, struct err **err)
{
	static const char nonce[] = "0000000000000000";
	const struct leaf *l = resource_find(pl->want, ATTR_description, NULL);
	const char *text = kv_get(conf, "description");
	_cleanup_str_ char *joined = NULL;
	int64_t id = resource_int(pl->want, ATTR_id);
	const struct marker m = {
	    .controller = (char *)(uintptr_t)pl->policy->controller_id,
	    .name = pl->want->name,
	    .vmid = id ? (uint32_t)id : 999999999, /* the longest */
	    .nonce = (char *)(uintptr_t)nonce,
	};

	if (l)
		text = l->value.type == VALUE_STR ? l->value.s : "";
	if (marker_join(text, &m, &joined, err) < 0)
		return -1;
	kv_set(conf, "description", joined);
	return 0;
}

/* PVE draws new addresses: until then a device is its model. */
static void drop_macs(struct kv *conf)
{
	const struct attr *model = planner_row("network.", CODEC_NIC_MODEL);
	_cleanup_kv_ struct kv all = {0};

	kv_copy(&all, conf);
	KV_FOREACH (item, &all) {
		_cleanup_propstr_ struct propstr p = {0};
		_cleanup_value_ struct value v = {0};
		const char *bus;
		unsigned index;
		if (!form_slot_parse(item->key, &bus, &index) || !text_eq(bus, "net") ||
		    propstr_parse(item->value, &p, NULL) < 0 ||
		    pvecodec_get(model, item->key, &all, NULL, &v, NULL) < 0 || v.type != VALUE_STR)
			continue;
		propstr_del(&p, "macaddr");
		if (propstr_del(&p, v.s))
			propstr_set_lead(&p, v.s);
		_cleanup_str_ char *text = propstr_print(&p);
		kv_set(conf, item->key, text);
	}
}

/* A full clone may put all disks elsewhere; the volume's new name is unknown but for its storage
 * and format. The drive of cloud-init, which PVE makes anew, goes with them; media stay. */
static void put_storage(const struct planner *pl, struct kv *conf)
{
	const char *store = planner_text(pl, ATTR_clone_target_datastore, NULL);
	const char *format = planner_text(pl, ATTR_clone_target_format, NULL);
	_cleanup_kv_ struct kv all = {0};

	if ((!store && !format) || !resource_bool(pl->want, ATTR_clone_full))
		return;
	kv_copy(&all, conf);
	KV_FOREACH (item, &all) {
		_cleanup_drive_ struct drive d = {0};
		_cleanup_propstr_ struct propstr p = {0};
		const char *bus;
		unsigned index;
		bool slot = form_slot_parse(item->key, &bus, &index) && !text_eq(bus, "net");
		if ((!slot && !text_starts(item->key, "efidisk") &&
			!text_starts(item->key, "tpmstate")) ||
		    drive_parse(item->value, &d, NULL) < 0 || (d.cdrom && !d.cloudinit) ||
		    propstr_parse(item->value, &p, NULL) < 0)
			continue;
		const char *suffix = format ? format : d.format;
		_cleanup_str_ char *name =
		    d.cloudinit ? mem_strdup("cloudinit") : mem_printf("vm-0-%s", item->key);
		_cleanup_str_ char *volume = mem_printf(
		    "%s:%s%s%s", store ? store : d.storage, name, *suffix ? "." : "", suffix);
		drive_put_volume(&p, volume);
		_cleanup_str_ char *text = propstr_print(&p);
		kv_set(conf, item->key, text);
	}
}

int foretell_clone(const struct planner *pl, struct obs_guest *ret, struct err **err)
{
	const struct obs_guest *src = pl->in->source;
	_cleanup_kv_ struct kv conf = {0}, all = {0};
	_cleanup_str_ char *name = foretell_name(pl->want);
	const char *pool = planner_text(pl, ATTR_clone_pool_id, NULL);

	kv_copy(&all, &src->current);
	KV_FOREACH (item, &all)
		if (!text_starts(item->key, "unused") && !text_eq(item->key, "template"))
			kv_set(&conf, item->key, item->value);
	kv_set(&conf, "name", name);
	put_storage(pl, &conf);
	drop_macs(&conf);
	if (put_description(pl, &conf, err) < 0)
		return -1;
	*ret = (struct obs_guest){
	    .vmid = (uint32_t)resource_int(pl->want, ATTR_id),
	    .node = mem_strdup(planner_text(pl, ATTR_node_name, NULL)),
	    .power = OBS_POWER_STOPPED,
	    .power_word = mem_strdup("stopped"),
	    .pool = mem_strdup(pool),
	    .pool_known = true,
	    .uuid = mem_strdup(""),
	};
	kv_copy(&ret->current, &conf);
	kv_copy(&ret->pending, &conf);
	return 0;
}
