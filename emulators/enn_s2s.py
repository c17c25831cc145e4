"""Edge-network message passing (enn-s2s): a matrix for every pair of atoms, computed from the pair's features.

Gilmer et al. 2017 (arXiv:1704.01212): messages Σ_w A(e_vw) h_w, updates by a GRU whose weights are shared between
steps, optional towers. A is linear in the last hidden layer z of the edge network. With A = Σ_k z_k W_k, the message is
Σ_w Σ_k z_vwk (W_k h_w): the vectors W_k h_w are computed once per atom, n of them instead of the n² matrices of its
pairs. The function is the same, at a fraction of the arithmetic and memory.
"""

import keras
from keras import ops

from tenfold.emulators.graph_layers import FeatureEncoder


class EdgeNetwork(keras.layers.Layer):
    """Map dense blocks of molecules to a vector of each slot, shape (molecules · slots, hidden).

    The features of a pair are its distance [Å] and the one-hot codes of its bond, or zeros if there is no bond. The
    initial vector of an atom is its features, padded with zeros (or a linear map of them if they are more than
    ``hidden``). The output is a linear map of the final vector and the features, with which the paper's readout begins.

    Parameters
    ----------
    hidden, depth
        Size of an atom vector, and number of message-passing steps.
    edge_hidden
        Units of the hidden layer of the edge network.
    towers
        Number of equal parts of the atom vector that pass messages independently; a linear map mixes them after each
        step.
    atoms, bonds
        Width and scale of each column of feature codes.
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
        """Create the weights: an edge network and a GRU for each tower."""
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
        # distance 0 marks padding: `tenfold.emulators.graph_layouts` keeps two atoms of a molecule apart
        is_pair = ops.cast(distance > 0, self.compute_dtype)
        bonded = ops.cast(inputs["bonded"], self.compute_dtype)[:, None]
        edges = ops.concatenate([self.bonds(inputs["bond_codes"]) * bonded, distance], axis=-1)
        units = self.edge_hidden + 1
        pairs = [
            ops.reshape(ops.concatenate([pair(edges) * is_pair, is_pair], axis=-1), (molecules, slots, slots * units))
            for pair in self.pairs
        ]
        state = self.initial_state(features)
        for _ in range(self.depth):
            updated = []
            for tower, part in enumerate(ops.split(state, self.towers, axis=-1)):
                sent = ops.reshape(ops.matmul(part, self.matrices[tower]), (molecules, slots * units, self.width))
                messages = ops.reshape(ops.matmul(pairs[tower], sent), (-1, self.width))
                updated.append(self.updates[tower](messages, [part])[0])
            joined = ops.concatenate(updated, axis=-1)
            state = joined if self.mix is None else self.mix(joined)
        return self.end(ops.concatenate([state, features], axis=-1))

    def initial_state(self, features):
        """Return the initial atom vectors: the features padded with zeros, or a linear map of them."""
        if self.start is not None:
            return self.start(features)
        return ops.pad(features, ((0, 0), (0, self.hidden - self.atoms.columns)))

    def compute_output_shape(self, shapes):
        """Return the shape of the slot vectors."""
        return (shapes["codes"][0], self.hidden)
