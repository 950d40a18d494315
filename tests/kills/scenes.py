"""What somebody does that the controller has to answer, and what must be so in the end.

The same scenes as those of tests/sweep that the real programs can play: where that one plays each
fault at each touch in virtual time, here the real process dies.
"""
import re

NAME = "web-01"
ID = "kills"
STRANGER_UUID = "3f1c6e0c-5c1d-4f0e-9a59-0000000000aa"

HEAD = f"""apiVersion: ramet.dev/v1
kind: ClonedVM
metadata: {{ name: {NAME} }}
spec:
  node_name: pve1
"""
LINKED = "  clone: { source_vm_id: 9000, full: false }\n"
FULL = "  clone: { source_vm_id: 9000 }\n"
BASE = HEAD + LINKED
ON = "  started: true\n"


class Scene:
    """before, after: manifests; happens: what is said to the cluster between two lives;
    want: (key, text that the value has in it) or (key, None) for a key that is gone;
    keys: those of the guest that may be changed, beside tags and description;
    gone: no VM in the end."""

    def __init__(self, name, after=None, before=None, happens=None, want=(), keys=(), reason=None,
                 power=None, node=None, gone=False, volumes=1, nodes=1):
        self.name, self.before, self.after, self.happens = name, before, after, happens
        self.want, self.reason, self.power, self.node = want, reason, power, node
        self.keys = {"tags", "description", "digest", "lock", *keys}
        self.gone, self.volumes, self.nodes = gone, 0 if gone else volumes, nodes

    def wrong(self, cluster):
        """None, or what is not as it must be."""
        mine = [g for g in cluster.guests if g.name == NAME]
        if len(mine) != (0 if self.gone else 1):
            return f"{len(mine)} VMs of {NAME}"
        if self.gone:
            return None
        vm = mine[0]
        for key, part in self.want:
            have = vm.pending.get(key, vm.config.get(key))
            if (have is not None) if part is None else part not in (have or ""):
                return f"{key} is {have}, expected {part}"
        if self.power and vm.status != self.power:
            return f"it is {vm.status}"
        if self.node and vm.node != self.node:
            return f"it is on {vm.node}"
        if len(vm.volumes) != self.volumes:
            return f"its volumes are {vm.volumes}"
        return None


SCENES = [
    Scene("create", after=HEAD + """  name: front
  description: Front end
  tags: [web]
  clone: { source_vm_id: 9000, full: true, target_datastore: fast }
  cpu: { cores: 4 }
  memory: { size: 4096 }
  network: { net0: { tag: 100 } }
  disk: { scsi0: { size_gb: 25 } }
  delete: { network: [net1] }
""" + ON,
          want=[("name", "front"), ("cores", "4"), ("memory", "4096"), ("net0", "tag=100"), ("net1", None),
                ("scsi0", "size=25G"), ("scsi0", "fast:"), ("scsi0", "discard=on"), ("description", "Front end")],
          keys={"name", "cores", "memory", "net0", "net1", "scsi0"}, power="running"),
    Scene("update", before=BASE + ON,
          after=BASE + ON + """  description: Front end
  tags: [web]
  cpu: { cores: 4, limit: 2 }
  network: { net0: { tag: 100 } }
""",
          want=[("cores", "4"), ("cpulimit", "2"), ("net0", "tag=100"), ("net1", "firewall=1"),
                ("description", "Front end")],
          keys={"cores", "cpulimit", "net0"}, power="running", reason="PendingReboot"),
    Scene("delete", before=BASE, after=BASE + "  delete: { network: [net1] }\n",
          want=[("net1", None), ("net0", "bridge=vmbr0")], keys={"net1"}),
    Scene("resize", before=BASE + ON, after=BASE + ON + "  disk: { scsi0: { size_gb: 25 } }\n",
          want=[("scsi0", "size=25G"), ("scsi0", "discard=on")], keys={"scsi0"}, power="running"),
    # unused0: for a moment the old volume stands there.
    Scene("move", before=HEAD + FULL + ON,
          after=HEAD + FULL + ON + "  disk: { scsi0: { datastore_id: fast, ssd: true } }\n",
          want=[("scsi0", "fast:"), ("scsi0", "ssd=1"), ("scsi0", "discard=on")],
          keys={"scsi0", "unused0"}, power="running"),
    Scene("destroy", before=BASE + ON, after=BASE + "  state: absent\n", gone=True),
    Scene("adopt",
          after=f"""apiVersion: ramet.dev/v1
kind: ClonedVM
metadata: {{ name: {NAME}, annotations: {{ ramet.dev/adopt: "{STRANGER_UUID}" }} }}
spec: {{ id: 1050, node_name: pve1, clone: {{ source_vm_id: 9000 }}, cpu: {{ limit: 2 }} }}
""",
          want=[("cpulimit", "2"), ("name", "other")], keys={"cpulimit"}, power="running"),
    Scene("migrate", before=BASE + ON + "  placement: pin\n", happens=["migrate {vmid} pve3"],
          want=[("net1", "firewall=1")], power="running", node="pve1", nodes=3),
]

MAC = re.compile(r"([0-9A-F]{2}:){5}[0-9A-F]{2}")


def plain(text):
    """Without what chance or the number gives: MACs, numbers of volumes, the marker's nonce."""
    text = MAC.sub("*", text)
    text = re.sub(r"(vm|base)-\d+-disk-\d+", r"\1-*-disk-*", text)
    text = re.sub(r":\d+/", ":*/", text)
    return re.sub(r" vmid=\d+ \w+", " vmid=*", text)
