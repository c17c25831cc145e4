"""State of networks and optimizers as plain arrays, and its restoration."""

from collections.abc import Callable, Mapping, Sequence

import keras
import numpy as np


class State:
    """Named groups of Keras variables that a checkpoint must hold.

    Parameters
    ----------
    groups
        Variables by the name of their owner, e.g. ``network=network.variables`` (which include the seeds of
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
        """Set every variable to its value in the result of `arrays`.

        Raises
        ------
        ValueError
            The arrays do not belong to these variables, or one of them holds NaN or infinity.
        """
        for name, variable in self.named.items():
            if name not in arrays:
                raise ValueError(f"the saved state has no {name}: it belongs to another network or optimizer")
            _check(name, variable, arrays[name])
        for name, variable in self.named.items():
            variable.assign(arrays[name])


def arrays_of(network: keras.Model) -> tuple[np.ndarray, ...]:
    """Return a copy of every variable's value, in the order of ``network.variables``."""
    return tuple(np.array(keras.ops.convert_to_numpy(variable)) for variable in network.variables)


def rebuild(build: Callable[[], keras.Model], arrays: Sequence[np.ndarray]) -> keras.Model:
    """Build a network and give its variables the values that `arrays_of` returned.

    Shapes are compared before any variable is allocated, so that an absurdly large architecture costs nothing.

    Parameters
    ----------
    build
        Builds the network; its variables must be created by initialisers, as those of layers are.
    arrays
        One per variable, of its shape and dtype, with finite values.

    Raises
    ------
    ValueError
        The arrays do not fit the network, or one holds NaN or infinity.
    """
    try:
        with keras.StatelessScope(initialize_variables=False):
            network = build()
        _check_arrays(network.variables, arrays)
    except BaseException:
        keras.utils.clear_session(free_memory=False)  # else the next network allocates these variables too
        raise
    with keras.StatelessScope():
        pass  # on leaving it, Keras allocates the variables declared above
    for variable, array in zip(network.variables, arrays, strict=True):
        variable.assign(array)
    return network


def _check_arrays(variables: Sequence[keras.Variable], arrays: Sequence[np.ndarray]) -> None:
    if len(arrays) != len(variables):
        raise ValueError(f"found {len(arrays)} arrays of weights, the network has {len(variables)}")
    for number, (variable, array) in enumerate(zip(variables, arrays, strict=True)):
        _check(f"weights {number}", variable, array)


def _check(name: str, variable: keras.Variable, array: np.ndarray) -> None:
    """Check shape, dtype and finiteness of a value of a variable."""
    shape = tuple(variable.shape)
    if array.shape != shape or array.dtype.name != variable.dtype or not array.dtype.isnative:
        raise ValueError(
            f"{name}: found shape {array.shape} of {array.dtype}, {variable.path} has {shape} of {variable.dtype}"
        )
    if not np.isfinite(array).all():
        raise ValueError(f"{name}: NaN or infinity in {variable.path}")
