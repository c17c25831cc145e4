import gzip
import struct

import numpy as np
import pytest
from tests.formats.tfrecord import RANGES, UNIT, example, field, masked_crc32c, record, write_records

from tenfold.pipelines.files.crc32c import crc32c
from tenfold.pipelines.readers.formats import detect_volume_format, read_volumes
from tenfold.pipelines.readers.tf_example import read_example
from tenfold.pipelines.readers.volume import StatedMetadata, UnusableFileError
from tenfold.pipelines.volumes.config import Ingest
from tenfold.pipelines.volumes.ingest import ingest_volumes
from tenfold.pipelines.volumes.shards import Shards

STATED = StatedMetadata(unit_ranges=RANGES)


def read(path, stated=STATED):
    return [(volume, volume.read(0, volume.shape[0])) for volume in read_volumes(path, stated)]


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"", 0), (b"123456789", 0xE3069283), (bytes(32), 0x8A9136AA), (b"\xff" * 32, 0x62A8AB43),
        (bytes(range(32)), 0x46DD794E),
    ],
)  # fmt: skip
def test_checksums_are_those_of_rfc_3720(data, expected):
    assert crc32c(data) == expected


@pytest.mark.parametrize("compressed", [False, True])
@pytest.mark.parametrize("suffix", [".tfrecord", ".gz", ""])
def test_counts_are_read_exactly_whatever_the_suffix(tmp_path, compressed, suffix):
    path = tmp_path / f"univ_000{suffix}"
    x = write_records(path, 1, pieces=3, compressed=compressed)
    assert detect_volume_format(path) == "tfrecord"
    found = read(path)
    assert [volume.key for volume, _ in found] == ["record 0", "record 1", "record 2"]
    assert np.array_equal([values for _, values in found], x)
    assert {(volume.shape, volume.dtype, volume.units, volume.periodic) for volume, _ in found} == {
        ((4, 4, 4, 4), np.dtype(np.int16), "counts", False)
    }


def test_unit_parameters_are_mapped_by_the_stated_ranges(tmp_path):
    write_records(tmp_path / "univ_000.tfrecord", 1)
    ((volume, _),) = read(tmp_path / "univ_000.tfrecord")
    # centre + half-width × unit value: 0.3 − 0.1/2, 0.8 + 0.1/4, 0.95, 0.7 + 0.1
    assert volume.parameters == pytest.approx({"omega_m": 0.25, "sigma_8": 0.825, "n_s": 0.95, "h": 0.8})
    with pytest.raises(UnusableFileError, match=r"unit parameters in \[-1, 1\]; give unit_ranges of omega_m, sigma_8"):
        read(tmp_path / "univ_000.tfrecord", StatedMetadata())


def test_all_files_of_one_box_are_one_simulation(tmp_path):
    folder = tmp_path / "train"
    folder.mkdir()
    for box in range(4):
        for piece in range(2):
            path = folder / f"univ_ics_2019-03_a{box}_{piece:03d}.tfrecord"
            write_records(path, 10 * box + piece, y=[box / 5 - 0.5, *UNIT[1:]], compressed=piece == 1)
    config = Ingest(processes=1, fractions=(0.5, 0.25, 0.25), unit_ranges=RANGES)
    summary = ingest_volumes([folder], tmp_path / "data", config)
    assert (summary.files, summary.simulations, summary.records) == (8, 4, 8)
    with Shards.open(tmp_path / "data") as shards:
        for split in ("train", "validation", "test"):
            names = shards.simulation(shards.split(split))
            assert len(names) == 2 * len(set(names))
        assert set(shards.simulation(np.arange(8))) == {f"univ_ics_2019-03_a{box}" for box in range(4)}


def test_files_without_the_number_of_a_piece_are_told_apart_by_their_parameters(tmp_path):
    for name, y in (("a", UNIT), ("b", UNIT), ("c", [0.5, *UNIT[1:]])):
        write_records(tmp_path / name, 1, y=y)
    first, second, other = (read(tmp_path / name)[0][0].simulation for name in "abc")
    assert first == second != other


@pytest.mark.slow
def test_files_are_those_that_tensorflow_writes(tmp_path):
    import tensorflow as tf

    x = np.arange(256, dtype=np.int16).reshape(4, 4, 4, 4)
    features = {
        "x": tf.train.Feature(bytes_list=tf.train.BytesList(value=[x.tobytes()])),
        "y": tf.train.Feature(float_list=tf.train.FloatList(value=UNIT)),
    }
    message = tf.train.Example(features=tf.train.Features(feature=features)).SerializeToString()
    for compression in ("", "GZIP"):
        path = tmp_path / f"univ_00{len(compression)}.tfrecord"
        with tf.io.TFRecordWriter(str(path), tf.io.TFRecordOptions(compression_type=compression)) as writer:
            writer.write(message)
            writer.write(message)
        assert np.array_equal([values for _, values in read(path)], [x, x])
    assert (tmp_path / "univ_000.tfrecord").read_bytes() == 2 * record(message)
    found = read_example(message)
    assert bytes(found["x"].strings[0]) == x.tobytes() and found["y"].numbers.tolist() == UNIT


def test_numbers_may_be_stored_one_by_one():
    one_by_one = b"".join(b"\x0d" + struct.pack("<f", value) for value in UNIT)
    message = field(1, field(1, field(1, b"y") + field(2, field(2, one_by_one))))
    assert read_example(message)["y"].numbers.tolist() == UNIT


def flip(position):
    def change(data):
        data[position] ^= 1

    return change


def truncate(length):
    def change(data):
        del data[length:]

    return change


def claim(length):
    """Claim a length, with the right checksum of it."""

    def change(data):
        header = struct.pack("<Q", length)
        data[:12] = header + struct.pack("<I", masked_crc32c(header))

    return change


@pytest.mark.parametrize(
    ("change", "plain", "compressed"),
    [
        (flip(100), "record 0: damaged: the checksum of its data", "the checksum of its data"),
        (flip(-1), "record 0: damaged: the checksum of its data", "the checksum of its data"),
        (truncate(-1), r"truncated: it takes 5\d\d bytes, but the file contains 5\d\d", "truncated"),
        (truncate(300), "but the file contains 288", "but the file contains 288"),
        (claim(2**63), "takes 9,223,372,036,854,775,808 bytes, above the limit of 16 GiB", "above the limit of 16 GiB"),
        (claim(2**33), "takes 8,589,934,596 bytes, but the file contains", "takes 8,589,934,592 bytes, but the file"),
        (claim(10), "damaged: the checksum of its data", "damaged: the checksum of its data"),
    ],
)
def test_a_damaged_or_truncated_file_is_refused(tmp_path, change, plain, compressed):
    data = bytearray(record(example(np.zeros((4, 4, 4, 4), np.int16), UNIT)))
    change(data)
    (tmp_path / "a").write_bytes(data)
    with pytest.raises(UnusableFileError, match=plain):
        read(tmp_path / "a")
    (tmp_path / "b").write_bytes(gzip.compress(data))
    with pytest.raises(UnusableFileError, match=compressed):
        read(tmp_path / "b")


def test_a_wrong_checksum_of_the_second_length_is_refused(tmp_path):
    data = bytearray(2 * record(example(np.zeros((2, 2, 2, 4), np.int16), UNIT)))
    data[len(data) // 2 + 8] ^= 1
    (tmp_path / "a").write_bytes(data)
    with pytest.raises(UnusableFileError, match="record 1: damaged: the checksum of its length"):
        read(tmp_path / "a")


def test_a_truncated_gzip_file_is_refused(tmp_path):
    write_records(tmp_path / "a", 1, compressed=True)
    data = (tmp_path / "a").read_bytes()
    (tmp_path / "a").write_bytes(data[: len(data) // 2])
    with pytest.raises(UnusableFileError, match="compressed by gzip, and truncated or damaged"):
        read(tmp_path / "a")


def test_a_record_larger_than_the_limit_is_refused_before_it_is_unpacked(tmp_path):
    write_records(tmp_path / "a", 1, side=32, compressed=True)
    with pytest.raises(UnusableFileError, match=r"takes 262,\d\d\d bytes, above the limit of 0\.0001 GiB"):
        read(tmp_path / "a", StatedMetadata(unit_ranges=RANGES, largest_gib=1e-4))


@pytest.mark.parametrize(
    ("message", "reason"),
    [
        (bytes(500), "has no features; expected x and y"),
        (field(1, field(1, field(1, b"image") + field(2, field(1, field(1, b"?"))))), "has image; expected x and y"),
        (b"\x0a\xff\xff\xff\x7f", "a field ends 268,435,455 bytes behind its message"),
        (b"\x0a" + 12 * b"\xff", "an integer of more than ten bytes"),
        (b"\x0b", "a field of wire type 3, which does not exist"),
        (b"\x0a\x80", "an integer continues behind its message"),
        (example(np.zeros((4, 4, 4, 4), np.int16), UNIT[:3]), "y has 3 real numbers; expected 4: Omega_m, sigma_8"),
        (example(np.zeros((4, 4, 4, 3), np.int16), UNIT), r"of together 384 bytes; expected int16 counts"),
        (example(np.zeros(0, np.int16), UNIT), r"of together 0 bytes; expected int16 counts"),
    ],
)
def test_a_message_that_is_not_cosmoflows_is_refused(tmp_path, message, reason):
    (tmp_path / "a").write_bytes(record(message))
    with pytest.raises(UnusableFileError, match=f"record 0.*{reason}"):
        read(tmp_path / "a")


def test_records_of_different_boxes_in_one_file_are_refused(tmp_path):
    x = np.zeros((4, 4, 4, 4), np.int16)
    (tmp_path / "a").write_bytes(record(example(x, UNIT)) + record(example(x, [0.1, *UNIT[1:]])))
    with pytest.raises(UnusableFileError, match="record 1: y differs from that of record 0"):
        read(tmp_path / "a")


def test_a_tfrecord_is_a_format_of_volumes_only(tmp_path):
    write_records(tmp_path / "a", 1)
    with pytest.raises(UnusableFileError, match=r"a TFRecord file: `tenfold ingest volumes`"):
        read(tmp_path / "a", StatedMetadata(dimensions=2))
