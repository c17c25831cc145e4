"""Set2set: a molecule's vector as what attention gathers from its atoms, in any order.

After Vinyals et al. 2016 (arXiv:1511.06391), as Gilmer et al. 2017 (arXiv:1704.01212) read molecules out.
"""

import keras
from keras import ops

from tenfold.emulators.graph_layers import segment_max, segment_sum


class Set2Set(keras.layers.Layer):
    """Atoms' vectors (A, d) in, molecules' vectors (G + 1, 2d) out: the last query and what it gathered.

    Parameters
    ----------
    steps
        Times the memory asks the atoms.
    seed
        Seed of the initial weights.
    """

    def __init__(self, steps: int = 6, seed: int = 0, **kwargs):
        super().__init__(dtype="float32", **kwargs)
        self.steps, self.seed = int(steps), int(seed)

    def build(self, shapes):
        """Make the memory, an LSTM that is asked with its own last answer."""
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
        """Map ``rows`` of atoms, or of their classes ``atom``, to (G + 1, 2d)."""
        rows, graph, size = ops.cast(inputs["rows"], "float32"), inputs["graph"], inputs["size"]
        if "atom" in inputs:
            rows = ops.take(rows, inputs["atom"], axis=0)
        count, width = ops.shape(size)[0], rows.shape[-1]
        hidden = memory = ops.zeros((count, width))
        answer = ops.zeros((count, 2 * width))
        for _ in range(self.steps):
            _, (hidden, memory) = self.cell(answer, [hidden, memory])
            energy = ops.sum(rows * ops.take(hidden, graph, axis=0), axis=-1)
            top = ops.stop_gradient(segment_max(energy, graph, size))
            weight = ops.exp(energy - ops.take(top, graph, axis=0))
            total = ops.maximum(segment_sum(weight, graph, size), 1e-30)
            gathered = segment_sum(weight[:, None] * rows, graph, size) / total[:, None]
            answer = ops.concatenate([hidden, gathered], axis=-1)
        return answer

    def compute_output_shape(self, shapes):
        """Return the shape of the molecules' vectors."""
        return (shapes["size"][0], 2 * shapes["rows"][-1])
