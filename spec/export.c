#include "export.h"

#include <string.h>

#include "decode.h"
#include "jsn.h"

#define DURATION_PATTERN "^(0|([0-9]+(\\.[0-9]*)?|\\.[0-9]+)(ns|us|\xc2\xb5s|ms|s|m|h))+$"
#define CHOICES_MAX 64

static const struct {
	const char *where, *json;
} rules[] = {
#define JSON(...) #__VA_ARGS__
#define RULE(code, word, severity, scope, fn, doc, where, json) {where, json},
#include "rules.def"
#undef RULE
#undef JSON
};

static struct jsn *type_list(const char *type, bool nullable)
{
	if (!nullable)
		return jsn_new_str(type);
	struct jsn *l = jsn_new_array();
	jsn_push(l, jsn_new_str(type));
	jsn_push(l, jsn_new_str("null"));
	return l;
}

static struct jsn *word_list(const char *const *words, size_t n)
{
	struct jsn *l = jsn_new_array();
	for (size_t i = 0; i < n; i++)
		jsn_push(l, jsn_new_str(words[i]));
	return l;
}

/* "+aes" or "-aes", for each of the words. */
static char *flag_pattern(const char *const *words, size_t n)
{
	struct buf b;
	buf_init(&b, 0);
	buf_adds(&b, "^[+-](");
	for (size_t i = 0; i < n; i++)
		buf_addf(&b, "%s%s", i ? "|" : "", words[i]);
	buf_adds(&b, ")$");
	return buf_take(&b);
}

static void put_form(struct jsn *o, enum attr_format f)
{
	size_t n;
	const char *const *words = form_words(f, &n);
	if (f == FMT_CPU_FLAG) {
		_cleanup_str_ char *pattern = flag_pattern(words, n);
		jsn_put_str(o, "pattern", pattern);
	} else if (words) {
		struct jsn *any = jsn_new_array(), *listed = jsn_new_object(),
			   *own = jsn_new_object();
		jsn_put(listed, "enum", word_list(words, n));
		jsn_put_str(own, "pattern", "^custom-[A-Za-z0-9_.-]+$");
		jsn_push(any, listed);
		jsn_push(any, own);
		jsn_put(o, "anyOf", any);
	} else if (form_pattern(f)) {
		jsn_put_str(o, "pattern", form_pattern(f));
	} else if (f == FMT_ANY) {
		jsn_put_str(o, "pattern", "^[^\\u0000-\\u001f]*$");
	}
}

/* Words that are numbers may be written without quotes. */
static void put_choices(struct jsn *o, const struct attr *a)
{
	struct strs l = {0};
	struct jsn *words = jsn_new_array();
	MUST(text_split(a->choices, "|", true, CHOICES_MAX, &l) == 0);
	for (size_t i = 0; i < l.n; i++) {
		int64_t number;
		jsn_push(words, jsn_new_str(l.v[i]));
		if (text_to_int(l.v[i], 0, INT32_MAX, &number) == 0)
			jsn_push(words, jsn_new_int(number));
	}
	strs_fini(&l);
	if (a->flags & ATTR_NULLABLE)
		jsn_push(words, jsn_new_null());
	jsn_put(o, "enum", words);
}

static void put_items(struct jsn *o, const struct attr *a)
{
	struct jsn *items = jsn_new_object();
	if (a->flags & ATTR_INT_ITEMS) {
		struct jsn *types = jsn_new_array();
		jsn_push(types, jsn_new_str("integer"));
		jsn_push(types, jsn_new_str("string"));
		jsn_put(items, "type", types);
		bool vlan = a->format == FMT_VLAN_RANGE;
		jsn_put_int(items, "minimum", vlan ? FORM_VLAN_MIN : 0);
		jsn_put_int(items, "maximum", vlan ? FORM_VLAN_MAX : FORM_CPU_MAX);
	} else {
		jsn_put_str(items, "type", "string");
	}
	put_form(items, a->format);
	jsn_put(o, "items", items);
	jsn_put(o, "uniqueItems", jsn_new_bool(true));
	jsn_put_int(o, "maxItems", (int64_t)a->max);
}

static void put_number(struct jsn *o, const char *key, double v)
{
	if (v == (double)(int64_t)v)
		jsn_put_int(o, key, (int64_t)v);
	else
		jsn_put(o, key, jsn_new_num(v));
}

static void put_type(struct jsn *o, const struct attr *a)
{
	bool nullable = a->flags & ATTR_NULLABLE;
	switch (a->type) {
	case ATTR_BOOL:
		jsn_put(o, "type", type_list("boolean", nullable));
		break;
	case ATTR_INT:
	case ATTR_NUM:
		jsn_put(o, "type", type_list(a->type == ATTR_INT ? "integer" : "number", nullable));
		put_number(o, "minimum", a->min);
		put_number(o, "maximum", a->max);
		break;
	case ATTR_STR:
		jsn_put(o, "type", type_list("string", nullable));
		if (a->min > 0)
			jsn_put_int(o, "minLength", (int64_t)a->min);
		jsn_put_int(o, "maxLength", (int64_t)a->max);
		put_form(o, a->format);
		break;
	case ATTR_ENUM:
		put_choices(o, a);
		break;
	case ATTR_SET:
		jsn_put(o, "type", type_list("array", nullable));
		put_items(o, a);
		break;
	case ATTR_DUR:
		jsn_put_str(o, "type", "string");
		jsn_put_str(o, "pattern", DURATION_PATTERN);
		break;
	case ATTR_TIME:
		jsn_put_str(o, "type", "string");
		jsn_put_str(o, "format", "date-time");
		put_form(o, a->format);
		break;
	case ATTR_TYPE__MAX:
		break;
	}
}

static struct jsn *value_to_jsn(const struct value *v)
{
	switch (v->type) {
	case VALUE_BOOL:
		return jsn_new_bool(v->b);
	case VALUE_INT:
		return jsn_new_int(v->i);
	case VALUE_NUM:
		return jsn_new_num(v->n);
	case VALUE_STR:
		return jsn_new_str(v->s);
	case VALUE_DUR: {
		_cleanup_str_ char *s = value_print_duration(v->i);
		return jsn_new_str(s);
	}
	case VALUE_SET:
		return word_list((const char *const *)v->set.v, v->set.n);
	case VALUE_ABSENT:
	case VALUE_NULL:
	case VALUE_TYPE__MAX:
		break;
	}
	return jsn_new_null();
}

static struct jsn *attr_schema(const struct attr *a)
{
	struct jsn *o = jsn_new_object();
	struct value v;
	jsn_put_str(o, "title", a->brief);
	jsn_put_str(o, "description", a->doc);
	put_type(o, a);
	if (a->deflt && schema_parse_value(a, a->deflt, &v) == 0) {
		jsn_put(o, "default", value_to_jsn(&v));
		value_fini(&v);
	}
	return o;
}

/* Rules about that block, as far as JSON Schema can say them. */
static void put_rules(struct jsn *o, const char *where)
{
	struct jsn *all = jsn_new_array();
	for (size_t i = 0; i < ARRAY_LEN(rules); i++) {
		struct jsn *rule = NULL;
		if (!rules[i].json || strcmp(rules[i].where, where) != 0)
			continue;
		MUST(jsn_parse(rules[i].json, strlen(rules[i].json), &rule, NULL) == 0);
		jsn_push(all, rule);
	}
	if (jsn_len(all) > 0)
		jsn_put(o, "allOf", all);
	else
		jsn_free(&all);
}

static struct jsn *new_block(const char *brief)
{
	struct jsn *o = jsn_new_object();
	jsn_put_str(o, "description", brief);
	jsn_put_str(o, "type", "object");
	jsn_put(o, "additionalProperties", jsn_new_bool(false));
	return o;
}

static void put_old_names(struct jsn *properties, const char *block)
{
	const char *in, *old, *key;
	for (size_t i = 0; schema_old_name(i, &in, &old, &key); i++) {
		if (strcmp(in, block) != 0)
			continue;
		struct jsn *o = attr_schema(schema_find(block, key));
		jsn_put(o, "deprecated", jsn_new_bool(true));
		jsn_put(properties, old, o);
	}
}

/* Keys of a block, then the blocks in it. */
static struct jsn *block_schema(const struct attr_block *b)
{
	struct jsn *o = new_block(b->brief), *properties = jsn_new_object(),
		   *required = jsn_new_array();
	for (int id = 0; id < ATTR_ID__MAX; id++) {
		const struct attr *a = schema_attr((enum attr_id)id);
		if (!schema_is_in(a, b->path))
			continue;
		jsn_put(properties, schema_key(a), attr_schema(a));
		if (a->flags & ATTR_REQUIRED)
			jsn_push(required, jsn_new_str(schema_key(a)));
	}
	put_old_names(properties, b->path);
	const struct attr_block *blocks;
	size_t n = schema_blocks(&blocks);
	for (size_t i = 0; i < n; i++) {
		_cleanup_str_ char *key = NULL;
		if (!schema_block_is_in(&blocks[i], b->path, &key))
			continue;
		struct jsn *inner = block_schema(&blocks[i]);
		if (text_ends(blocks[i].path, ".*")) {
			struct jsn *map = new_block(blocks[i].brief), *slots = jsn_new_object();
			jsn_put(slots, form_pattern(blocks[i].slot_format), inner);
			jsn_put(map, "patternProperties", slots);
			_cleanup_str_ char *all =
			    mem_strndup(blocks[i].path, strlen(blocks[i].path) - 2);
			put_rules(map, all);
			inner = map;
		}
		jsn_put(properties, key, inner);
		if (blocks[i].required)
			jsn_push(required, jsn_new_str(key));
	}
	jsn_put(o, "properties", properties);
	if (jsn_len(required) > 0)
		jsn_put(o, "required", required);
	else
		jsn_free(&required);
	put_rules(o, b->path);
	return o;
}

static struct jsn *text_schema(const char *description, enum attr_format f, bool or_empty)
{
	struct jsn *o = jsn_new_object();
	jsn_put_str(o, "description", description);
	jsn_put_str(o, "type", "string");
	if (or_empty) {
		_cleanup_str_ char *pattern = mem_printf("^$|%s", form_pattern(f));
		jsn_put_str(o, "pattern", pattern);
	} else if (form_pattern(f)) {
		jsn_put_str(o, "pattern", form_pattern(f));
	}
	return o;
}

/* Some volumes, with commas between them. */
static struct jsn *volumes_schema(void)
{
	struct jsn *o = jsn_new_object();
	const char *form = form_pattern(FMT_VOLUME); /* "^(…)$" */
	_cleanup_str_ char *one = mem_strndup(form + 1, strlen(form) - 2);
	_cleanup_str_ char *pattern = mem_printf("^[, ]*(%s([, ]+%s)*[, ]*)?$", one, one);
	jsn_put_str(o, "description",
	    "Volumes of the VM, unused or in slots that are not listed, with commas between them, "
	    "that are none of the disks of this manifest.");
	jsn_put_str(o, "type", "string");
	jsn_put_str(o, "pattern", pattern);
	return o;
}

static struct jsn *annotations_schema(void)
{
	struct jsn *o = jsn_new_object(), *properties = jsn_new_object(), *names = jsn_new_object(),
		   *values = jsn_new_object();
	jsn_put_str(o, "type", "object");
	jsn_put(properties, DECODE_RENAMED_FROM,
	    text_schema("The former metadata.name, after a change of it.", FMT_DNS_LABEL, true));
	jsn_put(properties, DECODE_ADOPT,
	    text_schema(
		"SMBIOS UUID of an existing VM to take over; spec.id names it.", FMT_UUID, true));
	jsn_put(properties, DECODE_LEAVE_UNUSED, volumes_schema());
	jsn_put(o, "properties", properties);
	/* Annotations of others are let through, unknown ones of ours are not. */
	struct jsn *any = jsn_new_array(), *known = jsn_new_object(), *foreign = jsn_new_object();
	const char *ours[] = {DECODE_RENAMED_FROM, DECODE_ADOPT, DECODE_LEAVE_UNUSED};
	jsn_put(known, "enum", word_list(ours, ARRAY_LEN(ours)));
	jsn_put_str(foreign, "pattern", "^(?!ramet\\.dev/)");
	jsn_push(any, known);
	jsn_push(any, foreign);
	jsn_put(names, "anyOf", any);
	jsn_put(o, "propertyNames", names);
	jsn_put_str(values, "type", "string");
	jsn_put(o, "additionalProperties", values);
	return o;
}

static struct jsn *metadata_schema(void)
{
	struct jsn *o = new_block("Whose manifest this is."), *properties = jsn_new_object(),
		   *required = jsn_new_array();
	jsn_put(properties, "name",
	    text_schema("Identity of the VM in the repository: a DNS label, unique in the whole "
			"watched tree.",
		FMT_DNS_LABEL, false));
	jsn_put(properties, "annotations", annotations_schema());
	jsn_put(o, "properties", properties);
	jsn_push(required, jsn_new_str("name"));
	jsn_put(o, "required", required);
	return o;
}

static struct jsn *constant(const char *word)
{
	struct jsn *o = jsn_new_object();
	jsn_put_str(o, "const", word);
	return o;
}

char *export_json_schema(void)
{
	static const char *const required[] = {"apiVersion", "kind", "metadata", "spec"};
	struct jsn *o = jsn_new_object(), *properties = jsn_new_object();
	jsn_put_str(o, "$schema", "https://json-schema.org/draft/2020-12/schema");
	jsn_put_str(o, "title", DECODE_KIND);
	jsn_put_str(o, "description", "A virtual machine cloned from a template on Proxmox VE.");
	jsn_put_str(o, "type", "object");
	jsn_put(o, "additionalProperties", jsn_new_bool(false));
	jsn_put(properties, "apiVersion", constant(DECODE_API_VERSION));
	jsn_put(properties, "kind", constant(DECODE_KIND));
	jsn_put(properties, "metadata", metadata_schema());
	jsn_put(properties, "spec", block_schema(schema_block("")));
	jsn_put(o, "properties", properties);
	jsn_put(o, "required", word_list(required, ARRAY_LEN(required)));
	char *text = jsn_print(o, true);
	jsn_free(&o);
	return text;
}
