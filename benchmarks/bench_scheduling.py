"""Jobs per second of the scheduling kernel by policy, fleet, load, topology and failures.

    python benchmarks/bench_scheduling.py [--jobs N] [--quick]

Goals (one core, JIT warm, 1 M jobs of the first mix at load .9, loop only): FCFS scalar 2 M jobs/s, EASY
scalar 1 M, FCFS with racks and blocks 1 M, EASY with topology 500 k; with failures at most 1.5 x slower;
second mix at
most 2 x slower; 1,048,320 chips at most 1.5 x slower than 524,160; at most 400 bytes a job.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent))

from workloads import fleet, mix, one_class

from capsim.kernel import replay
from capsim.kernel.api import Cluster, Policy
from capsim.kernel.layout import make_jobs

FOREVER = 2**55


def scalar(jobs: tuple[np.ndarray, ...], chips: int, policy: str) -> tuple[float, dict[str, int]]:
    """Seconds and counts of one replay on interchangeable chips."""
    t = time.perf_counter()
    out = replay.run(jobs[0], jobs[2], jobs[1], jobs[3], chips, policy)
    return time.perf_counter() - t, {
        "backfilled": out.backfilled,
        "longest_queue": out.longest_queue,
        "failures": 0,
    }


def topology(
    jobs: tuple[np.ndarray, ...], chips: int, policy: str, failures: bool, order: Any = "fcfs"
) -> tuple[float, dict[str, int]]:
    """Seconds (loop only) and counts of one run with racks and blocks."""
    rows = make_jobs(jobs[0], jobs[1], jobs[2], jobs[3])
    backfill = "none" if policy == "fcfs" else policy
    rules = Policy(order=order, backfill=backfill)
    cluster = Cluster(fleet(chips, failures=failures), rows, one_class(), policy=rules, max_extra_jobs=0)
    cluster.activate(0)
    t = time.perf_counter()
    end = int(jobs[0][-1])
    cluster.advance(end)
    while int((cluster.runs["state"] >= 3).sum()) < len(rows):
        end += 30 * 86_400_000
        cluster.advance(end)
    seconds = time.perf_counter() - t
    counts = cluster.counters()
    return seconds, {k: counts[k] for k in ("backfilled", "longest_queue", "failures", "looks", "shadows")}


def best(times: int, call: Callable[[], tuple[float, dict[str, int]]]) -> tuple[float, dict[str, int]]:
    """The fastest of some repeats."""
    return min((call() for _ in range(times)), key=lambda r: r[0])


def table(jobs: int, repeats: int, quick: bool) -> list[dict[str, Any]]:
    """One row a case."""
    rows = []
    mixes = {"first": (3, 17, 0.7), "second": (0, 12, 1.0)}
    for name, (low, high, exponent) in mixes.items():
        for chips in (524_160,) if quick else (1024, 65_520, 524_160, 1_048_320):
            for load in (0.9,) if quick or name == "second" else (0.7, 0.9, 0.95):
                work = mix(jobs, chips, load, low, high, exponent)
                for policy in ("fcfs", "easy"):
                    for kind in ("scalar", "racks", "racks+failures"):
                        if kind == "scalar":
                            seconds, counts = best(repeats, lambda w=work, c=chips, p=policy: scalar(w, c, p))
                        else:
                            f = kind != "racks"
                            seconds, counts = best(
                                repeats, lambda w=work, c=chips, p=policy, f=f: topology(w, c, p, f)
                            )
                        row = {"mix": name, "chips": chips, "load": load, "policy": policy, "kind": kind}
                        rows.append(row | {"jobs_per_s": round(jobs / seconds)} | counts)
                        print(rows[-1], flush=True)
    return rows


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--jobs", type=int, default=1_000_000)
    parser.add_argument("--repeats", type=int, default=2)
    parser.add_argument("--quick", action="store_true")
    args = parser.parse_args()
    work = mix(10_000, 65_520, 0.9)
    scalar(work, 65_520, "easy")
    table(args.jobs, args.repeats, args.quick)


if __name__ == "__main__":
    main()
