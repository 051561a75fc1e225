"""Gavel's heterogeneity-aware allocations (Narayanan et al., OSDI 2020), as linear programs solved by HiGHS.

X[j, k] is the share of time that job j spends on chip type k. Every job: Σ_k X[j, k] ≤ 1; every type:
Σ_j size_j X[j, k] ≤ chips_k. With T[j, k] the job's speed there, the objectives are

- ``max-min``: maximise the least over jobs of size_j / weight_j × T_j·X_j / T_j·E, E_k = chips_k / Σ chips:
  the speed over that of an equal share of every type, per chip;
- ``throughput``: maximise Σ_j size_j T_j·X_j, the work done in a second;
- ``agnostic``: max-min with every speed above 0 taken for 1, the baseline that does not know speeds.

Jobs that are alike (speeds, size, weight) share equally, so one variable stands for all of them: the
programs are concave and symmetric in them. Few classes are solved directly, many by decomposition
(``capsim.policies.gavel_decomposition``) to a gap that is proved.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from capsim.errors import InputError
from capsim.policies.gavel_decomposition import solve_by_parts
from capsim.policies.gavel_program import Program, solve_directly
from capsim.workload.traces.model import Floats, Ints

OBJECTIVES = ("max-min", "throughput", "agnostic")

DIRECT = 150
"""Classes of jobs up to which HiGHS gets the program as it is; decomposition is faster beyond."""

GAP = 1e-4
"""Relative gap to the optimum at which the decomposition stops."""


@dataclass(frozen=True)
class Allocation:
    """``shares`` [job, type]; ``value`` of the objective, and ``bound`` that no allocation exceeds."""

    shares: Floats
    value: float
    bound: float


def allocate(
    objective: str,
    speed: Floats,
    size: Ints,
    chips: Ints,
    weight: Floats | None = None,
    gap: float = GAP,
) -> Allocation:
    """The best shares of time for jobs with ``speed`` [job, type] and ``size`` (chips) on ``chips`` by type.

    A speed of 0 means that the job cannot run there; where it does not fit, it counts as 0. Raises
    InputError for a job that can run nowhere, CapsimError if HiGHS finds no optimum.
    """
    if objective not in OBJECTIVES:
        raise InputError(f"unknown objective {objective!r}; write one of {', '.join(OBJECTIVES)}")
    able = np.where(size[:, None] <= chips[None, :], speed, 0.0)
    if np.any(able.max(axis=1, initial=0.0) <= 0):
        job = int(np.argmax(able.max(axis=1, initial=0.0) <= 0))
        raise InputError(f"job {job} can run nowhere: give it a speed on a type that has {size[job]} chips")
    if len(size) == 0:
        return Allocation(np.zeros((0, len(chips))), 0.0, 0.0)
    weights = np.ones(len(size)) if weight is None else weight
    rows, member, count = alike(np.column_stack([able, size, weights]))
    program = _program(objective, rows, count, chips)
    if len(rows) <= DIRECT:
        shares, value, bound = solve_directly(program)
    else:
        shares, value, bound = solve_by_parts(program, gap)
    return Allocation(np.clip(shares, 0.0, 1.0)[member], value, bound)


def alike(rows: Floats) -> tuple[Floats, Ints, Floats]:
    """Distinct rows in order, the distinct row of each row, and how many there are of each."""
    found, member, count = np.unique(rows, axis=0, return_inverse=True, return_counts=True)
    return found, member.reshape(-1).astype(np.int64), count.astype(np.float64)


def _program(objective: str, rows: Floats, count: Floats, chips: Ints) -> Program:
    """The classes' gains in the units of the objective."""
    speed, size, weight = rows[:, :-2], rows[:, -2], rows[:, -1]
    total = chips.astype(np.float64)
    if objective == "throughput":
        return Program(speed * size[:, None], size, count, total, fair=False)
    known = (speed > 0).astype(np.float64) if objective == "agnostic" else speed
    equal = known @ (total / total.sum())
    return Program(known * (size / (weight * equal))[:, None], size, count, total, fair=True)
