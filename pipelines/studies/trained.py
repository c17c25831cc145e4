"""Trained networks of any kind: loaded, validated and explained by one function each."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tenfold.pipelines.errors import InputError
from tenfold.pipelines.studies.kinds import Validation, check_options, kind_named, kind_of
from tenfold.pipelines.training.bundle import LARGEST_GIB, Bundle

if TYPE_CHECKING:
    from tenfold.pipelines.emulator.emulator import MassMapEmulator
    from tenfold.pipelines.estimator.estimator import Estimator
    from tenfold.pipelines.predictor.predictor import MoleculePredictor


def load(path: Path | str, *, largest_gib: float = LARGEST_GIB) -> "Estimator | MassMapEmulator | MoleculePredictor":
    """Load a trained network of any kind. Nothing in its file is executed, and its training data are not needed.

    Parameters
    ----------
    path
        Bundle (``bundle.tenfold``), or folder of the run that wrote it.
    largest_gib
        Limit on the unpacked size of the bundle [GiB].

    Returns
    -------
    Estimator, MassMapEmulator or MoleculePredictor
        An `Estimator` has `predict` and `explain`, a `MassMapEmulator` has `sample` and `interpolate`, and a
        `MoleculePredictor` has `predict` and `explain`.

    Raises
    ------
    InputError
        The file is not a bundle, is damaged, or was written by another version; or no training has finished in the
        folder.

    Example
    -------
    >>> from tenfold.pipelines import load
    >>> load("estimator")
    Estimator
      parameters  omega_m, sigma_8
      input       16 × 16 × 16 × 1
      units       counts
      side        64 Mpc/h
      weights     286
    >>> load("predictor/bundle.tenfold").predict(["CCO"]).mean.shape
    (1, 1)
    """
    bundle = Bundle.read(path, largest_gib=largest_gib)
    return kind_named(bundle.kind).from_bundle(bundle)


def validate(run: Path | str, out: Path | str | None = None, **options: Any) -> Validation:
    """Validate a trained network of any kind on its test split, and write an HTML report.

    Parameters
    ----------
    run
        Folder of a finished training; the shards that it was trained on must still exist.
    out
        Folder for ``report.html`` and ``metrics.json``; the run's by default.
    options
        ``seed`` of the bootstrap. For an estimator also ``null``, the folder of its null control. For an emulator also
        ``tolerances``, ``estimator`` and ``unseen``, see `tenfold.pipelines.acceptance.validate.validate_massmaps`.

    Returns
    -------
    Validation
        The report, a summary, and whether all acceptance tests passed.

    Raises
    ------
    InputError
        The training has not finished, its shards are missing, or an option does not apply to this kind of network.

    Example
    -------
    >>> from tenfold.pipelines import validate
    >>> validate("predictor", "validated").report.name
    'report.html'
    """
    kind = kind_of(Path(run))
    check_options(kind, options)
    return kind.validate(Path(run), None if out is None else Path(out), **options)


def explain(path: Path | str, out: Path | str | None = None, *, smiles: Sequence[str] = (), **options: Any) -> Path:
    """Attribute predictions of a trained network to its inputs, and write an HTML report.

    Parameters
    ----------
    path
        Estimator: folder of the run, whose test split is explained. Molecules: bundle, or folder of the run.
    out
        Folder to write to; the run's by default.
    smiles
        Molecules to explain; only for a network of molecules, which needs at least one.
    options
        See `tenfold.pipelines.estimator.explain.explain_estimator` (``count``, ``method``, ``seed``) and
        `tenfold.pipelines.predictor.explain.explain_molecules` (``targets``, ``embed``, ``seconds``).

    Returns
    -------
    Path
        The report. The numbers are beside it, in ``saliency.npz`` or ``attributions.csv``.

    Raises
    ------
    InputError
        The network is an emulator, which predicts nothing; or see the two functions above.

    Example
    -------
    >>> from tenfold.pipelines import explain
    >>> explain("predictor", "explained", smiles=["CCO"]).name
    'explained.html'
    """
    bundle = Bundle.read(path)
    kind = kind_named(bundle.kind)
    if kind.explain is None:
        raise InputError(f"{path}: is an emulator, which predicts nothing that could be attributed to an input")
    folder = Path(path) if Path(path).is_dir() else Path(path).parent
    if kind.name == "molecules":
        if not smiles:
            raise InputError("smiles: name at least one molecule to explain")
        return kind.explain(bundle.path, smiles, Path(out or folder), **options)
    if smiles:
        raise InputError(f"smiles: {path} is an estimator of fields, whose test split is explained")
    return kind.explain(folder, None if out is None else Path(out), **options)
