"""Chip types of a replay as arrays, and the class of each job: named by the trace, or drawn."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import accumulate

import numpy as np

from capsim.errors import InputError
from capsim.randomness import uniform
from capsim.spec.chip_types import ChipTypes
from capsim.workload.traces.model import Floats, Ints, JobTrace


@dataclass(frozen=True)
class Types:
    """Chip types and job classes: ``chips`` by type, ``speed`` [class, type] (0: cannot run there).

    ``node``: chips of a node by type; ``elastic``: least and most chips and serial part of each class whose
    jobs may have other sizes than their own, None for the others.
    """

    names: tuple[str, ...]
    chips: Ints
    classes: tuple[str, ...]
    speed: Floats
    job_class: Ints
    round_ms: int
    restart_ms: int
    node: Ints
    elastic: tuple[tuple[int, int, float] | None, ...]

    @property
    def by_name(self) -> dict[str, int]:
        """The chips of each type."""
        return dict(zip(self.names, self.chips.tolist(), strict=True))

    @property
    def total(self) -> int:
        """All chips."""
        return int(self.chips.sum())

    def fits(self, size: Ints) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
        """Which jobs fit the chips of a type on which their class can run."""
        room = np.where(self.speed > 0, self.chips[None, :], 0).max(axis=1)
        return np.asarray(size <= room[self.job_class])

    def job_speed(self, size: Ints, index: Ints) -> Floats:
        """[job, type] speed of the jobs ``index`` of ``size`` chips, 0 where they do not fit."""
        return np.where(size[:, None] <= self.chips[None, :], self.speed[self.job_class[index]], 0.0)


def types_of(given: ChipTypes, trace: JobTrace, seed: int) -> Types:
    """The types for a trace; classes are drawn by share, keyed by seed and job number, if it names none.

    Raises InputError for a class of the trace that the file of types does not describe.
    """
    names, classes = tuple(given.types), tuple(given.classes)
    speed = np.array([[float(row.speeds.get(name, 0)) for name in names] for row in given.classes.values()])
    if trace.job_classes:
        unknown = [name for name in trace.job_classes if name not in given.classes]
        if unknown:
            raise InputError(
                f"{trace.source}: class {unknown[0]!r} is not among the classes of --types; it has"
                f" {', '.join(classes)}"
            )
        place = np.array([classes.index(name) for name in trace.job_classes], dtype=np.int64)
        job_class = place[trace.job_class]
    else:
        shares = list(accumulate(float(row.share) for row in given.classes.values()))
        draws = [uniform("job class", seed, number) * shares[-1] for number in trace.job.tolist()]
        job_class = np.searchsorted(np.array(shares), draws, side="right")
    chips = np.array([int(row.chips) for row in given.types.values()], dtype=np.int64)
    node = np.array([int(row.node) for row in given.types.values()], dtype=np.int64)
    elastic = tuple(
        None
        if row.elastic is None
        else (int(row.elastic.least), int(row.elastic.most), float(row.elastic.serial))
        for row in given.classes.values()
    )
    return Types(names, chips, classes, speed, job_class, int(given.round), int(given.restart), node, elastic)
