"""Small studies for tests: one offer at a time, without a cluster."""

from __future__ import annotations

import textwrap
from pathlib import Path
from typing import Any

import numpy as np
import simpy

from capsim.compile.calendar import Calendar
from capsim.compile.portfolio import build_portfolio, placement_unit
from capsim.compile.prepare import Prepared, _places, lot_domains, porting_dates
from capsim.compile.rates import Rates
from capsim.control.context import Context, LotState, ShellState
from capsim.control.contracts import start_contracts
from capsim.control.decisions import start_decisions
from capsim.control.deliveries import Deliveries
from capsim.control.markets import start_markets
from capsim.control.world import DemandWorld, Draws
from capsim.engine.billing import Ledger, book
from capsim.spec.loader import load_study
from capsim.spec.study import Study

FRAME = """
capsim: 1
name: one-offer
horizon: {start: 2026-01-01, end: 2028-01-01}
money: {discount_rate: 0%/y}
as_of: 2025-12-31
include: ["builtin:catalog"]
demand: {scale: 1}
scheduler: {autoscale: 6 h, locality_penalty: 0%}
compare: {against: s}
"""


def write_study(folder: Path, text: str) -> Path:
    """A study of the frame above and `text`."""
    path = folder / "study.yaml"
    path.write_text(FRAME + textwrap.dedent(text))
    return path


def small_study(folder: Path, text: str) -> Study:
    """The loaded study."""
    return load_study(write_study(folder, text)).study


def contract_only(study: Study, strategy: str = "s") -> Prepared:
    """A strategy prepared without workload rates: contracts and dates only."""
    calendar = Calendar(study.horizon.start, study.horizon.end, float(study.money.discount_rate))
    portfolio = build_portfolio(study, study.strategies[strategy], calendar)
    rates = Rates({}, {}, {}, {}, 1.0, {}, {}, {})
    places = _places(study, portfolio, rates)
    ports = porting_dates(study, portfolio, calendar)
    return Prepared("token", "base", strategy, study, calendar, portfolio, rates, places, ports, ())


def contract_context(prepared: Prepared, cluster: Any = None, run: int = 0) -> Context:
    """A context whose lots were all delivered as planned; change `lots` for anything else."""
    demand = DemandWorld(None, None, {})  # type: ignore[arg-type]
    end = prepared.calendar.end_ms
    lots = {
        lot.key: LotState("delivered", 0, lot.planned, max(lot.planned, 0), [], -1)
        if lot.planned < end
        else LotState(planned=lot.planned)
        for lot in prepared.portfolio.lots
    }
    shells = {s.key: ShellState("delivered", 0, max(s.planned, 0)) for s in prepared.portfolio.shells}
    draws = Draws(prepared.study, prepared.calendar, run)
    tranche = {lot.key: i for i, lot in enumerate(prepared.portfolio.lots)}
    return Context(simpy.Environment(), cluster, prepared, draws, demand, end, tranche, lots, shells)


class Silent:
    """A cluster without work that takes what it is told; chips are whole tranches."""

    def __init__(self, prepared: Prepared) -> None:
        self.prepared = prepared
        self.left: dict[int, int] = {}
        self.calls: list[tuple[str, int]] = []

    def activate(self, tranche: int, units: int | None = None) -> int:
        """Chips come."""
        lot = self.prepared.portfolio.lots[tranche]
        n = lot_domains(self.prepared.study, lot) if units is None else units
        self.left[tranche] = self.left.get(tranche, 0) + n
        return n

    def retire(self, tranche: int, units: int | None = None, *, kill: bool = False) -> int:
        """Chips go."""
        there = self.left.get(tranche, 0)
        n = there if units is None else min(units, there)
        self.left[tranche] = there - n
        return n

    def chips(self) -> Any:
        """Chips now, by place."""
        rows = np.zeros(len(self.prepared.places), dtype=[("active", np.int64)])
        for p, place in enumerate(self.prepared.places):
            for i in place.lots:
                unit = placement_unit(self.prepared.study.systems[place.system])
                rows["active"][p] += self.left.get(i, 0) * unit
        return rows

    def chip_time(self) -> Any:
        """No accounts."""
        return np.zeros(len(self.prepared.places), dtype=[("out", np.int64)])

    def __getattr__(self, name: str) -> Any:
        """What happens to sites is noted, as (operation, place)."""
        if name not in ("drain", "undrain", "site_down", "site_up"):
            raise AttributeError(name)
        return lambda site, **_: self.calls.append((name, site))


def lived(
    prepared: Prepared, run: int = 0, tokens: Any = None, draws: Draws | None = None, **gauges: float
) -> Context:
    """The context after all contracts of a strategy have run their course; gauges keep their values.

    Args:
        tokens: demand by service and hour, none where absent.
        draws: of the world, in place of those of `run`.
    """
    ctx = contract_context(prepared, cluster=Silent(prepared), run=run)
    if draws is not None:
        ctx.draws = draws
    if tokens is not None:
        ctx.demand = DemandWorld(None, tokens, {})
    ctx.lots.update({lot.key: LotState(planned=lot.planned) for lot in prepared.portfolio.lots})
    ctx.shells.update({shell.key: ShellState() for shell in prepared.portfolio.shells})
    ctx.gauges = {name: (lambda value=value: value) for name, value in gauges.items()}
    deliveries = Deliveries(ctx)
    start_markets(ctx)
    start_contracts(ctx, deliveries)
    start_decisions(ctx, deliveries)
    ctx.env.run(until=ctx.end - 1)
    return ctx


def booked(ctx: Context, used: float = 1.0) -> Ledger:
    """What a run's contracts cost when this share of their chips is in use."""
    months = len(ctx.prepared.calendar.months()) - 1
    return book(ctx, {place.name: np.full(months, used) for place in ctx.places()})
