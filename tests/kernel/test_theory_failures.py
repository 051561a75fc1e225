"""The kernel's failures against arithmetic: how many there are, and how much of a gang's time is work."""

from __future__ import annotations

from math import exp, sqrt

import numpy as np
import pytest

from capsim.kernel.api import Cluster
from capsim.kernel.layout import Classes, Failures, Layout, make_jobs
from tests.kernel.queues import interval as interval_95

HOUR = 3_600_000
MINUTE = 60_000
DAY = 24 * HOUR
DOMAIN = 8


def gang_cluster(
    chips: int,
    spare_domains: int,
    rate: float,
    seed: int,
    *,
    work: int,
    checkpoint: int = 0,
    stall: int = 0,
    restart: int = 0,
    repair: int = HOUR,
) -> Cluster:
    """One gang on whole domains, with free domains beside it; ``rate`` failures per chip-ms."""
    layout = Layout()
    domains = chips // DOMAIN + spare_domains
    failures = Failures(rate=rate, repair_median=repair, repair_sigma=0.5, seed=seed, virtual_domains=domains)
    site = layout.site(layout.pool(DOMAIN, node_chips=DOMAIN))
    tranche = layout.tranche(site, domains, failures=failures)
    classes = Classes(1)
    classes.add(interval=checkpoint, stall=stall, restart=restart)
    jobs = make_jobs(np.array([0]), np.array([work]), np.array([chips]))
    cluster = Cluster(layout, jobs, classes)
    cluster.activate(tranche)
    return cluster


def closed_form(checkpoint: float, stall: float, restart: float, mean: float) -> float:
    """Share of a gang's time that is work: dt / (M · e^(u0/M) · (e^((dt + w)/M) − 1)).

    ``mean`` is the mean time to failure of the gang; failures during a restart repeat it.
    """
    return checkpoint / (mean * exp(restart / mean) * (exp((checkpoint + stall) / mean) - 1))


def effective_time(
    seed: int, mean: int, checkpoint: int, stall: int, restart: int, chips: int = 512
) -> float:
    """Work ÷ time of one gang, over some 600 failures."""
    work = 600 * mean
    cluster = gang_cluster(
        chips,
        40,
        1 / (chips * mean),
        seed,
        work=work,
        checkpoint=checkpoint,
        stall=stall,
        restart=restart,
        repair=max(mean // 2, 1),
    )
    cluster.advance(50 * work)
    run = cluster.runs[0]
    assert run["end"] > 0
    assert run["requeues"] == 0, "the spare domains were to suffice"
    return work / int(run["end"] - run["start"])


@pytest.mark.parametrize(
    ("mean", "checkpoint", "stall", "restart"),
    [
        (24 * HOUR, 3 * HOUR, 5 * MINUTE, 20 * MINUTE),
        (4 * HOUR, 30 * MINUTE, 2 * MINUTE, 10 * MINUTE),
        (30 * MINUTE, 5 * MINUTE, 20_000, 3 * MINUTE),
        (10 * MINUTE, 6 * MINUTE, 30_000, 5 * MINUTE),
    ],
)
def test_effective_time_is_the_closed_form(mean: int, checkpoint: int, stall: int, restart: int) -> None:
    found = np.mean([effective_time(seed, mean, checkpoint, stall, restart) for seed in range(10)])
    assert found == pytest.approx(closed_form(checkpoint, stall, restart, mean), abs=0.01)


def test_youngs_interval_is_near_the_best() -> None:
    mean, stall, restart = 4 * HOUR, 2 * MINUTE, 5 * MINUTE
    young = round(sqrt(2 * stall * mean))
    shares = {
        factor: np.mean(
            [effective_time(seed, mean, round(young * factor), stall, restart) for seed in range(8)]
        )
        for factor in (0.3, 1.0, 3.0)
    }
    chosen = np.mean([effective_time(seed, mean, 0, stall, restart) for seed in range(8)])
    assert chosen == pytest.approx(shares[1.0], abs=0.003)
    assert shares[1.0] > max(shares[0.3], shares[3.0]) + 0.01


def test_interruptions_of_a_16384_chip_gang_are_the_rates_own_arithmetic() -> None:
    """Llama 3: 419 interruptions in 54 days of wall time on 16,384 GPUs (0.474 per 1,000 chip-days)."""
    rate = 0.474 / 1000 / DAY
    counts = []
    for seed in range(20):
        cluster = gang_cluster(16_384, 200, rate, seed, work=200 * DAY, restart=10 * MINUTE)
        cluster.advance(54 * DAY)
        counts.append(int(cluster.counters()["interruptions"]))
    expected = rate * 16_384 * 54 * DAY
    assert expected == pytest.approx(419, abs=1)
    mean, half = interval_95(np.array(counts, dtype=np.float64))
    assert abs(mean - expected) <= half, f"{mean:.1f} ± {half:.1f}, the rate says {expected:.1f}"
    assert half < 0.05 * expected
    assert np.var(counts, ddof=1) == pytest.approx(expected, rel=0.75), "the counts are not Poisson"


def test_lemon_nodes_keep_the_mean_rate() -> None:
    """With 2 % of nodes failing 20 times as often, the number of failures is still the mean rate's."""
    layout = Layout()
    rate = 2.0 / 1000 / DAY
    failures = Failures(rate=rate, lemon_share=0.02, lemon_factor=20.0, repair_median=HOUR, seed=3)
    tranche = layout.tranche(layout.site(layout.pool(DOMAIN, DOMAIN)), 500, failures=failures)
    classes = Classes(1)
    classes.add()
    cluster = Cluster(layout, make_jobs(np.array([0]), np.array([1]), np.array([1])), classes)
    cluster.activate(tranche)
    cluster.advance(365 * DAY)
    counters = cluster.counters()
    drawn = counters["failures"] + counters["failures_skipped"]
    expected = rate * 500 * DOMAIN * 365 * DAY
    assert drawn == pytest.approx(expected, abs=4 * sqrt(expected))
