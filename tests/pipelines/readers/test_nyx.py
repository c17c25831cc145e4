import h5py
import numpy as np
import pytest
from tests.formats.nyx import density, write_nyx

from tenfold.pipelines.readers.formats import detect_volume_format, read_volumes
from tenfold.pipelines.readers.volume import StatedMetadata, UnusableFileError
from tenfold.pipelines.volumes.config import Ingest
from tenfold.pipelines.volumes.ingest import ingest_volumes
from tenfold.pipelines.volumes.shards import Shards


@pytest.fixture
def two_fields(tmp_path):
    velocity = np.random.default_rng(2).normal(size=(8, 8, 8)) * 1e7
    fields = {"dark_matter_density": (density(1), "(mean)"), "velocity_x": (velocity, "cm/s")}
    write_nyx(tmp_path / "nyx.h5", fields)
    return tmp_path / "nyx.h5"


def read(path, start=0, stop=8, **stated):
    """The only volume of a file, and some of its values."""
    ((volume, values),) = [(v, v.read(start, stop)) for v in read_volumes(path, StatedMetadata(**stated))]
    return volume, values[..., 0]


def only(path, **stated):
    return read(path, 0, 1, **stated)[0]


def test_the_only_field_with_cosmology_redshift_and_side_of_the_domain(tmp_path):
    values = density(1).astype(np.float32)
    write_nyx(tmp_path / "nyx.h5", {"matter_density": (values, "(mean)")}, size=13.5)
    assert detect_volume_format(tmp_path / "nyx.h5") == "nyx"
    volume, slab = read(tmp_path / "nyx.h5", 2, 5)
    assert np.array_equal(slab, values[2:5])
    # Nyx's domain is 20 comoving Mpc; its converter writes 20 × 0.675 = 13.5 Mpc/h
    assert (volume.box_mpc_h, volume.redshifts, volume.periodic, volume.units) == (13.5, (3.0,), True, "(mean)")
    assert volume.parameters == {"omega_m": 0.31, "h": 0.675, "omega_b": 0.0487, "omega_k": 0.0}


@pytest.mark.parametrize(
    "key", ["dm_density", "dark_matter_density", "native_fields/dm_density", "/native_fields/dark_matter_density"]
)
def test_a_field_by_its_name_or_alias(two_fields, key):
    volume, values = read(two_fields, key=key)
    assert volume.key == "native_fields/dark_matter_density"
    assert np.array_equal(values, density(1).astype(np.float32))
    assert only(two_fields, key="velocity_x").units == "cm/s"


def test_several_fields_are_listed(two_fields):
    with pytest.raises(UnusableFileError, match=r"are dark_matter_density, velocity_x: select one, --set ingest\.key="):
        only(two_fields)
    with pytest.raises(
        UnusableFileError, match=r"baryon_density: no such field; the fields .* are dark_matter_density"
    ):
        only(two_fields, key="baryon_density")


def test_nyx_from_files_to_shards(tmp_path):
    (tmp_path / "runs").mkdir()
    for n in range(4):
        write_nyx(tmp_path / f"runs/{n}.h5", {"matter_density": (density(n), "(mean)")}, omega_m=0.2 + n / 20,
                  omega_l=0.8 - n / 20)  # fmt: skip
    config = Ingest(processes=1, fractions=(0.5, 0.25, 0.25))
    assert ingest_volumes([tmp_path / "runs"], tmp_path / "data", config).simulations == 4
    with Shards.open(tmp_path / "data") as shards:
        assert shards.manifest.parameter_names == ("omega_m",)
        assert (shards.manifest.box_mpc_h, shards.manifest.redshifts) == (20.0, (3.0,))


@pytest.mark.parametrize(
    ("stated", "message"),
    [
        ({"box_mpc_h": 30.0}, "box_mpc_h is 20 in the file, but ingest.box_mpc_h is 30"),
        ({"parameters": {"omega_m": 0.3}}, "omega_m is 0.31 in the file, but 0.3 in the table"),
        ({"redshifts": (2.0,)}, r"redshifts is \(3\) in the file"),
        ({"units": "counts"}, r"units is \(mean\) in the file"),
    ],
)
def test_a_configuration_that_contradicts_the_file_is_refused(tmp_path, stated, message):
    write_nyx(tmp_path / "nyx.h5", {"matter_density": (density(1), "(mean)")})
    with pytest.raises(UnusableFileError, match=message):
        only(tmp_path / "nyx.h5", **stated)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda file: file["domain"].attrs.__setitem__("shape", [8, 8, 4]), r"shape is \[8, 8, 4\], but the field has"),
        (lambda file: file["domain"].attrs.__setitem__("size", [20.0, 20.0, 40.0]), r"Mpc/h: not a cube"),
        (lambda file: file["domain"].attrs.__setitem__("size", [-20.0] * 3), "expected three lengths"),
        (lambda file: file["domain"].attrs.__delitem__("size"), "expected three lengths"),
        (lambda file: file.__delitem__("universe"), "universe: missing group"),
        (lambda file: file["universe"].attrs.__setitem__("hubble", 67.5), r"h = 67\.5 is out of range"),
        (lambda file: file["universe"].attrs.__setitem__("omega_m", [0.3, 0.4]), "expected a single number"),
    ],
)
def test_an_incomplete_or_contradictory_file_is_refused(tmp_path, change, message):
    write_nyx(tmp_path / "nyx.h5", {"matter_density": (density(1), "(mean)")})
    with h5py.File(tmp_path / "nyx.h5", "a") as file:
        change(file)
    with pytest.raises(UnusableFileError, match=message):
        only(tmp_path / "nyx.h5")


def test_a_domain_that_is_not_a_cube_is_refused(tmp_path):
    write_nyx(tmp_path / "nyx.h5", {"matter_density": (np.ones((8, 8, 4)), "(mean)")})
    with pytest.raises(UnusableFileError, match="is not a cube"):
        only(tmp_path / "nyx.h5")


def test_nyx_is_a_format_of_volumes_only(tmp_path):
    write_nyx(tmp_path / "nyx.h5", {"matter_density": (density(1), "(mean)")})
    with pytest.raises(UnusableFileError, match=r"a Nyx file of volumes: `tenfold ingest volumes`"):
        only(tmp_path / "nyx.h5", dimensions=2)
