"""Rules by hand: services that stop jobs, broken gangs that take chips, passes at an interval."""

from __future__ import annotations

import numpy as np

from capsim.kernel.api import Cluster, Policy
from capsim.kernel.layout import Classes, Services, make_failures
from tests.kernel.test_cluster import jobs_of, one_pool
from tests.kernel.worlds import DAY, HOUR

PREEMPT = Policy(order="priority", preemption=True)


def serving(domains: int, rows: np.ndarray, replica: int) -> Cluster:
    """A pool of domains of 8 chips, preemptible jobs, and one service that may stop them."""
    classes = Classes(1)
    classes.add(preemptible=True, interval=HOUR)
    services = Services(1)
    services.add({0: replica}, kind=6, priority=5, preempts=True)
    cluster = Cluster(one_pool(domains), rows, classes, services, policy=PREEMPT)
    cluster.activate(0)
    return cluster


def test_a_head_that_waits_for_a_notice_stops_nobody_in_another_pool() -> None:
    # a job with 6 h of grace fills pool 0, one without grace pool 1. The head warns the first at 1:00; the pass
    # of the job submitted at 2:00 must not stop the second as well: the head starts at 7:00
    layout = one_pool(1)
    layout.tranche(layout.site(layout.pool(8, 4)), 1)
    classes = Classes(2)
    patient = classes.add(preemptible=True, grace=6 * HOUR, speed=(1.0, 0.0))
    other = classes.add(preemptible=True, speed=(0.0, 1.0))
    head = classes.add(priority=1)
    rows = jobs_of((0, DAY, 8, DAY), (0, DAY, 8, DAY), (HOUR, HOUR, 8, HOUR), (2 * HOUR, HOUR, 8, HOUR))
    rows["cls"] = [patient, other, head, patient]
    cluster = Cluster(layout, rows, classes, policy=PREEMPT)
    cluster.activate(0)
    cluster.activate(1)
    cluster.advance(9 * HOUR)
    assert cluster.runs["preemptions"].tolist() == [1, 0, 0, 0]
    assert cluster.runs["start"][2] == 7 * HOUR
    assert cluster.runs["pool"][2] == 0


def test_a_service_stops_only_jobs_that_make_room_for_a_replica() -> None:
    # domain 0: two jobs of 4; domain 1: one job of 4. A replica of 8 needs the other half of domain 1 only:
    # its job, the youngest, has the least work at risk, and stopping one of domain 0 would be of no use.
    rows = jobs_of((0, DAY, 4, DAY), (0, DAY, 4, DAY), (HOUR // 2, DAY, 4, DAY))
    cluster = serving(2, rows, 8)
    cluster.advance(HOUR * 3 // 4)
    cluster.resize(0, 0, 1)
    cluster.advance(HOUR)
    assert cluster.replicas()[0, 0] == 1
    assert cluster.runs["preemptions"].tolist() == [0, 0, 1]
    assert cluster.check() == []


def test_a_service_that_cannot_be_helped_stops_nobody() -> None:
    # 8 chips a replica and only half of each domain could be made free: a service job of another kind holds the rest
    classes = Classes(1)
    classes.add(preemptible=True)
    fixed = classes.add()
    rows = jobs_of((0, DAY, 4, DAY), (0, DAY, 4, DAY), (0, DAY, 4, DAY), (0, DAY, 4, DAY))
    rows["cls"] = [0, fixed, 0, fixed]
    services = Services(1)
    services.add({0: 8}, kind=6, priority=5, preempts=True)
    cluster = Cluster(one_pool(2), rows, classes, services, policy=PREEMPT)
    cluster.activate(0)
    cluster.advance(HOUR)
    cluster.resize(0, 0, 2)
    cluster.advance(2 * HOUR)
    assert cluster.replicas()[0, 0] == 0
    assert cluster.runs["preemptions"].sum() == 0


def test_stopped_jobs_and_a_service_do_not_take_turns() -> None:
    # what the service cannot use is given back to the jobs once, not at every event
    rows = jobs_of(*[(0, 10 * DAY, 3, 20 * DAY)] * 4, *[(i * HOUR, 60_000, 1, 60_000) for i in range(1, 20)])
    cluster = serving(2, rows, 8)
    cluster.advance(HOUR)
    cluster.resize(0, 0, 2)
    cluster.advance(DAY)
    assert cluster.replicas()[0, 0] == 2
    assert cluster.counters()["preemptions"] == 4


def test_a_broken_gang_takes_chips_from_a_job_of_lower_priority() -> None:
    # two domains of 8, the gang holds the first, a preemptible job the second; the whole first domain breaks
    classes = Classes(1)
    classes.add(preemptible=True)
    high = classes.add(priority=9, restart=60_000)
    rows = jobs_of((0, DAY, 8, DAY), (0, DAY, 8, DAY))
    rows["cls"] = [high, 0]
    layout = one_pool(2)
    layout.failures = make_failures([(HOUR, 0, 0, 1, 5 * DAY)])
    cluster = Cluster(layout, rows, classes, policy=PREEMPT)
    cluster.activate(0)
    cluster.advance(3 * DAY)
    assert cluster.runs["restarts"].tolist() == [1, 0]
    assert cluster.runs["preemptions"].tolist() == [0, 1]
    # no checkpoint interval and no stall: nothing is lost but the restart
    assert cluster.runs["end"][0] == DAY + 60_000
    # without preemption it waits for the other job's end
    alone = Cluster(layout, rows, classes, policy=Policy(order="priority"))
    alone.activate(0)
    alone.advance(3 * DAY)
    assert alone.runs["requeues"].tolist() == [1, 0]
    assert alone.runs["end"][0] > 2 * DAY - HOUR


def test_pack_tenant_takes_the_lowest_of_equal_domains_beside_a_partial_reservation() -> None:
    # domain 0 keeps 2 chips free; the head (14 chips: a whole domain and 6) will take domain 1 and 6 chips of
    # domain 2 at the hour, so domain 2 offers 2 as well: the long job of one chip goes to the lower index
    rows = jobs_of(
        (0, DAY, 6, DAY), (0, HOUR, 8, HOUR), (0, HOUR, 5, HOUR), (1, HOUR, 14, HOUR), (2, DAY, 1, DAY)
    )
    classes = Classes(1)
    classes.add()
    cluster = Cluster(one_pool(3), rows, classes, policy=Policy(placement="pack-tenant"))
    cluster.activate(0)
    cluster.advance(HOUR // 2)
    assert cluster.held(4) == {0: 1}
    cluster.advance(2 * DAY)
    assert cluster.runs["start"].tolist() == [0, 0, 0, HOUR, 2]
    assert cluster.counters()["breaches"] == 0


def test_passes_at_an_interval() -> None:
    # submitted at 0:00, 0:20 and 1:10; passes at full hours only, the one at 0:00 included
    rows = jobs_of((0, HOUR // 2, 8, HOUR), (HOUR // 3, HOUR // 2, 8, HOUR), (HOUR * 7 // 6, HOUR, 8, HOUR))
    classes = Classes(1)
    classes.add()
    cluster = Cluster(one_pool(1), rows, classes, policy=Policy(interval=HOUR))
    cluster.activate(0)
    cluster.advance(DAY)
    assert cluster.runs["start"].tolist() == [0, HOUR, 2 * HOUR]
    assert cluster.counters()["passes"] <= 5


def test_an_interval_and_a_split_of_time() -> None:
    rng = np.random.default_rng(3)
    submit = np.sort(rng.integers(0, 5 * DAY, 300))
    run = rng.integers(60_000, DAY, 300)
    rows = jobs_of(*zip(submit, run, rng.integers(1, 9, 300), 2 * run, strict=True))
    classes = Classes(1)
    classes.add()
    starts = []
    for cuts in ([], sorted(rng.integers(0, 9 * DAY, 400).tolist())):
        cluster = Cluster(one_pool(4), rows, classes, policy=Policy(interval=2 * HOUR))
        cluster.activate(0)
        for cut in [*cuts, 40 * DAY]:
            cluster.advance(cut)
        starts.append(cluster.runs["start"].copy())
    assert np.array_equal(*starts)
    assert (starts[0] % (2 * HOUR) == 0).all()


def test_a_faster_pool_lets_a_queued_job_fill_in() -> None:
    # 5 of 8 chips are taken until 10:00, the head wants all 8. A job of 3 chips and 12 h would pass the head's
    # start; from 2:00 on it runs twice as fast, ends at 8:00 and may start at once
    classes = Classes(1)
    classes.add()
    faster = classes.add()
    rows = jobs_of((0, 10 * HOUR, 5, 10 * HOUR), (HOUR, HOUR, 8, HOUR), (HOUR, 12 * HOUR, 3, 12 * HOUR))
    rows["cls"] = [0, 0, faster]
    cluster = Cluster(one_pool(1), rows, classes)
    cluster.activate(0)
    cluster.advance(2 * HOUR)
    assert cluster.runs["start"][2] < 0
    cluster.set_speed(faster, 0, 2.0)
    cluster.advance(11 * HOUR + 1)
    assert cluster.runs["start"].tolist() == [0, 10 * HOUR, 2 * HOUR]
    assert cluster.check() == []
