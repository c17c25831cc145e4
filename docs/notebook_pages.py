"""Notebooks as pages: executed in build/notebooks by `make notebooks`, converted to Markdown with their figures.

    python docs/notebook_pages.py

executes all notebooks with the sizes in SIZES. A notebook that was not executed is shown without output.
"""

import re
from pathlib import Path

import jupytext
import nbformat
from nbclient import NotebookClient
from nbconvert import MarkdownExporter

ROOT = Path(__file__).parents[1]
EXECUTED = ROOT / "build" / "notebooks"


def execute(script: Path) -> Path:
    """Execute a notebook in its own folder; return the executed copy, or the one that is there if it is newer."""
    executed = EXECUTED / f"{script.stem}.ipynb"
    if executed.exists() and executed.stat().st_mtime > script.stat().st_mtime:
        return executed
    notebook = jupytext.read(script)
    NotebookClient(
        notebook, timeout=None, kernel_name="python3", resources={"metadata": {"path": script.parent}}
    ).execute()
    EXECUTED.mkdir(parents=True, exist_ok=True)
    nbformat.write(notebook, executed)
    return executed


def notebook_page(script: Path) -> tuple[str, dict[str, bytes]]:
    """Return a notebook as Markdown, and its figures by file name."""
    executed = EXECUTED / f"{script.stem}.ipynb"
    notebook = nbformat.read(executed, as_version=4) if executed.exists() else jupytext.read(script)
    exporter = MarkdownExporter()
    text, resources = exporter.from_notebook_node(
        notebook, resources={"unique_key": script.stem, "output_files_dir": "."}
    )
    text = re.sub(r"!\[(?:png|svg)\]\(\./", "![figure](", text)
    note = f"*This is [the notebook](../../notebooks/{script.stem}.ipynb) `notebooks/{script.stem}.ipynb`"
    note = f"*`notebooks/{script.stem}.ipynb`"
    note += ", executed.*" if executed.exists() else ", not executed in this build: `make notebooks` adds its figures.*"
    title, _, rest = text.lstrip().partition("\n")
    return f"{title}\n\n{note}\n{rest}", {Path(name).name: data for name, data in resources["outputs"].items()}


if __name__ == "__main__":
    for notebook in sorted((ROOT / "notebooks").glob("*.py")):
        execute(notebook)
