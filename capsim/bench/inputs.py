"""What the benchmarks schedule: job mixes, and fleets by number of chips."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from capsim.kernel.layout import Failures, Layout

SECOND, HOUR, DAY = 1000, 3_600_000, 86_400_000

FAILURE_RATE = 0.474 / 1000 / DAY
"""Failures per chip-ms: 0.474 per 1,000 chip-days, all causes (the project's default)."""


@dataclass(frozen=True)
class Mix:
    """Sizes 2^k, ``low`` ≤ k ≤ ``high``, p ∝ 2^(−``exponent`` · k); ``exact``: requested = run time."""

    low: int
    high: int
    exponent: float
    exact: bool = False


MIXES = {
    "first": Mix(3, 17, 0.7),
    "second": Mix(0, 12, 1.0),
    "loose": Mix(0, 8, 1.0),
    "exact": Mix(0, 8, 1.0, exact=True),
}
"""The job mixes of the scheduling bars; ``loose`` and ``exact`` are those of conservative backfilling."""

Columns = tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]
"""submit, run, size, requested; ms and chips."""


def draw(mix: Mix, n: int, chips: int, load: float, seed: int = 1) -> Columns:
    """Jobs of a mix that fit ``chips``, at an offered load, as (submit, run, size, requested) in ms.

    Run times lognormal, median 30 min, sigma 2, clipped to 10 s .. 14 d; requested = run × (1 + Exp(mean
    1.5)). Poisson arrivals.
    """
    rng = np.random.default_rng(seed)
    k = np.arange(mix.low, mix.high + 1)
    k = k[2**k <= chips]
    p = 2.0 ** (-mix.exponent * (k - mix.low))
    size = 2 ** rng.choice(k, n, p=p / p.sum())
    run = np.clip(np.exp(rng.normal(np.log(1800.0), 2.0, n)), 10.0, 14 * 86400.0)
    requested = run * (1.0 + rng.exponential(1.5, n))
    gap = float((size * run).mean()) / (chips * load)
    submit = np.cumsum(rng.exponential(gap, n))
    ms = [np.maximum(1, np.round(a * 1000)).astype(np.int64) for a in (submit, run, requested)]
    return ms[0], ms[1], size.astype(np.int64), ms[1] if mix.exact else ms[2]


@dataclass(frozen=True)
class Fleet:
    """One site: ``blocks`` blocks of ``domains`` scale-up domains of ``domain_chips`` chips."""

    blocks: int
    domains: int
    domain_chips: int
    node_chips: int = 4

    @property
    def chips(self) -> int:
        """All chips."""
        return self.blocks * self.domains * self.domain_chips


FLEETS = {
    fleet.chips: fleet
    for fleet in (
        Fleet(4, 32, 8, 8),
        Fleet(91, 10, 72),
        Fleet(910, 8, 72),
        Fleet(1820, 8, 72),
        Fleet(27_750, 8, 72),
    )
}
"""By chips: 1,024 in nodes of 8; 65,520 up to 15,984,000 in racks of 72. Block sizes are assumed."""


def layout(chips: int, failures: bool) -> Layout:
    """The fleet of so many chips; ``failures``: at FAILURE_RATE, repaired in 4 h at the median."""
    fleet = FLEETS[chips]
    stream = Failures(rate=FAILURE_RATE, repair_median=4.0 * HOUR, repair_sigma=1.0, seed=7)
    out = Layout()
    site = out.site(out.pool(fleet.domain_chips, fleet.node_chips))
    out.tranche(site, fleet.blocks * fleet.domains, fleet.domains, failures=stream if failures else None)
    return out
