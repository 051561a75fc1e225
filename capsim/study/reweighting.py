"""What other prices would change, computed from the results without simulating again.

Total cost is linear in the price of each kind of lost work and in the rent of each offer, and no decision
inside a run depends on them, but for the rules of dispatch `cheapest` and `data-gravity`, whose choices are
taken as they were made. So the total at a price m times the study's is T + (m - 1) L, with L the part of
T that the price scales: exact, not an approximation. The discount rate is re-applied to the monthly payments,
each counted at the middle of its month; lost work is not re-discounted.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from capsim.results.reading import Results
from capsim.study.context import Assumed, Context
from capsim.study.statistics import LEVEL
from capsim.study.student import quantile

Reals = NDArray[np.float64]

#: change of an assumed input for which the study gives no range, as a share of it.
UNRANGED = 0.25
#: change of the discount rate that is shown, per year.
RATE_STEP = 0.02

_LOST = {"tokens": "lost_tokens_npv", "research": "lost_research_npv", "slip": "slip_npv"}


@dataclass(frozen=True)
class Flip:
    """The factor on a price at which another strategy becomes the cheapest.

    `kind` and `subject` as in Assumed; `half` is the half width of its 95 % interval (jackknife over runs),
    nan with fewer than 3 runs.
    """

    kind: str
    subject: str | None
    factor: float
    half: float
    strategy: str


@dataclass(frozen=True)
class Effect:
    """How an input moves the total of a strategy to the ends of its range: USD, one value a run."""

    assumed: Assumed
    changes: tuple[Reals, Reals]
    given_range: bool

    @property
    def low(self) -> float:
        """Mean movement to the low end, USD."""
        return float(self.changes[0].mean())

    @property
    def high(self) -> float:
        """Mean movement to the high end, USD."""
        return float(self.changes[1].mean())

    @property
    def span(self) -> float:
        """Width of the movement, USD."""
        return abs(self.high - self.low)


class ScaledParts:
    """L of every price, strategy and run of one case; tables are read once."""

    def __init__(self, results: Results, case: str) -> None:
        self.results, self.case = results, case
        self._offers = _sums(results, "cash", "offer", "npv", case)
        self._services = _sums(results, "services", "name", "lost_npv", case)

    def part(self, kind: str, subject: str | None, strategy: str) -> Reals:
        """The part of total cost that the price `kind` of `subject` scales, USD, one value a run."""
        nothing = np.zeros(self.results.plan.runs)
        if kind == "offer":
            return self._offers.get((strategy, subject), nothing)
        if kind == "tokens" and subject is not None:
            return self._services.get((strategy, subject), nothing)
        return self.results.metric(_LOST[kind], strategy, self.case)

    def offers(self) -> list[str]:
        """Every offer that any strategy pays or is paid by."""
        return sorted({str(offer) for _, offer in self._offers})


def _sums(
    results: Results, table: str, key: str, column: str, case: str
) -> dict[tuple[str, str | None], Reals]:
    """Sums of `column` by (strategy, value of `key`), one value a run."""
    runs = results.plan.runs
    found = results.table(table, case, results.plan.strategies)
    sums: dict[tuple[str, str | None], Reals] = {}
    names, which = np.unique(found[key].astype(str), return_inverse=True)
    for strategy in results.plan.strategies:
        mine = (found["strategy"] == strategy) & (found["run"] < runs)
        cells = which[mine] * runs + found["run"][mine]
        grid = np.bincount(cells, weights=found[column][mine], minlength=len(names) * runs).reshape(-1, runs)
        present = np.bincount(which[mine], minlength=len(names)) > 0
        sums |= {(strategy, str(names[i])): grid[i] for i in np.flatnonzero(present)}
    return sums


def crossing(best: Reals, other: Reals, part_best: Reals, part_other: Reals) -> tuple[float, float]:
    """The factor m at which mean totals are equal, and the half width of its interval.

    (inf, nan) where no factor makes them equal.
    """
    factor = _solve(best.mean(), other.mean(), part_best.mean(), part_other.mean())
    n = len(best)
    if not math.isfinite(factor) or n < 3:
        return factor, math.nan
    sums = [values.sum() for values in (best, other, part_best, part_other)]
    left_out = [
        _solve(
            *(
                (total - values[i]) / (n - 1)
                for total, values in zip(sums, (best, other, part_best, part_other), strict=True)
            )
        )
        for i in range(n)
    ]
    spread = np.array(left_out)
    if not np.all(np.isfinite(spread)):
        return factor, math.inf
    error = math.sqrt((n - 1) / n * float(((spread - spread.mean()) ** 2).sum()))
    return factor, quantile(LEVEL, n - 1) * error


def _solve(best: float, other: float, part_best: float, part_other: float) -> float:
    slope = part_best - part_other
    if abs(slope) <= 1e-9 * max(abs(best), abs(other), 1.0):
        return math.inf
    return 1.0 + (other - best) / slope


def flips(results: Results, context: Context, order: Sequence[str], case: str) -> list[Flip]:
    """For each price, the nearest factors below and above 1 at which the first of `order` is overtaken.

    Nearest first. A factor below 0 does not exist as a price and is left out.
    """
    best, others = order[0], order[1:]
    totals = {s: results.metric("total_npv", s, case) for s in order}
    scaled = ScaledParts(results, case)
    offers = [offer for offer in scaled.offers() if offer not in context.common_offers]
    prices: list[tuple[str, str | None]] = [("tokens", None), ("research", None), ("slip", None)]
    prices += [("offer", offer) for offer in offers]
    found: list[Flip] = []
    for kind, subject in prices:
        parts = {s: scaled.part(kind, subject, s) for s in order}
        crossed = [(*crossing(totals[best], totals[s], parts[best], parts[s]), s) for s in others]
        below = [c for c in crossed if 0.0 <= c[0] < 1.0]
        above = [c for c in crossed if 1.0 <= c[0] < math.inf]
        for factor, half, strategy in [*sorted(below, reverse=True)[:1], *sorted(above)[:1]]:
            found.append(Flip(kind, subject, factor, half, strategy))
    return sorted(found, key=lambda flip: abs(math.log(max(flip.factor, 1e-9))))


def weakest(results: Results, context: Context, strategy: str, case: str) -> list[Effect]:
    """Effects of assumed inputs on the mean total of `strategy`, widest first."""
    found = []
    scaled = ScaledParts(results, case)
    for assumed in context.assumed:
        if assumed.kind == "offer" and set(assumed.subjects) <= context.common_offers:
            continue  # the base fleet costs every strategy the same
        if assumed.kind == "discount":
            changes, given = _rate_effect(results, context, strategy, case), False
        else:
            subjects = assumed.subjects or (None,)
            parts = [scaled.part(assumed.kind, subject, strategy) for subject in subjects]
            part: Reals = np.sum(parts, axis=0)
            given = assumed.low is not None and assumed.high is not None and assumed.mid != 0
            ends = (assumed.low, assumed.high) if given else None
            factors = [(end or 0.0) / assumed.mid for end in ends] if ends else [1 - UNRANGED, 1 + UNRANGED]
            changes = (factors[0] - 1) * part, (factors[1] - 1) * part
        found.append(Effect(assumed, changes, given))
    return sorted((e for e in found if e.span > 0), key=lambda effect: -effect.span)


def _rate_effect(results: Results, context: Context, strategy: str, case: str) -> tuple[Reals, Reals]:
    cash, runs = results.table("cash", case, strategy), results.plan.runs
    months, which = np.unique(np.asarray(cash["month"], dtype=str), return_inverse=True)
    middles = np.array([max(context.middle_of(str(month)), 0.0) for month in months])
    mine = cash["run"] < runs

    def change(step: float) -> Reals:
        ratio = (1 + context.discount_rate) / (1 + context.discount_rate + step)
        factors = ratio ** (middles / 365.25) - 1
        usd = (factors[which] * cash["npv"])[mine]
        found: Reals = np.bincount(cash["run"][mine], weights=usd, minlength=runs).astype(np.float64)
        return found

    return change(-RATE_STEP), change(RATE_STEP)
