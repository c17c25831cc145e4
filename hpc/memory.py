"""Reuse of freed memory by this process."""

import ctypes

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD, M_ARENA_MAX = -1, -3, -8  # from malloc.h
MAX_KEPT_BYTES = 1 << 30  # 1 GiB


def keep_freed_memory() -> bool:
    """Keep freed arrays of up to 1 GiB for reuse instead of returning them to the operating system.

    The kernel zeroes fresh memory page by page. For work that repeatedly allocates and frees large arrays, such as FFTs
    or training steps, this takes a fifth of the time. All threads share one arena, because glibc returns the memory of
    the others whatever the threshold. Call this before the threads of such work are started.

    Returns
    -------
    bool
        Whether the setting took effect; False where the C library is not glibc.
    """
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError):
        return False
    settings = ((M_ARENA_MAX, 1), (M_MMAP_THRESHOLD, MAX_KEPT_BYTES), (M_TRIM_THRESHOLD, MAX_KEPT_BYTES))
    return all(mallopt(parameter, value) for parameter, value in settings)
