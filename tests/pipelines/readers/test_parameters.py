import pytest

from tenfold.pipelines.readers.parameters import canonical_parameters, density_convention
from tenfold.pipelines.readers.volume import UnusableFileError


def read(densities=None, **parameters):
    return canonical_parameters(parameters, parameters.values(), "file", "key", densities)


def test_the_physical_density_of_baryons_is_recognised_by_its_value():
    abacus_summit = {"omega_b": 0.02237, "h": 0.6736, "n_s": 0.9649}
    assert read(**abacus_summit)["omega_b"] == pytest.approx(0.0493, abs=1e-4)
    assert read(omega_b=0.0493, h=0.6736)["omega_b"] == 0.0493
    assert read(Omega_b=0.02237, h=0.6736)["omega_b"] == 0.02237


@pytest.mark.parametrize("name", ["omega_b_h2", "ombh2", "omegabh2", "w_b"])
def test_physical_densities_are_recognised_by_their_names(name):
    assert read(**{name: 0.0224, "H0": 70.0})["omega_b"] == pytest.approx(0.0224 / 0.49)


def test_lower_case_densities_follow_one_convention():
    class_like = read(omega_b=0.0224, omega_cdm=0.12, omega_m=0.1424, h=0.7)
    assert class_like["omega_m"] == pytest.approx(0.1424 / 0.49)
    assert class_like["omega_cdm"] == pytest.approx(0.12 / 0.49)
    assert read(omega_b=0.049, omega_m=0.14, h=0.7)["omega_m"] == 0.14
    assert read(omega_m=0.3)["omega_m"] == 0.3


def test_an_ambiguous_density_is_refused():
    with pytest.raises(UnusableFileError, match=r"omega_m = 0.14 may be Ω or Ω h².*ingest.densities"):
        read(omega_m=0.14, h=0.67)
    assert read("fractions", omega_m=0.14, h=0.67)["omega_m"] == 0.14
    assert read("physical", omega_m=0.14, h=0.67)["omega_m"] == pytest.approx(0.14 / 0.67**2)
    with pytest.raises(UnusableFileError, match=r"omega_m = 0.3 implies Ω, but omega_b = 0.022 implies Ω h²"):
        read(omega_m=0.3, omega_b=0.022, h=0.7)
    with pytest.raises(UnusableFileError, match=r"ingest.densities implies Ω, but omega_b = 0.022 implies Ω h²"):
        read("fractions", omega_b=0.022, h=0.7)


def test_a_physical_density_without_h_is_refused():
    with pytest.raises(UnusableFileError, match=r"ombh2 = 0.022 is Ω h², but h is not given"):
        read(ombh2=0.022, Omega_m=0.3)


def test_all_rows_of_a_column_determine_the_convention():
    assert density_convention({"omega_m": [0.1, 0.15, 0.4]}) == "fractions"
    assert density_convention({"omega_m": [0.12, 0.14], "omega_b": [0.021, 0.023]}) == "physical"
    assert density_convention({"Omega_m": [0.12], "ombh2": [0.022]}) is None
    with pytest.raises(ValueError, match=r"may be Ω or Ω h²"):
        density_convention({"omega_m": [0.12, 0.14]})


@pytest.mark.parametrize(
    ("parameters", "canonical", "value"),
    [
        ({"W0": -0.9}, "w_0", -0.9),
        ({"wa_fld": 0.2}, "w_a", 0.2),
        ({"M_nu": 0.1}, "m_nu", 0.1),
        ({"N_eff": 3.04}, "n_eff", 3.04),
        ({"A_s": 2.1e-9}, "a_s", 2.1e-9),
        ({"OmegaLambda": 0.7}, "omega_l", 0.7),
        ({"S_8": 0.8}, "s_8", 0.8),
    ],
)
def test_parameters_beyond_flat_lcdm_have_canonical_names(parameters, canonical, value):
    assert read(**parameters) == {canonical: value}


def test_dark_energy_and_matter_densities_give_the_curvature():
    assert read(Omega_m=0.3, Omega_L=0.7) == {"omega_m": 0.3, "omega_k": 0.0}
    assert read(Omega_m=0.3, Omega_L=0.69991) == {"omega_m": 0.3, "omega_k": 0.0}  # radiation
    assert read(Omega_m=0.3, Omega_L=0.6)["omega_k"] == pytest.approx(0.1)
    with pytest.raises(UnusableFileError, match=r"Ω_k = 0, but Ω_m = 0.3 and Ω_Λ = 0.6 imply 0.1"):
        read(Omega_m=0.3, Omega_L=0.6, Omega_k=0.0)
