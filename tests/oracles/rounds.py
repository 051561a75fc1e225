"""Who is admitted when somebody else gives out the chips, the slow way (docs/traces.md, "Chip types, Gavel and Sia")."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from capsim.kernel.layout import Layout
from capsim.tables import CANCELLED
from tests.oracles import admission, dependencies
from tests.oracles.case import Case, Command, JobClass
from tests.oracles.scheduler import Scheduler


class Admitted(Scheduler):
    """The slow scheduler on a machine where nothing starts; jobs end when ``ends`` says: {job: (ms, state)}."""

    def __init__(self, case: Case, ends: Mapping[int, tuple[int, int]]) -> None:
        super().__init__(case)
        self.ends = ends
        self.found: dict[int, dict[int, int | None]] = {}

    def events(self) -> list[int]:
        """Ends too."""
        lives = self.world.lives
        return [*super().events(), *(at for j, (at, _) in self.ends.items() if lives[j].end < 0)]

    def terminations(self) -> bool:
        """Jobs whose end has come are over for good, by index."""
        world = self.world
        for j in sorted(self.ends):
            at, state = self.ends[j]
            if at == world.now and world.lives[j].end < 0:
                assert world.is_waiting(j), f"job {j} ends at {at} but is not admitted"
                world.lives[j].state, world.lives[j].end = state, at
                admission.over(world, j)
                dependencies.over(world, j)
        return super().terminations()

    def one_instant(self) -> None:
        """Who is admitted after each pass, and in which flavor."""
        super().one_instant()
        if self.world.now % self.world.case.interval == 0:
            admitted = [j for j in self.world.submitted if self.world.is_waiting(j)]
            self.found[self.world.now] = {j: self.world.admission.flavor.get(j) for j in admitted}

    def at(self, now: int) -> dict[int, int | None]:
        """The flavor of each job that is admitted at a round; it changes at instants of the world alone."""
        return self.found[max((t for t in self.found if t <= now), default=now)] if self.found else {}


def idle_machine(chips: list[int], speed: list[tuple[float, ...]], case: Case) -> Case:
    """The case on a pool of each type where nothing may start."""
    layout = Layout()
    commands = []
    for site, count in enumerate(chips):
        layout.tranche(layout.site(layout.pool(count)), 1)
        commands += [Command(0, "activate", (site, None)), Command(0, "drain", (site,))]
    classes = tuple(JobClass(speed=row, preemptible=True) for row in speed)
    return replace(case, layout=layout, classes=classes, commands=tuple(commands), backfill="none")


def cancelled(world_of: Admitted) -> list[int]:
    """Jobs that could never be eligible."""
    ended = world_of.ends
    return [j for j, life in enumerate(world_of.world.lives) if life.state == CANCELLED and j not in ended]
