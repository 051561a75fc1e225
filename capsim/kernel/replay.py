"""Replay a list of jobs on one pool of interchangeable chips."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from capsim import tables
from capsim.kernel import scalar
from capsim.kernel.layout import LayoutError
from capsim.kernel.state import DTYPES, EMPTY, END_BLOCK_SIZE, State, pointers

POLICIES = ("fcfs", "easy")


@dataclass(frozen=True)
class Replay:
    """Start of each job (the unit of the input), share of jobs backfilled, longest queue."""

    start: np.ndarray
    backfilled: int
    longest_queue: int


def _state(jobs: int, chips: int, easy: bool) -> State:
    """The few arrays that the scalar kernel uses; the others are empty."""
    running = min(jobs, chips)
    leaves = 1 << max(1, (jobs - 1).bit_length())
    blocks = running // 4 + 8
    arrays: dict[str, Any] = {name: np.zeros(1, dtype) for name, dtype in DTYPES.items()}
    arrays["pools"]["active"] = chips
    arrays["sites"]["ends_cap"] = blocks
    arrays["clock"]["easy"], arrays["clock"]["leaves"] = easy, leaves
    arrays["clock"]["free_end"] = arrays["clock"]["resv_rank"] = -1
    arrays["heap"] = np.zeros(running + 16, tables.EVENT)
    if easy:
        arrays["ends"] = np.zeros(blocks * END_BLOCK_SIZE, tables.END)
        arrays["end_blocks"] = np.zeros(blocks, tables.END_BLOCK)
        arrays["end_order"] = np.zeros(blocks, np.int32)
        tree = np.empty(2 * leaves, tables.TREE)
        tree["duration"] = tree["size"] = EMPTY
        arrays["tree"] = tree
    return State(**arrays)


def run(
    submit: np.ndarray,
    size: np.ndarray,
    run: np.ndarray,
    requested: np.ndarray,
    chips: int,
    policy: str = "easy",
) -> Replay:
    """Schedule jobs on ``chips`` interchangeable chips; times in any one integer unit.

    A job whose run time exceeds its requested time is ended there. Raises LayoutError for jobs that are not
    sorted by submission, larger than the machine or without a size or time, and for an unknown policy.
    """
    if policy not in POLICIES:
        raise LayoutError(f"policy {policy!r} is unknown here: use one of {', '.join(POLICIES)}")
    columns = [np.ascontiguousarray(a, dtype=np.int64) for a in (submit, size, run, requested)]
    n = len(columns[0])
    start = np.full(n, -1, dtype=np.int64)
    if n == 0:
        return Replay(start, 0, 0)
    if np.any(np.diff(columns[0]) < 0):
        raise LayoutError("jobs must be sorted by submission: sort them first (stable)")
    if columns[1].min() < 1 or columns[1].max() > chips:
        raise LayoutError(f"every job needs between 1 and {chips} chips")
    if columns[2].min() < 1 or columns[3].min() < 1:
        raise LayoutError("every job needs a run time and a requested time of at least 1")
    columns[2] = np.minimum(columns[2], columns[3])
    state = _state(n, chips, policy == "easy")
    table = pointers(state)
    scalar.scalar(table.ctypes.data, *columns, start)
    return Replay(start, int(state.count["backfilled"][0]), int(state.count["longest_queue"][0]))


def replay(
    submit: np.ndarray,
    size: np.ndarray,
    run_: np.ndarray,
    requested: np.ndarray,
    chips: int,
    policy: str = "easy",
) -> np.ndarray:
    """The starts of ``run`` alone."""
    return run(submit, size, run_, requested, chips, policy).start
