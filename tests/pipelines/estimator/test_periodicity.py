import dataclasses

import numpy as np
import pytest
from tests.formats.ingested import HERE, boxes
from tests.formats.plain import write_table

from tenfold.emulators.cnn import CNN
from tenfold.emulators.training import FieldTraining
from tenfold.pipelines.errors import InputError
from tenfold.pipelines.estimator.training import build_estimator
from tenfold.pipelines.volumes.ingest import ingest_volumes
from tenfold.pipelines.volumes.shards import Shards

NETWORK = CNN(size=4, filters=(2,), dense_units=(4,), transform="identity")
PIECES = "the data are pieces of boxes or of the sky, which are not periodic: --set training.shifts=false"
UNKNOWN = (
    r"it is not known whether the data are whole periodic boxes: .*ingest.periodic=true; if not: --set training.shifts="
)


@pytest.fixture(scope="module")
def arrays(tmp_path_factory):
    """Shards of plain arrays, of which nothing says whether they are periodic."""
    folder = tmp_path_factory.mktemp("arrays")
    rows = []
    for n in range(5):
        np.save(folder / f"{n}.npy", np.random.default_rng(n).normal(size=(4, 4, 4)))
        rows.append({"file": f"{n}.npy", "Omega_m": 0.2 + n / 20})
    table = str(write_table(folder / "table.csv", rows))
    ingest_volumes([folder], folder / "data", dataclasses.replace(HERE, table=table))
    return folder


@pytest.mark.parametrize(
    ("architecture", "training"),
    [
        (NETWORK, FieldTraining(shifts=True)),
        (dataclasses.replace(NETWORK, padding="periodic"), FieldTraining(shifts=False)),
    ],
)
def test_shifts_and_periodic_padding_are_refused_for_data_of_unknown_periodicity(arrays, architecture, training):
    with Shards.open(arrays / "data") as shards, pytest.raises(InputError, match=UNKNOWN):
        build_estimator(shards, architecture, training)


def test_data_stated_to_be_periodic_are_shifted(arrays, tmp_path):
    config = dataclasses.replace(HERE, table=str(arrays / "table.csv"), periodic=True)
    ingest_volumes(sorted(arrays.glob("*.npy")), tmp_path / "data", config)
    with Shards.open(tmp_path / "data") as shards:
        _, network = build_estimator(shards, NETWORK, FieldTraining(shifts=True))
        assert network.input_shape == (None, 4, 4, 4, 1)


def test_pieces_of_periodic_boxes_are_not_shifted(tmp_path):
    boxes(tmp_path / "boxes", 5, channels=1)
    ingest_volumes([tmp_path / "boxes"], tmp_path / "data", dataclasses.replace(HERE, patches_per_side=2))
    with Shards.open(tmp_path / "data") as shards, pytest.raises(InputError, match=PIECES):
        build_estimator(shards, dataclasses.replace(NETWORK, transform="log1p"), FieldTraining(shifts=True))
