#include "gitjob.h"

#include <stdlib.h>

#define QUEUE_MAX 64
/* Of one publish, in the queue. */
#define PUBLISH_MAX ((size_t)256 << 20)

struct gitjob *gitjobs_add(struct gitjobs *q, enum gitwork_kind kind, gitport_cb cb, void *arg)
{
	struct gitjob *j = mem_alloc(sizeof(*j));
	*j = (struct gitjob){.id = ++q->last_id, .kind = kind, .cb = cb, .arg = arg};
	if (q->n >= QUEUE_MAX)
		err_set(&j->refused, ERR_BUSY, "%d jobs for git are waiting already", QUEUE_MAX);
	if (q->last)
		q->last->next = j;
	else
		q->first = j;
	q->last = j;
	q->n++;
	return j;
}

struct gitjob *gitjobs_find(const struct gitjobs *q, gitport_job id)
{
	struct gitjob *j = q->first;
	while (j && j->id != id)
		j = j->next;
	return j;
}

void gitjobs_take(struct gitjobs *q, struct gitjob *j)
{
	struct gitjob *prev = NULL, **at = &q->first;
	while (*at != j) {
		prev = *at;
		at = &prev->next;
	}
	*at = j->next;
	if (q->last == j)
		q->last = prev;
	j->next = NULL;
	q->n--;
}

void gitjob_say(struct gitjob *j, struct gitproto_msg *msg)
{
	if (j->refused)
		return;
	MEM_PUSH_ROOM(j->frames, j->n_frames, j->cap_frames);
	struct buf *b = &j->frames[j->n_frames];
	buf_init(b, GITPROTO_FRAME_MAX);
	msg->job = j->id;
	if (gitproto_encode(msg, b, &j->refused) != 0)
		buf_fini(b);
	else
		j->n_frames++;
}

void gitjob_say_publish(struct gitjob *j, const struct gitport_publish *pub)
{
	size_t total = 0;

	for (size_t i = 0; i < pub->n_put && total <= PUBLISH_MAX; i++) {
		const struct gitport_put *put = &pub->put[i];
		total += put->len;
		gitjob_say(
		    j, &(struct gitproto_msg){
			   .type = GITPROTO_PUT, .path = put->path, .data = {put->data, put->len}});
	}
	if (total > PUBLISH_MAX && !j->refused)
		err_set(
		    &j->refused, ERR_LIMIT, "the report is larger than %zu MiB", PUBLISH_MAX >> 20);
	for (size_t i = 0; i < pub->n_del; i++)
		gitjob_say(j, &(struct gitproto_msg){.type = GITPROTO_DEL, .path = pub->del[i]});
	gitjob_say(j, &(struct gitproto_msg){
			  .type = GITPROTO_PUBLISH, .rev = pub->parent, .text = pub->message});
}

int gitjob_send(const struct gitjob *j, struct child *c, struct err **err)
{
	for (size_t i = 0; i < j->n_frames; i++) {
		if (child_send(c, j->frames[i].data, j->frames[i].len, err) != 0)
			return -1;
	}
	return 0;
}

void gitjob_free(struct gitjob **jp)
{
	struct gitjob *j = *jp;
	*jp = NULL;
	for (size_t i = 0; i < j->n_frames; i++)
		buf_fini(&j->frames[i]);
	free(j->frames);
	err_free(&j->refused);
	free(j);
}
