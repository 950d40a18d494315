#!/usr/bin/env python3
"""Controllers broken on purpose: copies of single sources with one mistake in them.

Usage: break.py LIST TREE names                    the names, one line each
       break.py LIST TREE sources NAME             the sources that it changes
       break.py LIST TREE write NAME SOURCE OUT    writes the broken copy
       break.py LIST TREE run NAME PROGRAM         plays what must catch it; 0 = caught
       break.py LIST TREE rules                    each rule of the judges is what catches one of them

LIST has one section per mistake, and says at its head how it is written. Each text that is replaced
must stand in its source exactly once: a mistake that does not apply any more is an error, not a
mistake that nobody catches.

A rule is a sentence that a judge says when something happened that must not, as it stands in its
source with … for what differs.
"""
import glob
import re
import subprocess
import sys
import os


# Before anything is judged.
PREPARATION = ("scene: ", "not Ready before the scene begins")


def fail(text):
    print(f"break.py: {text}", file=sys.stderr)
    sys.exit(2)


def read(path):
    with open(path, encoding="utf-8") as f:
        return f.read()


def sections(path):
    """name → {what, by: [command words], says: rule, hunks: [(source, old, new)]}"""
    found = {}
    for text in re.split(r"^== ", read(path), flags=re.M)[1:]:
        head, *hunks = re.split(r"^in (\S+):\n", text, flags=re.M)
        name = head.split("\n", 1)[0].strip()
        fields = dict(re.findall(r"^(what|by|says): (.*)$", head, flags=re.M))
        if set(fields) != {"what", "by", "says"} or not hunks or len(hunks) % 2 or name in found:
            fail(f"{name}: a section needs what, by, says and at least one change")
        parts = []
        for source, body in zip(hunks[::2], hunks[1::2]):
            match = re.fullmatch(r"<<<\n(.*?)===\n(.*?)>>>\s*", body, flags=re.S)
            if not match:
                fail(f"{name}: the change in {source} cannot be read")
            parts.append((source, match.group(1), match.group(2)))
        found[name] = {"what": fields["what"], "by": fields["by"].split(), "says": fields["says"],
                       "hunks": parts}
    return found


def write(section, name, tree, source, out):
    text = read(os.path.join(tree, source))
    for where, old, new in section["hunks"]:
        if where != source:
            continue
        if text.count(old) != 1:
            fail(f"{name}: what it replaces in {source} stands there {text.count(old)} times, not once")
        text = text.replace(old, new)
    with open(out, "w", encoding="utf-8") as f:
        f.write(f'#line 1 "{source}"\n{text}')


def run(section, name, program):
    done = subprocess.run([program, *section["by"]], stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, errors="replace", check=False)
    lines = done.stdout.splitlines()
    rule = re.compile("VIOLATION: " + ".*".join(map(re.escape, section["says"].split("…"))) + "$")
    violation = next((l.strip() for l in lines if rule.search(l)), None)
    if done.returncode == 1 and violation:
        print(f"{name} ({section['what']}): caught by {' '.join(section['by'])}: "
              f"{re.sub(r'^[0-9.]+ ', '', violation)[:200]}")
        return 0
    print("\n".join(lines[-20:]))
    others = [l.strip() for l in lines if "VIOLATION: " in l]
    print(f"{name} ({section['what']}): NOT caught by {' '.join(section['by'])} "
          f"(exit status {done.returncode}; nobody says: {section['says']})")
    print("\n".join(f"instead: {l}" for l in others[:3]))
    return 1


def judges(tree):
    """rule → where it stands, but for what only says that the test itself went wrong"""
    found = {}
    call = re.compile(r'world_violation\(\s*[^,"]+,\s*((?:"(?:[^"\\]|\\.)*"\s*)+)(.*?)\);', re.S)
    for pattern in ("world/play_*.c", "world/support_judge.c", "world/support_rival.c",
                    "world/support_world.c", "sweep/*.c"):
        for path in sorted(glob.glob(os.path.join(tree, "tests", pattern))):
            for text, args in call.findall(read(path)):
                sentence = "".join(re.findall(r'"((?:[^"\\]|\\.)*)"', text))
                if "err_msg(" not in args and not sentence.startswith(PREPARATION):
                    found.setdefault(re.sub(r"%[-.*0-9]*(?:ll|z)?[a-z]", "…", sentence), os.path.relpath(path, tree))
    return found


def rules(found, tree):
    known = judges(tree)
    caught = {s["says"] for s in found.values()}
    for name, section in found.items():
        if section["says"] not in known:
            print(f"{name}: no judge says: {section['says']}")
    for rule, where in known.items():
        if rule not in caught:
            print(f"{where}: no broken controller is caught by: {rule}")
    return 0 if caught == set(known) else 1


def main(args):
    if len(args) < 3:
        fail(__doc__)
    found = sections(args[0])
    tree, verb, rest = args[1], args[2], args[3:]
    if verb == "names":
        print("\n".join(found))
        return 0
    if verb == "rules":
        return rules(found, tree)
    if not rest or rest[0] not in found:
        fail(f"no such mistake: {' '.join(rest)}")
    section = found[rest[0]]
    if verb == "sources":
        print("\n".join(sorted({s for s, _, _ in section["hunks"]})))
        return 0
    if verb == "write":
        write(section, rest[0], tree, rest[1], rest[2])
        return 0
    if verb == "run":
        return run(section, rest[0], rest[1])
    fail(f"no such verb: {verb}")
    return 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
