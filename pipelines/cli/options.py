"""Options and arguments that several commands share."""

from pathlib import Path
from typing import Annotated

import typer

Out = Annotated[
    Path, typer.Option("--out", help="Folder to write to; files that tenfold did not make are never replaced.")
]
Data = Annotated[Path | None, typer.Argument(help="Folder of shards.")]
RunFolderOption = Annotated[Path | None, typer.Option("--out", help="Folder of the run.")]
Resume = Annotated[bool, typer.Option("--resume", help="Resume from the newest checkpoint, if there is one.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Only print what would be done, and its size.")]
Dask = Annotated[
    str,
    typer.Option(
        "--dask",
        help="Dask scheduler whose workers do the work: tcp://HOST:PORT, tls://HOST:PORT, or its scheduler file; "
        "default: processes of this machine.",
    ),
]
RankCount = Annotated[int, typer.Option("--ranks", min=1, help="MPI ranks on this machine.")]

ConfigFile = Annotated[Path | None, typer.Option("--config", help="YAML file; `tenfold config show` prints one.")]
Settings = Annotated[list[str] | None, typer.Option("--set", help="One value, as section.key=value; repeatable.")]
