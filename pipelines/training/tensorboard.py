"""Events of a run for TensorBoard: scalars, histograms of the weights, and the graph."""

from pathlib import Path

import keras
import tensorflow as tf


class TensorBoardWriter:
    """Writes the events of a run.

    Parameters
    ----------
    folder
        Folder for `tensorboard --logdir`.
    network
        Network whose graph and weights are written.
    """

    def __init__(self, folder: Path, network: keras.Model):
        self.network = network
        self.writer = tf.summary.create_file_writer(str(folder))
        with self.writer.as_default():
            graph = tf.function(network, autograph=False).get_concrete_function(
                keras.tree.map_structure(lambda i: tf.TensorSpec([None, *i.shape[1:]], i.dtype), network.input)
            )
            tf.summary.graph(graph.graph)

    def write(self, row: dict[str, float]) -> None:
        """Write the scalars of an epoch and the histograms of the weights."""
        with self.writer.as_default(step=int(row["epoch"])):
            for name in ("loss", "validation_loss", "learning_rate"):
                tf.summary.scalar(name, row[name])
            for weight in self.network.trainable_variables:
                tf.summary.histogram(weight.path, weight.value)
        self.writer.flush()
