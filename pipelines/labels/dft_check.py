"""Check of the GFN2 labels: a few molecules calculated by density-functional theory as well."""

import json
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

from tenfold.hpc.cluster import map_unordered
from tenfold.hpc.engine import Engine
from tenfold.hpc.isolated import run_isolated
from tenfold.hpc.progress import progress
from tenfold.pipelines.errors import InputError
from tenfold.pipelines.files.atomic import replacing
from tenfold.pipelines.files.json_file import read_json
from tenfold.pipelines.labels.labelled_molecule import LabelledMolecule, Level, label_molecule
from tenfold.pipelines.storage.output_folder import OutputFolder

TIMEOUT_S = 3600.0
"""Time limit per molecule [s]."""
LEVELS: tuple[Level, Level] = ("dft", "gfn2")


def run_dft_check(
    smiles: Sequence[str], out: Path, *, seed: int, processes: int, dask: str = ""
) -> list[dict[str, Any]]:
    """Calculate molecules at the same geometries by B3LYP/6-31G(2df,p) and by GFN2-xTB.

    Results in the folder are reused if they belong to the same molecules and seed.

    Parameters
    ----------
    smiles
        Molecules; those of up to five heavy atoms take seconds each, of nine minutes.
    out
        Output folder; ``dft.json`` is written there when all molecules are done.
    seed
        Seed of the conformers.
    processes
        Number of parallel worker processes.
    dask
        Dask scheduler that does the work instead, see `Labelling`.

    Returns
    -------
    list of dict
        For each molecule: ``smiles``; ``dft`` and ``gfn2``, each with ``seconds`` of CPU time and ``properties`` by
        name, in the units of `tenfold.pipelines.labels.electronic_structure.UNITS`.

    Raises
    ------
    InputError
        The calculation of a molecule fails.
    """
    path = Path(out) / "dft.json"
    request = {"smiles": list(smiles), "seed": seed}
    written = read_json(path) if path.exists() else {}
    stored = written.get("request", written.get("asked"))  # files of earlier versions call it asked
    OutputFolder.claim(path.parent, [path.name], known=[path.name] if stored and "molecules" in written else ())
    if stored == request:
        return written["molecules"]
    engine = Engine(processes=processes, scheduler=dask).at_most(len(smiles))
    results: dict[int, dict[str, Any]] = {}
    with progress("DFT calculations", total=len(smiles), unit="molecule") as advance:
        for position, result in map_unordered(
            partial(_both_levels, seed=seed), list(smiles), engine, shared=path.parent
        ):
            if isinstance(result, str):
                raise InputError(f"labels.dft_check: {smiles[position]}: {result}")
            results[position] = result
            advance()
    molecules = [results[position] for position in range(len(smiles))]
    with replacing(path) as temporary:
        temporary.write_text(json.dumps({"request": request, "molecules": molecules}, indent=1))
    return molecules


def _both_levels(smiles: str, seed: int) -> dict[str, Any] | str:
    """Results of a molecule at both levels of theory, or the reason why one of them fails."""
    results: dict[str, Any] = {"smiles": smiles}
    for level in LEVELS:
        (molecule,) = run_isolated(partial(label_molecule, level=level, relax=False, seed=seed), [smiles], TIMEOUT_S)
        if not isinstance(molecule, LabelledMolecule):
            return molecule.reason
        results[level] = {"seconds": molecule.quantum_s, "properties": vars(molecule.properties)}
    return results
