"""Small random worlds with every feature, driven through the cluster's interface."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from capsim.kernel.api import Cluster, Code, Policy
from capsim.kernel.layout import Classes, Failures, Layout, Services, make_jobs

HOUR = 3_600_000
DAY = 24 * HOUR
SITES, TRANCHES = 4, 8


def layout(rng: np.random.Generator) -> Layout:
    """Two chip families, one with segments; two sites each, two tranches a site, failures with lemons."""
    out = Layout()
    pools = [out.pool(8, 4), out.pool(12, 4, 10)]
    for pool in pools:
        for _ in range(2):
            out.site(pool, int(rng.integers(0, 3)))
    for site in range(SITES):
        for _ in range(2):
            stream = Failures(
                rate=1e-9 * rng.random(),
                domain_share=0.2,
                lemon_share=0.1,
                lemon_factor=5.0,
                repair_median=8.0 * HOUR,
                seed=int(rng.integers(1 << 40)),
                virtual_domains=20,
            )
            out.tranche(site, int(rng.integers(4, 16)), int(rng.integers(2, 6)), 1.0 + rng.random(), stream)
    return out


def classes(rng: np.random.Generator) -> Classes:
    """Four classes: pools, assignments, checkpoints, locality, spanning, preemption."""
    names = ["fixed order", "earliest start", "cheapest"]
    out = Classes(2)
    for k in range(4):
        out.add(
            speed=[(1.0, 0.0), (0.0, 1.0), (1.0, 1.5), (0.7, 1.0)][k],
            kind=k,
            priority=[0, 0, 0, 5][k],
            assignment=names[int(rng.integers(3))],
            interval=[0, HOUR, 0, HOUR // 2][k],
            stall=[0, 60_000, 60_000, 0][k],
            restart=300_000,
            locality=[1.0, 0.9, 0.95, 1.0][k],
            max_sites=[1, 1, 2, 2][k],
            preemptible=k < 3,
            grace=[0, 120_000, 30_000, 0][k],
            cost=(rng.random(2) + 0.1).tolist(),
        )
    return out


def operations(rng: np.random.Generator, n: int) -> list[tuple[int, Callable[[Cluster, int], Any]]]:
    """Random operations over 25 days, sorted by instant; half the tranches arrive at 0."""
    ops: list[tuple[int, Callable[[Cluster, int], Any]]] = []
    for t in range(0, TRANCHES, 2):
        ops.append((0, lambda c, _now, t=t: c.activate(t)))
    for _ in range(60):
        when, kind = int(rng.integers(0, 25 * DAY)), int(rng.integers(10))
        a, b, d = int(rng.integers(TRANCHES)), int(rng.integers(1, 6)), int(rng.integers(2))
        site, job, replicas = int(rng.integers(SITES)), int(rng.integers(n)), int(rng.integers(0, 12))
        size, cls = int(rng.choice([8, 50, 130])), int(rng.integers(4))
        row = make_jobs(np.array([when]), np.array([10 * HOUR]), np.array([size]), cls=cls)
        action: Callable[[Cluster, int], Any] = [
            lambda c, _n, a=a, b=b: c.activate(a, b),
            lambda c, _n, a=a, b=b: c.retire(a, min(b, 3)),
            lambda c, _n, a=a, d=d: c.retire(a, 1, kill=d == 1),
            lambda c, now, a=a: c.retire(a, 2, at=now + 5 * HOUR),
            lambda c, _n, s=site, d=d: c.drain(s, grace=HOUR if d else None),
            lambda c, _n, s=site: c.undrain(s),
            lambda c, _n, s=site: c.site_down(s),
            lambda c, _n, s=site: c.site_up(s),
            lambda c, _n, j=job: c.cancel(j),
            lambda c, _n, r=row: c.submit(r),
        ][kind]
        ops.append((when, action))
        service = int(rng.integers(2))
        ops.append((when + HOUR, lambda c, _n, s=service, p=d, r=replicas: c.resize(s, p, r)))
    ops.sort(key=lambda o: o[0])
    return ops


def simulate(
    seed: int, *, cuts: int = 0, jobs: int = 250, each: Callable[[Cluster], None] | None = None, **policy: Any
) -> tuple[Cluster, list[tuple[int, int]]]:
    """Run a random world with time split at random; returns the cluster and (watched job, instant) in order.

    ``each`` is called after every advance and every operation.
    """
    rng = np.random.default_rng(seed)
    space, kinds = layout(rng), classes(rng)
    services = Services(2)
    services.add({0: 4, 1: 5}, kind=6, priority=3, preempts=True)
    services.add({0: 16, 1: 24}, kind=7, priority=6)
    run = (np.exp(rng.normal(0, 1.5, jobs)) * 4 * HOUR).astype(np.int64) + 1
    size = rng.choice([1, 2, 4, 5, 8, 9, 16, 20, 40, 60, 90], jobs)
    requested = (run * (1 + rng.exponential(1.0, jobs))).astype(np.int64)
    requested[rng.random(jobs) < 0.1] //= 2
    rows = make_jobs(
        np.sort(rng.integers(0, 20 * DAY, jobs)),
        run,
        size,
        np.maximum(requested, 1),
        cls=rng.integers(0, 4, jobs),
        tenant=rng.integers(0, 5, jobs),
        size_max=np.where(rng.random(jobs) < 0.2, size * 2, size),
        watched=(rng.random(jobs) < 0.03).astype(np.int64),
    )
    cluster = Cluster(space, rows, kinds, services, policy=Policy(order="priority", **policy))
    steps: list[tuple[int, Callable[[Cluster, int], Any] | None]] = [*operations(rng, jobs)]
    split = np.random.default_rng(seed + 1).integers(0, 60 * DAY, cuts)
    steps += [(int(t), None) for t in split]
    steps.sort(key=lambda o: o[0])
    seen: list[tuple[int, int]] = []
    for when, action in [*steps, (300 * DAY, None)]:
        while (status := cluster.advance(when)).code != Code.REACHED:
            seen.append((status.job, status.now))
        if each:
            each(cluster)
        if action is not None:
            action(cluster, when)
            if each:
                each(cluster)
    return cluster, seen


def policy_of(seed: int) -> dict[str, Any]:
    """A different mix of policies for each seed."""
    return {
        "placement": ["best-fit", "first-fit", "spread", "pack-tenant"][seed % 4],
        "overrun": ["end", "run on"][seed // 4 % 2],
        "preemption": seed % 3 > 0,
        "backfill": "easy" if seed % 5 else "none",
    }
