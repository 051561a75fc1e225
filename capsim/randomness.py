"""Random numbers keyed by what they belong to, never by the order of calls.

A draw's key is the study's seed, the run and a path of names, for example
``("delay", "openai-aws-2025", "tranche", 2)``. The same key gives the same draw in every strategy,
worker and split of time, so all strategies of a run face the same world.
"""

from __future__ import annotations

import hashlib
import math
from statistics import NormalDist
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

Part: TypeAlias = str | int
_NORMAL = NormalDist()
GUIDE = 4096  # a power of two, so that scaling a draw is exact


def seed64(*parts: Part) -> int:
    """Hash a key to an unsigned 64-bit integer (BLAKE2b over the parts with their types and lengths)."""
    digest = hashlib.blake2b(digest_size=8)
    for part in parts:
        text = f"{type(part).__name__[0]}{part}"
        digest.update(f"{len(text)}:{text}".encode())
    return int.from_bytes(digest.digest(), "little")


def generator(*parts: Part) -> np.random.Generator:
    """A generator of its own for a key (Philox, so that streams of different keys are independent)."""
    return np.random.Generator(np.random.Philox(key=[seed64(*parts), seed64("second", *parts)]))


def uniform(*parts: Part) -> float:
    """One draw in the open interval (0, 1)."""
    return (seed64(*parts) + 0.5) / 2.0**64


def normal(*parts: Part) -> float:
    """One standard normal draw, by inversion of `uniform`."""
    return _NORMAL.inv_cdf(min(max(uniform(*parts), 1e-16), 1 - 1e-16))


def exponential(mean: float, *parts: Part) -> float:
    """One exponential draw with the given mean, in the unit of the mean."""
    return -mean * math.log(uniform(*parts))


def factor_score(correlation: float, factor: tuple[Part, ...], own: tuple[Part, ...]) -> float:
    """A standard normal score that shares a common factor (one-factor Gaussian copula).

    With correlation 1 all scores of one factor are equal, so their delays have the same ranks.
    """
    rho = min(max(correlation, 0.0), 1.0)
    return math.sqrt(rho) * normal(*factor) + math.sqrt(1.0 - rho) * normal(*own)


def score_to_uniform(score: float) -> float:
    """The standard normal distribution function."""
    return _NORMAL.cdf(score)


def choose(shares: NDArray[np.float64], u: NDArray[np.float64]) -> NDArray[np.int64]:
    """Which of some things with these shares each uniform draw in [0, 1) chooses.

    A table says it at once for the draws of a 4096th in which no share ends; the others are searched.
    """
    bounds = np.cumsum(shares / shares.sum())
    edges = np.arange(GUIDE + 1) / GUIDE
    first = np.searchsorted(bounds, edges[:-1], side="right")
    last = np.searchsorted(bounds, edges[1:], side="left")
    at = (u * GUIDE).astype(np.int64)
    chosen = first[at]
    unsure = np.flatnonzero((first != last)[at])
    chosen[unsure] = np.searchsorted(bounds, u[unsure], side="right")
    found: NDArray[np.int64] = np.minimum(chosen, len(shares) - 1)
    return found
