"""The chemistry workflow on the command line: table, trained network, predictions for other tables, explanations."""

import csv
import gzip
import html
import json
import logging
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from rdkit import Chem
from rdkit.Chem import Crippen
from typer.testing import CliRunner, Result

from tenfold.pipelines.cli.main import app
from tenfold.pipelines.errors import InputError
from tenfold.pipelines.labels.enumeration import enumerate_molecules
from tenfold.pipelines.predictor.uncertainty import calibration_warnings

pytestmark = pytest.mark.slow

BIN = Path(sys.executable).parent
MOLECULES = 150
CONFIG = """
ingest: {targets: [logp, rings], processes: 1}
network: {network: dmpnn, hidden: 32, dense_units: [32]}
training: {epochs: 2, global_batch: 16, reference_batch: 16, learning_rate: 3.0e-3, ema_decay: 0.9}
"""


def tenfold(*arguments: str | Path, ranks: int = 1) -> subprocess.CompletedProcess[str]:
    command = [str(BIN / "tenfold"), *map(str, arguments)]
    if ranks > 1:
        command = [str(BIN / "mpirun"), "-np", str(ranks), *command]
    return subprocess.run(command, capture_output=True, text=True, timeout=600, check=False)


def succeeds(*arguments: str | Path, ranks: int = 1) -> str:
    completed = tenfold(*arguments, ranks=ranks)
    assert completed.returncode == 0, completed.stderr
    return completed.stdout


def in_this_process(*arguments: str | Path) -> Result:
    """Run a command without the start of a process, most of which goes into loading TensorFlow."""
    logger = logging.getLogger("tenfold")
    handlers, logger.handlers = logger.handlers, []
    try:
        return CliRunner().invoke(app, [str(argument) for argument in arguments])
    finally:
        logger.handlers = handlers  # the command's handlers end with it


def succeeds_in_this_process(*arguments: str | Path) -> None:
    completed = in_this_process(*arguments)
    assert completed.exit_code == 0, completed.output


@pytest.fixture(scope="module")
def study(tmp_path_factory) -> Path:
    """Molecules with Crippen logP and ring counts, some missing, ingested and trained on for two epochs."""
    folder = tmp_path_factory.mktemp("study")
    with (folder / "table.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["name", "smiles", "logp", "rings"])
        for number, smiles in enumerate(enumerate_molecules(MOLECULES, 3, "druglike")):
            molecule = Chem.MolFromSmiles(smiles)
            rings = "" if number % 7 == 0 else Chem.GetSSSR(molecule).__len__()
            writer.writerow([f"m{number}", smiles, f"{Crippen.MolLogP(molecule):.4f}", rings])
    (folder / "study.yaml").write_text(CONFIG)
    config = ["--config", folder / "study.yaml"]
    succeeds_in_this_process("ingest", "molecules", folder / "table.csv", *config, "--out", folder / "data")
    succeeds(*training(folder), folder / "one")
    return folder


def training(study: Path) -> list[str | Path]:
    return ["train", "molecules", study / "data", "--config", study / "study.yaml", "--out"]


def test_two_ranks_give_the_metrics_of_one(study):
    succeeds(*training(study), study / "two", ranks=2)
    one, two = (json.loads((study / run / "metrics.json").read_text())["targets"] for run in ("one", "two"))
    assert one.keys() == two.keys() == {"logp", "rings"}
    for target in one:
        assert two[target]["molecules"] == one[target]["molecules"] > 0
        for name in ("mae", "rmse", "r2"):
            assert two[target][name] == pytest.approx(one[target][name], rel=1e-3), (target, name)


def test_a_bundle_predicts_in_a_new_process_without_its_data(study, tmp_path):
    (tmp_path / "moved.tenfold").write_bytes((study / "one" / "bundle.tenfold").read_bytes())
    code = (
        "import sys, tenfold.pipelines as t; p = t.load(sys.argv[1]);"
        "f = p.predict(['CCO', 'not a molecule']); print(p.names, f.mean.shape, f.reasons)"
    )
    completed = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "moved.tenfold")],
        capture_output=True, text=True, timeout=300, check=False, cwd=tmp_path,
    )  # fmt: skip
    assert completed.returncode == 0, completed.stderr
    assert completed.stdout.strip() == "('logp', 'rings') (2, 2) (None, 'not a SMILES')"


@pytest.fixture(scope="module")
def large(study) -> Path:
    """Compressed table of a few thousand molecules, with an invalid molecule and an invalid row."""
    smiles = enumerate_molecules(MOLECULES, 5, "druglike") * 12
    smiles[700] = "C(C)(C)(C)(C)C"
    with gzip.open(study / "large.csv.gz", "wt", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["id", "smiles", "note"])
        writer.writerows([number, molecule, 'commas, "quotes"'] for number, molecule in enumerate(smiles))
        file.write("too,few\n")
    return study / "large.csv.gz"


@pytest.fixture(scope="module")
def predicted(study, large) -> Path:
    output = succeeds("predict", "molecules", study / "one" / "bundle.tenfold", large, "--out", study / "predicted.csv")
    assert "1,801 molecules, 2 of them could not be read" in output.replace("\n", " ")
    return study / "predicted.csv"


def test_predictions_keep_order_and_columns_and_mark_unreadable_rows(predicted):
    with predicted.open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == ["id", "smiles", "note", "logp_pred", "logp_unc", "rings_pred", "rings_unc", "problem"]
    assert [row["id"] for row in rows[:-1]] == [str(number) for number in range(1800)]
    assert {row["note"] for row in rows[:-1]} == {'commas, "quotes"'}
    assert "valence" in rows[700]["problem"]
    assert rows[700]["logp_pred"] == rows[700]["logp_unc"] == ""
    assert "2 fields where the header has 3" in rows[-1]["problem"]
    good = [row for row in rows if not row["problem"]]
    assert len(good) == 1799
    assert all(float(row["logp_unc"]) > 0 for row in good)
    assert rows[0]["logp_pred"] == rows[MOLECULES]["logp_pred"]  # the same molecule


def test_a_killed_and_resumed_prediction_ends_with_the_same_bytes(study, large, predicted, tmp_path):
    command = [str(BIN / "tenfold"), "predict", "molecules", str(study / "one" / "bundle.tenfold"), str(large)]
    out = tmp_path / "out.csv"
    running = subprocess.Popen([*command, "--out", str(out)], stderr=subprocess.DEVNULL, start_new_session=True)
    deadline = time.monotonic() + 300
    while not (tmp_path / ".out.csv.state").exists() and running.poll() is None and time.monotonic() < deadline:
        time.sleep(0.002)
    if running.poll() is None:
        os.killpg(running.pid, signal.SIGKILL)
    running.wait()
    succeeds(*command[1:], "--out", out)
    assert out.read_bytes() == predicted.read_bytes()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out.csv"]


def test_the_report_shows_every_target(study):
    succeeds("validate", study / "one")
    page = (study / "one" / "report.html").read_text()
    assert "http://" not in page.replace("http://www.w3.org", "")
    assert "https://" not in page
    metrics = json.loads((study / "one" / "metrics.json").read_text())
    for target in ("logp", "rings"):
        assert {"mae", "rmse", "r2", "unit", "error_ratio"} <= metrics["targets"][target].keys()
        assert metrics["baselines"]["random_forest"][target]["mae"] > 0
    warnings = calibration_warnings(metrics["targets"], metrics["dft_comparison"])
    assert ("Problems found:" in page) == bool(warnings)
    assert all(html.escape(warning).replace("&#x27;", "&#39;") in page for warning in warnings)
    assert metrics["speed"]["network_batched_s"] > 0
    assert 0 <= metrics["speed"]["padding_fraction"] < 0.6


def test_wrong_input_is_refused_with_the_valid_choices(study, tmp_path):
    table = study / "table.csv"
    for arguments, message in (
        (["ingest", "molecules", table, "--target", "logD", "--out", tmp_path / "a"], "logp"),
        (
            ["ingest", "molecules", table, "--smiles-column", "SMI", "--out", tmp_path / "b"],
            "name, smiles",
        ),
        (["predict", "molecules", table, table, "--out", tmp_path / "c.csv"], "table.csv"),
        (["train", "molecules", study / "data", "--preset", "painn", "--out", tmp_path / "d"], "no coordinates"),
    ):
        completed = in_this_process(*arguments)
        assert isinstance(completed.exception, InputError), completed.output
        assert message in str(completed.exception)


def test_attributions_find_a_planted_rule_but_not_for_random_weights(tmp_path):
    """Labels are the number of chlorine atoms: the attributions of a trained network must be on chlorine."""
    molecules = [s for s in enumerate_molecules(400, 11, "druglike") if Chem.MolFromSmiles(s) is not None]
    chlorinated = [s.replace("F", "Cl") for s in molecules]
    with (tmp_path / "table.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["smiles", "chlorine"])
        writer.writerows([s, s.count("Cl")] for s in chlorinated)
    (tmp_path / "study.yaml").write_text(
        CONFIG.replace("[logp, rings]", "[chlorine], kinds: {chlorine: regression}").replace("epochs: 2", "epochs: 20")
    )
    config = ["--config", tmp_path / "study.yaml"]
    succeeds_in_this_process("ingest", "molecules", tmp_path / "table.csv", *config, "--out", tmp_path / "data")
    succeeds("train", "molecules", tmp_path / "data", *config, "--out", tmp_path / "run")

    from tenfold.emulators.attributions import atom_masking, integrated_gradients
    from tenfold.pipelines.predictor.predictor import MoleculePredictor

    predictor = MoleculePredictor.load(tmp_path / "run" / "bundle.tenfold")
    trained = predictor.config
    random = trained.network(seed=99)
    hits, random_hits, masking_hits = 0, 0, 0
    selected = [s for s in chlorinated if s.count("Cl") == 1][:20]
    assert len(selected) >= 10
    for smiles in selected:
        graph, _ = trained.featuriser.graphs([smiles])
        chlorine = [atom.GetSymbol() for atom in Chem.MolFromSmiles(smiles).GetAtoms()].index("Cl")
        layout = trained.featuriser.layout
        attribution = integrated_gradients(predictor.network, trained.architecture, layout, graph, 0)
        assert attribution.completeness_error < 0.02 * max(1.0, abs(attribution.prediction - attribution.baseline))
        hits += int(np.abs(attribution.atoms).argmax() == chlorine)
        untrained = integrated_gradients(random, trained.architecture, layout, graph, 0)
        random_hits += int(np.abs(untrained.atoms).argmax() == chlorine)
        masking = atom_masking(lambda g: predictor.predict_graphs(g)[..., 0], layout, graph)
        masking_hits += int(masking[:, 0].argmax() == chlorine)
    assert hits >= 0.8 * len(selected)
    assert masking_hits >= 0.8 * len(selected)
    assert random_hits < hits
