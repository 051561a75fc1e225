"""The linear program of Gavel's allocations, and HiGHS to solve it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from capsim.errors import CapsimError
from capsim.workload.traces.model import Floats


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


def highs() -> Any:
    """HiGHS, imported here because these policies alone need it. CapsimError where it is not installed."""
    try:
        import highspy
    except ImportError:
        raise CapsimError(
            "the policies of Gavel and Sia need HiGHS, which is not installed: pip install highspy"
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
