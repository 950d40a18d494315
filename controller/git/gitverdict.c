#include "gitverdict.h"

static const struct {
	const char *why, *hint;
} table[GITVERDICT__MAX] = {
#define GITVERDICT(code, why, hint) [GITVERDICT_##code] = {why, hint},
#include "gitverdict.def"
#undef GITVERDICT
};

const char *gitverdict_why(enum gitverdict v)
{
	MUST((unsigned)v < GITVERDICT__MAX);
	return table[v].why;
}

const char *gitverdict_hint(enum gitverdict v)
{
	MUST((unsigned)v < GITVERDICT__MAX);
	return table[v].hint;
}
