import csv
import json
import os
import re
import shutil
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from rdkit import Chem

from tenfold.pipelines.errors import InputError
from tenfold.pipelines.labels.gfn2 import calculate_gfn2
from tenfold.pipelines.labels.labelled_molecule import LabelledMolecule, UnlabelledMolecule, label_molecule
from tenfold.pipelines.labels.labels import UNITS, Labelling, label_molecules
from tenfold.pipelines.molecules.config import MoleculeIngest
from tenfold.pipelines.molecules.ingest import ingest_molecules
from tenfold.pipelines.molecules.shards import MoleculeShards

pytestmark = pytest.mark.slow

FEW = Labelling(count=10, seed=5, kind="qm9", molecules_per_file=4, processes=1)


def bytes_of(folder: Path) -> dict[str, bytes]:
    """Content of all files except the logs, which hold run times."""
    files = [path for path in sorted(folder.rglob("*")) if path.is_file() and path.parent.name != "log"]
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


def frames(folder: Path) -> list[list[str]]:
    xyz_frames = []
    for path in sorted((folder / "structures").glob("*.xyz")):
        lines = path.read_text().splitlines()
        while lines:
            size = int(lines[0]) + 2
            xyz_frames.append(lines[:size])
            lines = lines[size:]
    return xyz_frames


def properties_of(comment: str) -> dict[str, float]:
    return {name: float(value) for name, value in re.findall(r"(\w+)=(-?[\d.]+)(?= )", comment)}


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("labels") / "few"
    summary = label_molecules(FEW, folder)
    assert (summary.labelled + summary.unlabelled, summary.made) == (10, 3)
    return folder


def test_a_frame_holds_the_properties_of_its_positions(folder):
    size, comment, *atoms = frames(folder)[3]
    assert int(size) == len(atoms)
    symbols = [line.split()[0] for line in atoms]
    numbers = np.array([Chem.GetPeriodicTable().GetAtomicNumber(symbol) for symbol in symbols])
    properties = calculate_gfn2(numbers, np.array([line.split()[1:] for line in atoms], float))
    message = properties_of(comment)
    assert set(message) == set(UNITS)
    for name, value in vars(properties).items():
        assert message[name] == pytest.approx(value, abs=1e-4), name


def test_atoms_are_in_the_order_of_the_smiles_with_its_stereochemistry(folder):
    for _, comment, *atoms in frames(folder):
        smiles = re.search('smiles="([^"]*)"', comment)
        assert smiles is not None
        mol = Chem.AddHs(Chem.MolFromSmiles(smiles[1]))
        assert [atom.GetSymbol() for atom in mol.GetAtoms()] == [line.split()[0] for line in atoms]
        assert "?" not in {centre for _, centre in Chem.FindMolChiralCenters(mol, includeUnassigned=True)}
        conformer = Chem.Conformer(len(atoms))
        conformer.SetPositions(np.array([line.split()[1:] for line in atoms], float))
        mol.AddConformer(conformer)
        Chem.AssignStereochemistryFrom3D(mol)
        assert Chem.CanonSmiles(smiles[1]) == Chem.MolToSmiles(Chem.RemoveHs(mol))


def test_the_ingest_reads_every_molecule_and_label(folder, tmp_path):
    config = MoleculeIngest(
        targets=tuple(UNITS), units=UNITS, features="gilmer", hydrogens=True, geometry="given", processes=1
    )
    ingest_molecules([folder / "structures"], tmp_path / "data", config)
    with MoleculeShards.open(tmp_path / "data") as shards:
        every = np.arange(len(shards))
        labels = dict(zip(shards.smiles(every), shards.targets(every), strict=True))
    comments = [comment for _, comment, *_ in frames(folder)]
    assert len(labels) == len(comments)
    for comment in comments:
        message = properties_of(comment)
        np.testing.assert_allclose(labels[comment.split('"')[1]], [message[name] for name in UNITS])


def test_smiles_avoid_backslashes_which_xyz_readers_interpret_differently():
    cis = label_molecule(r"CCC/C=C\CF", level="gfn2", relax=False, seed=1)
    assert isinstance(cis, LabelledMolecule)
    assert "\\" not in cis.smiles
    assert Chem.CanonSmiles(cis.smiles) == Chem.CanonSmiles(r"CCC/C=C\CF")


def test_a_second_run_writes_nothing_and_a_larger_count_adds_files(folder, tmp_path):
    before = {path: path.stat().st_mtime_ns for path in (folder / "structures").iterdir()}
    again = label_molecules(FEW, folder)
    assert again.made == 0
    assert before == {path: path.stat().st_mtime_ns for path in (folder / "structures").iterdir()}
    label_molecules(replace(FEW, count=6), tmp_path / "grown")
    assert label_molecules(FEW, tmp_path / "grown").made == 2
    assert bytes_of(tmp_path / "grown") == bytes_of(folder)


KILLED = """
import os, signal, sys
from tenfold.pipelines.files import atomic as files
from tenfold.pipelines.labels import labels
left = int(sys.argv[2])
whole = files.Path.replace
def replace(self, target):
    global left
    left -= target.suffix in (".xyz", ".json") and target.name not in ("labels.json", ".tenfold.json")
    if left < 0:
        os.kill(os.getpid(), signal.SIGKILL)
    return whole(self, target)
files.Path.replace = replace
labels.label_molecules(labels.Labelling(count=10, seed=5, kind="qm9", molecules_per_file=4, processes=1), sys.argv[1])
"""


@pytest.mark.parametrize(("files", "left"), [(1, 3), (4, 1)])
def test_a_killed_run_is_resumed(folder, tmp_path, files, left):
    killed = subprocess.run([sys.executable, "-c", KILLED, tmp_path / "killed", str(files)], check=False)
    assert killed.returncode == -signal.SIGKILL
    assert label_molecules(FEW, tmp_path / "killed").made == left
    assert bytes_of(tmp_path / "killed") == bytes_of(folder)


def crashing(smiles: str, **_) -> UnlabelledMolecule:
    if smiles == "stuck":
        os.kill(os.getpid(), signal.SIGALRM)
    if smiles == "crash":
        os.kill(os.getpid(), signal.SIGSEGV)
    return UnlabelledMolecule(smiles=smiles, reason="not tried")


def test_failed_molecules_are_listed_with_their_reasons(tmp_path, monkeypatch):
    monkeypatch.setattr("tenfold.pipelines.labels.labels.enumerate_molecules", lambda *_: ["C", "crash", "stuck", "N"])
    monkeypatch.setattr("tenfold.pipelines.labels.labels.label_molecule", crashing)
    summary = label_molecules(replace(FEW, count=4), tmp_path / "out")
    assert (summary.labelled, summary.unlabelled) == (0, 4)
    rows = (tmp_path / "out" / "unlabelled.csv").read_text().splitlines()
    assert list(csv.reader(rows)) == [
        ["smiles", "reason"],
        ["C", "not tried"],
        ["crash", "crashed the process"],
        ["stuck", "did not end within 60 s"],
        ["N", "not tried"],
    ]


def test_reasons_name_the_problem():
    closed = label_molecule("[O][O]", level="gfn2", relax=False, seed=1)
    assert isinstance(closed, UnlabelledMolecule)
    assert closed.reason == "orbitals are partially occupied: the HOMO-LUMO gap is closed"
    unknown = label_molecule("C[Hg]C", level="gfn2", relax=False, seed=1)
    assert unknown == UnlabelledMolecule(smiles="C[Hg]C", reason="the ground state of element 80 is not tabulated")


def test_relaxation_lowers_the_energy():
    loose, tight = (label_molecule("CC(=O)NC", level="gfn2", relax=relax, seed=1) for relax in (False, True))
    assert isinstance(loose, LabelledMolecule)
    assert isinstance(tight, LabelledMolecule)
    assert 0.01 < tight.properties.atomisation_energy - loose.properties.atomisation_energy < 0.5


def test_a_folder_of_other_labels_is_not_modified(folder):
    before = bytes_of(folder)
    with pytest.raises(InputError, match="holds labels made with seed 5, which is now 6"):
        label_molecules(replace(FEW, seed=6), folder)
    assert bytes_of(folder) == before


def test_labels_of_earlier_versions_are_recognised(folder, tmp_path):
    shutil.copytree(folder, tmp_path / "earlier")
    record = tmp_path / "earlier" / "labels.json"
    content = json.loads(record.read_text())
    content["labels"]["longest_s"] = content["labels"].pop("timeout_s")
    record.write_text(json.dumps(content))
    assert label_molecules(FEW, tmp_path / "earlier").made == 0


def test_parallel_workers_write_the_same_files(folder, tmp_path):
    label_molecules(replace(FEW, processes=2), tmp_path / "two")
    assert bytes_of(tmp_path / "two") == bytes_of(folder)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"count": 0}, "count: found 0, must be at least 1"),
        ({"kind": "zinc"}, "kind: found 'zinc', must be qm9 or druglike or mixed"),
        ({"level": "ccsd"}, "level: found 'ccsd', must be gfn2 or dft"),
        ({"timeout_s": 0.0}, "timeout_s: found 0.0, must be positive"),
    ],
)
def test_invalid_settings_are_refused(change, reason):
    with pytest.raises(ValueError, match=reason):
        replace(FEW, **change)
