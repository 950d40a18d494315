/*
 * needs: which privileges the token needs, on which paths, and what for.
 *
 * Not the asking whether they are there (cli/checkup.h) and not the granting
 * (deploy/pve-bootstrap). From the tables alone: endpoints.def for what the controller does by
 * itself, attrs.def for what manifests list.
 *
 * The list owns its strings.
 *
 * Pure. Sources of the rules: the `permissions` of PVE::API2::Qemu's calls, and
 * check_vm_create_storage_perm, check_bridge_access there.
 */
#ifndef RAMET_NEEDS_H
#define RAMET_NEEDS_H

#include "jsn.h"
#include "resource.h"

struct need {
	char *privilege; /* "VM.Clone" */
	char *path;	 /* "/vms/9000" */
	/* Where it counts as well: what is granted there reaches the VM too; or NULL. */
	char *or_path;
	char *who;	/* the first manifest that needs it, or NULL = the controller itself */
	const char *of; /* what needs it: a leaf, or words */
	size_t n;	/* manifests that need it */
	bool wished;	/* without it something is only not known */
};

struct needs {
	struct need *v;
	size_t n, cap;
	bool overflow; /* there are more than NEEDS_MAX */
	/* Set before anything is added: what is needed for the number of one manifest's VM alone is
	 * passed over. The others do not need it, and it makes the list grow with the VMs. */
	bool shared;
	uint32_t *index;
};

#define NEEDS_MAX 4096
#define _cleanup_needs_ _cleanup_(needs_fini)

void needs_fini(struct needs *l);
/* Calls without a VM: quorum, the list of guests, the log. */
void needs_add_controller(struct needs *l);
void needs_add_manifest(struct needs *l, const struct resource *r);
/* What cloning this source needs beyond the manifest: the storages and bridges of its drives and
 * NICs. key and value as in its configuration; other keys are ignored. */
void needs_add_source(
    struct needs *l, const struct resource *r, const char *key, const char *value);
/* Right over the VM of a manifest, where that is to be given; of: what for, not copied. */
void needs_add_vm(struct needs *l, const struct resource *r, const char *privilege, const char *of);
/* Any other right. */
void needs_add_path(struct needs *l, const char *privilege, const char *path, const char *of);
/* Each privilege that `from` has on this path, once. */
void needs_add_at(struct needs *l, const struct needs *from, const char *path);
/* By path, then by privilege. */
void needs_sort(struct needs *l);
/* The need is for a bridge by its name, which may as well be a VNet: then another zone decides than
 * that of bridges, and some other zone gives the privilege. rights: GET /access/permissions, all
 * paths. */
bool needs_may_be_vnet(const struct need *n, const struct jsn *rights);

#endif
