"""What advance reservations and tenants' limits cost the scheduler: ratios of processor time in one process.

Goal: at most 2 times the time without them (a million jobs of the first mix, 524,160 chips in racks of 72,
load .9, EASY). ``python benchmarks/bench_governance.py [--jobs N] [--repeats N] [WORD ...]`` runs the cases
whose names contain all the words, each in turn with the case without, and prints the least time of the
repeats and the ratio.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from capsim.bench.cases import LARGE
from capsim.bench.inputs import DAY, HOUR, MIXES, Columns, draw, layout
from capsim.kernel.api import Cluster, Policy
from capsim.kernel.governance import Governance, Tenant
from capsim.kernel.layout import Classes, make_jobs
from capsim.kernel.reserving import Reservation

LOAD = 0.9
TENANTS = 50
HALF = range(TENANTS // 2)
WINDOWS, WINDOW_CHIPS, WINDOW_LENGTH = 50, 7_200, 12 * HOUR


@dataclass(frozen=True)
class Rules:
    """What a case adds."""

    name: str
    options: Callable[[int], dict[str, Any]]
    backfill: str = "easy"


def windows(span: int, **who: Any) -> dict[str, Any]:
    """Windows at even distances over the run."""
    length = min(WINDOW_LENGTH, span // WINDOWS)
    starts = (np.arange(WINDOWS) * span // WINDOWS + span // (2 * WINDOWS)).tolist()
    return {"reservations": [Reservation(0, at, at + length, chips=WINDOW_CHIPS, **who) for at in starts]}


def announced_late(span: int) -> dict[str, Any]:
    """The same, each announced two days before it begins."""
    made = windows(span, tenants=[0, 1])["reservations"]
    return {
        "reservations": [
            Reservation(0, r.start, r.end, chips=r.chips, tenants=[0, 1], announced=max(0, r.start - 2 * DAY))
            for r in made
        ]
    }


def whole_site(span: int) -> dict[str, Any]:
    """All chips for maintenance, half way, known from the start."""
    return {"reservations": [Reservation(0, span // 2, span // 2 + WINDOW_LENGTH, chips=LARGE)]}


def small_windows(span: int) -> dict[str, Any]:
    """Five hundred of four racks for 6 hours, at random instants, for one tenant."""
    starts = np.sort(np.random.default_rng(5).integers(0, int(0.98 * span), 500)).tolist()
    return {"reservations": [Reservation(0, at, at + 6 * HOUR, domains=4, tenants=[3]) for at in starts]}


def back_to_back(span: int) -> dict[str, Any]:
    """One follows the other, each for another tenant."""
    length = span // WINDOWS
    starts = [length * i for i in range(WINDOWS)]
    return {
        "reservations": [
            Reservation(0, at, at + length, chips=WINDOW_CHIPS, tenants=[i % TENANTS])
            for i, at in enumerate(starts)
        ]
    }


def quotas(reclaim: bool) -> Callable[[int], dict[str, Any]]:
    """Equal quotas in one cohort, with or without reclaim."""
    tenants = [Tenant(quota=LARGE // TENANTS, cohort=0) for _ in range(TENANTS)]
    return lambda span: {"governance": Governance(tenants, reclaim=reclaim)}


def by_flavor(span: int) -> dict[str, Any]:
    """The same quotas, by flavor, where all chips are of one: what the rules themselves cost."""
    tenants = [Tenant(quota={0: LARGE // TENANTS}, cohort=0) for _ in range(TENANTS)]
    return {"governance": Governance(tenants, reclaim=False, flavors=[[0]])}


CASES = (
    Rules("none", lambda span: {}),
    Rules("reservations for maintenance", windows),
    Rules("reservations for two of 50 tenants", lambda span: windows(span, tenants=[0, 1])),
    Rules("reservations announced two days before", announced_late),
    Rules("reservations for everybody", lambda span: windows(span, classes=[0])),
    Rules("reservations, flexible", lambda span: windows(span, tenants=[0, 1], flex=True)),
    Rules("reservations, flexible for half", lambda span: windows(span, tenants=HALF, flex=True)),
    Rules("reservations, one of the whole site", whole_site),
    Rules("reservations, 500 small", small_windows),
    Rules("reservations back to back", back_to_back),
    Rules("first come, first served, 500 small reservations", small_windows, backfill="none"),
    Rules("quotas in one cohort", quotas(False)),
    Rules("quotas in one cohort, reclaim", quotas(True)),
    Rules("quotas by flavor, one flavor", by_flavor),
    Rules("jobs at a time", lambda span: {"governance": Governance([Tenant(max_running=500)] * TENANTS)}),
)


def once(rules: Rules, columns: Columns, options: Callable[[int], dict[str, Any]]) -> tuple[float, Cluster]:
    """Processor time of the loop with these options and the case's backfilling; the cluster at the end."""
    submit, run, size, requested = columns
    classes = Classes(1)
    classes.add(restart=5 * 60_000, preemptible=True)
    tenant = np.random.default_rng(2).integers(0, TENANTS, len(submit))
    end = int(submit[-1])
    rows = make_jobs(submit, run, size, requested, tenant=tenant)
    policy = Policy(backfill=rules.backfill)
    cluster = Cluster(layout(LARGE, False), rows, classes, policy=policy, max_extra_jobs=0, **options(end))
    cluster.activate(0)
    began = time.process_time()
    cluster.advance(end)
    while cluster.counters()["completed"] + cluster.counters()["at_limit"] < len(submit):
        end += DAY
        cluster.advance(end)
    return time.process_time() - began, cluster


def main() -> None:
    """One line a case."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--jobs", type=int, default=1_000_000)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("words", nargs="*")
    args = parser.parse_args()
    columns = draw(MIXES["first"], args.jobs, LARGE, LOAD)
    for rules in CASES[1:]:
        if not all(word in rules.name for word in args.words):
            continue
        least, plain = float("inf"), float("inf")
        for _ in range(args.repeats):
            plain = min(plain, once(rules, columns, CASES[0].options)[0])
            seconds, cluster = once(rules, columns, rules.options)
            least = min(least, seconds)
        counters = cluster.counters()
        used = sum(r.used for r in cluster.reservations())
        reserved = sum(r.reserved for r in cluster.reservations())
        print(
            f"{rules.name}: {least:.2f} s, {least / plain:.2f} times the {plain:.2f} s without (goal: 2);"
            f" {counters['looks']:,} looks, {counters['shadows']:,} shadows, longest queue"
            f" {counters['longest_queue']:,}, {used / max(1, reserved):.0%} of the reserved chip-time used",
            flush=True,
        )


if __name__ == "__main__":
    main()
