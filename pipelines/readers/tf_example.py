"""Messages of type `tf.train.Example` in the wire format of Protocol Buffers: a mapping of names to features.

Formats of https://protobuf.dev/programming-guides/encoding and of TensorFlow's ``example.proto`` and ``feature.proto``.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

_VARINT, _FIXED_64, _LENGTH, _FIXED_32 = 0, 1, 2, 5
_MAX_FEATURES = 1000


@dataclass(frozen=True, kw_only=True)
class Feature:
    """Values of one feature: byte strings, or real numbers."""

    strings: tuple[memoryview, ...] = ()
    numbers: np.ndarray
    """Values of a `FloatList`, shape (n,), float32."""


def read_example(data: bytes | bytearray) -> dict[str, Feature]:
    """Return the features of a message by name. Lists of integers are left out.

    Parameters
    ----------
    data
        The message.

    Raises
    ------
    ValueError
        The bytes are not such a message, or have more than 1,000 features.
    """
    found: dict[str, Feature] = {}
    for features in _messages(memoryview(data), 1):
        for entry in _messages(features, 1):
            names = [bytes(name) for name in _messages(entry, 1)]
            values = list(_messages(entry, 2))
            if names and values:
                found[names[-1].decode("utf-8", "replace")] = _feature(values[-1])
            if len(found) > _MAX_FEATURES:
                raise ValueError(f"more than {_MAX_FEATURES} features")
    return found


def _feature(message: memoryview) -> Feature:
    strings = tuple(text for group in _messages(message, 1) for text in _messages(group, 1))
    numbers = [number for group in _messages(message, 2) for number in _floats(group)]
    return Feature(strings=strings, numbers=np.concatenate(numbers) if numbers else np.empty(0, np.float32))


def _floats(message: memoryview) -> Iterator[np.ndarray]:
    """Yield the parts of a `FloatList`: all values packed together, or one by one."""
    for field, wire, value in _fields(message):
        if field == 1 and wire in (_LENGTH, _FIXED_32):
            if len(value) % 4:
                raise ValueError(f"a list of {len(value)} bytes, which are not numbers of four bytes")
            yield np.frombuffer(value, "<f4")


def _messages(message: memoryview, number: int) -> Iterator[memoryview]:
    """Yield the byte strings or messages that are the field of this number."""
    return (value for field, wire, value in _fields(message) if field == number and wire == _LENGTH)


def _fields(message: memoryview) -> Iterator[tuple[int, int, memoryview]]:
    """Yield number, wire type and bytes of each field of a message."""
    position = 0
    while position < len(message):
        tag, position = _varint(message, position)
        wire, start = tag & 7, position
        if wire == _VARINT:
            _, position = _varint(message, position)
        elif wire == _LENGTH:
            length, start = _varint(message, position)
            position = start + length
        elif wire in (_FIXED_64, _FIXED_32):
            position += 8 if wire == _FIXED_64 else 4
        else:
            raise ValueError(f"a field of wire type {wire}, which does not exist")
        if position > len(message):
            raise ValueError(f"a field ends {position - len(message):,} bytes behind its message")
        yield tag >> 3, wire, message[start:position]


def _varint(message: memoryview, position: int) -> tuple[int, int]:
    """Return an integer of variable length, and the position behind it."""
    value = 0
    for shift in range(0, 70, 7):
        if position >= len(message):
            raise ValueError("an integer continues behind its message")
        byte = message[position]
        position += 1
        value |= (byte & 127) << shift
        if byte < 128:
            return value, position
    raise ValueError("an integer of more than ten bytes")
