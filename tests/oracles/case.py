"""What a case consists of: plain data that drives the slow scheduler and the kernel alike."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from capsim.kernel.governance import ClassLimit, Tenant
from capsim.kernel.layout import Layout
from capsim.kernel.reserving import Reservation
from capsim.tables import DONE


@dataclass(frozen=True)
class JobClass:
    """A class of jobs; durations in ms, ``speed`` and ``cost`` by pool. Fields as ``Classes.add``."""

    speed: tuple[float, ...] = (1.0,)
    kind: int = 0
    priority: int = 0
    assignment: str = "fixed order"
    preference: tuple[int, ...] | None = None
    cost: tuple[float, ...] | None = None
    interval: int = 0
    stall: int = 0
    restart: int = 0
    locality: float = 1.0
    max_sites: int = 1
    preemptible: bool = False
    grace: int = 0

    def pools(self) -> list[int]:
        """The pools where the class can run, in its order of trial."""
        preference = self.preference or tuple(range(len(self.speed)))
        able = [pool for pool, speed in enumerate(self.speed) if speed > 0]
        return sorted(able, key=lambda pool: (preference[pool], pool))


@dataclass(frozen=True)
class Job:
    """One job: ms of work and of estimate at speed 1 on ``size_ref`` chips."""

    submit: int
    run: int
    requested: int
    size_min: int
    size_max: int
    size_ref: int
    cls: int = 0
    tenant: int = 0
    after: tuple[tuple[int, str], ...] = ()
    array: int = -1
    deadline: int = -1
    fate: int = DONE
    retries: int = 0


@dataclass(frozen=True)
class Service:
    """An inference service: chips of one replica by pool."""

    chips: Mapping[int, int]
    kind: int = 0
    priority: int = 0
    preempts: bool = False


@dataclass(frozen=True)
class Command:
    """An operation called at an instant, named as the method of ``Cluster``."""

    time: int
    name: str
    arguments: tuple[Any, ...] = ()
    options: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Failure:
    """A failure that strikes chip position ``chip`` of a domain, or all of it; ``repair`` ms of repair."""

    time: int
    domain: int
    chip: int
    whole: bool
    repair: int


@dataclass(frozen=True)
class Case:
    """A whole run up to ``horizon`` (exclusive)."""

    layout: Layout
    classes: tuple[JobClass, ...]
    jobs: tuple[Job, ...]
    horizon: int
    services: tuple[Service, ...] = ()
    commands: tuple[Command, ...] = ()
    failures: tuple[Failure, ...] = ()
    order: str = "fcfs"
    backfill: str = "easy"
    preemption: bool = False
    placement: str = "best-fit"
    overrun: str = "end"
    interval: int = 0
    order_options: Mapping[str, Any] = field(default_factory=dict)
    by_class: bool = False
    shares: tuple[float, ...] = ()
    tenants: tuple[Tenant, ...] = ()
    reclaim: bool = True
    array_limits: tuple[int, ...] = ()
    reservations: tuple[Reservation, ...] = ()
    class_limits: Mapping[int | tuple[int, ...], ClassLimit] = field(default_factory=dict)
    flavors: tuple[tuple[int, ...], ...] = ()
