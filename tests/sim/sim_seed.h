/*
 * sim_seed: the start of a simulated cluster, from a YAML text.
 *
 * Not a record of a running one: what is not said has a usual value.
 *
 * The text is read once. An overview of its keys (docs/ramet-sim.md has them all; optional but
 * nodes and storages; times in milliseconds or "5s", sizes as "20G"):
 *
 *     cluster:  {name: demo, version: "9.2", options: {mac_prefix: "BC:24:11", next-id: "lower=…"}}
 *     timing:   {clone-start: 200, start: 2s, bandwidth: 200M, …}     the words of sim_timing.def
 *     nodes:    - {name: pve1, ip: 10.0.0.1, cpus: 16, memory: 64G, bridges: [vmbr0, vmbr1],
 *                  addresses: ["10.0.0.1/24"], hardware: {model: EPYC, sockets: 2, flags: …}}
 *     storages: - {name: local, type: dir, content: [images, iso], shared: false, nodes: [pve1],
 *                  size: 500G, used: 10G, path: /var/lib/vz, iso: [{name: a.iso, size: 600M}]}
 *     pools:    - production
 *     roles:    - {name: Ramet, privs: [VM.Audit, VM.Clone]}
 *     users:    - {name: ramet@pve, password: x, groups: [g], tokens: [{name: ctl, secret: …,
 *                  privsep: true}]}
 *     acl:      - {path: /vms, who: "ramet@pve!ctl", role: Ramet, propagate: true}
 *     guests:   - {id: 9000, count: 1, node: pve1, template: true, running: false, pool:
 * production, config: {name: debian, scsi0: "local-lvm:20,discard=on", net0:
 * "virtio,bridge=vmbr0"}}
 *
 *     ha:       {rules: [{name: r, type: node-affinity, resources: ["vm:9000"], nodes: [pve1]}]}
 *
 *     past:     - {task: qmstart, id: 310, user: "ops@pam!x", status: OK, ago: 5m, count: 1}
 *               - {log: "update VM 310: -cores 2", user: ops@pam, ago: 4m}
 *
 *     volumes:  - {storage: local, name: 310/vm-310-disk-0.raw, size: 1G}   that no guest has
 *     heard:    - {id: 310, status: running, name: x, memory: 1G}           of guests just gone
 *
 * The past is in order, oldest first; uid: 41 is the number of the first line in the log. In
 * cluster, hosts: {name: address} are names that are no nodes and are found all the same. A guest
 * that is "new" was made just before.
 *
 * With "bridge-warning" each NIC of a guest that starts in 9 puts that line into the task's log, as
 * it is where the Perl of the node is older than the scripts. A guest with "inside: {agent: 7.2.22,
 * boot: 10s, os: {id: debian}}" has an agent that answers some time after its start. A guest's
 * config is what one would send to create it, and all its options are allowed. With count there are
 * so many guests with the following numbers, their names ending in "-1", "-2", …
 *
 * Before the simulation starts.
 */
#ifndef RAMET_SIM_SEED_H
#define RAMET_SIM_SEED_H

#include "sim_job.h"

/* What must be known before anything is made: the version. "" when the text does not say. */
int seed_load(struct sim *s, const struct sim_opts *opts, struct err **err) MUST_CHECK;

#endif
