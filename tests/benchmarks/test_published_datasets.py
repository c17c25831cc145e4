"""Ingest of complete published data sets: labels, units, structures and the number of unreadable molecules.

The files are read from the folder TENFOLD_CHEMISTRY_DATA.
"""

import csv
import time
from collections import Counter

import numpy as np
import pytest
from rdkit import Chem
from tests.formats.molecules import rejected

from tenfold.pipelines.molecules.ingest import MoleculeIngest, ingest_molecules
from tenfold.pipelines.molecules.shards import MoleculeShards
from tenfold.pipelines.molecules.units import conversion_factor
from tenfold.pipelines.readers.qm9_xyz import FREE_ATOM_ENERGIES, PROPERTY_NAMES, UNITS

TOX21 = (
    "NR-AR", "NR-AR-LBD", "NR-AhR", "NR-Aromatase", "NR-ER", "NR-ER-LBD", "NR-PPAR-gamma", "SR-ARE", "SR-ATAD5",
    "SR-HSE", "SR-MMP", "SR-p53",
)  # fmt: skip

pytestmark = pytest.mark.benchmark


def ingested(paths, out, **config):
    start = time.perf_counter()
    summary = ingest_molecules(paths, out, MoleculeIngest(**config))
    print(f"\n{summary}\n{time.perf_counter() - start:.0f} s")
    return MoleculeShards.open(out)


def test_tox21_loses_the_eight_molecules_that_rdkit_cannot_read(chemistry_data, tmp_path):
    shards = ingested([chemistry_data / "tox21.csv.gz"], tmp_path / "data", targets=TOX21, split="scaffold")
    assert len(shards) == 8006
    rejected_rows = rejected(tmp_path / "data")
    assert len(rejected_rows) == 8
    assert all("Al" in text and "valence" in reason for _, _, text, reason in rejected_rows)
    assert {target.kind for target in shards.manifest.targets} == {"classification"}


def test_atomisation_energies_are_total_energies_minus_free_atom_energies(chemistry_data):
    with (chemistry_data / "micro_qm9.csv").open(newline="") as opened:
        rows = list(csv.DictReader(opened))
    for name, free in FREE_ATOM_ENERGIES.items():
        derived, published = [], []
        for row in rows:
            mol = Chem.AddHs(Chem.MolFromSmiles(row["smiles"]))
            atoms = Counter(atom.GetSymbol() for atom in mol.GetAtoms())
            bound = float(row[name]) - sum(free[symbol] * count for symbol, count in atoms.items())
            derived.append(bound * conversion_factor("Ha", "kcal/mol", name))
            published.append(float(row[f"{name}_atom"]))
        np.testing.assert_allclose(derived, published, rtol=1e-6)


def test_qm9_molecules_have_equal_labels_in_csv_and_sdf(chemistry_data, tmp_path):
    targets = (*PROPERTY_NAMES, "u0_atom")
    units = {"gap": "eV", "u0_atom": "eV"}
    table = ingested([chemistry_data / "micro_qm9.csv"], tmp_path / "table", targets=targets, units=units)
    sdf = ingested(
        [chemistry_data / "qm9_mini.sdf"],
        tmp_path / "sdf",
        targets=targets,
        units=units,
        geometry="given",
        hydrogens=True,
    )
    assert {target.name: target.unit for target in sdf.manifest.targets} == {
        name: units.get(name, UNITS[name]) for name in targets
    }
    by_key = dict(zip(table.inchikeys(range(len(table))), table.targets(range(len(table))), strict=True))
    shared = [n for n, key in enumerate(sdf.inchikeys(range(len(sdf)))) if key in by_key]
    assert len(shared) >= 3
    for n in shared:
        np.testing.assert_allclose(sdf.targets([n])[0], by_key[sdf.inchikeys([n])[0]], rtol=1e-6)


def test_qm7_has_bonds_for_every_molecule(chemistry_data, tmp_path):
    config = {
        "labels": str(chemistry_data / "hof_qm7.txt"),
        "targets": ("column_2",),
        "units": {"column_2": "kcal/mol"},
    }
    shards = ingested(
        [chemistry_data / "qm7_xyz.tar.gz"],
        tmp_path / "data",
        geometry="given",
        hydrogens=True,
        features="gilmer",
        **config,
    )
    assert (len(shards), shards.manifest.rejected) == (7101, 0)
    graphs = shards.graphs(range(len(shards)))
    bonded_atoms = graphs.bonds + np.repeat(graphs.atom_offsets[:-1], np.diff(graphs.bond_offsets))[:, None]
    bond_lengths = np.linalg.norm(np.diff(graphs.positions[bonded_atoms], axis=1), axis=-1)
    assert 0.7 < bond_lengths.min() < bond_lengths.max() < 2.3
    hydrogen = graphs.atoms[:, 0] == 0
    degree = np.bincount(bonded_atoms.reshape(-1), minlength=len(hydrogen))
    assert (degree[hydrogen] == 1).all()
