"""XYZ files of one or more frames: number of atoms, comment, atoms. The comment identifies the dialect."""

from collections.abc import Iterator
from dataclasses import replace

from tenfold.pipelines.readers import extended_xyz, qm9_xyz
from tenfold.pipelines.readers.molecule import LineReader, MoleculeRecord

_MAX_ATOMS = 100_000
"""Largest number of atoms of a frame."""


def read_records(lines: LineReader) -> Iterator[MoleculeRecord]:
    """Yield the frames from the current position of `lines` on.

    After an unreadable header, the start of the next frame is unknown: the rest of the file is one rejected record.
    """
    for head in lines:
        if not head.strip():
            continue
        first = lines.line - 1
        count = int(head) if head.isascii() and head.strip().isdecimal() and len(head) < 12 else 0
        if not 0 < count <= _MAX_ATOMS:
            yield _rest(
                lines, first, f"expected a number of atoms between 1 and {_MAX_ATOMS:,}, found {head.strip()[:40]!r}"
            )
            return
        comment = next(lines, "").rstrip("\r\n")
        atoms = [line.split() for _, line in zip(range(count), lines, strict=False)]
        title = comment.strip()
        if len(atoms) < count:
            yield _rest(lines, first, f"{len(atoms)} atoms where the header states {count}: truncated?", comment)
            return
        try:
            if qm9_xyz.is_qm9_comment(comment):
                record = qm9_xyz.parse_frame(first, comment, atoms, [next(lines, "") for _ in range(3)])
            else:
                record = extended_xyz.parse_frame(first, comment, atoms)
        except ValueError as error:
            record = MoleculeRecord(line=first, text=title, problem=f"not an XYZ frame ({error})")
        yield replace(record, comment=comment)


def _rest(lines: LineReader, first: int, problem: str, comment: str = "") -> MoleculeRecord:
    for _ in lines:
        pass
    return MoleculeRecord(line=first, text=comment.strip(), problem=problem, comment=comment)
