"""Closed forms of failures: mean time to failure of a gang, the checkpoint interval, effective training time.

Failures are simulated event by event; these forms are what the simulation is checked against, and what a
report may use where it says so. Components fail as Poisson processes (facts/reliability.yaml `formulas`).
"""

from __future__ import annotations

import math


def mttf_hours(chips: float, failures_per_1000_chip_days: float) -> float:
    """Mean time to the first failure of a gang of ``chips``, h."""
    if chips <= 0 or failures_per_1000_chip_days <= 0:
        return math.inf
    return 24.0 / (chips * failures_per_1000_chip_days / 1000.0)


def per_chip_rate(failures_per_1000_node_days: float, node: float = 8.0) -> float:
    """Failures per 1,000 chip-days from a rate per 1,000 days of nodes of ``node`` chips."""
    return failures_per_1000_node_days / node


def young_daly_seconds(write_seconds: float, mttf_seconds: float) -> float:
    """Checkpoint interval that loses least, s: Daly's higher-order form for writes shorter than 2 MTTF."""
    if write_seconds >= 2 * mttf_seconds:
        return mttf_seconds
    ratio = write_seconds / (2 * mttf_seconds)
    return (
        math.sqrt(2 * write_seconds * mttf_seconds) * (1 + math.sqrt(ratio) / 3 + ratio / 9) - write_seconds
    )


def effective_time_ratio(
    interval_seconds: float, write_seconds: float, restart_seconds: float, mttf_seconds: float
) -> float:
    """ETTR: productive over elapsed time with exponential failures; failures during a restart repeat it.

    ``dt / (M e^(u0/M) (e^((dt+w)/M) - 1))`` with interval dt, stall w, restart u0 and mean time to failure M.
    """
    m = mttf_seconds
    if math.isinf(m):
        return interval_seconds / (interval_seconds + write_seconds)
    growth = math.expm1(min(700.0, (interval_seconds + write_seconds) / m))
    return interval_seconds / (m * math.exp(min(700.0, restart_seconds / m)) * growth)
