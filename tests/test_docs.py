"""The documentation builds without a warning, its reference is up to date, and its Python runs on names that exist."""

import ast
import importlib
import importlib.util
import inspect
import os
import re
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

from tenfold.pipelines.config import presets
from tenfold.pipelines.readers.parameters import PARAMETERS
from tenfold.pipelines.studies import STUDIES
from tenfold.pipelines.studies.study import study_named

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md")), ROOT / "hpc" / "README.md"]
OBJECTS = {
    "estimator": "tenfold.pipelines.Estimator", "emulator": "tenfold.pipelines.MassMapEmulator",
    "predictor": "tenfold.pipelines.MoleculePredictor", "prediction": "tenfold.pipelines.Predictions",
    "shards": "tenfold.pipelines.Shards", "molecules": "tenfold.pipelines.MoleculeShards",
    "spectrum": "tenfold.stats.power.PowerSpectrum",
}  # fmt: skip
"""Classes of the variables that snippets use, by the name of the variable."""


def module_from(path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.slow
def test_the_site_builds_without_a_warning_and_loads_nothing_from_the_network(tmp_path):
    environment = os.environ | {"NO_MKDOCS_2_WARNING": "1"}
    built = subprocess.run(
        [Path(sys.executable).parent / "mkdocs", "build", "--strict", "--site-dir", tmp_path / "site"],
        cwd=ROOT, env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert built.returncode == 0, built.stderr
    assert "WARNING" not in built.stderr
    pages = list((tmp_path / "site").rglob("*.html"))
    assert len(pages) > 25
    fetched = re.compile(r"<(?:script|img|link|iframe)\b[^>]*(?:src|href)=[\"']?(?:https?:)?//[^>]*>")
    for page in pages:
        text = page.read_text("utf-8")
        assert not [tag for tag in fetched.findall(text) if 'rel="canonical"' not in tag], page.name
        assert 'class="mermaid"' not in text, "a Mermaid drawing loads its script from the network"


def test_the_configuration_reference_is_up_to_date():
    """Otherwise run: .venv/bin/python docs/configuration_reference.py."""
    generator = module_from(ROOT / "docs" / "configuration_reference.py")
    assert generator.PAGE.read_text("utf-8") == generator.reference()


def test_every_cosmological_parameter_is_listed_with_its_range():
    page = (ROOT / "docs" / "formats.md").read_text("utf-8")
    for name, (_, low, high) in PARAMETERS.items():
        assert re.search(rf"^\| `{name}` \|.*\| {low:g} to {high:g} \|$", page, re.MULTILINE), name


def test_every_page_is_reached_from_the_navigation():
    navigation = (ROOT / "mkdocs.yml").read_text("utf-8")
    assert all(str(page.relative_to(ROOT / "docs")) in navigation for page in (ROOT / "docs").rglob("*.md"))


def snippets(page: Path) -> list[str]:
    return re.findall(r"^```python\n(.*?)^```", page.read_text("utf-8"), re.MULTILINE | re.DOTALL)


def resolve(dotted: str) -> object:
    """Return a module, or an attribute of one, by its dotted name."""
    parts = dotted.split(".")
    for end in range(len(parts), 0, -1):
        try:
            target = importlib.import_module(".".join(parts[:end]))
        except ModuleNotFoundError:
            continue
        for part in parts[end:]:
            target = getattr(target, part)
        return target
    raise ModuleNotFoundError(dotted)


def members(kind: type) -> set[str]:
    return {*dir(kind), *getattr(kind, "__annotations__", {})}


def faults(source: str) -> list[str]:
    """Names of a snippet that do not exist: imports, attributes of known objects, and keyword arguments of calls."""
    known: dict[str, object] = {name: resolve(dotted) for name, dotted in OBJECTS.items()}
    missing = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            for alias in node.names:
                module = importlib.import_module(alias.name)
                known[alias.asname or alias.name.partition(".")[0]] = (
                    module if alias.asname else importlib.import_module(alias.name.partition(".")[0])
                )
        elif isinstance(node, ast.ImportFrom):
            module = importlib.import_module(node.module or "")
            for alias in node.names:
                if not hasattr(module, alias.name):
                    missing.append(f"{node.module}.{alias.name}")
                else:
                    known[alias.asname or alias.name] = getattr(module, alias.name)

    def value_of(node: ast.AST) -> object:
        if isinstance(node, ast.Name):
            return known.get(node.id)
        if isinstance(node, ast.Attribute) and (owner := value_of(node.value)) is not None:
            if not hasattr(owner, node.attr) and not (isinstance(owner, type) and node.attr in members(owner)):
                missing.append(f"{ast.unparse(node)}")
                return None
            return getattr(owner, node.attr, None)
        return None

    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Attribute):
            value_of(node)
        elif isinstance(node, ast.Call) and callable(called := value_of(node.func)):
            try:
                parameters = inspect.signature(called).parameters
            except (TypeError, ValueError):
                continue
            if not any(p.kind is p.VAR_KEYWORD for p in parameters.values()):
                missing += [f"{ast.unparse(node.func)}({k.arg}=…)" for k in node.keywords if k.arg not in parameters]
    return sorted(set(missing))


@pytest.mark.parametrize("page", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_the_python_of_a_page_uses_only_names_that_exist(page):
    for source in snippets(page):
        assert not faults(source)


def test_a_wrong_name_in_a_snippet_is_detected():
    assert faults("from tenfold.pipelines import Shard") == ["tenfold.pipelines.Shard"]
    assert faults("predictor.predicts(['CCO'])") == ["predictor.predicts"]
    assert faults("from tenfold.pipelines import Ingest\nIngest(fraction=1)") == ["Ingest(fraction=…)"]
    assert faults("import tenfold.stats.power\ntenfold.stats.power.spectra") == ["tenfold.stats.power.spectra"]
    assert not faults("import tenfold.pipelines\ntenfold.pipelines.load('run')\nprediction.mean")
    assert sum(len(snippets(page)) for page in PAGES) > 8


@pytest.mark.parametrize("page", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_the_presets_of_a_page_exist(page):
    valid = {preset for study in STUDIES for preset in presets(study_named(study))}
    assert set(re.findall(r"--preset ([a-z0-9-]+)", page.read_text("utf-8"))) <= valid


def test_the_messages_that_troubleshooting_explains_exist():
    page = (ROOT / "docs" / "troubleshooting.md").read_text("utf-8")
    code = " ".join(
        file.read_text("utf-8") for top in ("pipelines", "emulators", "hpc") for file in (ROOT / top).rglob("*.py")
    )
    code = re.sub(r'"\s*\n\s*(?:#[^\n]*\n\s*)?f?"', "", code)  # strings that continue on the next line
    of_horovod = "One or more tensors were submitted … by subset of ranks"
    quoted = [text for bold in re.findall(r"\*\*(.+?)\*\*", page, re.DOTALL) for text in re.findall(r"`([^`]+)`", bold)]
    parts = [" ".join(part.split()).strip(" :") for text in quoted if text != of_horovod for part in text.split("…")]
    messages = [part for part in parts if part.count(" ") > 1 and not part.startswith("tenfold ")]
    assert len(messages) > 8
    assert not [message for message in messages if message not in code]


def anchors(page: Path) -> set[str]:
    headings = re.findall(r"^#+ (.+)$", page.read_text("utf-8"), re.MULTILINE)
    return {re.sub(r"\s", "-", re.sub(r"[^\w\s-]", "", heading.lower()).strip()) for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_number_of_an_issue_begins_a_line_where_it_would_be_a_heading(page):
    assert not re.findall(r"^#\d.*", page.read_text("utf-8"), re.MULTILINE)


@pytest.mark.parametrize("page", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_the_links_of_a_page_lead_to_files_and_headings_of_the_repository(page):
    text = re.sub(r"^```.*?^```", "", page.read_text("utf-8"), flags=re.MULTILINE | re.DOTALL)
    for link in re.findall(r"(?<!!)\[[^\]]*\]\(([^)\s]+)\)", text):
        path, _, anchor = link.partition("#")
        if not re.match(r"[a-z]+:", link):
            target = (page.parent / path).resolve() if path else page
            assert target.is_file(), link
            assert not anchor or anchor in anchors(target), link
