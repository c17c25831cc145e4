"""Notebooks as pages: executed in build/notebooks by `make notebooks`, converted to Markdown with their figures.

    python docs/notebook_pages.py

executes the notebooks, with the sizes in SIZES, so that all of them take a few minutes. Those that read a finished
study in runs/demo (`make demo`) read it. A notebook that was not executed is shown without output.
"""

import re
from pathlib import Path

import jupytext
import nbformat
from nbclient import NotebookClient
from nbconvert import MarkdownExporter

ROOT = Path(__file__).parents[1]
EXECUTED = ROOT / "build" / "notebooks"
DEMO, DEMO_STUDIES = ROOT / "runs" / "demo", ("cosmology", "massmaps")
SIZES = {
    "01_reading_the_universe": 'OUT = "../build/notebooks/boxes"\nBOXES = 96\nPARTICLES = 32\nEPOCHS = 30\n',
    "02_molecules": 'OUT = "../build/notebooks/molecules"\nMOLECULES = 400\nEPOCHS = 20\n',
    "03_mass_maps": (
        'STUDY = "../runs/demo/massmaps"  # read if finished\nOUT = "../build/notebooks/maps"  # computed otherwise\n'
        "COSMOLOGIES = 20\nMAPS = 24\nPIXELS = 32\nEPOCHS = 4\n"
    ),
    "04_what_the_network_sees": (
        'MAPS_OUT = "../build/notebooks/attribution/maps"\nBOXES_OUT = "../build/notebooks/attribution/boxes"\n'
        "MAPS_SETTINGS = (\n"
        '    "simulation.count=16", "simulation.maps=32", "simulation.particles=32", "simulation.plane=128",\n'
        '    "simulation.pixels=32", "estimator.size=32", "estimator_training.epochs=10",\n)\n'
        "BOXES_SETTINGS = (\n"
        '    "simulation.count=96", "simulation.particles=32", "simulation.grid=32", "simulation.box_mpc_h=64.0",\n'
        '    "network.size=32", "training.epochs=20",\n)\n'
    ),
}
"""Cell of parameters of each notebook in the documentation."""


def execute(script: Path) -> Path:
    """Execute a notebook in its own folder; return the executed copy, or the one that is there if it is up to date."""
    executed = EXECUTED / f"{script.stem}.ipynb"
    changed = max(source.stat().st_mtime for source in (script, Path(__file__)))
    if executed.exists() and executed.stat().st_mtime > changed:
        return executed
    notebook = jupytext.read(script)
    if not (script.stem.startswith("04") and all((DEMO / study / "report.html").exists() for study in DEMO_STUDIES)):
        (parameters,) = [cell for cell in notebook.cells if "parameters" in cell.metadata.get("tags", [])]
        parameters.source = SIZES[script.stem].rstrip()
    here = {"metadata": {"path": script.parent}}
    NotebookClient(notebook, timeout=None, kernel_name="python3", resources=here).execute()
    EXECUTED.mkdir(parents=True, exist_ok=True)
    nbformat.write(notebook, executed)
    return executed


def notebook_page(script: Path) -> tuple[str, dict[str, bytes]]:
    """Return a notebook as Markdown, and its figures by file name."""
    executed = EXECUTED / f"{script.stem}.ipynb"
    notebook = nbformat.read(executed, as_version=4) if executed.exists() else jupytext.read(script)
    for cell in notebook.cells:  # messages of TensorFlow about the machine
        if cell.cell_type == "code":
            cell.outputs = [output for output in cell.outputs if output.get("name") != "stderr"]
    notebook.metadata["language_info"] = {"name": "python"}
    exporter = MarkdownExporter()
    text, resources = exporter.from_notebook_node(
        notebook, resources={"unique_key": script.stem, "output_files_dir": "."}
    )
    text = re.sub(r"!\[(?:png|svg)\]\(\./", "![figure](", text)
    note = f"*`notebooks/{script.stem}.ipynb`"
    note += (
        ", executed with the sizes shown below.*"
        if executed.exists()
        else ", not executed in this build: `make notebooks` adds its figures.*"
    )
    title, _, rest = text.lstrip().partition("\n")
    return f"{title}\n\n{note}\n{rest}", {Path(name).name: data for name, data in resources["outputs"].items()}


if __name__ == "__main__":
    for notebook in sorted((ROOT / "notebooks").glob("*.py")):
        execute(notebook)
