"""Answers of a network of molecules as columns of a table."""

from tenfold.emulators.graphs import Graphs
from tenfold.pipelines.files.spreadsheet import as_text
from tenfold.pipelines.predictor.predictor import BINARY, Learnt, MoleculePredictor


def columns(learnt: Learnt) -> list[str]:
    """Return the names of the columns that hold a network's answers.

    For numbers ``NAME_pred`` and ``NAME_unc``, the standard deviation; likewise for the classes 0 and 1, where
    ``NAME_pred`` is the probability of 1. For other classes ``NAME_pred``, the most probable one, and
    ``NAME_prob_CLASS``, the probability of each.
    """
    found = []
    for target, classes in zip(learnt.targets, learnt.classes, strict=True):
        if classes in ((), BINARY):
            found += [f"{target.name}_pred", f"{target.name}_unc"]
        else:
            found += [f"{target.name}_pred", *(f"{target.name}_prob_{name}" for name in classes)]
    return found


def cells(predictor: MoleculePredictor, graphs: Graphs) -> list[list[str]]:
    """Return the answers for n molecules, n rows of cells for `columns`."""
    learnt = predictor.learnt
    if learnt.kind == "regression":
        numbers = predictor.predict_graphs(graphs).reshape(len(graphs), 2 * len(learnt.targets))
        return [[f"{value:.6g}" for value in row] for row in numbers]
    probability = predictor.probabilities(graphs)
    values = predictor.values(probability)
    rows: list[list[str]] = [[] for _ in range(len(graphs))]
    for t, classes in enumerate(learnt.classes):
        for row, own, pair in zip(rows, probability[:, t, : len(classes)], values[:, t], strict=True):
            if classes == BINARY:
                row += [f"{value:.6g}" for value in pair]
            else:
                row += [_as_cell(classes[int(own.argmax())]), *(f"{value:.6g}" for value in own)]
    return rows


def _as_cell(name: str) -> str:
    """Name of a class as a cell; one sign, such as +, is no formula."""
    return name if len(name) == 1 else as_text(name)
