"""Configuration keys of earlier versions are refused with their new names."""

import pytest

from tenfold.pipelines.config import load
from tenfold.pipelines.errors import InputError
from tenfold.pipelines.studies.massmaps_config import MassMapsRun


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("training.momentum", "training.beta_1"),
        ("training.memory", "training.beta_2"),
        ("training.judged", "training.validation_maps"),
        ("training.settling_steps", "training.moment_matching_steps"),
        ("training.settling_rate", "training.moment_matching_rate"),
        ("training.average", "training.ema_decay"),
        ("network.latent", "network.latent_dim"),
        ("network.style", "network.style_dim"),
        ("network.group", "network.group_size"),
        ("network.kernel", "network.kernel_size"),
        ("estimator.kernel", "estimator.kernel_size"),
        ("estimator.dense", "estimator.dense_units"),
        ("ingest.cut", "ingest.patches_per_side"),
    ],
)
def test_a_renamed_key_is_refused_with_its_new_name(old, new):
    with pytest.raises(InputError, match=rf"--set {old}=1: {old}: renamed to {new}"):
        load(MassMapsRun, settings=(f"{old}=1",))
