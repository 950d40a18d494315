/*
 * diag: findings about what a person wrote: where, what, what to do.
 *
 * Not failures of the program (base/err.h) and not the state of a VM (report/status.h).
 *
 * A list owns its findings; marks borrow nothing (the file name is copied). The list is bounded:
 * after DIAG_MAX findings one last finding says that there are more.
 *
 * Pure.
 */
#ifndef RAMET_DIAG_H
#define RAMET_DIAG_H

#include "buf.h"
#include "err.h"
#include "jsn.h"

#define DIAG_MAX 1000

/* A place in a file. line and col start at 1; 0 = the file as a whole. */
struct mark {
	unsigned line, col;
	unsigned end_col; /* first column after the word, same line; 0 = unknown */
};

enum diag_severity { DIAG_ERROR, DIAG_WARNING, DIAG_SEVERITY__MAX };

/* Codes of findings: DIAG(CODE, "Word", severity, "doc") in diag.def, and one code per rule in
 * rules.def. */
enum diag_code {
#define DIAG(code, word, severity, doc) DIAG_##code,
#include "diag.def"
#undef DIAG
#define RULE(code, word, severity, scope, fn, doc, where, json) DIAG_##code,
#include "rules.def"
#undef RULE
	DIAG_CODE__MAX
};

struct diag {
	enum diag_code code;
	char *file; /* path as the user knows it */
	struct mark mark;
	unsigned doc; /* document of the file that it concerns alone, from 1; 0 = the whole file */
	char *object; /* metadata.name where known, or NULL */
	char *msg;    /* what is wrong */
	char *hint;   /* what to do, or NULL */
	char *line;   /* the source line for the excerpt, bounded, or NULL */
	unsigned caret, caret_end; /* columns within `line`, from 1 */
};

struct diags {
	struct diag *v;
	size_t n, cap;
	size_t max;	   /* 0 = DIAG_MAX */
	size_t dropped;	   /* findings beyond the ceiling */
	size_t errors;	   /* of severity error, the dropped ones counted */
	struct diag spill; /* what the next dropped finding is written to */
};

#define _cleanup_diags_ _cleanup_(diags_fini)

void diags_fini(struct diags *l);
/* Adds a finding and returns it for diag_hint & co. (valid until the next add). */
struct diag *diags_add(struct diags *l, enum diag_code code, const char *file, struct mark mark,
    const char *fmt, ...) PRINTF(5, 6);
void diag_hint(struct diag *d, const char *fmt, ...) PRINTF(2, 3);
void diags_append(struct diags *dst, const struct diags *src);
/* Fills the excerpts of the findings from index `from` on that are about this file. */
void diags_excerpt(struct diags *l, size_t from, const char *file, const char *text, size_t len);
/* Names the object of those findings from index `from` on that have none. */
void diags_set_object(struct diags *l, size_t from, const char *object);
/* Takes out the findings that concern this document (from 1) alone. */
void diags_drop_doc(struct diags *l, const char *file, unsigned doc);
/* By file, line, column, code. */
void diags_sort(struct diags *l);
size_t diags_errors(const struct diags *l);
size_t diags_warnings(const struct diags *l);
/* What comes now is only counted: no need to think of a hint. */
bool diags_is_full(const struct diags *l);

const char *diag_word(enum diag_code code); /* "UnknownKey" */
const char *diag_doc(enum diag_code code);
enum diag_severity diag_severity(enum diag_code code);

/* file:line:col: error: message [Code], the line with a caret, the hint; one after another. */
void diags_print_text(const struct diags *l, bool colour, struct buf *out);
/* Array of {code, severity, file, line, column, object, message, hint}. Caller frees. */
struct jsn *diags_to_jsn(const struct diags *l);
char *diags_print_json(const struct diags *l);

#endif
