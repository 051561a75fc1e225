"""What the chips did: the ladder from paid to productive, useful work, lost work, named runs, campaigns."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from capsim.compile.calendar import MS_DAY, MS_HOUR
from capsim.control.spot import reclaimed_ms
from capsim.control.training import RunState
from capsim.engine.billing import let_ms, lot_span, overlap
from capsim.engine.build import Run
from capsim.engine.campaigns import Campaigns, campaigns
from capsim.engine.recorder import Recorder
from capsim.kernel.accounts import WORK
from capsim.tables import DONE

FLOP_PER_PFLOP_DAY = 1e15 * 86_400.0


@dataclass(frozen=True)
class Ladder:
    """Where paid chip-time went, chip-ms by place; `paid` equals the sum of the others, exactly.

    Shapes are (places,), int64.
    """

    paid: NDArray[np.int64]
    late: NDArray[np.int64]
    dark: NDArray[np.int64]
    broken: NDArray[np.int64]
    fragmented: NDArray[np.int64]
    idle: NDArray[np.int64]
    redone: NDArray[np.int64]
    productive: NDArray[np.int64]

    def totals(self) -> dict[str, int]:
        """Sums over places."""
        return {name: int(getattr(self, name).sum()) for name in self.__dataclass_fields__}


def ladder(run: Run, recorder: Recorder) -> Ladder:
    """Account for every paid chip-millisecond.

    Late: paid before delivery. Dark: on site without power, or the site was down. Broken: in repair, drained
    or leaving. Fragmented: free but of no use to any queued job (a share of the free chips by place, sampled
    quarterly right after a pass), or held as spares of a gang's segments. Idle: free otherwise. Redone:
    restarts, checkpoints, work done again, and attempts that failed and were followed by another. Productive:
    the rest.
    """
    ctx = run.ctx
    places = ctx.places()
    late, on_site = (np.zeros(len(places), dtype=np.int64) for _ in range(2))
    index = ctx.prepared.lot_place()
    for lot in ctx.prepared.portfolio.lots:
        state = ctx.lots[lot.key]
        begin, end = lot_span(lot, state, ctx.end)
        p = index[lot.key]
        on_site[p] += lot.chips * (end - begin) - let_ms(state, begin, end)
        pay = ctx.prepared.study.offers[lot.offer].take_or_pay
        if end > begin and pay is not None and pay.starts == "on_date":
            late[p] += lot.chips * max(begin - max(state.planned, 0), 0)
    for site, chip_ms in reclaimed_ms(ctx).items():
        on_site[site] -= chip_ms
    last = {name: column[-1] for name, column in recorder.sites.items()}
    free = np.diff(recorder.sites["free"], axis=0)
    share = (recorder.fragmented[:-1] + recorder.fragmented[1:]) / 2
    stuck = (free * share).astype(np.int64).sum(axis=0)
    work = recorder.work[-1].sum(axis=1)
    redone = work[:, [WORK.index(name) for name in ("redone", "overhead", "retried")]].sum(axis=1)
    broken = last["broken"] + last["barred"]
    dark = on_site - last["active"] + last["out"]
    fragmented = stuck + last["spare"]
    idle = last["free"] - stuck
    productive = last["active"] - last["out"] - broken - last["free"] - last["spare"] - redone
    return Ladder(on_site + late, late, dark, broken, fragmented, idle, redone, productive)


@dataclass(frozen=True)
class ResearchWork:
    """Research offered and done, in reference chip-hours by month.

    Attributes:
        offered: campaigns by month of submission and the share below one node, shape (months,).
        done: the same that was done, a campaign's work in the month of its end (what is unfinished at the
            horizon's end counts there); work of all fates counts, since the chips were needed for it.
        useful_share: share of the done work that did not belong to failed campaigns.
        campaigns: the campaigns above one node; None without any.
    """

    offered: NDArray[np.float64]
    done: NDArray[np.float64]
    useful_share: float
    campaigns: Campaigns | None


def research_work(run: Run, recorder: Recorder) -> ResearchWork:
    """Count research work month by month."""
    edges = np.array(recorder.edges, dtype=np.int64)
    wanted, held = _below_node(run, edges)
    found = campaigns(run, tuple(recorder.edges))
    if found is None:
        return ResearchWork(wanted, held, 1.0, None)
    return ResearchWork(found.offered.by_month + wanted, found.done + held, found.useful, found)


def _below_node(run: Run, edges: NDArray[np.int64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Research below one node, wanted and held like a service, reference chip-hours by month."""
    scaler = run.autoscaler
    months = len(edges) - 1
    at = np.arange(scaler.steps, dtype=np.int64) * scaler.period
    month = np.clip(np.searchsorted(edges, at, side="right") - 1, 0, months - 1)
    span = np.minimum(scaler.period, run.ctx.end - at) / MS_HOUR
    need = scaler.need[:, -1] * span
    rate = run.tokens[-1] * scaler.efficiency
    held = np.minimum((np.diff(scaler.held[:, -1], axis=0) * rate).sum(axis=1) / MS_HOUR, need)
    wanted = np.bincount(month, weights=need, minlength=months).astype(np.float64)
    return wanted, np.bincount(month, weights=held, minlength=months).astype(np.float64)


@dataclass(frozen=True)
class NamedRun:
    """What became of a named run.

    Attributes:
        slip_days: finish minus target; to the horizon's end for a run that did not finish.
        ettr: productive time over time running or queued, by chip-time over its jobs.
    """

    state: RunState
    slip_days: float
    ettr: float
    place: int
    chips: int
    blocks: int
    interruptions: int
    queued_h: float
    redone: int
    chip_ms: int


def named_runs(run: Run) -> list[NamedRun]:
    """The named runs in the study's order."""
    cluster, end = run.ctx.cluster, run.ctx.end
    found = []
    for state in run.training.runs.values():
        jobs, runs = cluster.jobs[state.jobs], cluster.runs[state.jobs]
        finish = state.finish if state.finish >= 0 else end
        began = runs["start"] >= 0
        stop = np.where(runs["end"] > 0, np.minimum(runs["end"], end), end)
        elapsed = np.where(began, stop - jobs["submit"], end - jobs["submit"]).astype(np.float64)
        productive = _productive_ms(jobs, runs)
        weight = np.maximum(runs["chips"], jobs["size_min"]).astype(np.float64)
        total = float((weight * elapsed).sum())
        found.append(
            NamedRun(
                state=state,
                slip_days=(finish - state.target) / MS_DAY,
                ettr=float((weight * productive).sum()) / total if total > 0 else 0.0,
                place=int(runs["pool"][-1]) if len(state.jobs) else -1,
                chips=int(runs["chips"].max()) if len(state.jobs) else 0,
                blocks=int(runs["blocks"].max()) if len(state.jobs) else 0,
                interruptions=int((runs["restarts"] + runs["requeues"]).sum()),
                queued_h=float(runs["waited"].sum()) / MS_HOUR,
                redone=int(runs["lost"].sum()),
                chip_ms=int(runs["chip_time"].sum()),
            )
        )
    return found


def _productive_ms(jobs: NDArray[np.void], runs: NDArray[np.void]) -> NDArray[np.float64]:
    """Time each job would have taken without failures, checkpoints and queues, for the work it has done."""
    done = (jobs["run"] - runs["work_left"]).astype(np.float64)
    done = np.where(runs["state"] == DONE, jobs["run"].astype(np.float64), done)
    time: NDArray[np.float64] = np.divide(done, runs["rate"], out=np.zeros_like(done), where=runs["rate"] > 0)
    return time


def training_pflop_days(run: Run) -> NDArray[np.float64]:
    """Useful model FLOP of named runs in PFLOP-days, spread evenly over each job's life, shape (months,)."""
    edges = np.array(run.ctx.prepared.calendar.months(), dtype=np.int64)
    by_month = np.zeros(len(edges) - 1)
    jobs, runs = run.ctx.cluster.jobs, run.ctx.cluster.runs
    for state in run.training.runs.values():
        for job, flops in zip(state.jobs, state.flops, strict=True):
            if runs["start"][job] < 0:
                continue
            begin, end = int(runs["start"][job]), run.ctx.end
            share = 1.0 - float(runs["work_left"][job]) / max(float(jobs["run"][job]), 1.0)
            if runs["state"][job] == DONE:
                share, end = 1.0, int(runs["end"][job])
            spread = overlap(edges, begin, max(end, begin + 1)).astype(np.float64)
            by_month += flops * share / FLOP_PER_PFLOP_DAY * spread / spread.sum()
    return by_month
