"""Masked and invalid pixels are detected; the heavy tails of real fields are accepted."""

import dataclasses
import re

import h5py
import numpy as np
import pytest
from scipy import fft
from tests.formats.cosmoflow import write_raw
from tests.formats.ingested import HERE, boxes, records_of, rejected
from tests.formats.plain import write_dataset, write_table

from tenfold.pipelines.readers.volume import FILL_VALUES, UnusableFileError, Volume
from tenfold.pipelines.volumes.ingest import Ingest, ingest_volumes
from tenfold.pipelines.volumes.manifest import Manifest
from tenfold.pipelines.volumes.maps import MassMapIngest, ingest_massmaps
from tenfold.pipelines.volumes.moments import Moments
from tenfold.pipelines.volumes.pixels import SAMPLE, check_deviation, check_masked


def volume_of(values, **changes):
    values = values if values.ndim > 2 and values.shape[-1] < values.shape[0] else values[..., None]
    fields = {
        "simulation": "s", "key": "map", "shape": values.shape, "dtype": values.dtype, "parameters": {}, "varied": (),
        "redshifts": (), "box_mpc_h": None, "periodic": False, "units": "", "source": __file__,
        "read": lambda start, stop: values[start:stop], **changes,
    }  # fmt: skip
    return Volume(**fields)


def judge(values, largest=50.0, **changes):
    volume = volume_of(values, **changes)
    slab = volume.read(0, volume.shape[0])
    check_masked(volume, slab, slab.min(), slab.max(), FILL_VALUES)
    some = slab.reshape(-1, slab.shape[-1])[:: max(1, slab[..., 0].size // SAMPLE)]
    check_deviation(volume, Moments.of(values), some, largest)


def kappa(seed=0, side=64, spread=0.02):
    return (spread * np.random.default_rng(seed).standard_normal((side, side))).astype(np.float32)


@pytest.mark.parametrize("value", [-1.6375e30, -99, -999, -9999, 1e20])
@pytest.mark.parametrize("pixels", [1, 50, 2000])
def test_the_usual_fill_values_are_masks(value, pixels):
    field = kappa()
    field.reshape(-1)[100 : 100 + pixels] = value
    with pytest.raises(UnusableFileError, match=rf"{pixels:,} of 4,096 values are .*masked.*first is at \(1, 36, 0\)"):
        judge(field)


def test_minus_99_among_positive_integers_is_a_mask_and_among_others_a_number():
    counts = np.random.default_rng(0).integers(0, 500, (32, 32)).astype(np.int32)
    counts[3, 4] = -99
    with pytest.raises(UnusableFileError, match=r"1 of 1,024 values are -99.*at \(3, 4, 0\)"):
        judge(counts)
    judge(np.random.default_rng(0).integers(-500, 500, (32, 32)).astype(np.int16))  # −99 is there, and so is −60
    temperature = np.random.default_rng(0).normal(0, 100, (64, 64)).astype(np.float32)
    temperature[0, 0] = -99
    judge(temperature)
    temperature[5, 5] = -99  # a continuous field gives no value exactly twice
    with pytest.raises(UnusableFileError, match="2 of 4,096 values are -99"):
        judge(temperature)


def test_a_fill_value_that_the_file_names_is_a_mask_wherever_it_stands():
    field = kappa()
    field[7, 9] = 0
    judge(field)
    with pytest.raises(
        UnusableFileError, match=r"1 of 4,096 values are 0, the fill value that the file states.*\(7, 9, 0\)"
    ):
        judge(field, mask_values=(0.0,))


@pytest.mark.parametrize(("value", "pixels"), [(1.5, 1), (-1.5, 1), (77.0, 400), (-77.0, 1500), (1e30, 3)])
def test_isolated_values_beyond_50_robust_deviations_are_refused(value, pixels):
    field = kappa()
    field.reshape(-1)[200 : 200 + pixels] = value
    with pytest.raises(UnusableFileError, match=rf"{pixels:,} values lie .*first is .*\(3, 8, 0\).*largest_deviation="):
        judge(field)


def test_the_setting_named_in_the_refusal_accepts_such_values():
    field = kappa()
    field[3, 8] = 1.5
    with pytest.raises(UnusableFileError) as refused:
        judge(field)
    suggested = re.search(r"ingest\.largest_deviation=(\d+)", str(refused.value))
    assert suggested
    judge(field, largest=float(suggested[1]))


def lognormal(spread, side=128, seed=0):
    return np.exp(spread * np.random.default_rng(seed).standard_normal((side, side)))


def power_law(side, index, seed):
    """A Gaussian field of unit variance with P(k) ∝ k^index."""
    rng = np.random.default_rng(seed)
    k = np.hypot(fft.fftfreq(side)[:, None], fft.rfftfreq(side)[None])
    k[0, 0] = np.inf
    modes = k ** (index / 2) * fft.rfft2(rng.standard_normal((side, side)))
    field = fft.irfft2(modes, s=(side, side))
    return field / field.std()


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize(
    "field",
    [
        lambda seed: np.random.default_rng(seed).standard_normal((128, 128)),
        lambda seed: lognormal(0.7, seed=seed),
        lambda seed: lognormal(2.0, seed=seed),
        lambda seed: lognormal(2.0, seed=seed) - np.exp(2.0),
        lambda seed: 1e11 * lognormal(3.0, seed=seed),  # as CAMELS: eight orders of magnitude
        lambda seed: 0.02 * (np.exp(power_law(128, -1.5, seed)) - np.exp(0.5)),  # convergence, unsmoothed
        lambda seed: -lognormal(1.5, seed=seed),  # decrements of clusters
        lambda seed: np.random.default_rng(seed).standard_t(3, (128, 128)),
        lambda seed: np.random.default_rng(seed).pareto(2.0, (128, 128)) - 1,
        lambda seed: np.where(power_law(128, -1.5, seed) > 1, lognormal(1.0, seed=seed), 0),  # mostly empty
    ],
)
def test_heavy_tails_of_fields_are_accepted(field, seed):
    judge(field(seed).astype(np.float32))


def test_small_maps_of_positive_fields_are_judged_by_their_logarithm():
    """Of 1,000 independent log-normal maps of 16² a few have one pixel far above all others."""
    for seed in range(1000):
        judge(1e10 * lognormal(1.5, side=16, seed=seed).astype(np.float32))
    dead = lognormal(0.5, side=16)
    dead[3, 4] = 1e-30
    with pytest.raises(UnusableFileError, match=r"median 0.99\d* in the logarithm.*the first is 1e-30 at \(3, 4, 0\)"):
        judge(dead)


@pytest.mark.parametrize("mean", [0.01, 0.3, 1, 50])
def test_counts_are_always_accepted(mean):
    rng = np.random.default_rng(0)
    clustered = rng.poisson(mean * np.exp(2 * rng.standard_normal((32, 32, 32)) - 2))
    judge(clustered.astype(np.int16))
    judge(clustered.astype(np.float32))


def test_masked_files_are_set_aside_and_the_rest_packed(tmp_path):
    rows = []
    (tmp_path / "maps").mkdir()
    for n in range(6):
        field = kappa(n, 16)
        if n in (2, 4):
            field[9:, 3] = -1.6375e30 if n == 2 else np.nan
        np.save(tmp_path / "maps" / f"{n}.npy", field)
        rows.append({"file": f"{n}.npy", "omega_m": 0.2 + n / 50})
    table = write_table(tmp_path / "table.csv", rows)
    config = MassMapIngest(
        processes=1, patches_per_side=2, table=str(table), side_deg=2.0, rejected_threshold=0.5, units="kappa"
    )
    assert ingest_massmaps([tmp_path / "maps"], tmp_path / "data", config).records == 16
    reasons = {name: reason for name, (_, reason) in rejected(tmp_path / "data").items()}
    assert "7 of 256 values are -1.6375e+30" in reasons["2.npy"] and "(9, 3, 0)" in reasons["2.npy"]
    assert "7 values are NaN or infinite, the first at (9, 3, 0): masked" in reasons["4.npy"]
    assert all(np.isfinite(record).all() and abs(record).max() < 1 for record in records_of(tmp_path / "data").values())


def test_values_confirmed_by_the_user_are_packed_and_recorded(tmp_path):
    (tmp_path / "maps").mkdir()
    rows = []
    for n in range(4):
        field = kappa(n, 16)
        field[1, 2] = (0.01, 1.5, -99, 0.02)[n]
        np.save(tmp_path / "maps" / f"{n}.npy", field)
        rows.append({"file": f"{n}.npy", "omega_m": 0.2 + n / 50})
    table = str(write_table(tmp_path / "table.csv", rows))
    config = MassMapIngest(
        processes=1, table=table, side_deg=2.0, rejected_threshold=0.6, units="kappa", fractions=(1, 0, 0)
    )
    assert ingest_massmaps([tmp_path / "maps"], tmp_path / "shards", config).records == 2
    reasons = {name: reason for name, (_, reason) in rejected(tmp_path / "shards").items()}
    assert "--set ingest.largest_deviation=" in reasons["1.npy"] and "--set ingest.fill_values=[]" in reasons["2.npy"]
    meant = dataclasses.replace(config, largest_deviation=1e5, fill_values=())
    assert ingest_massmaps([tmp_path / "maps"], tmp_path / "meant", meant).records == 4
    kept = Manifest.read(tmp_path / "meant" / "manifest.json").ingest
    assert (kept["largest_deviation"], kept["fill_values"]) == (1e5, [])


@pytest.mark.parametrize("name", ["_FillValue", "missing_value"])
def test_fill_values_among_an_hdf5_datasets_attributes_are_masks(tmp_path, name):
    (tmp_path / "boxes").mkdir()
    for n in range(5):
        field = np.random.default_rng(n).normal(size=(4, 4, 4)).astype(np.float32)
        field[1, 2, 3] = 0.5 if n == 3 else 0.25
        write_dataset(tmp_path / "boxes" / f"{n}.h5", "a", field, omega_m=0.2 + n / 20, **{name: np.float32(0.5)})
    config = dataclasses.replace(HERE, key="a", rejected_threshold=0.5)
    assert ingest_volumes([tmp_path / "boxes"], tmp_path / "data", config).records == 4
    assert "1 of 64 values are 0.5, the fill value that the file states" in rejected(tmp_path / "data")["3.h5"][1]


def test_packed_values_are_refused_not_taken_as_they_are(tmp_path):
    (tmp_path / "boxes").mkdir()
    for n in range(3):
        field = np.random.default_rng(n).integers(0, 99, size=(4, 4, 4)).astype(np.int16)
        write_dataset(tmp_path / "boxes" / f"{n}.h5", "a", field, omega_m=0.2 + n / 20, scale_factor=0.01)
    with pytest.raises(ValueError, match=r"scale_factor 0\.01 indicates packed values: unpack them first"):
        ingest_volumes([tmp_path / "boxes"], tmp_path / "data", dataclasses.replace(HERE, key="a"))


@pytest.mark.parametrize("filters", [{"compression": "gzip"}, {"fletcher32": True}, "blosc"])
def test_a_damaged_chunk_sets_its_file_aside_and_blames_no_disk(tmp_path, filters):
    import hdf5plugin

    boxes(tmp_path / "boxes", 6)
    path = tmp_path / "boxes" / "spoilt.h5"
    full = write_raw(path, 100)
    with h5py.File(path, "a") as file:
        del file["full"]
        filters = dict(hdf5plugin.Blosc(cname="zstd")) if filters == "blosc" else filters
        file.create_dataset("full", data=full, chunks=(4, 4, 4, 2), **filters)
        chunk = file["full"].id.get_chunk_info(3)
    raw = bytearray(path.read_bytes())
    raw[chunk.byte_offset : chunk.byte_offset + chunk.size] = b"\xa5" * chunk.size
    path.write_bytes(raw)
    summary = ingest_volumes([tmp_path / "boxes"], tmp_path / "data", dataclasses.replace(HERE, rejected_threshold=0.5))
    assert (summary.simulations, len(summary.rejected)) == (6, 1)
    (key, reason) = rejected(tmp_path / "data")["spoilt.h5"]
    assert key == "full" and "damaged" in reason and "could not be read" in reason


@pytest.mark.parametrize(
    "error", [ValueError("odd"), RuntimeError("odd"), OSError("odd"), MemoryError(), KeyError("odd")]
)
@pytest.mark.parametrize("where", ["looking", "packing"])
def test_any_exception_of_a_reader_names_the_file(tmp_path, monkeypatch, error, where):
    from tenfold.pipelines.readers import cosmoflow, formats
    from tenfold.pipelines.volumes import sources

    def in_this_process(function, items, limit_s):
        return map(function, items)

    monkeypatch.setattr(sources, "run_isolated", in_this_process)
    own = cosmoflow.read_boxes

    def spoilt(path, stated):
        for volume in own(path, stated):
            if path.name == "003.h5" and where == "looking":
                raise error
            yield volume if path.name != "003.h5" else dataclasses.replace(volume, read=broken)

    def broken(start, stop):
        raise error

    monkeypatch.setitem(formats._VOLUME_READERS, "cosmoflow", spoilt)
    boxes(tmp_path / "boxes", 6)
    ingest_volumes([tmp_path / "boxes"], tmp_path / "data", dataclasses.replace(HERE, rejected_threshold=0.5))
    (name, (_, reason)) = next(iter(rejected(tmp_path / "data").items()))
    assert name == "003.h5" and type(error).__name__ in reason


@pytest.mark.parametrize("wrong", [{"largest_deviation": 0.0}, {"fill_values": (float("nan"),)}])
def test_invalid_settings_are_refused(wrong):
    with pytest.raises(ValueError, match=next(iter(wrong))):
        Ingest(**wrong)
