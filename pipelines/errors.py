"""The one error a user is meant to read."""


class InputError(ValueError):
    """Something given to tenfold cannot be used: the message names it, says what was found and what to do.

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
