"""Attribution of a molecular predictor's predictions to atoms and bonds, drawn on molecules given by the user."""

import csv
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from rdkit import Chem

from tenfold.emulators.attributions import atom_masking, integrated_gradients
from tenfold.emulators.graphs import Graphs
from tenfold.pipelines.errors import InputError
from tenfold.pipelines.files.atomic import replacing
from tenfold.pipelines.files.spreadsheet import as_text
from tenfold.pipelines.molecules.parsing import read_molecules
from tenfold.pipelines.predictor.drawings import draw_molecules
from tenfold.pipelines.predictor.predictor import MoleculePredictor
from tenfold.pipelines.reports.digits import format_number, format_with_uncertainty
from tenfold.pipelines.reports.figures import EmbeddedFigure
from tenfold.pipelines.reports.html import write_page
from tenfold.pipelines.storage.output_folder import OutputFolder

log = logging.getLogger("tenfold")

PATH_STEPS = 32
"""Points along the path of integrated gradients."""


@dataclass(frozen=True, kw_only=True)
class Explanation:
    """Attribution of one prediction for one molecule to its atoms and bonds."""

    smiles: str
    target: str
    unit: str
    """Unit of the prediction and its attributions; empty for classes, whose logit is attributed."""
    value: float
    """Predicted value; for classes the probability of ``class_name``."""
    sigma: float
    class_name: str
    """Explained class: the second of two, the most probable of more; empty for regression."""
    molecule: Chem.Mol
    atoms: np.ndarray
    """Attribution of each atom by integrated gradients, shape (A,)."""
    bonds: np.ndarray
    """Attribution of each bond by integrated gradients, shape (B,)."""
    masking: np.ndarray
    """Decrease of the prediction when an atom is masked, shape (A,)."""
    completeness_error: float
    """Absolute difference between the sum of the attributions and the attributed difference of predictions."""


def explain(predictor: MoleculePredictor, smiles: str, target: str, seconds: float = 20.0) -> Explanation:
    """Attribute a prediction to atoms and bonds.

    Parameters
    ----------
    predictor
        Trained predictor.
    smiles
        SMILES of the molecule.
    target
        Name of the property.
    seconds
        Time limit for reading the molecule [s].

    Raises
    ------
    InputError
        The molecule cannot be read, the target is unknown, or the network needs given coordinates.
    """
    _check(predictor, [target])
    (parsed,) = read_molecules([smiles], predictor.config.featuriser, seconds)
    if isinstance(parsed, str):
        raise InputError(f"{smiles[:200]}: {parsed}")
    return _attribute(predictor, smiles, target, *parsed)


def _check(predictor: MoleculePredictor, targets: Sequence[str]) -> None:
    for target in targets:
        if target not in predictor.names:
            raise InputError(f"target {target!r}: the network predicts {', '.join(predictor.names)}")
    if predictor.config.featuriser.geometry == "given":
        raise InputError("the network was trained on given coordinates, and a SMILES has none: --embed generates them")


def _attribute(
    predictor: MoleculePredictor, smiles: str, target: str, molecule: Chem.Mol, graph: Graphs
) -> Explanation:
    config = predictor.config
    t = predictor.names.index(target)
    class_code = predictor.explained_classes(graph)[t]
    layout = config.featuriser.layout
    attribution = integrated_gradients(
        predictor.network, config.architecture, layout, graph, t, PATH_STEPS, class_code
    )  # fmt: skip
    value, sigma = predictor.predict_graphs(graph)[0, t]

    def predict(graphs: Graphs) -> np.ndarray:
        if config.kind == "regression":
            return predictor.predict_graphs(graphs)[:, t : t + 1, 0]
        return predictor.probabilities(graphs)[:, t : t + 1, class_code]

    masking = atom_masking(predict, layout, graph)[:, 0]
    return Explanation(
        smiles=smiles, target=target, unit=config.targets[t].unit, value=float(value), sigma=float(sigma),
        class_name=config.classes[t][class_code] if config.classes[t] else "",
        molecule=molecule, atoms=attribution.atoms, bonds=attribution.bonds, masking=masking,
        completeness_error=attribution.completeness_error,
    )  # fmt: skip


def explain_molecules(
    bundle: Path, smiles: Sequence[str], out: Path, targets: Sequence[str] = (), *, embed: bool = False,
    seconds: float = 20.0,
) -> Path:  # fmt: skip
    """Write a page with attributions of predictions, and their values to ``attributions.csv``.

    Parameters
    ----------
    bundle
        Trained predictor: its bundle, or the folder of the run that wrote it.
    smiles
        SMILES of the molecules.
    out
        Output folder.
    targets
        Names of the properties; by default all of the predictor.
    embed
        Generate coordinates (ETKDGv3, MMFF94) for a network that was trained on given ones.
    seconds
        Time limit for reading one molecule, and for each of its drawings [s].

    Returns
    -------
    Path
        The page. Molecules that cannot be read are listed with the reason, on the page and in the table.

    Raises
    ------
    InputError
        None of the molecules can be read, or see `explain`. Nothing is written.
    """
    predictor = MoleculePredictor.load(Path(bundle))
    if embed:
        predictor = predictor.with_embedding()
    targets = targets or predictor.names
    _check(predictor, targets)
    explanations: list[Explanation] = []
    problems: dict[str, str] = {}
    smiles = list(dict.fromkeys(smiles))
    for text, parsed in zip(smiles, read_molecules(smiles, predictor.config.featuriser, seconds), strict=True):
        if isinstance(parsed, str):
            problems[text] = parsed
            log.warning("%s: %s", text[:200], parsed)
        else:
            explanations += [_attribute(predictor, text, target, *parsed) for target in targets]
    if not explanations:
        raise InputError("; ".join(f"{text[:200]}: {reason}" for text, reason in [*problems.items()][:3]))
    out = Path(out)
    OutputFolder.claim(out, ("attributions.csv", "explained.html"))
    classification = predictor.config.kind == "classification"
    _write_table(out / "attributions.csv", explanations, problems, classification=classification)
    page = out / "explained.html"
    panels = _panels(explanations, seconds)
    write_page(
        page, "explained.html.j2", filters={}, bundle=Path(bundle).name,
        classification=classification,
        molecules=[
            {"smiles": text[:200], "problem": problems.get(text, ""),
             "panels": [panel for explanation, panel in zip(explanations, panels, strict=True)
                        if explanation.smiles == text]}
            for text in smiles
        ],
    )  # fmt: skip
    return page


def _write_table(
    path: Path, explanations: Sequence[Explanation], problems: dict[str, str], *, classification: bool
) -> None:
    """Write one row per atom and bond of each explanation, and one per molecule that could not be read."""
    with (
        replacing(path) as temporary,
        temporary.open("w", newline="", encoding="utf-8", errors="backslashreplace") as file,
    ):
        table = csv.writer(file)
        header = ["smiles", "target", "part", "index", "label", "integrated_gradients", "masking"]
        table.writerow([*header, *(["class"] if classification else []), "problem"])
        table.writerows(
            [as_text(text), *[""] * (len(header) - 1 + classification), as_text(reason)]
            for text, reason in problems.items()
        )
        for explanation in explanations:
            first = [as_text(explanation.smiles), as_text(explanation.target)]
            last = [*([explanation.class_name] if classification else []), ""]
            molecule = explanation.molecule
            for atom, value, masking in zip(
                molecule.GetAtoms(), explanation.atoms, explanation.masking, strict=True
            ):  # fmt: skip
                cells = ["atom", atom.GetIdx(), atom.GetSymbol(), f"{value:.6g}", f"{masking:.6g}"]
                table.writerow([*first, *cells, *last])
            for bond, value in zip(molecule.GetBonds(), explanation.bonds, strict=True):
                ends = f"{bond.GetBeginAtomIdx()}-{bond.GetEndAtomIdx()}"
                table.writerow([*first, "bond", bond.GetIdx(), ends, f"{value:.6g}", "", *last])


def _panels(explanations: Sequence[Explanation], seconds: float) -> list[dict[str, EmbeddedFigure | str]]:
    """Return the caption and two drawings of each explanation, or the reason why there are no drawings."""
    captions = list(map(_caption, explanations))
    tasks = []
    for explanation, caption in zip(explanations, captions, strict=True):
        name = f"{explanation.smiles[:200]}, {caption}"
        tasks.append((explanation.molecule, f"{name}: integrated gradients", explanation.atoms, explanation.bonds))
        no_bonds = np.zeros_like(explanation.bonds)
        tasks.append((explanation.molecule, f"{name}: atom masking", explanation.masking, no_bonds))
    drawings = list(draw_molecules(tasks, seconds))
    return [
        {
            "caption": caption,
            "gradients": gradients,
            "masking": masking,
            "problem": next((drawing for drawing in (gradients, masking) if isinstance(drawing, str)), ""),
            "error": format_number(explanation.completeness_error, 2),
        }
        for explanation, caption, gradients, masking in zip(
            explanations, captions, drawings[::2], drawings[1::2], strict=True
        )
    ]


def _caption(explanation: Explanation) -> str:
    name = explanation.target.replace("_", " ")
    if explanation.class_name:
        return f"{name}: probability of class {explanation.class_name} {format_number(explanation.value)}"
    return f"{name} {format_with_uncertainty(explanation.value, explanation.sigma)} {explanation.unit}".strip()
