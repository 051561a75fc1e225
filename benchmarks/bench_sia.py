"""A round of Sia with 10,000 active jobs on 6 chip types: grouping, program and work done, one core.

Goal: at most 1 s, with jobs of 26 kinds and with 10,000 jobs of which no two are alike, rigid and elastic (up
to 64 chips: 66 configurations), all waiting, and with as many of them running as the machine holds.

``python benchmarks/bench_sia.py [JOBS]`` prints seconds of processor time of a round;
``pytest benchmarks/bench_sia.py`` runs the same under pytest-benchmark.
"""

from __future__ import annotations

import sys
import time
from typing import Any

import numpy as np
import pytest

from capsim.engine.replay_jobs import Columns
from capsim.engine.replay_types import Types
from capsim.engine.rounds import Progress
from capsim.engine.sia_rounds import SiaRounds

CHIPS = np.array([800, 600, 900, 400, 1200, 500])
TYPE_SPEED = np.array([1.0, 0.6, 0.3, 0.8, 0.2, 0.5])
ROUND_MS, RESTART_MS = 360_000, 30_000
KINDS = {"26 kinds": 26, "all different": 0}
SCALING = {"rigid": None, "elastic": (1, 64, 0.05)}
WARM = 3
"""Rounds before the one that is measured: jobs run, and each has its own r."""


def rounds_of(scaling: str, count: int, kinds: int, seed: int = 1) -> tuple[SiaRounds, Progress]:
    """``count`` jobs of 1 .. 16 chips, all active; they want some 14 times the chips of the machine."""
    rng = np.random.default_rng(seed)
    classes = kinds or count
    speed = rng.uniform(0.1, 1.0, (classes, len(CHIPS))) * TYPE_SPEED
    job_class = rng.integers(0, kinds, count) if kinds else np.arange(count)
    size = (2 ** rng.integers(0, 5, classes))[job_class]
    run = rng.integers(ROUND_MS, 100 * ROUND_MS, count)
    jobs = Columns(np.zeros(count, dtype=np.int64), size, run, run)
    types = Types(
        tuple("abcdef"), CHIPS * count // 10_000, tuple(map(str, range(classes))), speed, job_class,
        ROUND_MS, RESTART_MS, np.full(len(CHIPS), 8), (SCALING[scaling],) * classes,
    )  # fmt: skip
    return SiaRounds(types, size, job_class), Progress(jobs, ROUND_MS, RESTART_MS)


def one_round(rounds: SiaRounds, state: Progress, number: int) -> None:
    """The round of that number, of the jobs that have not ended."""
    active = np.flatnonzero(state.end < 0)
    state.run(number * ROUND_MS, active, rounds.place(number * ROUND_MS, active, True, state))


@pytest.mark.parametrize("kinds", KINDS)
@pytest.mark.parametrize("scaling", SCALING)
def test_a_round(benchmark: Any, scaling: str, kinds: str) -> None:
    benchmark.pedantic(
        one_round, setup=lambda: ((*rounds_of(scaling, 10_000, KINDS[kinds]), 0), {}), rounds=3
    )


def main() -> None:
    """Print a table."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 10_000
    one_round(*rounds_of("rigid", 1_000, 0), 0)
    for name, kinds in KINDS.items():
        for scaling in SCALING:
            first, later = list[float](), list[float]()
            for seed in (1, 2, 3):
                prepared = rounds_of(scaling, count, kinds, seed)
                for number in range(WARM + 1):
                    began = time.process_time()
                    one_round(*prepared, number)
                    (later if number else first).append(time.process_time() - began)
            print(
                f"{count:,} jobs, {name:<14} {scaling:<8} first {min(first):.3f}–{max(first):.3f} s,"
                f" later {min(later):.3f}–{max(later):.3f} s"
            )


if __name__ == "__main__":
    main()
