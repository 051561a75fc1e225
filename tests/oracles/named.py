"""Small cases whose schedules were worked out by hand. Each says what it catches."""

from __future__ import annotations

from dataclasses import dataclass

from capsim.kernel.layout import Layout
from tests.oracles import scalar
from tests.oracles.case import Case, Command, Job, JobClass


@dataclass(frozen=True)
class ScalarCase:
    """Jobs on one pool of interchangeable chips, and when each of them starts."""

    name: str
    says: str
    policy: str
    chips: int
    jobs: tuple[scalar.Job, ...]
    starts: tuple[int, ...]

    def run(self, mutant: str | None = None) -> list[int]:
        """Starts by the slow scheduler of one pool."""
        return scalar.schedule(self.jobs, self.chips, self.policy, mutant)


@dataclass(frozen=True)
class TopologyCase:
    """Gangs on domains of ``domain_chips`` chips, in blocks, and when each of them starts."""

    name: str
    says: str
    domain_chips: int
    blocks: tuple[int, ...]
    jobs: tuple[scalar.Job, ...]
    starts: tuple[int, ...]

    def case(self) -> Case:
        """The case as the schedulers take it."""
        layout = Layout()
        site = layout.site(layout.pool(self.domain_chips))
        for domains in self.blocks:
            layout.tranche(site, domains)
        gangs = tuple(Job(j.submit, j.run, j.requested, j.size, j.size, j.size) for j in self.jobs)
        arrive = tuple(Command(0, "activate", (t, None)) for t in range(len(self.blocks)))
        return Case(layout, (JobClass(),), gangs, 10_000, commands=arrive)


def jobs(*rows: tuple[int, int, int, int]) -> tuple[scalar.Job, ...]:
    """Jobs from (submit, size, run, requested) rows."""
    return tuple(scalar.Job(*row) for row in rows)


SCALAR = (
    ScalarCase(
        "long job beside the head",
        "C fits now (2 free) but ends after the shadow (10) and is larger than the 1 extra chip",
        "easy",
        5,
        jobs((0, 3, 10, 10), (1, 4, 5, 5), (2, 2, 20, 20)),
        (0, 10, 15),
    ),
    ScalarCase(
        "two jobs for one extra chip",
        "C takes the only extra chip; D, in the same pass, would delay the head",
        "easy",
        6,
        jobs((0, 3, 10, 10), (1, 5, 5, 5), (2, 1, 20, 20), (2, 1, 20, 20)),
        (0, 10, 2, 15),
    ),
    ScalarCase(
        "two ends at the shadow time",
        "both running jobs end at 10, so 2 chips are extra and C may run long",
        "easy",
        5,
        jobs((0, 2, 10, 10), (0, 2, 10, 10), (1, 3, 5, 5), (2, 1, 20, 20)),
        (0, 0, 10, 2),
    ),
    ScalarCase(
        "two jobs of one instant",
        "submitted at one instant, served by sequence number, not by size",
        "fcfs",
        2,
        jobs((0, 2, 5, 5), (0, 1, 5, 5)),
        (0, 5),
    ),
    ScalarCase(
        "a submission as a job ends",
        "the pass at 5 comes after the submissions of 5: the short C goes first",
        "sjf",
        1,
        jobs((0, 1, 5, 5), (1, 1, 9, 9), (5, 1, 2, 2)),
        (0, 7, 5),
    ),
    ScalarCase(
        "an early end",
        "A ends at 5 although 10 was requested: B moves from 10 to 5",
        "conservative",
        2,
        jobs((0, 2, 5, 10), (1, 2, 5, 5)),
        (0, 5),
    ),
    ScalarCase(
        "one reservation at a time",
        "A ends at 3 instead of 7: B moves from 7 to 3. C moves from 9 to 8 only, since D still holds [7, 8);"
        " then D moves to 3. Taking out all reservations at once would give C 5",
        "conservative",
        4,
        jobs((0, 4, 3, 7), (0, 2, 2, 2), (2, 4, 3, 3), (2, 1, 1, 1)),
        (0, 3, 8, 3),
    ),
)

TOPOLOGY = (
    TopologyCase(
        "one chip in the head's rack",
        "racks of 4: A leaves 1 chip of rack 0 until 10, B leaves 1 of rack 1 until 30; the head takes all of"
        " rack 0 at 10. The long C fits the one extra chip only in rack 1",
        4,
        (2,),
        jobs((0, 3, 10, 10), (0, 3, 30, 30), (1, 4, 5, 5), (2, 1, 40, 40)),
        (0, 0, 10, 2),
    ),
    TopologyCase(
        "enough chips, none whole",
        "4 chips are free in two racks of 4, 2 in each: a gang of 8 waits for both, a job of 3 for one",
        4,
        (2,),
        jobs((0, 2, 10, 10), (0, 4, 10, 10), (1, 8, 5, 5), (2, 3, 3, 3)),
        (0, 0, 10, 15),
    ),
    TopologyCase(
        "two jobs for the extra chips of one rack",
        "racks of 4: at 10 the head takes racks 0 and 1 and 2 chips of rack 2, where 2 chips are extra. D"
        " takes them; E, in the same pass, finds 2 chips free and none extra",
        4,
        (3,),
        jobs((0, 4, 10, 10), (0, 4, 10, 10), (1, 10, 5, 5), (2, 2, 40, 40), (2, 2, 40, 40)),
        (0, 0, 10, 2, 15),
    ),
    TopologyCase(
        "two gangs of one instant",
        "both fit, not together: the first submitted goes first though it is larger",
        4,
        (2,),
        jobs((0, 8, 5, 5), (0, 4, 5, 5)),
        (0, 5),
    ),
    TopologyCase(
        "a long gang beside the head",
        "racks of 4 in one block: C would fit now in rack 1 but run past 10, when the head needs both racks",
        4,
        (2,),
        jobs((0, 4, 10, 10), (1, 8, 5, 5), (2, 4, 20, 20)),
        (0, 10, 15),
    ),
)
