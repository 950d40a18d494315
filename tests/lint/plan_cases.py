#!/usr/bin/env python3
"""The numbered cases of docs/planner.md and the folders of tests/plan are the same set.

Usage: plan_cases.py TREE
"""
import os
import re
import sys


def main():
    tree = sys.argv[1]
    with open(os.path.join(tree, "docs/planner.md"), encoding="utf-8") as f:
        told = re.findall(r"^\| (\d{3}) \|", f.read(), flags=re.M)
    folders = sorted(n for n in os.listdir(os.path.join(tree, "tests/plan"))
                     if re.match(r"\d{3}-", n))
    made = [n[:3] for n in folders]
    wrong = [f"docs/planner.md: {n} is there twice" for n in sorted(set(told))
             if told.count(n) > 1]
    wrong += [f"tests/plan: {n} is there twice" for n in sorted(set(made)) if made.count(n) > 1]
    wrong += [f"docs/planner.md: case {n} has no folder in tests/plan"
              for n in sorted(set(told) - set(made))]
    wrong += [f"tests/plan: case {n} is not in docs/planner.md"
              for n in sorted(set(made) - set(told))]
    wrong += [f"tests/plan/{n}: no file '{name}'" for n in folders
              for name in ("desired.yaml", "expected")
              if not os.path.isfile(os.path.join(tree, "tests/plan", n, name))]
    for line in wrong:
        print(line)
    if not wrong:
        print(f"{len(made)} cases")
    return 1 if wrong or not made else 0


if __name__ == "__main__":
    sys.exit(main())
