"""Configuration keys of earlier versions are refused with their new names."""

import pytest

from tenfold.pipelines.config import load
from tenfold.pipelines.errors import InputError
from tenfold.pipelines.studies.chemistry_config import ChemistryRun
from tenfold.pipelines.studies.massmaps_config import MassMapsRun


@pytest.mark.parametrize(
    ("study", "old", "new"),
    [
        (MassMapsRun, "training.momentum", "training.beta_1"),
        (MassMapsRun, "training.memory", "training.beta_2"),
        (MassMapsRun, "training.judged", "training.validation_maps"),
        (MassMapsRun, "training.settling_steps", "training.moment_matching_steps"),
        (MassMapsRun, "training.settling_rate", "training.moment_matching_rate"),
        (MassMapsRun, "training.average", "training.ema_decay"),
        (MassMapsRun, "network.latent", "network.latent_dim"),
        (MassMapsRun, "network.style", "network.style_dim"),
        (MassMapsRun, "network.group", "network.group_size"),
        (MassMapsRun, "network.kernel", "network.kernel_size"),
        (MassMapsRun, "estimator.kernel", "estimator.kernel_size"),
        (MassMapsRun, "estimator.dense", "estimator.dense_units"),
        (MassMapsRun, "ingest.cut", "ingest.patches_per_side"),
        (ChemistryRun, "ingest.largest_atoms", "ingest.max_atoms"),
        (ChemistryRun, "labels.dft", "labels.dft_check"),
        (ChemistryRun, "labels.longest_s", "labels.timeout_s"),
        (ChemistryRun, "network.radial", "network.n_rbf"),
        (ChemistryRun, "network.ensemble", "network.ensemble_size"),
        (ChemistryRun, "network.dense", "network.dense_units"),
    ],
)
def test_a_renamed_key_is_refused_with_its_new_name(study, old, new):
    with pytest.raises(InputError, match=rf"--set {old}=1: {old}: renamed to {new}"):
        load(study, settings=(f"{old}=1",))
