"""The slow, obvious scheduler: every rule of docs/scheduling.md, nothing cached, everything asserted.

Pure Python over plain lists. At each decision it asserts that capacity is not exceeded, that each job is
in exactly one state, and that a head never starts later than it was promised in cases where nothing but
jobs changes, none may overtake and estimates are upper bounds. ``mutant`` switches on one wrong rule, to show that the tests see it.
"""

from __future__ import annotations

from tests.oracles import admission, changes, dependencies, passes, preemption, services, standing, windows
from tests.oracles.case import Case
from tests.oracles.world import AT_LIMIT, DONE, RUNNING, WAITING, Life, World

MUTANTS = {
    "scalar-extra": "under topology, extra is one number of chips instead of a number per domain",
    "no-extra-condition": "a later job starts wherever it fits now, whether or not it delays the head",
    "extra-not-reduced": "a backfilled job's chips are not taken off the extra ones",
    "unordered-ties": "jobs submitted at one instant are queued by size instead of by sequence number",
}


class PromiseBroken(AssertionError):
    """A head's reservation moved later although nothing but jobs changed."""


class Scheduler:
    """One case, run from the first instant to the horizon."""

    def __init__(self, case: Case, mutant: str | None = None) -> None:
        assert mutant is None or mutant in MUTANTS
        self.world = World(case, mutant)
        self.integrals: list[dict[str, int]] = [{} for _ in case.layout.sites]
        changing = any(called.time > 0 and called.name != "activate" for called in case.commands)
        overtaken = (
            case.order != "fcfs"
            or case.by_class
            or case.preemption
            or case.overrun != "end"
            or bool(case.tenants or case.class_limits)
        )
        self.due = False
        self.held: passes.Reservation | None = None
        bound = any(job.after or job.array >= 0 or job.retries for job in case.jobs)
        self.steady = not (changing or case.failures or case.services or overtaken or bound)
        if case.reservations:
            late = any(r.announced > 0 or r.evict for r in case.reservations)
            self.steady &= not late and all(cls.locality == 1.0 for cls in case.classes)
        self.growing = any(called.time > 0 for called in case.commands)

    def run(self) -> list[Life]:
        """Do every instant before the horizon; the lives of all jobs."""
        world = self.world
        while True:
            instant = self.next_instant()
            if instant is None or instant >= world.case.horizon:
                break
            self.integrate(instant)
            world.now = instant
            self.one_instant()
            self.check()
        self.integrate(world.case.horizon)
        world.now = world.case.horizon
        self.ends_and_repairs()
        return world.lives

    def next_instant(self) -> int | None:
        """The next instant at which anything may happen, or the calendar calls for a pass."""
        instants = [*self.events(), *(failure.time for failure in self.world.failures)]
        instants += [called.time for called in self.world.commands]
        instants += windows.boundaries(self.world)
        if self.world.standing.tick is not None:
            instants.append(self.world.standing.tick)
        return min(instants, default=None)

    def events(self) -> list[int]:
        """Instants at which something will happen; failures and operations may find nothing to do."""
        world = self.world
        lives = [world.lives[j] for j in world.running()]
        instants = [min(life.planned_end, life.estimated_end) for life in lives]
        instants += [life.notice[0] for life in lives if life.notice is not None]
        instants += [world.jobs[j].submit for j in world.arriving]
        instants += [repair.time for repair in world.repairs]
        instants += [at for at, _ in world.retirements]
        interval = world.case.interval
        if self.due:
            instants.append((world.now // interval + 1) * interval)
        return instants

    def one_instant(self) -> None:
        """Terminations, capacity, submissions, one pass."""
        world, now = self.world, self.world.now
        happened = now in self.events()
        happened |= self.ends_and_repairs()
        while world.commands and world.commands[0].time == now:
            happened |= changes.command(world, world.commands.pop(0))
        happened |= windows.reach(world)
        for j in [j for j in world.arriving if world.jobs[j].submit == now]:
            world.arriving.remove(j)
            world.submitted.append(j)
            world.lives[j].state, world.lives[j].queued = WAITING, now
            dependencies.arrive(world, j)
        calendar = now == world.standing.tick and standing.waiting(world) and world.running()
        happened |= self.due or bool(calendar)
        self.due = happened and world.case.interval > 0 and now % world.case.interval > 0
        if happened and not self.due:
            self.one_pass()
        standing.after_instant(world)

    def ends_and_repairs(self) -> bool:
        """What happens of itself at an instant, before operations; whether a failure broke something."""
        world, now = self.world, self.world.now
        happened = self.terminations()
        for at, domain in sorted(r for r in world.retirements if r[0] == now):
            if (at, domain) in world.retirements:
                world.retirements.remove((at, domain))
                changes.force_out(world, domain)
        for repair in sorted((r for r in world.repairs if r.time == now), key=lambda r: r.number):
            if repair in world.repairs:
                world.repairs.remove(repair)
                changes.mend(world, repair)
        return happened

    def terminations(self) -> bool:
        """Phase 1: completions, then stops that take effect, then failures; whether one of these happened."""
        world, now = self.world, self.world.now
        for j in world.running(lambda life: life.planned_end == now):
            world.finish(j, AT_LIMIT if world.lives[j].limited else DONE)
        for j in world.running(lambda life: life.estimated_end == now):
            world.renew_estimate(j)
        for j in world.running(lambda life: life.notice is not None and life.notice[0] == now):
            notice = world.lives[j].notice
            assert notice is not None
            world.settle(j, saved=notice[1])
            world.requeue(j)
        happened = False
        while world.failures and world.failures[0].time == now:
            happened |= changes.fail(world, world.failures.pop(0))
        return happened

    def one_pass(self) -> None:
        """Phase 4: services, the queue from its head, preemption, backfilling."""
        world = self.world
        admission.look_again(world)
        admission.reclaim(world)
        standing.before_pass(world)
        services.grow_all(world)
        head = passes.first_blocked(world)
        while head is not None and world.case.preemption and preemption.preempt_for(world, head):
            head = passes.first_blocked(world)
        self.keep_promise(head)
        self.held = None
        if head is not None and world.case.backfill == "easy":
            self.held = passes.reservation(world, head)
            self.make_promise(head, self.held.shadow)
            passes.backfill(world, head, self.held)
        world.called = False

    def firm(self) -> bool:
        """Whether a promise must be kept: only jobs change, and none that was passed over comes back.

        New capacity may hold a job that was passed over; it is ahead of the head that was promised a time.
        """
        return self.steady and not (self.growing and self.world.passed_over)

    def keep_promise(self, head: int | None) -> None:
        """A head that has started did so no later than promised; another head gets a promise of its own."""
        world = self.world
        if world.promise is None or world.promise[0] == head:
            return
        j, promised = world.promise
        step = world.case.interval or 1
        due = -(-promised // step) * step
        late = world.lives[j].state == RUNNING and world.now > due
        world.counts["breaches"] += late
        if late and self.firm():
            raise PromiseBroken(f"job {j} starts at {world.now}, promised {promised}")
        world.promise = None

    def make_promise(self, head: int, shadow: int) -> None:
        """Keep the first promise; no later one may be worse."""
        world = self.world
        if world.promise is None:
            world.promise = (head, shadow)
        if shadow > world.promise[1] and self.firm():
            raise PromiseBroken(f"job {head} was promised {world.promise[1]}, now {shadow}")

    def integrate(self, until: int) -> None:
        """Add chips × time of each state of each site up to an instant."""
        world = self.world
        windows.integrate(world, until)
        holders = {piece.holder for d in world.fleet.domains for piece in d.pieces}
        kinds = {holder: world.kind_of(holder) for holder in holders}
        for site, totals in enumerate(self.integrals):
            for state, chips in world.fleet.counts(site, kinds).items():
                totals[state] = totals.get(state, 0) + chips * (until - world.now)

    def check(self) -> None:
        """Each job is in exactly one state, and holds its chips exactly while it runs."""
        world = self.world
        for j, life in enumerate(world.lives):
            held = world.fleet.pieces_of(("job", j, 0))
            assert bool(held) == (life.state == RUNNING), f"job {j} holds chips in state {life.state}"
            assert {id(piece) for piece in held} == {id(piece) for piece in life.pieces}
            if life.state == RUNNING:
                assert sum(piece.chips for piece in held) == life.chips, f"job {j} works on another size"
        assert all(domain.free >= 0 for domain in world.fleet.domains)
