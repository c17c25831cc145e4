"""CRC-32C, the checksum of records in TFRecord files (Castagnoli polynomial; RFC 3720, appendix B.4)."""

import numba
import numpy as np

_POLYNOMIAL = 0x82F63B78
"""Polynomial 0x1EDC6F41 with its bits reversed."""


def _tables() -> np.ndarray:
    """Return the CRC of each byte that is followed by 0 to 7 zero bytes, shape (8, 256)."""
    tables = np.empty((8, 256), np.int64)
    crc = np.arange(256)
    for _ in range(8):
        crc = crc >> 1 ^ np.where(crc & 1, _POLYNOMIAL, 0)
    tables[0] = crc
    for zeros in range(1, 8):
        crc = crc >> 8 ^ tables[0][crc & 255]
        tables[zeros] = crc
    return tables


_TABLES = _tables()


def crc32c(data: bytes | bytearray | memoryview) -> int:
    """Return the CRC-32C of bytes.

    Example
    -------
    >>> hex(crc32c(b"123456789"))
    '0xe3069283'
    """
    return _update(np.frombuffer(data, np.uint8), _TABLES)


@numba.njit(cache=True)
def _update(data: np.ndarray, tables: np.ndarray) -> int:
    crc, whole = 0xFFFFFFFF, data.size // 8 * 8
    for i in range(0, whole, 8):
        crc ^= data[i] | data[i + 1] << 8 | data[i + 2] << 16 | data[i + 3] << 24
        crc = (
            tables[7, crc & 255]
            ^ tables[6, crc >> 8 & 255]
            ^ tables[5, crc >> 16 & 255]
            ^ tables[4, crc >> 24]
            ^ tables[3, data[i + 4]]
            ^ tables[2, data[i + 5]]
            ^ tables[1, data[i + 6]]
            ^ tables[0, data[i + 7]]
        )
    for i in range(whole, data.size):
        crc = crc >> 8 ^ tables[0, (crc ^ data[i]) & 255]
    return crc ^ 0xFFFFFFFF
