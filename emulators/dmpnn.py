"""Directed message-passing neural network (D-MPNN): hidden states of directed bonds.

Yang et al. 2019 (arXiv:1904.01561), equations 3 to 8. The message to the bond v→w sums over the bonds into v, except
w→v. Equal environments of a batch are computed once (see `tenfold.emulators.environments`). The kernel of a step is
applied before the sum over neighbours, which gives the same result with fewer rows.
"""

import keras
from keras import ops

from tenfold.emulators.graph_layers import FeatureEncoder, segment_sum


class DirectedMessagePassing(keras.layers.Layer):
    """Map a batch of directed-bond classes to a vector of each atom class.

    Parameters
    ----------
    hidden, depth
        Size of a hidden state, and number of message-passing steps.
    atoms, bonds
        Width and scale of each column of feature codes.
    dropout
        Fraction of hidden units dropped after each step during training.
    seed
        Seed of the initial weights and of dropout.
    """

    def __init__(self, hidden: int, depth: int, atoms, bonds, dropout: float = 0.0, seed: int = 0, **kwargs):
        super().__init__(**kwargs)
        self.hidden, self.depth, self.dropout, self.seed = int(hidden), int(depth), float(dropout), int(seed)
        self.atoms = FeatureEncoder(atoms, dtype=self.dtype_policy, name="atoms")
        self.bonds = FeatureEncoder(bonds, dtype=self.dtype_policy, name="bonds")
        self.drop = keras.layers.Dropout(dropout, seed=seed, dtype=self.dtype_policy, name="dropout")

    def build(self, shapes):
        """Create W_i, W_h and W_o of the paper; only W_o has a bias."""
        kernels = {
            "start": self.atoms.columns + self.bonds.columns,
            "step": self.hidden,
            "end": self.atoms.columns + self.hidden,
        }
        for i, (name, width) in enumerate(kernels.items()):
            initializer = keras.initializers.GlorotUniform(seed=self.seed + i)
            kernel = self.add_weight(shape=(width, self.hidden), initializer=initializer, name=name)
            setattr(self, f"kernel_{name}", kernel)
        self.bias = self.add_weight(shape=(self.hidden,), initializer="zeros", name="bias")

    def call(self, inputs, training=None):
        """Return a vector of each atom class, shape (classes, hidden)."""
        columns = self.atoms.columns
        start, end = (ops.convert_to_tensor(kernel) for kernel in (self.kernel_start, self.kernel_end))
        atom_types = self.atoms(inputs["atom_type_codes"])
        initial = ops.take(ops.matmul(atom_types, start[:columns]), inputs["bond_atom_type"], axis=0)
        initial = initial + ops.matmul(self.bonds(inputs["directed_bond_codes"]), start[columns:])
        bonds = ops.relu(initial)
        for step in range(1, self.depth):
            sent = ops.take(ops.matmul(bonds, self.kernel_step), inputs[f"senders_{step}"], axis=0)
            initial_class = inputs[f"initial_{step}"]
            messages = segment_sum(sent, inputs[f"receivers_{step}"], initial_class)
            bonds = self.drop(ops.relu(ops.take(initial, initial_class, axis=0) + messages), training=training)
        atoms = inputs["atom_type"]
        messages = segment_sum(ops.take(bonds, inputs["atom_senders"], axis=0), inputs["atom_receivers"], atoms)
        from_features = ops.take(ops.matmul(atom_types, end[:columns]), atoms, axis=0)
        hidden = ops.relu(from_features + ops.matmul(messages, end[columns:]) + self.bias)
        return self.drop(hidden, training=training)

    def compute_output_shape(self, shapes):
        """Return the shape of the atom vectors."""
        return (shapes["atom_type"][0], self.hidden)
