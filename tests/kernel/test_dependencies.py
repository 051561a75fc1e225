"""Dependencies, arrays, fates, deadlines: schedules computed by hand on 8 chips, unlike those without them."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pytest

from capsim.kernel.api import Cluster
from capsim.kernel.governance import Tenant
from capsim.kernel.layout import Layout, LayoutError
from capsim.kernel.options import JobOptions
from capsim.tables import AT_LIMIT, CANCELLED, DONE, FAILED_JOB
from tests.kernel.driving import cluster_of, drive
from tests.oracles.case import Case, Command, Job, JobClass
from tests.oracles.scheduler import Scheduler


def job(submit: int, size: int, run: int = 10, **more: object) -> Job:
    """A rigid job of so many ms."""
    return replace(Job(submit, run, run, size, size, size), **more)  # type: ignore[arg-type]


@dataclass(frozen=True)
class BoundCase:
    """Jobs, and when each starts with what they say and without; their states at the end."""

    name: str
    says: str
    jobs: tuple[Job, ...]
    starts: tuple[int, ...]
    free: tuple[int, ...]
    states: tuple[int, ...] = ()
    limits: tuple[int, ...] = ()
    tenants: tuple[Tenant, ...] = ()
    order: str = "fcfs"

    def case(self, bound: bool) -> Case:
        """The case as the schedulers take it."""
        layout = Layout()
        layout.tranche(layout.site(layout.pool(8)), 1)
        plain = [Job(j.submit, j.run, j.requested, j.size_min, j.size_max, j.size_ref) for j in self.jobs]
        return Case(
            layout,
            (JobClass(),),
            self.jobs if bound else tuple(plain),
            10_000,
            commands=(Command(0, "activate", (0, None)),),
            order=self.order,
            tenants=self.tenants if bound else (),
            array_limits=self.limits if bound else (),
        )


CASES = (
    BoundCase(
        "afterok", "B waits for A's end at 10 although 4 chips are free; C, submitted later, does not wait behind it",
        (job(0, 4), job(0, 4, after=((0, "afterok"),)), job(1, 4)), (0, 10, 1), (0, 0, 10),
    ),
    BoundCase(
        "a chain that breaks", "A fails at 10: B, that needs it completed, is cancelled; C waits for B's end in whatever"
        " way and starts at 10; D, submitted at 20, needs B completed and is cancelled at once, E waits for no more",
        (job(0, 4, fate=FAILED_JOB), job(0, 4, after=((0, "afterok"),)), job(0, 4, after=((1, "afterany"),)),
         job(20, 4, after=((1, "afterok"),)), job(20, 4, after=((3, "afterany"),))),
        (0, -1, 10, -1, 20), (0, 0, 10, 20, 20), (FAILED_JOB, CANCELLED, DONE, CANCELLED, DONE),
    ),
    BoundCase(
        "the last of several", "C waits for A's end at 10 and for B's at 20",
        (job(0, 2), job(0, 2, 20), job(0, 2, after=((0, "afterok"), (1, "afterok")))), (0, 0, 20), (0, 0, 0),
    ),
    BoundCase(
        "an array of two at a time", "of four tasks of 2 chips two run at once: 0, 0, then 10, 10; D's 4 chips are free at 0",
        (*(job(0, 2, array=0) for _ in range(4)), job(0, 4)), (0, 0, 10, 10, 0), (0, 0, 0, 0, 10), limits=(2,),
    ),
    BoundCase(
        "run again", "A's first attempt fails at 10: it joins the queue again at its old place, before B, and runs from 10 to"
        " 20; B, that needs it completed, follows; it was cancelled by its user at its end",
        (job(0, 8, retries=1), job(0, 8, after=((0, "afterok"),), fate=CANCELLED)), (0, 20), (0, 10), (DONE, CANCELLED),
    ),
    BoundCase(
        "no attempt after the limit", "A is ended at 10, what it asked for: it is not run again, B follows",
        (job(0, 8, 30, requested=10, retries=1), job(0, 8)), (0, 10), (0, 10), (AT_LIMIT, DONE),
    ),
    BoundCase(
        "a task that is run again", "A's attempts, 0 to 10 and 10 to 20, are one task: it does not wait for itself, B for both",
        (job(0, 2, array=0, retries=1), job(0, 2, array=0)), (0, 20), (0, 0), limits=(1,),
    ),
    BoundCase(
        "a task that waits for more", "B, first of the array, waits for A's end at 15 while C and D run; then it goes on at 20",
        (job(0, 4, 15), job(0, 2, array=0, after=((0, "afterok"),)), job(0, 2, array=0), job(0, 2, array=0)),
        (0, 20, 0, 10), (0, 0, 0, 10), limits=(1,),
    ),
    BoundCase(
        "an array within a tenant's limit", "the array lets two tasks through, the tenant one at a time: 0, 10, 20",
        tuple(job(0, 2, array=0) for _ in range(3)), (0, 10, 20), (0, 0, 0), limits=(2,),
        tenants=(Tenant(max_running=1),),
    ),
    BoundCase(
        "deadlines", "A runs until 10; C, due at 25, goes before B, due at 100, that was submitted before it",
        (job(0, 8), job(1, 8, deadline=100), job(2, 8, deadline=25)), (0, 20, 10), (0, 10, 20), order="edf",
    ),
)  # fmt: skip


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_schedule_computed_by_hand(case: BoundCase) -> None:
    n = len(case.starts)
    bound = drive(case.case(True))
    assert tuple(bound.runs["start"][:n].tolist()) == case.starts
    assert tuple(drive(case.case(False)).runs["start"][:n].tolist()) == case.free
    if case.states:
        assert tuple(bound.runs["state"][:n].tolist()) == case.states
    assert tuple(life.start for life in Scheduler(case.case(True)).run()) == case.starts


def test_waiting_for_another_job_is_not_waiting_in_the_queue() -> None:
    runs = drive(CASES[0].case(True)).runs
    assert runs["waited"].tolist() == [0, 0, 0]


def test_a_long_chain_falls_at_once() -> None:
    """20,000 jobs, each needs the one before it completed; the first fails."""
    n = 20_000
    case = CASES[0].case(False)
    jobs = (job(0, 4, fate=FAILED_JOB), *(job(0, 1, after=((j, "afterok"),)) for j in range(n - 1)))
    cluster = drive(replace(case, jobs=jobs))
    assert (cluster.runs["state"][:n] == [FAILED_JOB] + [CANCELLED] * (n - 1)).all()
    assert cluster.counters()["cancelled"] == n - 1


def test_a_watched_job_is_reported_after_its_last_attempt() -> None:
    case = replace(CASES[0].case(False), jobs=(job(0, 8, retries=2),))
    cluster = cluster_of(case)
    cluster.activate(0)
    cluster.jobs["watched"] = 1
    assert cluster.advance(100).now == 30
    assert cluster.counters()["completed"] == 1


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (JobOptions(after=[(0, 1, "afterok")]), "job 0 cannot wait for job 1"),
        (JobOptions(after=[(1, 0, "after")]), "use afterok or afterany"),
        (JobOptions(array=[0, 0]), "needs one of the 0 arrays"),
        (JobOptions(array=[0, 0], array_limits=[0]), "must be at least 1"),
        (JobOptions(fate=[DONE, 1]), "a fate is"),
        (JobOptions(retries=[0, -1]), "retries must not be negative"),
        (JobOptions(deadline=[5]), "one entry for each of the 2 jobs"),
    ],
)
def test_options_that_make_no_sense_are_refused(options: JobOptions, says: str) -> None:
    with pytest.raises(LayoutError, match=says):
        options.check(2)


def test_options_are_for_the_listed_jobs() -> None:
    """A job submitted later has none, and comes where its submission and estimate put it."""
    case = replace(CASES[-1].case(True), jobs=CASES[-1].jobs)
    cluster = cluster_of(case)
    cluster.activate(0)
    cluster.advance(3)
    cluster.submit(np.array(cluster.jobs[0]), watched=False)
    assert isinstance(cluster, Cluster)
    cluster.advance(10_000)
    assert cluster.runs["start"].tolist() == [0, 30, 20, 10]
