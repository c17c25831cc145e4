"""Names of fields, used in place of a unit if a file states none."""

_CONVERGENCE = {"kappa", "convergence"}
_ANY = {
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
    own = name.rstrip("/").rsplit("/", maxsplit=1)[-1].strip().lower()
    if own in _CONVERGENCE:
        return "kappa"
    return "" if own in _ANY or own.isdigit() else own
