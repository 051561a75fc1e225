"""The cluster keeps its books and its indices, however time is split."""

from __future__ import annotations

import numpy as np
import pytest

from capsim.kernel.api import Cluster, Policy
from capsim.kernel.layout import Classes, Failures, Layout, LayoutError, Services, make_failures, make_jobs
from tests.kernel.worlds import DAY, HOUR, policy_of, simulate


def one_pool(domains: int, chips: int = 8, **tranche: int) -> Layout:
    layout = Layout()
    layout.site(layout.pool(chips, 4))
    layout.tranche(0, domains, **tranche)
    return layout


def plain(**options: object) -> Classes:
    classes = Classes(1)
    classes.add(**options)  # type: ignore[arg-type]
    return classes


def jobs_of(*rows: tuple[int, int, int, int]) -> np.ndarray:
    """(submit, run, size, requested) rows."""
    columns = np.array(rows, dtype=np.int64).T
    return make_jobs(columns[0], columns[1], columns[2], columns[3])


@pytest.mark.parametrize("seed", range(6))
def test_books_and_indices_hold_after_every_operation(seed: int) -> None:
    broken: list[str] = []
    cluster, _ = simulate(seed, cuts=30, jobs=120, each=lambda c: broken.extend(c.check()), **policy_of(seed))
    assert broken == []
    assert cluster.counters()["failures"] > 0
    assert cluster.counters()["first_starts"] > 10


@pytest.mark.parametrize("seed", range(12))
def test_a_split_of_time_changes_nothing(seed: int) -> None:
    whole, seen = simulate(seed, **policy_of(seed))
    parts, seen_in_parts = simulate(seed, cuts=150, **policy_of(seed))
    assert np.array_equal(whole.runs, parts.runs)
    assert seen == seen_in_parts
    assert whole.counters() == parts.counters()
    assert np.array_equal(whole.chip_time(), parts.chip_time())
    assert np.array_equal(whole.pool_time(), parts.pool_time())


def test_chip_time_is_size_times_time() -> None:
    cluster = Cluster(one_pool(4), jobs_of((0, 10 * HOUR, 16, 20 * HOUR)), plain(kind=2))
    cluster.activate(0)
    cluster.advance(DAY)
    books = cluster.chip_time()[0]
    assert books["allocated"][2] == 16 * 10 * HOUR
    assert books["active"] == 32 * DAY
    assert books["free"] == 32 * DAY - 16 * 10 * HOUR
    assert cluster.pool_time()[0, 2]["useful"] == 16 * 10 * HOUR


def test_a_gang_restarts_in_place_from_its_last_checkpoint() -> None:
    layout = one_pool(4)
    layout.failures = make_failures([(5 * HOUR + 1, 0, 0, 0, 100 * HOUR)])
    classes = plain(interval=2 * HOUR, stall=0, restart=HOUR)
    cluster = Cluster(layout, jobs_of((0, 10 * HOUR, 8, 40 * HOUR)), classes)
    cluster.activate(0)
    cluster.advance(10 * DAY)
    job = cluster.runs[0]
    assert (job["restarts"], job["requeues"]) == (1, 0)
    # 4 h of the first 5 h 1 ms are kept, then 1 h of restart and the 6 h that are left
    assert job["end"] == 5 * HOUR + 1 + HOUR + 6 * HOUR
    assert job["lost"] == 8 * (HOUR + 1)
    assert cluster.check() == []


def test_without_spare_chips_the_gang_goes_back_to_the_queue() -> None:
    layout = one_pool(2)
    layout.failures = make_failures([(HOUR, 1, 3, 1, 5 * HOUR)])
    cluster = Cluster(layout, jobs_of((0, 2 * HOUR, 16, 4 * HOUR)), plain())
    cluster.activate(0)
    cluster.advance(10 * DAY)
    job = cluster.runs[0]
    assert job["requeues"] == 1
    assert job["end"] == 7 * HOUR
    assert job["waited"] == 5 * HOUR


def test_a_service_grows_shrinks_and_is_booked() -> None:
    services = Services(1)
    services.add({0: 4}, kind=6)
    cluster = Cluster(one_pool(4), jobs_of((9 * DAY, HOUR, 1, HOUR)), plain(), services)
    cluster.activate(0)
    cluster.resize(0, 0, 5)
    cluster.advance(HOUR)
    assert cluster.replicas().tolist() == [[5]]
    cluster.resize(0, 0, 2)
    cluster.advance(3 * HOUR)
    assert cluster.service_time()[0, 0] == 5 * HOUR + 2 * 2 * HOUR
    assert cluster.chip_time()[0]["allocated"][6] == 4 * 9 * HOUR
    assert cluster.check() == []


def test_reclaimed_domains_leave_with_a_checkpoint_and_come_back() -> None:
    """Two gangs of a domain each, 100 h of work. One domain is reclaimed at 10 h with an hour of notice.

    Its gang stops at 11 h with a checkpoint, starts again when the domain is back at 50 h, and has 89 h left.
    """
    cluster = Cluster(one_pool(2), jobs_of(*[(0, 100 * HOUR, 8, 200 * HOUR)] * 2), plain())
    cluster.activate(0)
    cluster.advance(10 * HOUR)
    cluster.reclaim(0, 1, grace=HOUR)
    cluster.advance(50 * HOUR)
    assert cluster.chips()["active"][0] == 8 and cluster.active_domains(0) == 1
    assert cluster.chip_time()["active"][0] == 16 * 11 * HOUR + 8 * 39 * HOUR
    cluster.restore(0, 1)
    cluster.advance(400 * HOUR)
    assert cluster.runs["end"][:2].tolist() == [100 * HOUR, 139 * HOUR]
    assert cluster.runs["lost"][:2].tolist() == [0, 0]
    assert cluster.check() == []


@pytest.mark.parametrize("seed", range(4))
def test_books_hold_while_domains_are_reclaimed_and_come_back(seed: int) -> None:
    rng = np.random.default_rng(seed)
    failures = Failures(rate=2e-3 / HOUR, domain_share=0.3, repair_median=20.0 * HOUR, seed=seed)
    layout = Layout()
    layout.site(layout.pool(8, 4))
    layout.tranche(0, 12, 4, failures=failures)
    submit = np.sort(rng.integers(0, 40 * DAY, 300))
    run = rng.integers(HOUR, 60 * HOUR, 300)
    jobs = make_jobs(submit, run, rng.choice([1, 4, 8, 16, 40], 300), 2 * run)
    services = Services(1)
    services.add({0: 2}, kind=3, priority=3)
    cluster = Cluster(layout, jobs, plain(interval=HOUR), services)
    cluster.activate(0)
    for _ in range(60):
        cluster.resize(0, 0, int(rng.integers(0, 16)))
        cluster.advance(cluster.now + int(rng.integers(HOUR, 10 * HOUR)))
        units, grace = int(rng.integers(1, 11)), int(rng.choice([1, 120_000, HOUR]))
        cluster.reclaim(0, units, grace=grace)
        cluster.advance(cluster.now + grace)
        assert cluster.chips()["active"][0] == 8 * (12 - units)
        assert cluster.check() == []
        cluster.advance(cluster.now + int(rng.integers(1, 10 * HOUR)))
        cluster.restore(0, units)
        assert cluster.chips()["active"][0] == 8 * 12
        assert cluster.check() == []
    assert cluster.counters()["failures"] > 20 and cluster.counters()["completed"] > 100


def test_what_cannot_be_reclaimed_or_restored_is_told() -> None:
    cluster = Cluster(one_pool(2), jobs_of((0, HOUR, 8, HOUR)), plain())
    cluster.activate(0)
    with pytest.raises(LayoutError, match="at least one stays"):
        cluster.reclaim(0, 2, grace=0)
    with pytest.raises(LayoutError, match="are not away"):
        cluster.restore(0, 1)


def test_priority_preempts_the_job_with_least_work_at_risk() -> None:
    classes = Classes(1)
    classes.add(preemptible=True, interval=HOUR)
    high = classes.add(priority=1)
    rows = jobs_of(
        (0, 9 * HOUR, 8, 9 * HOUR), (HOUR // 2, 9 * HOUR, 8, 9 * HOUR), (3 * HOUR // 4, HOUR, 8, HOUR)
    )
    rows["cls"][2] = high
    cluster = Cluster(one_pool(2), rows, classes, policy=Policy(order="priority", preemption=True))
    cluster.activate(0)
    cluster.advance(5 * DAY)
    assert cluster.runs["preemptions"].tolist() == [0, 1, 0]
    assert cluster.runs["start"][2] == 3 * HOUR // 4
    assert cluster.runs["start"][1] == HOUR // 2


def test_the_scalar_extra_would_break_the_promise() -> None:
    """Domains of 8: the head needs one wholly free, a scalar extra would let job 2 take its place."""
    rows = jobs_of(
        (0, 4 * HOUR, 8, 4 * HOUR),
        (0, 8 * HOUR, 5, 8 * HOUR),
        (1, HOUR, 8, HOUR),
        (2, 20 * HOUR, 3, 20 * HOUR),
    )
    cluster = Cluster(one_pool(2), rows, plain())
    cluster.activate(0)
    cluster.advance(5 * DAY)
    assert cluster.runs["start"].tolist() == [0, 0, 4 * HOUR, 2]
    assert cluster.counters()["breaches"] == 0
    longer = jobs_of(
        (0, 4 * HOUR, 6, 4 * HOUR),
        (0, 8 * HOUR, 6, 8 * HOUR),
        (1, HOUR, 8, HOUR),
        (2, 20 * HOUR, 2, 20 * HOUR),
    )
    cluster = Cluster(one_pool(2), longer, plain())
    cluster.activate(0)
    cluster.advance(5 * DAY)
    # 4 chips are free and 10 will be at the shadow (scalar extra 2), but best fit must keep domain 0 whole
    assert cluster.runs["start"][2] == 4 * HOUR
    assert cluster.counters()["breaches"] == 0


def test_bad_input_says_what_to_write() -> None:
    with pytest.raises(LayoutError, match="sorted by submission"):
        Cluster(one_pool(1), jobs_of((5, 1, 1, 1), (0, 1, 1, 1)), plain())
    with pytest.raises(LayoutError, match="use none or easy"):
        Cluster(one_pool(1), jobs_of((0, 1, 1, 1)), plain(), policy=Policy(backfill="eezy"))
    with pytest.raises(LayoutError, match="use one of"):
        Cluster(one_pool(1), jobs_of((0, 1, 1, 1)), plain(), policy=Policy(placement="bestfit"))
