#!/usr/bin/env python3
"""Relative links of the documents lead somewhere, to a heading too where they name one."""

import re
import sys
from pathlib import Path

tree = Path(sys.argv[1])
bad = 0


def prose(path):
    return re.sub(r"```.*?```", "", path.read_text(encoding="utf-8"), flags=re.S)


def anchors(path):
    """As forges make them of headings: small letters, without marks, blanks as hyphens."""
    seen = {}
    for title in re.findall(r"^#+ +(.*?)\s*$", prose(path), flags=re.M):
        title = re.sub(r"\]\([^)]*\)", "", title)
        slug = re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-")
        n = seen.get(slug, 0)
        seen[slug] = n + 1
        yield f"{slug}-{n}" if n else slug


def check(doc, link):
    if re.match(r"[a-z]+:", link):
        return True
    name, _, anchor = link.partition("#")
    path = (doc.parent / name).resolve() if name else doc
    if not path.exists():
        return "github" in link
    return not anchor or path.suffix != ".md" or anchor in anchors(path)


for doc in [tree / "README.md", *sorted((tree / "docs").rglob("*.md")), *sorted((tree / "tests").glob("*/*.md"))]:
    for target in re.findall(r"\]\(([^)\s]+)\)|src=\"([^\"]+)\"", prose(doc)):
        link = target[0] or target[1]
        if not check(doc, link):
            print(f"{doc.relative_to(tree)}: {link} leads nowhere")
            bad = 1
sys.exit(bad)
