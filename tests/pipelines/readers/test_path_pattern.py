from pathlib import Path

import pytest

from tenfold.pipelines.errors import InputError
from tenfold.pipelines.readers.path_pattern import PathPattern


@pytest.mark.parametrize(
    ("pattern", "path", "simulation", "redshift", "parameters"),
    [
        ("{simulation}/df_m_{grid}_{assignment}_z={redshift}.npy", "/d/LH/17/df_m_256_PCS_z=0.5.npy", "17", 0.5, {}),
        (
            "Om{omega_m}_Ol{omega_l}_w{w_0}_*.npy", "/d/Om0.260_Ol0.740_w-1.000_ns0.960.npy", "", None,
            {"omega_m": 0.26, "omega_l": 0.74, "w_0": -1.0},
        ),
        ("Maps_{field}_{suite}_{set}_z={redshift}.npy", "/d/Maps_Mcdm_Nbody_TNG_LH_z=0.00.npy", "", 0.0, {}),
        ("LP{simulation}_run{run}_maps.hdf5", "/d/LP001_run012_maps.hdf5", "001", None, {}),
        ("As{A_s}/h{h}.npy", "/d/As2.1e-9/h.7.npy", "", None, {"A_s": 2.1e-9, "h": 0.7}),
        ("{simulation}/{simulation}_kappa.fits", "/d/a.b/a.b_kappa.fits", "a.b", None, {}),
    ],
)  # fmt: skip
def test_fields_of_a_path(pattern, path, simulation, redshift, parameters):
    fields = PathPattern.parse(pattern).match(Path(path))
    assert (fields.simulation, fields.redshift, fields.parameters) == (simulation, redshift, parameters)


@pytest.mark.parametrize(
    ("pattern", "path"),
    [
        ("{simulation}/df.npy", "/df_df.npy"),
        ("{simulation}/df.npy", "/d/0/df.npy.bak"),
        ("run{simulation}.npy", "/d/prerun1.npy"),  # a pattern begins at the start of a folder's or file's name
        ("box.npy", "/d/boxXnpy"),  # a point is a point
        ("Om{omega_m}.npy", "/d/Omlarge.npy"),
        ("{simulation}/{simulation}.npy", "/d/1/2.npy"),
        ("a{x}.npy", "/d/a/b.npy"),  # no field crosses a slash
    ],
)
def test_other_paths_do_not_match(pattern, path):
    assert PathPattern.parse(pattern).match(Path(path)) is None


def test_a_name_that_is_not_cosmological_is_a_parameter_where_it_is_listed():
    path = Path("/d/T7.8_f0.1.npy")
    assert PathPattern.parse("T{T_AGN}_f{f0}.npy").match(path).parameters == {}
    assert PathPattern.parse("T{T_AGN}_f{f0}.npy", ["T_AGN"]).match(path).parameters == {"T_AGN": 7.8}


@pytest.mark.parametrize("pattern", ["{simulation", "a}b", "{}", "{0}", "{a b}", "{{simulation}}"])
def test_a_malformed_pattern_is_refused(pattern):
    with pytest.raises(InputError, match=r"ingest.pattern: .* fields are names in braces"):
        PathPattern.parse(pattern)
