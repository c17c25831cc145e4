"""Predictions of molecular properties as columns of a table."""

from tenfold.emulators.graphs import Graphs
from tenfold.pipelines.files.spreadsheet import as_text
from tenfold.pipelines.predictor.config import BINARY, PredictorConfig
from tenfold.pipelines.predictor.predictor import MoleculePredictor


def column_names(config: PredictorConfig) -> list[str]:
    """Return the names of the columns for a predictor's targets.

    For regression ``NAME_pred`` and ``NAME_unc``, the value and its standard deviation. For the classes 0 and 1 the
    same, where ``NAME_pred`` is the probability of 1. For other classes ``NAME_pred``, the most probable class, and
    ``NAME_prob_CLASS``, the probability of each class.
    """
    names = []
    for target, classes in zip(config.targets, config.classes, strict=True):
        if classes in ((), BINARY):
            names += [f"{target.name}_pred", f"{target.name}_unc"]
        else:
            names += [f"{target.name}_pred", *(f"{target.name}_prob_{name}" for name in classes)]
    return names


def prediction_cells(predictor: MoleculePredictor, graphs: Graphs) -> list[list[str]]:
    """Return the predictions for n molecules as n rows of cells, in the order of `column_names`."""
    config = predictor.config
    if config.kind == "regression":
        numbers = predictor.predict_graphs(graphs).reshape(len(graphs), 2 * len(config.targets))
        return [[f"{value:.6g}" for value in row] for row in numbers]
    probability = predictor.probabilities(graphs)
    values = predictor.values(probability)
    rows: list[list[str]] = [[] for _ in range(len(graphs))]
    for t, classes in enumerate(config.classes):
        by_class = probability[:, t, : len(classes)]
        for row, probabilities, value in zip(rows, by_class, values[:, t], strict=True):
            if classes == BINARY:
                row += [f"{number:.6g}" for number in value]
            else:
                row += [_class_cell(classes[int(probabilities.argmax())]), *(f"{p:.6g}" for p in probabilities)]
    return rows


def _class_cell(name: str) -> str:
    """Return a class name as a cell; a single character, such as +, cannot be a formula."""
    return name if len(name) == 1 else as_text(name)
