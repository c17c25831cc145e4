"""Units of length and mass that headers of simulations state in cm and g."""

KPC_CM = 3.0856775814913673e21
"""1 kpc (IAU 2015) [cm]."""
MSUN_G = 1.98841e33
"""Mass of the Sun (IAU 2015 and CODATA 2018) [g]."""
_PRINTED = 1e-3
"""Largest relative difference of a unit from a round number of kpc or of solar masses: headers print 3 to 7 digits, and
measurements of G changed the mass of the Sun by 5e-4."""

LENGTH_UNITS: dict[str, tuple[float, int]] = {
    "kpc/h": (KPC_CM, -1), "Mpc/h": (1000 * KPC_CM, -1), "kpc": (KPC_CM, 0), "Mpc": (1000 * KPC_CM, 0),
}  # fmt: skip
"""Units of comoving length that a user may state: cm, and exponent of h."""


def in_mpc(unit_cm: float) -> float:
    """Return a unit of length in Mpc; exactly 0.001 or 1 for one that means kpc or Mpc.

    Example
    -------
    >>> in_mpc(3.085678e21)
    0.001
    """
    return _rounded(unit_cm / KPC_CM / 1000, (1e-3, 1.0))


def in_msun(unit_g: float) -> float:
    """Return a unit of mass in solar masses; exactly 1 or 10¹⁰ for one that means it.

    Example
    -------
    >>> in_msun(1.989e43)
    10000000000.0
    """
    return _rounded(unit_g / MSUN_G, (1.0, 1e10))


def _rounded(value: float, meant: tuple[float, ...]) -> float:
    return next((exact for exact in meant if abs(value / exact - 1) < _PRINTED), value)
