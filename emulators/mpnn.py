"""Message-passing networks that read properties off molecules: what can be chosen, and how one is built."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, get_args

import numpy as np

from tenfold.emulators.graphs import FeatureLayout

if TYPE_CHECKING:
    import keras

    from tenfold.emulators.graph_batches import Batch

Network = Literal["dmpnn", "enn-s2s", "painn"]
Readout = Literal["published", "sum", "mean", "norm", "set2set"]
Kind = Literal["regression", "classification"]

PUBLISHED: dict[str, dict[str, Any]] = {
    "dmpnn": {"hidden": 300, "depth": 3, "readout": "mean", "dense": (300,)},
    "enn-s2s": {"hidden": 64, "depth": 3, "readout": "set2set", "dense": (128,)},
    "painn": {"hidden": 128, "depth": 3, "readout": "sum", "dense": (64,)},
}
"""Shapes as published: Yang et al. 2019 (arXiv:1904.01561), Gilmer et al. 2017, Schütt et al. 2021."""


@dataclass(frozen=True, kw_only=True)
class MPNN:
    """A message-passing network: which, how large, and how atoms become a molecule.

    Zeros, ``"published"`` and an empty ``dense`` stand for what the network's paper has, and are filled in at once.
    """

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
    the head."""
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
    radial: int = 20
    """painn: radial functions that describe a distance."""
    ensemble: int = 1
    """Networks that are trained as one and differ in their initial weights."""

    def __post_init__(self):
        """Fill in what is published and refuse what cannot be built."""
        if self.network not in PUBLISHED:
            raise ValueError(f"network: {self.network!r} is none of {', '.join(PUBLISHED)}")
        for name, value in PUBLISHED[self.network].items():
            if getattr(self, name) in (0, (), "published"):
                object.__setattr__(self, name, value)
        if self.readout not in get_args(Readout):
            raise ValueError(f"readout: {self.readout!r} is none of {', '.join(get_args(Readout))}")
        object.__setattr__(self, "dense", tuple(self.dense))
        for name in ("hidden", "depth", "edge_hidden", "towers", "set2set_steps", "radial", "ensemble"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name}: found {getattr(self, name)}, must be at least 1")
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
    shape: MPNN,
    layout: FeatureLayout,
    *,
    targets: int,
    kind: Kind = "regression",
    location: Sequence[float] | None = None,
    scale: Sequence[float] | None = None,
    atom_reference: np.ndarray | None = None,
    extensive: Sequence[bool] | None = None,
    seed: int = 0,
    precision: str = "float32",
) -> "keras.Model":
    """Build an untrained network.

    Parameters
    ----------
    shape, layout
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
    seed
        Seed of the initial weights.
    precision
        Keras dtype policy: ``"float32"`` or ``"mixed_bfloat16"``.

    Returns
    -------
    keras.Model
        The inputs of a `tenfold.emulators.graph_batches.Batch` of capacity G to (G, T, members, 2): mean and standard
        deviation in the targets' units; or to (G, T, members, 1): logits of the probability of 1.

    Raises
    ------
    ValueError
        Shapes of the arguments do not agree, or a ``norm`` readout is asked for an extensive target.
    """
    # loaded here, so that reading a configuration does not wait for the backend
    import keras

    from tenfold.emulators.graph_layers import Head, MeanPool, Members, PropertyHead
    from tenfold.emulators.set2set import Set2Set

    location = [0.0] * targets if location is None else [float(v) for v in location]
    scale = [1.0] * targets if scale is None else [float(v) for v in scale]
    extensive = [False] * targets if extensive is None else [bool(v) for v in extensive]
    elements = layout.atoms[0].width
    reference = np.zeros((elements, targets)) if atom_reference is None else np.asarray(atom_reference, np.float64)
    if not len(location) == len(scale) == len(extensive) == targets or reference.shape != (elements, targets):
        raise ValueError(
            f"targets: {targets}, but location, scale and extensive have {len(location)}, {len(scale)} and "
            f"{len(extensive)} values, and atom_reference, shape {reference.shape}, should be {(elements, targets)}"
        )
    if shape.readout == "norm" and any(extensive):
        raise ValueError("readout: norm does not grow with the molecule as extensive targets do: take sum")
    outputs_per_target = 2 if kind == "regression" else 1
    seeds = iter(range(seed * 1000, seed * 1000 + 1000))
    inputs = _inputs(shape, layout)

    def member(index: int):
        atoms = _messages(shape, layout, next(seeds), precision, f"messages_{index}")(inputs)
        head = Head(
            shape.dense, outputs_per_target * targets, dropout=shape.dropout, seed=next(seeds), dtype=precision,
            name=f"{'atom_head' if shape.readout == 'sum' else 'head'}_{index}",
        )  # fmt: skip
        where = {name: inputs[name] for name in ("atom", "graph", "size") if name in inputs}
        if shape.readout == "sum":
            return MeanPool(name=f"mean_{index}")({"rows": head(atoms), **where})
        if shape.readout == "set2set":
            readout = Set2Set(shape.set2set_steps, seed=next(seeds), name=f"set2set_{index}")
            return head(readout({"rows": atoms, **where}))
        pool = MeanPool(norm=100.0 if shape.readout == "norm" else 0.0, name=f"mean_{index}")
        return head(pool({"rows": atoms, **where}))

    values = Members(name="members")([member(index) for index in range(shape.ensemble)])
    answer = PropertyHead(kind, location, scale, reference.tolist(), extensive, name="property")(
        {"values": values, **{name: inputs[name] for name in ("element", "graph", "size")}}
    )
    return keras.Model(inputs, answer, name=shape.network.replace("-", "_"))


def _inputs(shape: MPNN, layout: FeatureLayout) -> dict:
    """The inputs of a batch, by name."""
    import keras

    def index(name):
        return keras.Input((), dtype="int32", name=name)

    inputs = {
        "size": keras.Input((), dtype="float32", name="size"),
        "graph": index("graph"),
        "element": index("element"),
    }
    inputs |= {
        "type_codes": keras.Input((len(layout.atoms),), dtype="uint8", name="type_codes"),
        "edge_type": index("edge_type"),
        "edge_codes": keras.Input((len(layout.bonds),), dtype="uint8", name="edge_codes"),
    }
    for step in range(1, shape.depth):
        inputs |= {name: index(name) for name in (f"root_{step}", f"child_{step}", f"parent_{step}")}
    return inputs | {name: index(name) for name in ("atom_type", "atom_child", "atom_parent", "atom")}


def _messages(shape: MPNN, layout: FeatureLayout, seed: int, precision: str, name: str):
    """The layer that makes vectors of atoms."""
    from tenfold.emulators.dmpnn import DirectedMessages

    tables = [[(f.width, f.scale) for f in features] for features in (layout.atoms, layout.bonds)]
    return DirectedMessages(
        shape.hidden, shape.depth, *tables, dropout=shape.dropout, seed=seed, dtype=precision, name=name
    )


def contributions(network: "keras.Model", batch: "Batch") -> np.ndarray:
    """What each atom adds to a prediction, of a network with a ``sum`` readout.

    Parameters
    ----------
    network
        As `build` returns it; members of an ensemble are averaged.
    batch
        Molecules, laid out for it.

    Returns
    -------
    (A, T) array
        In the targets' units (or logits), by atom in the order of the molecules. A molecule's atoms add up to its mean.

    Raises
    ------
    ValueError
        The network makes molecules of atoms before its head, so that no atom has a share of its own.
    """
    import keras

    heads = [layer.output for layer in network.layers if layer.name.startswith("atom_head_")]
    if not heads:
        raise ValueError("network: it makes molecules of atoms before its head, so atoms have no shares: readout sum")
    rows = np.mean([np.asarray(rows) for rows in keras.Model(network.inputs, heads)(batch.inputs)], axis=0)
    if "atom" in batch.inputs:
        rows = rows[batch.inputs["atom"]]
    graph, element = (batch.inputs[name][: batch.atoms] for name in ("graph", "element"))
    return network.get_layer("property").shares(rows[: batch.atoms], batch.inputs["size"][graph], element)
