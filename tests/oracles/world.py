"""The slow scheduler's state: jobs' lives, what they hold, and how they start and stop."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

from capsim.policies.orders import CHANGING
from tests.oracles import admission, dependencies
from tests.oracles.case import Case, Command, Failure, Job, JobClass
from tests.oracles.fleet import Fleet, Holder, Piece
from tests.oracles.placement import Part
from tests.oracles.progress import (
    Pace,
    Stop,
    locality_factor,
    progress_time,
    saved_stop,
    stop,
    wall_time,
    young_interval,
)
from tests.oracles.standing import Span, Standing, join, key_now
from tests.oracles.windows import Window

PENDING, WAITING, RUNNING, DONE, AT_LIMIT, CANCELLED = range(6)


@dataclass
class Life:
    """What has become of a job so far."""

    work_left: int
    request_left: int
    state: int = PENDING
    start: int = -1
    end: int = -1
    pool: int = -1
    chips: int = 0
    blocks: int = 0
    waited: int = 0
    lost: int = 0
    restarts: int = 0
    requeues: int = 0
    preemptions: int = 0
    queued: int = 0
    begun: int = 0
    restart_ms: int = 0
    planned_end: int = 0
    estimated_end: int = 0
    limited: bool = False
    interrupted: bool = False
    pace: Pace | None = None
    notice: tuple[int, bool] | None = None
    pieces: list[Piece] = field(default_factory=list)


@dataclass(frozen=True)
class Repair:
    """Chips of a domain that come back at an instant; ``number`` keeps the order."""

    time: int
    number: int
    domain: int
    chips: int


@dataclass
class Batch:
    """Replicas of a service that were placed together; ``number`` grows in the order of placement."""

    service: int
    pool: int
    number: int
    replicas: int


class World:
    """Everything that a case consists of at one instant."""

    def __init__(self, case: Case, mutant: str | None) -> None:
        self.case, self.mutant = case, mutant
        self.fleet = Fleet(case.layout)
        self.now = 0
        self.jobs: list[Job] = list(case.jobs)
        self.lives = [Life(job.run, job.requested) for job in case.jobs]
        self.arriving = list(range(len(case.jobs)))
        if mutant == "unordered-ties":
            self.arriving.sort(key=lambda j: (self.jobs[j].submit, self.jobs[j].size_min))
        self.submitted: list[int] = []
        self.commands: list[Command] = sorted(case.commands, key=lambda command: command.time)
        self.failures: list[Failure] = sorted(case.failures, key=lambda failure: failure.time)
        self.repairs: list[Repair] = []
        self.retirements: list[tuple[int, int]] = []
        self.batches: list[Batch] = []
        self.wanted: dict[tuple[int, int], int] = {}
        self.batches_placed = 0
        self.speed: dict[tuple[int, int], float] = {}
        self.cost: dict[tuple[int, int], float] = {}
        for c, cls in enumerate(case.classes):
            for p, speed in enumerate(cls.speed):
                self.speed[c, p] = speed
                self.cost[c, p] = 1.0 if cls.cost is None else cls.cost[p]
        self.promise: tuple[int, int] | None = None
        self.called = self.passed_over = False
        self.changes = 0
        self.standing = Standing(case)
        self.admission = admission.Admission(case.tenants, case.reclaim, case.class_limits, case.flavors)
        self.gates = dependencies.Gates()
        self.windows = [Window(reservation) for reservation in case.reservations]
        names = ("backfilled", "breaches", "failures", "interruptions", "repairs", "replicas_lost")
        self.counts = dict.fromkeys(names, 0)
        self.work: Counter[tuple[int, int, str]] = Counter()

    # -- who is where ------------------------------------------------------------------------------

    def class_of(self, j: int) -> JobClass:
        """A job's class."""
        return self.case.classes[self.jobs[j].cls]

    def speed_of(self, j: int, pool: int) -> float:
        """A job's speed in a pool now; 0 in pools outside the flavor that it is admitted in."""
        flavor = self.admission.flavor.get(j)
        if flavor is not None and pool not in self.case.flavors[flavor]:
            return 0.0
        return self.speed[self.jobs[j].cls, pool]

    def running(self, wanted: Callable[[Life], bool] = lambda life: True) -> list[int]:
        """Running jobs, by index, that satisfy a condition."""
        return [j for j, life in enumerate(self.lives) if life.state == RUNNING and wanted(life)]

    def queue(self) -> list[int]:
        """Waiting jobs in queue order; a job keeps its place in the order of submission for ever."""
        place = {j: at for at, j in enumerate(self.submitted)}

        def key(j: int) -> tuple[float, float, int]:
            ranked = self.case.by_class or self.case.order == "priority"
            priority = -self.class_of(j).priority if ranked else 0
            if self.case.order in CHANGING:
                return priority, key_now(self, j), place[j]
            if self.case.order == "edf":
                job = self.jobs[j]
                due = job.submit + self.standing.options["slack"] * job.requested
                return priority, due if job.deadline < 0 else job.deadline, place[j]
            return priority, self.jobs[j].requested if self.case.order == "sjf" else 0, place[j]

        return sorted((j for j in self.submitted if self.is_waiting(j)), key=key)

    def is_waiting(self, j: int) -> bool:
        """Whether a job waits in the queue."""
        return self.lives[j].state == WAITING and j in self.admission.admitted

    def enter(self, j: int) -> None:
        """An admitted job joins the scheduler's queue."""
        join(self, j)

    def kind_of(self, holder: Holder) -> int:
        """The accounting kind of whoever holds chips."""
        what, index, _ = holder
        return self.class_of(index).kind if what == "job" else self.case.services[index].kind

    def estimated_end(self, j: int) -> int:
        """When the scheduler expects a running job to be gone: its estimate, or an earlier notice."""
        life = self.lives[j]
        return life.estimated_end if life.notice is None else min(life.estimated_end, life.notice[0])

    # -- pace --------------------------------------------------------------------------------------

    def pace(self, j: int, pool: int, parts: list[Part]) -> Pace:
        """How fast the job works on these parts, and its checkpoints."""
        cls = self.class_of(j)
        chips = sum(part.chips for part in parts)
        blocks = {self.fleet.domains[part.domain].block for part in parts}
        worst = max(self.fleet.blocks[b].oversubscription for b in blocks)
        rate = self.rate(j, pool, chips, len(blocks), worst)
        if cls.stall == 0 and cls.interval == 0:
            return Pace(rate, 0, 0, keeps=True)
        return Pace(rate, cls.interval or self.young(cls, pool, chips), cls.stall, keeps=False)

    def rate(self, j: int, pool: int, chips: int, blocks: int, oversubscription: float) -> float:
        """Work done per ms with so many chips over so many blocks."""
        job = self.jobs[j]
        share = 1.0 if chips == job.size_ref else chips / job.size_ref
        loc = locality_factor(self.class_of(j).locality, blocks, oversubscription)
        return self.speed[job.cls, pool] * share * loc

    def young(self, cls: JobClass, pool: int, chips: int) -> int:
        """The interval by Young's rule from the pool's mean failure rate; 0 where nothing fails."""
        tranches = self.case.layout.tranches
        active = [self.fleet.domains[d] for d in self.fleet.pool_domains(pool)]
        rates = [tranches[d.tranche].failures.rate for d in active if d.active]
        mean = sum(rates) / len(rates) if rates else 0.0
        return young_interval(cls.stall, mean * chips) if mean > 0 else 0

    def restart_of(self, j: int) -> int:
        """Milliseconds of restart before a job that was once stopped works again."""
        return self.class_of(j).restart if self.lives[j].interrupted else 0

    def estimate(self, j: int, pool: int, parts: list[Part]) -> int:
        """The estimated end of the job if it starts now on these parts."""
        return (
            self.now + self.restart_of(j) + wall_time(self.lives[j].request_left, self.pace(j, pool, parts))
        )

    # -- starting and stopping ---------------------------------------------------------------------

    def start(self, j: int, pool: int, parts: list[Part], *, ahead: bool = False) -> None:
        """Start a waiting job now; ``ahead``: past a blocked head."""
        life = self.lives[j]
        assert life.state == WAITING, "a job starts that does not wait"
        life.pace = self.pace(j, pool, parts)
        self.counts["backfilled"] += ahead
        if life.start < 0:
            life.start = self.now
        life.waited += self.now - life.queued
        life.state, life.pool = RUNNING, pool
        life.chips = sum(part.chips for part in parts)
        life.blocks = len({self.fleet.domains[part.domain].block for part in parts})
        life.pieces = [self.hold(("job", j, 0), part) for part in parts]
        for piece in life.pieces:
            self.fleet.domains[piece.domain].last_tenant = self.jobs[j].tenant
        self.standing.spans.append(Span(j, self.now, life.chips, pool))
        life.restart_ms, life.notice = self.restart_of(j), None
        self.plan(j)
        life.estimated_end = self.estimate_of_segment(j)

    def hold(self, holder: Holder, part: Part) -> Piece:
        """Give a holder chips of a domain."""
        assert self.fleet.usable(part.domain), "placed in a domain that takes no work"
        domain = self.fleet.domains[part.domain]
        assert domain.free >= part.chips + part.spare, "capacity exceeded"
        piece = Piece(holder, part.domain, part.chips, part.spare, part.spare > 0)
        domain.pieces.append(piece)
        return piece

    def plan(self, j: int) -> None:
        """Set when a segment that begins now will end."""
        life = self.lives[j]
        assert life.pace is not None
        life.begun = self.now
        life.limited = life.work_left > life.request_left and self.case.overrun == "end"
        work = life.request_left if life.limited else life.work_left
        life.planned_end = self.now + life.restart_ms + wall_time(work, life.pace)

    def estimate_of_segment(self, j: int) -> int:
        """Estimated end of the segment that runs."""
        life = self.lives[j]
        assert life.pace is not None
        return life.begun + life.restart_ms + wall_time(life.request_left, life.pace)

    def renew_estimate(self, j: int) -> None:
        """A job that reached its estimate runs on: its requested time doubles until the estimate is ahead."""
        life = self.lives[j]
        while self.estimate_of_segment(j) <= self.now:
            life.request_left *= 2
        life.estimated_end = self.estimate_of_segment(j)

    def finish(self, j: int, state: int) -> None:
        """A running job reaches its end: for good, or until its next attempt."""
        life = self.lives[j]
        assert life.pace is not None
        useful = progress_time(life.request_left if life.limited else life.work_left, life.pace.rate)
        self.book(j, Stop(0, useful, 0, self.now - life.begun - useful))
        self.release(j)
        if state == DONE and dependencies.fails_again(self, j):
            return
        self.lives[j].state = self.jobs[j].fate if state == DONE else state
        self.lives[j].end = self.now
        admission.over(self, j)
        dependencies.over(self, j)

    def release(self, j: int) -> None:
        """Give back all chips of a job."""
        for piece in self.lives[j].pieces:
            self.drop(piece)
        self.lives[j].pieces = []
        for span in self.standing.spans:
            if span.job == j and span.end is None:
                span.end = self.now

    def drop(self, piece: Piece) -> None:
        """Give back a piece; a domain that was told to leave does so once nobody holds it."""
        domain = self.fleet.domains[piece.domain]
        domain.pieces = [other for other in domain.pieces if other is not piece]
        self.leave_if_empty(piece.domain)

    def leave_if_empty(self, index: int) -> None:
        """Let a leaving domain go, with the chips that are in repair."""
        domain = self.fleet.domains[index]
        if domain.leaving and not domain.pieces:
            domain.active, domain.leaving, domain.broken = False, False, 0
            self.changes += 1
            self.repairs = [repair for repair in self.repairs if repair.domain != index]
            self.retirements = [(at, d) for at, d in self.retirements if d != index]

    def settle(self, j: int, *, saved: bool) -> Stop:
        """Close the running segment: keep what is safe, count what is lost."""
        life = self.lives[j]
        assert life.pace is not None
        elapsed = self.now - life.begun
        if saved:
            found = saved_stop(elapsed, life.restart_ms, life.pace, self.class_of(j).stall)
        else:
            found = stop(elapsed, life.restart_ms, life.pace)
        life.work_left = max(1, life.work_left - found.kept_work)
        life.request_left = max(1, life.request_left - found.kept_work)
        life.lost += found.redone * life.chips
        life.interrupted = True
        self.book(j, found)
        return found

    def book(self, j: int, found: Stop) -> None:
        """Add what a segment was worth to the chip-time of the pool and kind."""
        life, job = self.lives[j], self.jobs[j]
        fails = self.gates.failed.get(j, 0) < job.retries and not life.limited
        for name, ms in (("redone", found.redone), ("overhead", found.overhead)):
            self.work[life.pool, self.class_of(j).kind, name] += ms * life.chips
        self.work[life.pool, self.class_of(j).kind, "retried" if fails else "useful"] += (
            found.useful * life.chips
        )

    def requeue(self, j: int) -> None:
        """A stopped job waits again, at its old place in the order."""
        self.release(j)
        life = self.lives[j]
        life.state, life.queued, life.notice = WAITING, self.now, None
        if admission.ask(self, j):
            self.enter(j)
