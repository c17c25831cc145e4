import gzip

import numpy as np
from tests.formats.camels import write_grids
from tests.formats.healpix import UNSEEN, cosine, write_map
from tests.formats.nyx import density, write_nyx
from tests.formats.quijote import write_field
from tests.formats.tfrecord import write_records

from tenfold.pipelines.inspection.inspect import inspect_file


def test_grids_of_camels_name_their_parameter_file(tmp_path):
    write_grids(tmp_path, "Grids_Mcdm_IllustrisTNG_LH_8_z=0.50.npy", 4)
    found = inspect_file(tmp_path / "Grids_Mcdm_IllustrisTNG_LH_8_z=0.50.npy")
    assert found.kind == "4 volumes (camels)"
    assert "--set ingest.camels_parameters=params_LH_IllustrisTNG.txt" in found.command


def test_a_field_of_quijote_states_all_but_its_parameters(tmp_path):
    path = tmp_path / "3D_cubes/latin_hypercube/17/df_m_8_PCS_z=0.5.npy"
    write_field(path, 1)
    found = inspect_file(path)
    assert (found.kind, found.facts["side"], found.facts["units"]) == (
        "1 volume (quijote)",
        "1000 Mpc/h",
        "overdensity",
    )
    assert found.facts["not stated"] == "parameters"


def test_a_tfrecord_asks_for_the_ranges_of_its_unit_parameters(tmp_path):
    write_records(tmp_path / "univ_000.tfrecord", 1, compressed=True)
    found = inspect_file(tmp_path / "univ_000.tfrecord")
    assert found.kind == "1 volume (tfrecord)"
    assert found.facts["parameters"] == "unit parameters in [-1, 1] of omega_m, sigma_8, n_s, h"
    assert "ingest.unit_ranges=" in found.command


def test_nyx_states_everything(tmp_path):
    write_nyx(tmp_path / "nyx.h5", {"matter_density": (density(1), "(mean)")})
    found = inspect_file(tmp_path / "nyx.h5")
    assert (found.kind, found.facts["side"], found.facts["redshift"]) == ("1 volume (nyx)", "20 Mpc/h", "3")
    assert "--set" not in found.command


def test_a_healpix_map_plain_or_compressed_has_patches_no_finer_than_its_pixels(tmp_path):
    sky = np.where(cosine(64) < 0, UNSEEN, cosine(64))
    path = write_map(tmp_path / "sky.fits", sky)
    (tmp_path / "sky.fits.gz").write_bytes(gzip.compress(path.read_bytes()))
    for name in ("sky.fits", "sky.fits.gz"):
        found = inspect_file(tmp_path / name)
        assert (found.kind, found.problems) == ("a HEALPix map", ())
        assert found.facts["nside"] == "64 (0.916° a pixel), RING"
        assert found.facts["parameters"] == "omega_m = 0.3, sigma_8 = 0.8"
        assert found.facts["masked"].startswith("49.7")
        assert found.command.endswith("--set ingest.patch_deg=10 --set ingest.patch_pixels=8 --out data")


def test_a_healpix_map_without_a_cosmology_asks_for_a_table(tmp_path):
    write_map(tmp_path / "sky.fits", cosine(16), OMEGA_M=None, SIGMA_8=None)
    found = inspect_file(tmp_path / "sky.fits")
    assert found.facts["not stated"] == "parameters" and "ingest.table=PARAMETERS" in found.command
