"""Queue orders and placements: the built-in ones, and how a user's own is made.

An order is a compiled function of the job's row that gives its key: jobs are served by increasing key,
ties by
submission. It is evaluated once per job, at construction or submission. A placement is a compiled function
``score(needed, free, size) -> int`` of chips in a domain (or wholly free domains in a block); least first.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
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

ORDERS = ("fcfs", "sjf", "priority", "edf", "fair-share", "drf", "las", "themis")
CHANGING = ("fair-share", "drf", "las", "themis")
"""Orders whose keys change with time; the others are evaluated once a job."""

BY_TENANT = ("fair-share", "drf")
"""Orders in which a tenant's jobs go by class and submission; its key says only how tenants take turns."""

MINUTE, HOUR, DAY = 60_000, 3_600_000, 86_400_000

OPTIONS: dict[str, dict[str, Any]] = {
    "edf": {"slack": 2.0},
    "fair-share": {"recalculate": 5 * MINUTE, "half_life": 7 * DAY},
    "drf": {"recalculate": 5 * MINUTE},
    "las": {"recalculate": 5 * MINUTE, "thresholds": None, "promote": 8.0, "exempt": 30 * MINUTE},
    "themis": {"recalculate": 5 * MINUTE},
}
"""Options of the orders with their defaults; durations in ms, thresholds of las in chip-ms.

Recalculation and half-life are Slurm's PriorityCalcPeriod and PriorityDecayHalfLife
(https://slurm.schedmd.com/priority_multifactor.html, 2024-11, documented). Thresholds (None:
``usual_thresholds``, as Tiresias, NSDI 2019, tunes them to the cluster's jobs), promotion, exemption (Slurm's
PreemptExemptTime) and slack are assumed.
"""

PLACEMENTS = ("best-fit", "first-fit", "spread", "pack-tenant")


def order(function: Callable[[Any], float]) -> Any:
    """Compile a queue order (decorator); the result is cached on disk."""
    return kernel(ORDER_SIGNATURE)(function)


def placement(function: Callable[[int, int, int], int]) -> Any:
    """Compile a placement (decorator); the result is cached on disk."""
    return kernel(SCORE_SIGNATURE)(function)


def compiled_order(function: Callable[..., Any]) -> Any:
    """A queue order as the kernel can call it: compiled, unless it is."""
    return function if hasattr(function, "nopython_signatures") else order(function)


def compiled_placement(function: Callable[..., Any]) -> Any:
    """A placement as the kernel can call it: compiled, unless it is."""
    return function if hasattr(function, "nopython_signatures") else placement(function)


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


def order_options(name: str | Callable[..., Any], given: Mapping[str, Any]) -> dict[str, Any]:
    """The order's options, defaults filled in. Raises ValueError for options that it does not have."""
    known = OPTIONS.get(name, {}) if isinstance(name, str) else {}
    for option, value in given.items():
        if option not in known:
            has = f"it has {', '.join(known)}" if known else "it has none"
            raise ValueError(f"order {name!r} has no option {option!r}: {has}")
        numbers = (value or ()) if option == "thresholds" else (value,)
        if any(number < 0 for number in numbers):
            raise ValueError(f"{option} of order {name!r} must not be negative, not {value}")
    options = {**known, **given}
    limits = list(options.get("thresholds") or ())
    if limits != sorted(set(limits)):
        raise ValueError(f"thresholds of order {name!r} must increase, not {limits}")
    return options


def usual_thresholds(jobs: np.ndarray) -> tuple[int, ...]:
    """Thresholds of las from the jobs' own service, requested time x chips: the least that half of them, and
    nine of ten, do not exceed, in chip-ms. 1 and 10 chip-hours if there are no jobs.
    """
    n = len(jobs)
    if n == 0:
        return HOUR, 10 * HOUR
    service = jobs["requested"].astype(np.int64) * jobs["size_ref"]
    places = [-(-n * tenths // 10) - 1 for tenths in (5, 9)]
    return tuple(sorted({max(1, int(value)) for value in np.partition(service, places)[places]}))


def order_keys(
    jobs: np.ndarray,
    priority: np.ndarray,
    name: str | Callable[..., Any],
    slack: float = 0.0,
    deadline: np.ndarray | None = None,
    *,
    by_class: bool = False,
) -> np.ndarray | None:
    """The key of each job, smaller first; None: by submission alone (or changing with time).

    ``priority``: of each job's class. ``deadline``: instants, ms, for edf; -1: submission + slack x estimate.
    ``by_class``: the priority goes before the key; keys are then complex numbers, which numpy sorts by the
    real part (minus the priority), then by the imaginary one (the key).
    """
    keys = _plain_keys(jobs, priority, name, slack, deadline)
    if not by_class or name in CHANGING:
        return keys
    pairs = np.empty(len(jobs), np.complex128)
    pairs.real, pairs.imag = -priority, 0.0 if keys is None else keys
    return pairs


def tenant_keys(jobs: np.ndarray, priority: np.ndarray | float) -> np.ndarray:
    """Complex keys by which the jobs are in order tenant by tenant, then by priority, highest first."""
    pairs = np.empty(len(jobs), np.complex128)
    pairs.real, pairs.imag = jobs["tenant"], -priority
    return pairs


def _plain_keys(
    jobs: np.ndarray,
    priority: np.ndarray,
    name: str | Callable[..., Any],
    slack: float,
    deadline: np.ndarray | None,
) -> np.ndarray | None:
    """The keys by the order alone."""
    if isinstance(name, str):
        if name == "fcfs" or name in CHANGING:
            return None
        if name == "sjf":
            return jobs["requested"].astype(np.float64)
        if name == "priority":
            return -priority.astype(np.float64)
        if name == "edf":
            plain = jobs["submit"] + slack * jobs["requested"]
            return plain if deadline is None else np.where(deadline >= 0, deadline, plain)
        raise ValueError(
            f"order {name!r} is unknown: use one of {', '.join(ORDERS)} or a function made by @order"
        )
    if not hasattr(name, "nopython_signatures"):
        raise ValueError(f"order {name!r} is not compiled: decorate it with @order")
    keys = np.empty(len(jobs))
    evaluate_order(name, np.ascontiguousarray(jobs), keys)
    if np.isnan(keys).any():
        raise ValueError(
            f"order {name.__name__} gives no number for the job at place {int(np.argmax(np.isnan(keys)))}:"
            " return one for every job"
        )
    return keys
