"""Files that tenfold did not write are neither overwritten nor removed."""

import json

import pytest

from tenfold.pipelines.errors import InputError
from tenfold.pipelines.storage.output_folder import RECORD, OutputFolder

HALF = ".a.0123456789ab.part"


def contents(folder):
    return {path.name: path.read_text() for path in folder.iterdir()}


def test_the_record_is_written_before_any_file(tmp_path):
    folder = OutputFolder.claim(tmp_path / "new", ["b", "a"], alone=True)
    assert json.loads((folder.path / RECORD).read_text()) == {"made_by": "tenfold", "files": ["a", "b"]}
    (folder.path / "a").write_text("ours")
    OutputFolder.claim(folder.path, ["a"], alone=True)
    assert set(contents(folder.path)) == {RECORD, "a"}


@pytest.mark.parametrize("name", ["a", "thesis.tex", "shard_00000.h5", ".notes.part", HALF, ".git"])
def test_a_folder_with_other_files_is_refused_and_not_modified(tmp_path, name):
    (tmp_path / name).write_text("mine")
    with pytest.raises(InputError, match="was not made by tenfold") as caught:
        OutputFolder.claim(tmp_path, ["a"], alone=True)
    assert name in str(caught.value)
    assert contents(tmp_path) == {name: "mine"}


def test_in_a_shared_folder_only_the_names_that_are_written_must_be_free(tmp_path):
    mine = {"thesis.tex": "mine", ".b.0123456789ab.part": "mine"}
    for name, text in mine.items():
        (tmp_path / name).write_text(text)
    OutputFolder.claim(tmp_path, ["a"])
    (tmp_path / RECORD).unlink()
    (tmp_path / "a").write_text("mine")
    with pytest.raises(InputError, match=r"a: was not made by tenfold, and would be overwritten. Move it away"):
        OutputFolder.claim(tmp_path, ["a"])
    assert contents(tmp_path) == {**mine, "a": "mine"}


def test_partial_files_of_a_killed_run_are_removed(tmp_path):
    OutputFolder.claim(tmp_path, ["a"], alone=True)
    for name in (HALF, f".{RECORD}.0123456789ab.part", ".b.0123456789ab.part"):
        (tmp_path / name).write_text("half")
    (tmp_path / ".0123456789ab.part").write_text("")  # of the test whether the folder can be written to
    OutputFolder.claim(tmp_path, ["a"], alone=True)
    assert set(contents(tmp_path)) == {RECORD, ".b.0123456789ab.part"}


def test_files_of_the_file_system_or_desktop_are_ignored(tmp_path):
    (tmp_path / ".DS_Store").write_text("x")
    OutputFolder.claim(tmp_path, ["a"], alone=True)
    assert (tmp_path / ".DS_Store").exists()


def test_files_added_to_a_folder_of_tenfold_are_not_treated_as_its_own(tmp_path):
    folder = OutputFolder.claim(tmp_path, ["a"], alone=True)
    (tmp_path / "b").write_text("mine")
    for again in (lambda: OutputFolder.claim(tmp_path, ["a"], alone=True), lambda: folder.add(["b"])):
        with pytest.raises(InputError, match="b"):
            again()
    assert (tmp_path / "b").read_text() == "mine"


def test_only_files_listed_in_the_record_are_removed(tmp_path):
    folder = OutputFolder.claim(tmp_path, ["a", "b"])
    for name in "abc":
        (tmp_path / name).write_text(name)
    assert folder.keep(["a"]).names == {"a"}
    assert set(contents(tmp_path)) == {RECORD, "a", "c"}


@pytest.mark.parametrize(
    "text",
    ["", "{", "null", "[]", '{"files": []}', '{"made_by": "tenfold", "files": ["../a"]}', "[" * 10**5,
     '{"made_by": "tenfold", "files": ["/etc/passwd"]}', '{"made_by": "tenfold", "files": 3}', "\udcff"],
)  # fmt: skip
def test_a_foreign_record_or_one_with_paths_outside_the_folder_is_refused(tmp_path, text):
    (tmp_path / RECORD).write_bytes(text.encode(errors="surrogateescape"))
    with pytest.raises(InputError, match=r"\.tenfold\.json: not a record of tenfold"):
        OutputFolder.claim(tmp_path, ["a"])


def test_runs_of_earlier_versions_are_recognised_by_their_files(tmp_path):
    for name, about in (("run.json", {"data": "d", "fingerprint": "f"}), ("metrics.json", {"environment": {}}),
                        ("stages.json", {"train": 1.5})):  # fmt: skip
        folder = tmp_path / name.removesuffix(".json")
        folder.mkdir()
        (folder / name).write_text(json.dumps(about))
        (folder / "report.html").write_text("ours")
        assert OutputFolder.claim(folder, ["report.html"]).names == {"report.html"}
