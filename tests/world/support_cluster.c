/* The cluster of all worlds: three nodes, shared and local storage, three templates, strangers. */
#include "support_world.h"

extern const char world_cluster_yaml[];

const char world_cluster_yaml[] =
    "cluster: { name: world }\n"
    "timing: { bandwidth: 200M }\n"
    "nodes:\n"
    "  - { name: pve1, ip: 10.0.0.1, bridges: [vmbr0, vmbr1] }\n"
    "  - { name: pve2, ip: 10.0.0.2, bridges: [vmbr0, vmbr1] }\n"
    "  - { name: pve3, ip: 10.0.0.3, bridges: [vmbr0, vmbr1] }\n"
    "storages:\n"
    "  - { name: shared, type: nfs, content: [images], shared: true, size: 2000G }\n"
    "  - { name: fast, type: rbd, content: [images], shared: true, size: 2000G }\n"
    "  - { name: local, type: dir, content: [images, iso], size: 500G, iso: [{ name: a.iso, size: "
    "600M }] }\n"
    "pools: [production, lab]\n" WORLD_USERS_YAML(
	"") "guests:\n"
	    "  - { id: 9000, node: pve1, template: true, config: { name: debian, cores: \"2\", "
	    "memory: "
	    "\"2048\", agent: \"1\", scsihw: virtio-scsi-single, boot: order=scsi0, ostype: l26, "
	    "tags: "
	    "golden, scsi0: "
	    "\"shared:20,discard=on\", net0: \"virtio,bridge=vmbr0\", net1: "
	    "\"virtio,bridge=vmbr1\" } }\n"
	    "  - { id: 9001, node: pve2, template: true, config: { name: small, boot: order=scsi0, "
	    "agent: "
	    "\"1\", cores: "
	    "\"1\", memory: "
	    "\"512\", description: \"A small one\", scsihw: virtio-scsi-single, scsi0: \"fast:4\", "
	    "net0: "
	    "\"virtio,bridge=vmbr0,tag=7\" } }\n"
	    "  - { id: 1003, node: pve3, config: { name: stranger, cores: \"1\", scsi0: "
	    "\"local:2\" } }\n"
	    "  - { id: 1050, node: pve2, running: true, config: { name: other, cores: \"1\", "
	    "scsi0: "
	    "\"shared:2\" } }\n";
