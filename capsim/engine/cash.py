"""Who is paid what, when: every dollar in exactly one line of one offer and month."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from capsim.compile.calendar import DAYS_YEAR, MS_DAY, MS_HOUR, Calendar
from capsim.compile.portfolio import Lot, Shell
from capsim.compile.prepare import Prepared
from capsim.control.context import Context, LotState

MONTH_MS = DAYS_YEAR / 12 * MS_DAY
YEAR_MS = DAYS_YEAR * MS_DAY


@dataclass
class Ledger:
    """Payments by offer, line and month.

    Attributes:
        edges: month boundaries, ms, shape (months + 1,).
        usd: (offer, line) -> nominal USD by month, shape (months,). Credits and salvage are negative.
    """

    calendar: Calendar
    edges: NDArray[np.int64]
    usd: dict[tuple[str, str], NDArray[np.float64]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.factors = np.array(
            [self.calendar.discount((a + b) / 2) for a, b in zip(self.edges, self.edges[1:], strict=False)]
        )

    def add(self, offer: str, line: str, usd: NDArray[np.float64]) -> None:
        """Book amounts by month, shape (months,)."""
        if np.any(usd):
            key = (offer, line)
            self.usd[key] = self.usd.get(key, np.zeros(len(self.edges) - 1)) + usd

    def add_at(self, offer: str, line: str, at: int, usd: float) -> None:
        """Book one payment at an instant; before the horizon it counts as due on its first day."""
        if usd and at < int(self.edges[-1]):
            amounts = np.zeros(len(self.edges) - 1)
            amounts[self.month(at)] = usd
            self.add(offer, line, amounts)

    def month(self, at: int) -> int:
        """The month of an instant, within the horizon."""
        return int(np.clip(np.searchsorted(self.edges, at, side="right") - 1, 0, len(self.edges) - 2))

    def npv(self, offer: str | None = None, line: str | None = None) -> float:
        """Discounted sum (a month's payments count at its middle) of an offer, a line, or all."""
        return float(
            sum(
                float(amounts @ self.factors)
                for (o, ln), amounts in sorted(self.usd.items())
                if offer in (None, o) and line in (None, ln)
            )
        )

    def nominal(self, offer: str | None = None, line: str | None = None) -> float:
        """The same, not discounted."""
        return float(
            sum(
                float(a.sum())
                for (o, ln), a in sorted(self.usd.items())
                if offer in (None, o) and line in (None, ln)
            )
        )


def overlap(edges: NDArray[np.int64], begin: int, end: int) -> NDArray[np.int64]:
    """Milliseconds of [begin, end) in each month, shape (months,)."""
    spans: NDArray[np.int64] = np.maximum(np.minimum(edges[1:], end) - np.maximum(edges[:-1], begin), 0)
    return spans


def lot_span(lot: Lot, state: LotState, end: int) -> tuple[int, int]:
    """When the lot was on site: (delivered, ended or horizon's end); empty when it never came."""
    if state.delivered < 0:
        return (0, 0)
    return (state.delivered, state.ended if state.ended >= 0 else end)


def lot_end(lot: Lot, state: LotState, end: int) -> int:
    """When the lot's contract ends, possibly after the horizon."""
    if lot.ends is not None:
        return lot.ends
    begin = state.delivered if state.delivered >= 0 else state.planned
    return begin + lot.term if lot.term is not None else max(end, begin)


def lot_price(lot: Lot, state: LotState) -> float:
    """USD per chip-hour that this lot pays."""
    return lot.price_hour * state.price_factor


def book(ctx: Context, used: dict[str, NDArray[np.float64]]) -> Ledger:
    """Book all contracts of a run.

    Args:
        used: share of the delivered chips in use by month and place name, shape (months,); it matters where
            take-or-pay covers less than all of them.
    """
    prepared = ctx.prepared
    ledger = Ledger(prepared.calendar, np.array(prepared.calendar.months(), dtype=np.int64))
    for lot in prepared.portfolio.lots:
        state = ctx.lots[lot.key]
        if state.status in ("not converted", "unused"):
            continue
        _rent(ledger, ctx, lot, state, used[f"{lot.offer}/{lot.system}"])
        _prepayment(ledger, ctx, lot, state)
        _bought(ledger, ctx, lot, state)
    for shell in prepared.portfolio.shells:
        _shell(ledger, ctx, shell)
    _porting(ledger, prepared)
    _premiums(ledger, ctx)
    _min_spend(ledger, ctx)
    return ledger


def _rent(ledger: Ledger, ctx: Context, lot: Lot, state: LotState, used: NDArray[np.float64]) -> None:
    price = lot_price(lot, state)
    begin, end = lot_span(lot, state, ctx.end)
    if price <= 0 or end <= begin:
        return
    offer = ctx.prepared.study.offers[lot.offer]
    pay = offer.take_or_pay
    if pay is not None and pay.starts == "on_date":
        begin = max(min(state.planned, begin), 0)
    hours = overlap(ledger.edges, begin, end) / MS_HOUR * lot.chips
    share = 1.0 if pay is None else float(pay.share)
    ledger.add(lot.offer, "commitment", hours * price * np.maximum(share, np.minimum(used, 1.0)))
    remedy = offer.delivery.remedy
    if remedy is not None and remedy.credit_per_day is not None and state.delay > 0:
        daily = lot.chips * 24 * price
        ledger.add_at(
            lot.offer, "credit", state.delivered, -float(remedy.credit_per_day) * daily * state.delay / MS_DAY
        )


def _prepayment(ledger: Ledger, ctx: Context, lot: Lot, state: LotState) -> None:
    spec = ctx.prepared.study.offers[lot.offer].prepay
    if spec is None or float(spec.share) <= 0:
        return
    term_hours = (lot.planned_end(ctx.end) - lot.planned) / MS_HOUR
    paid = float(spec.share) * lot.chips * lot_price(lot, state) * term_hours
    due = max(state.planned - int(spec.before), 0)
    if due >= ctx.end:
        return
    ledger.add_at(lot.offer, "prepayment", due, paid)
    if state.status == "terminated":
        late = ctx.prepared.study.offers[lot.offer].delivery.remedy
        back = state.planned + int(late.terminate_after or 0) if late else state.planned
        ledger.add_at(lot.offer, "drawdown", back, -paid)
        return
    begin, end = lot_span(lot, state, ctx.end)
    if end <= begin:
        return
    hours = overlap(
        ledger.edges, begin + int(spec.credited_after), max(end, begin + int(spec.credited_after))
    )
    rent = hours / MS_HOUR * lot.chips * lot_price(lot, state)
    drawn = np.minimum(np.cumsum(rent), paid)
    ledger.add(lot.offer, "drawdown", -np.diff(np.concatenate([[0.0], drawn])))
    if end == ctx.end:  # what is still to be drawn down after the horizon is worth its amount at the end
        ledger.add_at(lot.offer, "salvage", end - 1, -(paid - float(drawn[-1])))


def _bought(ledger: Ledger, ctx: Context, lot: Lot, state: LotState) -> None:
    begin, end = lot_span(lot, state, ctx.end)
    if lot.price_chip <= 0 or end <= begin:
        return
    offer = ctx.prepared.study.offers[lot.offer]
    value = lot.chips * lot.price_chip * state.price_factor
    ledger.add_at(lot.offer, "purchase", begin, value)
    if offer.operating_share is not None:
        ledger.add(
            lot.offer,
            "operation",
            overlap(ledger.edges, begin, end) / YEAR_MS * float(offer.operating_share) * value,
        )
    if offer.residual_per_year is not None:
        left = value * (1.0 - float(offer.residual_per_year)) ** ((end - begin) / YEAR_MS)
        ledger.add_at(lot.offer, "salvage", end - 1, -left)


def _shell(ledger: Ledger, ctx: Context, shell: Shell) -> None:
    state = ctx.shells[shell.key]
    if state.delivered < 0:
        return
    end = min(ctx.end, state.delivered + shell.term) if shell.term is not None else ctx.end
    months = overlap(ledger.edges, state.delivered, end) / MONTH_MS
    ledger.add(shell.offer, "shell", months * shell.kw * shell.price_kw_month)


def _porting(ledger: Ledger, prepared: Prepared) -> None:
    held = {place.family for place in prepared.places if place.offer in prepared.portfolio.offers}
    base = {place.family for place in prepared.places if place.offer in prepared.portfolio.base_offers}
    for family in sorted(held - base - set(prepared.study.ported)):
        spec = prepared.study.porting.get(family)
        if spec is not None:
            ledger.add_at(
                f"porting {family}",
                "porting",
                max(prepared.ports[family] - int(spec.time), 0),
                float(spec.cost),
            )


def _premiums(ledger: Ledger, ctx: Context) -> None:
    study = ctx.prepared.study
    for reference in study.strategies[ctx.prepared.strategy].options:
        offer_name, _, option_name = reference.rpartition(".")
        option = next(o for o in study.offers[offer_name].options if o.name == option_name)
        ledger.add_at(
            offer_name, "premium", max(ctx.prepared.calendar.ms(option.decide), 0), float(option.premium)
        )


def _min_spend(ledger: Ledger, ctx: Context) -> None:
    """What a minimum spend leaves to pay when tranches were left: due at the horizon's end."""
    for name in ctx.prepared.portfolio.offers:
        share = ctx.prepared.study.offers[name].min_spend
        if share is None:
            continue
        lots = [lot for lot in ctx.prepared.portfolio.lots if lot.offer == name and not lot.purchased_by_rule]
        states = [ctx.lots[lot.key] for lot in lots]
        if all(state.status == "not converted" for state in states):
            continue
        value = sum(lot_value(lot, state, ctx.end) for lot, state in zip(lots, states, strict=True))
        kept = sum(
            lot_value(lot, state, ctx.end)
            for lot, state in zip(lots, states, strict=True)
            if state.status != "terminated"
        )
        ledger.add_at(name, "min_spend", ctx.end - 1, max(float(share) * value - kept, 0.0))


def lot_value(lot: Lot, state: LotState, end: int) -> float:
    """Value of a lot over its whole term as contracted: rent, or the purchase price."""
    hours = max(lot.planned_end(end) - lot.planned, 0) / MS_HOUR
    return lot.chips * (lot_price(lot, state) * hours + lot.price_chip * state.price_factor)


def contract_values(ctx: Context) -> dict[str, tuple[float, float]]:
    """By held offer: value over the whole terms as contracted, and the part of it that became a contract."""
    found: dict[str, tuple[float, float]] = {}

    def add(offer: str, value: float, status: str) -> None:
        total, signed = found.get(offer, (0.0, 0.0))
        found[offer] = (total + value, signed + (value if status != "not converted" else 0.0))

    portfolio = ctx.prepared.portfolio
    for lot in portfolio.lots:
        state = ctx.lots[lot.key]
        if lot.offer in portfolio.offers and state.status != "unused":
            add(lot.offer, lot_value(lot, state, ctx.end), state.status)
    for shell in portfolio.shells:
        months = (shell.term or 0) / MONTH_MS
        add(shell.offer, shell.kw * shell.price_kw_month * months, ctx.shells[shell.key].status)
    return found


def owed_after(ctx: Context, at: int) -> dict[str, float]:
    """By offer: what remains payable under contracts signed by `at` if all work stops then.

    Take-or-pay of delivered lots to the end of their term, of lots still to come their whole term, chips
    ordered and not delivered, shells to the end of their lease; prepayments already made are deducted.
    """
    owed: dict[str, float] = {}
    study = ctx.prepared.study
    for lot in ctx.prepared.portfolio.lots:
        state = ctx.lots[lot.key]
        if state.status in ("not converted", "unused", "terminated") or (
            lot.purchased_by_rule and state.planned > at
        ):
            continue
        pay = study.offers[lot.offer].take_or_pay
        share = 1.0 if pay is None else float(pay.share)
        begin = state.delivered if state.delivered >= 0 else max(state.planned + state.delay, 0)
        left = max(lot_end(lot, state, ctx.end) - max(at, begin), 0) / MS_HOUR
        amount = lot.chips * lot_price(lot, state) * left * share
        if begin > at:
            amount += lot.chips * lot.price_chip * state.price_factor
        owed[lot.offer] = owed.get(lot.offer, 0.0) + amount
    for shell in ctx.prepared.portfolio.shells:
        shell_state = ctx.shells[shell.key]
        if shell_state.status == "not converted" or shell.term is None:
            continue
        begin = shell_state.delivered if shell_state.delivered >= 0 else shell.planned + shell_state.delay
        left = max(begin + shell.term - max(at, begin), 0) / MONTH_MS
        owed[shell.offer] = owed.get(shell.offer, 0.0) + shell.kw * shell.price_kw_month * left
    return owed
