/*
 * value: the value of one attribute, typed.
 *
 * Not its PVE encoding (controller/codec) and not its limits (schema.h).
 *
 * A value owns its strings; value_fini frees them and leaves VALUE_ABSENT.
 *
 * Pure.
 */
#ifndef RAMET_VALUE_H
#define RAMET_VALUE_H

#include "err.h"
#include "text.h"

enum value_type {
	VALUE_ABSENT, /* not listed: not managed */
	VALUE_NULL,   /* listed as null: managed and must be absent */
	VALUE_BOOL,
	VALUE_INT,
	VALUE_NUM,
	VALUE_STR,
	VALUE_SET, /* of strings; order and doubles do not matter; kept sorted and unique */
	VALUE_DUR, /* milliseconds */
	VALUE_TYPE__MAX
};

struct value {
	enum value_type type;
	union {
		bool b;
		int64_t i; /* INT, DUR */
		double n;
		char *s;
		struct strs set;
	};
};

#define _cleanup_value_ _cleanup_(value_fini)

void value_fini(struct value *v);
void value_copy(struct value *dst, const struct value *src); /* dst is overwritten as if empty */
void value_set_str(struct value *v, const char *s);
/* Equality of type and content; INT and NUM compare as numbers; strings bytewise. */
bool value_eq(const struct value *a, const struct value *b);

/* Text for people and for YAML flow: 4, true, host, [a, b], 30m, null. Caller frees. */
char *value_print(const struct value *v);
/* As value_print, but strings are quoted where YAML needs it. Caller frees. */
char *value_print_yaml(const struct value *v);

/* Go's time.ParseDuration, without negative values: "1h30m", "45s", "250ms". At most 366 days. */
int value_parse_duration(const char *s, int64_t *ret_ms) MUST_CHECK;
char *value_print_duration(int64_t ms); /* shortest Go form */
/* RFC 3339, with Z or an offset, to milliseconds since 1970. */
int value_parse_time(const char *s, int64_t *ret_ms) MUST_CHECK;

#endif
