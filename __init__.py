"""Machine learning for simulations of the cosmos and of molecules.

The top of the repository is the package `tenfold`: `tenfold.pipelines` is what a user runs; `tenfold.emulators` learn,
`tenfold.stats` measure, `tenfold.hpc` runs them anywhere.
"""

from importlib.metadata import version

__version__: str = version("tenfold")
