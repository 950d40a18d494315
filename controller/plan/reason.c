#include "reason.h"

#include "text.h"

static const struct {
	const char *word, *doc, *next;
	enum reason_cond cond;
} rows[] = {
#define REASON(code, word, cond, doc, next) [REASON_##code] = {word, doc, next, REASON_COND_##cond},
#include "reasons.def"
#undef REASON
};

const char *reason_word(enum reason r)
{
	MUST(r < REASON__MAX);
	return rows[r].word;
}

enum reason_cond reason_cond(enum reason r)
{
	MUST(r < REASON__MAX);
	return rows[r].cond;
}

const char *reason_doc(enum reason r)
{
	MUST(r < REASON__MAX);
	return rows[r].doc;
}

const char *reason_next(enum reason r)
{
	MUST(r < REASON__MAX);
	return rows[r].next;
}

enum reason reason_parse(const char *word)
{
	for (enum reason r = 0; r < REASON__MAX; r++)
		if (text_eq(rows[r].word, word))
			return r;
	return REASON__MAX;
}
