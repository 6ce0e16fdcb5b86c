"""Products of a few rows with weights too large for a core's cache: in blocks of fixed size, shared among the cores.

BLAS copies large weights into an order of its own before it multiplies, at every product again, and its threads spin
while they wait for each other. Blocks that fit into the cache of a core are multiplied where they lie; threads of
Python take groups of them, since NumPy lets other threads run during a product, and sleep while there are none.
"""

from __future__ import annotations

import itertools
import os
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, wait
from functools import cache

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float32]

# 64 KiB of weights. OpenBLAS multiplies so small a block by up to 16 rows without a copy and on the caller's thread
# alone, whatever its own number of threads is.
BLOCK_ROWS = 256
BLOCK_COLUMNS = 64
# More cores than these wait for memory.
_MOST_THREADS = 4


def in_blocks(weights: FloatArray, groups: int, sides: int = 1) -> FloatArray:
    """Return weights (rows, columns) as (groups, blocks of a group, blocks of rows, `BLOCK_ROWS`, `BLOCK_COLUMNS`).

    A group has its part of each of `sides` equal sides of the columns, one side after another.

    Raises
    ------
    ValueError
        Where rows, or the columns of a group on one side, cannot be split into whole blocks.
    """
    rows, columns = weights.shape
    split = weights.reshape(
        rows // BLOCK_ROWS, BLOCK_ROWS, sides, groups, columns // sides // groups // BLOCK_COLUMNS, BLOCK_COLUMNS
    )
    split = split.transpose(3, 2, 4, 0, 1, 5)
    blocks = np.empty(split.shape, dtype=np.float32)

    def copy(group: int) -> None:
        np.copyto(blocks[group], split[group])

    share(copy, groups)
    return blocks.reshape(groups, -1, *split.shape[3:])


def times_blocks(x: FloatArray, blocks: FloatArray) -> FloatArray:
    """Return products of x (n, rows) with the blocks of a group, as (blocks, n, `BLOCK_COLUMNS`).

    What it gives does not depend on the other groups, nor on the thread.
    """
    parts = x.reshape(len(x), -1, BLOCK_ROWS).transpose(1, 0, 2)
    products = np.matmul(parts, blocks)
    whole: FloatArray = products.sum(axis=1)
    return whole


def share(work: Callable[[int], None], count: int) -> None:
    """Call `work` with 0 to `count - 1` on this thread and on others that have nothing else to do.

    Calls must not depend on each other, and must do the same when they are repeated: what another thread has taken and
    not done when all the rest is, since a program beside this one has its core, is done here again, after as long as
    two calls take. As many threads take part as the process has cores, at most four and at most ``OMP_NUM_THREADS``.
    """
    helpers = min(_threads(), count) - 1
    numbers, done = itertools.count(), [False] * count

    def take() -> None:
        for number in numbers:
            if number >= count:
                return
            work(number)
            done[number] = True

    started = time.perf_counter()
    others = [_pool().submit(take) for _ in range(helpers)]
    take()
    running = [other for other in others if not other.cancel()]
    if running:
        wait(running, timeout=2.0 * (time.perf_counter() - started) / count)
    for number in range(count):
        if not done[number]:
            work(number)


@cache
def _pool() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(max(_threads() - 1, 1), thread_name_prefix="products")


def _threads() -> int:
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    asked = os.environ.get("OMP_NUM_THREADS", "")
    return min(cores, _MOST_THREADS, int(asked) if asked.isdecimal() and int(asked) else _MOST_THREADS)
