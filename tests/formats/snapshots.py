"""Small particle snapshots, as Gadget-2, Gadget-4, AREPO and SWIFT write them."""

import struct
from pathlib import Path

import h5py
import hdf5plugin
import numpy as np

KPC, MPC, MSUN = 3.085678e21, 3.08567758e24, 1.989e33
COSMOLOGY = {"Omega0": 0.3175, "OmegaLambda": 0.6825, "HubbleParam": 0.6711}
_TYPES = 6


def uniform(particles: int, box: float, seed: int = 0, dtype=np.float32) -> np.ndarray:
    """Positions thrown at random, shape (particles, 3), in the unit of the box."""
    positions = (np.random.default_rng(seed).random((particles, 3)) * box).astype(dtype)
    positions[positions >= box] = 0  # rounded up
    return positions


def write_gadget(
    path: Path,
    types: dict[int, tuple[np.ndarray, float | np.ndarray]],
    *,
    box: float,
    redshift: float = 0.0,
    producer: str = "gadget2",
    files: int = 1,
    blosc: bool = False,
    header: dict | None = None,
) -> list[Path]:
    """Write a snapshot, and return its files.

    Parameters
    ----------
    path
        Its only file; of several, "NAME.hdf5" stands for NAME.0.hdf5, NAME.1.hdf5 and so on.
    types
        Positions (particles, 3) in the unit of the box, and mass, of each type: one for all, in MassTable, or each.
    box
        BoxSize.
    producer
        "gadget2": no units. "gadget4": cosmology and units in /Parameters, attributes of datasets. "arepo": all in
        /Header, with attributes of datasets.
    files
        Number of files.
    blosc
        Whether datasets are in chunks compressed by Blosc.
    header
        Attributes that replace those of /Header.
    """
    paths = [path] if files == 1 else [path.with_suffix(f".{n}{path.suffix}") for n in range(files)]
    total = np.array([len(types[n][0]) if n in types else 0 for n in range(_TYPES)])
    masses = [types[n][1] if n in types and np.ndim(types[n][1]) == 0 else 0.0 for n in range(_TYPES)]
    for number, part in enumerate(paths):
        pieces = {n: np.array_split(np.arange(len(types[n][0])), files)[number] for n in types}
        with h5py.File(part, "w") as file:
            attributes = file.create_group("Header").attrs
            this = np.array([len(pieces[n]) if n in pieces else 0 for n in range(_TYPES)], np.uint32)
            attributes.update(
                {
                    "NumPart_ThisFile": this,
                    "NumPart_Total": total.astype(np.uint64 if producer == "gadget4" else np.uint32),
                    "MassTable": np.array(masses, np.float64),
                    "Time": 1 / (1 + redshift),
                    "Redshift": redshift,
                    "BoxSize": box,
                    "NumFilesPerSnapshot": np.int32(files),
                }
            )
            if producer != "gadget4":
                attributes["NumPart_Total_HighWord"] = (total >> 32).astype(np.uint32)
            cosmology = file.create_group("Parameters").attrs if producer == "gadget4" else attributes
            cosmology.update(COSMOLOGY)
            if producer != "gadget2":
                cosmology.update({"UnitLength_in_cm": KPC, "UnitMass_in_g": 1e10 * MSUN})
            attributes.update(header or {})
            for n, rows in pieces.items():
                positions, mass = types[n]
                _write(file, f"PartType{n}/Coordinates", positions[rows], blosc, producer, 1.0, KPC)
                if np.ndim(mass):
                    _write(file, f"PartType{n}/Masses", np.asarray(mass)[rows], blosc, producer, 0.0, 1e10 * MSUN)
                file[f"PartType{n}/ParticleIDs"] = rows.astype(np.uint32) + 1
    return paths


def _write(file: h5py.File, key: str, values: np.ndarray, blosc: bool, producer: str, a: float, cgs: float) -> None:
    plan = {"chunks": (max(1, len(values) // 3), *values.shape[1:]), **hdf5plugin.Blosc()} if blosc else {}
    dataset = file.create_dataset(key, data=values, **plan)
    if producer != "gadget2":
        dataset.attrs.update({"a_scaling": a, "h_scaling": -1.0, "to_cgs": cgs})


def write_gadget_binary(
    path: Path,
    types: dict[int, tuple[np.ndarray, float | np.ndarray]],
    *,
    box: float,
    redshift: float = 0.0,
    version: int = 1,
    order: str = "<",
    files: int = 1,
) -> list[Path]:
    """Write a snapshot in Gadget-2's binary format 1 or 2, and return its files: NAME, or NAME.0, NAME.1 and so on.

    Types of positions and masses are those of the arrays; the other arguments are as for `write_gadget`.
    """
    paths = [path] if files == 1 else [path.with_name(f"{path.name}.{n}") for n in range(files)]
    total = [len(types[n][0]) if n in types else 0 for n in range(6)]
    table = [types[n][1] if n in types and np.ndim(types[n][1]) == 0 else 0.0 for n in range(6)]
    for number, part in enumerate(paths):
        pieces = {n: np.array_split(np.arange(len(types[n][0])), files)[number] for n in sorted(types)}
        this = [len(pieces[n]) if n in pieces else 0 for n in range(6)]
        header = struct.pack(
            order + "6I6ddd2i6I2idddd2i6Ii60x", *this, *table, 1 / (1 + redshift), redshift, 0, 0,
            *(n & 0xFFFFFFFF for n in total), 0, files, box, *COSMOLOGY.values(), 0, 0, *(n >> 32 for n in total), 0,
        )  # fmt: skip
        x = np.concatenate([types[n][0][rows] for n, rows in pieces.items()])
        own = [np.asarray(types[n][1])[rows] for n, rows in pieces.items() if np.ndim(types[n][1])]
        records = {"HEAD": header, "POS ": x, "VEL ": np.zeros_like(x), "ID  ": np.arange(len(x), dtype=np.uint32)}
        records |= {"MASS": np.concatenate(own).astype(x.dtype)} if own else {}
        with part.open("wb") as file:
            for name, data in records.items():
                raw = data if isinstance(data, bytes) else data.astype(data.dtype.newbyteorder(order)).tobytes()
                length = struct.pack(order + "I", len(raw))
                if version == 2:
                    eight = struct.pack(order + "I", 8)
                    file.write(eight + name.encode() + struct.pack(order + "I", len(raw) + 8) + eight)
                file.write(length + raw + length)
    return paths


def write_swift(
    path: Path,
    types: dict[int, tuple[np.ndarray, np.ndarray]],
    *,
    box: float,
    redshift: float = 0.0,
    h: float = 0.681,
    omega_m: float = 0.304611,
    files: int = 1,
    positions: dict | None = None,
    header: dict | None = None,
) -> list[Path]:
    """Write a snapshot, and return its files: numbers are arrays of one element, lengths in Mpc without h.

    Parameters
    ----------
    path, files
        As for `write_gadget`; of several files there is one more, of virtual datasets, under `path` itself.
    types
        Positions (particles, 3) [Mpc, comoving] and masses [1e10 Msun] of each type.
    box
        Side of the box [Mpc, comoving].
    redshift, h, omega_m
        Redshift, Hubble constant / (100 km/s/Mpc), and Ω_m of a flat cosmology.
    positions
        Attributes that replace those of the positions.
    header
        Attributes that replace those of /Header.
    """
    paths = [path] if files == 1 else [path.with_suffix(f".{n}{path.suffix}") for n in range(files)]
    total = np.array([len(types[n][0]) if n in types else 0 for n in range(7)])
    a = 1 / (1 + redshift)
    for number, part in enumerate(paths):
        pieces = {n: np.array_split(np.arange(len(types[n][0])), files)[number] for n in types}
        with h5py.File(part, "w") as file:
            this = np.array([len(pieces[n]) if n in pieces else 0 for n in range(7)], np.int64)
            _swift_metadata(file, total, this, files, box, a, (h, omega_m), header or {})
            for n, rows in pieces.items():
                x = file.create_dataset(f"PartType{n}/Coordinates", data=types[n][0][rows])
                x.attrs.update({**_exponents(length=1.0, a=1.0), **(positions or {})})
                m = file.create_dataset(f"PartType{n}/Masses", data=types[n][1][rows].astype(np.float32))
                m.attrs.update(_exponents(mass=1.0))
            file["DMParticles"] = h5py.SoftLink("/PartType1")
    if files > 1:
        with h5py.File(path, "w") as file:
            _swift_metadata(file, total, total, 1, box, a, (h, omega_m), {"Virtual": np.array([1], np.int32)})
            for n, (x, _) in types.items():
                layout = h5py.VirtualLayout(x.shape, x.dtype)
                for number, rows in enumerate(np.array_split(np.arange(len(x)), files)):
                    source = h5py.VirtualSource(paths[number].name, f"PartType{n}/Coordinates", (len(rows), 3), x.dtype)
                    layout[rows[0] : rows[-1] + 1] = source
                file.create_virtual_dataset(f"PartType{n}/Coordinates", layout)
    return paths


def _swift_metadata(
    file: h5py.File, total, this, files: int, box: float, a: float, cosmology: tuple[float, float], header: dict
) -> None:
    file.create_group("Header").attrs.update(
        {
            "Code": np.bytes_("SWIFT"),
            "OutputType": np.bytes_("FullVolume"),
            "BoxSize": np.full(3, box),
            "NumPart_ThisFile": this,
            "NumPart_Total": total.astype(np.uint32),
            "NumPart_Total_HighWord": (total >> 32).astype(np.uint32),
            "NumFilesPerSnapshot": np.array([files], np.int32),
            "MassTable": np.zeros(7),
            "Redshift": np.array([1 / a - 1]),
            "Scale-factor": np.array([a]),
            "Time": np.array([0.0141]),
            "Virtual": np.array([0], np.int32),
            **header,
        }
    )
    file.create_group("Units").attrs.update(
        {
            "Unit length in cgs (U_L)": np.array([MPC]),
            "Unit mass in cgs (U_M)": np.array([1.98841e43]),
            "Unit time in cgs (U_t)": np.array([3.08567758e19]),
        }
    )
    h, omega_m = cosmology
    numbers = {
        "Cosmological run": 1, "Omega_m": omega_m, "Omega_b": 0.0486, "Omega_lambda": 0.9985 - omega_m, "Omega_k": 0.0,
        "h": h, "w_0": -1.0, "w_a": 0.0, "Scale-factor": a, "Redshift": 1 / a - 1,
    }  # fmt: skip
    file.create_group("Cosmology").attrs.update({name: np.array([value]) for name, value in numbers.items()})


def _exponents(length: float = 0.0, mass: float = 0.0, a: float = 0.0) -> dict[str, np.ndarray]:
    names = {"U_L exponent": length, "U_M exponent": mass, "a-scale exponent": a, "h-scale exponent": 0.0}
    return {name: np.array([value], np.float32) for name, value in names.items()} | {
        "Value stored as physical": np.array([0], np.int32)
    }
