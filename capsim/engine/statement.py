"""The statement of one contract in one run: dated tranches, and every payment as quantity × price = amount.

What a line's rounding to cents leaves is shown as a line of its own, so that the total equals the ledger's.
The statements of all contracts of a strategy, and that of `porting`, add up to its cash.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from capsim.compile.lots import OPTIONS, RULES
from capsim.compile.prepare import Prepared
from capsim.control.context import Context
from capsim.engine.billing.adjustments import PORTING, ports
from capsim.engine.billing.ledger import Ledger
from capsim.engine.billing.prices import lot_price, shell_price
from capsim.engine.figures import compute_figures
from capsim.engine.metered import Metered, metered
from capsim.engine.simulate import simulate_built
from capsim.engine.statement_items import Builder, Hours, Item, nominal, porting_items
from capsim.errors import InputError
from capsim.spec.quantities import did_you_mean

Reals = NDArray[np.float64]
ALL = "all"


@dataclass(frozen=True)
class Tranche:
    """A lot or shell of the contract as it came; dates are ISO, empty where it never happened.

    `price` is USD per `unit` on the day of delivery (of the plan, where it never came).
    """

    tranche: str
    system: str
    quantity: float
    unit: str
    status: str
    planned: str
    delivered: str
    accepted: str
    ended: str
    price: float


@dataclass(frozen=True)
class Prepaid:
    """The prepayment's account in a month, USD: paid in, drawn down (or given back), left at its end."""

    month: str
    paid: float
    drawn: float
    left: float


@dataclass(frozen=True)
class Statement:
    """One contract in one run. `total` is what the ledger says, USD, rounded to cents."""

    offer: str
    provider: str
    kind: str
    status: str
    tranches: tuple[Tranche, ...]
    hours: tuple[Hours, ...]
    prepaid: tuple[Prepaid, ...]
    items: tuple[Item, ...]
    total: float

    def by_line(self) -> dict[str, float]:
        """The sum of each line, USD, rounding included, in the order in which they first appear."""
        sums: dict[str, int] = {}
        for item in self.items:
            sums[item.line] = sums.get(item.line, 0) + round(item.amount * 100)
        return {line: cents / 100 for line, cents in sums.items()}


def statement(
    ctx: Context,
    ledger: Ledger,
    used: Mapping[str, Reals],
    offer: str,
    by_use: Sequence[Metered] = (),
) -> Statement:
    """The statement of `offer`, which the strategy holds, or of `porting`.

    Args:
        ledger: what was booked in the run.
        used: share of the delivered chips in use by place name and month, as it was booked.
        by_use: what was paid by use in the run, of all offers.
    """
    spec = ctx.prepared.study.offers.get(offer)
    total = round(nominal(ledger, offer), 2)
    if spec is None:
        return Statement(offer, "", offer, "", (), (), (), tuple(porting_items(ledger)), total)
    builder = Builder(ctx, ledger, used, offer, [part for part in by_use if part.offer == offer])
    builder.fill()
    return Statement(
        offer=offer,
        provider=ctx.provider(offer),
        kind=spec.kind,
        status=spec.status or "",
        tranches=tuple(_tranches(ctx, offer)),
        hours=tuple(builder.hours()),
        prepaid=tuple(_prepaid(ledger, builder.labels, offer)),
        items=tuple(builder.closed()),
        total=total,
    )


def statement_names(prepared: Prepared) -> list[str]:
    """The contracts of a strategy that have a statement: held, rented by the hour, and `porting`."""
    portfolio = prepared.portfolio
    found = {*portfolio.offers, *portfolio.base_offers, *(lot.offer for lot in portfolio.lots)}
    found |= {rule.offer for rule in prepared.study.overflow}
    return [*sorted(found), *([PORTING] if ports(prepared) and PORTING not in found else [])]


def simulated_statements(prepared: Prepared, run: int, offer: str) -> list[Statement]:
    """Simulate world number `run` and state what the strategy pays under `offer`, or under `all`.

    The totals of `all` add up to the run's cash. Raises InputError where the strategy does not hold it.
    """
    known = statement_names(prepared)
    if offer not in known and offer != ALL:
        raise InputError(
            f"--statement {offer}: {prepared.strategy} does not hold it; {did_you_mean(offer, [*known, ALL])}"
        )
    built, recorder, _ = simulate_built(prepared, run)
    figures = compute_figures(built, recorder)
    wanted = known if offer == ALL and offer not in known else [offer]
    by_use = list(metered(built, figures.tokens, figures.ledger.edges))
    found = [statement(built.ctx, figures.ledger, figures.used, name, by_use) for name in wanted]
    built.ctx.close()
    return found


def _tranches(ctx: Context, offer: str) -> Iterator[Tranche]:
    calendar = ctx.prepared.calendar

    def day(at: int, happened: bool) -> str:
        return calendar.day(at).isoformat() if happened else ""

    for lot in ctx.prepared.portfolio.lots:
        if lot.offer != offer:
            continue
        state = ctx.lots[lot.key]
        if state.status == "unused" and not OPTIONS <= lot.index < RULES and lot.contingent:
            continue  # room that nothing called for
        came = state.delivered >= 0
        on_day = state.delivered if came else state.planned
        price = (
            lot_price(ctx, lot, state).at(on_day)
            if lot.price_hour > 0
            else lot.price_chip * state.price_factor
        )
        yield Tranche(
            tranche=lot.name,
            system=lot.system,
            quantity=float(lot.chips),
            unit="chip-hour" if lot.price_hour > 0 else "chip",
            status=state.status,
            planned=day(state.planned, True),
            delivered=day(
                state.arrived if state.arrived >= 0 else state.delivered, came or state.arrived >= 0
            ),
            accepted=day(state.delivered, came),
            ended=day(state.ended, state.ended >= 0),
            price=price,
        )
    for shell in ctx.prepared.portfolio.shells:
        if shell.offer == offer:
            at = ctx.shells[shell.key]
            came = at.delivered >= 0
            price = shell_price(ctx, shell).at(at.delivered if came else shell.planned)
            ended = day(at.ended, at.ended >= 0)
            yield Tranche(f"{shell.index + 1}", "", shell.kw, "kW-month", at.status, day(shell.planned, True),
                          day(at.delivered, came), day(at.delivered, came), ended, price)  # fmt: skip


def _prepaid(ledger: Ledger, labels: list[str], offer: str) -> Iterator[Prepaid]:
    nothing = np.zeros(len(labels))
    paid = ledger.usd.get((offer, "prepayment"), nothing)
    drawn = -ledger.usd.get((offer, "drawdown"), nothing)
    left = np.cumsum(paid - drawn)
    for month in np.flatnonzero((paid != 0) | (drawn != 0)):
        yield Prepaid(labels[month], float(paid[month]), float(drawn[month]), float(left[month]) + 0.0)
