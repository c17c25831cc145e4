"""What the cells of a target's column hold, and what a target means physically."""

import dataclasses

import numpy as np
import pytest
from tests.formats.molecules import HERE, SMILES, rejected, write_csv

from tenfold.pipelines.errors import InputError
from tenfold.pipelines.molecules.cells import UnusableLabelError, parse_label
from tenfold.pipelines.molecules.classes import Classes
from tenfold.pipelines.molecules.ingest import ingest_molecules
from tenfold.pipelines.molecules.manifest import MoleculeManifest
from tenfold.pipelines.molecules.properties import infer_property
from tenfold.pipelines.molecules.shards import MoleculeShards
from tenfold.pipelines.molecules.units import canonical_unit, check_unit, conversion_factor

TRAIN = dataclasses.replace(HERE, fractions=(1, 0, 0))
NUMBERS = Classes(())


@pytest.mark.parametrize(
    ("cell", "reason"),
    [
        ("<5", "is a bound, not a value (censored)"),
        (">= 10", "is a bound, not a value (censored)"),
        ("≤3", "is a bound, not a value (censored)"),
        ("~3", "is approximate, not a value"),
        ("5±1", "is a value with its error"),
        ("5 +/- 1", "is a value with its error"),
        ("high", "is no number"),
        ("1_0", "is no number"),
        ("1,5", "is no number"),
        ("inf", "is not finite"),
        ("1e999", "is not finite"),
    ],
)
def test_cells_that_hold_no_label_say_what_they_hold(cell, reason):
    with pytest.raises(UnusableLabelError) as found:
        parse_label(cell, NUMBERS)
    assert (found.value.text, found.value.reason) == (cell, reason)


def test_numbers_and_missing_labels():
    assert [parse_label(cell, NUMBERS) for cell in (" 1.5 ", "-2e-3", "+.5", "7.")] == [1.5, -2e-3, 0.5, 7]
    assert all(np.isnan(parse_label(cell, NUMBERS)) for cell in ("", " ", "NA", "nan", "None"))


def test_a_bad_cell_leaves_the_rows_other_labels(tmp_path):
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
    assert [(each.target, each.count, each.reason) for each in summary.blanked] == [
        ("y", 2, "is a bound, not a value (censored)"),
        ("y", 1, "is approximate, not a value"),
        ("y", 1, "is a value with its error"),
        ("y", 1, "is no number"),
    ]
    assert f"y: 2 cells are left out as missing: {table}, line 4: '<5' is a bound, not a value (censored)." in str(
        summary
    )
    (tmp_path / "data" / "molecules_00000.h5").unlink()
    assert ingest_molecules([table], tmp_path / "data", config).blanked == summary.blanked


def test_a_row_without_any_usable_label_is_rejected(tmp_path):
    rows = [(smiles, n) for n, smiles in enumerate(SMILES)] + [("CCF", "<5"), ("CCBr", "<6")]
    summary = ingest_molecules([write_csv(tmp_path / "m.csv", rows)], tmp_path / "data", TRAIN)
    assert [reason for *_, reason in rejected(tmp_path / "data")] == [
        "y: '<5' is a bound, not a value (censored)", "y: '<6' is a bound, not a value (censored)",
    ]  # fmt: skip
    assert summary.reasons == {"y: a cell is a bound, not a value (censored)": 2}


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
def test_a_target_is_what_its_name_unit_and_sign_agree_on(name, unit, smallest, physical):
    found, said = infer_property(name, unit, smallest)
    assert found == physical
    assert bool(said) == (physical == "other" and name != "homo")


def ingested(tmp_path, values, **change):
    name = change["targets"][0]
    table = write_csv(tmp_path / "m.csv", list(zip(SMILES, values, strict=True)), ("smiles", name))
    summary = ingest_molecules([table], tmp_path / "data", dataclasses.replace(TRAIN, **change))
    return summary.targets[0].physical, summary.doubts


def test_mu_is_a_dipole_by_its_unit_or_if_said_and_never_if_negative(tmp_path):
    values = [0.1 * n for n in range(len(SMILES))]
    for n, (change, physical, said) in enumerate([
        ({"units": {"mu": "D"}}, "dipole", False), ({}, "other", True),
        ({"properties": {"mu": "other"}}, "other", False),
        ({"properties": {"mu": "dipole"}}, "dipole", False), ({"units": {"mu": "cP"}}, "other", True),
    ]):  # fmt: skip
        (tmp_path / str(n)).mkdir()
        found, doubts = ingested(tmp_path / str(n), values, targets=("mu",), **change)
        assert (found, any("not taken for the length of a dipole moment" in each for each in doubts)) == (
            physical,
            said,
        )
    signed = [0.1 * n - 1 for n in range(len(SMILES))]
    (tmp_path / "signed").mkdir()
    found, doubts = ingested(tmp_path / "signed", signed, targets=("mu",), units={"mu": "D"})
    assert found == "other"
    assert "because it has the label -1." in doubts[0]
    with pytest.raises(InputError, match="target mu: is to be the length of a dipole moment, and has the label -1"):
        ingested(tmp_path, signed, targets=("mu",), properties={"mu": "dipole"})


def test_an_energy_grows_with_the_molecule_by_name_and_unit_or_if_said(tmp_path):
    values = [-10.0 * n - 1 for n in range(len(SMILES))]
    for n, (name, change, physical) in enumerate([
        ("u0", {"units": {"u0": "hartree"}}, "extensive"), ("u0", {}, "other"),
        ("E", {"properties": {"E": "extensive"}}, "extensive"), ("E", {"extensive": ("E",)}, "extensive"),
    ]):  # fmt: skip
        (tmp_path / str(n)).mkdir()
        assert ingested(tmp_path / str(n), values, targets=(name,), **change)[0] == physical


@pytest.mark.parametrize(("unit", "meant"), [("kcal", "kcal/mol"), ("kJ", "kJ/mol"), ("MeV", "meV"), ("a.u.", "Ha, D")])
def test_a_unit_that_may_mean_another_is_asked_about(unit, meant):
    with pytest.raises(ValueError, match=f"units: y is given in '{unit}'; is {meant}.* meant"):
        dataclasses.replace(HERE, units={"y": unit})


def test_units_have_one_spelling():
    assert [canonical_unit(unit) for unit in ("hartree", "EV", "Debye", "kJ mol-1", "meV", "log mol/L")] == [
        "Ha", "eV", "D", "kJ/mol", "meV", "log mol/L",
    ]  # fmt: skip
    assert conversion_factor("kcal mol-1", "ev", "y") == pytest.approx(0.0433641153, rel=1e-8)
    check_unit("log mol/L", "y")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"properties": {"y": "vector"}}, "properties: found 'vector', valid are dipole, extensive, other"),
        ({"properties": {"z": "dipole"}}, "found 'z', none of the targets"),
        ({"properties": {"y": "other"}, "extensive": ("y",)}, "properties: found 'other' for y, which extensive names"),
    ],
)
def test_properties_that_cannot_be_are_refused(change, message):
    with pytest.raises(ValueError, match=message):
        dataclasses.replace(HERE, **change)
