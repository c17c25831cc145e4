import pytest

from tenfold.pipelines.errors import InputError
from tenfold.pipelines.files.atomic import replacing, sweep, writable


def test_a_file_appears_whole_and_alone(tmp_path):
    with replacing(tmp_path / "a") as temporary:
        temporary.write_text("half")
        assert not (tmp_path / "a").exists()
        temporary.write_text("whole")
    assert [file.name for file in tmp_path.iterdir()] == ["a"]
    assert (tmp_path / "a").read_text() == "whole"


def test_an_error_leaves_the_previous_file(tmp_path):
    (tmp_path / "a").write_text("old")
    with pytest.raises(RuntimeError), replacing(tmp_path / "a") as temporary:
        temporary.write_text("new")
        raise RuntimeError
    assert [file.name for file in tmp_path.iterdir()] == ["a"]
    assert (tmp_path / "a").read_text() == "old"


def test_partial_files_of_a_killed_run_are_removed_and_no_others(tmp_path):
    for name in (".a.0123456789ab.part", ".b.0123456789ab.part", ".a.part", "a.0123456789ab.part", ".a.notes.part"):
        (tmp_path / name).write_text("half")
    sweep(tmp_path / "a")
    left = {".b.0123456789ab.part", ".a.part", "a.0123456789ab.part", ".a.notes.part"}
    assert {file.name for file in tmp_path.iterdir()} == left


def test_making_sure_that_a_folder_can_be_written_to_leaves_it_as_it_is(tmp_path):
    (tmp_path / ".a.0123456789ab.part").write_text("somebody's own")
    writable(tmp_path)
    assert [file.name for file in tmp_path.iterdir()] == [".a.0123456789ab.part"]


def test_a_folder_that_cannot_be_created_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match=r"file/out: cannot be written to \(Not a directory\)"):
        writable(tmp_path / "file" / "out")
