"""A folder of shards while an ingest writes it: claimed, compared with an earlier ingest, packed under Dask."""

import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Generic, Protocol, TypeVar

from tenfold.hpc.cluster import WorkerDiedError, map_unordered
from tenfold.hpc.engine import Engine
from tenfold.hpc.progress import progress
from tenfold.pipelines.errors import InputError
from tenfold.pipelines.storage.manifest import MANIFEST, ShardManifest
from tenfold.pipelines.storage.output_folder import OutputFolder
from tenfold.pipelines.storage.rejected import REJECTED

Manifest = TypeVar("Manifest", bound=ShardManifest)
Packed = TypeVar("Packed")


class Packing(Protocol):
    """The task of packing one shard; can be pickled."""

    @property
    def out(self) -> Path:
        """File of the shard."""
        ...

    @property
    def first(self) -> str:
        """The first of its sources, as messages name it."""
        ...


PackingTask = TypeVar("PackingTask", bound=Packing)


class ShardFolder(Generic[Manifest]):
    """The output folder of an ingest.

    Parameters
    ----------
    path
        The folder, created where it does not exist.
    manifest
        Type of its manifest.
    others
        Names of other files that the ingest writes beside shards, manifest and list of rejected input.
    former
        Names of such files that earlier versions wrote.

    Raises
    ------
    InputError
        The folder cannot be written to, or holds files that tenfold did not make.
    """

    def __init__(self, path: Path, manifest: type[Manifest], *, others: Sequence[str] = (), former: Sequence[str] = ()):
        self.path = path
        self.manifest: Manifest | None = manifest.read(path / MANIFEST) if (path / MANIFEST).exists() else None
        """Manifest of an earlier ingest, None if there is none."""
        self._beside = (MANIFEST, REJECTED, *others)
        shards = () if self.manifest is None else (shard.file for shard in self.manifest.shards)
        there = (name for name in former if (path / name).exists())
        known = () if self.manifest is None else (*self._beside, *there, *shards)
        self._folder = OutputFolder.claim(path, self._beside, alone=True, known=known)

    def is_complete(self, config: Mapping[str, Any], sources: Mapping[str, tuple[int, int]]) -> bool:
        """Whether the folder holds all shards of an ingest, so that nothing is to be done.

        Sources that were moved all together, with their sizes and times, count as the same sources.

        Parameters
        ----------
        config
            The configuration of the ingest, as far as it affects the result.
        sources
            Size [bytes] and time [ns] of every source, by path.

        Raises
        ------
        InputError
            The shards were made with another configuration, or of sources that are not among those given now.
        """
        if self.manifest is None:
            return False
        advice = "Choose another folder, or remove this one."
        for name, value in config.items():
            if (earlier := self.manifest.ingest.get(name)) != value:
                raise InputError(
                    f"{self.path}: holds {self.manifest.RECORDS} made with {name} {earlier!r}, now it is {value!r}. "
                    f"{advice}"
                )
        known = self.manifest.sizes_and_times
        if _relative(known) == _relative(sources):
            known = sources
        if gone := sorted(set(known) - set(sources)):
            raise InputError(
                f"{self.path}: holds {self.manifest.RECORDS} of {len(gone)} files that are not among those given now, "
                f"such as {gone[0]}. {advice}"
            )
        files = [shard.path(self.path) for shard in self.manifest.shards]
        sizes = [file.stat().st_size if file.exists() else -1 for file in files]
        return known == sources and sizes == [shard.bytes for shard in self.manifest.shards]

    def pack(
        self,
        function: Callable[[PackingTask], Packed],
        tasks: Sequence[PackingTask],
        engine: Engine,
        *,
        title: str,
        inputs: Sequence[Path],
    ) -> list[Packed]:
        """Pack shards in parallel, and remove those of an earlier ingest that are no longer wanted.

        Parameters
        ----------
        function
            Packs one shard.
        tasks
            One for each shard.
        engine
            Where the shards are packed.
        title
            Title of the progress bar.
        inputs
            Files that the tasks read.

        Returns
        -------
        list
            What ``function`` returned, in the order of ``tasks``.

        Raises
        ------
        InputError
            A shard could not be written, or a worker process died twice on the same shard.
        EngineError
            The scheduler of the engine cannot be used.
        """
        names = [task.out.name for task in tasks]
        self._folder = self._folder.add(names)
        (self.path / MANIFEST).unlink(missing_ok=True)
        packed: dict[int, Packed] = {}
        try:
            with progress(title, total=len(tasks), unit="shard") as advance:
                for position, result in map_unordered(function, tasks, engine, shared=self.path, inputs=inputs):
                    packed[position] = result
                    advance(1)
        except WorkerDiedError as error:
            advice = "Give it more memory, lower records_per_shard or processes, or look for a damaged file."
            raise InputError(f"{tasks[error.position].first}: {error}. {advice}") from error
        except OSError as error:
            raise InputError(
                f"{self.path}: a shard could not be written ({error}). Make room, then run again."
            ) from error
        self._folder.keep((*self._beside, *names))
        return [packed[position] for position in range(len(tasks))]


def _relative(files: Mapping[str, tuple[int, int]]) -> dict[str, tuple[int, int]]:
    """Name files relative to the deepest folder that holds all of them."""
    top = os.path.commonpath([str(Path(name).parent) for name in files]) if files else "."
    return {os.path.relpath(name, top): size_and_time for name, size_and_time in files.items()}
