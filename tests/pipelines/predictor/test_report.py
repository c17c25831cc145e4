"""Report of a training on molecules: drawings, and numbers with the digits that their intervals allow."""

import json

import numpy as np
from rdkit import Chem

from tenfold.pipelines.predictor.report import _draw_worst, with_interval
from tenfold.pipelines.predictor.validate import labelling_cost
from tenfold.pipelines.reports.figures import EmbeddedFigure
from tenfold.pipelines.storage.output_folder import RECORD


def test_a_molecule_that_cannot_be_drawn_in_time_keeps_its_caption_and_the_next_is_drawn():
    chain, ethanol = Chem.MolFromSmiles("C" * 2000), Chem.MolFromSmiles("CCO")
    attributions = (np.zeros(3), np.zeros(2))
    first = {"worst": [{"task": (chain, "chain", None, None), "caption": "chain"}, {"task": None, "caption": "none"}]}
    second = {"worst": [{"task": (ethanol, "ethanol", *attributions), "caption": "ethanol"}]}
    slow, unread, drawn = (molecule for target in _draw_worst([first, second], 0.5) for molecule in target["worst"])
    assert (slow["drawing"], slow["problem"]) == (None, "the drawing did not end within 0.5 s")
    assert (unread["drawing"], unread["problem"]) == (None, "RDKit cannot read the SMILES")
    assert isinstance(drawn["drawing"], EmbeddedFigure) and drawn["problem"] == ""
    assert [molecule["caption"] for molecule in (slow, unread, drawn)] == ["chain", "none", "ethanol"]


def test_a_score_near_one_is_distinguished_from_one():
    assert with_interval({"r2": 0.9997, "r2_low": 0.99955, "r2_high": 0.99982}, "r2") == (
        "0.99970", "0.99955", "0.99982",
    )  # fmt: skip
    assert with_interval({"mae": 1234.5, "mae_low": 900.0, "mae_high": 1600.0}, "mae") == ("1230", "900", "1600")
    assert with_interval({"mae": None, "mae_low": None, "mae_high": None}, "mae") == ("–", "–", "–")


def test_the_cost_of_labels_is_read_from_logs_and_not_from_the_hidden_record(tmp_path):
    log = tmp_path / "molecules" / "log"
    log.mkdir(parents=True)
    (log / RECORD).write_text(json.dumps({"made_by": "tenfold", "files": []}))
    for n, (count, unlabelled) in enumerate([(3, ["C"]), (2, [])]):
        entry = {"count": count, "unlabelled": unlabelled, "quantum_s": 6.0, "geometry_s": 1.0}
        (log / f"molecules_{n:05d}.json").write_text(json.dumps(entry))
    assert labelling_cost(tmp_path) == {"quantum_s": 3.0, "geometry_s": 0.5}
    assert labelling_cost(tmp_path / "none") == {}
