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
from typing import Any

import numpy as np

from capsim.errors import CapsimError, InputError
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


@dataclass(frozen=True)
class Program:
    """A class of alike jobs in each row: how many, and its speeds in the units of the objective.

    ``gain`` [class, type] is what a unit of time yields: for max-min, of the job's own least-served measure;
    for throughput, of the sum. ``size``: chips of one job. ``fair``: max-min.
    """

    gain: Floats
    size: Floats
    count: Floats
    chips: Floats
    fair: bool


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
        from capsim.policies.gavel_decomposition import solve_by_parts

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


def highs() -> Any:
    """HiGHS, imported here because these policies alone need it. CapsimError where it is not installed."""
    try:
        import highspy
    except ImportError:
        raise CapsimError(
            "Gavel's policies need HiGHS, which is not installed: pip install highspy"
        ) from None
    return highspy


def new_solver() -> Any:
    """A silent HiGHS on one thread."""
    highspy = highs()
    solver = highspy.Highs()
    solver.setOptionValue("output_flag", False)
    solver.setOptionValue("threads", 1)
    return solver


def solve(solver: Any) -> tuple[float, Floats, Floats]:
    """Run HiGHS; the objective (minimised), columns, dual values of rows. CapsimError if not optimal."""
    highspy = highs()
    solver.run()
    status = solver.getModelStatus()
    if status != highspy.HighsModelStatus.kOptimal:
        raise CapsimError(f"HiGHS found no optimum of an allocation: {solver.modelStatusToString(status)}")
    solution = solver.getSolution()
    value = float(solver.getInfo().objective_function_value)
    return value, np.array(solution.col_value), np.array(solution.row_dual)


def solve_directly(program: Program) -> tuple[Floats, float, float]:
    """The whole program at once: shares [class, type], value and bound (the same)."""
    highspy = highs()
    classes, types = program.gain.shape
    cells = classes * types
    infinity = highspy.kHighsInf
    fair_rows = classes if program.fair else 0
    model = highspy.HighsLp()
    model.num_col_, model.num_row_ = cells + 1, classes + types + fair_rows
    model.col_cost_ = np.append(
        np.zeros(cells) if program.fair else -(program.gain * program.count[:, None]).ravel(), -1.0
    )
    model.col_lower_ = np.zeros(cells + 1)
    model.col_upper_ = np.append(np.full(cells, infinity), infinity if program.fair else 0.0)
    model.row_lower_ = np.concatenate([np.full(classes + types, -infinity), np.zeros(fair_rows)])
    model.row_upper_ = np.concatenate([np.ones(classes), program.chips, np.full(fair_rows, infinity)])
    owner, kind = np.divmod(np.arange(cells), types)
    entries = [(owner, np.ones(cells)), (classes + kind, (program.count * program.size)[owner])]
    if program.fair:
        entries.append((classes + types + owner, program.gain.ravel()))
    index = np.stack([rows for rows, _ in entries], axis=1).ravel()
    value = np.stack([values for _, values in entries], axis=1).ravel()
    start = np.append(np.arange(cells + 1) * len(entries), len(index) + fair_rows)
    model.a_matrix_.format_ = highspy.MatrixFormat.kColwise
    model.a_matrix_.start_ = start.astype(np.int32)
    model.a_matrix_.index_ = np.append(index, classes + types + np.arange(fair_rows)).astype(np.int32)
    model.a_matrix_.value_ = np.append(value, -np.ones(fair_rows))
    solver = new_solver()
    solver.passModel(model)
    best, columns, _ = solve(solver)
    return columns[:cells].reshape(classes, types), -best, -best
