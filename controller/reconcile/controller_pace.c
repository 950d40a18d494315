/* Of what thousands of VMs have to write at the same moment, a turn of the loop does a part. */
#include "controller_int.h"

/* Each is a write that is waited for: some milliseconds, on a slow disk tens of them. */
#define TURN_RECORDS 32

static void on_turned(void *arg)
{
	struct controller *c = arg;

	c->turn_timer = 0;
	c->turn_records = 0;
}

bool controller_is_crowded(void *arg)
{
	struct controller *c = arg;

	if (!c->turn_timer)
		c->turn_timer = clock_timer(c->clock, 0, on_turned, c);
	return ++c->turn_records > TURN_RECORDS;
}
