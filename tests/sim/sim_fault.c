#include "sim_fault.h"

#include <fnmatch.h>
#include <stdlib.h>
#include <string.h>

#include "text.h"

/* A task is started and begins. What takes time after that, its locks apart, is its work. */
#define STEPS_BEFORE_WORK 2

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

static void rules_free(struct sim *s)
{
	for (size_t i = 0; i < s->nrules; i++) {
		free(s->rules[i].method);
		free(s->rules[i].path);
		free(s->rules[i].text);
	}
	s->nrules = 0;
}

void sim_fault_clear(struct sim *s)
{
	rules_free(s);
	for (struct job *j = s->jobs; j; j = j->next) {
		bool stood = j->standing;

		j->standing = false;
		if (stood)
			job_next(j, 0, j->fn);
	}
}

void faults_free(struct sim *s)
{
	rules_free(s);
	free(s->rules);
}

int sim_fault_add_text(struct sim *sim, const char *spec, struct err **err)
{
	_cleanup_str_ char *copy = mem_strdup(spec);
	char *rest = copy, *part = strsep(&rest, ",");
	struct sim_fault f = {0};
	int64_t n = 0;

	if (sim_fault_kind_parse(part, &f.kind) < 0)
		return err_set(err, ERR_USAGE, "fault %s: there is no kind \"%s\"", spec, part);
	while ((part = strsep(&rest, ","))) {
		char *v = strchr(part, '=');
		bool number;

		if (!v)
			return err_set(err, ERR_USAGE, "fault %s: \"%s\" has no value", spec, part);
		*v++ = '\0';
		number = text_to_int(v, 0, INT32_MAX, &n) == 0;
		if (!strcmp(part, "method"))
			f.method = v;
		else if (!strcmp(part, "path"))
			f.path = v;
		else if (!strcmp(part, "text"))
			f.text = v;
		else if (!strcmp(part, "probability") && text_to_num(v, &f.probability) == 0)
			continue;
		else if (!strcmp(part, "nth") && number)
			f.nth = (unsigned)n;
		else if (!strcmp(part, "times") && number)
			f.times = (unsigned)n;
		else if (!strcmp(part, "status") && number)
			f.status = (int)n;
		else if (!strcmp(part, "delay") && number)
			f.delay_ms = n;
		else
			return err_set(
			    err, ERR_USAGE, "fault %s: \"%s=%s\" is not understood", spec, part, v);
	}
	sim_fault_add(sim, &f);
	return 0;
}

void sim_fault_watch(
    struct sim *s, void (*held)(void *arg, const char *method, const char *path), void *arg)
{
	s->held = held;
	s->held_arg = arg;
}

void fault_held(struct job *j)
{
	if (j->sim->held)
		j->sim->held(j->sim->held_arg, j->method, j->path);
}

/* A task stands still where it would take its time: in the middle of its work, its files locked. */
bool fault_stands(struct job *j, int64_t ms)
{
	bool hangs = j->fault == SIM_FAULT_TASK_HANG;

	if (!j->task || !j->faulty || (!hangs && j->fault != SIM_FAULT_TASK_HOLD) ||
	    ++j->fault_steps <= STEPS_BEFORE_WORK || ms <= 0)
		return false;
	if (hangs) /* until it is stopped */
		return true;
	j->standing = true;
	j->faulty = false; /* only once */
	fault_held(j);
	return true;
}

size_t sim_requests(const struct sim *s)
{
	return s->requests;
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

	s->requests++;
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
