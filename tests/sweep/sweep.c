/*
 * Plays every scene undisturbed, then with each fault at each touch.
 */
#include "sweep.h"
#include "log.h"
#include "support_crew.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SHARE "7" /* of all runs, one in so many is in every test run */

static const char usage[] =
    "Usage: sweep [OPTIONS]\n"
    "Every fault at every touch with the outside, in every scene.\n"
    "  --share N      one in so many runs, the same ones each time (" SHARE ")\n"
    "  --all          all runs\n"
    "  --scene NAME   only this scene\n"
    "  --fault NAME   only this fault\n"
    "  --at N         only this touch, and its story is told\n"
    "  --jobs J       in so many processes; 0 = one for each processor (1)\n"
    "  --max-bad N    stops after so many bad runs (5); 0 = never\n"
    "  --list         the touches of each scene\n";

struct run {
	size_t scene, at;
	enum fault fault;
};

struct sweep {
	struct trial *undisturbed; /* one for each scene */
	struct run *runs;
	size_t n_runs, cap_runs, touches;
	bool faults[FAULT__MAX]; /* used at all */
	const char *scene, *fault;
	size_t at;
	uint64_t share;
	bool list;
};

static void drop_log(const char *line, void *arg)
{
	(void)line, (void)arg;
}

static unsigned play(void *arg, uint64_t number)
{
	struct sweep *s = arg;
	const struct run *r = &s->runs[number];
	struct trial t = {.scene = scene_get(r->scene), .fault = r->fault, .at = r->at};
	unsigned violations = trial_play(&t, &s->undisturbed[r->scene], s->at);

	if (violations && !s->at)
		fprintf(stderr, "%s\nsweep --scene %s --fault %s --at %zu tells this again\n\n",
		    buf_str(&t.w->story), t.scene->name, fault_word(r->fault), r->at);
	trial_fini(&t);
	return violations;
}

static bool chosen(const struct sweep *s, const struct run *r)
{
	const struct scene *scene = scene_get(r->scene);
	const struct touched *touched = &s->undisturbed[r->scene].touches[r->at - 1];
	uint64_t hash = (r->scene * 1000 + r->at) * 100 + (size_t)r->fault;

	if ((s->scene && strcmp(s->scene, scene->name) != 0) ||
	    (s->fault && strcmp(s->fault, fault_word(r->fault)) != 0) ||
	    (s->at && s->at != r->at) ||
	    !fault_fits(r->fault, touched->kind, touched->what, touched->where))
		return false;
	/* Before its UUID is on record, nothing tells a twin from the new VM. */
	if ((r->fault == FAULT_TWIN && (scene->creates || scene->blank)) ||
	    (r->fault == FAULT_TAKEN && !scene->creates) ||
	    (r->fault == FAULT_LEFTOVER && strcmp(scene->name, "create") != 0) ||
	    (r->fault == FAULT_UNPLUGGED && !scene->makes))
		return false;
	return s->at || (hash * 0x9e3779b97f4a7c15u >> 40) % s->share == 0;
}

static void enumerate(struct sweep *s)
{
	for (size_t i = 0; i < scene_count(); i++) {
		const struct trial *u = &s->undisturbed[i];
		bool any = false;

		for (size_t at = 1; at <= u->n_touches; at++)
			for (enum fault f = 0; f < FAULT__MAX; f++) {
				struct run r = {.scene = i, .at = at, .fault = f};

				if (!chosen(s, &r))
					continue;
				MEM_PUSH_ROOM(s->runs, s->n_runs, s->cap_runs);
				s->runs[s->n_runs++] = r;
				s->faults[f] = any = true;
			}
		s->touches += any ? u->n_touches : 0;
	}
}

/* False when one does not even work when nothing happens. */
static bool undisturbed(struct sweep *s)
{
	static const char *const kinds[] = {"cluster", "git", "journal"};
	bool well = true;

	s->undisturbed = mem_calloc(scene_count(), sizeof(*s->undisturbed));
	for (size_t i = 0; i < scene_count(); i++) {
		struct trial *t = &s->undisturbed[i];

		*t = (struct trial){.scene = scene_get(i), .fault = FAULT__MAX};
		if (s->scene && strcmp(s->scene, t->scene->name) != 0)
			continue;
		if (trial_play(t, NULL, false)) {
			fprintf(stderr, "%s\nsweep: the scene %s fails undisturbed\n",
			    buf_str(&t->w->story), t->scene->name);
			well = false;
		}
		judge_fini(&t->judge);
		rival_free(&t->rival);
		world_free(&t->w);
		for (size_t k = 0; s->list && k < t->n_touches; k++)
			printf("%s %zu %s %s %s\n", t->scene->name, k + 1,
			    kinds[t->touches[k].kind], t->touches[k].what, t->touches[k].where);
		if (s->list)
			printf("%s", t->picture ? t->picture : "");
	}
	return well;
}

static size_t count_faults(const struct sweep *s)
{
	size_t n = 0;

	for (size_t f = 0; f < FAULT__MAX; f++)
		n += s->faults[f];
	return n;
}

static int go(struct sweep *s, struct crew *c)
{
	struct crew_sum sum = {0};

	if (!undisturbed(s))
		return 1;
	enumerate(s);
	c->n = s->n_runs;
	c->arg = s;
	if (!s->list)
		crew_run(c, &sum);
	printf("sweep: %zu interactions x %zu faults = %llu runs, %llu converged\n", s->touches,
	    count_faults(s), (unsigned long long)sum.runs,
	    (unsigned long long)(sum.runs - sum.bad));
	for (size_t i = 0; i < scene_count(); i++)
		trial_fini(&s->undisturbed[i]);
	free(s->undisturbed);
	free(s->runs);
	return sum.bad || sum.runs != c->n ? 1 : 0;
}

int main(int argc, char **argv)
{
	static const struct option options[] = {{"all", 0, NULL, 'a'}, {"share", 1, NULL, 'n'},
	    {"scene", 1, NULL, 's'}, {"fault", 1, NULL, 'f'}, {"at", 1, NULL, 'i'},
	    {"jobs", 1, NULL, 'j'}, {"max-bad", 1, NULL, 'b'}, {"list", 0, NULL, 'l'},
	    {"help", 0, NULL, 'h'}, {0}};
	struct crew c = {.jobs = 1, .max_bad = 5, .step = 1000, .what = "run", .run = play};
	struct sweep s = {.share = strtoul(SHARE, NULL, 10)};
	int o;

	log_set_sink(drop_log, NULL);
	while ((o = getopt_long(argc, argv, "", options, NULL)) != -1) {
		switch (o) {
		case 'a':
			s.share = 1;
			break;
		case 'n':
			s.share = strtoul(optarg, NULL, 10);
			break;
		case 's':
			s.scene = optarg;
			break;
		case 'f':
			s.fault = optarg;
			break;
		case 'i':
			s.at = strtoul(optarg, NULL, 10);
			break;
		case 'j':
			c.jobs = (unsigned)strtoul(optarg, NULL, 10);
			break;
		case 'b':
			c.max_bad = (unsigned)strtoul(optarg, NULL, 10);
			break;
		case 'l':
			s.list = true;
			break;
		default:
			fputs(usage, o == 'h' ? stdout : stderr);
			return o == 'h' ? 0 : 64;
		}
	}
	if (!s.share)
		s.share = 1;
	return go(&s, &c);
}
