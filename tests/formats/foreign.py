"""Files that other people keep beside their fields; none of them is one."""

import gzip
import io
import pickle
import zipfile
from pathlib import Path

import numpy as np


def lfs_pointer(path: Path) -> None:
    path.write_text(f"version https://git-lfs.github.com/spec/v1\noid sha256:{'0' * 64}\nsize 1073741968\n")


def annex_pointer(path: Path) -> None:
    path.write_text(f"/annex/objects/SHA256E-s1073741968--{'0' * 64}.h5\n")


def gzipped_npy(path: Path) -> None:
    raw = io.BytesIO()
    np.save(raw, np.ones((4, 4, 4)))
    path.write_bytes(gzip.compress(raw.getvalue()))


def npz(path: Path) -> None:
    with path.open("wb") as file:
        np.savez(file, delta=np.ones((4, 4, 4)), params=np.ones(5))


def torch_archive(path: Path) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("archive/data.pkl", pickle.dumps({}))


def zip_archive(path: Path) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("boxes/1.h5", b"")


def python_pickle(path: Path) -> None:
    path.write_bytes(pickle.dumps({"delta": [1.0]}))


def html(path: Path) -> None:
    path.write_text("\n<!DOCTYPE html>\n<html><body>503 Service Unavailable</body></html>\n")


def csv_text(path: Path) -> None:
    path.write_text("file,omega_m\n1.h5,0.3\n")


def png(path: Path) -> None:
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(100))


def pdf(path: Path) -> None:
    path.write_bytes(b"%PDF-1.7\n" + bytes(100))


FOREIGN = {
    lfs_pointer: "a Git LFS pointer instead of the file: fetch the file by `git lfs pull`",
    annex_pointer: "a git-annex pointer instead of the file: fetch the file by `git annex get`",
    gzipped_npy: "compressed by gzip, containing NPY: unpack it first",
    npz: r"an NPZ archive of the arrays 'delta', 'params'",
    torch_archive: "a PyTorch archive, which may run code and is never loaded",
    zip_archive: "a ZIP archive: unpack it first",
    python_pickle: "a Python pickle, which may run code and is never loaded",
    html: "an HTML or XML page, such as an error message of a server",
    csv_text: "text beginning with 'file,omega_m'",
    png: "a PNG image",
    pdf: "a PDF document",
}
"""Message of the refusal of each."""
