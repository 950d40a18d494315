#include "holder.h"

#include <stdlib.h>

#include "text.h"

#define TASKS_MAX 10000
#define WORD_CHARS 80
#define TIME_MOST 253402300799 /* the last second of the year 9999 */

/* Whose number a task bears. */
enum number { OWN, OWN_OR_NONE, ANY };

static const struct {
	const char *lock, *type;
	enum number number;
} kinds[] = {
    /* One task backs up many guests, and has no number then. */
    {"backup", "vzdump", OWN_OR_NONE},
    {"snapshot", "qmsnapshot", OWN},
    {"snapshot-delete", "qmdelsnapshot", OWN},
    {"rollback", "qmrollback", OWN},
    {"migrate", "qmigrate", OWN},
    {"create", "qmrestore", OWN},
    {"create", "qmcreate", OWN},
    {"suspending", "qmsuspend", OWN},
    {"destroyed", "qmdestroy", OWN},
    /* The number is that of the source. */
    {"clone", "qmclone", ANY},
};

static bool fits(const struct jsn *task, size_t kind, const char *own)
{
	const char *id = jsn_get_text(task, "id");

	if (!text_eq(jsn_get_text(task, "type"), kinds[kind].type))
		return false;
	return kinds[kind].number == ANY || text_eq(id, own) ||
	       (kinds[kind].number == OWN_OR_NONE && (!id || !*id));
}

static char *tell(const struct jsn *task)
{
	const char *user = jsn_get_text(task, "user");
	int64_t start = jsn_get_int(task, "starttime", 0);
	_cleanup_str_ char *type = text_oneline(jsn_get_text(task, "type"), WORD_CHARS);
	_cleanup_str_ char *who = text_oneline(user ? user : "somebody", WORD_CHARS);
	bool dated = start > 0 && start <= TIME_MOST;
	_cleanup_str_ char *since = dated ? text_time(start * 1000) : NULL;

	return mem_printf("%s by %s%s%s", type, who, since ? " since " : "", since ? since : "");
}

char *holder_find(const struct jsn *tasks, const char *lock, uint32_t vmid)
{
	_cleanup_str_ char *own = mem_printf("%u", vmid);

	for (size_t i = 0; i < jsn_len(tasks) && i < TASKS_MAX; i++) {
		const struct jsn *task = jsn_at(tasks, i);

		for (size_t k = 0; k < ARRAY_LEN(kinds); k++)
			if (text_eq(kinds[k].lock, lock) && !jsn_has(task, "endtime") &&
			    fits(task, k, own))
				return tell(task);
	}
	return NULL;
}
