"""Statistics of runs: means with intervals, paired differences, ties, quantiles, tails.

Definitions are in docs/metrics.md. Every function takes one value a run, in the order of runs.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from capsim.study.student import quantile, two_sided_p

Reals = NDArray[np.float64]

LEVEL = 0.95
#: runs from which the worst 5 % are printed as CVaR95 (docs/metrics.md); below it is the worst run.
CVAR_RUNS = 400


@dataclass(frozen=True)
class Mean:
    """A mean and the half width of its 95 % interval (nan with one run)."""

    value: float
    half: float


@dataclass(frozen=True)
class Difference:
    """A paired difference of means: `value` ± `half`, its two-sided p value, and whether it survives Holm."""

    value: float
    half: float
    p: float
    distinct: bool


@dataclass(frozen=True)
class Tail:
    """The bad end of a distribution; `kind` is `CVaR95` or `worst of N`."""

    value: float
    kind: str


def mean(values: Reals) -> Mean:
    """Mean with its Student t interval at 95 %."""
    n = len(values)
    if n < 2:
        return Mean(float(values.mean()), math.nan)
    error = float(values.std(ddof=1)) / math.sqrt(n)
    return Mean(float(values.mean()), quantile(LEVEL, n - 1) * error)


def moved_mean(base: Reals, change: Reals) -> Mean:
    """Mean of `base` plus that of `change`, which is known in the first worlds of `base` only.

    The variance of the sum of the two means, N runs of one and n of the other, is
    s_base^2 / N + s_change^2 / n + 2 cov / N; Student t with n - 1 degrees of freedom, nan with one world.
    """
    many, few = len(base), len(change)
    value = float(base.mean()) + float(change.mean())
    if few < 2:
        return Mean(value, math.nan)
    together = float(np.cov(base[:few], change)[0, 1])
    variance = float(base.var(ddof=1)) / many + float(change.var(ddof=1)) / few + 2 * together / many
    return Mean(value, quantile(LEVEL, few - 1) * math.sqrt(max(variance, 0.0)))


def paired_p(first: Reals, second: Reals) -> float:
    """Two-sided p value of the paired t test that the means are equal; nan with fewer than 2 runs.

    Identical values in every run are p = 1; a constant difference other than 0 is p = 0.
    """
    difference = first - second
    n = len(difference)
    if n < 2:
        return math.nan
    middle, deviation = float(difference.mean()), float(difference.std(ddof=1))
    if deviation <= 1e-12 * max(abs(middle), 1e-300):
        return 1.0 if middle == 0 else 0.0
    return two_sided_p(middle / (deviation / math.sqrt(n)), n - 1)


def holm(ps: Sequence[float], alpha: float = 1 - LEVEL) -> list[bool]:
    """Which hypotheses Holm's step-down method rejects at `alpha`; nan is never rejected."""
    order = sorted(range(len(ps)), key=lambda i: (math.isnan(ps[i]), ps[i]))
    rejected = [False] * len(ps)
    for step, index in enumerate(order):
        if math.isnan(ps[index]) or ps[index] > alpha / (len(ps) - step):
            break
        rejected[index] = True
    return rejected


def differences(values: Sequence[Reals], base: Reals) -> list[Difference]:
    """Paired differences of each of `values` to `base`, Holm over all of them."""
    ps = [paired_p(v, base) for v in values]
    distinct = holm(ps)
    found = []
    for value, p, clear in zip(values, ps, distinct, strict=True):
        interval = mean(value - base)
        found.append(Difference(interval.value, interval.half, p, clear))
    return found


def ranks(ordered: Sequence[Reals]) -> list[tuple[int, bool]]:
    """Rank and whether it is shared, of rows in ascending order of their means.

    A row whose paired difference to the row above cannot be told from 0 (Holm over the adjacent pairs)
    shares the rank of that row. Sharing is passed on from row to row.
    """
    if not ordered:
        return []
    clear = holm([paired_p(low, high) for high, low in itertools.pairwise(ordered)])
    numbers = [1]
    for position, distinct in enumerate(clear, start=2):
        numbers.append(position if distinct else numbers[-1])
    return [(number, numbers.count(number) > 1) for number in numbers]


def order_quantile(values: Reals, q: float) -> float:
    """The smallest value that at least a share `q` of the values do not exceed; nan counts as never (inf)."""
    ordered = np.sort(np.where(np.isnan(values), np.inf, values))
    if len(ordered) == 0:
        return math.nan
    return float(ordered[max(0, math.ceil(round(q * len(ordered), 9)) - 1)])


def cvar(values: Reals, share: float = 1 - LEVEL) -> float:
    """Mean of the highest `share` of values, the boundary value weighted by its fraction."""
    ordered = np.sort(values)[::-1]
    count = share * len(ordered)
    whole = min(math.floor(round(count, 9)), len(ordered))
    total = float(ordered[:whole].sum())
    fraction = count - whole
    if fraction > 1e-9 and whole < len(ordered):
        total += fraction * float(ordered[whole])
    return total / count


def tail(values: Reals) -> Tail:
    """CVaR95 of costs from 400 runs on, the worst run below that."""
    if len(values) >= CVAR_RUNS:
        return Tail(cvar(values), "CVaR95")
    return Tail(float(values.max()), f"worst of {len(values)}")


def regret(values: Sequence[Reals]) -> list[tuple[float, float]]:
    """Mean and greatest regret of each strategy: its cost less the least of any strategy in the run."""
    best = np.min(np.stack(list(values)), axis=0)
    return [(float((v - best).mean()), float((v - best).max())) for v in values]


def concentration(parts: Sequence[float]) -> float:
    """Herfindahl-Hirschman index of non-negative `parts`, 0..10,000; nan where there is nothing."""
    total = sum(parts)
    return 1e4 * sum((part / total) ** 2 for part in parts) if total > 0 else math.nan
