"""Flushing of files and folders to disk."""

import os
from pathlib import Path


def flush(path: Path) -> None:
    """Flush a file, or the entries of a folder, to disk: a renaming is durable once its folder is flushed."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
