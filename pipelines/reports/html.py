"""Self-contained HTML reports from templates, without external resources."""

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import jinja2

from tenfold.pipelines.files.atomic import replacing
from tenfold.pipelines.reports.digits import format_number

TEMPLATES = Path(__file__).with_name("templates")


def write_page(path: Path, template: str, filters: Mapping[str, Callable[..., Any]], **values: Any) -> None:
    """Render a template to a file. The file appears complete or not at all.

    Parameters
    ----------
    path
        Path of the report.
    template
        File in the folder ``templates``. Undefined variables raise an error.
    filters
        Jinja filters by name.
    values
        Variables of the template; text is escaped.
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
    """Yield (name, value) of every leaf of nested mappings, with keys joined by dots."""
    for key, value in tree.items():
        name = f"{prefix}{key}"
        if isinstance(value, Mapping):
            yield from flatten(value, f"{name}.")
        else:
            yield name, format_number(value, 4, zeros=False) if isinstance(value, float) else value
