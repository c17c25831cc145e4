"""The wheel, built and imported: the package with its version, its presets and its batch scripts."""

import os
import shutil
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[1]
VERSION = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]


@pytest.fixture(scope="module")
def unpacked(tmp_path_factory) -> Path:
    """Folder of an unpacked wheel, built from a copy of what the repository holds."""
    folder = tmp_path_factory.mktemp("wheel")
    copy = folder / "source"
    copy.mkdir()
    for name in ("__init__.py", "pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, copy)
    for name in ("pipelines", "emulators", "stats", "hpc"):
        shutil.copytree(ROOT / name, copy / name, ignore=shutil.ignore_patterns("__pycache__"))
    build = f"from setuptools import build_meta; build_meta.build_wheel({str(folder)!r})"
    subprocess.run([sys.executable, "-W", "ignore", "-c", build], cwd=copy, check=True, capture_output=True)
    with zipfile.ZipFile(next(folder.glob("*.whl"))) as wheel:
        wheel.extractall(folder / "unpacked")
    return folder / "unpacked"


def run(unpacked: Path, code: str) -> list[str]:
    """Run Python with the wheel's content first on its path."""
    environment = {**os.environ, "PYTHONPATH": str(unpacked)}
    command = [sys.executable, "-c", code]
    completed = subprocess.run(command, cwd=unpacked, env=environment, capture_output=True, text=True, check=True)
    return completed.stdout.split()


def test_an_installed_wheel_has_a_version_and_every_public_name(unpacked):
    code = "import tenfold, tenfold.pipelines as p; print(tenfold.__version__, tenfold.__file__, p.InputError.__name__)"
    version, file, name = run(unpacked, code)
    assert (version, name) == (VERSION, "InputError")
    assert Path(file) == unpacked / "tenfold" / "__init__.py"


def test_an_installed_wheel_reads_its_presets(unpacked):
    code = (
        "from tenfold.pipelines.config import presets; "
        "from tenfold.pipelines.studies.massmaps_config import MassMapsRun; print(*presets(MassMapsRun))"
    )
    assert "demo" in run(unpacked, code)


def test_an_editable_installation_has_the_same_version():
    code = "import tenfold, tenfold.stats; print(tenfold.__version__)"
    completed = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT.anchor, capture_output=True, text=True, check=True
    )
    assert completed.stdout.strip() == VERSION
