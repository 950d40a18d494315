/* Volumes that were left behind are told until they are seen to be gone. */
#include "controller_int.h"
#include "log.h"

#include <stdlib.h>
#include <string.h>

#define LEFT_MS 300000
#define VOLUMES_MAX 100000
#define ON "as root on "

/* "STORE:VOLUME of VM … as root on NODE: …", as guest_note_left writes it. */
static bool parse(const char *text, char **ret_node, char **ret_store, char **ret_volume)
{
	size_t len = strcspn(text, " "), store = strcspn(text, ":");
	const char *on = strstr(text, ON);

	if (!on || store >= len)
		return false;
	on += strlen(ON);
	*ret_node = mem_strndup(on, strcspn(on, ":"));
	*ret_store = mem_strndup(text, store);
	*ret_volume = mem_strndup(text, len);
	return true;
}

static bool lists(const struct jsn *data, const char *volume)
{
	for (size_t i = 0; i < jsn_len(data); i++)
		if (text_eq(jsn_get_text(jsn_at(data, i), "volid"), volume))
			return true;
	return false;
}

static void on_content(void *arg, const struct pvereq_result *a)
{
	struct controller *c = arg;
	_cleanup_str_ char *node = NULL, *store = NULL, *volume = NULL;
	_cleanup_err_ struct err *e = NULL;

	c->left_call = 0;
	if (a->outcome != PVE_DONE || !jsn_is_array(a->data) || jsn_len(a->data) > VOLUMES_MAX ||
	    !parse(c->left_text, &node, &store, &volume) || lists(a->data, volume))
		return;
	log_info("controller", "%s, which was left, is gone", volume);
	if (journal_leave(c->journal, c->left_text, NULL, &e) < 0)
		log_error("journal", "%s", err_msg(e));
	reporter_dirty(c->reporter, NULL);
}

/* One at a time, by turns. */
static void look(void *arg)
{
	struct controller *c = arg;
	const struct kv *left = journal_leftovers(c->journal);
	_cleanup_str_ char *node = NULL, *store = NULL, *volume = NULL;

	c->left_timer = clock_timer(c->clock, LEFT_MS, look, c);
	if (!left->n || c->left_call)
		return;
	mem_replace(&c->left_text, left->v[c->left_at++ % left->n].key);
	if (!parse(c->left_text, &node, &store, &volume))
		return;
	struct pvereq_spec q = {
	    .endpoint = ENDPOINT_STORAGE_CONTENT, .args = {.node = node, .storage = store}};

	c->left_call = pvereq_send(c->pve, &q, on_content, c);
}

void controller_watch_left(struct controller *c)
{
	if (c->o.mode == CONTROLLER_RUN)
		c->left_timer = clock_timer(c->clock, LEFT_MS, look, c);
}

void controller_free_left(struct controller *c)
{
	if (c->pve)
		pvereq_cancel(c->pve, &c->left_call);
	clock_cancel(c->clock, &c->left_timer);
	free(c->left_text);
}
