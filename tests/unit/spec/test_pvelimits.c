/*
 * Limits, words and defaults of the table against the API schemas of real PVE versions, when the
 * recordings are there (../shared/pve beside the source tree).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "jsn.h"
#include "pvekeys.h"
#include "schema.h"

#define FILE_MAX ((size_t)4 << 20)
#define NO_LIMIT -1e18

static const char *const versions[] = {"8.4", "9.2"};

static char *read_recording(const char *name)
{
	static const char *const places[] = {"../shared/pve", "../../shared/pve"};
	for (size_t i = 0; i < ARRAY_LEN(places); i++) {
		_cleanup_str_ char *path =
		    mem_printf("%s/%s/%s", RAMET_SOURCE_DIR, places[i], name);
		FILE *f = fopen(path, "rb");
		if (!f)
			continue;
		char *data = mem_alloc(FILE_MAX);
		(void)!fread(data, 1, FILE_MAX - 1, f);
		fclose(f);
		return data;
	}
	return NULL;
}

static struct jsn *load(const char *version)
{
	_cleanup_str_ char *name = mem_printf("schema-%s.json", version);
	_cleanup_str_ char *text = read_recording(name);
	struct jsn *j = NULL;
	if (!text) {
		mem_free_str(&name); /* skip() jumps over the clean-up */
		skip();
	}
	assert_int_equal(jsn_parse(text, strlen(text), &j, NULL), 0);
	return j;
}

static const struct jsn *config_of(const struct jsn *schema)
{
	const struct jsn *put = jsn_get(schema, "PUT /nodes/{node}/qemu/{vmid}/config");
	const struct jsn *p = jsn_get(jsn_get(put, "parameters"), "properties");
	assert_true(jsn_is_object(p));
	return p;
}

/* The first of the part's names that PVE has; another name's description is that of its own. */
static const struct jsn *find_part(const struct jsn *format, const char *names)
{
	struct strs l = {0};
	const struct jsn *found = NULL;
	assert_int_equal(text_split(names, "|", true, 8, &l), 0);
	for (size_t i = 0; i < l.n && !found; i++)
		found = jsn_get(format, l.v[i]);
	const char *alias = jsn_get_text(found, "alias");
	found = alias ? jsn_get(format, alias) : found;
	strs_fini(&l);
	return found;
}

/* PVE's description of the row's value; NULL when the schema is silent (a named format). */
static const struct jsn *find_property(const struct jsn *config, const struct attr *a, bool older)
{
	const struct pvekey *keys;
	size_t n = pvekeys_all(&keys);
	const struct jsn *p = NULL, *format = NULL, *part = NULL;
	int major, minor;
	bool known = false;
	if (pvekeys_since(a, &major, &minor) && major > 8 && older)
		return NULL;
	for (size_t i = 0; i < n && !part; i++) {
		if (!pvekeys_is_of(a, keys[i].name))
			continue;
		known = true;
		p = jsn_get(config, keys[i].name);
		format = jsn_get(p, "format");
		if (a->part && jsn_is_object(format))
			part = find_part(format, a->part);
	}
	if (!known || !p)
		print_error("%s: PVE has no key %s\n", a->path, a->key);
	assert_non_null(p);
	if (a->part && jsn_is_object(format) && !part)
		print_error("%s: PVE has no part %s\n", a->path, a->part);
	assert_true(!a->part || !jsn_is_object(format) || part);
	return a->part ? part : p;
}

/* Codecs whose value is not the property itself. */
static bool is_other_value(const struct attr *a)
{
	return a->codec == CODEC_DRIVE_SIZE || a->codec == CODEC_DRIVE_STORE ||
	       a->codec == CODEC_DRIVE_FORMAT;
}

static bool has_word(const struct jsn *words, const char *word)
{
	for (size_t i = 0; i < jsn_len(words); i++)
		if (text_eq(jsn_text(jsn_at(words, i)), word))
			return true;
	return false;
}

static void compare_words(const struct attr *a, const struct jsn *words)
{
	struct strs mine = {0};
	assert_int_equal(text_split(a->choices, "|", true, 100, &mine), 0);
	for (size_t i = 0; i < mine.n; i++) {
		if (!has_word(words, mine.v[i]))
			print_error("%s: PVE does not know %s\n", a->path, mine.v[i]);
		assert_true(has_word(words, mine.v[i]));
	}
	if (jsn_len(words) != mine.n)
		print_error("%s: PVE knows %zu words\n", a->path, jsn_len(words));
	assert_int_equal(jsn_len(words), mine.n);
	strs_fini(&mine);
}

/* Values that PVE takes and Ramet refuses on purpose are none of the limits. */
static void compare_row(const struct attr *a, const struct jsn *p, const char *version)
{
	double min = jsn_get_num(p, "minimum", NO_LIMIT), max = jsn_get_num(p, "maximum", NO_LIMIT);
	bool number = a->type == ATTR_INT || a->type == ATTR_NUM;
	bool differs =
	    number && ((min != NO_LIMIT && min != a->min) || (max != NO_LIMIT && max != a->max));
	if (differs)
		print_error("%s: PVE %s says %g to %g\n", a->path, version, min, max);
	assert_false(differs);
	if (a->type == ATTR_ENUM && jsn_get(p, "enum"))
		compare_words(a, jsn_get(p, "enum"));
	double length = jsn_get_num(p, "maxLength", NO_LIMIT);
	if (a->type == ATTR_STR && length != NO_LIMIT)
		assert_true(a->max <= length);
	const char *deflt = jsn_get_text(p, "default");
	struct value theirs, mine;
	/* vcpus: 0 stands for all, cpuunits: a sentence. Neither is a value of the attribute. */
	if (!deflt || !a->deflt || schema_parse_value(a, deflt, &theirs) != 0)
		return;
	assert_int_equal(schema_parse_value(a, a->deflt, &mine), 0);
	if (!value_eq(&theirs, &mine))
		print_error("%s: PVE %s has the default %s\n", a->path, version, deflt);
	assert_true(value_eq(&theirs, &mine));
	value_fini(&theirs);
	value_fini(&mine);
}

static void table_agrees_with_pve(void **state)
{
	(void)state;
	for (size_t v = 0; v < ARRAY_LEN(versions); v++) {
		struct jsn *schema = load(versions[v]);
		const struct jsn *config = config_of(schema);
		size_t compared = 0;
		for (int id = 0; id < ATTR_ID__MAX; id++) {
			const struct attr *a = schema_attr((enum attr_id)id);
			const struct jsn *p =
			    a->key && !is_other_value(a) ? find_property(config, a, v == 0) : NULL;
			if (!p)
				continue;
			compare_row(a, p, versions[v]);
			compared++;
		}
		assert_true(compared >= 130);
		jsn_free(&schema);
	}
}

/* What both versions take together is what pvekeys.def lists, and every setting is manageable. What
 * the older one does not have is marked as newer. */
static void every_key_of_pve_is_known(void **state)
{
	(void)state;
	struct jsn *old = load("8.4"), *new = load("9.2");
	const struct pvekey *keys;
	size_t n = pvekeys_all(&keys), settings = 0;
	for (size_t i = 0; i < n; i++) {
		bool in_old = jsn_get(config_of(old), keys[i].name),
		     in_new = jsn_get(config_of(new), keys[i].name);
		if (!in_old && !in_new)
			print_error("PVE has no parameter %s\n", keys[i].name);
		assert_true(in_old || in_new);
		settings += keys[i].kind == PVEKEYS_SETTING;
		if (keys[i].kind == PVEKEYS_SETTING && !pvekeys_is_managed(&keys[i]))
			fail_msg("no row writes %s", keys[i].name);
		for (int id = 0; id < ATTR_ID__MAX; id++) {
			const struct attr *a = schema_attr((enum attr_id)id);
			int major, minor;
			if (a->key && pvekeys_is_of(a, keys[i].name) && !in_old)
				assert_true(pvekeys_since(a, &major, &minor) && major > 8);
		}
	}
	size_t both = jsn_len(config_of(new));
	for (size_t i = 0; i < n; i++)
		both += !jsn_get(config_of(new), keys[i].name);
	assert_int_equal(n, both);
	assert_int_equal(n - settings, 11); /* 7 of the request and 4 of PVE's own */
	jsn_free(&old);
	jsn_free(&new);
}

static void clone_limits(void **state)
{
	(void)state;
	struct jsn *schema = load("9.2");
	const struct jsn *p =
	    jsn_get(jsn_get(jsn_get(schema, "POST /nodes/{node}/qemu/{vmid}/clone"), "parameters"),
		"properties");
	const struct attr *id = schema_attr(ATTR_id);
	assert_true(jsn_get_num(jsn_get(p, "newid"), "minimum", 0) == id->min);
	assert_true(jsn_get_num(jsn_get(p, "newid"), "maximum", 0) == id->max);
	assert_true(jsn_get_num(jsn_get(p, "snapname"), "maxLength", 0) ==
		    schema_attr(ATTR_clone_snapshot_name)->max);
	compare_words(schema_attr(ATTR_clone_target_format), jsn_get(jsn_get(p, "format"), "enum"));
	jsn_free(&schema);
}

/* Slots: the highest number of each bus. */
static void slot_limits(void **state)
{
	(void)state;
	static const struct {
		const char *key, *bus;
	} buses[] = {{"net[n]", "net"}, {"ide[n]", "ide"}, {"sata[n]", "sata"}, {"scsi[n]", "scsi"},
	    {"virtio[n]", "virtio"}};
	struct jsn *schema = load("9.2");
	for (size_t i = 0; i < ARRAY_LEN(buses); i++) {
		const struct jsn *p = jsn_get(config_of(schema), buses[i].key);
		int64_t last = -1;
		assert_int_equal(
		    text_to_int(jsn_text(jsn_at(jsn_get(p, "index"), 1)), 0, 100, &last), 0);
		_cleanup_str_ char *highest = mem_printf("%s%d", buses[i].bus, (int)last);
		_cleanup_str_ char *beyond = mem_printf("%s%d", buses[i].bus, (int)last + 1);
		const char *bus;
		unsigned index;
		assert_true(form_slot_parse(highest, &bus, &index));
		assert_false(form_slot_parse(beyond, &bus, &index));
	}
	jsn_free(&schema);
}

/* Options that a bus does not have, as the rules about ssd and iothread say. */
static void options_per_bus(void **state)
{
	(void)state;
	struct jsn *schema = load("9.2");
	static const struct {
		const char *key, *part;
		bool there;
	} cases[] = {{"virtio[n]", "ssd", false}, {"scsi[n]", "ssd", true}, {"ide[n]", "ssd", true},
	    {"sata[n]", "iothread", false}, {"ide[n]", "iothread", false},
	    {"virtio[n]", "iothread", true}, {"scsi[n]", "iothread", true}};
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		const struct jsn *format =
		    jsn_get(jsn_get(config_of(schema), cases[i].key), "format");
		assert_int_equal(jsn_get(format, cases[i].part) != NULL, cases[i].there);
	}
	jsn_free(&schema);
}

/* Every model that PVE lists is known, and every one that is known is listed by one of them. */
static void cpu_models(void **state)
{
	(void)state;
	struct strs listed = {0};
	for (size_t v = 0; v < ARRAY_LEN(versions); v++) {
		_cleanup_str_ char *name =
		    mem_printf("transcripts-%s/02-cluster.jsonl", versions[v]);
		_cleanup_str_ char *text = read_recording(name);
		if (!text) {
			mem_free_str(&name);
			strs_fini(&listed);
			skip();
		}
		/* One exchange a line; the answer may stand below json or body. */
		for (char *line = text; line && *line;) {
			char *end = strchr(line, '\n');
			if (end)
				*end = '\0';
			struct jsn *j = NULL;
			if (strstr(line, "/capabilities/qemu/cpu\"") &&
			    jsn_parse(line, strlen(line), &j, NULL) == 0) {
				const struct jsn *r = jsn_get(j, "response");
				const struct jsn *data = jsn_get(jsn_get(r, "json"), "data");
				if (!data)
					data = jsn_get(jsn_get(r, "body"), "data");
				for (size_t i = 0; i < jsn_len(data); i++)
					strs_add(&listed, jsn_get_text(jsn_at(data, i), "name"));
			}
			jsn_free(&j);
			line = end ? end + 1 : NULL;
		}
	}
	strs_sort_unique(&listed);
	size_t n;
	const char *const *mine = form_words(FMT_CPU_MODEL, &n);
	for (size_t i = 0; i < listed.n; i++)
		assert_true(form_check(FMT_CPU_MODEL, listed.v[i], NULL, NULL));
	for (size_t i = 0; i < n; i++)
		assert_true(strs_has_sorted(&listed, mine[i]));
	assert_int_equal(n, listed.n);
	strs_fini(&listed);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(table_agrees_with_pve),
	    cmocka_unit_test(every_key_of_pve_is_known),
	    cmocka_unit_test(clone_limits),
	    cmocka_unit_test(slot_limits),
	    cmocka_unit_test(options_per_bus),
	    cmocka_unit_test(cpu_models),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
