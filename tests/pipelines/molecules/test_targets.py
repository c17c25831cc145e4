"""Labels in the cells of a target column, and the physical property of a target."""

import dataclasses

import numpy as np
import pytest
from tests.formats.molecules import CONFIG, SMILES, rejected, write_csv

from tenfold.pipelines.errors import InputError
from tenfold.pipelines.molecules.cells import UnusableLabelError, parse_label
from tenfold.pipelines.molecules.classes import Classes
from tenfold.pipelines.molecules.ingest import ingest_molecules
from tenfold.pipelines.molecules.manifest import MoleculeManifest
from tenfold.pipelines.molecules.properties import infer_property
from tenfold.pipelines.molecules.shards import MoleculeShards
from tenfold.pipelines.molecules.units import canonical_unit, check_unit, conversion_factor

pytestmark = pytest.mark.slow

TRAIN = dataclasses.replace(CONFIG, fractions=(1, 0, 0))
NUMBERS = Classes(())


@pytest.mark.parametrize(
    ("cell", "reason"),
    [
        ("<5", "is a censored value, only a bound"),
        (">= 10", "is a censored value, only a bound"),
        ("≤3", "is a censored value, only a bound"),
        ("~3", "is an approximate value"),
        ("5±1", "is a value with its uncertainty"),
        ("5 +/- 1", "is a value with its uncertainty"),
        ("high", "is not a number"),
        ("1_0", "is not a number"),
        ("1,5", "is not a number"),
        ("inf", "is not finite"),
        ("1e999", "is not finite"),
    ],
)
def test_unusable_cells_give_a_reason(cell, reason):
    with pytest.raises(UnusableLabelError) as error:
        parse_label(cell, NUMBERS)
    assert (error.value.text, error.value.reason) == (cell, reason)


def test_numbers_and_missing_labels_are_parsed():
    assert [parse_label(cell, NUMBERS) for cell in (" 1.5 ", "-2e-3", "+.5", "7.")] == [1.5, -2e-3, 0.5, 7]
    assert all(np.isnan(parse_label(cell, NUMBERS)) for cell in ("", " ", "NA", "nan", "None"))


def test_a_bad_cell_keeps_the_other_labels_of_its_row(tmp_path):
    cells = {2: "<5", 5: ">7.5", 7: "~3", 9: "5±1", 11: "high"}
    rows = [(smiles, cells.get(n, n), -n) for n, smiles in enumerate(SMILES)]
    table = write_csv(tmp_path / "m.csv", rows, ("smiles", "y", "z"))
    config = dataclasses.replace(TRAIN, targets=("y", "z"), records_per_shard=4)
    summary = ingest_molecules([table], tmp_path / "data", config)
    assert (summary.molecules, summary.rejected) == (len(SMILES), 0)
    values = MoleculeShards.open(tmp_path / "data").targets(range(len(SMILES)))
    assert np.flatnonzero(np.isnan(values[:, 0])).tolist() == sorted(cells)
    assert values[:, 1].tolist() == [-n for n in range(len(SMILES))]
    manifest = MoleculeManifest.read(tmp_path / "data" / "manifest.json")
    assert manifest.blanked == summary.blanked
    assert [(blanked.target, blanked.count, blanked.reason) for blanked in summary.blanked] == [
        ("y", 2, "is a censored value, only a bound"),
        ("y", 1, "is an approximate value"),
        ("y", 1, "is a value with its uncertainty"),
        ("y", 1, "is not a number"),
    ]
    assert f"y: 2 cells are treated as missing: {table}, line 4: '<5' is a censored value, only a bound." in str(
        summary
    )
    (tmp_path / "data" / "molecules_00000.h5").unlink()
    assert ingest_molecules([table], tmp_path / "data", config).blanked == summary.blanked


def test_a_row_without_any_usable_label_is_rejected(tmp_path):
    rows = [(smiles, n) for n, smiles in enumerate(SMILES)] + [("CCF", "<5"), ("CCBr", "<6")]
    summary = ingest_molecules([write_csv(tmp_path / "m.csv", rows)], tmp_path / "data", TRAIN)
    assert [reason for *_, reason in rejected(tmp_path / "data")] == [
        "y: '<5' is a censored value, only a bound", "y: '<6' is a censored value, only a bound",
    ]  # fmt: skip
    assert summary.reasons == {"y: a cell is a censored value, only a bound": 2}


@pytest.mark.parametrize(
    ("name", "unit", "smallest", "physical"),
    [
        ("mu", "D", 0, "dipole"), ("Dipole", "e*a0", 1, "dipole"), ("mu", "debye", 0, "dipole"),
        ("mu", "D", -0.1, "other"),
        ("mu", "", 0, "other"), ("mu", "cP", 1, "other"), ("u0", "Ha", -40, "extensive"), ("u0", "", -40, "other"),
        ("h", "cm", 1, "other"), ("heat_of_formation", "kcal/mol", -9, "extensive"), ("alpha", "a0^3", 1, "extensive"),
        ("alpha", "eV", 1, "other"), ("cv", "cal/mol/K", 1, "extensive"), ("homo", "eV", -9, "other"),
    ],
)  # fmt: skip
def test_the_property_follows_from_name_unit_and_sign(name, unit, smallest, physical):
    inferred, warning = infer_property(name, unit, smallest)
    assert inferred == physical
    assert bool(warning) == (physical == "other" and name != "homo")


def ingested(tmp_path, values, **change):
    name = change["targets"][0]
    table = write_csv(tmp_path / "m.csv", list(zip(SMILES, values, strict=True)), ("smiles", name))
    summary = ingest_molecules([table], tmp_path / "data", dataclasses.replace(TRAIN, **change))
    return summary.targets[0].physical, summary.doubts


def test_mu_is_a_dipole_by_unit_or_configuration_and_never_negative(tmp_path):
    values = [0.1 * n for n in range(len(SMILES))]
    for n, (change, physical, warning) in enumerate([
        ({"units": {"mu": "D"}}, "dipole", False), ({}, "other", True),
        ({"properties": {"mu": "other"}}, "other", False),
        ({"properties": {"mu": "dipole"}}, "dipole", False), ({"units": {"mu": "cP"}}, "other", True),
    ]):  # fmt: skip
        (tmp_path / str(n)).mkdir()
        inferred, doubts = ingested(tmp_path / str(n), values, targets=("mu",), **change)
        assert (inferred, any("not treated as the magnitude of a dipole moment" in doubt for doubt in doubts)) == (
            physical,
            warning,
        )
    signed = [0.1 * n - 1 for n in range(len(SMILES))]
    (tmp_path / "signed").mkdir()
    inferred, doubts = ingested(tmp_path / "signed", signed, targets=("mu",), units={"mu": "D"})
    assert inferred == "other"
    assert "because it has the label -1." in doubts[0]
    with pytest.raises(
        InputError, match="target mu: is set to be the magnitude of a dipole moment, but has the label -1"
    ):
        ingested(tmp_path, signed, targets=("mu",), properties={"mu": "dipole"})


def test_an_energy_is_extensive_by_name_and_unit_or_configuration(tmp_path):
    values = [-10.0 * n - 1 for n in range(len(SMILES))]
    for n, (name, change, physical) in enumerate([
        ("u0", {"units": {"u0": "hartree"}}, "extensive"), ("u0", {}, "other"),
        ("E", {"properties": {"E": "extensive"}}, "extensive"), ("E", {"extensive": ("E",)}, "extensive"),
    ]):  # fmt: skip
        (tmp_path / str(n)).mkdir()
        assert ingested(tmp_path / str(n), values, targets=(name,), **change)[0] == physical


@pytest.mark.parametrize(("unit", "meant"), [("kcal", "kcal/mol"), ("kJ", "kJ/mol"), ("MeV", "meV"), ("a.u.", "Ha, D")])
def test_ambiguous_units_are_refused(unit, meant):
    with pytest.raises(ValueError, match=f"units: y is given in '{unit}', which is ambiguous. Is {meant}.* meant"):
        dataclasses.replace(CONFIG, units={"y": unit})


def test_units_have_a_canonical_spelling():
    assert [canonical_unit(unit) for unit in ("hartree", "EV", "Debye", "kJ mol-1", "meV", "log mol/L")] == [
        "Ha", "eV", "D", "kJ/mol", "meV", "log mol/L",
    ]  # fmt: skip
    assert conversion_factor("kcal mol-1", "ev", "y") == pytest.approx(0.0433641153, rel=1e-8)
    check_unit("log mol/L", "y")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"properties": {"y": "vector"}}, "properties: found 'vector', valid are dipole, extensive, other"),
        ({"properties": {"z": "dipole"}}, "found 'z', which is not one of the targets"),
        (
            {"properties": {"y": "other"}, "extensive": ("y",)},
            "properties: found 'other' for y, which is also listed in extensive",
        ),
    ],
)
def test_inconsistent_properties_are_refused(change, message):
    with pytest.raises(ValueError, match=message):
        dataclasses.replace(CONFIG, **change)
