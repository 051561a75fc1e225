"""The long tables of a run: series, cash, named runs, services, who ran where, contracts, events."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from typing import Any

import numpy as np
from numpy.typing import NDArray

from capsim.compile.calendar import MS_HOUR
from capsim.compile.prepare import INFERENCE, RESEARCH, RL, TRAINING
from capsim.control.training import RunState
from capsim.engine.billing import contract_values, lot_span, overlap, owed_after
from capsim.engine.billing.spans import away_ms, contracted_span
from capsim.engine.build import Run
from capsim.engine.campaigns import SIZE_CLASSES, Campaigns, percentiles
from capsim.engine.figures import Figures
from capsim.engine.recorder import Recorder
from capsim.engine.tenant_rows import quota_rows, reservation_rows, tenant_rows
from capsim.engine.tokens import MTOK
from capsim.engine.year_ends import chip_time_rows, exposure_rows, owed_rows, year_ends
from capsim.results.schema import AT_THE_END, TABLES
from capsim.tables import DONE

Table = dict[str, list[Any]]
RL_TRAINER, RL_ROLLOUT = "RL trainer", "RL rollout"


def tables(run: Run, recorder: Recorder, figures: Figures) -> dict[str, Table]:
    """All tables of a run by name; columns as `capsim.results.schema.TABLES` says."""
    ends = year_ends(run, recorder, figures)
    rows: dict[str, Iterable[tuple[Any, ...]]] = {
        "series": _series(run, recorder),
        "cash": _cash(run, figures),
        "equity": _equity(run, figures),
        "training": _training(run, figures),
        "gangs": _gangs(run, figures),
        "evaluation": _evaluation(run),
        "services": _services(run, figures),
        "assignment": _assignment(run, recorder, figures),
        "research": _research(figures.research.campaigns),
        "tenants": tenant_rows(run, figures.research.campaigns),
        "quotas": quota_rows(run),
        "reservations": reservation_rows(run),
        "contracts": _contracts(run, recorder, figures),
        "owed": owed_rows(ends),
        "exposure": exposure_rows(ends),
        "chip_time": chip_time_rows(run, figures),
        "events": run.ctx.events,
    }
    return {name: _columns(name, found) for name, found in rows.items()}


def _columns(name: str, rows: Iterable[tuple[Any, ...]]) -> Table:
    found = list(rows)
    columns = zip(*found, strict=True) if found else ((),) * len(TABLES[name])
    return {column: list(values) for column, values in zip(TABLES[name], columns, strict=True)}


def _series(run: Run, recorder: Recorder) -> Iterable[tuple[Any, ...]]:
    """Mean chips by month, offer, system and measure; months without the place are left out."""
    ctx = run.ctx
    edges = np.array(recorder.edges, dtype=np.int64)
    span = np.diff(edges)
    labels = ctx.prepared.calendar.month_labels()
    kinds = np.diff(recorder.kinds, axis=0) / span[:, None, None]
    sites = {name: recorder.monthly(name) / span[:, None] for name in recorder.COLUMNS}
    share = _ported_share(run, edges)
    for p, place in enumerate(ctx.places()):
        contracted, delivered = np.zeros(len(span)), np.zeros(len(span))
        for i in place.lots:
            lot = ctx.prepared.portfolio.lots[i]
            state = ctx.lots[lot.key]
            if state.status == "unused":
                continue
            for chips, (begin, end) in (
                (contracted, contracted_span(lot, state, ctx.end)),
                (delivered, lot_span(lot, state, ctx.end)),
            ):
                chips += lot.chips * overlap(edges, begin, end) / span
                if state.let or lot.offer in ctx.reclaimed:
                    chips -= away_ms(ctx, lot, state, edges, begin, end) / span
        powered = sites["active"][:, p] - sites["out"][:, p]
        healthy = powered - sites["broken"][:, p] - sites["barred"][:, p]
        measures = {
            "contracted": contracted,
            "delivered": delivered,
            "powered": powered,
            "healthy": healthy,
            "training": kinds[:, p, TRAINING] + kinds[:, p, RL],
            "research": kinds[:, p, RESEARCH],
            "inference": kinds[:, p, INFERENCE],
            "spare": sites["spare"][:, p],
            "idle": sites["free"][:, p],
            "delivered_gb200e": delivered * place.gb200e,
        }
        held = np.flatnonzero((contracted > 0) | (delivered > 0))
        named = [labels[month] for month in held]
        for measure, values in measures.items():
            for label, chips in zip(named, values[held].tolist(), strict=True):
                yield label, place.offer, place.system, measure, chips
        unported = healthy * (1.0 - share[:, p])
        for month in np.flatnonzero(unported > 0.5):
            yield labels[month], place.offer, place.system, "unported", float(unported[month])


def _ported_share(run: Run, edges: NDArray[np.int64]) -> NDArray[np.float64]:
    """Mean share of the full rate that a place's stack allows, by month, shape (months, places)."""
    scaler = run.autoscaler
    steps = np.clip(edges // scaler.period, 0, scaler.steps)
    total = np.concatenate([np.zeros((1, len(run.ctx.places()))), np.cumsum(scaler.efficiency, axis=0)])
    first = np.minimum(steps[:-1], scaler.steps - 1)
    last = np.maximum(steps[1:], first + 1)
    mean: NDArray[np.float64] = (total[last] - total[first]) / (last - first)[:, None]
    return mean


def _cash(run: Run, f: Figures) -> Iterable[tuple[Any, ...]]:
    labels = run.ctx.prepared.calendar.month_labels()
    for (offer, line), amounts in sorted(f.ledger.usd.items()):
        for month in np.flatnonzero(amounts):
            yield (
                labels[month],
                offer,
                line,
                float(amounts[month]),
                float(amounts[month] * f.ledger.factors[month]),
            )


def _equity(run: Run, f: Figures) -> Iterable[tuple[Any, ...]]:
    labels = run.ctx.prepared.calendar.month_labels()
    for (offer, _), amounts in sorted(f.equity.usd.items()):
        for month in np.flatnonzero(amounts):
            yield labels[month], offer, float(amounts[month])


def _training(run: Run, f: Figures) -> Iterable[tuple[Any, ...]]:
    places = run.ctx.places()
    for named in f.runs:
        state = named.state
        where = places[named.place] if named.place >= 0 else None
        yield (
            state.spec.name,
            state.earliest,
            state.target,
            state.start,
            state.finish,
            named.slip_days,
            named.ettr,
            where.system if where else "",
            where.offer if where else "",
            named.chips,
            named.blocks,
            named.interruptions,
            named.queued_h,
            named.redone,
        )


def _gangs(run: Run, f: Figures) -> Iterable[tuple[Any, ...]]:
    """One row a gang of a named run: pretraining by site, then the trainers and the rollouts of its RL phase.

    Both gangs of an RL phase are one gang of the kernel, so they share start, finish and progress.
    """
    jobs, runs, places = run.ctx.cluster.jobs, run.ctx.cluster.runs, run.ctx.places()
    for named in f.runs:
        state = named.state
        for job in state.jobs:
            life = runs[job]
            if life["start"] < 0:
                continue
            finish = int(life["end"]) if life["state"] == DONE else -1
            where = places[int(life["pool"])]
            for gang, part in gang_parts(state, job):
                yield (state.spec.name, gang, where.system, where.offer, int(life["start"]), finish,
                       round(float(life["chips"]) * part), float(life["chip_time"]) * part,
                       _done_share(jobs[job], life))  # fmt: skip


def _done_share(job: np.void, life: np.void) -> float:
    """Share of a job's work that is done; a job's last segment is booked when it ends, not in `work_left`."""
    if life["state"] == DONE:
        return 1.0
    return 1.0 - float(life["work_left"]) / max(float(job["run"]), 1.0)


def _evaluation(run: Run) -> Iterable[tuple[Any, ...]]:
    """Bursts by named run: how many, how many started, the share within the target, waits of all, hours."""
    spec, jobs, runs = run.evaluations.spec, run.ctx.cluster.jobs, run.ctx.cluster.runs
    for name, mine in run.evaluations.jobs.items():
        assert spec is not None
        wait = _first_wait(jobs[mine], runs[mine], run.ctx.end)
        p50, p95 = np.percentile(wait, [50, 95]) / MS_HOUR
        yield (
            name,
            len(mine),
            int((runs["start"][mine] >= 0).sum()),
            float((wait <= int(spec.wait_target)).mean()),
            float(p50),
            float(p95),
            int(runs["chip_time"][mine].sum()),
        )


def _first_wait(jobs: NDArray[np.void], runs: NDArray[np.void], end: int) -> NDArray[np.int64]:
    """Ms from submission to the first start; to the horizon's end for what never started."""
    return np.where(runs["start"] >= 0, runs["start"] - jobs["submit"], end - jobs["submit"])


def gang_parts(state: RunState, job: int) -> list[tuple[str, float]]:
    """The gangs that a job of a named run stands for, each with its share of the chips."""
    trainer = state.trainer.get(job)
    if trainer is None:
        return [("pretraining", 1.0)]
    return [(RL_TRAINER, trainer), (RL_ROLLOUT, 1.0 - trainer)]


def _work_share(run: Run, name: str, gang: str) -> float:
    """Share of a phase's model FLOP that a gang does; the same on every system."""
    if gang not in (RL_TRAINER, RL_ROLLOUT):
        return 1.0
    found = [rate for (of, _), rate in run.ctx.prepared.rates.rl.items() if of == name]
    trainer = found[0].trainer_flops / found[0].flops if found else 0.5
    return trainer if gang == RL_TRAINER else 1.0 - trainer


def _services(run: Run, f: Figures) -> Iterable[tuple[Any, ...]]:
    """One row a service; `usd` is its share of the cash by the chip-time it held."""
    held = run.autoscaler.held[-1].astype(np.float64) * run.chips
    total = float(run.autoscaler.held[-1].sum() and (held[:-1]).sum())
    cash = f.ledger.npv()
    for s, service in enumerate(run.ctx.prepared.study.demand.inference):
        requested = float(f.tokens.requested[s].sum())
        within = float((f.tokens.within[s] + f.tokens.rented[s]).sum())
        served = within + float(f.tokens.beyond[s].sum())
        share = float(held[s].sum()) / total if total > 0 else 0.0
        yield service.name, requested, served, within, float(f.lost_tokens[s]), cash * share


def _assignment(run: Run, recorder: Recorder, f: Figures) -> Iterable[tuple[Any, ...]]:
    """Who ran where: chip-time and work by workload and system, as a share of the work wanted."""
    ctx = run.ctx
    found: dict[tuple[str, str, str, str], list[float]] = {}

    def add(workload: str, kind: str, system: str, unit: str, chip_ms: float, work: float) -> None:
        cell = found.setdefault((workload, kind, system, unit), [0.0, 0.0])
        cell[0] += chip_ms
        cell[1] += work

    wanted = _wanted(run, f)
    for named in f.runs:
        for job, flops in zip(named.state.jobs, named.state.flops, strict=True):
            row, life = ctx.cluster.jobs[job], ctx.cluster.runs[job]
            if life["start"] >= 0:
                done = flops * _done_share(row, life)
                system = ctx.places()[int(life["pool"])].system
                for gang, part in gang_parts(named.state, job):
                    work = done * _work_share(run, named.state.spec.name, gang)
                    add(gang, "training", system, "FLOP", float(life["chip_time"]) * part, work)
    held = run.autoscaler.held[-1].astype(np.float64)
    research = recorder.work[-1, :, RESEARCH, 0] + recorder.work[-1, :, RESEARCH, 3]
    for p, place in enumerate(ctx.places()):
        speed = ctx.research_speed.get(p, 0.0)
        add("research", "research", place.system, "GB200e-h", float(recorder.kinds[-1, p, RESEARCH]),
            float(research[p]) * speed / MS_HOUR)  # fmt: skip
    add("research", "research", "rented", "GB200e-h", 0.0, _rented_research(run, f))
    for s, service in enumerate(ctx.prepared.study.demand.inference):
        power = held[s] * run.tokens[s]
        served = float(f.tokens.within[s].sum() + f.tokens.beyond[s].sum()) / MTOK
        for p, place in enumerate(ctx.places()):
            if power[p] > 0:
                share = float(power[p] / power.sum())
                add(
                    service.name,
                    "inference",
                    place.system,
                    "Mtok",
                    float(held[s, p] * run.chips[s, p]),
                    served * share,
                )
        rented = float(f.tokens.rented[s].sum()) / MTOK
        if rented > 0:
            add(service.name, "inference", "rented", "Mtok", 0.0, rented)
    for (workload, kind, system, unit), (chip_ms, work) in found.items():
        if chip_ms > 0 or work > 0:
            yield (
                workload,
                kind,
                system,
                chip_ms,
                work,
                work / wanted[workload] if wanted[workload] > 0 else 0.0,
                unit,
            )


def _rented_research(run: Run, f: Figures) -> float:
    """Reference chip-hours of the work that campaigns did on chips rented by the hour."""
    rented, found = run.research.rented, f.research.campaigns
    if rented is None or found is None:
        return 0.0
    out = rented[0] >= 0
    return float((found.offered.work[out] * found.part[out]).sum())


def _wanted(run: Run, f: Figures) -> dict[str, float]:
    """Work asked for by workload: FLOP, GB200e-hours of research, Mtok of each service."""
    demand = run.ctx.prepared.study.demand
    wanted = {"pretraining": float(sum(float(spec.flops) for spec in demand.training_runs))}
    for gang in (RL_TRAINER, RL_ROLLOUT):
        wanted[gang] = sum(
            run.ctx.prepared.rates.rl_work.get(spec.name, 0.0) * _work_share(run, spec.name, gang)
            for spec in demand.training_runs
        )
    bursts = run.ctx.cluster.jobs[[job for mine in run.evaluations.jobs.values() for job in mine]]
    evaluated = float((bursts["size_ref"].astype(np.float64) * bursts["run"]).sum()) / MS_HOUR
    wanted["research"] = float(f.research.offered.sum()) + evaluated
    for s, service in enumerate(demand.inference):
        wanted[service.name] = float(f.tokens.requested[s].sum()) / MTOK
    return wanted


def _research(found: Campaigns | None) -> Iterable[tuple[Any, ...]]:
    """Waits of campaigns by size class, hours."""
    if found is None:
        return
    for (low, high), own in zip(SIZE_CLASSES, found.offered.sizes, strict=True):
        if len(own):
            wait = found.wait[own]
            yield (
                f"{low}-{high}" if high < 1 << 30 else f">{low - 1}",
                len(own),
                int(found.started[own].sum()),
                int(found.finished[own].sum()),
                float(wait.mean()) / MS_HOUR,
                *(value / MS_HOUR for value in percentiles(wait, (50, 95, 99))),
                float(found.slowdown[own].mean()),
            )


def _contracts(run: Run, recorder: Recorder, f: Figures) -> Iterable[tuple[Any, ...]]:
    """One row a held offer: value, payments, credits, idleness, exit at the end of 2028, lateness."""
    ctx = run.ctx
    calendar = ctx.prepared.calendar
    year_end = min(max(calendar.ms(date(2029, 1, 1)), 0), ctx.end)
    owed, values = owed_after(ctx, year_end, f.ledger), contract_values(ctx)
    free, active = recorder.sites["free"][-1], recorder.sites["active"][-1]
    for offer in ctx.prepared.portfolio.offers:
        lots = [lot for lot in ctx.prepared.portfolio.lots if lot.offer == offer]
        lots = [lot for lot in lots if ctx.lots[lot.key].status != "unused"]
        states = [ctx.lots[lot.key] for lot in lots]
        value, bound = values.get(offer, (0.0, 0.0))
        own = np.array([place.offer == offer for place in ctx.places()])
        idle = (
            float(free[own].sum()) / float(active[own].sum()) if own.any() and active[own].sum() > 0 else 0.0
        )
        delays = [state.delay for state in states if state.status != "not converted"]
        paid = f.ledger.nominal(offer) - sum(
            f.ledger.nominal(offer, line) for line in (*AT_THE_END, "credit")
        )
        yield (
            offer,
            sum(lot.chips for lot in lots),
            value,
            bound,
            paid,
            -f.ledger.nominal(offer, "credit"),
            idle,
            owed.get(offer, 0.0),
            float(np.mean(delays)) / (24 * MS_HOUR) if delays else 0.0,
        )
