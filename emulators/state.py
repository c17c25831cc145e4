"""The state of a training: every variable of networks, optimizers and averages, as plain arrays and back."""

from collections.abc import Mapping, Sequence

import keras
import numpy as np


class State:
    """Named groups of Keras variables that a checkpoint must hold.

    Parameters
    ----------
    groups
        Variables by the name of what they belong to, e.g. ``network=network.variables`` (which include the seeds of
        dropout layers), ``optimizer=optimizer.variables``.
    """

    def __init__(self, **groups: Sequence[keras.Variable]):
        self.named = {
            f"{group}/{index:04d}/{variable.path}": variable
            for group, variables in groups.items()
            for index, variable in enumerate(variables)
        }

    @property
    def variables(self) -> list[keras.Variable]:
        """All variables, in a fixed order."""
        return list(self.named.values())

    def arrays(self) -> dict[str, np.ndarray]:
        """Return a copy of every variable's value, by name."""
        return {name: np.array(keras.ops.convert_to_numpy(v)) for name, v in self.named.items()}

    def restore(self, arrays: Mapping[str, np.ndarray]) -> None:
        """Set every variable to a value kept by `arrays`.

        Raises
        ------
        ValueError
            The arrays are not those of these variables: the network or the optimizer is another one.
        """
        for name, variable in self.named.items():
            if name not in arrays:
                raise ValueError(f"the state kept has no {name}: it belongs to another network or optimizer")
            if tuple(arrays[name].shape) != tuple(variable.shape):
                raise ValueError(f"{name}: kept with shape {arrays[name].shape}, needed with {tuple(variable.shape)}")
        for name, variable in self.named.items():
            variable.assign(arrays[name])
