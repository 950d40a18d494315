#include "pveerr.h"

#include <string.h>

struct reason_row {
	const char *word, *doc;
	enum pve_next next;
};

struct text_row {
	enum pve_reason reason;
	enum pve_outcome outcome;
	const char *pattern;
};

static const struct reason_row reasons[PVE_REASON__MAX] = {
#define PVE_REASON(id, word, next, doc) [PVE_##id] = {word, doc, PVE_NEXT_##next},
#define PVE_TEXT(reason, outcome, pattern)
#include "pveerr.def"
#undef PVE_REASON
#undef PVE_TEXT
};

static const struct text_row texts[] = {
#define PVE_REASON(id, word, next, doc)
#define PVE_TEXT(reason, outcome, pattern) {PVE_##reason, PVE_##outcome, pattern},
#include "pveerr.def"
#undef PVE_REASON
#undef PVE_TEXT
};

/* Pieces in order, each at the first place after the one before: without anchors at the end, that
 * finds a match whenever there is one. */
static bool fits(const char *text, const char *pattern, char subject[PVEERR_SUBJECT_MAX])
{
	bool first_gap = true;
	subject[0] = '\0';
	for (const char *at = text, *p = pattern;;) {
		size_t len = strcspn(p, "*");
		const char *hit = memmem(at, strlen(at), p, len);
		if (!hit)
			return false;
		bool gap = p > pattern;
		if (gap && first_gap) {
			first_gap = false;
			/* A trailing '*' takes the rest of the line. */
			size_t n = len ? (size_t)(hit - at) : strcspn(at, "\n");
			if (n >= PVEERR_SUBJECT_MAX)
				n = PVEERR_SUBJECT_MAX - 1;
			memcpy(subject, at, n);
			subject[n] = '\0';
		}
		if (!p[len])
			return true;
		at = hit + len;
		p += len + 1;
	}
}

bool pveerr_find(const char *text, struct pveerr *ret)
{
	char subject[PVEERR_SUBJECT_MAX];
	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		if (!fits(text, texts[i].pattern, subject))
			continue;
		ret->reason = texts[i].reason;
		ret->outcome = texts[i].outcome;
		memcpy(ret->subject, subject, sizeof(subject));
		return true;
	}
	return false;
}

const char *pve_reason_word(enum pve_reason r)
{
	MUST((size_t)r < PVE_REASON__MAX);
	return reasons[r].word;
}

const char *pve_reason_doc(enum pve_reason r)
{
	MUST((size_t)r < PVE_REASON__MAX);
	return reasons[r].doc;
}

enum pve_next pve_reason_next(enum pve_reason r)
{
	MUST((size_t)r < PVE_REASON__MAX);
	return reasons[r].next;
}

const char *pve_outcome_word(enum pve_outcome o)
{
	switch (o) {
	case PVE_DONE:
		return "done";
	case PVE_NOT_SENT:
		return "not sent";
	case PVE_REJECTED:
		return "rejected";
	case PVE_PARTIAL:
		return "partial";
	case PVE_AMBIGUOUS:
		return "ambiguous";
	case PVE_OUTCOME__MAX:
		break;
	}
	MUST(false);
	return "";
}
