"""Sia's integer program: few columns go to HiGHS as they are, many by prices of chips and a small core.

The types' chips alone tie jobs together. At prices p of a chip of each type every job's best option is found
at once, and p·chips + Σ (gain − p·chips of the best option) bounds every choice; prices with the least bound
come from the decomposition of ``gavel_decomposition``. Serving jobs in the order of what they gain at these
prices is often within ``GAP`` of the bound. Else HiGHS chooses for the *core*: options that lose little
against a job's best; jobs with one such option take it. An option that loses more than bound − value is in no
better choice.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from capsim.errors import CapsimError
from capsim.policies.gavel_decomposition import Master, Response
from capsim.policies.gavel_program import highs, new_solver
from capsim.workload.traces.model import Floats, Ints

Flags = NDArray[np.bool_]

DIRECT = 60
"""Columns up to which HiGHS gets the whole program, without a gap."""

GAP = 1e-3
"""Relative gap to the bound at which a larger program stops."""

CORE = 120
"""Options of the first core; the next ones have four times as many."""

MOST_NODES = 100
"""Nodes of a search; then the best choice found is taken, and its gap is what it is."""

PARTS, MOST_STEPS = 3, 60
"""Parts of the jobs with responses of their own, and steps of the prices at most."""

IDLE = -1
"""The option of a class that gains nothing at some prices."""


class Program(NamedTuple):
    """Options [class, option]: gain (none: no option), chips, type; jobs in a class; chips by type."""

    gain: Floats
    size: Ints
    type: Ints
    jobs: Ints
    chips: Ints

    def usage(self, rows: Ints, options: Ints) -> Ints:
        """Chips by type if all jobs of each of ``rows`` take the option beside it."""
        held = self.size[rows, options] * self.jobs[rows]
        used = np.bincount(self.type[rows, options], weights=held, minlength=len(self.chips))
        return used.astype(np.int64)

    def value(self, counts: Ints) -> float:
        """The sum of gains of so many jobs [class, option]."""
        return float(np.where(counts > 0, self.gain, 0.0).ravel() @ counts.ravel())


class Core(NamedTuple):
    """Options one by one, as HiGHS gets them in columns: their class (row), gain, chips and type."""

    row: Ints
    gain: Floats
    size: Ints
    type: Ints


def choose_counts(program: Program) -> tuple[Ints, float, float]:
    """How many jobs of each class take each option [class, option], the sum of gains, a bound on it.

    Raises CapsimError if HiGHS finds no choice.
    """
    best, worth = best_options(program.gain)
    served = np.flatnonzero(worth > 0)
    counts = np.zeros(program.gain.shape, dtype=np.int64)
    if np.all(program.usage(served, best[served]) <= program.chips):
        counts[served, best[served]] = program.jobs[served]
        value = program.value(counts)
        return counts, value, value
    if np.count_nonzero(program.gain > 0) <= DIRECT:
        counts, bound = _with_core(program, program.gain > 0, np.empty(0, dtype=np.int64), best, 0.0)
    else:
        counts, bound = solve_by_prices(program)
    return counts, program.value(counts), bound


def best_options(worth: Floats) -> tuple[Ints, Floats]:
    """The option of the greatest worth of each class, the first of equals, and that worth."""
    if not worth.size:
        return np.zeros(len(worth), dtype=np.int64), np.zeros(len(worth))
    best = np.argmax(worth, axis=1)
    return best, worth[np.arange(len(worth)), best]


def best_prices(program: Program) -> tuple[Floats, float]:
    """Prices of a chip of each type with about the least bound, and that bound."""
    master = Master(program.chips.astype(np.float64), False, PARTS)
    prices = np.full(len(program.chips), 0.5 * float(np.max(program.gain / np.maximum(program.size, 1))))
    bound, least = np.inf, prices
    for _ in range(MOST_STEPS):
        best, worth = best_options(program.gain - prices[program.type] * program.size)
        limit = float(prices @ program.chips)
        for part in range(PARTS):
            rows = np.arange(part, len(best), PARTS)
            rows = rows[worth[rows] > 0]
            limit += float(worth[rows] @ program.jobs[rows])
            yielded = float(program.gain[rows, best[rows]] @ program.jobs[rows])
            master.add(part, Response(yielded, program.usage(rows, best[rows]).astype(float), np.empty(0)))
        if limit < bound:
            bound, least = limit, prices
        value, _, prices, _ = master.step()
        if bound - value <= 0.1 * GAP * bound:
            break
    return least, bound


def solve_by_prices(program: Program) -> tuple[Ints, float]:
    """Jobs of each class in each option, and a bound on the sum of gains."""
    prices, bound = best_prices(program)
    worth = np.where(program.gain > 0, program.gain - prices[program.type] * program.size, -np.inf)
    answer = in_order_of_worth(program, worth)
    answered = program.value(answer)
    best, reached = best_options(worth)
    best = np.where(reached > 0, best, IDLE)
    idle = np.maximum(reached, 0.0)  # what a job of the class loses if it takes nothing
    regret = idle[:, None] - worth
    rivals = regret.copy()
    busy = np.flatnonzero(best >= 0)
    rivals[busy, best[busy]] = idle[busy]
    rivals = np.sort(rivals[np.isfinite(rivals)])
    wanted = CORE
    while bound - answered > GAP * bound:
        limit = min(float(rivals[wanted]) if wanted < len(rivals) else np.inf, bound - answered)
        near = np.isfinite(regret) & (regret <= limit)
        settled = np.flatnonzero((near.sum(axis=1) == 1) & (idle > limit))
        near[settled] = False
        counts, proved = _with_core(program, near, settled, best, 0.5 * GAP * bound)
        value = program.value(counts)
        if value > answered:
            answer, answered = counts, value
        if limit >= bound - answered:  # no choice with an option outside the core can be better
            return answer, min(bound, max(proved, answered))
        wanted *= 4
    return answer, bound


def in_order_of_worth(program: Program, worth: Floats) -> Ints:
    """Jobs of each class in each option if classes choose in the order of their ``worth`` [class, option].

    Each takes its best option that fits; then who has nothing takes what is left.
    """
    counts = np.zeros(worth.shape, dtype=np.int64)
    free, waiting = program.chips.tolist(), program.jobs.tolist()
    sizes, kinds = program.size.tolist(), program.type.tolist()
    reached = best_options(worth)[1]
    for measure in (worth, program.gain):
        ranked = np.argsort(-measure, axis=1, kind="stable").tolist()
        for row in np.argsort(-reached, kind="stable").tolist():
            for option in ranked[row]:
                if not waiting[row] or measure[row, option] <= 0:
                    break
                kind, size = kinds[row][option], sizes[row][option]
                taken = min(waiting[row], free[kind] // size)
                if taken:
                    counts[row, option] += taken
                    free[kind] -= taken * size
                    waiting[row] -= taken
        if not any(free):
            break
    return counts


def _with_core(program: Program, near: Flags, settled: Ints, best: Ints, gap: float) -> tuple[Ints, float]:
    """Jobs of each class in each option, chosen among ``near`` [class, option]; a bound on their gains.

    The classes ``settled`` take their best option; where that is too much, nobody gets anything.
    """
    counts = np.zeros(program.gain.shape, dtype=np.int64)
    left = program.chips - program.usage(settled, best[settled])
    if np.any(left < 0):
        return counts, np.inf
    counts[settled, best[settled]] = program.jobs[settled]
    row, option = np.nonzero(near)
    rows, own = np.unique(row, return_inverse=True)
    core = Core(own, program.gain[row, option], program.size[row, option], program.type[row, option])
    fixed = program.value(counts)
    counts[row, option], proved = solve_core(core, program.jobs[rows], left, gap)
    return counts, fixed + proved


def solve_core(core: Core, jobs: Ints, chips: Ints, gap: float) -> tuple[Ints, float]:
    """Jobs in each column by HiGHS to an absolute ``gap``, and its bound; at most ``jobs`` [row] in a row."""
    size, rows, types = len(core.row), len(jobs), len(chips)
    if size == 0:
        return np.zeros(0, dtype=np.int64), 0.0
    highspy = highs()
    model = highspy.HighsLp()
    model.num_col_, model.num_row_ = size, rows + types
    model.col_cost_ = -core.gain
    model.col_lower_ = np.zeros(size)
    model.col_upper_ = np.minimum(jobs[core.row], chips[core.type] // core.size).astype(np.float64)
    model.row_lower_ = np.full(rows + types, -highspy.kHighsInf)
    model.row_upper_ = np.concatenate([jobs, chips]).astype(np.float64)
    model.a_matrix_.format_ = highspy.MatrixFormat.kColwise
    model.a_matrix_.start_ = (2 * np.arange(size + 1)).astype(np.int32)
    model.a_matrix_.index_ = np.column_stack([core.row, rows + core.type]).ravel().astype(np.int32)
    model.a_matrix_.value_ = np.column_stack([np.ones(size), core.size]).ravel()
    model.integrality_ = [highspy.HighsVarType.kInteger] * size
    solver = new_solver()
    solver.setOptionValue("presolve", "off")  # costs more than it saves on so few columns
    solver.setOptionValue("mip_rel_gap", 0.0)
    solver.setOptionValue("mip_abs_gap", max(gap, 1e-9))
    solver.setOptionValue("mip_max_nodes", MOST_NODES)
    solver.passModel(model)
    solver.run()
    info = solver.getInfo()
    if info.primal_solution_status != highspy.SolutionStatus.kSolutionStatusFeasible:
        status = solver.modelStatusToString(solver.getModelStatus())
        raise CapsimError(f"HiGHS found no choice of configurations: {status}")
    found = np.rint(np.array(solver.getSolution().col_value)).astype(np.int64)
    return found, -float(info.mip_dual_bound)
