"""Representation of objects in notebooks: a small HTML table."""

from collections.abc import Iterable
from html import escape


def html_table(title: str, rows: Iterable[tuple[str, object]]) -> str:
    """Return a title and rows of name and value as HTML; all text is escaped, since files may supply it."""
    cells = "".join(
        f'<tr><th style="text-align:left">{escape(name)}</th><td style="text-align:left">{escape(str(value))}</td></tr>'
        for name, value in rows
    )
    return f"<table><caption><b>{escape(title)}</b></caption>{cells}</table>"


def plain_text(title: str, rows: Iterable[tuple[str, object]]) -> str:
    """Return a title and rows of name and value as lines of text."""
    rows = list(rows)
    width = max((len(name) for name, _ in rows), default=0)
    return "\n".join([title, *(f"  {name:<{width}}  {value}" for name, value in rows)])
