"""A world like the demo's. The job mixes and fleets of the scheduling bars are in ``capsim.bench.inputs``."""

from __future__ import annotations

import numpy as np

from capsim.bench.inputs import DAY, FAILURE_RATE, HOUR
from capsim.kernel.layout import Classes, Failures, Layout, Services, make_jobs

__all__ = ["DAY", "HOUR", "demo_world"]


def demo_world(seed: int = 1, campaigns: int = 300_000, days: int = 1886) -> dict[str, object]:
    """Something like one run of the built-in study: what ``bench_demo_world.py`` simulates.

    Five chip families on twelve sites, campaigns of 8 .. 32,768 chips, seven training gangs, five services.
    """
    rng = np.random.default_rng(seed)
    layout = Layout()
    families = [(8, 8, 0), (72, 4, 64), (72, 4, 64), (64, 16, 0), (144, 4, 128)]
    for domain, node, segment in families:
        layout.pool(domain, node, segment)
    deliveries: list[tuple[int, int]] = []
    plan = [
        (0, 520_000, 0), (1, 96_000, 0), (1, 150_000, 200), (1, 230_000, 300), (2, 200_000, 500),
        (2, 250_000, 700), (3, 250_000, 400), (3, 250_000, 800), (2, 300_000, 900), (4, 300_000, 1100),
        (4, 400_000, 1300), (4, 550_000, 1500),
    ]  # fmt: skip
    for i, (pool, chips, day) in enumerate(plan):
        domain = families[pool][0]
        site = layout.site(pool, rank=i)
        left = chips // domain
        for part in range(4):
            n = left // 4
            stream = Failures(
                rate=FAILURE_RATE, domain_share=0.05, repair_median=8.0 * HOUR, repair_sigma=1.0,
                seed=1000 + 10 * i + part, virtual_domains=n,
            )  # fmt: skip
            tranche = layout.tranche(site, n, max(1, 4608 // domain), failures=stream)
            deliveries.append(((day + 15 * part if day else 0) * DAY, tranche))
    sizes = rng.choice(
        [8, 64, 256, 1024, 4096, 16384, 32768], campaigns, p=[0.35, 0.25, 0.18, 0.12, 0.07, 0.025, 0.005]
    )
    submit = np.sort((rng.random(campaigns) ** 0.7 * days * DAY).astype(np.int64))
    run = np.clip(np.exp(rng.normal(np.log(10.0), 1.9, campaigns)), 0.05, 720.0) * HOUR
    requested = np.minimum(
        run * np.maximum(1.0, np.exp(rng.normal(np.log(2.0), 0.8, campaigns))), 720.0 * HOUR
    )
    classes = Classes(5)
    classes.add(
        kind=2, speed=[0.4, 1.0, 1.3, 0.6, 2.2], preemptible=True, grace=120_000, interval=HOUR, stall=30_000,
        restart=600_000, assignment="fixed order", preference=[4, 2, 1, 3, 0],
    )  # fmt: skip
    train = classes.add(
        kind=0, priority=10, speed=[0.0, 1.0, 1.3, 0.6, 2.2], stall=20_000, restart=300_000,
        preference=[4, 2, 1, 3, 0], max_sites=4,
    )  # fmt: skip
    estimates = np.maximum(run, requested).astype(np.int64)
    jobs = make_jobs(submit, run.astype(np.int64), sizes, estimates, tenant=rng.integers(0, 24, campaigns))
    gangs = [(60, 64_000, 110), (280, 110_000, 120), (520, 75_000, 130), (770, 120_000, 150),
             (1010, 200_000, 150), (1250, 350_000, 160), (1530, 600_000, 200)]  # fmt: skip
    services = Services(5)
    for i in range(5):
        services.add({0: 8, 1: 8 if i else 72, 4: 4}, kind=6, priority=8 - i, preempts=i < 2)
    return {
        "layout": layout, "jobs": jobs, "classes": classes, "services": services,
        "deliveries": sorted(deliveries), "gangs": gangs, "train": train, "days": days,
    }  # fmt: skip
