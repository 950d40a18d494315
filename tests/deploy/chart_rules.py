#!/usr/bin/env python3
"""Rules of our own for every object that the chart renders. Prints the objects as JSON."""

import json
import sys

import yaml

found = []


def pod_rules(where, pod):
    def rule(ok, text):
        if not ok:
            found.append(f"{where}: {text}")

    security = pod.get("securityContext", {})
    rule(pod.get("automountServiceAccountToken") is False, "mounts a token of Kubernetes")
    rule(security.get("runAsNonRoot") is True and security.get("runAsUser", 0) > 0, "may run as root")
    rule(security.get("seccompProfile", {}).get("type") == "RuntimeDefault", "has no seccomp profile")
    rule(not pod.get("hostNetwork") and not pod.get("hostPID") and not pod.get("hostIPC"), "shares the host's namespaces")
    volumes = {v["name"]: v for v in pod.get("volumes", [])}
    rule(not any("hostPath" in v for v in volumes.values()), "mounts a path of the host")
    rule(pod.get("terminationGracePeriodSeconds", 0) >= 15, "leaves less than 15 s to stop")
    for c in pod["containers"]:
        own = c.get("securityContext", {})
        rule(own.get("allowPrivilegeEscalation") is False, "may gain privileges")
        rule(own.get("readOnlyRootFilesystem") is True, "may write its root")
        rule(own.get("capabilities", {}) == {"drop": ["ALL"]}, "keeps capabilities")
        rule(not own.get("privileged"), "is privileged")
        resources = c.get("resources", {})
        for kind in ("requests", "limits"):
            rule({"cpu", "memory"} <= set(resources.get(kind, {})), f"has no {kind}")
        for probe in ("startupProbe", "livenessProbe", "readinessProbe"):
            rule(probe in c, f"has no {probe}")
        ports = {p["name"] for p in c.get("ports", [])}
        rule(c.get("livenessProbe", {}).get("httpGet", {}).get("port") in ports, "is probed at a port it has not")
        for mount in c.get("volumeMounts", []):
            rule(mount["name"] in volumes, f"mounts {mount['name']}, which is no volume")
            source = volumes.get(mount["name"], {})
            rule(mount.get("readOnly") or not ("secret" in source or "configMap" in source),
                 f"may write {mount['mountPath']}")
        secrets = {v["secret"]["secretName"] for v in volumes.values() if "secret" in v}
        rule("env" not in c and "envFrom" not in c, "has secrets or settings in its environment")
        rule(secrets, "has no Secret")


objects = []
for path in sys.argv[1:]:
    docs = [d for d in yaml.safe_load_all(open(path, encoding="utf-8")) if d]
    kinds = [d["kind"] for d in docs]
    names = [(d["kind"], d["metadata"]["name"]) for d in docs]
    if len(set(names)) != len(names):
        found.append(f"{path}: two objects of one name")
    for d in docs:
        where = f"{path}: {d['kind']}"
        if d["kind"] == "Deployment":
            spec = d["spec"]
            if spec["replicas"] != 1 or spec["strategy"]["type"] != "Recreate":
                found.append(f"{where}: two controllers could run at once")
            labels = spec["template"]["metadata"]["labels"]
            if not spec["selector"]["matchLabels"].items() <= labels.items():
                found.append(f"{where}: its selector does not select its pods")
            pod_rules(where, spec["template"]["spec"])
        if d["kind"] == "Service":
            deployment = next(o for o in docs if o["kind"] == "Deployment")
            if not d["spec"]["selector"].items() <= deployment["spec"]["template"]["metadata"]["labels"].items():
                found.append(f"{where}: selects nothing")
        if d["kind"] == "ConfigMap":
            config = yaml.safe_load(d["data"]["ramet.yaml"])
            for section, keys in config.items():
                for key in keys or {}:
                    if key in ("password", "token", "secret"):
                        found.append(f"{where}: {section}.{key} is a secret")
    if kinds.count("Deployment") != 1 or kinds.count("ServiceAccount") != 1:
        found.append(f"{path}: not one Deployment and one ServiceAccount")
    objects += docs

for line in found:
    print(line, file=sys.stderr)
json.dump(objects, sys.stdout)
sys.exit(1 if found else 0)
