"""What would be done, and its size, as tables for the terminal."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from rich.console import Group
from rich.table import Table

from tenfold.hpc.order import steps_per_epoch
from tenfold.pipelines.studies.cosmology_config import CosmologyRun


def table(title: str, rows: Iterable[tuple[str, Any]]) -> Table:
    """Return a two-column table."""
    grid = Table(title=title, title_justify="left", show_header=False, box=None, padding=(0, 2))
    for name, value in rows:
        grid.add_row(name, str(value))
    return grid


def describe_training(config: CosmologyRun, data: Path | None) -> Group:
    """Describe a training: the network layer by layer, its parameters, and with data at hand the number of steps.

    Raises
    ------
    InputError
        The data do not fit the network.
    """
    from tenfold.emulators.cnn import build

    shape, training = config.network, config.training
    if data is None:
        names = tuple(config.simulation.ranges)
        low, high = zip(*config.simulation.ranges.values(), strict=True)
        network = build(shape, location=[(a + b) / 2 for a, b in zip(low, high, strict=True)],
                        scale=[(b - a) / 12**0.5 for a, b in zip(low, high, strict=True)])  # fmt: skip
        size = []
    else:
        from tenfold.pipelines.estimator.training import build_for
        from tenfold.pipelines.volumes.shards import Shards

        with Shards.open(data) as shards:
            network = build_for(shards, shape, training)
            names = shards.manifest.parameter_names
            counts = {split: len(shards.split(split)) for split in ("train", "validation", "test")}
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
    summary = table("Training", [
        ("input", f"{shape.size}{'²' if shape.dimensions == 2 else '³'} × {shape.channels}, {shape.transform}"),
        ("estimates", ", ".join(names) + " (mean and σ of each)"),
        ("parameters", f"{network.count_params():,}"),
        *size,
        ("global batch", training.global_batch),
        ("peak learning rate", f"{training.peak_learning_rate:g} (linear in the global batch)"),
        ("precision", training.precision),
        ("checkpoint", _checkpoint_size(network.count_params())),
    ])  # fmt: skip
    return Group(layers, "", summary)


def describe_run(config: CosmologyRun) -> Group:
    """Describe a whole cosmology run."""
    from tenfold.pipelines.simulation.simulate import estimate_size

    null = "yes, on Gaussian twins of the boxes" if config.proof.control else "no"
    return Group(
        "Simulate", str(estimate_size(config.simulation)), "", describe_training(config, None), "",
        table("Proof", [("null control", null), ("orientations averaged", config.proof.views)]),
    )  # fmt: skip


def describe_checks(checks: Iterable[Any]) -> Table:
    """Show what `tenfold doctor` found, and what to do about each failure."""
    grid = Table(box=None, padding=(0, 2))
    for column in ("", "check", "found"):
        grid.add_column(column)
    for check in checks:
        mark = "[green]ok[/]" if check.ok else "[bold red]FAIL[/]"
        grid.add_row(mark, check.name, check.found)
        if not check.ok:
            grid.add_row("", "", f"[bold]what to do:[/] {check.advice}")
    return grid


def _checkpoint_size(parameters: int) -> str:
    """Return the size of a checkpoint: weights, their average, and two moments of the optimizer, float32."""
    return f"about {parameters * 4 * 4 / 1e6:.1f} MB each"
