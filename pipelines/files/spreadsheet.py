"""Text in tables that spreadsheets open: what they would run as a formula stays text."""

_BEGINS_A_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def as_text(cell: str) -> str:
    r"""Return a cell's text with an apostrophe before it where a spreadsheet would take it for a formula.

    For lists of what was left out and why (``rejected.csv``, ``quarantine.csv``, …), whose texts come from other
    people's files. Numbers stay as they are. Not for columns that a user joins by: these are kept to the letter.

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
