"""Graphs of a stream of molecules, block by block: from one isolated process, or from all workers of an engine."""

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import islice
from pathlib import Path

from tenfold.emulators.graphs import Graphs
from tenfold.hpc.cluster import WorkerDiedError, map_ordered
from tenfold.hpc.engine import Engine
from tenfold.pipelines.errors import InputError
from tenfold.pipelines.molecules.featuriser import Featuriser
from tenfold.pipelines.molecules.parsing import featurise_records, record_blocks
from tenfold.pipelines.readers.molecule import LineReader, MoleculeRecord

BLOCK = 512
"""Molecules that are read, featurised and predicted together."""
_BLOCKS_PER_TASK = 8
"""A task of a worker starts an isolated process, which takes about as long as to featurise four blocks."""

_Featurised = tuple[Graphs, list[str | None]]


@dataclass(frozen=True)
class FeaturisedBlock:
    """Consecutive molecules of a file."""

    records: Sequence[MoleculeRecord]
    graphs: Graphs
    """Graphs of the molecules that can be read."""
    reasons: list[str | None]
    """For every molecule: None, or the reason why it cannot be read."""
    end: int
    """End of the block in the file [bytes]."""


def featurised_blocks(
    stream: Iterator[MoleculeRecord],
    lines: LineReader,
    featuriser: Featuriser,
    seconds: float,
    engine: Engine,
    shared: Path,
) -> Iterator[FeaturisedBlock]:
    """Yield the molecules of a file in blocks of `BLOCK`, in order; few blocks are in memory at a time.

    Parameters
    ----------
    stream, lines
        Records of the file, and the reader that they come from.
    featuriser
        Settings of the graphs.
    seconds
        Time limit per molecule [s].
    engine
        Where the molecules are featurised.
    shared
        Folder that the workers of a scheduler can write to.

    Raises
    ------
    InputError
        Worker processes died twice on the same molecules.
    EngineError
        The scheduler of the engine cannot be used.
    """
    ends: deque[tuple[list[MoleculeRecord], int]] = deque()

    def blocks() -> Iterator[list[MoleculeRecord]]:
        while block := list(islice(stream, BLOCK)):
            ends.append((block, lines.offset))
            yield block

    if engine.distributed or engine.processes > 1:
        parts = _on_engine(blocks(), featuriser, seconds, engine, shared)
    else:
        parts = _featurise(blocks(), featuriser, seconds)
    for graphs, reasons in parts:
        block, end = ends.popleft()
        yield FeaturisedBlock(block, graphs, reasons, end)


def _on_engine(
    blocks: Iterator[list[MoleculeRecord]], featuriser: Featuriser, seconds: float, engine: Engine, shared: Path
) -> Iterator[_Featurised]:
    per_task = 1 if featuriser.geometry == "embed" else _BLOCKS_PER_TASK  # conformers take most of the time

    def tasks() -> Iterator[list[list[MoleculeRecord]]]:
        while task := list(islice(blocks, per_task)):
            yield [[replace(entry, fields={}) for entry in block] for block in task]

    work = partial(_featurise_task, featuriser=featuriser, seconds=seconds)
    try:
        for parts in map_ordered(work, tasks(), engine, shared=shared):
            yield from parts
    except WorkerDiedError as error:
        first = error.position * per_task * BLOCK
        raise InputError(f"molecules {first + 1:,} to {first + per_task * BLOCK:,}: {error}") from error


def _featurise_task(
    blocks: Sequence[Sequence[MoleculeRecord]], featuriser: Featuriser, seconds: float
) -> list[_Featurised]:
    return list(_featurise(blocks, featuriser, seconds))


def _featurise(
    blocks: Iterable[Sequence[MoleculeRecord]], featuriser: Featuriser, seconds: float
) -> Iterator[_Featurised]:
    """Featurise blocks of any size in one isolated process."""
    sizes: deque[int] = deque()

    def smaller() -> Iterator[Sequence[MoleculeRecord]]:
        for block in blocks:
            sizes.append(len(block))
            yield from record_blocks(block, featuriser)

    parts: list[Graphs] = []
    reasons: list[str | None] = []
    for graphs, part_reasons in featurise_records(smaller(), featuriser, seconds):
        parts.append(graphs)
        reasons += part_reasons
        if len(reasons) == sizes[0]:
            sizes.popleft()
            yield Graphs.join(parts), reasons
            parts, reasons = [], []
