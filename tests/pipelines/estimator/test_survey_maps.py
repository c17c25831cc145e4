"""A network of maps that are neither square nor complete: trained, validated beside C_ℓ, and explained."""

import json
from dataclasses import replace

import numpy as np
import pytest
from tests.formats.survey import footprint, write_image

from tenfold.emulators.adversarial import AdversarialTraining
from tenfold.emulators.cnn import CNN
from tenfold.emulators.gan import GAN
from tenfold.emulators.training import FieldTraining
from tenfold.hpc.ranks import Ranks
from tenfold.pipelines.emulator.compatibility import check_compatibility
from tenfold.pipelines.errors import InputError
from tenfold.pipelines.estimator.baseline import Baseline
from tenfold.pipelines.estimator.estimator import Estimator
from tenfold.pipelines.estimator.explain import explain_estimator
from tenfold.pipelines.estimator.map_spectra import measure_maps, multipole_edges
from tenfold.pipelines.estimator.saliency_report import width_label
from tenfold.pipelines.estimator.train import train_estimator
from tenfold.pipelines.estimator.validate import validate
from tenfold.pipelines.volumes.maps import MassMapIngest, ingest_massmaps
from tenfold.pipelines.volumes.shards import Shards

pytestmark = pytest.mark.slow

SIMULATIONS, MAPS, HEIGHT, WIDTH = 80, 4, 18, 27
MASK = footprint(HEIGHT, WIDTH)
NETWORK = CNN(
    dimensions=2, size=HEIGHT, width=WIDTH, masked=True, pad=True, filters=(8, 16), dense_units=(16,),
    transform="identity", readout="global",
)  # fmt: skip
TRAINING = FieldTraining(epochs=24, global_batch=16, shifts=False)


def gaussian_map(rng, tilt, amplitude):
    """A piece of a periodic Gaussian field with P(k) ∝ amplitude² k^(−4 tilt)."""
    shape = (2 * HEIGHT, 2 * WIDTH)
    k = np.hypot(np.fft.fftfreq(shape[0])[:, None], np.fft.rfftfreq(shape[1]))
    k[0, 0] = np.inf
    field = np.fft.irfft2(np.fft.rfft2(rng.standard_normal(shape)) * (k / 0.1) ** (-2 * tilt), shape)
    return (0.02 * amplitude * field[:HEIGHT, :WIDTH]).astype(np.float32)


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    folder, rng = tmp_path_factory.mktemp("survey"), np.random.default_rng(0)
    (folder / "maps").mkdir()
    for n in range(SIMULATIONS):
        tilt, amplitude = rng.uniform(0.1, 0.5), rng.uniform(0.5, 1.0)
        maps = np.stack([gaussian_map(rng, tilt, amplitude) for _ in range(MAPS)])
        maps[:, ~MASK] = np.nan
        cards = {"OMEGA_M": tilt, "SIGMA_8": amplitude, "BUNIT": "kappa", "SIMUL": f"field_{n:02d}"}
        write_image(folder / "maps" / f"{n:02d}.fits", maps, (0.1, 0.1), **cards)
    config = MassMapIngest(processes=1, fractions=(0.6, 0.15, 0.25), masked_values=True)
    ingest_massmaps([folder / "maps"], folder / "data", config)
    return folder / "data"


@pytest.fixture(scope="module")
def run(data):
    train_estimator(data, data.parent / "run", NETWORK, TRAINING, views=4)
    return data.parent / "run"


@pytest.fixture(scope="module")
def metrics(run):
    page = validate(run, baseline=Baseline(folds=3, members=1))
    return json.loads((run / "metrics.json").read_text()), page.read_text()


def test_the_network_learns_both_parameters(metrics):
    scores = metrics[0]["simulations"]
    for name in ("omega_m", "sigma_8"):
        assert scores["rmse_ratio_training_mean"][name]["low"] > 1
        # of Gaussian fields, nothing is known beyond the power spectrum
        assert 0.5 < scores["rmse_ratio_power_spectrum"][name]["value"] < 1.2


def test_the_report_states_mask_and_pseudo_spectrum(metrics):
    _, page = metrics
    for text in (
        f"{HEIGHT} × {WIDTH} pixels of 6 arcmin, of which {100 * MASK.mean():.1f} % are observed",
        "pseudo-C<sub>ℓ</sub>",
        f"f<sub>sky</sub> = {MASK.mean():.3f}",
        "The coupling of multipoles by the mask is not removed",
        "A two-dimensional convolutional network",
        "pixels and the mask as input",
    ):
        assert text in page
    assert "dark-matter boxes" not in page and "P(k)" not in page


def test_masked_pixels_do_not_change_an_estimate(run, data):
    estimator = Estimator.load(run)
    with Shards.open(data) as shards:
        maps = shards.read(shards.split("test")[:3])
    noise = np.random.default_rng(0).standard_normal(maps.shape).astype(np.float32)
    other = np.where(MASK[..., None], maps, noise)
    for one, two in zip(estimator.predict(maps), estimator.predict(other), strict=True):
        assert np.array_equal(one, two)
    own_mask = np.concatenate([maps, np.broadcast_to(MASK[..., None], (*maps.shape[:3], 1))], axis=-1)
    assert np.array_equal(estimator.predict(maps)[0], estimator.predict(own_mask)[0])
    assert "observed" in repr(estimator)
    with Shards.open(data) as shards:
        assert width_label(shards.manifest) == "1.8° × 2.7°"


def test_predictions_are_the_mean_of_four_reflections(run, data):
    estimator = Estimator.load(run)
    with Shards.open(data) as shards:
        maps = shards.read(shards.split("test")[:3])
    own_mask = np.concatenate([maps, np.broadcast_to(MASK[..., None], (*maps.shape[:3], 1))], axis=-1)
    views = [own_mask[:, ::y, ::x] for y in (1, -1) for x in (1, -1)]
    assert np.allclose(
        estimator.predict(maps, views=4)[0], np.mean([estimator.predict(view)[0] for view in views], axis=0), rtol=1e-5
    )
    with pytest.raises(ValueError, match="must be 1 to 4"):
        estimator.predict(maps, views=5)


@pytest.mark.parametrize("method", ["integrated-gradients", "smoothgrad"])
def test_masked_pixels_have_no_attribution(run, tmp_path, method):
    explain_estimator(run, tmp_path / "saliency", count=2, method=method)
    with np.load(tmp_path / "saliency" / "saliency.npz") as arrays:
        assert arrays["attributions"].shape == (2, 2, HEIGHT, WIDTH)
        assert np.array_equal(arrays["observed"], MASK)
        assert not arrays["attributions"][:, :, ~MASK].any()
        assert arrays["attributions"][:, :, MASK].any()
        if method == "integrated-gradients":
            total = arrays["attributions"].sum(axis=(2, 3))
            difference = arrays["estimates"] - arrays["baseline_estimates"]
            assert np.allclose(total, difference, atol=0.02)


def test_spectra_of_a_complete_square_are_those_of_its_periodic_continuation(tmp_path):
    rng = np.random.default_rng(0)
    (tmp_path / "maps").mkdir()
    for n in range(4):
        image = rng.normal(0, 0.02, (16, 16)).astype(np.float32)
        write_image(tmp_path / "maps" / f"{n}.fits", image, (0.1, 0.1), OMEGA_M=0.2 + 0.05 * n, BUNIT="kappa")
    ingest_massmaps([tmp_path / "maps"], tmp_path / "data", MassMapIngest(processes=1, fractions=(0.5, 0.25, 0.25)))
    with Shards.open(tmp_path / "data") as shards:
        spectra = measure_maps(shards, np.arange(4))
    assert multipole_edges(16, 16, 0.1)[[0, 1, -1]].tolist() == pytest.approx(
        [112.5, 112.5 + 1687.5 / 7, 1800], rel=1e-3
    )
    expected = (0.02 * np.deg2rad(0.1)) ** 2
    assert spectra.power.mean() == pytest.approx(expected, rel=0.1)
    assert spectra.f_sky == 1


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"masked": False}, r"the data have a mask, the network takes none: --set network\.masked=true"),
        ({"width": 0, "size": 18}, r"--set network\.size=18 --set network\.width=27"),
        ({"transform": "log1p", "coarsen": 2, "filters": (8,)}, r"coarsen = 2² pixels of masked maps"),
    ],
)
def test_networks_that_do_not_fit_the_maps(data, tmp_path, changes, message):
    with pytest.raises(InputError, match=message):
        train_estimator(data, tmp_path / "run", replace(NETWORK, **changes), TRAINING)


def test_shifts_and_too_many_views_are_refused(data, tmp_path):
    with pytest.raises(InputError, match=r"maps with a mask, which are not periodic: --set training\.shifts=false"):
        train_estimator(data, tmp_path / "run", NETWORK, replace(TRAINING, shifts=True))
    with pytest.raises(InputError, match="found 8, but the fields have 4 orientations"):
        train_estimator(data, tmp_path / "run", NETWORK, TRAINING, views=8)


def test_emulators_need_complete_squares(data):
    with Shards.open(data) as shards, pytest.raises(InputError, match="emulators generate complete square maps"):
        check_compatibility(shards, GAN(size=64), AdversarialTraining(), Ranks())
