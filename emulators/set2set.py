"""Set2Set readout: a permutation-invariant vector of each molecule, gathered from its atoms by attention.

Vinyals et al. 2016 (arXiv:1511.06391); used as a molecular readout by Gilmer et al. 2017 (arXiv:1704.01212).
"""

import keras
from keras import ops

from tenfold.emulators.graph_layers import segment_max, segment_sum


class Set2Set(keras.layers.Layer):
    """Map atom vectors (A, d) to molecule vectors (G + 1, 2d): the last query and its attention readout.

    Parameters
    ----------
    steps
        Number of attention steps.
    seed
        Seed of the initial weights.
    """

    def __init__(self, steps: int = 6, seed: int = 0, **kwargs):
        super().__init__(dtype="float32", **kwargs)
        self.steps, self.seed = int(steps), int(seed)

    def build(self, shapes):
        """Create the LSTM whose hidden state is the query, and whose input is its own last output."""
        width = shapes["rows"][-1]
        self.cell = keras.layers.LSTMCell(
            width,
            kernel_initializer=keras.initializers.GlorotUniform(seed=self.seed),
            recurrent_initializer=keras.initializers.Orthogonal(seed=self.seed + 1),
            dtype="float32",
            name="cell",
        )
        self.cell.build((None, 2 * width))

    def call(self, inputs):
        """Map ``rows`` of atoms, or of the environment classes that ``atom`` points to, to (G + 1, 2d)."""
        rows, graph, size = ops.cast(inputs["rows"], "float32"), inputs["graph"], inputs["size"]
        if "atom" in inputs:
            rows = ops.take(rows, inputs["atom"], axis=0)
        count, width = ops.shape(size)[0], rows.shape[-1]
        query = cell_state = ops.zeros((count, width))
        output = ops.zeros((count, 2 * width))
        for _ in range(self.steps):
            _, (query, cell_state) = self.cell(output, [query, cell_state])
            score = ops.sum(rows * ops.take(query, graph, axis=0), axis=-1)
            # subtracting each molecule's maximum keeps the softmax from overflowing
            maximum = ops.stop_gradient(segment_max(score, graph, size))
            weight = ops.exp(score - ops.take(maximum, graph, axis=0))
            total = ops.maximum(segment_sum(weight, graph, size), 1e-30)
            attended = segment_sum(weight[:, None] * rows, graph, size) / total[:, None]
            output = ops.concatenate([query, attended], axis=-1)
        return output

    def compute_output_shape(self, shapes):
        """Return the shape of the molecule vectors."""
        return (shapes["size"][0], 2 * shapes["rows"][-1])
