#include "sim_fault.h"

#include <fnmatch.h>
#include <stdlib.h>
#include <string.h>

struct rule {
	struct sim_fault f;
	char *method, *path, *text;
	unsigned seen, hit;
};

static const char *const words[] = {
#define SIM_FAULT(code, word, doc) word,
#include "sim_fault.def"
#undef SIM_FAULT
};

int sim_fault_kind_parse(const char *word, enum sim_fault_kind *ret)
{
	for (size_t i = 0; i < ARRAY_LEN(words); i++)
		if (!strcmp(words[i], word)) {
			*ret = (enum sim_fault_kind)i;
			return 0;
		}
	return -1;
}

void sim_fault_add(struct sim *s, const struct sim_fault *f)
{
	struct rule r = {.f = *f,
	    .method = mem_strdup(f->method),
	    .path = mem_strdup(f->path),
	    .text = mem_strdup(f->text)};

	MEM_PUSH_ROOM(s->rules, s->nrules, s->rulecap);
	s->rules[s->nrules++] = r;
}

void sim_fault_clear(struct sim *s)
{
	for (size_t i = 0; i < s->nrules; i++) {
		free(s->rules[i].method);
		free(s->rules[i].path);
		free(s->rules[i].text);
	}
	s->nrules = 0;
}

void faults_free(struct sim *s)
{
	sim_fault_clear(s);
	free(s->rules);
}

size_t sim_fault_struck(const struct sim *s)
{
	return s->struck;
}

static bool strikes(struct sim *s, struct rule *r, const struct job *j)
{
	unsigned times = r->f.times ? r->f.times : r->f.nth ? 1 : 0;

	if ((r->method && strcmp(r->method, j->method) != 0) ||
	    (r->path && fnmatch(r->path, j->path, 0) != 0))
		return false;
	r->seen++;
	if (times && r->hit >= times)
		return false;
	if (r->f.nth ? r->seen < r->f.nth : sim_rand_unit(s) >= r->f.probability)
		return false;
	r->hit++;
	return true;
}

void fault_pick(struct job *j)
{
	struct sim *s = j->sim;

	for (size_t i = 0; i < s->nrules; i++) {
		struct rule *r = &s->rules[i];

		if (!strikes(s, r, j) || j->faulty)
			continue;
		s->struck++;
		j->faulty = true;
		j->fault = r->f.kind;
		j->fault_status = r->f.status;
		j->fault_delay = r->f.delay_ms;
		j->fault_text = mem_strdup(r->text);
	}
}
