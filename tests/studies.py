"""Small studies for tests: one offer at a time, without a cluster."""

from __future__ import annotations

import textwrap
from pathlib import Path
from typing import Any

import simpy

from capsim.compile.calendar import Calendar
from capsim.compile.portfolio import build_portfolio
from capsim.compile.prepare import Prepared, _places, porting_dates
from capsim.compile.rates import Rates
from capsim.control.context import Context, LotState, ShellState
from capsim.control.world import DemandWorld, Draws
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
