/*
 * rootcmd: what only root can do on a node, as the command that people are told.
 *
 * Not run by anybody here, and not for what a token may do (the plan's steps).
 *
 * Results belong to the caller.
 *
 * Pure.
 */
#ifndef RAMET_ROOTCMD_H
#define RAMET_ROOTCMD_H

#include "mem.h"

/* What a shell takes for this very word: as it is where that is safe, else in quotes. NULL where a
 * person would see another text than the shell (line ends, controls) or the text would end the
 * quotation that the command stands in. */
char *rootcmd_word(const char *text);
/* "as root on NODE, after making sure that no TASK: `qm unlock N && qm destroy N --purge`", of what
 * broke off half-made or half-destroyed. */
char *rootcmd_clear(const char *node, uint32_t vmid, const char *task, bool purge);
/* The same of a VM that nothing holds. */
char *rootcmd_destroy(const char *node, uint32_t vmid);
/* "as root on NODE: pvesm free VOLUME" */
char *rootcmd_free(const char *node, const char *volume);
/* "as root on NODE: `qm set N --KEY 'VALUE'`", with value NULL `… --delete KEY`. NULL where there
 * is no such command. */
char *rootcmd_set(const char *node, uint32_t vmid, const char *key, const char *value);

#endif
