"""Results of a comparison as the statistics and the report read them.

Scalars are in memory; tables are read from the run folder when asked for.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from capsim.results.schema import CASH_LINES

if TYPE_CHECKING:
    from capsim.results.parquet import RunRow

Reals = NDArray[np.float64]


@dataclass(frozen=True)
class Plan:
    """What is compared: `runs` worlds of each case, every strategy in each of them."""

    strategies: tuple[str, ...]
    cases: tuple[str, ...]
    runs: int
    against: str

    @property
    def worlds(self) -> list[tuple[str, int]]:
        """Every (case, run), in the order of dispatch and of results."""
        return [(case, run) for case in self.cases for run in range(self.runs)]


@dataclass(frozen=True)
class Results:
    """Finished results of `plan` in the run folder `path`. `rows` is keyed by (strategy, case, run)."""

    plan: Plan
    rows: Mapping[tuple[str, str, int], RunRow]
    path: Path
    digest: str
    seconds: float

    def metric(self, name: str, strategy: str, case: str) -> Reals:
        """One figure of METRICS, one value a run, in the order of runs."""
        return np.array([self.rows[strategy, case, run].metrics[name] for run in range(self.plan.runs)])

    def cash(self, line: str, strategy: str, case: str) -> Reals:
        """One discounted line of cash, USD, one value a run."""
        return np.array([self.rows[strategy, case, run].cash_npv[line] for run in range(self.plan.runs)])

    def cash_lines(self, strategy: str, case: str) -> dict[str, float]:
        """Mean over runs of each discounted line of cash, USD."""
        return {line: float(self.cash(line, strategy, case).mean()) for line in CASH_LINES}

    def ladder(self, rung: str, strategy: str, case: str) -> Reals:
        """One rung of LADDER, chip-milliseconds, one value a run (as float64)."""
        return np.array([float(self.rows[strategy, case, run].ladder[rung]) for run in range(self.plan.runs)])

    def table(self, name: str, case: str, strategies: tuple[str, ...] | str, **equal: Any) -> dict[str, Any]:
        """Rows of a merged table for one case, columns as numpy arrays, with the columns strategy and run.

        Rows of runs outside the plan are never there; `equal` keeps only rows with these values.
        """
        from capsim.results.parquet import read_table

        wanted = [strategies] if isinstance(strategies, str) else list(strategies)
        path = self.path / f"{name}.parquet"
        return read_table(path, self.plan.runs, strategy=wanted, case=case, **equal)
