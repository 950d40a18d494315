#include "play.h"

#include "pvecodec.h"

#include <stdio.h>
#include <string.h>

static void allow_extra(struct judge *j, const char *name, const struct attr *a)
{
	const char *key = pvecodec_key(a, manifest_extra_slot(a));
	_cleanup_str_ char *parts = NULL;

	if (a->part)
		parts = mem_printf("%.*s=%s%s", (int)strcspn(a->part, "|"), a->part,
		    a->codec == CODEC_LEAD ? ",@" : "", a->codec == CODEC_BASE64 ? ",base64=" : "");
	judge_allow_key(j, name, key, parts);
	/* Options of a disk that wait: for a moment it is among the unused ones. */
	if (text_eq(key, "scsi0"))
		judge_allow_key(j, name, "unused0", NULL);
}

/* What this version of the manifest lets happen, from now on. */
static void allow(struct play *p, size_t i)
{
	const struct manifest *m = &p->m[i];
	struct judge *j = &p->judge;

	int64_t now = clock_now(p->w->clock);
	bool spared = m->there ? m->protect : now - p->ever[i].bare_at > PLAY_AWARE_MS;

	if (m->name[0] && !spared && (m->there ? m->absent : p->prune))
		judge_allow_destroy(j, m->name);
	if (m->there && !m->protect)
		p->ever[i].bare_at = INT64_MAX / 2;
	else if (p->ever[i].bare_at >= INT64_MAX / 2)
		p->ever[i].bare_at = now;
	if (!m->there) {
		if (m->name[0])
			p->ever[i].there_since = INT64_MAX / 2;
		p->ever[i].stays_gone = false;
		return;
	}
	if (m->absent || m->recreate)
		p->ever[i].stays_gone = false;
	if (p->ever[i].there_since >= INT64_MAX / 2)
		p->ever[i].there_since = clock_now(p->w->clock);
	if (!m->started || m->ceiling == CEILING_REBOOT)
		judge_allow_stop(j, m->name);
	if (m->ceiling > p->ever[i].ceiling)
		p->ever[i].ceiling = m->ceiling;
	p->ever[i].pin |= m->pin;
	p->ever[i].started |= m->started;
	if (m->store)
		judge_allow_key(j, m->name, "scsi0", "@,size=,format=");
	for (size_t k = 0; k < MANIFEST_EXTRAS; k++)
		if (m->extra[k].attr)
			allow_extra(j, m->name, m->extra[k].attr);
}

void play_merge(struct play *p)
{
	_cleanup_kv_ struct kv files = {0};
	_cleanup_str_ char *subject = mem_printf("merge %u", ++p->merges);

	for (size_t i = 0; i < PLAY_VMS; i++) {
		const char *folder = p->moved ? "machines/of/ours" : "vms";
		_cleanup_str_ char *path = mem_printf("%s/%s.yaml", folder, p->m[i].name);
		_cleanup_str_ char *text = manifest_text(&p->m[i]);

		if (p->m[i].there && !p->empty)
			kv_set(&files, path, text);
		if (p->empty) /* what is gone already is nobody's then */
			p->ever[i].stays_gone = false;
		allow(p, i);
	}
	p->bare = p->empty;
	p->empty = false;
	kv_set(&files, "README.txt", "no manifest");
	memgit_commit(p->w->git, &files, subject);
}

/* Not one that is listed already. */
static void list_extra(struct play *p, struct manifest *m, size_t k)
{
	const struct attr *a = manifest_extra_attr(play_pick(p, 1000));

	for (size_t i = 0; i < MANIFEST_EXTRAS; i++)
		if (i != k && m->extra[i].attr == a)
			return;
	m->extra[k] = (struct manifest_extra){a, play_pick(p, 1000)};
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
	m->pin = play_pick(p, 6) == 0;
	m->ceiling = (enum manifest_ceiling[]){
	    CEILING_HOTPLUG, CEILING_HOTPLUG, CEILING_REBOOT, CEILING_NONE}[play_pick(p, 4)];
	/* Never of itself in a circle. */
	if (i && p->m[0].name[0] && play_pick(p, 4) == 0) {
		unsigned of = play_pick(p, (unsigned)i);

		m->depends_on = p->m[of].name[0] ? of + 1 : 0;
	}
	for (size_t k = 0; k < MANIFEST_EXTRAS; k++)
		if (play_pick(p, 2))
			list_extra(p, m, k);
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

static void tell_change(struct play *p, const struct manifest *m)
{
	_cleanup_str_ char *text = manifest_text(m);
	const char *spec = strstr(text, "spec:\n");
	_cleanup_str_ char *line = mem_strdup(spec ? spec + strlen("spec:\n") : text);

	for (char *c = line; *c; c++)
		if (*c == '\n')
			*c = c[1] ? ';' : '\0';
	world_tell(p->w, "merge: %s %s (edit %u):%s", m->name,
	    m->there ? "becomes" : "is removed, it was", m->edits, line);
}

/* Many at once: more than may go. */
static void remove_many(struct play *p)
{
	for (size_t i = 0; i < PLAY_VMS; i++)
		if (p->m[i].name[0] && play_pick(p, 2))
			*(p->prune ? &p->m[i].there : &p->m[i].absent) = !p->prune;
	world_tell(p->w, "many are removed at once");
	play_merge(p);
}

/* The tree as a whole. */
static void change_tree(struct play *p)
{
	switch (play_pick(p, 5)) {
	case 2:
		memcpy(p->before, p->m, sizeof(p->m));
		remove_many(p);
		break;
	case 0:
		world_tell(p->w, "a merge without any file");
		p->empty = true;
		play_merge(p);
		break;
	case 1:
		world_tell(p->w, "the folder gets another name");
		p->moved = !p->moved;
		play_merge(p);
		break;
	default:
		revert(p);
		break;
	}
}

void play_change_manifest(struct play *p)
{
	struct manifest *m = &p->m[play_pick(p, PLAY_VMS)];

	if (play_pick(p, 8) == 0) {
		change_tree(p);
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
	switch (play_pick(p, 18)) {
	case 10:
	case 11:
	case 12:
		list_extra(p, m, play_pick(p, MANIFEST_EXTRAS));
		break;
	case 13: /* what is listed no more stays as it is */
		m->extra[play_pick(p, MANIFEST_EXTRAS)].attr = NULL;
		break;
	case 14:
		m->suspended = !m->suspended;
		break;
	case 15:
		m->pin = !m->pin;
		break;
	case 16:
		m->ceiling = (enum manifest_ceiling)play_pick(p, 3);
		break;
	case 17:
		m->store = play_pick(p, 2) ? "shared" : "fast";
		break;
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
		if (play_pick(p, 2)) /* and its neighbour, as many as may go at once */
			p->m[(size_t)(m - p->m) ^ 1].absent = m->absent;
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
	tell_change(p, m);
	play_merge(p);
}

void play_last_merge(struct play *p)
{
	for (size_t i = PLAY_VMS; i-- > 0;) {
		struct manifest *m = &p->m[i];

		m->broken = m->absent = m->suspended = false;
		if (m->there && m->depends_on)
			p->m[m->depends_on - 1].there = true;
	}
	world_tell(p->w, "last merge: nothing is absent, broken or suspended any more");
	play_merge(p);
}
