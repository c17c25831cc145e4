"""Matter power spectra from CAMB: linear, and nonlinear by HMcode2020."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import camb
import numpy as np
from numpy.polynomial import chebyshev
from scipy.interpolate import CubicSpline

from tenfold.pipelines.simulation.cosmology import Cosmology

T_CMB = 2.7255  # [K]
K_LOW, K_HIGH = (
    1e-4,
    2.0,
)  # range computed by CAMB [1/Mpc]; beyond, the asymptotic form of the transfer function is used
NODES = 9  # Chebyshev nodes per varied density; for the error see tests/pipelines/simulation/test_matter_power.py


@dataclass(frozen=True)
class TransferTable:
    """CAMB's linear transfer function, interpolated over the densities ω_m = Ω_m h² and ω_b = Ω_b h².

    In flat ΛCDM with massless neutrinos, the shape of the linear power spectrum today depends on these two densities
    only. With wavenumbers in units of the inverse sound horizon the acoustic oscillations of all cosmologies are in
    phase, and few Chebyshev nodes suffice.

    Attributes
    ----------
    omega_m_h2, omega_b_h2
        Ranges covered (lowest, highest).
    coefficients
        Chebyshev coefficients of ln T(x), shape (n_m, n_b, x).
    x
        Wavenumber times sound horizon, shape (x,).
    """

    omega_m_h2: tuple[float, float]
    omega_b_h2: tuple[float, float]
    coefficients: np.ndarray
    x: np.ndarray

    def __call__(self, omega_m_h2: float, omega_b_h2: float) -> tuple[np.ndarray, np.ndarray]:
        """Wavenumbers [1/Mpc] and ln T of one cosmology."""
        m = _unit(omega_m_h2, self.omega_m_h2, "omega_m h²")
        b = _unit(omega_b_h2, self.omega_b_h2, "omega_b h²")
        ln_t = chebyshev.chebval(b, chebyshev.chebval(m, self.coefficients))
        return self.x / sound_horizon(omega_m_h2, omega_b_h2), np.asarray(ln_t)


def nodes(omega_m_h2: tuple[float, float], omega_b_h2: tuple[float, float]) -> list[tuple[float, float]]:
    """Densities (ω_m, ω_b) at which CAMB is evaluated; one node where a range is a single value."""
    grids = [_grid(*omega_m_h2), _grid(*omega_b_h2)]
    return [(float(m), float(b)) for m in grids[0] for b in grids[1]]


def tabulate(
    omega_m_h2: tuple[float, float], omega_b_h2: tuple[float, float], transfers: Sequence[np.ndarray]
) -> TransferTable:
    """Build a table from the transfer functions (from `transfer`) at `nodes`, in the same order."""
    shape = (len(_grid(*omega_m_h2)), len(_grid(*omega_b_h2)))
    values = np.reshape(np.stack(transfers), (*shape, -1))
    for axis, count in enumerate(shape):
        matrix = chebyshev.chebvander(_chebyshev_points(count), count - 1)
        values = np.moveaxis(np.tensordot(np.linalg.inv(matrix), values, (1, axis)), 0, axis)
    return TransferTable(omega_m_h2, omega_b_h2, values, _wavenumbers())


def transfer(omega_m_h2: float, omega_b_h2: float) -> np.ndarray:
    """Compute ln T with CAMB for one pair of densities at the wavenumbers of a table (x / sound horizon)."""
    # T(k [1/Mpc]) does not depend on h; this value keeps Λ positive
    parameters = _camb_parameters(omega_m_h2, omega_b_h2, math.sqrt(omega_m_h2 / 0.3))
    parameters.set_matter_power(redshifts=[0.0], kmax=K_HIGH, nonlinear=False, silent=True)
    results = camb.CAMBdata()
    results.calc_power_spectra(parameters)
    data = results.get_matter_transfer_data().transfer_data[:, :, 0].astype(float)
    k = data[0] * parameters.H0 / 100
    ln_t = CubicSpline(np.log(k), np.log(data[6] / data[6, 0]))
    wavenumbers = _wavenumbers() / sound_horizon(omega_m_h2, omega_b_h2)
    return _extended(ln_t, float(k[0]), float(k[-1]), wavenumbers)


def _extended(ln_t: CubicSpline, low: float, high: float, k: np.ndarray) -> np.ndarray:
    """Extrapolate ln T beyond CAMB's range: T = 1 on the largest scales, T ∝ ln(ck)/k² on the smallest."""
    out = ln_t(np.log(np.clip(k, low, high)))
    ends = np.array([high / 2, high])
    slope, offset = np.polyfit(np.log(ends), np.exp(ln_t(np.log(ends))) * ends**2, 1)
    beyond = k > high
    out[beyond] = np.log((slope * np.log(k[beyond]) + offset) / k[beyond] ** 2)
    return out


@dataclass(frozen=True)
class LinearPower:
    """Linear power spectrum today, normalised to σ₈.

    Attributes
    ----------
    ln_k, ln_power
        Logarithms of wavenumber [h/Mpc] and power [(Mpc/h)³].
    """

    ln_k: np.ndarray
    ln_power: np.ndarray

    def __call__(self, k: np.ndarray) -> np.ndarray:
        """Power [(Mpc/h)³] at wavenumbers k > 0 [h/Mpc], same shape."""
        return np.exp(np.interp(np.log(k), self.ln_k, self.ln_power))


def linear_power(cosmology: Cosmology, table: TransferTable) -> LinearPower:
    """Compute the linear P(k) of a cosmology today from a table of transfer functions."""
    k_mpc, ln_t = table(cosmology.omega_m * cosmology.h**2, cosmology.omega_b * cosmology.h**2)
    ln_k = np.log(k_mpc / cosmology.h)
    ln_power = cosmology.n_s * ln_k + 2 * ln_t
    fine = np.linspace(ln_k[0], ln_k[-1], 4096)
    ln_fine = CubicSpline(ln_k, ln_power)(fine)
    kr = 8 * np.exp(fine)
    window = np.where(kr < 1e-2, 1 - kr**2 / 10, 3 * (np.sin(kr) - kr * np.cos(kr)) / kr**3)
    variance = np.trapezoid(np.exp(3 * fine + ln_fine) * window**2, fine) / (2 * np.pi**2)
    return LinearPower(fine, ln_fine + 2 * math.log(cosmology.sigma_8) - math.log(variance))


def camb_power(cosmology: Cosmology, k: np.ndarray, redshift: float = 0.0) -> tuple[np.ndarray, np.ndarray]:
    """Compute linear and HMcode2020 (Mead et al., arXiv:2009.01858) power with CAMB.

    Parameters
    ----------
    cosmology
        The cosmology.
    k
        Wavenumbers, increasing [h/Mpc].
    redshift
        Redshift of both spectra.

    Returns
    -------
    tuple of np.ndarray
        Linear and nonlinear power at k [(Mpc/h)³].
    """
    linear, nonlinear = camb_powers(cosmology, k, [redshift])
    return linear[0], nonlinear[0]


def camb_powers(
    cosmology: Cosmology, k: np.ndarray, redshifts: Sequence[float] | np.ndarray, *, k_max: float = 20.0
) -> tuple[np.ndarray, np.ndarray]:
    """Compute linear and HMcode2020 power at several redshifts.

    Parameters
    ----------
    cosmology, k
        As for `camb_power`.
    redshifts
        Redshifts of both spectra, at most about 60.
    k_max
        Largest wavenumber of CAMB's integration of the linear spectrum [1/Mpc]; beyond, it is extrapolated.

    Returns
    -------
    tuple of np.ndarray
        Linear and nonlinear power, shape (redshifts, k) each [(Mpc/h)³].
    """
    h = cosmology.h
    parameters = _camb_parameters(cosmology.omega_m * h**2, cosmology.omega_b * h**2, h)
    requested = [float(z) for z in redshifts]
    computed = sorted({*requested, 0.0}, reverse=True)
    amplitude = 2e-9
    parameters.InitPower.set_params(As=amplitude, ns=cosmology.n_s)
    parameters.set_matter_power(redshifts=computed, kmax=k_max, nonlinear=False, silent=True)
    parameters.NonLinearModel.set_params(halofit_version="mead2020")
    parameters.NonLinear = camb.model.NonLinear_pk
    results = camb.get_results(parameters)
    amplitude *= (cosmology.sigma_8 / results.get_sigma8_0()) ** 2
    parameters.InitPower.set_params(As=amplitude, ns=cosmology.n_s)
    results.power_spectra_from_transfer(parameters.InitPower)
    arguments = {"hubble_units": True, "k_hunit": True, "extrap_kmax": None}
    powers = [results.get_matter_power_interpolator(nonlinear=nonlinear, **arguments) for nonlinear in (False, True)]
    spectra = [np.stack([np.asarray(power.P(z, k)) for z in requested]) for power in powers]
    return spectra[0], spectra[1]


def _camb_parameters(omega_m_h2: float, omega_b_h2: float, h: float) -> camb.CAMBparams:
    camb.config.ThreadNum = 1
    parameters = camb.CAMBparams(WantCls=False, DoLensing=False)
    parameters.Accuracy.lAccuracyBoost = 2.0  # costs nothing; without it P(k) is off by 0.5 % around k = 0.02
    parameters.set_cosmology(
        H0=100 * h,
        ombh2=omega_b_h2,
        omch2=omega_m_h2 - omega_b_h2,
        mnu=0.0,
        num_massive_neutrinos=0,
        omk=0.0,
        TCMB=T_CMB,
    )
    return parameters


def sound_horizon(omega_m_h2: float, omega_b_h2: float) -> float:
    """Sound horizon at the drag epoch [Mpc], accurate to about 2 % (Eisenstein & Hu 1998, astro-ph/9709112, eq. 26)."""
    return 44.5 * math.log(9.83 / omega_m_h2) / math.sqrt(1 + 10 * omega_b_h2**0.75)


def _wavenumbers() -> np.ndarray:
    # the acoustic oscillations, of period 2π in x, need a finer sampling than logarithmic steps
    return np.unique(np.concatenate([np.geomspace(1e-2, 4, 60), np.arange(4, 90, 0.35), np.geomspace(90, 1e4, 80)]))


def _grid(low: float, high: float) -> np.ndarray:
    """Chebyshev nodes in ln ω between low and high, or a single point where they are equal."""
    if high <= low * (1 + 1e-9):
        return np.array([low])
    return np.exp(0.5 * (math.log(high * low) + _chebyshev_points(NODES) * math.log(high / low)))


def _chebyshev_points(count: int) -> np.ndarray:
    return chebyshev.chebpts1(count)


def _unit(value: float, bounds: tuple[float, float], name: str) -> float:
    low, high = bounds
    if not low * (1 - 1e-9) <= value <= high * (1 + 1e-9):
        raise ValueError(f"{name} must lie in the range of the table, [{low:.5f}, {high:.5f}], found {value:.5f}")
    return 0.0 if high <= low * (1 + 1e-9) else (2 * math.log(value) - math.log(high * low)) / math.log(high / low)
