#!/usr/bin/env python3
"""Every command and every block of docs/install.md is carried out by a test, word for word where it can be.

Each line of its blocks of commands stands below with the test that has it: the same words, or what takes
them out of the page. A line that is new, changed or gone is an error.
"""

import re
import sys
from pathlib import Path

tree = Path(sys.argv[1])
page = (tree / "docs/install.md").read_text(encoding="utf-8")

# Begin of the line → (test, what must stand in it).
E2E = "tests/e2e/scenarios/install.scn"
LINES = {
    "./pve-bootstrap --template": (E2E, 'block "1 User" sh | step'),
    "ssh-keygen -t ed25519": (E2E, 'block "2 Repository" sh | sed'),
    "ssh-keyscan ": (E2E, 'block "2 Repository" sh | sed'),
    "podman build -f deploy/Containerfile -t ramet .": ("tests/deploy/podman.sh", '-f "$tree/deploy/Containerfile"'),
    "podman-compose -f deploy/compose.yaml up -d ramet": ("tests/deploy/compose", "compose up -d ramet"),
    "kubectl create secret generic pve-token --from-file=token=pve-token": (
        "tests/deploy/kube", 'config_map("pve-token", {"token": file("pve-token")'),
    "kubectl create secret generic git-key --from-file=key=git-key --from-file=known_hosts": (
        "tests/deploy/kube", '{"key": file("git-key"), "known_hosts": file("known_hosts")}'),
    "kubectl create configmap pve-ca --from-file=pve-root-ca.pem": ("charts/ramet/ci/ssh.yaml", "ca: { configMap: pve-ca }"),
    "helm install ramet charts/ramet -f values.yaml": (
        "tests/deploy/kube", 'template r "$tree/charts/ramet" -f "$work/values.yaml"'),
    "cmake --preset release -DBUILD_TESTING=OFF": ("tests/deploy/package", "make=$(grep '^cmake '"),
    "apt install ./build/release/ramet_": ("tests/deploy/package", "done <<<\"$page\""),
    "install -d /etc/ramet": ("tests/deploy/package", "done <<<\"$page\""),
    "systemctl enable --now ramet": ("tests/deploy/package", "done <<<\"$page\""),
    "ramet check": (E2E, 'block "5 Is everything" sh | step'),
}
BLOCKS = {
    "controller: { id: homelab": (E2E, 'block "3 Configuration" yaml'),
    "# vms/web-01.yaml": (E2E, 'block "6 The first" yaml'),
}
# In the text, between backticks.
WORDS = {
    "podman-compose -f deploy/compose.yaml up --build -d playground": ("tests/deploy/compose", "up -d playground"),
    "podman exec ramet ramet check": ("tests/deploy/compose", "_ramet_1 ramet check"),
    "ramet validate vms": (E2E, "`ramet validate vms`"),
    "ramet plan vms": (E2E, "`ramet plan vms`"),
    "ramet plan --output markdown vms": (E2E, "`ramet plan --output markdown vms`"),
    "ramet status web-01": (E2E, "`ramet (status|explain) web-01`"),
    "ramet explain web-01": (E2E, "`ramet (status|explain) web-01`"),
    "ramet run --observe-only": ("tests/e2e/scenarios/observe-only.scn", "start controller --observe-only"),
    "apt remove ramet": ("tests/deploy/package", "inside_sh 'apt remove ramet'"),
    "ramet import VMID": ("tests/e2e/scenarios/import.scn", "import"),
    "ramet check": (E2E, 'block "5 Is everything" sh | step'),
    "ramet plan": ("tests/e2e/commands", 'self.ramet("plan"'),
    "cp /usr/lib/systemd/system/ramet.service /etc/systemd/system/": (
        "tests/deploy/systemd_real", "cat >/etc/systemd/system/ramet.service"),
    "apt install gpg gpg-agent": ("deploy/Containerfile", "gpg gpg-agent"),
    "apt install openssh-client libnss-systemd": ("tests/deploy/systemd_real", "libnss-systemd"),
}

bad = []


def claim(table, used, text, what):
    for start, (test, words) in sorted(table.items(), key=lambda item: -len(item[0])):
        if text.startswith(start):
            used.add(start)
            body = (tree / test).read_text(encoding="utf-8") if (tree / test).exists() else ""
            if words not in body:
                bad.append(f"{test} does not carry out: {text}")
            return
    bad.append(f"docs/install.md: no test is known for the {what}: {text}")


used = {id(t): set() for t in (LINES, BLOCKS, WORDS)}
for language, block in re.findall(r"^```(\w+)\n(.*?)^```$", page, flags=re.S | re.M):
    if language == "sh":
        for line in filter(None, block.splitlines()):
            claim(LINES, used[id(LINES)], line, "command")
    else:
        claim(BLOCKS, used[id(BLOCKS)], block, "block")
text = re.sub(r"^```.*?^```$", "", page, flags=re.S | re.M)
for words in re.findall(r"`([^`\n]+)`", text):
    if re.match(r"(ramet|podman|podman-compose|apt|cp|systemctl|helm|kubectl|cmake) ", words):
        claim(WORDS, used[id(WORDS)], words, "command")
for table in (LINES, BLOCKS, WORDS):
    for start in sorted(set(table) - used[id(table)]):
        bad.append(f"docs/install.md has it no more: {start}")
if len(used[id(LINES)]) < 10:
    bad.append("docs/install.md could not be read")
print("\n".join(bad), end="\n" if bad else "")
sys.exit(bool(bad))
