"""Train a tiny emulator on log-normal maps: `train_lognormal.py OUT EPOCHS`, under mpirun or alone.

From Python, `train` can also copy its folder after some steps, as a killed run would leave it, and resumes a folder.
"""

import os
import shutil
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

NETWORK = GAN(size=16, latent_dim=8, filters=(4, 8), critic_filters=(4,), style_dim=8, conditions=2, group_size=2)


def training(epochs: int, **changes) -> AdversarialTraining:
    return AdversarialTraining(
        **{"epochs": epochs, "global_batch": 16, "reference_batch": 16, "checkpoint_steps": 4,
           "validation_maps": 16, "learning_rate": 2e-3, "critic_learning_rate": 2e-3, "ema_decay": 0.9,
           "moment_matching_steps": 20, **changes}
    )  # fmt: skip


def train(out: Path, epochs: int, copies: dict[int, Path] | None = None, ranks: Ranks | None = None) -> MassMapTraining:
    """Train on 96 maps with 6 steps per epoch; copy ``out`` after the given numbers of steps."""
    folder, ranks = RunFolder(out), ranks or Ranks()
    if ranks.first:
        folder.create()
    ranks.barrier()
    task = MassMapTraining(LognormalMaps(), folder, NETWORK, training(epochs), ranks)
    step, n_steps = task.step, 0

    def step_after_copy(batch):
        nonlocal n_steps
        if copies and n_steps in copies:
            shutil.copytree(out, copies[n_steps])
        n_steps += 1
        return step(batch)

    task.step = step_after_copy
    task.fit(resume=True)
    task.finish(0.0)
    return task


if __name__ == "__main__":
    train(Path(sys.argv[1]), int(sys.argv[2]), ranks=launch())
