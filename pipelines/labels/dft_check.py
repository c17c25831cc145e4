"""A chosen few molecules, by density-functional theory as well as by GFN2: what the cheap labels stand for."""

import json
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

from tenfold.hpc.cluster import completed
from tenfold.hpc.isolated import isolated
from tenfold.hpc.progress import progress
from tenfold.pipelines.errors import InputError
from tenfold.pipelines.files.atomic import replacing
from tenfold.pipelines.files.json_file import read_json
from tenfold.pipelines.labels.labelled_molecule import LabelledMolecule, Level, label_molecule
from tenfold.pipelines.storage.output_folder import OutputFolder

TIMEOUT_S = 3600.0
"""Longest time that a molecule may take [s]."""
LEVELS: tuple[Level, Level] = ("dft", "gfn2")


def run_dft_check(smiles: Sequence[str], out: Path, *, seed: int, processes: int) -> list[dict[str, Any]]:
    """Calculate molecules at the same geometries by B3LYP/6-31G(2df,p) and by GFN2-xTB; what is there is kept.

    Parameters
    ----------
    smiles
        The molecules: up to five heavy atoms take seconds each, nine take minutes.
    out
        Folder; ``dft.json`` is written there when all are done.
    seed
        Of the conformers.
    processes
        That work side by side.

    Returns
    -------
    list of dict
        For each molecule: ``smiles``; ``dft`` and ``gfn2``, each with ``seconds`` of CPU time and ``properties`` by
        name, in the units of `tenfold.pipelines.labels.electronic_structure.UNITS`.

    Raises
    ------
    InputError
        A molecule cannot be calculated.
    """
    path = Path(out) / "dft.json"
    asked = {"smiles": list(smiles), "seed": seed}
    kept = read_json(path) if path.exists() else {}
    OutputFolder.claim(path.parent, [path.name], known=[path.name] if {"asked", "molecules"} <= kept.keys() else ())
    if kept.get("asked") == asked:
        return kept["molecules"]
    found: dict[int, dict[str, Any]] = {}
    with progress("By DFT", total=len(smiles), unit="molecule") as advance:
        for position, answer in completed(partial(_by_both, seed=seed), list(smiles), min(processes, len(smiles))):
            if isinstance(answer, str):
                raise InputError(f"labels.dft_check: {smiles[position]}: {answer}")
            found[position] = answer
            advance()
    molecules = [found[position] for position in range(len(smiles))]
    with replacing(path) as temporary:
        temporary.write_text(json.dumps({"asked": asked, "molecules": molecules}, indent=1))
    return molecules


def _by_both(smiles: str, seed: int) -> dict[str, Any] | str:
    """What both levels say of a molecule, or why one of them cannot."""
    both: dict[str, Any] = {"smiles": smiles}
    for level in LEVELS:
        (answer,) = isolated(partial(label_molecule, level=level, relax=False, seed=seed), [smiles], TIMEOUT_S)
        if not isinstance(answer, LabelledMolecule):
            return answer.reason
        both[level] = {"seconds": answer.quantum_s, "properties": vars(answer.properties)}
    return both
