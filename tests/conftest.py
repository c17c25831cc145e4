"""Settings of all tests: quiet TensorFlow, tenfold's Keras backend, and the division of files among processes."""

import os

import pytest
from xdist.scheduler import LoadFileScheduling

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("KERAS_BACKEND", "tensorflow")


class FileScheduling(LoadFileScheduling):
    """One file at a time to each process, so that no fixture of a module is built twice.

    All files that need Slurm go to the same process, since there is one Slurm per process.
    """

    def _split_scope(self, nodeid: str) -> str:
        file = super()._split_scope(nodeid)
        return "slurm" if file.startswith("tests/hpc/test_slurm") else file


def pytest_xdist_make_scheduler(config: pytest.Config, log) -> FileScheduling:
    return FileScheduling(config, log)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Run Slurm's tests first, then the slow files: the fast ones fill what time is left on the other processes."""
    slow, slurm = ({item.path for item in items if item.get_closest_marker(name)} for name in ("slow", "slurm"))
    items.sort(key=lambda item: (item.path not in slurm, item.path not in slow))  # stable: files stay whole


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo):
    """Escape names of files that are not UTF-8 in captured output, which xdist cannot send to the main process."""
    report = yield
    report.sections = [(name, text.encode("utf-8", "backslashreplace").decode()) for name, text in report.sections]
    return report
