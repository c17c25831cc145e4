import dataclasses
import gzip
import io
import tarfile

import numpy as np
import pytest
from rdkit import Chem
from tests.formats.molecules import (
    CONFIG,
    QM9,
    SMILES,
    embed,
    rejected,
    write_csv,
    write_extended_xyz,
    write_qm9,
    write_sdf,
    write_table,
)

from tenfold.pipelines.errors import InputError
from tenfold.pipelines.molecules.ingest import MoleculeIngest, ingest_molecules
from tenfold.pipelines.molecules.shards import MoleculeShards

pytestmark = pytest.mark.slow

PLACED = dataclasses.replace(CONFIG, geometry="given", hydrogens=True, fractions=(1, 0, 0))
PROPERTIES = ("A", "B", "C", "mu", "alpha", "homo", "lumo", "gap", "r2", "zpve", "u0", "u298", "h298", "g298", "cv")
ATOMISATION = ("u0_atom", "u298_atom", "h298_atom", "g298_atom")
# Published: doi:10.1038/sdata.2014.22, and gdb9.sdf.csv for the energies of atomisation [kcal/mol].
METHANE = (157.7118, 157.70997, 157.70699, 0, 13.21, -0.3877, 0.1171, 0.5048, 35.3641, 0.044749, -40.47893,
           -40.476062, -40.475117, -40.498597, 6.469, -395.999594594, -398.643290011,
           -401.014646522, -372.471772148)  # fmt: skip
AMMONIA = (293.60975, 293.54111, 191.39397, 1.6256, 9.46, -0.257, 0.0829, 0.3399, 26.1563, 0.034358, -56.525887,
           -56.523026, -56.522082, -56.544961, 6.316, -276.861363363, -278.62027109,
           -280.399259105, -259.338802047)  # fmt: skip
WATER = (799.58812, 437.90386, 282.94545, 1.8511, 6.31, -0.2928, 0.0687, 0.3615, 19.0002, 0.021375, -76.404702,
         -76.401867, -76.400922, -76.422349, 6.002, -213.087623693, -213.97429391,
         -215.159658411, -201.407171167)  # fmt: skip


def read(paths, out, config):
    """Targets, graphs and SMILES of all molecules."""
    ingest_molecules(paths, out, config)
    shards = MoleculeShards.open(out)
    everything = np.arange(len(shards))
    return shards.targets(everything), shards.graphs(everything), shards.smiles(everything), shards


def test_qm9_files_give_the_published_values(tmp_path):
    config = dataclasses.replace(PLACED, targets=(*PROPERTIES, *ATOMISATION, "omega1"))
    targets, graphs, smiles, shards = read([write_qm9(tmp_path / "qm9")], tmp_path / "data", config)
    np.testing.assert_allclose(targets[:, :15], [METHANE[:15], AMMONIA[:15], WATER[:15]], rtol=1e-12)
    np.testing.assert_allclose(targets[:, 15:19], [METHANE[15:], AMMONIA[15:], WATER[15:]], rtol=1e-6)
    assert targets[:, 19].tolist() == [3151.7078, 3593.0014, 3907.698]
    units = (
        ["GHz"] * 3 + ["D", "a0^3"] + ["Ha"] * 3 + ["a0^2"] + ["Ha"] * 5 + ["cal/mol/K"] + ["kcal/mol"] * 4 + ["cm^-1"]
    )
    assert [target.unit for target in shards.manifest.targets] == units
    assert smiles == ["C", "N", "O"]
    assert graphs.sizes.tolist() == [5, 4, 3]
    assert graphs.positions is not None
    oxygen, *hydrogens = graphs.take(np.array([2])).positions
    for place in hydrogens:  # O-H in water is 0.962 Å by B3LYP/6-31G(2df,p)
        assert np.linalg.norm(place - oxygen) == pytest.approx(0.962, abs=0.001)


def test_qm9_is_converted_to_the_requested_unit(tmp_path):
    config = dataclasses.replace(PLACED, targets=("gap", "u0_atom"), units={"gap": "eV", "u0_atom": "eV"})
    targets, *_ = read([write_qm9(tmp_path / "qm9")], tmp_path / "data", config)
    np.testing.assert_allclose(targets[0], [0.5048 * 27.211386246, -395.999594594 * 0.04336414], rtol=1e-6)
    with pytest.raises(
        InputError, match="gap is given in Ha, which cannot be converted to D; valid are eV, meV, Ha, kcal/mol"
    ):
        read([tmp_path / "qm9"], tmp_path / "other", dataclasses.replace(config, units={"gap": "D"}))


def test_qm9_is_not_mixed_with_tables_of_unknown_units(tmp_path):
    table = write_csv(tmp_path / "a.csv", [("CC", 0.2)], ("smiles", "gap"))
    for order in ([table, tmp_path / "qm9"], [tmp_path / "qm9", table]):
        write_qm9(tmp_path / "qm9")
        with pytest.raises(InputError, match=r"qm9/: is QM9, which defines units, but .*a.csv is not"):
            ingest_molecules(order, tmp_path / "data", dataclasses.replace(CONFIG, targets=("gap",)))


def test_molecules_listed_as_uncharacterised_are_excluded(tmp_path):
    write_qm9(tmp_path / "qm9")
    listed = tmp_path / "uncharacterized.txt"
    listed.write_text("Index  SMILES\n=====\n     2   N   N\n")
    config = dataclasses.replace(PLACED, targets=("gap",), exclude=str(listed), rejected_threshold=0)
    assert read([tmp_path / "qm9"], tmp_path / "data", config)[2] == ["C", "O"]
    assert [row[3] for row in rejected(tmp_path / "data")] == ["excluded by the user"]


@pytest.mark.parametrize("packed", ["tar", "tar.gz", "tar.bz2", "tar.xz"])
def test_an_archive_is_read_as_the_folder_is(tmp_path, packed):
    write_qm9(tmp_path / "qm9")
    path = tmp_path / f"qm9.{packed}"
    with tarfile.open(path, f"w:{packed.partition('.')[2]}") as tar:
        tar.add(tmp_path / "qm9", "qm9")
        linked = tarfile.TarInfo("qm9/linked.xyz")
        linked.type, linked.linkname = tarfile.SYMTYPE, "/etc/passwd"
        tar.addfile(linked)
        about = tarfile.TarInfo("qm9/readme.txt")
        about.size = 5
        tar.addfile(about, io.BytesIO(b"hello"))
    config = dataclasses.replace(PLACED, targets=("gap", "mu"))
    targets, _, smiles, shards = read([path], tmp_path / "data", config)
    assert smiles == ["C", "N", "O"]
    np.testing.assert_array_equal(targets, [[0.5048, 0], [0.3399, 1.6256], [0.3615, 1.8511]])
    assert shards.keys([1]) == [(f"{path}/qm9/dsgdb9nsd_000002.xyz", 1)]
    assert sorted(file.name for file in (tmp_path / "data").iterdir()) == [
        ".tenfold.json", "index.h5", "manifest.json", "molecules_00000.h5", "rejected.csv",
    ]  # fmt: skip


@pytest.mark.parametrize("records", [5, 100])
def test_the_molecules_do_not_depend_on_the_size_of_the_shards(tmp_path, records):
    smiles = SMILES[:11]
    config = dataclasses.replace(PLACED, records_per_shard=records)
    for path in (
        write_sdf(tmp_path / "m.sdf", smiles),
        write_extended_xyz(tmp_path / "m.xyz", smiles),
        write_extended_xyz(tmp_path / "bare.extxyz", smiles, named=False),
    ):
        targets, graphs, read_smiles, _ = read([path], tmp_path / path.suffix[1:], config)
        assert targets[:, 0].tolist() == list(range(11))
        for n, molecule in enumerate(smiles):
            assert Chem.CanonSmiles(read_smiles[n]) == Chem.CanonSmiles(molecule)
            mol = embed(molecule)
            one = graphs.take(np.array([n]))
            np.testing.assert_allclose(one.positions, mol.GetConformer().GetPositions(), atol=1e-4)
            expected = config.featuriser.graph(mol)
            np.testing.assert_array_equal(one.atoms, expected.atoms)
            assert sorted(map(sorted, one.bonds.tolist())) == sorted(map(sorted, expected.bonds.tolist()))


def test_several_files_of_several_formats_are_one_data_set(tmp_path):
    folder = tmp_path / "m"
    folder.mkdir()
    write_sdf(folder / "a.sdf", SMILES[:3])
    write_table(folder / "b.csv", 4)
    with gzip.open(folder / "c.csv.gz", "wt") as opened:
        opened.write("smiles\ty\nCCCl\t7\n")
    write_extended_xyz(folder / "d.xyz", SMILES[4:6])
    (folder / "notes.txt").write_text("not molecules")
    config = dataclasses.replace(CONFIG, records_per_shard=4)
    targets, *_, shards = read([folder], tmp_path / "data", config)
    assert len(shards) == 3 + 4 + 1 + 2
    assert sorted(targets[:, 0].tolist()) == sorted([0, 1, 2, 0, 1, 2, 3, 7, 0, 1])
    assert [source.molecules for source in shards.manifest.sources] == [2, 3, 4, 1]


def test_labels_are_read_from_a_table_beside_the_sd_file(tmp_path):
    write_sdf(tmp_path / "gdb9.sdf", SMILES[:4])
    rows = [(f"mol_{n}", n * 10) for n in (3, 1, 0)]
    write_csv(tmp_path / "gdb9.sdf.csv", rows, ("mol_id", "gap"))
    config = dataclasses.replace(PLACED, targets=("gap", "y"))
    for source in (tmp_path / "gdb9.sdf", tmp_path):
        targets, *_ = read([source], tmp_path / f"data of {source.name}", config)
        assert targets.tolist() == [[0, 0], [10, 1], [30, 3]]
    assert [row[3] for row in rejected(tmp_path / "data of gdb9.sdf")] == [f"has no row in {tmp_path / 'gdb9.sdf.csv'}"]


def test_an_archive_of_an_sd_file_and_its_table_is_read_as_both(tmp_path):
    write_sdf(tmp_path / "gdb9.sdf", SMILES[:3])
    write_csv(tmp_path / "gdb9.sdf.csv", [(f"mol_{n}", n * 10) for n in range(3)], ("mol_id", "gap"))
    with tarfile.open(tmp_path / "gdb9.tar.gz", "w:gz") as tar:
        for name in ("gdb9.sdf", "gdb9.sdf.csv"):
            tar.add(tmp_path / name, name)
    config = dataclasses.replace(PLACED, targets=("gap",))
    assert read([tmp_path / "gdb9.tar.gz"], tmp_path / "data", config)[0].tolist() == [[0], [10], [20]]


def test_labels_are_read_from_a_table_of_files_without_a_header(tmp_path):
    with tarfile.open(tmp_path / "qm7.tar.gz", "w:gz") as tar:
        for name in ("b", "a"):
            (tmp_path / name).write_text("2\ncharge = 0\nH 0 0 0\nH 0 0 0.74\n")
            tar.add(tmp_path / name, f"qm7/{name}.xyz")
    (tmp_path / "labels.txt").write_text("qm7/a.xyz -1.5 2\nqm7/b.xyz -2.5 3\n")
    config = dataclasses.replace(PLACED, targets=("column_2",), labels=str(tmp_path / "labels.txt"))
    assert read([tmp_path / "qm7.tar.gz"], tmp_path / "data", config)[0].tolist() == [[-1.5], [-2.5]]
    with pytest.raises(InputError, match="no column 'y'; it has charge, column_1, column_2, column_3"):
        read([tmp_path / "qm7.tar.gz"], tmp_path / "data2", dataclasses.replace(config, targets=("y",)))


def test_tables_with_quotes_semicolons_tabs_and_windows_line_ends(tmp_path):
    for name, text in {
        "quoted": 'name,smiles,y\n"a, b\nc",CCO,1\n"d ""e""",CCN,2\n',
        "windows": "\ufeffsmiles,y\r\nCCO,1\r\n\r\nCCN,2\r\n",
        "semicolons": "y;SMILES\n1;CCO\n2;CCN",
        "tabs": "smiles\ty\nCCO\t1\nCCN\t2\n",
    }.items():
        (tmp_path / f"{name}.csv").write_bytes(text.encode())
        targets, _, smiles, _ = read([tmp_path / f"{name}.csv"], tmp_path / name, PLAIN)
        assert (smiles, targets[:, 0].tolist()) == (["CCO", "CCN"], [1, 2]), name
    assert [line for _, line in MoleculeShards.open(tmp_path / "quoted").keys([0, 1])] == [2, 4]


PLAIN = MoleculeIngest(targets=("y",), processes=1, fractions=(1, 0, 0), records_per_shard=1)

BAD_FRAMES = {
    "hello\n": "expected a number of atoms between 1 and 100,000, found 'hello'",
    "3\nProperties=species:S:1:pos:R:3\nO 0 0 0\n": "1 atoms where the header states 3: truncated?",
    "1\nProperties=species:S:1:pos:R:3\nO 0 0 nought\n": "'nought' is not a number",
    "1\nProperties=species:S:1:mass:R:1\nO 16\n": "lacks species (or Z) or pos",
    '1\nLattice="1 0 0 0 1 0 0 0 1" pbc="T T T"\nAr 0 0 0\n': "periodic: a crystal",
    "1\ny=0\nQq 0 0 0\n": "unknown element 'Qq'",
    '3\nsmiles="CC" y=1\nO 0 0 0\nH 0 0.6 0.76\nH 0 0.6 -0.76\n': "3 atoms, but its SMILES CC has 8",
    '3\nsmiles="O" y=1\nO 0 0 0\nH 0 0.6 0.76\nH 0 9 9\n': "its geometry does not match the bonds of its SMILES O",
    "": "empty file",
}


def test_bad_frames_are_rejected_with_their_reasons(tmp_path):
    (tmp_path / "m").mkdir()
    write_extended_xyz(tmp_path / "m" / "good.xyz", SMILES[:3])
    for n, text in enumerate(BAD_FRAMES):
        (tmp_path / "m" / f"{n}.xyz").write_text(text)
    smiles = read([tmp_path / "m"], tmp_path / "data", dataclasses.replace(PLACED, rejected_threshold=1))[2]
    assert smiles == list(SMILES[:3])
    reasons = {name: reason for name, _, _, reason in rejected(tmp_path / "data")}
    for n, reason in enumerate(BAD_FRAMES.values()):
        assert reason in reasons[f"{n}.xyz"]


def test_bad_records_of_an_sd_file_are_rejected_and_the_next_is_read(tmp_path):
    good = write_sdf(tmp_path / "good.sdf", SMILES[:2]).read_text()
    first, second = good.split("$$$$\n")[:2]
    broken = first.replace("M  END", "M  ENT"), first.replace(" C ", " Qq"), "title\n\n\n"
    (tmp_path / "m.sdf").write_text("$$$$\n".join([first, *broken, second, ""]))
    targets, *_ = read([tmp_path / "m.sdf"], tmp_path / "data", dataclasses.replace(PLACED, rejected_threshold=1))
    assert targets.tolist() == [[0], [1]]
    assert len(rejected(tmp_path / "data")) == 3


def test_a_truncated_archive_is_named(tmp_path):
    whole = gzip.compress(QM9["dsgdb9nsd_000001.xyz"].encode())
    (tmp_path / "m.xyz.gz").write_bytes(whole[:-20])
    with pytest.raises(InputError, match=r"m.xyz.gz: cannot be read, or is damaged"):
        ingest_molecules([tmp_path / "m.xyz.gz"], tmp_path / "data", dataclasses.replace(PLACED, targets=("gap",)))


def test_an_archive_larger_than_the_limit_is_refused(tmp_path):
    config = dataclasses.replace(CONFIG, largest_gib=1e-3)
    (tmp_path / "m.csv.gz").write_bytes(gzip.compress(b"smiles,y\n" + b"C,1\n" * 10**6))
    with pytest.raises(InputError, match=r"unpacks to more than largest_gib 0.001"):
        ingest_molecules([tmp_path / "m.csv.gz"], tmp_path / "data", config)
    assert [path.name for path in (tmp_path / "data").iterdir()] == [".tenfold.json"]


CELL = 'Lattice="9 0 0 0 9 0 0 0 9" Properties=species:S:1:pos:R:3 y=1'
WATER_ATOMS = "O 0 0 0\nH 0 0.6 0.76\nH 0 0.6 -0.76\n"


def test_a_lattice_is_periodic_unless_pbc_is_false(tmp_path):
    messages = {}
    for name, pbc in {"none": "", "true": ' pbc="T T T"', "slab": ' pbc="T T F"', "ones": ' pbc="1 1 1"'}.items():
        (tmp_path / f"{name}.xyz").write_text(f"3\n{CELL}{pbc}\n{WATER_ATOMS}" * 2)
        with pytest.raises(InputError) as error:
            ingest_molecules([tmp_path / f"{name}.xyz"], tmp_path / "data", PLACED)
        messages[name] = str(error.value)
    for message in messages.values():
        assert "2 of 2 molecules cannot be used" in message or "none of its 2 molecules can be read" in message
        assert "periodic: a crystal, not a molecule" in message
    assert 'a Lattice without pbc implies pbc="T T T"' in messages["none"]
    for name, pbc in {"box": "F F F", "zeros": "0 0 0"}.items():
        (tmp_path / f"{name}.xyz").write_text(f'3\n{CELL} pbc="{pbc}"\n{WATER_ATOMS}')
        assert read([tmp_path / f"{name}.xyz"], tmp_path / name, PLACED)[0].tolist() == [[1]]


def test_atoms_may_be_given_by_their_atomic_numbers(tmp_path):
    numbers = WATER_ATOMS.replace("O", "8").replace("H", "1")
    for name, comment in {"z": "Properties=Z:I:1:pos:R:3 y=1", "bare": "y=1"}.items():
        (tmp_path / f"{name}.xyz").write_text(f"3\n{comment}\n{numbers}")
        assert read([tmp_path / f"{name}.xyz"], tmp_path / name, PLACED)[2] == ["O"]
    (tmp_path / "bad.xyz").write_text("1\ny=1\n119 0 0 0\n")
    with pytest.raises(InputError, match="no element has the atomic number 119"):
        ingest_molecules([tmp_path / "bad.xyz"], tmp_path / "bad", PLACED)


def test_charges_are_integers_and_coordinates_finite(tmp_path):
    for text, message in (("charge=0.5", "charge 0.5 is not an integer"), ("charge=1_0", "'1_0' is not a number")):
        (tmp_path / "m.xyz").write_text(f"3\ny=1 {text}\n{WATER_ATOMS}")
        with pytest.raises(InputError, match=message):
            ingest_molecules([tmp_path / "m.xyz"], tmp_path / "data", PLACED)
    (tmp_path / "m.xyz").write_text("3\ny=1\n" + WATER_ATOMS.replace("0.76", "nan"))
    with pytest.raises(InputError, match="'nan' is not finite"):
        ingest_molecules([tmp_path / "m.xyz"], tmp_path / "data", PLACED)


def test_contradictory_labels_of_two_files_are_refused(tmp_path):
    write_sdf(tmp_path / "m.sdf", SMILES[:3])  # with y = 0, 1, 2
    write_csv(tmp_path / "m.sdf.csv", [("mol_0", 0), ("mol_1", "1.0"), ("mol_2", 7)], ("mol_id", "y"))
    assert read([tmp_path / "m.sdf"], tmp_path / "data", PLACED)[0].tolist() == [[0], [1]]
    assert [reason for *_, reason in rejected(tmp_path / "data")] == [
        f"y: '2' in its own file, but '7' in {tmp_path / 'm.sdf.csv'}"
    ]
