"""Cells of CSV tables, protected from being run as formulas by a spreadsheet."""

_BEGINS_A_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def as_text(cell: str) -> str:
    r"""Return a cell's text, preceded by an apostrophe where a spreadsheet would take it for a formula.

    For lists of rejected input (``rejected.csv``), whose texts come from other people's files. Numbers are unchanged.
    Not for columns that a user joins by, which must keep every character.

    Example
    -------
    >>> as_text('=HYPERLINK("http://example.org")')
    '\'=HYPERLINK("http://example.org")'
    >>> as_text("-1.5"), as_text("CCO")
    ('-1.5', 'CCO')
    """
    if not cell.startswith(_BEGINS_A_FORMULA):
        return cell
    try:
        float(cell)
    except ValueError:
        return f"'{cell}"
    return f"'{cell}" if cell[0] in "\t\r" else cell
