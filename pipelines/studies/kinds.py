"""Kinds of trained networks: the functions that train, validate, explain and load each of them."""

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tenfold.pipelines.errors import InputError
from tenfold.pipelines.training.run_folder import KINDS, RunFolder, RunKind

if TYPE_CHECKING:
    from tenfold.pipelines.training.bundle import Bundle


@dataclass(frozen=True, kw_only=True)
class Validation:
    """Result of a validation."""

    report: Path
    """The HTML report."""
    summary: tuple[str, ...] = ()
    """Sentences about the result, one a line."""
    passed: bool = True
    """Whether no acceptance test failed."""


@dataclass(frozen=True, kw_only=True)
class Kind:
    """One kind of trained network."""

    name: RunKind
    """Value of `what` in the run records of its trainings; the command is ``tenfold train NAME``."""
    train: Callable[..., RunFolder]
    """Trains a network: ``train(data, out, network, training, ranks, resume=…)``."""
    validate: Callable[..., Validation]
    """Validates a finished training: ``validate(run, out, **options)``."""
    explain: Callable[..., Path] | None
    """Attributes predictions to inputs and returns the report; None where there is no such method."""
    from_bundle: "Callable[[Bundle], Any]"
    """Rebuilds the trained network from its bundle."""

    @property
    def validation_options(self) -> frozenset[str]:
        """Names of the keyword arguments of `validate`."""
        return frozenset(inspect.signature(self.validate).parameters) - {"run", "out"}


def kind_named(name: RunKind) -> Kind:
    """Return the kind of a name, importing its functions."""
    return {"estimator": _estimator, "emulator": _emulator, "molecules": _molecules}[name]()


def kind_of(run: Path) -> Kind:
    """Return the kind of a finished training, from its run record.

    Parameters
    ----------
    run
        Folder of the training.

    Raises
    ------
    InputError
        The training has not finished, or its record is damaged or was written by an earlier version.
    """
    return kind_named(RunFolder(Path(run)).read_record()["what"])


def check_options(kind: Kind, options: dict[str, Any]) -> None:
    """Check that a kind's validation takes the options given.

    Raises
    ------
    InputError
        An option does not apply to this kind; the message names the kinds it applies to.
    """
    for name in options:
        if name not in kind.validation_options:
            others = [other for other in KINDS if name in kind_named(other).validation_options]
            raise InputError(
                f"--{name.replace('_', '-')}: does not apply to a run of `tenfold train {kind.name}`, only to one of "
                + " or ".join(f"`tenfold train {other}`" for other in others)
            )


def _estimator() -> Kind:
    from tenfold.pipelines.estimator.estimator import Estimator
    from tenfold.pipelines.estimator.explain import explain_estimator
    from tenfold.pipelines.estimator.train import train_estimator
    from tenfold.pipelines.estimator.validate import validate

    def validate_run(run: Path, out: Path | None = None, *, null: Path | None = None, seed: int = 0) -> Validation:
        return Validation(report=validate(run, null, out, seed=seed))

    return Kind(
        name="estimator", train=train_estimator, validate=validate_run,
        explain=explain_estimator, from_bundle=Estimator.from_bundle,
    )  # fmt: skip


def _emulator() -> Kind:
    from tenfold.pipelines.acceptance import validate
    from tenfold.pipelines.acceptance.acceptance import Tolerances
    from tenfold.pipelines.emulator.emulator import MassMapEmulator
    from tenfold.pipelines.emulator.train import train_emulator

    def validate_run(
        run: Path, out: Path | None = None, *, tolerances: Tolerances | None = None, estimator: Path | None = None,
        unseen: Path | None = None, seed: int = 0,
    ) -> Validation:  # fmt: skip
        report, assessment = validate.validate_massmaps(
            run, out, tolerances=tolerances, estimator=estimator, unseen=unseen, seed=seed
        )
        named = (("Undecided", assessment.undecided), ("Failed", assessment.failed))
        counts = (
            f"{assessment.favourable} of {len(assessment.verdicts)} verdicts are favourable, "
            f"{len(assessment.undecided)} undecided, {len(assessment.failed)} failed."
        )
        lists = (f"{verdict}: {', '.join(names)}" for verdict, names in named if names)
        return Validation(report=report, summary=(counts, *lists), passed=assessment.passed)

    return Kind(
        name="emulator", train=train_emulator, validate=validate_run,
        explain=None, from_bundle=MassMapEmulator.from_bundle,
    )  # fmt: skip


def _molecules() -> Kind:
    from tenfold.pipelines.predictor.explain import explain_molecules
    from tenfold.pipelines.predictor.predictor import MoleculePredictor
    from tenfold.pipelines.predictor.train import train_molecules
    from tenfold.pipelines.predictor.validate import validate_molecules

    def validate_run(run: Path, out: Path | None = None, *, seed: int = 0) -> Validation:
        report = validate_molecules(run, out, seed=seed)
        return Validation(report=report, summary=tuple(RunFolder(run).read_record("molecules")["targets"]))

    return Kind(
        name="molecules", train=train_molecules, validate=validate_run,
        explain=explain_molecules, from_bundle=MoleculePredictor.from_bundle,
    )  # fmt: skip
