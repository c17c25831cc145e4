"""What MkDocs cannot do alone: pages from files outside docs/, links to them, and the drawing of the rooms.

The pages in docs/ are plain Markdown that a forge can show. Links from them to other files of the repository are
rewritten here to the pages of the site, or to plain text where the site has no such page.
"""

import os
import posixpath
import re
from pathlib import Path
from typing import Any

from drawing import draw
from mkdocs.structure.files import File, Files
from notebook_pages import notebook_page

ROOT = Path(__file__).parents[1]
OUTSIDE = {"README.md": "index.md", "CHANGELOG.md": "changelog.md", "CONTRIBUTING.md": "contributing.md",
           "hpc/README.md": "hpc.md"}  # fmt: skip
"""Pages of the site by their file in the repository."""
LINK = re.compile(r"(!?)\[([^\]\n]*(?:\n[^\]\n]*)?)\]\(([^)\s]+)\)")
MERMAID = re.compile(r"```mermaid\n(.*?)```", re.DOTALL)


def on_files(files: Files, config: Any) -> Files:
    """Add the pages that are made of files outside docs/."""
    for source, page in OUTSIDE.items():
        if page != "index.md":
            files.append(File.generated(config, page, content=relinked((ROOT / source).read_text("utf-8"), source)))
    for script in sorted((ROOT / "notebooks").glob("*.py")):
        text, figures = notebook_page(script)
        files.append(File.generated(config, f"notebooks/{script.stem}.md", content=text))
        for name, content in figures.items():
            files.append(File.generated(config, f"notebooks/{name}", content=content))
    return files


def on_page_markdown(markdown: str, page: Any, **_: Any) -> str:
    """Rewrite links to files outside docs/, and draw the diagram."""
    if page.file.generated_by is None:
        markdown = relinked(markdown, f"docs/{page.file.src_uri}")
    return MERMAID.sub(lambda found: draw(found[1]), markdown)


def relinked(markdown: str, source: str) -> str:
    """Rewrite the links of a file of the repository so that they hold on the site."""
    page = OUTSIDE.get(source, source.removeprefix("docs/"))

    def rewritten(found: re.Match) -> str:
        image, text, link = found.groups()
        path, hash_, anchor = link.partition("#")
        if not path or re.match(r"[a-z]+:", link):
            return found[0]
        target = posixpath.normpath(posixpath.join(posixpath.dirname(source), path))
        if target.startswith("docs/"):
            target = target.removeprefix("docs/")
        elif re.fullmatch(r"notebooks/\w+\.ipynb", target):
            target = target.replace(".ipynb", ".md")
        elif target in OUTSIDE:
            target = OUTSIDE[target]
        elif (ROOT / target).exists():
            return text if text.startswith("`") else f"`{target}`" if text == path else f"{text} (`{target}`)"
        return f"{image}[{text}]({os.path.relpath(target, posixpath.dirname(page) or '.')}{hash_}{anchor})"

    return LINK.sub(rewritten, markdown)
