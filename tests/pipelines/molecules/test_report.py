"""The page of a training on molecules: what it draws, and figures with the digits of their intervals."""

import numpy as np
from rdkit import Chem

from tenfold.pipelines.molecules.report import _draw_worst, with_interval
from tenfold.pipelines.pictures import Picture


def test_a_molecule_that_cannot_be_drawn_in_time_keeps_its_words_and_the_next_is_drawn():
    chain, ethanol = Chem.MolFromSmiles("C" * 2000), Chem.MolFromSmiles("CCO")
    shares = (np.zeros(3), np.zeros(2))
    first = {"worst": [{"task": (chain, "chain", None, None), "words": "chain"}, {"task": None, "words": "none"}]}
    second = {"worst": [{"task": (ethanol, "ethanol", *shares), "words": "ethanol"}]}
    long, unread, drawn = (each for target in _draw_worst([first, second], 0.5) for each in target["worst"])
    assert (long["picture"], long["problem"]) == (None, "the drawing did not end within 0.5 s")
    assert (unread["picture"], unread["problem"]) == (None, "RDKit cannot read the SMILES")
    assert isinstance(drawn["picture"], Picture) and drawn["problem"] == ""
    assert [each["words"] for each in (long, unread, drawn)] == ["chain", "none", "ethanol"]


def test_a_score_near_one_is_told_from_one():
    assert with_interval({"r2": 0.9997, "r2_low": 0.99955, "r2_high": 0.99982}, "r2") == (
        "0.99970", "0.99955", "0.99982",
    )  # fmt: skip
    assert with_interval({"mae": 1234.5, "mae_low": 900.0, "mae_high": 1600.0}, "mae") == ("1230", "900", "1600")
    assert with_interval({"mae": None, "mae_low": None, "mae_high": None}, "mae") == ("–", "–", "–")
