"""The figures of a strategy in a comparison, as numbers; how they are printed is the report's affair.

Definitions: docs/metrics.md.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from capsim.results.reading import Results
from capsim.results.schema import LADDER
from capsim.study.statistics import (
    Difference,
    Mean,
    Tail,
    differences,
    mean,
    order_quantile,
    ranks,
    regret,
    tail,
)

#: year ends for which "owed if we stop" is shown.
OWED_YEARS: tuple[int, ...] = (2027, 2028, 2029)

#: metrics of which the mean over runs is shown as it is.
PLAIN: tuple[str, ...] = (
    "cash_npv", "lost_tokens_npv", "lost_research_npv", "slip_npv", "equity", "headline", "binding",
    "delivered", "usd_per_pflop_day", "usd_per_mtok", "runs_on_time", "runs_finished", "runs_total",
    "slo_attainment", "tokens_unmet", "research_unmet", "paid_idle_npv", "paid_idle_share",
    "bought_twice_npv", "valley_chip_hours", "wait_p50_h", "wait_p99_h", "slowdown_mean", "ettr", "mfu",
    "peak_gw", "mean_gw", "hhi_provider", "hhi_family", "stranded",
)  # fmt: skip


@dataclass(frozen=True)
class Row:
    """One strategy in one case.

    Attributes:
        difference: total cost less that of the base in the same runs; None for the base.
        plain: means over runs of the metrics of PLAIN (nan runs left out).
        slip_days: P50 and P90 over runs and named runs; inf where the quantile is a run that never finished.
        days_to_1m: P50 and P90 over runs; inf for never.
        ladder: share of the paid chip-hours on each rung; empty when nothing was paid.
        owed: USD owed if all work stops at the end of a year, mean over runs.
        regret: mean and greatest regret over runs, USD.
    """

    strategy: str
    rank: int
    shared: bool
    total: Mean
    difference: Difference | None
    plain: dict[str, float]
    worst: Tail
    regret: tuple[float, float]
    slip_days: tuple[float, float]
    days_to_1m: tuple[float, float]
    ladder: dict[str, float]
    owed: dict[int, float]

    @property
    def lost_work(self) -> float:
        """Lost tokens and research at the study's prices, USD discounted."""
        return self.plain["lost_tokens_npv"] + self.plain["lost_research_npv"]

    @property
    def mark(self) -> str:
        """The rank as printed: `3=` where it is shared."""
        return f"{self.rank}{'=' if self.shared else ''}"


@dataclass(frozen=True)
class Table:
    """All strategies of one case, cheapest first. `by_cash` is their order on cash alone."""

    case: str
    against: str
    rows: tuple[Row, ...]
    by_cash: tuple[str, ...]

    @property
    def base(self) -> Row:
        """The row that the others are compared with."""
        return self.row(self.against)

    def row(self, strategy: str) -> Row:
        """The row of a strategy."""
        return next(row for row in self.rows if row.strategy == strategy)


def table(results: Results, case: str) -> Table:
    """Figures of every strategy in `case`."""
    plan = results.plan
    totals = {s: results.metric("total_npv", s, case) for s in plan.strategies}
    order = sorted(plan.strategies, key=lambda s: (float(totals[s].mean()), plan.strategies.index(s)))
    others = [s for s in order if s != plan.against]
    compared = dict(zip(others, differences([totals[s] for s in others], totals[plan.against]), strict=True))
    regrets = dict(zip(order, regret([totals[s] for s in order]), strict=True))
    slips = _slips(results, case)
    owed = _owed(results, case)
    rows = [
        Row(
            strategy=strategy,
            rank=rank,
            shared=shared,
            total=mean(totals[strategy]),
            difference=compared.get(strategy),
            plain={name: _mean(results.metric(name, strategy, case)) for name in PLAIN},
            worst=tail(totals[strategy]),
            regret=regrets[strategy],
            slip_days=_quantiles(slips[strategy]),
            days_to_1m=_quantiles(results.metric("days_to_1m", strategy, case)),
            ladder=_ladder(results, strategy, case),
            owed=owed[strategy],
        )
        for strategy, (rank, shared) in zip(order, ranks([totals[s] for s in order]), strict=True)
    ]
    by_cash = sorted(rows, key=lambda row: row.plain["cash_npv"])
    return Table(case, plan.against, tuple(rows), tuple(row.strategy for row in by_cash))


def _mean(values: np.ndarray) -> float:
    known = values[~np.isnan(values)]
    return float(known.mean()) if len(known) else float("nan")


def _quantiles(values: np.ndarray) -> tuple[float, float]:
    return order_quantile(values, 0.5), order_quantile(values, 0.9)


def _slips(results: Results, case: str) -> dict[str, np.ndarray]:
    found = results.table("training", case, results.plan.strategies)
    slips = slips_of(found)
    return {s: slips[found["strategy"] == s] for s in results.plan.strategies}


def slips_of(training: dict[str, Any]) -> np.ndarray:
    """Slip in days of each row of the table `training`; nan for a run that never finished."""
    return np.where(training["finish_ms"] < 0, np.nan, training["slip_days"])


def _owed(results: Results, case: str) -> dict[str, dict[int, float]]:
    found = results.table("owed", case, results.plan.strategies)
    sums: dict[str, dict[int, float]] = {s: {} for s in results.plan.strategies}
    for strategy, year, usd in zip(found["strategy"], found["year"], found["owed_if_stopped"], strict=True):
        sums[strategy][int(year)] = sums[strategy].get(int(year), 0.0) + float(usd) / results.plan.runs
    return sums


def _ladder(results: Results, strategy: str, case: str) -> dict[str, float]:
    paid = float(results.ladder("paid", strategy, case).sum())
    if paid <= 0:
        return {}
    return {rung: float(results.ladder(rung, strategy, case).sum()) / paid for rung in LADDER[1:]}
