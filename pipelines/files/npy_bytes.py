"""Arrays of numbers to the bytes of an NPY file and back, with an untrusted header checked."""

import io
import math
import re

import numpy as np

_HEADER = re.compile(rb"\{'descr': '([^']+)', 'fortran_order': (False|True), 'shape': \(([0-9, ]*)\), \} *\n")
"""As NumPy writes it; it is not evaluated."""
_NUMBERS = re.compile(rb"[<>|][biuf][1248]")


def bytes_of(array: np.ndarray) -> bytes:
    """Return an array of numbers, of any shape, as the bytes of an NPY file of version 1.0."""
    buffer = io.BytesIO()
    np.lib.format.write_array(buffer, np.asarray(array, order="C"), version=(1, 0), allow_pickle=False)
    return buffer.getvalue()


def array_of(content: bytes) -> np.ndarray:
    """Return the array that the bytes of an NPY file of version 1.0 hold.

    Raises
    ------
    ValueError
        They are not such a file, do not hold real numbers, or not as many as the header states.
    """
    start = 10 + int.from_bytes(content[8:10], "little")
    header = _HEADER.fullmatch(content[10:start])
    if content[:8] != b"\x93NUMPY\x01\x00" or header is None:
        raise ValueError("not an NPY file of version 1.0")
    kind, fortran, sides = header.groups()
    if not _NUMBERS.fullmatch(kind):
        raise ValueError(f"holds {kind.decode(errors='replace')}, not numbers")
    dtype, shape = np.dtype(kind.decode()), tuple(int(side) for side in sides.split(b",") if side.strip())
    follow = len(content) - start
    if fortran == b"True" or math.prod(shape) * dtype.itemsize != follow:
        order = " in Fortran order" if fortran == b"True" else ""
        raise ValueError(f"its header says shape {shape} of {dtype}{order}, and {follow:,} bytes follow")
    return np.frombuffer(content, dtype, offset=start).reshape(shape)
