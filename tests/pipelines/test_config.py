"""Errors of a configuration are reported with file, line, key and the valid values."""

import math
import typing
from dataclasses import is_dataclass, replace
from io import StringIO
from types import SimpleNamespace

import numpy as np
import pytest
from rich.console import Console

from tenfold.emulators.gan import COSMOGAN
from tenfold.emulators.mpnn import MPNN, PUBLISHED_ARCHITECTURES
from tenfold.hpc.ranks import Ranks
from tenfold.pipelines.cli.dry_run import describe_massmaps
from tenfold.pipelines.config import check as check_config
from tenfold.pipelines.config import dump, load, presets
from tenfold.pipelines.emulator.compatibility import check_compatibility
from tenfold.pipelines.errors import InputError
from tenfold.pipelines.studies.chemistry_config import ChemistryRun
from tenfold.pipelines.studies.cosmology_config import CosmologyRun
from tenfold.pipelines.studies.massmaps_config import MassMapsRun

STUDIES = (CosmologyRun, MassMapsRun, ChemistryRun)


@pytest.mark.parametrize(("kind", "preset"), [(k, p) for k in STUDIES for p in presets(k)])
def test_presets_are_valid_and_survive_a_round_trip(kind, preset, tmp_path):
    config = load(kind, preset=preset)
    file = tmp_path / "config.yaml"
    file.write_text(dump(config))
    assert load(kind, file) == config
    assert kind.DEFAULT in presets(kind)


@pytest.mark.parametrize("preset", presets(MassMapsRun))
def test_networks_of_mass_maps_fit_the_maps_their_preset_simulates(preset):
    config = load(MassMapsRun, preset=preset)
    simulation, network = config.simulation, config.network
    made = (network.size, network.channels, network.conditions)
    assert made == (simulation.pixels, len(simulation.sources), len(simulation.ranges))
    maps = SimpleNamespace(
        manifest=SimpleNamespace(
            shape=(simulation.pixels, simulation.pixels, len(simulation.sources)), mask=None, periodic=False,
            parameter_names=tuple(simulation.ranges), parameter_std=(0.1,) * len(simulation.ranges),
        ),
        read=lambda records: np.empty((len(records), simulation.pixels, simulation.pixels, len(simulation.sources))),
        split=lambda name: np.arange(simulation.count * simulation.maps // 2),
    )  # fmt: skip
    check_compatibility(maps, network, config.training, Ranks())  # does not raise


@pytest.mark.slow
@pytest.mark.parametrize("preset", presets(MassMapsRun))
def test_a_dry_run_on_mass_maps_describes_every_preset(preset):
    config = load(MassMapsRun, preset=preset)
    output = Console(width=120, file=StringIO())
    output.print(describe_massmaps(config))
    estimated = "mean and σ of each" in output.file.getvalue()
    assert estimated == config.estimates == bool(config.simulation.ranges)


def test_cosmogan_is_the_published_network_with_its_authors_rates():
    config = load(MassMapsRun, preset="cosmogan")
    assert config.network == replace(COSMOGAN, boundary="cropped")  # our maps end at their edges
    t = config.training
    assert (t.learning_rate, t.critic_learning_rate, t.beta_1, t.penalty) == (2e-4, 2e-4, 0.5, "none")
    assert t.global_batch == t.reference_batch == 64


def test_a_network_of_molecules_has_the_shape_of_its_paper_by_default():
    for name in PUBLISHED_ARCHITECTURES:
        assert load(ChemistryRun, preset=name).network == MPNN(network=name)
        assert load(ChemistryRun, settings=(f"network.network={name}",)).network.readout == MPNN(network=name).readout
    assert load(ChemistryRun, preset="demo").network == MPNN(network="painn", hidden=64)


def test_defaults_of_a_study_hold_for_keys_that_are_left_out():
    estimator = load(MassMapsRun, preset="demo", settings=("estimator.dense_units=[16]",)).estimator
    assert (estimator.dimensions, estimator.transform, estimator.dense_units) == (2, "identity", (16,))


def test_a_key_of_another_network_is_refused_with_the_valid_ones():
    with pytest.raises(InputError, match="valid in network: network, hidden, depth"):
        load(ChemistryRun, settings=("network.filters=[4, 8]",))


@pytest.mark.parametrize("key", ["beta", "weight_decay"])
def test_hyper_parameters_that_adversarial_training_does_not_have_are_refused(key):
    with pytest.raises(InputError, match=rf"training\.{key}: unknown key.*valid in training: epochs"):
        load(MassMapsRun, settings=(f"training.{key}=0.1",))
    assert getattr(load(MassMapsRun, settings=(f"estimator_training.{key}=0.1",)).estimator_training, key) == 0.1


def test_the_null_control_sees_fields_below_minus_one_and_trains_for_its_own_epochs():
    control = load(CosmologyRun, preset="demo", settings=("proof.control_epochs=3",)).null_control
    assert (control.network.transform, control.training.epochs) == ("identity", 3)


def test_a_file_changes_only_what_it_names(tmp_path):
    file = tmp_path / "config.yaml"
    file.write_text("training: {epochs: 7}\nnetwork: {filters: [4, 8]}\n")
    config = load(CosmologyRun, file)
    assert config.training.epochs == 7
    assert config.network.filters == (4, 8)
    assert config.simulation == CosmologyRun().simulation


def test_settings_win_over_the_file_and_the_file_over_the_preset(tmp_path):
    file = tmp_path / "config.yaml"
    file.write_text("training: {epochs: 7, seed: 5}\n")
    config = load(CosmologyRun, file, "demo", ("training.epochs=9",))
    assert (config.training.epochs, config.training.seed) == (9, 5)
    assert config.network == load(CosmologyRun, preset="demo").network


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("training:\n  epohcs: 3\n", ("line 2", "training.epohcs", "unknown key", "did you mean epochs?", "valid in")),
        ("trainig: {}\n", ("line 1", "did you mean training?", "simulation, ingest")),
        ("network:\n  size: 64\n  kernel_size: big\n", ("line 3", "network.kernel_size", "found 'big'", "integer")),
        ("training:\n  epochs: 0\n", ("line 2", "training.epochs: found 0, must be at least 1")),
        ("network:\n  pooling: median\n", ("line 2", "network.pooling", "'max' or 'average'")),
        ("training: [1, 2\n", ("line 2", "not YAML")),
        ("training: 3\n", ("line 1", "training", "found 3", "epochs")),
        ("- 1\n", ("holds no sections",)),
    ],
)
def test_errors_are_reported_with_their_line(text, message, tmp_path):
    file = tmp_path / "config.yaml"
    file.write_text(text)
    with pytest.raises(InputError) as caught:
        load(CosmologyRun, file)
    for part in (str(file), *message):
        assert part in str(caught.value)


@pytest.mark.parametrize(
    ("setting", "message"),
    [("training.epochs", "section.key=value"), ("training.epoch=1", "did you mean epochs?"), ("a.b=1", "unknown key")],
)
def test_settings_are_checked_too(setting, message):
    with pytest.raises(InputError, match="--set") as caught:
        load(CosmologyRun, settings=(setting,))
    assert message in str(caught.value)


def test_an_unknown_preset_is_refused_with_the_existing_ones():
    with pytest.raises(InputError, match="cosmoflow-mlperf, demo, laptop"):
        load(CosmologyRun, preset="desktop")


def test_a_partial_section_keeps_the_defaults_of_the_study(tmp_path):
    file = tmp_path / "study.yaml"
    file.write_text("estimator: {size: 128}\n")
    study = load(MassMapsRun, file, None, ())
    assert (study.estimator.size, study.estimator.dimensions, study.estimator.transform) == (128, 2, "identity")


def _fields(kind, path=()):
    """Every field of a study, with the types of its single values."""
    for name, type_ in typing.get_type_hints(kind).items():
        if is_dataclass(type_):
            yield from _fields(type_, (*path, name))
        elif not str(type_).startswith("typing.ClassVar"):
            yield ".".join((*path, name)), type_


def _one(kind, value):
    """A value of a field's type that is `value` at its first number."""
    inner = [type_ for type_ in typing.get_args(kind) if type_ not in (type(None), Ellipsis)]
    if typing.get_origin(kind) is dict:
        return {"omega_m": _one(inner[-1], value)}
    if typing.get_origin(kind) is tuple:
        return [_one(inner[0], value), *(_one(type_, 1) for type_ in inner[1:])]
    return _one(inner[0], value) if inner else value


NUMBERS = [
    pytest.param(study, name, kind, id=f"{study.STUDY}-{name}")
    for study in STUDIES
    for name, kind in _fields(study)
    if ("float" in str(kind) or "int" in str(kind)) and "str | int" not in str(kind)  # names of folds may be words
]
SWITCHES = [pytest.param(study, name, id=f"{study.STUDY}-{name}")
            for study in STUDIES for name, kind in _fields(study) if kind is bool]  # fmt: skip


def _tree(name, value):
    for part in reversed(name.split(".")):
        value = {part: value}
    return value


@pytest.mark.parametrize(("study", "name", "kind"), NUMBERS)
def test_numbers_are_finite_and_no_truth_values(study, name, kind):
    for value in (math.inf, -math.inf, math.nan, True, "1e999", 10**400):
        with pytest.raises(InputError) as caught:
            check_config(study, _tree(name, _one(kind, value)))
        assert str(caught.value).startswith(f"{name}: found")


@pytest.mark.parametrize(("study", "name"), SWITCHES)
def test_switches_are_true_or_false(study, name):
    for value in (1, 0, 1.0, "true", "on", 2):
        with pytest.raises(InputError, match=f"{name}: found .*, expected true or false"):
            check_config(study, _tree(name, value))


@pytest.mark.parametrize("value", [".inf", "-.inf", ".nan", "1e999", "1.0e+999", "true", "yes", "0x" + "f" * 9999])
def test_a_value_that_is_not_a_number_is_refused_with_its_line(value, tmp_path):
    file = tmp_path / "config.yaml"
    file.write_text(f"training:\n  epochs: 3\n  learning_rate: {value}\n")
    with pytest.raises(InputError, match=r"config.yaml, line 3: training.learning_rate: found .*, expected a"):
        load(CosmologyRun, file)


def test_a_learning_rate_may_be_in_scientific_notation():
    for text in ("1e-3", "1E-3", "0.001", "1.0e-3"):
        assert load(CosmologyRun, settings=(f"training.learning_rate={text}",)).training.learning_rate == 1e-3


def test_a_setting_that_the_network_does_not_read_is_refused_at_its_line(tmp_path):
    file = tmp_path / "study.yaml"
    file.write_text("network:\n  network: dmpnn\n  cutoff_angstrom: 6.0\n")
    with pytest.raises(
        InputError, match=r"study\.yaml, line 3: network\.cutoff_angstrom: found 6\.0, .* only network painn"
    ):
        load(ChemistryRun, file, preset="dmpnn")
    assert load(ChemistryRun, file, settings=("network.network=painn",)).network.cutoff_angstrom == 6.0
    with pytest.raises(
        InputError, match=r"--set network\.n_rbf=9: network\.n_rbf: found 9, .* only network painn reads it"
    ):
        load(ChemistryRun, preset="dmpnn", settings=("network.n_rbf=9",))
    assert load(ChemistryRun, preset="painn", settings=("network.n_rbf=9",)).network.n_rbf == 9


@pytest.mark.parametrize("preset", presets(ChemistryRun))
@pytest.mark.parametrize("network", ["dmpnn", "enn-s2s", "painn"])
def test_every_preset_accepts_every_network(preset, network):
    config = load(ChemistryRun, preset=preset, settings=(f"network.network={network}", "network.readout=published"))
    assert config.network.network == network


def test_a_renamed_key_is_refused_with_its_new_name(tmp_path):
    file = tmp_path / "study.yaml"
    file.write_text("training:\n  average: 0.9\n")
    with pytest.raises(InputError, match=r"study\.yaml, line 2: training\.average: renamed to training\.ema_decay"):
        load(CosmologyRun, file)
