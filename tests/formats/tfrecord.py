"""Small faithful TFRecord files of CosmoFlow, as MLPerf HPC publishes them: `tf.train.Example`, plain or gzip."""

import gzip
import struct
from pathlib import Path

import numpy as np
from tests.formats.cosmoflow import counts


def masked_crc32c(data: bytes) -> int:
    """Masked CRC-32C of TFRecord files, bit by bit."""
    crc = 0xFFFFFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x82F63B78 if crc & 1 else 0)
    crc ^= 0xFFFFFFFF
    return ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF


def record(data: bytes) -> bytes:
    """One record: length, its masked CRC-32C, data, masked CRC-32C of the data."""
    length = struct.pack("<Q", len(data))
    return length + struct.pack("<I", masked_crc32c(length)) + data + struct.pack("<I", masked_crc32c(data))


def field(number: int, value: bytes) -> bytes:
    """A field of a message: tag for a value of a stated length, length, value."""
    length, size = b"", len(value)
    while size > 127:
        length += bytes([size & 127 | 128])
        size >>= 7
    return bytes([number << 3 | 2]) + length + bytes([size]) + value


def example(x: np.ndarray, y: list[float]) -> bytes:
    """The message that MLPerf's script writes: `x` as the bytes of an int16 array, `y` as real numbers."""
    blob = field(1, field(1, x.astype("<i2").tobytes()))
    numbers = field(2, field(1, np.array(y, "<f4").tobytes()))
    features = {b"x": blob, b"y": numbers}
    entries = b"".join(field(1, field(1, name) + field(2, feature)) for name, feature in features.items())
    return field(1, entries)


UNIT = [-0.5, 0.25, 0.0, 1.0]
"""Unit parameters of a box."""
RANGES = {"omega_m": (0.2, 0.4), "sigma_8": (0.7, 0.9), "n_s": (0.9, 1.0), "h": (0.6, 0.8)}


def write_records(
    path: Path, seed: int, *, side: int = 4, pieces: int = 1, y: list[float] | None = None, compressed: bool = False
) -> np.ndarray:
    """Write sub-volumes of one box, and give their counts (n, N, N, N, 4)."""
    rng = np.random.default_rng(seed)
    x = np.stack([counts(side, 4, rng) for _ in range(pieces)])
    data = b"".join(record(example(piece, UNIT if y is None else y)) for piece in x)
    path.write_bytes(gzip.compress(data) if compressed else data)
    return x
