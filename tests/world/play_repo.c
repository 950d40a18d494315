#include "play.h"

#include <stdio.h>
#include <string.h>

void play_merge(struct play *p)
{
	_cleanup_kv_ struct kv files = {0};
	_cleanup_str_ char *subject = mem_printf("merge %u", ++p->merges);

	for (size_t i = 0; i < PLAY_VMS; i++) {
		_cleanup_str_ char *path = mem_printf("vms/%s.yaml", p->m[i].name);
		_cleanup_str_ char *text = manifest_text(&p->m[i]);

		if (p->m[i].there)
			kv_set(&files, path, text);
		if (p->m[i].there && !p->m[i].started)
			judge_allow_stop(&p->judge, p->m[i].name);
		if (p->m[i].there && p->m[i].absent && !p->m[i].protect)
			judge_allow_destroy(&p->judge, p->m[i].name);
	}
	kv_set(&files, "README.txt", "no manifest");
	memgit_commit(p->w->git, &files, subject);
}

void play_invent(struct play *p, size_t i)
{
	struct manifest *m = &p->m[i];
	bool small = play_pick(p, 2);

	snprintf(m->name, sizeof(m->name), "vm-%zu", i);
	judge_name(&p->judge, m->name);
	m->source = small ? 9001 : 9000;
	m->size = small ? 4 : 20;
	m->node = 1 + play_pick(p, 3);
	m->cores = 1 + play_pick(p, 4);
	m->memory = 512 * (1 + play_pick(p, 4));
	m->full = play_pick(p, 3) == 0;
	m->started = play_pick(p, 4) > 0;
	m->no_net1 = play_pick(p, 2);
	m->tag = play_pick(p, 2) ? 1 + play_pick(p, 100) : 0;
	m->recreate = play_pick(p, 3) == 0;
	m->there = true;
}

/* The last merge is taken back, or history is rewritten without the last ones. */
static void revert(struct play *p)
{
	for (size_t i = 0; i < PLAY_VMS; i++) {
		struct manifest now = p->m[i];

		if (!p->before[i].name[0])
			continue;
		p->m[i] = p->before[i];
		p->m[i].vmid = now.vmid;
		p->m[i].lost = now.lost;
		p->m[i].doubtful = now.doubtful;
		if (now.size > p->m[i].size) /* disks cannot shrink */
			p->m[i].size = now.size;
	}
	if (play_pick(p, 2)) {
		unsigned n = 1 + play_pick(p, 3);

		world_tell(p->w, "history is rewritten without its last %u merges", n);
		memgit_rewind(p->w->git, n);
	} else {
		world_tell(p->w, "the last merge is reverted");
	}
	play_merge(p);
}

void play_change_manifest(struct play *p)
{
	struct manifest *m = &p->m[play_pick(p, PLAY_VMS)];

	if (play_pick(p, 12) == 0) {
		revert(p);
		return;
	}
	memcpy(p->before, p->m, sizeof(p->m));

	m->edits++;
	if (!m->name[0]) {
		play_invent(p, (size_t)(m - p->m));
		world_tell(p->w, "merge: %s is new", m->name);
		play_merge(p);
		return;
	}
	switch (play_pick(p, 10)) {
	case 0:
		m->cores = 1 + play_pick(p, 8);
		break;
	case 1:
		m->memory = 512 * (1 + play_pick(p, 8));
		break;
	case 2:
		m->tag = 1 + play_pick(p, 100);
		break;
	case 3:
		m->size += play_pick(p, 3);
		break;
	case 4:
		m->started = !m->started;
		break;
	case 5:
		m->no_net1 = !m->no_net1;
		break;
	case 6:
		m->absent = !m->absent;
		break;
	case 7:
		m->protect = !m->protect;
		break;
	case 8:
		m->there = !m->there || play_pick(p, 2);
		break;
	default:
		m->broken = !m->broken;
		break;
	}
	world_tell(p->w, "merge: %s edit %u%s%s%s%s", m->name, m->edits,
	    m->there ? "" : ", removed", m->broken ? ", broken" : "", m->absent ? ", absent" : "",
	    m->protect ? ", protected" : "");
	play_merge(p);
}
