"""Names of files reach the terminal as text: none steers it, and none is read as markup."""

import logging
import subprocess
import sys
from io import StringIO

import pytest
from rich.console import Group
from rich.table import Table
from rich.text import Text

from tenfold.pipelines.cli.console import PlainFormatter, Terminal, report_error
from tenfold.pipelines.cli.terminal_text import visible
from tenfold.pipelines.errors import InputError

HOSTILE = "a\x1b]0;title\x07\x1b[31m\rb\x9b2J\u202ecod.exe\u2066[red][link=http://example.org]x[/] :skull:"
SHOWN = r"a\x1b]0;title\x07\x1b[31m\rb\x9b2J\u202ecod.exe\u2066[red][link=http://example.org]x[/] :skull:"


@pytest.mark.parametrize("text", ["", "plain", "Ωm = 0.3 ± 0.1 µK", "two\nlines\t.", "日本語", "é"])
def test_text_stays_as_it_is(text):
    assert visible(text) == text


@pytest.mark.parametrize("code", [*range(9), *range(11, 32), 127, *range(0x80, 0xA0), 0x202E, 0x2067, 0x200F, 0xD800])
def test_control_characters_are_escaped(code):
    assert visible(f"a{chr(code)}b").isprintable()


def shown(renderable, **how) -> str:
    console = Terminal()
    console.file, console.width = StringIO(), 300
    console.print(renderable, **how)
    return console.file.getvalue()


def table() -> Table:
    made = Table(title=HOSTILE)
    made.add_column(HOSTILE)
    made.add_row(HOSTILE)
    return made


@pytest.mark.parametrize("renderable", [HOSTILE, Text(HOSTILE), Group(HOSTILE, "more"), table()])
def test_printed_text_shows_names_with_control_characters_escaped(renderable):
    for how in ({}, {"soft_wrap": True}, {"style": "bold red"}):
        text = shown(renderable, **how)
        assert SHOWN.replace(r"\x07", "").replace(r"\r", "") in text.replace(r"\x07", "").replace(r"\r", "")
        assert visible(text) == text


def test_colours_set_by_the_program_are_kept(monkeypatch):
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.delenv("NO_COLOR", raising=False)
    console = Terminal()
    console.file = StringIO()
    console.print(Text.assemble(("ok", "green"), " \x1b[31m"))
    assert console.file.getvalue().startswith("\x1b[32mok\x1b[0m")
    assert console.file.getvalue().count("\x1b") == 2


def test_errors_and_log_lines_show_names_as_they_are(capsys):
    report_error(InputError(f"{HOSTILE}: cannot be read"))
    printed = capsys.readouterr().err
    assert "\x1b]" not in printed and "\u202e" not in printed and "[link=http://example.org]" in printed
    record = logging.LogRecord("tenfold", logging.INFO, "", 0, "%s", (HOSTILE,), None)
    assert PlainFormatter("%(message)s").format(record) == SHOWN


def test_no_stream_contains_unescaped_control_characters_of_a_file_name(tmp_path):
    name = "\x1b]0;t\x07[red]\u202e.npy"
    (tmp_path / name).write_bytes(b"not an array")
    command = [sys.executable, "-m", "tenfold.pipelines.cli.main", "ingest", "volumes", str(tmp_path / name), "--out"]
    completed = subprocess.run([*command, str(tmp_path / "out")], capture_output=True, check=False)
    assert completed.returncode == 2
    output = (completed.stdout + completed.stderr).decode()
    assert r"\x1b]0;t\x07[red]\u202e.npy" in output
    assert "\x1b" not in output and "\u202e" not in output and "\x07" not in output
