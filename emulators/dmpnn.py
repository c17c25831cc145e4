"""Directed message passing: hidden states of bonds, each in both directions.

After Yang et al. 2019 (arXiv:1904.01561), equations 3 to 8. What a bond from v to w hears is what comes into v, but not
back from w. Alike environments of a batch are worked out once (see `tenfold.emulators.environments`), and the kernel
of a step is applied before the sum over neighbours, which is the same and has fewer rows.
"""

import keras
from keras import ops

from tenfold.emulators.graph_layers import FeatureEncoder, segment_sum


class DirectedMessagePassing(keras.layers.Layer):
    """A batch of classes of directed bonds in, a vector per class of atoms out.

    Parameters
    ----------
    hidden, depth
        Numbers per directed bond, and steps.
    atoms, bonds
        Width and scale of each column of codes.
    dropout
        Fraction of numbers dropped after each step, in training.
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
        """Make W_i, W_h and W_o of the paper; only the last has a bias."""
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
        """Return a vector of each class of atoms, shape (classes, hidden)."""
        columns = self.atoms.columns
        start, end = (ops.convert_to_tensor(kernel) for kernel in (self.kernel_start, self.kernel_end))
        types = self.atoms(inputs["atom_type_codes"])
        first = ops.take(ops.matmul(types, start[:columns]), inputs["bond_atom_type"], axis=0)
        first = first + ops.matmul(self.bonds(inputs["directed_bond_codes"]), start[columns:])
        bonds = ops.relu(first)
        for step in range(1, self.depth):
            passed = ops.take(ops.matmul(bonds, self.kernel_step), inputs[f"senders_{step}"], axis=0)
            root = inputs[f"initial_{step}"]
            heard = segment_sum(passed, inputs[f"receivers_{step}"], root)
            bonds = self.drop(ops.relu(ops.take(first, root, axis=0) + heard), training=training)
        atoms = inputs["atom_type"]
        heard = segment_sum(ops.take(bonds, inputs["atom_senders"], axis=0), inputs["atom_receivers"], atoms)
        own = ops.take(ops.matmul(types, end[:columns]), atoms, axis=0)
        return self.drop(ops.relu(own + ops.matmul(heard, end[columns:]) + self.bias), training=training)

    def compute_output_shape(self, shapes):
        """Return the shape of the atoms' vectors."""
        return (shapes["atom_type"][0], self.hidden)
