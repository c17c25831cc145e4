"""Speed of the summary statistics, relative to a plain FFT and to other libraries, and agreement with these.

    TENFOLD_PEERS=/tmp/peers make benchmark PYTEST='-k statistics -s'

TENFOLD_PEERS is a folder in which Pylians, powerbox, quantimpy, scikit-image or lenstools are installed (pip install
--target), outside this project's environment. A library that cannot be imported is skipped with a message. The wheels
of quantimpy are built for an older NumPy: build it from source, and Pylians with Cython 0.29. lenstools 1.2 needs emcee
2.2.1, pandas, the pkg_resources of an old setuptools, SETUPTOOLS_USE_DISTUTILS=stdlib, and for NumPy 2
CFLAGS=-DNPY_IN_ARRAY=NPY_ARRAY_IN_ARRAY and replacements of np.complex, np.float and np.int in its source. Times are
CPU seconds on one thread, the fastest of interleaved rounds, because other work on the machine can only slow a round
down. Ratios are comparable between machines, seconds are not.
"""

import gc
import importlib
import os
import sys
import time
import tracemalloc
import warnings

import numpy as np
import pytest
import scipy.fft

from tenfold.stats.bispectrum import bispectrum, bispectrum_3d
from tenfold.stats.maps import angular_power, minima, peaks, pixel_distribution
from tenfold.stats.minkowski import minkowski_functionals
from tenfold.stats.minkowski_3d import minkowski_functionals_3d
from tenfold.stats.power import power_spectrum
from tenfold.stats.wavelets import starlet_l1

pytestmark = pytest.mark.benchmark

MAPS, SIDE, DEGREES = 1000, 256, 3.5
NU = np.linspace(-3, 3, 25)
LENSTOOLS_SECONDS = 4.4
"""CPU time of lenstools for Minkowski functionals of 1,000 maps of 256² at 25 thresholds [s], on our machine."""


@pytest.fixture(scope="module")
def import_peer():
    """Return a function that imports a module from TENFOLD_PEERS, or returns None and prints the reason."""
    folder = os.environ.get("TENFOLD_PEERS", "")
    if folder:
        sys.path.append(folder)

    def import_or_none(name):
        warnings.simplefilter("ignore")  # warnings of other libraries are of no interest here
        try:
            return importlib.import_module(name)
        except (ImportError, OSError, AttributeError, ValueError) as error:  # ValueError: built for another NumPy
            print(f"\nwithout {name}: {error}")
            return None

    with warnings.catch_warnings():
        yield import_or_none
    if folder:
        sys.path.remove(folder)


def smooth_maps(count, pixels, dtype=np.float32):
    """Gaussian maps of unit variance, smoothed by a Gaussian of standard deviation `pixels`."""
    n = np.fft.fftfreq(SIDE)
    kernel = np.exp(-2 * (np.pi * pixels * np.hypot(n[:, None], n[: SIDE // 2 + 1])) ** 2).astype(dtype)
    out = np.random.default_rng(0).standard_normal((count, SIDE, SIDE), dtype=dtype)
    for field in out:
        field[:] = scipy.fft.irfft2(scipy.fft.rfft2(field) * kernel)
    out /= out.std()
    return out


@pytest.fixture(scope="module")
def maps():
    return smooth_maps(MAPS, 2.0)


def best_of(methods, rounds=3):
    """Return the CPU time of each function [s], the smallest over several interleaved rounds."""
    best = dict.fromkeys(methods, np.inf)
    for _ in range(rounds):
        for name, method in methods.items():
            gc.collect()
            start = time.process_time()
            method()
            best[name] = min(best[name], time.process_time() - start)
    return best


def peak_memory(method):
    """Peak memory allocated by a function [GiB]."""
    tracemalloc.start()
    method()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return peak / 2**30


def show(title, best, reference):
    print(f"\n{title}")
    for name, seconds in best.items():
        print(f"{name:36s} {seconds:8.3f} cpu-s {seconds / best[reference]:7.2f} x {reference}")


@pytest.mark.parametrize("side", [256, 512])
def test_power_spectrum_of_a_cube(side, import_peer):
    delta = np.random.default_rng(0).standard_normal((side,) * 3, dtype=np.float32)
    methods = {
        "plain rfftn": lambda: scipy.fft.rfftn(delta, workers=1),
        "tenfold": lambda: power_spectrum(delta, 1000.0, window_order=2),
    }
    spectrum = power_spectrum(delta, 1000.0)
    if library := import_peer("Pk_library"):
        methods["Pylians"] = lambda: library.Pk(delta, 1000.0, axis=0, MAS="CIC", threads=1, verbose=False)
        reference = library.Pk(delta, 1000.0, axis=0, MAS="None", threads=1, verbose=False)
        assert np.allclose(reference.Pk[: len(spectrum.power), 0], spectrum.power, rtol=1e-3)
    if side < 512 and (powerbox := import_peer("powerbox")):  # about 15 GiB and 30 s at 512³
        edges = np.arange(1, side // 2 + 1) * 2 * np.pi / 1000.0 * (1 - 1e-9)
        methods["powerbox"] = lambda: powerbox.get_power(delta, 1000.0, bins=edges)
        reference = powerbox.get_power(delta, 1000.0, bins=edges)
        assert np.allclose(reference.power, spectrum.power, rtol=1e-3)
    best = best_of(methods, 5 if side < 512 else 3)
    show(f"P(k), {side}³", best, "plain rfftn")
    print("memory [GiB]: " + ", ".join(f"{name} {peak_memory(method):.2f}" for name, method in methods.items()))
    assert best["tenfold"] < 1.3 * best["plain rfftn"]
    assert best.get("Pylians", np.inf) > 6 * best["tenfold"]


def test_minkowski_functionals(maps, import_peer):
    minkowski_functionals(maps[:1], NU, periodic=True)
    best = best_of({"tenfold": lambda: minkowski_functionals(maps, NU, periodic=True)})
    sample, scale = maps[:10], MAPS / 10
    reference = {}
    if quantimpy := import_peer("quantimpy.minkowski"):
        reference["quantimpy"] = lambda: [quantimpy.functionals(kappa > nu) for kappa in sample for nu in NU]
    if skimage := import_peer("skimage.measure"):
        reference["scikit-image"] = lambda: [
            (skimage.perimeter_crofton(kappa > nu), skimage.euler_number(kappa > nu)) for kappa in sample for nu in NU
        ]
    if lenstools := import_peer("lenstools"):
        import astropy.units

        reference["lenstools"] = lambda: [
            lenstools.ConvergenceMap(kappa, angle=DEGREES * astropy.units.deg).minkowskiFunctionals(
                np.append(NU, NU[-1] + 0.25)
            )
            for kappa in sample
        ]
    best |= {name: seconds * scale for name, seconds in best_of(reference).items()}
    show("Minkowski functionals, 1,000 maps of 256², 25 thresholds (other libraries: 10 maps, scaled)", best, "tenfold")
    assert best["tenfold"] < 0.65
    assert best["tenfold"] * 7 < LENSTOOLS_SECONDS


def test_minkowski_functionals_agree_with_quantimpy(import_peer):
    """The library quantimpy counts pixel configurations, N − 1 per side, instead of integrating gradients."""
    quantimpy = import_peer("quantimpy.minkowski") or pytest.skip("without quantimpy")
    sample, nu = smooth_maps(20, 4.0), NU[6:-6]
    functionals = minkowski_functionals(sample, nu, periodic=False)
    reference = np.array([[quantimpy.functionals(kappa > level) for level in nu] for kappa in sample]).mean(axis=0)
    # quantimpy returns the area, the contour length / 2π and the Euler characteristic / π
    scales = 1 / (SIDE - 1) ** 2 * np.array([1, np.pi / 2, np.pi])
    for name, value, bound in zip(("v0", "v1", "v2"), (reference * scales).T, (0.002, 0.02, 0.03), strict=True):
        deviation = (getattr(functionals, name).mean(axis=0) - value) / np.abs(value).max()
        print(f"\n{name}: difference from quantimpy / largest value: {np.round(deviation, 4)}")
        assert np.abs(deviation).max() < bound, name


def test_peak_and_minimum_counts_equal_those_of_scikit_image(import_peer):
    """In double precision, because scikit-image counts both of two equal neighbours."""
    feature = import_peer("skimage.feature") or pytest.skip("without scikit-image")
    sample, edges = smooth_maps(20, 2.0, np.float64), np.linspace(-3, 3, 51)
    for sign, count in ((1, peaks), (-1, minima)):
        positions = [feature.peak_local_max(sign * kappa, exclude_border=1, threshold_abs=-np.inf) for kappa in sample]
        reference = [np.histogram(kappa[tuple(at.T)], edges)[0] for kappa, at in zip(sample, positions, strict=True)]
        assert np.array_equal(count(sample, edges, periodic=False).counts, reference)


def test_angular_power_agrees_with_powerbox(import_peer):
    powerbox = import_peer("powerbox") or pytest.skip("without powerbox")
    sample = smooth_maps(5, 2.0, np.float64)
    ell = 360 / DEGREES * (np.arange(1, 60, 4) - 0.25)
    measured = angular_power(sample, DEGREES, ell)
    reference = [powerbox.get_power(kappa, np.deg2rad(DEGREES), bins=ell) for kappa in sample]
    assert np.allclose(measured.power, [spectrum.power for spectrum in reference], rtol=1e-6)


def smooth_cube(side, cells):
    """Gaussian cube of unit variance, smoothed by a Gaussian of standard deviation `cells`."""
    n, last = np.fft.fftfreq(side), np.fft.rfftfreq(side)
    k_squared = n[:, None, None] ** 2 + n[:, None] ** 2 + last**2
    noise = scipy.fft.rfftn(np.random.default_rng(0).standard_normal((side,) * 3))
    out = scipy.fft.irfftn(noise * np.exp(-2 * (np.pi * cells) ** 2 * k_squared))
    return out / out.std()


def test_bispectrum_agrees_with_pylians(import_peer):
    """Equilateral and squeezed triangles; the bins of Pylians extend one fundamental mode to either side."""
    library = import_peer("Pk_library.bispectrum_library") or pytest.skip("without Pylians")
    box, long, short = 500.0, 2.2, 10.3
    delta = np.exp(smooth_cube(64, 1.5))
    delta = (delta / delta.mean() - 1).astype(np.float32)
    mode = 2 * np.pi / box
    edges = mode * np.array([long - 1, long + 1, short - 1, short + 1])
    measured = bispectrum_3d(delta, box, edges, [(2, 2, 2), (0, 2, 2)]).bispectrum[0]
    angles = {short: 2 * np.pi / 3, long: np.arccos(-long / short / 2)}
    reference = [library.Bk(delta, box, k * mode, short * mode, np.array([angle]), "None", 1).B[0]
              for k, angle in angles.items()]  # fmt: skip
    assert np.allclose(measured, reference, rtol=1e-5)


def test_minkowski_functionals_of_a_cube_agree_with_scikit_image(import_peer):
    """The Euler characteristic is the mean over both cell connectivities; scikit-image triangulates the surface."""
    measure = import_peer("skimage.measure") or pytest.skip("without scikit-image")
    side = 96
    radius = np.linalg.norm(np.meshgrid(*[np.linspace(-1, 1, side)] * 3), axis=0)
    field = smooth_cube(side, 4.0) - 8 * (radius / 0.9) ** 8  # isosurfaces do not touch the boundary
    nu = np.linspace(-1, 1, 9)
    functionals = minkowski_functionals_3d(field, nu)
    euler = [np.mean([measure.euler_number(field > level, connectivity=c) for c in (1, 3)]) for level in nu]
    assert np.allclose(functionals.v3 * side**3, euler, rtol=0, atol=1e-6)
    surface = [measure.mesh_surface_area(*measure.marching_cubes(field, level)[:2]) for level in nu]
    print(f"\nV1 / scikit-image: {np.round(6 * functionals.v1 * side**3 / surface, 3)}")
    assert np.allclose(6 * functionals.v1 * side**3, surface, rtol=0.015)


def test_other_statistics_of_maps(maps, import_peer):
    """Angular power, one-point distribution, peaks, minima, wavelets and bispectrum of the same maps."""
    edges = np.linspace(-3, 3, 51)
    ell = np.linspace(50, 180 / DEGREES * SIDE, 41)
    bispectrum_edges = ell[np.array([0, 2, 5, 10, 15, 20])]
    methods = {
        "plain rfft2": lambda: scipy.fft.rfft2(maps, workers=1),
        "angular power": lambda: angular_power(maps, DEGREES, ell),
        "pixel distribution": lambda: pixel_distribution(maps, edges),
        "peaks": lambda: peaks(maps, edges, periodic=False),
        "minima": lambda: minima(maps, edges, periodic=True),
        "starlet l1-norm": lambda: starlet_l1(maps, edges, periodic=False),
        "bispectrum, 5 bins (100 maps)": lambda: bispectrum(maps[:100], DEGREES, bispectrum_edges),
    }
    sample, scale = maps[:20], MAPS / 20
    reference = {"np.histogram (20 maps)": lambda: [np.histogram(kappa, edges) for kappa in sample]}
    if feature := import_peer("skimage.feature"):
        reference["scikit-image peaks (20 maps)"] = lambda: [
            np.histogram(kappa[tuple(feature.peak_local_max(kappa).T)], edges) for kappa in sample
        ]
    if powerbox := import_peer("powerbox"):
        side = np.deg2rad(DEGREES)
        reference["powerbox angular power (20 maps)"] = lambda: [
            powerbox.get_power(kappa, side, bins=ell) for kappa in sample
        ]
    if lenstools := import_peer("lenstools"):
        import astropy.units

        convergence_maps = [lenstools.ConvergenceMap(kappa, angle=DEGREES * astropy.units.deg) for kappa in sample]
        reference |= {
            "lenstools angular power (20 maps)": lambda: [kappa.powerSpectrum(ell) for kappa in convergence_maps],
            "lenstools pixels (20 maps)": lambda: [kappa.pdf(edges) for kappa in convergence_maps],
            "lenstools peaks (20 maps)": lambda: [kappa.peakCount(edges) for kappa in convergence_maps],
        }
    best = best_of(methods) | {name: seconds * scale for name, seconds in best_of(reference).items()}
    show("1,000 maps of 256²", best, "plain rfft2")
    assert best["angular power"] < 1.5 * best["plain rfft2"]
    assert best["peaks"] < 0.4


def test_other_statistics_of_a_cube():
    delta = np.random.default_rng(0).standard_normal((128,) * 3, dtype=np.float32)
    k = np.arange(1, 42, 8) * 2 * np.pi / 256.0
    methods = {
        "plain rfftn": lambda: scipy.fft.rfftn(delta, workers=1),
        "Minkowski functionals, 25 thresholds": lambda: minkowski_functionals_3d(delta, NU),
        "bispectrum, 5 bins to 41 modes": lambda: bispectrum_3d(delta, 256.0, k),
    }
    for method in methods.values():
        method()
    show("128³", best_of(methods), "plain rfftn")
