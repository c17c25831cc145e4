"""Saliency of networks whose attribution is known analytically, and the page that shows it."""

import json
import re
import shutil
from dataclasses import asdict

import keras
import numpy as np
import pytest
from typer.testing import CliRunner

from tenfold.emulators.cnn import CNN
from tenfold.emulators.layers import Standardise
from tenfold.pipelines.cli.main import app
from tenfold.pipelines.errors import InputError
from tenfold.pipelines.estimator.estimator import Estimator, EstimatorConfig
from tenfold.pipelines.estimator.explain import explain_estimator
from tenfold.pipelines.estimator.saliency import QUANTILES, RANDOMISED_NETWORKS, alternate_groups, measure
from tenfold.pipelines.simulation.boxes import write_box
from tenfold.pipelines.simulation.cosmology import Cosmology
from tenfold.pipelines.training.bundle import Bundle
from tenfold.pipelines.training.run_folder import RunFolder
from tenfold.pipelines.volumes.ingest import Ingest, ingest_volumes
from tenfold.pipelines.volumes.provenance import FieldProperties
from tenfold.pipelines.volumes.shards import Shards
from tenfold.stats.saliency import highest_peaks

SIDE = 16
NAMES = ("omega_m", "sigma_8")
RNG = np.random.default_rng(1)


def linear(weights: np.ndarray, coarsen: int = 1, **standardise) -> Estimator:
    """Estimator of one parameter, the weighted sum of standardised block values."""
    side = len(weights) * coarsen
    inputs = keras.Input((side,) * weights.ndim + (1,))
    input_layer = Standardise(coarsen, transform="identity", name="standardise", **standardise)
    x = keras.layers.Flatten()(input_layer(inputs))
    dense = keras.layers.Dense(2, name="out")
    network = keras.Model(inputs, keras.layers.Reshape((1, 2))(dense(x)))
    dense.kernel.assign(np.stack([weights.ravel(), np.zeros(weights.size)], axis=1))
    return Estimator(network, ("omega_m",), np.ones(1))


def test_a_linear_network_attributes_weight_times_deviation_from_the_mean_to_each_cell():
    weights = RNG.standard_normal((SIDE, SIDE)).astype(np.float32)
    maps = RNG.standard_normal((2, SIDE, SIDE, 1)).astype(np.float32)
    saliency = measure(linear(weights), maps, 0.5)
    np.testing.assert_allclose(saliency.attributions[:, 0], weights * (maps[..., 0] - 0.5), rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(saliency.fields, maps[..., 0], rtol=1e-6)
    assert saliency.completeness_errors.max() < 1e-3 * np.abs(saliency.estimates - saliency.baseline_estimates).max()
    gradient = measure(linear(weights), maps, 0.5, method="gradient")
    smooth = measure(linear(weights), maps, 0.5, method="smoothgrad")
    for saliency in (gradient, smooth):
        np.testing.assert_allclose(saliency.attributions[:, 0], np.stack([weights] * 2), rtol=1e-4, atol=1e-5)
        assert np.isnan(saliency.completeness_errors).all()


def test_attributions_are_summed_over_the_blocks_that_a_network_coarsens_and_stay_complete():
    weights = RNG.standard_normal((4, 4, 4)).astype(np.float32)
    boxes = RNG.poisson(2.0, (1, 8, 8, 8, 1)).astype(np.float32)
    saliency = measure(linear(weights, coarsen=2, std=(3.0,)), boxes, 2.0)
    blocks = boxes[0, ..., 0].reshape(4, 2, 4, 2, 4, 2).sum((1, 3, 5))
    np.testing.assert_allclose(saliency.attributions[0, 0], weights * (blocks - 16) / 3, rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(saliency.fields[0], blocks / 8)
    assert saliency.attributions.sum() == pytest.approx(
        float(saliency.estimates[0, 0] - saliency.baseline_estimates[0]), abs=1e-3
    )


def test_a_network_that_reads_peaks_alone_is_recognised_and_differs_from_randomised_ones():
    """Its weights lie on the twenty highest peaks, and so does all the attribution, unlike that of randomised ones."""
    values = RNG.standard_normal((48, 48)).astype(np.float32)
    weights = np.zeros((48, 48), np.float32)
    weights[tuple(highest_peaks(values, 20).T)] = 1
    saliency = measure(linear(weights), values[None, ..., None], 0.0)
    assert saliency.peak_matches[0, 0] == 1
    assert saliency.chance_peak_matches[0, 0].sum() < 0.5
    assert saliency.density_fractions[0, 0, -1] == pytest.approx(1)
    assert saliency.density_fractions.shape == (1, 1, QUANTILES)
    assert saliency.randomised_density_fractions.shape == (1, 1, RANDOMISED_NETWORKS, QUANTILES)
    assert saliency.randomised_density_fractions[0, 0, :, -1].max() < 0.8
    assert saliency.rank_correlations[0, 0, -1] < 0.2
    assert saliency.layers == ("out",)


def test_randomised_weights_are_restored():
    weights = RNG.standard_normal((4, 4)).astype(np.float32)
    estimator = linear(weights)
    measure(estimator, RNG.standard_normal((1, 4, 4, 1)), 0.0, method="gradient")
    np.testing.assert_array_equal(np.asarray(estimator.network.get_layer("out").kernel)[:, 0], weights.ravel())


def test_rows_alternate_between_simulations():
    assert alternate_groups(["a", "a", "b", "b", "c"], 4).tolist() == [0, 2, 4, 1]
    assert alternate_groups(["a"], 4).tolist() == [0]


def test_an_unknown_method_is_refused_with_the_valid_ones():
    with pytest.raises(InputError, match="integrated-gradients, gradient, smoothgrad"):
        measure(linear(np.ones((4, 4), np.float32)), np.ones((1, 4, 4, 1)), 0.0, method="lime")
    with pytest.raises(InputError, match="integrated was renamed to integrated-gradients"):
        measure(linear(np.ones((4, 4), np.float32)), np.ones((1, 4, 4, 1)), 0.0, method="integrated")


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """Finished run on boxes of counts: shards, an untrained network and its predictions."""
    folder = tmp_path_factory.mktemp("explained")
    (folder / "boxes").mkdir()
    for i in range(10):
        share = np.exp(RNG.standard_normal(SIDE**3))
        counts = RNG.multinomial(SIDE**3, share / share.sum()).reshape((SIDE,) * 3 + (1,))
        write_box(
            folder / "boxes" / f"box_{i:05d}.h5", counts.astype(np.int16),
            cosmology=Cosmology(omega_m=RNG.uniform(0.1, 0.5), sigma_8=RNG.uniform(0.5, 1.0)),
            ranges={"omega_m": (0.1, 0.5), "sigma_8": (0.5, 1.0)}, redshifts=(0.0,), seed=i, universe=f"box_{i:05d}",
            units="counts",
            config={"box_mpc_h": 64.0, "particles": SIDE, "mesh_factor": 1, "steps": 1, "assignment": "ngp"},
        )  # fmt: skip
    ingest_volumes([folder / "boxes"], folder / "data", Ingest(fractions=(0.5, 0.2, 0.3), processes=1))
    shape = CNN(size=SIDE, coarsen=2, filters=(4,), dense_units=(8,), pooling="average", readout="global")
    config = EstimatorConfig(
        architecture=shape, names=NAMES, location=(0.3, 0.8), scale=(0.1, 0.1), mean=(0.0,), std=(1.0,),
        sigma_factor=(1.0, 1.0),
    )  # fmt: skip
    network = config.network(seed=1)
    network.get_layer("out").kernel.assign(RNG.standard_normal((8, 4)))
    made = RunFolder(folder / "run")
    made.create()
    with Shards.open(folder / "data") as shards:
        facts = {"fields": asdict(FieldProperties.of(shards.manifest))}
        Bundle.of("estimator", config, network, facts).write(made.bundle)
        test = shards.split("test")
        truth = shards.parameters(test)
        made.write_predictions(
            names=np.array(NAMES), test_record=test, test_true=truth, test_mean=truth, test_sigma=truth,
            test_simulation=np.array(shards.simulation(test), dtype=str),
        )  # fmt: skip
    made.write_record("estimator", {"data": str(folder / "data"), "names": list(NAMES), "sigma_factor": [1.0, 1.0]})
    return made.path


def test_the_command_writes_a_self_contained_page_and_its_numbers(run, tmp_path):
    result = CliRunner().invoke(app, ["explain", "estimator", str(run), "--out", str(tmp_path), "--count", "2"])
    assert result.exit_code == 0, result.output
    page = (tmp_path / "saliency.html").read_text()
    assert not re.search(r"<script|<link|@import|url\(|https?://", page)
    sources = re.findall(r'src="([^"]{0,40})', page)
    assert (
        len(sources) == 2 * (3 + 1) + 2
    )  # field, two attributions and the randomisation test of each sample; two density curves
    assert all(source.startswith("data:image/") for source in sources)
    assert "completeness error" in page
    assert "2 cells of the data per side" in page
    with np.load(tmp_path / "saliency.npz", allow_pickle=False) as arrays:
        assert arrays["attributions"].shape == (2, 2, 8, 8, 8)
        assert arrays["layers"].tolist() == ["out", "dense_0", "affine", "convolution_0"]
        difference = arrays["estimates"] - arrays["baseline_estimates"]
        assert (arrays["completeness_errors"] < 0.02 * np.abs(difference).max()).all()
        np.testing.assert_allclose(
            arrays["attributions"].sum((2, 3, 4)), difference, atol=0.02 * np.abs(difference).max()
        )
        estimator = Estimator.load(run)
        with Shards.open(run.parent / "data") as shards:
            np.testing.assert_allclose(
                estimator.predict(shards.read(arrays["record"]))[0], arrays["estimates"], rtol=1e-4
            )
            np.testing.assert_array_equal(shards.parameters(arrays["record"]), arrays["true"])


def test_noise_on_counts_does_not_fall_below_the_lowest_value(run):
    with Shards.open(run.parent / "data") as shards:
        saliency = measure(Estimator.load(run), shards.read(shards.split("test")[:1]), 1.0, method="smoothgrad")
    assert np.isfinite(saliency.attributions).all()
    assert json.loads(json.dumps(saliency.metrics(), allow_nan=False))["samples"] == 1


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda run: (run.path / "run.json").unlink(), "no training has finished"),
        (lambda run: run.write_record("molecules", {"data": "x"}), "a run of `tenfold train molecules`, not of"),
        (lambda run: run.bundle.write_bytes(b"cut"), r"bundle\.tenfold: cannot be read"),
        (lambda run: run.write_record("estimator", run.read_record() | {"data": "/gone"}), "Put the shards back"),
    ],
)
def test_a_run_that_cannot_be_explained_is_refused_and_nothing_is_written(run, tmp_path, spoil, message):
    shutil.copytree(run, tmp_path / "run")
    spoil(RunFolder(tmp_path / "run"))
    with pytest.raises(InputError, match=message):
        explain_estimator(tmp_path / "run", tmp_path / "out")
    assert not (tmp_path / "out").exists()
