#!/usr/bin/env python3
"""deploy/pve-bootstrap grants exactly the privileges that the tables name."""

import re
import sys
from pathlib import Path

tree = Path(sys.argv[1])
PRIVILEGE = re.compile(r"\b(?:VM|Datastore|SDN|Sys|Pool|Mapping)(?:\.[A-Z][A-Za-z]*)+\b(?!\.)")


def column(path, macro, index):
    """One column of a table, strings only; commas in strings do not count."""
    text = (tree / path).read_text(encoding="utf-8")
    text = re.sub(r"/\*.*?\*/", "", text, flags=re.S)
    for row in re.finditer(macro + r"\(((?:\"(?:\\.|[^\"\\])*\"|[^()\"]|\([^()]*\))*)\)", text):
        cells = re.findall(r"((?:\"(?:\\.|[^\"\\])*\"|[^,\"])+)(?:,|$)", row.group(1))
        yield cells[index]


named = set()
for cell in column("controller/pve/endpoints.def", "ENDPOINT", 6):
    named |= set(PRIVILEGE.findall(cell))
for cell in column("spec/attrs.def", "ATTR", 13):
    named |= set(PRIVILEGE.findall(cell))

script = (tree / "deploy/pve-bootstrap").read_text(encoding="utf-8")
roles = re.search(r"^roles=\((.*?)^\)", script, flags=re.S | re.M).group(1)
granted = PRIVILEGE.findall(roles)

bad = 0
for p in sorted(named - set(granted)):
    print(f"deploy/pve-bootstrap: {p} is in the tables and in no role")
    bad = 1
for p in sorted(set(granted) - named):
    print(f"deploy/pve-bootstrap: {p} is granted and in no table")
    bad = 1
for p in sorted(p for p in set(granted) if granted.count(p) > 1):
    print(f"deploy/pve-bootstrap: {p} is in two roles")
    bad = 1
if len(named) < 10:
    print("the tables could not be read")
    bad = 1
sys.exit(bad)
