"""The error of unusable input."""


class InputError(ValueError):
    """Input that cannot be used: the message names it, what was found and what to do.

    The command line prints the message without a traceback and ends with status 2.

    Example
    -------
    >>> from tenfold.pipelines import InputError, Simulation, load
    >>> try:
    ...     load("nowhere.tenfold")
    ... except InputError as error:
    ...     print(str(error).split(":")[0])
    nowhere.tenfold
    """
