"""Limits of tenants: schedules computed by hand on 8 chips, each job 10 ms long, that differ from no limits."""

from __future__ import annotations

from dataclasses import dataclass, replace

import pytest

from capsim.kernel.governance import ClassLimit, Governance, Tenant
from capsim.kernel.layout import Layout, LayoutError
from tests.kernel.driving import cluster_of, drive, job_rows
from tests.oracles.case import Case, Command, Job, JobClass
from tests.oracles.scheduler import Scheduler


@dataclass(frozen=True)
class TenantCase:
    """Jobs (submit, size, tenant), and when each of them starts with the limits and without."""

    name: str
    says: str
    tenants: tuple[Tenant, ...]
    jobs: tuple[tuple[int, int, int], ...]
    starts: tuple[int, ...]
    free: tuple[int, ...]
    ends: tuple[int, ...] = ()
    reclaim: bool = True

    def case(self, limited: bool) -> Case:
        """The case as the schedulers take it."""
        layout = Layout()
        layout.tranche(layout.site(layout.pool(8)), 1)
        jobs = tuple(Job(submit, 10, 10, n, n, n, 0, tenant) for submit, n, tenant in self.jobs)
        arrive = (Command(0, "activate", (0, None)),)
        tenants = self.tenants if limited else ()
        stops = (JobClass(preemptible=True),)
        return Case(layout, stops, jobs, 10_000, commands=arrive, tenants=tenants, reclaim=self.reclaim)


HALVES = (Tenant(quota=4, cohort=0), Tenant(quota=4, cohort=0))

CASES = (
    TenantCase(
        "quota", "4 of 8 chips are free, but tenant 0 has its 4", (Tenant(quota=4),),
        ((0, 4, 0), (0, 4, 0), (1, 4, 1)), (0, 10, 1), (0, 0, 10),
    ),
    TenantCase(
        "jobs at a time", "one job of tenant 0 at a time", (Tenant(max_running=1),),
        ((0, 2, 0), (0, 2, 0), (0, 2, 1)), (0, 10, 0), (0, 0, 0),
    ),
    TenantCase(
        "no more than may be borrowed", "tenant 0 borrows 2 of 4: its second job of 4 does not fit, its third waits behind",
        (Tenant(quota=4, cohort=0, borrow=2), Tenant(quota=4, cohort=0)),
        ((0, 4, 0), (0, 4, 0), (0, 2, 0)), (0, 10, 10), (0, 0, 10),
    ),
    TenantCase(
        "reclaimed", "tenant 0 borrows 4 chips; at 3 they are reclaimed: B stops and goes on at 10, with 7 ms left",
        HALVES, ((0, 4, 0), (0, 4, 0), (3, 4, 1)), (0, 0, 3), (0, 0, 10), (10, 17, 13),
    ),
    TenantCase(
        "lent until it ends", "A and B fill the cohort until 10; then D, within its quota, and C, that borrows nothing any more",
        HALVES, ((0, 4, 0), (0, 4, 0), (1, 4, 0), (3, 4, 1)), (0, 0, 10, 10), (0, 0, 10, 10), (10, 10, 20, 20), False,
    ),
    TenantCase(
        "a gang within its quota", "6 chips within the quota of 6: A stops at 1, with 9 ms left, and is held; C, behind it,"
        " waits too although 2 chips are free",
        (Tenant(quota=2, cohort=0), Tenant(quota=6, cohort=0)),
        ((0, 4, 0), (1, 6, 1), (2, 2, 0)), (0, 1, 11), (0, 10, 2), (20, 11, 21), True,
    ),
    TenantCase(
        "reclaimed twice", "as above; D borrows from 13 on, and E reclaims that too: B's chips of 3 are no longer about to leave",
        HALVES, ((0, 4, 0), (0, 4, 0), (3, 4, 1), (11, 4, 0), (15, 4, 1)), (0, 0, 3, 13, 15), (0, 0, 10, 11, 20),
        (10, 17, 13, 25, 25),
    ),
    TenantCase(
        "kept for its owner", "2 chips of the cohort are left, C within its quota waits for 4: D may not borrow them",
        HALVES, ((0, 4, 0), (0, 2, 0), (1, 4, 1), (2, 2, 0)), (0, 0, 10, 10), (0, 0, 10, 2), (), False,
    ),
    TenantCase(
        "not kept for another cohort", "the same with C, that borrows, in another cohort: it need not wait for B",
        (Tenant(quota=2, cohort=0), Tenant(quota=2, cohort=0), Tenant(quota=2, cohort=1), Tenant(quota=2, cohort=1)),
        ((0, 4, 3), (1, 2, 2), (2, 4, 0)), (0, 10, 2), (0, 1, 10), (), False,
    ),
    TenantCase(
        "not kept for one too many", "C is within its quota, but its tenant's second job at a time: D borrows",
        (Tenant(quota=4, cohort=0), Tenant(quota=4, cohort=0, max_running=1)),
        ((0, 4, 0), (0, 2, 1), (1, 2, 1), (2, 2, 0)), (0, 0, 10, 2), (0, 0, 1, 10), (), False,
    ),
    TenantCase(
        "no loan", "at 10 there is room for C or D; C, submitted first, fills its quota and borrows nothing",
        (*HALVES, Tenant(quota=0, cohort=0)), ((0, 4, 2), (5, 4, 2), (6, 4, 0), (7, 2, 1)), (0, 5, 10, 15), (0, 5, 10, 15),
        (), False,
    ),
)  # fmt: skip


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_schedule_computed_by_hand(case: TenantCase) -> None:
    n = len(case.starts)
    limited = drive(case.case(True))
    assert tuple(limited.runs["start"][:n].tolist()) == case.starts
    assert tuple(drive(case.case(False)).runs["start"][:n].tolist()) == case.free
    if case.ends:
        assert tuple(limited.runs["end"][:n].tolist()) == case.ends
    assert tuple(life.start for life in Scheduler(case.case(True)).run()) == case.starts


@dataclass(frozen=True)
class FlavorCase:
    """Jobs (submit, size, tenant) of 10 ms on one flavor of 4 chips, of 20 ms on another that they like less."""

    name: str
    says: str
    tenants: tuple[Tenant, ...]
    jobs: tuple[tuple[int, int, int], ...]
    starts: tuple[int, ...]
    pools: tuple[int, ...]
    ends: tuple[int, ...]
    first_arrives: int = 0
    speed: tuple[float, float] = (1.0, 0.5)
    preference: tuple[int, int] | None = None

    def case(self) -> Case:
        """The case as the schedulers take it."""
        layout = Layout()
        for _ in range(2):
            layout.tranche(layout.site(layout.pool(4)), 1)
        jobs = tuple(Job(submit, 10, 10, n, n, n, 0, tenant) for submit, n, tenant in self.jobs)
        arrive = (
            Command(self.first_arrives, "activate", (0, None)),
            Command(0, "activate", (1, None)),
        )
        stops = (JobClass(speed=self.speed, preference=self.preference, preemptible=True),)
        return Case(layout, stops, jobs, 1_000, commands=arrive, tenants=self.tenants, flavors=((0,), (1,)))


SHARED = (Tenant(quota={0: 2, 1: 2}, cohort=0), Tenant(quota={0: 2, 1: 2}, cohort=0))

FLAVORS = (
    FlavorCase(
        "in the order of the class", "A has the quota of the first flavor, B that of the second, C waits for A's",
        (Tenant(quota={0: 4, 1: 4}),), ((0, 4, 0), (0, 4, 0), (1, 4, 0)), (0, 0, 10), (0, 1, 0), (10, 20, 20),
    ),
    FlavorCase(
        "none of a flavor that is not named", "B and C wait for the first flavor although the second stands free",
        (Tenant(quota={0: 4}),), ((0, 4, 0), (0, 4, 0), (1, 4, 0)), (0, 10, 20), (0, 0, 0), (10, 20, 30),
    ),
    FlavorCase(
        "waits where it was admitted", "B has quota in the first flavor and waits there; C is admitted in the second",
        (Tenant(quota={0: 8, 1: 4}),), ((0, 4, 0), (0, 4, 0), (1, 4, 0)), (0, 10, 1), (0, 0, 1), (10, 20, 21),
    ),
    FlavorCase(
        "reclaimed flavor by flavor", "A borrows 2 chips of the first flavor, B of the second; C, within its quota of the"
        " first, stops A, which goes on at 13 with 7 ms left; B runs on",
        SHARED, ((0, 4, 0), (0, 4, 0), (3, 2, 1)), (0, 0, 3), (0, 1, 0), (20, 20, 13),
    ),
    FlavorCase(
        "one quota beside", "tenant 1 has 4 chips wherever they are: its second job waits for its first",
        (Tenant(quota={0: 4}), Tenant(quota=4)), ((0, 4, 0), (0, 4, 1), (0, 4, 1)), (0, 0, 20), (0, 1, 0), (10, 20, 30),
    ),
    FlavorCase(
        "not there yet", "the first flavor has no chips until 5: A goes to the second, B is held until they arrive",
        (Tenant(quota={0: 4, 1: 4}),), ((0, 4, 0), (1, 4, 0), (1, 4, 0)), (0, 5, 15), (1, 0, 0), (20, 15, 25), 5,
    ),
    FlavorCase(
        "the second one first", "the class likes the second flavor best: A takes it, B the first",
        (Tenant(quota={0: 4, 1: 4}),), ((0, 4, 0), (0, 4, 0)), (0, 0), (1, 0), (20, 10), preference=(1, 0),
    ),
    FlavorCase(
        "none on which it cannot run", "B has quota left in the first flavor, but nothing runs there: it waits for A",
        (Tenant(quota={0: 4, 1: 4}),), ((0, 4, 0), (0, 4, 0)), (0, 10), (1, 1), (10, 20), speed=(0.0, 1.0),
    ),
    FlavorCase(
        "too large for either", "A waits in the first flavor for chips that never come; B behind it goes to the second",
        (Tenant(quota={0: 8, 1: 4}),), ((0, 8, 0), (0, 4, 0)), (-1, 0), (-1, 1), (-1, 20),
    ),
)  # fmt: skip


@pytest.mark.parametrize("case", FLAVORS, ids=lambda case: case.name)
def test_quotas_by_flavor_computed_by_hand(case: FlavorCase) -> None:
    cluster = drive(case.case())
    found = cluster.runs[["start", "pool", "end"]].tolist()
    assert found == list(zip(case.starts, case.pools, case.ends, strict=True))
    assert tuple(life.start for life in Scheduler(case.case()).run()) == case.starts
    assert [cluster.class_of(j) for j in range(len(found))] == [0] * len(found)
    if all(isinstance(tenant.quota, dict) for tenant in case.tenants):
        assert cluster.quota_use()["chip_ms"].sum() == cluster.runs["chip_time"].sum()


def test_job_confined_to_a_flavor_is_still_of_its_class() -> None:
    cluster = cluster_of(FLAVORS[0].case())
    cluster.activate(0)
    cluster.activate(1)
    cluster.advance(5)
    assert cluster.jobs["cls"].tolist() == [1, 2, 0]
    assert [cluster.class_of(j) for j in range(3)] == [0, 0, 0]


@pytest.mark.parametrize(
    ("tenants", "flavors", "says"),
    [
        ((Tenant(quota={0: 4}),), (), "tenant 0: quota by flavor, of which there are 0"),
        ((Tenant(quota={2: 4}),), ((0,), (1,)), "tenant 0: quota by flavor, of which there are 2"),
        ((Tenant(quota={0: 4}),), ((0,),), "each of the 2 pools needs one flavor"),
        ((Tenant(quota={0: -4}),), ((0, 1),), "quota must not be negative"),
        ((Tenant(quota=4, cohort=0, borrow={0: 4}),), ((0, 1),), "it needs a quota by flavor"),
        (
            (Tenant(quota={0: 4}, cohort=0), Tenant(quota=4, cohort=0)),
            ((0, 1),),
            "goes with others by flavor",
        ),
        ((Tenant(quota={0: 3, 1: 2}),), ((0,), (1,)), "job 0 asks for 4 chips, tenant 0 may have 3 at most"),
        ((), tuple((pool,) for pool in range(63)), "63 flavors: there may be 62"),
    ],
)
def test_quotas_by_flavor_that_make_no_sense_are_refused(
    tenants: tuple[Tenant, ...], flavors: tuple[tuple[int, ...], ...], says: str
) -> None:
    case = replace(FLAVORS[0].case(), tenants=tenants or (Tenant(quota=4),), flavors=flavors)
    with pytest.raises(LayoutError, match=says):
        cluster_of(case)


@pytest.mark.parametrize(
    ("tenant", "says"),
    [
        (Tenant(share=0.0), "share must be positive"),
        (Tenant(quota=-1), "quota must not be negative"),
        (Tenant(max_running=0), "max_running must be at least 1"),
        (Tenant(cohort=0), "needs a quota"),
        (Tenant(quota=4, borrow=2), "needs a cohort"),
    ],
)
def test_limits_that_make_no_sense_are_refused(tenant: Tenant, says: str) -> None:
    with pytest.raises(LayoutError, match=says):
        Governance([Tenant(), tenant]).check(1)


@pytest.mark.parametrize(
    ("limit", "starts"),
    [
        ({}, (0, 0, 0, 10)),
        ({0: ClassLimit(max_running=1)}, (0, 10, 0, 20)),
        ({0: ClassLimit(max_chips=5)}, (0, 10, 0, 20)),
        ({(0, 1): ClassLimit(max_running=2)}, (0, 0, 10, 10)),  # of both classes together
        ({(1, 0): ClassLimit(max_chips=7)}, (0, 0, 10, 20)),  # D's 6 chips beside C's 2 are too many
    ],
)
def test_limits_of_a_class_computed_by_hand(
    limit: dict[int | tuple[int, ...], ClassLimit], starts: tuple[int, ...]
) -> None:
    """8 chips: A and B of class 0 (3 chips each), C of class 1 and another tenant (2), D of class 1 (6), that
    waits behind B for its admission and then for its chips.
    """
    layout = Layout()
    layout.tranche(layout.site(layout.pool(8)), 1)
    rows = ((3, 0, 0), (3, 0, 0), (2, 1, 1), (6, 1, 0))
    jobs = tuple(Job(0, 10, 10, n, n, n, k, tenant) for n, k, tenant in rows)
    arrive = (Command(0, "activate", (0, None)),)
    case = Case(layout, (JobClass(), JobClass()), jobs, 10_000, commands=arrive, class_limits=limit)
    assert tuple(drive(case).runs["start"][:4].tolist()) == starts
    assert tuple(life.start for life in Scheduler(case).run()) == starts


def test_a_job_that_its_class_holds_keeps_nothing_from_borrowers() -> None:
    """C is within its quota, but the second of class 1 at a time: D borrows the 2 chips."""
    jobs = tuple(
        Job(submit, 10, 10, n, n, n, tenant, tenant)
        for submit, n, tenant in ((0, 4, 0), (0, 2, 1), (1, 2, 1), (2, 2, 0))
    )
    limits: dict[int | tuple[int, ...], ClassLimit] = {1: ClassLimit(max_running=1)}
    case = replace(
        CASES[0].case(True), tenants=HALVES, jobs=jobs, classes=(JobClass(), JobClass()), class_limits=limits
    )
    assert drive(case).runs["start"].tolist() == [0, 0, 10, 2]
    assert [life.start for life in Scheduler(case).run()] == [0, 0, 10, 2]


def test_a_job_too_large_for_a_flavor_keeps_nothing_there_from_borrowers() -> None:
    """Two of the first flavor's 4 chips are there. B of 4 is within its quota of it, but must wait for A to leave
    the second; C of 2 borrows.
    """
    layout = Layout()
    layout.tranche(layout.site(layout.pool(2)), 2)
    layout.tranche(layout.site(layout.pool(4)), 1)
    tenants = (Tenant(quota={0: 0, 1: 4}, cohort=0), Tenant(quota={0: 4, 1: 0}, cohort=0))
    arrive = (Command(0, "activate", (0, 1)), Command(0, "activate", (1, None)))
    rows = ((0, 4, 0), (1, 4, 1), (2, 2, 0))
    jobs = tuple(Job(submit, 10, 10, n, n, n, 0, tenant) for submit, n, tenant in rows)
    case = replace(FLAVORS[0].case(), layout=layout, commands=arrive, tenants=tenants, jobs=jobs)
    assert drive(case).runs["start"].tolist() == [0, 20, 2]
    assert [life.start for life in Scheduler(case).run()] == [0, 20, 2]


@pytest.mark.parametrize(
    ("limits", "says"),
    [
        ({0: ClassLimit(max_chips=3)}, "job 0 asks for 4 chips, class 0 may have 3"),
        ({0: ClassLimit(max_running=0)}, "max_running must be at least 1"),
        ({1: ClassLimit(max_running=1)}, "there are 1 classes"),
        ({0: ClassLimit(max_running=1), (0,): ClassLimit(max_chips=8)}, "class 0 has limits twice"),
    ],
)
def test_limits_of_a_class_that_cannot_be_kept_are_refused(
    limits: dict[int | tuple[int, ...], ClassLimit], says: str
) -> None:
    case = replace(CASES[0].case(False), class_limits=limits)
    with pytest.raises(LayoutError, match=says):
        cluster_of(case)


@pytest.mark.parametrize(
    ("tenants", "most"),
    [
        ((Tenant(quota=6),), 6),
        ((Tenant(quota=3, cohort=0, borrow=2), Tenant(quota=8, cohort=0)), 5),
        ((Tenant(quota=3, cohort=0), Tenant(quota=4, cohort=0)), 7),
    ],
)
def test_job_larger_than_its_tenant_may_ever_have_is_refused(tenants: tuple[Tenant, ...], most: int) -> None:
    case = CASES[0].case(True)
    fits, large = (replace(case, tenants=tenants, jobs=(Job(0, 1, 1, n, n, n),)) for n in (most, most + 1))
    cluster = cluster_of(fits)
    with pytest.raises(LayoutError, match=f"job 0 asks for {most + 1} chips, tenant 0 may have {most}"):
        cluster_of(large)
    with pytest.raises(LayoutError, match="job 1 asks for"):
        cluster.submit(job_rows(large)[0])
    assert cluster.advance(10).now == 10
    assert len(cluster.runs) == 1


def test_job_of_an_unknown_tenant_is_refused() -> None:
    case = CASES[0].case(True)
    row = job_rows(replace(case, jobs=(Job(0, 1, 1, 1, 1, 1, 0, 9),)))[0]
    with pytest.raises(LayoutError, match="from 0 to 1 here"):
        cluster_of(case).submit(row)
