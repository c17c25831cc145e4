"""A Dask scheduler and two workers in processes of their own; a worker is killed in mid-work."""

import os
import shutil
import signal
import time
from pathlib import Path

import pytest
from tests.formats.dask_processes import DaskProcesses, dask_processes, kill_a_worker

from tenfold.hpc import scheduler
from tenfold.hpc.cluster import WorkerDiedError, map_ordered, map_unordered
from tenfold.hpc.engine import Engine, EngineError

pytestmark = pytest.mark.slow
CLONE = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def two_workers(tmp_path_factory) -> DaskProcesses:
    with dask_processes(tmp_path_factory.mktemp("dask"), workers=2) as started:
        yield started


@pytest.fixture
def engine(two_workers) -> Engine:
    return Engine(scheduler=str(two_workers.file))


def squared(number: int) -> int:
    if number < 0:
        os.kill(os.getpid(), signal.SIGKILL)
    return number**2


def squared_slowly(number: int) -> int:
    time.sleep(0.3)
    return number**2


def test_more_tasks_than_a_scheduler_is_given_at_a_time(engine, tmp_path):
    assert sorted(map_unordered(squared, range(200), engine, shared=tmp_path)) == [(n, n**2) for n in range(200)]
    assert not list(tmp_path.iterdir()), "the files of the exchange are removed"


def test_results_keep_the_order_of_an_endless_iterable(engine, tmp_path):
    def numbers():
        number = 0
        while True:
            yield number
            number += 1

    squares = map_ordered(squared, numbers(), engine, shared=tmp_path)
    assert [next(squares) for _ in range(20)] == [n**2 for n in range(20)]
    squares.close()


def test_an_address_serves_as_well_as_a_file(engine, tmp_path):
    address = Engine(scheduler=engine.address())
    assert dict(map_unordered(squared, [3], address, shared=tmp_path)) == {0: 9}


def test_an_error_of_the_function_is_raised_here(engine, tmp_path):
    with pytest.raises(ZeroDivisionError):
        list(map_unordered(lambda number: 1 // number, [1, 0, 1], engine, shared=tmp_path))


def test_the_work_of_a_killed_worker_is_done_again(engine, tmp_path):
    with kill_a_worker(tmp_path) as killing:
        assert dict(map_unordered(squared_slowly, range(6), engine, shared=tmp_path)) == {n: n**2 for n in range(6)}
    assert killing.worker
    assert killing.tasks == ["task_0"] or killing.tasks == ["task_1"]


def test_an_item_that_kills_two_workers_is_named_though_the_scheduler_would_go_on(engine, tmp_path):
    with pytest.raises(WorkerDiedError, match="item 1 died") as caught:
        list(map_unordered(squared, [1, -2, 3], engine, shared=tmp_path))
    assert caught.value.position == 1
    assert not list(tmp_path.iterdir())


def test_what_workers_are_not_given_work(tmp_path, monkeypatch):
    monkeypatch.setattr(scheduler, "WORKERS_S", 1.0)
    folder, shared = tmp_path / "dask", tmp_path / "shared"
    folder.mkdir()
    shared.mkdir()
    with dask_processes(folder, workers=0) as started:
        engine = Engine(scheduler=str(started.file))
        with pytest.raises(EngineError, match=r"no worker within 1 s; start some: dask worker"):
            list(map_unordered(squared, [1], engine, shared=shared))
        monkeypatch.setattr(scheduler, "WORKERS_S", 60.0)

        threaded = started.start_workers(1, threads=2)
        with pytest.raises(EngineError, match=r"has 2 threads: start workers by dask worker --nworkers N --nthreads 1"):
            list(map_unordered(squared, [1], engine, shared=shared))
        threaded.terminate()
        threaded.wait(30)

        other = folder / "other" / "tenfold"
        for name in ("hpc", "pipelines", "emulators", "stats"):
            shutil.copytree(CLONE / name, other / name, ignore=shutil.ignore_patterns("__pycache__", "presets"))
        (other / "__init__.py").touch()
        (other / "hpc" / "disk.py").write_text("# another version\n")
        started.start_workers(1, path=other.parent)
        with pytest.raises(EngineError, match=rf"runs another version of tenfold, from {other}: install the same"):
            list(map_unordered(squared, [1], engine, shared=shared))
    assert not list(shared.iterdir())


def test_the_end_of_the_scheduler_is_an_error_and_not_a_hang(two_workers, engine, tmp_path):
    results = map_unordered(squared_slowly, range(100), engine, shared=tmp_path)  # the last test: its end is the end
    next(results)
    two_workers.processes[0].kill()
    start = time.monotonic()
    with pytest.raises(EngineError, match="Dask scheduler"):
        list(results)
    assert time.monotonic() - start < 30
    assert not list(tmp_path.iterdir())
    two_workers.processes[1].kill()  # workers wait for another scheduler
