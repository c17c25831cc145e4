"""Results of the DFT check are reused, also from files of earlier versions."""

import json

import pytest

from tenfold.pipelines.labels.dft_check import run_dft_check


@pytest.mark.parametrize("key", ["request", "asked"])
def test_stored_results_of_the_same_molecules_and_seed_are_reused(tmp_path, key):
    stored = [{"smiles": "CO", "dft": {"seconds": 1.0, "properties": {"gap": 8.0}}, "gfn2": {}}]
    content = {key: {"smiles": ["CO"], "seed": 3}, "molecules": stored}
    (tmp_path / "dft.json").write_text(json.dumps(content))
    assert run_dft_check(["CO"], tmp_path, seed=3, processes=1) == stored
