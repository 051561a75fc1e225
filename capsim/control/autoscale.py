"""Autoscaling of inference services and of research below one node, on a period of at least six hours.

The forecast of a period is the same hours of the day before, or the last hour seen if that is higher. Each
service, in order of priority, takes the chips on which serving costs least training: those whose tokens per
chip are highest against their training rate. Named runs keep the chips they claim; a place whose run has not
got its chips yet is cleared of replicas for a period, so that whole scale-up domains come free.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Generator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from capsim.compile.calendar import MS_DAY, MS_HOUR
from capsim.compile.constraints import RESEARCH_WORK, Work
from capsim.compile.prepare import RL, TRAINING, porting_efficiency, remote_places
from capsim.control.allocation import autoscale
from capsim.control.context import Context
from capsim.control.dispatch import Dispatch
from capsim.kernel.accounts import CHIP_TIME
from capsim.kernel.stock import ADVANCE, OPERATE
from capsim.spec.demand import Research
from capsim.workload.demand import log_linear

NODE = 8  # chips of one holding of the research share below a node
RUN_KINDS = np.array([TRAINING, RL], dtype=np.int64)


class Autoscaler:
    """Sets the wanted replicas of every service at every place and records what was held.

    Attributes:
        period: ms between decisions.
        held: replica-ms held since the start, at each decision, shape (steps + 1, services, places); the last
            "service" is research below one node.
        healthy: chips in working order at each decision, shape (steps, places).
        free: chips free at each decision, shape (steps, places).
        efficiency: share of the full rate by place at each decision, shape (steps, places).
        in_a_row: decisions taken right after another one, with no event of the control clock for them.
    """

    def __init__(
        self, ctx: Context, tokens: NDArray[np.float64], chips: NDArray[np.int64], dispatch: Dispatch
    ) -> None:
        """``tokens`` tokens/s and ``chips`` of a replica, shape (services + 1, places); 0: cannot run."""
        study = ctx.prepared.study
        self.ctx = ctx
        self.dispatch = dispatch
        self.period = int(study.scheduler.autoscale)
        self.steps = -(-ctx.end // self.period)
        self.tokens, self.chips = tokens, chips
        n, places = tokens.shape
        self.held = np.zeros((self.steps + 1, n, places), dtype=np.int64)
        self.healthy = np.zeros((self.steps, places), dtype=np.int64)
        self.free = np.zeros((self.steps, places), dtype=np.int64)
        self.in_a_row = 0
        self._allowed = False
        self.efficiency = self._efficiency()
        changed = (self.efficiency[1:] != self.efficiency[:-1]).any(axis=1)
        self._ported = (0, *(np.flatnonzero(changed) + 1).tolist())
        self.need = self._forecast()
        self.order = self._order()
        self.rank = np.array(sorted(range(n), key=lambda s: (-self._priority(s), s)), dtype=np.int64)

    def start(self) -> None:
        """Start the control process."""
        self.ctx.env.process(self._run())

    def allow(self, tokens: NDArray[np.float64]) -> None:
        """From now on services have these rates, shape (services + 1, places); 0: may not run there."""
        self.tokens[:] = tokens
        self.order = self._order()
        self._allowed = True

    def reorder(self) -> None:
        """Look anew at which places come first."""
        self.order = self._order()

    def utilisation(self) -> float:
        """Share of the healthy chips in use at the last decision."""
        step = max(self.ctx.now // self.period - 1, 0)
        healthy = int(self.healthy[step].sum())
        return 1.0 - int(self.free[step].sum()) / healthy if healthy else 0.0

    def _priority(self, service: int) -> int:
        demand = self.ctx.prepared.study.demand
        return int(demand.inference[service].priority) if service < len(demand.inference) else -1

    def _forecast(self) -> NDArray[np.float64]:
        """Tokens a second wanted at each step, shape (steps, services + 1)."""
        study, hours = self.ctx.prepared.study, self.period // MS_HOUR
        services = study.demand.inference
        need = np.zeros((self.steps, len(services) + 1))
        for s, service in enumerate(services):
            demand = self.ctx.demand.tokens[s]
            padded = np.concatenate([demand, np.full(self.steps * hours - len(demand), demand[-1])])
            if service.slo.deadline is not None:
                daily = padded[: len(padded) // 24 * 24].reshape(-1, 24).mean(axis=1)
                padded = np.concatenate([np.repeat(daily, 24), padded[len(daily) * 24 :]])
            by_step = padded.reshape(self.steps, hours)
            day = 24 // hours
            before = np.concatenate([by_step[:day].max(axis=1), by_step[:-day].max(axis=1)])
            last = np.concatenate([[by_step[0, 0]], by_step[:-1, -1]])
            need[:, s] = np.maximum(before, last) * (1.0 + float(service.headroom))
        research = study.demand.research
        if isinstance(research, Research):
            at = np.arange(self.steps, dtype=np.int64) * self.period
            share = float(research.sub_node) * float(study.demand.scale)
            need[:, -1] = log_linear(research.capacity, study.horizon.start, at) * share
        return need

    def _order(self) -> NDArray[np.int64]:
        """Places by how little training a token costs there, best first, shape (services + 1, places).

        Those of a service's own regions come before all others; a rule of dispatch comes before that order.
        """
        work = np.array([place.gb200e for place in self.ctx.places()])
        per_chip = np.divide(self.tokens, self.chips, out=np.zeros_like(self.tokens), where=self.chips > 0)
        advantage = np.where(work > 0, per_chip / np.maximum(work, 1e-9), np.where(per_chip > 0, np.inf, 0.0))
        remote = remote_places(self.ctx.prepared)
        if self.dispatch.ruled:
            return self._ruled_order(per_chip, -advantage, remote)
        if remote is not None:
            nowhere = np.zeros((1, remote.shape[1]), dtype=np.bool_)
            return np.lexsort((-advantage, np.vstack([remote, nowhere])), axis=1).astype(np.int64)
        return np.argsort(-advantage, axis=1, kind="stable").astype(np.int64)

    def _ruled_order(
        self, per_chip: NDArray[np.float64], usual: NDArray[np.float64], remote: NDArray[np.bool_] | None
    ) -> NDArray[np.int64]:
        """The same under the rules of dispatch of each service and of research."""
        services = self.ctx.prepared.study.demand.inference
        works: list[Work] = [("inference", service.name) for service in services]
        order = np.empty(per_chip.shape, dtype=np.int64)
        none = np.zeros(per_chip.shape[1])
        for s, work in enumerate([*works, RESEARCH_WORK]):
            first, second = self.dispatch.levels(work, per_chip[s]) or (none, none)
            away = none if remote is None or s == len(services) else remote[s]
            order[s] = np.lexsort((usual[s], second, first, away))
        return order

    def _efficiency(self) -> NDArray[np.float64]:
        """Share of the full rate at each step by place, looked at once a week, shape (steps, places)."""
        prepared, weekly = self.ctx.prepared, max(7 * MS_DAY // self.period, 1)
        looks = range(0, self.steps * self.period, weekly * self.period)
        by_stack = {
            family: np.array([porting_efficiency(prepared.study, family, ported, at) for at in looks])
            for family, ported in prepared.ports.items()
        }
        if not prepared.places:
            return np.ones((self.steps, 0))
        by_week = np.column_stack([by_stack[place.family] for place in prepared.places])
        return np.repeat(by_week, weekly, axis=0)[: self.steps]

    def _run(self) -> Generator[Any, Any, None]:
        ctx = self.ctx
        wanted = np.zeros(self.tokens.shape, dtype=np.int64)
        rate = self.tokens
        reserve, available = (np.zeros(len(ctx.places()), dtype=np.int64) for _ in range(2))
        chips_now = np.zeros(len(ctx.places()), CHIP_TIME)
        step = 0
        while step < self.steps:
            yield ctx.until(step * self.period)
            if step in self._ported:
                self._port(step)
            if step in self._ported or self._allowed:
                rate, self._allowed = self.tokens * self.efficiency[step], False
            reserve[:] = 0
            for (_, place), claimed in ctx.reserve.items():
                reserve[place] += claimed
            done = autoscale(
                ctx.cluster.address, ADVANCE, OPERATE, step, self._last(step), self.period, chips_now,
                RUN_KINDS, reserve, self.need, rate, self.chips, self.order, self.rank, self.held,
                self.healthy, self.free, available, wanted,
            )  # fmt: skip
            self.in_a_row += done - step - 1
            step = done

    def _last(self, step: int) -> int:
        """The step after those that come, from `step` on, before anything else is decided."""
        after = bisect_right(self._ported, step)
        last = self._ported[after] if after < len(self._ported) else self.steps
        others = self.ctx.env.peek()
        return max(step + 1, min(last, -(-int(others) // self.period))) if others < math.inf else last

    def _port(self, step: int) -> None:
        """Tell the job classes how well stacks that are being ported run from now on."""
        now = self.efficiency[step]
        changed = range(len(now)) if step == 0 else np.flatnonzero(now != self.efficiency[step - 1])
        for place in changed:
            self.ctx.set_efficiency(int(place), float(now[place]))
