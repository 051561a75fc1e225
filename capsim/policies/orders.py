"""Queue orders and placements: the built-in ones, and how a user's own is made.

An order is a compiled function of the job's row that gives its key: jobs are served by increasing key,
ties by
submission. It is evaluated once per job, at construction or submission. A placement is a compiled function
``score(needed, free, size) -> int`` of chips in a domain (or wholly free domains in a block); least first.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numba
import numpy as np

from capsim.jit import kernel
from capsim.tables import JOB

JOB_RECORD = numba.from_dtype(JOB)

ORDER_SIGNATURE = numba.float64(JOB_RECORD)
"""float64(job): the job's row has the fields of ``capsim.tables.JOB``."""

SCORE_SIGNATURE = numba.int64(numba.int64, numba.int64, numba.int64)
"""int64(needed, free, size)."""

ORDERS = ("fcfs", "sjf", "priority")
PLACEMENTS = ("best-fit", "first-fit", "spread", "pack-tenant")


def order(function: Callable[[Any], float]) -> Any:
    """Compile a queue order (decorator); the result is cached on disk."""
    return kernel(ORDER_SIGNATURE)(function)


def placement(function: Callable[[int, int, int], int]) -> Any:
    """Compile a placement (decorator); the result is cached on disk."""
    return kernel(SCORE_SIGNATURE)(function)


@kernel(numba.void(numba.types.FunctionType(SCORE_SIGNATURE), numba.int64, numba.int64[::1]))
def tabulate(function: Any, size: Any, table: Any) -> None:
    """table[needed * (size + 1) + free] = function(needed, free, size)."""
    for needed in range(size + 1):
        for free in range(size + 1):
            table[needed * (size + 1) + free] = function(needed, free, size)


@kernel(numba.void(numba.types.FunctionType(ORDER_SIGNATURE), numba.from_dtype(JOB)[::1], numba.float64[::1]))
def evaluate_order(function: Any, jobs: Any, keys: Any) -> None:
    """keys[i] = function(jobs[i])."""
    for i in range(jobs.shape[0]):
        keys[i] = function(jobs[i])


def order_keys(jobs: np.ndarray, priority: np.ndarray, name: str | Callable[..., Any]) -> np.ndarray | None:
    """The key of each job, smaller first; None: by submission alone. ``priority``: of each job's class."""
    if isinstance(name, str):
        if name == "fcfs":
            return None
        if name == "sjf":
            return jobs["requested"].astype(np.float64)
        if name == "priority":
            return -priority.astype(np.float64)
        raise ValueError(
            f"order {name!r} is unknown: use one of {', '.join(ORDERS)} or a function made by @order"
        )
    keys = np.empty(len(jobs))
    evaluate_order(name, np.ascontiguousarray(jobs), keys)
    return keys
