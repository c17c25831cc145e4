import shlex
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits
from tests.formats.camels import rows, write_maps, write_named
from tests.formats.cosmoflow import write_raw, write_split
from tests.formats.molecules import SMILES, write_csv, write_extended_xyz, write_sdf
from tests.formats.plain import write_dataset, write_table
from tests.formats.snapshots import uniform, write_gadget, write_swift
from tests.formats.tables import quijote_rows, write_quijote
from typer.testing import CliRunner

from tenfold.pipelines.cli.main import app
from tenfold.pipelines.errors import InputError
from tenfold.pipelines.inspection.inspect import inspect_file

RNG = np.random.default_rng(0)
CMD = "Maps_Mcdm_IllustrisTNG_LH_z=0.00.npy"


def cosmoflow(folder: Path) -> Path:
    write_raw(folder / "box.h5", 0)
    return folder / "box.h5"


def subvolumes(folder: Path) -> Path:
    write_split(folder / "split.h5", 0)
    return folder / "split.h5"


def cube(folder: Path) -> Path:
    np.save(folder / "box.npy", RNG.normal(size=(8, 8, 8)))
    return folder / "box.npy"


def dataset(folder: Path) -> Path:
    write_dataset(folder / "rho.h5", "fields/rho", RNG.normal(size=(8, 8, 8)), Omega_m=0.3, redshift=0.5, units="delta")
    return folder / "rho.h5"


def lenstools(folder: Path) -> Path:
    header = fits.Header({"ANGLE": 3.5, "OMEGA_M": 0.26, "SIGMA_8": 0.8, "H0": 72.0, "Z": 2.0, "UNIT": "kappa"})
    fits.writeto(folder / "kappa.fits", RNG.normal(size=(8, 8)), header)
    return folder / "kappa.fits"


def bare_fits(folder: Path) -> Path:
    fits.writeto(folder / "map.fits", RNG.normal(size=(8, 8)))
    return folder / "map.fits"


def camels(folder: Path) -> Path:
    write_named(folder, "CosmoAstroSeed_IllustrisTNG_L25n256_LH.txt", rows(4))
    return write_maps(folder, CMD, 4)


def table(folder: Path) -> Path:
    return write_csv(folder / "m.csv", [(smiles, n / 7) for n, smiles in enumerate(SMILES)])


def sdf(folder: Path) -> Path:
    return write_sdf(folder / "m.sdf", SMILES[:4])


@pytest.mark.parametrize(
    ("write", "kind", "facts", "command"),
    [
        (cosmoflow, "1 volume (cosmoflow)", {"shape": "8 × 8 × 8, 2 channels", "type": "int16", "units": "counts"},
         "ingest volumes FILE --out"),
        (subvolumes, "3 volumes (cosmoflow-split)", {"shape": "4 × 4 × 4, 4 channels"}, "ingest volumes FILE --"),
        (cube, "1 volume (npy)", {"not stated": "parameters"},
         "ingest volumes FILE --set ingest.table=PARAMETERS --out"),
        (dataset, "1 volume (hdf5)", {"parameters": "omega_m = 0.3", "redshift": "0.5", "units": "delta"},
         "ingest volumes FILE --set ingest.key=fields/rho --out"),
        (lenstools, "1 map (fits)",
         {"side": "3.5 degrees", "redshift": "2", "parameters": "omega_m = 0.26, sigma_8 = 0.8, h = 0.72"},
         "ingest massmaps FILE --out"),
        (bare_fits, "1 map (fits)", {"not stated": "parameters, unit of the values, side in degrees"},
         "ingest massmaps FILE --set ingest.table=PARAMETERS --set ingest.units=UNIT --set ingest.side_deg=DEGREES"),
        (table, "molecules (table)", {"y": "0 to 3.28571"}, "ingest molecules FILE --target y --out"),
        (sdf, "molecules (sdf)", {"molecules": "4"}, "ingest molecules FILE --target"),
    ],
)  # fmt: skip
def test_a_file_is_named_with_what_it_states_and_the_command_that_ingests_it(tmp_path, write, kind, facts, command):
    path = write(tmp_path)
    found = inspect_file(path)
    assert found.kind == kind
    assert {name: found.facts.get(name) for name in facts} == facts
    assert found.command.replace(str(path), "FILE").startswith(f"tenfold {command}")
    assert not found.problems


def test_snapshots_need_a_mesh_and_a_unit_of_length_that_they_do_not_state(tmp_path):
    types = {1: (uniform(64, 50_000.0), 1.0)}
    write_gadget(tmp_path / "snap.hdf5", types, box=50_000.0)
    write_swift(tmp_path / "swift.hdf5", {1: (uniform(64, 50.0), np.ones(64))}, box=50.0)
    mesh = "mesh to paint the particles on"
    for name, code, lacking in (("snap", "gadget", f"{mesh}, unit of length"), ("swift", "swift", mesh)):
        found = inspect_file(tmp_path / f"{name}.hdf5")
        assert found.kind == f"1 volume ({code})"
        assert found.facts["not stated"] == lacking
        assert "--set ingest.mesh=256" in found.command


FILLED = {"PARAMETERS": "t.csv", "UNIT": "kappa", "DEGREES": "3.5"}


@pytest.mark.parametrize("write", [cosmoflow, subvolumes, cube, dataset, lenstools, bare_fits])
def test_the_command_with_its_words_filled_in_accepts_the_file(tmp_path, monkeypatch, write):
    path = write(tmp_path)
    monkeypatch.chdir(tmp_path)
    write_table(tmp_path / "t.csv", [{"file": path.name, "omega_m": 0.3}])
    command = inspect_file(path).command
    for word, value in FILLED.items():
        command = command.replace(word, value)
    result = CliRunner().invoke(app, [*shlex.split(command)[1:], "--dry-run"])
    assert result.exit_code == 0, result.output
    assert "1 files (0 unusable)" in result.output


def test_maps_of_camels_ask_for_their_parameter_file(tmp_path):
    found = inspect_file(camels(tmp_path))
    assert found.kind == "60 maps (camels)"
    assert "--set ingest.camels_parameters=params_LH_IllustrisTNG.txt" in found.command


def test_tables_of_parameters(tmp_path):
    found = inspect_file(write_quijote(tmp_path / "latin_hypercube_params.txt", quijote_rows(5)))
    assert found.kind == "table of parameters of 5 files or simulations"
    assert found.facts["rows by"].startswith("number, from 0")
    np.save(tmp_path / "label.npy", RNG.uniform(0.2, 0.4, (3, 30, 5)))
    found = inspect_file(tmp_path / "label.npy")
    assert found.facts["rows"].startswith("3 × 30; ")
    assert "ingest.table_columns=[COLUMN_1,COLUMN_2,COLUMN_3,COLUMN_4,COLUMN_5]" in found.command


def test_values_that_an_ingest_would_reject_are_problems(tmp_path):
    values = RNG.normal(size=(8, 8, 8))
    values[1, 2, 3] = np.nan
    np.save(tmp_path / "nan.npy", values)
    assert "1 values are NaN or infinite, the first at (1, 2, 3, 0)" in inspect_file(tmp_path / "nan.npy").problems[0]
    np.save(tmp_path / "constant.npy", np.ones((8, 8, 8)))
    assert inspect_file(tmp_path / "constant.npy").problems == ("every value is 1: a constant field",)


def test_what_cannot_be_used_is_named_and_gives_status_1(tmp_path):
    (tmp_path / "page.h5").write_text("<html>404</html>")
    result = CliRunner().invoke(app, ["inspect", str(tmp_path / "page.h5")])
    assert result.exit_code == 1
    assert "cannot be used" in result.output
    assert "an HTML or XML page" in " ".join(result.output.split())
    with pytest.raises(InputError, match="there is no such file or folder"):
        inspect_file(tmp_path / "missing.h5")


def test_a_folder_is_described_by_its_first_file(tmp_path):
    (tmp_path / "xyz").mkdir()
    for n in range(3):
        write_extended_xyz(tmp_path / "xyz" / f"{n}.xyz", SMILES[:1])
    found = inspect_file(tmp_path / "xyz")
    assert found.facts["files"] == "3; what follows is about 0.xyz"
    assert str(tmp_path / "xyz") + " " in found.command


def test_survey_maps_their_mask_and_their_packed_values(tmp_path):
    header = fits.Header({"CDELT1": -0.03, "CDELT2": 0.03, "CUNIT1": "deg", "CUNIT2": "deg", "BUNIT": "kappa"})
    fits.writeto(tmp_path / "map.fits", RNG.normal(size=(8, 12)), header)
    found = inspect_file(tmp_path / "map.fits")
    assert (found.facts["shape"], found.facts["pixel"]) == ("8 × 12", "1.8 arcmin")
    mask = RNG.random((40, 30)) < 0.7
    np.save(tmp_path / "mask.npy", mask)
    found = inspect_file(tmp_path / "mask.npy")
    assert (found.kind, found.facts["observed"]) == ("mask of maps", f"{mask.sum()} pixels, {mask.mean():.1%}")
    np.save(tmp_path / "kappa.npy", RNG.normal(size=(3, mask.sum())).astype(np.float16))
    assert "give their mask: --set ingest.mask=FILE" in inspect_file(tmp_path / "kappa.npy").problems[0]
