"""Named training runs: each waits for its date, is planned into a site, trains, and goes on to its RL phase.

The trainer and the rollout gang of an RL phase are one gang of the kernel at one site: they get their chips
at the same instant and stop together, and when a failure hits one of them the other waits for the restart.
The chips are split so that both keep up at the site's speeds (`capsim.workload.reinforcement`).

A run that may span sites and fits no single one is split over the largest sites of one system, each part with
a share of the work in proportion to its chips; the phase ends with its last part.
"""

from __future__ import annotations

from collections.abc import Generator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from capsim.compile.calendar import MS_DAY, MS_HOUR
from capsim.compile.checkpoints import checkpoint_times
from capsim.compile.prepare import porting_efficiency
from capsim.control.context import Context
from capsim.control.dispatch import Dispatch
from capsim.control.run_data import RunData
from capsim.control.run_quotas import RunQuota
from capsim.spec.demand import TrainingRun
from capsim.tables import JOB, WAITING

REVIEW = 7 * MS_DAY  # how often a run that fits nowhere looks again
IN_WORKING_ORDER = 0.98  # share of a site's chips that a plan counts on; assumed
MARGIN = 0.01  # chips above its own that a run keeps free of services, to replace broken domains; assumed
LEAST_PART = 20  # a part of a run has at least this share (1/20) of its least chips; assumed
PARTS = 4  # most sites that a run may span


@dataclass
class RunState:
    """The life of a named run.

    Attributes:
        jobs: kernel jobs of the finished and present phases, in order.
        flops: model FLOP that each job stands for, in the order of `jobs`.
        trainer: share of the chips in the trainer gang, by job of the RL phase.
        places: (place, chips) of the present phase.
        share: share of the present phase's work that is left to plan.
        data: where its data is; None where that may be anywhere.
    """

    spec: TrainingRun
    earliest: int
    target: int
    phase: int = 0
    start: int = -1
    finish: int = -1
    jobs: list[int] = field(default_factory=list)
    flops: list[float] = field(default_factory=list)
    trainer: dict[int, float] = field(default_factory=dict)
    places: list[tuple[int, int]] = field(default_factory=list)
    pending: set[int] = field(default_factory=set)
    share: float = 1.0
    data: RunData | None = None


class TrainingRuns:
    """Plans and submits the named runs, phase by phase."""

    def __init__(
        self,
        ctx: Context,
        classes: dict[tuple[str, int, int], int],
        dispatch: Dispatch,
        quotas: Mapping[str, RunQuota],
    ) -> None:
        """``classes``: kernel class by (run, phase 0 = pretraining | 1 = RL, part); ``quotas``: by run."""
        self.ctx = ctx
        self.dispatch = dispatch
        self.quotas = quotas
        self.classes = classes
        calendar = ctx.prepared.calendar
        self.runs: dict[str, RunState] = {}
        self.by_job: dict[int, str] = {}
        for spec in ctx.prepared.study.demand.training_runs:
            shift = ctx.demand.run_shift.get(spec.name, 0)
            self.runs[spec.name] = RunState(
                spec, calendar.ms(spec.earliest) + shift, calendar.ms(spec.target) + shift
            )
            if spec.data is not None:
                self.runs[spec.name].data = RunData(ctx, spec, spec.data)

    def start(self) -> None:
        """Start one control process a run."""
        for state in self.runs.values():
            self.ctx.env.process(self._wait(state, state.earliest, 1.0))

    def finished(self, job: int, now: int) -> None:
        """The kernel says that a watched job terminated; called at that instant."""
        state = self.runs[self.by_job[job]]
        state.pending.discard(job)
        if state.pending:
            return
        self._release(state)
        self._keep_checkpoint(state)
        rl = state.spec.rl
        if state.phase == 0 and rl is not None and float(rl.share) > 0:
            state.phase = 1
            self.ctx.env.process(self._wait(state, now, 1.0))
            return
        state.finish = now
        self.ctx.events.append(
            (now, "training", state.spec.name, f"finished, {(now - state.target) / MS_DAY:+.0f} d")
        )

    def _wait(self, state: RunState, at: int, share: float) -> Generator[Any, Any, None]:
        """Wait until a plan exists, submit, then look after the gang until it is done or must move."""
        yield self.ctx.until(at)
        state.share = share
        while state.finish < 0:
            plan = self.plan(state)
            if plan and state.data is not None and (length := state.data.bring(place for place, _ in plan)):
                yield self.ctx.env.timeout(length)
                if not self._still_fits(state, plan):
                    continue
            if plan:
                self._submit(state, plan)
                break
            yield self.ctx.env.timeout(REVIEW)
        phase = state.phase
        while state.pending and state.phase == phase:
            yield self.ctx.env.timeout(REVIEW)
            if state.phase == phase and self._stranded(state):
                share = self._withdraw(state)
                self.ctx.env.process(self._wait(state, self.ctx.now, share))
                return

    def plan(self, state: RunState) -> list[tuple[int, int]] | None:
        """Places and chips of the present phase; None when it fits nowhere.

        Of the places that fit it takes that where it would finish first, or what the rule of dispatch says;
        before that one where its tenant's quota of the system lets it in now.
        """
        least, most = int(state.spec.chips.min), int(state.spec.chips.max)
        usable = self._usable(state)
        quota = self.quotas.get(state.spec.name)
        room = None if quota is None else quota.room(self.ctx.cluster.quota_use())
        best: list[tuple[int, int]] | None = None
        order: tuple[float, ...] = ()
        for place, (chips, rate) in usable.items():
            if chips < least:
                continue
            part = max(least, int(chips * float(self.ctx.prepared.study.scheduler.training_share)))
            size = min(most, part)
            held = room is not None and size > room[self.ctx.places()[place].system]
            mine = (float(held), *self._order(state, place, size, rate))
            if best is None or mine < order:
                best, order = [(place, size)], mine
        return best if best is not None else self._split(state, usable, least, most)

    def _order(self, state: RunState, place: int, size: int, rate: float) -> tuple[float, ...]:
        """What the run's rule of dispatch makes least, for a gang of `size` chips at a rate each."""
        rule = self.dispatch.rule(("training", state.spec.name))
        if rule == "advantage":
            return (-size * rate,)
        if rule == "committed-first":
            return float(self.dispatch.spot[place]), -size * rate
        marginal = float(self.dispatch.marginal()[place])
        if rule == "cheapest":
            return marginal / rate, -size * rate
        hours = self._work(state) / (size * rate) / 3600.0
        moving, usd = (0, 0.0) if state.data is None else state.data.takes(place)
        finish = self.ctx.now + moving + hours * MS_HOUR
        if rule == "fastest":
            return (finish,)
        late_days = max(finish - state.target, 0.0) / MS_DAY
        return marginal * size * hours + usd + late_days * float(state.spec.slip_cost), finish

    def _work(self, state: RunState) -> float:
        """Model FLOP that are left of the present phase."""
        whole = (
            self.ctx.prepared.rates.rl_work[state.spec.name] if state.phase == 1 else float(state.spec.flops)
        )
        return state.share * whole

    def _still_fits(self, state: RunState, plan: list[tuple[int, int]]) -> bool:
        """Whether the places of a plan still have its chips."""
        usable = self._usable(state)
        return all(place in usable and usable[place][0] >= chips for place, chips in plan)

    def _keep_checkpoint(self, state: RunState) -> None:
        """Where the present phase has run there is a checkpoint to go on from."""
        runs = self.ctx.cluster.runs
        jobs = state.jobs[-len(state.places) :]
        if state.data is not None and any(runs["start"][job] >= 0 for job in jobs):
            state.data.ran_at(place for place, _ in state.places)

    def _split(
        self, state: RunState, usable: dict[int, tuple[int, float]], least: int, most: int
    ) -> list[tuple[int, int]] | None:
        sites = min(int(state.spec.sites or 1), PARTS)
        by_system: dict[str, list[tuple[int, int]]] = {}
        for place, (chips, _) in usable.items():
            if chips * LEAST_PART < least:
                continue
            by_system.setdefault(self.ctx.places()[place].system, []).append((chips, place))
        quota = self.quotas.get(state.spec.name)
        for system in state.spec.systems:
            limit = most if quota is None else min(most, quota.ever.get(system, 0))
            parts = sorted(by_system.get(system, []), key=lambda p: (-p[0], p[1]))[:sites]
            total = sum(chips for chips, _ in parts)
            if len(parts) > 1 and min(total, limit) >= least:
                scale = min(1.0, limit / total)
                return [(place, int(chips * scale)) for chips, place in parts]
        return None

    def _usable(self, state: RunState) -> dict[int, tuple[int, float]]:
        """Chips that a gang could use and its rate a chip, by place."""
        ctx, study = self.ctx, self.ctx.prepared.study
        chips = ctx.cluster.chips()
        barred, quota = ctx.forbidden.get(("training", state.spec.name), ()), self.quotas.get(state.spec.name)
        shares = {
            family: porting_efficiency(study, family, ported, ctx.now)
            for family, ported in ctx.prepared.ports.items()
        }
        found = {}
        for p, place in enumerate(ctx.places()):
            rate, share = self._rate(state, place.system), shares[place.family]
            if rate <= 0.0 or share <= 0.0 or p in barred:
                continue
            claimed = sum(n for (name, q), n in ctx.reserve.items() if q == p and name != state.spec.name)
            system = study.systems[place.system]
            used = int(system.segment) / int(system.domain) if system.segment else 1.0
            left = int((int(chips["active"][p] - chips["out"][p]) * IN_WORKING_ORDER - claimed) * used)
            if quota is not None:
                left = min(left, quota.ever.get(place.system, 0))
            found[p] = (left, rate * share)
        return found

    def _rate(self, state: RunState, system: str) -> float:
        """Model FLOP/s a chip in the present phase and world; 0 where the phase cannot run."""
        if state.phase == 1:
            return self._gangs(state, system)[1]
        rate = self.ctx.prepared.rates.training.get((state.spec.name, system))
        if rate is None:
            return 0.0
        return rate.flops * self.ctx.draws.rate_error(system, "training", rate.log_error)

    def _gangs(self, state: RunState, system: str) -> tuple[float, float]:
        """Share of the trainer gang and model FLOP/s per chip of an RL phase in this world."""
        rate = self.ctx.prepared.rates.rl.get((state.spec.name, system))
        if rate is None:
            return 0.0, 0.0
        error = self.ctx.draws.rate_error
        return rate.split(
            error(system, "training", rate.train_error), error(system, "serving", rate.serve_error)
        )

    def _submit(self, state: RunState, plan: list[tuple[int, int]]) -> None:
        ctx, spec = self.ctx, state.spec
        flops = self._work(state)
        usable = self._usable(state)
        rates = [usable[place][1] for place, _ in plan]
        total = sum(chips * rate for (_, chips), rate in zip(plan, rates, strict=True))
        state.places = plan
        for part, (place, chips) in enumerate(plan):
            cls = self.classes[spec.name, state.phase, part]
            for p in range(len(ctx.places())):
                ctx.cluster.set_speed(cls, p, 1.0 if p == place else 0.0)
            offer = ctx.places()[place].offer
            ctx.cluster.set_checkpoint(
                cls, *checkpoint_times(ctx.prepared.study, spec.checkpoint, spec.model, offer)
            )
            row = np.zeros(1, JOB)
            run_ms = int(flops / total * 1000.0)
            least = min(chips, int(spec.chips.min)) if len(plan) == 1 else int(0.8 * chips)
            row["submit"], row["run"], row["requested"] = ctx.now, run_ms, 2 * run_ms
            row["size_min"], row["size_max"], row["size_ref"], row["cls"] = least, chips, chips, cls
            row["tenant"] = ctx.tenants.get(spec.name, 0)
            job = ctx.cluster.submit(row[0])
            state.jobs.append(job)
            state.flops.append(flops * chips * rates[part] / total)
            state.pending.add(job)
            self.by_job[job] = spec.name
            if state.phase == 1:
                state.trainer[job] = self._gangs(state, ctx.places()[place].system)[0]
            system = ctx.prepared.study.systems[ctx.places()[place].system]
            held = int(system.domain) / int(system.segment) if system.segment else 1.0
            ctx.claim(spec.name, place, int(chips * held * (1.0 + MARGIN)))
        if state.start < 0:
            state.start = ctx.now
        where = ", ".join(f"{chips:,} chips of {ctx.places()[place].name}" for place, chips in plan)
        ctx.log("training", spec.name, f"{self._phase_words(state)} planned on {where}")

    @staticmethod
    def _phase_words(state: RunState) -> str:
        if state.phase == 0:
            return "pretraining"
        shares = sorted({f"{state.trainer[job]:.0%}" for job in state.jobs if job in state.trainer})
        return f"RL, {' and '.join(shares)} trainers,"

    def _stranded(self, state: RunState) -> bool:
        """Whether a part waits at a place that no longer holds enough chips for it."""
        standing = self.ctx.cluster.runs["state"]
        waiting = [job for job in state.pending if standing[job] == WAITING]
        if not waiting:
            return False
        cluster = self.ctx.cluster
        jobs, active = cluster.jobs, cluster.chips()["active"]
        classes = [self.classes[state.spec.name, state.phase, i] for i in range(len(state.places))]
        cls_place = dict(zip(classes, state.places, strict=True))
        return any(
            bool(active[cls_place[cluster.class_of(job)][0]] < jobs["size_min"][job]) for job in waiting
        )

    def _withdraw(self, state: RunState) -> float:
        """Take the phase's jobs back; returns the share of the phase's work that is left."""
        runs, jobs = self.ctx.cluster.runs, self.ctx.cluster.jobs
        left = done = 0.0
        for job in state.jobs[-len(state.places) :]:
            weight = float(jobs["size_ref"][job])
            left += weight * float(runs["work_left"][job]) * (job in state.pending)
            done += weight * float(jobs["run"][job])
        for job in sorted(state.pending):
            self.ctx.cluster.cancel(job)
        state.pending.clear()
        self._keep_checkpoint(state)
        self._release(state)
        return left / done if done else 1.0

    def _release(self, state: RunState) -> None:
        for place, _ in state.places:
            self.ctx.release(state.spec.name, place)
