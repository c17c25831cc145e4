import json
import logging
import os
import signal
import subprocess
import sys

import ml_dtypes
import numpy as np
import pytest

from tenfold.hpc.checkpoints import CheckpointError, latest, load, save

ARRAYS = {
    "kernel": np.random.default_rng(0).normal(size=(3, 3, 4)).astype(np.float32),
    "fortran": np.asfortranarray(np.arange(6.0).reshape(2, 3)),
    "strided": np.arange(10)[::3],
    "iteration": np.array(7, np.int64),
    "empty": np.zeros((0, 4), np.float16),
    "mask": np.array([True, False]),
    "nan": np.array([np.nan, -0.0, np.inf]),
    "big endian": np.array([1, 2], ">i4"),
    "half": np.array([1.5, -2.25], ml_dtypes.bfloat16),
    "layer/with/slashes:0": np.array([255], np.uint8),
}
STATE = {"epoch": 3, "random": np.random.default_rng(1).bit_generator.state, "rate": 0.1 + 0.2, "names": ["Ωm"]}


def test_arrays_are_restored_bit_for_bit(tmp_path):
    path = save(tmp_path, 12, ARRAYS, STATE)
    assert path == tmp_path / "step-00000012.npz"
    checkpoint = load(path)
    assert (checkpoint.path, checkpoint.step, checkpoint.state) == (path, 12, STATE)
    assert list(checkpoint.arrays) == list(ARRAYS)
    for name, array in ARRAYS.items():
        restored = checkpoint.arrays[name]
        assert (restored.dtype, restored.shape) == (array.dtype, array.shape)
        assert restored.tobytes() == array.tobytes()


def test_the_latest_checkpoint_has_the_highest_step(tmp_path):
    assert latest(tmp_path) is None
    assert latest(tmp_path / "missing") is None
    for step in (2, 100_000_000, 30):
        save(tmp_path, step, {}, {"step": step})
    checkpoint = latest(tmp_path)
    assert checkpoint is not None
    assert checkpoint.step == checkpoint.state["step"] == 100_000_000


def test_only_the_last_checkpoints_are_kept(tmp_path):
    for step in range(6):
        save(tmp_path, step, {}, {}, keep=2)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["step-00000004.npz", "step-00000005.npz"]


def test_checkpoints_written_after_going_back_are_kept(tmp_path):
    for step in (10, 20, 30):
        save(tmp_path, step, {}, {}, keep=3)
    (tmp_path / "step-00000030.npz").write_bytes(b"damaged")
    save(tmp_path, 25, {}, {}, keep=1)
    checkpoint = latest(tmp_path)
    assert checkpoint is not None
    assert checkpoint.step == 25


@pytest.mark.parametrize(
    "damage",
    [
        lambda raw: b"",
        lambda raw: b"not a checkpoint",
        lambda raw: raw[: len(raw) // 2],
        lambda raw: raw[:-1],
        lambda raw: raw.replace(ARRAYS["kernel"].tobytes()[:16], bytes(16)),
        lambda raw: raw.replace(b'"epoch": 3', b'"epoch": 4'),
    ],
)
def test_damaged_checkpoints_are_reported_and_skipped(tmp_path, caplog, damage):
    intact = save(tmp_path, 1, ARRAYS, STATE)
    damaged = save(tmp_path, 2, ARRAYS, STATE)
    before = damaged.read_bytes()
    damaged.write_bytes(damage(before))
    assert damaged.read_bytes() != before
    with pytest.raises(CheckpointError, match=damaged.name):
        load(damaged)
    with caplog.at_level(logging.WARNING):
        checkpoint = latest(tmp_path)
    assert checkpoint is not None
    assert checkpoint.path == intact
    assert damaged.name in caplog.text


def test_contents_that_pass_the_file_format_are_still_checked(tmp_path):
    # a file assembled from members of others: every member is intact, but the SHA-256 does not match
    one = save(tmp_path, 1, {"a": np.zeros(3)}, {})
    with np.load(one) as file:
        np.savez(tmp_path / "step-00000002.npz", header=file["header"], array_0=np.ones(24, np.uint8))
    with pytest.raises(CheckpointError, match="SHA-256"):
        load(tmp_path / "step-00000002.npz")


def test_another_format_is_named(tmp_path):
    header = np.frombuffer(bytes(32) + json.dumps({"format": 99}).encode(), np.uint8)
    np.savez(tmp_path / "step-00000001.npz", header=header)
    with pytest.raises(CheckpointError, match="format 99"):
        load(tmp_path / "step-00000001.npz")


def test_python_objects_and_pickles_are_refused(tmp_path):
    with pytest.raises(ValueError, match="has dtype object"):
        save(tmp_path, 0, {"a": np.array([{}], object)}, {})
    with pytest.raises(ValueError, match="<U1"):
        save(tmp_path, 0, {"a": np.array(["x"])}, {})
    assert not list(tmp_path.iterdir())
    np.savez(tmp_path / "step-00000001.npz", header=np.array([{}], object))
    with pytest.raises(CheckpointError):
        load(tmp_path / "step-00000001.npz")


def test_invalid_arguments_are_refused_by_name(tmp_path):
    with pytest.raises(ValueError, match="step: found -1"):
        save(tmp_path, -1, {}, {})
    with pytest.raises(ValueError, match="keep: found 0"):
        save(tmp_path, 1, {}, {}, keep=0)
    with pytest.raises(TypeError):
        save(tmp_path, 1, {}, {"function": len})


def test_a_failed_write_leaves_no_file(tmp_path, monkeypatch):
    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    save(tmp_path, 1, {}, {})
    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        save(tmp_path, 2, ARRAYS, STATE)
    assert [path.name for path in tmp_path.iterdir()] == ["step-00000001.npz"]


def test_a_kill_during_writing_leaves_the_previous_checkpoint(tmp_path):
    save(tmp_path, 1, ARRAYS, STATE)
    script = f"""
import os, signal
import numpy as np
from pathlib import Path
from tenfold.hpc.checkpoints import save
os.fsync = lambda _: os.kill(os.getpid(), signal.SIGKILL)
save(Path({str(tmp_path)!r}), 2, {{"a": np.zeros(1000)}}, {{}})
"""
    killed = subprocess.run([sys.executable, "-c", script], check=False)
    assert killed.returncode == -signal.SIGKILL
    assert len(list(tmp_path.iterdir())) == 2  # the temporary file is still there ...
    checkpoint = latest(tmp_path)
    assert checkpoint is not None
    assert checkpoint.step == 1
    save(tmp_path, 2, ARRAYS, STATE)  # ... until the next is saved
    assert sorted(path.name for path in tmp_path.iterdir()) == ["step-00000001.npz", "step-00000002.npz"]
