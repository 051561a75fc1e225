"""What the control processes of one run share."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
import simpy
from numpy.typing import NDArray

from capsim.compile.constraints import Work
from capsim.compile.dispatch import Site
from capsim.compile.prepare import Place, Prepared
from capsim.control.world import DemandWorld, Draws
from capsim.kernel.api import Cluster


@dataclass
class LotState:
    """The life of a lot: when it came, when it had power, when it left.

    Attributes:
        status: planned, delivered, ended, not converted, unused (room that nothing called for, or swapped),
            and contracts that ended before their time: terminated (for lateness), left (for convenience),
            defaulted (the supplier).
        delay: ms after the plan.
        arrived: ms, chips on site; -1 before.
        delivered: ms, chips accepted: rent starts; -1 before.
        powered: (ms, chips) as power came; negative as it went.
        ended: ms at which the contract ended or was left; -1 while it lasts.
        signed: ms at which it was ordered or its option exercised; 0 for what is held from the start.
        price_factor: market price at purchase over the price of the offer.
        left: ms at which its holder ends it for convenience, before its time; -1 where it does not.
        rent_until: ms at which rent ends, after all terms, though the chips stay: they were bought, or make
            good what was lost; -1 where they do not.
        exchanged: whether its chips went back for those of a refresh, before the end of its contract.
        renewals: (begin, end, USD per chip-hour) of each further term.
        bought: ms at which leased chips were bought; -1 if they were not.
        reclaimed: (begin, end, chips) of spot capacity that was taken away in part.
        let: (ms, chips, USD per chip-hour) let to others from then on; of bought chips sold: USD per chip.
    """

    status: str = "planned"
    delay: int = 0
    planned: int = 0
    delivered: int = -1
    powered: list[tuple[int, int]] = field(default_factory=list)
    ended: int = -1
    price_factor: float = 1.0
    left: int = -1
    arrived: int = -1
    rent_until: int = -1
    renewals: list[tuple[int, int, float]] = field(default_factory=list)
    bought: int = -1
    let: list[tuple[int, int, float]] = field(default_factory=list)
    reclaimed: list[tuple[int, int, int]] = field(default_factory=list)
    signed: int = 0
    exchanged: bool = False


@dataclass
class ShellState:
    """The life of a powered shell; `ended` as of a lot."""

    status: str = "planned"
    delay: int = 0
    delivered: int = -1
    ended: int = -1


class Copy(NamedTuple):
    """Data that was sent to the site of an offer: when it left (ms), where to, how much (GB), its egress.

    `kept` GB of it stay there from `there` (ms) on, at `storage` USD per TB and month.
    """

    at: int
    offer: str
    gigabytes: float
    usd: float
    there: int = 0
    kept: float = 0.0
    storage: float = 0.0


@dataclass
class Context:
    """One run: clocks, cluster, draws and records.

    Attributes:
        cluster: place i of `prepared.places` is kernel pool i, with one site, also i.
        tranche: kernel tranche of each lot, by key.
        research_classes: kernel classes of the research campaigns, each with the places that its tenants may
            not use; one class unless places are dedicated to tenants. The class of evaluation bursts, if the
            study has any, is the last.
        research_speed: full speed of a campaign by place.
        tenants: kernel tenant of each named run, by name; empty where tenants are not told apart.
        matched: provider that delivers in place of an offer's own, by offer (right of first refusal).
        market_paths: monthly price over its start of the markets that contracts refer to, by name.
        reserve: chips that named runs claim at each place, by run name and place index.
        gauges: what conditions of a strategy watch, by name of the measure.
        defaulted: ms at which a provider defaulted, by name.
        terminated: offers that were left for convenience.
        under_notice: offers whose end a rule or Python has given notice of.
        renewing: offers whose renewals a rule or Python has decided.
        exercised: ms at which an option was exercised, by ``offer.option``.
        forbidden: places where a workload may not run today, by its kind and name.
        copies: sites that hold or await data, each with the ms since which, by the name of the data, or by
            workload where it has none.
        data_at: the same of research and services, by workload.
        without_data: places at which research or a service cannot run for want of its data.
        data_copies: what was copied to other sites.
        reclaimed: (begin, end) in which the whole spot capacity of an offer was away, by offer.
        reclaimed_out: by place of spot capacity, chip-ms that were away, and the place's `out` account at the
            start of the present absence (-1 without one).
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
    research_classes: tuple[tuple[int, frozenset[int]], ...] = ()
    research_speed: dict[int, float] = field(default_factory=dict)
    tenants: dict[str, int] = field(default_factory=dict)
    matched: dict[str, str] = field(default_factory=dict)
    reserve: dict[tuple[str, int], int] = field(default_factory=dict)
    prices: dict[str, float] = field(default_factory=dict)
    gauges: dict[str, Callable[[], float]] = field(default_factory=dict)
    defaulted: dict[str, int] = field(default_factory=dict)
    terminated: set[str] = field(default_factory=set)
    under_notice: set[str] = field(default_factory=set)
    renewing: set[str] = field(default_factory=set)
    exercised: dict[str, int] = field(default_factory=dict)
    forbidden: dict[Work, frozenset[int]] = field(default_factory=dict)
    copies: dict[str | Work, dict[Site, int]] = field(default_factory=dict)
    data_at: dict[Work, dict[Site, int]] = field(default_factory=dict)
    without_data: dict[Work, set[int]] = field(default_factory=dict)
    data_copies: list[Copy] = field(default_factory=list)
    reclaimed: dict[str, list[tuple[int, int]]] = field(default_factory=dict)
    reclaimed_out: dict[int, tuple[int, int]] = field(default_factory=dict)
    market_paths: dict[str, NDArray[np.float64]] = field(default_factory=dict)
    events: list[tuple[int, str, str, str]] = field(default_factory=list)

    @property
    def now(self) -> int:
        """The instant of the control clock, ms."""
        return int(self.env.now)

    def close(self) -> None:
        """The run is over: let go of the cluster, which clock and processes, a cycle, would keep for long."""
        del self.cluster

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
        if place in self.research_speed:
            for cls, barred in self.research_classes:
                if place not in barred:
                    self.cluster.set_speed(cls, place, self.research_speed[place] * share)

    def provider(self, offer: str) -> str:
        """Who delivers under an offer: its provider, or the holder of a right that matched it."""
        return self.matched.get(offer, self.prepared.study.offers[offer].provider)

    def claim(self, run: str, place: int, chips: int) -> None:
        """A named run claims chips at a place."""
        self.reserve[run, place] = chips

    def release(self, run: str, place: int) -> None:
        """The run's claim is over."""
        self.reserve.pop((run, place), None)
