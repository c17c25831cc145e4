import os
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def chemistry_data():
    """Folder of published data sets of molecules, as `tenfold fetch` downloads them."""
    folder = os.environ.get("TENFOLD_CHEMISTRY_DATA")
    if not folder:
        pytest.skip("TENFOLD_CHEMISTRY_DATA names no folder of published data sets")
    return Path(folder)
