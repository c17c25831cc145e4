"""Morgan fingerprints of molecules, radius 2, 2048 bits (doi:10.1021/ci100050t)."""

from collections.abc import Sequence

import numpy as np
from rdkit import Chem, DataStructs, rdBase
from rdkit.Chem import rdFingerprintGenerator

FINGERPRINT_BYTES = 256
"""Size of a packed fingerprint [bytes]."""
_MORGAN = rdFingerprintGenerator.GetMorganGenerator(radius=2, fpSize=8 * FINGERPRINT_BYTES)


def morgan_fingerprint(mol: Chem.Mol) -> bytes:
    """Return the packed Morgan fingerprint of a molecule with implicit hydrogens, 256 bytes."""
    return DataStructs.BitVectToBinaryText(_MORGAN.GetFingerprint(mol))


def morgan_fingerprints(smiles: Sequence[str]) -> np.ndarray:
    """Return the packed Morgan fingerprints of SMILES, shape (n, 256), uint8; all zero for invalid SMILES."""
    with rdBase.BlockLogs():
        molecules = map(Chem.MolFromSmiles, smiles)
        packed = b"".join(bytes(FINGERPRINT_BYTES) if mol is None else morgan_fingerprint(mol) for mol in molecules)
    return np.frombuffer(packed, np.uint8).reshape(-1, FINGERPRINT_BYTES)
