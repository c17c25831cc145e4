"""Message-passing networks that read properties off molecules: what can be chosen, and how one is built."""

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
    "dmpnn": {"hidden": 300, "depth": 3, "readout": "norm", "dense": (300,)},
    "enn-s2s": {"hidden": 64, "depth": 3, "readout": "set2set", "dense": (128,)},
    "painn": {"hidden": 128, "depth": 3, "readout": "sum", "dense": (64,)},
}
"""Shapes as published: Yang et al. 2019 (arXiv:1904.01561), Gilmer et al. 2017, Schütt et al. 2021. Only the readout of
dmpnn is not the paper's mean but a scaled sum: solubilities and free energies hang on how large a molecule is."""


NORM_ATOMS = 100.0
"""Atoms that the ``norm`` readout divides the sum over a molecule by."""


@dataclass(frozen=True, kw_only=True)
class MPNN:
    """A message-passing network: which, how large, and how atoms become a molecule.

    Zeros, ``"published"`` and an empty ``dense`` stand for what the network's paper has, and are filled in at once.
    """

    RENAMED: ClassVar[dict[str, str]] = {"radial": "n_rbf", "ensemble": "ensemble_size"}

    network: Network = "dmpnn"
    """``dmpnn``: messages along directed bonds, reads no geometry. ``enn-s2s``: a matrix per pair of atoms. ``painn``:
    equivariant vectors, reads positions."""
    hidden: int = 0
    """Numbers that describe an atom or a directed bond; 0: 300, 64 or 128."""
    depth: int = 0
    """Steps of message passing; 0: 3."""
    readout: Readout = "published"
    """``sum``: a head per atom, whose answers are added (or averaged, where a target does not grow with the molecule),
    so that each atom's share is known. ``mean``, ``norm`` (sum / 100) and ``set2set``: atoms become one vector, then
    the head. For energies from tables of SMILES take ``sum``: ``norm``, dmpnn's own, takes no free atoms off."""
    dense: tuple[int, ...] = ()
    """Units of the head's inner layers; empty: as published."""
    dropout: float = 0.0
    """Fraction of units dropped in training: in the head, and between the steps of dmpnn."""
    edge_hidden: int = 128
    """enn-s2s: units of the network that makes a matrix of a pair's features."""
    towers: int = 1
    """enn-s2s: parts that the hidden numbers are passed in, each by itself."""
    set2set_steps: int = 6
    """Steps of the set2set readout."""
    cutoff_angstrom: float = 5.0
    """painn: atoms nearer than this see each other [Å]."""
    n_rbf: int = 20
    """painn: radial functions that describe a distance."""
    ensemble_size: int = 1
    """Networks that are trained as one and differ in their initial weights."""

    def __post_init__(self):
        """Fill in what is published and refuse what cannot be built."""
        if self.network not in PUBLISHED_ARCHITECTURES:
            raise ValueError(f"network: {self.network!r} is none of {', '.join(PUBLISHED_ARCHITECTURES)}")
        for name, value in PUBLISHED_ARCHITECTURES[self.network].items():
            if getattr(self, name) in (0, (), "published"):
                object.__setattr__(self, name, value)
        if self.readout not in get_args(Readout):
            raise ValueError(f"readout: {self.readout!r} is none of {', '.join(get_args(Readout))}")
        object.__setattr__(self, "dense", tuple(self.dense))
        for name in ("hidden", "depth", "edge_hidden", "towers", "set2set_steps", "n_rbf", "ensemble_size"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name}: found {getattr(self, name)}, must be at least 1")
        for name in ("hidden", "edge_hidden", "n_rbf", "dense"):
            check_size(name, getattr(self, name))
        for name in ("depth", "set2set_steps", "ensemble_size"):
            check_size(name, getattr(self, name), MOST)
        if min(self.dense) < 1:
            raise ValueError(f"dense: found {self.dense}, units must be at least 1")
        if not 0 <= self.dropout < 1:
            raise ValueError(f"dropout: found {self.dropout}, must be in [0, 1)")
        if not self.cutoff_angstrom > 0:
            raise ValueError(f"cutoff_angstrom: found {self.cutoff_angstrom}, must be above 0")
        if self.hidden % self.towers:
            raise ValueError(f"towers: {self.hidden} hidden numbers cannot be cut into {self.towers} equal parts")

    @property
    def geometric(self) -> bool:
        """Whether it reads positions."""
        return self.network != "dmpnn"


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
        The network's shape, and what the codes of atoms and bonds are.
    targets
        T.
    kind
        ``"regression"`` or ``"classification"``.
    location, scale
        Of each target, T values: an untrained network answers about ``location``, give or take ``scale``. Of extensive
        targets both are per atom, after the reference is taken off (see `tenfold.emulators.reference`). Left out: 0, 1.
    atom_reference
        What each atom adds by its element's code, shape (codes, T); None: nothing.
    extensive
        Which targets grow with the molecule, T values: two molecules far apart then have the sum of both. Left out:
        none does.
    dipole
        Which targets are lengths of a dipole, T values: painn makes them of vectors that turn with the molecule, and
        takes of ``location`` and ``scale`` only the scale. Left out: none is.
    classes
        Number of classes of each target of a classification, T values. Left out: two of each.
    seed
        Seed of the initial weights.
    precision
        Keras dtype policy: ``"float32"`` or ``"mixed_bfloat16"``.

    Returns
    -------
    keras.Model
        The inputs of a `tenfold.emulators.graph_batches.Batch` of capacity G to (G, T, members, 2): mean and standard
        deviation in the targets' units. Of classes to (G, T, members, 1): logits of the probability of 1; or, where any
        target has C > 2 of them, to (G, T, members, C): logits of a softmax, very low for classes that a target lacks.

    Raises
    ------
    ValueError
        Shapes of the arguments do not agree, a ``norm`` readout is asked for an extensive target, or a dipole of a
        network without vectors.
    """
    # loaded here, so that reading a configuration does not wait for the backend
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
    each = {"location": location, "scale": scale, "extensive": extensive, "dipole": dipole, "classes": classes}
    for name, values in each.items():
        if len(values) != targets:
            raise ValueError(f"{name}: found {len(values)} values, must be {targets}, one per target")
    if reference.shape != (codes, targets):
        raise ValueError(
            f"atom_reference: found shape {reference.shape}, must be (elements, targets) = {codes, targets}"
        )
    if any(dipole) and (architecture.network != "painn" or kind != "regression" or any(map(min, dipole, extensive))):
        raise ValueError("dipole: only painn has vectors, of numbers that do not grow with the molecule")
    if architecture.readout == "norm" and any(extensive):
        raise ValueError("readout: norm does not grow with the molecule as extensive targets do: take sum")
    if kind == "regression":
        width = 2
    elif min(classes) < 2:
        raise ValueError(f"classes: found {classes}, each target must have at least 2")
    else:
        width = max(classes) if max(classes) > 2 else 1
    seeds = iter((np.random.SeedSequence(seed).generate_state(4 * architecture.ensemble_size) // 2).tolist())
    inputs = _inputs(architecture, layout)
    where = {name: inputs[name] for name in ("atom", "graph", "size") if name in inputs}

    def pooled(index: int, atoms):
        name = f"{'atom_head' if architecture.readout == 'sum' else 'head'}_{index}"
        head = Head(
            architecture.dense,
            targets * width,
            dropout=architecture.dropout,
            seed=next(seeds),
            dtype=precision,
            name=name,
        )
        if architecture.readout == "sum":
            return AtomPooling(name=f"mean_{index}")({"rows": head(atoms), **where})
        if architecture.readout == "set2set":
            readout = Set2Set(architecture.set2set_steps, seed=next(seeds), name=f"set2set_{index}")
            return head(readout({"rows": atoms, **where}))
        pool = AtomPooling(norm=NORM_ATOMS if architecture.readout == "norm" else 0.0, name=f"mean_{index}")
        return head(pool({"rows": atoms, **where}))

    def member(index: int):
        messages = _messages(architecture, layout, seed=next(seeds), dtype=precision, name=f"messages_{index}")
        if architecture.network != "painn":
            return pooled(index, messages(inputs))
        atoms, vectors = messages(inputs)
        values = pooled(index, atoms)
        if not any(dipole):
            return values
        own = {"scalars": atoms, "vectors": vectors, "position": inputs["position"]}
        vectors = DipoleMoments(sum(dipole), seed=next(seeds), name=f"dipoles_{index}")({**own, **where})
        offset = [at / unit for at, unit in zip(location, scale, strict=True)]
        return DipoleMagnitudes(dipole, offset, name=f"magnitudes_{index}")({"values": values, "vectors": vectors})

    values = StackMembers(name="members")([member(index) for index in range(architecture.ensemble_size)])
    answer = OutputScaling(kind, location, scale, reference.tolist(), extensive, classes, name="property")(
        {"values": values, **{name: inputs[name] for name in ("element", "graph", "size")}}
    )
    return keras.Model(inputs, answer, name=architecture.network.replace("-", "_"))


def _inputs(architecture: MPNN, layout: FeatureLayout) -> dict:
    """The inputs of a batch, by name; see `tenfold.emulators.graph_layouts`."""
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
    """The layer that makes vectors of atoms."""
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
