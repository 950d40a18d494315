/* What a person does to a VM at any moment between the order to destroy it and the call counts: a
 * disk that is hung into it, the tag that keeps Ramet off, PVE's own flag, an HA resource. */
#include "support_case.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define WEB                                                                             \
	"apiVersion: ramet.dev/v1\nkind: ClonedVM\nmetadata: { name: web-01 }\nspec:\n" \
	"  node_name: pve2\n  clone: { source_vm_id: 9001, full: false }\n"

static const struct act {
	const char *key, *value;
	enum reason reason;
} acts[] = {
    {"scsi7", "shared:2", REASON_UNMANAGED_DISKS},
    {"tags", "ramet;ramet-suspend", REASON_SUSPEND_TAG},
    {"protection", "1", REASON_PROTECTED},
    {"ha", NULL, REASON_HA_MANAGED},
};

static struct hand {
	struct world *w;
	const struct act *act;
	int64_t vmid;
	unsigned countdown;
	bool acted, asked;
	unsigned after; /* requests from then to the call */
} hand;

static void before(void *arg, const char *method, const char *path)
{
	_cleanup_err_ struct err *e = NULL;
	_cleanup_kv_ struct kv set = {0};

	(void)arg, (void)path;
	hand.asked |= strcmp(method, "DELETE") == 0;
	hand.after += hand.acted && !hand.asked;
	if (hand.asked || hand.acted || --hand.countdown)
		return;
	if (hand.act->value)
		kv_set(&set, hand.act->key, hand.act->value);
	if (hand.act->value)
		hand.acted = sim_human_edit(hand.w->sim, hand.vmid, "ops@pam", &set, NULL, &e) == 0;
	else
		hand.acted = sim_human_ha(hand.w->sim, hand.vmid, true, &e) == 0;
	if (!hand.acted)
		fail_msg("%s: %s", hand.act->key, err_msg(e));
}

/* At the n-th request from the order on. False when it was asked for before. */
static bool acts_at(const struct act *act, unsigned n, bool running)
{
	struct world *w = world_new(600 + n, NULL);
	const struct vmstat *v;
	bool acted;

	case_merge(w, running ? WEB "  started: true\n" : WEB, "first");
	world_start(w, CONTROLLER_RUN);
	case_must_be_ready(w);
	world_run(w, 60000, NULL, NULL);
	hand = (struct hand){
	    .w = w, .act = act, .vmid = world_find(w, "web-01", NULL), .countdown = n};
	simport_set_hook(w->port, before, NULL);
	case_merge(w, WEB "  state: absent\n", "goes");
	world_run(w, 600000, NULL, NULL);
	acted = hand.acted;
	v = world_vmstat(w, "web-01");
	/* Of HA the status tells, and what is read after that is who it is. */
	if (acted && !act->value && hand.after < 2 && hand.asked)
		acted = false;
	if (acted && !sim_guest_exists(w->sim, hand.vmid)) {
		fputs(buf_str(&w->story), stderr);
		fail_msg("%s at request %u: destroyed all the same", act->key, n);
	}
	if (acted && v->reason != act->reason)
		fail_msg("%s at request %u: %s", act->key, n, reason_word(v->reason));
	world_free(&w);
	return acted;
}

static void between_order_and_call(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(acts); i++) {
		for (int running = 0; running < 2; running++) {
			unsigned n = 1;

			while (n <= 60 && acts_at(&acts[i], n, running))
				n++;
			if (n <= 10 || n > 60)
				fail_msg("%s: %u requests", acts[i].key, n);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(between_order_and_call),
	};

	world_quiet();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
