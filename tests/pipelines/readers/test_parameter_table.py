import h5py
import numpy as np
import pytest
from tests.formats.plain import write_table
from tests.formats.tables import quijote_rows, write_columns, write_compound, write_fits_table, write_quijote

from tenfold.pipelines.errors import InputError
from tenfold.pipelines.readers.parameter_table import read_parameter_table

COLUMNS = {"simulation": ["s0", "s1", "s2"], "Omega_m": [0.1, 0.2, 1 / 3], "T_AGN": [7.3, 7.8, 8.3]}


def write_whitespace(path, columns):
    lines = [" ".join(columns), *(" ".join(map(repr, row)) for row in zip(*columns.values(), strict=True))]
    path.write_text("\n".join(lines).replace("'", "") + "\n")
    return path


def write_semicolons(path, columns):
    lines = [";".join(columns), *(";".join(map(str, row)) for row in zip(*columns.values(), strict=True))]
    path.write_text("\n".join(lines) + "\n")
    return path


def write_csv(path, columns):
    return write_table(path, [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)])


def write_structured(path, columns):
    types = [(name, "U4" if isinstance(values[0], str) else "f8") for name, values in columns.items()]
    np.save(path.with_suffix(".npy"), np.array(list(zip(*columns.values(), strict=True)), types))
    return path.with_suffix(".npy")


@pytest.mark.parametrize(
    "write",
    [write_csv, write_semicolons, write_whitespace, write_fits_table, write_columns, write_compound, write_structured],
)
def test_a_table_of_any_format_has_the_same_rows(tmp_path, write):
    table = read_parameter_table(write(tmp_path / "table.dat", COLUMNS))
    assert table.simulations == {"s0": 0, "s1": 1, "s2": 2}
    assert [row.parameters for row in table.rows] == [
        {"omega_m": m, "T_AGN": t} for m, t in zip(COLUMNS["Omega_m"], COLUMNS["T_AGN"], strict=True)
    ]


def test_quijotes_table_names_its_columns_in_a_comment(tmp_path):
    rows = quijote_rows(3)
    table = read_parameter_table(write_quijote(tmp_path / "latin_hypercube_params.txt", rows))
    assert (table.files, table.simulations, table.shape) == ({}, {}, (3,))
    assert list(table.rows[2].parameters) == ["omega_m", "sigma_8", "n_s", "h", "omega_b"]
    np.testing.assert_array_equal([list(row.parameters.values()) for row in table.rows], rows[:, [0, 4, 3, 2, 1]])


def test_an_array_of_labels_has_a_row_for_each_index_of_its_leading_axes(tmp_path):
    labels = np.random.default_rng(0).uniform(0.1, 0.9, (2, 3, 2))
    np.save(tmp_path / "label.npy", labels)
    table = read_parameter_table(tmp_path / "label.npy", columns=["Omega_m", "S8"])
    assert table.shape == (2, 3)
    np.testing.assert_array_equal([list(row.parameters.values()) for row in table.rows], labels.reshape(6, 2))
    with h5py.File(tmp_path / "label.h5", "w") as file:
        file["labels"] = labels
    assert read_parameter_table(tmp_path / "label.h5", columns=["Omega_m", "S8"]).rows == table.rows


def test_simulations_are_told_by_name_and_numbers_by_value(tmp_path):
    table = read_parameter_table(write_csv(tmp_path / "t.csv", {"simulation": [0, 1, 12], "h": [0.6, 0.7, 0.8]}))
    assert [table.row_of_simulation(name) for name in ("12", "0012", "1", "2", "one")] == [2, 2, 1, None, None]


def test_a_name_and_a_seed_are_not_parameters(tmp_path):
    (tmp_path / "t.txt").write_text("#Name Omega_m seed\n  LH_0 0.3 17\n  LH_1 0.4 18\n")
    table = read_parameter_table(tmp_path / "t.txt")
    assert table.simulations == {"LH_0": 0, "LH_1": 1}
    assert [row.parameters for row in table.rows] == [{"omega_m": 0.3}, {"omega_m": 0.4}]


def test_columns_beside_the_listed_parameters_may_hold_anything(tmp_path):
    (tmp_path / "t.csv").write_text("file,f_NL,note,h\na.npy,-30,bad seed,0.7\n")
    with pytest.raises(InputError, match="line 2: could not convert 'bad seed' in column 'note'"):
        read_parameter_table(tmp_path / "t.csv")
    table = read_parameter_table(tmp_path / "t.csv", parameters=["f_NL"])
    assert table.rows[0].parameters == {"h": 0.7, "f_NL": -30.0}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("file,omega_m\na.npy,x\n", "line 2: could not convert 'x' in column 'omega_m'"),
        ("file,omega_m\na.npy,nan\n", "line 2: omega_m = nan is out of range"),
        ("file,f_NL\na.npy,inf\n", "line 2: f_NL = inf is out of range"),
        ("file,omega_m\na.npy,0.3\na.npy,0.3\n", "line 3: a.npy occurs twice"),
        ("simulation omega_m\n1 0.3\n1 0.4\n", "line 3: 1 occurs twice"),
        ("file,omega_m\na.npy,0.3,1\n", "line 2: 3 cells, where the header has 2 columns"),
        ("file,omega_m\na.npy\n", "line 2: 1 cells, where the header has 2 columns"),
        ("file,Omega_m,Omega_m\na.npy,0.3,0.4\n", "column Omega_m occurs twice"),
        ("file,Omega_m,Om\na.npy,0.3,0.4\n", "parameter omega_m occurs twice"),
        ("file,Omega_m\na.npy,1_0\n", "line 2: could not convert '1_0'"),
        ("file,omega_m,h\na.npy,0.14,0.7\nb.npy,0.12,0.7\n", "omega_m = 0.14 may be Ω or Ω h²"),
        ("file\na.npy\n", "has no column of a parameter"),
        ("0.3 0.8\n0.4 0.9\n", r"its 2 columns have no names: .*ingest.table_columns"),
        ("", "holds no row"),
        ("omega_m sigma_8\n", "holds no row"),
    ],
)
def test_a_table_that_may_be_misread_is_refused(tmp_path, text, message):
    (tmp_path / "t.csv").write_text(text)
    with pytest.raises(InputError, match=message):
        read_parameter_table(tmp_path / "t.csv")


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        (["Omega_m"], "2 columns, but ingest.table_columns has 1 names"),
        (["omega_m", "h"], "its columns are Omega_m, h, but ingest.table_columns has omega_m, h"),
    ],
)
def test_names_of_columns_do_not_contradict_the_table(tmp_path, columns, message):
    (tmp_path / "t.txt").write_text("#Omega_m h\n0.3 0.7\n" if len(columns) == 2 else "0.3 0.7\n")
    with pytest.raises(InputError, match=message):
        read_parameter_table(tmp_path / "t.txt", columns=columns)


def test_an_array_of_objects_is_not_unpickled(tmp_path):
    np.save(tmp_path / "t.npy", np.array([[0.3, None]], object), allow_pickle=True)
    with pytest.raises(InputError, match=r"t.npy"):
        read_parameter_table(tmp_path / "t.npy", columns=["omega_m", "h"])


def test_a_file_that_is_not_a_table_is_refused(tmp_path):
    (tmp_path / "t.csv").write_bytes(b"\xff\xfe\x00\x01" * 8)
    with pytest.raises(InputError, match="the table of parameters cannot be read"):
        read_parameter_table(tmp_path / "t.csv")
    write_columns(tmp_path / "t.h5", {"a": [0.1, 0.2], "b": [0.1]})
    with pytest.raises(InputError, match=r"contains a \(2,\), b \(1,\); a table of parameters is"):
        read_parameter_table(tmp_path / "t.h5")
