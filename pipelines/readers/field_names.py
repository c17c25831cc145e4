"""Names of fields: what the values of a map are called where its file states no unit."""

_CONVERGENCE = {"kappa", "convergence"}
_ANY = {
    "", "arr", "arr_0", "array", "compressed_image", "data", "dataset", "field", "fields", "image", "images", "map",
    "maps", "primary", "sci", "values", "x",
}  # fmt: skip


def field_name(name: str) -> str:
    """The field that a dataset, or image, of a name holds: "kappa" for the convergence, else its own name.

    Parameters
    ----------
    name
        Of a dataset with its groups (``z23/gamma1``), or EXTNAME of an image.

    Returns
    -------
    str
        The last part in lower case: ``gamma1``, ``kappa_e``, ``mask``. Empty where the name says nothing of what is
        held (``data``, ``maps``, a number).
    """
    own = name.rstrip("/").rsplit("/", maxsplit=1)[-1].strip().lower()
    if own in _CONVERGENCE:
        return "kappa"
    return "" if own in _ANY or own.isdigit() else own
