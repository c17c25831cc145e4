"""Selection and name of the field that is read from a file of maps."""

import h5py
import numpy as np
import pytest
from tests.formats.plain import write_table

from tenfold.pipelines.readers.formats import read_volumes
from tenfold.pipelines.readers.volume import StatedMetadata, UnusableFileError
from tenfold.pipelines.volumes.maps import MassMapIngest, ingest_massmaps
from tenfold.pipelines.volumes.shards import Shards

ABOUT = {"omega_m": 0.3, "angle_deg": 5.0}


def write(path, named, **about):
    with h5py.File(path, "w") as file:
        file.attrs.update({**ABOUT, **about})
        for name, values in named.items():
            file[name] = values
    return path


def field(seed=0, *shape):
    return np.random.default_rng(seed).standard_normal(shape or (8, 8)).astype(np.float32)


def only(path, **stated):
    (volume,) = read_volumes(path, StatedMetadata(dimensions=2, **stated))
    return volume


def test_the_shear_of_kappa_tng_is_not_called_kappa(tmp_path):
    path = write(tmp_path / "LP001_run001_maps.hdf5", {"z23/kappa": field(1), "z23/gamma1": field(2)})
    assert only(path).units == "kappa"
    assert only(path, key="z23/gamma1").units == "gamma1"
    alone = write(tmp_path / "LP002_run001_maps.hdf5", {"z23/gamma1": field(2)})
    assert only(alone).units == "gamma1"


def test_the_unit_an_attribute_states_goes_before_the_name(tmp_path):
    path = write(tmp_path / "a.h5", {"kappa": field(1), "wl/T": field(2)}, units="1e-2")
    assert only(path, key="kappa").units == "1e-2"
    with h5py.File(path, "a") as file:
        file["wl/T"].attrs["unit"] = b"K"
    assert only(path, key="wl/T").units == "K"


def test_a_dataset_without_a_known_unit_is_refused_with_a_remedy(tmp_path):
    path = write(tmp_path / "a.h5", {"data": field()})
    with pytest.raises(
        UnusableFileError, match=r"data: neither an attribute units nor the name of the dataset .*ingest\.units="
    ):
        only(path)
    assert only(path, units="y").units == "y"


def test_kappa_beside_another_map_must_be_selected(tmp_path):
    path = write(tmp_path / "a.h5", {"kappa": field(1), "wl/mask": field(2), "omega": np.ones(3)})
    with pytest.raises(
        UnusableFileError, match=r"one of: kappa, wl/mask \(--set ingest.key=…\): kappa \(8, 8\), wl/mas"
    ):
        only(path)
    assert only(path, key="wl/mask").units == "mask"


def test_one_map_per_npy_file_takes_its_label_from_the_table(tmp_path):
    maps, rows = [field(n) for n in range(4)], []
    (tmp_path / "maps").mkdir()
    for n, map_ in enumerate(maps):
        np.save(tmp_path / "maps" / f"{n}.npy", map_)
        rows.append({"file": f"{n}.npy", "omega_m": 0.2 + n / 20, "sigma_8": 0.8})
    table = write_table(tmp_path / "table.csv", rows)
    config = MassMapIngest(processes=1, fractions=(0.5, 0.25, 0.25), table=str(table), side_deg=2.0, units="kappa")
    assert ingest_massmaps([tmp_path / "maps"], tmp_path / "data", config).records == 4
    with Shards.open(tmp_path / "data") as shards:
        assert np.array_equal(shards.read(np.arange(4))[..., 0], np.stack(maps))
        assert shards.parameters(np.arange(4))[:, 0] == pytest.approx([0.2, 0.25, 0.3, 0.35])
