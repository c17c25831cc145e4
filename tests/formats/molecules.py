"""Small faithful files of molecules: tables, SD files, QM9's XYZ, extended XYZ."""

import csv
import random
from collections.abc import Sequence
from pathlib import Path

from rdkit import Chem
from rdkit.Chem import AllChem

from tenfold.pipelines.molecules.ingest import MoleculeIngest

CONFIG = MoleculeIngest(targets=("y",), processes=1)

SMILES = (
    "C", "CC", "CCO", "CCN", "c1ccccc1", "c1ccncc1", "CC(=O)O", "CC(C)=O", "C#N", "C1CC1", "c1ccc2ccccc2c1", "OCC(O)CO",
    "CC(N)C(=O)O", "Clc1ccccc1", "BrCC", "FC(F)F", "CS(C)=O", "O=C1CCCCC1", "C1CCOC1", "Nc1ccccc1", "Oc1ccccc1",
    "CC(=O)Oc1ccccc1C(=O)O", "CN1C=NC2=C1C(=O)N(C(=O)N2C)C", "CCCCCCCC",
)  # fmt: skip
"""Two dozen distinct valid molecules."""

# doi:10.1038/sdata.2014.22: the first three of 133,885, as in the archive.
QM9 = {
    "dsgdb9nsd_000001.xyz": (
        "5\ngdb 1\t157.7118\t157.70997\t157.70699\t0.\t13.21\t-0.3877\t0.1171\t0.5048\t35.3641\t0.044749\t-40.47893\t"
        "-40.476062\t-40.475117\t-40.498597\t6.469\t\n"
        "C\t-0.0126981359\t 1.0858041578\t 0.0080009958\t-0.535689\n"
        "H\t 0.002150416\t-0.0060313176\t 0.0019761204\t 0.133921\n"
        "H\t 1.0117308433\t 1.4637511618\t 0.0002765748\t 0.133922\n"
        "H\t-0.540815069\t 1.4475266138\t-0.8766437152\t 0.133923\n"
        "H\t-0.5238136345\t 1.4379326443\t 0.9063972942\t 0.133923\n"
        "1341.307\t1341.3284\t1341.365\t1562.6731\t1562.7453\t3038.3205\t3151.6034\t3151.6788\t3151.7078\n"
        "C\tC\t\nInChI=1S/CH4/h1H4\tInChI=1S/CH4/h1H4\n"
    ),
    "dsgdb9nsd_000002.xyz": (
        "4\ngdb 2\t293.60975\t293.54111\t191.39397\t1.6256\t9.46\t-0.257\t0.0829\t0.3399\t26.1563\t0.034358\t"
        "-56.525887\t-56.523026\t-56.522082\t-56.544961\t6.316\t\n"
        "N\t-0.0404260543\t 1.0241077531\t 0.0625637998\t-0.707143\n"
        "H\t 0.0172574639\t 0.0125452063\t-0.0273771593\t 0.235712\n"
        "H\t 0.9157893661\t 1.3587451948\t-0.0287577581\t 0.235712\n"
        "H\t-0.5202777357\t 1.3435321258\t-0.7755426124\t 0.235720\n"
        "1103.8733\t1684.1158\t1684.3072\t3458.7145\t3592.9608\t3593.0014\n"
        "N\tN\t\nInChI=1S/H3N/h1H3\tInChI=1S/H3N/h1H3\n"
    ),
    "dsgdb9nsd_000003.xyz": (
        "3\ngdb 3\t799.58812\t437.90386\t282.94545\t1.8511\t6.31\t-0.2928\t0.0687\t0.3615\t19.0002\t0.021375\t"
        "-76.404702\t-76.401867\t-76.400922\t-76.422349\t6.002\t\n"
        "O\t-0.0343604951\t 0.9775395708\t 7.6015923*^-3\t-0.589706\n"
        "H\t 0.0647664923\t 0.0205721989\t 1.5346341*^-3\t 0.294853\n"
        "H\t 0.8717903737\t 1.3007924048\t 6.931336*^-4\t 0.294853\n"
        "1671.4222\t3803.6305\t3907.698\n"
        "O\tO\t\nInChI=1S/H2O/h1H2\tInChI=1S/H2O/h1H2\n"
    ),
}


def knot(atoms: int) -> str:
    """A ring of carbon atoms with random cross bonds, which form hundreds of interlocked rings."""
    ends = list(range(atoms))
    random.Random(0).shuffle(ends)
    while any(abs(a - b) in (1, atoms - 1) for a, b in zip(ends[::2], ends[1::2], strict=True)):
        random.Random(len(ends)).shuffle(ends)
        ends.append(ends.pop(0))
    chord = {atom: number for number, pair in enumerate(zip(ends[::2], ends[1::2], strict=True)) for atom in pair}
    return "".join(f"C%({chord[atom] + 100})" for atom in range(atoms))


HOSTILE = {
    knot(3000): "did not end within 2 s",
    "C" * 10**4: "10,000 atoms, more than max_atoms 4,000",
    "C(" * 9000: "not a SMILES",
    "CC\x1b[31mO": "not a SMILES",
}
"""Molecules that must not be read with max_atoms 4,000 and 2 s each, and the reasons."""


def write_csv(path: Path, rows: Sequence[Sequence], header: Sequence[str] = ("smiles", "y")) -> Path:
    """Write a table."""
    with path.open("w", newline="") as opened:
        csv.writer(opened).writerows([header, *rows])
    return path


def write_table(path: Path, count: int = len(SMILES)) -> Path:
    """Write a table of ``count`` molecules; y is their index."""
    return write_csv(path, [(SMILES[n], n) for n in range(count)])


def write_qm9(folder: Path) -> Path:
    """Write the QM9 files of methane, ammonia and water."""
    folder.mkdir(exist_ok=True)
    for name, text in QM9.items():
        (folder / name).write_text(text)
    return folder


def embed(smiles: str) -> Chem.Mol:
    """Return a molecule with hydrogens and coordinates."""
    mol = Chem.AddHs(Chem.MolFromSmiles(smiles))
    assert AllChem.EmbedMolecule(mol, randomSeed=1) == 0
    return mol


def write_sdf(path: Path, smiles: Sequence[str]) -> Path:
    """Write an SD file with coordinates; y is the index, and the title mol_ and the index."""
    with path.open("w") as opened:
        for n, text in enumerate(smiles):
            mol = embed(text)
            mol.SetProp("_Name", f"mol_{n}")
            opened.write(f"{Chem.MolToMolBlock(mol)}>  <y>  ({n + 1})\n{n}\n\n$$$$\n")
    return path


def write_extended_xyz(path: Path, smiles: Sequence[str], *, named: bool = True) -> Path:
    """Write frames of extended XYZ; y is the index."""
    with path.open("w") as opened:
        for n, text in enumerate(smiles):
            mol = embed(text)
            name = f'smiles="{text}" ' if named else ""
            opened.write(f'{mol.GetNumAtoms()}\nProperties=species:S:1:pos:R:3 {name}y={n} pbc="F F F"\n')
            for atom, (x, y, z) in zip(mol.GetAtoms(), mol.GetConformer().GetPositions(), strict=True):
                opened.write(f"{atom.GetSymbol()} {x:.6f} {y:.6f} {z:.6f}\n")
    return path


def file_bytes(folder: Path) -> dict[str, bytes]:
    """Content of all files in a folder."""
    return {file.name: file.read_bytes() for file in sorted(folder.iterdir())}


def rejected(folder: Path) -> list[tuple[str, int, str, str]]:
    """File name, line, text and reason of the rejected molecules."""
    with (folder / "rejected.csv").open(newline="") as opened:
        return [
            (Path(row["file"]).name, int(row["line"]), row["text"], row["reason"]) for row in csv.DictReader(opened)
        ]
