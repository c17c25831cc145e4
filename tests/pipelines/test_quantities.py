"""astropy quantities in the public interface: converted to the unit of the argument, or refused by name."""

import pytest
from astropy import units
from astropy.cosmology.units import littleh

from tenfold.pipelines import Ingest, InputError, MassMapIngest, MassMaps, MoleculeIngest, Simulation
from tenfold.pipelines.quantities import ENERGIES_EV, energy_unit, plain_number

MPC_H = units.Mpc / littleh


def test_lengths_are_converted_to_mpc_over_h():
    assert Simulation(box_mpc_h=128_000 * units.kpc / littleh).box_mpc_h == pytest.approx(128.0)  # type: ignore[arg-type]
    assert Ingest(box_mpc_h=25 * MPC_H).box_mpc_h == 25.0  # type: ignore[arg-type]
    assert MassMapIngest(box_mpc_h=25 * MPC_H).box_mpc_h == 25.0  # type: ignore[arg-type]


def test_angles_are_converted_to_the_unit_in_the_name():
    maps = MassMaps(
        side_deg=120 * units.arcmin, smoothing_arcmin=60 * units.arcsec, galaxies=108_000 / units.deg**2,
        box_mpc_h=256 * MPC_H,
    )  # type: ignore[arg-type] # fmt: skip
    assert (maps.side_deg, maps.smoothing_arcmin, maps.galaxies) == (2.0, pytest.approx(1.0), pytest.approx(30.0))
    assert maps.boxes.box_mpc_h == maps.box_mpc_h == 256.0
    assert all(type(value) is float for value in (maps.side_deg, maps.smoothing_arcmin, maps.galaxies))
    assert MassMapIngest(side_deg=0.04 * units.rad).side_deg == pytest.approx(2.2918, abs=1e-4)  # type: ignore[arg-type]


def test_a_configuration_with_quantities_equals_the_one_with_numbers():
    assert MassMaps(side_deg=150 * units.arcmin) == MassMaps(side_deg=2.5)  # type: ignore[arg-type]


def test_units_of_energy_may_be_astropy_units():
    ingest = MoleculeIngest(targets=("gap", "u0"), units={"gap": units.eV, "u0": units.kJ / units.mol})  # type: ignore
    assert ingest.units == {"gap": "eV", "u0": "kJ/mol"}
    kcal, hartree = units.def_unit("kcal", 4184 * units.J), units.def_unit("hartree", 2 * units.Ry)
    assert energy_unit("units", kcal / units.mol) == "kcal/mol"
    assert energy_unit("units", hartree) == "Ha"
    assert energy_unit("units", "any text") == "any text"
    for name in ("eV", "meV", "kJ/mol"):
        assert energy_unit("units", units.Unit(name)) == name
    assert ENERGIES_EV["Ha"] == pytest.approx((2 * units.Ry).to_value(units.eV), rel=1e-8)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Simulation(box_mpc_h=128 * units.Mpc), "box_mpc_h: found a quantity in Mpc, expected one in Mpc/h; "),
        (lambda: Simulation(box_mpc_h=128 * units.deg), "box_mpc_h: found a quantity in deg, expected one in Mpc/h"),
        (lambda: Ingest(box_mpc_h=25 * units.s), "box_mpc_h: found a quantity in s, expected one in Mpc/h"),
        (lambda: MassMaps(side_deg=2 * units.Mpc), "side_deg: found a quantity in Mpc, expected one in deg"),
        (lambda: MassMaps(smoothing_arcmin=1 * units.one), "smoothing_arcmin: found a quantity in no unit, expected"),
        (lambda: MassMaps(galaxies=30 / units.deg), "galaxies: found a quantity in 1 / deg, expected one in 1/arcmin2"),
        (lambda: MassMaps(side_deg=[1, 2] * units.deg), "side_deg: found an array of quantities, expected a single"),
        (lambda: MassMapIngest(side_deg=2 * units.m), "side_deg: found a quantity in m, expected one in deg"),
        (
            lambda: MoleculeIngest(targets=("gap",), units={"gap": units.m}),
            "units: found the unit m, expected an energ",
        ),
        (lambda: MoleculeIngest(targets=("gap",), units={"gap": units.J}), "units: found the unit J, expected one of"),
    ],
)
def test_a_wrong_unit_is_refused_with_argument_unit_and_expectation(make, message):
    with pytest.raises(InputError) as refused:
        make()
    assert str(refused.value).startswith(message)


def test_plain_values_are_not_touched():
    for value in (1.5, 3, None, "text", (1.0, 2.0)):
        assert plain_number("side_deg", value, "deg") is value
