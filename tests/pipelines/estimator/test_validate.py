"""Validation of a training on small boxes: correct scores, supported statements, an offline page, clear errors."""

import json
import re
import shutil

import numpy as np
import pytest

from tenfold.pipelines.errors import InputError
from tenfold.pipelines.estimator import figures
from tenfold.pipelines.estimator.baseline import Baseline
from tenfold.pipelines.estimator.comparison import compare, score
from tenfold.pipelines.estimator.example_boxes import select_corners
from tenfold.pipelines.estimator.report import headline, verdicts
from tenfold.pipelines.estimator.spectra import measure
from tenfold.pipelines.estimator.validate import validate
from tenfold.pipelines.reports.digits import format_value
from tenfold.pipelines.simulation.boxes import write_box
from tenfold.pipelines.simulation.cosmology import Cosmology
from tenfold.pipelines.training.run_folder import RunFolder
from tenfold.pipelines.volumes.ingest import Ingest, ingest_volumes
from tenfold.pipelines.volumes.shards import Shards
from tenfold.stats.power import overdensity, power_spectrum

pytestmark = pytest.mark.slow

BOXES, SIDE, PARTICLES = 40, 12, 32
QUICK = Baseline(folds=3, members=1)
NAMES = ("omega_m", "sigma_8")


def make_shards(folder, *, surrogates=False):
    """Make boxes of particles that follow a lognormal field of the parameters (or the field itself), and shards."""
    rng = np.random.default_rng(1)
    k = np.sqrt(sum(n**2 for n in np.meshgrid(*[np.fft.fftfreq(SIDE, 1 / SIDE)] * 3, indexing="ij")))
    k[0, 0, 0] = 1
    for i in range(BOXES):
        omega_m, sigma_8 = rng.uniform(0.1, 0.5), rng.uniform(0.5, 1.0)
        noise = np.fft.fftn(rng.normal(size=(SIDE,) * 3)) * k ** (-3 * omega_m)
        field = np.fft.ifftn(noise).real
        field *= sigma_8 / field.std()
        share = np.exp(field).ravel() / np.exp(field).sum()
        full = field - field.mean() if surrogates else rng.multinomial(PARTICLES**3, share).reshape(field.shape)
        write_box(
            folder / "boxes" / f"box_{i:05d}.h5",
            full[..., None].astype(np.float32 if surrogates else np.int16),
            cosmology=Cosmology(omega_m=omega_m, sigma_8=sigma_8),
            ranges={"omega_m": (0.1, 0.5), "sigma_8": (0.5, 1.0)},
            redshifts=(0.0,),
            seed=i,
            universe=f"box_{i:05d}",
            units="overdensity" if surrogates else "counts",
            config={"box_mpc_h": 64.0, "particles": PARTICLES, "mesh_factor": 1, "steps": 1, "assignment": "ngp"},
        )
    ingest_volumes([folder / "boxes"], folder / "data", Ingest(fractions=(0.5, 0.2, 0.3), processes=1))
    return folder / "data"


def make_run(path, data, error):
    """Make a finished training whose network errs by `error`, and says so."""
    rng = np.random.default_rng(2)
    folder = RunFolder(path)
    folder.create()
    with Shards.open(data) as shards:
        predictions = {"names": np.array(shards.manifest.parameter_names)}
        for split in ("validation", "test"):
            records = shards.split(split)
            true = shards.parameters(records)
            predictions[f"{split}_record"], predictions[f"{split}_true"] = records, true
            predictions[f"{split}_simulation"] = np.array(shards.simulation(records), dtype=str)
            predictions[f"{split}_mean"] = true + error * rng.normal(size=true.shape)
            predictions[f"{split}_sigma"] = np.full_like(true, error)
    folder.write_predictions(**predictions)
    columns = ("epoch", "step", "loss", "validation_loss", "learning_rate", "seconds", "waiting")
    folder.write_history([dict.fromkeys(columns, 1.0) | {"epoch": n, "loss": 1 / n} for n in range(1, 7)])
    folder.write_record(
        "estimator", {"data": str(data), "parameters": 1234, "ranks": 2, "seed": 7, "wall_s": 3.5, "versions": {}}
    )
    return path


@pytest.fixture(scope="module")
def validated(tmp_path_factory):
    folder = tmp_path_factory.mktemp("validation")
    for name in ("simulations", "surrogates"):
        (folder / name / "boxes").mkdir(parents=True)
    run = make_run(folder / "run", make_shards(folder / "simulations"), 0.002)
    null = make_run(folder / "null", make_shards(folder / "surrogates", surrogates=True), 0.08)
    report = validate(run, null, folder / "out", baseline=QUICK)
    return folder, report, json.loads((folder / "out" / "metrics.json").read_text())


def test_metrics_hold_every_method_parameter_and_interval(validated):
    _, _, metrics = validated
    for block in ("simulations", "gaussian_surrogates"):
        for method in ("network", "power_spectrum", "training_mean"):
            for name in NAMES:
                scores = metrics[block][method][name]
                for figure in ("rmse", "bias", "chi2", "coverage_68", "coverage_95", "r2"):
                    assert scores[f"{figure}_low"] <= scores[figure] <= scores[f"{figure}_high"]
        for name in NAMES:
            ratio = metrics[block]["rmse_ratio_power_spectrum"][name]
            network_rmse, spectrum_rmse = (
                metrics[block][method][name]["rmse"] for method in ("network", "power_spectrum")
            )
            assert ratio["value"] == pytest.approx(spectrum_rmse / network_rmse)
            assert ratio["low"] <= ratio["value"] <= ratio["high"]
    assert metrics["environment"]["seeds"] == {
        "training": 7,
        "null training": 7,
        "split": 0,
        "regression": 0,
        "bootstrap": 0,
    }
    assert metrics["environment"]["bootstrap"]["draws"] == 10_000
    assert metrics["environment"]["ranks"] == 2


def test_scores_are_those_of_the_predictions(validated):
    folder, _, metrics = validated
    with np.load(folder / "run" / "predictions.npz") as arrays:
        error = arrays["test_mean"] - arrays["test_true"]
        pull = error / arrays["test_sigma"]
    for p, name in enumerate(NAMES):
        assert metrics["simulations"]["network"][name]["rmse"] == pytest.approx(np.sqrt((error[:, p] ** 2).mean()))
        assert metrics["simulations"]["network"][name]["chi2"] == pytest.approx((pull[:, p] ** 2).mean())


def test_the_mean_is_that_of_training_and_validation_only(validated):
    folder, _, metrics = validated
    with Shards.open(folder / "simulations" / "data") as shards:
        learn, test = (
            np.concatenate([shards.split(s) for s in which]) for which in (("train", "validation"), ("test",))
        )
        error = shards.parameters(learn).mean(0) - shards.parameters(test)
    for p, name in enumerate(NAMES):
        assert metrics["simulations"]["training_mean"][name]["rmse"] == pytest.approx(
            np.sqrt((error[:, p] ** 2).mean())
        )


def test_the_page_is_one_offline_file_that_shows_the_metrics(validated):
    _, report, metrics = validated
    page = report.read_text()
    assert report.stat().st_size < 5_000_000
    assert not re.search(r"<script|<link|@import|url\(|https?://", page)
    sources = re.findall(r'src="([^"]{0,40})', page)
    assert len(sources) > 10
    assert all(source.startswith("data:image/") for source in sources)
    assert all(words for words in re.findall(r'alt="([^"]*)"', page))
    scores = metrics["simulations"]["network"]["omega_m"]
    assert format_value(scores["rmse"], (scores["rmse_high"] - scores["rmse_low"]) / 2) in page
    assert str(headline(metrics)) in page
    assert "40 simulated boxes of 64 Mpc/h per side with 12 × 12 × 12 cells at redshift 0, with" in page
    assert "trained for 6 epochs on 2 MPI ranks." in page


def test_the_same_run_gives_the_same_numbers_and_figures_and_without_a_null_test_claims_none(validated, monkeypatch):
    folder, report, metrics = validated
    monkeypatch.setattr("tenfold.pipelines.estimator.example_boxes.theory_spectra", lambda *_: {})  # CAMB takes seconds
    alone = validate(folder / "run", None, folder / "alone", baseline=QUICK)
    repeated = json.loads((folder / "alone" / "metrics.json").read_text())
    assert repeated["simulations"] == metrics["simulations"]
    assert "gaussian_surrogates" not in repeated
    words = re.sub(r"<[^>]*>", "", alone.read_text())
    assert "surrogate" not in words
    assert "Null test" not in words
    first, second = (set(re.findall(r'src="([^"]*)"', page.read_text())) for page in (report, alone))
    # same slices, estimates, pulls and loss; different power spectra (no theory) and ratios (no null test)
    assert len(second - first) == 2


def ratios(simulations, null=None, to_mean=(2.0, 3.0)):
    def block(intervals):
        one = {name: {"value": sum(i) / 2, "low": i[0], "high": i[1]} for name, i in zip(NAMES, intervals, strict=True)}
        other = {name: {"value": sum(to_mean) / 2, "low": to_mean[0], "high": to_mean[1]} for name in NAMES}
        return {"rmse_ratio_power_spectrum": one, "rmse_ratio_training_mean": other}

    return {"simulations": block(simulations)} | ({"gaussian_surrogates": block(null)} if null else {})


BETTER, EQUAL, WORSE = (1.5, 2.5), (0.9, 1.2), (0.5, 0.8)


@pytest.mark.parametrize(
    ("metrics", "words"),
    [
        (
            ratios([BETTER, BETTER], [EQUAL, WORSE]),
            "and σ<sub>8</sub> more accurately than the power spectrum. On Gaussian fields",
        ),
        (
            ratios([BETTER, EQUAL], [EQUAL, EQUAL]),
            "; for σ<sub>8</sub> there is no significant difference. On Gaussian fields",
        ),
        (ratios([BETTER, WORSE]), "more accurately and σ<sub>8</sub> less accurately than the power spectrum."),
        (ratios([WORSE, EQUAL]), "less accurately than the power spectrum; for"),
        (ratios([EQUAL, EQUAL], [EQUAL, EQUAL]), "show no significant difference between"),
        (ratios([BETTER, BETTER], [EQUAL, BETTER]), "The null test fails for σ<sub>8</sub>"),
        (ratios([EQUAL, EQUAL], [BETTER, EQUAL]), "The null test fails for Ω<sub>m</sub>"),
        (ratios([BETTER, EQUAL], [EQUAL, EQUAL], to_mean=(0.9, 1.1)), "so that the null test is inconclusive"),
    ],
)
def test_the_headline_claims_what_the_intervals_show(metrics, words):
    assert words in headline(metrics)


def test_the_headline_names_the_parameters_with_miscalibrated_sigma():
    def scores(low, high):
        calibrated = {"coverage_95": 0.95, "coverage_95_low": 0.93, "coverage_95_high": 0.97}
        return calibrated | {"coverage_68": (low + high) / 2, "coverage_68_low": low, "coverage_68_high": high}

    metrics = ratios([BETTER, BETTER])
    metrics["simulations"]["network"] = dict(zip(NAMES, (scores(0.5, 0.6), scores(0.65, 0.72)), strict=True))
    text = headline(metrics)
    assert (
        "Its σ for Ω<sub>m</sub> is too small: a fraction 0.550 (0.500 … 0.600) of the true values lies within 1σ"
        in text
    )
    assert "within 1σ, 0.68 expected." in text
    assert text.count("Its σ") == 1


def test_no_gain_is_claimed_where_the_interval_reaches_one():
    first, second = verdicts(ratios([(0.99, 3.0), BETTER], [EQUAL, BETTER], to_mean=(0.8, 1.3)))
    assert "no significant difference" in first
    assert "more accurate" not in first
    assert "null test is inconclusive" in first
    assert "more accurate" in second
    assert "the null test fails" in second


def test_spectra_are_of_each_record_s_own_overdensity(validated):
    folder, _, _ = validated
    with Shards.open(folder / "simulations" / "data") as shards:
        records = shards.split("test")[:3]
        spectra, volumes = measure(shards, records), shards.read(records)
    expected = power_spectrum(overdensity(volumes[1, ..., 0]), 64.0)
    np.testing.assert_allclose(spectra.power[1, 0], expected.power, rtol=1e-6)
    np.testing.assert_allclose(spectra.mean[1, 0], volumes[1].mean(), rtol=1e-6)
    with Shards.open(folder / "surrogates" / "data") as shards:
        spectra, volumes = measure(shards, records), shards.read(records)
    np.testing.assert_allclose(spectra.power[1, 0], power_spectrum(volumes[1, ..., 0], 64.0).power, rtol=1e-6)
    assert (spectra.mean == 1).all()


def test_example_boxes_span_the_parameters():
    grid = np.stack(np.meshgrid(np.linspace(0, 1, 11), np.linspace(0, 1, 11), indexing="ij"), -1).reshape(-1, 2)
    assert len(set(select_corners(grid))) == 4
    assert np.abs(grid[select_corners(grid)] - 0.5).min() > 0.3
    assert len(select_corners(np.array([[0.1], [0.1], [0.3]]))) == 2  # two cosmologies, whatever the number of records


def test_a_figure_of_the_same_numbers_has_the_same_bytes():
    rows = [("omega_m", "simulations", {"value": 2.0, "low": 1.5, "high": 2.6})]
    assert figures.ratios(rows).source == figures.ratios(rows).source


def copy_run(validated, tmp_path, **changes):
    source = RunFolder(validated[0] / "run")
    target = RunFolder(tmp_path / "run")
    shutil.copytree(source.path, target.path)
    with np.load(source.path / "predictions.npz") as stored:
        arrays = {name: stored[name] for name in stored.files}
    target.write_predictions(**arrays | {key: change(arrays[key]) for key, change in changes.items()})
    return target.path


PREDICTED = tuple(f"test_{name}" for name in ("record", "simulation", "true", "mean", "sigma"))


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"test_true": lambda true: true + 0.01}, "true parameters differ"),
        ({"test_simulation": lambda names: names[::-1]}, "simulations or true parameters differ"),
        ({"names": lambda names: np.array(["omega_m", "n_s"])}, "do not have n_s .they have omega_m, sigma_8"),
        ({"test_record": lambda records: records[:-1]}, r"expected \d+ rows"),
        (dict.fromkeys(PREDICTED, lambda values: values[:-1]), "the predictions are of"),
    ],
)
def test_predictions_of_other_data_are_refused(validated, tmp_path, changes, words):
    with pytest.raises(InputError, match=words):
        compare(copy_run(validated, tmp_path, **changes), QUICK)


def test_an_unfinished_or_damaged_run_is_named(validated, tmp_path):
    with pytest.raises(InputError, match=r"run\.json"):
        validate(tmp_path, baseline=QUICK)
    run = copy_run(validated, tmp_path)
    (run / "predictions.npz").write_bytes(b"PK\x03\x04 cut short")
    with pytest.raises(InputError, match=r"predictions\.npz: cannot be read"):
        validate(run, baseline=QUICK)


def test_a_diverged_training_is_named(validated, tmp_path):
    run = copy_run(validated, tmp_path, test_mean=lambda mean: np.where(mean == mean.max(), np.nan, mean))
    with pytest.raises(InputError, match="has diverged"):
        score(compare(run, QUICK), seed=0, draws=200)


def test_shards_moved_together_with_the_run_are_found(validated, tmp_path):
    run = copy_run(validated, tmp_path)
    shutil.copytree(validated[0] / "simulations" / "data", tmp_path / "data")
    record = json.loads((run / "run.json").read_text())
    RunFolder(run).write_record("estimator", record | {"data": "/where/they/were/data"})
    assert compare(run, QUICK).data == tmp_path / "data"
    shutil.rmtree(tmp_path / "data")
    with pytest.raises(InputError, match="Put the shards back"):
        compare(run, QUICK)


def test_a_null_test_of_other_simulations_is_refused(validated, tmp_path):
    folder, _, _ = validated
    ingest_volumes(
        [folder / "surrogates" / "boxes"], tmp_path / "other", Ingest(fractions=(0.5, 0.2, 0.3), seed=9, processes=1)
    )
    null = make_run(tmp_path / "null", tmp_path / "other", 0.08)
    with pytest.raises(InputError, match="with the same fractions and seed"):
        validate(folder / "run", null, tmp_path / "out", baseline=QUICK)
    assert not (tmp_path / "out" / "report.html").exists()
