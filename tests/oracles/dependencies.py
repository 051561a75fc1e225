"""Dependencies, job arrays and fates, the slow way (docs/scheduling.md, "Dependencies, arrays, fates")."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from tests.oracles import admission

if TYPE_CHECKING:
    from tests.oracles.world import World

WAITING, RUNNING, DONE, CANCELLED = 1, 2, 3, 5


@dataclass
class Gates:
    """Who is held by other jobs ("needs") or by its array, which tasks count, who is over for good, what failed."""

    closed: dict[int, str] = field(default_factory=dict)
    counted: set[int] = field(default_factory=set)
    settled: set[int] = field(default_factory=set)
    failed: dict[int, int] = field(default_factory=dict)
    failed_ms: dict[int, int] = field(default_factory=dict)


def can_never(world: World, j: int) -> bool:
    """Whether a job that had to complete has ended otherwise."""
    return any(
        on in world.gates.settled and kind == "afterok" and world.lives[on].state != DONE
        for on, kind in world.jobs[j].after
    )


def is_eligible(world: World, j: int) -> bool:
    """Whether the jobs that this one waits for are over."""
    return all(on in world.gates.settled for on, _ in world.jobs[j].after)


def arrive(world: World, j: int) -> None:
    """A job is submitted."""
    if can_never(world, j):
        world.lives[j].state = CANCELLED
        over(world, j)
    elif is_eligible(world, j):
        go_on(world, j)
    else:
        world.gates.closed[j] = "needs"


def go_on(world: World, j: int) -> None:
    """An eligible job, as far as its array and then its tenant let it."""
    array = world.jobs[j].array
    world.gates.closed.pop(j, None)
    if array >= 0:
        if tasks(world, array) >= world.case.array_limits[array]:
            world.gates.closed[j] = "array"
            return
        world.gates.counted.add(j)
    if admission.ask(world, j):
        world.enter(j)


def tasks(world: World, array: int) -> int:
    """Tasks of an array that were let through and are not over."""
    return sum(world.jobs[j].array == array for j in world.gates.counted)


def over(world: World, first: int) -> None:
    """A job is over for good; then each that can never run because of it, in turn."""
    gates, line = world.gates, [first]
    while line:
        j = line.pop(0)
        gates.closed.pop(j, None)
        if j in gates.counted:
            gates.counted.remove(j)
            for task in sorted(gates.closed):
                array = world.jobs[j].array
                waits = gates.closed.get(task) == "array" and world.jobs[task].array == array
                if waits and tasks(world, array) < world.case.array_limits[array]:
                    go_on(world, task)
        gates.settled.add(j)
        for other in range(len(world.jobs)):
            mine = any(on == j for on, _ in world.jobs[other].after)
            if not mine or gates.closed.get(other) != "needs":
                continue
            if can_never(world, other):
                world.lives[other].state = CANCELLED
                line.append(other)
            elif is_eligible(world, other):
                world.lives[other].queued = world.now
                go_on(world, other)


def fails_again(world: World, j: int) -> bool:
    """The work of an attempt is done: whether it failed and the job waits for another, from its beginning."""
    failed = world.gates.failed.get(j, 0)
    if failed == world.jobs[j].retries:
        return False
    world.gates.failed[j] = failed + 1
    spans = [span for span in world.standing.spans if span.job == j]
    had = sum(span.chips * ((span.end or 0) - span.begin) for span in spans)
    world.gates.failed_ms[j] = had - world.lives[j].lost
    life, job = world.lives[j], world.jobs[j]
    life.work_left, life.request_left, life.interrupted = job.run, job.requested, False
    life.state, life.queued, life.notice = WAITING, world.now, None
    if admission.ask(world, j):
        world.enter(j)
    return True
