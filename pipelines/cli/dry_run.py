"""Dry runs: what a command would do, and its size, as tables."""

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Group
from rich.table import Table
from rich.text import Text

from tenfold.hpc.order import steps_per_epoch
from tenfold.pipelines.errors import InputError

if TYPE_CHECKING:  # RDKit, which only molecules need, takes a while to import
    from tenfold.pipelines.labels.labels import Labelling
    from tenfold.pipelines.molecules.config import MoleculeIngest
    from tenfold.pipelines.studies.chemistry_config import ChemistryRun
    from tenfold.pipelines.studies.cosmology_config import CosmologyRun
    from tenfold.pipelines.studies.massmaps_config import MassMapsRun


def table(title: str, rows: Iterable[tuple[str, Any]]) -> Table:
    """Return a two-column table."""
    grid = Table(title=title, title_justify="left", show_header=False, box=None, padding=(0, 2))
    for name, value in rows:
        grid.add_row(name, str(value))
    return grid


def describe_estimator(config: "CosmologyRun", data: Path | None) -> Group:
    """Describe the training of an estimator: layers, parameters and, with data, the number of steps.

    Raises `InputError` if the data do not fit the network.
    """
    from tenfold.emulators.cnn import build

    architecture, training = config.network, config.training
    if data is None:
        names = tuple(config.simulation.ranges)
        low, high = zip(*config.simulation.ranges.values(), strict=True)
        network = build(architecture, location=[(a + b) / 2 for a, b in zip(low, high, strict=True)],
                        scale=[(b - a) / 12**0.5 for a, b in zip(low, high, strict=True)])  # fmt: skip
        size = []
    else:
        from tenfold.pipelines.estimator.training import build_estimator
        from tenfold.pipelines.volumes.shards import Shards

        with Shards.open(data) as shards:
            _, network = build_estimator(shards, architecture, training)
            names = shards.manifest.parameter_names
            counts = _samples(shards)
        steps = steps_per_epoch(counts["train"], training.global_batch)
        size = [
            ("samples", ", ".join(f"{count} {split}" for split, count in counts.items())),
            ("steps", f"{training.epochs} epochs of {steps} steps = {training.epochs * steps}"),
        ]
    layers = Table(title="Layers", title_justify="left", box=None, padding=(0, 2))
    layers.add_column("layer")
    layers.add_column("output")
    layers.add_column("parameters", justify="right")
    for layer in network.layers:
        layers.add_row(layer.name, " × ".join(str(n) for n in layer.output.shape[1:]), f"{layer.count_params():,}")
    size_of_input = f"{architecture.size}{'²' if architecture.dimensions == 2 else '³'}"
    if architecture.width not in (0, architecture.size):
        size_of_input = f"{architecture.size} × {architecture.width}"
    mask = " and a mask" if architecture.masked else ""
    summary = table("Training", [
        ("input", f"{size_of_input} × {architecture.channels}{mask}, {architecture.transform}"),
        ("estimates", ", ".join(names) + " (mean and σ of each)"),
        ("parameters", f"{network.count_params():,}"),
        *size,
        ("global batch", training.global_batch),
        ("peak learning rate", f"{training.peak_learning_rate:g} (linear in the global batch)"),
        ("precision", training.precision),
        ("checkpoint", _checkpoint_size(network.count_params())),
    ])  # fmt: skip
    return Group(layers, "", summary)


def describe_cosmology(config: "CosmologyRun") -> Group:
    """Describe the cosmology study."""
    from tenfold.pipelines.simulation.config import estimate_size

    null = "yes, on Gaussian surrogates of the boxes" if config.proof.control else "no"
    return Group(
        "Simulate", str(estimate_size(config.simulation)), "", describe_estimator(config, None), "",
        table("Proof", [("null control", null), ("orientations averaged", config.proof.views)]),
    )  # fmt: skip


def describe_emulator(config: "MassMapsRun", data: Path | None) -> Table:
    """Describe the training of an emulator of maps: both networks and, with data, the number of steps.

    Raises `InputError` if the data do not fit the networks.
    """
    from tenfold.emulators.discriminator import build_discriminator
    from tenfold.emulators.generator import build_generator
    from tenfold.emulators.intensity import IntensityTransform
    from tenfold.emulators.lognormal import LognormalModel
    from tenfold.hpc.ranks import Ranks
    from tenfold.pipelines.emulator.compatibility import check_compatibility, resolve_loss
    from tenfold.pipelines.volumes.shards import Shards

    architecture, training = config.network, config.training
    names, size = tuple(config.simulation.ranges), [("epochs", str(training.epochs))]
    if data is not None:
        with Shards.open(data) as shards:
            check_compatibility(shards, architecture, training, Ranks())
            names = shards.manifest.parameter_names
            counts = _samples(shards)
        steps = counts["train"] // training.global_batch
        size = [
            ("maps", ", ".join(f"{count:,} {split}" for split, count in counts.items())),
            ("steps", f"{training.epochs} epochs of {steps} steps = {training.epochs * steps}"),
        ]
    # in a training these are measured on the maps
    plain, unknown = (
        (1.0,) * architecture.channels,
        (1.0,) * architecture.conditions,
    )
    intensity = IntensityTransform(plain, plain, plain, plain)
    guess = LognormalModel.white_noise(architecture.size, intensity, unknown, unknown)
    generator, critic = build_generator(architecture, guess), build_discriminator(architecture, guess)
    return table("Emulator", [
        ("map", f"{architecture.size}² × {architecture.channels}, {architecture.boundary}"),
        ("conditioned on", ", ".join(names) if architecture.conditions else "nothing"),
        ("network", architecture.network),
        ("parameters", f"about {round(generator.count_params(), -2):,}"),
        ("critic parameters", f"about {round(critic.count_params(), -2):,}"),
        *size,
        ("loss", f"{resolve_loss(architecture, training)}, penalty {training.penalty}"),
        ("global batch", training.global_batch),
        ("learning rates", f"{training.learning_rate:g} (generator), {training.critic_learning_rate:g} (critic)"),
        ("moment matching", f"{training.moment_matching_steps if architecture.network == 'wgan-gp' else 0} steps"),
        ("precision", training.precision),
    ])  # fmt: skip


def describe_massmaps(config: "MassMapsRun") -> Group:
    """Describe the mass-map study."""
    from tenfold.pipelines.simulation.lensing.config import estimate_size

    parts = ["Simulate", str(estimate_size(config.simulation)), "", describe_emulator(config, None)]
    if config.estimates:
        estimator = replace(config.map_estimator, simulation=config.simulation.boxes)
        parts += ["", "Estimator", "", describe_estimator(estimator, None)]
    return Group(*parts)


def describe_predictor(config: "ChemistryRun", data: Path | None) -> Table:
    """Describe the training of a predictor: network, weights, data and number of steps.

    Raises
    ------
    InputError
        There are no data, on which the size of the network depends, or they do not fit it.
    """
    if data is None:
        raise InputError("give the folder of shards: the size of the network depends on them")
    from tenfold.pipelines.molecules.shards import MoleculeShards
    from tenfold.pipelines.predictor.training import kind_of, predictor_config

    with MoleculeShards.open(data) as shards:
        predictor = predictor_config(shards, shards.split("train"), config.network, kind_of(shards))
        kinds = "\n".join(map(str, shards.manifest.targets))
        counts = _samples(shards)
    steps = steps_per_epoch(counts["train"], config.training.global_batch)
    return table("Training", [
        ("network", f"{config.network.network}, {predictor.network().count_params():,} weights"),
        ("predicts", ", ".join(f"{t.name} [{t.unit}]" if t.unit else t.name for t in predictor.targets)),
        ("targets", kinds),
        ("molecules", ", ".join(f"{count:,} {split}" for split, count in counts.items())),
        ("steps", f"{config.training.epochs} epochs of {steps} steps = {config.training.epochs * steps}"),
    ])  # fmt: skip


def describe_labels(config: "Labelling") -> Table:
    """Describe a labelling."""
    return table("Label", [
        ("molecules", f"{config.count:,}, {config.kind}"),
        ("files", -(-config.count // config.molecules_per_file)),
        ("labels", f"{config.level}, at geometries {'relaxed by GFN2' if config.relax else 'by MMFF94'}"),
    ])  # fmt: skip


def describe_molecule_ingest(config: "MoleculeIngest", paths: Iterable[Path] = ()) -> Table:
    """Describe an ingest and, with paths, the size of its input.

    Raises
    ------
    InputError
        A path does not exist, or there are no files of molecules.
    """
    from tenfold.pipelines.molecules.sources import find_molecule_sources

    files = find_molecule_sources(paths, config) if paths else []
    size = [("files", f"{sum(len(f.paths) for f in files)}, {sum(f.bytes for f in files) / 1e6:.1f} MB")]
    return table("Ingest", [
        *(size if files else ()),
        ("targets", ", ".join(config.targets) or "none"),
        ("graphs", f"{config.features}, {'with' if config.hydrogens else 'without'} hydrogens"),
        ("coordinates", config.geometry),
        ("split", f"{config.split}, {' / '.join(f'{share:g}' for share in config.fractions)}"),
    ])  # fmt: skip


def describe_chemistry(config: "ChemistryRun") -> Group:
    """Describe the chemistry study; the size of its network depends on the data."""
    training = table("Training", [
        ("network", f"{config.network.network}, {config.network.hidden} hidden units per atom or bond"),
        ("epochs", config.training.epochs),
        ("global batch", config.training.global_batch),
    ])  # fmt: skip
    by_dft = table("DFT check", [("molecules", ", ".join(config.labels.dft_check) or "none")])
    return Group(describe_labels(config.labels), "", by_dft, "", describe_molecule_ingest(config.ingest), "", training)


def describe_checks(checks: Iterable[Any]) -> Table:
    """Return a table of the checks of `tenfold doctor`, with advice on each failure."""
    grid = Table(box=None, padding=(0, 2))
    for column in ("", "check", "found"):
        grid.add_column(column)
    for check in checks:
        mark = Text("ok", "green") if check.ok else Text("FAIL", "bold red")
        grid.add_row(mark, check.name, check.finding)
        if not check.ok:
            grid.add_row("", "", Text.assemble(("what to do:", "bold"), f" {check.advice}"))
    return grid


def _samples(shards: Any) -> dict[str, int]:
    """Return the number of samples of each split."""
    return {split: len(shards.split(split)) for split in ("train", "validation", "test")}


def _checkpoint_size(parameters: int) -> str:
    """Return the size of a checkpoint: weights, their moving average and two moments of the optimizer, float32."""
    return f"about {parameters * 4 * 4 / 1e6:.1f} MB each"
