"""The notebooks run from top to bottom, on small data, and are what their paired scripts say."""

from pathlib import Path

import jupytext
import nbformat
import pytest
from nbclient import NotebookClient

NOTEBOOKS = Path(__file__).parents[2] / "notebooks"
SMALL = {
    "01_reading_the_universe": "OUT = {out!r}\nBOXES = 24\nPARTICLES = 32\nEPOCHS = 2\n",
    "02_molecules": "OUT = {out!r}\nMOLECULES = 60\nEPOCHS = 2\n",
    "03_mass_maps": ("STUDY = 'none'\nOUT = {out!r}\nCOSMOLOGIES = 14\nMAPS = 8\nPIXELS = 32\nEPOCHS = 2\n"),
    "04_what_the_network_sees": (
        "MAPS_OUT = {out!r} + '/maps'\nBOXES_OUT = {out!r} + '/boxes'\nPARTICLES = 32\nCOSMOLOGIES = 4\nMAPS = 4\n"
        "MAP_EPOCHS = 2\nBOXES = 7\nBOX_EPOCHS = 2\nPROCESSES = 1\n"
    ),
}


@pytest.mark.parametrize("name", sorted(path.stem for path in NOTEBOOKS.glob("*.py")))
def test_notebook_runs_on_small_data(name, tmp_path):
    notebook = jupytext.read(NOTEBOOKS / f"{name}.py")
    (parameters,) = [cell for cell in notebook.cells if "parameters" in cell.metadata.get("tags", [])]
    parameters.source = SMALL[name].format(out=str(tmp_path / "out"))
    NotebookClient(notebook, timeout=600, kernel_name="python3", resources={"metadata": {"path": tmp_path}}).execute()
    pictures = [
        output
        for cell in notebook.cells
        if cell.cell_type == "code"
        for output in cell.outputs
        if "image/png" in output.get("data", {})
    ]
    assert len(pictures) >= 3


@pytest.mark.parametrize("name", sorted(path.stem for path in NOTEBOOKS.glob("*.py")))
def test_notebook_and_script_are_one(name):
    script = jupytext.read(NOTEBOOKS / f"{name}.py")
    notebook = nbformat.read(NOTEBOOKS / f"{name}.ipynb", as_version=4)
    assert [cell.source for cell in notebook.cells] == [cell.source for cell in script.cells]
