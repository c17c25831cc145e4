"""The network of Gilmer et al.: every pair of atoms has a matrix, which an edge network makes of its features.

After Gilmer et al. 2017 (arXiv:1704.01212): messages Σ_w A(e_vw) h_w, updates by a GRU with weights shared between
steps, optional towers. A is linear in the edge network's last hidden layer z, so that with A = Σ_k z_k W_k the message
is Σ_w Σ_k z_vwk (W_k h_w): the vectors W_k h_w of each atom are worked out once, n of them in place of the n² matrices
of its pairs. It is the same function with a fraction of the arithmetic and of the memory.
"""

import keras
from keras import ops

from tenfold.emulators.graph_layers import FeatureEncoder


class EdgeNetwork(keras.layers.Layer):
    """Dense blocks of molecules in, a vector per slot out, shape (molecules · slots, hidden).

    A pair's features are its distance [Å] and the codes of its bond, one-hot, or zeros where there is none. An atom's
    vector begins as its features with zeros behind (or a linear map of them where they are more than ``hidden``). At
    the end a linear map of it and of the features is returned, which the readout of the paper begins with.

    Parameters
    ----------
    hidden, depth
        Numbers per atom, and steps.
    edge_hidden
        Units of the edge network's hidden layer.
    towers
        Equal parts of the hidden numbers; each passes messages by itself, and a linear map mixes them after each step.
    atoms, bonds
        Width and scale of each column of codes.
    seed
        Seed of the initial weights.
    """

    def __init__(self, hidden: int, depth: int, edge_hidden: int, towers: int, atoms, bonds, seed: int = 0, **kwargs):
        super().__init__(**kwargs)
        self.hidden, self.depth, self.seed = int(hidden), int(depth), int(seed)
        self.edge_hidden, self.towers = int(edge_hidden), int(towers)
        self.atoms = FeatureEncoder(atoms, dtype=self.dtype_policy, name="atoms")
        self.bonds = FeatureEncoder(bonds, dtype=self.dtype_policy, name="bonds")
        self.width = self.hidden // self.towers

    def build(self, shapes):
        """Make the weights: per tower an edge network and a GRU."""
        seeds = iter(range(self.seed, self.seed + 1000))
        columns = self.atoms.columns

        def dense(units, name, width, activation=None):
            initializer = keras.initializers.GlorotUniform(seed=next(seeds))
            layer = keras.layers.Dense(
                units, activation, kernel_initializer=initializer, dtype=self.dtype_policy, name=name
            )
            layer.build((None, width))
            return layer

        self.start = dense(self.hidden, "start", columns) if columns > self.hidden else None
        self.pairs, self.updates, self.matrices = [], [], []
        for tower in range(self.towers):
            self.pairs.append(dense(self.edge_hidden, f"pair_{tower}", self.bonds.columns + 1, "relu"))
            # W_k for each hidden unit and, last, the bias: of shape (k + 1, width out, width in) in the paper's terms
            initializer = keras.initializers.RandomNormal(
                stddev=(self.width * self.edge_hidden) ** -0.5, seed=next(seeds)
            )
            shape = (self.width, (self.edge_hidden + 1) * self.width)
            self.matrices.append(self.add_weight(shape=shape, initializer=initializer, name=f"matrices_{tower}"))
            cell = keras.layers.GRUCell(
                self.width, kernel_initializer=keras.initializers.GlorotUniform(seed=next(seeds)),
                recurrent_initializer=keras.initializers.Orthogonal(seed=next(seeds)), dtype=self.dtype_policy,
                name=f"update_{tower}",
            )  # fmt: skip
            cell.build((None, self.width))
            self.updates.append(cell)
        self.mix = dense(self.hidden, "mix", self.hidden) if self.towers > 1 else None
        self.end = dense(self.hidden, "end", self.hidden + columns)

    def call(self, inputs):
        """Return a vector of each slot, shape (molecules · slots, hidden)."""
        molecules = ops.shape(inputs["size"])[0]
        slots = ops.shape(inputs["codes"])[0] // molecules
        features = self.atoms(inputs["codes"])
        distance = ops.cast(inputs["distance"], self.compute_dtype)[:, None]
        # two atoms of a molecule are never at distance 0 (see `tenfold.emulators.graph_layouts`): only no pair is
        is_pair = ops.cast(distance > 0, self.compute_dtype)
        bonded = ops.cast(inputs["bonded"], self.compute_dtype)[:, None]
        edges = ops.concatenate([self.bonds(inputs["bond_codes"]) * bonded, distance], axis=-1)
        units = self.edge_hidden + 1
        pairs = [
            ops.reshape(ops.concatenate([pair(edges) * is_pair, is_pair], axis=-1), (molecules, slots, slots * units))
            for pair in self.pairs
        ]
        state = self.begin(features)
        for _ in range(self.depth):
            parts = []
            for tower, own in enumerate(ops.split(state, self.towers, axis=-1)):
                spread = ops.reshape(ops.matmul(own, self.matrices[tower]), (molecules, slots * units, self.width))
                heard = ops.reshape(ops.matmul(pairs[tower], spread), (-1, self.width))
                parts.append(self.updates[tower](heard, [own])[0])
            state = ops.concatenate(parts, axis=-1) if self.mix is None else self.mix(ops.concatenate(parts, axis=-1))
        return self.end(ops.concatenate([state, features], axis=-1))

    def begin(self, features):
        """Return the atoms' first vectors: their features with zeros behind, or a linear map of them."""
        if self.start is not None:
            return self.start(features)
        return ops.pad(features, ((0, 0), (0, self.hidden - self.atoms.columns)))

    def compute_output_shape(self, shapes):
        """Return the shape of the slots' vectors."""
        return (shapes["codes"][0], self.hidden)
