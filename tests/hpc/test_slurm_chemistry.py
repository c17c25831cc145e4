"""The chemistry script on a real Slurm: a table in, a report and predictions out, on two nodes of two ranks."""

import csv
from pathlib import Path

import pytest
from rdkit import Chem
from rdkit.Chem import Crippen

from tenfold.pipelines.labels.enumeration import enumerate_molecules

CLONE = Path(__file__).parents[2]
SCRIPT = CLONE / "hpc" / "slurm" / "chemistry.sbatch"
TINY = """
network: {network: dmpnn, hidden: 16, dense_units: [16]}
training: {epochs: 3, global_batch: 16, reference_batch: 16}
"""

pytestmark = [pytest.mark.slurm, pytest.mark.ranks]


def test_a_table_becomes_a_report_and_predictions(slurm, tmp_path, clone):
    (tmp_path / "tiny.yaml").write_text(TINY)
    smiles = enumerate_molecules(120, 3, "druglike")
    with (tmp_path / "table.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["smiles", "logp"])
        writer.writerows([molecule, f"{Crippen.MolLogP(Chem.MolFromSmiles(molecule)):.3f}"] for molecule in smiles)
    study = tmp_path / "study"
    table = str(tmp_path / "table.csv")
    variables = {
        "TENFOLD": str(clone), "STUDY": str(study), "SETTINGS": f"--config {tmp_path}/tiny.yaml",
        "MOLECULES": table, "TARGETS": "logp", "PREDICT": table,
    }  # fmt: skip
    job = slurm.submit("--cpus-per-task=1", f"--output={tmp_path}/log", SCRIPT, variables=variables)
    assert slurm.ended(job, timeout_s=900)["JobState"] == "COMPLETED", slurm.log(job)
    assert slurm.log(job).splitlines()[-1].endswith(f"Done: {study}/report.html")
    assert (study / "report.html").is_file()
    with (study / "predicted.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["smiles"] for row in rows] == smiles
    assert all(float(row["logp_unc"]) > 0 for row in rows)
