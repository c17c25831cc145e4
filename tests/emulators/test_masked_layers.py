import keras
import numpy as np
import pytest

from tenfold.emulators.cnn import CNN, build, input_statistics
from tenfold.emulators.layers import Standardise
from tenfold.emulators.masked_layers import ObservedMaximum, ObservedMean, StandardiseObserved
from tenfold.emulators.symmetries import augment, symmetries_of


def array(tensor):
    return keras.ops.convert_to_numpy(tensor)


def test_a_block_counts_its_observed_pixels():
    field = np.array([[1.0, 2.0, 5.0, 5.0], [3.0, 99.0, 5.0, 5.0]])
    mask = np.array([[1.0, 1.0, 0.0, 0.0], [1.0, 0.0, 0.0, 0.0]])
    layer = StandardiseObserved(True, (0, 0), coarsen=2, transform="identity", mean=(4.0,), std=(2.0,))
    found = array(layer(np.stack([field, mask], axis=-1)[None].astype("float32")))
    # sum of 1, 2, 3 times 4/3, standardised; the other block has no observed pixel
    assert np.allclose(found[0, 0], [[(8 - 4) / 2, 0.75], [0, 0]])


def test_a_complete_field_is_standardised_as_ever():
    field = np.random.default_rng(0).uniform(0, 9, (2, 6, 8, 2)).astype("float32")
    settings = {"coarsen": 2, "moments": 2, "mean": (1.0, 2.0, 3.0, 4.0), "std": (2.0,) * 4}
    found = array(StandardiseObserved(False, (0, 0), **settings)(field))
    assert np.allclose(found[..., :-1], array(Standardise(**settings)(field)), atol=1e-6)
    assert np.all(found[..., -1] == 1)


def test_padding_is_not_observed():
    found = array(StandardiseObserved(False, (1, 2), transform="identity")(np.ones((1, 3, 2, 1), "float32")))
    assert found.shape == (1, 4, 4, 2)
    assert found[..., 1].sum() == found[..., 0].sum() == 6


def test_means_and_maxima_are_over_observed_cells():
    field = np.array([[-3.0, -1.0], [7.0, -5.0]], "float32")[None, ..., None]
    fraction = np.array([[1.0, 0.5], [0.0, 0.5]], "float32")[None, ..., None]
    assert array(ObservedMean()(field, fraction))[0, 0] == pytest.approx((-3 - 0.5 - 2.5) / 2)
    assert array(ObservedMaximum()(field, fraction))[0, 0] == -1


def test_a_network_of_a_masked_map_is_blind_to_what_lies_outside():
    architecture = CNN(
        dimensions=2, size=10, width=14, masked=True, pad=True, filters=(4, 4), dense_units=(4,), readout="global"
    )
    assert (architecture.sides, architecture.missing, architecture.downsampling) == ((10, 14), (2, 2), 4)
    network = build(architecture, location=[0.0], scale=[1.0])
    assert network.input_shape == (None, 10, 14, 2)
    rng = np.random.default_rng(0)
    maps, mask = rng.uniform(0, 1, (3, 10, 14, 1)), rng.random((10, 14, 1)) > 0.3
    first = np.concatenate([maps, np.broadcast_to(mask, maps.shape)], axis=-1).astype("float32")
    second = first.copy()
    second[..., :1] = np.where(mask, maps, 123.0)
    assert np.array_equal(array(network(first)), array(network(second)))
    mean, std = input_statistics(architecture, first)
    assert mean == pytest.approx([np.log1p(maps[:, mask[..., 0]]).mean()], rel=1e-5)
    assert std == pytest.approx([np.log1p(maps[:, mask[..., 0]]).std()], rel=1e-5)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"size": 18, "width": 27}, r"18 cells cannot be coarsened.*or pad: true"),
        ({"size": 64, "width": 6, "pad": True}, "16 cells to one, more than the shorter side of 6"),
        ({"dimensions": 3, "masked": True}, "masked: only maps have one"),
        ({"masked": True, "padding": "periodic"}, "masked: such maps are not periodic"),
        ({"size": 32, "width": 64, "padding": "periodic"}, "width: such maps are not periodic"),
        ({"width": -16}, "width: found -16"),
    ],
)
def test_architectures_that_cannot_work(settings, message):
    with pytest.raises(ValueError, match=message):
        CNN(**{"dimensions": 2, **settings})


def test_rectangles_are_reflected_and_not_transposed():
    assert [len(symmetries_of(sides)) for sides in ((4, 4, 4), (4, 4), (4, 6))] == [48, 8, 4]
    field = np.arange(24.0).reshape(1, 4, 6, 1)
    seen = {augment(field, epoch, np.zeros(1, int), seed=0, shift=False).tobytes() for epoch in range(40)}
    assert seen == {field[:, ::y, ::x].tobytes() for y in (1, -1) for x in (1, -1)}
