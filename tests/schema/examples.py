"""The schema of `ramet schema` is valid, and agrees with `ramet validate` on the examples.

Usage: examples.py RAMET EXAMPLES. Exit 77 when the validator is not installed.
"""

import json
import os
import re
import subprocess
import sys

try:
    import yaml
    from jsonschema import Draft202012Validator
except ImportError:
    print("skipped: python3-jsonschema or python3-yaml is not installed")
    sys.exit(77)

# Bad examples that a generic YAML reader refuses by itself.
NO_YAML = {
    "binary", "deep", "escape-sequence", "latin1", "nul-byte", "utf16", "yaml-colon",
    "yaml-indentation", "yaml-open-bracket", "yaml-open-quote", "yaml-tab", "list-as-key",
    "merge-conflict",
}

# Bad examples that JSON Schema cannot tell from good ones, and why.
NOT_EXPRESSIBLE = {
    # lost in reading: other readers take the last of two, resolve anchors, drop tags, and take
    # nothing for null
    "anchor", "duplicate-key", "duplicate-slot", "empty-value", "tag",
    # other readers hand over a number, whatever its spelling
    "number-exponent", "number-octal",
    # an entry of a block against the entries of a list
    "slot-deleted", "slot-twice", "data-slot",
    # whatever belongs to the same device
    "null-device",
    # two values compared with each other
    "balloon-too-large", "clones-itself", "depends-on-itself", "foreign-volume",
    "hugepages-size",
    "renamed-to-itself", "tag-twice", "too-many-vcpus", "adopt-without-id",
    # rules inside a text
    "escaped-nul", "marker-in-description", "reserved-tag", "time-impossible", "address-impossible",
    "prefix-short-4", "prefix-short-6", "volume-allocates",
    # rules between documents
    "dependency-cycle", "duplicate-mac", "duplicate-name", "duplicate-vmid", "rename-clash",
    # only warnings
    "warnings",
}


class CoreLoader(yaml.SafeLoader):
    """Plain words as the core schema of YAML 1.2 reads them: yes is a text."""


CoreLoader.yaml_implicit_resolvers = {}
for tag, pattern, first in [
    ("null", r"^(~|null|Null|NULL|)$", ["~", "n", "N", ""]),
    ("bool", r"^(true|True|TRUE|false|False|FALSE)$", list("tTfF")),
    ("int", r"^([-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+)$", list("-+0123456789")),
    ("float", r"^([-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?)$", list("-+.0123456789")),
]:
    CoreLoader.add_implicit_resolver("tag:yaml.org,2002:" + tag, re.compile(pattern), first)
CoreLoader.add_constructor("tag:yaml.org,2002:int",
                           lambda loader, node: int(loader.construct_scalar(node), 10))


class NotYaml(Exception):
    pass


def documents(path):
    try:
        with open(path, "rb") as file:
            return [d for d in yaml.load_all(file, CoreLoader) if d is not None]
    except (yaml.YAMLError, RecursionError, UnicodeError, ValueError, TypeError) as error:
        raise NotYaml(str(error)) from error


def stems(folder):
    return sorted(name[:-5] for name in os.listdir(folder) if name.endswith(".yaml"))


def compare(what, wanted, found):
    for name in sorted(found - wanted):
        print(f"{name}: {what}, but is not listed as such")
    for name in sorted(wanted - found):
        print(f"{name}: listed as \"{what}\", but is not so")
    return wanted == found


def main():
    ramet, examples = sys.argv[1:]
    schema = json.loads(subprocess.run([ramet, "schema"], check=True, stdout=subprocess.PIPE).stdout)
    Draft202012Validator.check_schema(schema)
    validator = Draft202012Validator(schema)
    good = True

    count = 0
    for name in stems(f"{examples}/good"):
        for document in documents(f"{examples}/good/{name}.yaml"):
            if document.get("apiVersion") != "ramet.dev/v1":
                continue
            count += 1
            for error in validator.iter_errors(document):
                print(f"good/{name}: {error.json_path}: {error.message[:200]}")
                good = False

    unreadable, accepted, rejected = set(), set(), set()
    for name in stems(f"{examples}/bad"):
        try:
            found = [error for document in documents(f"{examples}/bad/{name}.yaml")
                     for error in validator.iter_errors(document)]
        except NotYaml:
            unreadable.add(name)
            continue
        (rejected if found else accepted).add(name)
    good = compare("no YAML to other readers", NO_YAML, unreadable) and good
    good = compare("accepted by the schema", NOT_EXPRESSIBLE, accepted) and good
    if len(rejected) < 25:
        print(f"only {len(rejected)} bad examples are rejected")
        good = False
    print(f"{count} good documents accepted; of the bad files {len(rejected)} rejected, "
          f"{len(accepted)} beyond JSON Schema, {len(unreadable)} no YAML at all")
    return 0 if good and count >= 8 else 1


if __name__ == "__main__":
    sys.exit(main())
