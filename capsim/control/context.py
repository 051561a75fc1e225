"""What the control processes of one run share."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import simpy

from capsim.compile.prepare import Place, Prepared
from capsim.control.world import DemandWorld, Draws
from capsim.kernel.api import Cluster


@dataclass
class LotState:
    """The life of a lot: when it came, when it had power, when it left.

    Attributes:
        status: planned, delivered, ended, not converted, terminated, or unused (a rule's spare room).
        delay: ms after the plan.
        delivered: ms, chips on site; -1 before.
        powered: (ms, chips) as power came.
        ended: ms; -1 while it lasts.
        price_factor: market price at purchase over the price of the offer.
        left: ms at which its holder ends it for convenience, before its time; -1 where it does not.
    """

    status: str = "planned"
    delay: int = 0
    planned: int = 0
    delivered: int = -1
    powered: list[tuple[int, int]] = field(default_factory=list)
    ended: int = -1
    price_factor: float = 1.0
    left: int = -1


@dataclass
class ShellState:
    """The life of a powered shell."""

    status: str = "planned"
    delay: int = 0
    delivered: int = -1


@dataclass
class Context:
    """One run: clocks, cluster, draws and records.

    Attributes:
        cluster: place i of `prepared.places` is kernel pool i, with one site, also i.
        tranche: kernel tranche of each lot, by key.
        research_class: kernel class of the research campaigns, -1 without any.
        research_speed: full speed of a campaign by place.
        matched: provider that delivers in place of an offer's own, by offer (right of first refusal).
        reserve: chips that named runs claim at each place, by run name and place index.
    """

    env: simpy.Environment
    cluster: Cluster
    prepared: Prepared
    draws: Draws
    demand: DemandWorld
    end: int
    tranche: dict[str, int]
    lots: dict[str, LotState]
    shells: dict[str, ShellState]
    research_class: int = -1
    research_speed: dict[int, float] = field(default_factory=dict)
    matched: dict[str, str] = field(default_factory=dict)
    reserve: dict[tuple[str, int], int] = field(default_factory=dict)
    prices: dict[str, float] = field(default_factory=dict)
    events: list[tuple[int, str, str, str]] = field(default_factory=list)

    @property
    def now(self) -> int:
        """The instant of the control clock, ms."""
        return int(self.env.now)

    def places(self) -> tuple[Place, ...]:
        """All places, in the order of pools."""
        return self.prepared.places

    def log(self, kind: str, subject: str, text: str) -> None:
        """Record an event for the run's `events` table."""
        self.events.append((self.now, kind, subject, text))

    def until(self, at: int) -> Any:
        """A simpy event at an instant (now, if it has passed)."""
        return self.env.timeout(max(at - self.now, 0))

    def set_efficiency(self, place: int, share: float) -> None:
        """Research runs at a place at this share of its full speed (a stack that is being ported)."""
        if self.research_class >= 0 and place in self.research_speed:
            self.cluster.set_speed(self.research_class, place, self.research_speed[place] * share)

    def claim(self, run: str, place: int, chips: int) -> None:
        """A named run claims chips at a place."""
        self.reserve[run, place] = chips

    def release(self, run: str, place: int) -> None:
        """The run's claim is over."""
        self.reserve.pop((run, place), None)
