"""The lines of a contract's statement: every payment as quantity × price.

Amounts come from the functions that book the ledger, one lot at a time, so that nothing is reckoned a second
time; quantities are what these functions multiply, and a price is amount / quantity.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from capsim.compile.calendar import DAYS_YEAR, MS_DAY, MS_HOUR
from capsim.compile.lots import Lot, Shell
from capsim.control.context import Context, LotState
from capsim.engine.billing.adjustments import PORTING, bill_premiums
from capsim.engine.billing.ledger import MONTH_MS, YEAR_MS, Ledger, overlap
from capsim.engine.billing.lifecycle import bill_lease_end, bill_resale, bill_spot
from capsim.engine.billing.min_spend import shortfalls
from capsim.engine.billing.obligations import remaining, shell_remaining
from capsim.engine.billing.power import bill_power, power_prices
from capsim.engine.billing.prepayment import bill_prepayment, drawn_down
from capsim.engine.billing.prices import lot_price, lot_value
from capsim.engine.billing.purchase import bill_purchase
from capsim.engine.billing.rent import Rent, bill_rent, rents
from capsim.engine.billing.shell import bill_shell
from capsim.engine.billing.spans import away_ms, left_at, lot_span, rent_span, shell_span
from capsim.engine.billing.termination import bill_termination
from capsim.engine.egress import kept_tb_months
from capsim.engine.metered import Metered
from capsim.spec.offers import Offer

Reals = NDArray[np.float64]

#: decimals of a price; a price of one number is shown with its own.
PRICE_DECIMALS = 10
#: USD a unit below which a quantity with three decimals is exact to the cent; above it has six.
CHEAP = 5.0
ROUNDING = "rounding"

#: words for amounts that are no product of a quantity and a price.
WORDS: dict[str, str] = {
    "credit": "credit for lateness",
    "drawdown": "prepayment drawn down",
    "salvage": "worth at the end",
    "undrawn": "not drawn at the end",
    "recovery": "recovered in default",
    "resale": "let or sold",
    "operation": "operation of chips",
    "premium": "premium of an option",
    "termination": "fee for leaving",
    "min_spend": "missing to the minimum spend",
    "on_demand": "rented by the hour",
    "egress": "tokens of other regions",
    "power": "power above the strike",
    "porting": "software stack ported",
}


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


class Builder:
    """Collects the items of one offer and what of its ledger they explain."""

    def __init__(
        self,
        ctx: Context,
        ledger: Ledger,
        used: Mapping[str, Reals],
        offer: str,
        by_use: Sequence[Metered],
    ) -> None:
        self.ctx, self.ledger, self.used, self.offer, self.by_use = ctx, ledger, used, offer, by_use
        self.labels = ctx.prepared.calendar.month_labels()
        self.items: list[tuple[int, Item]] = []
        self.explained: dict[str, Reals] = {}
        mine = {lot.key for lot in ctx.prepared.portfolio.lots if lot.offer == offer}
        self.rents = {key: rent for key, rent in rents(ctx, ledger.edges, used).items() if key in mine}

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
        spec = self.ctx.prepared.study.offers[self.offer]
        if spec.take_or_pay is not None and spec.take_or_pay.scope == "offer":
            self._beside("", list(self.rents.values()))
        self._premiums()
        self._power(spec)
        self._termination()
        self._minimum()
        self._copies()
        for part in self.by_use:
            self._add(part.of, part.line, part.usd, part.quantity, part.unit)
        for line, amounts in self._lines():
            rest = amounts - self.explained.get(line, np.zeros(len(amounts)))
            rest[np.abs(rest) < 1e-4 + 1e-12 * np.abs(amounts).max()] = 0.0  # not a cent: floating point
            self._add("", line, rest, None, "")

    def hours(self) -> Iterator[Hours]:
        """Chip-hours by month, of all lots that pay rent."""
        if not self.rents:
            return
        names = ("due", "committed", "used", "extra")
        sums = [np.sum([getattr(rent, name) for rent in self.rents.values()], axis=0) for name in names]
        for month in np.flatnonzero(sums[0] > 0):
            yield Hours(self.labels[month], *(float(values[month]) for values in sums))

    def closed(self) -> Iterator[Item]:
        """The items in order of time, and what their rounding to cents leaves of each line."""
        yield from (item for _, item in sorted(self.items, key=lambda pair: pair[0]))
        last = self.labels[-1]
        total = 0
        for line, amounts in self._lines():
            cents = round(float(amounts.sum()) * 100)
            total += cents
            left = (
                cents - sum(round(item.amount * 100) for _, item in self.items if item.line == line)
            ) / 100
            if left:
                yield Item(last, "", line, ROUNDING, 1.0, "", left, left)
        left = (round(nominal(self.ledger, self.offer) * 100) - total) / 100
        if left:
            yield Item(last, "", ROUNDING, ROUNDING, 1.0, "", left, left)

    def _lines(self) -> list[tuple[str, Reals]]:
        return [
            (line, amounts)
            for (offer, line), amounts in sorted(self.ledger.usd.items())
            if offer == self.offer
        ]

    def _lot(self, lot: Lot, state: LotState) -> None:
        ctx, edges = self.ctx, self.ledger.edges
        name = lot.name
        rent = self.rents.get(lot.key)
        if rent is not None:
            self._rent(name, ctx.prepared.study.offers[lot.offer], lot, state, rent)
            days, unit = _late_days(ctx, lot, state)
            self._booked(
                name,
                lambda book: bill_rent(book, ctx, lot, state, rent),
                {"credit": (days, unit, "")},
                "commitment",
            )
        self._prepayment(name, lot, state, rent)
        there = overlap(edges, *lot_span(lot, state, ctx.end)) / MS_HOUR * lot.chips
        spot = there - away_ms(ctx, lot, state, edges, *lot_span(lot, state, ctx.end)) / MS_HOUR
        self._booked(
            name,
            lambda book: bill_spot(book, ctx, lot, state),
            {"spot": (spot, "chip-hours", "spot capacity")},
        )
        self._owned(name, lot, state)

    def _rent(self, name: str, offer: Offer, lot: Lot, state: LotState, rent: Rent) -> None:
        """Hours at each price, first and further terms apart; then what is paid beside those used."""
        path, edges = lot_price(self.ctx, lot, state), self.ledger.edges
        begin, end = rent_span(lot, state, self.ctx.end)
        share = np.ones(len(edges) - 1)
        words = ("hours of the contract", "further term")
        if offer.take_or_pay is not None:
            share = np.minimum(self.used[f"{lot.offer}/{lot.system}"], 1.0)
            words = ("hours used", "used, further term")
        further = state.renewals[0][0] if state.renewals else self.ctx.end
        for low, high, price in path.spans(begin, end):
            hours = overlap(edges, low, high) / MS_HOUR * lot.chips * share
            self._add(name, "commitment", hours * price, hours, "chip-hours", words[low >= further])
        if offer.take_or_pay is not None and offer.take_or_pay.scope == "tranche":
            self._beside(name, [rent])

    def _beside(self, name: str, settled: list[Rent]) -> None:
        """Hours that take-or-pay adds or takes off, of rents that are settled together."""
        if not settled:
            return
        usd = np.sum([rent.usd - rent.used * rent.price for rent in settled], axis=0)
        extra = np.sum([rent.extra for rent in settled], axis=0)
        for words, hours in (
            ("committed, not used", np.maximum(extra, 0.0)),
            ("made up, paid before", np.minimum(extra, 0.0)),
        ):
            self._add(name, "commitment", np.where(hours != 0, usd, 0.0), hours, "chip-hours", words)

    def _prepayment(self, name: str, lot: Lot, state: LotState, rent: Rent | None) -> None:
        """What is paid in advance, credited against rent, given back or lost."""
        ctx, edges = self.ctx, self.ledger.edges
        spec = ctx.prepared.study.offers[lot.offer].prepay
        if spec is None:
            return
        book = Ledger(self.ledger.calendar, edges)
        bill_prepayment(book, ctx, lot, state, rent)
        nothing = np.zeros(len(edges) - 1)
        sums = {line: book.usd.get((self.offer, line), nothing) for line in ("prepayment", "drawdown")}
        whole = lot_value(ctx, lot, state)
        self._add(
            name,
            "prepayment",
            sums["prepayment"],
            np.full(len(nothing), whole),
            "$ of value",
            "share of the value",
        )
        paid = float(sums["prepayment"].sum())
        drawn = drawn_down(ctx, lot, state, rent, edges, paid)
        if spec.credited == "evenly":
            begin, end = rent_span(lot, state, ctx.end)
            days = overlap(edges, begin + int(spec.credited_after), max(end, begin)) / MS_DAY
            self._add(name, "drawdown", -drawn, days, "days", "credited evenly")
        else:
            self._add(name, "drawdown", -drawn, drawn, "$ of rent", "credited against rent")
        back = -sums["drawdown"] - drawn
        back[np.abs(back) < 1e-4] = 0.0
        self._add(name, "drawdown", -back, back, "$ prepaid", "given back")
        left = np.full(len(nothing), paid - float(drawn.sum()))
        for line in ("recovery", "undrawn"):
            self._add(name, line, book.usd.get((self.offer, line), nothing), left, "$ not drawn")

    def _owned(self, name: str, lot: Lot, state: LotState) -> None:
        """Chips bought, their operation and worth; chips let to others or sold."""
        ctx, edges = self.ctx, self.ledger.edges
        begin, end = lot_span(lot, state, ctx.end)
        begin = max(begin, state.bought)
        owned = lot.price_chip > 0 or state.bought >= 0
        years = overlap(edges, begin, max(end, begin)) / YEAR_MS * lot.chips
        kept = lot.chips
        for at, chips, price in state.let:
            if owned and at >= state.bought:
                sold = np.zeros(len(edges) - 1)
                sold[self.ledger.month(at)] = chips
                self._add(name, "resale", -sold * price, sold, "chips", "chips sold")
                years = years - overlap(edges, at, max(end, at)) / YEAR_MS * chips
                kept -= chips
            else:
                hours = overlap(edges, at, max(end, at)) / MS_HOUR * chips
                self._add(name, "resale", -hours * price, hours, "chip-hours", "chips let")

        def bill(book: Ledger) -> None:
            bill_purchase(book, ctx, lot, state)
            bill_lease_end(book, ctx, lot, state)
            bill_resale(book, ctx, lot, state)

        priced: dict[str, tuple[float | Reals, str, str]] = {
            "purchase": (float(lot.chips), "chips", "chips bought"),
            "operation": (years, "chip-years", ""),
            "salvage": (float(kept), "chips", ""),
        }
        self._booked(name, bill, priced, "resale")

    def _shell(self, shell: Shell) -> None:
        span = shell_span(shell, self.ctx.shells[shell.key], self.ctx.end)
        quantity = overlap(self.ledger.edges, *span) / MONTH_MS * shell.kw
        self._booked(
            f"{shell.index + 1}",
            lambda book: bill_shell(book, self.ctx, shell),
            {"shell": (quantity, "kW-months", "rent of the shell")},
        )

    def _premiums(self) -> None:
        for option in self.ctx.prepared.study.offers[self.offer].options:
            reference = f"{self.offer}.{option.name}"
            self._booked(
                option.name,
                lambda book, only=reference: bill_premiums(book, self.ctx, only),  # type: ignore[misc]
                {"premium": (1.0, "option", "")},
            )

    def _power(self, spec: Offer) -> None:
        if spec.power_pass_through is None:
            return
        book = Ledger(self.ledger.calendar, self.ledger.edges)
        bill_power(book, self.ctx)
        usd = book.usd.get((self.offer, "power"), np.zeros(len(self.labels)))
        above = power_prices(self.ctx, spec) - float(spec.power_pass_through.strike)
        energy = np.divide(usd, above, out=np.zeros_like(usd), where=usd != 0)
        self._add("", "power", usd, energy, "MWh")

    def _termination(self) -> None:
        """The fee on what remained payable of every lot and shell that was left."""
        ctx, portfolio = self.ctx, self.ctx.prepared.portfolio
        found: list[tuple[str, Lot | Shell]] = [(lot.name, lot) for lot in portfolio.lots]
        found += [(f"{shell.index + 1}", shell) for shell in portfolio.shells]
        for name, item in found:
            at = left_at(ctx.lots[item.key] if isinstance(item, Lot) else ctx.shells[item.key])
            if item.offer == self.offer and at >= 0:
                left = remaining(ctx, item, at) if isinstance(item, Lot) else shell_remaining(ctx, item, at)
                self._booked(
                    name,
                    lambda book, only=item.key: bill_termination(book, ctx, only),  # type: ignore[misc]
                    {"termination": (left, "$ remaining", "")},
                )

    def _minimum(self) -> None:
        """The minimum, less what was spent, where that is less."""
        if self.offer not in self.ctx.prepared.portfolio.offers:
            return
        for missing in shortfalls(self.ledger, self.ctx, self.offer):
            if missing.at >= int(self.ledger.edges[-1]):
                continue
            for usd, words in ((missing.least, "minimum"), (-missing.spent, "less spent")):
                amounts = np.zeros(len(self.labels))
                amounts[self.ledger.month(missing.at)] = usd
                self._add("", "min_spend", amounts, np.abs(amounts), "$", f"{words} {missing.what}")

    def _copies(self) -> None:
        """Data sent to the offer's site, by month, at each price that the sites it left ask."""
        sent: dict[float, Reals] = {}
        for copy in self.ctx.data_copies:
            if copy.offer == self.offer and copy.usd > 0 and copy.at < int(self.ledger.edges[-1]):
                price = round(copy.usd / copy.gigabytes, PRICE_DECIMALS)
                sent.setdefault(price, np.zeros(len(self.labels)))[self.ledger.month(copy.at)] += (
                    copy.gigabytes
                )
        for price, gigabytes in sorted(sent.items()):
            self._add("", "egress", gigabytes * price, gigabytes, "GB", "data copied to the site")
        kept: dict[float, Reals] = {}
        for copy in self.ctx.data_copies:
            if copy.offer == self.offer and copy.storage > 0:
                months = kept_tb_months(self.ctx, copy, self.ledger.edges)
                kept[copy.storage] = kept.get(copy.storage, 0.0) + months
        for price, months in sorted(kept.items()):
            self._add("", "egress", months * price, months, "TB-months", "data kept at the site")

    def _booked(
        self,
        tranche: str,
        bill: Callable[[Ledger], object],
        priced: Mapping[str, tuple[float | Reals, str, str]],
        skip: str = "",
    ) -> None:
        """Items of what `bill` books under this offer; `priced` gives quantity, unit and words by line."""
        book = Ledger(self.ledger.calendar, self.ledger.edges)
        bill(book)
        for (offer, line), amounts in sorted(book.usd.items()):
            if offer == self.offer and line != skip:
                quantity, unit, words = priced.get(line, (None, "", ""))
                each = None if quantity is None else np.broadcast_to(quantity, amounts.shape)
                self._add(tranche, line, amounts, each, unit, words)

    def _add(
        self, tranche: str, line: str, usd: Reals, quantity: Reals | None, unit: str, words: str = ""
    ) -> None:
        """An item for each month with an amount; without a quantity it is a lump sum."""
        self.explained[line] = self.explained.get(line, np.zeros(len(usd))) + usd
        for month in np.flatnonzero(usd):
            whole = 0.0 if quantity is None else float(quantity[month])
            item = _item(
                self.labels[month],
                tranche,
                line,
                words or WORDS.get(line, line),
                float(usd[month]),
                whole,
                unit,
            )
            self.items.append((int(month), item))


def _item(month: str, tranche: str, line: str, what: str, usd: float, quantity: float, unit: str) -> Item:
    """A line whose amount is its quantity times its price to the cent; a lump sum where the quantity is 0."""
    if not quantity:
        return Item(month, tranche, line, what, 1.0, "", round(usd, 2), round(usd, 2))
    price = round(usd / quantity, PRICE_DECIMALS)
    number = round(quantity, 3 if abs(price) < CHEAP else 6)
    return Item(month, tranche, line, what, number, unit, price, round(number * price, 2))


def porting_items(ledger: Ledger) -> Iterator[Item]:
    """An item for each stack that is ported."""
    labels = ledger.calendar.month_labels()
    for (offer, line), amounts in sorted(ledger.usd.items()):
        if offer.startswith(f"{PORTING} "):
            for month in np.flatnonzero(amounts):
                family = offer.removeprefix(f"{PORTING} ")
                yield _item(labels[month], family, line, WORDS[line], float(amounts[month]), 1.0, "port")


def nominal(ledger: Ledger, offer: str) -> float:
    """What is paid under an offer, USD; for `porting` all stacks that are ported."""
    names = {name for name, _ in ledger.usd}
    if offer == PORTING and offer not in names:
        return sum(ledger.nominal(name) for name in sorted(names) if name.startswith(f"{PORTING} "))
    return ledger.nominal(offer)


def _late_days(ctx: Context, lot: Lot, state: LotState) -> tuple[float, str]:
    """What a credit counts: days after the cure period, or at its cap the days of rent that it comes to."""
    remedy = ctx.prepared.study.offers[lot.offer].delivery.remedy
    if remedy is None or remedy.credit_per_day is None:
        return 0.0, ""
    days = max(state.delay - int(remedy.cure or 0), 0) / MS_DAY
    capped = None if remedy.credit_cap is None else float(remedy.credit_cap) * DAYS_YEAR
    if capped is not None and capped < float(remedy.credit_per_day) * days:
        return capped, "days of rent"
    return days, "days"
