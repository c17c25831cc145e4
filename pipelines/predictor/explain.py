"""What a trained network of molecules looks at, drawn on molecules that a user names."""

import csv
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from rdkit import Chem

from tenfold.emulators.attributions import integrated_gradients, masking
from tenfold.emulators.graphs import Graphs
from tenfold.pipelines.errors import InputError
from tenfold.pipelines.files.atomic import replacing
from tenfold.pipelines.files.spreadsheet import as_text
from tenfold.pipelines.molecules.parsing import read_molecules
from tenfold.pipelines.predictor.drawings import drawings
from tenfold.pipelines.predictor.predictor import MoleculePredictor
from tenfold.pipelines.reports.digits import figure, measured
from tenfold.pipelines.reports.figures import Picture
from tenfold.pipelines.reports.html import write_page
from tenfold.pipelines.storage.output_folder import OutputFolder

log = logging.getLogger("tenfold")

STEPS = 32
"""Points of integrated gradients' path."""


@dataclass(frozen=True, kw_only=True)
class Explained:
    """One answer for one molecule, shared out among its atoms and bonds."""

    smiles: str
    target: str
    unit: str
    """Of the answer and of its shares; empty for classes, whose shares are of the logit."""
    value: float
    """Of classes: the probability of ``class_name``."""
    sigma: float
    class_name: str
    """Of two classes the second, of more the most probable one; empty for numbers."""
    molecule: Chem.Mol
    atoms: np.ndarray
    """Share of each atom by integrated gradients, shape (A,)."""
    bonds: np.ndarray
    """Share of each bond, shape (B,)."""
    masked: np.ndarray
    """By how much the answer falls when an atom is made unknown, shape (A,)."""
    completeness_error: float
    """How far the shares are from adding up to what they share out."""


def explain(predictor: MoleculePredictor, smiles: str, target: str, seconds: float = 20.0) -> Explained:
    """Share an answer out among atoms and bonds.

    Parameters
    ----------
    predictor
        Trained network.
    smiles
        The molecule.
    target
        Name of the property.
    seconds
        Longest time for reading the molecule [s].

    Raises
    ------
    InputError
        The molecule cannot be read, the network does not know the target, or it reads geometries from files.
    """
    _check(predictor, [target])
    (found,) = read_molecules([smiles], predictor.learnt.featuriser, seconds)
    if isinstance(found, str):
        raise InputError(f"{smiles[:200]}: {found}")
    return _shared_out(predictor, smiles, target, *found)


def _check(predictor: MoleculePredictor, targets: Sequence[str]) -> None:
    for target in targets:
        if target not in predictor.names:
            raise InputError(f"target {target!r}: the network answers {', '.join(predictor.names)}")
    if predictor.learnt.featuriser.geometry == "given":
        raise InputError("the network was given coordinates, and a SMILES has none: --embed makes them")


def _shared_out(predictor: MoleculePredictor, smiles: str, target: str, molecule: Chem.Mol, graph: Graphs) -> Explained:
    learnt = predictor.learnt
    t = predictor.names.index(target)
    code = predictor.explained(graph)[t]
    layout = learnt.featuriser.layout
    found = integrated_gradients(predictor.network, learnt.shape, layout, graph, t, STEPS, code)
    value, sigma = predictor.predict_graphs(graph)[0, t]

    def answer(graphs: Graphs) -> np.ndarray:
        if learnt.kind == "regression":
            return predictor.predict_graphs(graphs)[:, t : t + 1, 0]
        return predictor.probabilities(graphs)[:, t : t + 1, code]

    masked = masking(answer, layout, graph)[:, 0]
    return Explained(
        smiles=smiles, target=target, unit=learnt.targets[t].unit, value=float(value), sigma=float(sigma),
        class_name=learnt.classes[t][code] if learnt.classes[t] else "",
        molecule=molecule, atoms=found.atoms, bonds=found.bonds, masked=masked,
        completeness_error=found.completeness_error,
    )  # fmt: skip


def explain_molecules(
    bundle: Path, smiles: Sequence[str], out: Path, targets: Sequence[str] = (), *, embed: bool = False,
    seconds: float = 20.0,
) -> Path:  # fmt: skip
    """Draw what a network's answers rest on: a page, and its numbers in ``attributions.csv`` beside it.

    Parameters
    ----------
    bundle
        Trained network.
    smiles
        Molecules.
    out
        Folder to write to.
    targets
        Properties; empty: all that the network knows.
    embed
        Make coordinates (ETKDGv3, MMFF94) for a network that was given them in training.
    seconds
        Longest time for reading one molecule, and for each of its drawings [s].

    Returns
    -------
    Path
        The page. Molecules that cannot be read stand there with the reason, and so they do in the table.

    Raises
    ------
    InputError
        None of the molecules can be read, or see `explain`; nothing is written then.
    """
    predictor = MoleculePredictor.read(Path(bundle))
    if embed:
        predictor = predictor.embedding()
    targets = targets or predictor.names
    _check(predictor, targets)
    rows: list[Explained] = []
    problems: dict[str, str] = {}
    smiles = list(dict.fromkeys(smiles))
    for one, found in zip(smiles, read_molecules(smiles, predictor.learnt.featuriser, seconds), strict=True):
        if isinstance(found, str):
            problems[one] = found
            log.warning("%s: %s", one[:200], found)
        else:
            rows += [_shared_out(predictor, one, target, *found) for target in targets]
    if not rows:
        raise InputError("; ".join(f"{one[:200]}: {reason}" for one, reason in [*problems.items()][:3]))
    out = Path(out)
    OutputFolder.claim(out, ("attributions.csv", "explained.html"))
    with (
        replacing(out / "attributions.csv") as temporary,
        temporary.open("w", newline="", encoding="utf-8", errors="backslashreplace") as opened,
    ):
        table = csv.writer(opened)
        classes = predictor.learnt.kind == "classification"
        head = ["smiles", "target", "part", "number", "what", "integrated_gradients", "masking"]
        table.writerow([*head, *(["class"] if classes else []), "problem"])
        table.writerows(
            [as_text(one), *[""] * (len(head) - 1 + classes), as_text(reason)] for one, reason in problems.items()
        )
        for row in rows:
            about = [as_text(row.smiles), as_text(row.target)]
            last = [*([row.class_name] if classes else []), ""]
            for atom, share, masked in zip(row.molecule.GetAtoms(), row.atoms, row.masked, strict=True):
                own = [*about, "atom", atom.GetIdx(), atom.GetSymbol(), f"{share:.6g}", f"{masked:.6g}"]
                table.writerow([*own, *last])
            for bond, share in zip(row.molecule.GetBonds(), row.bonds, strict=True):
                ends = f"{bond.GetBeginAtomIdx()}-{bond.GetEndAtomIdx()}"
                table.writerow([*about, "bond", bond.GetIdx(), ends, f"{share:.6g}", "", *last])
    page = out / "explained.html"
    panels = _panels(rows, seconds)
    write_page(
        page, "explained.html.j2", filters={}, bundle=Path(bundle).name,
        classes=classes,
        molecules=[{"smiles": one[:200], "problem": problems.get(one, ""),
                    "panels": [panel for row, panel in zip(rows, panels, strict=True) if row.smiles == one]}
                   for one in smiles],
    )  # fmt: skip
    return page


def _panels(rows: Sequence[Explained], seconds: float) -> list[dict[str, Picture | str]]:
    """What the page shows of each answer: two drawings, or why there are none."""
    words = list(map(_words, rows))
    tasks = []
    for row, said in zip(rows, words, strict=True):
        name = f"{row.smiles[:200]}, {said}"
        tasks.append((row.molecule, f"{name}: integrated gradients", row.atoms, row.bonds))
        tasks.append((row.molecule, f"{name}: masking", row.masked, np.zeros_like(row.bonds)))
    drawn = list(drawings(tasks, seconds))
    return [
        {
            "words": said,
            "shares": shares,
            "masked": masked,
            "problem": next((each for each in (shares, masked) if isinstance(each, str)), ""),
            "error": figure(row.completeness_error, 2),
        }
        for row, said, shares, masked in zip(rows, words, drawn[::2], drawn[1::2], strict=True)
    ]


def _words(row: Explained) -> str:
    name = row.target.replace("_", " ")
    if row.class_name:
        return f"{name}: probability of class {row.class_name} {figure(row.value)}"
    return f"{name} {measured(row.value, row.sigma)} {row.unit}".strip()
