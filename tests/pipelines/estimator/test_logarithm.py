"""log1p is applied to sums of cells, and these must be above −1, not only the cells."""

import dataclasses

import numpy as np
import pytest
from tests.formats.cosmoflow import write_raw
from tests.formats.ingested import HERE

from tenfold.emulators.cnn import CNN
from tenfold.pipelines.errors import InputError
from tenfold.pipelines.estimator.logarithm import check_logarithm
from tenfold.pipelines.volumes.ingest import ingest_volumes
from tenfold.pipelines.volumes.shards import Shards

NETWORK = CNN(size=8, channels=2, coarsen=2, filters=(2,), transform="log1p")
FRACTIONS = (0.5, 0.25, 0.25)


def ingested(folder, fields):
    (folder / "boxes").mkdir()
    for n, field in enumerate(fields):
        write_raw(folder / "boxes" / f"{n}.h5", n, full=np.repeat(field[..., None], 2, -1).astype(np.float32))
    config = dataclasses.replace(HERE, fractions=FRACTIONS)
    ingest_volumes([folder / "boxes"], folder / "data", config)
    return Shards.open(folder / "data")


def overdensity(seed):
    field = np.random.default_rng(seed).lognormal(sigma=0.5, size=(8, 8, 8))
    return field / field.mean() - 1


def test_overdensities_above_minus_one_whose_sums_are_not_are_refused_before_training(tmp_path):
    with ingested(tmp_path, [overdensity(n) for n in range(4)]) as data:
        assert data.manifest.log1p is not None and data.manifest.value.low > -1
        with pytest.raises(InputError, match=r"network\.coarsen = 2³ cells.*universe \d is -\d.*to 1 \+ δ.*=identity"):
            check_logarithm(data, NETWORK)
        check_logarithm(data, dataclasses.replace(NETWORK, coarsen=1))
        check_logarithm(data, dataclasses.replace(NETWORK, transform="identity"))


@pytest.mark.parametrize("changed", range(4))
def test_one_box_in_any_split_is_enough(tmp_path, changed):
    fields = [0.01 * overdensity(n) for n in range(4)]
    fields[changed][:2, :2, :2] = -0.2
    with (
        ingested(tmp_path, fields) as data,
        pytest.raises(InputError, match=f"of simulation universe {changed} is -1.6"),
    ):
        check_logarithm(data, NETWORK)


def test_densities_and_fields_close_to_0_pass(tmp_path):
    (tmp_path / "density").mkdir()
    with ingested(tmp_path / "density", [1 + overdensity(n) for n in range(4)]) as data:
        check_logarithm(data, NETWORK)
    (tmp_path / "small").mkdir()
    with ingested(tmp_path / "small", [0.01 * overdensity(n) for n in range(4)]) as data:
        assert data.manifest.value.low < 0
        check_logarithm(data, NETWORK)


@pytest.mark.parametrize("changed", range(4))
def test_a_value_of_minus_one_in_any_split_leaves_no_logarithm(tmp_path, changed):
    fields = [overdensity(n) for n in range(4)]
    fields[changed][0, 0, 0] = -1
    with ingested(tmp_path, fields) as data, pytest.raises(InputError, match="values of −1 or below"):
        check_logarithm(data, dataclasses.replace(NETWORK, coarsen=1))
