"""Deliveries: tranches arrive late or not at all, are accepted, wait for power, leave with their contract."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import replace
from typing import Any

from capsim.compile.calendar import MS_DAY
from capsim.compile.lots import SUBSTITUTES, Lot, Shell
from capsim.compile.remedies import acceptance_ms, leaves_at
from capsim.control.context import Context
from capsim.control.contract_ends import until_end
from capsim.control.power import PowerFeeds


class Deliveries:
    """Delivers the lots and shells of a strategy and takes them away again."""

    def __init__(self, ctx: Context) -> None:
        self.ctx = ctx
        self.power = PowerFeeds(ctx)
        self.instead: dict[str, list[Lot]] = {}
        for lot in ctx.prepared.portfolio.lots:
            for old in lot.instead_of:
                self.instead.setdefault(old, []).append(lot)

    def start(self) -> None:
        """Start one process for every lot and shell that is held from the start."""
        portfolio = self.ctx.prepared.portfolio
        for shell in portfolio.shells:
            self.ctx.env.process(self._deliver_shell(shell))
        for lot in portfolio.lots:
            if lot.contingent:
                self.ctx.lots[lot.key].status = "unused"
            else:
                self.ctx.env.process(self.deliver(lot, lot.planned))

    def deliver(self, lot: Lot, planned: int) -> Generator[Any, Any, None]:
        """The life of one lot: each wait ends at once if the contract has ended meanwhile."""
        ctx = self.ctx
        state = ctx.lots[lot.key]
        state.planned = planned
        state.status = "planned"
        if not ctx.draws.converts(lot.offer):
            state.status = "not converted"
            ctx.log("conversion", lot.offer, f"{lot.chips:,} {lot.system} do not become a contract")
            return
        state.delay = self._delay(lot)
        if ctx.provider(lot.offer) in ctx.defaulted:
            state.status, state.ended = "defaulted", ctx.now
            return
        delivery = ctx.prepared.study.offers[lot.offer].delivery
        leave = leaves_at(delivery.remedy, planned, ctx.prepared.calendar)
        if delivery.make_good is not None and delivery.make_good.substitute is not None:
            self._substitute(lot, planned, leave)
        if leave is not None and planned + state.delay > leave:
            yield ctx.until(leave)
            if state.status == "planned":
                text = f"{lot.words}: {lot.chips:,} {lot.system} too late, left"
                self.remove(lot, "terminated", "termination", text)
            return
        yield from self._arrive(lot)
        if state.status == "delivered" and (yield from until_end(ctx, lot)):
            self.remove(lot, "ended", "end", f"{lot.words}: {lot.chips:,} {lot.system} go back")

    def remove(self, lot: Lot, status: str, kind: str, text: str) -> None:
        """The contract of a lot ends now, whether its chips have come or not; logs `kind` and `text`."""
        ctx = self.ctx
        state = ctx.lots[lot.key]
        there = state.delivered >= 0
        if lot.option and lot.option not in ctx.exercised:
            state.status = "unused"
            return
        state.status, state.ended = status, ctx.now
        if status == "left" and kind == "termination":
            state.left = ctx.now
        if there:
            self.power.leave(lot)
            ctx.cluster.retire(ctx.tranche[lot.key], kill=True)
        ctx.log(kind, lot.offer, text)
        self._end_substitutes(lot)

    def _arrive(self, lot: Lot) -> Generator[Any, Any, None]:
        """Wait for the chips, then for their acceptance, then for power; planned or delivered at the end."""
        ctx = self.ctx
        state = ctx.lots[lot.key]
        offer = ctx.prepared.study.offers[lot.offer]
        arrival = state.planned + state.delay
        test = 0
        if offer.delivery.acceptance is not None:
            failed = ctx.draws.failed_acceptances(
                lot.offer, lot.index, float(offer.delivery.acceptance.failure or 0.0)
            )
            test = acceptance_ms(offer.delivery.acceptance, failed)
        if max(arrival, 0) >= ctx.end:
            return
        yield ctx.until(arrival)
        if state.status != "planned":
            return
        state.arrived = max(arrival, 0)
        late = f", {state.delay // MS_DAY} d late" if state.delay > 0 else ""
        ctx.log("delivery", lot.offer, f"{lot.words}: {lot.chips:,} {lot.system}{late}")
        if arrival + test > ctx.now:
            if arrival + test >= ctx.end:
                return
            yield ctx.until(arrival + test)
            if state.status != "planned":
                return
            ctx.log("acceptance", lot.offer, f"{lot.words}: after {test / MS_DAY:.0f} d")
        state.status, state.delivered = "delivered", ctx.now
        self._end_substitutes(lot)
        if lot.option:
            self._replace(lot)
        if offer.needs_shell:
            self.power.wait(lot)
        else:
            state.powered.append((ctx.now, lot.chips))
            ctx.cluster.activate(ctx.tranche[lot.key])

    def _substitute(self, lot: Lot, planned: int, leave: int | None) -> None:
        """Start the substitute chips of a lot that is later than they are promised for."""
        ctx = self.ctx
        for other in self.instead.get(lot.key, ()):
            since = other.planned - lot.planned
            if other.option or ctx.lots[lot.key].delay <= since:
                continue
            if leave is None or planned + since < leave:
                ctx.env.process(self._stand_in(other, planned + since))

    def _stand_in(self, lot: Lot, at: int) -> Generator[Any, Any, None]:
        """Substitute chips come without delay if the tranche is still awaited."""
        ctx = self.ctx
        yield ctx.until(at)
        awaited = ctx.lots[lot.instead_of[0]]
        state = ctx.lots[lot.key]
        if awaited.status != "planned" or at >= ctx.end:
            return
        state.status, state.planned, state.signed = "delivered", at, ctx.now
        state.arrived = state.delivered = ctx.now
        state.powered.append((ctx.now, lot.chips))
        ctx.cluster.activate(ctx.tranche[lot.key])
        late = f"tranche {lot.index - SUBSTITUTES + 1}"
        ctx.log("make-good", lot.offer, f"{lot.chips:,} {lot.system} until {late} comes")

    def _end_substitutes(self, lot: Lot) -> None:
        for other in self.instead.get(lot.key, ()):
            if not other.option and self.ctx.lots[other.key].status == "delivered":
                self.remove(other, "ended", "end", f"{other.chips:,} substitute {other.system} go back")

    def _replace(self, lot: Lot) -> None:
        """Chips that a refresh brings: the old ones leave."""
        for old in self.ctx.prepared.portfolio.lots:
            if old.key in lot.instead_of and self.ctx.lots[old.key].status == "delivered":
                self.ctx.lots[old.key].exchanged = True
                self.remove(old, "ended", "refresh", f"{old.chips:,} {old.system} leave for {lot.system}")

    def _delay(self, lot: Lot) -> int:
        """Lateness of a lot, with what a right of first refusal over its provider does to it.

        The holder of the right takes its window to answer. If it matches, it delivers in place of the
        provider, on the same terms and with its own delays. Contracts of the base fleet may bring such a
        right; they are signed themselves, so none is over them.
        """
        ctx = self.ctx
        study, portfolio = ctx.prepared.study, ctx.prepared.portfolio
        provider = study.offers[lot.offer].provider
        for name in (*portfolio.base_offers, *portfolio.offers):
            right = study.offers[name].right_of_first_refusal
            if right is None or provider not in right.over or lot.offer in portfolio.base_offers:
                continue
            if ctx.prepared.calendar.ms(right.until) <= lot.decide:
                continue
            if ctx.draws.matched(lot.offer, float(right.match_probability)):
                ctx.matched[lot.offer] = study.offers[name].provider
                ctx.log("match", lot.offer, f"{study.offers[name].provider} matches and delivers")
                return int(right.window) + ctx.draws.delay(replace(lot, offer=name))
            ctx.log("pass", lot.offer, f"{study.offers[name].provider} does not match")
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
        if state.status != "planned":
            return
        state.status, state.delivered = "delivered", ctx.now
        ctx.log("power", shell.offer, f"{shell.size} of critical IT power")
        self.power.bring(ctx.prepared.study.offers[shell.offer].hosts, shell.kw)
        if shell.term is None or state.delivered + shell.term >= ctx.end:
            return
        yield ctx.until(state.delivered + shell.term)
        if state.status == "delivered":
            self.remove_shell(shell, "ended", f"{shell.size} go back")

    def remove_shell(self, shell: Shell, status: str, text: str) -> None:
        """The contract of a shell ends now; chips that hang on its power lose it."""
        state = self.ctx.shells[shell.key]
        there = state.delivered >= 0
        state.status, state.ended = status, self.ctx.now
        self.ctx.log("end", shell.offer, text)
        if there:
            self.power.withdraw(self.ctx.prepared.study.offers[shell.offer].hosts, shell.kw)
