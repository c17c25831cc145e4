"""Names of fields, used in place of a unit if a file states none."""

_CONVERGENCE_NAMES = {"kappa", "convergence"}
_GENERIC_NAMES = {
    "", "arr", "arr_0", "array", "compressed_image", "data", "dataset", "field", "fields", "image", "images", "map",
    "maps", "primary", "sci", "values", "x",
}  # fmt: skip


def field_name(name: str) -> str:
    """Return the field of a dataset or image: "kappa" for the convergence, otherwise its own name.

    Parameters
    ----------
    name
        Path of a dataset (``z23/gamma1``), or EXTNAME of an image.

    Returns
    -------
    str
        Last component in lower case: ``gamma1``, ``kappa_e``, ``mask``. Empty if the name does not identify a field
        (``data``, ``maps``, a number).
    """
    last = name.rstrip("/").rsplit("/", maxsplit=1)[-1].strip().lower()
    if last in _CONVERGENCE_NAMES:
        return "kappa"
    return "" if last in _GENERIC_NAMES or last.isdigit() else last
