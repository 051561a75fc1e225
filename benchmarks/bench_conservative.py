"""Conservative backfilling on 1,024 chips at load .9: jobs/s of the loop, one core, JIT warm.

Goal: 60,000 jobs/s with loose estimates (100,000 aimed at), 500,000 with exact ones, one million jobs.

``python benchmarks/bench_conservative.py [JOBS] [REPEATS]`` prints the least and the median of the repeats;
``pytest benchmarks/bench_conservative.py`` runs a fifth of the jobs under pytest-benchmark.
"""

from __future__ import annotations

import statistics
import sys
import time
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from capsim.kernel.conservative import Counters, conservative_with_counters

CHIPS = 1_024
LOAD = 0.9
DAY = 86_400.0


def jobs(count: int, exact: bool, seed: int = 1) -> tuple[NDArray[np.int64], ...]:
    """Submit, size, run and requested (ms): sizes 2^k with p ~ 2^-k, k = 0..8; lognormal run times.

    Run time: median 30 min, sigma 2, clipped to 10 s .. 14 d. Requested: run × (1 + Exp(mean 1.5)), or the
    run time. Poisson arrivals at the load.
    """
    rng = np.random.default_rng(seed)
    exponent = np.arange(9)
    share = 2.0**-exponent
    size = (2 ** rng.choice(exponent, size=count, p=share / share.sum())).astype(np.int64)
    run = np.clip(rng.lognormal(np.log(1_800.0), 2.0, count), 10.0, 14 * DAY)
    loose = run * (1.0 + rng.exponential(1.5, count))
    gap = float(np.mean(size * run)) / (LOAD * CHIPS)
    submit = np.cumsum(rng.exponential(gap, count))
    ms = [np.round(1_000 * seconds).astype(np.int64) for seconds in (submit, run, run if exact else loose)]
    return ms[0], size, ms[1], ms[2]


def measure(count: int, exact: bool, repeats: int) -> tuple[list[float], list[float], Counters]:
    """Wall and processor seconds of each repeat, and what the run did."""
    table = jobs(count, exact)
    walls, processors = [], []
    for _ in range(repeats):
        wall, processor = time.perf_counter(), time.process_time()
        counters = conservative_with_counters(*table, CHIPS)[1]
        walls.append(time.perf_counter() - wall)
        processors.append(time.process_time() - processor)
    return walls, processors, counters


@pytest.mark.parametrize("exact", [False, True], ids=["loose", "exact"])
def test_conservative(benchmark: Any, exact: bool) -> None:
    table = jobs(200_000, exact)
    benchmark.pedantic(conservative_with_counters, args=(*table, CHIPS), rounds=3, warmup_rounds=1)


def main(count: int, repeats: int) -> None:
    """Print one line for each kind of estimate."""
    for exact in (False, True):
        walls, processors, done = measure(count, exact, repeats)
        print(
            f"{'exact' if exact else 'loose'} estimates, {count:,} jobs: "
            f"best {count / min(walls):,.0f} jobs/s, median {count / statistics.median(walls):,.0f} "
            f"(processor time: best {count / min(processors):,.0f}); "
            f"backfilled {done.backfilled_share:.0%}, longest queue {done.longest_queue:,}, "
            f"{done.searches / count:.1f} searches and {done.moves / count:.1f} moves a job"
        )


if __name__ == "__main__":
    arguments = [int(argument) for argument in sys.argv[1:]]
    main(*(arguments + [1_000_000, 3][len(arguments) :]))
