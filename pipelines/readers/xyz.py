"""XYZ files, one or many frames: a number of atoms, a comment, the atoms; the comment says which kind it is."""

from collections.abc import Iterator
from dataclasses import replace

from tenfold.pipelines.readers import extended_xyz, qm9_xyz
from tenfold.pipelines.readers.molecule import LineReader, MoleculeRecord

_MOST_ATOMS = 100_000


def read_records(lines: LineReader) -> Iterator[MoleculeRecord]:
    """The frames, from wherever `lines` stands.

    After a frame that cannot be read, nothing tells where the next begins: the rest of the file is one bad entry.
    """
    for head in lines:
        if not head.strip():
            continue
        first = lines.line - 1
        count = int(head) if head.isascii() and head.strip().isdecimal() and len(head) < 12 else 0
        if not 0 < count <= _MOST_ATOMS:
            yield _rest(lines, first, f"no number of atoms between 1 and {_MOST_ATOMS:,}: {head.strip()[:40]!r}")
            return
        comment = next(lines, "").rstrip("\r\n")
        atoms = [line.split() for _, line in zip(range(count), lines, strict=False)]
        title = comment.strip()
        if len(atoms) < count:
            yield _rest(lines, first, f"{len(atoms)} atoms where {count} are promised: cut short?", comment)
            return
        try:
            if qm9_xyz.is_qm9_comment(comment):
                found = qm9_xyz.parse_frame(first, comment, atoms, [next(lines, "") for _ in range(3)])
            else:
                found = extended_xyz.parse_frame(first, comment, atoms)
        except ValueError as error:
            found = MoleculeRecord(line=first, text=title, problem=f"not an XYZ frame ({error})")
        yield replace(found, comment=comment)


def _rest(lines: LineReader, first: int, problem: str, comment: str = "") -> MoleculeRecord:
    for _ in lines:
        pass
    return MoleculeRecord(line=first, text=comment.strip(), problem=problem, comment=comment)
