/*
 * export: the table turned into what others read: JSON Schema, Markdown reference, fuzz dictionary.
 *
 * Not a place for facts: whatever is printed stands in attrs.def or rules.def.
 *
 * Results belong to the caller.
 *
 * Pure.
 */
#ifndef RAMET_EXPORT_H
#define RAMET_EXPORT_H

#include "buf.h"

/* JSON Schema, draft 2020-12, of one manifest document. */
char *export_json_schema(void);
/* docs/manifest.md. */
char *export_markdown(void);
/* Keys and words for a fuzzing engine's -dict. */
char *export_dictionary(void);

#endif
