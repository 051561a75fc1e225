"""Deliveries: tranches arrive late or not at all, wait for power, and leave at the end of their contract."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import replace
from typing import Any

from capsim.compile.calendar import MS_DAY
from capsim.compile.portfolio import Lot, Shell, placement_unit
from capsim.control.context import Context


class Deliveries:
    """Delivers the lots and shells of a strategy."""

    def __init__(self, ctx: Context) -> None:
        self.ctx = ctx
        self.free_kw = 0.0
        self.waiting: list[tuple[Lot, int]] = []  # lots on site with domains that have no power yet

    def start(self) -> None:
        """Start one process for every lot and shell that is held from the start."""
        portfolio = self.ctx.prepared.portfolio
        for shell in portfolio.shells:
            self.ctx.env.process(self._deliver_shell(shell))
        for lot in portfolio.lots:
            if lot.purchased_by_rule:
                self.ctx.lots[lot.key].status = "unused"
            else:
                self.ctx.env.process(self.deliver(lot, lot.planned))

    def deliver(self, lot: Lot, planned: int) -> Generator[Any, Any, None]:
        """The life of one lot."""
        ctx = self.ctx
        state = ctx.lots[lot.key]
        state.planned = planned
        state.status = "planned"
        if not ctx.draws.converts(lot.offer):
            state.status = "not converted"
            ctx.log("conversion", lot.offer, f"{lot.chips:,} {lot.system} do not become a contract")
            return
        state.delay = self._delay(lot)
        remedy = ctx.prepared.study.offers[lot.offer].delivery.remedy
        if remedy and remedy.terminate_after is not None and state.delay > int(remedy.terminate_after):
            yield ctx.until(planned + int(remedy.terminate_after))
            state.status = "terminated"
            ctx.log(
                "termination", lot.offer, f"tranche {lot.index}: {lot.chips:,} {lot.system} too late, left"
            )
            return
        arrival = max(planned + state.delay, 0)
        if arrival >= ctx.end:
            return
        yield ctx.until(arrival)
        self._arrive(lot, state.delay)
        yield from self._leave(lot)

    def _arrive(self, lot: Lot, delay: int) -> None:
        ctx = self.ctx
        state = ctx.lots[lot.key]
        state.status, state.delivered = "delivered", ctx.now
        late = f", {delay // MS_DAY} d late" if delay > 0 else ""
        ctx.log("delivery", lot.offer, f"tranche {lot.index}: {lot.chips:,} {lot.system}{late}")
        if ctx.prepared.study.offers[lot.offer].needs_shell:
            self.waiting.append((lot, lot.chips))
            self._connect()
        else:
            state.powered.append((ctx.now, lot.chips))
            ctx.cluster.activate(ctx.tranche[lot.key])

    def _leave(self, lot: Lot) -> Generator[Any, Any, None]:
        ctx = self.ctx
        state = ctx.lots[lot.key]
        if lot.ends is None and lot.term is None:
            return
        leaves = lot.ends if lot.ends is not None else state.delivered + int(lot.term or 0)
        if leaves >= ctx.end:
            return
        yield ctx.until(leaves)
        state.status, state.ended = "ended", ctx.now
        self.waiting = [(other, chips) for other, chips in self.waiting if other.key != lot.key]
        ctx.cluster.retire(ctx.tranche[lot.key], kill=True)
        ctx.log("end", lot.offer, f"tranche {lot.index}: {lot.chips:,} {lot.system} go back")

    def _delay(self, lot: Lot) -> int:
        """Lateness of a lot, with what a right of first refusal over its provider does to it.

        The holder of the right takes its window to answer. If it matches, it delivers in place of the
        provider, on the same terms and with its own delays.
        """
        ctx = self.ctx
        study = ctx.prepared.study
        provider = study.offers[lot.offer].provider
        for name in ctx.prepared.portfolio.offers:
            right = study.offers[name].right_of_first_refusal
            if right is None or provider not in right.over:
                continue
            if ctx.prepared.calendar.ms(right.until) <= lot.decide:
                continue
            if ctx.draws.matched(lot.offer, float(right.match_probability)):
                ctx.matched[lot.offer] = study.offers[name].provider
                ctx.log("match", lot.offer, f"{study.offers[name].provider} matches and delivers")
                return int(right.window) + ctx.draws.delay(replace(lot, offer=name))
            return int(right.window) + ctx.draws.delay(lot)
        return ctx.draws.delay(lot)

    def _deliver_shell(self, shell: Shell) -> Generator[Any, Any, None]:
        ctx = self.ctx
        state = ctx.shells[shell.key]
        if not ctx.draws.converts(shell.offer):
            state.status = "not converted"
            return
        state.delay = ctx.draws.delay(shell)
        arrival = max(shell.planned + state.delay, 0)
        if arrival >= ctx.end:
            return
        yield ctx.until(arrival)
        state.status, state.delivered = "delivered", ctx.now
        ctx.log("power", shell.offer, f"{shell.kw / 1000:,.0f} MW of critical IT power")
        self.free_kw += shell.kw
        self._connect()

    def _connect(self) -> None:
        """Give free power to waiting chips, first come first served, whole domains at a time."""
        ctx = self.ctx
        left: list[tuple[Lot, int]] = []
        for lot, chips in self.waiting:
            domain = placement_unit(ctx.prepared.study.systems[lot.system])
            domains = min(chips // domain, int(self.free_kw // (lot.kw * domain)))
            if domains > 0:
                ctx.cluster.activate(ctx.tranche[lot.key], domains)
                ctx.lots[lot.key].powered.append((ctx.now, domains * domain))
                self.free_kw -= domains * domain * lot.kw
                chips -= domains * domain
            if chips:
                left.append((lot, chips))
        self.waiting = left
