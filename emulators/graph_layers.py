"""Keras layers that map ragged arrays of atoms to properties of molecules; any backend.

``graph`` (A,) is the index of each atom's molecule, and ``size`` (G + 1,) the number of atoms of each molecule. Padding
atoms belong to the last molecule, which is not a real one.
"""

import keras
import numpy as np
from keras import ops

from tenfold.emulators.layers import UNIT_SOFTPLUS

ABSENT_CLASS_LOGIT = -1e9
"""Logit of a class that a target does not have, where another target has more classes."""


def segment_sum(rows, segments, like):
    """Sum rows (n, …) by segment; there are as many segments as ``like`` has rows.

    ``segments`` (n,) is the segment of each row, ascending. The last row must belong to the last segment, which padding
    guarantees.
    """
    if keras.backend.backend() == "tensorflow":  # the backend takes the number of segments from the last row
        return ops.segment_sum(rows, segments, sorted=True)
    return ops.segment_sum(rows, segments, num_segments=ops.shape(like)[0], sorted=True)


def segment_max(rows, segments, like):
    """Maximum of rows (n, …) by segment; the arguments are those of `segment_sum`."""
    if keras.backend.backend() == "tensorflow":
        return ops.segment_max(rows, segments, sorted=True)
    return ops.segment_max(rows, segments, num_segments=ops.shape(like)[0], sorted=True)


def gather_senders(rows, receivers, senders, reverse):
    """Gather the rows (A, …) of the sender of each edge, shape (E, …).

    Edges are sorted by ``receivers``, and each is present in both directions; ``reverse`` (E,) is the index of the
    opposite edge. The gradient is therefore a sum over sorted segments, three times as fast as over the unsorted
    ``senders``.
    """

    @ops.custom_gradient
    def take(rows):
        def gradient(*arguments, upstream=None):
            upstream = arguments[0] if upstream is None else upstream
            return segment_sum(ops.take(upstream, reverse, axis=0), receivers, rows)

        return ops.take(rows, senders, axis=0), gradient

    return take(rows)


class FeatureEncoder(keras.layers.Layer):
    """Encode feature codes: one-hot, or the code times a scale.

    Parameters
    ----------
    table
        Width and scale of each column, as in `tenfold.emulators.graphs.Feature`.
    """

    def __init__(self, table, **kwargs):
        super().__init__(**kwargs)
        self.table = [(int(width), None if scale is None else float(scale)) for width, scale in table]

    gate = None
    """Factor of the encoded features of each row, shape (n, 1); set only while attributions are computed."""

    @property
    def columns(self) -> int:
        """Number of encoded features of a row."""
        return sum(width if scale is None else 1 for width, scale in self.table)

    def call(self, codes):
        """Map (n, columns of codes) to (n, encoded features)."""
        parts = [
            ops.one_hot(ops.cast(codes[..., i], "int32"), width, dtype=self.compute_dtype)
            if scale is None
            else ops.cast(codes[..., i : i + 1], self.compute_dtype) * scale
            for i, (width, scale) in enumerate(self.table)
        ]
        encoded = ops.concatenate(parts, axis=-1)
        return encoded if self.gate is None else encoded * self.gate

    def compute_output_shape(self, shape):
        """Return the shape of the encoded features."""
        return (*shape[:-1], self.columns)


class Head(keras.layers.Layer):
    """Multilayer perceptron from a vector to the raw outputs; the last layer is initialised near zero."""

    def __init__(self, dense, outputs: int, activation: str = "relu", dropout: float = 0.0, seed: int = 0, **kwargs):
        super().__init__(**kwargs)
        self.dense, self.outputs, self.activation = [int(units) for units in dense], int(outputs), activation
        self.dropout, self.seed = float(dropout), int(seed)
        self.inner = [
            keras.layers.Dense(
                units, activation=activation, kernel_initializer=keras.initializers.HeNormal(seed=seed + 100 + i),
                dtype=self.dtype_policy, name=f"dense_{i}",
            )
            for i, units in enumerate(self.dense)
        ]  # fmt: skip
        self.drops = [
            keras.layers.Dropout(dropout, seed=seed + i, dtype=self.dtype_policy, name=f"dropout_{i}")
            for i in range(len(self.dense) + 1)
        ]
        self.last = keras.layers.Dense(
            self.outputs, kernel_initializer=keras.initializers.RandomNormal(stddev=1e-3, seed=seed), dtype="float32",
            name="last",
        )  # fmt: skip

    def build(self, shape):
        """Create the weights of the layers."""
        width = shape[-1]
        for layer in self.inner:
            layer.build((None, width))
            width = layer.units
        self.last.build((None, width))

    def call(self, x, training=None):
        """Map (n, width) to (n, outputs), float32."""
        x = self.drops[0](x, training=training)
        for layer, drop in zip(self.inner, self.drops[1:], strict=True):
            x = drop(layer(x), training=training)
        return self.last(x)

    def compute_output_shape(self, shape):
        """Return the shape of the outputs."""
        return (*shape[:-1], self.outputs)


class AtomPooling(keras.layers.Layer):
    """Mean over the atoms of each molecule; if ``norm`` is above 0, the sum over the atoms divided by it."""

    def __init__(self, norm: float = 0.0, **kwargs):
        super().__init__(dtype="float32", **kwargs)
        self.norm = float(norm)

    def call(self, inputs):
        """Map ``rows`` of atoms (A, C), or of the environment classes that ``atom`` (A,) points to, to (G + 1, C)."""
        rows = ops.cast(inputs["rows"], "float32")
        if "atom" in inputs:
            rows = ops.take(rows, inputs["atom"], axis=0)
        total = segment_sum(rows, inputs["graph"], inputs["size"])
        return total / (self.norm or ops.maximum(inputs["size"], 1.0)[:, None])

    def compute_output_shape(self, shapes):
        """Return the shape of the pooled rows."""
        return (shapes["size"][0], shapes["rows"][-1])


class StackMembers(keras.layers.Layer):
    """Stack the outputs of the members of an ensemble."""

    def __init__(self, **kwargs):
        super().__init__(dtype="float32", **kwargs)

    def call(self, values):
        """Map a list of (G, C) to (G, members, C)."""
        return ops.stack(values, axis=1)


class OutputScaling(keras.layers.Layer):
    """Scale raw outputs to properties in the units of the targets, and add the atomic references.

    For a molecule of n atoms, the mean is f (location + scale · y) + Σ reference[element], and the standard deviation
    f · scale · softplus(s), where f = n for extensive targets and 1 for others.

    Parameters
    ----------
    kind
        ``"regression"`` or ``"classification"``.
    location, scale
        Location and scale of the T targets; per atom for extensive targets.
    reference
        Contribution of an atom of each element code, (codes, T) as nested lists.
    extensive
        Which targets are extensive.
    classes
        Number of classes of each classification target. If any target has more than two, the outputs are logits of a
        softmax over the largest number of classes.
    """

    def __init__(self, kind: str, location, scale, reference, extensive, classes=(), **kwargs):
        super().__init__(dtype="float32", **kwargs)
        self.kind, self.extensive = kind, [bool(v) for v in extensive]
        self.location, self.scale = [float(v) for v in location], [float(v) for v in scale]
        self.classes = [int(v) for v in classes] if kind == "classification" else []
        self.reference = [[float(v) for v in row] for row in reference]
        if not all(s > 0 for s in self.scale):
            raise ValueError(f"scale: found {self.scale}; a constant target cannot be learnt")

    def call(self, inputs):
        """Map ``values`` (G + 1, members, T · outputs) to (G, T, members, outputs)."""
        values, size = inputs["values"], inputs["size"]
        targets = len(self.scale)
        values = ops.reshape(values, (-1, ops.shape(values)[1], targets, ops.shape(values)[2] // targets))
        if max(self.classes, default=0) > 2:
            absent = [[ABSENT_CLASS_LOGIT * (code >= own) for code in range(max(self.classes))] for own in self.classes]
            logits = values + ops.convert_to_tensor(absent, dtype="float32")
            return ops.transpose(logits, (0, 2, 1, 3))[:-1]
        location, scale = (ops.convert_to_tensor(v, dtype="float32") for v in (self.location, self.scale))
        extensive = ops.convert_to_tensor([float(v) for v in self.extensive], dtype="float32")
        factor = (1.0 - extensive + extensive * size[:, None])[:, None]  # (G + 1, 1, T)
        mean = factor * (location + scale * values[..., 0])
        if any(v for row in self.reference for v in row):
            table = ops.convert_to_tensor(self.reference, dtype="float32")
            atoms = ops.take(table, inputs["element"], axis=0)
            mean = mean + segment_sum(atoms, inputs["graph"], size)[:, None]
        parts = [mean]
        if self.kind == "regression":
            parts.append(ops.maximum(factor, 1.0) * scale * (ops.softplus(values[..., 1] + UNIT_SOFTPLUS) + 1e-3))
        return ops.transpose(ops.stack(parts, axis=-1), (0, 2, 1, 3))[:-1]

    def atom_contributions(self, rows: np.ndarray, size: np.ndarray, element: np.ndarray) -> np.ndarray:
        """Contribution of each atom to the predicted mean of its molecule, shape (A, T).

        Parameters
        ----------
        rows
            Raw outputs of each atom, whose mean over the molecule is the input of `call`, shape (A, T · outputs).
        size, element
            Number of atoms of each atom's molecule, and its element code, shape (A,).

        Raises
        ------
        ValueError
            A target has more than two classes: their logits are not additive over atoms.
        """
        if max(self.classes, default=0) > 2:
            raise ValueError(
                "network: atom contributions are undefined for more than two classes; use integrated gradients"
            )
        values = rows.reshape(len(rows), len(self.scale), -1)[..., 0]
        factor = np.where(self.extensive, 1.0, 1.0 / size[:, None])
        return factor * (np.array(self.location) + np.array(self.scale) * values) + np.array(self.reference)[element]
