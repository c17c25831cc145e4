"""Checks that data, architecture and training of an emulator fit together."""

from tenfold.emulators.adversarial import AdversarialTraining, Loss
from tenfold.emulators.gan import GAN
from tenfold.hpc.ranks import Ranks
from tenfold.pipelines.errors import InputError
from tenfold.pipelines.volumes.shards import Shards


def check_compatibility(data: Shards, architecture: GAN, training: AdversarialTraining, ranks: Ranks) -> None:
    """Check that an emulator can be trained on data with this architecture, these settings and so many ranks.

    Raises
    ------
    InputError
        Something does not fit; the message names the settings to change.
    """
    manifest, records = data.manifest, data.split("train")
    shape = tuple(manifest.shape)
    if manifest.mask is not None or (len(shape) == 3 and shape[0] != shape[1]):
        kind = "a mask" if manifest.mask is not None else f"{shape[0]} × {shape[1]} pixels"
        raise InputError(
            f"the data are maps with {kind}, but emulators generate complete square maps: ingest such maps, or cut out "
            "complete squares"
        )
    expected = (architecture.size, architecture.size, architecture.channels)
    if shape != expected:
        raise InputError(
            f"the data hold maps of shape {shape}, but the network generates {expected}: "
            f"--set network.size={shape[0]} --set network.channels={shape[-1]}, or choose another --preset"
        )
    names = manifest.parameter_names
    if architecture.conditions not in (0, len(names)):
        raise InputError(
            f"the data have the parameters {', '.join(names) or '(none)'}, but the network takes "
            f"{architecture.conditions}: --set network.conditions={len(names)}, or 0 for an unconditional network"
        )
    constant = [name for name, std in zip(names, manifest.parameter_std, strict=True) if not std > 0]
    if architecture.conditions and constant:
        raise InputError(
            f"{constant[0]} has the same value in all simulations and cannot be a condition: --set network.conditions=0"
        )
    shifts = training.shifts and training.symmetries
    if not manifest.periodic and (architecture.boundary == "periodic" or shifts):
        raise InputError(f"{manifest.not_periodic}: --set network.boundary=cropped --set training.shifts=false")
    if shifts and architecture.boundary != "periodic":
        raise InputError("a network of cropped maps must not be trained on shifted ones: --set training.shifts=false")
    multiple = ranks.size * architecture.group_size
    if training.global_batch % multiple:
        raise InputError(
            f"training.global_batch: found {training.global_batch}, must be a multiple of network.group_size "
            f"({architecture.group_size}) times the number of ranks ({ranks.size}), such as {multiple}"
        )
    if len(records) < training.global_batch:
        raise InputError(
            f"training.global_batch: found {training.global_batch}, but the training split holds {len(records)} maps"
        )


def resolve_loss(architecture: GAN, training: AdversarialTraining) -> Loss:
    """Return the adversarial loss, where ``auto`` selects that of the network's family."""
    if training.loss != "auto":
        return training.loss
    return "wasserstein" if architecture.network == "wgan-gp" else "logistic"
