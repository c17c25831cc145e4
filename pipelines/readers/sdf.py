"""SD files: a sequence of Molfiles (V2000, V3000), each with data items."""

from collections.abc import Iterator

from tenfold.pipelines.readers.molecule import LineReader, MoleculeRecord

_MAX_LINES = 100_000
"""Largest number of lines of a record."""


def read_records(lines: LineReader) -> Iterator[MoleculeRecord]:
    """Yield the records from the current position of `lines` on.

    A record longer than 100,000 lines is reported as unreadable; reading continues after its end.
    """
    while True:
        first = lines.line
        record: list[str] = []
        size = 0
        for line in lines:
            if line.startswith("$$$$"):
                break
            size += 1
            if size <= _MAX_LINES:
                record.append(line)
        if not any(line.strip() for line in record):
            if lines.line == first:
                return
            continue
        title = record[0].strip()
        if size > _MAX_LINES:
            yield MoleculeRecord(line=first, text=title, problem=f"a record of {size:,} lines")
            continue
        end = next((n for n, line in enumerate(record) if line.startswith("M  END")), -1)
        if end < 0:
            yield MoleculeRecord(line=first, text=title, problem="a record without M  END: truncated?")
            continue
        try:
            fields = _items(record[end + 1 :])
        except ValueError as error:
            yield MoleculeRecord(line=first, text=title, problem=str(error))
        else:
            yield MoleculeRecord(line=first, text=title, molfile="".join(record[: end + 1]), fields=fields)


def _items(record: list[str]) -> dict[str, str]:
    """Parse data items: a line `>  <name>`, lines of the value, a blank line.

    Raises
    ------
    ValueError
        Another molecule follows without a separator.
    """
    items: dict[str, list[str]] = {}
    value: list[str] | None = None
    for line in record:
        if line.startswith(">") and "<" in line:
            value = items.setdefault(line[line.index("<") + 1 : line.rindex(">")], [])
        elif value is not None and line.strip():
            value.append(line.strip())
        elif line.startswith("M  END"):
            raise ValueError("two molecules in one record: a line of $$$$ is missing between them")
        else:
            value = None
    return {name: "\n".join(value) for name, value in items.items()}
