"""Polarisable atom interaction network: scalars and vectors of atoms that turn with the molecule.

After Schütt, Unke and Gastegger 2021 (arXiv:2102.03150): equations 7 to 10, figure 2 and the dipole of section 4.
"""

import math

import keras
from keras import ops

from tenfold.emulators.graph_layers import FeatureEncoder, gather_senders, segment_sum


class PaiNN(keras.layers.Layer):
    """Pairs of near atoms in; scalars (A, F) and vectors (A, 3, F) of atoms out.

    Parameters
    ----------
    hidden, depth
        F, and pairs of a message and an update block.
    atoms
        Width and scale of each column of codes.
    cutoff
        Atoms nearer than this see each other [Å].
    n_rbf
        Radial functions sin(n π r / cutoff) / r.
    seed
        Seed of the initial weights.
    """

    def __init__(self, hidden: int, depth: int, atoms, cutoff: float, n_rbf: int, seed: int = 0, **kwargs):
        super().__init__(**kwargs)
        self.hidden, self.depth, self.seed = int(hidden), int(depth), int(seed)
        self.cutoff, self.n_rbf = float(cutoff), int(n_rbf)
        self.atoms = FeatureEncoder(atoms, dtype=self.dtype_policy, name="atoms")
        seeds = iter(range(self.seed, self.seed + 1000))

        def dense(units, name, activation=None, bias=True):
            initializer = keras.initializers.GlorotUniform(seed=next(seeds))
            return keras.layers.Dense(
                units, activation, use_bias=bias, kernel_initializer=initializer, dtype=self.dtype_policy, name=name
            )

        self.embedding = dense(self.hidden, "embedding", bias=False)
        self.blocks = []
        for i in range(self.depth):
            # before the first message vectors are zero, and what would scale them is not there
            parts = 2 if i == 0 else 3
            block = {
                "speak": dense(self.hidden, f"speak_{i}", "silu"),
                "say": dense(parts * self.hidden, f"say_{i}"),
                "filter": dense(parts * self.hidden, f"filter_{i}"),
                "mix": dense(2 * self.hidden, f"mix_{i}", bias=False),
                "gate": dense(self.hidden, f"gate_{i}", "silu"),
                "gates": dense(3 * self.hidden, f"gates_{i}"),
            }
            self.blocks.append(block)
        self.parts = [layer for block in self.blocks for layer in block.values()]

    def build(self, shapes):
        """Make the layers' weights."""
        self.embedding.build((None, self.atoms.columns))
        widths = {"filter": self.n_rbf, "gate": 2 * self.hidden}
        for block in self.blocks:
            for name, layer in block.items():
                layer.build((None, widths.get(name, self.hidden)))

    def basis(self, distance):
        """Map distances (E,) [Å] to (E, n_rbf + 1): radial functions and, for the bias, 1, all times the cutoff."""
        distance = ops.cast(distance, "float32")[:, None]
        angle = distance * (math.pi / self.cutoff)
        waves = ops.sin(angle * ops.arange(1, self.n_rbf + 1, dtype="float32")) / distance
        cut = 0.5 * (ops.cos(angle) + 1.0)
        return ops.cast(ops.concatenate([waves * cut, cut], axis=-1), self.compute_dtype)

    def call(self, inputs):
        """Return scalars and vectors of the atoms, (A, F) and (A, 3, F)."""
        pairs = [inputs[name] for name in ("receivers", "senders", "reverse")]
        direction = ops.cast(inputs["direction"], self.compute_dtype)[:, :, None]
        basis = self.basis(inputs["distance"])
        scalars, vectors = self.embedding(self.atoms(inputs["codes"])), None
        for block in self.blocks:
            bias = ops.cast(block["filter"].bias, self.compute_dtype)[None]
            filters = ops.concatenate([ops.cast(block["filter"].kernel, self.compute_dtype), bias])
            # cut apart before there is a row per pair: there are many more pairs than atoms
            parts = 2 if vectors is None else 3
            saying = ops.split(block["say"](block["speak"](scalars)), parts, axis=-1)
            said = [
                gather_senders(part, *pairs) * ops.matmul(basis, kernel)
                for part, kernel in zip(saying, ops.split(filters, parts, axis=-1), strict=True)
            ]
            pushed = direction * said[1][:, None]
            if vectors is not None:
                pushed = pushed + gather_senders(vectors, *pairs) * said[2][:, None]
            scalars = scalars + segment_sum(said[0], pairs[0], scalars)
            pushed = segment_sum(pushed, pairs[0], scalars)
            vectors = pushed if vectors is None else vectors + pushed
            mixed, other = ops.split(block["mix"](vectors), 2, axis=-1)
            length = ops.sqrt(ops.sum(ops.square(other), axis=1) + 1e-8)
            gates = block["gates"](block["gate"](ops.concatenate([scalars, length], axis=-1)))
            own, inner, turn = ops.split(gates, 3, axis=-1)
            scalars = scalars + own + inner * ops.sum(mixed * other, axis=1)
            vectors = vectors + turn[:, None] * mixed
        return scalars, vectors

    def compute_output_shape(self, shapes):
        """Return the shapes of scalars and vectors."""
        atoms = shapes["codes"][0]
        return (atoms, self.hidden), (atoms, 3, self.hidden)


class DipoleMoments(keras.layers.Layer):
    """Scalars and vectors of atoms in, T vectors per molecule out: Σ (atom's dipole + its charge · its position).

    Two gated equivariant blocks make the atoms' dipoles and charges of the scalars and vectors. Positions are counted
    from the centroid, so that a molecule's place does not matter even if the charges do not add up to 0.
    """

    def __init__(self, targets: int, seed: int = 0, **kwargs):
        super().__init__(dtype="float32", **kwargs)
        self.targets, self.seed = int(targets), int(seed)

    def build(self, shapes):
        """Make the two blocks' weights."""
        width, seeds = shapes["scalars"][-1], iter(range(self.seed, self.seed + 100))
        self.blocks = []
        for i, units in enumerate((max(1, width // 2), self.targets)):
            block = []
            for name, shape, bias in (
                ("mix", (width, width + units), False),
                ("inner", (2 * width, width), True),
                ("outer", (width, 2 * units), True),
            ):
                layer = keras.layers.Dense(
                    shape[1], "silu" if name == "inner" else None, use_bias=bias,
                    kernel_initializer=keras.initializers.GlorotUniform(seed=next(seeds)), dtype="float32",
                    name=f"{name}_{i}",
                )  # fmt: skip
                layer.build((None, shape[0]))
                block.append(layer)
            self.blocks.append(block)
            width = units
        self.parts = [layer for block in self.blocks for layer in block]

    def call(self, inputs):
        """Map ``scalars`` (A, F), ``vectors`` (A, 3, F) and ``position`` (A, 3) [Å] to (G + 1, 3, T)."""
        scalars, vectors = (ops.cast(inputs[name], "float32") for name in ("scalars", "vectors"))
        for i, (mix, inner, outer) in enumerate(self.blocks):
            mixed = mix(vectors)
            width = vectors.shape[-1]
            length = ops.sqrt(ops.sum(ops.square(mixed[..., :width]), axis=1) + 1e-8)
            scalars, gate = ops.split(outer(inner(ops.concatenate([scalars, length], axis=-1))), 2, axis=-1)
            vectors = gate[:, None] * mixed[..., width:]
            if i == 0:
                scalars = ops.silu(scalars)
        atoms = vectors + scalars[:, None] * inputs["position"][..., None]
        return segment_sum(atoms, inputs["graph"], inputs["size"])

    def compute_output_shape(self, shapes):
        """Return the shape of the vectors."""
        return (shapes["size"][0], 3, self.targets)


class DipoleMagnitudes(keras.layers.Layer):
    """Lengths of vectors in place of some targets' numbers, so that the answer is scale · length.

    Parameters
    ----------
    dipole
        Which of the T targets are lengths.
    offset
        location / scale of each target, which the answer adds and this takes off.
    """

    def __init__(self, dipole, offset, **kwargs):
        super().__init__(dtype="float32", **kwargs)
        self.dipole, self.offset = [bool(v) for v in dipole], [float(v) for v in offset]

    def call(self, inputs):
        """Map ``values`` (G + 1, T · outputs) and ``vectors`` (G + 1, 3, dipoles) to the shape of the values."""
        values, vectors = inputs["values"], inputs["vectors"]
        length = ops.sqrt(ops.sum(ops.square(vectors), axis=1) + 1e-12)
        outputs = values.shape[-1] // len(self.dipole)
        columns, lengths = [], iter(range(sum(self.dipole)))
        for target, (dipole, offset) in enumerate(zip(self.dipole, self.offset, strict=True)):
            own = values[:, target * outputs : (target + 1) * outputs]
            if dipole:
                index = next(lengths)
                own = ops.concatenate([length[:, index : index + 1] - offset, own[:, 1:]], axis=-1)
            columns.append(own)
        return ops.concatenate(columns, axis=-1)

    def compute_output_shape(self, shapes):
        """Return the shape of the values."""
        return shapes["values"]
