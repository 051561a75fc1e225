"""Gangs on a site whose nodes fail, simulated event by event: interruptions and effective training time.

What the closed forms of ``workload.reliability`` say about one gang is checked against these runs.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from capsim.kernel.api import Cluster, Policy
from capsim.kernel.layout import Classes, Failures, Layout, make_jobs

SECOND, HOUR, DAY = 1_000, 3_600_000, 86_400_000
NODE = 8
"""Chips of a node; a failure takes a node."""


@dataclass(frozen=True)
class Site:
    """Nodes of 8 chips and how they fail: ``rate`` failures per 1,000 chip-days (mean, lemons included).

    ``lemon_share`` of the nodes fail ``lemon_factor`` times as often as the others. ``repair_hours``: median.
    """

    nodes: int
    rate: float
    lemon_share: float = 0.0
    lemon_factor: float = 1.0
    repair_hours: float = 4.0

    def layout(self, seed: int) -> Layout:
        """One pool, one site, one block."""
        layout = Layout()
        stream = Failures(
            rate=self.rate / 1000 / DAY,
            lemon_share=self.lemon_share,
            lemon_factor=self.lemon_factor,
            repair_median=self.repair_hours * HOUR,
            repair_sigma=0.5,
            seed=seed,
        )
        layout.tranche(layout.site(layout.pool(NODE, NODE)), self.nodes, failures=stream)
        return layout


@dataclass(frozen=True)
class Gangs:
    """``count`` equal gangs of ``chips`` chips; seconds between checkpoints, of their stall, of a restart."""

    chips: int
    count: int = 1
    interval_s: float = 0.0
    stall_s: float = 0.0
    restart_s: float = 0.0


@dataclass(frozen=True)
class Outcome:
    """Work done and time taken per gang, ms; interruptions of all gangs; ``requeues``: those that waited."""

    work: int
    elapsed: int
    interruptions: int
    requeues: int


def _cluster(site: Site, gangs: Gangs, work: int, seed: int) -> Cluster:
    classes = Classes(1)
    classes.add(
        interval=round(gangs.interval_s * SECOND),
        stall=round(gangs.stall_s * SECOND),
        restart=round(gangs.restart_s * SECOND),
    )
    whole = np.full(gangs.count, 1, dtype=np.int64)
    jobs = make_jobs(0 * whole, work * whole, gangs.chips * whole)
    cluster = Cluster(site.layout(seed), jobs, classes, policy=Policy(backfill="none"))
    cluster.activate(0)
    return cluster


def run_for(site: Site, gangs: Gangs, days: float, seed: int) -> Outcome:
    """Gangs that never finish, for so many days."""
    span = round(days * DAY)
    cluster = _cluster(site, gangs, 100 * span, seed)
    cluster.advance(span)
    counts = cluster.counters()
    return Outcome(0, span, counts["interruptions"], counts["requeues"])


def run_to_the_end(site: Site, gangs: Gangs, work_hours: float, seed: int) -> Outcome:
    """One gang until so much work is done; its effective time is work ÷ elapsed."""
    work = round(work_hours * HOUR)
    cluster = _cluster(site, gangs, work, seed)
    until = work
    while (
        cluster.runs["end"][0] <= 0 or cluster.counters()["completed"] + cluster.counters()["at_limit"] == 0
    ):
        until *= 2
        cluster.advance(until)
    counts = cluster.counters()
    return Outcome(work, int(cluster.runs["end"][0]), counts["interruptions"], counts["requeues"])
