/*
 * checkdev: rules within one manifest about devices and about what cloud-init tells the guest.
 *
 * Not the other rules (check.h, which asks these too).
 *
 * Findings are added to the list; nothing is kept.
 *
 * Pure.
 */
#ifndef RAMET_CHECKDEV_H
#define RAMET_CHECKDEV_H

#include "resource.h"

void checkdev_rules(const struct resource *r, struct diags *diags);

#endif
