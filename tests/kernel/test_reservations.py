"""Advance reservations: schedules computed by hand on racks of 4 chips, that differ from no reservation."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pytest

from capsim.kernel.layout import Layout, LayoutError
from capsim.kernel.reserving import Reservation
from tests.kernel.driving import cluster_of, drive, job_rows
from tests.oracles.case import Case, Command, Job, JobClass, Service
from tests.oracles.scheduler import Scheduler


@dataclass(frozen=True)
class WindowCase:
    """Jobs (submit, size, run, tenant), and when each of them starts with the windows and without."""

    name: str
    says: str
    racks: int
    windows: tuple[Reservation, ...]
    jobs: tuple[tuple[int, int, int, int], ...]
    starts: tuple[int, ...]
    free: tuple[int, ...]
    used: tuple[int, ...] = (0,)
    ends: tuple[int, ...] = ()
    interval: int = 0

    def case(self, reserved: bool) -> Case:
        """The case as the schedulers take it."""
        layout = Layout()
        layout.tranche(layout.site(layout.pool(4)), self.racks)
        jobs = tuple(Job(submit, run, run, n, n, n, 0, tenant) for submit, n, run, tenant in self.jobs)
        arrive = (Command(0, "activate", (0, None)),)
        windows = self.windows if reserved else ()
        return Case(
            layout, (JobClass(interval=self.interval),), jobs, 10_000, commands=arrive, reservations=windows
        )


def window(start: int, end: int, racks: int = 1, **options: object) -> Reservation:
    """A reservation of some racks."""
    return Reservation(0, start, end, domains=racks, **options)  # type: ignore[arg-type]


CASES = (
    WindowCase(
        "maintenance", "rack 0 is reserved for nobody in 10..20: A is gone by then, B and C must wait for rack 1 or for 20",
        2, (window(10, 20),), ((0, 4, 10, 0), (0, 4, 15, 0), (1, 4, 12, 0)), (0, 0, 15), (0, 0, 10),
    ),
    WindowCase(
        "for a tenant", "B of tenant 1 may use rack 0 from 10 on; C of tenant 0 not until 20",
        1, (window(10, 20, tenants=[1]),), ((0, 4, 10, 0), (1, 4, 8, 1), (2, 4, 10, 0)), (0, 10, 20), (0, 10, 18),
        (4 * 8,),
    ),
    WindowCase(
        "gone by its end", "B of tenant 1 would run past 20: it waits for the end, C of the same tenant goes ahead",
        1, (window(10, 20, tenants=[1]),), ((0, 4, 10, 0), (1, 4, 12, 1), (1, 4, 9, 1)), (0, 20, 10), (0, 10, 22),
        (4 * 9,),
    ),
    WindowCase(
        "flexible", "the same, but it may run past the end; and it may start there before 10",
        1, (window(10, 20, tenants=[1], flex=True),), ((0, 4, 5, 0), (1, 4, 12, 1), (2, 4, 9, 0)), (0, 5, 20),
        (0, 5, 17), (4 * 7,),
    ),
    WindowCase(
        "the head's promise", "B needs both racks: 20, the end of the window, not 5, when the racks are free; so C may run until 20",
        2, (window(10, 20),), ((0, 8, 5, 0), (1, 8, 10, 0), (2, 4, 14, 0), (2, 4, 5, 0)), (0, 20, 5, 5), (0, 5, 15, 15),
    ),
    WindowCase(
        "reserved chips first", "A of tenant 1 leaves rack 1 to B, that may not use rack 0",
        2, (window(0, 20, tenants=[1]),), ((0, 4, 10, 1), (0, 4, 10, 0), (1, 4, 10, 0)), (0, 0, 10), (0, 0, 10),
        (4 * 10,),
    ),
    WindowCase(
        "announced late", "at 5 both racks are held past 10; rack 1 is free sooner, at 12, and B keeps it until then",
        2, (window(10, 20, announced=5),), ((0, 4, 15, 0), (0, 4, 12, 0), (6, 4, 2, 0)), (0, 0, 15), (0, 0, 12),
        (4 * 2,),
    ),
    WindowCase(
        "evicted", "the same, but B is stopped at 10 with 2 ms left, which it works off on rack 0 from 15 on; C goes after it",
        2, (window(10, 20, announced=5, evict=True),), ((0, 4, 15, 0), (0, 4, 12, 0), (6, 4, 2, 0)), (0, 0, 17),
        (0, 0, 12), (0,), (15, 17, 19),
    ),
    WindowCase(
        "evicted with a checkpoint", "the same where checkpoints are taken every 7 ms: B takes one at 10",
        2, (window(10, 20, announced=5, evict=True),), ((0, 4, 15, 0), (0, 4, 12, 0), (6, 4, 2, 0)), (0, 0, 17),
        (0, 0, 12), (0,), (15, 17, 19), 7,
    ),
    WindowCase(
        "announced as it begins", "at 10 B is gone from rack 0; C and D are stopped in rack 1 and, submitted before E, go on there",
        2, (window(10, 20, announced=10, evict=True),), ((0, 2, 15, 0), (0, 2, 10, 0), (0, 2, 12, 0), (0, 2, 12, 0), (6, 2, 3, 0)),
        (0, 0, 0, 0, 14), (0, 0, 0, 0, 10), (0,), (15, 10, 12, 14, 17),
    ),
    WindowCase(
        "free when all are gone", "racks 0 and 1 have a job until 12 and one until 30, in either order; rack 2 is free sooner, at 20",
        3, (window(10, 20, announced=5),), ((0, 2, 12, 0), (0, 2, 30, 0), (0, 2, 30, 0), (0, 2, 12, 0), (0, 4, 20, 0), (13, 4, 1, 0)),
        (0, 0, 0, 0, 0, 20), (0, 0, 0, 0, 0, 20), (4 * 10,),
    ),
    WindowCase(
        "not evicted from its own", "rack 1 is free sooner; B in it is of tenant 1, whose it is from 10 on: it runs on, past the end",
        2, (window(10, 20, announced=5, evict=True, tenants=[1]),), ((0, 4, 30, 0), (0, 4, 25, 1), (6, 4, 2, 0)), (0, 0, 25),
        (0, 0, 25), (4 * 10,), (30, 25, 27),
    ),
    WindowCase(
        "too late for the head", "from 8 on B would run into the window: it is promised 20, not 10, when A ends, so C may run until 11",
        1, (window(15, 20), window(100, 110, tenants=[1])), ((0, 2, 10, 0), (1, 4, 8, 1), (2, 2, 9, 0)), (0, 20, 2),
        (0, 10, 18), (0, 0),
    ),
    WindowCase(
        "whole racks on the map", "rack 0, free at 10, is not D's: it is promised racks 1 and 2 at 15, so E may have rack 1 until 12",
        3, (window(20, 30),), ((0, 4, 10, 0), (0, 4, 5, 0), (0, 4, 15, 0), (1, 8, 25, 0), (2, 4, 7, 0)),
        (0, 0, 0, 15, 5), (0, 0, 0, 10, 15),
    ),
    WindowCase(
        "the rest on the map", "2 chips of rack 0 are free beside A, but not for D's last 2: it is promised 15, E may have rack 1",
        3, (window(20, 30),), ((0, 2, 18, 0), (0, 4, 5, 0), (0, 4, 15, 0), (1, 6, 25, 0), (2, 4, 7, 0)),
        (0, 0, 0, 15, 5), (0, 0, 0, 5, 15),
    ),
    WindowCase(
        "few racks on the map", "2 of 33 racks are C's: the first is free at 14, beside A D would hold it until 18",
        33, (window(12, 100, 31),), ((0, 2, 14, 0), (0, 4, 24, 0), (1, 4, 60, 0), (2, 2, 16, 0)), (0, 0, 14, 24), (0, 0, 1, 2),
    ),
    WindowCase(
        "not its own yet", "rack 0 is tenant 1's from 0 on, rack 1 from 50 on. C of tenant 1, for whom A has left nothing in rack 0,"
        " goes beside B into rack 2, where it fits best; so D finds rack 1 free at 2, E, too long for it, waits for B's end",
        3, (window(0, 100, tenants=[1]), window(50, 100, tenants=[1])),
        ((0, 4, 20, 1), (0, 2, 60, 0), (1, 2, 10, 1), (2, 4, 10, 0), (3, 4, 45, 0)), (0, 0, 1, 2, 60), (0, 0, 1, 2, 12),
        (4 * 20, 0),
    ),
)  # fmt: skip


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_schedule_computed_by_hand(case: WindowCase) -> None:
    n = len(case.starts)
    reserved = drive(case.case(True))
    assert tuple(reserved.runs["start"][:n].tolist()) == case.starts
    assert tuple(drive(case.case(False)).runs["start"][:n].tolist()) == case.free
    if case.ends:
        assert tuple(reserved.runs["end"][:n].tolist()) == case.ends
    assert tuple(life.start for life in Scheduler(case.case(True)).run()) == case.starts
    for asked, found, used in zip(case.windows, reserved.reservations(), case.used, strict=True):
        chips = 4 * len(found.domains)
        assert (found.reserved, found.used) == (chips * (asked.end - asked.start), used)
        assert found.idle == found.reserved - used


@pytest.mark.parametrize("at", [0, 3, 9])
def test_reservation_made_later_is_one_announced_then(at: int) -> None:
    case = CASES[6].case(True)
    listed = drive(replace(case, reservations=(window(10, 20, announced=at), window(30, 40, announced=at))))
    called = cluster_of(replace(case, reservations=()))
    called.activate(0)
    called.advance(at)
    assert [called.reserve(window(10, 20)), called.reserve(window(30, 40))] == [0, 1]
    called.advance(case.horizon)
    assert called.runs["start"].tolist() == listed.runs["start"].tolist()
    assert called.reservations() == listed.reservations()


def test_jobs_that_wait_when_a_reservation_is_made_may_use_it() -> None:
    """At 2 B and C wait behind A; the rack is C's tenant's from 10 to 20."""
    case = CASES[1].case(False)
    jobs = (Job(0, 10, 10, 4, 4, 4), Job(1, 8, 8, 4, 4, 4), Job(1, 8, 8, 4, 4, 4, 0, 1))
    cluster = cluster_of(replace(case, jobs=jobs))
    cluster.activate(0)
    cluster.advance(2)
    cluster.reserve(window(10, 20, tenants=[1]))
    cluster.advance(100)
    assert cluster.runs["start"][:3].tolist() == [0, 20, 10]


@pytest.mark.parametrize("order", ["fcfs", "sjf"])
@pytest.mark.parametrize("seed", range(8))
def test_jobs_submitted_later_are_as_those_listed(seed: int, order: str) -> None:
    rng = np.random.default_rng(seed)
    layout = Layout()
    layout.tranche(layout.site(layout.pool(4)), 3)
    rows = [
        Job(int(at), run, run + int(rng.integers(0, 4)), n, n, n, 0, int(rng.integers(0, 3)))
        for at, run, n in zip(
            np.sort(rng.integers(0, 40, 40)), rng.integers(1, 12, 40).tolist(), rng.choice([1, 2, 4, 8], 40).tolist(),
            strict=True,
        )
    ]  # fmt: skip
    windows = (window(10, 30, tenants=[1]), window(35, 60, 2, tenants=[1, 2], flex=True), window(70, 80, 3))
    arrive = (Command(0, "activate", (0, None)),)
    case = Case(
        layout, (JobClass(),), tuple(rows), 10_000, commands=arrive, reservations=windows, order=order
    )
    cluster = cluster_of(replace(case, jobs=tuple(rows[:20])))
    cluster.activate(0)
    for job in rows[20:]:
        cluster.advance(job.submit)
        cluster.submit(job_rows(replace(case, jobs=(job,)))[0], watched=False)
    cluster.advance(case.horizon)
    assert cluster.runs["start"].tolist() == drive(case).runs["start"].tolist()


@pytest.mark.parametrize(
    ("asked", "says"),
    [
        ([window(10, 10)], "0 <= announced <= start < end"),
        ([window(10, 20, announced=11)], "0 <= announced <= start < end"),
        ([window(10, 20, 3)], "3 domains of site 0 are reserved, it has 2"),
        ([window(10, 20, 1), window(19, 30, 2)], "reservation 1: at 19 ms 3 domains"),
        ([Reservation(1, 10, 20, domains=1)], "site 1 is not one of the 1 sites"),
        ([Reservation(0, 10, 20)], "domains or chips"),
        ([Reservation(0, 10, 20, domains=1, chips=4)], "domains or chips"),
        ([window(10, 20, classes=[1])], "among the 1 classes"),
        ([window(10, 20, tenants=[-1])], "numbered from 0"),
    ],
)
def test_what_cannot_be_kept_is_refused(asked: list[Reservation], says: str) -> None:
    case = CASES[0].case(False)
    with pytest.raises(LayoutError, match=says):
        cluster_of(replace(case, reservations=tuple(asked)))


def test_a_job_slower_than_hoped_heeds_the_window_behind_its_flexible_one() -> None:
    """Over two blocks a gang takes 20 ms, not 10: it is past 15, when both racks are closed for 15 ms."""
    layout = Layout()
    layout.tranche(layout.site(layout.pool(4)), 2, 1)
    windows = (window(12, 14, tenants=[1], flex=True), window(15, 30, 2))
    job = Job(0, 10, 10, 8, 8, 8, 0, 1)
    case = replace(
        CASES[0].case(False),
        layout=layout,
        classes=(JobClass(locality=0.5),),
        jobs=(job,),
        reservations=windows,
    )
    cluster = drive(case)
    assert cluster.runs[["start", "end"]].tolist() == [(30, 50)]
    assert [life.start for life in Scheduler(case).run()] == [30]


def test_more_windows_than_a_word_has_bits() -> None:
    """A rack is the tenant's until 8; from 10 to 20 all 64 are closed, each by a window of its own."""
    layout = Layout()
    layout.tranche(layout.site(layout.pool(4)), 64)
    windows = (window(0, 8, tenants=[1]), *(window(10, 20) for _ in range(64)))
    case = replace(
        CASES[0].case(False), layout=layout, jobs=(Job(0, 15, 15, 4, 4, 4, 0, 1),), reservations=windows
    )
    assert drive(case).runs["start"].tolist() == [20]
    assert [life.start for life in Scheduler(case).run()] == [20]


def test_a_window_bars_racks_of_its_own_site_alone() -> None:
    """A of tenant 0 has one rack of site 0 that is open to it, B of tenant 1 the other, whose window is flexible for
    it, although the rack of site 1, closed from 30 on, has the same place there.
    """
    layout = Layout()
    pool = layout.pool(4)
    for racks in (2, 1):
        layout.tranche(layout.site(pool), racks)
    windows = (window(10, 20, tenants=[1], flex=True), Reservation(1, 30, 40, domains=1))
    jobs = tuple(Job(0, 35, 35, 4, 4, 4, 0, tenant) for tenant in (0, 1))
    case = replace(CASES[0].case(False), layout=layout, jobs=jobs, reservations=windows)
    case = replace(case, commands=tuple(Command(0, "activate", (site, None)) for site in (0, 1)))
    assert drive(case).runs["start"].tolist() == [0, 0]
    assert [life.start for life in Scheduler(case).run()] == [0, 0]


def test_chips_are_rounded_up_to_whole_domains() -> None:
    case = replace(CASES[0].case(False), reservations=(Reservation(0, 10, 20, chips=5),))
    assert len(drive(case).reservations()[0].domains) == 2


@pytest.mark.parametrize(
    ("chips", "announced", "held"),
    [
        (
            2,
            5,
            (4, 4, 2, 2, 4),
        ),  # two replicas a rack: those in rack 0 are given back at 10, grown again at 20
        (2, 0, (2, 2, 2, 2, 4)),  # known from the start: nothing grows on rack 0 before it is over
        (8, 5, (1, 1, 0, 0, 1)),  # a replica over both racks is given back as a whole
    ],
)
def test_replicas_keep_off_reserved_racks(chips: int, announced: int, held: tuple[int, ...]) -> None:
    """Two racks, all wanted by a service. In 10..20 rack 0 is tenant 1's, whose job of 8 ms, submitted at 6,
    starts at 10; tenant 0's, submitted at 7, finds room in rack 1 only where the replica over both has left it.
    """
    wanted = 8 // chips
    jobs = (Job(6, 8, 8, 4, 4, 4, 0, 1), Job(7, 9, 9, 4, 4, 4, 0, 0))
    arrive = CASES[1].case(False).commands
    commands = (*arrive, Command(0, "resize", (0, 0, wanted)))
    asked = (window(10, 20, tenants=[1], announced=announced),)
    service = Service({0: chips}, kind=6)
    case = replace(
        CASES[0].case(False), jobs=jobs, commands=commands, services=(service,), reservations=asked
    )
    found = tuple(int(drive(replace(case, horizon=at)).replicas()[0, 0]) for at in (1, 9, 11, 19, 21))
    assert found == held
    cluster = drive(replace(case, horizon=30))
    starts = [10, -1] if chips < 8 else [10, 10]
    assert cluster.runs["start"][:2].tolist() == starts
    assert [life.start for life in Scheduler(replace(case, horizon=30)).run()] == starts
    assert cluster.counters()["replicas_lost"] == 0
    (kept,) = cluster.reservations()
    assert (kept.domains, kept.reserved, kept.used, kept.idle) == ((0,), 40, 32, 8)


def wide_case(seed: int, windows: int, racks: int, n_jobs: int) -> Case:
    """150 racks in blocks of 8: bitmaps of three words."""
    rng = np.random.default_rng(seed)
    layout = Layout()
    layout.tranche(layout.site(layout.pool(4)), 150, 8)
    classes = (JobClass(locality=0.9), JobClass(speed=(0.5,)))
    jobs = tuple(
        Job(int(at), run, run + int(rng.integers(0, 9)), n, n, n, int(rng.integers(0, 2)), int(rng.integers(0, 4)))
        for at, run, n in zip(
            np.sort(rng.integers(0, n_jobs, n_jobs)), rng.integers(1, 60, n_jobs).tolist(), rng.choice([1, 4, 60, 130, 400], n_jobs).tolist(),
            strict=True,
        )
    )  # fmt: skip
    asked: list[Reservation] = []
    for _ in range(windows):
        start = int(rng.integers(0, 150))
        tenants, known = [None, None, [0], [1, 2]][int(rng.integers(0, 4))], [0, start, start // 2]
        one = Reservation(
            0, start, start + int(rng.integers(1, 12)), domains=int(rng.integers(1, racks)), tenants=tenants,
            announced=int(rng.choice(known)), flex=bool(rng.integers(0, 4) == 0), evict=bool(rng.integers(0, 2)),
        )  # fmt: skip
        together = [o for o in asked if o.start < one.end and one.start < o.end]
        if sum(o.domains or 0 for o in [*together, one]) <= 150:
            asked.append(one)
    arrive = (Command(0, "activate", (0, None)),)
    return Case(layout, classes, jobs, 10_000, commands=arrive, reservations=tuple(asked))


@pytest.mark.parametrize(
    ("seed", "windows", "racks", "n_jobs"),
    [(1, 80, 8, 12), (2, 12, 70, 40), (3, 2, 150, 60), (4, 3, 150, 60)],
)
def test_many_and_large_windows_agree_with_the_slow_scheduler(
    seed: int, windows: int, racks: int, n_jobs: int
) -> None:
    case = wide_case(seed, windows, racks, n_jobs)
    cluster, slow = drive(case), Scheduler(case)
    lives = slow.run()
    assert cluster.runs["start"].tolist() == [life.start for life in lives]
    assert cluster.runs["blocks"].tolist() == [life.blocks for life in lives]
    for found, window in zip(cluster.reservations(), slow.world.windows, strict=True):
        assert set(found.domains) == window.domains
        assert (found.reserved, found.used, found.idle) == (window.reserved, window.used, window.idle)
    assert cluster.check() == []


def test_the_promise_of_the_head_outlives_a_reservation_made_for_later() -> None:
    """B, of both racks, waits for 10 and C, of 20 ms, behind it. At 2 maintenance is arranged, to be announced
    at 200: D, of 20 ms, still may not delay B.
    """
    jobs = (
        Job(0, 10, 10, 4, 4, 4),
        Job(1, 10, 10, 8, 8, 8),
        Job(1, 20, 20, 4, 4, 4),
        Job(3, 20, 20, 4, 4, 4),
    )
    cluster = cluster_of(replace(CASES[0].case(False), jobs=jobs))
    cluster.activate(0)
    cluster.advance(2)
    cluster.reserve(window(250, 260, announced=200))
    cluster.advance(100)
    assert cluster.runs["start"][:4].tolist() == [0, 10, 20, 20]


def test_a_gang_over_two_blocks_says_nothing_of_a_larger_one_that_fits_into_one() -> None:
    """Blocks of two racks; racks 0 and 2 are reserved from 12 on. At 2, E waits for racks 4 and 5, until 7. F, of
    6 chips and 10 ms, would take rack 0 and a part of another block: over two blocks it runs past 12, and has
    no room off the reserved racks. G, of 8 chips and 10 ms, gets block 1 and is gone by 12.
    """
    layout = Layout()
    layout.tranche(layout.site(layout.pool(4)), 6, 2)
    rows = ((0, 4, 2), (0, 4, 52), (0, 8, 2), (0, 8, 7), (2, 8, 100), (2, 6, 10), (2, 8, 10))
    case = Case(
        layout, (JobClass(locality=0.9),), tuple(Job(at, run, run, n, n, n) for at, n, run in rows), 10_000,
        commands=(Command(0, "activate", (0, None)),), reservations=(window(12, 20, 2, announced=1),),
    )  # fmt: skip
    starts = [0, 0, 0, 0, 7, 20, 2]
    assert drive(case).runs["start"].tolist() == starts
    assert [life.start for life in Scheduler(case).run()] == starts


def test_a_head_that_is_too_late_for_its_promise_gets_another() -> None:
    """Rack 0 is reserved in 3..4. C, of 10 chips, could start at 1 in one block and be gone by 3; over both it
    takes 3 ms and keeps off rack 0. So at 2 its shadow is 4, and D, of 1 ms, starts on the pool it likes best.
    """
    layout = Layout()
    site = layout.site(layout.pool(4))
    layout.tranche(site, 2)
    layout.tranche(site, 1, oversubscription=2.0)
    layout.tranche(layout.site(layout.pool(4)), 1)
    plain = JobClass(speed=(1.0, 1.0), preference=(0, 1), cost=(1.0, 1.0))
    fast = replace(plain, speed=(2.0, 1.0), assignment="earliest start", locality=0.9)
    small, gang = [Job(0, 1, 1, 1, 1, 1)] * 7, Job(0, 2, 3, 10, 11, 11, 1)
    jobs = (*small, gang, Job(0, 3, 3, 1, 2, 2), Job(2, 1, 1, 1, 1, 1))
    arrive = tuple(Command(0, "activate", (tranche, None)) for tranche in range(3))
    case = Case(layout, (plain, fast), jobs, 100, commands=arrive, reservations=(window(3, 4),))
    cluster, lives = drive(case), Scheduler(case).run()
    assert cluster.runs["start"].tolist() == [*[0] * 7, 4, 0, 2] == [life.start for life in lives]
    assert cluster.runs["pool"][9] == lives[9].pool == 0
