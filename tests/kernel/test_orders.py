"""Orders whose keys change with time, and edf: schedules computed by hand that differ from FCFS."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest

from capsim.kernel.api import Cluster, Policy
from capsim.kernel.layout import Classes, Layout, LayoutError, make_jobs
from capsim.policies.orders import CHANGING
from tests.kernel.driving import drive
from tests.oracles.case import Case, Command, Failure, Job, JobClass
from tests.oracles.scheduler import Scheduler


@dataclass(frozen=True)
class OrderCase:
    """Jobs (submit, run, size, tenant) on one domain, estimates exact, and when each of them starts."""

    name: str
    says: str
    chips: int
    order: str
    jobs: tuple[tuple[int, int, int, int], ...]
    starts: tuple[int, ...]
    fcfs: tuple[int, ...]
    options: Mapping[str, Any] = field(default_factory=dict)
    shares: tuple[float, ...] = ()
    restart: int = 0

    def case(self, order: str) -> Case:
        """The case as the schedulers take it; las stops jobs."""
        layout = Layout()
        layout.tranche(layout.site(layout.pool(self.chips)), 1)
        jobs = tuple(Job(submit, run, run, n, n, n, 0, tenant) for submit, run, n, tenant in self.jobs)
        return Case(
            layout,
            (JobClass(preemptible=True, restart=self.restart),),
            jobs,
            10_000,
            commands=(Command(0, "activate", (0, None)),),
            order=order,
            backfill="none",
            preemption=order == "las",
            order_options=self.options if order == self.order else {},
            shares=self.shares,
        )


CASES = (
    OrderCase(
        "used less",
        "keys at 5: tenant 0 has used 20 chip-ms, tenant 1 nothing: C goes before B",
        4,
        "fair-share",
        ((0, 10, 4, 0), (1, 10, 4, 0), (2, 10, 4, 1)),
        (0, 20, 10),
        (0, 10, 20),
        {"recalculate": 5},
    ),
    OrderCase(
        "used less for its share",
        "keys at the multiple of 5 by A's 10 ms: tenant 0 has used 20 for a share of 4, tenant 1 10 for a share of 1",
        4,
        "fair-share",
        ((0, 5, 4, 0), (5, 5, 2, 1), (6, 10, 4, 1), (7, 10, 4, 0)),
        (0, 5, 20, 10),
        (0, 5, 10, 20),
        {"recalculate": 5},
        (4.0, 1.0),
    ),
    OrderCase(
        "used long ago",
        "at 105 tenant 0 used 40 chip-ms 95 ms ago, worth next to nothing at a half-life of 10; tenant 1 20 just now",
        4,
        "fair-share",
        ((0, 10, 4, 0), (100, 5, 4, 1), (101, 5, 4, 1), (102, 5, 4, 0)),
        (0, 100, 110, 105),
        (0, 100, 105, 110),
        {"half_life": 10, "recalculate": 0},
    ),
    OrderCase(
        "progressive filling",
        "two chips of eight a job: the tenants take turns, so each gets two jobs at 0",
        8,
        "drf",
        ((0, 10, 2, 0), (0, 10, 2, 0), (0, 10, 2, 0), (0, 10, 2, 0), (0, 10, 2, 1), (0, 10, 2, 1)),
        (0, 0, 10, 10, 0, 0),
        (0, 0, 0, 0, 10, 10),
    ),
    OrderCase(
        "three times the weight",
        "tenant 1 weighs three times: with two jobs (1/2 of the chips) it is at 1/6, tenant 0 with one at 1/4",
        8,
        "drf",
        ((0, 10, 2, 0), (0, 10, 2, 0), (0, 10, 2, 1), (0, 10, 2, 1), (0, 10, 2, 1)),
        (0, 10, 0, 0, 0),
        (0, 0, 0, 0, 10),
        {},
        (1.0, 3.0),
    ),
    OrderCase(
        "served long enough",
        "at 5 A has attained 20 chip-ms and falls into the second queue: B stops it; A goes on at 8",
        4,
        "las",
        ((0, 20, 4, 0), (2, 3, 4, 0)),
        (0, 5),
        (0, 20),
        {"thresholds": (20,), "recalculate": 5, "exempt": 0},
    ),
    OrderCase(
        "stopped when keys are computed",
        "A falls into the second queue at 5, where B stops it, and goes on at 8; C comes at 9 and stops it at 10",
        4,
        "las",
        ((0, 20, 4, 0), (2, 3, 4, 0), (9, 3, 4, 0)),
        (0, 5, 10),
        (0, 20, 23),
        {"thresholds": (15,), "recalculate": 5, "promote": 0.0, "exempt": 0},
    ),
    OrderCase(
        "exempt",
        "A and B are in the second queue when C comes at 6, but have not worked 8 ms: C stops B at 10. At 15 C is in"
        " the second queue too, but has worked 5 ms: D stops A and C at 20",
        4,
        "las",
        ((0, 40, 2, 0), (0, 40, 2, 0), (6, 20, 2, 0), (11, 3, 4, 0)),
        (0, 0, 10, 20),
        (0, 0, 40, 60),
        {"thresholds": (10,), "recalculate": 5, "promote": 0.0, "exempt": 8},
    ),
    OrderCase(
        "exempt after a restart",
        "B stops A at 10, A goes on at 14 and works from 18 on: it falls into the third queue at 25, but is exempt until"
        " 26: C stops it at 30",
        4,
        "las",
        ((0, 40, 4, 0), (2, 4, 4, 0), (16, 3, 4, 0)),
        (0, 10, 30),
        (0, 40, 44),
        {"thresholds": (10, 80), "recalculate": 5, "promote": 0.0, "exempt": 8},
        restart=4,
    ),
    OrderCase(
        "promoted",
        "each falls after 5 ms: B stops A at 5, C stops B at 10. At 15 A has waited twice its 5 ms, is in the first"
        " queue again and stops C; at 20 likewise B, submitted before D, goes on for its last 1 ms",
        4,
        "las",
        ((0, 20, 4, 0), (2, 6, 4, 0), (6, 6, 4, 0), (7, 6, 4, 0)),
        (0, 5, 10, 21),
        (0, 20, 26, 32),
        {"thresholds": (20,), "recalculate": 5, "promote": 2.0, "exempt": 0},
    ),
    OrderCase(
        "deadline",
        "submission + 2 x estimate: B 101, C 12",
        4,
        "edf",
        ((0, 10, 4, 0), (1, 50, 4, 0), (2, 5, 4, 0)),
        (0, 15, 10),
        (0, 10, 60),
        {"slack": 2.0},
    ),
    OrderCase(
        "worst off",
        "at 10 B would finish after (9 + 20) / 20 of its time alone, C after (5 + 2) / 2",
        4,
        "themis",
        ((0, 10, 4, 0), (1, 20, 4, 0), (5, 2, 4, 0)),
        (0, 12, 10),
        (0, 10, 30),
        {"recalculate": 0},
    ),
)


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.order}: {case.name}")
def test_schedule_computed_by_hand(case: OrderCase) -> None:
    n = len(case.starts)
    for order, expected in ((case.order, case.starts), ("fcfs", case.fcfs)):
        assert tuple(drive(case.case(order)).runs["start"][:n].tolist()) == expected, order
        assert tuple(life.start for life in Scheduler(case.case(order)).run()) == expected, order
    assert case.starts != case.fcfs


CLASSED = (
    # Submit, run, size, tenant, class (class 1 has priority) on one domain of 4 chips; starts with, and without.
    # sjf: the longer B has priority. edf: so has B with the later deadline.
    ("sjf", ((0, 5, 4, 0, 0), (1, 9, 4, 0, 1), (1, 2, 4, 0, 0)), (0, 5, 14), (0, 7, 5)),
    ("edf", ((0, 5, 4, 0, 0), (1, 9, 4, 0, 1), (1, 2, 4, 0, 0)), (0, 5, 14), (0, 7, 5)),
    # Tenant 0 has used 20 chip-ms at 5: C of tenant 1 goes before D of tenant 0, but B with priority before both.
    (
        "fair-share",
        ((0, 5, 4, 0, 0), (1, 3, 4, 0, 1), (2, 3, 4, 1, 0), (2, 3, 4, 0, 0)),
        (0, 5, 8, 11),
        (0, 8, 5, 11),
    ),
    # At 0 the tenants take turns within the class: A and C with priority, then B, which its tenant's A is ahead of.
    (
        "drf",
        ((0, 5, 2, 0, 1), (0, 5, 2, 0, 0), (0, 5, 2, 0, 1), (0, 5, 2, 1, 0)),
        (0, 5, 0, 5),
        (0, 5, 5, 0),
    ),
    # At 10 B would finish after (9 + 20) / 20 of its time alone, C after (5 + 2) / 2; B has priority.
    ("themis", ((0, 10, 4, 0, 0), (1, 20, 4, 0, 1), (5, 2, 4, 0, 0)), (0, 10, 30), (0, 12, 10)),
)


def by_class(order: str, jobs: tuple[tuple[int, ...], ...], **rules: Any) -> Case:
    """Jobs (submit, run, size, tenant, class) on one domain of 4 chips; class 1 has priority."""
    layout = Layout()
    layout.tranche(layout.site(layout.pool(4)), 1)
    return Case(
        layout,
        (JobClass(preemptible=True), JobClass(priority=1, preemptible=True)),
        tuple(Job(submit, run, run, n, n, n, cls, tenant) for submit, run, n, tenant, cls in jobs),
        10_000,
        commands=(Command(0, "activate", (0, None)),),
        order=order,
        **{"backfill": "none", **rules},
    )


def starts(case: Case) -> tuple[int, ...]:
    """Starts by the kernel, which are those of the obvious scheduler."""
    found = tuple(drive(case).runs["start"][: len(case.jobs)].tolist())
    assert found == tuple(life.start for life in Scheduler(case).run())
    return found


@pytest.mark.parametrize(("order", "jobs", "expected", "alone"), CLASSED, ids=[row[0] for row in CLASSED])
def test_the_class_goes_before_the_key(
    order: str, jobs: tuple[tuple[int, ...], ...], expected: tuple[int, ...], alone: tuple[int, ...]
) -> None:
    options = {"order_options": {"recalculate": 0} if order in CHANGING else {}}
    assert starts(by_class(order, jobs, by_class=True, **options)) == expected
    assert starts(by_class(order, jobs, **options)) == alone


def test_a_late_job_takes_its_place_by_class_and_key() -> None:
    """sjf by class: of the late jobs C (class 1) goes before B (shorter) and after A (shorter, class 1)."""
    layout = Layout()
    layout.tranche(layout.site(layout.pool(4)), 1)
    classes = Classes(1)
    classes.add()
    classes.add(priority=1)
    listed = make_jobs(
        np.array([0, 1, 1]), np.array([10, 3, 2]), np.array([4, 4, 4]), cls=np.array([0, 1, 0])
    )
    policy = Policy(order="sjf", by_class=True)
    made = Cluster(layout, listed, classes, policy=policy, max_extra_jobs=2)
    made.activate(0)
    made.advance(5)
    late = [
        made.submit(make_jobs(np.array([5]), np.array([run]), np.array([4]), cls=cls), watched=False)
        for run, cls in ((1, 0), (4, 1))
    ]
    made.advance(100)
    assert made.runs["start"][[1, *late[::-1], 2]].tolist() == [10, 13, 17, 18]


def test_preemption_by_class_goes_with_fair_share() -> None:
    """B has priority and stops A at 2; tenant 1 has used nothing, so its C (submitted later) goes before A."""
    jobs = ((0, 10, 4, 0, 0), (2, 5, 4, 0, 1), (3, 5, 4, 1, 0))
    case = by_class("fair-share", jobs, by_class=True, preemption=True, order_options={"recalculate": 0})
    assert starts(case) == (0, 2, 7)
    assert drive(case).runs["end"][0] == 20


def test_las_by_class_stops_lower_classes_first_then_lower_queues() -> None:
    """Two chips each: at 8 A (class 1) and B (class 0) run in the second queue; C of class 1 stops B, the lower
    class; at 10 D of class 1, first queue, stops A."""
    jobs = ((0, 50, 2, 0, 1), (0, 50, 2, 0, 0), (8, 6, 2, 0, 1), (10, 5, 2, 0, 1))
    options = {"thresholds": (12,), "recalculate": 5, "promote": 0.0, "exempt": 0}
    case = by_class("las", jobs, by_class=True, preemption=True, order_options=options)
    assert starts(case) == (0, 0, 8, 10)


@pytest.mark.parametrize(
    ("domain_chips", "runs", "retired", "ends"),
    [
        # D is placed last in the second domain of 8: it is stopped while 16 chips are active, C when 8 are.
        (8, (10, 30, 20, 20), 1, [10, 30, 40, 25]),
        # B's domain leaves first, with 8 of 12 chips active then; C's second, with 4: B goes before C.
        (4, (10, 20, 20), 2, [10, 25, 40]),
    ],
)
def test_who_is_killed_first_has_the_lesser_share(
    domain_chips: int, runs: tuple[int, ...], retired: int, ends: list[int]
) -> None:
    """Jobs of 4 chips fill the domains from 0 on; the last domains leave by force at 5.

    Those stopped join the queue of drf one by one. Until 500 keys stand; at 10 there are 4 chips for one of them.
    """
    layout = Layout()
    layout.tranche(layout.site(layout.pool(domain_chips)), 4 * len(runs) // domain_chips)
    case = Case(
        layout,
        (JobClass(preemptible=True),),
        tuple(Job(0, run, run, 4, 4, 4) for run in runs),
        400,
        commands=(Command(0, "activate", (0, None)), Command(5, "retire", (0, retired), {"kill": True})),
        order="drf",
        order_options={"recalculate": 500},
    )
    assert drive(case).runs["end"][: len(runs)].tolist() == ends
    assert [life.end for life in Scheduler(case).run()] == ends


def test_keys_are_computed_when_a_chip_breaks_that_nobody_uses() -> None:
    """A is in the second queue from 3 on; the pass of the failure at 7, of a free chip, is the next: B stops A."""
    layout = Layout()
    layout.tranche(layout.site(layout.pool(8, 1)), 2)
    case = Case(
        layout,
        (JobClass(preemptible=True), JobClass()),
        (Job(0, 40, 40, 8, 8, 8), Job(0, 40, 40, 4, 4, 4, 1), Job(2, 5, 5, 8, 8, 8)),
        1_000,
        commands=(Command(0, "activate", (0, None)),),
        failures=(Failure(7, domain=1, chip=6, whole=False, repair=5),),
        order="las",
        preemption=True,
        order_options={"thresholds": (24,), "recalculate": 0, "promote": 0.0, "exempt": 0},
    )
    assert starts(case) == (0, 0, 7)


def test_a_speed_of_a_job_set_aside_says_nothing_of_who_has_its_slot() -> None:
    """D (16 chips of 8: set aside at 2) left its slot, one of 8, to G; at 6 D's class gets slow.

    E is the head from 3 on, promised 40; at 12 four chips are free: F would end too late, G does not.
    """
    layout = Layout()
    layout.tranche(layout.site(layout.pool(8)), 1)
    classes = Classes(1)
    classes.add()
    classes.add()
    submit, run = np.array([0, 0, 1, 1, 3, 4, 5]), np.array([40, 2, 10, 5, 5, 100, 10])
    rows = make_jobs(submit, run, np.array([4, 4, 4, 16, 8, 4, 4]), cls=np.array([0, 0, 0, 1, 0, 0, 0]))
    policy = Policy(order="fair-share", order_options={"recalculate": 500})
    made = Cluster(layout, rows, classes, policy=policy, max_extra_jobs=0)
    made.activate(0)
    made.advance(6)
    made.set_speed(1, 0, 0.01)
    assert made.check() == []
    made.advance(1_000)
    assert made.runs["start"].tolist() == [0, 0, 2, -1, 40, 45, 12]


def cluster(jobs: int, order: str, backfill: str = "easy", **options: Any) -> Cluster:
    """A cluster of 64 chips with random jobs of five tenants."""
    rng = np.random.default_rng(5)
    layout = Layout()
    layout.tranche(layout.site(layout.pool(8)), 8)
    classes = Classes(1)
    classes.add(preemptible=True)
    rows = make_jobs(
        np.sort(rng.integers(0, 20 * jobs, jobs)),
        rng.integers(1, 500, jobs),
        rng.integers(1, 40, jobs),
        tenant=rng.integers(0, 5, jobs),
    )
    policy = Policy(
        order=order,
        backfill=backfill,
        preemption=order == "las",
        order_options=options | ({"exempt": 30} if order == "las" else {}),
    )
    made = Cluster(layout, rows, classes, policy=policy, max_extra_jobs=100)
    made.activate(0)
    return made


@pytest.mark.parametrize("backfill", ["none", "easy"])
@pytest.mark.parametrize("order", CHANGING)
def test_long_queues_and_late_jobs_keep_the_books_however_time_is_split(order: str, backfill: str) -> None:
    """More waiting jobs than gaps between slots; every job is served in the end."""
    late = make_jobs(np.array([0]), np.array([50]), np.array([3]), tenant=2)
    ends = []
    for cuts in (1, 37):
        made = cluster(900, order, backfill, recalculate=50)
        for at in np.linspace(500, 20_000, cuts).astype(int):
            made.advance(int(at))
            assert made.check() == []
        made.advance(20_000)
        for _ in range(40):
            made.submit(late, watched=False)
        made.advance(10**7)
        assert made.counters()["longest_queue"] > 300
        assert (made.runs["state"] == 3).all()
        ends.append(made.runs["end"].copy())
    assert np.array_equal(*ends)


def crowded(order: str, backfill: str, seed: int) -> Case:
    """Fifty jobs of four tenants and two classes in 120 ms on 16 chips, then 32: queues of some forty."""
    rng = np.random.default_rng(seed)
    layout = Layout()
    site = layout.site(layout.pool(8))
    for _ in range(2):
        layout.tranche(site, 2)
    jobs = []
    for submit in np.sort(rng.integers(0, 120, 50)).tolist():
        run, size = int(rng.integers(1, 60)), int(rng.integers(1, 20))
        asked = run + int(rng.integers(0, 40))
        jobs.append(
            Job(submit, run, asked, size, size, size, int(rng.integers(0, 2)), int(rng.integers(0, 4)))
        )
    options = {"recalculate": (0, 1, 7, 50)[seed % 4]}
    options |= {
        "las": {"thresholds": (50, 400), "promote": 1.0, "exempt": (0, 15)[seed % 2]},
        "fair-share": {"half_life": 100},
    }.get(order, {})
    return Case(
        layout,
        (JobClass(preemptible=True, restart=1), JobClass(priority=1, preemptible=True, restart=1)),
        tuple(jobs),
        20_000,
        commands=(Command(0, "activate", (0, None)), Command(133, "activate", (1, None))),
        order=order,
        backfill=backfill,
        preemption=seed % 3 == 0,
        by_class=seed % 3 < 2,
        order_options=options,
        shares=(1.0, 2.0, 1.0, 0.5),
    )


@pytest.mark.parametrize("seed", [2, 3, 4])
@pytest.mark.parametrize("backfill", ["none", "easy"])
@pytest.mark.parametrize("order", CHANGING)
def test_crowded_queues_agree_with_the_obvious_scheduler(order: str, backfill: str, seed: int) -> None:
    """Keys overtake each other, tenants take turns and jobs are promoted many times while forty wait."""
    starts(crowded(order, backfill, seed))


@pytest.mark.parametrize(
    ("order", "options", "says"),
    [
        ("sjf", {"recalculate": 1}, "has no option 'recalculate'"),
        ("las", {"thresholds": (5, 5)}, "must increase"),
        ("fair-share", {"half_life": -1}, "must not be negative"),
        ("fairshare", {}, "unknown: use one of fcfs"),
    ],
)
def test_options_that_make_no_sense_are_refused(order: str, options: dict[str, Any], says: str) -> None:
    with pytest.raises(LayoutError, match=says):
        cluster(2, order, **options)


def test_preemption_by_priority_does_not_go_with_an_order_of_its_own() -> None:
    layout = Layout()
    layout.tranche(layout.site(layout.pool(8)), 1)
    classes = Classes(1)
    classes.add()
    jobs = make_jobs(np.array([0]), np.array([1]), np.array([1]))
    with pytest.raises(LayoutError, match="priority or las"):
        Cluster(layout, jobs, classes, policy=Policy(order="drf", preemption=True))
