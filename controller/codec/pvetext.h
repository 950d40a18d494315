/*
 * pvetext: notations of PVE inside a single value: keys for SSH as URL-encoded lines, base64, the
 * boot order, the words of hotplug.
 *
 * Not the place of the value in a configuration (pvecodec.h).
 *
 * Results belong to the caller.
 *
 * Pure.
 */
#ifndef RAMET_PVETEXT_H
#define RAMET_PVETEXT_H

#include "err.h"
#include "text.h"

/* Truth in all spellings of PVE. */
int pvetext_bool_parse(const char *s, bool *ret) MUST_CHECK;

/* NULL: a percent sign without two hex digits, or a NUL. */
char *pvetext_url_decode(const char *s);
char *pvetext_base64_encode(const char *s);
/* NULL: no base64, or a NUL in what it says. */
char *pvetext_base64_decode(const char *s);

/* URL-encoded lines; blank ones mean nothing. */
int pvetext_keys_parse(const char *s, struct strs *ret) MUST_CHECK;
char *pvetext_keys_print(const struct strs *keys);

/* "order=scsi0;net0". -1: the older notation by letters. */
int pvetext_boot_parse(const char *s, struct strs *ret) MUST_CHECK;
char *pvetext_boot_print(const struct strs *devices);

/* "0" is none, "1" PVE's default. */
#define PVETEXT_HOTPLUG_DEFAULT "network,disk,usb"
int pvetext_hotplug_parse(const char *s, struct strs *ret) MUST_CHECK;
char *pvetext_hotplug_print(const struct strs *words);

#endif
