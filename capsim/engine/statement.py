"""The statement of one contract in one run: dated tranches, and every payment as quantity × price = amount.

Amounts per tranche come from the same functions that book the ledger, one lot at a time, so that nothing is
reckoned a second time; quantity and price are what these functions multiply. What a line's rounding to cents
leaves is shown as a line of its own, so that the total equals the ledger's.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from capsim.compile.calendar import MS_HOUR
from capsim.compile.lots import Lot, Shell
from capsim.compile.portfolio import RULES, SUBSTITUTES
from capsim.compile.prepare import Prepared
from capsim.control.context import Context, LotState
from capsim.engine.billing.adjustments import bill_premiums
from capsim.engine.billing.ledger import MONTH_MS, Ledger, overlap
from capsim.engine.billing.lifecycle import bill_lease_end, bill_resale, bill_spot
from capsim.engine.billing.power import bill_power, power_prices
from capsim.engine.billing.prepayment import bill_prepayment
from capsim.engine.billing.prices import lot_price, lot_value, shell_price
from capsim.engine.billing.purchase import bill_purchase
from capsim.engine.billing.rent import Rent, bill_rent, rents
from capsim.engine.billing.shell import bill_shell
from capsim.engine.billing.spans import away_ms, lot_span, shell_span
from capsim.engine.billing.termination import bill_termination
from capsim.engine.figures import compute_figures
from capsim.engine.simulate import simulate_built
from capsim.errors import InputError
from capsim.spec.offers import Offer
from capsim.spec.quantities import did_you_mean

Reals = NDArray[np.float64]

#: decimals of a price; a price of one number is shown with its own.
PRICE_DECIMALS = 10
#: USD a unit below which a quantity with three decimals is exact to the cent; above it has six.
CHEAP = 5.0
ROUNDING = "rounding"

#: words for amounts that are no product of a quantity and a price.
WORDS: dict[str, str] = {
    "credit": "credit for late delivery",
    "drawdown": "prepayment drawn down",
    "salvage": "worth at the end of the horizon",
    "undrawn": "prepayment not drawn down at the end",
    "recovery": "recovered from a supplier in default",
    "resale": "let or sold to others",
    "operation": "operation of bought chips",
    "premium": "premium of an option",
    "termination": "fee for leaving",
    "min_spend": "missing to the minimum spend",
    "on_demand": "rented by the hour",
    "egress": "tokens and data sent between sites",
    "power": "power above the strike",
}


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
class Item:
    """One line: `amount` is `quantity` × `price` rounded to cents, USD (negative: received)."""

    month: str
    tranche: str
    line: str
    what: str
    quantity: float
    unit: str
    price: float
    amount: float


@dataclass(frozen=True)
class Hours:
    """Chip-hours of a month: of the contract, paid in any case, used, and paid beside those used.

    `beside` is settled in the last month of a take-or-pay period (negative: used, and paid for before).
    """

    month: str
    contract: float
    committed: float
    used: float
    beside: float


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


def statement(ctx: Context, ledger: Ledger, used: Mapping[str, Reals], offer: str) -> Statement:
    """The statement of `offer`, which the strategy holds.

    Args:
        ledger: what was booked in the run.
        used: share of the delivered chips in use by place name and month, as it was booked.
    """
    builder = _Builder(ctx, ledger, used, offer)
    builder.fill()
    spec = ctx.prepared.study.offers[offer]
    return Statement(
        offer=offer,
        provider=ctx.provider(offer),
        kind=spec.kind,
        status=spec.status or "",
        tranches=tuple(_tranches(ctx, offer)),
        hours=tuple(builder.hours()),
        prepaid=tuple(_prepaid(ledger, builder.labels, offer)),
        items=tuple(builder.closed()),
        total=round(ledger.nominal(offer), 2),
    )


def simulated_statement(prepared: Prepared, run: int, offer: str) -> Statement:
    """Simulate world number `run` and state what the strategy pays under `offer`.

    Raises InputError where the strategy does not hold the offer.
    """
    portfolio = prepared.portfolio
    rented = [rule.offer for rule in prepared.study.overflow]
    known = sorted(
        {*portfolio.offers, *portfolio.base_offers, *(lot.offer for lot in portfolio.lots), *rented}
    )
    if offer not in known:
        raise InputError(
            f"--statement {offer}: {prepared.strategy} does not hold it; {did_you_mean(offer, known)}"
        )
    built, recorder, _ = simulate_built(prepared, run)
    figures = compute_figures(built, recorder)
    found = statement(built.ctx, figures.ledger, figures.used, offer)
    built.ctx.close()
    return found


class _Builder:
    """Collects the items of one offer and what of its ledger they explain."""

    def __init__(self, ctx: Context, ledger: Ledger, used: Mapping[str, Reals], offer: str) -> None:
        self.ctx, self.ledger, self.used, self.offer = ctx, ledger, used, offer
        self.labels = ctx.prepared.calendar.month_labels()
        self.items: list[tuple[int, Item]] = []
        self.explained: dict[str, Reals] = {}
        self.rents = rents(ctx, ledger.edges, used)

    def fill(self) -> None:
        """Items of every lot and shell, then of the offer, then whatever is left of the ledger."""
        portfolio = self.ctx.prepared.portfolio
        for lot in portfolio.lots:
            state = self.ctx.lots[lot.key]
            if lot.offer == self.offer and state.status not in ("not converted", "unused"):
                self._lot(lot, state)
        for shell in portfolio.shells:
            if shell.offer == self.offer:
                self._shell(shell)
        self._booked("", lambda book: bill_premiums(book, self.ctx))
        self._power()
        self._booked("", lambda book: bill_termination(book, self.ctx))
        for (offer, line), amounts in sorted(self.ledger.usd.items()):
            if offer == self.offer:
                rest = amounts - self.explained.get(line, np.zeros(len(amounts)))
                rest[np.abs(rest) < 1e-4 + 1e-12 * np.abs(amounts).max()] = 0.0  # not a cent: floating point
                price = _hourly(self.ctx, self.offer) if line == "on_demand" else None
                self._add("", line, rest, None if price is None else rest / price, "chip-hours")

    def hours(self) -> Iterator[Hours]:
        """Chip-hours by month, of all lots that pay rent in their first term."""
        mine = {lot.key for lot in self.ctx.prepared.portfolio.lots if lot.offer == self.offer}
        rented = [rent for key, rent in self.rents.items() if key in mine]
        if not rented:
            return
        names = ("due", "committed", "used", "extra")
        sums = [np.sum([getattr(rent, name) for rent in rented], axis=0) for name in names]
        for month in np.flatnonzero(sums[0] > 0):
            yield Hours(self.labels[month], *(float(values[month]) for values in sums))

    def closed(self) -> Iterator[Item]:
        """The items in order of time, and what their rounding to cents leaves of each line."""
        yield from (item for _, item in sorted(self.items, key=lambda pair: pair[0]))
        last = self.labels[-1]
        for (offer, line), amounts in sorted(self.ledger.usd.items()):
            if offer == self.offer:
                shown = sum(round(item.amount * 100) for _, item in self.items if item.line == line)
                left = (round(float(amounts.sum()) * 100) - shown) / 100
                if left:
                    yield Item(last, "", line, ROUNDING, 1.0, "", left, left)
        lines = [float(a.sum()) for (offer, _), a in sorted(self.ledger.usd.items()) if offer == self.offer]
        left = (round(self.ledger.nominal(self.offer) * 100) - sum(round(usd * 100) for usd in lines)) / 100
        if left:
            yield Item(last, "", ROUNDING, ROUNDING, 1.0, "", left, left)

    def _lot(self, lot: Lot, state: LotState) -> None:
        ctx, edges = self.ctx, self.ledger.edges
        name = _name(lot)
        rent = self.rents.get(lot.key)
        if rent is not None:
            self._rent(name, ctx.prepared.study.offers[lot.offer], lot, state, rent)
            self._booked(name, lambda book: bill_rent(book, ctx, lot, state, rent), skip="commitment")
        whole = lot_value(ctx, lot, state)
        self._booked(
            name,
            lambda book: bill_prepayment(book, ctx, lot, state, rent),
            {"prepayment": (whole, "$ of value", "prepaid share of the value")},
        )
        bought = {"purchase": (float(lot.chips), "chips", "chips bought")}
        self._booked(name, lambda book: bill_purchase(book, ctx, lot, state), bought)
        there = overlap(edges, *lot_span(lot, state, ctx.end)) / MS_HOUR * lot.chips
        spot = there - away_ms(ctx, lot, state, edges, *lot_span(lot, state, ctx.end)) / MS_HOUR
        self._booked(
            name,
            lambda book: bill_spot(book, ctx, lot, state),
            {"spot": (spot, "chip-hours", "spot capacity")},
        )
        self._booked(name, lambda book: bill_lease_end(book, ctx, lot, state), bought)
        self._booked(name, lambda book: bill_resale(book, ctx, lot, state))

    def _rent(self, name: str, offer: Offer, lot: Lot, state: LotState, rent: Rent) -> None:
        if offer.take_or_pay is None:
            self._add(name, "commitment", rent.usd, rent.due, "chip-hours", "hours of the contract")
            return
        path, edges = lot_price(self.ctx, lot, state), self.ledger.edges
        moved = np.array([path.at(int(a)) != path.at(int(b) - 1) for a, b in itertools.pairwise(edges)])
        for words, months in (("hours used", ~moved), ("hours used, mean price", moved)):
            hours = np.where(months, rent.used, 0.0)
            self._add(name, "commitment", hours * rent.price, hours, "chip-hours", words)
        beside = rent.usd - rent.used * rent.price
        for words, extra in (
            ("committed, not used", np.maximum(rent.extra, 0.0)),
            ("made up: paid for before", np.minimum(rent.extra, 0.0)),
        ):
            usd = np.where(extra != 0, beside, 0.0)
            self._add(name, "commitment", usd, extra, "chip-hours", words)

    def _shell(self, shell: Shell) -> None:
        span = shell_span(shell, self.ctx.shells[shell.key], self.ctx.end)
        quantity = overlap(self.ledger.edges, *span) / MONTH_MS * shell.kw
        self._booked(
            f"{shell.index + 1}",
            lambda book: bill_shell(book, self.ctx, shell),
            {"shell": (quantity, "kW-months", "rent of the shell")},
        )

    def _power(self) -> None:
        spec = self.ctx.prepared.study.offers[self.offer]
        if spec.power_pass_through is None:
            return
        book = Ledger(self.ledger.calendar, self.ledger.edges)
        bill_power(book, self.ctx)
        usd = book.usd.get((self.offer, "power"), np.zeros(len(self.labels)))
        above = power_prices(self.ctx, spec) - float(spec.power_pass_through.strike)
        energy = np.divide(usd, above, out=np.zeros_like(usd), where=usd != 0)
        self._add("", "power", usd, energy, "MWh")

    def _booked(
        self,
        tranche: str,
        bill: Callable[[Ledger], object],
        priced: Mapping[str, tuple[float | Reals, str, str]] | None = None,
        skip: str = "",
    ) -> None:
        """Items of what `bill` books under this offer; `priced` gives quantity, unit and words by line."""
        book = Ledger(self.ledger.calendar, self.ledger.edges)
        bill(book)
        for (offer, line), amounts in sorted(book.usd.items()):
            if offer == self.offer and line != skip:
                quantity, unit, words = (priced or {}).get(line, (None, "", ""))
                each = None if quantity is None else np.broadcast_to(quantity, amounts.shape)
                self._add(tranche, line, amounts, each, unit, words)

    def _add(
        self, tranche: str, line: str, usd: Reals, quantity: Reals | None, unit: str, words: str = ""
    ) -> None:
        """An item for each month with an amount; without a quantity it is a lump sum."""
        self.explained[line] = self.explained.get(line, np.zeros(len(usd))) + usd
        for month in np.flatnonzero(usd):
            amount = float(usd[month])
            whole = 0.0 if quantity is None else float(quantity[month])
            if whole:
                price = round(amount / whole, PRICE_DECIMALS)
                number = round(whole, 3 if abs(price) < CHEAP else 6)
                of = unit
            else:
                number, price, of = 1.0, round(amount, 2), ""
            what = words or WORDS.get(line, line)
            shown = round(number * price, 2)
            item = Item(self.labels[month], tranche, line, what, number, of, price, shown)
            self.items.append((int(month), item))


def _name(lot: Lot) -> str:
    """`2`, the number of a tranche; `bought 1` by a rule, `substitute 1`; or the name of an option."""
    if lot.option:
        return lot.option.rpartition(".")[2]
    for first, words in ((RULES, "bought"), (SUBSTITUTES, "substitute")):
        if lot.index >= first:
            return f"{words} {lot.index - first + 1}"
    return str(lot.index + 1)


def _hourly(ctx: Context, offer: str) -> Reals | None:
    """USD per chip-hour by month of an offer with one price; None where systems differ."""
    spec = ctx.prepared.study.offers[offer]
    price = spec.price.per_chip_hour if spec.price is not None else None
    if price is None or isinstance(price, dict) or float(price) <= 0:
        return None
    months = len(ctx.prepared.calendar.months()) - 1
    path: Reals = np.ones(months) if spec.market is None else ctx.draws.market(spec.market)
    return float(price) * path


def _tranches(ctx: Context, offer: str) -> Iterator[Tranche]:
    calendar = ctx.prepared.calendar

    def day(at: int, happened: bool) -> str:
        return calendar.day(at).isoformat() if happened else ""

    for lot in ctx.prepared.portfolio.lots:
        if lot.offer != offer:
            continue
        state = ctx.lots[lot.key]
        came = state.delivered >= 0
        on_day = state.delivered if came else state.planned
        price = (
            lot_price(ctx, lot, state).at(on_day)
            if lot.price_hour > 0
            else lot.price_chip * state.price_factor
        )
        yield Tranche(
            tranche=_name(lot),
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
