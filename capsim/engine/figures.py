"""What a run is summarised from: its accounts, its tokens, its research, its named runs."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from capsim.compile.calendar import MS_DAY
from capsim.engine.billing import Ledger, book, vest_equity
from capsim.engine.build import Run
from capsim.engine.egress import book_copies, egress
from capsim.engine.metered import by_month
from capsim.engine.recorder import Recorder
from capsim.engine.tokens import MTOK, TokenAccounts, count_tokens, discount_hours
from capsim.engine.work import (
    Ladder,
    NamedRun,
    ResearchWork,
    ladder,
    named_runs,
    research_work,
    training_pflop_days,
)


@dataclass(frozen=True)
class Figures:
    """Everything computed from a run before it is laid out as metrics and tables.

    Attributes:
        used: share of the delivered chips in use, by place name and month.
        lost_tokens: discounted USD by service.
        lost_research: discounted USD.
        slip: discounted USD by named run.
        pflop_days: useful work of named runs by month.
        equity: what vests of equity and warrants, after haircut; a ledger of its own.
    """

    ledger: Ledger
    ladder: Ladder
    tokens: TokenAccounts
    research: ResearchWork
    runs: list[NamedRun]
    used: dict[str, NDArray[np.float64]]
    lost_tokens: NDArray[np.float64]
    lost_research: float
    slip: NDArray[np.float64]
    pflop_days: NDArray[np.float64]
    equity: Ledger


def compute_figures(run: Run, recorder: Recorder) -> Figures:
    """Accounts, tokens, research and named runs of a finished run."""
    ctx = run.ctx
    allocated = np.diff(recorder.kinds.sum(axis=2), axis=0).astype(np.float64)
    active = recorder.monthly("active")
    share = np.divide(allocated, active, out=np.zeros_like(allocated), where=active > 0)
    used = {place.name: share[:, p] for p, place in enumerate(ctx.places())}
    ledger = book(ctx, used)
    tokens = count_tokens(run)
    for offer, rent in tokens.rent.items():
        ledger.add(offer, "on_demand", by_month(rent, ledger.edges))
    for offer, cost in egress(run, tokens).items():
        ledger.add(offer, "egress", by_month(cost, ledger.edges))
    book_copies(ctx, ledger)
    research = research_work(run, recorder)
    runs = named_runs(run)
    weights = discount_hours(ctx, tokens.requested.shape[1])
    value = np.array([float(s.value_lost) for s in ctx.prepared.study.demand.inference])
    lost = (tokens.unserved * weights).sum(axis=1) / MTOK * value if len(value) else np.zeros(0)
    spec = ctx.prepared.study.demand.research
    lost_research = 0.0
    if spec is not None:
        lost_research = float((research.offered - research.done) @ ledger.factors) * float(spec.value_lost)
    slip = np.array([_slip_cost(run, r) for r in runs])
    return Figures(
        ledger,
        ladder(run, recorder),
        tokens,
        research,
        runs,
        used,
        lost,
        lost_research,
        slip,
        training_pflop_days(run),
        vest_equity(ctx),
    )


def _slip_cost(run: Run, named: NamedRun) -> float:
    """Discounted USD of the days between a run's target and its finish (or the horizon's end)."""
    ctx = run.ctx
    begin = min(max(named.state.target, 0), ctx.end)
    end = named.state.finish if named.state.finish >= 0 else ctx.end
    days = np.arange(begin, max(end, begin), MS_DAY, dtype=np.float64)
    if len(days) == 0:
        return 0.0
    length = np.minimum(end - days, MS_DAY) / MS_DAY
    factor = (1.0 + ctx.prepared.calendar.discount_rate) ** (-(days / MS_DAY) / 365.25)
    return float((length * factor).sum()) * float(named.state.spec.slip_cost)
