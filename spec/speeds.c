#include "speeds.h"

enum rule { WITHOUT, NEEDS, LEAST, RULE__MAX };

static const struct pair {
	enum attr_id row, other;
	enum rule rule;
} pairs[] = {
#define SPEED(row, rule, other) {ATTR_##row, ATTR_##other, rule},
#include "speeds.def"
#undef SPEED
};

static const char *verb(enum rule rule, double value, double other)
{
	switch (rule) {
	case WITHOUT:
		return value > 0 && other > 0 ? "is not possible beside" : NULL;
	case NEEDS:
		return value > 0 && other <= 0 ? "is not possible without" : NULL;
	case LEAST:
		if (value <= 0)
			return NULL;
		return other <= 0      ? "is not possible without"
		       : value < other ? "is less than"
				       : NULL;
	case RULE__MAX:
		break;
	}
	return NULL;
}

char *speeds_problem(
    enum attr_id row, bool both, speeds_get *get, const void *arg, const struct attr **ret_other)
{
	for (size_t i = 0; i < ARRAY_LEN(pairs); i++) {
		const struct pair *p = &pairs[i];
		double value, other;
		if ((p->row != row && (!both || p->other != row)) || !get(arg, p->row, &value) ||
		    !get(arg, p->other, &other))
			continue;
		const char *word = verb(p->rule, value, other);
		if (!word)
			continue;
		const struct attr *a = schema_attr(p->row), *b = schema_attr(p->other);
		*ret_other = p->row == row ? b : a;
		return mem_printf("speed.%s %s speed.%s", schema_key(a), word, schema_key(b));
	}
	return NULL;
}
