"""Jobs for the tests of conservative backfilling."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Row = tuple[int, int, int, int]  # submit, size, run, requested


def columns(rows: list[Row]) -> list[NDArray[np.int64]]:
    """Submit, size, run and requested of rows."""
    return [np.array(column, dtype=np.int64) for column in zip(*rows, strict=True)]


def crowded(seed: int, count: int, chips: int, looseness: float, load: float = 0.97) -> list[Row]:
    """Jobs that keep many breakpoints in the profile: long queue, wide mix, early ends."""
    rng = np.random.default_rng(seed)
    size = np.minimum(2 ** rng.geometric(0.4, count) - rng.integers(0, 2, count), chips)
    run = np.clip(rng.lognormal(3.0, 1.2, count), 1, 300).astype(np.int64)
    requested = np.maximum(1, run * (1 + rng.exponential(looseness, count))).astype(np.int64)
    submit = np.cumsum(rng.exponential(np.mean(size * run) / (load * chips), count)).astype(np.int64)
    return list(zip(submit.tolist(), size.tolist(), run.tolist(), requested.tolist(), strict=True))
