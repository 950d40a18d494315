/*
 * scenes_kept: the scenes in which something is left alone, and what all scenes are written with.
 *
 * Not how a scene is played (sweep.h).
 *
 * Plain data.
 *
 * Tests.
 */
#ifndef RAMET_SCENES_KEPT_H
#define RAMET_SCENES_KEPT_H

#include "sweep.h"

#define SCENE_HEAD(name)                                                                  \
	"apiVersion: ramet.dev/v1\nkind: ClonedVM\nmetadata: { name: " name " }\nspec:\n" \
	"  node_name: pve1\n"
#define SCENE_LINKED "  clone: { source_vm_id: 9000, full: false }\n"
#define SCENE_BASE SCENE_HEAD("web-01") SCENE_LINKED
#define SCENE_ON "  started: true\n"

extern const struct scene scenes_kept[];
extern const size_t n_scenes_kept;

#endif
