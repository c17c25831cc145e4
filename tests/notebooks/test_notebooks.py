"""The notebooks run from top to bottom, on small data, and are what their paired scripts say."""

import contextlib
from dataclasses import asdict
from pathlib import Path

import jupytext
import nbformat
import pytest
from nbclient import NotebookClient

from tenfold.hpc.ranks import Ranks
from tenfold.pipelines.acceptance.validate import validate_massmaps
from tenfold.pipelines.config import load
from tenfold.pipelines.errors import InputError
from tenfold.pipelines.studies.chemistry_config import ChemistryRun
from tenfold.pipelines.studies.cosmology_config import CosmologyRun
from tenfold.pipelines.studies.massmaps_config import MassMapsRun

pytestmark = pytest.mark.slow

NOTEBOOKS = Path(__file__).parents[2] / "notebooks"
SMALL = {
    "01_reading_the_universe": "OUT = {out!r}\nBOXES = 24\nPARTICLES = 32\nEPOCHS = 2\n",
    "02_molecules": "OUT = {out!r}\nMOLECULES = 60\nEPOCHS = 2\n",
    "03_mass_maps": (
        "STUDY = 'none'\nOUT = {out!r}\nCOSMOLOGIES = 14\nMAPS = 8\nPIXELS = 32\nEPOCHS = 2\nMATCHING_STEPS = 16\n"
    ),
    "04_what_the_network_sees": (
        "MAPS_OUT = {out!r} + '/maps'\nBOXES_OUT = {out!r} + '/boxes'\n"
        "MAPS_SETTINGS = ('simulation.count=4', 'simulation.maps=4', 'simulation.particles=32', 'simulation.plane=128',"
        " 'simulation.pixels=32', 'simulation.processes=1', 'ingest.processes=1', 'estimator.size=32',"
        " 'estimator_training.epochs=2')\n"
        "BOXES_SETTINGS = ('simulation.count=7', 'simulation.particles=32', 'simulation.grid=32',"
        " 'simulation.box_mpc_h=64.0', 'simulation.processes=1', 'ingest.processes=1', 'network.size=32',"
        " 'training.epochs=2')\n"
    ),
}


def parameters_of(notebook):
    """The cell of a notebook that says what is made, and where."""
    (parameters,) = [cell for cell in notebook.cells if "parameters" in cell.metadata.get("tags", [])]
    return parameters


@pytest.mark.parametrize("name", sorted(path.stem for path in NOTEBOOKS.glob("*.py")))
def test_notebook_runs_on_small_data(name, tmp_path):
    notebook = jupytext.read(NOTEBOOKS / f"{name}.py")
    parameters_of(notebook).source = SMALL[name].format(out=str(tmp_path / "out"))
    NotebookClient(notebook, timeout=600, kernel_name="python3", resources={"metadata": {"path": tmp_path}}).execute()
    figures = [
        output
        for cell in notebook.cells
        if cell.cell_type == "code"
        for output in cell.outputs
        if "image/png" in output.get("data", {})
    ]
    assert len(figures) >= 3
    if name == "03_mass_maps":
        _, assessment = validate_massmaps(tmp_path / "out" / "network", tmp_path / "page")
        printed = "".join(output.get("text", "") for cell in notebook.cells for output in cell.get("outputs", []))
        assert f"\nfailed: {', '.join(assessment.failed) or 'none'}\n" in printed
        assert f"\nundecided: {', '.join(assessment.undecided) or 'none'}\n" in printed
        assert f"{assessment.favourable} of {len(assessment.verdicts)} verdicts" in printed


@pytest.mark.parametrize("name", sorted(path.stem for path in NOTEBOOKS.glob("*.py")))
def test_a_notebook_equals_its_script(name):
    script = jupytext.read(NOTEBOOKS / f"{name}.py")
    notebook = nbformat.read(NOTEBOOKS / f"{name}.ipynb", as_version=4)
    assert [cell.source for cell in notebook.cells] == [cell.source for cell in script.cells]


def test_the_saliency_notebook_reuses_the_folders_of_the_demo(tmp_path, monkeypatch):
    """Only then is nothing made again in the folders of the demo."""
    calls = []
    for made_by in (
        "simulation.lensing.simulate.simulate_massmaps", "volumes.maps.ingest_massmaps",
        "simulation.simulate.simulate_volumes", "volumes.ingest.ingest_volumes", "estimator.train.train_estimator",
    ):  # fmt: skip
        monkeypatch.setattr(f"tenfold.pipelines.{made_by}", lambda *args, views=0, **_: calls.append((*args, views)))
    here = tmp_path / "notebooks"
    here.mkdir()
    monkeypatch.chdir(here)
    scope = {}
    for cell in jupytext.read(NOTEBOOKS / "04_what_the_network_sees.py").cells:
        if cell.cell_type == "code":
            with contextlib.suppress(InputError, NameError):  # nothing was made that could be shown
                exec(cell.source, scope)
    maps, boxes = load(MassMapsRun, preset="demo"), load(CosmologyRun, preset="demo")
    trained, demo, alone = maps.map_estimator, Path("../runs/demo"), Ranks()
    expected = []
    for folder, raw, simulation, ingest, study in (
        (demo / "massmaps", "maps", maps.simulation, maps.ingest, trained),
        (demo / "cosmology", "boxes", boxes.simulation, boxes.ingest, boxes),
    ):
        data, estimator = folder / "data", folder / "estimator"
        expected += [
            (simulation, folder / raw, 0), ([folder / raw], data, ingest, 0),
            (data, estimator, study.network, study.training, alone, study.proof.views),
        ]  # fmt: skip
    assert calls == expected


@pytest.mark.parametrize(
    ("name", "kind", "sizes"),
    [
        ("01_reading_the_universe", CosmologyRun, {"BOXES": "simulation.count", "EPOCHS": "training.epochs"}),
        ("02_molecules", ChemistryRun, {"MOLECULES": "labels.count", "EPOCHS": "training.epochs"}),
        ("03_mass_maps", MassMapsRun, {"COSMOLOGIES": "simulation.count", "MAPS": "simulation.maps"}),
    ],
)
def test_data_made_by_a_notebook_are_smaller_than_those_of_the_demo(name, kind, sizes):
    made: dict = {}
    exec(parameters_of(jupytext.read(NOTEBOOKS / f"{name}.py")).source, made)
    demo = asdict(load(kind, preset="demo"))
    for parameter, key in sizes.items():
        section, field = key.split(".")
        assert made[parameter] < demo[section][field]
    assert made.get("STUDY", "../runs/demo/massmaps") == "../runs/demo/massmaps"
