#include "lease.h"

#include <stdlib.h>

#include "text.h"

void lease_init(struct lease *l, const char *own, int64_t hold_ms)
{
	*l = (struct lease){.own = mem_strdup(own), .hold_ms = hold_ms};
}

void lease_fini(struct lease *l)
{
	free(l->own);
	free(l->before);
	*l = (struct lease){0};
}

void lease_begin(struct lease *l, const char *seen, bool unfinished, int64_t now)
{
	bool own = text_eq(seen, l->own);

	l->began = true;
	if (own)
		lease_claim(l, now);
	else
		mem_replace(&l->before, seen);
	l->unsure = own && unfinished;
}

void lease_doubt(struct lease *l)
{
	if (!l->began || l->lost)
		return;
	l->unsure = true;
	l->claimed = l->failed = false;
}

bool lease_look(struct lease *l, const char *seen)
{
	bool other = seen && *seen && !text_eq(seen, l->own);

	if (!l->began || l->lost || !other || (!l->claimed && text_eq(seen, l->before)))
		return false;
	l->lost = true;
	return true;
}

void lease_yield(struct lease *l)
{
	l->lost = true;
}

void lease_claim(struct lease *l, int64_t now)
{
	if (!l->claimed)
		l->claimed_at = now;
	l->claimed = true;
}

void lease_fail(struct lease *l, int64_t now)
{
	if (!l->failed)
		l->failed_at = now;
	l->failed = true;
}

bool lease_is_rivalled(const struct lease *l)
{
	return l->before || l->unsure;
}

/* Who cannot announce itself acts from then on, as long as nobody else is seen. */
static int64_t unannounced_until(const struct lease *l)
{
	return l->failed_at + (l->before ? LEASE_PATIENCE_MS : l->hold_ms);
}

bool lease_is_taking_over(const struct lease *l, int64_t now)
{
	if (l->lost)
		return false;
	if (!l->claimed)
		return !l->failed || now < unannounced_until(l);
	return lease_is_rivalled(l) && now < l->claimed_at + l->hold_ms;
}

int64_t lease_alone_since(const struct lease *l)
{
	if (!lease_is_rivalled(l))
		return 0;
	if (l->claimed)
		return l->claimed_at + l->hold_ms;
	return l->failed ? unannounced_until(l) : 0;
}

bool lease_is_late_possible(const struct lease *l, int64_t now, int64_t late_ms)
{
	return lease_is_rivalled(l) && (!l->claimed || now < l->claimed_at + l->hold_ms + late_ms);
}

bool lease_may(const struct lease *l, int64_t now)
{
	return !l->lost && !lease_is_taking_over(l, now);
}
