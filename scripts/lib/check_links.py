"""Checks the relative links of the Markdown files: the file is there, and so is the heading.

    check_links.py ROOT
"""

import os
import re
import sys
from pathlib import Path
from urllib.parse import unquote

FENCE = re.compile(r"^(```|~~~).*?^\1", re.MULTILINE | re.DOTALL)
CODE = re.compile(r"`[^`\n]*`")
LINK = re.compile(r"!?\[[^\]]*\]\(\s*<?([^)\s>]+)>?[^)]*\)|^\[[^\]]+\]:\s*(\S+)", re.MULTILINE)
HEADING = re.compile(r"^#{1,6}\s+(.+?)\s*#*$", re.MULTILINE)
NOT_OURS = {".git", ".bursar", "target"}
ELSEWHERE = re.compile(r"^[a-z][a-z0-9+.-]*:")


def anchors(text):
    """As forges make them of headings: lower case, punctuation dropped, spaces as hyphens, repeats numbered."""
    seen, found = {}, set()
    for heading in HEADING.findall(FENCE.sub("", text)):
        heading = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading)
        slug = re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")
        count = seen.get(slug, 0)
        seen[slug] = count + 1
        found.add(f"{slug}-{count}" if count else slug)
    return found


def links(text):
    text = FENCE.sub(lambda match: "\n" * match.group().count("\n"), text)
    text = CODE.sub("", text)
    for match in LINK.finditer(text):
        yield match.group(1) or match.group(2), text.count("\n", 0, match.start()) + 1


def wrong(root, file):
    text = file.read_text(encoding="utf-8")
    for link, line in links(text):
        if ELSEWHERE.match(link):
            continue
        path, _, anchor = unquote(link).partition("#")
        target = file if not path else (root / path[1:] if path.startswith("/") else file.parent / path)
        if not target.exists():
            yield f"{file.relative_to(root)}:{line}: {link}: there is no such file"
        elif anchor and target.suffix == ".md" and anchor not in anchors(target.read_text(encoding="utf-8")):
            yield f"{file.relative_to(root)}:{line}: {link}: there is no such heading"


def markdown(root):
    for folder, below, names in os.walk(root):
        below[:] = [name for name in below if name not in NOT_OURS]
        yield from (Path(folder, name) for name in names if name.endswith(".md"))


def main():
    root = Path(sys.argv[1]).resolve()
    files = list(markdown(root))
    problems = [problem for file in sorted(files) for problem in wrong(root, file)]
    print("\n".join(problems) or f"{len(files)} Markdown files: every relative link leads somewhere")
    sys.exit(bool(problems))


if __name__ == "__main__":
    main()
