"""Schema of a file of chip types for the replay of a trace: how many of each, how fast jobs run there.

It is no part of a study; ``capsim trace replay --types FILE.yaml`` reads it with the same rules for numbers,
units and errors.
"""

from __future__ import annotations

from pathlib import Path

from pydantic import Field

from capsim.errors import Problem, StudyError
from capsim.spec.base import Section
from capsim.spec.explain import limited, locate
from capsim.spec.files import MOST_CHIPS, read_section
from capsim.spec.nodes import Mapping
from capsim.spec.quantities import did_you_mean, shown
from capsim.spec.values import (
    ByKey,
    DurationMs,
    Number,
    PositiveCount,
    PositiveDurationMs,
    Share,
    Value,
    Whole,
)

LEAST, MOST = 1e-3, 1e3
"""Speeds and shares between these are taken; beyond, a linear program of them says nothing reliable."""

SIX_MINUTES_MS = 360_000
"""The round of Gavel's own evaluation (Narayanan et al., OSDI 2020)."""

MOST_SIZES = 1_000
"""Numbers of whole nodes that an elastic job may have; each is an option in every round."""

EIGHT = 8
"""Chips of an HGX node; what a file does not say of its types is assumed."""


class ChipType(Section):
    """Interchangeable chips of one type."""

    chips: PositiveCount = Field(description="how many there are")
    node: PositiveCount = Field(
        default=Whole(EIGHT, confidence="assumed"), description="chips of a node, for Sia's configurations"
    )


class Elastic(Section):
    """How many chips a job may have in place of its own size, and how its speed grows with them."""

    least: PositiveCount = Field(default=Whole(1), description="fewest chips")
    most: PositiveCount = Field(description="most chips")
    serial: Share = Field(
        description="part of the work of one chip that more chips do not make shorter (Amdahl 1967)"
    )


class JobClass(Section):
    """Jobs that are equally fast on every type."""

    share: Number = Field(
        default=Value(1), description="of the jobs, where the trace does not name their class"
    )
    speeds: ByKey[str, Number] = Field(
        description="by type, relative to the speed for which the trace's run times hold; none: cannot run"
    )
    elastic: Elastic | None = Field(
        default=None, description="sizes that sia may give to such a job; none: its own size only"
    )


class ChipTypes(Section):
    """What ``--types`` describes."""

    types: ByKey[str, ChipType]
    classes: ByKey[str, JobClass]
    round: PositiveDurationMs = Field(default=Whole(SIX_MINUTES_MS), description="length of a round")
    restart: DurationMs = Field(
        default=Whole(0),
        description="time lost when a job of a round goes on after a pause or on another type",
    )


def read_chip_types(path: Path) -> ChipTypes:
    """Read and check a file of chip types. Raises StudyError with all its problems and their places."""
    found, root = read_section(path, ChipTypes)
    problems = _wrong(found, root)
    if problems:
        raise StudyError(limited(problems))
    return found


def _wrong_elastic(name: str, elastic: Elastic, found: ChipTypes, tree: Mapping) -> list[Problem]:
    """Bounds the wrong way round, or too many sizes between them."""
    at = locate(tree, ("classes", name, "elastic", "most")).value_at
    if elastic.most < elastic.least:
        return [at.problem(f"{elastic.most} chips at most", f"write at least {elastic.least}, the least")]
    sizes = max((min(elastic.most, row.chips) // row.node for row in found.types.values()), default=0)
    if sizes > MOST_SIZES:
        return [at.problem(f"{sizes:,} numbers of whole nodes", f"write less: {MOST_SIZES:,} nodes at most")]
    return []


def _wrong(found: ChipTypes, tree: Mapping) -> list[Problem]:
    """Figures out of bounds, unknown types, classes that can run nowhere, no class with a share."""
    problems = []
    for name, kind_of in found.types.items():
        if kind_of.chips > MOST_CHIPS:
            at = locate(tree, ("types", name, "chips")).value_at
            problems.append(at.problem(f"{kind_of.chips:,} chips of a type", f"write at most {MOST_CHIPS:,}"))
    for name, row in found.classes.items():
        place = locate(tree, ("classes", name)).key_at
        numbers: list[tuple[tuple[str, ...], float]] = [(("share",), float(row.share))]
        numbers += [(("speeds", kind), float(speed)) for kind, speed in row.speeds.items()]
        for path, number in numbers:
            if number and not LEAST <= number <= MOST:
                at = locate(tree, ("classes", name, *path)).value_at
                problems.append(at.problem(f"{number:g} as {path[0]}", f"write 0, or {LEAST:g} to {MOST:g}"))
        if row.elastic is not None:
            problems += _wrong_elastic(name, row.elastic, found, tree)
        for kind in row.speeds:
            if kind not in found.types:
                at = locate(tree, ("classes", name, "speeds", kind)).key_at
                problems.append(
                    at.problem(f"there is no type {shown(kind)}", did_you_mean(kind, tuple(found.types)))
                )
        if not any(speed > 0 for speed in row.speeds.values()):
            problems.append(place.problem(f"class {shown(name)} can run nowhere", "give it a speed above 0"))
    if not any(row.share > 0 for row in found.classes.values()):
        at = tree.at
        problems.append(at.problem("no class of jobs has a share", "give one under classes a share above 0"))
    return problems
