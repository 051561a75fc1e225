"""The figures of a schedule against slow, obvious loops, and by hand."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from capsim.engine.schedule_figures import (
    Outcomes,
    idle_while_wanted,
    jain,
    schedule_figures,
    size_classes,
    spread,
    wait_by_size,
    weighted_quantile,
)

JOBS = st.lists(
    st.tuples(st.integers(0, 12), st.integers(1, 4), st.integers(1, 9), st.integers(0, 8), st.integers(0, 2)),
    min_size=1,
    max_size=8,
)
"""Submission, size, run time, wait, tenant; the machine is large enough for all of them at once."""


def outcomes(rows: list[tuple[int, int, int, int, int]], chips: int = 40) -> Outcomes:
    """Jobs that wait as told and then run undisturbed."""
    submit, size, run, wait, tenant = (
        np.array(column, dtype=np.int64) for column in zip(*sorted(rows), strict=True)
    )
    return Outcomes(submit, size, run, wait, submit + wait + run, tenant, chips)


def instants(jobs: Outcomes) -> range:
    return range(int(jobs.submit.min()), int(jobs.end.max()))


@settings(max_examples=150, deadline=None)
@given(JOBS)
def test_contention_and_fairness_equal_counting_at_every_millisecond(
    rows: list[tuple[int, int, int, int, int]],
) -> None:
    jobs = outcomes(rows, chips=5)
    for j, rho in enumerate(jobs.finish_time_fairness):
        inside = [
            int(np.sum((jobs.submit <= t) & (t < jobs.end)))
            for t in range(int(jobs.submit[j]), int(jobs.end[j]))
        ]
        contention = sum(inside) / len(inside)
        alone = jobs.run[j] * max(1.0, jobs.size[j] * contention / 5)
        assert rho == pytest.approx((jobs.end[j] - jobs.submit[j]) / alone, rel=1e-9)


@settings(max_examples=150, deadline=None)
@given(JOBS)
def test_idle_while_wanted_equals_counting_at_every_millisecond(
    rows: list[tuple[int, int, int, int, int]],
) -> None:
    jobs = outcomes(rows)
    start = jobs.submit + jobs.wait
    free = 0
    for t in instants(jobs):
        if np.any((jobs.submit <= t) & (t < start)):
            free += jobs.chips - int(jobs.size[(start <= t) & (t < jobs.end)].sum())
    assert idle_while_wanted(jobs, start) == pytest.approx(
        free / (jobs.chips * len(instants(jobs))), rel=1e-9
    )


@settings(max_examples=100, deadline=None)
@given(JOBS, st.sampled_from([0.5, 0.95, 0.99]))
def test_weighted_quantile_is_the_least_value_that_holds_enough(
    rows: list[tuple[int, int, int, int, int]], share: float
) -> None:
    jobs = outcomes(rows)
    waits = jobs.wait.astype(np.float64)
    enough = [
        value
        for value in sorted(waits)
        if sum(w for v, w in zip(waits, jobs.work, strict=True) if v <= value) >= share * jobs.work.sum()
    ]
    assert weighted_quantile(waits, jobs.work, share) == enough[0]


@settings(max_examples=100, deadline=None)
@given(JOBS)
def test_jain_in_fractions(rows: list[tuple[int, int, int, int, int]]) -> None:
    jobs = outcomes(rows)
    rates = []
    for tenant in sorted(set(jobs.tenant.tolist())):
        mine = [j for j in range(len(rows)) if jobs.tenant[j] == tenant]
        work = sum(int(jobs.size[j] * jobs.run[j]) for j in mine)
        present = sum(int(jobs.size[j] * (jobs.end[j] - jobs.submit[j])) for j in mine)
        rates.append(Fraction(work, present))
    index = sum(rates) ** 2 / (len(rates) * sum(rate**2 for rate in rates))
    assert jain(jobs) == pytest.approx(float(index), rel=1e-12)


def test_figures_by_hand() -> None:
    """Two jobs of two tenants on 4 chips: 4 chips for 30 s at once; 2 chips for 5 s after a wait of 25 s.

    The second is one of two jobs in the system for all of its 30 s, so its share is 2 chips: alone it takes
    5 s and ρ = 30 / 5 = 6. For the first N is (5 × 1 + 25 × 2) / 30 = 11/6, its share 4 / N, and
    ρ = 30 / (30 × 11/6) = 6/11.
    """
    rows = [(0, 4, 30_000, 0, 0), (5_000, 2, 5_000, 25_000, 1)]
    figures = schedule_figures(outcomes(rows, chips=4))
    assert figures["wait_s"]["mean"] == 12.5
    assert figures["wait_s"]["by_chip_time"]["mean"] == pytest.approx(25 * 10 / 130)
    assert figures["wait_s"]["by_chip_time"]["p95"] == 25.0
    assert figures["completion_s"]["mean"] == 30.0
    assert figures["bounded_slowdown"]["max"] == 3.0  # 30 s over the bound of 10 s
    assert figures["finish_time_fairness"]["max"] == pytest.approx(6.0)
    assert figures["finish_time_fairness"]["mean"] == pytest.approx((6 + 6 / 11) / 2)
    assert figures["finish_time_fairness"]["share_above_1"] == 0.5
    assert figures["makespan_s"] == 35.0
    assert figures["utilisation"] == pytest.approx(130 / 140)
    # x = 1 and 1/6: (7/6)² / (2 × 37/36) = 49/74
    assert figures["jain_tenants"] == pytest.approx(49 / 74)


def test_spread_over_jobs_interpolates() -> None:
    found = spread(np.array([0.0, 10.0]), np.array([1.0, 1.0]))
    assert (found["mean"], found["p50"], found["max"]) == (5.0, 5.0, 10.0)
    assert found["by_chip_time"]["p50"] == 0.0


@pytest.mark.parametrize(
    ("sizes", "names"),
    [
        ([1, 1], ["1"]),
        ([1, 2, 3, 8], ["1", "2–3", "4–7", "8–15"]),
        ([1, 300], ["1–3", "4–15", "16–63", "64–255", "256–1,023"]),
    ],
)
def test_size_classes(sizes: list[int], names: list[str]) -> None:
    place, found = size_classes(np.array(sizes))
    assert found == names
    assert place[-1] == len(names) - 1


def test_wait_by_size_leaves_empty_classes_out() -> None:
    rows = wait_by_size(outcomes([(0, 1, 5, 1000, 0), (0, 1, 5, 3000, 0), (0, 8, 5, 500, 0)]))
    assert [(row["size"], row["jobs"], row["mean"]) for row in rows] == [("1", 2, 2.0), ("8–15", 1, 0.5)]
