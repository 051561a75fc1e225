"""The figures of a run (docs/metrics.md) from its records."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from capsim.compile.calendar import MS_DAY, MS_HOUR
from capsim.compile.prepare import INFERENCE
from capsim.engine.billing import contract_values, owed_after
from capsim.engine.build import Run
from capsim.engine.campaigns import Campaigns, percentiles
from capsim.engine.figures import Figures, compute_figures
from capsim.engine.recorder import Recorder
from capsim.engine.tables import tables
from capsim.engine.tokens import MTOK, discount_hours
from capsim.results.schema import AT_THE_END, CASH_LINES, RunResult

MILLION_CHIPS = 1e6
#: lines of cash that are no payment under a commitment
UNCOMMITTED = ("on_demand", "spot", *AT_THE_END, "credit", "recovery", "resale")


def summarise(run: Run, recorder: Recorder, number: int, events: int) -> RunResult:
    """Compute all figures of a run."""
    figures = compute_figures(run, recorder)
    metrics = _money(run, figures) | _work(run, recorder, figures) | _capacity(run, recorder, figures)
    counters = run.ctx.cluster.counters()
    metrics |= {
        "jobs": float(counters["submitted"]),
        "jobs_started": float(counters["starts"]),
        "failures": float(counters["failures"]),
        "repairs": float(counters["repairs"]),
        "preemptions": float(counters["preemptions"]),
        "simpy_events": float(events),
    }
    prepared = run.ctx.prepared
    cash = {line: figures.ledger.npv(line=line) for line in CASH_LINES}
    return RunResult(
        strategy=prepared.strategy,
        case=prepared.case,
        run=number,
        metrics=metrics,
        ladder=figures.ladder.totals(),
        cash_npv=cash,
        tables=tables(run, recorder, figures),
    )


def _money(run: Run, f: Figures) -> dict[str, float]:
    ctx = run.ctx
    cash = f.ledger.npv()
    lost_tokens, slip = float(f.lost_tokens.sum()), float(f.slip.sum())
    offers, values = ctx.prepared.study.offers, contract_values(ctx)
    headline = sum(float(offers[o].headline or value) for o, (value, _) in values.items())
    binding = sum(
        signed * float(1.0 if (b := offers[o].binding) is None else b) for o, (_, signed) in values.items()
    )
    return {
        "total_npv": cash + lost_tokens + f.lost_research + slip,
        "cash_npv": cash,
        "cash_nominal": f.ledger.nominal(),
        "lost_tokens_npv": lost_tokens,
        "lost_research_npv": f.lost_research,
        "slip_npv": slip,
        "equity": f.equity.nominal(),
        "headline": headline,
        "binding": binding,
        "delivered": f.ledger.nominal() - sum(f.ledger.nominal(line=line) for line in AT_THE_END),
        "stranded": sum(owed_after(ctx, ctx.end, f.ledger).values()),
    } | _concentration(run, f)


def _concentration(run: Run, f: Figures) -> dict[str, float]:
    """Herfindahl-Hirschman index of committed payments by provider and by software stack."""
    ctx = run.ctx
    provider: dict[str, float] = {}
    family: dict[str, float] = {}
    stacks = {place.offer: place.family for place in ctx.places()}
    for (offer, line), amounts in f.ledger.usd.items():
        if offer in ctx.prepared.study.offers and line not in UNCOMMITTED:
            npv = max(float(amounts @ f.ledger.factors), 0.0)
            who = ctx.provider(offer)
            provider[who] = provider.get(who, 0.0) + npv
            if offer in stacks:
                family[stacks[offer]] = family.get(stacks[offer], 0.0) + npv
    return {"hhi_provider": _hhi(provider), "hhi_family": _hhi(family)}


def _hhi(parts: dict[str, float]) -> float:
    total = sum(parts.values())
    return 1e4 * sum((v / total) ** 2 for v in parts.values()) if total > 0 else 0.0


def _work(run: Run, recorder: Recorder, f: Figures) -> dict[str, float]:
    ctx = run.ctx
    study = ctx.prepared.study
    factors = f.ledger.factors
    done = f.research.done * f.research.useful_share
    reference_pflop_days = ctx.prepared.rates.reference * 3600.0 / (1e15 * 86_400.0)
    pflop_days = float((f.pflop_days + done * reference_pflop_days) @ factors)
    inference_share = _inference_share(recorder)
    cash = f.ledger.npv()
    requested, unserved = float(f.tokens.requested.sum()), float(f.tokens.unserved.sum())
    within = f.tokens.within + f.tokens.rented
    weights = discount_hours(ctx, f.tokens.requested.shape[1])
    mtok = float((within * weights).sum()) / MTOK
    target = np.array([r.state.finish >= 0 and r.state.finish <= r.state.target for r in f.runs])
    weight = np.array([float(r.chip_ms) for r in f.runs])
    ettr = (
        float((np.array([r.ettr for r in f.runs]) * weight).sum() / weight.sum()) if weight.sum() > 0 else 0.0
    )
    offered = float(f.research.offered.sum())
    return {
        "useful_pflop_days_npv": pflop_days,
        "useful_gb200e_hours_npv": pflop_days / reference_pflop_days if reference_pflop_days else 0.0,
        "usd_per_pflop_day": cash * (1.0 - inference_share) / pflop_days if pflop_days > 0 else float("nan"),
        "usd_per_mtok": cash * inference_share / mtok if mtok > 0 else float("nan"),
        "runs_on_time": float(target.sum()),
        "runs_finished": float(sum(r.state.finish >= 0 for r in f.runs)),
        "runs_total": float(len(study.demand.training_runs)),
        "slo_attainment": float(within.sum()) / requested if requested > 0 else 1.0,
        "tokens_unmet": unserved / requested if requested > 0 else 0.0,
        "research_unmet": 1.0 - float(f.research.done.sum()) / offered if offered > 0 else 0.0,
        "ettr": ettr,
        "bought_twice_npv": float((f.tokens.twice * weights).sum()),
        "mfu": _mfu(run, recorder),
    } | _waits(f.research.campaigns)


def _inference_share(recorder: Recorder) -> float:
    """Share of the allocated chip-time that served tokens."""
    kinds = recorder.kinds[-1].sum(axis=0).astype(np.float64)
    return float(kinds[INFERENCE] / kinds.sum()) if kinds.sum() > 0 else 0.0


def _mfu(run: Run, recorder: Recorder) -> float:
    """MFU of productive training and research time: the research rates, weighted by useful time."""
    rates = run.ctx.prepared.rates.research
    useful = recorder.work[-1, :, :INFERENCE, 0].sum(axis=1) + recorder.work[-1, :, :INFERENCE, 3].sum(axis=1)
    total = share = 0.0
    for p, place in enumerate(run.ctx.places()):
        if place.system in rates:
            total += float(useful[p])
            share += float(useful[p]) * rates[place.system].mfu
    return share / total if total > 0 else 0.0


def _waits(found: Campaigns | None) -> dict[str, float]:
    """Queue waits of campaigns, hours, and their bounded slowdown; of none where the study has none."""
    if found is None:
        return {"wait_p50_h": 0.0, "wait_p99_h": 0.0, "slowdown_mean": 1.0}
    p50, p99 = percentiles(found.wait, (50, 99))
    return {
        "wait_p50_h": p50 / MS_HOUR,
        "wait_p99_h": p99 / MS_HOUR,
        "slowdown_mean": float(found.slowdown.mean()),
    }


def _capacity(run: Run, recorder: Recorder, f: Figures) -> dict[str, float]:
    ctx, scaler = run.ctx, run.autoscaler
    work = np.array([place.gb200e for place in ctx.places()])
    kw = np.array([place.kw_facility for place in ctx.places()])
    healthy = (scaler.healthy * work).sum(axis=1)
    active = recorder.monthly("active")
    spans = np.diff(np.array(recorder.edges))[:, None]
    gigawatts = (active / spans) @ kw / 1e6
    per_day = MS_DAY // scaler.period
    daily = healthy[: len(healthy) // per_day * per_day].reshape(-1, per_day).mean(axis=1)
    idle_npv, idle_share = _paid_idle(run, recorder, f)
    return {
        "days_to_1m": first_sustained(daily, MILLION_CHIPS, 30),
        "paid_idle_npv": idle_npv,
        "paid_idle_share": idle_share,
        "valley_chip_hours": float(valley_use(run).sum()),
        "peak_gw": float(gigawatts.max()),
        "mean_gw": float((gigawatts * spans[:, 0]).sum() / spans.sum()),
    }


def valley_use(run: Run) -> NDArray[np.float64]:
    """Chip-hours that jobs used of what services left below their peak of the day, shape (steps, places).

    In a step of the autoscaler services hold less of a place than in the step of the day in which they hold
    most. What jobs hold more than in that step is counted, up to what services hold less.
    """
    scaler = run.autoscaler
    places, per_day = scaler.healthy.shape[1], MS_DAY // scaler.period
    steps = scaler.steps // per_day * per_day
    chips = run.chips[:-1].astype(np.float64)
    held = np.einsum("tsp,sp->tp", np.diff(scaler.held[: steps + 1, :-1], axis=0).astype(np.float64), chips)
    held /= scaler.period
    after = np.minimum(np.arange(steps) + 1, scaler.steps - 1)  # chips are looked at before each decision
    jobs = scaler.healthy[after] - scaler.free[after] - held
    by_day, jobs = held.reshape(-1, per_day, places), jobs.reshape(-1, per_day, places)
    peak = by_day.argmax(axis=1, keepdims=True)
    left = np.take_along_axis(by_day, peak, axis=1) - by_day
    more = jobs - np.take_along_axis(jobs, peak, axis=1)
    used: NDArray[np.float64] = np.clip(more, 0.0, left).reshape(steps, places) * (scaler.period / MS_HOUR)
    return used


def first_sustained(daily: NDArray[np.float64], level: float, days: int) -> float:
    """First day from which the level holds for `days` days running; nan if never."""
    enough = np.concatenate([[0], np.cumsum(daily >= level)])
    runs = np.flatnonzero(enough[days:] - enough[:-days] == days)
    return float(runs[0]) if len(runs) else float("nan")


def _paid_idle(run: Run, recorder: Recorder, f: Figures) -> tuple[float, float]:
    """Discounted rent of committed chips that were free; their share of the paid chip-time."""
    ctx = run.ctx
    held = set(ctx.prepared.portfolio.offers)
    free, active = recorder.monthly("free"), recorder.monthly("active")
    share = np.divide(free, active, out=np.zeros(free.shape), where=active > 0)
    chips = np.array([place.offer in held for place in ctx.places()])
    npv = 0.0
    for offer in sorted(held):
        own = np.array([place.offer == offer for place in ctx.places()])
        rent = f.ledger.usd.get((offer, "commitment"))
        total = active[:, own].sum(axis=1)
        if rent is not None:
            mean = np.divide(
                (share * active)[:, own].sum(axis=1), total, out=np.zeros(len(total)), where=total > 0
            )
            npv += float((rent * mean) @ f.ledger.factors)
    paid = int(f.ladder.paid[chips].sum())
    return npv, float((f.ladder.idle + f.ladder.fragmented)[chips].sum()) / paid if paid else 0.0
