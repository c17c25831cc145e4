import sys
from pathlib import Path

import pytest

from tenfold.pipelines.simulation.config import Simulation
from tenfold.pipelines.simulation.simulate import simulate_volumes

pytestmark = pytest.mark.slurm

RECIPE = Path(__file__).parents[2] / "hpc" / "slurm" / "dask.sbatch"


def test_workers_on_two_nodes_make_the_boxes_of_one_process(slurm, clone, tmp_path):
    for name in ("tenfold", "dask"):
        (clone / ".venv" / "bin" / name).symlink_to(Path(sys.executable).with_name(name))
    physics = {"count": 4, "particles": 16, "grid": 16, "box_mpc_h": 32.0, "steps": 4}
    settings = [part for key, value in physics.items() for part in ("--set", f"simulation.{key}={value}")]
    job = slurm.submit(
        "--ntasks-per-node=1", "--chdir", tmp_path, RECIPE, "simulate", "volumes", "--out", tmp_path / "boxes",
        "--set", "simulation.ranges={sigma_8: [0.6, 1.0]}", *settings,
        variables={"TENFOLD": str(clone), "EXCHANGE": str(tmp_path / "exchange"), "SCRATCH": str(tmp_path)},
    )  # fmt: skip
    ended = slurm.ended(job)
    log = slurm.log(job)
    assert (ended["JobState"], ended["NodeList"]) == ("COMPLETED", "n[1-2]"), log
    assert "4 new" in log
    assert not (tmp_path / "exchange").exists()
    simulate_volumes(Simulation(**physics, ranges={"sigma_8": (0.6, 1.0)}, processes=1), tmp_path / "here")
    for box in sorted((tmp_path / "here").glob("box_*.h5")):
        assert (tmp_path / "boxes" / box.name).read_bytes() == box.read_bytes()
