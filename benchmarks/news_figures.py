"""Figures of a finished comparison, and sentences whose wording follows from their signs."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from capsim.results.reading import Reals, Results
from capsim.study.context import Context
from capsim.study.statistics import mean

BILLION = 1e9


@dataclass(frozen=True)
class Found:
    """A finished comparison of a study."""

    results: Results
    context: Context

    def runs(self, metric: str, strategy: str, case: str = "base") -> Reals:
        """One figure of METRICS in each run."""
        return self.results.metric(metric, strategy, case)

    def mean(self, metric: str, strategy: str, case: str = "base") -> float:
        """Mean over runs of a figure; runs in which it does not exist are left out."""
        values = self.runs(metric, strategy, case)
        known = values[~np.isnan(values)]
        return float(known.mean()) if len(known) else float("nan")

    def billions(self, metric: str, strategy: str, case: str = "base") -> float:
        """Mean over runs of a figure in dollars, in billions."""
        return self.mean(metric, strategy, case) / BILLION

    def less(
        self, first: str, second: str, case: str = "base", metric: str = "total_npv"
    ) -> tuple[float, float]:
        """By how much `first` costs less than `second`, $B, and half of its 95 % interval (paired)."""
        return paired(self.runs(metric, first, case), self.runs(metric, second, case))


def paired(first: Reals, second: Reals) -> tuple[float, float]:
    """Mean of `second` less `first` over the same runs, $B, and half of its 95 % interval."""
    found = mean((second - first) / BILLION)
    return found.value, found.half


def money(billions: float) -> str:
    """Billions of dollars in words: $7.4B, $230M."""
    size = abs(billions)
    sign = "-" if billions < 0 else ""
    return f"{sign}${size:.1f}B" if size >= 1 else f"{sign}${size * 1000:.0f}M"


def change(billions: float) -> str:
    """A signed amount: +$2.0B."""
    return f"{'-' if billions < 0 else '+'}{money(abs(billions))}"


def gain(less: tuple[float, float]) -> str:
    """A paired difference with its interval; the word follows its sign, and noise is called so."""
    value, half = less
    low, high = sorted((abs(value) - half, abs(value) + half))
    span = f"{low:+.1f} to {high:+.1f}" if low < 0 else f"{low:.1f} to {high:.1f}"
    noise = "" if low > 0 else ", within the noise of these runs"
    return f"{money(abs(value))} {'less' if value >= 0 else 'more'} ({span}{noise})"


def listed(words: list[str]) -> str:
    """a, b and c."""
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"
