"""A network rebuilt from its description and arrays: the same to the bit, or refused before it costs anything."""

import resource

import keras
import numpy as np
import pytest

from tenfold.emulators.cnn import CNN, build
from tenfold.emulators.state import State, arrays_of, rebuild

SHAPE = CNN(size=8, filters=(4, 8), dense_units=(8,), dropout=0.1)


def described(shape: CNN = SHAPE, seed: int = 0) -> keras.Model:
    return build(shape, location=[0.3], scale=[0.1], seed=seed)


def test_every_variable_has_its_value_again():
    network = described(seed=5)
    again = rebuild(described, arrays_of(network))
    assert len(again.variables) == len(network.variables) == 9  # four layers' kernels and biases, one seed of dropout
    for one, other in zip(network.variables, again.variables, strict=True):
        assert np.asarray(one).tobytes() == np.asarray(other).tobytes()


def spoilt(number: int, array: np.ndarray) -> list[np.ndarray]:
    arrays = list(arrays_of(described()))
    arrays[number] = array
    return arrays


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        (lambda: arrays_of(described())[:-1], "found 8 arrays of weights, the network has 9"),
        (lambda: [*arrays_of(described()), np.zeros(1, np.float32)], "found 10 arrays"),
        (lambda: spoilt(1, np.zeros(5, np.float32)), r"weights 1: found shape \(5,\)"),
        (lambda: spoilt(1, np.zeros(4, np.float64)), "weights 1: found shape .* of float64"),
        (lambda: spoilt(1, np.zeros(4, ">f4")), "weights 1: found shape .* of >f4"),
        (lambda: spoilt(1, np.array(["a"] * 4)), "weights 1: found shape .* of <U1"),
        (lambda: spoilt(1, np.array([0, np.nan, 0, 0], np.float32)), "weights 1: NaN or infinity in"),
        (lambda: spoilt(1, np.array([0, np.inf, 0, 0], np.float32)), "weights 1: NaN or infinity in"),
    ],
)
def test_other_arrays_are_refused(arrays, message):
    with pytest.raises(ValueError, match=message):
        rebuild(described, arrays())


@pytest.mark.parametrize(
    ("array", "message"),
    [
        (np.zeros(5, np.float32), r"found shape \(5,\) of float32"),
        (np.zeros(4, np.float64), "of float64"),
        (np.full(4, np.nan, np.float32), "NaN or infinity"),
    ],
)
def test_the_state_of_another_training_is_refused_and_leaves_the_variables_as_they_are(array, message):
    network = described()
    state = State(network=network.variables)
    kept = state.arrays()
    name = list(kept)[1]
    with pytest.raises(ValueError, match=message):
        state.restore(
            {key: value + 1 if value.dtype == np.float32 else value for key, value in kept.items()} | {name: array}
        )
    for key, value in state.arrays().items():
        assert value.tobytes() == kept[key].tobytes()


def test_a_network_too_large_for_any_memory_is_refused_before_it_is_allocated():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    huge = CNN(size=65_536, filters=(65_536, 65_536), dense_units=(65_536,))
    with pytest.raises(ValueError, match="weights 0: found shape"):
        rebuild(lambda: described(huge), arrays_of(described())[:8])
    described()  # what is built next does not allocate it either
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 2**20  # KiB
