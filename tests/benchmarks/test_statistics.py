"""How fast the statistics are, beside the bare FFT and beside their peers where these are installed.

    TENFOLD_PEERS=/tmp/peers make benchmark PYTEST='-k statistics -s'

TENFOLD_PEERS is a folder that Pylians, powerbox, quantimpy, scikit-image or lenstools are installed in (pip install
--target), outside this project's environment; each is left out with a line where it is missing, or built for another
NumPy, as quantimpy's wheels are: build it, and Pylians with Cython 0.29, from their sources. lenstools 1.2 wants emcee
2.2.1, pandas, setuptools' old pkg_resources and SETUPTOOLS_USE_DISTUTILS=stdlib, and for NumPy 2 to be built with
CFLAGS=-DNPY_IN_ARRAY=NPY_ARRAY_IN_ARRAY and to have its np.complex, np.float and np.int replaced. Besides being timed,
statistics are held against peers' own. CPU seconds on one thread; the best of interleaved rounds is taken, because
other work on the machine can only slow a round down. Hold the ratios, not the seconds: those are of the machine.
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
"""Minkowski functionals of 1,000 maps of 256² at 25 thresholds by lenstools, on the machine these goals were set on."""


@pytest.fixture(scope="module")
def peer():
    """Return a function that imports a module of TENFOLD_PEERS, or prints why it cannot and returns None."""
    folder = os.environ.get("TENFOLD_PEERS", "")
    if folder:
        sys.path.append(folder)

    def find(name):
        warnings.simplefilter("ignore")  # theirs are not ours to mend
        try:
            return importlib.import_module(name)
        except (ImportError, OSError, AttributeError, ValueError) as error:  # ValueError: built for another NumPy
            print(f"\nwithout {name}: {error}")
            return None

    with warnings.catch_warnings():
        yield find
    if folder:
        sys.path.remove(folder)


def smooth_maps(count, pixels, dtype=np.float32):
    """Gaussian maps of unit variance, smoothed over so many pixels."""
    n = np.fft.fftfreq(SIDE)
    kernel = np.exp(-2 * (np.pi * pixels * np.hypot(n[:, None], n[: SIDE // 2 + 1])) ** 2).astype(dtype)
    out = np.random.default_rng(0).standard_normal((count, SIDE, SIDE), dtype=dtype)
    for each in out:
        each[:] = scipy.fft.irfft2(scipy.fft.rfft2(each) * kernel)
    out /= out.std()
    return out


@pytest.fixture(scope="module")
def maps():
    return smooth_maps(MAPS, 2.0)


def best_of(ways, rounds=3):
    """CPU seconds of each way, the best of some rounds; all warmed up before."""
    best = dict.fromkeys(ways, np.inf)
    for _ in range(rounds):
        for name, way in ways.items():
            gc.collect()
            start = time.process_time()
            way()
            best[name] = min(best[name], time.process_time() - start)
    return best


def peak_memory(way):
    """Most bytes that NumPy held at once on top of what was there [GiB]."""
    tracemalloc.start()
    way()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return peak / 2**30


def show(title, best, reference):
    print(f"\n{title}")
    for name, seconds in best.items():
        print(f"{name:36s} {seconds:8.3f} cpu-s {seconds / best[reference]:7.2f} x {reference}")


@pytest.mark.parametrize("side", [256, 512])
def test_power_spectrum_of_a_cube(side, peer):
    delta = np.random.default_rng(0).standard_normal((side,) * 3, dtype=np.float32)
    ways = {
        "bare rfftn": lambda: scipy.fft.rfftn(delta, workers=1),
        "tenfold": lambda: power_spectrum(delta, 1000.0, window_order=2),
    }
    ours = power_spectrum(delta, 1000.0)
    if library := peer("Pk_library"):
        ways["Pylians"] = lambda: library.Pk(delta, 1000.0, axis=0, MAS="CIC", threads=1, verbose=False)
        theirs = library.Pk(delta, 1000.0, axis=0, MAS="None", threads=1, verbose=False)
        assert np.allclose(theirs.Pk[: len(ours.power), 0], ours.power, rtol=1e-3)
    if side < 512 and (powerbox := peer("powerbox")):  # about 15 GiB and 30 s at 512³
        edges = np.arange(1, side // 2 + 1) * 2 * np.pi / 1000.0 * (1 - 1e-9)
        ways["powerbox"] = lambda: powerbox.get_power(delta, 1000.0, bins=edges)
        theirs = powerbox.get_power(delta, 1000.0, bins=edges)
        assert np.allclose(theirs.power, ours.power, rtol=1e-3)
    best = best_of(ways, 5 if side < 512 else 3)
    show(f"P(k), {side}³", best, "bare rfftn")
    print("memory [GiB]: " + ", ".join(f"{name} {peak_memory(way):.2f}" for name, way in ways.items()))
    assert best["tenfold"] < 1.3 * best["bare rfftn"]
    assert best.get("Pylians", np.inf) > 6 * best["tenfold"]


def test_minkowski_functionals(maps, peer):
    minkowski_functionals(maps[:1], NU, periodic=True)
    best = best_of({"tenfold": lambda: minkowski_functionals(maps, NU, periodic=True)})
    few, scale = maps[:10], MAPS / 10
    theirs = {}
    if quantimpy := peer("quantimpy.minkowski"):
        theirs["quantimpy"] = lambda: [quantimpy.functionals(each > nu) for each in few for nu in NU]
    if skimage := peer("skimage.measure"):
        theirs["scikit-image"] = lambda: [
            (skimage.perimeter_crofton(each > nu), skimage.euler_number(each > nu)) for each in few for nu in NU
        ]
    if lenstools := peer("lenstools"):
        import astropy.units

        theirs["lenstools"] = lambda: [
            lenstools.ConvergenceMap(each, angle=DEGREES * astropy.units.deg).minkowskiFunctionals(
                np.append(NU, NU[-1] + 0.25)
            )
            for each in few
        ]
    best |= {name: seconds * scale for name, seconds in best_of(theirs).items()}
    show("Minkowski functionals, 1,000 maps of 256², 25 thresholds (peers: 10 maps)", best, "tenfold")
    assert best["tenfold"] < 0.65
    assert best["tenfold"] * 7 < LENSTOOLS_SECONDS


def test_minkowski_functionals_are_those_of_quantimpy(peer):
    """It counts configurations of pixels, N − 1 to a side, and knows no gradient."""
    quantimpy = peer("quantimpy.minkowski") or pytest.skip("without quantimpy")
    few, nu = smooth_maps(20, 4.0), NU[6:-6]
    ours = minkowski_functionals(few, nu, periodic=False)
    theirs = np.array([[quantimpy.functionals(each > level) for level in nu] for each in few]).mean(axis=0)
    # theirs are the area, the contour's length over 2π, and the Euler characteristic over π
    scales = 1 / (SIDE - 1) ** 2 * np.array([1, np.pi / 2, np.pi])
    for name, value, bound in zip(("v0", "v1", "v2"), (theirs * scales).T, (0.002, 0.02, 0.03), strict=True):
        off = (getattr(ours, name).mean(axis=0) - value) / np.abs(value).max()
        print(f"\n{name} less quantimpy's, over the largest: {np.round(off, 4)}")
        assert np.abs(off).max() < bound, name


def test_peaks_and_minima_are_those_of_scikit_image(peer):
    """To the last one, in double precision: of neighbours that are alike it counts both."""
    feature = peer("skimage.feature") or pytest.skip("without scikit-image")
    few, edges = smooth_maps(20, 2.0, np.float64), np.linspace(-3, 3, 51)
    for sign, count in ((1, peaks), (-1, minima)):
        places = [feature.peak_local_max(sign * each, exclude_border=1, threshold_abs=-np.inf) for each in few]
        theirs = [np.histogram(each[tuple(at.T)], edges)[0] for each, at in zip(few, places, strict=True)]
        assert np.array_equal(count(few, edges, periodic=False).counts, theirs)


def test_angular_power_is_that_of_powerbox(peer):
    powerbox = peer("powerbox") or pytest.skip("without powerbox")
    few = smooth_maps(5, 2.0, np.float64)
    ell = 360 / DEGREES * (np.arange(1, 60, 4) - 0.25)
    ours = angular_power(few, DEGREES, ell)
    theirs = [powerbox.get_power(each, np.deg2rad(DEGREES), bins=ell) for each in few]
    assert np.allclose(ours.power, [each.power for each in theirs], rtol=1e-6)


def smooth_cube(side, cells):
    """Gaussian cube of unit variance, smoothed over so many cells."""
    n, last = np.fft.fftfreq(side), np.fft.rfftfreq(side)
    square = n[:, None, None] ** 2 + n[:, None] ** 2 + last**2
    noise = scipy.fft.rfftn(np.random.default_rng(0).standard_normal((side,) * 3))
    out = scipy.fft.irfftn(noise * np.exp(-2 * (np.pi * cells) ** 2 * square))
    return out / out.std()


def test_bispectrum_is_that_of_pylians(peer):
    """Its bins reach a fundamental mode to either side of a triangle's sides; equilateral, and squeezed."""
    library = peer("Pk_library.bispectrum_library") or pytest.skip("without Pylians")
    box, long, short = 500.0, 2.2, 10.3
    delta = np.exp(smooth_cube(64, 1.5))
    delta = (delta / delta.mean() - 1).astype(np.float32)
    mode = 2 * np.pi / box
    edges = mode * np.array([long - 1, long + 1, short - 1, short + 1])
    ours = bispectrum_3d(delta, box, edges, [(2, 2, 2), (0, 2, 2)]).bispectrum[0]
    angles = {short: 2 * np.pi / 3, long: np.arccos(-long / short / 2)}
    theirs = [library.Bk(delta, box, k * mode, short * mode, np.array([angle]), "None", 1).B[0]
              for k, angle in angles.items()]  # fmt: skip
    assert np.allclose(ours, theirs, rtol=1e-5)


def test_minkowski_functionals_of_a_cube_are_those_of_scikit_image(peer):
    """The Euler characteristic to the last one: the mean of both ways to connect cells. Its surface is of triangles."""
    measure = peer("skimage.measure") or pytest.skip("without scikit-image")
    side = 96
    radius = np.linalg.norm(np.meshgrid(*[np.linspace(-1, 1, side)] * 3), axis=0)
    field, nu = smooth_cube(side, 4.0) - 8 * (radius / 0.9) ** 8, np.linspace(-1, 1, 9)  # nothing is cut by the walls
    ours = minkowski_functionals_3d(field, nu)
    euler = [np.mean([measure.euler_number(field > level, connectivity=c) for c in (1, 3)]) for level in nu]
    assert np.allclose(ours.v3 * side**3, euler, rtol=0, atol=1e-6)
    surface = [measure.mesh_surface_area(*measure.marching_cubes(field, level)[:2]) for level in nu]
    print(f"\nV1 over scikit-image's: {np.round(6 * ours.v1 * side**3 / surface, 3)}")
    assert np.allclose(6 * ours.v1 * side**3, surface, rtol=0.015)


def test_other_statistics_of_maps(maps, peer):
    """Angular power, pixels, peaks and minima, wavelets, bispectrum of the same maps."""
    edges = np.linspace(-3, 3, 51)
    ell = np.linspace(50, 180 / DEGREES * SIDE, 41)
    starts = ell[np.array([0, 2, 5, 10, 15, 20])]
    ways = {
        "bare rfft2": lambda: scipy.fft.rfft2(maps, workers=1),
        "angular power": lambda: angular_power(maps, DEGREES, ell),
        "pixel distribution": lambda: pixel_distribution(maps, edges),
        "peaks": lambda: peaks(maps, edges, periodic=False),
        "minima": lambda: minima(maps, edges, periodic=True),
        "starlet l1-norm": lambda: starlet_l1(maps, edges, periodic=False),
        "bispectrum, 5 bins (100 maps)": lambda: bispectrum(maps[:100], DEGREES, starts),
    }
    few, scale = maps[:20], MAPS / 20
    theirs = {"np.histogram (20 maps)": lambda: [np.histogram(each, edges) for each in few]}
    if feature := peer("skimage.feature"):
        theirs["scikit-image peaks (20 maps)"] = lambda: [
            np.histogram(each[tuple(feature.peak_local_max(each).T)], edges) for each in few
        ]
    if powerbox := peer("powerbox"):
        side = np.deg2rad(DEGREES)
        theirs["powerbox angular power (20 maps)"] = lambda: [powerbox.get_power(each, side, bins=ell) for each in few]
    if lenstools := peer("lenstools"):
        import astropy.units

        given = [lenstools.ConvergenceMap(each, angle=DEGREES * astropy.units.deg) for each in few]
        theirs |= {
            "lenstools angular power (20 maps)": lambda: [each.powerSpectrum(ell) for each in given],
            "lenstools pixels (20 maps)": lambda: [each.pdf(edges) for each in given],
            "lenstools peaks (20 maps)": lambda: [each.peakCount(edges) for each in given],
        }
    best = best_of(ways) | {name: seconds * scale for name, seconds in best_of(theirs).items()}
    show("1,000 maps of 256²", best, "bare rfft2")
    assert best["angular power"] < 1.5 * best["bare rfft2"]
    assert best["peaks"] < 0.4


def test_other_statistics_of_a_cube():
    delta = np.random.default_rng(0).standard_normal((128,) * 3, dtype=np.float32)
    k = np.arange(1, 42, 8) * 2 * np.pi / 256.0
    ways = {
        "bare rfftn": lambda: scipy.fft.rfftn(delta, workers=1),
        "Minkowski functionals, 25 thresholds": lambda: minkowski_functionals_3d(delta, NU),
        "bispectrum, 5 bins to 41 modes": lambda: bispectrum_3d(delta, 256.0, k),
    }
    for way in ways.values():
        way()
    show("128³", best_of(ways), "bare rfftn")
