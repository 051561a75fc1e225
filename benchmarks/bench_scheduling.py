"""Jobs a second of the scheduling kernel: the cases of ``capsim bench`` under pytest-benchmark.

Goals (one core, JIT warm, 1 M jobs of the first mix at load .9, loop only): FCFS scalar 2 M jobs/s, EASY
scalar on 524,160 chips 1 M, FCFS with racks and blocks 1 M, EASY with topology 500 k; with failures at most
1.5 × slower; second mix at most 2 × slower; conservative at 1,024 chips 60 k (aim 100 k) with loose
estimates, 500 k with exact ones; 1,048,320 chips at most 1.5 × slower than 524,160; at most 400 bytes a job.

``pytest benchmarks/bench_scheduling.py`` takes JOBS jobs a case; ``capsim bench`` takes a million, and
measures memory, growth and simpy too. ``python benchmarks/bench_scheduling.py [--jobs N] [WORD ...]`` prints
one line for each case whose name contains all the words, in this process.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from capsim.bench import plain_simpy
from capsim.bench.cases import LARGE, Case, grid, special
from capsim.bench.inputs import MIXES, Columns, draw
from capsim.bench.measure import measure
from capsim.engine.replay import starts_of
from tests.oracles import scalar

JOBS = 100_000
SIMPY_JOBS, ORACLE_JOBS = 20_000, 2_000
"""Jobs of the slow schedulers: some seconds of their time."""


def name_of(case: Case) -> str:
    """Readable, and short enough for a test's name."""
    places = case.places.replace(", ", "+")
    return f"{case.policy} {case.chips} {places} {case.load:g}"


def named(jobs: int) -> list[tuple[str, Case]]:
    """Every case with a name."""
    return [(name_of(case), case) for case in grid(jobs)] + special(jobs)


def run(benchmark: Any, case: Case) -> None:
    """Benchmark one case, inputs included; its own figures of the loop alone are in ``extra_info``."""
    found = []
    benchmark.pedantic(lambda: found.append(measure(case)), rounds=2, warmup_rounds=1)
    best = min(found, key=lambda figures: figures.seconds)
    benchmark.extra_info.update(best.as_dict())


@pytest.mark.parametrize(("name", "case"), named(JOBS), ids=[name for name, _ in named(JOBS)])
def bench_case(benchmark: Any, name: str, case: Case) -> None:
    run(benchmark, case)


@pytest.mark.parametrize("policy", ["fcfs", "easy"])
@pytest.mark.parametrize("who", ["kernel", "simpy"])
def bench_simpy(benchmark: Any, who: str, policy: str) -> None:
    """The same jobs by the kernel and by the plain simpy model: compare the two rows."""
    benchmark.group = f"{policy}, the same {SIMPY_JOBS:,} jobs on {LARGE:,} chips"
    columns = draw(MIXES["first"], SIMPY_JOBS, LARGE, 0.9)
    if who == "kernel":
        benchmark.pedantic(by_kernel, args=(policy, columns, LARGE), rounds=5, warmup_rounds=1)
    else:
        benchmark.pedantic(plain_simpy.schedule, args=(columns, LARGE, policy))


@pytest.mark.parametrize("policy", ["fcfs", "easy", "conservative"])
@pytest.mark.parametrize("who", ["kernel", "oracle"])
def bench_oracle(benchmark: Any, who: str, policy: str) -> None:
    """The same jobs by the kernel and by the obvious scheduler of the tests: compare the two rows."""
    chips = 1024
    benchmark.group = f"{policy}, the same {ORACLE_JOBS:,} jobs on {chips:,} chips"
    columns = draw(MIXES["loose"], ORACLE_JOBS, chips, 0.9)
    if who == "kernel":
        benchmark.pedantic(by_kernel, args=(policy, columns, chips), rounds=5, warmup_rounds=1)
    else:
        submit, length, size, requested = (column.tolist() for column in columns)
        jobs = [scalar.Job(*row) for row in zip(submit, size, length, requested, strict=True)]
        benchmark.pedantic(scalar.schedule, args=(jobs, chips, policy))


def by_kernel(policy: str, columns: Columns, chips: int) -> None:
    """Starts of all jobs on interchangeable chips."""
    submit, length, size, requested = columns
    starts_of(policy, submit, size, length, requested, chips)


def main() -> None:
    """One line a case."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--jobs", type=int, default=1_000_000)
    parser.add_argument("--repeats", type=int, default=2)
    parser.add_argument("words", nargs="*")
    args = parser.parse_args()
    for name, case in named(args.jobs):
        if all(word in name for word in args.words):
            began = time.perf_counter()
            found = measure(case, args.repeats).as_dict()
            print(name, found, f"({time.perf_counter() - began:.1f} s in all)", flush=True)


if __name__ == "__main__":
    main()
