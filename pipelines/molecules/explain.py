"""What a trained network of molecules looks at, drawn on molecules that a user names."""

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from rdkit import Chem

from tenfold.emulators.attributions import integrated_gradients, masking
from tenfold.emulators.graphs import Graphs
from tenfold.pipelines.errors import InputError
from tenfold.pipelines.files import replacing, writable
from tenfold.pipelines.molecules.drawings import drawing
from tenfold.pipelines.molecules.predictor import MoleculePredictor
from tenfold.pipelines.page import write_page
from tenfold.pipelines.pictures import Picture

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


def explain(predictor: MoleculePredictor, smiles: str, target: str) -> Explained:
    """Share an answer out among atoms and bonds.

    Parameters
    ----------
    predictor
        Trained network.
    smiles
        The molecule.
    target
        Name of the property.

    Raises
    ------
    InputError
        The molecule cannot be read, the network does not know the target, or it reads geometries from files.
    """
    learnt = predictor.learnt
    if target not in predictor.names:
        raise InputError(f"target {target!r}: the network answers {', '.join(predictor.names)}")
    if learnt.featuriser.geometry == "given":
        raise InputError("the network was given coordinates, and a SMILES has none: --embed makes them")
    t = predictor.names.index(target)
    try:
        molecule = learnt.featuriser.molecule(smiles)
        graph = learnt.featuriser.graph(molecule)
    except ValueError as error:
        raise InputError(f"{smiles}: {error}") from error
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
    bundle: Path, smiles: Sequence[str], out: Path, targets: Sequence[str] = (), *, embed: bool = False
) -> Path:
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

    Returns
    -------
    Path
        The page.

    Raises
    ------
    InputError
        See `explain`; nothing is written then.
    """
    predictor = MoleculePredictor.read(Path(bundle))
    if embed:
        predictor = predictor.embedding()
    rows = [explain(predictor, one, target) for one in smiles for target in (targets or predictor.names)]
    out = writable(Path(out))
    with replacing(out / "attributions.csv") as temporary, temporary.open("w", newline="", encoding="utf-8") as opened:
        table = csv.writer(opened)
        classes = predictor.learnt.kind == "classification"
        head = ["smiles", "target", "part", "number", "what", "integrated_gradients", "masking"]
        table.writerow([*head, *(["class"] if classes else [])])
        for row in rows:
            for atom, share, masked in zip(row.molecule.GetAtoms(), row.atoms, row.masked, strict=True):
                own = [row.smiles, row.target, "atom", atom.GetIdx(), atom.GetSymbol(), f"{share:.6g}", f"{masked:.6g}"]
                table.writerow([*own, *([row.class_name] if classes else [])])
            for bond, share in zip(row.molecule.GetBonds(), row.bonds, strict=True):
                ends = f"{bond.GetBeginAtomIdx()}-{bond.GetEndAtomIdx()}"
                own = [row.smiles, row.target, "bond", bond.GetIdx(), ends, f"{share:.6g}", ""]
                table.writerow([*own, *([row.class_name] if classes else [])])
    page = out / "explained.html"
    write_page(
        page, "explained.html.j2", filters={}, bundle=Path(bundle).name,
        classes=classes,
        molecules=[{"smiles": one, "panels": [_panels(row) for row in rows if row.smiles == one]}
                   for one in dict.fromkeys(smiles)],
    )  # fmt: skip
    return page


def _panels(row: Explained) -> dict[str, Picture | str]:
    name = row.target.replace("_", " ")
    words = f"{name} {row.value:.3g} ± {row.sigma:.2g} {row.unit}".strip()
    if row.class_name:
        words = f"{name}: probability of class {row.class_name} {row.value:.3g}"
    nothing = np.zeros_like(row.bonds)
    return {
        "words": words,
        "shares": drawing(row.molecule, f"{row.smiles}, {words}: integrated gradients", row.atoms, row.bonds),
        "masked": drawing(row.molecule, f"{row.smiles}, {words}: masking", row.masked, nothing),
        "error": f"{row.completeness_error:.2g}",
    }
