"""One offline HTML page from a template: nothing is loaded from anywhere when it is read."""

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import jinja2

from tenfold.pipelines.files.atomic import replacing
from tenfold.pipelines.reports.digits import figure

TEMPLATES = Path(__file__).with_name("templates")


def write_page(path: Path, template: str, filters: Mapping[str, Callable[..., Any]], **values: Any) -> None:
    """Write a page, whole or not at all.

    Parameters
    ----------
    path
        The page.
    template
        Of the folder ``templates``. What it asks for must be among the values.
    filters
        By the names that the template calls them.
    values
        What the template fills in; text is escaped.
    """
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= filters
    page = environment.get_template(template).render(**values)
    with replacing(path) as temporary:
        # names of files that are not UTF-8 hold what it cannot encode
        temporary.write_text(page, encoding="utf-8", errors="backslashreplace")


def flatten(tree: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Yield (name, value) of every leaf of nested mappings, names joined by dots."""
    for key, value in tree.items():
        name = f"{prefix}{key}"
        if isinstance(value, Mapping):
            yield from flatten(value, f"{name}.")
        else:
            yield name, figure(value, 4, zeros=False) if isinstance(value, float) else value
