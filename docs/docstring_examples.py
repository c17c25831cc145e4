"""Griffe extension: the section "Example" of our docstrings is numpydoc's "Examples", shown as a Python session."""

from typing import Any

import griffe


class DocstringExamples(griffe.Extension):
    """Rename the section before docstrings are parsed."""

    def on_object(self, *, obj: griffe.Object, **_: Any) -> None:
        """Change the docstring of an object."""
        if obj.docstring is not None:
            obj.docstring.value = obj.docstring.value.replace("Example\n-------\n", "Examples\n--------\n")
