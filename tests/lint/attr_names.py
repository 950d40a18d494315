#!/usr/bin/env python3
"""Which code outside the tables and the codecs names an attribute of manifests, and why.

Usage: attr_names.py TREE ALLOW

Whatever can be a walk over the table is one. Code that names an attribute stands in the file ALLOW,
one line per file and name: "FILE NAME reason"; both may have wildcards. A name that is not there
fails, and so does a line that nothing needs any more.
"""
import fnmatch
import os
import re
import sys

# Where the names are at home: the tables and what they are put into.
AT_HOME = re.compile(r"(spec/[\w]+\.def|controller/codec/)")
SOURCES = re.compile(r"(controller|spec)/.*\.[ch]$")


def table(tree):
    """Ids, dotted paths and PVE keys of the table."""
    with open(os.path.join(tree, "spec/attrs.def"), encoding="utf-8") as f:
        text = re.sub(r"/\*.*?\*/", "", f.read(), flags=re.S)
    ids, paths, keys = set(), set(), set()
    row = re.compile(r'ATTR\((\w+), "([^"]+)", (.*?)\)\n', re.S)
    for ident, path, rest in row.findall(text):
        ids.add(ident)
        if "." in path:
            paths.add(path)
        key = re.search(r'\b(?:SCALAR|LIST|LEAD|PART|PART_LIST|DESCRIPTION|TAGS), "([^"*]+)"', rest)
        if key:
            keys.add(key.group(1))
    return ids, paths, keys


def files_of(tree):
    for top in ("controller", "spec"):
        for folder, _, names in os.walk(os.path.join(tree, top)):
            for name in sorted(names):
                path = os.path.relpath(os.path.join(folder, name), tree)
                if SOURCES.match(path) and not AT_HOME.match(path):
                    yield path


def names_in(text, ids, paths, keys):
    text = re.sub(r"/\*.*?\*/", lambda m: "\n" * m.group(0).count("\n"), text, flags=re.S)
    found = {}
    for number, line in enumerate(text.split("\n"), 1):
        names = {"ATTR_" + w for w in re.findall(r"\bATTR_(\w+)", line) if w in ids}
        for word in re.findall(r'"((?:[^"\\]|\\.)*)"', line):
            if word in paths or re.sub(r"\.(net|ide|sata|scsi|virtio)\d+\.", ".*.", word) in paths:
                names.add(word)
            elif word in keys and re.search(r"\bkv_(get|set|setf|has|del)\b", line):
                names.add("key:" + word)
        for name in names:
            found.setdefault(name, number)
    return found


def read_allowed(path):
    allowed, wrong = {}, []
    with open(path, encoding="utf-8") as f:
        for number, line in enumerate(f, 1):
            line = line.strip()
            if not line or line.startswith("#"):
                continue
            parts = line.split(None, 2)
            if len(parts) < 3:
                wrong.append(f"{path}:{number}: no reason is given")
            elif (parts[0], parts[1]) in allowed:
                wrong.append(f"{path}:{number}: {parts[1]} of {parts[0]} is there twice")
            else:
                allowed[(parts[0], parts[1])] = number
    return allowed, wrong


def main():
    tree, allow = sys.argv[1], sys.argv[2]
    ids, paths, keys = table(tree)
    allowed, wrong = read_allowed(allow)
    if len(ids) < 50:
        wrong.append("spec/attrs.def: fewer rows than it can have; this check reads it wrongly")
    used, places = set(), 0
    for path in files_of(tree):
        with open(os.path.join(tree, path), encoding="utf-8") as f:
            for name, line in sorted(names_in(f.read(), ids, paths, keys).items()):
                why = [p for p in allowed
                       if fnmatch.fnmatch(path, p[0]) and fnmatch.fnmatch(name, p[1])]
                if why:
                    used.update(why)
                    places += 1
                else:
                    wrong.append(f"{path}:{line}: names {name}; walk over the table instead, or "
                                 f"add '{path} {name} REASON' to {os.path.basename(allow)}")
    for pair, number in allowed.items():
        if pair not in used:
            wrong.append(f"{allow}:{number}: no file {pair[0]} names {pair[1]} any more")
    for line in wrong:
        print(line)
    if not wrong:
        print(f"{places} places name an attribute, each with its reason")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
