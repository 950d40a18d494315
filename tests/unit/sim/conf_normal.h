/* The fixed list of what differs between two runs of the same thing, and nothing else. */
#ifndef RAMET_CONF_NORMAL_H
#define RAMET_CONF_NORMAL_H

#include <regex.h>
#include <stdlib.h>
#include <string.h>

#include "buf.h"
#include "jsn.h"
#include "text.h"

/* Members of objects whose values are times, process numbers or numbers made up by the server. */
static const char *const normal_members[] = {"starttime", "endtime", "pstart", "pid", "ctime",
    "time", "uptime", "snaptime", "uid", "ticket", "CSRFPreventionToken", "ssl_fingerprint",
    "value_of_token"};

/* Parts of texts, as extended regular expressions, and what stands for them. */
static const struct {
	const char *re, *as;
} normal_texts[] = {
    {"UPID:[a-zA-Z0-9-]+:[0-9A-F]{8}:[0-9A-F]{8,9}:[0-9A-F]{8}:", "UPID:N:"},
    {"[0-9a-fA-F]{2}(:[0-9a-fA-F]{2}){5}", "MAC"},
    {"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}", "UUID"},
    {"[0-9a-f]{40}", "DIGEST"},
    {"ctime=[0-9]+", "ctime=N"},
    {"-disk-[0-9]+", "-disk-N"},
    {"\\.tmp\\.[0-9]+", ".tmp.N"},
    {"[0-9]{4}-[0-9]{2}-[0-9]{2} [0-9]{2}:[0-9]{2}:[0-9]{2} ", "TIME "},
    {"\\(duration [0-9]{2}:[0-9]{2}:[0-9]{2}\\)", "(duration TIME)"},
};

static bool blanked(const char *key)
{
	for (size_t i = 0; i < ARRAY_LEN(normal_members); i++)
		if (!strcmp(normal_members[i], key))
			return true;
	return false;
}

static char *text_normal(const char *text)
{
	static regex_t re[ARRAY_LEN(normal_texts)];
	static bool ready;
	char *cur = mem_strdup(text);

	for (size_t i = 0; i < ARRAY_LEN(normal_texts); i++) {
		struct buf b;
		regmatch_t m;
		const char *p = cur;

		if (!ready)
			MUST(!regcomp(&re[i], normal_texts[i].re, REG_EXTENDED));
		buf_init(&b, 0);
		while (!regexec(&re[i], p, 1, &m, 0) && m.rm_eo > 0) {
			buf_add(&b, p, (size_t)m.rm_so);
			buf_adds(&b, normal_texts[i].as);
			p += m.rm_eo;
		}
		buf_adds(&b, p);
		free(cur);
		cur = b.data ? buf_take(&b) : mem_strdup("");
	}
	ready = true;
	return cur;
}

static int by_text(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static char *join_sorted(struct strs *l, const char *open, const char *close)
{
	char *all, *text;

	if (l->n)
		qsort(l->v, l->n, sizeof(char *), by_text);
	all = strs_join(l, ",\n");
	text = mem_printf("%s%s%s", open, all, close);
	free(all);
	strs_fini(l);
	return text;
}

/* A list of words with commas is a set where the server keeps it in a hash. */
static char *word_set(const char *v)
{
	struct strs l = {0};

	if (text_split(v, ",", true, 64, &l) < 0)
		return mem_strdup(v);
	return join_sorted(&l, "", "");
}

static char *replay_normal(const struct jsn *j)
{
	struct strs l = {0};
	struct jsn_iter it;

	if (jsn_is_object(j)) {
		JSN_FOREACH (it, j) {
			char *v = blanked(it.key) ? mem_strdup("#")
				  : !strcmp(it.key, "content") && jsn_text(it.val)
				      ? word_set(jsn_text(it.val))
				      : replay_normal(it.val);

			strs_add_take(&l, mem_printf("\"%s\":%s", it.key, v));
			free(v);
		}
		return join_sorted(&l, "{", "}");
	}
	if (jsn_is_array(j)) {
		for (size_t i = 0; i < jsn_len(j); i++)
			strs_add_take(&l, replay_normal(jsn_at(j, i)));
		return join_sorted(&l, "[", "]");
	}
	{
		char *raw = j && !jsn_is_null(j) ? jsn_print(j, false) : mem_strdup("null");
		char *text = text_normal(raw);

		free(raw);
		return text;
	}
}

#endif
