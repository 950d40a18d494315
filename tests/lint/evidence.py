#!/usr/bin/env python3
"""Every test and case that docs/evidence.md names is there, and every broken controller is named.

Usage: evidence.py TREE
"""
import glob
import os
import re
import sys

PAGE = "docs/evidence.md"
# One file each, or none that could be looked into: label → pattern of the files.
FILES = {
    "unit": "tests/unit/*/test_{}.c",
    "prop": "tests/prop/test_{}.c",
    "world": "tests/world/test_{}.c",
    "fuzz": "tests/fuzz/fuzz_{}.c",
    "e2e": "tests/e2e/scenarios/{}.scn",
    "deploy": "tests/deploy/{}*",
    "bench": "tests/bench/{}*",
    "lint": "tests/lint/{}*",
}
OTHERS = {
    "e2e.commands": "tests/e2e/commands",
    "world.seeds": "tests/world/world.c",
    "lint.broken_rules": "tests/broken/break.py",
    "bench.sim": "tests/bench/bench_sim.c",
    "bench.merge": "tests/bench/bench_merge.c",
    "sweep": "tests/sweep/sweep.c",
    "kills": "tests/kills/kills",
    "mutants": "tests/mutants/mutants.def",
}


def read(path):
    with open(path, encoding="utf-8") as f:
        return f.read()


def broken(tree):
    return re.findall(r"^== (\w+)", read(os.path.join(tree, "tests/broken/broken.list")), re.M)


def source(tree, name):
    """The file of a test, or None."""
    label, _, rest = name.partition(".")
    pattern = OTHERS.get(name) or FILES.get(label, "").format(rest)
    found = glob.glob(os.path.join(tree, pattern)) if pattern else []
    return found[0] if found else None


def has_part(path, part):
    word = re.escape(part)
    return re.search(rf"cmocka_unit_test\w*\((test_)?{word}\b|def test_{word}\(", read(path))


def problem(tree, name, controllers):
    """What is wrong with a name, or None."""
    whole, _, part = name.partition(":")
    if whole.startswith("broken."):
        return None if whole[len("broken."):] in controllers and not part else "is no such controller"
    path = source(tree, whole)
    if not path:
        return "is no test"
    return None if not part or has_part(path, part) else f"has no test {part}"


def cases(text):
    """The numbers after "case" and "cases"; of "403 to 429" both ends."""
    for words in re.findall(r"[Cc]ases? (\d{3}(?:(?:, | and | to )\d{3})*)", text):
        yield from re.findall(r"\d{3}", words)


def look(tree):
    text = read(os.path.join(tree, PAGE))
    rows = re.findall(r"^\| (?!promise|:--)(.*) \| (.*) \|$", text, flags=re.M)
    controllers = broken(tree)
    made = {n[:3] for n in os.listdir(os.path.join(tree, "tests/plan"))}
    wrong = [f"{PAGE}: case {n} is not in tests/plan" for n in cases(text) if n not in made]
    named = []
    for promise, shown in rows:
        names = re.findall(r"`([^`]+)`", shown)
        if not names and not list(cases(shown)):
            wrong.append(f"{PAGE}: nothing shows: {promise}")
        named += names
    for name in named:
        why = problem(tree, name, controllers)
        if why:
            wrong.append(f"{PAGE}: {name.partition(':')[0]} {why}")
    wrong += [f"{PAGE}: broken.{n} is not named" for n in controllers if f"broken.{n}" not in named]
    return wrong, len(rows), len(named)


def main():
    wrong, rows, named = look(sys.argv[1])
    for line in wrong:
        print(line)
    if not wrong:
        print(f"{rows} promises, {named} tests")
    return 1 if wrong or not rows or not named else 0


if __name__ == "__main__":
    sys.exit(main())
