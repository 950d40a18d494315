#!/usr/bin/env python3
"""Relative links of the documents lead somewhere."""

import re
import sys
from pathlib import Path

tree = Path(sys.argv[1])
bad = 0
for doc in [tree / "README.md", *sorted((tree / "docs").rglob("*.md")), *sorted((tree / "tests").glob("*/*.md"))]:
    text = re.sub(r"```.*?```", "", doc.read_text(encoding="utf-8"), flags=re.S)
    for target in re.findall(r"\]\(([^)\s]+)\)|src=\"([^\"]+)\"", text):
        link = target[0] or target[1]
        if re.match(r"[a-z]+:", link) or link.startswith("#"):
            continue
        path = (doc.parent / link.split("#")[0]).resolve()
        if not path.exists() and "github" not in link:
            print(f"{doc.relative_to(tree)}: {link} leads nowhere")
            bad = 1
sys.exit(bad)
