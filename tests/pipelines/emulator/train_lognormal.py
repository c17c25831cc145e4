"""Train a tiny emulator on log-normal maps: `train_lognormal.py OUT EPOCHS`, under mpirun or alone.

From Python, `train` can also be interrupted after some steps, and resumes when called again with the same folder.
"""

import os
import sys
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("KERAS_BACKEND", "tensorflow")
sys.path.insert(0, str(Path(__file__).parent))

from lognormal import LognormalMaps

from tenfold.emulators.adversarial import AdversarialTraining
from tenfold.emulators.gan import GAN
from tenfold.hpc.ranks import Ranks, launch
from tenfold.pipelines.emulator.training import MassMapTraining
from tenfold.pipelines.training.run_folder import RunFolder

NETWORK = GAN(size=16, latent_dim=8, filters=(4, 8, 8), critic_filters=(4, 8), style_dim=8, conditions=2, group_size=2)


class Killed(Exception):  # noqa: N818 (an event, not an error)
    """Stand-in for SIGKILL."""


def training(epochs: int, **changes) -> AdversarialTraining:
    return AdversarialTraining(
        **{"epochs": epochs, "global_batch": 16, "reference_batch": 16, "checkpoint_steps": 4,
           "validation_maps": 16, "learning_rate": 2e-3, "critic_learning_rate": 2e-3, "ema_decay": 0.9,
           "moment_matching_steps": 20, **changes}
    )  # fmt: skip


def train(out: Path, epochs: int, steps: int | None = None, ranks: Ranks | None = None, **changes) -> MassMapTraining:
    """Train on 96 maps with 6 steps per epoch; raise `Killed` after ``steps`` steps."""
    folder, ranks = RunFolder(out), ranks or Ranks()
    if ranks.first:
        folder.create()
    ranks.barrier()
    task = MassMapTraining(LognormalMaps(), folder, NETWORK, training(epochs, **changes), ranks)
    step, remaining = task.step, steps

    def killable_step(batch):
        nonlocal remaining
        if remaining is not None:
            if not remaining:
                raise Killed
            remaining -= 1
        return step(batch)

    task.step = killable_step
    task.fit(resume=True)
    task.finish(0.0)
    return task


if __name__ == "__main__":
    train(Path(sys.argv[1]), int(sys.argv[2]), ranks=launch())
