"""Configurations of strangers: refused at once, with file and line, whatever is wrong with them."""

import time

import pytest

from tenfold.pipelines.config import load
from tenfold.pipelines.errors import InputError
from tenfold.pipelines.files.plain_yaml import DEEPEST, LONGEST, parse_yaml, read_yaml
from tenfold.pipelines.studies.cosmology_config import CosmologyRun

BOMB = "a: &a [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{b}: &{b} [{', '.join([f'*{a}'] * 9)}]\n" for a, b in zip("abcdefghi", "bcdefghij", strict=True)
)


@pytest.mark.parametrize(
    ("raw", "line", "message"),
    [
        (BOMB.encode(), 2, "aliases"),
        (b"training: &t {epochs: *t}\n", 1, "aliases"),
        (b"training:\n  <<: *base\n", 2, "aliases"),
        (b"training: " + b"[" * 50_000, 1, f"nested more than {DEEPEST} deep"),
        (b"".join(b" " * n + b"a:\n" for n in range(300)), DEEPEST, f"nested more than {DEEPEST} deep"),
        (b"training:\n  epochs: 3\n  seed: 1\n  epochs: 30\n", 4, "key epochs is there already, in line 2"),
        (b"training: {epochs: 3}\ntraining: {seed: 1}\n", 2, "key training is there already, in line 1"),
        (b"training:\n  epochs: 3 # \xb5\n", 2, "not UTF-8 (byte 0xb5)"),
        ("training:\n  epochs: 3\n".encode("utf-16"), 1, "not UTF-8 (byte 0xff)"),
        (b"training: !!python/object/apply:os.system ['true']\n", 1, "could not determine a constructor"),
        (b"? [a, b]\n: 1\n", 1, "a key must be a name"),
        (b"training: {epochs: 3\n", 2, "not YAML"),
        (b"training:\n  epochs: \x00\n", None, "not YAML"),
    ],
    ids=["bomb", "self", "merge", "flow", "block", "twice", "section", "latin", "utf-16", "tag", "key", "open", "nul"],
)  # fmt: skip
def test_yaml_beyond_the_plain_subset_is_refused_with_its_line(raw, line, message, tmp_path):
    file = tmp_path / "config.yaml"
    file.write_bytes(raw)
    begin = time.process_time()
    with pytest.raises(InputError) as caught:
        load(CosmologyRun, file)
    assert time.process_time() - begin < 1
    assert message in str(caught.value)
    assert str(caught.value).startswith(f"{file}, line {line}: " if line else str(file))


def test_a_file_that_is_too_long_is_not_read(tmp_path):
    file = tmp_path / "config.yaml"
    file.write_bytes(b"a: 1\n" * LONGEST)
    with pytest.raises(InputError, match=r"config.yaml: longer than 131,072 bytes"):
        read_yaml(file)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("3", 3), ("-3", -3), ("1_000", 1000), ("0x1f", 31), ("0.5", 0.5), ("1.5e3", 1500.0), ("-1.0e-4", -1e-4),
        ("010", "010"), ("1:30", "1:30"), ("2001-13-45", "2001-13-45"), ("1e-3", "1e-3"),
        ("yes", True), ("null", None), ("", None), ("{a: [1, 2]}", {"a": [1, 2]}),
    ],
)  # fmt: skip
def test_numbers_are_parsed_with_their_types(text, value):
    parsed = parse_yaml(text, "text")
    assert parsed == value
    assert type(parsed) is type(value)


@pytest.mark.parametrize("value", ["!!int x", "!!float [1]", "!!timestamp 2001-13-45", "!!binary x", "*a", "[[[[" * 9])
def test_values_of_settings_are_checked_too(value):
    with pytest.raises(InputError, match=r"--set training\.epochs="):
        load(CosmologyRun, settings=(f"training.epochs={value}",))
