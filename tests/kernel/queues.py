"""Arrivals and service times of the queueing models with known answers, and intervals over seeds."""

from __future__ import annotations

from collections.abc import Callable
from math import factorial, sqrt

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]

MEAN_SERVICE_MS = 1_000_000
"""The mean service time, so long that rounding to milliseconds does not matter."""

T_95 = {9: 2.262, 14: 2.145, 19: 2.093, 29: 2.045}
"""Two-sided 95 % quantiles of Student's t by degrees of freedom (standard tables)."""


def exponential(rng: np.random.Generator, count: int) -> Floats:
    """Service times of mean 1 and squared coefficient of variation 1."""
    return rng.exponential(size=count)


def constant(rng: np.random.Generator, count: int) -> Floats:
    """Service times of exactly 1."""
    return np.ones(count)


def hyperexponential(rng: np.random.Generator, count: int, scv: float = 4.0) -> Floats:
    """Two exponential phases with balanced means: mean 1 and the given squared coefficient of variation."""
    p = 0.5 * (1 + sqrt((scv - 1) / (scv + 1)))
    first = rng.random(count) < p
    mean = np.where(first, 0.5 / p, 0.5 / (1 - p))
    return mean * rng.exponential(size=count)


def arrivals(
    seed: int, count: int, servers: int, load: float, service: Callable[[np.random.Generator, int], Floats]
) -> tuple[Ints, Ints]:
    """Submissions (Poisson) and run times in ms for a queue of ``servers`` at ``load``."""
    rng = np.random.default_rng([seed, servers, round(load * 1000)])
    gaps = rng.exponential(MEAN_SERVICE_MS / (servers * load), size=count)
    submit = np.rint(np.cumsum(gaps)).astype(np.int64)
    run = np.maximum(np.rint(service(rng, count) * MEAN_SERVICE_MS).astype(np.int64), 1)
    return submit, run


def mmc_wait(servers: int, load: float) -> float:
    """Mean wait of M/M/c in mean service times, by Erlang's C formula."""
    offered = servers * load
    last = offered**servers / factorial(servers) / (1 - load)
    waiting = last / (sum(offered**k / factorial(k) for k in range(servers)) + last)
    return waiting / (servers * (1 - load))


def mg1_wait(load: float, scv: float) -> float:
    """Mean wait of M/G/1 in mean service times (Pollaczek–Khinchine)."""
    return load / (1 - load) * (1 + scv) / 2


def interval(means: Floats) -> tuple[float, float]:
    """Mean and half width of the 95 % interval over independent seeds."""
    return float(means.mean()), float(T_95[len(means) - 1] * means.std(ddof=1) / sqrt(len(means)))
