"""The cases of ``capsim bench``."""

from __future__ import annotations

from dataclasses import dataclass, replace

LARGE = 524_160
"""The fleet of the scheduling bars: 910 blocks of 8 racks of 72."""

FLEETS = (1024, 65_520, LARGE, 1_048_320)
LOADS = (0.7, 0.9, 0.95)
PLACES = ("chips", "racks", "racks, failures")
"""Interchangeable chips; scale-up domains in blocks; the same with failures and repairs."""


@dataclass(frozen=True)
class Case:
    """One measurement: so many jobs of a mix on a fleet under a policy.

    ``policy``: fcfs, easy or conservative; ``places``: one of PLACES; ``order``: fcfs, sjf, or ``own`` (a
    registered function with the key of sjf); ``own_placement``: best fit as a registered function;
    ``preemption``: a tenth of the jobs may stop the others.
    """

    policy: str
    chips: int = LARGE
    places: str = "chips"
    load: float = 0.9
    mix: str = "first"
    jobs: int = 1_000_000
    order: str = "fcfs"
    own_placement: bool = False
    preemption: bool = False
    seed: int = 1


def grid(jobs: int) -> list[Case]:
    """Policy × fleet × load × topology × failures, first mix."""
    return [
        Case(policy, chips, places, load, jobs=jobs)
        for chips in FLEETS
        for places in PLACES
        for load in LOADS
        for policy in ("fcfs", "easy")
    ]


OWN = {
    "best fit as an own placement": "best fit, built in",
    "shortest first as an own order": "shortest first, built in",
}
"""Cases that do the same work by a user's function and by the built-in rule: the fastest of three counts."""


def special(jobs: int) -> list[tuple[str, Case]]:
    """Single cases with their names: the other mixes, conservative, growth, the largest fleet, more rules."""
    racks = Case("easy", places="racks", jobs=jobs)
    small = Case("conservative", 1024, jobs=jobs)
    return [
        ("second mix, chips", Case("easy", mix="second", jobs=jobs)),
        ("second mix, racks", replace(racks, mix="second")),
        ("second mix, racks, failures", replace(racks, mix="second", places="racks, failures")),
        ("conservative, loose estimates", replace(small, mix="loose")),
        ("conservative, exact estimates", replace(small, mix="exact")),
        ("best fit, built in", racks),
        ("best fit as an own placement", replace(racks, own_placement=True)),
        ("shortest first, built in", replace(racks, order="sjf")),
        ("shortest first as an own order", replace(racks, order="own")),
        ("priorities, no preemption", replace(racks, order="priority")),
        ("priorities, preemption", replace(racks, order="priority", preemption=True)),
        ("16 million chips, racks", replace(racks, chips=15_984_000, jobs=jobs // 10)),
    ]


def growth(largest: int) -> list[tuple[str, Case]]:
    """Ten thousand jobs and ten times as many at each step, up to ``largest``."""
    counts = [n for n in (10_000, 100_000, 1_000_000, 10_000_000) if n <= largest]
    return [
        (f"{n:,} jobs, {places}", Case("easy", places=places, jobs=n))
        for places in ("chips", "racks")
        for n in counts
    ]


def quick(jobs: int) -> list[Case]:
    """The grid's middle: 524,160 chips at load .9."""
    return [case for case in grid(jobs) if case.chips == LARGE and case.load == 0.9]
