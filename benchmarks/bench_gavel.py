"""A round of Gavel with 10,000 active jobs on 6 chip types: program, priorities and placement, one core.

Goal: at most 1 s, with jobs of 26 kinds and with 10,000 jobs of which no two are alike.

``python benchmarks/bench_gavel.py [JOBS]`` prints seconds of processor time of a round, by objective;
``pytest benchmarks/bench_gavel.py`` runs the same under pytest-benchmark.
"""

from __future__ import annotations

import sys
import time
from typing import Any

import numpy as np
import pytest

from capsim.engine.gavel_rounds import GavelRounds
from capsim.engine.replay_jobs import Columns
from capsim.engine.rounds import Progress
from capsim.policies.gavel import OBJECTIVES

CHIPS = np.array([800, 600, 900, 400, 1200, 500])
TYPE_SPEED = np.array([1.0, 0.6, 0.3, 0.8, 0.2, 0.5])
ROUND_MS = 360_000
KINDS = {"26 kinds": 26, "all different": 0}


def waiting(objective: str, count: int, kinds: int, seed: int = 1) -> tuple[GavelRounds, Progress]:
    """``count`` jobs of 1 .. 16 chips, all active; they want some 14 times the chips of the machine."""
    rng = np.random.default_rng(seed)
    speed = rng.uniform(0.1, 1.0, (kinds or count, len(CHIPS))) * TYPE_SPEED
    if kinds:
        speed = speed[rng.integers(0, kinds, count)]
    size = 2 ** rng.integers(0, 5, count)
    run = rng.integers(ROUND_MS, 100 * ROUND_MS, count)
    jobs = Columns(np.zeros(count, dtype=np.int64), size, run, run)
    rounds = GavelRounds(objective, size, speed, CHIPS * count // 10_000)
    return rounds, Progress(jobs, ROUND_MS, 0)


def one_round(rounds: GavelRounds, state: Progress) -> None:
    """What a round does when the set of jobs has changed."""
    active = np.arange(len(state.jobs.submit))
    state.run(0, active, rounds.place(0, active, True, state))


@pytest.mark.parametrize("kinds", KINDS)
@pytest.mark.parametrize("objective", OBJECTIVES)
def test_a_round(benchmark: Any, objective: str, kinds: str) -> None:
    benchmark.pedantic(one_round, setup=lambda: (waiting(objective, 10_000, KINDS[kinds]), {}), rounds=3)


def main() -> None:
    """Print a table."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 10_000
    one_round(*waiting("max-min", 1_000, 0))
    for name, kinds in KINDS.items():
        for objective in OBJECTIVES:
            seconds = []
            for seed in (1, 2, 3):
                prepared = waiting(objective, count, kinds, seed)
                began = time.process_time()
                one_round(*prepared)
                seconds.append(time.process_time() - began)
            print(f"{count:,} jobs, {name:<14} {objective:<11} {min(seconds):.3f}–{max(seconds):.3f} s")


if __name__ == "__main__":
    main()
