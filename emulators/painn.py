"""Polarisable atom interaction neural network (PaiNN): equivariant message passing with scalar and vector features.

Schütt, Unke and Gastegger 2021 (arXiv:2102.03150): equations 7 to 10, figure 2 and the dipole moment of section 4.
"""

import math

import keras
from keras import ops

from tenfold.emulators.graph_layers import FeatureEncoder, gather_senders, segment_sum


class PaiNN(keras.layers.Layer):
    """Map the neighbour list of a batch to scalar (A, F) and vector (A, 3, F) features of its atoms.

    Parameters
    ----------
    hidden, depth
        Feature size F, and number of interactions, each a message block and an update block.
    atoms
        Width and scale of each column of feature codes.
    cutoff
        Cutoff radius of the neighbour list [Å].
    n_rbf
        Number of radial basis functions sin(n π r / cutoff) / r.
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
            # the vectors are zero before the first message, so that no filter is needed to scale them
            parts = 2 if i == 0 else 3
            block = {
                "message_hidden": dense(self.hidden, f"message_hidden_{i}", "silu"),
                "message": dense(parts * self.hidden, f"message_{i}"),
                "filter": dense(parts * self.hidden, f"filter_{i}"),
                "mix": dense(2 * self.hidden, f"mix_{i}", bias=False),
                "update_hidden": dense(self.hidden, f"update_hidden_{i}", "silu"),
                "update": dense(3 * self.hidden, f"update_{i}"),
            }
            self.blocks.append(block)
        self.parts = [layer for block in self.blocks for layer in block.values()]

    def build(self, shapes):
        """Create the weights of the layers."""
        self.embedding.build((None, self.atoms.columns))
        widths = {"filter": self.n_rbf, "update_hidden": 2 * self.hidden}
        for block in self.blocks:
            for name, layer in block.items():
                layer.build((None, widths.get(name, self.hidden)))

    def basis(self, distance):
        """Map distances (E,) [Å] to (E, n_rbf + 1): radial basis and 1 (for the bias), times the cosine cutoff."""
        distance = ops.cast(distance, "float32")[:, None]
        angle = distance * (math.pi / self.cutoff)
        rbf = ops.sin(angle * ops.arange(1, self.n_rbf + 1, dtype="float32")) / distance
        cutoff = 0.5 * (ops.cos(angle) + 1.0)
        return ops.cast(ops.concatenate([rbf * cutoff, cutoff], axis=-1), self.compute_dtype)

    def call(self, inputs):
        """Return the scalar and vector features of the atoms, (A, F) and (A, 3, F)."""
        pairs = [inputs[name] for name in ("receivers", "senders", "reverse")]
        direction = ops.cast(inputs["direction"], self.compute_dtype)[:, :, None]
        basis = self.basis(inputs["distance"])
        scalars, vectors = self.embedding(self.atoms(inputs["codes"])), None
        for block in self.blocks:
            bias = ops.cast(block["filter"].bias, self.compute_dtype)[None]
            filters = ops.concatenate([ops.cast(block["filter"].kernel, self.compute_dtype), bias])
            # split while there is one row per atom: pairs are many more than atoms
            parts = 2 if vectors is None else 3
            sent = ops.split(block["message"](block["message_hidden"](scalars)), parts, axis=-1)
            messages = [
                gather_senders(part, *pairs) * ops.matmul(basis, kernel)
                for part, kernel in zip(sent, ops.split(filters, parts, axis=-1), strict=True)
            ]
            vector_message = direction * messages[1][:, None]
            if vectors is not None:
                vector_message = vector_message + gather_senders(vectors, *pairs) * messages[2][:, None]
            scalars = scalars + segment_sum(messages[0], pairs[0], scalars)
            vector_message = segment_sum(vector_message, pairs[0], scalars)
            vectors = vector_message if vectors is None else vectors + vector_message
            mixed_u, mixed_v = ops.split(block["mix"](vectors), 2, axis=-1)
            norm = ops.sqrt(ops.sum(ops.square(mixed_v), axis=1) + 1e-8)
            updates = block["update"](block["update_hidden"](ops.concatenate([scalars, norm], axis=-1)))
            a_ss, a_sv, a_vv = ops.split(updates, 3, axis=-1)
            scalars = scalars + a_ss + a_sv * ops.sum(mixed_u * mixed_v, axis=1)
            vectors = vectors + a_vv[:, None] * mixed_u
        return scalars, vectors

    def compute_output_shape(self, shapes):
        """Return the shapes of the scalar and vector features."""
        atoms = shapes["codes"][0]
        return (atoms, self.hidden), (atoms, 3, self.hidden)


class DipoleMoments(keras.layers.Layer):
    """Map atom features to T dipole moments per molecule: Σ (atomic dipole + partial charge · position).

    Two gated equivariant blocks predict the atomic dipoles and charges from the scalar and vector features. Positions
    are relative to the centroid, so that the result is translation invariant even if the charges do not sum to 0.
    """

    def __init__(self, targets: int, seed: int = 0, **kwargs):
        super().__init__(dtype="float32", **kwargs)
        self.targets, self.seed = int(targets), int(seed)

    def build(self, shapes):
        """Create the weights of the two gated equivariant blocks."""
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
        """Return the shape of the dipole moments."""
        return (shapes["size"][0], 3, self.targets)


class DipoleMagnitudes(keras.layers.Layer):
    """Replace the values of dipole targets by the lengths of their vectors, so that the prediction is scale · length.

    Parameters
    ----------
    dipole
        Which of the T targets are lengths of dipole moments.
    offset
        location / scale of each target, subtracted here because the output scaling adds it.
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
