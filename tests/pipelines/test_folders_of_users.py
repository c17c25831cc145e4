"""No command modifies files of the user in an output folder; the refusal names them."""

import shutil

import pytest
from tests.formats.ingested import HERE, boxes
from tests.formats.molecules import CONFIG as MOLECULES
from tests.formats.molecules import write_table

from tenfold.pipelines.errors import InputError
from tenfold.pipelines.labels.dft_check import run_dft_check
from tenfold.pipelines.labels.labels import Labelling, label_molecules
from tenfold.pipelines.molecules.ingest import ingest_molecules
from tenfold.pipelines.simulation.config import Simulation
from tenfold.pipelines.simulation.lensing.config import MassMaps
from tenfold.pipelines.simulation.lensing.simulate import simulate_massmaps
from tenfold.pipelines.simulation.simulate import simulate_volumes
from tenfold.pipelines.storage.output_folder import RECORD
from tenfold.pipelines.studies.stages import Stage, run_stages
from tenfold.pipelines.training.run_folder import RunFolder
from tenfold.pipelines.volumes.ingest import ingest_volumes


@pytest.fixture(scope="module")
def sources(tmp_path_factory):
    folder = tmp_path_factory.mktemp("sources")
    boxes(folder / "boxes", 4)
    write_table(folder / "m.csv")
    return folder


COMMANDS = {
    "volumes": lambda sources, out: ingest_volumes([sources / "boxes"], out, HERE),
    "molecules": lambda sources, out: ingest_molecules([sources / "m.csv"], out, MOLECULES),
    "boxes": lambda _, out: simulate_volumes(Simulation(count=1, processes=1), out),
    "maps": lambda _, out: simulate_massmaps(MassMaps(count=1, processes=1), out),
    "labels": lambda _, out: label_molecules(Labelling(count=1, processes=1), out),
    "training": lambda _, out: RunFolder(out).create(),
    "study": lambda _, out: run_stages(out, [Stage("train", lambda: None, out / "network")]),
    "dft": lambda _, out: run_dft_check(["C"], out, seed=0, processes=1),
}
ALONE = ("volumes", "molecules", "boxes", "maps", "labels")


@pytest.mark.parametrize("command", ALONE)
@pytest.mark.parametrize(
    "name", ["shard_00000.h5", "shard_00007.h5", "molecules_00000.h5", "quarantine.csv", "rejected.csv", "index.h5",
             ".notes.part", ".shard_00000.h5.0123456789ab.part", "thesis.tex", "box_00000.h5", "maps_00000.fits"],
)  # fmt: skip
def test_a_folder_with_anything_of_a_user_is_refused(command, name, sources, tmp_path):
    (tmp_path / name).write_text("mine")
    with pytest.raises(InputError) as caught:
        COMMANDS[command](sources, tmp_path)
    assert name in str(caught.value)
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == {name: "mine"}


@pytest.mark.parametrize(
    ("command", "name"),
    [
        ("training", "config.yaml"), ("training", "run.json"), ("training", "history.csv"),
        ("training", "metrics.json"), ("training", "checkpoints"), ("study", "report.html"),
        ("study", "network.yaml"), ("study", "metrics.json"),
        ("study", "stages.json"), ("dft", "dft.json"),
    ],
)  # fmt: skip
def test_a_file_of_a_user_in_a_folder_that_is_shared_is_not_overwritten(command, name, sources, tmp_path):
    mine = {name: '{"mine": "own"}', "thesis.tex": "mine", ".a.0123456789ab.part": "mine"}
    for file_name, text in mine.items():
        (tmp_path / file_name).write_text(text)
    with pytest.raises(InputError, match=f"{name}: "):
        COMMANDS[command](sources, tmp_path)
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == mine


@pytest.mark.parametrize(("command", "written"), [("training", set()), ("study", {"stages.json"})])
def test_a_shared_folder_with_other_files_is_taken(command, written, sources, tmp_path):
    (tmp_path / "thesis.tex").write_text("mine")
    COMMANDS[command](sources, tmp_path)
    COMMANDS[command](sources, tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {"thesis.tex", RECORD, *written}
    assert (tmp_path / "thesis.tex").read_text() == "mine"


@pytest.mark.parametrize("command", ["volumes", "molecules"])
def test_a_source_whose_name_is_not_in_utf_8_is_named(command, sources, tmp_path):
    folder = tmp_path / "a\udcff"
    shutil.copytree(sources, folder)
    with pytest.raises(InputError, match=r"its name is not in UTF-8"):
        COMMANDS[command](folder, tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("command", ["volumes", "molecules"])
def test_shards_of_an_earlier_version_are_taken_up_and_only_they_are_removed(command, sources, tmp_path):
    out = tmp_path / "data"
    COMMANDS[command](sources, out)
    before = {path.name: path.read_bytes() for path in out.iterdir()}
    (out / RECORD).unlink()
    shard = next(path for path in sorted(out.iterdir()) if path.name.endswith("_00000.h5"))
    shard.unlink()
    COMMANDS[command](sources, out)
    assert {path.name: path.read_bytes() for path in out.iterdir()} == before
    (out / "shard_00099.h5").write_text("mine")
    with pytest.raises(InputError, match=r"shard_00099.h5"):
        COMMANDS[command](sources, out)
    assert (out / "shard_00099.h5").read_text() == "mine"
