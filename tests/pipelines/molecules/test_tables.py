"""Tables written by other programs are read correctly, or refused with a remedy."""

import dataclasses
import zipfile

import pytest
from tests.formats.molecules import CONFIG, SMILES, rejected, write_csv, write_sdf, write_table

from tenfold.pipelines.errors import InputError
from tenfold.pipelines.molecules.ingest import ingest_molecules
from tenfold.pipelines.molecules.shards import MoleculeShards
from tenfold.pipelines.readers.archives import unpack
from tenfold.pipelines.readers.molecule import MoleculeRecord
from tenfold.pipelines.readers.molecules import inspect_file, read_records

pytestmark = pytest.mark.slow

TRAIN = dataclasses.replace(CONFIG, fractions=(1, 0, 0))


def read(path, raw: bytes, *, encoding: str = "", smiles_column: str = "") -> list[MoleculeRecord]:
    """Records of a table with the given bytes."""
    path.write_bytes(raw)
    (piece,) = unpack(path, path.with_suffix(".spool"), 1, encoding)
    described = inspect_file(piece, smiles_column, None)
    with piece.lines(described.start) as lines:
        return list(read_records(described, lines))


def good(records: list[MoleculeRecord]) -> list[tuple[str, str]]:
    return [(entry.smiles, entry.fields["y"]) for entry in records if not entry.problem]


def bad(records: list[MoleculeRecord]) -> list[tuple[int, str]]:
    return [(entry.line, entry.problem) for entry in records if entry.problem]


@pytest.mark.parametrize("at", [0, 7, 19])
def test_an_unbalanced_quote_rejects_only_its_row(tmp_path, at):
    rows = [('"' if n == at else "") + f"name {n},{SMILES[n]},{n}\n" for n in range(20)]
    records = read(tmp_path / "m.csv", ("name,smiles,y\n" + "".join(rows)).encode())
    assert good(records) == [(SMILES[n], str(n)) for n in range(20) if n != at]
    assert bad(records) == [(at + 2, "a quote opens in this line and is not closed before the end of the file")]


def test_an_unbalanced_quote_is_not_closed_by_the_quotes_of_later_rows(tmp_path):
    text = 'name,smiles,y\n"a,C,1\nb,CC,2\n"c, d",CCC,3\n"e,CCCC,4\nf,CO,5\n"g",CN,6\n"h,CF,7\ni",CCl,8\nj,CBr,9\n'
    records = read(tmp_path / "m.csv", text.encode())
    assert good(records) == [("CC", "2"), ("CCC", "3"), ("CO", "5"), ("CN", "6"), ("CCl", "8"), ("CBr", "9")]
    assert bad(records) == [
        (2, "a quote opens in this line and is closed in line 4, followed by text: a stray quote?"),
        (5, "a quote opens in this line and is closed in line 7, followed by text: a stray quote?"),
        (8, "a quote opens in this line and is closed in line 9, but both are complete rows: a stray quote?"),
    ]


def test_line_breaks_between_quotes_belong_to_the_cell(tmp_path):
    records = read(tmp_path / "m.csv", b'name,smiles,y\n"a\nb, ""c""\nd",CCO,1\nx,CC,2\n')
    assert [entry.fields["name"] for entry in records] == ['a\nb, "c"\nd', "x"]
    assert [entry.line for entry in records] == [2, 5]


def test_every_row_is_accepted_or_reported(tmp_path):
    rows = [('"' if n == 4 else "") + f"{SMILES[n]},{n}\n" for n in range(20)]
    (tmp_path / "m.csv").write_text("smiles,y\n" + "".join(rows))
    for records in (3, 100):
        config = dataclasses.replace(TRAIN, records_per_shard=records)
        summary = ingest_molecules([tmp_path / "m.csv"], tmp_path / str(records), config)
        assert (summary.molecules, summary.rejected) == (19, 1)
        assert [line for _, line, *_ in rejected(tmp_path / str(records))] == [6]


@pytest.mark.parametrize("end", ["\r", "\n", "\r\n"])
def test_line_ends_of_all_systems_are_read(tmp_path, end):
    records = read(tmp_path / "m.csv", end.join(["smiles,y", "CCO,1", "CC,2", ""]).encode())
    assert good(records) == [("CCO", "1"), ("CC", "2")]
    assert [entry.line for entry in records] == [2, 3]


def test_line_ends_may_be_mixed(tmp_path):
    assert good(read(tmp_path / "m.csv", b"smiles,y\r\nC,1\rCC,2\nCCC,3\r\rCCCC,4")) == [
        ("C", "1"), ("CC", "2"), ("CCC", "3"), ("CCCC", "4"),
    ]  # fmt: skip


def test_a_long_file_of_carriage_returns_is_read_row_by_row(tmp_path):
    raw = b"smiles,y\r" + b"".join(b"CCO,%d\r" % n for n in range(200_000))  # more than is read at once
    assert [entry.fields["y"] for entry in read(tmp_path / "m.csv", raw)] == list(map(str, range(200_000)))


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-32"])
def test_a_byte_order_mark_determines_the_encoding(tmp_path, encoding):
    records = read(tmp_path / "m.csv", "smiles,y,name\r\nCCO,1,µ\r\n".encode(encoding))
    assert [entry.fields for entry in records] == [{"smiles": "CCO", "y": "1", "name": "µ"}]


def test_an_encoding_without_a_mark_must_be_stated(tmp_path):
    raw = "smiles,y,name\nCC,1,a\nCCO,2,5 µM\n".encode("latin-1")
    with pytest.raises(InputError, match=r"m.csv, line 3: byte 0xb5 at 9 is not UTF-8. State the encoding .*latin-1"):
        read(tmp_path / "m.csv", raw)
    assert read(tmp_path / "m.csv", raw, encoding="latin-1")[1].fields["name"] == "5 µM"
    config = dataclasses.replace(TRAIN, encoding="latin-1")
    assert ingest_molecules([tmp_path / "m.csv"], tmp_path / "data", config).molecules == 2
    with pytest.raises(ValueError, match="encoding: found 'latin-99', examples of valid ones are utf-8, latin-1"):
        dataclasses.replace(TRAIN, encoding="latin-99")


def test_a_stated_utf_16_without_a_mark_is_read(tmp_path):
    raw = "smiles,y\nCCO,1\n".encode("utf-16-le")
    with pytest.raises(InputError, match="line 1: contains NUL bytes"):
        read(tmp_path / "m.csv", raw)
    assert good(read(tmp_path / "m.csv", raw, encoding="utf-16-le")) == [("CCO", "1")]
    with pytest.raises(InputError, match=r"m.csv: byte 29 is not UTF-16-LE"):
        read(tmp_path / "m.csv", raw[:-1], encoding="utf-16-le")


def test_nul_bytes_and_overlong_lines_are_rejected(tmp_path):
    records = read(tmp_path / "m.csv", b"smiles,y\nC\0C,1\nCC,2\n" + b"C" * 3_000_000 + b",3\nCO,4\n")
    assert good(records) == [("CC", "2"), ("CO", "4")]
    assert bad(records) == [
        (2, "contains NUL bytes: damaged, or not a text file"),
        (4, "a line of more than 1,048,576 bytes"),
    ]


def test_columns_without_a_name_are_not_the_smiles(tmp_path):
    for text in ("CCO,1,,,\n", "CC,2,,,\n"):  # as Excel saves a sheet in which cells to the right were cleared
        records = read(tmp_path / "m.csv", ("smiles,y,,,\n" + text).encode())
        assert good(records) == [tuple(text.split(",")[:2])]
        assert list(records[0].fields) == ["smiles", "y", "column_3", "column_4", "column_5"]
    assert good(read(tmp_path / "m.csv", b",smiles,y\n0,CCO,1\n")) == [("CCO", "1")]  # as pandas writes its index
    with pytest.raises(InputError, match=r"no column smiles; its columns are column_1, mol, y. Set smiles_column"):
        read(tmp_path / "m.csv", b",mol,y\n0,CCO,1\n")


def test_columns_of_equal_name_are_numbered(tmp_path):
    path = tmp_path / "m.csv"
    path.write_text("smiles,y,name,y\n" + "".join(f"{smiles},{n},a,{-n}\n" for n, smiles in enumerate(SMILES)))
    with pytest.raises(InputError, match=r"2 columns are called 'y'; they are read as y_2, y_4. Set targets"):
        ingest_molecules([path], tmp_path / "data", TRAIN)
    config = dataclasses.replace(TRAIN, targets=("y_4", "y_2"))
    ingest_molecules([path], tmp_path / "data", config)
    shards = MoleculeShards.open(tmp_path / "data")
    assert shards.targets([3]).tolist() == [[-3, 3]]
    with pytest.raises(InputError, match=r"2 columns are called 'smiles'; they are read as smiles_1, smiles_3"):
        read(path, b"smiles,y,smiles\nC,1,CC\n")
    assert read(path, b"smiles,y,smiles\nC,1,CC\n", smiles_column="smiles_3")[0].smiles == "CC"


def test_a_row_of_the_wrong_length_keeps_its_cells(tmp_path):
    (row,) = read(tmp_path / "m.csv", b"id,smiles,y\nmol_7,CCO\n")
    assert (row.cells, row.problem) == (("mol_7", "CCO"), "2 fields where the header has 3")


def test_a_list_of_smiles_has_names_and_no_header(tmp_path):
    records = read(tmp_path / "m.smi", b"CCO ethanol\n\nCCN\tethyl amine\nC\nc1ccccc1 |(1,2,3)| benzene ring\n")
    assert [(entry.line, entry.smiles, entry.fields["name"]) for entry in records] == [
        (1, "CCO", "ethanol"), (3, "CCN", "ethyl amine"), (4, "C", ""), (5, "c1ccccc1 |(1,2,3)|", "benzene ring"),
    ]  # fmt: skip
    records = read(tmp_path / "m.smi", b"SMILES Name\nCCO ethanol\n")  # as RDKit writes it
    assert [(entry.line, entry.smiles) for entry in records] == [(2, "CCO")]
    assert good(read(tmp_path / "m.smi", b"smiles,y\nCCO,1\n")) == [("CCO", "1")]


def test_a_list_of_smiles_has_its_labels_in_a_table(tmp_path):
    (tmp_path / "m.smi").write_text("".join(f"{smiles} mol{n}\n" for n, smiles in enumerate(SMILES)))
    labels = write_csv(tmp_path / "labels.csv", [(f"mol{n}", n) for n in range(len(SMILES))], ("name", "y"))
    ingest_molecules([tmp_path / "m.smi"], tmp_path / "data", dataclasses.replace(TRAIN, labels=str(labels)))
    shards = MoleculeShards.open(tmp_path / "data")
    assert shards.targets(range(len(SMILES)))[:, 0].tolist() == list(range(len(SMILES)))


def test_a_zip_file_is_read_and_a_bomb_or_an_archive_of_several_files_is_refused(tmp_path):
    write_table(tmp_path / "m.csv", 5)
    path = tmp_path / "m.csv.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as packed:
        packed.write(tmp_path / "m.csv", "m.csv")
    assert ingest_molecules([path], tmp_path / "data", TRAIN).molecules == 5
    with pytest.raises(InputError, match=r"m.csv.zip: unpacks to more than largest_gib 1e-08"):
        ingest_molecules([path], tmp_path / "data 2", dataclasses.replace(TRAIN, largest_gib=1e-8))
    with zipfile.ZipFile(path, "a") as packed:
        packed.writestr("other.csv", "smiles,y\n")
    with pytest.raises(
        InputError, match=r"m.csv.zip: a ZIP archive of 2 files \(m.csv, other.csv\); only one is supported. Unpack"
    ):
        ingest_molecules([path], tmp_path / "data 3", TRAIN)


@pytest.mark.parametrize(
    ("head", "message"),
    [
        (b"PAR1\x15\x04", r"a Parquet file. Write it as CSV, where pandas and pyarrow are: python -c .*read_parquet"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1", "an Excel workbook or another Office file. Save it as CSV"),
        (b"version https://git-lfs.github.com/spec/v1\n", "a pointer of Git LFS, not the file itself. Fetch it"),
        (b"\x89HDF\r\n\x1a\n", "an HDF5 file"),
        (b"\x28\xb5\x2f\xfd1", "compressed by zstd. Unpack it"),
    ],
)
def test_unsupported_files_are_refused_with_a_remedy(tmp_path, head, message):
    with pytest.raises(InputError, match=f"m.csv: {message}"):
        read(tmp_path / "m.csv", head)


def test_an_excel_workbook_is_refused(tmp_path):
    with zipfile.ZipFile(tmp_path / "m.xlsx", "w") as packed:
        packed.writestr("[Content_Types].xml", "<xml/>")
    with pytest.raises(InputError, match=r"m.xlsx: an Excel workbook or another Office file. Save it as CSV"):
        unpack(tmp_path / "m.xlsx", tmp_path / "spool", 1)


@pytest.mark.parametrize("text", ["1_0", "１２", "0x10", "1,5", "1 000", "--1"])
def test_numbers_that_only_python_accepts_are_refused(tmp_path, text):
    rows = [(smiles, n) for n, smiles in enumerate(SMILES)] + [("CCF", text)]
    ingest_molecules([write_csv(tmp_path / "m.csv", rows)], tmp_path / "data", TRAIN)
    assert [reason for *_, reason in rejected(tmp_path / "data")] == [f"y: {text!r} is not a number"]


def test_labels_without_names_are_matched_by_order_only_if_stated(tmp_path):
    write_sdf(tmp_path / "gdb1k.sdf", SMILES[:12])
    rows = [(n * 10, n) for n in range(12)]
    write_csv(tmp_path / "gdb1k.sdf.csv", rows, ("A", "B"))
    config = dataclasses.replace(TRAIN, targets=("A",), records_per_shard=5)
    with pytest.raises(InputError, match=r"no column identifies the molecule of a row .* are A, B.*labels_by=order"):
        ingest_molecules([tmp_path / "gdb1k.sdf"], tmp_path / "data", config)
    config = dataclasses.replace(config, labels_by="order")
    ingest_molecules([tmp_path / "gdb1k.sdf"], tmp_path / "data", config)
    shards = MoleculeShards.open(tmp_path / "data")
    assert shards.targets(range(12))[:, 0].tolist() == [n * 10 for n in range(12)]
    write_csv(tmp_path / "gdb1k.sdf.csv", rows[:11], ("A", "B"))
    with pytest.raises(InputError, match="11 rows for 12 molecules, which labels_by order cannot match"):
        ingest_molecules([tmp_path / "gdb1k.sdf"], tmp_path / "data 2", config)


def test_one_row_of_labels_for_a_file_of_several_molecules_is_refused(tmp_path):
    write_sdf(tmp_path / "m.sdf", SMILES[:3])
    labels = write_csv(tmp_path / "labels.csv", [("m.sdf", 1), ("mol_0", 2)], ("file", "z"))
    config = dataclasses.replace(TRAIN, targets=("z",), labels=str(labels))
    with pytest.raises(InputError, match=r"a row refers to m.sdf, which contains 3 molecules"):
        ingest_molecules([tmp_path / "m.sdf"], tmp_path / "data", config)


def test_a_bad_row_in_a_table_of_labels_is_named(tmp_path):
    write_sdf(tmp_path / "m.sdf", SMILES[:3])
    (tmp_path / "labels.csv").write_text("name,z\nmol_0,1\nmol_1,2,3\n")
    config = dataclasses.replace(TRAIN, targets=("z",), labels=str(tmp_path / "labels.csv"))
    with pytest.raises(InputError, match=r"labels.csv, line 3: 3 fields where the header has 2. Correct it"):
        ingest_molecules([tmp_path / "m.sdf"], tmp_path / "data", config)


def test_labels_that_change_beside_an_sd_file_are_read_again(tmp_path):
    write_sdf(tmp_path / "m.sdf", SMILES[:3])
    config = dataclasses.replace(TRAIN, targets=("z",))
    for value in (1, 22):
        write_csv(tmp_path / "m.sdf.csv", [(f"mol_{n}", value) for n in range(3)], ("mol_id", "z"))
        ingest_molecules([tmp_path / "m.sdf"], tmp_path / "data", config)
        assert MoleculeShards.open(tmp_path / "data").targets([0]).tolist() == [[value]]


def test_two_molecules_in_one_record_of_an_sd_file_are_reported(tmp_path):
    text = write_sdf(tmp_path / "m.sdf", SMILES[:3]).read_text()
    first, rest = text.split("$$$$\n", 1)
    (tmp_path / "m.sdf").write_text(first + rest)
    ingest_molecules([tmp_path / "m.sdf"], tmp_path / "data", dataclasses.replace(TRAIN, rejected_threshold=1))
    assert [reason for *_, reason in rejected(tmp_path / "data")] == [
        "two molecules in one record: a line of $$$$ is missing between them"
    ]
