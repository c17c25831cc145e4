"""Message-passing neural networks for molecular properties: architecture and construction."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Literal, get_args

import numpy as np

from tenfold.emulators.graphs import FeatureLayout
from tenfold.emulators.sizes import MOST, check_size

if TYPE_CHECKING:
    import keras

Network = Literal["dmpnn", "enn-s2s", "painn"]
Readout = Literal["published", "sum", "mean", "norm", "set2set"]
Kind = Literal["regression", "classification"]

PUBLISHED_ARCHITECTURES: dict[str, dict[str, Any]] = {
    "dmpnn": {"hidden": 300, "depth": 3, "readout": "norm", "dense_units": (300,)},
    "enn-s2s": {"hidden": 64, "depth": 3, "readout": "set2set", "dense_units": (128,)},
    "painn": {"hidden": 128, "depth": 3, "readout": "sum", "dense_units": (64,)},
}
"""Published architectures: Yang et al. 2019 (arXiv:1904.01561), Gilmer et al. 2017 (arXiv:1704.01212) and Schütt et al.
2021 (arXiv:2102.03150). One deviation: the readout of dmpnn is a scaled sum instead of the mean, because solubilities
and free energies depend on the size of the molecule."""


READ_BY: dict[str, Network] = {
    "edge_hidden": "enn-s2s",
    "towers": "enn-s2s",
    "cutoff_angstrom": "painn",
    "n_rbf": "painn",
}
"""Settings that only one network reads."""

NORM_ATOMS = 100.0
"""Divisor of the ``norm`` readout: the sum over the atoms of a molecule is divided by this number."""


@dataclass(frozen=True, kw_only=True)
class MPNN:
    """Architecture of a message-passing neural network.

    Zeros, ``"published"`` and an empty ``dense_units`` are replaced by the published values of the network.

    Example
    -------
    >>> from tenfold.emulators.mpnn import MPNN
    >>> MPNN(network="painn").hidden
    128
    """

    RENAMED: ClassVar[dict[str, str]] = {"dense": "dense_units", "radial": "n_rbf", "ensemble": "ensemble_size"}

    network: Network = "dmpnn"
    """``dmpnn``: messages along directed bonds, no geometry. ``enn-s2s``: edge network, reads distances. ``painn``:
    equivariant vector features, reads positions."""
    hidden: int = 0
    """Size of the hidden state of an atom or a directed bond; 0: 300, 64 or 128."""
    depth: int = 0
    """Number of message-passing steps; 0: 3."""
    readout: Readout = "published"
    """``sum``: the head acts on each atom, and its outputs are summed (averaged for intensive targets): each atom has a
    contribution. ``mean``, ``norm`` (sum / 100) and ``set2set``: atoms are pooled into one vector before the head. Use
    ``sum`` for energies from tables of SMILES: ``norm``, the default of dmpnn, subtracts no atomic references."""
    dense_units: tuple[int, ...] = ()
    """Units of the hidden layers of the head; empty: as published."""
    dropout: float = 0.0
    """Dropout rate in training: in the head, and between the steps of dmpnn."""
    edge_hidden: int = 128
    """enn-s2s: hidden units of the edge network."""
    towers: int = 1
    """enn-s2s: number of equal parts of the hidden state that pass messages independently."""
    set2set_steps: int = 6
    """Attention steps of the set2set readout."""
    cutoff_angstrom: float = 5.0
    """painn: cutoff radius [Å], a number or an astropy quantity."""
    n_rbf: int = 20
    """painn: number of radial basis functions."""
    ensemble_size: int = 1
    """Number of networks that are trained together and differ in their initial weights."""

    def __post_init__(self):
        """Fill in the published values, and check that the network can be built.

        Raises
        ------
        ValueError
            A value is out of its range, or is set although the network does not read it.
        """
        object.__setattr__(self, "cutoff_angstrom", _in_angstrom("cutoff_angstrom", self.cutoff_angstrom))
        if self.network not in PUBLISHED_ARCHITECTURES:
            raise ValueError(f"network: found {self.network!r}, must be one of {', '.join(PUBLISHED_ARCHITECTURES)}")
        for name, value in PUBLISHED_ARCHITECTURES[self.network].items():
            if getattr(self, name) in (0, (), "published"):
                object.__setattr__(self, name, value)
        if self.readout not in get_args(Readout):
            raise ValueError(f"readout: found {self.readout!r}, must be one of {', '.join(get_args(Readout))}")
        object.__setattr__(self, "dense_units", tuple(self.dense_units))
        for name in ("hidden", "depth", "edge_hidden", "towers", "set2set_steps", "n_rbf", "ensemble_size"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name}: found {getattr(self, name)}, must be at least 1")
        for name in ("hidden", "edge_hidden", "n_rbf", "dense_units"):
            check_size(name, getattr(self, name))
        for name in ("depth", "set2set_steps", "ensemble_size"):
            check_size(name, getattr(self, name), MOST)
        if min(self.dense_units) < 1:
            raise ValueError(f"dense_units: found {self.dense_units}, units must be at least 1")
        if not 0 <= self.dropout < 1:
            raise ValueError(f"dropout: found {self.dropout}, must be in [0, 1)")
        if not self.cutoff_angstrom > 0:
            raise ValueError(f"cutoff_angstrom: found {self.cutoff_angstrom}, must be above 0")
        if self.hidden % self.towers:
            raise ValueError(f"towers: hidden size {self.hidden} cannot be divided into {self.towers} equal parts")
        for name, network in READ_BY.items():
            if self.network != network and getattr(self, name) != getattr(MPNN, name):
                raise ValueError(
                    f"{name}: found {getattr(self, name)}, which has no effect: only network {network} reads it, "
                    f"and network is {self.network}"
                )

    @property
    def geometric(self) -> bool:
        """Whether the network reads geometry."""
        return self.network != "dmpnn"


def _in_angstrom(name: str, length: Any) -> Any:
    """Return an astropy length as a plain number [Å], and anything else unchanged.

    Raises
    ------
    ValueError
        The quantity is not a single length.
    """
    if not hasattr(length, "unit") or not hasattr(length, "to_value"):
        return length
    try:
        return float(length.to_value("Angstrom"))
    except (TypeError, ValueError):  # another dimension, or an array
        raise ValueError(f"{name}: found {length}, expected a single length, such as 5 Å") from None


def build(
    architecture: MPNN,
    layout: FeatureLayout,
    *,
    targets: int,
    kind: Kind = "regression",
    location: Sequence[float] | None = None,
    scale: Sequence[float] | None = None,
    atom_reference: np.ndarray | None = None,
    extensive: Sequence[bool] | None = None,
    dipole: Sequence[bool] | None = None,
    classes: Sequence[int] | None = None,
    seed: int = 0,
    precision: str = "float32",
) -> "keras.Model":
    """Build an untrained network.

    Parameters
    ----------
    architecture, layout
        Architecture of the network, and meaning of the feature codes of atoms and bonds.
    targets
        Number of targets, T.
    kind
        ``"regression"`` or ``"classification"``.
    location, scale
        Location and scale of the targets, T values: an untrained network predicts about ``location`` ± ``scale``. For
        extensive targets both are per atom, after subtraction of the atomic references (see
        `tenfold.emulators.reference`). Default: 0, 1.
    atom_reference
        Contribution of an atom of each element code, shape (codes, T); None: 0.
    extensive
        Which targets are extensive, T values: the value of two distant molecules is the sum of their values. Default:
        none.
    dipole
        Which targets are lengths of dipole moments, T values: painn computes them from equivariant vectors, and uses
        their scale but not their location. Default: none.
    classes
        Number of classes of each classification target, T values. Default: two.
    seed, precision
        Seed of the initial weights; Keras dtype policy, ``"float32"`` or ``"mixed_bfloat16"``.

    Returns
    -------
    keras.Model
        Maps the inputs of a `tenfold.emulators.graph_batches.Batch` of capacity G to (G, T, members, 2): mean and
        standard deviation in the units of the targets. Classification: (G, T, members, 1), logits of class 1; if any
        target has C > 2 classes, (G, T, members, C), logits of a softmax, very low for classes that a target lacks.

    Raises
    ------
    ValueError
        The arguments have inconsistent shapes, an extensive target is combined with the ``norm`` readout, or a dipole
        target with a network without vector features.
    """
    # imported here, so that reading a configuration does not load the backend
    import keras

    from tenfold.emulators.graph_layers import AtomPooling, Head, OutputScaling, StackMembers
    from tenfold.emulators.painn import DipoleMagnitudes, DipoleMoments
    from tenfold.emulators.set2set import Set2Set

    location = [0.0] * targets if location is None else [float(v) for v in location]
    scale = [1.0] * targets if scale is None else [float(v) for v in scale]
    extensive = [False] * targets if extensive is None else [bool(v) for v in extensive]
    dipole = [False] * targets if dipole is None else [bool(v) for v in dipole]
    codes = layout.atoms[0].width
    reference = np.zeros((codes, targets)) if atom_reference is None else np.asarray(atom_reference, np.float64)
    classes = [2] * targets if classes is None else [int(v) for v in classes]
    per_target = {"location": location, "scale": scale, "extensive": extensive, "dipole": dipole, "classes": classes}
    for name, values in per_target.items():
        if len(values) != targets:
            raise ValueError(f"{name}: found {len(values)} values, must be {targets}, one per target")
    if reference.shape != (codes, targets):
        raise ValueError(
            f"atom_reference: found shape {reference.shape}, must be (elements, targets) = {codes, targets}"
        )
    if any(dipole) and (architecture.network != "painn" or kind != "regression" or any(map(min, dipole, extensive))):
        raise ValueError("dipole: only painn has vector features, and only for regression of intensive targets")
    if architecture.readout == "norm" and any(extensive):
        raise ValueError("readout: norm does not suit extensive targets, which need atomic references: use sum")
    if kind == "regression":
        width = 2
    elif min(classes) < 2:
        raise ValueError(f"classes: found {classes}, each target must have at least 2")
    else:
        width = max(classes) if max(classes) > 2 else 1
    seeds = iter((np.random.SeedSequence(seed).generate_state(4 * architecture.ensemble_size) // 2).tolist())
    inputs = _inputs(architecture, layout)
    pooling = {name: inputs[name] for name in ("atom", "graph", "size") if name in inputs}

    def pooled(index: int, atoms):
        name = f"{'atom_head' if architecture.readout == 'sum' else 'head'}_{index}"
        head = Head(
            architecture.dense_units,
            targets * width,
            dropout=architecture.dropout,
            seed=next(seeds),
            dtype=precision,
            name=name,
        )
        if architecture.readout == "sum":
            return AtomPooling(name=f"mean_{index}")({"rows": head(atoms), **pooling})
        if architecture.readout == "set2set":
            readout = Set2Set(architecture.set2set_steps, seed=next(seeds), name=f"set2set_{index}")
            return head(readout({"rows": atoms, **pooling}))
        pool = AtomPooling(norm=NORM_ATOMS if architecture.readout == "norm" else 0.0, name=f"mean_{index}")
        return head(pool({"rows": atoms, **pooling}))

    def member(index: int):
        messages = _messages(architecture, layout, seed=next(seeds), dtype=precision, name=f"messages_{index}")
        if architecture.network != "painn":
            return pooled(index, messages(inputs))
        atoms, vectors = messages(inputs)
        values = pooled(index, atoms)
        if not any(dipole):
            return values
        features = {"scalars": atoms, "vectors": vectors, "position": inputs["position"]}
        vectors = DipoleMoments(sum(dipole), seed=next(seeds), name=f"dipoles_{index}")({**features, **pooling})
        offset = [mean / std for mean, std in zip(location, scale, strict=True)]
        return DipoleMagnitudes(dipole, offset, name=f"magnitudes_{index}")({"values": values, "vectors": vectors})

    values = StackMembers(name="members")([member(index) for index in range(architecture.ensemble_size)])
    outputs = OutputScaling(kind, location, scale, reference.tolist(), extensive, classes, name="property")(
        {"values": values, **{name: inputs[name] for name in ("element", "graph", "size")}}
    )
    return keras.Model(inputs, outputs, name=architecture.network.replace("-", "_"))


def _inputs(architecture: MPNN, layout: FeatureLayout) -> dict:
    """Inputs of the network by name; see `tenfold.emulators.graph_layouts`."""
    import keras

    def index(*names):
        return {name: keras.Input((), dtype="int32", name=name) for name in names}

    def number(name, *shape):
        return {name: keras.Input(shape, dtype="float32", name=name)}

    def codes(name, features):
        return {name: keras.Input((len(features),), dtype="uint8", name=name)}

    inputs = index("graph", "element") | number("size")
    if architecture.network == "painn":
        inputs |= codes("codes", layout.atoms) | number("position", 3)
        return inputs | index("receivers", "senders", "reverse") | number("distance") | number("direction", 3)
    if architecture.network == "enn-s2s":
        inputs |= codes("codes", layout.atoms) | codes("bond_codes", layout.bonds)
        return inputs | number("distance") | number("bonded") | index("atom")
    inputs |= (
        codes("atom_type_codes", layout.atoms) | codes("directed_bond_codes", layout.bonds) | index("bond_atom_type")
    )
    for step in range(1, architecture.depth):
        inputs |= index(f"initial_{step}", f"senders_{step}", f"receivers_{step}")
    return inputs | index("atom_type", "atom_senders", "atom_receivers", "atom")


def _messages(architecture: MPNN, layout: FeatureLayout, **arguments) -> "keras.layers.Layer":
    """The message-passing layer, which computes the atom vectors."""
    from tenfold.emulators.dmpnn import DirectedMessagePassing
    from tenfold.emulators.enn_s2s import EdgeNetwork
    from tenfold.emulators.painn import PaiNN

    atoms, bonds = ([(f.width, f.scale) for f in features] for features in (layout.atoms, layout.bonds))
    if architecture.network == "painn":
        return PaiNN(
            architecture.hidden,
            architecture.depth,
            atoms,
            architecture.cutoff_angstrom,
            architecture.n_rbf,
            **arguments,
        )
    if architecture.network == "enn-s2s":
        return EdgeNetwork(
            architecture.hidden,
            architecture.depth,
            architecture.edge_hidden,
            architecture.towers,
            atoms,
            bonds,
            **arguments,
        )
    return DirectedMessagePassing(
        architecture.hidden, architecture.depth, atoms, bonds, dropout=architecture.dropout, **arguments
    )
