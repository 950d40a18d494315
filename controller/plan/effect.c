#include "effect.h"

#include <stdlib.h>
#include <string.h>

#include "barenic.h"
#include "pvetext.h"

bool effect_hotplugs(const struct kv *current, const char *word)
{
	const char *text = kv_get(current, "hotplug");
	_cleanup_strs_ struct strs words = {0};

	if (pvetext_hotplug_parse(text ? text : "1", &words) < 0 || !strs_has(&words, word))
		return false;
	/* Memory is plugged into NUMA nodes only. */
	return !text_eq(word, "memory") || text_eq(kv_get(current, "numa"), "1");
}

bool effect_knows_usb(const char *system)
{
	static const char *const systems[] = {"l26", "win8", "win10", "win11"};

	for (size_t i = 0; i < ARRAY_LEN(systems); i++)
		if (text_eq(system, systems[i]))
			return true;
	return false;
}

bool effect_machine_before(const char *type, long major, long minor)
{
	const char *dash = strrchr(type, '-');
	char *end = NULL;
	long is = dash ? strtol(dash + 1, &end, 10) : 0;

	if (!dash || end == dash + 1 || *end != '.')
		return false; /* the newest one */
	return is < major || (is == major && strtol(end + 1, NULL, 10) < minor);
}

/* PVE plugs USB only into guests that it takes to understand it, and into machines from 7.1 on. */
static bool plugs_usb(const struct kv *current)
{
	_cleanup_value_ struct value type = {0};

	if (pvecodec_get(schema_attr(ATTR_machine), NULL, current, NULL, &type, NULL) == 0 &&
	    type.type == VALUE_STR && effect_machine_before(type.s, EFFECT_USB_MACHINE))
		return false;
	return effect_knows_usb(kv_get(current, "ostype")) && effect_hotplugs(current, "usb");
}

static void set_effect(
    struct change *c, enum attr_class class, enum plan_disruption d, bool restart)
{
	c->class = class;
	c->disruption = d;
	c->takes_restart = restart;
}

static void set_hotplug(const struct planner *pl, struct change *c, const char *word)
{
	bool usb = pl->g && c->slot && text_starts(c->slot, "usb");
	if (usb ? plugs_usb(&pl->g->current) : effect_hotplugs(&pl->g->current, word))
		set_effect(c, CLASS_HOTPLUG, PLAN_HOTPLUG, false);
	else
		set_effect(c, CLASS_PENDING, PLAN_NONE, true);
}

static int64_t number_of(const struct kv *conf, enum attr_id id)
{
	int64_t n;
	const char *text = kv_get(conf, schema_attr(id)->key);
	return text && text_to_int(text, 1, INT32_MAX, &n) == 0 ? n : 1;
}

/* More processors than the running guest was started for: there is no place to plug them. */
static bool is_beyond_start(const struct planner *pl, const struct value *want)
{
	const struct kv *now = &pl->g->current;
	return want->type == VALUE_INT &&
	       want->i > number_of(now, ATTR_cpu_cores) * number_of(now, ATTR_cpu_sockets);
}

static bool has_word(const struct value *v, const char *word)
{
	return v->type == VALUE_SET && strs_has(&v->set, word);
}

/* The class of the table, but for attributes whose class depends on the value: the balloon device
 * is switched by the value 0, and a device cannot be changed in a running guest; with processors or
 * memory to plug, a guest is made in another way; of the agent's key only one part is looked at
 * anew, when the key was there before. */
static enum attr_class class_of(const struct planner *pl, const struct change *c,
    const struct value *have, const struct value *want)
{
	const struct attr *a = c->attr;

	/* Between a bridge and none there is another device behind the card. */
	if (barenic_is(&pl->g->current, c->slot))
		return CLASS_HOTPLUG;
	if (a->codec == CODEC_HOTPLUG) {
		bool made = has_word(have, "cpu") || has_word(want, "cpu") ||
			    has_word(have, "memory") || has_word(want, "memory");
		return made ? CLASS_PENDING : a->class;
	}
	/* A new password alone is no reason for PVE to make the drive of cloud-init anew. */
	if (a->codec == CODEC_SECRET && want->type == VALUE_STR)
		return CLASS_SILENT;
	if (a->class == CLASS_SILENT && a->hotplug && effect_hotplugs(&pl->g->current, a->hotplug))
		return CLASS_LIVE;
	if (a->id == ATTR_agent_trim && !kv_has(&pl->g->current, a->key))
		return CLASS_PENDING;
	if (a->id == ATTR_cpu_vcpus && is_beyond_start(pl, want))
		return CLASS_PENDING;
	if (a->id == ATTR_memory_balloon) {
		bool off = have->type == VALUE_INT && have->i == 0;
		bool to_off = want->type == VALUE_INT && want->i == 0;
		return off != to_off ? CLASS_PENDING : a->class;
	}
	return a->class;
}

void effect_of_leaf(
    const struct planner *pl, struct change *c, const struct value *have, const struct value *want)
{
	enum attr_class class = class_of(pl, c, have, want);

	if (!pl->running) {
		set_effect(c, class, PLAN_NONE, false);
		return;
	}
	switch (class) {
	case CLASS_LIVE:
	case CLASS_NONE:
	case CLASS_CLONE:
		set_effect(c, class, PLAN_NONE, false);
		break;
	case CLASS_LIVE_FLAP:
	case CLASS_ACTION:
		set_effect(c, class, PLAN_HOTPLUG, false);
		break;
	case CLASS_HOTPLUG:
		set_hotplug(pl, c, c->attr->hotplug ? c->attr->hotplug : "network");
		break;
	case CLASS_PENDING:
	case CLASS_SILENT:
		set_effect(c, class, PLAN_NONE, true);
		break;
	case CLASS__MAX:
		break;
	}
}

void effect_of_slot(const struct planner *pl, struct change *c, const char *slot)
{
	const char *bus = NULL;
	unsigned index;

	if (!pl->running)
		set_effect(c, CLASS_HOTPLUG, PLAN_NONE, false);
	/* efidisk0 and tpmstate0 are on no bus. */
	else if (!form_slot_parse(slot, &bus, &index) || text_eq(bus, "ide") ||
		 text_eq(bus, "sata"))
		set_effect(c, CLASS_PENDING, PLAN_NONE, true);
	else
		set_hotplug(pl, c, text_eq(bus, "net") ? "network" : "disk");
}

void effect_of_action(const struct planner *pl, struct change *c)
{
	set_effect(c, CLASS_ACTION, pl->running ? PLAN_HOTPLUG : PLAN_NONE, false);
}
